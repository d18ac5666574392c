"""What a fit rests on: at its optimum, run by run, everything from which covariances and influences
are computed.

All of it is in coordinates (ln of a positive parameter), in which sums of squares mean something.
Thousands of fits are looked at in one program. Rows of weight 0 are left out; a coordinate that ran
to an edge of its support has no slope there and is left out of every covariance.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..formula._coordinates import Layout
from ..formula._law import Law
from ..ground._compiled import compiled
from ..ground._errors import nearest, refuse, refuse_type
from ..ground._trees import node, static
from ..table._anchors import helpers
from ._blocks import run_points
from ._cells import jobs_of, optima
from ._job import prepare
from ._lanes import Job, Table
from ._noise import spread
from ._results import Fit, Fits
from ._run import measures


@node()
class Frame:
    """A law with its coordinates: labels of groups are static, because they are looked up when a
    program is traced.
    """

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

    `residual` (n,) and its `slopes` (n, P) are in ln of the target, or relative to its size;
    `force` and `bend` (n,) are the weighted first and second derivative of each run's loss by its
    residual, so that force times slopes is a run's score, and the sum of bend slopes slopes' the
    Gauss-Newton part of `hessian` (P, P).
    """

    fit: Fit
    names: list[str]
    job: Job
    cell: int  # of the job
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
    def real(self) -> np.ndarray:
        """Which of the live rows (n,) are runs: helper points are assumptions, and have
        no noise.
        """
        return np.asarray(~helpers(self.fit.problem.runs)[self.rows])

    @property
    def weights(self) -> np.ndarray:
        """Of the live rows (n,)."""
        return np.asarray(np.asarray(self.fit.problem.runs.weights)[self.rows])

    @property
    def table(self) -> Table:
        """Padded rows of this fit's table, in the law's units."""
        table: Table = jax.tree.map(
            lambda v: v[self.cell // int(self.job.objectives)], self.job.table
        )
        return table

    @property
    def objective(self) -> Any:
        """The certified objective."""
        return jax.tree.map(lambda v: v[self.cell, -1], self.job.ladder)

    @property
    def target(self) -> np.ndarray:
        """Observed values (n,) of the live rows, in the law's unit."""
        return np.asarray(np.asarray(self.table.target)[self.rows])

    @property
    def size(self) -> float:
        """What residuals were divided by: 1 for objectives in ln, the size of the target for
        others.
        """
        return float(self.job.ladder.size_of(self.target))

    @property
    def fitted(self) -> np.ndarray:
        """Values (n,) of the law at the live rows."""
        return np.asarray(
            self.target * np.exp(self.residual)
            if self.job.ladder.log
            else self.target + self.residual * self.size
        )

    @property
    def precision(self) -> np.ndarray:
        """Weights (n,) relative to the mean of runs: a row of weight 4 has half the noise of one of
        weight 1.
        """
        return np.asarray(self.weights / np.mean(self.weights[self.real]))

    @property
    def inside(self) -> int:
        """Runs whose residual lies where the objective is curved: all of them, or those within
        delta.
        """
        return int(np.sum(np.abs(self.residual) * self.size <= self.fit.problem.objective.zone))

    @property
    def spare(self) -> int:
        """Runs beyond free coordinates."""
        return int(np.sum(self.real)) - int(np.sum(~self.edge))

    def noise(self, values: np.ndarray) -> np.ndarray:
        """Standard deviation (...) of a run of mean weight about the law's values (...): in ln, or
        in the target's unit.
        """
        residual, fitted = (
            (self.residual * np.sqrt(self.precision))[self.real],
            np.abs(self.fitted[self.real]),
        )
        return np.asarray(self.size * spread(residual, fitted, len(self.x), np.abs(values)))

    @property
    def frame(self) -> Frame:
        """What turns coordinates into a bound law."""
        problem = self.fit.problem
        labels = tuple(
            sorted((g, problem.runs.labels[g]) for g in dict(problem.law.groups).values())
        )
        return Frame(problem.law, self.job.unit, self.job.layout, labels)

    @property
    def units(self) -> int:
        """How many independent units there are: rows, or runs where a run has several."""
        own = self.clusters(None)
        return len(self.rows) if own is None else len(np.unique(own))

    def clusters(self, by: str | None) -> np.ndarray | None:
        """Codes (n,) of the units that are independent, None where every row is."""
        runs = self.fit.problem.runs
        by = by or runs.clusters or "rows"
        if by != "rows" and by not in runs.groups:
            raise refuse(
                f"by={by!r}: no such group column",
                why="a typing slip",
                change=nearest(by, [*runs.groups, "rows"]),
            )
        return None if by == "rows" else np.asarray(runs.groups[by])[self.rows]


def evidence(fit: Fit) -> Evidence:
    """What a fit rests on: as `fit` has left it with the fit, else measured, once."""
    if "evidence" not in fit._kept:
        job = prepare([[fit.problem]], 1)
        x = optima(job, [fit])
        keep_evidence(fit, job, x, measures(job, x))
    kept: Evidence = fit._kept["evidence"]
    if len(bad := kept.rows[~np.isfinite(kept.residual)]):
        at = {c: kept.table.rows[c][bad[0]] for c in fit.problem.law.columns}
        where = ", ".join(
            f"{c}={np.array2string(np.asarray(v), precision=4)}" for c, v in at.items()
        )
        raise refuse(
            f"{fit.problem.law.name} is no finite number at {fit.problem.runs.place(int(bad[0]))} "
            f"({where})",
            why="a column is 0 or negative where the law takes a power or a logarithm of it",
            change="leave that row out, runs.where(...), or a law that is finite there",
        )
    return kept


def keep_evidence(fit: Fit, job: Job, x: np.ndarray, found: dict[str, np.ndarray]) -> None:
    """Leave with the fit of a job of one cell what was measured at its optimum x (1, P)."""
    fit._kept["evidence"] = _of_cell(fit, job, 0, x, found)


def evidence_of_each(fits: Fit | Fits) -> list[Evidence]:
    """Evidence of every table and objective, in the order of the cells: of many in one program, and
    not kept.
    """
    if isinstance(fits, Fit):
        return [evidence(fits)]
    points = fits.grid
    problems = [[p.problem for p in row] for row in points]
    out = np.empty(points.shape, object)
    for tables, objectives in jobs_of(problems, 1):
        job = prepare([[problems[d][o] for o in objectives] for d in tables], 1)
        places = [(d, o) for d in tables for o in objectives]
        x = optima(job, [points[place] for place in places])
        found = measures(job, x)
        for k, place in enumerate(places):
            out[place] = _of_cell(points[place], job, k, x, found)
    return list(out.flat)


def _of_cell(fit: Fit, job: Job, k: int, x: np.ndarray, found: dict[str, np.ndarray]) -> Evidence:
    live = np.flatnonzero(np.asarray(fit.problem.runs.weights) > 0)
    names = job.layout.names({p: fit.problem.runs.labels[g] for p, g in fit.problem.law.groups})
    edge = np.isin(names, fit.certificate.at_bound)
    residual, slopes, force, bend = (
        found[name][k][live] for name in ("residual", "jacobian", "force", "bend")
    )
    return Evidence(
        fit=fit,
        names=names,
        job=job,
        cell=k,
        x=x[k],
        rows=live,
        residual=residual,
        slopes=slopes,
        force=force,
        bend=bend,
        hessian=found["hessian"][k],
        edge=edge,
    )


Quantity = Callable[[Any], Any]  # of a bound law, traceable


def parameters(law: Law) -> Any:
    """All parameters by name: what is asked for when nothing else is."""
    return law.params


def slopes_of(at: list[Evidence], of: Quantity) -> tuple[Any, Any]:
    """Values (cells, ...) of a function of the bound law, and their slopes (cells, ..., P) by
    coordinate.
    """
    if any(e.frame.labels != at[0].frame.labels for e in at):
        raise refuse_type(
            "tables with groups of their own",
            why="each has parameters of its own",
            change="use fits[0], fits[1], ...",
        )
    return slopes_at(at[0], of, np.stack([e.x for e in at]))


def slopes_at(at: Evidence, of: Quantity, x: np.ndarray) -> tuple[Any, Any]:
    """The same at coordinates x (L, P): trees of arrays (L, ...) and (L, ..., P)."""
    return slopes_in(at.frame, of, x)


def slopes_in(frame: Frame, of: Quantity, x: np.ndarray) -> tuple[Any, Any]:
    """The same for a law in its coordinates, without a fit."""
    # a function of the user may read what has changed since it was last traced: it is traced again
    # in every call
    ours = of is parameters or getattr(of, "traced_once", False)
    tile = (
        functools.partial(_traced_once, of=of)
        if ours
        else jax.jit(functools.partial(_slopes, of=of))
    )
    found: tuple[Any, Any] = run_points(tile, (frame, x), len(x), label="slopes")
    return found


def _slopes(index: Any, given: tuple[Frame, Any], of: Quantity) -> Any:
    frame, x = given

    def one(u: Any) -> Any:
        return of(frame(u))

    return jax.vmap(lambda i: (one(x[i]), jax.jacfwd(one)(x[i])))(index)


_traced_once = compiled(_slopes)
