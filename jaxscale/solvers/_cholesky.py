"""Small positive definite systems, lanes last, without LAPACK.

Two reasons. A batched LAPACK call spends more time per lane on being called than on the arithmetic
of a 5 by 5 matrix. And on the CPU backend (seen with jax 0.10.2) such a call splits its batch over
the very threads that run our tiles and waits for them: two tiles at once then wait for each other
for ever. So nothing inside a tile may call LAPACK.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# written out up to this size (plans); above, that costs seconds of compilation and gains nothing
_UNROLLED = 2


def namespace(array: Any) -> Any:
    """The module whose functions take this array: NumPy, or JAX's."""
    return np if isinstance(array, np.ndarray) else jnp


def cholesky(matrix: Any, *, least: float | None = None) -> Any:
    """Lower factor (P, P, T) of symmetric matrices (P, P, T); NaN appears where one is not positive
    definite.

    With `least`, a pivot that is not positive is replaced by its size, or by `least` if that is
    more: the factor then belongs to a positive definite matrix nearby, and where all pivots are
    positive to the matrix itself.
    """
    xp = namespace(matrix)
    below = np.arange(len(matrix))[:, None]

    def column(j: Any, state: Any) -> Any:
        left, factor = state
        pivot = left[j, j]
        if least is not None:
            pivot = xp.where(pivot > 0.0, pivot, xp.maximum(xp.abs(pivot), least))
        own = xp.where(
            below == j, xp.sqrt(pivot), xp.where(below > j, left[:, j] / xp.sqrt(pivot), 0.0)
        )
        return left - own[:, None] * own, _put(factor, j, own)

    return _loop(len(matrix), column, (matrix, xp.zeros_like(matrix)))[1]


def cholesky_solve(factor: Any, right: Any) -> Any:
    """Solutions (P, T) for right sides (P, T)."""
    xp, size = namespace(right), len(right)
    at = np.arange(size)[:, None]

    def forward(j: Any, b: Any) -> Any:
        y = b[j] / factor[j, j]
        return xp.where(at > j, b - factor[:, j] * y, xp.where(at == j, y, b))

    def backward(k: Any, b: Any) -> Any:
        j = size - 1 - k
        x = b[j] / factor[j, j]
        return xp.where(at < j, b - factor[j] * x, xp.where(at == j, x, b))

    return _loop(size, backward, _loop(size, forward, right))


def solve_positive(matrix: Any, right: Any) -> Any:
    """Solutions (P, T); NaN in all of a lane whose matrix (P, P, T) is not positive definite."""
    xp, solved = namespace(matrix), cholesky_solve(cholesky(matrix), right)
    return xp.where(xp.all(xp.isfinite(solved), 0), solved, xp.nan)


def _loop(count: int, body: Callable[[Any, Any], Any], state: Any) -> Any:
    if count > _UNROLLED and not isinstance(jax.tree.leaves(state)[0], np.ndarray):
        return jax.lax.fori_loop(0, count, body, state)
    for j in range(count):
        state = body(j, state)
    return state


def _put(matrix: Any, column: Any, values: Any) -> Any:
    """The matrix with this column."""
    if isinstance(matrix, np.ndarray):
        matrix[:, column] = values
        return matrix
    return matrix.at[:, column].set(values)
