"""What a fit leaves over, against everything that it might depend on.

If the law holds, residuals are noise: their running median stays near 0 along N, D, compute and
D/N. A bend in one panel says which term is wrong; a slope at the right end says that forecasts will
be off in that direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..fitting._evidence import Evidence, evidence
from ..fitting._noise import spread
from ..fitting._results import Ensemble, Fit, point_of
from ..ground._errors import refuse
from ..ground._tails import student
from ..table._scope import axes
from ._figure import BLACK, BLUE, ORANGE, PALE, RED, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 3  # residuals with a label


def residuals(fit: Fit | Ensemble) -> Figure:
    """Residuals [% of the loss: observed over fitted, less 1] against N, D, C = 6 N D and D/N, or
    against each column.

    The grey band holds 95 % of noise of the size of the residuals; the orange line is the running
    median, over a fifth of the runs at a time. The three largest residuals have the number of their
    row, or the name of their run. For objectives without logarithms residuals are in the law's
    unit. Of an ensemble they are those of its point. Raises InputError where the law's value is a
    likelihood, or where no column has one number per run.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> [ax.get_xlabel() for ax in residuals(best).axes]
    ['N [parameters (total)]', 'D [tokens]', 'C = 6 N D [FLOP]', 'D / N [tokens per parameter]']
    """
    point = point_of(fit, "plots.residuals")
    problem = point.problem
    if not problem.objective.observes:
        raise refuse(
            f"plots.residuals: {problem.law.name} has no residuals",
            why="its value is a likelihood, to which nothing observed is compared",
            change="a law of the observed metric itself",
        )
    at = evidence(point)
    rows = {c: at.table.rows[c][at.rows] for c in problem.law.columns}
    panels = {
        name: v
        for name, v in axes({c: v for c, v in rows.items() if v.ndim == 1}).items()
        if np.ptp(v) > 0
    }
    if not panels:
        raise refuse(
            f"plots.residuals: {problem.law.name} has no column that varies with one number "
            f"per run",
            why="all of its columns are shares, or all runs are equal",
            change="look at jsl.uncertainty.cautions(fit)",
        )
    y, sd, label = _left_over(at)
    units = {c: u.name for c, u in zip(problem.law.columns, problem.law.column_units, strict=True)}
    across = min(len(panels), 2 if len(panels) in (2, 4) else 3)
    down = -(-len(panels) // across)
    figure, every, _ = new(4.3 * across, 3.0 * down, down, across, squeeze=False, sharey=True)
    for ax, (name, x) in zip(every, panels.items(), strict=False):
        _panel(ax, x, y, sd, at)
        ax.set_xlabel(_named(name, units.get(name, "")))
    for ax in every[len(panels) :]:
        ax.remove()
    for ax in every[: len(panels) : across]:
        ax.set_ylabel(label)
    for ax in every[: len(panels)]:
        ax.margins(y=0.12)
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9
    )
    figure.suptitle(f"{problem.law.name}: what {len(y)} runs leave over", fontsize=11)
    return figure


def _left_over(at: Evidence) -> tuple[np.ndarray, np.ndarray, str]:
    """Residuals (n,), the deviation of their noise (n,), and what both are called."""
    precision = np.sqrt(at.precision)
    sd = spread(at.residual * precision, np.abs(at.fitted), len(at.x)) / precision
    if at.fit.problem.objective.log:
        return 100.0 * np.expm1(-at.residual), 100.0 * sd, "observed over fitted, less 1 [%]"
    return (
        -at.residual * at.size,
        sd * at.size,
        f"observed less fitted\n[{at.fit.problem.law.unit.name}]",
    )


def _panel(ax: Any, x: np.ndarray, y: np.ndarray, sd: np.ndarray, at: Evidence) -> None:
    order = np.argsort(x, kind="stable")
    half = student(0.975, float(max(at.spare, 1))) * sd
    ax.fill_between(
        x[order],
        -half[order],
        half[order],
        color=PALE,
        linewidth=0,
        zorder=0,
        label="95 % of the noise",
    )
    ax.axhline(0.0, color=BLACK, linewidth=0.9, zorder=1)
    ax.scatter(x, y, s=15, color=BLUE, alpha=0.75, linewidth=0, zorder=2, label="runs")
    ax.plot(*running_median(x, y), color=ORANGE, linewidth=1.8, zorder=3, label="running median")
    if np.all(x > 0) and x.max() > 5 * x.min():
        ax.set_xscale("log")
    runs, middle = (
        at.fit.problem.runs,
        np.sqrt(x.min() * x.max()) if ax.get_xscale() == "log" else 0.5 * (x.min() + x.max()),
    )
    for i in np.argsort(-np.abs(y) / sd, kind="stable")[:_NAMED]:
        row = int(at.rows[i])
        name = runs.labels["run"][runs.groups["run"][row]] if "run" in runs.groups else f"row {row}"
        left = x[i] > middle
        ax.annotate(
            name,
            (x[i], y[i]),
            xytext=(-5 if left else 5, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=7.5,
            color=RED,
            zorder=4,
        )


def running_median(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of y over a fifth of the points at a time, in the order of x; of a grid, at each of
    its values.
    """
    order = np.argsort(x, kind="stable")
    steps = np.diff(x[order]) > 1e-6 * np.ptp(x) * (x[order][1:] / x.max() if x.min() > 0 else 1.0)
    of = np.concatenate([[0], np.cumsum(steps)])
    if of[-1] < len(x) // 4:  # a grid, up to rounding
        return tuple(
            np.array([np.median(v[order][of == k]) for k in range(of[-1] + 1)]) for v in (x, y)
        )  # type: ignore[return-value]
    wide = min(len(x), max(5, len(x) // 5))
    windows = np.lib.stride_tricks.sliding_window_view
    return np.median(windows(x[order], wide), -1), np.median(windows(y[order], wide), -1)


def _named(name: str, unit: str) -> str:
    if name == "C" and not unit:
        return "C = 6 N D [FLOP]"
    if name == "D/N":
        return "D / N [tokens per parameter]"
    return f"{name} [{unit}]" if unit else name
