"""Learning-rate schedules, and the features of a schedule that laws read.

A schedule is an array: the learning rate of every step. Element i belongs to step i, so that a loss
logged at step s goes with the elements 0..s. `warm_up` steps rise linearly from 0, the step after
them has the peak, and the steps that are left run through z = 0..1, both ends included. Shapes are
given by `cooldown`; `cosine`, `linear` and `rex` are a cooldown over the whole of these steps,
`wsd` over the last part of them.

A law has a few numbers per run and not 20,000 steps, so a schedule is reduced once, before a fit:
`annealing` and `decrements` give columns for `Runs`, one row per logged step. They know nothing of
the parameters that are fitted.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .ground._compiled import compiled
from .ground._errors import nearest, refuse
from .laws._rule import rule
from .laws._shapes import decrements_to

__all__ = [
    "SHAPES",
    "annealing",
    "constant",
    "cooldown",
    "cosine",
    "decrements",
    "linear",
    "power",
    "power_onset",
    "power_rate",
    "rex",
    "wsd",
]

SHAPES = {
    "linear": lambda z: 1 - z,
    "cosine": lambda z: 0.5 * (1 + jnp.cos(jnp.pi * z)),
    # the cosine reflected in the line
    "mirror-cosine": lambda z: 2 * (1 - z) - 0.5 * (1 + jnp.cos(jnp.pi * z)),
    "square": lambda z: 1 - z**2,
    "1-sqrt": lambda z: 1 - jnp.sqrt(z),
    "sqrt": lambda z: 1 - jnp.sqrt(z),  # its name in the code of Hägele et al.
    "rex": lambda z: (1 - z) / (1 - z / 2),
}
# no second derivative of 1 - (e^u + 1)^-beta by u is larger, for any beta up to 1
CURVED = 1 / (6 * 3**0.5)


@rule
def cooldown(z: Any, shape: str = "1-sqrt", *, end: Any = 0.0) -> Any:
    """Learning rate [share of the peak] at the share z of a cooldown [0 to 1]: 1 at z = 0, `end` at
    z = 1.

    Shapes: linear, cosine, mirror-cosine, square, 1-sqrt (also called sqrt), rex, and exponential,
    which is end^z and so needs an end above 0. Source: Hägele et al. 2024, authors' code; rex: Chen
    et al. 2021, recalled, not read in the source.

    >>> [round(float(f), 6) for f in cooldown([0, 0.25, 0.5, 0.75, 1], "1-sqrt")]
    [1.0, 0.5, 0.292893, 0.133975, 0.0]
    """
    if shape == "exponential":
        return jnp.power(end, z)
    if shape not in SHAPES:
        raise refuse(
            f"cooldown shape {shape!r}",
            why="a typing slip",
            change=nearest(str(shape), ("exponential", *SHAPES)).strip(),
        )
    return end + (1 - end) * SHAPES[shape](z)


@rule
def constant(peak: Any, steps: int, *, warm_up: int = 0) -> Any:
    """Learning rate [unit of `peak`] of every step: `peak` throughout, after `warm_up` [steps].

    >>> constant(3e-4, 4, warm_up=2).tolist()
    [0.0, 0.00015, 0.0003, 0.0003]
    """
    return _path(peak, steps, warm_up, lambda z: jnp.ones_like(z))


@rule
def cosine(peak: Any, steps: int, *, end: Any = 0.0, warm_up: int = 0) -> Any:
    """Learning rate [unit of `peak`] of every step: half a cosine from `peak` to `end`, after
    `warm_up` [steps].

    >>> [round(float(v), 6) for v in cosine(1.0, 5, end=0.1)]
    [1.0, 0.868198, 0.55, 0.231802, 0.1]
    """
    return wsd(peak, steps, cooldown=1.0, shape="cosine", end=end, warm_up=warm_up)


@rule
def linear(peak: Any, steps: int, *, end: Any = 0.0, warm_up: int = 0) -> Any:
    """Learning rate [unit of `peak`] of every step: a line from `peak` to `end`, after `warm_up`
    [steps].

    >>> linear(1.0, 5).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return wsd(peak, steps, cooldown=1.0, shape="linear", end=end, warm_up=warm_up)


@rule
def rex(peak: Any, steps: int, *, end: Any = 0.0, warm_up: int = 0) -> Any:
    """Learning rate [unit of `peak`] of every step: `peak` (1 - z) / (1/2 + (1 - z)/2), after
    `warm_up` [steps].

    Source: Chen et al. 2021, form recalled, not read in the source. `end` is ours.

    >>> [round(float(v), 6) for v in rex(1.0, 5)]
    [1.0, 0.857143, 0.666667, 0.4, 0.0]
    """
    return wsd(peak, steps, cooldown=1.0, shape="rex", end=end, warm_up=warm_up)


@rule
def wsd(
    peak: Any,
    steps: int,
    *,
    cooldown: Any = 0.2,
    shape: str = "1-sqrt",
    end: Any = 0.0,
    warm_up: int = 0,
) -> Any:
    """Learning rate [unit of `peak`] of every step: warm-up, stable at `peak`, and a cooldown to
    `end`.

    `cooldown` is the share of the steps after the warm-up in which the learning rate falls; for
    shapes see the function `cooldown`. Source: Hu et al. 2024 (arXiv 2404.06395) and Hägele et al.
    2024, authors' code.

    >>> wsd(1.0, 9, cooldown=0.5, shape="linear").tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return _path(peak, steps, warm_up, lambda z: _factor(1 - (1 - z) / cooldown, shape, end / peak))


@rule
def power(
    peak: Any,
    steps: int,
    *,
    batch: Any,
    context: Any,
    a: Any = 4.0,
    b: Any = -0.51,
    cooldown: Any = 0.0,
    shape: str = "exponential",
    end: Any = 0.0,
    warm_up: int = 0,
) -> Any:
    """Learning rate of every step of the power scheduler: `power_rate` in place of the stable part
    of `wsd`.

    `batch` [sequences] times `context` [tokens per sequence] is what a step reads. The cooldown
    starts from the learning rate reached. Source: Shen et al. 2024 (arXiv 2408.13359), form as told
    in others' code.

    >>> [round(float(v), 6) for v in power(0.02, 24001, batch=1024,
    ...     context=4096)[[0, 6000, 12000, 24000]]]
    [0.02, 0.02, 0.01427, 0.010021]
    """
    steps, warm_up = int(steps), int(warm_up)
    z = _share(steps, warm_up)
    hold = warm_up + (1 - cooldown) * (steps - warm_up - 1)  # where the cooldown starts, in steps
    tokens = jnp.clip(jnp.arange(steps), max(warm_up, 1), jnp.maximum(hold, 1)) * batch * context
    stable = power_rate(tokens, batch, peak=peak, a=a, b=b)
    rising = jnp.minimum(jnp.arange(steps) / max(warm_up, 1), 1.0) if warm_up else 1.0
    falling = 1.0 if _zero(cooldown) else _factor(1 - (1 - z) / cooldown, shape, end / stable)
    return stable * rising * falling


@rule
def power_rate(tokens: Any, batch: Any, *, peak: Any = 0.02, a: Any = 4.0, b: Any = -0.51) -> Any:
    """Learning rate of the power scheduler after `tokens` [tokens] at a batch of `batch`
    [sequences].

    min(peak, batch a tokens^b): the same for every length of training. Source: Shen et al. 2024
    (arXiv 2408.13359), form and the numbers a, b, peak as told in others' code.

    >>> round(float(power_rate(1e12, 1024)), 7)
    0.0031071
    """
    return jnp.minimum(peak, batch * a * jnp.power(tokens, b))


@rule
def power_onset(batch: Any, *, peak: Any = 0.02, a: Any = 4.0, b: Any = -0.51) -> Any:
    """Tokens [tokens] up to which the power scheduler stays at its peak, at a batch of `batch`
    [sequences].

    Derived from the form in Shen et al. 2024 (arXiv 2408.13359), see `power_rate`.

    >>> f"{power_onset(1024):.3e}"
    '2.596e+10'
    """
    return jnp.power(peak / (a * batch), 1 / b)


@rule
def annealing(eta: Any, step: Any, *, momentum: Any = 0.999, warm_up: int = 0) -> Any:
    """Columns S1 and S2 [learning rate x steps] of the annealing laws at the steps `step`, from
    every step's learning rate `eta`.

    S1 is the sum of learning rates, S2 the sum of a decaying memory of their decrements, m_i =
    momentum m_(i-1) + (eta_(i-1) - eta_i): 0 as long as the learning rate is constant. The first
    `warm_up` steps are counted at the learning rate of the step after them. `momentum` is not
    fitted: compare a few values. Source: Tissue, Wang and Wang 2024 (arXiv 2408.11029), authors'
    code.

    >>> columns = annealing(cosine(2e-4, 20_001), [10_000, 20_000])
    >>> [round(float(v), 4) for v in columns["S2"]]
    [0.0847, 0.1976]
    """
    step = jnp.asarray(step).astype(int)
    S1, S2 = _annealing(jnp.asarray(eta), momentum, jnp.asarray(warm_up).astype(int))
    return {"S1": S1[step], "S2": S2[step]}


@compiled
def _annealing(eta: Any, momentum: Any, warm_up: Any) -> Any:
    eta = jnp.where(jnp.arange(len(eta)) < warm_up, eta[warm_up], eta)
    drops = jnp.concatenate([eta[:1], eta[:-1]]) - eta

    def step(memory: Any, drop: Any) -> Any:
        memory = momentum * memory + drop
        return memory, memory

    _, memory = jax.lax.scan(step, jnp.zeros_like(drops[0] * momentum), drops)
    return jnp.cumsum(eta), jnp.cumsum(memory)


@rule
def decrements(
    eta: Any,
    step: Any,
    *,
    bins: int = 16,
    warm_up: int = 0,
    convention: str = "counted",
    area: Any = 0.0,
) -> tuple[dict[str, Any], Any]:
    """Columns S1, drop, eta and S of the multi-power law at the steps `step` (n,), and a bound on
    the error of binning (n,).

    The law is a sum over all steps k so far: the decrement eta_(k-1) - eta_k times a smooth
    function of eta_k and of S_k, the sum of learning rates from step k on. Neighbouring steps are
    merged into `bins` bins: `drop` is the sum of their decrements, `eta` and `S` are their
    geometric means. Bins are narrow where merging would lose much, and increments and decrements
    never share one. The law's value is off by at most B times the bound, for beta and gamma up to
    1: some 3e-5 nats for the published sets, ten times less than the bound. S1 is the sum of
    learning rates so far, plus `area`: that of a warm-up before the first element.

    `convention` says what a warm-up does to the sum. "counted", which fits the released curves,
    takes its increments as negative decrements from a learning rate of 0. "from_peak" leaves out
    everything up to step `warm_up`, the first at the peak (0 where `eta` starts at the peak). They
    differ by almost B times the peak under every schedule, so the best schedule is the same.
    Source: Luo et al. 2025 (arXiv 2503.12811), authors' code and data; bins and bound are ours.

    >>> columns, error = decrements(cosine(3e-4, 24_001, end=3e-5, warm_up=2160), [12_000, 24_000])
    >>> columns["drop"].shape, [round(float(v), 7) for v in columns["drop"].sum(1)]
    ((2, 16), [-0.0001859, -3e-05])
    """
    step, eta, bins = jnp.asarray(step).astype(int), jnp.asarray(eta), int(bins)
    if bins < 2:
        raise refuse(
            f"bins={bins}", why="increments and decrements need one each", change="at least 2"
        )
    S1, binned = _decrements(eta, jnp.reshape(step, -1), warm_up, bins=bins, convention=convention)
    *columns, error = (jnp.reshape(v, (*jnp.shape(step), *v.shape[1:])) for v in binned)
    return {
        "S1": area + jnp.reshape(S1, jnp.shape(step)),
        **dict(zip(("drop", "eta", "S"), columns, strict=True)),
    }, error


@compiled
def _decrements(eta: Any, at: Any, warm_up: Any, *, bins: int, convention: str) -> Any:
    def one(t: Any) -> Any:
        drops, S = decrements_to(eta, t, warm_up, convention)
        return _binned(drops, eta, S, bins)

    return jnp.cumsum(eta)[at], jax.lax.map(one, at)


def _binned(drops: Any, eta: Any, S: Any, bins: int) -> tuple[Any, ...]:
    """Decrements (T,) in `bins` bins: their sums, geometric means of eta and S, and the bound of
    the whole.
    """
    # at eta = 0 to the end nothing is lost any more: S is 0, and so is the term
    used = (drops != 0) & (S > 0)
    x, y = jnp.log(jnp.where(used, S, 1.0)), jnp.log(jnp.where(used, jnp.maximum(eta, 1e-30), 1.0))
    weight, place, start = (
        jnp.where(used, jnp.abs(drops), 0.0),
        jnp.zeros(len(drops)),
        jnp.zeros(()),
    )
    ups, downs = (used & (drops < 0)), (used & (drops > 0))
    costs = _costs(weight, x, y, ups, downs)
    total = costs[0][-1] + costs[1][-1]
    # each sign has its share of the bins, and at least one where it occurs
    share = jnp.round(bins * costs[0][-1] / jnp.where(total > 0, total, 1.0))
    share = jnp.clip(share, jnp.any(ups), bins - jnp.any(downs).astype(share.dtype))
    for own, cost, many in ((ups, costs[0], share), (downs, costs[1], bins - share)):
        along = cost / jnp.where(cost[-1] > 0, cost[-1], 1.0) * many
        place = jnp.where(
            own, start + jnp.clip(jnp.ceil(along) - 1, 0, jnp.maximum(many - 1, 0)), place
        )
        start = start + share
    index = place.astype(int)

    def summed(values: Any) -> Any:
        return jax.ops.segment_sum(values, index, bins)

    mass = summed(weight)
    safe = jnp.where(mass > 0, mass, 1.0)
    mean_x, mean_y = summed(weight * x) / safe, summed(weight * y) / safe
    off_x, off_y = x - mean_x[index], y - mean_y[index]
    # ln of the law's argument is x - gamma y: what merging loses is convex in gamma, so worst at 0
    # or at 1
    error = (
        0.5
        * CURVED
        * jnp.maximum(jnp.sum(weight * off_x**2), jnp.sum(weight * (off_x - off_y) ** 2))
    )
    return (
        summed(jnp.where(used, drops, 0.0)),
        jnp.exp(mean_y),
        jnp.where(mass > 0, jnp.exp(mean_x), 0.0),
        error,
    )


def _costs(weight: Any, x: Any, y: Any, *signs: Any) -> list[Any]:
    """Running cost (T,) of the steps of each sign: equal parts of it make the best bins.

    The loss of a bin is its mass times its squared width; spread over many bins, the sum is least
    where each has the same part of the integral of mass^(1/3) width^(2/3) (a standard result on
    quantisation).
    """
    gap = jnp.zeros(len(x))
    for own in signs:  # from the step before of the same sign
        at = jax.lax.cummax(jnp.where(own, jnp.arange(len(x)), -1))
        before = jnp.concatenate([jnp.full(1, -1), at[:-1]])
        gap = jnp.where(own & (before >= 0), jnp.abs(x - x[before]) + jnp.abs(y - y[before]), gap)
    cost = jnp.cbrt(weight * gap**2)
    return [jnp.cumsum(jnp.where(own, cost, 0.0)) for own in signs]


def _path(peak: Any, steps: int, warm_up: int, factor: Any) -> Any:
    steps, warm_up = int(steps), int(warm_up)
    rising = jnp.arange(warm_up) / max(warm_up, 1)
    return peak * jnp.concatenate([rising, factor(_share(steps, warm_up)[warm_up:])])


def _share(steps: int, warm_up: int) -> Any:
    """How far each step is between the first at the peak (0) and the last (1)."""
    if not 0 <= warm_up < steps:
        raise refuse(
            f"{warm_up} steps of warm-up in {steps} steps",
            why="none is left at the peak",
            change="a shorter warm-up, or more steps",
        )
    return (jnp.arange(steps) - warm_up) / max(steps - warm_up - 1, 1)


def _factor(z: Any, shape: str, end: Any) -> Any:
    return cooldown(jnp.clip(z, 0.0, 1.0), shape, end=end)


def _zero(value: Any) -> bool:
    return not isinstance(value, jax.core.Tracer) and float(value) == 0.0
