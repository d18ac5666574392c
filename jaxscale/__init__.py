"""jaxscale: write a scaling law as the paper's formula; get the certified best fit, honest intervals, and a plan.

    import jaxscale as jsl
    fit = jsl.fit(jsl.laws.chinchilla, runs)
    boot = jsl.bootstrap(fit, 4_000)
    plan = jsl.allocate(boot, budget=5.76e23)
    print(jsl.report(boot, plan=plan))

Names are loaded when they are first used: importing the package alone does not import JAX.
"""

from typing import TYPE_CHECKING

from .ground._version import __version__ as __version__

if TYPE_CHECKING:
    from . import baselines as baselines
    from . import costs as costs
    from . import datasets as datasets
    from . import laws as laws
    from . import objectives as objectives
    from . import plots as plots
    from . import schedules as schedules
    from . import solvers as solvers
    from . import units as units
    from ._report import report as report
    from .chains._chain import Chain as Chain
    from .chains._chain import chain as chain
    from .fitting._bootstrap import bootstrap as bootstrap
    from .fitting._fit import fit as fit
    from .fitting._results import Fit as Fit
    from .fitting._results import Status as Status
    from .forecasts._forecast import Forecast as Forecast
    from .forecasts._forecast import forecast as forecast
    from .forecasts._hindsight import Hindsight as Hindsight
    from .forecasts._hindsight import hindsight as hindsight
    from .forecasts._ledger import Ledger as Ledger
    from .forecasts._ledger import ledger as ledger
    from .forecasts._score import Score as Score
    from .formula._law import Law as Law
    from .formula._law import law as law
    from .formula._params import Param as Param
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
    from .laws import cite as cite
    from .plans._allocate import Allocation as Allocation
    from .plans._allocate import allocate as allocate
    from .plans._approaches import Approaches as Approaches
    from .plans._approaches import approaches as approaches
    from .plans._design import Design as Design
    from .plans._design import design as design
    from .plans._design import expected_deviation as expected_deviation
    from .plans._isoflop import IsoFLOP as IsoFLOP
    from .plans._isoflop import envelope as envelope
    from .plans._isoflop import isoflop as isoflop
    from .plans._near_optimal import Region as Region
    from .plans._regret import Regret as Regret
    from .selection._compare import Comparison as Comparison
    from .selection._compare import compare as compare
    from .selection._recipes import Recipes as Recipes
    from .selection._recipes import compare_recipes as compare_recipes
    from .selection._sensitivity import Sensitivity as Sensitivity
    from .selection._sensitivity import delta_sensitivity as delta_sensitivity
    from .selection._sensitivity import sensitivity as sensitivity
    from .table._runs import Runs as Runs
    from .table._simulate import simulate as simulate
    from .table._task_signal import TaskSignal as TaskSignal
    from .table._task_signal import task_signal as task_signal
    from .uncertainty import Covariance as Covariance
    from .uncertainty import Identifiability as Identifiability
    from .uncertainty import Influence as Influence
    from .uncertainty import LackOfFit as LackOfFit
    from .uncertainty import NoiseFloor as NoiseFloor
    from .uncertainty import Profile as Profile
    from .uncertainty import Sampling as Sampling
    from .uncertainty import cautions as cautions
    from .uncertainty import covariance as covariance
    from .uncertainty import identifiability as identifiability
    from .uncertainty import influence as influence
    from .uncertainty import interval as interval
    from .uncertainty import lack_of_fit as lack_of_fit
    from .uncertainty import noise_floor as noise_floor
    from .uncertainty import posterior as posterior
    from .uncertainty import prediction_interval as prediction_interval
    from .uncertainty import profile_likelihood as profile_likelihood
else:
    _SPACES = ("baselines", "costs", "datasets", "laws", "objectives", "plots", "schedules", "solvers", "units")
    _NAMES = {
        "report": "_report",
        "Chain": "chains._chain",
        "chain": "chains._chain",
        "bootstrap": "fitting._bootstrap",
        "fit": "fitting._fit",
        "Fit": "fitting._results",
        "Status": "fitting._results",
        "forecast": "forecasts._forecast",
        "Hindsight": "forecasts._hindsight",
        "hindsight": "forecasts._hindsight",
        "Ledger": "forecasts._ledger",
        "ledger": "forecasts._ledger",
        "Forecast": "forecasts._forecast",
        "Score": "forecasts._score",
        "Law": "formula._law",
        "law": "formula._law",
        "between": "formula._params",
        "negative": "formula._params",
        "Param": "formula._params",
        "positive": "formula._params",
        "real": "formula._params",
        "simplex": "formula._params",
        "unit": "formula._params",
        "cache": "ground._cache",
        "InputError": "ground._errors",
        "JaxscaleWarning": "ground._errors",
        "Interval": "ground._interval",
        "cite": "laws",
        "allocate": "plans._allocate",
        "Allocation": "plans._allocate",
        "Approaches": "plans._approaches",
        "approaches": "plans._approaches",
        "Design": "plans._design",
        "design": "plans._design",
        "expected_deviation": "plans._design",
        "envelope": "plans._isoflop",
        "IsoFLOP": "plans._isoflop",
        "isoflop": "plans._isoflop",
        "Region": "plans._near_optimal",
        "Regret": "plans._regret",
        "compare": "selection._compare",
        "Comparison": "selection._compare",
        "compare_recipes": "selection._recipes",
        "Recipes": "selection._recipes",
        "delta_sensitivity": "selection._sensitivity",
        "Sensitivity": "selection._sensitivity",
        "sensitivity": "selection._sensitivity",
        "Runs": "table._runs",
        "simulate": "table._simulate",
        "task_signal": "table._task_signal",
        "TaskSignal": "table._task_signal",
        "cautions": "uncertainty",
        "Covariance": "uncertainty",
        "covariance": "uncertainty",
        "Identifiability": "uncertainty",
        "identifiability": "uncertainty",
        "Influence": "uncertainty",
        "influence": "uncertainty",
        "interval": "uncertainty",
        "lack_of_fit": "uncertainty",
        "LackOfFit": "uncertainty",
        "noise_floor": "uncertainty",
        "NoiseFloor": "uncertainty",
        "posterior": "uncertainty",
        "prediction_interval": "uncertainty",
        "Profile": "uncertainty",
        "profile_likelihood": "uncertainty",
        "Sampling": "uncertainty",
    }
    __all__ = sorted([*_SPACES, *_NAMES])

    def __getattr__(name):
        import importlib

        if name in _SPACES:
            return importlib.import_module(f"{__name__}.{name}")
        if name in _NAMES:
            value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return [*__all__, "__version__"]
