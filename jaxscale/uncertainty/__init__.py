"""Uncertainty: one method per file. Today: percentile intervals of an ensemble of refits."""

from ._interval import interval

__all__ = ["interval"]
