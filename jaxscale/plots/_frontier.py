"""The plane of N and D: isoloss contours, budget, limits, the optimum, and how flat it is.

A plan is a point where a contour of the loss touches the line of its budget. In logarithms of N and
D everything about it can be seen at once: 6 N D is a straight line, other costs bend; the other
limits cut off parts of the plane; the optima over budgets are the efficient frontier; and plans
within a tenth of a per cent of the best form a sliver along the budget, as long as the loss is
flat. Everything is drawn from the question that the plan answers: its goal, limits and bounds,
evaluated on a grid.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ..costs import Train
from ..fitting._results import Ensemble, Fit, Fitted, point_of
from ..ground._errors import refuse
from ..plans._allocate import Allocation, allocate
from ..plans._allocate import allocation as named
from ..plans._answers import solved
from ..plans._question import Put
from ..table._runs import Runs
from ._figure import BLACK, GREY, SKY, cost_unit, new
from ._plane import View, values, with_limits
from ._regions import CLEAR, contours, cut_off, goal_name, held_by, sliver

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BUDGETS, _CLOUD = 4, 400
_REACH = 30.0  # as many times smaller than the plan, the frontier begins


def frontier(
    plan: Allocation | Fit, runs: Runs | None = None, *, loss_slack: float = 0.001
) -> Figure:
    """Isoloss contours over N [parameters] and D [tokens], with budget, limits, frontier and nearly
    optimal plans.

    `plan` comes from `allocate` for a law, a fit or an ensemble, with N and D to choose and any
    cost, limits and bounds of them; a fit alone is planned over the compute of its runs and ten
    times beyond. The orange sliver holds every plan within the share `loss_slack` of the best, as
    `plan.near_optimal` has it. Beyond a limit the plane is hatched. Of an ensemble the contours are
    those of its point, and dots are optima of refits. Of many budgets four are drawn; the frontier
    joins all, or optima at other budgets where there is one. Raises InputError where other columns
    are chosen: hold them by `given=`.

    >>> import jaxscale as jsl
    >>> law = jsl.laws.chinchilla.published["hoffmann2022"]
    >>> figure = frontier(jsl.allocate(law, 1e23, bounds={"D": (None, 2e12)}))
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['efficient frontier', 'budget', 'loss within 0.1 %', 'optimum', 'D at most 2e12']
    """
    if isinstance(plan, Fitted):
        point_of(plan, "plots.frontier")  # of one table
        plan = _over_runs(plan)
    asked, fitted = plan.asked
    _check(plan, asked)
    runs = fitted.problem.runs if runs is None and fitted is not None else runs
    runs = runs if runs is not None and {"N", "D"} <= set(runs.columns) else None
    cloud = plan if np.ndim(fitted.value if fitted is not None else 0) else None
    if cloud is not None:
        plan = named(solved(asked, fitted.point), asked, fitted.point)
        asked, fitted = plan.asked
    if fitted is not None:
        asked = dataclasses.replace(asked, question=asked.question.under(fitted.law))

    limits, lanes = np.atleast_2d(asked.limits), _drawn(plan)
    n, d = (np.atleast_1d(plan[c]) for c in ("N", "D"))
    region = plan.near_optimal(loss_slack=loss_slack)
    path = _frontier(plan, asked, fitted)
    seen = {
        c: np.concatenate([np.ravel(v[c]) for v in (path, region.low, region.high)])
        for c in ("N", "D")
    }
    view = View.around(seen, runs)
    questions = [with_limits(asked, limits[lane]) for lane in lanes]
    fields = [values(question, *view.mesh) for question in questions]

    figure, (ax,), _ = new(8.6, 6.2)
    ax.set(xscale="log", yscale="log", xlim=np.exp(view.x[[0, -1]]), ylim=np.exp(view.y[[0, -1]]))
    goals = np.atleast_1d(plan.loss if plan.value is None else plan.value)[lanes]
    contours(ax, view, questions[0], fields[0], goals)
    if runs is not None:
        ax.scatter(
            runs["N"], runs["D"], s=10, color=GREY, alpha=0.7, linewidth=0, zorder=2.5, label="runs"
        )
    if len(path["N"]) > 1:
        ax.plot(
            path["N"], path["D"], color=BLACK, linewidth=1.6, zorder=4, label="efficient frontier"
        )
    unit = " FLOP" if cost_unit(asked) == "FLOP" else ""
    said = region.said.replace("loss", goal_name(asked.question))
    for i, (lane, question, field) in enumerate(zip(lanes, questions, fields, strict=True)):
        held_by(
            ax,
            view,
            question=question,
            field=field,
            cost=float(np.atleast_1d(plan.cost)[lane]),
            unit=unit,
            first=i == 0,
        )
        sliver(
            ax,
            view,
            question=question,
            region=region,
            lane=lane,
            best=(n[lane], d[lane]),
            loss=loss_slack,
            label=said if i == 0 else None,
        )
    if cloud is not None:
        _refits(ax, cloud, lanes)
    _optima(ax, n[lanes], d[lanes], goals)
    cut_off(ax, view, questions, fields)
    _title(figure, ax, asked)
    return figure


def _drawn(plan: Allocation) -> np.ndarray:
    """Which of the plan's budgets are drawn: up to four of those that have a valid plan."""
    lanes = np.flatnonzero(np.atleast_1d(np.asarray(plan.status) == 0))
    if not len(lanes):
        raise refuse(
            "plots.frontier: no plan is valid",
            why=plan.remarks[0],
            change="the limits or the bounds",
        )
    return np.unique(lanes[np.round(np.linspace(0, len(lanes) - 1, _BUDGETS)).astype(int)])


def _title(figure: Any, ax: Any, asked: Put) -> None:
    nats = f" [{asked.question.law.unit.name}]" if goal_name(asked.question) == "loss" else ""
    title = f"{asked.question.law.name}: contours of the {goal_name(asked.question)}{nats}"
    ax.set(xlabel="N [parameters]", ylabel="D [tokens]", title=title)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter("")
    figure.legend(
        *ax.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9
    )


def _refits(ax: Any, cloud: Allocation, lanes: np.ndarray) -> None:
    """Optima of the refits, some hundred of them, at the budgets that are drawn."""
    every = np.linspace(0, len(cloud.loss) - 1, min(_CLOUD, len(cloud.loss))).astype(int)
    at = [
        np.reshape(cloud[c], (len(cloud.loss), -1))[np.ix_(every, lanes)].ravel()
        for c in ("N", "D")
    ]
    ax.scatter(*at, s=70, marker="|", color=SKY, alpha=0.3, linewidth=0.7, zorder=2.8)
    ax.plot([], [], "|", color=SKY, markersize=9, label="optima of refits")


def _optima(ax: Any, n: np.ndarray, d: np.ndarray, goals: np.ndarray) -> None:
    """The optimum of each budget, with what is reached there."""
    ax.plot(
        n, d, "o", color=BLACK, markeredgecolor="white", markersize=7, zorder=6, label="optimum"
    )
    for at, *place in zip(goals, n, d, strict=True):
        beside = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "bbox": CLEAR}
        ax.annotate(f"{at:#.4g}", place, fontsize=8, color=BLACK, zorder=7, **beside)


def _over_runs(fit: Fit | Ensemble) -> Allocation:
    """Plans of a fit over the compute of its runs, and ten times beyond."""
    law, runs = fit.problem.law, fit.problem.runs
    if set(law.columns) != {"N", "D"} or law.groups:
        raise refuse(
            f"plots.frontier: {law.name} has "
            f"{', '.join([*law.columns, *dict(law.groups).values()])}",
            why="only laws of N and D alone are planned without being told for what",
            change="plots.frontier(allocate(fit, budgets, given={...}))",
        )
    compute = Train()(runs["N"], runs["D"])
    return allocate(fit, np.geomspace(compute.min(), 10 * compute.max(), 25))


def _check(plan: Allocation, asked: Put) -> None:
    shape = asked.question.shape
    if asked.options or set(shape.over) != {"N", "D"} or not all(shape.log):
        chosen = ", ".join([*shape.over, *asked.options])
        raise refuse(
            f"plots.frontier: the plan chooses {chosen}",
            why="the plane has N and D, and the other columns vary over it",
            change='a plan of N and D: allocate(..., given={"U": 1e12}) without choices',
        )


def _frontier(plan: Allocation, asked: Put, fitted: Fit | None) -> dict[str, np.ndarray]:
    """Optima (k,) over budgets or targets: those of the plan, or of the same question with other
    amounts of what it holds.
    """
    names = [rule.name for rule in asked.question.rules]
    held = [i for i, name in enumerate(names) if name in ("budget", "target")]
    if asked.limits.ndim == 1 and held:
        t = np.append(np.log(np.geomspace(1 / _REACH, 5, 40)), 0.0)
        rule, limit = asked.question.rules[held[0]], asked.limits[held[0]]
        excess = values(
            with_limits(asked, asked.limits), np.log(plan["N"]) + t, np.log(plan["D"]) + t
        )["excess"][:, held[0]]
        limits = np.repeat(asked.limits[None], len(t), 0)
        limits[:, held[0]] = (
            limit * np.exp(rule.side * excess) if rule.log else limit + rule.side * excess
        )
        limits = limits[np.isfinite(limits).all(1)]
        others = named(
            solved(dataclasses.replace(asked, limits=limits, budget=None), fitted), asked, fitted
        )
        near = [np.abs(np.log(others[c] / plan[c])) <= np.log(1.1 * _REACH) for c in ("N", "D")]
        plan, ok = others, (np.asarray(others.status) == 0) & np.all(near, 0)
    elif asked.limits.ndim == 1:
        return {c: np.atleast_1d(plan[c]) for c in ("N", "D")}
    else:
        ok = np.asarray(plan.status) == 0
    order = np.argsort(np.where(ok, plan.cost, np.inf), kind="stable")[: int(ok.sum())]
    return {c: np.asarray(plan[c])[order] for c in ("N", "D")}
