"""Which recipe will win at scale? The eight extrapolations of DataDecide, and the ranking at one small size that they face.

Each function takes a table of small runs of many recipes (a group column `recipe`; columns N and D, or C; a task loss as the
target and a column `accuracy`) and a size, and foretells the accuracy of every recipe there. In two steps a law gives the
task loss at that size, and a sigmoid turns a loss into an accuracy; in one step a law gives the accuracy itself. All recipes
are fitted at once. `compare` sets all nine beside each other by decision accuracy: the share of pairs of recipes whose
order they get right.

Where a run has checkpoints (a `run` group and a `step` column), the first step reads the mean of its last tenth, and the
second step all but its first tenth, or its second half in the variants called `late`. Source of the forms: Magnusson et al.
2025, "DataDecide", authors' code. Not from the source: objectives (log-Huber with delta 1e-3 for losses, least squares for
accuracies), many starts in place of hand-written ones, and what a table looks like.
May import: everything up to `selection`.
"""

from ._compare import Decisions as Decisions
from ._compare import compare as compare
from ._methods import Predicted as Predicted
from ._methods import five_parameter as five_parameter
from ._methods import five_parameter_single_step as five_parameter_single_step
from ._methods import single_scale_rank as single_scale_rank
from ._methods import three_parameter as three_parameter
from ._methods import three_parameter_helper as three_parameter_helper
from ._methods import three_parameter_helper_late as three_parameter_helper_late
from ._methods import three_parameter_late as three_parameter_late
from ._methods import three_parameter_single_step as three_parameter_single_step
from ._methods import two_parameter as two_parameter

__all__ = [
    "Decisions",
    "Predicted",
    "compare",
    "five_parameter",
    "five_parameter_single_step",
    "single_scale_rank",
    "three_parameter",
    "three_parameter_helper",
    "three_parameter_helper_late",
    "three_parameter_late",
    "three_parameter_single_step",
    "two_parameter",
]
