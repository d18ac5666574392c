"""Resampling: what one resample does to a table, as weights or as another target, never as a
gathered copy.

Units are what is drawn: rows, or clusters (all rows of a run, which are not independent of each
other). Pairs draws units with replacement, within strata: one stratum unless a law has parameters
per group, where every resample must keep every group. Bayesian weights give every unit an
exponential weight, so that none is ever missing. `leave` leaves out one unit after the other. The
wild and parametric kinds keep all rows and put noise of their own on the fitted values: the
residuals times random signs (a sign per unit), or normal numbers. A lane makes its resample from
integers: random numbers come from a counter (Threefry, Salmon et al. 2011), so that each is a pure
function of seed, data set, resample and place, whatever is drawn beside it.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

from ..ground._errors import refuse
from ..ground._trees import node

# a lane's own weights, by number in the compiled program
WEIGHTED = ("none", "pairs", "bayes", "leave")
NOISY = ("none", "webb", "rademacher", "parametric")  # a lane's own target
KINDS = ("pairs", "bayes", "webb", "rademacher", "parametric")
_WEBB = np.sqrt([1.5, 1.0, 0.5])


@node()
class Sampler:
    """Which rows are drawn together and from where; arrays of the table's padded length."""

    unit: Any  # (n,) unit of each row
    order: Any  # (n,) units, stratum by stratum
    first: Any  # (n,) for each slot, where its stratum begins in `order`
    span: Any  # (n,) and how many units it has
    # number of units; the place after the last is the unit of rows that every resample keeps as
    # they are
    count: Any
    place: Any  # (n,) where in the stream of random numbers each unit has its own
    # (n,) fitted values, and the size of the noise on them, for the kinds that change the target
    fitted: Any
    noise: Any


def sampler(
    weights: np.ndarray,
    clusters: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    *,
    fitted: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    fixed: np.ndarray | None = None,
) -> Sampler:
    """Units and strata of a table; rows of weight 0 are never drawn, and `fixed` ones count once in
    every resample.

    `noise` is in the unit of residuals.
    """
    n = len(weights)
    used = np.flatnonzero(weights > 0 if fixed is None else (weights > 0) & ~fixed)
    labels = np.arange(n) if clusters is None else clusters
    _, units = np.unique(labels[used], return_inverse=True)
    unit = np.zeros(n, np.int32)
    unit[used] = units
    count = int(units.max()) + 1
    if fixed is not None:
        unit[fixed] = count
    stratum = np.zeros(count, np.int64)
    if strata is not None:
        stratum[units] = strata[used]
    order = np.argsort(stratum, kind="stable")
    _, begin, size = np.unique(stratum[order], return_index=True, return_counts=True)
    slots = np.repeat(np.arange(len(begin)), size)

    def pad(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, np.zeros(n - count, values.dtype)]).astype(np.int32)

    own = [np.zeros(n) if v is None else v for v in (fitted, noise)]
    return Sampler(
        unit,
        pad(order),
        pad(begin[slots]),
        pad(size[slots]),
        np.int32(count),
        np.arange(n, dtype=np.int32),
        *own,
    )


def root_key(seed: int, stream: int = 0) -> np.ndarray:
    """A seed and a stream as two plain numbers, which travel to other processes."""
    if not 0 <= seed < 2**63:
        raise refuse(
            f"seed={seed}",
            why="a negative number, or one of more than 63 bits",
            change="a number from 0 to 2^63 - 1",
        )
    return np.random.SeedSequence([seed, stream]).generate_state(2, np.uint32)


def uniforms(root: Any, dataset: Any, resample: Any, place: Any) -> Any:
    """Uniform numbers (n,) in [0, 1) for places (n,) of one resample of one data set."""
    n = place.shape[0]
    counter = jnp.concatenate([jnp.full(n, resample, jnp.uint32), place.astype(jnp.uint32)])
    bits = threefry_2x32(jnp.stack([root[0], root[1] ^ dataset.astype(jnp.uint32)]), counter)
    return (
        bits[:n].astype(jnp.float64) * 2.0**21 + (bits[n:] >> 11).astype(jnp.float64)
    ) * 2.0**-53


def reweighted(u: Any, kind: Any, weights: Any, drawn: Sampler, resample: Any) -> Any:
    """Weights (n,) of one resample by uniform numbers (n,): a row's weight times how often its unit
    was drawn.
    """
    place = jnp.arange(weights.shape[0])
    live = place < drawn.count

    def pairs() -> Any:
        slot = drawn.first + jnp.minimum((u * drawn.span).astype(jnp.int32), drawn.span - 1)
        times = jnp.zeros(place.shape, jnp.int32).at[drawn.order[slot]].add(live.astype(jnp.int32))
        return times.astype(weights.dtype)

    def bayes() -> Any:
        times = -jnp.log1p(-u) * live
        return times * drawn.count / jnp.sum(times)

    times = jax.lax.switch(
        kind,
        [
            lambda: jnp.ones_like(weights),
            pairs,
            bayes,
            lambda: (place != resample).astype(weights.dtype),
        ],
    )
    return weights * jnp.where(place == drawn.count, 1.0, times)[drawn.unit]


def noised(u: Any, kind: Any, target: Any, drawn: Sampler, log: bool) -> Any:
    """Target (n,) of one resample: fitted values with noise of their own; `log`: whether it
    multiplies.
    """
    own, point = u[drawn.unit], jnp.asarray(_WEBB)
    sixth = jnp.minimum((own * 6.0).astype(jnp.int32), 5)
    multipliers = [
        lambda: jnp.zeros_like(u),
        lambda: jnp.where(sixth < 3, 1.0, -1.0) * point[sixth % 3],
        lambda: jnp.where(own < 0.5, -1.0, 1.0),
        lambda: jax.scipy.special.ndtri(jnp.maximum(u, 2.0**-54)),
    ]
    noise = drawn.noise * jax.lax.switch(kind, multipliers)
    return jnp.where(
        kind == 0, target, drawn.fitted * jnp.exp(noise) if log else drawn.fitted + noise
    )


# -- the same on the host, for all lanes of a table at once --------------------------------------
def uniforms_of(
    root: np.ndarray, dataset: np.ndarray, resample: np.ndarray, place: np.ndarray
) -> np.ndarray:
    """`uniforms` of lanes (T,) at places (n, T), bit for bit."""
    first, second = _threefry(
        root[0],
        root[1] ^ dataset.astype(np.uint32),
        resample.astype(np.uint32),
        place.astype(np.uint32),
    )
    return np.asarray(
        (first.astype(np.float64) * 2.0**21 + (second >> np.uint32(11)).astype(np.float64))
        * 2.0**-53
    )


def _threefry(
    key0: Any, key1: np.ndarray, x0: np.ndarray, x1: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Threefry 2x32 with 20 rounds (Salmon et al. 2011), as JAX has it."""
    with np.errstate(over="ignore"):
        keys = [np.uint32(key0), key1, np.uint32(0x1BD11BDA) ^ np.uint32(key0) ^ key1]
        x0, x1 = np.broadcast_arrays(x0 + keys[0], x1 + keys[1])
        for i in range(5):
            for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[i % 2]:
                x0 = x0 + x1
                x1 = ((x1 << np.uint32(turn)) | (x1 >> np.uint32(32 - turn))) ^ x0
            x0, x1 = x0 + keys[(i + 1) % 3], x1 + keys[(i + 2) % 3] + np.uint32(i + 1)
    return x0, x1


def reweighted_lanes(
    u: np.ndarray, kind: int, weights: np.ndarray, drawn: Sampler, resample: np.ndarray
) -> np.ndarray:
    """`reweighted` for lanes: weights (n, T) from uniform numbers (n, T)."""
    n, lanes = u.shape
    place = np.arange(n)[:, None]
    live = place < drawn.count
    if WEIGHTED[kind] == "pairs":
        slot = drawn.first[:, None] + np.minimum(
            (u * drawn.span[:, None]).astype(np.int32), drawn.span[:, None] - 1
        )
        where = drawn.order[slot] + n * np.arange(lanes)
        times = (
            np.bincount(where[: int(drawn.count)].ravel(), minlength=n * lanes)
            .reshape(lanes, n)
            .T.astype(float)
        )
    elif WEIGHTED[kind] == "bayes":
        times = -np.log1p(-u) * live
        # lane by lane: a lone column would be summed in another order
        total = np.sum(np.ascontiguousarray(times.T), 1)
        times = times * drawn.count / total
    else:
        times = (place != resample).astype(float) if WEIGHTED[kind] == "leave" else np.ones_like(u)
    return np.asarray(weights[:, None] * np.where(place == drawn.count, 1.0, times)[drawn.unit])


def noised_lanes(
    u: np.ndarray, kind: int, target: np.ndarray, drawn: Sampler, log: bool
) -> np.ndarray:
    """`noised` for lanes: targets (n, T) from uniform numbers (n, T)."""
    own = u[drawn.unit]
    if NOISY[kind] == "webb":
        sixth = np.minimum((own * 6.0).astype(np.int32), 5)
        noise = np.where(sixth < 3, 1.0, -1.0) * _WEBB[sixth % 3]
    elif NOISY[kind] == "rademacher":
        noise = np.where(own < 0.5, -1.0, 1.0)
    else:
        from scipy.special import ndtri  # slow to import, and few ask for it

        noise = ndtri(np.maximum(u, 2.0**-54))
    noise, fitted = drawn.noise[:, None] * noise, drawn.fitted[:, None]
    return np.asarray(fitted * np.exp(noise) if log else fitted + noise)
