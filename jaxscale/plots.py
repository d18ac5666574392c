"""Two figures: the fitted surface over the runs, and the plan over the budget.

Both return a matplotlib `Figure` and touch no global state; save it with `figure.savefig(...)`. matplotlib is the
extra `plot` and is imported when a figure is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._results import Allocation, Fit
from ._runs import Runs
from .uncertainty import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _RED, _GREY = "#1f5fa8", "#c2410c", "#6b7280"
_NEAR = 0.15  # in ln C


def _figure(width: float, height: float) -> tuple[Figure, tuple[Any, Any]]:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'jaxscale[plot]'") from error
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    axes = figure.subplots(1, 2)
    for ax in axes:
        ax.grid(True, color="#e5e7eb", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, (axes, matplotlib)


def loss(fit: Fit, *, sizes: int = 6, budgets: int = 6) -> Figure:
    """Loss [nats/token] of a law of N and D: against compute with lines of constant N, and against N with isoFLOP lines.

    `fit` is one fit or an ensemble (its point is drawn). Compute is 6 N D [FLOP]. The dashed line is the frontier: the
    lowest loss that the law allows at each budget. Raises ValueError for laws of other columns.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> len(loss(best).axes) >= 2
    True
    """
    from ._allocate import allocate

    fit = fit if fit.point is None else fit.point
    runs, law = fit.problem.runs, fit.law
    if set(law.columns) != {"N", "D"} or law.groups:
        raise ValueError(f"plots.loss draws laws of N and D; {law.name} has {', '.join(law.columns)}")
    figure, ((left, right), mpl) = _figure(11.5, 4.6)
    n, d, target = runs["N"], runs["D"], runs[runs.target_name]
    c = 6.0 * n * d
    span = np.geomspace(c.min() / 1.5, c.max() * 1.5, 200)
    norm = mpl.colors.LogNorm(n.min(), n.max())
    cmap = mpl.colormaps["viridis"]

    for size in np.geomspace(n.min(), n.max(), sizes):
        at = c[np.abs(np.log(n / size)) < np.log(n.max() / n.min()) / (2 * (sizes - 1))]
        if len(at):
            line = np.geomspace(at.min() / 2, at.max() * 2, 100)
            left.plot(line, law(size, line / (6 * size)), color=cmap(norm(size)), linewidth=1.3)
    points = left.scatter(c, target, c=n, norm=norm, cmap=cmap, s=16, edgecolor="white", linewidth=0.3, zorder=3)
    left.plot(span, allocate(law, span).loss, color="black", linestyle="--", linewidth=1.5, label="best loss at each budget")
    left.set(xscale="log", xlabel="compute 6 N D [FLOP]", ylabel=f"loss [{law.unit.name}]", title="lines of constant N")
    left.legend(frameon=False)
    figure.colorbar(points, ax=left, label="N [parameters]", pad=0.01)

    levels = _busiest(c, budgets)
    norm_c, cmap_c = mpl.colors.LogNorm(levels[0] / 3, levels[-1] * 3), mpl.colormaps["plasma"]
    for level in levels:
        near = np.abs(np.log(c / level)) < _NEAR
        color = cmap_c(norm_c(level))
        line = np.geomspace(n[near].min() / 1.5, n[near].max() * 1.5, 200)
        right.plot(line, law(line, level / (6 * line)), color=color, linewidth=1.3, label=f"{level:.1e} FLOP")
        right.scatter(n[near], target[near], color=color, s=16, edgecolor="white", linewidth=0.3, zorder=3)
    best = allocate(law, levels)
    right.plot(best["N"], best.loss, "k--", linewidth=1.5, marker="o", markersize=3.5, label="optimum")
    top = target.max() + 0.05 * np.ptp(target)
    for ax in (left, right):
        ax.set_ylim(min(target.min(), np.min(best.loss)) - 0.05 * np.ptp(target), top)
    right.set(xscale="log", xlabel="N [parameters]", ylabel=f"loss [{law.unit.name}]", title="isoFLOP lines, runs within 15 %")
    right.legend(frameon=False, fontsize=8)
    return figure


def _busiest(c: np.ndarray, most: int) -> Any:
    """Up to `most` budgets with the most runs within 15 %, at least a factor of 2 apart, in ascending order."""
    left, chosen = np.log(c), list[float]()
    while len(left) and len(chosen) < most:
        count = (np.abs(left[:, None] - left) < _NEAR).sum(axis=1)
        chosen.append(left[np.argmax(count)])
        left = left[np.abs(left - chosen[-1]) > np.log(2.0)]
    return np.exp(np.sort(chosen))


def allocation(plan: Allocation, runs: Runs | None = None, *, level: float = 0.95) -> Figure:
    """Optimal N [parameters] and D [tokens] against the budget [FLOP], with intervals of an ensemble; runs overlaid.

    `plan` comes from `allocate(boot, budgets)` with an array of budgets; `runs` are drawn at their 6 N D. Raises
    ValueError for a plan of one budget, or without N and D.

    >>> import jaxscale as jsl
    >>> plan = jsl.allocate(jsl.laws.chinchilla.published["hoffmann2022"], np.geomspace(1e20, 1e24, 5))
    >>> len(allocation(plan).axes)
    2
    """
    if np.ndim(plan.budget) != 1 or not {"N", "D"} <= set(plan.columns):
        raise ValueError("plots.allocation draws N and D over several budgets: allocate(boot, np.geomspace(1e20, 1e25, 20))")
    figure, (axes, _) = _figure(10.0, 4.2)
    for ax, name, unit in zip(axes, ("N", "D"), ("parameters", "tokens"), strict=True):
        values = np.asarray(plan[name])
        if values.ndim == 2:
            low, middle, high = interval(values, level=level)
            ax.fill_between(plan.budget, low, high, color=_BLUE, alpha=0.2, linewidth=0, label=f"{level:.0%} interval")
        else:
            middle = values
        ax.plot(plan.budget, middle, color=_BLUE, linewidth=1.8, label=f"optimal {name}")
        if runs is not None:
            ax.scatter(6.0 * runs["N"] * runs["D"], runs[name], s=9, color=_GREY, alpha=0.6, linewidth=0, label="runs", zorder=1)
            largest = float((6.0 * runs["N"] * runs["D"]).max())
            if largest < np.max(plan.budget):
                ax.axvline(largest, color=_RED, linewidth=1, linestyle=":", label="largest run")
        ax.set(xscale="log", yscale="log", xlabel="budget [FLOP]", ylabel=f"{name} [{unit}]", title=f"optimal {name}")
        ax.legend(frameon=False, fontsize=8)
    return figure
