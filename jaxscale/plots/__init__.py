"""Figures: the fitted surface, plans over budgets, the plane of N and D, what limits are worth, designs.

Each function returns a matplotlib `Figure` and touches no global state: save it with `figure.savefig(...)`, change it through
`figure.axes`. matplotlib is the extra `plot` and is imported when a figure is made. One family of figures per file; what
they share (colours that the colour-blind can tell apart, axes, units) is in `_figure`.
"""

from ._allocation import allocation as allocation
from ._allocation import compare_plans as compare_plans
from ._design import design as design
from ._frontier import frontier as frontier
from ._ladder import ladder as ladder
from ._loss import loss as loss
from ._prices import prices as prices

__all__ = ["allocation", "compare_plans", "design", "frontier", "ladder", "loss", "prices"]
