"""Maps over an ensemble: every refit becomes a bound law, a function of that law is evaluated for all of them.

`predict` maps at once, `interval(of=...)` and `allocate` in tiles: what is mapped over are the parameters,
never a `Fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ._call import arguments
from ._evaluate import broadcast
from ._law import Law
from ._results import Fit, bound
from ._tiles import run_points
from ._tree import traced


def flat(fit: Fit) -> dict[str, np.ndarray]:
    """Parameters with all axes of an ensemble (refits, tables, objectives) made one."""
    axes = np.ndim(fit.value)
    if fit.cells is not None and fit.problem.law.groups:
        raise TypeError("tables with groups of their own are mapped one by one: use fits[0], fits[1], ...")
    return {k: np.reshape(v, (-1, *np.shape(v)[axes:])) for k, v in fit.params.items()}


def predict(fit: Fit, columns: tuple[Any, ...], named: dict[str, Any]) -> np.ndarray:
    """See `Fit.predict`."""
    if np.ndim(fit.value) == 0:
        return np.asarray(fit.law(*columns, **named))
    params = flat(fit)
    first = bound(fit.problem, {k: v[0] for k, v in params.items()})
    rows, _, codes = arguments(first, columns, named)
    if traced(rows, codes):
        raise TypeError("predict() is for numbers; to differentiate, call the bound law of one fit")
    with jax.enable_x64(True):
        rows = jax.tree.map(lambda v: np.asarray(v, np.float64), rows)
        found = np.asarray(_predict(fit.problem.law, params, rows, codes))
    return found.reshape(*np.shape(fit.value), *found.shape[1:])


@jax.jit
def _predict(law: Law, params: dict[str, Any], rows: dict[str, Any], codes: dict[str, Any]) -> Any:
    free = {k: v for k, v in params.items() if k in law.free}
    return jax.vmap(lambda own: broadcast(law, rows, own, codes))(free)


def over_ensemble(fit: Fit, of: Callable[[Law], Any]) -> Any:
    """`of(bound law)` for every refit: a tree of arrays with the axes of the ensemble first. `of` must be traceable."""
    params = flat(fit)
    free = {k: v for k, v in params.items() if k in fit.problem.law.free}
    fixed = {k: v[0] for k, v in params.items() if k not in free}

    @jax.jit
    def tile(index: Any, own: Any) -> Any:
        return jax.vmap(lambda i: of(bound(fit.problem, {**fixed, **{k: v[i] for k, v in own.items()}})))(index)

    shape = np.shape(fit.value)
    found = run_points(tile, free, int(np.prod(shape)), label="ensemble")
    return jax.tree.map(lambda v: v.reshape(*shape, *v.shape[1:]), found)
