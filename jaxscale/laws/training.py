"""The loss during training, as a function of the learning-rate schedule.

A final loss says nothing about the way there. These laws read the whole sequence of learning rates,
reduced to a few columns by `jaxscale.schedules`: the sum of learning rates (how far training has
come) and what was gained by lowering them. Fitted on the logged losses of one or two runs, they
predict the curve under a schedule that was never run.

Losses along one run are not independent: give the table a `run` column, so that intervals resample
whole runs.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive
from ..units import LearningRate, Nats, Number, Params, Tokens, Vector
from ._rule import rule
from ._shapes import decrements_to

__all__ = ["annealed_chinchilla", "annealing", "annealing_size", "multi_power", "multi_power_exact"]


@law
def annealing(S1: LearningRate, S2: Number, *, L0=positive(0.5, 5), A=positive(0.01, 10),
              C=positive(0.01, 10),
              alpha=positive(0.1, 1.5)) -> Nats:
    """Loss [nats/token] at any step from S1 and S2 [sums of learning rates], which
    `schedules.annealing` makes.

    S1 is the area under the schedule so far, S2 what lowering the learning rate has gained. Under a
    constant one S2 is 0 and C is not determined: fit a run that anneals too. L0, A and C belong to
    one model size. Source: Tissue, Wang and Wang 2024 (arXiv 2408.11029), authors' code. Decides:
    which schedule to train with and how long to anneal, without running each of them. Keywords:
    cosine constant wsd cooldown warmup loss curve trajectory intermediate checkpoints.
    Not from the source: the start ranges. The published set was refitted on the authors' 40 points.

    >>> from jaxscale import schedules
    >>> columns = schedules.annealing(schedules.cosine(2e-4, 20_001, warm_up=500), [20_000],
    ...     warm_up=500)
    >>> round(float(annealing.published["tissue2024_refit"](**columns)[0]), 5)
    2.83621
    """
    return L0 + A * S1**-alpha - C * S2


# Peak 2e-4, momentum .999. The authors fit each of their model sizes anew and print no set for
# these points.
annealing = annealing.publish(
    "tissue2024_refit",
    source="refit of the 40 points in the code of arXiv 2408.11029, log-Huber 1e-3", evidence="D",
    L0=2.62780, A=0.42966, C=0.41077, alpha=0.54985,
)  # fmt: skip


@law
def annealing_size(S1: LearningRate, S2: Number, N: Params, *, L0=positive(0.5, 5),
                   A=positive(0.01, 10),
                   B=positive(1, 1e5), C=positive(0.001, 10), alpha=positive(0.1, 1.5),
                   beta=positive(0.05, 1.5),
                   gamma=positive(0.01, 0.5)) -> Nats:
    """Loss [nats/token] at any step from S1 and S2 [sums of learning rates] and N [parameters]: one
    law for all sizes.

    As `annealing`, where larger models have less loss and gain more by annealing, as N^gamma.
    Source: Tissue, Wang and Wang 2024 (arXiv 2408.11029), form as told in others' accounts.
    Decides: size and schedule together, from the curves of small models. Keywords: cosine constant
    wsd cooldown loss curve. Not from the source: the start ranges, and what N counts.

    >>> round(float(annealing_size(4.0, 0.2, 1e9, L0=1.5, A=0.4, B=400.0, C=0.1, alpha=0.5,
    ...     beta=0.3, gamma=0.1)), 5)
    2.33924
    """
    return L0 + A * S1**-alpha + B * N**-beta - C * S2 * N**gamma


@law
def annealed_chinchilla(N: Params, D: Tokens, S2: Number, *, E=positive(0.5, 3), A=positive(1, 1e5),
                        B=positive(1, 1e5),
                        F=positive(0.001, 10), alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5),
                        r=positive(0.01, 0.5)) -> Nats:
    """Loss [nats/token] at any checkpoint from N [parameters], D [tokens so far] and S2 [sum of
    learning rates].

    Chinchilla for checkpoints that are not annealed yet: F S2 N^r is what annealing has gained
    (`schedules.annealing`). Without it, checkpoints in the middle of a cosine lie above the law and
    spoil its exponents. Source: Bhagia et al. 2024 (arXiv 2412.04403), authors' code, after Tissue,
    Wang and Wang 2024 (arXiv 2408.11029). Decides: how to use intermediate checkpoints of a few
    runs to predict the final loss of a larger one. Keywords: cosine wsd cooldown model ladder
    intermediate loss curve. Not from the source: the start ranges.

    >>> round(float(annealed_chinchilla(1e9, 2e10, 0.2, E=1.7, A=400.0, B=1100.0, F=0.1, alpha=0.34,
    ...     beta=0.33, r=0.1)), 5)
    2.3281
    """
    return E + A * N**-alpha + B * D**-beta - F * S2 * N**r


@law
def multi_power(S1: LearningRate, drop: Vector, eta: Vector, S: Vector, *, L0=positive(0.5, 5),
                A=positive(0.01, 10),
                B=positive(10, 1e4), C=positive(0.1, 100), alpha=positive(0.1, 1.5),
                beta=positive(0.1, 2),
                gamma=positive(0.1, 1.2)) -> Nats:
    """Loss [nats/token] at any step from columns of `schedules.decrements` [sums of learning rates,
    learning rates].

    S1 is the area under the schedule so far; drop, eta and S (one number per bin) are the
    decrements of the learning rate, its value after them, and the area since. Each decrement gains
    at once and goes on gaining as steps are made after it: B drop G(eta^-gamma S) with G(x) = 1 -
    (C x + 1)^-beta. The published sets need the warm-up counted in, the default of
    `schedules.decrements`; leave it out, and the law is off by almost B times the peak. A set
    belongs to one model size. Source: Luo et al. 2025 (arXiv 2503.12811), authors' code. Decides:
    which schedule to train with, even one that is found by optimising the law. Keywords: cosine
    constant wsd cooldown loss curve trajectory MPL. Not from the source: the start ranges and the
    bins.

    >>> from jaxscale import schedules
    >>> eta = schedules.cosine(3e-4, 24_001, end=3e-5, warm_up=2160)
    >>> columns, error = schedules.decrements(eta, [23_920])
    >>> round(float(multi_power.published["luo2025_25m"](**columns)[0]), 4), bool(363.8
    ...     * error[0] < 5e-4)
    (3.3153, True)
    """
    return (L0 + A * S1**-alpha
            + B * jnp.sum(drop * jnp.expm1(-beta * jnp.log1p(C * eta**-gamma * S))))


# Not the best optimum: on the three curves of their fit (437 or 451 rows) log-Huber 1e-3 sums to
# 2.91e-4, 2.80e-4 and 5.78e-4, and a certified fit reaches 1.38e-4, 2.14e-5 and 7.89e-5, with other
# B, C, beta and gamma.
multi_power = multi_power.publish(
    "luo2025_25m", source="authors' code of arXiv 2503.12811", evidence="V",
    L0=3.04045406, A=0.52468604, B=363.78751622, C=2.06560812, alpha=0.50786857, beta=0.58279013,
    gamma=0.64142257,
).publish(
    "luo2025_100m", source="authors' code of arXiv 2503.12811", evidence="V",
    L0=2.6514477, A=0.60115152, B=437.9464276, C=2.13245612, alpha=0.45295811, beta=0.59785199,
    gamma=0.65523644,
).publish(
    "luo2025_400m", source="authors' code of arXiv 2503.12811", evidence="V",
    L0=2.37474466, A=0.65421216, B=523.42464371, C=2.02462735, alpha=0.42878731, beta=0.59350493,
    gamma=0.63472457,
)  # fmt: skip


@rule
def multi_power_exact(rates, at=None, *, L0, A, B, C, alpha, beta, gamma, warm_up=0,
                      convention="counted", area=0.0):
    """Loss [nats/token] of the multi-power law at the steps `at` (default: the last) of `rates`
    [learning rate by step].

    Without bins. For `convention`, `warm_up` and `area` see `schedules.decrements`. It can be
    differentiated by `rates`, at a cost of a few passes over the steps, so that a schedule can be
    optimised. Source: Luo et al. 2025 (arXiv 2503.12811), authors' code. Decides: which schedule
    has the lowest final loss. Keywords: learning rate cosine constant wsd MPL optimal.

    >>> from jaxscale import schedules
    >>> parameters = multi_power.published["luo2025_25m"].params
    >>> eta = schedules.cosine(3e-4, 21_840, end=3e-5)
    >>> round(float(multi_power_exact(eta, convention="from_peak", area=0.324, **parameters)), 6)
    3.207208
    """
    rates = jnp.asarray(rates)
    at = jnp.asarray(len(rates) - 1 if at is None else at).astype(int)
    S1, gain = _multi_power_sums(rates, jnp.reshape(at, -1), warm_up, C, beta, gamma,
                                 convention=convention)
    return L0 + A * (area + jnp.reshape(S1, at.shape)) ** -alpha - B * jnp.reshape(gain, at.shape)


@functools.partial(jax.jit, static_argnames="convention")
def _multi_power_sums(rates: Any, at: Any, warm_up: Any, C: Any, beta: Any, gamma: Any, *,
                      convention: str) -> Any:
    def one(t: Any) -> Any:
        drops, S = decrements_to(rates, t, warm_up, convention)
        # a learning rate of 0 to the end: S is 0, nothing was made of the decrement yet
        used = (rates > 0) & (S > 0)
        x = jnp.where(used, rates, 1.0) ** -gamma * S
        x = jnp.where(used | (S <= 0), x, jnp.inf)
        return jnp.sum(jnp.where(S > 0, -drops * jnp.expm1(-beta * jnp.log1p(C * x)), 0.0))

    return jnp.cumsum(rates)[at], jax.lax.map(one, at)
