"""Uncertainty: one method per file, all from the same evidence (`_evidence`)."""

from ._covariance import Covariance, covariance
from ._influence import Influence, influence
from ._interval import interval
from ._profile import Profile, profile_likelihood

__all__ = ["Covariance", "Influence", "Profile", "covariance", "influence", "interval", "profile_likelihood"]
