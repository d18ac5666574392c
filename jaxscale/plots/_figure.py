"""What all figures share: how one is made, its colours, and how its axes name their units.

Colours are those of Okabe and Ito, which readers with any common colour blindness can tell apart;
lines that are compared differ in their dashes as well, so that a grey print can be read. Figures
are made without pyplot, which would keep them in a global list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import costs
from ..plans._question import Put
from ..uncertainty._interval import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLACK, GREY, PALE = "#111827", "#6b7280", "#e5e7eb"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)
SERIES = [
    (BLUE, "-"),
    (RED, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (BLACK, (0, (5, 1, 1, 1, 1, 1))),
    (ORANGE, (0, (8, 3))),
]


def new(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, list[Any], Any]:
    """A figure [inches], its axes row by row, and matplotlib itself."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'jaxscale[plot]'") from error
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    axes = list(np.ravel(figure.subplots(rows, columns, **options)))
    for ax in axes:
        ax.grid(True, color=PALE, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes, matplotlib


def cost_unit(asked: Put) -> str:
    """The unit of a plan's cost: FLOP where the cost is known to count them."""
    cost = None if asked.question.cost is None else asked.question.of(asked.question.cost).function
    flop = isinstance(cost, costs.Train) or (
        isinstance(cost, costs.Lifetime)
        and np.all(np.asarray([cost.train_price, cost.inference_price]) == 1.0)
    )
    return "FLOP" if flop else "in the units of the cost"


def spread(values: Any, level: float, point: Any = None) -> tuple[Any, Any, Any]:
    """Low, middle and high (budgets,) of values (budgets,) or (refits, budgets); low and high of
    one law are None.

    The middle is the value at the fit, where it is given, or the median.
    """
    values = np.asarray(values)
    if values.ndim < 2:
        return None, values, None
    some = np.isfinite(values).any(0)  # a budget at which no refit has a plan stays nan
    low, middle, high = (
        np.where(some, v, np.nan) for v in interval(np.where(some, values, 0.0), level=level)
    )
    return low, middle if point is None else point, high


def short(number: float) -> str:
    """1.2e+23 as 1.2e23, 2.0 as 2."""
    return f"{number:.3g}".replace("e+", "e").replace("e0", "e")
