"""Selection: which law, which rows, which recipe.

Laws ranked by what they predict beyond cuts of scale, the same question asked of several laws,
tables and objectives, two recipes compared by their compute multiplier, where their curves cross,
and rankings of many recipes as DataDecide does it. May import: everything up to `plans`.
"""

from typing import TYPE_CHECKING

from ..ground import _lazy

if TYPE_CHECKING:
    from ..table._task_signal import TaskSignal as TaskSignal
    from ..table._task_signal import task_signal as task_signal
    from ._compare import Comparison as Comparison
    from ._decisions import Decisions as Decisions
    from ._decisions import decisions as decisions
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
    from ._recipes import Recipes as Recipes
    from ._recipes import recipes as recipes
    from ._sensitivity import Sensitivity as Sensitivity
    from ._sensitivity import sensitivity as sensitivity
else:
    _NAMES = {
        "Comparison": "selection._compare",
        "Decisions": "selection._decisions",
        "Predicted": "selection._methods",
        "Recipes": "selection._recipes",
        "Sensitivity": "selection._sensitivity",
        "TaskSignal": "table._task_signal",
        "decisions": "selection._decisions",
        "five_parameter": "selection._methods",
        "five_parameter_single_step": "selection._methods",
        "recipes": "selection._recipes",
        "sensitivity": "selection._sensitivity",
        "single_scale_rank": "selection._methods",
        "task_signal": "table._task_signal",
        "three_parameter": "selection._methods",
        "three_parameter_helper": "selection._methods",
        "three_parameter_helper_late": "selection._methods",
        "three_parameter_late": "selection._methods",
        "three_parameter_single_step": "selection._methods",
        "two_parameter": "selection._methods",
    }
    __getattr__, __dir__, __all__ = _lazy.lazily(__name__, _NAMES)
