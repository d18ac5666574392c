"""The oracle of a plan: loss, cost and every limit at a point, with slopes and curvature. Only this
knows the law.

What is asked of these functions is data: which of them is made least, which are limits and how
large those are, bounds, budget or target, the edge of a region. So one program per law and set of
functions answers every question about them. Columns are searched in logarithms where they are
positive, in natural numbers where they may be 0; the shares of a mixture are numbers from 0 to 1
whose sum is one more equation. Lanes are last in every array here and in the search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._form import complete, evaluate
from ..formula._law import Law
from ..ground._compiled import compiled
from ..ground._life import saying
from ..ground._trees import node, static

CHUNK = 128  # lanes that are evaluated side by side, so that intermediates stay in the first cache
_CHUNKS = 32  # of them in one call at most
_NUMBERS = 2**22  # and this many curvatures


@node()
class Function:
    """A plain function of named columns, parameters, `loss` or `coordinates`."""

    function: Any
    reads: tuple[str, ...] = static()


@dataclass(frozen=True)
class Shape:
    """Which columns are searched, how long they are, and in which coordinates."""

    over: tuple[str, ...]
    sizes: tuple[int | None, ...]  # None: a number; k: shares of a mixture
    log: tuple[bool, ...]  # by coordinate

    @property
    def slices(self) -> list[tuple[str, int | None, int]]:
        """Column, its length and the place of its first coordinate."""
        ends = np.cumsum([0, *(s or 1 for s in self.sizes)])
        return [(c, s, int(a)) for c, s, a in zip(self.over, self.sizes, ends[:-1], strict=True)]

    @property
    def sums(self) -> np.ndarray:
        """Which coordinates (e, k) add up to 1: those of each mixture."""
        rows = [np.arange(len(self.log)) for _, s, _ in self.slices if s]
        places = [(a, s) for _, s, a in self.slices if s]
        own = [(row >= a) & (row < a + s) for row, (a, s) in zip(rows, places, strict=True)]
        return np.reshape(np.asarray(own, np.float64), (len(own), len(self.log)))


@node()
class Oracle:
    """The functions of a question over its coordinates. All numbers are leaves."""

    law: Law
    functions: tuple[Function, ...]
    given: dict[str, Any]
    codes: dict[str, Any]
    shape: Shape = static()
    # lanes; fewer where a function is itself a sum over thousands of laws
    side_by_side: int = static(default=CHUNK)

    def under(self, law: dict[str, Any], given: dict[str, Any]) -> Oracle:
        """The same with these values of the law's parameters, and these columns."""
        own = dataclasses.replace(self.law, fixed={**self.law.fixed, **law})
        return dataclasses.replace(self, law=own, given={**self.given, **given})

    def known(self, z: Any) -> dict[str, Any]:
        """All that a function may read, at coordinates (k,)."""
        rows = {**self.given, **natural(self.shape, z, jnp)}
        one = {c: jnp.reshape(rows[c], (1, *jnp.shape(rows[c]))) for c in self.law.columns}
        loss = evaluate(
            self.law, one, {}, {g: jnp.reshape(v, (1,)) for g, v in self.codes.items()}
        )[0]
        return {**complete(self.law, {}), **rows, "loss": loss, "coordinates": z}

    def values(self, z: Any) -> Any:
        """Values (q,) of all functions at coordinates (k,)."""
        known = self.known(z)
        return jnp.stack([value_of(f, known) for f in self.functions])

    def slopes(self, z: Any) -> tuple[Any, Any]:
        """Values (q,) and slopes (q, k), by the cheaper direction of differentiation."""
        differentiate = jax.jacrev if len(self.functions) < len(self.shape.log) else jax.jacfwd
        j, v = differentiate(lambda u: (v := self.values(u), v), has_aux=True)(z)
        return v, j

    def curves(self, z: Any) -> tuple[Any, Any, Any]:
        """Values (q,), slopes (q, k) and curvature (q, k, k)."""

        def first(u: Any) -> tuple[Any, tuple[Any, Any]]:
            v, j = self.slopes(u)
            return j, (v, j)

        h, (v, j) = jax.jacfwd(first, has_aux=True)(z)
        return v, j, h


def natural(shape: Shape, z: Any, xp: Any) -> dict[str, Any]:
    """Columns by name from coordinates (k, ...)."""
    values = [xp.exp(z[j]) if log else z[j] for j, log in enumerate(shape.log)]
    return {
        c: values[a] if size is None else xp.stack(values[a : a + size])
        for c, size, a in shape.slices
    }


def coordinates(shape: Shape, columns: Mapping[str, Any]) -> np.ndarray:
    """Coordinates (k, ...) of columns, whose shares are last."""
    found = []
    for c, size, a in shape.slices:
        values = np.asarray(columns[c], np.float64)
        values = np.moveaxis(values, -1, 0) if size else values[None]
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.log(values) if shape.log[a] else values)
    return np.concatenate(found)


def value_of(function: Function, known: dict[str, Any]) -> Any:
    return jnp.asarray(function.function(**{name: known[name] for name in function.reads}), float)


def lanes_at_once(oracle: Oracle, most: int = _CHUNKS) -> int:
    """How many lanes `evaluated` takes in one call, or so many as fit into `most` chunks."""
    k = len(oracle.shape.log)
    width = oracle.side_by_side
    return width * max(1, min(most, _NUMBERS // (width * len(oracle.functions) * max(k, 1) ** 2)))


def evaluated(
    oracle: Oracle, own: tuple[dict[str, Any], dict[str, Any]], z: np.ndarray
) -> tuple[Any, Any, Any]:
    """Values (q, T), slopes (q, k, T) and curvature (q, k, k, T) of lanes at z (k, T), each with
    its `own` law and columns.
    """
    lanes, most, width = z.shape[-1], lanes_at_once(oracle), oracle.side_by_side
    parts, text = [], f"loss, cost and limits of {oracle.law.name}, compiled when first asked"
    for first in range(0, lanes, most):
        here = [
            chunked(v[..., first : first + most], most // width, width)
            for v in (z, *jax.tree.leaves(own))
        ]
        count = -(-min(most, lanes - first) // width)
        with saying(text):  # takes milliseconds once it is compiled
            found = _chunks(
                oracle,
                jax.tree.unflatten(jax.tree.structure(own), here[1:]),
                here[0],
                np.int32(count),
            )
        parts.append([joined(np.asarray(v)[:count], min(most, lanes - first)) for v in found])
    v, j, h = (
        np.concatenate(part, -1) if len(parts) > 1 else part[0] for part in zip(*parts, strict=True)
    )
    return v, j, h


def chunked(values: np.ndarray, count: int, width: int) -> np.ndarray:
    """Lanes (..., T) as (count, ..., width), the last of them repeated."""
    wide = np.empty((*values.shape[:-1], count * width), values.dtype)
    wide[..., : values.shape[-1]] = values
    wide[..., values.shape[-1] :] = values[..., -1:]
    return np.ascontiguousarray(np.moveaxis(wide.reshape(*values.shape[:-1], count, width), -2, 0))


def joined(chunks: np.ndarray, lanes: int) -> np.ndarray:
    """The reverse of `chunked`."""
    values = np.moveaxis(chunks, 0, -2)
    whole: np.ndarray = values.reshape(*values.shape[:-2], -1)[..., :lanes]
    return whole


@compiled
def _chunks(oracle: Oracle, own: Any, z: Any, count: Any) -> tuple[Any, Any, Any]:
    """The oracle at the first `count` chunks z (C, k, width): one program whatever their number."""
    chunks, k, lanes = z.shape
    q = len(oracle.functions)

    def body(i: Any, out: Any) -> Any:
        here, at = jax.tree.map(lambda v: v[i], (own, z))
        new = jax.vmap(lambda o, u: oracle.under(*o).curves(u), in_axes=-1, out_axes=-1)(here, at)
        return jax.tree.map(lambda old, v: old.at[i].set(v), out, new)

    empty = tuple(jnp.zeros((chunks, q, *(k,) * order, lanes)) for order in range(3))
    found: tuple[Any, Any, Any] = jax.lax.fori_loop(0, count, body, empty)
    return found
