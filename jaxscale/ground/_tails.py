"""Student's t, F and binomial tails, by which intervals are as wide as the scale that was estimated from the same runs."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import Any

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
    from scipy.special import betainc  # slow to import; JAX's takes longer still to compile

    return float(betainc(a, b, x))


def students(probability: float, dof: np.ndarray) -> np.ndarray:
    """The `probability` quantiles of t, of the shape of `dof`, which need not be whole: Welch's are not."""
    return np.reshape(np.asarray([student(probability, float(d)) for d in np.ravel(dof)], np.float64), np.shape(dof))


def student_below(z: np.ndarray, dof: Any) -> np.ndarray:
    """P(t < z) for z and `dof` that broadcast against each other."""
    z, dof = np.broadcast_arrays(np.asarray(z, np.float64), np.asarray(dof, np.float64))
    both = zip(z.ravel().tolist(), dof.ravel().tolist(), strict=True)
    return np.reshape(np.asarray([_below(v, d) for v, d in both], np.float64), z.shape)


def _below(z: float, dof: float) -> float:
    if not math.isfinite(dof):
        return NormalDist().cdf(z)
    tail = 0.5 * incomplete_beta(0.5 * dof, 0.5, dof / (dof + z * z))
    return 1.0 - tail if z > 0 else tail


def student_crps(z: np.ndarray, dof: Any) -> np.ndarray:
    """Continuous ranked probability score of a standard t distribution at z: the integral of (F(x) - 1[x >= z])^2.

    `dof` broadcasts against z. Source: Jordan, Krüger and Lerch 2019, appendix A (t), after Gneiting and Raftery 2007 eq. 21
    (normal). With one degree of freedom two terms without bound cancel; there it is taken at 1.00001 (ours).
    """
    z, dof = np.broadcast_arrays(np.asarray(z, np.float64), np.asarray(dof, np.float64))
    both = zip(z.ravel().tolist(), dof.ravel().tolist(), student_below(z, dof).ravel().tolist(), strict=True)
    return np.reshape(np.asarray([_crps(*each) for each in both], np.float64), z.shape)


def _crps(z: float, dof: float, below: float) -> float:
    if not math.isfinite(dof):
        return z * (2.0 * below - 1.0) + 2.0 * math.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) - 1.0 / math.sqrt(math.pi)
    v = max(dof, 1.00001)
    log = math.lgamma(0.5 * (v + 1.0)) - math.lgamma(0.5 * v)
    density = math.exp(log - 0.5 * (v + 1.0) * math.log1p(z**2 / v)) / math.sqrt(v * math.pi)
    # B(1/2, v - 1/2) / B(1/2, v/2)^2, by logarithms
    ratio = math.exp(math.lgamma(v - 0.5) - math.lgamma(v) + 2.0 * log - 0.5 * math.log(math.pi))
    return z * (2.0 * below - 1.0) + (2.0 * density * (v + z**2) - 2.0 * math.sqrt(v) * ratio) / (v - 1.0)


def clopper_pearson(hits: int, count: int, level: float = 0.95) -> tuple[float, float, float]:
    """Low, share and high of a probability of which `hits` of `count` were seen."""
    if not count:
        return float("nan"), float("nan"), float("nan")
    tail = 0.5 * (1.0 - level)

    def quantile(p: float, a: float, b: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if incomplete_beta(a, b, middle) < p else (low, middle)
        return 0.5 * (low + high)

    low = quantile(tail, hits, count - hits + 1) if hits else 0.0
    high = quantile(1.0 - tail, hits + 1, count - hits) if hits < count else 1.0
    return low, hits / count, high


def f_tail(f: float, a: int, b: int) -> float:
    """P(F > f) with a and b degrees of freedom."""
    return incomplete_beta(0.5 * b, 0.5 * a, b / (b + a * max(f, 0.0)))
