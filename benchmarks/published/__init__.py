"""Published fits on public tables, with the paper's own rows and objective: one file for each kind
of table.

A file has `FITS`, a list of `Published`. `benchmarks/published_fits.py` runs them and writes the
table in docs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jaxscale as jsl


@dataclass(frozen=True)
class Published:
    """One published fit. What is compared is the objective, as the paper defines it (a sum or a
    mean: `value` scales).

    `figure` is the published objective, None where none was published ('report only'); `params` the
    published coefficients, at which the objective is evaluated as well; `best` a lower objective
    known since, and `least` a value below which an optimum is a slip of arithmetic.
    """

    name: str
    source: str
    evidence: str
    law: Any
    runs: Callable[[], jsl.Runs]
    objective: Any
    figure: float | None = None
    digits: int = 4  # of the published figure
    params: dict[str, Any] = field(default_factory=dict)
    best: float | None = None
    least: float | None = None
    # our sum -> the paper's objective
    value: Callable[[float, int], float] = lambda total, rows: total
    starts: int = 256
    expected: str = "OK"  # status that a fit of these rows has
    metrics: Callable[[jsl.Fit], dict[str, float]] = lambda fit: {}  # further figures: name -> ours
    figures: dict[str, float] = field(default_factory=dict)  # and the published ones
    note: str = ""
    smoke: bool = True  # quick enough for a toy run
