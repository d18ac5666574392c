"""How far values scatter, whatever the few that lie far away do."""

from __future__ import annotations

import numpy as np


def robust_scale(values: np.ndarray, centre: float | None = None) -> float:
    """1.4826 times the median distance from the median, or from `centre`: the standard deviation of
    normal values.

    >>> robust_scale(np.array([1.0, 2.0, 3.0, 4.0, 1e9]))
    1.4826
    """
    return float(
        1.4826 * np.median(np.abs(values - (np.median(values) if centre is None else centre)))
    )
