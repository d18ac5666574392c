"""Uncertainty: how sure a fit is, one method per file, all from the same evidence
(`fitting/_evidence`).

Intervals of a fit or an ensemble by any kind of method, covariances, predictions of new runs,
profiles, posteriors, influence, identifiability, the noise floor, and reasons not to trust any of
them. A new kind of interval belongs here. May import: everything up to `fitting`.
"""

from typing import TYPE_CHECKING

from ..ground import _lazy

if TYPE_CHECKING:
    from ._cautions import cautions as cautions
    from ._covariance import Covariance as Covariance
    from ._covariance import covariance as covariance
    from ._identifiability import Identifiability as Identifiability
    from ._identifiability import identifiability as identifiability
    from ._influence import Influence as Influence
    from ._influence import influence as influence
    from ._noise_floor import LackOfFit as LackOfFit
    from ._noise_floor import NoiseFloor as NoiseFloor
    from ._noise_floor import lack_of_fit as lack_of_fit
    from ._noise_floor import noise_floor as noise_floor
    from ._posterior import Sampling as Sampling
    from ._posterior import posterior as posterior
    from ._prediction import prediction_interval as prediction_interval
    from ._profile import Profile as Profile
    from ._profile import profile_likelihood as profile_likelihood
else:
    _NAMES = {
        "Covariance": "uncertainty._covariance",
        "Identifiability": "uncertainty._identifiability",
        "Influence": "uncertainty._influence",
        "LackOfFit": "uncertainty._noise_floor",
        "NoiseFloor": "uncertainty._noise_floor",
        "Profile": "uncertainty._profile",
        "Sampling": "uncertainty._posterior",
        "cautions": "uncertainty._cautions",
        "covariance": "uncertainty._covariance",
        "identifiability": "uncertainty._identifiability",
        "influence": "uncertainty._influence",
        "lack_of_fit": "uncertainty._noise_floor",
        "noise_floor": "uncertainty._noise_floor",
        "posterior": "uncertainty._posterior",
        "prediction_interval": "uncertainty._prediction",
        "profile_likelihood": "uncertainty._profile",
    }
    __getattr__, __dir__, __all__ = _lazy.lazily(__name__, _NAMES)
