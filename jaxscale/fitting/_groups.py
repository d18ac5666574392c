"""Many groups: parameters of each group and parameters that all groups share, fitted at once.

With a thousand families, each with an E and an A of its own and one exponent for all, a fit has
thousands of coordinates, but its Hessian is an arrow: a small block for each group, and what they
share. So groups are lanes. Given the shared values, each group is a small fit of its own, by the
same engine; the sum of their optima is a function of the shared values alone, whose slope and
curvature follow from the same blocks (envelope theorem, Schur complement). A damped Newton walk
over the shared values ends the fit. What a group gets is what it would get alone at those values.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._law import Law
from ..ground._errors import refuse
from ..ground._robust import robust_scale
from ..table._runs import Runs
from ._arrow import Arrow
from ._blocks import Run
from ._certificate import WIDE, assumptions
from ._job import MOST, prepare, projected
from ._lanes import Job
from ._problem import Problem, all_parameters
from ._results import Certificate, Fit, Status
from ._run import free_params, measures, solved
from ._status import SINGULAR, STATIONARY

MANY = 30  # coordinates above which a fit with groups goes this way: sums are no longer written out
_STEPS, _TRIES = 60, 12  # of the walk over shared values, and of one step
_STARTS = 4  # of each group, at each of the shared values that are tried
_ENOUGH = 1e-9  # scaled slope at which the walk ends; a fit counts as converged at STATIONARY


def applies(law: Law, runs: Runs) -> bool:
    """Whether groups are fitted as lanes: many coordinates, and groups of one column without fixed
    values.
    """
    per, columns = dict(law.groups), set(dict(law.groups).values())
    return (
        len(columns) == 1
        and not any(k in law.fixed for k in per)
        and coordinates_of(law, runs) > MANY
    )


def coordinates_of(law: Law, runs: Runs) -> int:
    """Free coordinates of a law on a table: those of each group as often as there are groups."""
    per, labels = dict(law.groups), runs.labels
    return sum(
        spec.size * (len(labels.get(per[k], ())) if k in per else 1) for k, spec in law.free.items()
    )


def too_many(law: Law, runs: Runs) -> bool:
    """Whether a fit has so many groups that nothing can look at all of its coordinates at once."""
    return applies(law, runs) and coordinates_of(law, runs) > MOST


def fit_groups(problem: Problem, starts: int, run: Run) -> Fit:
    """The fit of one table whose law has parameters per group: `(groups, ...)`, and shared ones.

    Every 32 starts stand for one set of shared values that is tried; the best two are walked from,
    and what the certificate counts as starts are these.
    """
    groups = _Groups.of(problem, run)
    tried = sorted(
        (groups.solved(s) for s in groups.candidates(max(1, starts // 32))),
        key=lambda point: point.value,
    )
    ended = sorted((groups.walked(point) for point in tried[:2]), key=lambda point: point.value)
    agreed = sum(p.value <= ended[0].value + 1e-6 * abs(ended[0].value) for p in ended)
    return groups.certified(ended[0], len(tried), agreed)


@dataclass(frozen=True)
class _Point:
    """Shared coordinates s (S,); of each group the lane's arrays at its optimum, `x` (G, p) among
    them; the sum of optima.
    """

    s: np.ndarray
    lanes: dict[str, np.ndarray]
    value: float
    work: Any


@dataclass(frozen=True)
class _Groups:
    """A problem taken apart: `inner` has the shared parameters fixed, `whole` has all of them free,
    of one group.
    """

    problem: Problem
    labels: tuple[str, ...]
    inner: Job
    whole: Job
    own: np.ndarray  # places in the coordinates of `whole`
    shared: np.ndarray
    run: Run
    solves: Iterator[int]  # each of them is a job, with a directory of its own

    @staticmethod
    def of(problem: Problem, run: Run) -> _Groups:
        law, runs = problem.law, problem.runs
        (column,) = set(dict(law.groups).values())
        labels, codes, per = (
            runs.labels[column],
            np.asarray(runs.groups[column]),
            set(dict(law.groups)),
        )
        single = dataclasses.replace(law, groups=())
        held = single.fix(**{k: _middle(spec) for k, spec in single.free.items() if k not in per})
        tables = [runs.where(codes == k) for k in range(len(labels))]
        _check(held, tables, labels, column)

        def job(one: Law, starts: int) -> Job:
            return prepare(
                [[dataclasses.replace(problem, law=one, runs=t)] for t in tables], starts, few=True
            )

        inner, whole = job(held, _STARTS), job(single, 1)
        names = [name for name, spec, _, _ in whole.layout.blocks for _ in range(spec.size)]
        own = np.array([name in per for name in names])
        inner = dataclasses.replace(inner, ranges=projected(inner))
        return _Groups(
            problem=problem,
            labels=labels,
            inner=inner,
            whole=whole,
            own=np.flatnonzero(own),
            shared=np.flatnonzero(~own),
            run=run,
            solves=itertools.count(),
        )

    @property
    def names(self) -> np.ndarray:
        """Names (G, p) of the groups' coordinates."""
        return np.array(
            [
                self.inner.layout.names(dict.fromkeys(self.inner.law.free, (label,)))
                for label in self.labels
            ]
        )

    def candidates(self, count: int) -> np.ndarray:
        """Shared coordinates (count, S), uniform in their start ranges; one, of no length, where
        nothing is shared.
        """
        low, high = (
            np.asarray(v)[self.shared] for v in (self.whole.ranges.low, self.whole.ranges.high)
        )
        drawn = np.random.default_rng(self.problem.seed).random((count, len(low)))
        return np.asarray((low + drawn * (high - low))[: count if len(low) else 1])

    def solved(self, s: np.ndarray, x: np.ndarray | None = None) -> _Point:
        """Every group at its optimum given s; from x (G, p), else from starts of its own."""
        job = dataclasses.replace(self.inner, law=self.inner.law.fix(**self.natural(s)))
        if x is not None:
            one = np.int32(1)
            job = dataclasses.replace(
                job, given=x[:, None], known=one, starts=one, levels=np.ones_like(job.levels)
            )
        run, number = self.run, next(self.solves)
        if run.directory is not None:
            run = dataclasses.replace(run, directory=os.path.join(run.directory, f"solve_{number}"))
        found = solved(job, len(self.labels), run, label="groups")
        return _Point(s, found.lanes, float(np.sum(found.lanes["value"])), found.work)

    def natural(self, s: np.ndarray) -> dict[str, np.ndarray]:
        """Shared parameters by name."""
        x = np.zeros(self.whole.layout.size)
        x[self.shared] = s
        with jax.enable_x64(True):
            params = jax.device_get(self.whole.layout.unpack(jnp.asarray(x * self.whole.unit)))
        return {k: np.asarray(v) for k, v in params.items() if k not in self.inner.law.free}

    def measured(self, point: _Point) -> dict[str, np.ndarray]:
        """What `measures` says of every group at all its coordinates."""
        x = np.zeros((len(self.labels), self.whole.layout.size))
        x[:, self.own], x[:, self.shared] = point.lanes["x"], point.s
        return measures(self.whole, x)

    def arrow(self, blocks: np.ndarray, edge: np.ndarray) -> Arrow:
        """The arrow of matrices by group (G, P, P); a coordinate at an edge is
        nobody's neighbour.
        """
        inner, cross = (
            blocks[:, self.own][:, :, self.own].copy(),
            blocks[:, self.own][:, :, self.shared].copy(),
        )
        inner[edge] = 0.0
        np.swapaxes(inner, 1, 2)[edge] = 0.0
        g, j = np.nonzero(edge | ~(np.diagonal(inner, axis1=1, axis2=2) != 0))
        inner[g, j, j], cross[g, j] = 1.0, 0.0
        return Arrow(inner, cross, blocks[:, self.shared][:, :, self.shared].sum(0))

    def walked(self, point: _Point) -> _Point:
        """The optimum of the sum of optima near a point; bounded."""
        for _ in range(_STEPS if len(point.s) and np.isfinite(point.value) else 0):
            m = self.measured(point)
            slope = np.einsum("gn,gnp->p", m["force"], m["jacobian"][:, :, self.shared])
            arrow = self.arrow(m["hessian"], point.lanes["edge"])
            size = np.sqrt(np.maximum(np.abs(np.diagonal(arrow.corner)), 1e-300))
            if np.max(np.abs(slope / size)) <= _ENOUGH * np.sqrt(max(point.value, 1e-300)):
                break
            squares, vectors = np.linalg.eigh(arrow.schur / size / size[:, None])
            along, damping, better = vectors.T @ (slope / size), 0.0, None
            for _ in range(_TRIES):
                step = -(vectors @ (along / (np.maximum(np.abs(squares), 1e-8) + damping))) / size
                step *= min(1.0, 1.0 / np.max(np.abs(step)))
                trial = self.solved(point.s + step, point.lanes["x"])
                if trial.value < point.value:
                    better = trial
                    break
                damping = max(10.0 * damping, 0.1 * float(np.max(np.abs(squares))))
            if better is None:
                break
            point = better
        return point

    def certified(self, point: _Point, candidates: int, agreed: int) -> Fit:
        """The fit with its certificate: the worst of the groups, and what is shared."""
        law, lanes, edge, m = (
            self.problem.law,
            point.lanes,
            point.lanes["edge"],
            self.measured(point),
        )
        weights, live = self.whole.table.weights, self.whole.table.weights > 0
        slope = np.einsum("gn,gnp->p", m["force"], m["jacobian"][:, :, self.shared])
        length = np.sqrt(
            np.maximum(np.abs(np.diagonal(self.arrow(m["hessian"], edge).corner)), 1e-300)
        )
        own_slope = float(
            np.max(np.abs(slope / length), initial=0.0) / np.sqrt(max(point.value, 1e-300))
        )
        products = np.einsum("gnp,gn,gnq->gpq", m["jacobian"], weights, m["jacobian"])
        information = self.arrow(products / np.mean(weights[live]), edge)
        least = information.least
        residual, objective = m["residual"][live], self.problem.objective
        scale = robust_scale(residual)
        spare = live.sum() - edge.size - len(slope)
        delta = objective.zone / objective.size_of(self.whole.table.target[live])
        own, common = information.deviations(
            _spread(scale, delta) * np.sqrt(live.sum() / max(spare, 1))
        )
        wide = (
            self.inner.layout.each(lambda spec: spec.logarithmic).astype(bool)
            & ~edge
            & ~(2 * 1.96 * own <= WIDE)
        )
        status = Status(int(np.bitwise_or.reduce(np.asarray(lanes["status"], np.int64))))
        status |= Status.MAX_STEPS if own_slope > STATIONARY else Status.OK
        status |= Status.FLAT if np.any(wide) or least < SINGULAR or spare <= 0 else Status.OK
        names = self.inner.layout.names({})
        params = all_parameters(law, self.natural(point.s) | free_params(lanes))
        certificate = Certificate(
            gradient=max(own_slope, float(np.max(lanes["gradient"]))),
            singular=min(float(np.min(lanes["singular"])), least),
            deviation=self.named(np.where(edge, np.nan, own), common),
            flat=tuple(self.names[wide].tolist()),
            at_bound=tuple(self.names[edge].tolist()),
            starts_drawn=candidates,
            starts_kept=candidates,
            starts_agreed=agreed,
            delta_over_scale=delta / scale if np.isfinite(delta) and scale > 1e-9 else None,
            residual_scale=scale,
            rows_used=int(live.sum()),
            rows_dropped=self.problem.runs.dropped,
            assumptions=assumptions(self.problem),
            findings=_findings(
                names,
                self.labels,
                edge=edge,
                wide=wide,
                flat=lanes["singular"] < SINGULAR,
                lost=least < SINGULAR,
                spare=int(spare),
            ),
        )
        steps = int(np.sum(lanes["steps"]))
        return Fit(
            params,
            np.float64(point.value),
            status,
            certificate,
            self.problem,
            steps=steps,
            work=point.work,
        )

    def named(self, own: np.ndarray, common: np.ndarray) -> dict[str, float]:
        """Deviations by name, of natural coordinates: shared parameters first."""
        shared = np.asarray(self.whole.layout.names({}))[self.shared].tolist()
        out = dict(zip(shared, (common * self.whole.unit[self.shared]).tolist(), strict=True))
        return out | dict(
            zip(
                self.names.T.ravel().tolist(),
                (own * self.inner.unit).T.ravel().tolist(),
                strict=True,
            )
        )


def _middle(spec: Any) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(spec.natural(jnp.full(spec.size, 0.5 * sum(spec.start_range))))


def _check(law: Law, tables: list[Runs], labels: tuple[str, ...], column: str) -> None:
    """No group may have fewer distinct runs than parameters of its own."""
    needed = sum(spec.size for spec in law.free.values())
    for table, label in zip(tables, labels, strict=True):
        rows = np.concatenate(
            [
                np.reshape(table.columns[c], (len(table), -1))
                for c in law.columns
                if c in table.columns
            ],
            1,
        )
        if (distinct := len(np.unique(rows[np.asarray(table.weights) > 0], axis=0))) < needed:
            raise refuse(
                f"{column} {label!r}: {distinct} distinct runs for {needed} parameters of its own "
                f"({', '.join(law.free)})",
                why="a small group cannot determine what is not shared",
                change="share more parameters, or leave the group out",
            )


def _spread(scale: float, delta: float) -> float:
    """Standard deviation of normal noise of this scale, times what a Huber loss of width delta
    loses against squares.

    Source: Huber 1981, section 4.5: the variance is E psi^2 / (E psi')^2. For delta far below the
    scale it is that of least absolute deviations, pi / 2 times the square of the scale.
    """
    if not scale > 0 or not np.isfinite(delta):
        return scale
    k = delta / scale
    density, inside = math.exp(-0.5 * k * k) / math.sqrt(2 * math.pi), math.erf(k / math.sqrt(2.0))
    square = inside - 2 * k * density + k * k * (1 - inside)
    return scale * math.sqrt(square) / inside


def _findings(
    names: list[str],
    labels: tuple[str, ...],
    edge: np.ndarray,
    wide: np.ndarray,
    flat: np.ndarray,
    lost: bool,
    spare: int,
) -> tuple[str, ...]:
    """A sentence for each thing that is wrong, with the groups that it is wrong in."""
    found = list[str]()
    for where, what in (
        (edge, "AT_BOUND: {} runs to the edge of its support"),
        (wide, "FLAT: {} is not known within a factor of 100"),
    ):
        found += [
            f"{what.format(names[j])} {_in(labels, where[:, j])}"
            for j in np.flatnonzero(where.any(0))
        ]
    if flat.any():
        found.append(
            f"FLAT: parameters can change together without changing any prediction "
            f"{_in(labels, flat)}"
        )
    if lost:
        found.append(
            "FLAT: shared parameters and those of the groups can change together without changing "
            "any prediction"
        )
    if spare <= 0:
        found.append(
            "FLAT: as many runs as free parameters: the fit is exact and leaves nothing to judge "
            "it by"
        )
    return tuple(found)


def _in(labels: tuple[str, ...], where: np.ndarray) -> str:
    own = [labels[i] for i in np.flatnonzero(where)]
    return f"in {len(own)} of {len(labels)} groups: {', '.join(own[:3])}" + (
        ", ..." if len(own) > 3 else ""
    )
