"""Reasons not to trust an interval, read off the fit: what the report and `interval` say beside
their numbers.

An interval rests on a law that holds and on noise that is what its method takes it for. Both leave
marks in the residuals. Each test here has a false-alarm rate of about one in a thousand fits, so
that a sentence is worth reading.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..fitting._evidence import Evidence, evidence
from ..fitting._results import Ensemble, Fit, point_of
from ..ground._robust import robust_scale
from ..ground._tails import f_tail, student
from ..table._rules import unfinished

_ALARM = 1e-3
_FAR = 6.0  # robust scales; of normal noise one residual in 500 million lies beyond


def cautions(fit: Fit | Ensemble) -> tuple[str, ...]:
    """Sentences about a fit of one table and objective; none where nothing was seen, or where there
    are no residuals.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.uncertainty.cautions(best)
    ()

    No source: robust versions of the usual looks at residuals.
    """
    point = point_of(fit, "cautions()")
    at = evidence(point)
    return cautions_of(at) if at.fit.problem.objective.observes else ()


def cautions_of(at: Evidence) -> tuple[str, ...]:
    """The same from evidence that is there already. Clusters are looked at by their means."""
    found = []
    if early := int(np.sum(unfinished(at.fit.problem.runs)[at.rows])):
        found.append(
            f"{early} of {len(at.rows)} rows are checkpoints before the end of a decaying "
            f"schedule: their loss lies above that of a run that ends there, which is a bias and "
            f"no noise; keep the last of each run (runs.smoothed(1))"
        )
    residual, mean = _by_unit(at)
    n, free, rows = len(residual), int(np.sum(~at.edge)), at.fit.problem.runs.clusters or "runs"
    scale = robust_scale(residual) * np.sqrt(n / max(n - free, 1))
    if n - free < 15:
        found.append(
            f"{n} independent {rows} for {free} parameters: so few residuals cannot show whether "
            f"the law holds"
        )
    if not scale > 1e-9:
        return tuple(found)
    standard = (residual - np.median(residual)) / scale
    if far := int(np.sum(np.abs(standard) > _FAR)):
        least = (
            ": least squares follows them, a Huber objective would not"
            if at.fit.problem.objective.width is None
            else ""
        )
        found.append(f"{far} of {n} residuals lie beyond {_FAR:g} robust scales{least}")
    clipped = np.clip(standard, -4.0, 4.0)
    z = (clipped - clipped.mean()) / (np.std(clipped) or 1.0)
    skew, error = np.mean(z**3), np.std(z**3 - 3.0 * z) / np.sqrt(n)
    if n >= 20 and abs(skew) > student(1 - _ALARM / 2, n - 1.0) * error:
        side = "above" if skew < 0 else "below"
        found.append(
            f"the noise is one-sided (skewness {-skew:+.1f}): runs scatter {side} the curve, and "
            f"a constant shift of that size is inside the irreducible loss"
        )
    if (p := _structure(at, clipped, mean)) < _ALARM:
        found.append(
            f"residuals follow the columns (p = {p:.0e}): the law does not hold over these rows; "
            f"intervals are too narrow"
        )
    if (r := _serial(at, clipped)) is not None:
        found.append(
            f"neighbouring rows miss by the same amount (correlation {r:.2f}): they share noise, "
            f"as points of one curve or one set of samples do, and intervals are too narrow; give "
            f"the rows that belong together a run column"
        )
    return tuple(found)


def _serial(at: Evidence, residual: np.ndarray) -> float | None:
    """Correlation of neighbours along the only column of a law, where it is far from 0."""
    runs, law = at.fit.problem.runs, at.fit.problem.law
    if (
        len(law.columns) != 1
        or at.clusters(None) is not None
        or np.ndim(column := runs.columns[law.columns[0]]) != 1
    ):
        return None
    column = np.asarray(column)[at.rows]
    if len(np.unique(column)) < len(column) or len(column) < 12:
        return None
    z = residual[np.argsort(column)] - np.mean(residual)
    r = float(np.sum(z[1:] * z[:-1]) / np.sum(z**2))
    return r if r > student(1 - _ALARM / 2, np.inf) / np.sqrt(len(z)) else None


def _by_unit(at: Evidence) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Residuals of the independent units, of mean weight, and how to take the means of other
    arrays.
    """
    residual, units = at.residual * np.sqrt(at.precision), at.clusters(None)
    if units is None:
        return residual, lambda v: v
    codes = np.unique(units, return_inverse=True)[1]
    member = (codes == np.arange(codes.max() + 1)[:, None]) / np.bincount(codes)[:, None]
    return member @ residual, lambda v: member @ v


def _structure(
    at: Evidence, residual: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]
) -> float:
    """F test of clipped residuals on the squares and products of ln columns, beyond what the law's
    own slopes explain.
    """
    runs, law = at.fit.problem.runs, at.fit.problem.law
    columns = [np.asarray(runs.columns[c])[at.rows] for c in law.columns]
    logs = [np.log(v) for v in columns if v.ndim == 1 and np.all(v > 0) and np.ptp(v) > 0]
    logs = [(v - v.mean()) / v.std() for v in logs]
    extra = [mean(a * b) for i, a in enumerate(logs) for b in logs[i:]]
    base = np.concatenate([mean(at.slopes[:, ~at.edge]), np.ones((len(residual), 1))], 1)
    full = np.concatenate([base, *[v[:, None] for v in extra]], 1)
    (rank, inner), (more, outer) = (_projected(m, residual) for m in (base, full))
    freedom, spare = more - rank, len(residual) - more
    if freedom < 1 or spare < 10 or not outer > 0:
        return 1.0
    f = (inner - outer) / freedom / (outer / spare)
    return f_tail(f, freedom, spare)


def _projected(columns: np.ndarray, values: np.ndarray) -> tuple[int, float]:
    """Rank, and the sum of squares that the columns leave."""
    length = np.linalg.norm(columns, axis=0)
    left, size, _ = np.linalg.svd(columns / np.where(length > 0, length, 1.0), full_matrices=False)
    basis = left[:, size > 1e-8 * size[0]]
    return basis.shape[1], float(np.sum((values - basis @ (basis.T @ values)) ** 2))
