"""The certificate of a point fit: what its numbers rest on, and by name what they do not determine.

Three kinds of evidence are put together. The lane's own diagnosis says whether the point is an
optimum, whether a parameter ran to an edge, and whether a direction of the Jacobian is lost. The
sandwich covariance says whether an interval is so wide that the parameter is not known at all. The
table itself says whether two columns move in lockstep, where a law can only separate their effects
through its functional form.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from ..ground._linalg import sandwich
from ..ground._robust import robust_scale
from ._lanes import Job, Table
from ._problem import Problem
from ._results import Certificate, Status
from ._status import SINGULAR

# a 95 % interval wider than a factor of 100 is no knowledge of the parameter
WIDE = math.log(100.0)


def certify(
    problem: Problem, job: Job, cell: int, lane: dict[str, Any], measures: dict[str, np.ndarray]
) -> tuple[Status, Certificate]:
    """Status and certificate of the best lane of a cell, with what `_lanes.measured` says of it."""
    law, runs = problem.law, problem.runs
    names = job.layout.names({k: runs.labels[g] for k, g in law.groups})
    table: Table = jax.tree.map(lambda v: v[cell // int(job.objectives)], job.table)
    live = table.weights > 0
    status = Status(int(lane["status"]))
    findings, flat, at_bound = [], [], []
    edge = np.asarray(lane["edge"])

    for j in np.flatnonzero(edge):
        at_bound.append(names[j])
        findings.append(_edge_sentence(job, names[j], int(j), lane["x"]))
    if lane["singular"] < SINGULAR:
        lost = [n for n, d in zip(names, lane["direction"], strict=True) if abs(d) > 0.05]
        flat += lost
        findings.append(
            f"FLAT: {_combination(names, lane['direction'])} can change together without changing "
            f"any prediction (smallest singular value {float(lane['singular']):.1e})"
        )
    deviation = np.full(len(names), np.nan)
    if Status.NON_FINITE not in status:
        deviation = _deviations(problem, table, measures, edge)
    logarithmic = job.layout.each(lambda s: s.logarithmic)
    wide = [
        i
        for i, d in enumerate(deviation)
        if logarithmic[i] and not edge[i] and not 2 * 1.96 * d <= WIDE
    ]
    if wide and Status.NON_FINITE not in status:
        status |= Status.FLAT
        flat += [names[i] for i in wide if names[i] not in flat]
        factors = ", ".join(f"{names[i]} (by a factor of {_factor(deviation[i])})" for i in wide)
        findings.append(f"FLAT: the 95 % interval is wider than a factor of 100 for {factors}")
    for sentence, touched in design_findings(problem, job, table):
        status |= Status.FLAT
        flat += [n for n in touched if n not in flat]
        findings.append(sentence)
    spare = int(live.sum()) - job.layout.size
    if spare <= 0:
        status |= Status.FLAT
        flat = names
        findings.append(
            "FLAT: as many runs as free parameters: the fit is exact and leaves nothing to judge "
            "it by"
        )
    elif spare < 5:
        findings.append(
            f"NOTE: only {spare} more runs than free parameters: intervals from so few are too "
            f"narrow"
        )

    objective, residual = problem.objective, measures["residual"][live]
    scale = robust_scale(residual)
    exact = objective.observes and bool(np.sqrt(np.mean(residual**2)) < 1e-9)
    if exact and spare > 0:
        findings.append(
            "NOTE: residuals are 0: the table looks computed from this law, and standard errors "
            "are 0"
        )
    ratio = None
    if objective.width is not None and scale > 1e-9:
        ratio = objective.zone / (scale * objective.size_of(table.target[live]))
    low, high = np.asarray(job.ranges.low), np.asarray(job.ranges.high)
    drawn = np.asarray(job.ranges.amplitude) == 0
    outside = [
        names[i] for i in np.flatnonzero(((lane["x"] < low) | (lane["x"] > high)) & drawn & ~edge)
    ]
    return status, Certificate(
        gradient=float(lane["gradient"]),
        singular=float(lane["singular"]),
        direction=dict(zip(names, np.asarray(lane["direction"]).tolist(), strict=True)),
        deviation=dict(zip(names, (deviation * job.unit).tolist(), strict=True)),
        flat=tuple(flat),
        at_bound=tuple(at_bound),
        outside_start=tuple(outside),
        delta_over_scale=ratio,
        residual_scale=scale,
        rows_used=int(live.sum()),
        rows_dropped=runs.dropped,
        assumptions=assumptions(problem),
        findings=tuple(findings),
    )


def _deviations(
    problem: Problem, table: Table, measures: dict[str, Any], edge: np.ndarray
) -> np.ndarray:
    """The larger of sandwich and expected information; the sandwich only where enough rows carry
    its curvature.

    Where delta is far below the scatter, few rows lie inside it, and a sandwich that rests on fewer
    than ten of them per parameter can be far too small or far too large by luck.
    """
    scores = measures["force"][:, None] * measures["jacobian"]
    own = sandwich_deviation(measures["hessian"], scores, edge)
    objective, live = problem.objective, table.weights > 0
    if not objective.observes:
        return own
    expected = expected_deviation(measures["jacobian"], measures["residual"], table.weights, edge)
    inside = np.sum(
        np.abs(measures["residual"][live]) <= objective.zone / objective.size_of(table.target[live])
    )
    return np.fmax(own, expected) if inside >= 10 * len(edge) else expected


def sandwich_deviation(hessian: np.ndarray, scores: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Standard deviation of each coordinate, H^-1 S'S H^-1 over rows; inf along lost directions,
    nan at an edge.

    Source: Huber 1967; the Hessian takes the row-wise second derivative of the objective (psi' for
    a Huber loss).
    """
    used = np.any(scores != 0, axis=1).sum()
    return _deviation(hessian, scores.T @ scores * used / max(used - len(edge), 1), edge)


def expected_deviation(
    jacobian: np.ndarray, residual: np.ndarray, weights: np.ndarray, edge: np.ndarray
) -> np.ndarray:
    """The same from the design and a robust scale, s^2 (J'J)^-1, as if by least squares."""
    live = weights > 0
    scale = robust_scale(residual[live]) * np.sqrt(live.sum() / max(live.sum() - len(edge), 1))
    information = (jacobian[live] * weights[live, None]).T @ jacobian[live] / np.mean(weights[live])
    return _deviation(information, information * scale**2, edge)


def _deviation(bread: np.ndarray, meat: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """sqrt of the diagonal of bread^-1 meat bread^-1 over coordinates that are not at an edge."""
    matrix, touched = sandwich(bread, meat, edge)
    variance = np.diagonal(matrix)
    # a variance below 0 was eaten by rounding: the direction is lost, if by a hair's breadth
    return np.where(
        edge,
        np.nan,
        np.where(touched | (variance < 0.0), np.inf, np.sqrt(np.maximum(variance, 0.0))),
    )


def design_findings(problem: Problem, job: Job, table: Table) -> list[tuple[str, tuple[str, ...]]]:
    """Columns of the law that move in exact lockstep: one is a power of the other times
    a constant.
    """
    law, live = problem.law, table.weights > 0
    logs = {}
    for name in law.columns:
        values = table.rows[name][live]
        if values.ndim == 1 and np.all(values > 0) and np.ptp(values) > 0:
            centred = np.log(values) - np.mean(np.log(values))
            logs[name] = centred / np.sqrt(np.sum(centred**2))
    found = []
    names = list(logs)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            # sin of the angle, computed without the cancellation of 1 - cos^2
            if np.sqrt(np.sum((logs[b] - logs[a] * np.dot(logs[a], logs[b])) ** 2)) < 1e-6:
                found.append(
                    (
                        f"FLAT: {a} and {b} move in lockstep (one is a power of the other in "
                        f"every run), so the sweep cannot separate their effects; runs with "
                        f"another {b}/{a} are needed",
                        tuple(job.layout.names({k: problem.runs.labels[g] for k, g in law.groups})),
                    )
                )
    return found


def assumptions(problem: Problem) -> tuple[str, ...]:
    """What was taken for granted because no table can show it."""
    law, runs = problem.law, problem.runs
    said = []
    for name, unit in zip(law.columns, law.column_units, strict=True):
        given = runs.units[name]
        said.append(f"{name} in {unit.name}" + _converted(given, unit))
    if runs.target is not None:
        given = runs.units[runs.target_name]
        said.append(
            f"{runs.target_name} in {law.unit.name}"
            + _converted(given, law.unit)
            + (
                " (bits or a small perplexity in its place cannot be detected)"
                if law.unit.dimension == "loss"
                else ""
            )
        )
    return (*said, "one unit for all rows of a column (a common wrong factor cannot be detected)")


def _converted(given: Any, wanted: Any) -> str:
    if not given.dimension or not wanted.dimension or given.name == wanted.name:
        return ""
    if (given.factor, given.logarithm) == (wanted.factor, wanted.logarithm):
        # another way of counting parameters
        return f", although given as {given.name}: the numbers are taken as they are"
    return f", converted from {given.name}"


def _edge_sentence(job: Job, name: str, j: int, x: np.ndarray) -> str:
    specs = [
        spec for _, spec, groups, _ in job.layout.blocks for _ in range(max(groups, 1) * spec.size)
    ]
    below = x[j] < np.asarray(job.ranges.low)[j]
    low, high = specs[j].edges
    edge = {"positive": low if below else high, "negative": high if below else low}.get(
        specs[j].support, low if below else high
    )
    return (
        f"AT_BOUND: {name} runs to {edge:g}, the edge of its support: the data ask for a law "
        f"without it"
    )


def _combination(names: list[str], direction: np.ndarray) -> str:
    shown = sorted(zip(np.abs(direction), direction, names, strict=True), reverse=True)
    return ", ".join(f"{n} ({d:+.2f})" for size, d, n in shown if size > 0.05)


def _factor(deviation: float) -> str:
    return (
        f"{math.exp(min(2 * 1.96 * deviation, 700.0)):.2g}"
        if math.isfinite(deviation)
        else "any size"
    )
