"""What a chain forecasts: every stage with its interval, and how much each contributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ground._interval import Interval


@dataclass(frozen=True, eq=False)
class ChainForecast:
    """A forecast at `columns`, of shape S: `interval` of the metric, `stages` the interval of the
    value after each stage.

    `slopes` (stages, *S): what the metric changes by per unit of each stage's value; 1 for the
    last. `alone` (stages, *S): standard deviation of the metric from the uncertainty of each stage
    alone, `deviation` (*S) from all; the squares of `alone` add up to its square unless stages
    share runs. `new` is the interval for one new model, with noise of its own.
    """

    columns: dict[str, Any]
    interval: Interval
    stages: tuple[Interval, ...]
    slopes: np.ndarray
    alone: np.ndarray
    deviation: Any
    new: Interval
    names: tuple[str, ...]
    units: tuple[str, ...]
    shared: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def value(self) -> Any:
        """The metric itself, of the certified fits."""
        return self.interval.point

    @property
    def shares(self) -> np.ndarray:
        """Share of the variance from each stage alone (stages, *S); what is left of 1 comes from
        runs that they share.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.alone**2 / np.asarray(self.deviation) ** 2)

    def __repr__(self) -> str:
        if np.ndim(self.interval.point):
            return f"<ChainForecast {' -> '.join(self.names)}: {self.interval}>"
        at = ", ".join(
            f"{k}={float(v):.4g}" if np.asarray(v).dtype.kind in "iuf" else f"{k}={v}"
            for k, v in self.columns.items()
        )
        lines = [f"forecast at {at}"]
        for name, unit, i, slope, alone, share in zip(
            self.names, self.units, self.stages, self.slopes, self.alone, self.shares, strict=True
        ):
            moves = "" if name == self.names[-1] else f"; slope of the metric {float(slope):.4g}"
            lines.append(
                f"  {name:<22} {i} {unit}{moves}; contributes {float(alone):.2g}, "
                f"{float(share):.0%} of the variance"
            )
        if self.shared:
            lines.append(
                f"  {self.shared} runs are in both stages: {1 - float(np.sum(self.shares)):+.0%} "
                f"of the variance"
            )
        lines.append(f"  {'one new model':<22} {self.new}")
        return "\n".join([*lines, *(f"  note: {r}" for r in self.remarks)])
