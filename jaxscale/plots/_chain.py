"""A chain in panels: the loss over compute, the metric over the loss, and what both say about the
metric over compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..chains._chain import Chain
from ..chains._stages import unit_of_input, unit_of_value
from ..costs import Train
from ..fitting._results import Ensemble, Fit
from ..ground._errors import refuse
from ..ground._shown import label_of
from ..table._anchors import helpers
from ..uncertainty._interval import interval
from ._figure import BLACK, BLUE, GREY, ORANGE, SKY, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GRID = 120
_NAMES = {
    "C": "training compute C [FLOP]",
    "6 N D": "training compute 6 N D [FLOP]",
    "N": "N [parameters]",
    "D": "D [tokens]",
}


def chain(found: Chain, *, level: float = 0.95, **columns: Any) -> Figure:
    """Panels of a chain: its first value over compute [FLOP], each link over the value before it,
    and the last one over compute.

    `columns` are those of a forecast, arrays along one path, from the runs to the model that is
    forecast: `N=np.geomspace(1e8, 1e11, 50), D=20 * N`. The abscissa is 6 N D, or C, or else the
    first column of the first law. Bands are intervals of the curves, the dashed lines in the last
    panel those of one new model. Circles are runs, in the last panel those that first and last
    stage share; where they have another D / N than the path, they lie off it. What lies beyond the
    runs is grey. Raises InputError for less than two points.

    >>> import jaxscale as jsl
    >>> runs, units = jsl.datasets.load("simulated"), {"score": jsl.units.Fraction}
    >>> score = 0.9 - 0.6 / (1
    ...     + np.exp(-4 * (runs["loss"] - 2.6))) + 0.01 * np.sin(np.arange(60) ** 2)
    >>> table = jsl.Runs.from_columns(L=runs["loss"], score=score, target="score", units=units)
    >>> loss = jsl.fit(jsl.laws.chinchilla, runs, objective=jsl.objectives.LogSquared(), starts=32)
    >>> link = jsl.fit(jsl.laws.accuracy_from_loss, table, objective=jsl.objectives.Squared(),
    ...     starts=32)
    >>> figure = chain(jsl.chain(loss, link), N=np.geomspace(1e8, 1e11, 9),
    ...     D=np.geomspace(2e9, 2e12, 9))
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['loss [nats/token]', 'score [fraction]', 'score [fraction]']
    """
    path = {k: np.asarray(v) for k, v in columns.items()}
    length = max((v.size for v in path.values()), default=0)
    if length < 2 or any(v.ndim > 1 for v in path.values()):
        shapes = {k: v.shape for k, v in path.items()}
        raise refuse(
            f"plots.chain: columns of shapes {shapes}",
            why="one model is a point and no curve",
            change="np.geomspace(...)",
        )
    forecast = found.forecast(level=level, **path)
    x, name = _abscissa(
        {k: np.broadcast_to(v, (length,)) for k, v in path.items()},
        found.points[0].problem.law.columns,
    )
    own_x, _ = _abscissa(found.points[0].problem.runs.columns, found.points[0].problem.law.columns)
    order = np.argsort(x)
    count = len(found.points)
    figure, axes, _ = new(4.6 * (count + 1), 4.4, 1, count + 1)
    said = f"{level:.0%} of the curve"

    first, *_, last = found.points
    _band(axes[0], x[order], [v[order] for v in forecast.stages[0]], said)
    axes[0].scatter(
        own_x,
        first.problem.runs[first.problem.runs.target_name],
        s=14,
        color=BLACK,
        alpha=0.6,
        linewidth=0,
        label="runs",
    )
    axes[0].set(xscale="log", xlabel=name, ylabel=_ylabel(first), title=first.problem.law.name)
    for k, ax in enumerate(axes[1:-1], 1):
        _link(
            ax, found, k=k, asked=np.asarray(forecast.stages[k - 1].point), path=path, level=level
        )
    ax = axes[-1]
    _band(ax, x[order], [v[order] for v in forecast.interval], said)
    for end, label in (
        (forecast.new.low, f"{level:.0%} of one new model"),
        (forecast.new.high, None),
    ):
        ax.plot(x[order], np.asarray(end)[order], "--", color=ORANGE, linewidth=1.2, label=label)
    shared = _shared(found, own_x, _chosen(last, path))
    ax.scatter(
        *shared,
        s=14,
        color=BLACK,
        alpha=0.6,
        linewidth=0,
        label="runs of all stages" if len(shared[0]) else None,
    )
    ax.axvspan(
        own_x.max(),
        max(x.max(), own_x.max()),
        color=GREY,
        alpha=0.08,
        linewidth=0,
        label="beyond the runs",
    )
    ax.set(
        xscale="log",
        xlabel=name,
        ylabel=_ylabel(last),
        title=" of ".join(f.problem.law.name for f in found.points[::-1]),
    )
    for ax in axes:
        ax.legend(frameon=False, fontsize=8)
        ax.title.set_fontsize(10)
    return figure


def _abscissa(columns: Any, names: tuple[str, ...]) -> tuple[np.ndarray, str]:
    if {"N", "D"} <= set(names):
        return Train()(np.asarray(columns["N"]), np.asarray(columns["D"])), _NAMES["6 N D"]
    return np.asarray(columns[names[0]], np.float64), _NAMES.get(names[0], names[0])


def _ylabel(fit: Fit) -> str:
    unit = unit_of_value(fit.problem).name.partition(" (")[0]
    return f"{fit.problem.runs.target_name} [{unit}]"


def _band(ax: Any, x: np.ndarray, ends: list[Any], label: str) -> None:
    low, middle, high = (np.asarray(v, np.float64) for v in ends)
    shown = np.isfinite(low) & np.isfinite(high)
    ax.fill_between(
        x[shown], low[shown], high[shown], color=SKY, alpha=0.35, linewidth=0, label=label
    )
    ax.plot(x, middle, color=BLUE, linewidth=1.8)


def _link(
    ax: Any, found: Chain, k: int, asked: np.ndarray, path: dict[str, np.ndarray], level: float
) -> None:
    """A link over its column, from its runs to what it is asked."""
    stage, point = found.stages[k], found.points[k]
    law, runs = point.problem.law, point.problem.runs
    column, real = law.columns[0], ~helpers(runs)
    seen = np.asarray(runs.columns[column])[real]
    ends = min(seen.min(), asked.min()), max(seen.max(), asked.max())
    grid = np.linspace(*ends, _GRID)
    rest = {
        c: np.ravel(path[c])[0]
        for c in [*law.columns[1:], *dict.fromkeys(dict(law.groups).values())]
    }
    kind = None if isinstance(stage, Ensemble) else found.kinds[k]
    _band(
        ax,
        grid,
        list(interval(stage, of=lambda own: own(grid, **rest), level=level, kind=kind)),
        f"{level:.0%} of the link alone",
    )
    chosen = _chosen(point, path)
    ax.scatter(
        np.asarray(runs.columns[column])[chosen],
        np.asarray(runs.target)[chosen],
        s=14,
        color=BLACK,
        alpha=0.6,
        linewidth=0,
        label="runs",
    )
    if asked.min() < seen.min():
        ax.axvspan(
            asked.min(), seen.min(), color=GREY, alpha=0.08, linewidth=0, label="beyond the runs"
        )
    ax.set(
        xlim=ends[::-1],
        xlabel=f"{column} [{unit_of_input(point.problem).name}], falling",
        ylabel=_ylabel(point),
        title=law.name,
    )


def _chosen(point: Fit, path: dict[str, np.ndarray]) -> np.ndarray:
    """The rows (n,) of a link that are runs, of the groups that are drawn."""
    runs = point.problem.runs
    chosen = ~helpers(runs)
    for group in dict.fromkeys(dict(point.problem.law.groups).values()):
        label = np.ravel(path[group])[0]
        chosen &= runs[group] == label_of(label)
    return chosen


def _shared(found: Chain, x: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Abscissa and last metric of the units that stand once in the first and once among the chosen
    rows of the last stage.
    """
    first, last = (
        np.flatnonzero(np.asarray(f.problem.runs.weights) > 0)
        for f in (found.points[0], found.points[-1])
    )
    kept = chosen[last]
    units, rows = (found.units[0], found.units[-1][kept]), (first, last[kept])
    common, one, other = np.intersect1d(units[0], units[1], return_indices=True)
    once = np.array([all(np.sum(u == label) == 1 for u in units) for label in common], bool)
    target = np.asarray(found.points[-1].problem.runs.target)
    return x[rows[0][one[once]]], target[rows[1][other[once]]]
