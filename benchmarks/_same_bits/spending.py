"""What is asked of a plan next: how flat it is, what is lost if the fit is wrong, which runs tell
more; and simulated runs.
"""

import jax.numpy as jnp
import numpy as np

import jaxscale as jsl
from jaxscale import costs

from . import today
from .made import BESIROGLU, CHINCHILLA, HOFFMANN, LOG, boot, exponent, grid, size, smooth

N, D = grid(5, 5)
GRID = {"N": N, "D": D}


def log_size(law):
    """ln N* at 1e22 FLOP, in closed form."""
    p = law.params
    total = p["alpha"] + p["beta"]
    return jnp.log(p["alpha"] * p["A"] / (p["beta"] * p["B"])) / total + p[
        "beta"
    ] / total * jnp.log(1e22 / 6)


def cases():
    yield from regions()
    yield "regret", lambda: today.regret(jsl.allocate(boot(), 1e24))
    yield (
        "regret of another plan",
        lambda: today.regret(jsl.allocate(boot(), 1e24), N=3e10, D=1e24 / 6 / 3e10),
    )
    yield (
        "regret of a lifetime",
        lambda: today.regret(jsl.allocate(boot(), 1e24, cost=costs.Lifetime(1e12))),
    )
    yield "worst", lambda: [today.regret(jsl.allocate(boot(), 1e24)).worst(s) for s in (0.1, 0.5)]
    yield "decide", lambda: today.decide(jsl.allocate(boot(), 1e24))
    yield "decide, the worst tenth", lambda: today.decide(jsl.allocate(boot(), 1e24), worst=0.1)
    yield from designs()
    yield from simulations()


def regions():
    """Those with bounds, and of a target, are in the figures."""
    near, plan = today.near_optimal, jsl.allocate
    yield "region", lambda: near(plan(HOFFMANN, 1e24), loss_slack=0.001)
    yield "regions", lambda: near(plan(HOFFMANN, np.array([1e23, 1e24])), loss_slack=0.001)
    yield "region of compute", lambda: near(plan(HOFFMANN, 1e24), cost_slack=0.01)
    yield "region of both", lambda: near(plan(smooth(), 1e24), loss_slack=0.001, cost_slack=0.02)
    yield "region of refits", lambda: near(plan(boot(), 1e24), loss_slack=0.001)


def designs():
    yield "design", lambda: today.design(smooth(), GRID, 3e20, of=log_size, relative=False, most=4)
    yield "design by a plan", lambda: today.design(smooth(), GRID, 3e20, of=size, most=3)
    yield (
        "design of two",
        lambda: today.design(
            smooth(), GRID, 1e21, of=lambda law: {k: law.params[k] for k in ("alpha", "beta")}
        ),
    )
    yield (
        "design of runs of any size",
        lambda: today.design(
            smooth(), GRID, 20, of=log_size, relative=False, cost=lambda N, D: 1.0 + 0 * N
        ),
    )
    yield (
        "a first sweep",
        lambda: jsl.design(
            BESIROGLU, GRID, 3e21, of=lambda law: law.params["alpha"], noise=0.005, most=3
        ),
    )
    yield (
        "columns of a design",
        lambda: (
            d := today.design(smooth(), GRID, 3e20, of=exponent, most=2),
            d.columns,
            d.gap,
            len(d),
        ),
    )
    ask = today.expected_deviation
    yield (
        "deviations",
        lambda: {
            "now": ask(smooth(), of=log_size, relative=False),
            "with more": ask(
                smooth(), {"N": [5e7, 3e9], "D": [1e10, 5e10]}, of=log_size, relative=False
            ),
            "of a law": ask(BESIROGLU, GRID, of=exponent, noise=0.01),
            "tree": ask(smooth(), of=lambda law: dict(law.params)),
            "vector": ask(smooth(), of=lambda law: law(N=jnp.array([1e9, 1e10]), D=2e10)),
            "given noise": ask(smooth(), of=exponent, noise=0.01),
            "too few": ask(
                BESIROGLU, {"N": N[:3], "D": D[:3]}, of=lambda law: dict(law.params), noise=0.005
            ),
        },
    )
    law = CHINCHILLA.per(E="family").fix(**{**BESIROGLU.params, "E": np.array([1.7, 1.9])})
    table = {**{k: np.tile(v, 2) for k, v in GRID.items()}, "family": np.repeat([0, 1], 25)}
    yield (
        "design by group",
        lambda: jsl.design(
            law, table, 1e21, of=lambda own: own.params["E"][1], noise=0.005, most=2
        ),
    )
    blend = jsl.laws.data_mixing.sized(t=3).fix(c=2.0, k=1.0, t=[-1.0, 0.5, 0.2])
    shares = {"r": np.random.default_rng(0).dirichlet([1, 1, 1], 30)}
    yield (
        "design of mixtures",
        lambda: jsl.design(
            blend,
            shares,
            10,
            of=lambda own: own(r=np.array([0.2, 0.3, 0.5])),
            noise=0.01,
            cost=lambda r: 1.0 + 0 * r[:, 0],
        ),
    )


def simulations():
    law = CHINCHILLA.per(E="family").fix(**{**BESIROGLU.params, "E": np.array([1.7, 1.9])})
    uneven = np.where(N > 1e8, 0.0, 0.1)
    yield "simulated", lambda: jsl.simulate(BESIROGLU, GRID, noise=0.02, seed=1)
    yield "simulated tables", lambda: jsl.simulate(BESIROGLU, GRID, noise=0.02, seed=2, count=3)
    yield "simulated unevenly", lambda: jsl.simulate(BESIROGLU, GRID, noise=uneven)
    yield (
        "simulated on runs",
        lambda: jsl.simulate(HOFFMANN, jsl.datasets.load("simulated"), noise=0.005),
    )
    yield (
        "simulated groups",
        lambda: jsl.simulate(law, {"N": [1e8, 1e8], "D": 1e10, "family": [0, 1]}, noise=0.01),
    )
    yield (
        "simulated and fitted",
        lambda: jsl.fit(
            CHINCHILLA, jsl.simulate(BESIROGLU, GRID, noise=0.005, seed=3), objective=LOG, starts=16
        ),
    )
