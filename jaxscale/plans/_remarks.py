"""What has to be said of plans: that they are not what was asked for, or lie where no run
has been.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..costs import Train
from ..fitting._results import Fitted, Status
from ..table._scope import FAR, ranges, ratio_remark
from ._question import Put

_FEW = 1e4  # parameters or tokens: fewer are a slip of units


def remarks(found: dict[str, Any], asked: Put, binding: dict[str, Any]) -> list[str]:
    """What has to be said of plans that are not what was asked for."""
    status = np.asarray(found["status"])
    none, failed = status & Status.NON_FINITE.value != 0, status & Status.MAX_STEPS.value != 0
    said = [_in_the_way(found, asked, none)] if np.any(none) else []
    if asked.budget is not None and "budget" in binding:
        with np.errstate(invalid="ignore"):
            unspent = int(np.sum(np.asarray(found["cost"]) < 0.999 * np.asarray(asked.budget)))
        if unspent:
            held = [n for n in binding if n != "budget" and np.any(binding[n] & ~none)]
            held += [
                f"the bound of {c}"
                for c in asked.question.shape.over
                if np.any(found["active"][c] == 1)
            ]
            first = f"{' and '.join(held)} {'binds' if len(held) == 1 else 'bind'} first"
            why = first if held else "more of no column helps"
            said.append(
                f"{unspent} {'plan leaves' if unspent == 1 else 'plans leave'} part of the budget "
                f"unspent: {why}"
            )
    if np.any(failed):
        one = failed.sum() == 1
        said.append(
            f"{int(failed.sum())} {'plan fails its' if one else 'plans fail their'} KKT "
            f"conditions: no optimum inside the bounds, or too few steps"
        )
    units = dict(zip(asked.question.law.columns, asked.question.law.column_units, strict=True))
    for c in asked.question.shape.over:
        least = (
            np.min(np.where(none, np.inf, found["columns"][c]), initial=np.inf)
            if not units[c].rank
            else np.inf
        )
        if units[c].dimension in ("parameters", "tokens") and least < _FEW:
            said.append(
                f"{c} falls to {least:.3g} {units[c].dimension}: a limit may be in ln, in "
                f"billions, or in GB instead of bytes"
            )
    return said


def _in_the_way(found: dict[str, Any], asked: Put, none: np.ndarray) -> str:
    """Which limit cannot be met, and how close it comes."""
    rules, count = asked.question.rules, int(none.sum())
    plans = f"{count} plan has" if count == 1 else f"{count} plans have"
    if not rules:
        return f"{plans} no feasible point: the law is not finite within the bounds"
    excess = np.where(np.isfinite(found["excess"]), found["excess"], np.inf)[none].reshape(
        -1, len(rules)
    )
    worst = np.argmax(excess, -1)
    which = int(np.bincount(worst).argmax())
    near = float(np.min(excess[worst == which, which]))
    rule, limit = rules[which], np.broadcast_to(asked.limits[..., which], none.shape)[none]
    if near < 1e-5:
        return (
            f"{plans} no feasible point: the law is not finite, or the bounds of the shares do "
            f"not add up to 1"
        )
    if not rule.log or near > 50:
        return (
            f"{plans} no feasible point: {rule.name} stays far "
            f"{'over' if rule.side > 0 else 'short of'} its limit"
        )
    closest = (
        f" ({float(limit[0]) * np.exp(rule.side * near):.4g}, asked for {float(limit[0]):.4g})"
        if count == 1
        else ""
    )
    return (
        f"{plans} no feasible point: {rule.name} stays {'over' if rule.side > 0 else 'short of'} "
        f"its limit by a factor of {np.exp(near):.{3 if near > 0.01 else 6}g} at least{closest}"
    )


def untested(columns: Mapping[str, Any], fit: Fitted | None) -> list[str]:
    """Remarks about plans (refits, budgets) of a fit at a D/N that no run had, or at a thousand
    times their compute.

    Of an ensemble, where most refits plan there. That a plan lies beyond the compute of the runs is
    what plans are for.
    """
    if (
        fit is None
        or not {"N", "D"} <= set(columns)
        or not {"N", "D"} <= set(fit.problem.runs.columns)
    ):
        return []
    tested, lanes = ranges(fit.problem.runs), np.ndim(fit.value)
    n, d = (np.asarray(columns[c], np.float64) for c in ("N", "D"))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio, compute = d / n, Train()(n, d)
        out, far = (
            (ratio < tested["D/N"][0]) | (ratio > tested["D/N"][1]),
            compute > FAR * tested["C"][1],
        )
    out, far = (np.mean(v, axis=tuple(range(lanes))) > 0.5 for v in (out, far))
    said = []
    if np.any(out):
        middle = np.nanmedian(np.reshape(ratio, (-1, out.size))[:, np.ravel(out)], 0)
        low, high = tested["D/N"]
        furthest = middle[np.argmax(np.maximum(middle / high, low / middle))]
        many = f" ({int(out.sum())} of {out.size} budgets)" if out.size > 1 else ""
        said.append(ratio_remark(tested, float(furthest)) + many)
    if np.any(far):
        own = np.reshape(compute, (-1, far.size))[:, np.ravel(far)]
        said.append(
            f"6 N D is up to {np.nanmax(np.nanmedian(own, 0)) / tested['C'][1]:.2g} times that of "
            f"the largest run"
        )
    return said
