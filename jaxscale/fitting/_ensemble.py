"""Functions over an ensemble: every refit becomes a bound law, and a function of that law is
evaluated in tiles.

What is mapped over are the parameters, never a `Fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ..formula._law import Law
from ._blocks import run_points
from ._problem import bound
from ._results import Fitted, flat


def over_ensemble(fit: Fitted, of: Callable[[Law], Any]) -> Any:
    """`of(bound law)` for every refit: a tree of arrays with the axes of the ensemble first. `of`
    must be traceable.
    """
    params = flat(fit)
    free = {k: v for k, v in params.items() if k in fit.problem.law.free}
    fixed = {k: v[0] for k, v in params.items() if k not in free}

    @jax.jit
    def tile(index: Any, own: Any) -> Any:
        return jax.vmap(
            lambda i: of(bound(fit.problem, {**fixed, **{k: v[i] for k, v in own.items()}}))
        )(index)

    shape = np.shape(fit.value)
    found = run_points(tile, free, int(np.prod(shape)), label="ensemble")
    return jax.tree.map(lambda v: v.reshape(*shape, *v.shape[1:]), found)
