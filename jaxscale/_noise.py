"""Noise around a fitted law: what resampling with noise of its own puts on the fitted values.

Residuals are smaller than the noise, because the fit follows it: a run of leverage h keeps 1 - h of its own noise. The
wild kinds divide residuals by that (HC3), so that one run's noise is neither shared with nor borrowed from another. The
parametric kind draws normal numbers whose standard deviation may rise or fall with the loss, if the residuals show it.
"""

from __future__ import annotations

import numpy as np

_SHOWN = 2.0  # standard errors that a slope of the spread must have before it is used


def leverage(jacobian: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share (n,) of each run's own noise that the fit follows: the diagonal of the hat matrix, by the law's slopes (n, P)."""
    columns = jacobian * np.sqrt(weights)[:, None]
    length = np.sqrt(np.sum(columns**2, 0))
    left, size, _ = np.linalg.svd(columns / np.where(length > 0, length, 1.0), full_matrices=False)
    return np.asarray(np.sum(left[:, size > 1e-10 * size.max()] ** 2, axis=1))


def inflated(residual: np.ndarray, jacobian: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Residuals (n,) divided by 1 - leverage: what a run misses by when it is left out (exact for a linear law)."""
    return residual / np.maximum(1.0 - leverage(jacobian, weights), 1e-3)


def spread(residual: np.ndarray, fitted: np.ndarray, free: int) -> np.ndarray:
    """Standard deviation (n,) of the noise of each run: c fitted^b, with b = 0 unless the residuals show another one.

    `free` counts the fitted parameters. Source of the form: power-of-the-mean models (Carroll and Ruppert 1988, chapter
    3); taking b only where it is two standard errors from 0 is ours.
    """
    n = len(residual)
    size = np.abs(residual)
    usable = (size > 0) & (fitted > 0)
    shape = np.ones(n)
    if usable.sum() > 2 and np.ptp(np.log(fitted[usable])) > 0:
        at = np.log(fitted) - np.mean(np.log(fitted[usable]))
        x, y = at[usable], np.log(size[usable])
        slope = np.sum(x * (y - y.mean())) / np.sum(x**2)
        left = y - y.mean() - slope * x
        error = np.sqrt(np.sum(left**2) / (len(x) - 2) / np.sum(x**2))
        if abs(slope) > _SHOWN * error:
            shape = np.exp(slope * at)
    return np.asarray(shape * np.sqrt(np.sum((residual / shape) ** 2) / max(n - free, 1)))
