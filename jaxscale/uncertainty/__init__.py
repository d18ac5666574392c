"""Uncertainty: how sure a fit is, one method per file, all from the same evidence (`fitting/_evidence`).

Intervals of a fit or an ensemble by any kind of method, covariances, predictions of new runs, profiles, posteriors,
influence, identifiability, the noise floor, and reasons not to trust any of them. A new kind of interval belongs here. May
import: everything up to `fitting`.
"""

from ._cautions import cautions
from ._covariance import Covariance, covariance
from ._identifiability import Identifiability, identifiability
from ._influence import Influence, influence
from ._interval import interval
from ._noise_floor import LackOfFit, NoiseFloor, lack_of_fit, noise_floor
from ._posterior import Sampling, posterior
from ._prediction import prediction_interval
from ._profile import Profile, profile_likelihood

__all__ = [
    "Covariance",
    "Identifiability",
    "Influence",
    "LackOfFit",
    "NoiseFloor",
    "Profile",
    "Sampling",
    "cautions",
    "covariance",
    "identifiability",
    "influence",
    "interval",
    "lack_of_fit",
    "noise_floor",
    "posterior",
    "prediction_interval",
    "profile_likelihood",
]
