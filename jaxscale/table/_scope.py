"""What the runs have tested, and by how much a plan or a forecast goes beyond it.

Two numbers say most about an extrapolation: compute, C = 6 N D, which is beyond the runs whenever a
forecast is worth making, and D/N, which need not be: a law that was fitted to 20 tokens per
parameter has not been tested at 500. Laws without N and D are looked at column by column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..costs import Train
from ._runs import Runs

FAR = 1e3  # times the compute of the largest run: a plan so far out is told, even where nobody asks


def axes(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The columns of which each run has one number, with C = 6 N D and D/N where there are N
    and D.
    """
    own = {k: np.asarray(v, np.float64) for k, v in columns.items()}
    if {"N", "D"} <= set(own):
        n, d = own["N"], own["D"]
        own |= {"C": Train()(n, d), "D/N": d / n}
    return own


def ranges(runs: Runs) -> dict[str, tuple[float, float]]:
    """Least and largest value among the runs that were fitted (of weight above 0)."""
    live = np.asarray(runs.weights) > 0
    scalars = {k: np.asarray(v)[live] for k, v in runs.columns.items() if np.ndim(v) == 1}
    return {k: (float(v.min()), float(v.max())) for k, v in axes(scalars).items()}


def beyond(
    tested: Mapping[str, tuple[float, float]], columns: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """By what factor each column lies outside what was tested: 1 inside, 30 for 30 times the
    largest, 0.5 for half the least.

    Where a column, or its range, is not positive there is no factor: outside is 0 or infinity.
    """
    found = {}
    for name, values in axes(columns).items():
        if name in tested:
            low, high = tested[name]
            ratios = low > 0 and bool(np.all(values > 0))
            above, under = (
                (values / high, values / low)
                if ratios
                else (np.full(values.shape, np.inf), np.zeros(values.shape))
            )
            found[name] = np.where(values > high, above, np.where(values < low, under, 1.0))
    return found


def largest(columns: Mapping[str, Any]) -> tuple[str, np.ndarray]:
    """What the size of a run is measured by, and its values: C = 6 N D, a column C, or else the
    first column.
    """
    scalars = {k: v for k, v in columns.items() if np.ndim(v) == 1}
    if not scalars:
        raise ValueError("no column with one number per run")
    own = axes(scalars)
    name = "C" if "C" in own else next(iter(own))
    return name, own[name]


def ratio_remark(tested: Mapping[str, tuple[float, float]], ratio: float) -> str:
    """The sentence about a D/N outside that of the runs; empty inside."""
    low, high = tested["D/N"]
    if not (ratio < low or ratio > high):
        return ""
    return (
        f"D/N of {ratio:.3g} lies outside the {low:.3g} to {high:.3g} of the runs: the law is "
        f"not tested there"
    )
