"""Value-based reinforcement learning: data against compute through the updates-to-data ratio.

An agent reaches a return with fewer environment steps if it makes more gradient updates per step,
and each update costs compute. The updates-to-data ratio sigma sets the exchange. One law gives the
data, compute follows from it, and a price of data turns the two into one budget with a best sigma.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive
from ..ground._errors import refuse
from ..ground._roots import root
from ..units import Positive, Samples
from ._rule import rule

__all__ = ["data_to_return", "update_compute", "utd_conversion", "utd_for_budget", "utd_optimum",
           "utd_settings"]

# As printed by the authors' code: sigma = k F^a at the best split of a budget F, exponents of batch
# and learning rate.
_SUITES = {
    "dmc": {"k": 3.01e11, "a": -0.74, "batch": -0.488, "learning_rate": -0.320},
    "gym": {"k": 2.62e-9, "a": 0.62, "batch": -0.310, "learning_rate": -0.285},
}


@law
def data_to_return(sigma: Positive, *, D_min=positive(1e3, 1e8), beta=positive(0.01, 100),
                   alpha=positive(0.1, 3)) -> Samples:
    """Environment steps [samples] that reach a given return, from sigma [gradient updates per
    environment step].

    One return, one suite of tasks: D_min is what no number of updates can save, and at sigma = beta
    twice that is needed. Batch and learning rate are those best for each sigma (`utd_settings`).
    Source: Rybkin et al. 2025 [rybkin2025], authors' code. Decides: how much data a return costs,
    and how far more updates can replace it. Keywords: RL reinforcement learning UTD replay ratio
    sample efficiency critic Q-learning. Not from the source: the start ranges.

    >>> data_to_return.published["rybkin2025_dmc"](0.57)
    np.float64(159600.0)
    """
    return D_min * (1 + (beta / sigma) ** alpha)


# DeepMind control at a return of 800; OpenAI gym. Two or three digits are all that is printed.
data_to_return = data_to_return.publish(
    "rybkin2025_dmc", source="printed by the authors' code, Value-Based Deep RL Scales Predictably",
    evidence="V",
    D_min=7.98e4, beta=0.57, alpha=1.09,
).publish(
    "rybkin2025_gym", source="printed by the authors' code, Value-Based Deep RL Scales Predictably",
    evidence="V",
    D_min=2.17e5, beta=2.29, alpha=0.70,
)  # fmt: skip


@rule
def utd_conversion(a, b, c, scale=1.0):
    """Parameters of `data_to_return` from those of the same curve written scale (c + (sigma /
    b)^-a) [scale in samples].

    The authors' code fits the second form, on data divided by their median (`scale`). Source:
    Rybkin et al. 2025 [rybkin2025], derived. Decides: which beta to compare with a printed one.
    Keywords: RL UTD median-normalised.

    >>> {k: round(float(v), 3) for k, v in utd_conversion(1.0, 0.5, 0.25, scale=1e5).items()}
    {'D_min': 25000.0, 'beta': 2.0, 'alpha': 1.0}
    """
    return {"D_min": c * scale, "beta": b * c ** (-1 / a), "alpha": a * jnp.ones_like(c)}


@rule
def update_compute(D, sigma, N, B):
    """Compute [FLOP] of D [environment steps] at sigma [updates per step], N [critic parameters]
    and B [samples per batch].

    10 N B for each update. Source: Rybkin et al. 2025 [rybkin2025], authors' code. Decides: what a
    higher updates-to-data ratio costs. Keywords: RL UTD replay ratio.

    >>> f"{update_compute(1.23e5, 1.0, 4.92e6, 512):.4g}"
    '3.098e+15'
    """
    return 10.0 * N * B * sigma * D


@rule
def utd_settings(sigma, B, eta, suite="dmc", sigma_from=1.0):
    """Batch B [samples] and learning rate eta at sigma [updates per step] from the best ones at
    `sigma_from`.

    Both fall as powers of sigma; the tasks of a suite ("dmc", "gym") share the exponents, and each
    task has its own levels.
    Source: Rybkin et al. 2025 [rybkin2025], authors' code. Decides: batch and learning rate at
    another updates-to-data ratio. Keywords: RL UTD replay ratio hyperparameters.

    >>> {k: round(float(v), 6) for k, v in utd_settings(4.0, 512, 3e-4, "dmc").items()}
    {'B': 260.294316, 'eta': 0.000193}
    """
    own, ratio = _suite(suite), sigma / sigma_from
    return {"B": B * ratio ** own["batch"], "eta": eta * ratio ** own["learning_rate"]}


@rule
def utd_for_budget(F, suite="dmc"):
    """Best sigma [updates per environment step] for a budget F [FLOP, data counted at its price],
    as fitted by the authors.

    A step of data is priced at 1e10 FLOP in "dmc" (critics of 4.92e6 parameters) and at 4e9 in
    "gym" (1.5e5). For other prices and sizes see `utd_optimum`. Source: Rybkin et al. 2025
    [rybkin2025], authors' code. Decides: the updates-to-data ratio of a larger run. Keywords: RL
    UTD replay ratio trend allocation.

    >>> round(float(utd_for_budget(1e15, "dmc")), 3)
    2.391
    """
    own = _suite(suite)
    return own["k"] * F ** own["a"]


@rule
def utd_optimum(*, D_min, beta, alpha, N, B, delta, batch_exponent=0.0):
    """Best sigma [updates per step] for a return, with its data D [environment steps], compute C
    and budget F [FLOP].

    Minimises F = C + delta D where data follow `data_to_return`, delta [FLOP] is the price of a
    step of data, and B is the batch at sigma = 1, which goes as sigma^batch_exponent. In ln sigma
    the slope of ln F rises from below 0 to above 0 once, so there is one optimum. Source: Rybkin et
    al. 2025 [rybkin2025], authors' code; the root is ours. Decides: how to split a budget between
    collecting data and training on them. Keywords: RL UTD replay ratio allocation Pareto frontier.

    >>> best = utd_optimum(D_min=7.98e4, beta=0.57, alpha=1.09, N=4.92e6, B=512, delta=1e10,
    ...     batch_exponent=-0.488)
    >>> round(float(best["sigma"]), 4), f"{best['F']:.4e}"
    (1.0529, '4.3281e+15')
    """
    numbers = jnp.broadcast_arrays(*(jnp.asarray(v, float) for v in (beta, alpha, 10 * N * B,
        1 + batch_exponent, delta)))

    def slope(t, args):
        beta, alpha, k, p, delta = args
        # the share of compute in the budget
        spent = jax.nn.sigmoid(jnp.log(k) + p * t - jnp.log(delta))
        return p * spent - alpha * jax.nn.sigmoid(alpha * (jnp.log(beta) - t))

    low = jnp.full_like(numbers[0], -100.0)
    sigma = jnp.exp(root(slope, low, -low, tuple(numbers)))
    D = D_min * (1 + (beta / sigma) ** alpha)
    C = 10 * N * B * sigma ** (1 + batch_exponent) * D
    return {"sigma": sigma, "D": D, "C": C, "F": C + delta * D}


def _suite(name):
    if name not in _SUITES:
        raise refuse(f"suite {name!r}", why="a typing slip", change=f"one of {', '.join(_SUITES)}")
    return _SUITES[name]
