"""What is compiled for a law: its sums over runs, and its values with slopes, whatever the table,
the starts and the refits.

A law is compiled with all of its parameters free. What a fit holds fixed or tied is data: a
coordinate of the law is one of the fit's, or a number (`Embedding`). Lanes come in chunks of `WIDE`
and rows in blocks of `TALL`; how many of them there are is data too, so that another table, another
number of starts, `fix` and `tie` compile nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._compiled import compiled
from ._coordinates import Layout, layout
from ._law import Law
from ._sums import WRITTEN_OUT, kernel_of, per_run, sums

# lanes side by side: with 8 rows an intermediate fills 8 kB, and a few of them the first cache
WIDE = 128
CHUNKS = 4  # of them in one call at most
TALL = 512  # rows of one call


@dataclass(frozen=True)
class Embedding:
    """A law with all parameters free, and where its coordinates (Q,) come from those of a
    fit (P,).
    """

    law: Law
    layout: Layout
    of: np.ndarray  # (Q,) the fit's coordinate, or -1
    fixed: np.ndarray  # (Q,) the coordinate that stands for it then
    held: np.ndarray  # (Q,) and the number itself, NaN for the fit's own
    unit: np.ndarray  # (Q,) size of one coordinate

    @functools.cached_property
    def whole(self) -> bool:
        """Whether the coordinates are the same."""
        return bool(np.array_equal(self.of, np.arange(len(self.of))))

    def into(self, x: np.ndarray) -> np.ndarray:
        """Coordinates (Q, T) of the law from those of the fit (P, T)."""
        return x if self.whole else np.where(self.of[:, None] >= 0, x[self.of], self.fixed[:, None])

    def back(self, slopes: np.ndarray, size: int, axes: int = 1) -> np.ndarray:
        """Derivatives by the coordinates of the fit, from those by coordinates of the law on the
        first axes.
        """
        if self.whole:
            return slopes
        for axis in range(axes):
            own = np.moveaxis(slopes, axis, 0)
            out = np.zeros((size, *own.shape[1:]))
            for i, k in enumerate(self.of.tolist()):
                if k >= 0:
                    out[k] += own[i]
            slopes = np.moveaxis(out, 0, axis)
        return np.ascontiguousarray(slopes)


def embedding(law: Law, own: Layout, unit: np.ndarray) -> Embedding:
    """The law without what is fixed and tied, for a fit of these coordinates; the law as it is
    where that cannot be.
    """
    groups = dict(law.groups)
    groups |= {k: groups[master] for k, master in law.ties if master in groups}
    blocks = {name: (spec, count, start) for name, spec, count, start in own.blocks}
    sizes = {
        groups[k]: blocks[k][1] if k in blocks else len(law.fixed[k])
        for k in groups
        if k in blocks or k in law.fixed
    }
    free = dataclasses.replace(law, fixed={}, ties=(), groups=tuple(sorted(groups.items())))
    every, as_it_is = layout(free, sizes), _as_it_is(law, own, unit)
    # more is held than is free: its sums would be for nothing
    if every.size > min(WRITTEN_OUT, 2 * own.size + 8):
        return as_it_is
    of, fixed, held = np.full(every.size, -1), np.zeros(every.size), np.full(every.size, np.nan)
    masters = dict(law.ties)
    for name, spec, count, start in every.blocks:
        here, source = slice(start, start + max(count, 1) * spec.size), masters.get(name, name)
        if source in blocks:
            of[here] = blocks[source][2] + np.arange(here.stop - start)
            continue
        values = np.asarray(law.fixed[source], np.float64)
        if spec.support == "simplex" or (
            spec.support == "between" and np.any(np.isin(values, spec.edges))
        ):
            # an edge has no coordinate, and shares would be made to add up to 1 exactly
            return as_it_is
        fixed[here] = np.concatenate(
            [spec.coordinates(v) for v in (values if count else values[None])]
        )
        held[here] = values.ravel()
    return Embedding(
        law=free, layout=every, of=of, fixed=fixed, held=held, unit=np.where(of >= 0, unit[of], 1.0)
    )


def _as_it_is(law: Law, own: Layout, unit: np.ndarray) -> Embedding:
    return Embedding(
        law=law,
        layout=own,
        of=np.arange(own.size),
        fixed=np.zeros(own.size),
        held=np.full(own.size, np.nan),
        unit=unit,
    )


@compiled
def summed(
    law: Law,
    sizes: Any,
    x: Any,
    data: Any,
    objective: Any,
    counts: Any,
    *,
    layout: Layout,
    widths: tuple[tuple[str, int], ...],
) -> tuple[Any, Any, Any]:
    """Sums of the first `counts[0]` chunks of lanes x (C, Q, WIDE) over the first `counts[1]` rows:
    value, slopes, curvature.

    `sizes` are the unit of each coordinate and the numbers that are held (Q,); `data` features,
    target and weights (C, TALL, WIDE); numbers of the objective are (C, WIDE).
    """
    own, (unit, held) = kernel_of(law, layout, widths), sizes
    chunks, size, lanes = x.shape

    def body(i: Any, out: Any) -> Any:
        at, (features, target, weights), goal = jax.tree.map(lambda v: v[i], (x, data, objective))
        new = sums(
            own,
            at,
            unit=unit,
            table=features,
            target=target,
            weights=weights,
            objective=goal,
            count=counts[1],
            held=held,
        )
        return jax.tree.map(lambda old, v: old.at[i].set(v), out, new)

    empty = tuple(jnp.zeros((chunks, *(size,) * order, lanes)) for order in range(3))
    found: tuple[Any, Any, Any] = jax.lax.fori_loop(0, counts[0], body, empty)
    return found


@compiled
def looked(
    law: Law,
    sizes: Any,
    x: Any,
    features: Any,
    *,
    layout: Layout,
    widths: tuple[tuple[str, int], ...],
) -> tuple[Any, Any]:
    """Values (TALL, WIDE) of lanes x (Q, WIDE) and their slopes (Q, TALL, WIDE); features (TALL,
    WIDE).
    """
    return per_run(kernel_of(law, layout, widths), x, sizes[0], features, sizes[1])


@compiled
def features_of(
    law: Law, rows: Any, codes: Any, *, layout: Layout, widths: tuple[tuple[str, int], ...]
) -> list[Any]:
    """What the columns alone decide, (TALL,) each."""
    return kernel_of(law, layout, widths).table(rows, codes)


def written(law: Law, layout: Layout, widths: tuple[tuple[str, int], ...]) -> bool:
    """Whether the law's sums are written out term by term."""
    return kernel_of(law, layout, widths).written
