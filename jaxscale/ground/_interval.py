"""An interval: low, median and high, at a level, by a kind of method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._shown import rows


@dataclass(frozen=True)
class Interval:
    """An interval at `level`: arrays `low`, `median`, `high`; `failed` counts what could not be used."""

    low: Any
    median: Any
    high: Any
    level: float
    kind: str
    failed: int = 0

    def __iter__(self) -> Iterator[Any]:
        return iter((self.low, self.median, self.high))

    def __repr__(self) -> str:
        said = f"{self.level:.0%} {self.kind}{f', {self.failed} failed' if self.failed else ''}"
        if not np.ndim(self.median):
            return f"{self.median:.4g} ({self.low:.4g} to {self.high:.4g}, {said})"

        def line(place: tuple[int, ...]) -> str:
            low, middle, high = (np.asarray(v)[place] for v in self)
            return f"{middle:.4g} ({low:.4g} to {high:.4g})"

        return f"Interval of shape {np.shape(self.median)}, {said}\n{rows(np.shape(self.median), line)}"
