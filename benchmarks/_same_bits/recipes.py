"""Two recipes: multipliers at budgets and targets, by HC3, CR3 and refits, with pairs and without,
and where they cross.
"""

import numpy as np

import jaxscale as jsl

from . import today
from .made import BESIROGLU, CHINCHILLA, LOG, SQUARED

N, D = (
    v.ravel()
    for v in np.meshgrid(np.geomspace(3e7, 1e9, 5), np.geomspace(1e9, 3e10, 5), indexing="ij")
)
COMMON = np.random.default_rng(5).standard_normal(25)


def scaled(m, **other):
    """A recipe of m times the compute at every budget."""
    p = BESIROGLU.params
    own = {"A": p["A"] * m ** (-0.5 * p["alpha"]), "B": p["B"] * m ** (-0.5 * p["beta"])}
    return CHINCHILLA.fix(**{**p, **own, **other})


def table(law, draw, noise=0.005, **more):
    z = np.sqrt(0.5) * (np.random.default_rng(draw).standard_normal(25) + COMMON)
    return jsl.Runs.from_columns(N=N, D=D, loss=np.asarray(law(N, D)) * np.exp(noise * z), **more)


def fitted(*tables, objective=LOG, law=CHINCHILLA):
    fits = jsl.fit(law, list(tables), objective=objective, starts=16)
    return [fits[i] for i in range(len(tables))]


def cases():
    two = fitted(table(BESIROGLU, 1), table(scaled(1.5), 2))
    ask = today.compare_recipes
    yield "a budget", lambda: told(ask(*two, budget=1e23))
    yield "budgets", lambda: told(ask(*two, budget=[1e19, 1e21, 1e24]))
    yield "targets", lambda: told(ask(*two, target=[3.0, 2.1]))
    yield "a level", lambda: told(ask(*two, budget=1e21, level=0.8))
    yield "refits", lambda: told(ask(*two, budget=[1e19, 1e21], kind="percentile", resamples=60))
    yield (
        "refits of a target",
        lambda: told(ask(*two, target=2.4, kind="percentile", resamples=60, seed=4)),
    )
    yield "a table against itself", lambda: told(ask(two[0], two[0], budget=1e21))
    yield (
        "without pairs",
        lambda: told(
            ask(
                *fitted(
                    *(
                        table(law, k + 1, seed=np.full(25, k))
                        for k, law in enumerate((BESIROGLU, scaled(1.5)))
                    )
                ),
                budget=1e21,
            )
        ),
    )
    fewer = fitted(table(scaled(1.5), 2, weights=1.0 * (np.arange(25) < 20)))[0]
    yield "rows of weight 0", lambda: told(ask(two[0], fewer, budget=1e20))
    yield (
        "the default objective",
        lambda: told(
            ask(
                *fitted(*(f.problem.runs for f in two), objective=jsl.objectives.LogHuber()),
                budget=1e20,
                resamples=60,
            )
        ),
    )
    yield (
        "squares of the loss",
        lambda: told(ask(*fitted(*(f.problem.runs for f in two), objective=SQUARED), budget=1e20)),
    )
    yield "whole runs", lambda: told(ask(*fitted(*whole_runs()), budget=1e20))
    yield "whole runs, by rows", lambda: told(ask(*fitted(*whole_runs()), budget=1e20, by="rows"))
    yield (
        "whole runs, refits",
        lambda: told(ask(*fitted(*whole_runs()), budget=1e20, kind="percentile", resamples=60)),
    )
    later = scaled(
        1.0, A=float(BESIROGLU.params["A"]) * 1.25, E=float(BESIROGLU.params["E"]) - 0.05
    )
    yield (
        "a crossing",
        lambda: told(
            ask(
                *fitted(table(BESIROGLU, 1, 0.002), table(later, 2, 0.002)),
                budget=1e20,
                bracket=(1e17, 1e25),
            )
        ),
    )
    below = fitted(table(BESIROGLU, 1, 0.001), table(scaled(1.0, E=1.5), 2, 0.001))
    yield (
        "a loss that is never reached",
        lambda: told(ask(*below, target=[2.4, float(below[0].params["E"]) - 0.05, 1.2])),
    )
    yield "a law of compute", compute


def told(found):
    return {"found": found, "p": found.p_value, "printed": repr(found)}


def whole_runs():
    run, out = np.repeat(np.arange(5), 5), []
    noise = np.random.default_rng(1).standard_normal((3, 5))[:, run]
    for k, (law, labels) in enumerate(((BESIROGLU, "abcde"), (scaled(1.5), "zyxwv"))):
        z = noise[0] + 0.3 * noise[1 + k] + 0.2 * np.random.default_rng(k).standard_normal(25)
        loss = np.asarray(law(N, D)) * np.exp(0.003 * z)
        out.append(jsl.Runs.from_columns(N=N, D=D, loss=loss, run=np.asarray(list(labels))[run]))
    return out


def compute():
    c, law = np.geomspace(1e18, 1e21, 25), jsl.laws.power_law
    tables = [
        jsl.Runs.from_columns(
            x=c,
            loss=law(c, E=1.7, x0=x, alpha=0.15)
            * np.exp(1e-3 * np.random.default_rng(k).standard_normal(25)),
        )
        for k, x in enumerate((2e19, 1e19))
    ]
    return told(
        today.compare_recipes(*fitted(*tables, law=law.start(x0=(1e18, 1e21))), budget=1e20)
    )
