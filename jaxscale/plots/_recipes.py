"""Two recipes over compute: both curves of least loss, what the multiplier is, and where they
cross.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..ground._errors import refuse
from ..ground._interval import Interval
from ..selection._recipes import Recipes
from ._figure import BLACK, BLUE, GREY, ORANGE, RED, cost_unit, new, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLEAR = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
_MOST = 4  # arrows that can be read


def recipes(found: Recipes, *, names: tuple[str, str] = ("base", "other")) -> Figure:
    """Least loss [the law's unit] of both recipes against the budget [FLOP], and below the
    multiplier.

    `found` comes from `recipes`. Bands are its intervals; a bar at equal loss joins the budgets of
    both recipes where the multiplier was asked for (at most four are drawn); crossings are marked
    in both panels, with the budgets at which either recipe may be the better. Raises InputError for
    other things.

    >>> import jaxscale as jsl
    >>> runs, law = jsl.datasets.load("simulated"), jsl.laws.chinchilla
    >>> better = jsl.Runs.from_columns(N=runs["N"], D=runs["D"], loss=0.99 * runs["loss"])
    >>> fits = jsl.fit(law, [runs, better], objective=jsl.objectives.LogSquared(), starts=32)
    >>> figure = recipes(jsl.selection.recipes(fits[0], fits[1], budget=1e22),
    ...     names=("web", "filtered"))
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['web', 'filtered']
    """
    if not isinstance(found, Recipes):
        raise refuse(
            f"plots.recipes: a {type(found).__name__}",
            why="fits were given",
            change="plots.recipes(jsl.selection.recipes(fits[0], fits[1], budget=1e22))",
        )
    curves, x = found.curves, found.curves.budget
    law = found.of[0].problem.law
    figure, (top, bottom), _ = new(8.4, 7.0, 2, 1, sharex=True, height_ratios=[3, 2])
    for band, name, color, dashes in (
        (curves.base, names[0], BLUE, "-"),
        (curves.other, names[1], RED, "--"),
    ):
        top.fill_between(x, *_drawable(band), color=color, alpha=0.15, linewidth=0)
        top.plot(x, band.point, color=color, linestyle=dashes, linewidth=1.8, label=name)
    losses = np.concatenate([curves.base.point, curves.other.point])
    top.set(
        xscale="log",
        yscale="log",
        xlim=x[[0, -1]],
        ylim=(0.96 * np.nanmin(losses), 1.02 * np.nanmax(losses)),
    )
    _arrows(top, found)
    bottom.fill_between(x, *_drawable(curves.multiplier), color=BLACK, alpha=0.15, linewidth=0)
    bottom.plot(x, curves.multiplier.point, color=BLACK, linewidth=1.8)
    bottom.axhline(1.0, color=GREY, linewidth=0.9)
    bottom.set(yscale="log", ylim=_reach(curves.multiplier))
    _crossings(top, bottom, found)
    title = (
        f"{law.name}: {found.pairs} of {found.rows[0]} runs paired, "
        f"{found.multiplier.level:.0%} intervals"
    )
    top.set(ylabel=f"least loss [{law.unit.name}]", title=title)
    bottom.set(
        xlabel=f"budget [{cost_unit(found.asked)}]",
        ylabel=f"compute that {names[0]} needs\nto match {names[1]} [times]",
    )
    for ax in (top, bottom):
        ax.yaxis.set_major_locator(
            _places(
                *(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
                if ax is bottom
                else (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
            )
        )
        ax.yaxis.set_major_formatter("{x:.3g}")
        ax.yaxis.set_minor_formatter("")
    figure.legend(
        *top.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9
    )
    return figure


def _places(*digits: float) -> Any:
    from matplotlib import ticker

    return ticker.LogLocator(subs=digits, numticks=8)


def _drawable(band: Interval) -> tuple[np.ndarray, np.ndarray]:
    """Low and high; a band without ends is drawn from edge to edge."""
    return np.where(band.low > 0, band.low, 1e-9), np.where(np.isfinite(band.high), band.high, 1e9)


def _reach(multiplier: Interval) -> tuple[float, float]:
    """From the least to the largest multiplier, and as much of the band as does not hide
    the curve.
    """
    own = multiplier.point[np.isfinite(multiplier.point) & (multiplier.point > 0)]
    ends = np.log(np.concatenate([own, [1.0]]))
    room = max(0.5 * np.ptp(ends), 0.25)
    band = np.log(np.concatenate(_drawable(multiplier)))
    low, high = max(band.min(), ends.min() - 2 * room), min(band.max(), ends.max() + 2 * room)
    return float(np.exp(min(low, ends.min()) - 0.2 * room)), float(
        np.exp(max(high, ends.max()) + 0.2 * room)
    )


def _arrows(ax: Any, found: Recipes) -> None:
    """From the budget of other to that of base with the same loss; to the left of the falling
    curves there is room for words.
    """
    m, low, high = (
        np.atleast_1d(v)
        for v in (found.multiplier.point, found.multiplier.low, found.multiplier.high)
    )
    x = found.curves.budget
    usable = np.flatnonzero(np.isfinite(m) & (m > 0))
    for i in (
        usable[np.unique(np.round(np.linspace(0, len(usable) - 1, _MOST)).astype(int))]
        if len(usable)
        else []
    ):
        if found.budget is not None:
            at = float(np.atleast_1d(found.budget)[i])
            loss = _read(x, found.curves.other.point, at)
        else:
            loss = float(np.atleast_1d(found.target)[i])
            at = _read(-found.curves.other.point, x, -loss)
        ends = np.sort([at, at * float(m[i])])
        ax.plot(ends, [loss, loss], "|-", color=BLACK, linewidth=1.4, markersize=7, zorder=5)
        said = f"{m[i]:.3g} x ({_end(low[i])} to {_end(high[i])})"
        place = {
            "xytext": (-5, -5),
            "textcoords": "offset points",
            "va": "top",
            "ha": "right",
            "bbox": _CLEAR,
        }
        ax.annotate(said, (ends[0], loss), fontsize=8, color=BLACK, zorder=6, **place)


def _end(value: float) -> str:
    return "∞" if np.isinf(value) else f"{value:.3g}"


def _read(x: np.ndarray, y: np.ndarray, at: float) -> float:
    """A curve between its points, in logarithms (x may be a negative loss, which rises)."""
    own = np.log(x) if x[0] > 0 else -np.log(-x)
    place = np.log(at) if at > 0 else -np.log(-at)
    return float(np.exp(np.interp(place, own, np.log(y))))


def _crossings(top: Any, bottom: Any, found: Recipes) -> None:
    left, right = found.curves.budget[[0, -1]]
    for number, crossing in enumerate(found.crossings):
        loss = _read(found.curves.budget, found.curves.base.point, crossing.budget)
        labels = [
            {"label": text} if number == 0 else {} for text in ("crossing", "either may be better")
        ]
        for ax, y in ((top, loss), (bottom, 1.0)):
            ax.axvspan(
                max(crossing.low, left),
                min(crossing.high, right),
                color=ORANGE,
                alpha=0.15,
                linewidth=0,
                **labels[1],
            )
            ax.plot(
                crossing.budget,
                y,
                "o",
                color=ORANGE,
                markeredgecolor=BLACK,
                markersize=8,
                zorder=6,
                **labels[0],
            )
        place = {"xytext": (8, 8), "textcoords": "offset points", "bbox": _CLEAR}
        top.annotate(short(crossing.budget), (crossing.budget, loss), fontsize=8, zorder=7, **place)
