"""jaxscale: write a scaling law as the paper's formula; get the certified best fit, honest intervals, and a plan.

    import jaxscale as jsl
    fit = jsl.fit(jsl.laws.chinchilla, runs)
    boot = jsl.bootstrap(fit, 4_000)
    plan = jsl.allocate(boot, budget=5.76e23)
    print(jsl.report(boot, plan=plan))

Names are loaded when they are first used: importing the package alone does not import JAX.
"""

from typing import TYPE_CHECKING

__version__ = "0.2.0.dev0"

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
    from ._allocate import allocate as allocate
    from ._approaches import Approaches as Approaches
    from ._approaches import approaches as approaches
    from ._bootstrap import bootstrap as bootstrap
    from ._chain import Chain as Chain
    from ._chain import chain as chain
    from ._checks import InputError as InputError
    from ._checks import JaxscaleWarning as JaxscaleWarning
    from ._compare import Comparison as Comparison
    from ._compare import compare as compare
    from ._design import Design as Design
    from ._design import design as design
    from ._design import expected_deviation as expected_deviation
    from ._fit import fit as fit
    from ._forecast import forecast as forecast
    from ._frozen import Forecast as Forecast
    from ._helper import with_helper as with_helper
    from ._hindsight import Hindsight as Hindsight
    from ._hindsight import hindsight as hindsight
    from ._isoflop import IsoFLOP as IsoFLOP
    from ._isoflop import envelope as envelope
    from ._isoflop import isoflop as isoflop
    from ._joint import joint as joint
    from ._law import Law as Law
    from ._law import law as law
    from ._ledger import Ledger as Ledger
    from ._ledger import ledger as ledger
    from ._params import Param as Param
    from ._params import between as between
    from ._params import negative as negative
    from ._params import positive as positive
    from ._params import real as real
    from ._params import simplex as simplex
    from ._params import unit as unit
    from ._recipes import Recipes as Recipes
    from ._recipes import compare_recipes as compare_recipes
    from ._region import Region as Region
    from ._region import near_optimal as near_optimal
    from ._regret import Regret as Regret
    from ._regret import decide as decide
    from ._regret import regret as regret
    from ._report import report as report
    from ._results import Allocation as Allocation
    from ._results import Fit as Fit
    from ._results import Interval as Interval
    from ._results import Status as Status
    from ._runs import Runs as Runs
    from ._score import Score as Score
    from ._score import score as score
    from ._sensitivity import Sensitivity as Sensitivity
    from ._sensitivity import sensitivity as sensitivity
    from ._signal import TaskSignal as TaskSignal
    from ._signal import task_signal as task_signal
    from ._simulate import simulate as simulate
    from .laws import cite as cite
    from .uncertainty import Covariance as Covariance
    from .uncertainty import Identifiability as Identifiability
    from .uncertainty import Influence as Influence
    from .uncertainty import LackOfFit as LackOfFit
    from .uncertainty import NoiseFloor as NoiseFloor
    from .uncertainty import Profile as Profile
    from .uncertainty import Sampling as Sampling
    from .uncertainty import cautions as cautions
    from .uncertainty import covariance as covariance
    from .uncertainty import delta_sensitivity as delta_sensitivity
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
        "allocate": "_allocate",
        "InputError": "_checks",
        "JaxscaleWarning": "_checks",
        "Approaches": "_approaches",
        "approaches": "_approaches",
        "bootstrap": "_bootstrap",
        "Comparison": "_compare",
        "compare": "_compare",
        "Chain": "_chain",
        "chain": "_chain",
        "Design": "_design",
        "design": "_design",
        "expected_deviation": "_design",
        "fit": "_fit",
        "forecast": "_forecast",
        "Forecast": "_frozen",
        "Hindsight": "_hindsight",
        "hindsight": "_hindsight",
        "with_helper": "_helper",
        "IsoFLOP": "_isoflop",
        "envelope": "_isoflop",
        "isoflop": "_isoflop",
        "joint": "_joint",
        "Law": "_law",
        "law": "_law",
        "Ledger": "_ledger",
        "ledger": "_ledger",
        "Param": "_params",
        "between": "_params",
        "negative": "_params",
        "positive": "_params",
        "real": "_params",
        "simplex": "_params",
        "unit": "_params",
        "Recipes": "_recipes",
        "compare_recipes": "_recipes",
        "Region": "_region",
        "near_optimal": "_region",
        "Regret": "_regret",
        "decide": "_regret",
        "regret": "_regret",
        "report": "_report",
        "Allocation": "_results",
        "Fit": "_results",
        "Interval": "_results",
        "Status": "_results",
        "Runs": "_runs",
        "Sensitivity": "_sensitivity",
        "sensitivity": "_sensitivity",
        "Score": "_score",
        "score": "_score",
        "TaskSignal": "_signal",
        "task_signal": "_signal",
        "simulate": "_simulate",
        "cite": "laws",
        "Covariance": "uncertainty",
        "Influence": "uncertainty",
        "Profile": "uncertainty",
        "covariance": "uncertainty",
        "influence": "uncertainty",
        "interval": "uncertainty",
        "LackOfFit": "uncertainty",
        "NoiseFloor": "uncertainty",
        "lack_of_fit": "uncertainty",
        "noise_floor": "uncertainty",
        "prediction_interval": "uncertainty",
        "posterior": "uncertainty",
        "identifiability": "uncertainty",
        "delta_sensitivity": "uncertainty",
        "cautions": "uncertainty",
        "Sampling": "uncertainty",
        "Identifiability": "uncertainty",
        "profile_likelihood": "uncertainty",
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
