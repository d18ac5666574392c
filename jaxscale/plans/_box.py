"""The box of a plan: which coordinates a chosen column has, whether they are logarithms, and their
bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ..formula._law import Law
from ..ground._errors import refuse


def size_of(law: Law, name: str, bounds: Any, unit: Any) -> int | None:
    """Length of a vector column: of its bounds, or the only one that the law's vectors allow."""
    if not unit.rank:
        return None
    if unit.name != "shares of a mixture":
        raise refuse(
            f"allocate: {name} is a vector of {unit.name}",
            why="only shares of a mixture can be chosen",
            change="given={...}",
        )
    if bounds is not None and any(np.ndim(b) for b in bounds if b is not None):
        return int(np.broadcast_shapes(*(np.shape(b) for b in bounds if b is not None))[0])
    lengths = sorted(
        {
            n + step
            for _, spec in law.specs
            for n in spec.shape
            for step in (-1, 0, 1)
            if n + step > 1
        }
    )
    units = dict(zip(law.columns, law.column_units, strict=True))
    rows = {c: u.rank for c, u in units.items()}

    def fits(n: int) -> bool:
        row = [jax.ShapeDtypeStruct((n,) * rows[c], np.float32) for c in law.columns]
        params = {k: jax.ShapeDtypeStruct(np.shape(v), np.float32) for k, v in law.params.items()}
        try:
            jax.eval_shape(law.function, *row, **params)
        except (TypeError, ValueError):
            return False
        return True

    possible = [n for n in lengths if fits(n)]
    if len(possible) != 1:
        raise refuse(
            f"allocate: nothing says how many shares {name} has",
            why="the law takes any number"
            if possible or not lengths
            else "no length goes with the law's vectors",
            change=f"bounds={{{name!r}: (np.zeros(5), np.ones(5))}}",
        )
    return possible[0]


def box(
    over: tuple[str, ...],
    sizes: tuple[int | None, ...],
    bounds: Mapping[str, Any],
    units: Mapping[str, Any],
) -> tuple[tuple[bool, ...], np.ndarray, np.ndarray]:
    """Whether each coordinate is a logarithm, and its bounds."""
    log, low, high = [], [], []
    for name, size in zip(over, sizes, strict=True):
        logarithmic = units[name].support == "positive"
        natural = {"unit": (0.0, 1.0), "nonnegative": (0.0, np.inf)}.get(
            units[name].support, (-np.inf, np.inf)
        )
        own = bounds.get(name, (None, None))
        if not isinstance(own, tuple | list) or len(own) != 2:
            raise refuse(
                f"allocate: bounds of {name} are {own!r}",
                why="one number",
                change="(low, high), None for no bound",
            )
        try:
            a, b = (
                np.broadcast_to(np.asarray(w if v is None else v, float), (size or 1,))
                for v, w in zip(own, natural, strict=True)
            )
        except (TypeError, ValueError):
            raise refuse(
                f"allocate: bounds of {name} are {own!r}",
                why="one bound per budget, or text; bounds are the same for every budget",
                change='numbers, or a limit with one number per budget: constraints={"most": '
                "(lambda N: N, [1e9, 1e10])}",
            ) from None
        if (
            np.any(np.isnan([a, b]))
            or np.any(b < natural[0])
            or np.any(a > natural[1])
            or (logarithmic and np.any(b <= 0))
        ):
            raise refuse(
                f"allocate: bounds of {name} are ({own[0]}, {own[1]})",
                why=f"{name} is {units[name].support}: no value lies there",
                change="(low, high) in the column's unit",
            )
        if not np.all(a <= b):
            raise refuse(
                f"allocate: bounds of {name} are ({own[0]}, {own[1]})",
                why="they were swapped",
                change="give (low, high)",
            )
        if not logarithmic and not np.isfinite([a, b]).all():
            raise refuse(
                f"allocate: {name} needs two bounds",
                why="it may be 0, so it is searched in a box",
                change=f"bounds={{{name!r}: (low, high)}}",
            )
        with np.errstate(divide="ignore"):
            low.append(
                np.where(a > 0, np.log(np.maximum(a, 1e-300)), -np.inf) if logarithmic else a
            )
            high.append(np.log(b) if logarithmic else b)
        log += [logarithmic] * (size or 1)
    return tuple(log), np.concatenate([np.zeros(0), *low]), np.concatenate([np.zeros(0), *high])
