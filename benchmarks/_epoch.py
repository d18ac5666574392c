"""The job of Besiroglu et al. 2024 (arXiv 2404.10102) as their published script does it: scipy, one
fit after the other.

Parameters are a = ln A, b = ln B, e = ln E, alpha, beta; the predicted ln L is ln(exp(a - alpha ln
N) + exp(b - beta ln D) + exp(e)), and the sum over rows of a Huber loss with delta 1e-3 is
minimised. The fit starts L-BFGS-B, without a gradient and with scipy's defaults, from each of 4,500
points of a grid. The refits gather the rows that were drawn, and start BFGS once, from the estimate
of Hoffmann et al., with the gradient that the package `autograd` makes of the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize

DELTA = 1e-3
HOFFMANN = np.array([6.0073404, 6.0179186, 0.5267228, 0.33917084, 0.2849083])
AMPLITUDES, OFFSETS, EXPONENTS = (
    np.arange(0, 30, 5),
    np.arange(-1, 1.5, 0.5),
    np.arange(0, 2.5, 0.5),
)
# (4500, 5)
GRID = np.array(list(product(AMPLITUDES, AMPLITUDES, OFFSETS, EXPONENTS, EXPONENTS)), float)
MISSING = "the package autograd is not installed: pip install autograd"


def spread(values: np.ndarray, wanted: int) -> np.ndarray:
    """`wanted` of the values, or all if there are fewer, drawn without replacement from a fixed
    seed.
    """
    return np.random.default_rng(0).permutation(values)[:wanted]


def published_sum(x: Any, n: Any, d: Any, loss: Any, xp: Any = np) -> Any:
    """The sum as the script writes it; `xp` is NumPy, or autograd's NumPy where a gradient is
    wanted.
    """
    a, b, e, alpha, beta = x
    residual = xp.log(
        xp.exp(a - alpha * xp.log(n)) + xp.exp(b - beta * xp.log(d)) + xp.exp(e)
    ) - xp.log(loss)
    size = xp.abs(residual)
    return xp.sum(xp.where(size <= DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA)))


def from_grid(starts: np.ndarray, n: np.ndarray, d: np.ndarray, loss: np.ndarray) -> list[Any]:
    """scipy's ends from starts (k, 5): L-BFGS-B with the differences that scipy takes where no
    gradient is given.
    """
    # the grid holds points at which exp(30) is added to a loss of 2
    with np.errstate(all="ignore"):
        return [minimize(published_sum, x, (n, d, loss), method="L-BFGS-B") for x in starts]


def gathered(
    weights: np.ndarray, n: np.ndarray, d: np.ndarray, loss: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The rows of one resample, each as often as it was drawn."""
    times = weights.astype(int)
    return tuple(np.repeat(v, times) for v in (n, d, loss))


def refitter() -> Callable[..., Any] | None:
    """scipy's end for one resample (N, D, loss), with autograd's gradient; None where that package
    is not installed.
    """
    try:
        import autograd.numpy as anp
        from autograd import grad
    except ImportError:
        return None

    def value(x: Any, n: Any, d: Any, loss: Any) -> Any:
        return published_sum(x, n, d, loss, anp)

    slope = grad(value)
    return lambda *rows: minimize(value, HOFFMANN, rows, jac=slope, method="BFGS")
