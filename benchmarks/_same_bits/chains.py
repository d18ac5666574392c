"""Chains of a loss and its links: forecasts by slopes and by draws, shared rows, tasks, helpers,
noise of tasks, units.
"""

import numpy as np

import jaxscale as jsl
from jaxscale import laws, units
from jaxscale.units import Number

from . import today
from .made import LOG, SCORE, SQUARED, line, second, third

TRUTH = laws.chinchilla.fix(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
LINK = laws.accuracy_above_chance.fix(chance=0.25, top=1.0)


def cases():
    x, y, other, z = lines(pull=0.9)
    one, two = straight(line, x, y), straight(second, other, z)
    names = np.array([f"m{i:02d}" for i in range(20)])
    yield "two lines", lambda: told(jsl.chain(one, two), x=4.0)
    yield "two lines, many models", lambda: told(jsl.chain(one, two), x=[3.0, 4.0, 5.0], level=0.8)
    yield (
        "two lines of other rows",
        lambda: told(jsl.chain(one, straight(second, *lines(20, 14)[2:])), x=4.0),
    )
    yield (
        "runs by name",
        lambda: told(
            jsl.chain(
                straight(line, x, y, run=names),
                straight(second, other[::-1], z[::-1], run=names[::-1]),
            ),
            x=4.0,
        ),
    )
    yield (
        "runs by group",
        lambda: told(
            jsl.chain(
                straight(line, x, y, model=names),
                straight(second, other, z, model=names),
                by="model",
            ),
            x=4.0,
        ),
    )
    yield "checkpoints", lambda: told(checkpoints(), x=4.0)
    yield "refits", lambda: told(jsl.chain(*(jsl.bootstrap(f, 60) for f in (one, two))), x=4.0)
    yield (
        "refits of two seeds",
        lambda: jsl.chain(jsl.bootstrap(one, 20), jsl.bootstrap(two, 20, seed=1)),
    )
    yield (
        "three stages of refits",
        lambda: told(jsl.chain(*(jsl.bootstrap(f, 60) for f in three())), x=1.5),
    )
    loss, link, columns = ladder(0)
    yield "a ladder", lambda: told(jsl.chain(loss, link), **columns)
    yield "a ladder, one model", lambda: told(jsl.chain(loss, link), N=1e11, D=2e12)
    yield (
        "a ladder of refits",
        lambda: told(jsl.chain(jsl.bootstrap(loss, 60), jsl.bootstrap(link, 60)), **columns),
    )
    yield "a ladder whose top is lost", top_lost
    yield "three stages with tasks", tasks
    yield "per byte", per_byte
    yield "two tokenizers", tokenizers
    yield from helpers(loss)
    yield "signal of tasks", signal
    yield "a narrow delta", narrow


def told(found, **columns):
    level = columns.pop("level", 0.95)
    forecast = found.forecast(**columns, level=level)
    return {
        "printed": repr(found),
        "columns": list(found.columns),
        "kinds": list(found.kinds),
        "shared": found.shared,
        "remarks": list(found.remarks),
        "forecast": forecast,
        "forecast printed": repr(forecast),
        "predicted": found.predict(**columns),
    }


def straight(law, x, y, **groups):
    (column,) = law.columns
    runs = jsl.Runs.from_columns(
        **{column: x, "z": y}, target="z", groups=groups, units={"z": Number}
    )
    return jsl.fit(law, runs, objective=SQUARED, starts=4)


def lines(n=20, m=20, seed=0, pull=0.0):
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 3, n)
    e = 0.2 * rng.standard_normal(n)
    y = 1 + 0.5 * x + e
    other = y if n == m and pull else np.linspace(1, 3, m)
    z = 2 - 0.7 * other + 0.1 * rng.standard_normal(m) + pull * (e if n == m else 0.0)
    return x, y, other, z


def checkpoints():
    x, y, other, z = lines(24, 24, pull=0.9)
    run = np.repeat([f"r{i}" for i in range(8)], 3)
    return jsl.chain(
        straight(line, x, y, run=run), straight(second, other[2::3], z[2::3], run=run[2::3])
    )


def three():
    x, y, _, _ = lines(20)
    rng = np.random.default_rng(1)
    other, e = np.linspace(1, 3, 20), 0.1 * rng.standard_normal(20)
    z = 2 - 0.7 * other + e
    w = 1 + z + 2 * e + 0.03 * rng.standard_normal(20)
    return straight(line, x, y), straight(second, other, z), straight(third, z, w)


def tables(seed, top=1.0, n=40):
    """A sweep and the scores of the same runs."""
    rng = np.random.default_rng([11, seed])
    C, ratio = (
        np.exp(rng.uniform(np.log(1e18), np.log(1e21), n)),
        np.exp(rng.uniform(np.log(5), np.log(80), n)),
    )
    N = np.sqrt(C / 6 / ratio)
    loss = TRUTH(N, C / 6 / N) * np.exp(0.005 * rng.standard_normal(n))
    link = laws.accuracy_above_chance.fix(
        k=rng.uniform(3, 8), x0=rng.uniform(2.1, 2.8), chance=0.25, top=top
    )
    score = np.clip(link(loss) + 0.01 * rng.standard_normal(n), 0, 1)
    sweep = jsl.Runs.from_columns(N=N, D=C / 6 / N, loss=loss)
    return sweep, jsl.Runs.from_columns(L=loss, score=score, target="score", units=SCORE)


def ladder(seed):
    sweep, scores = tables(seed)
    big = np.sqrt(np.array([1e22, 1e23]) / 120)
    loss = jsl.fit(laws.chinchilla, sweep, objective=LOG, starts=8)
    return loss, jsl.fit(LINK, scores, objective=SQUARED, starts=8), {"N": big, "D": 20 * big}


def top_lost():
    sweep, scores = tables(3, top=0.85)
    loss = jsl.fit(laws.chinchilla, sweep, objective=LOG, starts=8)
    link = jsl.fit(laws.accuracy_above_chance.fix(chance=0.25), scores, objective=SQUARED, starts=8)
    return told(jsl.chain(loss, link), N=1e11, D=2e12)


def tasks():
    rng = np.random.default_rng(5)
    N, D = np.exp(rng.uniform(18, 23, 60)), np.exp(rng.uniform(22, 26, 60))
    loss = TRUTH(N, D) * np.exp(0.003 * rng.standard_normal(60))
    there = laws.loss_to_loss.fix(K=0.9, kappa=1.1, E0=1.5, E1=1.2)
    other = there(loss) * np.exp(0.003 * rng.standard_normal(60))
    by_task = laws.accuracy_above_chance.per(k="task", x0="task", chance="task")
    truth = by_task.fix(k=[4.0, 6.0], x0=[2.0, 2.2], chance=[0.25, 0.5], top=1.0)
    score = truth(other, task=np.tile([0, 1], 30)) + 0.005 * rng.standard_normal(60)
    own = [
        jsl.Runs.from_columns(N=N, D=D, loss=loss),
        jsl.Runs.from_columns(L0=loss, loss=other, units={"L0": units.Nats}),
        jsl.Runs.from_columns(
            L=other,
            score=score,
            target="score",
            groups={"task": np.tile(["arc", "piqa"], 30)},
            units=SCORE,
        ),
    ]
    fits = [
        jsl.fit(laws.chinchilla, own[0], objective=LOG, starts=16),
        jsl.fit(laws.loss_to_loss.fix(E0=1.5, E1=1.2), own[1], objective=LOG, starts=8),
        jsl.fit(by_task.fix(chance=[0.25, 0.5], top=1.0), own[2], objective=SQUARED, starts=8),
    ]
    return {"fits": fits, **told(jsl.chain(*fits), N=1e11, D=2e12, task=["arc", "piqa"])}


def per_byte():
    sweep, scores = tables(0)
    same = jsl.Runs.from_columns(
        N=sweep["N"],
        D=sweep["D"],
        loss=units.bits_per_byte(sweep["loss"], 4.3),
        units={"loss": units.BitsPerByte},
    )
    here = jsl.Runs.from_columns(
        L=units.bits_per_byte(scores["L"], 4.3),
        score=scores["score"],
        target="score",
        units=SCORE | {"L": units.BitsPerByte},
    )
    loss = jsl.fit(laws.chinchilla, same, objective=LOG, starts=8)
    return told(jsl.chain(loss, jsl.fit(LINK, here, objective=SQUARED, starts=8)), N=1e10, D=2e11)


def tokenizers():
    x, y, other, z = lines(pull=0.9)
    first = jsl.Runs.from_columns(x=x, loss=y, groups={"tokenizer": ["gpt2"] * 20})
    link = jsl.Runs.from_columns(
        y=other,
        z=z,
        target="z",
        groups={"tokenizer": ["llama"] * 20},
        units={"y": units.Nats, "z": Number},
    )
    return jsl.chain(
        *(
            jsl.fit(law, runs, objective=SQUARED, starts=4)
            for law, runs in ((line, first), (second, link))
        )
    )


def helpers(loss):
    _, scores = tables(0)
    helped = today.with_helper(scores, 0.97, weight=100.0)
    by_task = jsl.Runs.from_columns(
        L=scores["L"],
        score=scores["score"],
        target="score",
        groups={"task": np.tile(["a", "b"], 20)},
        units=SCORE,
    )
    yield "a helper", lambda: helped
    yield "a helper by task", lambda: today.with_helper(by_task, per="task")
    yield "a helper twice", lambda: today.with_helper(helped)

    def link():
        return jsl.fit(
            laws.accuracy_above_chance.fix(chance=0.25), helped, objective=SQUARED, starts=8
        )

    yield (
        "a link with a helper",
        lambda: {"fit": (fit := link()), "interval": jsl.interval(fit), "report": jsl.report(fit)},
    )
    yield "a chain with a helper", lambda: told(jsl.chain(loss, link()), N=1e11, D=2e12)


def signal():
    rng = np.random.default_rng(2)
    model, step = np.repeat([f"m{i}" for i in range(6)], 10), np.tile(np.arange(10), 6)
    level = np.repeat(np.linspace(0.3, 0.6, 6), 10)
    good, noisy = level + 0.01 * rng.standard_normal(60), 0.4 + 0.02 * rng.standard_normal(60)
    runs = jsl.Runs.from_columns(
        step=np.tile(step, 2),
        score=np.concatenate([good, noisy]),
        target="score",
        groups={"run": np.tile(model, 2), "task": np.repeat(["good", "noisy"], 60)},
        units=SCORE,
    )
    found = today.task_signal(runs, last=5)
    loss, link, columns = ladder(0)
    return {
        "found": found,
        "weak": list(found.weak),
        **told(jsl.chain(loss, link, checkpoints=runs), **columns),
    }


def narrow():
    sweep, scores = tables(3)
    loss = jsl.fit(laws.chinchilla, sweep, objective=jsl.objectives.LogHuber(1e-3), starts=16)
    return told(jsl.chain(loss, jsl.fit(LINK, scores, objective=SQUARED, starts=8)), N=1e11, D=2e12)
