"""Plans: budgets and targets, one law and ensembles, limits, bounds, boxes, mixtures, choices,
other costs, derivatives.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxscale as jsl
from jaxscale import costs, laws
from jaxscale.units import Fraction, Nats, Params, Tokens

from .made import BESIROGLU, CHINCHILLA, HOFFMANN, boot, sharp, smooth

BUDGETS = np.geomspace(1e20, 1e25, 6)


def memory(N):
    return 2.0 * N


def tokens(D):
    return D


def per_parameter(N, D):
    return D - 20.0 * N


def serving(N, D):
    return 6 * N * D + 2 * N * 1e13


def worth(loss, N, D):
    return 1e3 / (1 + jnp.exp(6 * (loss - 2.2))) - 6 * N * D / 1e22


def critical_flop(N, S, loss):
    return 6 * N * S * 2e8 * loss ** (-1 / 0.21)


def shape_flop(width, depth, D):
    return costs.transformer_train(width, depth, D, context=2048, vocabulary=50304)


def all_experts(N, E):
    return 2 * N * (1 + 2 * E) / 3


def code(r):
    return r[1]


def samples(k):
    return k


def profit(k, loss):
    return loss - 1e-3 * k


@jsl.law
def sparse(N: Params, D: Tokens, S: Fraction, *, a=jsl.positive()) -> Nats:
    return a * (300.0 * N**-0.3 * (1 + (S - 0.1 * jnp.log(N / 1e9)) ** 2) + 500.0 * D**-0.3)


def cases():
    ask = jsl.allocate
    yield "a budget", lambda: ask(HOFFMANN, 1e24)
    yield "another law", lambda: ask(BESIROGLU, 1e24)
    yield "budgets", lambda: ask(HOFFMANN, BUDGETS)
    yield "a fit", lambda: ask(smooth(), [1e22, 1e25])
    yield "refits", lambda: ask(boot(), 1e24)
    yield "refits and budgets", lambda: ask(boot(), BUDGETS)
    yield "a target", lambda: ask(HOFFMANN, target=2.0)
    yield "targets", lambda: ask(HOFFMANN, target=[1.9, 2.0, 2.5])
    yield "targets of refits", lambda: ask(boot(), target=[1.9, 2.5])
    yield "a target out of reach", lambda: ask(HOFFMANN, target=1.6)
    yield from limits(ask)
    yield from bounds(ask)
    yield from others(ask)
    yield from mixtures(ask)
    yield from choices(ask)
    yield from goals(ask)
    yield from derivatives()


def limits(ask):
    one = {"memory": (memory, 8e10)}
    two = {"memory": (memory, 8e10), "tokens": (tokens, np.array([3.5e12, 4.5e12]))}
    both = {"ratio": (per_parameter, (0.0, None)), "least": (memory, (1.2e11, None))}
    sides = {"data": (tokens, (1e11, 2e12))}
    yield "one limit", lambda: ask(HOFFMANN, 1e24, constraints=one)
    yield "limits of several sizes", lambda: ask(HOFFMANN, 1e24, constraints=two)
    yield "limits from below", lambda: ask(HOFFMANN, 1e24, constraints=both)
    yield (
        "a limit of two sides",
        lambda: ask(HOFFMANN, np.geomspace(1e21, 1e26, 5), constraints=sides),
    )
    yield "limits of refits", lambda: ask(boot(), 1e24, constraints=one)
    yield "limits and a target", lambda: ask(HOFFMANN, target=2.0, constraints=one)
    yield (
        "limits that cannot be met",
        lambda: ask(
            HOFFMANN,
            1e20,
            constraints={"least": (memory, (1e12, None)), "tokens": (tokens, (1e12, None))},
        ),
    )


def bounds(ask):
    own = {
        "tokens at most": {"D": (None, 1.5e12)},
        "tokens at least": {"D": (1e13, None)},
        "sizes at most": {"N": (None, 2e10)},
        "both": {"N": (1e11, 1e13), "D": (1e9, 1e14)},
        "pinned": {"N": (1e9, 1e9)},
        "more than can be spent": {"N": (None, 1e10), "D": (None, 1e12)},
        "less than can be met": {"N": (1e12, None), "D": (1e14, None)},
    }
    for name, bound in own.items():
        yield f"bounds, {name}", lambda bound=bound: ask(HOFFMANN, 1e24, bounds=bound)
    yield "bounds of refits", lambda: ask(boot(), 1e22, bounds={"N": (None, 5e8)})
    yield "bounds of a fit", lambda: ask(smooth(), [1e22, 1e20], bounds={"N": (None, 5e8)})
    box = {"S": (0.0, 0.95)}
    yield (
        "a box that reaches 0",
        lambda: [ask(sparse.fix(a=1.0), c, bounds=box) for c in (1e18, 1e19, 1e23)],
    )


def others(ask):
    yield "lifetime", lambda: ask(HOFFMANN, 1e24, cost=costs.Lifetime(inference_tokens=5e12))
    yield "lifetime of refits", lambda: ask(boot(), [1e22, 1e24], cost=costs.Lifetime(1e12))
    yield "a cost of its own", lambda: ask(HOFFMANN, 1e23, cost=serving)
    yield (
        "given",
        lambda: [
            ask(laws.data_constrained.published["muennighoff2023"], c, given={"U": u})
            for c, u in ((1e22, 25e9), (9.3e21, 12e9))
        ],
    )
    kaplan = laws.kaplan_steps.published["kaplan2020"]
    yield (
        "a cost that reads the loss",
        lambda: ask(kaplan, [8.64e19, 8.64e23], cost=critical_flop, bounds={"S": (1.0, 1e7)}),
    )
    yield (
        "a shape",
        lambda: ask(laws.width_depth.published["mcleish2025_late"], [1e20, 1e23], cost=shape_flop),
    )
    for starts in (1, 16):
        yield (
            f"{starts} starts",
            lambda starts=starts: ask(
                HOFFMANN, 1e24, constraints={"tokens": (tokens, 2e12)}, starts=starts
            ),
        )
    lbfgs = jsl.solvers.Optax(optax.lbfgs, max_steps=200)
    yield (
        "another solver",
        lambda: ask(HOFFMANN, 1e24, constraints={"tokens": (tokens, 2e12)}, solver=lbfgs),
    )


def mixtures(ask):
    blend = laws.data_mixing.fix(c=1.6, k=1.0, t=[-1.5, -2.0, -0.4])
    joint = laws.mixture_joint.fix(
        E=1.5, alpha=0.34, beta=0.36, C=[4.0, 1.0, 2.0], gamma=[0.5, 0.4, 0.6], gamma_A=1.0,
        gamma_B=1.0,
        C_A=[500.0, 300.0, 450.0], C_B=[1500.0, 4000.0, 900.0],
    )  # fmt: skip
    p = {k: float(v) for k, v in BESIROGLU.params.items()}
    additive = laws.mixture_additive.fix(**p, C=[4.0, 1.0, 2.0], gamma=[0.5, 0.4, 0.6])
    yield "a mixture", lambda: ask(blend)
    yield "a mixture with a limit", lambda: ask(blend, constraints={"code": (code, 0.3)})
    yield (
        "a mixture with bounds",
        lambda: ask(
            blend,
            constraints={"code": (code, 1.0)},
            bounds={"r": (np.full(3, 0.1), np.full(3, 0.6))},
        ),
    )
    yield "a mixture with size and data", lambda: ask(additive, [1e20, 1e23])
    yield "a mixture that moves", lambda: ask(joint, [1e18, 1e24])


def choices(ask):
    sizes = {"N": np.array([1e10, 4e10, 1.5e11]), "width": [4096, 8192, 12288]}
    yield "choices", lambda: ask(HOFFMANN, np.array([1e23, 1e24]), choices=sizes)
    yield "choices of refits", lambda: ask(boot(), 1e24, choices=sizes)
    moe, experts = laws.joint_moe.published["ludziejewski2025"], {"E": np.array([1.0, 4.0, 32.0])}
    limit = {"memory": (all_experts, np.array([1e14, 8e10]))}
    yield (
        "choices and a limit",
        lambda: ask(moe, np.array([1e20, 1e22]), choices=experts, constraints=limit),
    )


def goals(ask):
    yield "what follows from a loss", lambda: ask(HOFFMANN, 1e25, maximise=worth)
    yield (
        "samples that pay",
        lambda: ask(laws.coverage.fix(a=-1.5, b=-0.4), 1e4, cost=samples, maximise=profit),
    )
    batch = laws.steps_to_target.fix(S_min=1000.0, B_crit=2000.0)
    yield (
        "the largest batch",
        lambda: ask(
            batch,
            maximise=lambda B: B,
            constraints={"examples": (lambda loss, B: loss * B, 1.2 * 256 * float(batch(256.0)))},
        ),
    )


def derivatives():
    def size(log_c):
        return jnp.log(jsl.allocate(HOFFMANN, jnp.exp(log_c))["N"])

    def limited(budget, limit):
        return jsl.allocate(
            HOFFMANN, budget, cost=costs.Lifetime(2e12), constraints={"memory": (memory, limit)}
        ).loss

    def by_law(law):
        return jnp.log(jsl.allocate(law, 1e22)["N"])

    def in_64_bits(call):
        def found():
            with jax.enable_x64(True):
                return jax.tree.map(np.asarray, call())

        return found

    yield "the slope of a plan", in_64_bits(lambda: jax.grad(size)(50.0))
    yield "slopes of limits", in_64_bits(lambda: jax.grad(limited, (0, 1))(1e24, 3e10))
    yield "slopes by a law", in_64_bits(lambda: dict(jax.grad(by_law)(HOFFMANN).fixed))
    yield (
        "under jit",
        in_64_bits(
            lambda: jax.jit(lambda c: jsl.allocate(HOFFMANN, c)["N"])(jnp.asarray([1e20, 1e22]))
        ),
    )
    yield (
        "under vmap",
        in_64_bits(
            lambda: jax.vmap(lambda c: jsl.allocate(HOFFMANN, c)["N"])(jnp.asarray([1e20, 1e22]))
        ),
    )
    yield (
        "of a free law in a fit",
        lambda: jsl.allocate(
            jsl.fit(CHINCHILLA.tie(beta="alpha"), sharp().problem.runs, starts=8), 1e24
        ),
    )
