"""Covariance of a fit without resampling, and through it the standard deviation of anything
computed from the law.

All four kinds are a bread and a meat. `laplace` trusts the law and equal noise: the inverse Hessian
times one scale. `sandwich` lets every run have noise of its own. `hc3` adds that a run pulls the
fit towards itself: each score is divided by 1 - leverage, which is one Newton step of leaving the
run out. `cr3` does the same with whole clusters, whose rows are not independent. For a Huber
objective the bread counts the runs that lie inside delta, row by row; where these are few, a
cluster is left out by a true refit instead of one step.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..fitting._bootstrap import leave_out
from ..fitting._cells import coordinates
from ..fitting._evidence import Evidence, evidence
from ..fitting._results import Ensemble, Fit, Status, point_of
from ..ground._errors import nearest, refuse, warn
from ..ground._linalg import scaled_inverse

KINDS = ("hc3", "cr3", "sandwich", "laplace")
FEWEST = 5  # clusters
_FAILED = Status.NON_FINITE | Status.MAX_STEPS | Status.FLAT


@dataclass(frozen=True)
class Covariance:
    """Covariance `matrix` (P, P) of `names`, each on the whole line: ln of a positive parameter,
    the logit of one between two edges, log ratios of shares to the last one, a real parameter
    itself.

    `dof` are the degrees of freedom of its Student quantiles; `lost` (P, k) spans directions that
    the runs do not identify, and `edge` (P,) marks what ran to an edge: along neither has anything
    a finite deviation.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    kind: str
    dof: float
    lost: np.ndarray
    edge: np.ndarray
    clusters: int = 0
    # (units, P), whose squares sum to the matrix; none of a laplace
    steps: np.ndarray | None = None

    def deviation(self, slopes: np.ndarray) -> np.ndarray:
        """Standard deviation (...) of functions with these slopes (..., P) by `names`."""
        size = np.linalg.norm(slopes, axis=-1, keepdims=True)
        touched = np.any(np.abs(slopes @ self.lost) > 1e-6 * size, -1) | np.any(
            (np.abs(slopes) > 1e-6 * size) & self.edge, -1
        )
        own = np.where(self.edge, 0.0, slopes)
        variance = np.einsum("...i,ij,...j->...", own, np.nan_to_num(self.matrix), own)
        return np.where(touched, np.inf, np.sqrt(np.maximum(variance, 0.0)))

    def __repr__(self) -> str:
        sd = self.deviation(np.eye(len(self.names)))
        shown = ", ".join(f"{n} {d:.3g}" for n, d in zip(self.names, sd, strict=True))
        return (
            f"<Covariance {self.kind}, {self.dof:g} degrees of freedom; standard deviations "
            f"{shown}>"
        )


def covariance(
    fit: Fit | Ensemble, kind: str | None = None, *, by: str | None = None
) -> Covariance:
    """Covariance of the parameters of one fit: of ln where they are positive, and so of relative
    changes.

    `kind` is "hc3", "cr3", "sandwich" or "laplace" (default: "cr3" where a `run` has several rows,
    else "hc3"); `by` names the clusters of "cr3", a group column. Raises InputError below five
    clusters, and for an unknown kind.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.uncertainty.covariance(best).names
    ('E', 'A', 'B', 'alpha', 'beta')

    Source: Huber 1967 (sandwich); MacKinnon and White 1985 (HC3); Bell and McCaffrey 2002 (CR3,
    cluster jackknife). That a Newton step with the row-wise second derivative stands for the refit
    of a Huber objective is ours.
    """
    point = point_of(fit, "covariance()")
    at = evidence(point)
    found = covariance_of(at, kind or ("cr3" if at.clusters(by) is not None else "hc3"), by)
    # a coordinate of a real parameter counts in the size of its start range
    unit = np.asarray(at.job.unit)
    steps = None if found.steps is None else found.steps * unit
    return dataclasses.replace(
        found,
        matrix=found.matrix * unit * unit[:, None],
        lost=found.lost * unit[:, None],
        steps=steps,
    )


def covariances_of(at: list[Evidence], kind: str, by: str | None = None) -> list[Covariance]:
    """The covariance of each fit; where those need refits, all of them go into one job."""
    if kind != "cr3":
        return [covariance_of(e, kind, by) for e in at]
    for e in at:
        _check_groups(e, by)
    return [
        covariance_of(e, kind, by, moves) for e, moves in zip(at, left_outs(at, by), strict=True)
    ]


def covariance_of(
    at: Evidence, kind: str, by: str | None = None, moves: np.ndarray | None = None
) -> Covariance:
    """The covariance of one fit from its evidence, in the solver's coordinates; `moves` are
    `left_out(at, by)`, if known.
    """
    if kind not in KINDS:
        raise refuse(
            f"covariance(): kind={kind!r}",
            why="a typing slip",
            change=nearest(str(kind), KINDS).strip(),
        )
    if kind != "cr3" and by not in (None, "rows"):
        raise refuse(
            f"covariance(): by={by!r} names clusters, which kind={kind!r} does not know",
            why="only the cluster jackknife counts clusters",
            change="kind='cr3', or leave by out",
        )
    keep = ~at.edge
    scores, slopes = at.scores[:, keep], at.slopes[:, keep]
    inverse, lost, scale = scaled_inverse(at.hessian[np.ix_(keep, keep)])
    lost = lost / scale[:, None]
    lost /= np.linalg.norm(lost, axis=0)
    dof, count, steps = float(max(at.spare, 1)), 0, None
    if kind == "cr3":
        _check_groups(at, by)
        steps = (left_out(at, by) if moves is None else moves)[:, keep]
        count, dof = _counted(len(steps))
        steps = steps * np.sqrt((count - 1) / count)
    elif kind != "laplace":
        pull = (
            at.bend * np.einsum("ni,ij,nj->n", slopes, inverse, slopes)
            if kind == "hc3"
            else np.zeros(len(scores))
        )
        steps = (scores / np.maximum(1.0 - pull, 1e-3)[:, None]) @ inverse
        steps = steps * np.sqrt(len(scores) / dof) if kind == "sandwich" else steps
    matrix = inverse * noise_scale(at) if steps is None else steps.T @ steps
    if Status(int(at.fit.status)) & (Status.MAX_STEPS | Status.NON_FINITE):
        lost = np.eye(int(keep.sum()))  # no optimum: nothing around it means anything
    full, directions = np.full((len(keep), len(keep)), np.nan), np.zeros((len(keep), lost.shape[1]))
    full[np.ix_(keep, keep)] = matrix
    directions[keep] = lost
    if steps is not None:
        inside, steps = steps, np.zeros((len(steps), len(keep)))
        steps[:, keep] = inside
    return Covariance(
        matrix=full,
        names=tuple(at.names),
        kind=kind,
        dof=dof,
        lost=directions,
        edge=at.edge,
        clusters=count,
        steps=steps,
    )


def few_inside(at: Evidence) -> bool:
    """Whether so few runs lie where the objective is curved that one Newton step is no refit."""
    ratio = at.fit.certificate.delta_over_scale
    return at.inside < 20 or (ratio is not None and ratio < 1.0 and len(at.rows) <= 200)


def noise_scale(at: Evidence) -> float:
    """What the inverse Hessian is multiplied with where noise is equal in all runs: variance of the
    force over mean bend.

    For squared errors that is s^2; where the law's value is itself a negative log-likelihood it is
    1.
    Source: Huber 1981, section 7.6, for M-estimators.
    """
    if not at.fit.problem.objective.observes or not np.any(at.bend > 0):
        return 1.0
    return float(
        np.sum(at.force**2 / at.weights)
        / np.sum(at.bend / at.weights)
        * len(at.rows)
        / max(at.spare, 1)
    )


def left_out(at: Evidence, by: str | None = None, *, exact: bool | None = None) -> np.ndarray:
    """Change (units, P) of the optimum when a run, or a cluster, is left out; units in the order of
    their labels.

    By refits where few runs lie inside delta, else by one Newton step. A refit that fails counts
    with its Newton step, and a warning says how many did.
    """
    return left_outs([at], by, exact=exact)[0]


def left_outs(
    at: list[Evidence], by: str | None = None, *, exact: bool | None = None
) -> list[np.ndarray]:
    """`left_out` of many fits."""
    moves, failed, refitted = [], 0, 0
    refits = iter(leave_out([e.fit for e in at if (few_inside(e) if exact is None else exact)], by))
    for e in at:
        units = e.clusters(by)
        codes = (
            np.arange(len(e.rows)) if units is None else np.unique(units, return_inverse=True)[1]
        )
        if not (few_inside(e) if exact is None else exact):
            moves.append(_newton(e, codes))
            continue
        refit = next(refits)
        own = coordinates(e.job, refit.params) - e.x
        bad = (np.asarray(refit.status) & _FAILED.value) != 0
        failed, refitted = failed + int(bad.sum()), refitted + len(bad)
        if np.any(bad):
            own[bad] = _newton(e, codes)[bad]
        moves.append(own)
    if failed:
        warn(
            f"{failed} of {refitted} refits without a unit failed: one Newton step stands for them"
        )
    return moves


def _newton(at: Evidence, codes: np.ndarray) -> np.ndarray:
    """Change (G, P) of the optimum when a unit is left out, by one Newton step without its runs."""
    keep = ~at.edge
    hessian, slopes, scores = at.hessian[np.ix_(keep, keep)], at.slopes[:, keep], at.scores[:, keep]
    steps = np.zeros((int(codes.max()) + 1, len(keep)))
    if len(steps) == len(codes):  # rows: the step of a rank-one change
        inverse, *_ = scaled_inverse(hessian)
        pull = at.bend * np.einsum("ni,ij,nj->n", slopes, inverse, slopes)
        steps[np.ix_(codes, keep)] = (scores / np.maximum(1.0 - pull, 1e-3)[:, None]) @ inverse
        return steps
    order = np.argsort(codes, kind="stable")
    for g, own in enumerate(np.split(order, np.cumsum(np.bincount(codes))[:-1])):
        left, *_ = scaled_inverse(hessian - (slopes[own] * at.bend[own, None]).T @ slopes[own])
        steps[g, keep] = left @ np.sum(scores[own], 0)
    return steps


def inverse_hessian(at: Evidence) -> np.ndarray:
    """Inverse (P, P) of the Hessian over the coordinates that are not at an edge; 0 for those that
    are.
    """
    keep = ~at.edge
    out = np.zeros_like(at.hessian)
    out[np.ix_(keep, keep)] = scaled_inverse(at.hessian[np.ix_(keep, keep)])[0]
    return out


def _counted(count: int) -> tuple[int, float]:
    if count < FEWEST:
        raise refuse(
            f"{count} clusters: no covariance can be learned from fewer than {FEWEST}",
            why="checkpoints of very few runs, or one seed per family",
            change="train more independent runs, or say by='rows' if rows are independent "
            "after all",
        )
    return count, float(count - 1)


def _check_groups(at: Evidence, by: str | None) -> None:
    """A parameter per group is lost with the only cluster of its group: the jackknife would call it
    certain.
    """
    units = at.clusters(by)
    units = np.arange(len(at.rows)) if units is None else units
    for name, column in at.fit.problem.law.groups:
        codes = np.asarray(at.fit.problem.runs.groups[column])[at.rows]
        for code in np.unique(codes):
            if len(np.unique(units[codes == code])) < 2:
                label = at.fit.problem.runs.labels[column][code]
                raise refuse(
                    f"{name}[{label}] rests on a single cluster: without it there is nothing to "
                    f"refit",
                    why="the law's parameters are per the column whose groups are left out, or a "
                    "group has one run",
                    change="by='rows', or more than one run in each group",
                )
