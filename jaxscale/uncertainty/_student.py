"""Quantiles of Student's t, which stand wherever the scale of the noise was estimated from the same runs."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import jax
import numpy as np


@functools.lru_cache(maxsize=4096)
def student(probability: float, dof: float) -> float:
    """The `probability` quantile of t with `dof` degrees of freedom (infinite: the normal one)."""
    if not math.isfinite(dof):
        return NormalDist().inv_cdf(probability)
    if probability < 0.5:
        return -student(1.0 - probability, dof)
    # P(t > v) = I(dof / (dof + v^2); dof / 2, 1 / 2) / 2, and v falls with the argument of I
    low, high = 0.0, 1.0
    for _ in range(64):
        middle = 0.5 * (low + high)
        tail = 0.5 * incomplete_beta(0.5 * dof, 0.5, middle)
        low, high = (middle, high) if tail < 1.0 - probability else (low, middle)
    share = 0.5 * (low + high)
    return math.sqrt(dof * (1.0 - share) / share)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I(x; a, b), from which tails of t and F are made."""
    with jax.enable_x64(True):
        return float(jax.scipy.special.betainc(np.float64(a), np.float64(b), np.float64(x)))
