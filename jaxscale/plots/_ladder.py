"""How far each law can be trusted: the error of its predictions against how far they reach beyond
what was fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..selection._compare import Comparison
from ..selection._folds import BASELINES, error_of
from ._figure import GREY, SERIES, new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 6  # laws that can be told apart
_WINDOW = 1.6  # a mean is taken over predictions within this factor of a ratio


def ladder(comparison: Comparison) -> Figure:
    """Errors [% of the target] of `compare` against the extrapolation ratio [scale of a run over
    the largest that was fitted].

    Left the mean absolute error of each law, with every prediction as a faint point; right the mean
    signed error: above 0 a law promises too little. The best six laws are drawn, and the baselines
    in grey.

    >>> import jaxscale as jsl
    >>> law = jsl.laws.chinchilla
    >>> laws = {"free": law, "alpha = beta": law.tie(beta="alpha")}
    >>> found = jsl.compare(laws, jsl.datasets.load("simulated"), ratios=(2, 10), starts=16,
    ...     resamples=50)
    >>> len(ladder(found).axes)
    2
    """
    figure, axes, _ = new(11.0, 4.4, 1, 2, sharex=True)
    ratio = np.concatenate([f.ratio for f in comparison.folds])
    errors = 100 * np.concatenate(
        [
            error_of(p, f.observed, comparison.log)
            for p, f in zip(comparison.predicted, comparison.folds, strict=True)
        ],
        1,
    )
    grid = np.unique(np.geomspace(max(ratio.min(), 1.0), ratio.max(), 25))
    near = [np.abs(np.log(ratio / r)) <= np.log(_WINDOW) for r in grid]
    usable = [
        i for i in np.argsort(comparison.error, kind="stable") if np.isfinite(comparison.error[i])
    ]
    laws = [i for i in usable if comparison.names[i] not in BASELINES][:_MOST]
    others = [i for i in usable if comparison.names[i] in BASELINES]
    for ax, signed in zip(axes, (False, True), strict=True):
        values = errors if signed else np.abs(errors)
        for i, (color, dash) in zip(laws, SERIES, strict=False):
            ax.scatter(ratio, values[i], s=7, color=color, alpha=0.18, linewidth=0)
            ax.plot(
                *_means(grid, near, values[i]),
                color=color,
                linestyle=dash,
                linewidth=1.8,
                label=_named(comparison, i),
            )
        for i, dash in zip(others, ("-", ":"), strict=False):
            ax.plot(
                *_means(grid, near, values[i]),
                color=GREY,
                linestyle=dash,
                linewidth=1.2,
                label=_named(comparison, i),
            )
        drawn = values[[*laws, *others]]
        ax.set_ylim(*_limits(drawn, signed))
        ax.set(xscale="log", xlabel="scale of the run / largest scale fitted")
    axes[1].axhline(0.0, color="black", linewidth=0.8)
    axes[0].set(ylabel="mean absolute error [%]", title="error")
    axes[1].set(
        ylabel="mean signed error [%]", title="bias (above 0: the run was better than predicted)"
    )
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _means(
    grid: np.ndarray, near: list[np.ndarray], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Running means where there is something to average."""
    found = np.array([values[n].mean() if n.any() else np.nan for n in near])
    return grid[np.isfinite(found)], found[np.isfinite(found)]


def _limits(values: np.ndarray, signed: bool) -> tuple[float, float]:
    """Nearly all points: one run that is far off must not flatten the rest."""
    low, high = np.quantile(values, [0.01, 0.99])
    room = 0.08 * (high - min(low, 0.0)) or 1.0
    return (float(low - room), float(high + room)) if signed else (0.0, float(high + room))


def _named(comparison: Comparison, i: int) -> str:
    rank = f"{comparison.rank_low[i]:.0f}-{comparison.rank_high[i]:.0f}"
    return f"{comparison.names[i]}: {100 * comparison.error[i]:.2f} % (rank {rank})"
