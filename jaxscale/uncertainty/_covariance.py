"""Covariance of a fit without resampling, and through it the standard deviation of anything computed from the law.

All four kinds are a bread and a meat. `laplace` trusts the law and equal noise: the inverse Hessian times one scale.
`sandwich` lets every run have noise of its own. `hc3` adds that a run pulls the fit towards itself: each score is divided
by 1 - leverage, which is one Newton step of leaving the run out. `cr3` does the same with whole clusters, whose rows are
not independent. For a Huber objective the bread counts the runs that lie inside delta, row by row; where these are few,
a cluster is left out by a true refit instead of one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._bootstrap import leave_out
from .._checks import refuse
from .._fit import coordinates
from .._results import Fit
from ._evidence import Evidence, evidence

KINDS = ("hc3", "cr3", "sandwich", "laplace")
FEWEST = 5  # clusters
_LOST = 1e-12  # eigenvalue of the scaled Hessian below which a direction carries no information


@dataclass(frozen=True)
class Covariance:
    """Covariance `matrix` (P, P) of the coordinates `names`: ln of positive parameters, and so relative changes.

    `dof` are the degrees of freedom of its Student quantiles; `lost` (P, k) spans directions that the runs do not
    identify, along which nothing has a finite deviation. Coordinates at an edge have a row of NaN.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    kind: str
    dof: float
    lost: np.ndarray
    clusters: int = 0

    def deviation(self, slopes: np.ndarray) -> np.ndarray:
        """Standard deviation (...) of functions with these slopes (..., P); infinite where a lost direction matters."""
        own = np.where(np.isnan(np.diagonal(self.matrix)), 0.0, slopes)
        out = np.sqrt(np.maximum(np.einsum("...i,ij,...j->...", own, np.nan_to_num(self.matrix), own), 0.0))
        touched = np.abs(own @ self.lost) > 1e-6 * np.linalg.norm(own, axis=-1, keepdims=True)
        return np.where(np.any(touched, -1), np.inf, out)

    def __repr__(self) -> str:
        sd = self.deviation(np.eye(len(self.names)))
        shown = ", ".join(f"{n} {d:.3g}" for n, d in zip(self.names, sd, strict=True))
        return f"<Covariance {self.kind}, {self.dof:g} degrees of freedom; standard deviations {shown}>"


def covariance(fit: Fit, kind: str | None = None, *, by: str | None = None) -> Covariance:
    """Covariance of the coordinates of one fit: ln of positive parameters, dimensionless.

    `kind` is "hc3", "cr3", "sandwich" or "laplace" (default: "cr3" where a `run` has several rows, else "hc3"); `by` names
    the clusters of "cr3", a group column. Raises InputError below five clusters, ValueError for an unknown kind.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.covariance(best).names
    ('E', 'A', 'B', 'alpha', 'beta')

    Source: Huber 1967 (sandwich); MacKinnon and White 1985 (HC3); Bell and McCaffrey 2002 (CR3, cluster jackknife). That
    a Newton step with the row-wise second derivative stands for the refit of a Huber objective is ours.
    """
    fit.one_cell("covariance()")
    at = evidence(fit if fit.point is None else fit.point)[0]
    return covariance_of(at, kind or ("cr3" if by or at.clusters(None) is not None else "hc3"), by)


def covariance_of(at: Evidence, kind: str, by: str | None = None) -> Covariance:
    """The covariance of one fit from its evidence."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: there is {', '.join(KINDS)}")
    keep = ~at.edge
    scores, slopes = at.scores[:, keep], at.slopes[:, keep]
    inverse, lost = _inverse(at.hessian[np.ix_(keep, keep)])
    dof, count = float(max(at.spare, 1)), 0
    if kind == "laplace":
        matrix = inverse * noise_scale(at)
    elif kind == "cr3":
        steps = left_out(at, by)[:, keep]
        count, dof = _counted(len(steps))
        matrix = (count - 1) / count * steps.T @ steps
    else:
        pull = at.bend * np.einsum("ni,ij,nj->n", slopes, inverse, slopes) if kind == "hc3" else np.zeros(len(scores))
        steps = (scores / np.maximum(1.0 - pull, 1e-3)[:, None]) @ inverse
        matrix = steps.T @ steps
        if kind == "sandwich":
            matrix = matrix * len(scores) / dof
    full, directions = np.full((len(keep), len(keep)), np.nan), np.zeros((len(keep), lost.shape[1]))
    full[np.ix_(keep, keep)] = matrix
    directions[keep] = lost
    return Covariance(full, tuple(at.names), kind, dof, directions, count)


def few_inside(at: Evidence) -> bool:
    """Whether so few runs lie where the objective is curved that one Newton step is no refit."""
    ratio = at.fit.certificate.delta_over_scale
    return at.inside < 20 or (ratio is not None and ratio < 1.0 and len(at.rows) <= 200)


def noise_scale(at: Evidence) -> float:
    """What the inverse Hessian is multiplied with where noise is equal in all runs: variance of the force over mean bend.

    For squared errors that is s^2; where the law's value is itself a negative log-likelihood it is 1.
    Source: Huber 1981, section 7.6, for M-estimators.
    """
    if not at.fit.problem.objective.observes or not np.any(at.bend > 0):
        return 1.0
    return float(np.sum(at.force**2 / at.weights) / np.sum(at.bend / at.weights) * len(at.rows) / max(at.spare, 1))


def left_out(at: Evidence, by: str | None = None) -> np.ndarray:
    """Change (units, P) of the optimum when a run, or a cluster, is left out; units in the order of their labels."""
    units = at.clusters(by)
    units = np.arange(len(at.rows)) if units is None else np.unique(units, return_inverse=True)[1]
    return coordinates(at.job, leave_out(at.fit, by).params) - at.x if few_inside(at) else newton_steps(at, units)


def newton_steps(at: Evidence, units: np.ndarray) -> np.ndarray:
    """Change (G, P) of the optimum when a unit is left out, by one Newton step without its runs."""
    steps = np.zeros((int(units.max()) + 1, len(at.edge)))
    keep = ~at.edge
    for g in range(len(steps)):
        own = units == g
        j = at.slopes[own][:, keep]
        left, _ = _inverse(at.hessian[np.ix_(keep, keep)] - (j * at.bend[own, None]).T @ j)
        steps[g, keep] = left @ np.sum(at.scores[own][:, keep], 0)
    return steps


def inverse_hessian(at: Evidence) -> np.ndarray:
    """Inverse (P, P) of the Hessian over the coordinates that are not at an edge; 0 for those that are."""
    keep = ~at.edge
    out = np.zeros_like(at.hessian)
    out[np.ix_(keep, keep)] = _inverse(at.hessian[np.ix_(keep, keep)])[0]
    return out


def _counted(count: int) -> tuple[int, float]:
    if count < FEWEST:
        raise refuse(
            f"{count} clusters: no covariance can be learned from fewer than {FEWEST}",
            why="checkpoints of very few runs, or one seed per family",
            change="train more independent runs, or say by='rows' if rows are independent after all",
        )
    return count, float(count - 1)


def _inverse(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse over the directions that carry information, and those that do not (P, k)."""
    size = np.sqrt(np.abs(np.diagonal(hessian)))
    if not len(size) or not np.all(np.isfinite(hessian)) or np.any(size == 0):
        return np.zeros_like(hessian), np.eye(len(size))
    squares, vectors = np.linalg.eigh(hessian / size / size[:, None])
    gone = squares <= _LOST
    inverse = (vectors[:, ~gone] / squares[~gone]) @ vectors[:, ~gone].T / size / size[:, None]
    lost = vectors[:, gone] / size[:, None]
    return inverse, lost / np.maximum(np.linalg.norm(lost, axis=0), 1e-300)
