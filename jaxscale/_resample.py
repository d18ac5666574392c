"""Resampling as weights: how often each row counts in a resample, never a gathered copy of the table.

Units are what is drawn with replacement: rows, or clusters (all rows of a run, which are not independent of each
other). Units are drawn within strata, one stratum unless a law has parameters per group, where every resample must
keep every group. A lane makes its own weights from integers: random numbers come from a counter (Threefry, Salmon et
al. 2011), so that each is a pure function of seed, data set, resample and place, whatever is drawn beside it.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

from ._tree import node


@node()
class Sampler:
    """Which rows are drawn together and from where; arrays of the table's padded length."""

    unit: Any  # (n,) unit of each row
    order: Any  # (n,) units, stratum by stratum
    first: Any  # (n,) for each slot, where its stratum begins in `order`
    span: Any  # (n,) and how many units it has
    count: Any  # number of units


def sampler(weights: np.ndarray, clusters: np.ndarray | None, strata: np.ndarray | None) -> Sampler:
    """Units and strata of a table; rows of weight 0 are never drawn."""
    n = len(weights)
    used = np.flatnonzero(weights > 0)
    labels = np.arange(n) if clusters is None else clusters
    _, units = np.unique(labels[used], return_inverse=True)
    unit = np.zeros(n, np.int32)
    unit[used] = units
    count = int(units.max()) + 1
    stratum = np.zeros(count, np.int64)
    if strata is not None:
        stratum[units] = strata[used]
    order = np.argsort(stratum, kind="stable")
    _, begin, size = np.unique(stratum[order], return_index=True, return_counts=True)
    slots = np.repeat(np.arange(len(begin)), size)

    def pad(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, np.zeros(n - count, values.dtype)]).astype(np.int32)

    return Sampler(unit, pad(order), pad(begin[slots]), pad(size[slots]), np.int32(count))


def root_key(seed: int, stream: int = 0) -> np.ndarray:
    """A seed and a stream as two plain numbers, which travel to other processes."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed={seed}: a number from 0 to 2^63 - 1")
    return np.random.SeedSequence([seed, stream]).generate_state(2, np.uint32)


def uniforms(root: Any, dataset: Any, resample: Any, place: Any) -> Any:
    """Uniform numbers (n,) in [0, 1) for places (n,) of one resample of one data set."""
    n = place.shape[0]
    counter = jnp.concatenate([jnp.full(n, resample, jnp.uint32), place.astype(jnp.uint32)])
    bits = threefry_2x32(jnp.stack([root[0], root[1] ^ dataset.astype(jnp.uint32)]), counter)
    return (bits[:n].astype(jnp.float64) * 2.0**21 + (bits[n:] >> 11).astype(jnp.float64)) * 2.0**-53


def resampled(u: Any, weights: Any, drawn: Sampler) -> Any:
    """Weights (n,) of one pairs resample by uniform numbers (n,): a row's weight times how often its unit was drawn."""
    n = weights.shape[0]
    slot = drawn.first + jnp.minimum((u * drawn.span).astype(jnp.int32), drawn.span - 1)
    live = jnp.arange(n) < drawn.count
    times = jnp.zeros(n, jnp.int32).at[drawn.order[slot]].add(live.astype(jnp.int32))
    return weights * times[drawn.unit]
