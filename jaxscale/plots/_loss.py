"""The fitted surface over its runs: loss against compute in lines of constant N, and against N in
isoFLOP lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..costs import Train
from ..fitting._results import Ensemble, Fit
from ..formula._law import Law
from ..ground._errors import refuse
from ..plans._allocate import Allocation, allocate
from ..table._runs import Runs
from ._figure import new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEAR = 0.15  # in ln C


def loss(fit: Fit | Ensemble, *, sizes: int = 6, budgets: int = 6) -> Figure:
    """Loss [nats/token] of a law of N and D: against compute with lines of constant N, and against
    N with isoFLOP lines.

    `fit` is one fit or an ensemble (its point is drawn). Compute is 6 N D [FLOP]. The dashed line
    is the frontier: the lowest loss that the law allows at each budget. Raises InputError for laws
    of other columns.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> len(loss(best).axes) >= 2
    True
    """
    fit = fit.point
    runs, law = fit.problem.runs, fit.law
    if set(law.columns) != {"N", "D"} or law.groups:
        raise refuse(
            f"plots.loss draws laws of N and D; {law.name} has "
            f"{', '.join([*law.columns, *dict(law.groups).values()])}",
            why="the surface has more than two columns",
            change="a law of N and D, or plots.frontier(allocate(fit, budget, given={...}))",
        )
    figure, (left, right), mpl = new(11.5, 4.6, 1, 2)
    target = runs[runs.target_name]
    best = allocate(law, levels := _busiest(Train()(runs["N"], runs["D"]), budgets))
    points = _by_compute(left, law, runs, sizes, mpl)
    _by_size(right, law, runs=runs, levels=levels, best=best, mpl=mpl)
    figure.colorbar(points, ax=left, label="N [parameters]", pad=0.01)
    top = target.max() + 0.05 * np.ptp(target)
    for ax in (left, right):
        ax.set_ylim(min(target.min(), np.min(best.loss)) - 0.05 * np.ptp(target), top)
    return figure


def _by_compute(left: Any, law: Law, runs: Runs, sizes: int, mpl: Any) -> Any:
    """Loss against compute in lines of constant N, with the frontier; the points."""
    n, c, target = runs["N"], Train()(runs["N"], runs["D"]), runs[runs.target_name]
    span = np.geomspace(c.min() / 1.5, c.max() * 1.5, 200)
    norm, cmap = mpl.colors.LogNorm(n.min(), n.max()), mpl.colormaps["viridis"]
    for size in np.geomspace(n.min(), n.max(), sizes):
        at = c[np.abs(np.log(n / size)) < np.log(n.max() / n.min()) / (2 * (sizes - 1))]
        if len(at):
            line = np.geomspace(at.min() / 2, at.max() * 2, 100)
            left.plot(
                line, law(size, line / Train()(size, 1.0)), color=cmap(norm(size)), linewidth=1.3
            )
    points = left.scatter(
        c, target, c=n, norm=norm, cmap=cmap, s=16, edgecolor="white", linewidth=0.3, zorder=3
    )
    left.plot(
        span,
        allocate(law, span).loss,
        color="black",
        linestyle="--",
        linewidth=1.5,
        label="best loss at each budget",
    )
    left.set(
        xscale="log",
        xlabel="compute 6 N D [FLOP]",
        ylabel=f"loss [{law.unit.name}]",
        title="lines of constant N",
    )
    left.legend(frameon=False)
    return points


def _by_size(
    right: Any, law: Law, runs: Runs, levels: np.ndarray, best: Allocation, mpl: Any
) -> None:
    """Loss against N in isoFLOP lines at `levels`, with the best plan of each."""
    n, c, target = runs["N"], Train()(runs["N"], runs["D"]), runs[runs.target_name]
    norm_c, cmap_c = mpl.colors.LogNorm(levels[0] / 3, levels[-1] * 3), mpl.colormaps["plasma"]
    for level in levels:
        near = np.abs(np.log(c / level)) < _NEAR
        color = cmap_c(norm_c(level))
        line = np.geomspace(n[near].min() / 1.5, n[near].max() * 1.5, 200)
        right.plot(
            line,
            law(line, level / Train()(line, 1.0)),
            color=color,
            linewidth=1.3,
            label=f"{level:.1e} FLOP",
        )
        right.scatter(
            n[near], target[near], color=color, s=16, edgecolor="white", linewidth=0.3, zorder=3
        )
    right.plot(
        best["N"], best.loss, "k--", linewidth=1.5, marker="o", markersize=3.5, label="optimum"
    )
    right.set(
        xscale="log",
        xlabel="N [parameters]",
        ylabel=f"loss [{law.unit.name}]",
        title="isoFLOP lines, runs within 15 %",
    )
    right.legend(frameon=False, fontsize=8)


def _busiest(c: np.ndarray, most: int) -> Any:
    """Up to `most` budgets with the most runs within 15 %, at least a factor of 2 apart, in
    ascending order.
    """
    left, chosen = np.log(c), list[float]()
    while len(left) and len(chosen) < most:
        count = (np.abs(left[:, None] - left) < _NEAR).sum(axis=1)
        chosen.append(left[np.argmax(count)])
        left = left[np.abs(left - chosen[-1]) > np.log(2.0)]
    return np.exp(np.sort(chosen))
