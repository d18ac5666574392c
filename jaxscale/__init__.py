"""jaxscale: write a scaling law as the paper's formula; get the certified best fit, honest
intervals, and a plan.

    import jaxscale as jsl
    fit = jsl.fit(jsl.laws.chinchilla, runs)
    boot = jsl.bootstrap(fit, 4_000)
    plan = jsl.allocate(boot, budget=5.76e23)
    print(jsl.report(boot, plan=plan))

Names are loaded when they are first used: importing the package alone does not import JAX.
"""

from typing import TYPE_CHECKING

from .ground import _lazy
from .ground._version import __version__ as __version__

if TYPE_CHECKING:
    from . import chains as chains
    from . import costs as costs
    from . import datasets as datasets
    from . import forecasts as forecasts
    from . import laws as laws
    from . import objectives as objectives
    from . import plans as plans
    from . import plots as plots
    from . import schedules as schedules
    from . import selection as selection
    from . import solvers as solvers
    from . import uncertainty as uncertainty
    from . import units as units
    from ._report import report as report
    from .chains._chain import chain as chain
    from .fitting._bootstrap import bootstrap as bootstrap
    from .fitting._fit import fit as fit
    from .fitting._results import Ensemble as Ensemble
    from .fitting._results import Fit as Fit
    from .fitting._results import Fits as Fits
    from .fitting._results import Status as Status
    from .forecasts._forecast import Forecast as Forecast
    from .forecasts._forecast import forecast as forecast
    from .formula._law import Law as Law
    from .formula._law import law as law
    from .formula._params import between as between
    from .formula._params import negative as negative
    from .formula._params import positive as positive
    from .formula._params import real as real
    from .formula._params import simplex as simplex
    from .formula._params import unit as unit
    from .ground._cache import cache as cache
    from .ground._errors import InputError as InputError
    from .ground._errors import JaxscaleWarning as JaxscaleWarning
    from .ground._interval import Interval as Interval
    from .plans._allocate import Allocation as Allocation
    from .plans._allocate import allocate as allocate
    from .plans._design import design as design
    from .selection._compare import compare as compare
    from .table._runs import Runs as Runs
    from .table._simulate import simulate as simulate
    from .uncertainty._interval import interval as interval
else:
    _SPACES = (
        "chains",
        "costs",
        "datasets",
        "forecasts",
        "laws",
        "objectives",
        "plans",
        "plots",
        "schedules",
        "selection",
        "solvers",
        "uncertainty",
        "units",
    )
    _NAMES = {
        "report": "_report",
        "chain": "chains._chain",
        "bootstrap": "fitting._bootstrap",
        "fit": "fitting._fit",
        "Ensemble": "fitting._results",
        "Fit": "fitting._results",
        "Fits": "fitting._results",
        "Status": "fitting._results",
        "forecast": "forecasts._forecast",
        "Forecast": "forecasts._forecast",
        "Law": "formula._law",
        "law": "formula._law",
        "between": "formula._params",
        "negative": "formula._params",
        "positive": "formula._params",
        "real": "formula._params",
        "simplex": "formula._params",
        "unit": "formula._params",
        "cache": "ground._cache",
        "InputError": "ground._errors",
        "JaxscaleWarning": "ground._errors",
        "Interval": "ground._interval",
        "allocate": "plans._allocate",
        "Allocation": "plans._allocate",
        "design": "plans._design",
        "compare": "selection._compare",
        "Runs": "table._runs",
        "simulate": "table._simulate",
        "interval": "uncertainty._interval",
    }
    __getattr__, __dir__, __all__ = _lazy.lazily(__name__, _NAMES, _SPACES)
