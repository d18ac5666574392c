"""Figures: the fitted surface, plans over budgets, the plane of N and D, what limits are worth,
designs, what a fit leaves over and where it was tested, laws by how far they predict, recipes,
forecasts by a chain.

Each function returns a matplotlib `Figure` and touches no global state: save it with
`figure.savefig(...)`, change it through `figure.axes`. matplotlib is the extra `plot` and is
imported when a figure is made. One family of figures per file; what they share (colours that the
colour-blind can tell apart, axes, units) is in `_figure`. May import: every room but the report.
"""

from ._allocation import allocation as allocation
from ._allocation import plans as plans
from ._chain import chain as chain
from ._coverage import coverage_map as coverage_map
from ._design import design as design
from ._frontier import frontier as frontier
from ._ladder import ladder as ladder
from ._loss import loss as loss
from ._prices import prices as prices
from ._recipes import recipes as recipes
from ._residuals import residuals as residuals

__all__ = [
    "allocation",
    "chain",
    "coverage_map",
    "design",
    "frontier",
    "ladder",
    "loss",
    "plans",
    "prices",
    "recipes",
    "residuals",
]
