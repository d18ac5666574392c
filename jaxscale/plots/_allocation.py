"""Plans over budgets: what one plan says of N and D, and where several laws or ensembles agree.

An ensemble has one optimum per refit and budget; what is drawn is that of the fit and their
percentiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..costs import Train
from ..ground._errors import check_level, refuse
from ..plans._allocate import Allocation
from ..table._runs import Runs
from ._figure import BLUE, GREY, RED, SERIES, cost_unit, new, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def allocation(plan: Allocation, runs: Runs | None = None, *, level: float = 0.95) -> Figure:
    """Optimal N [parameters] and D [tokens] against the budget [FLOP], with intervals of an
    ensemble; runs overlaid.

    `plan` comes from `allocate(boot, budgets)` with an array of budgets; `runs` are drawn at their
    6 N D. Raises InputError for a plan of one budget, or without N and D.

    >>> import jaxscale as jsl
    >>> plan = jsl.allocate(jsl.laws.chinchilla.published["hoffmann2022"],
    ...     np.geomspace(1e20, 1e24, 5))
    >>> len(allocation(plan).axes)
    2
    """
    check_level("plots.allocation()", level)
    _check("plots.allocation", plan)
    figure, axes, _ = new(10.0, 4.2, 1, 2)
    for ax, name, unit in zip(axes, ("N", "D"), ("parameters", "tokens"), strict=True):
        low, middle, high = spread(plan[name], level, plan.point[name])
        if low is not None:
            ax.fill_between(
                plan.budget,
                low,
                high,
                color=BLUE,
                alpha=0.2,
                linewidth=0,
                label=f"{level:.0%} interval",
            )
        ax.plot(plan.budget, middle, color=BLUE, linewidth=1.8, label=f"optimal {name}")
        if runs is not None:
            compute = Train()(runs["N"], runs["D"])
            ax.scatter(
                compute, runs[name], s=9, color=GREY, alpha=0.6, linewidth=0, label="runs", zorder=1
            )
            largest = float(compute.max())
            if largest < np.max(plan.budget):
                ax.axvline(largest, color=RED, linewidth=1, linestyle=":", label="largest run")
        budget = f"budget [{cost_unit(plan.asked[0])}]"
        ax.set(
            xscale="log",
            yscale="log",
            xlabel=budget,
            ylabel=f"{name} [{unit}]",
            title=f"optimal {name}",
        )
        ax.legend(frameon=False, fontsize=8)
    return figure


def plans(plans: Mapping[str, Allocation], *, level: float = 0.95) -> Figure:
    """Optimal N [parameters], D [tokens] and D / N [tokens per parameter] against the budget [FLOP]
    of several plans.

    `plans` maps names to plans, each over an array of budgets, which need not be the same; an
    ensemble has the plan of its fit and the interval at `level`. D / N is that of each refit.
    Raises InputError for a plan of one budget, without N and D, or for more plans than can be told
    apart (six).

    >>> import jaxscale as jsl
    >>> laws, budgets = jsl.laws.chinchilla.published, np.geomspace(1e20, 1e24, 5)
    >>> figure = plans({name: jsl.allocate(laws[name], budgets) for name in ("hoffmann2022",
    ...     "besiroglu2024")})
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['hoffmann2022', 'besiroglu2024']
    """
    check_level("plots.plans()", level)
    if not 0 < len(plans) <= len(SERIES):
        raise refuse(
            f"plots.plans: {len(plans)} plans",
            why="all that there are",
            change=f"1 to {len(SERIES)} at a time",
        )
    for name, plan in plans.items():
        _check(f"plots.plans: plan {name!r}", plan)
    units = sorted({cost_unit(plan.asked[0]) for plan in plans.values()})
    figure, axes, _ = new(13.0, 4.2, 1, 3)
    from matplotlib import ticker

    for ax, of, unit in zip(
        axes, ("N", "D", "D / N"), ("parameters", "tokens", "tokens per parameter"), strict=True
    ):
        for (name, plan), (color, dashes) in zip(plans.items(), SERIES, strict=False):
            values, point = (
                p["D"] / p["N"] if of == "D / N" else p[of] for p in (plan, plan.point)
            )
            low, middle, high = spread(values, level, point)
            if low is not None:
                ax.fill_between(plan.budget, low, high, color=color, alpha=0.18, linewidth=0)
            ax.plot(plan.budget, middle, color=color, linestyle=dashes, linewidth=1.8, label=name)
        budget = f"budget [{' or '.join(units)}]"
        ax.set(
            xscale="log",
            yscale="log",
            xlabel=budget,
            ylabel=f"{of} [{unit}]",
            title=f"optimal {of}",
        )
    axes[2].yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes[2].yaxis.set_major_formatter("{x:g}")
    axes[2].yaxis.set_minor_formatter("")
    axes[0].legend(
        frameon=False,
        fontsize=8,
        title=f"with {level:.0%} intervals" if _ensembles(plans) else None,
        title_fontsize=8,
    )
    return figure


def _ensembles(plans: Mapping[str, Allocation]) -> bool:
    return any(np.ndim(plan.loss) == 2 for plan in plans.values())


def _check(what: str, plan: Allocation) -> None:
    if np.ndim(plan.budget) != 1 or not {"N", "D"} <= set(plan.columns):
        raise refuse(
            f"{what} is not one of N and D over several budgets",
            why="one budget, a target, or another law",
            change="allocate(boot, np.geomspace(1e20, 1e25, 20))",
        )
