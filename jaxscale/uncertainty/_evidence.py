"""What a fit rests on: at its optimum, run by run, everything from which covariances and influences are computed.

All of it is in coordinates (ln of a positive parameter), in which sums of squares mean something. Thousands of fits are
looked at in one program. Rows of weight 0 are left out; a coordinate that ran to an edge of its support has no slope
there and is left out of every covariance.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from .._coordinates import Layout
from .._fit import grid, jobs_of, optima
from .._lanes import Job
from .._law import Law
from .._prepare import prepare
from .._results import Fit
from .._solve import measures
from .._tiles import run_points
from .._tree import node, static


@node()
class Frame:
    """A law with its coordinates: labels of groups are static, because they are looked up when a program is traced."""

    law: Law
    unit: Any
    layout: Layout = static()
    labels: tuple[tuple[str, tuple[str, ...]], ...] = static()

    def __call__(self, x: Any) -> Law:
        """The bound law at coordinates x (P,), which may be traced."""
        fixed = {**self.law.fixed, **self.layout.unpack(x * self.unit)}
        return dataclasses.replace(self.law, fixed=fixed)._note(labels=dict(self.labels))


@dataclass(frozen=True)
class Evidence:
    """One fit at its optimum; n live rows, P coordinates.

    `residual` (n,) and its `slopes` (n, P) are in ln of the target, or relative to its size; `force` and `bend` (n,) are the
    weighted first and second derivative of each run's loss by its residual, so that force times slopes is a run's score,
    and the sum of bend slopes slopes' the Gauss-Newton part of `hessian` (P, P).
    """

    fit: Fit
    names: list[str]
    job: Job
    x: np.ndarray
    rows: np.ndarray
    residual: np.ndarray
    slopes: np.ndarray
    force: np.ndarray
    bend: np.ndarray
    hessian: np.ndarray
    edge: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Slopes (n, P) of each run's weighted loss; they sum to 0."""
        return np.asarray(self.force[:, None] * self.slopes)

    @property
    def weights(self) -> np.ndarray:
        """Of the live rows (n,)."""
        return np.asarray(np.asarray(self.fit.problem.runs.weights)[self.rows])

    @property
    def inside(self) -> int:
        """Runs whose residual lies where the objective is curved: all of them, or those within delta."""
        return int(np.sum(self.bend > 0))

    @property
    def spare(self) -> int:
        """Runs beyond free coordinates."""
        return len(self.rows) - int(np.sum(~self.edge))

    @property
    def frame(self) -> Frame:
        """What turns coordinates into a bound law."""
        problem = self.fit.problem
        labels = tuple(sorted((g, problem.runs.labels[g]) for g in dict(problem.law.groups).values()))
        return Frame(problem.law, self.job.unit, self.job.layout, labels)

    @property
    def units(self) -> int:
        """How many independent units there are: rows, or runs where a run has several."""
        own = self.clusters(None)
        return len(self.rows) if own is None else len(np.unique(own))

    def clusters(self, by: str | None) -> np.ndarray | None:
        """Codes (n,) of the units that are independent, None where every row is."""
        by = by or self.fit.problem.runs.clusters or "rows"
        return None if by == "rows" else np.asarray(self.fit.problem.runs.groups[by])[self.rows]


def evidence(fit: Fit) -> list[Evidence]:
    """Evidence for each table and objective of a fit, in the order of its cells."""
    points = grid(fit)
    problems = [[p.problem for p in row] for row in points]
    law, out = problems[0][0].law, np.empty(points.shape, object)
    for tables, objectives in jobs_of(problems, 1):
        job = prepare([[problems[d][o] for o in objectives] for d in tables], 1)
        x = optima(job, [points[d, o] for d in tables for o in objectives])
        found = measures(job, x)
        for k, (d, o) in enumerate((d, o) for d in tables for o in objectives):
            live = np.flatnonzero(np.asarray(points[d, o].problem.runs.weights) > 0)
            names = job.layout.names({p: points[d, o].problem.runs.labels[g] for p, g in law.groups})
            edge = np.isin(names, points[d, o].certificate.at_bound)
            residual, slopes, force, bend = (found[name][k][live] for name in ("residual", "jacobian", "force", "bend"))
            out[d, o] = Evidence(points[d, o], names, job, x[k], live, residual, slopes, force, bend, found["hessian"][k], edge)
    return list(out.flat)


Quantity = Callable[[Any], Any]  # of a bound law, traceable


def slopes_of(at: list[Evidence], of: Quantity) -> tuple[Any, Any]:
    """Values (cells, ...) of a function of the bound law, and their slopes (cells, ..., P) by coordinate."""
    return slopes_at(at[0], of, np.stack([e.x for e in at]))


def slopes_at(at: Evidence, of: Quantity, x: np.ndarray) -> tuple[Any, Any]:
    """The same at coordinates x (L, P): trees of arrays (L, ...) and (L, ..., P)."""
    found: tuple[Any, Any] = run_points(functools.partial(_slopes, of=of), (at.frame, x), len(x), label="slopes")
    return found


@functools.partial(jax.jit, static_argnames="of")
def _slopes(index: Any, given: tuple[Frame, Any], of: Quantity) -> Any:
    frame, x = given

    def one(u: Any) -> Any:
        return of(frame(u))

    return jax.vmap(lambda i: (one(x[i]), jax.jacfwd(one)(x[i])))(index)
