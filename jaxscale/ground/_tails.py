"""Student's t, F and binomial tails, by which intervals are as wide as the scale that was estimated
from the same runs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def student(probability: float, dof: float) -> float:
    """The `probability` quantile of t with `dof` degrees of freedom (infinite: the normal one)."""
    return float(students(probability, np.asarray(dof)))


def students(probability: float, dof: np.ndarray) -> np.ndarray:
    """The `probability` quantiles of t, of the shape of `dof`, whole or not (Welch); NaN counts as
    infinite.
    """
    from scipy.special import stdtrit  # slow to import, here and below

    return np.asarray(stdtrit(np.where(np.isnan(dof), np.inf, dof), probability))


def student_below(z: np.ndarray, dof: Any) -> np.ndarray:
    """P(t < z) for z and `dof` that broadcast against each other."""
    from scipy.special import stdtr

    return np.asarray(stdtr(np.where(np.isnan(dof), np.inf, dof), z))


def student_crps(z: np.ndarray, dof: Any) -> np.ndarray:
    """Continuous ranked probability score of a standard t distribution at z: the integral of (F(x)
    - 1[x >= z])^2.

    `dof` broadcasts against z. Source: Jordan, Krüger and Lerch 2019, appendix A (t), after
    Gneiting and Raftery 2007 eq. 21 (normal). With one degree of freedom two terms without bound
    cancel; there it is taken at 1.00001 (ours).
    """
    z, dof = np.broadcast_arrays(np.asarray(z, np.float64), np.asarray(dof, np.float64))
    both = zip(
        z.ravel().tolist(),
        dof.ravel().tolist(),
        student_below(z, dof).ravel().tolist(),
        strict=True,
    )
    return np.reshape(np.asarray([_crps(*each) for each in both], np.float64), z.shape)


def _crps(z: float, dof: float, below: float) -> float:
    if not math.isfinite(dof):
        return (
            z * (2.0 * below - 1.0)
            + 2.0 * math.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
            - 1.0 / math.sqrt(math.pi)
        )
    v = max(dof, 1.00001)
    log = math.lgamma(0.5 * (v + 1.0)) - math.lgamma(0.5 * v)
    density = math.exp(log - 0.5 * (v + 1.0) * math.log1p(z**2 / v)) / math.sqrt(v * math.pi)
    # B(1/2, v - 1/2) / B(1/2, v/2)^2, by logarithms
    ratio = math.exp(math.lgamma(v - 0.5) - math.lgamma(v) + 2.0 * log - 0.5 * math.log(math.pi))
    return z * (2.0 * below - 1.0) + (2.0 * density * (v + z**2) - 2.0 * math.sqrt(v) * ratio) / (
        v - 1.0
    )


def clopper_pearson(hits: int, count: int, level: float = 0.95) -> tuple[float, float, float]:
    """Low, share and high of a probability of which `hits` of `count` were seen."""
    if not count:
        return float("nan"), float("nan"), float("nan")
    from scipy.special import betaincinv

    tail = 0.5 * (1.0 - level)
    low = float(betaincinv(hits, count - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1.0 - tail)) if hits < count else 1.0
    return low, hits / count, high


def f_tail(f: float, a: int, b: int) -> float:
    """P(F > f) with a and b degrees of freedom."""
    from scipy.special import fdtrc

    return float(fdtrc(a, b, max(f, 0.0)))
