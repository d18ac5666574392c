"""Plans: what a budget is spent on, and how sure that is.

The question (columns, goal, limits, bounds) and whether it is well posed, the search for the best
plan, its KKT certificate and derivatives, near-optimal regions, regret, the compute-optimal
frontier, designs of the next runs, and the classic isoFLOP estimators. May import: everything up to
`uncertainty`, and `costs`, which says what a plan spends: a new FLOP formula belongs there.
"""

from typing import TYPE_CHECKING

from ..ground import _lazy

if TYPE_CHECKING:
    from ._approaches import Approaches as Approaches
    from ._approaches import approaches as approaches
    from ._conditions import KKT as KKT
    from ._design import Design as Design
    from ._design import expected_deviation as expected_deviation
    from ._isoflop import IsoFLOP as IsoFLOP
    from ._isoflop import isoflop as isoflop
    from ._near_optimal import Region as Region
    from ._regret import Regret as Regret
else:
    _NAMES = {
        "Approaches": "plans._approaches",
        "Design": "plans._design",
        "IsoFLOP": "plans._isoflop",
        "KKT": "plans._conditions",
        "Region": "plans._near_optimal",
        "Regret": "plans._regret",
        "approaches": "plans._approaches",
        "expected_deviation": "plans._design",
        "isoflop": "plans._isoflop",
    }
    __getattr__, __dir__, __all__ = _lazy.lazily(__name__, _NAMES)
