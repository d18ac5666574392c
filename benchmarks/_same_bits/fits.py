"""Objectives, solvers, starts, seeds, ties, fixed values, priors, several tables and objectives at
once, laws of two.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from cases import OBJECTIVES, noisy

import jaxscale as jsl

from . import today
from .made import CHINCHILLA, LOG, SCORE, SQUARED, STARTS, TRUE, columns, power, sweep

SWEEPS = [noisy("chinchilla", 0.005, seed=s, rows=slice(0, 49 - 7 * s)) for s in range(3)]
NARROW = [jsl.objectives.LogHuber(d) for d in (1e-3, 1e-2)]


def cases():
    runs = sweep()
    for name, objective in OBJECTIVES.items():
        if name != "NegLogLik":
            yield (
                f"objective {name}",
                lambda objective=objective: fitted(CHINCHILLA, runs, objective=objective),
            )
        yield f"values of {name}", lambda objective=objective: values(objective)
    yield "a likelihood", likelihood
    yield "given starts", lambda: fitted(CHINCHILLA, runs, starts=[TRUE, {**TRUE, "E": 2.0}])
    yield "another seed", lambda: fitted(CHINCHILLA, runs, seed=7)
    yield "tied", lambda: fitted(CHINCHILLA.tie(beta="alpha"), runs)
    yield "fixed", lambda: fitted(CHINCHILLA.fix(E=1.7, alpha=0.34), runs)
    yield "started elsewhere", lambda: fitted(CHINCHILLA.start(A=(1, 1e7), E=(0.1, 1)), runs)
    yield "with a prior", lambda: fitted(CHINCHILLA.prior(E=(1.7, 0.1)), runs)
    yield (
        "weighted",
        lambda: fitted(CHINCHILLA, jsl.Runs.from_columns(**columns(), weights=np.arange(48) % 3.0)),
    )
    yield "little memory", lambda: fitted(CHINCHILLA, runs, memory=2**20)
    yield "tables", lambda: jsl.fit(CHINCHILLA, SWEEPS, starts=STARTS)
    yield "objectives", lambda: jsl.fit(CHINCHILLA, SWEEPS[0], objective=NARROW, starts=STARTS)
    yield "tables and objectives", several
    yield (
        "objectives of two kinds",
        lambda: jsl.fit(CHINCHILLA, SWEEPS[:2], objective=[NARROW[0], LOG], starts=STARTS),
    )
    yield from solvers(runs)
    yield "published", published
    yield "joint", joint
    yield "jit, vmap, grad of a law", traced


def fitted(law, runs, **options):
    fit = jsl.fit(law, runs, **{"starts": STARTS, **options})
    return {
        "fit": fit,
        "there": fit.predict(N=[1e9, 1e11], D=[[1e10], [1e12]]),
        "report": jsl.report(fit),
    }


def values(objective):
    p, o = (
        np.array([2.0, 2.5, 3.0, 2.2, 2.201, 2.5005, 7.0, 0.3]),
        np.array([2.0, 2.4, 3.3, 2.2001, 2.2, 2.5, 0.2, 9.0]),
    )
    with jax.enable_x64(True):
        found = jax.vmap(objective)(p, o)
        slopes = jax.vmap(jax.grad(objective))(p, o)
        ladder = [repr(level) for level in objective.smoother(1.0)]
    return {
        "value": np.asarray(found),
        "slope": np.asarray(slopes),
        "ladder": ladder,
        "words": repr(objective),
    }


@jsl.law
def poisson(
    x: jsl.units.Number, count: jsl.units.Number, *, a=jsl.positive(1, 1000), b=jsl.positive(0.1, 2)
) -> jsl.units.Number:
    rate = a * x**-b
    return rate - count * jnp.log(rate)


def likelihood():
    x = np.geomspace(1.0, 100.0, 40)
    count = np.random.default_rng(1).poisson(50.0 * x**-0.5).astype(float)
    runs = jsl.Runs.from_columns(x=x, count=count, target=None)
    fit = jsl.fit(poisson, runs, objective=jsl.objectives.NegLogLik(), starts=STARTS)
    boot = jsl.bootstrap(fit, 50)
    return {"fit": fit, "boot": boot, "interval": jsl.interval(boot), "report": jsl.report(fit)}


def several():
    fits = jsl.fit(CHINCHILLA, SWEEPS, objective=NARROW, starts=STARTS)
    boots = jsl.bootstrap(fits, 20)
    there = {"N": 1e10, "D": [1e11, 1e12]}
    return {
        "fits": fits,
        "boots": boots,
        "predicted": fits.predict(**there),
        "drawn": boots.predict(**there),
        "plan": jsl.allocate(fits, [1e21, 1e22]),
        "interval": jsl.interval(boots),
        "of": jsl.interval(boots, of=lambda law: law(1e10, 2e11)),
        "one": jsl.interval(boots[1, 0]),
    }


def solvers(runs):
    law = jsl.laws.power_law.start(x0=(1e21, 1e24))
    table = noisy("power_law", 0.001, seed=2)
    own = {
        "Newton": jsl.solvers.Newton(),
        "Newton with options": jsl.solvers.Newton(damping=1e-2, longest=1.0, max_steps=60),
        "Newton in two steps": jsl.solvers.Newton(max_steps=2),
        "lbfgs": jsl.solvers.Optax(optax.lbfgs, max_steps=100),
        "adam": jsl.solvers.Optax(optax.adam, 2e-2, max_steps=50),
        "bare": optax.lbfgs(),
    }
    for name, solver in own.items():
        yield (
            f"solver {name}",
            lambda solver=solver: jsl.fit(law, table, objective=LOG, solver=solver, starts=8),
        )
        if name != "bare":
            yield f"words of {name}", lambda solver=solver: repr(solver)
    yield (
        "solver of another law",
        lambda: jsl.fit(CHINCHILLA, runs, objective=LOG, solver=own["lbfgs"], starts=8),
    )


def published():
    law = CHINCHILLA.publish("mine", source="table 3", evidence="none", **TRUE)
    own = law.published["mine"]
    return {
        "names": sorted(law.published),
        "law": own,
        "value": own(1e9, [1e10, 1e11]),
        "words": repr(law),
        "doc": law.__doc__,
    }


def joint():
    both = today.joint(jsl.laws.chinchilla, jsl.laws.accuracy_from_loss.fix(k=4.0, x0=2.4))
    n, d = columns()["N"], columns()["D"]
    score = both(n, d, **TRUE, a=-0.6, b=0.9) + 0.003 * np.random.default_rng(2).standard_normal(48)
    runs = jsl.Runs.from_columns(N=n, D=d, score=score, target="score", units=SCORE)
    return {
        "law": both,
        "score": score,
        "fit": jsl.fit(both, runs, objective=SQUARED, starts=STARTS),
    }


def traced():
    law = CHINCHILLA.fix(**TRUE)
    n, d = np.array([1e8, 1e9]), np.array([1e10, 1e11])
    with jax.enable_x64(True):
        return {
            "plain": law(n, d),
            "jit": jax.jit(law)(n, d),
            "vmap": jax.vmap(law)(n, d),
            "grad": jax.grad(lambda p: jnp.sum(CHINCHILLA(n, d, **p)))(
                {k: jnp.asarray(v) for k, v in TRUE.items()}
            ),
            "other": power(1e10, E=1.7, B=300.0, beta=0.3),
        }
