"""The plane of N and D: isoloss contours, budget, limits, the optimum, and how flat it is.

A plan is a point where a contour of the loss touches the line of its budget. In logarithms of N and D everything about it
can be seen at once: 6 N D is a straight line, other costs bend; the other limits cut off parts of the plane; the optima over
budgets are the efficient frontier; and plans within a tenth of a per cent of the best form a sliver along the budget, as
long as the loss is flat. Everything is drawn from the question that the plan answers: its goal, limits and bounds, evaluated
on a grid.
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
from ..plans._near_optimal import Region
from ..plans._problem import Question
from ..plans._question import Put
from ..table._runs import Runs
from ._figure import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, cost_unit, new, short
from ._plane import GRID, View, band, curves, values, with_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEVELS, _BUDGETS, _CLOUD = 9, 4, 400
_CLEAR = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}  # behind what is written over lines
_REACH = 30.0  # as many times smaller than the plan, the frontier begins
_STYLES = [(RED, "-.", "//"), (PURPLE, (0, (6, 2)), "\\\\"), (GREEN, (0, (3, 1, 1, 1)), ".."), (SKY, (0, (1, 1)), "xx")]


def frontier(plan: Allocation | Fit, runs: Runs | None = None, *, loss_slack: float = 0.001) -> Figure:
    """Isoloss contours over N [parameters] and D [tokens], with budget, limits, frontier and nearly optimal plans.

    `plan` comes from `allocate` for a law, a fit or an ensemble, with N and D to choose and any cost, limits and bounds of
    them; a fit alone is planned over the compute of its runs and ten times beyond. The orange sliver holds every plan within
    the share `loss_slack` of the best, as `plan.near_optimal` has it. Beyond a limit the plane is hatched. Of an ensemble the
    contours are those of its point, and dots are optima of refits. Of many budgets four are drawn; the frontier joins all,
    or optima at other budgets where there is one. Raises InputError where other columns are chosen: hold them by `given=`.

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
    seen = {c: np.concatenate([np.ravel(v[c]) for v in (path, region.low, region.high)]) for c in ("N", "D")}
    view = View.around(seen, runs)
    questions = [with_limits(asked, limits[lane]) for lane in lanes]
    fields = [values(question, *view.mesh) for question in questions]

    figure, (ax,), _ = new(8.6, 6.2)
    ax.set(xscale="log", yscale="log", xlim=np.exp(view.x[[0, -1]]), ylim=np.exp(view.y[[0, -1]]))
    goals = np.atleast_1d(plan.loss if plan.value is None else plan.value)[lanes]
    _contours(ax, view, questions[0], fields[0], goals)
    if runs is not None:
        ax.scatter(runs["N"], runs["D"], s=10, color=GREY, alpha=0.7, linewidth=0, zorder=2.5, label="runs")
    if len(path["N"]) > 1:
        ax.plot(path["N"], path["D"], color=BLACK, linewidth=1.6, zorder=4, label="efficient frontier")
    unit = " FLOP" if cost_unit(asked) == "FLOP" else ""
    said = region.said.replace("loss", _goal(asked.question))
    for i, (lane, question, field) in enumerate(zip(lanes, questions, fields, strict=True)):
        _held(ax, view, question=question, field=field, cost=float(np.atleast_1d(plan.cost)[lane]), unit=unit, first=i == 0)
        _sliver(
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
    _cut_off(ax, view, questions, fields)
    _title(figure, ax, asked)
    return figure


def _drawn(plan: Allocation) -> np.ndarray:
    """Which of the plan's budgets are drawn: up to four of those that have a valid plan."""
    lanes = np.flatnonzero(np.atleast_1d(np.asarray(plan.status) == 0))
    if not len(lanes):
        raise refuse("plots.frontier: no plan is valid", why=plan.remarks[0], change="the limits or the bounds")
    return np.unique(lanes[np.round(np.linspace(0, len(lanes) - 1, _BUDGETS)).astype(int)])


def _title(figure: Any, ax: Any, asked: Put) -> None:
    nats = f" [{asked.question.law.unit.name}]" if _goal(asked.question) == "loss" else ""
    title = f"{asked.question.law.name}: contours of the {_goal(asked.question)}{nats}"
    ax.set(xlabel="N [parameters]", ylabel="D [tokens]", title=title)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter("")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)


def _refits(ax: Any, cloud: Allocation, lanes: np.ndarray) -> None:
    """Optima of the refits, some hundred of them, at the budgets that are drawn."""
    every = np.linspace(0, len(cloud.loss) - 1, min(_CLOUD, len(cloud.loss))).astype(int)
    at = [np.reshape(cloud[c], (len(cloud.loss), -1))[np.ix_(every, lanes)].ravel() for c in ("N", "D")]
    ax.scatter(*at, s=70, marker="|", color=SKY, alpha=0.3, linewidth=0.7, zorder=2.8)
    ax.plot([], [], "|", color=SKY, markersize=9, label="optima of refits")


def _optima(ax: Any, n: np.ndarray, d: np.ndarray, goals: np.ndarray) -> None:
    """The optimum of each budget, with what is reached there."""
    ax.plot(n, d, "o", color=BLACK, markeredgecolor="white", markersize=7, zorder=6, label="optimum")
    for at, *place in zip(goals, n, d, strict=True):
        beside = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "bbox": _CLEAR}
        ax.annotate(f"{at:#.4g}", place, fontsize=8, color=BLACK, zorder=7, **beside)


def _over_runs(fit: Fit | Ensemble) -> Allocation:
    """Plans of a fit over the compute of its runs, and ten times beyond."""
    law, runs = fit.problem.law, fit.problem.runs
    if set(law.columns) != {"N", "D"} or law.groups:
        raise refuse(
            f"plots.frontier: {law.name} has {', '.join([*law.columns, *dict(law.groups).values()])}",
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
    """Optima (k,) over budgets or targets: those of the plan, or of the same question with other amounts of what it holds."""
    names = [rule.name for rule in asked.question.rules]
    held = [i for i, name in enumerate(names) if name in ("budget", "target")]
    if asked.limits.ndim == 1 and held:
        t = np.append(np.log(np.geomspace(1 / _REACH, 5, 40)), 0.0)
        rule, limit = asked.question.rules[held[0]], asked.limits[held[0]]
        excess = values(with_limits(asked, asked.limits), np.log(plan["N"]) + t, np.log(plan["D"]) + t)["excess"][:, held[0]]
        limits = np.repeat(asked.limits[None], len(t), 0)
        limits[:, held[0]] = limit * np.exp(rule.side * excess) if rule.log else limit + rule.side * excess
        limits = limits[np.isfinite(limits).all(1)]
        others = named(solved(dataclasses.replace(asked, limits=limits, budget=None), fitted), asked, fitted)
        near = [np.abs(np.log(others[c] / plan[c])) <= np.log(1.1 * _REACH) for c in ("N", "D")]
        plan, ok = others, (np.asarray(others.status) == 0) & np.all(near, 0)
    elif asked.limits.ndim == 1:
        return {c: np.atleast_1d(plan[c]) for c in ("N", "D")}
    else:
        ok = np.asarray(plan.status) == 0
    order = np.argsort(np.where(ok, plan.cost, np.inf), kind="stable")[: int(ok.sum())]
    return {c: np.asarray(plan[c])[order] for c in ("N", "D")}


def _goal(question: Question) -> str:
    return "value" if question.goal.name == "what is maximised" else "loss"


def _contours(ax: Any, view: View, question: Question, field: dict[str, Any], best: np.ndarray) -> None:
    """Contours at equal steps along the diagonal, and darker those that touch the optima."""
    shown = np.ma.masked_invalid(-field["goal"] if question.goal.name == "what is maximised" else field["loss"])
    diagonal = np.diagonal(shown)[np.linspace(0, GRID - 1, _LEVELS + 2).astype(int)[1:-1]]
    levels = np.unique([float(f"{v:.3g}") for v in diagonal[np.isfinite(diagonal)]])
    if len(levels) > 1:
        levels = levels[np.all(np.abs(levels[:, None] - best) > 0.4 * np.gradient(levels)[:, None], 1)]
    plane = (np.exp(view.x), np.exp(view.y), shown)
    if len(levels):
        lines = ax.contour(*plane, levels=levels, colors=GREY, linewidths=0.7, linestyles="solid")
        ax.clabel(lines, fmt="%.3g", fontsize=7, inline_spacing=2)
    if question.goal.name != "cost":  # else it is the target
        ax.contour(*plane, levels=np.unique(best), colors=BLACK, linewidths=0.8, linestyles="solid")


def _held(ax: Any, view: View, question: Question, field: dict[str, Any], cost: float, unit: str, *, first: bool) -> None:
    """The line of the budget; of a target its contour, and the line of the least cost."""
    for i, rule in enumerate(question.rules):
        if rule.name in ("budget", "target"):
            amount = float(question.limits[i])
            said = f"{short(amount)}{unit}" if rule.name == "budget" else f"{_goal(question)} {amount:#.4g}"
            _labelled(ax, curves(view.x, view.y, field["excess"][..., i]), said, rule.name if first else None)
    if question.goal.name == "cost":
        lines = curves(view.x, view.y, np.log(field["cost"]) - np.log(cost))
        _labelled(ax, lines, f"{short(cost)}{unit}", "least cost" if first else None, dashes="--")


def _labelled(ax: Any, lines: list[np.ndarray], said: str, label: str | None, dashes: str = "-") -> None:
    for line in lines:
        ax.plot(*line.T, color=BLUE, linestyle=dashes, linewidth=1.4, zorder=3, label=label)
        label = None
    if lines:
        longest = max(lines, key=len)
        x, y = longest[np.argmax(longest[:, 1] - 1e-9 * longest[:, 0])]
        left = y < 0.9 * ax.get_ylim()[1]  # the line comes in from the left and falls, or from above
        place = {"xytext": (5, 4) if left else (16, -2), "ha": "left", "va": "bottom" if left else "top"}
        ax.annotate(said, (x, y), color=BLUE, fontsize=8, zorder=7, textcoords="offset points", bbox=_CLEAR, **place)


def _sliver(
    ax: Any, view: View, question: Question, region: Region, lane: Any, best: Any, loss: float, label: str | None
) -> None:
    """All plans within a share of the best."""
    ends = np.log([[np.atleast_1d(v[c])[lane] for v in (region.low, region.high)] for c in ("N", "D")])
    ends = np.where(np.isfinite(ends), ends, [view.x[[0, -1]], view.y[[0, -1]]])  # an end that was not found is looked for
    at = values(question, *np.log(np.reshape(best, (2, 1))))
    slack = np.zeros(len(question.rules))
    goal = at["goal"][0]
    if question.goal.name == "cost":  # the cost of the best plan, and a target that is missed by the share
        names = [rule.name for rule in question.rules]
        i = names.index("target")
        rule, limit = question.rules[i], question.limits[i]
        slack[i] = np.log1p(loss) if rule.log else abs(limit) * loss
    else:
        goal = goal + (np.log1p(loss) if question.goal.log else abs(goal) * loss)

    def worst(x: Any, y: Any) -> Any:
        field = values(question, x, y)
        within = np.max(np.concatenate([field["excess"] - slack, (field["goal"] - goal)[..., None]], -1), -1)
        places = [(x if column == "N" else y, place) for column, _, place in question.shape.slices]
        return np.max([within, *(z - question.high[i] for z, i in places), *(question.low[i] - z for z, i in places)], 0)

    outline = band(worst, *ends)
    ax.fill(*outline.T, facecolor=ORANGE, edgecolor=ORANGE, linewidth=1.8, joinstyle="round", zorder=5, label=label)


def _cut_off(ax: Any, view: View, questions: list[Question], fields: list[dict[str, Any]]) -> None:
    """Limits other than budget and target, and bounds: the line of each, hatched where no drawn plan may be."""
    x, y = view.mesh
    cuts: list[tuple[str, list[np.ndarray]]] = []
    for i, rule in enumerate(questions[0].rules):
        if rule.name in ("budget", "target"):
            continue
        amounts = {float(q.limits[i]) for q in questions}
        side = "at most" if rule.side > 0 else "at least"
        said = f"{rule.name} {side} {short(min(amounts))}" if len(amounts) == 1 else rule.name
        cuts.append((said, [f["excess"][..., i] for f in fields[: 1 if len(amounts) == 1 else None]]))
    for column, _, place in questions[0].shape.slices:
        at = x if column == "N" else y
        for side, bound, excess in (("least", questions[0].low[place], -1.0), ("most", questions[0].high[place], 1.0)):
            if np.isfinite(bound):
                cuts.append((f"{column} at {side} {short(np.exp(bound))}", [excess * (at - bound)]))
    for (said, over), (color, dashes, hatch) in zip(cuts, _STYLES * len(cuts), strict=False):
        label: str | None = said
        for field in over:
            for line in curves(view.x, view.y, field):
                ax.plot(*line.T, color=color, linestyle=dashes, linewidth=1.5, zorder=3.5, label=label)
                label = None
        beyond = np.min(over, 0)
        if np.any(beyond > 0):
            plane = (np.exp(view.x), np.exp(view.y), np.ma.masked_invalid(beyond))
            areas = ax.contourf(*plane, levels=[0.0, np.inf], colors="none", hatches=[hatch])
            areas.set(edgecolor=(color, 0.35), linewidth=0.0, facecolor="none")
