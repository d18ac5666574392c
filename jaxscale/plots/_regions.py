"""What lies on the plane of N and D: contours, budgets, limits, and the sliver of nearly optimal
plans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..plans._near_optimal import Region
from ..plans._problem import Question
from ._figure import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, short
from ._plane import GRID, View, band, curves, values

if TYPE_CHECKING:
    pass

_LEVELS = 9
# behind what is written over lines
CLEAR = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
_STYLES = [
    (RED, "-.", "//"),
    (PURPLE, (0, (6, 2)), "\\\\"),
    (GREEN, (0, (3, 1, 1, 1)), ".."),
    (SKY, (0, (1, 1)), "xx"),
]


def goal_name(question: Question) -> str:
    return "value" if question.goal.name == "what is maximised" else "loss"


def contours(
    ax: Any, view: View, question: Question, field: dict[str, Any], best: np.ndarray
) -> None:
    """Contours at equal steps along the diagonal, and darker those that touch the optima."""
    shown = np.ma.masked_invalid(
        -field["goal"] if question.goal.name == "what is maximised" else field["loss"]
    )
    diagonal = np.diagonal(shown)[np.linspace(0, GRID - 1, _LEVELS + 2).astype(int)[1:-1]]
    levels = np.unique([float(f"{v:.3g}") for v in diagonal[np.isfinite(diagonal)]])
    if len(levels) > 1:
        levels = levels[
            np.all(np.abs(levels[:, None] - best) > 0.4 * np.gradient(levels)[:, None], 1)
        ]
    plane = (np.exp(view.x), np.exp(view.y), shown)
    if len(levels):
        lines = ax.contour(*plane, levels=levels, colors=GREY, linewidths=0.7, linestyles="solid")
        ax.clabel(lines, fmt="%.3g", fontsize=7, inline_spacing=2)
    if question.goal.name != "cost":  # else it is the target
        ax.contour(*plane, levels=np.unique(best), colors=BLACK, linewidths=0.8, linestyles="solid")


def held_by(
    ax: Any,
    view: View,
    question: Question,
    field: dict[str, Any],
    cost: float,
    unit: str,
    *,
    first: bool,
) -> None:
    """The line of the budget; of a target its contour, and the line of the least cost."""
    for i, rule in enumerate(question.rules):
        if rule.name in ("budget", "target"):
            amount = float(question.limits[i])
            said = (
                f"{short(amount)}{unit}"
                if rule.name == "budget"
                else f"{goal_name(question)} {amount:#.4g}"
            )
            _labelled(
                ax,
                curves(view.x, view.y, field["excess"][..., i]),
                said,
                rule.name if first else None,
            )
    if question.goal.name == "cost":
        lines = curves(view.x, view.y, np.log(field["cost"]) - np.log(cost))
        _labelled(ax, lines, f"{short(cost)}{unit}", "least cost" if first else None, dashes="--")


def _labelled(
    ax: Any, lines: list[np.ndarray], said: str, label: str | None, dashes: str = "-"
) -> None:
    for line in lines:
        ax.plot(*line.T, color=BLUE, linestyle=dashes, linewidth=1.4, zorder=3, label=label)
        label = None
    if lines:
        longest = max(lines, key=len)
        x, y = longest[np.argmax(longest[:, 1] - 1e-9 * longest[:, 0])]
        # the line comes in from the left and falls, or from above
        left = y < 0.9 * ax.get_ylim()[1]
        place = {
            "xytext": (5, 4) if left else (16, -2),
            "ha": "left",
            "va": "bottom" if left else "top",
        }
        ax.annotate(
            said,
            (x, y),
            color=BLUE,
            fontsize=8,
            zorder=7,
            textcoords="offset points",
            bbox=CLEAR,
            **place,
        )


def sliver(
    ax: Any,
    view: View,
    question: Question,
    region: Region,
    lane: Any,
    best: Any,
    loss: float,
    label: str | None,
) -> None:
    """All plans within a share of the best."""
    ends = np.log(
        [[np.atleast_1d(v[c])[lane] for v in (region.low, region.high)] for c in ("N", "D")]
    )
    # an end that was not found is looked for
    ends = np.where(np.isfinite(ends), ends, [view.x[[0, -1]], view.y[[0, -1]]])
    at = values(question, *np.log(np.reshape(best, (2, 1))))
    slack = np.zeros(len(question.rules))
    goal = at["goal"][0]
    # the cost of the best plan, and a target that is missed by the share
    if question.goal.name == "cost":
        names = [rule.name for rule in question.rules]
        i = names.index("target")
        rule, limit = question.rules[i], question.limits[i]
        slack[i] = np.log1p(loss) if rule.log else abs(limit) * loss
    else:
        goal = goal + (np.log1p(loss) if question.goal.log else abs(goal) * loss)

    def worst(x: Any, y: Any) -> Any:
        field = values(question, x, y)
        within = np.max(
            np.concatenate([field["excess"] - slack, (field["goal"] - goal)[..., None]], -1), -1
        )
        places = [(x if column == "N" else y, place) for column, _, place in question.shape.slices]
        return np.max(
            [
                within,
                *(z - question.high[i] for z, i in places),
                *(question.low[i] - z for z, i in places),
            ],
            0,
        )

    outline = band(worst, *ends)
    ax.fill(
        *outline.T,
        facecolor=ORANGE,
        edgecolor=ORANGE,
        linewidth=1.8,
        joinstyle="round",
        zorder=5,
        label=label,
    )


def cut_off(ax: Any, view: View, questions: list[Question], fields: list[dict[str, Any]]) -> None:
    """Limits other than budget and target, and bounds: the line of each, hatched where no drawn
    plan may be.
    """
    x, y = view.mesh
    cuts: list[tuple[str, list[np.ndarray]]] = []
    for i, rule in enumerate(questions[0].rules):
        if rule.name in ("budget", "target"):
            continue
        amounts = {float(q.limits[i]) for q in questions}
        side = "at most" if rule.side > 0 else "at least"
        said = f"{rule.name} {side} {short(min(amounts))}" if len(amounts) == 1 else rule.name
        cuts.append(
            (said, [f["excess"][..., i] for f in fields[: 1 if len(amounts) == 1 else None]])
        )
    for column, _, place in questions[0].shape.slices:
        at = x if column == "N" else y
        for side, bound, excess in (
            ("least", questions[0].low[place], -1.0),
            ("most", questions[0].high[place], 1.0),
        ):
            if np.isfinite(bound):
                cuts.append((f"{column} at {side} {short(np.exp(bound))}", [excess * (at - bound)]))
    for (said, over), (color, dashes, hatch) in zip(cuts, _STYLES * len(cuts), strict=False):
        label: str | None = said
        for field in over:
            for line in curves(view.x, view.y, field):
                ax.plot(
                    *line.T, color=color, linestyle=dashes, linewidth=1.5, zorder=3.5, label=label
                )
                label = None
        beyond = np.min(over, 0)
        if np.any(beyond > 0):
            plane = (np.exp(view.x), np.exp(view.y), np.ma.masked_invalid(beyond))
            areas = ax.contourf(*plane, levels=[0.0, np.inf], colors="none", hatches=[hatch])
            areas.set(edgecolor=(color, 0.35), linewidth=0.0, facecolor="none")
