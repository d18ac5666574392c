"""Noise around a fitted law: what resampling with noise of its own puts on the fitted values.

Residuals are smaller than the noise, because the fit follows it: a run of leverage h keeps 1 - h of
its own noise. The wild kinds divide residuals by that (HC3), so that one run's noise is neither
shared with nor borrowed from another. The parametric kind draws normal numbers whose standard
deviation may rise or fall with the loss, if the residuals show it.
"""

from __future__ import annotations

import numpy as np

_SHOWN = 2.0  # standard errors that a slope of the spread must have before it is used


def leverage(jacobian: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share (n,) of each run's own noise that the fit follows: the diagonal of the hat matrix, by
    the law's slopes (n, P).
    """
    columns = jacobian * np.sqrt(weights)[:, None]
    length = np.sqrt(np.sum(columns**2, 0))
    left, size, _ = np.linalg.svd(columns / np.where(length > 0, length, 1.0), full_matrices=False)
    return np.asarray(np.sum(left[:, size > 1e-10 * size.max()] ** 2, axis=1))


def inflated(residual: np.ndarray, jacobian: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Residuals (n,) divided by 1 - leverage: what a run misses by when it is left out (exact for a
    linear law).
    """
    return residual / np.maximum(1.0 - leverage(jacobian, weights), 1e-3)


def spread(
    residual: np.ndarray, fitted: np.ndarray, free: int, at: np.ndarray | None = None
) -> np.ndarray:
    """Standard deviation of the noise, c fitted^b, of each run (n,) or where the law has the values
    `at`.

    b = 0 unless the residuals show another one; `free` counts the fitted parameters. Source of the
    form: power-of-the-mean models (Carroll and Ruppert 1988, chapter 3); taking b only where it is
    two standard errors from 0 is ours.
    """
    size, power = np.abs(residual), 0.0
    usable = (size > 0) & (fitted > 0)
    if usable.sum() > 2 and np.ptp(np.log(fitted[usable])) > 0:
        x, y = (v - v.mean() for v in (np.log(fitted[usable]), np.log(size[usable])))
        slope = np.sum(x * y) / np.sum(x**2)
        error = np.sqrt(np.sum((y - slope * x) ** 2) / (len(x) - 2) / np.sum(x**2))
        power = slope if abs(slope) > _SHOWN * error else 0.0
    middle = np.exp(np.mean(np.log(fitted[usable]))) if np.any(usable) else 1.0
    scale = np.sqrt(
        np.sum((residual / (fitted / middle) ** power) ** 2) / max(len(residual) - free, 1)
    )
    return np.asarray(scale * ((fitted if at is None else at) / middle) ** power)
