"""What limits are worth: the shadow price of each against the budget, and where it holds the plan.

Prices of memory, tokens and FLOP have different units and cannot share an axis. What a plan gains
when a limit is 1 % looser can: the price times the limit, over 100. Loosening is raising a limit
from above and lowering one from below, so that the gain is never negative. It is the slope at the
limit, right for small changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..ground._errors import check_level, refuse
from ..plans._allocate import Allocation
from ._figure import BLACK, GREY, PALE, SERIES, cost_unit, new, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def prices(plan: Allocation, *, level: float = 0.95) -> Figure:
    """Loss [nats/token] saved by 1 % more of each limit against the budget [FLOP], over bars of
    what binds where.

    `plan` comes from `allocate` with an array of budgets, or of targets: then it is the cost saved
    [% of the cost] by 0.1 %, since 1 % of a loss is a factor in cost. Lines stop where a limit does
    not bind, since it is worth nothing there. Columns at a bound have a bar too; for an ensemble,
    bars are as thick as the share of refits that the limit binds, and lines are medians with the
    interval at `level`. Raises InputError for a plan of one budget.

    >>> import jaxscale as jsl
    >>> law = jsl.laws.chinchilla.published["hoffmann2022"]
    >>> plan = jsl.allocate(law, np.geomspace(1e22, 1e25, 7), bounds={"D": (None, 2e12)})
    >>> [text.get_text() for text in prices(plan).axes[1].get_yticklabels()]
    ['budget', 'D at a bound']
    """
    check_level("plots.prices()", level)
    asked = plan.asked[0]
    names = [rule.name for rule in asked.question.rules]
    held = next((name for name in ("budget", "target") if name in names), None)
    if held is None or asked.limits.ndim != 2 or len(asked.limits) < 2:
        raise refuse(
            "plots.prices: the plan is not one over several budgets or targets",
            why="one budget was given",
            change="allocate(law, np.geomspace(1e20, 1e25, 30), constraints=...)",
        )
    amounts = asked.limits[:, names.index(held)]
    order = np.argsort(amounts)
    x, ok = amounts[order], (np.asarray(plan.status) == 0)[..., order]
    worth = {name: np.where(ok, gain[..., order], np.nan) for name, gain in gains(plan).items()}
    binds = {
        name: np.where(ok, np.asarray(b)[..., order], False) for name, b in plan.binding.items()
    }
    at_bound = {
        f"{c} at a bound": _any_side(a, ok.shape)[..., order] & ok for c, a in plan.active.items()
    }
    binds |= {name: b for name, b in at_bound.items() if np.any(b)}
    if not np.all(ok):
        binds["no valid plan"] = ~ok

    styles = dict(zip(worth, SERIES * len(worth), strict=False))
    figure, (top, bottom), _ = new(
        8.0,
        4.4 + 0.28 * len(binds),
        2,
        1,
        sharex=True,
        height_ratios=[4.0, 0.35 + 0.33 * len(binds)],
    )
    _lines(top, x, {name: spread(gain, level) for name, gain in worth.items()}, styles)
    _bars(bottom, x, binds, styles)
    for at in _switches(_edges(x), binds):
        for ax in (top, bottom):
            ax.axvline(at, color=BLACK, linewidth=0.7, linestyle=(0, (2, 3)), zorder=0.5)

    maximised = asked.question.goal.name == "what is maximised"
    unit = (
        "% of the cost" if held == "target" else ("" if maximised else asked.question.law.unit.name)
    )
    loosened = 0.1 if held == "target" else 1
    gained = "cost saved" if held == "target" else ("value gained" if maximised else "loss saved")
    label = f"{gained} if a limit is {loosened} % looser" + (f"\n[{unit}]" if unit else "")
    top.set(
        xscale="log" if held == "budget" else "linear",
        ylabel=label,
        title="what each limit is worth",
    )
    top.legend(frameon=False, fontsize=9)
    bottom.set_title(
        "what binds" if ok.ndim == 1 else "what binds, in which share of the refits",
        fontsize=10,
        loc="left",
    )
    bottom.set_xlabel(
        f"{held} [{cost_unit(asked) if held == 'budget' else asked.question.law.unit.name}]"
    )
    return figure


def _lines(ax: Any, x: np.ndarray, worth: dict[str, Any], styles: dict[str, Any]) -> None:
    """What each limit is worth, over an axis that begins at half of the least that is drawn."""
    floor = 0.5 * min(
        float(np.min(middle, where=middle > 0, initial=np.inf)) for _, middle, _ in worth.values()
    )
    floor = floor if np.isfinite(floor) else 1e-6
    for name, (low, middle, high) in worth.items():
        color, dashes = styles[name]
        if low is not None:
            ax.fill_between(
                x,
                np.maximum(low, floor),
                high,
                where=high > floor,
                color=color,
                alpha=0.18,
                linewidth=0,
            )
        shown = np.where(middle > 0, middle, np.nan)
        ax.plot(
            x,
            shown,
            color=color,
            linestyle=dashes,
            linewidth=1.8,
            marker="o",
            markersize=3,
            label=name,
        )
    ax.set_yscale("log")
    ax.set_ylim(bottom=floor)


def _bars(ax: Any, x: np.ndarray, binds: dict[str, np.ndarray], styles: dict[str, Any]) -> None:
    """A bar for each limit where it binds, as thick as the share of refits."""
    edges = _edges(x)
    for place, (name, held_by) in enumerate(binds.items()):
        part = np.mean(np.atleast_2d(held_by), 0)
        half = 0.38 * np.repeat(np.where(part > 0, np.maximum(part, 0.05), 0.0), 2)
        color = styles[name][0] if name in styles else GREY
        ax.fill_between(
            np.repeat(edges, 2)[1:-1], place - half, place + half, color=color, linewidth=0
        )
    ax.set_yticks(range(len(binds)), list(binds))
    ax.set(xlim=edges[[0, -1]], ylim=(len(binds) - 0.4, -0.6), facecolor=PALE + "60")
    ax.grid(False)


def gains(plan: Allocation) -> dict[str, Any]:
    """What the goal gains (..., budgets) when each limit is 1 % looser; of a cost, % of it for 0.1
    %.
    """
    asked = plan.asked[0]
    scale = 0.1 / np.asarray(plan.cost) if asked.question.goal.name == "cost" else 0.01
    found = {}
    for name, price in plan.prices.items():
        sides = {
            r.side: asked.limits[..., i]
            for i, r in enumerate(asked.question.rules)
            if r.name == name
        }
        upper, lower = (sides.get(side, np.zeros(())) for side in (1.0, -1.0))
        price = np.asarray(price)
        found[name] = scale * np.maximum(
            np.where(price > 0, price * np.abs(upper), -price * np.abs(lower)), 0.0
        )
    return found


def _any_side(active: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Whether a column, or any of its shares, sits at a bound."""
    active = np.asarray(active) != 0
    return active if active.shape == shape else np.asarray(np.any(active, -1))


def _edges(x: np.ndarray) -> np.ndarray:
    """Cells around ascending positive amounts: they meet at geometric means."""
    y = np.log(x)
    between = 0.5 * (y[1:] + y[:-1])
    return np.asarray(
        np.exp(np.concatenate([[2 * y[0] - between[0]], between, [2 * y[-1] - between[-1]]]))
    )


def _switches(edges: np.ndarray, binds: dict[str, np.ndarray]) -> np.ndarray:
    """Where what binds changes for more than half of the refits."""
    most = np.array([np.mean(np.atleast_2d(b), 0) > 0.5 for b in binds.values()])
    changes = np.any(most[:, 1:] != most[:, :-1], axis=0)
    return np.asarray(edges[1:-1][changes])
