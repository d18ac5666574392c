"""An interval: low, point and high, at a level, by a kind of method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._shown import rows


@dataclass(frozen=True)
class Interval:
    """An interval at `level`: arrays `low`, `point`, `high`; `failed` counts what could not be
    used.

    `point` is the value at the certified fit, by every kind of method: of an interval from refits
    it may lie outside, and is then printed so. `median` is that of the refits or draws, None where
    there are none. Draws without a fit have their median as point.
    """

    low: Any
    point: Any
    high: Any
    level: float
    kind: str
    failed: int = 0
    median: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.low, self.point, self.high))

    def __repr__(self) -> str:
        said = f"{self.level:.0%} {self.kind}{f', {self.failed} failed' if self.failed else ''}"
        if not np.ndim(self.point):
            return f"{self._line(())[:-1]}, {said})"

        return (
            f"Interval of shape {np.shape(self.point)}, "
            f"{said}\n{rows(np.shape(self.point), self._line)}"
        )

    def each(self, function: Callable[[Any], Any]) -> Interval:
        """The interval of an increasing function of the quantity: low, point, high and median, each
        by itself.
        """
        median = None if self.median is None else function(self.median)
        return replace(
            self,
            low=function(self.low),
            point=function(self.point),
            high=function(self.high),
            median=median,
        )

    def _line(self, place: tuple[int, ...]) -> str:
        low, point, high = (np.asarray(v)[place] for v in self)
        outside = ", point outside" if point < low or point > high else ""
        return f"{point:.4g} ({low:.4g} to {high:.4g}{outside})"
