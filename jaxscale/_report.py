"""`report`: a fit on one page, with everything that a reader needs to trust it or not.

The report refuses to leave things out: failed refits, rows used and dropped, assumed units, how far
delta lies from the scatter, what the residuals say against the intervals, the runs that the answer
hangs on, and how far a plan lies beyond the runs. It ends with the one refit that it makes: whether
the runs would have predicted the largest of them.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np

from .costs import Train
from .fitting._evidence import Evidence, evidence
from .fitting._groups import too_many
from .fitting._problem import element_names
from .fitting._results import Ensemble, Fit, Status, point_of
from .forecasts._hindsight import in_a_line
from .ground._errors import JaxscaleWarning, check_level
from .plans._allocate import Allocation
from .plans._remarks import untested
from .table._digest import rows_digest
from .table._scope import ranges, ratio_remark
from .uncertainty._cautions import cautions_of
from .uncertainty._covariance import FEWEST, few_inside
from .uncertainty._draws import percentile
from .uncertainty._influence import moved
from .uncertainty._interval import UNKNOWN, default_kind, interval


def report(fit: Fit | Ensemble, *, plan: Allocation | None = None, level: float = 0.95) -> str:
    """Text report of a fit or of an ensemble, parameters in the units of the law; `plan` adds an
    allocation.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> print(jsl.report(best).splitlines()[0])
    chinchilla(N, D) -> nats/token, 60 runs
    """
    point = point_of(fit, "report()")
    check_level("report()", level)
    if too_many(point.problem.law, point.problem.runs):
        parts = [
            _head(point),
            _groups(point),
            _certificate(fit, point),
            _table(fit, point),
            *([] if plan is None else [_plan(plan, point, level)]),
        ]
        left_out = (
            "not looked at with so many groups: residuals, influence, and whether the "
            "largest run would have been predicted"
        )
        return "\n\n".join([*parts, _assumed(point), left_out])
    at = evidence(point)
    parts = [
        _head(point),
        _parameters(fit, at, level),
        _certificate(fit, point),
        _table(fit, point),
        _doubts(at),
    ]
    if plan is not None:
        parts.append(_plan(plan, point, level))
    parts += [_assumed(point), in_a_line(fit, level)]
    return "\n\n".join(parts)


def _head(point: Fit) -> str:
    law = point.problem.law
    status = Status(int(point.status))
    lines = [
        f"{law.name}({', '.join(law.columns)}) -> {law.unit.name}, "
        f"{point.certificate.rows_used} runs",
        f"status: {'OK' if status == Status.OK else f'NOT OK ({status.name}): {status.message}'}",
    ]
    return "\n".join([*lines, *(f"  {f}" for f in point.certificate.findings)])


def _parameters(fit: Fit | Ensemble, at: Evidence, level: float) -> str:
    point, law = at.fit, at.fit.problem.law
    kind = "percentile" if isinstance(fit, Ensemble) else default_kind(at)
    header = f"{'parameter':<12}{'estimate':>14}"
    if isinstance(fit, Ensemble):
        what = "draws of the posterior" if fit.kind == "posterior" else f"refits by {fit.by}"
        header += f"   {level:.0%} interval (percentile, {len(fit):,} {what})"
    elif kind == "percentile" or (kind == "cr3" and at.units < FEWEST):
        kind = ""
        header += (
            "   standard deviation (of its coordinate: ln where positive); bootstrap(...) "
            "for intervals"
        )
    else:
        header += f"   {level:.0%} interval ({kind} with Student's t)"
    intervals = interval(fit, level=level, kind=kind) if kind else {}
    tied = dict(law.ties)
    lines = [header]
    for name, value in point.params.items():
        for place, full in element_names(point.problem, name, np.shape(value)):
            v = np.asarray(value)[place]
            if name in law.fixed:
                note = "fixed"
            elif name in tied:
                note = f"= {tied[name]}"
            elif kind:
                own = intervals[name]
                unusual = f"   {own.kind}" if own.kind in UNKNOWN else ""
                note = (
                    f"{_number(np.asarray(own.low)[place])} .. "
                    f"{_number(np.asarray(own.high)[place])}{unusual}"
                )
            else:
                sd = point.certificate.deviation.get(full, float("nan"))
                note = "not known" if np.isnan(sd) else "unbounded" if np.isinf(sd) else f"{sd:.3g}"
                note = "none: at its edge" if full in point.certificate.at_bound else note
            lines.append(f"{full:<12}{_number(v):>14}   {note}")
    return "\n".join(lines)


def _groups(point: Fit) -> str:
    """Shared parameters with their deviations; of those that each group has, how they
    are spread.
    """
    law, deviation = point.problem.law, point.certificate.deviation
    lines = [
        f"{'parameter':<12}{'estimate':>14}   standard deviation (of its coordinate: ln where "
        f"positive)"
    ]
    for name, value in point.params.items():
        if name not in dict(law.groups):
            note = "fixed" if name in law.fixed else f"{deviation.get(name, float('nan')):.3g}"
            lines.append(
                f"{name:<12}{_number(value) if np.ndim(value) == 0 else str(np.shape(value)):>14}  "
                f" {note}"
            )
        else:
            group = dict(law.groups)[name]
            low, middle, high = np.quantile(np.asarray(value), [0.0, 0.5, 1.0], axis=0)
            spread = (
                f"{_number(low)} .. {_number(high)}"
                if np.ndim(middle) == 0
                else f"of shape {np.shape(middle)}"
            )
            shown = _number(middle) if np.ndim(middle) == 0 else "vectors"
            lines.append(
                f"{name:<12}{shown:>14}   the middle of {len(value)} values, one per {group}: "
                f"{spread}"
            )
    return "\n".join(lines)


def _certificate(fit: Fit | Ensemble, point: Fit) -> str:
    c, problem = point.certificate, point.problem
    lines = [
        "certificate",
        f"  objective        {_objective(problem.objective)}, sum {float(point.value):.10g}",
        f"  starts           {c.starts_drawn} drawn, {c.starts_kept} kept, {c.starts_agreed} agree "
        f"with the best (1e-6)",
        f"  gradient         {c.gradient:.1e} scaled (a converged fit is below 1e-6)",
        f"  singular value   {c.singular:.1e} smallest of the scaled Jacobian (a lost direction is "
        f"below 1e-6)",
    ]
    if c.outside_start:
        lines.append(
            f"  outside start    {', '.join(c.outside_start)}: the optimum lies beyond the start "
            f"range (allowed)"
        )
    scale = (
        f"{c.residual_scale:.3g} in "
        f"{'ln of the target' if problem.objective.log else 'the target, relative to its size'}"
    )
    lines.append(f"  residual scale   {scale} (1.4826 MAD)")
    if c.delta_over_scale is not None:
        meaning = (
            "close to least squares"
            if c.delta_over_scale > 2
            else "close to least absolute deviations"
            if c.delta_over_scale < 0.5
            else "between the two"
        )
        lines.append(f"  delta / scale    {c.delta_over_scale:.2g}: {meaning}")
    if isinstance(fit, Ensemble) and fit.kind == "posterior":
        worst = max(fit.work.rhat, key=lambda k: fit.work.rhat[k])
        lines.append(
            f"  chains           {fit.work.chains} of {len(fit) // fit.work.chains:,} draws, "
            f"R-hat at most {fit.work.rhat[worst]:.3f} ({worst}), {fit.work.divergences} "
            f"divergences"
        )
    elif isinstance(fit, Ensemble):
        bad = {s.name: int(np.sum(np.asarray(fit.status) & s.value != 0)) for s in Status if s}
        listed = ", ".join(f"{n} {name}" for name, n in bad.items() if n)
        good = f"{int(np.sum(fit.ok)):,} OK" + (f"; {listed}" if listed else "")
        lines.append(f"  refits           {len(fit):,} by {fit.by}, {good}; none left out")
        if fit.by != "rows":
            count = np.bincount(np.asarray(problem.runs.groups[fit.by]))
            lines.append(
                f"  clusters         {len(count)} of up to {count.max()} rows each, drawn whole: "
                f"their rows are not independent"
            )
    return "\n".join(lines)


def _table(fit: Fit | Ensemble, point: Fit) -> str:
    runs, law = point.problem.runs, point.problem.law
    c = point.certificate
    zero = len(runs) - c.rows_used
    lines = [
        "runs",
        f"  {c.rows_used} rows used, {c.rows_dropped} dropped as bad"
        + (f", {zero} of weight 0" if zero else ""),
    ]
    lines.append(f"  SHA-256  {rows_digest(runs)[:16]} (its first digits)")
    for name in law.columns:
        v = np.asarray(runs.columns[name])
        lines.append(
            f"  {name:<8} {v.min():.3g} .. {v.max():.3g}"
            if v.ndim == 1
            else f"  {name:<8} {v.shape[1]} shares"
        )
    if {"N", "D"} <= set(law.columns):
        flop = Train()(runs["N"], runs["D"])
        ratio = runs["D"] / runs["N"]
        lines.append(
            f"  {'6 N D':<8} {flop.min():.3g} .. {flop.max():.3g} FLOP;  D/N {ratio.min():.3g} .. "
            f"{ratio.max():.3g}"
        )
    return "\n".join([*lines, *(f"  note: {r}" for r in runs.remarks)])


def _doubts(at: Evidence) -> str:
    """What speaks against the intervals, and the runs that the answer hangs on most."""
    observes = at.fit.problem.objective.observes
    said = (
        cautions_of(at)
        if observes
        else ("the law's value is a likelihood: there are no residuals to test",)
    )
    lines = (
        ["cautions", *(f"  {s}" for s in said)]
        if said
        else ["cautions: none of the tests of residuals speaks"]
    )
    # as `influence` does: where few runs lie inside delta, a step is no refit
    exact = few_inside(at) and bool(at.fit.ok)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", JaxscaleWarning)
        moves, labels, by = moved(at, exact=exact)
    deviation = at.fit.certificate.deviation
    sd = np.array([deviation.get(n, np.nan) for n in at.names]) / np.asarray(at.job.unit)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.nan_to_num(moves / sd, nan=0.0, posinf=0.0, neginf=0.0)
    order = np.argsort(-np.max(np.abs(relative), 1), kind="stable")[:3]
    most = [(labels[i], int(np.argmax(np.abs(relative[i]))), i) for i in order]
    shown = ", ".join(f"{label} ({at.names[j]} {relative[i, j]:+.2f})" for label, j, i in most)
    how = "refits" if exact else "one Newton step"
    return "\n".join(
        [
            *lines,
            f"  {by} whose absence moves the fit most, in standard deviations ({how}): {shown}",
            *(f"  {w.message}" for w in told),
        ]
    )


def _plan(plan: Allocation, point: Fit, level: float) -> str:
    lines = ["plan"]
    budgets = np.atleast_1d(np.asarray(plan.budget))
    for i, budget in enumerate(budgets):
        lines += [f"  budget {budget:.4g}", *_reach(plan.point, point.problem.runs, i)]
        of_point = {**plan.point.columns, point.problem.law.unit.name: plan.point.loss}
        for name, value in {**plan.columns, point.problem.law.unit.name: plan.loss}.items():
            draws, at = (
                np.asarray(v)[..., i] if np.ndim(plan.budget) else np.asarray(v)
                for v in (value, of_point[name])
            )
            none = not np.any(np.isfinite(draws))
            shown = (
                "no feasible plan"
                if none
                else percentile(draws, level, 0, at)
                if draws.ndim
                else f"{float(draws):.4g}"
            )
            lines.append(f"    {name:<12} {shown}")
    worst = float(np.nanmax(plan.certificate.stationarity))
    failed = int(np.sum(np.asarray(plan.status) != 0))
    lines.append(
        f"  KKT: largest stationarity residual {worst:.1e}; {failed} of {np.size(plan.loss)} plans "
        f"not OK"
    )
    own = [
        r for r in plan.remarks if r not in untested(plan.columns, (plan.asked or (None, None))[1])
    ]  # those are said above, for each budget
    return "\n".join([*lines, *(f"  note: {r}" for r in own)])


def _reach(plan: Allocation, runs: Any, i: int) -> list[str]:
    """How far a plan goes beyond the compute of the runs, and whether it trains at a D/N that none
    of them had.
    """
    if not {"N", "D"} <= set(runs.columns) or not {"N", "D"} <= set(plan.columns):
        return []
    own = {}
    for c in ("N", "D"):
        value = np.asarray(plan[c])
        own[c] = value[..., i] if np.ndim(plan.budget) else value
    tested = ranges(runs)
    compute, ratio = (
        float(np.nanmedian(Train()(own["N"], own["D"]))),
        float(np.nanmedian(own["D"] / own["N"])),
    )
    if not np.isfinite(compute):
        return []
    (low, high), top = tested["D/N"], tested["C"][1]
    inside = f"D/N of {ratio:.3g} lies inside the {low:.3g} to {high:.3g} of the runs"
    return [
        f"    C = 6 N D of {compute:.3g} FLOP is {compute / top:.3g} times that of the largest run",
        f"    {ratio_remark(tested, ratio) or inside}",
    ]


def _assumed(point: Fit) -> str:
    law = "the law holds: intervals say nothing about a wrong formula"
    return "\n".join(["assumed", *(f"  {a}" for a in (*point.certificate.assumptions, law))])


def _objective(objective: Any) -> str:
    numbers = ", ".join(
        f"{f.name}={float(getattr(objective, f.name)):g}" for f in dataclasses.fields(objective)
    )
    return f"{type(objective).__name__}({numbers})"


def _number(v: Any) -> str:
    return f"{float(v):.6g}"
