"""Weights with which predictions are averaged: least squares on the simplex, exactly.

Few laws are stacked, so every set of them is tried: on each the best weights of sum 1 are a linear system, and the best set
whose weights are not negative is the optimum.
"""

from __future__ import annotations

import itertools

import numpy as np

_MOST = 12  # 4,095 sets


def stacked(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Weights (laws,), at least 0 and of sum 1, of predictions (laws, m) nearest to what was observed (m,)."""
    count = len(predicted)
    if count > _MOST:
        raise ValueError(f"stack(): {count} laws; at most {_MOST} are stacked")
    off = predicted - observed
    gram = off @ off.T
    best, weights = np.inf, np.full(count, 1.0 / count)  # which stay where every law is exact
    for size in range(1, count + 1):
        for subset in itertools.combinations(range(count), size):
            own = gram[np.ix_(subset, subset)]
            found = np.linalg.lstsq(own + 1e-12 * np.trace(own) / size * np.eye(size), np.ones(size), rcond=None)[0]
            if found.sum() <= 0 or np.any(found < 0):
                continue
            found = found / found.sum()
            value = float(found @ own @ found)
            if 0 < value < best * (1 - 1e-9):
                best, weights = value, np.zeros(count)
                weights[list(subset)] = found
    return weights
