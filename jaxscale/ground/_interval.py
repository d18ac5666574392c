"""An interval: low, median and high, at a level, by a kind of method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


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
        if np.ndim(self.median):
            return f"Interval of shape {np.shape(self.median)}, {self.level:.0%} {self.kind}"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.median:.4g} ({self.low:.4g} to {self.high:.4g}, {self.level:.0%} {self.kind}{failed})"
