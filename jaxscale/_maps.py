"""Maps over an ensemble: every refit becomes a bound law, a function of that law is evaluated for all of them.

`predict` maps at once, `interval(of=...)` and `allocate` in tiles: what is mapped over are the parameters,
never a `Fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ._evaluate import broadcast
from ._law import Law
from ._results import Fit, bound
from ._tiles import POINT_TILE, run_tiles, tile_size
from ._tree import traced


def predict(fit: Fit, columns: tuple[Any, ...], named: dict[str, Any]) -> np.ndarray:
    """See `Fit.predict`."""
    if np.ndim(fit.value) == 0:
        return np.asarray(fit.law(*columns, **named))
    first = bound(fit.problem, {k: v[0] for k, v in fit.params.items()})
    rows, _, codes = first._arguments(columns, named)
    if traced(rows, codes):
        raise TypeError("predict() is for numbers; to differentiate, call the bound law of one fit")
    with jax.enable_x64(True):
        rows = jax.tree.map(lambda v: np.asarray(v, np.float64), rows)
        return np.asarray(_predict(fit.problem.law, fit.params, rows, codes))


@jax.jit
def _predict(law: Law, params: dict[str, Any], rows: dict[str, Any], codes: dict[str, Any]) -> Any:
    free = {k: v for k, v in params.items() if k in law.free}
    return jax.vmap(lambda own: broadcast(law, rows, own, codes))(free)


def over_ensemble(fit: Fit, of: Callable[[Law], Any]) -> Any:
    """`of(bound law)` for every refit: a tree of arrays `(n, ...)`. `of` must be traceable by JAX."""
    free = {k: v for k, v in fit.params.items() if k in fit.problem.law.free}

    @jax.jit
    def tile(index: Any, params: Any) -> Any:
        return jax.vmap(lambda i: of(bound(fit.problem, {k: v[i] for k, v in params.items()})))(index)

    n = len(fit)
    return run_tiles(tile, free, n, tile_size(POINT_TILE), label="ensemble")
