"""First-order conditions of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class KKT:
    """First-order conditions of a plan, free of scale: per relative change of positive columns,
    natural for the others.

    `stationarity`: what is left of the loss gradient after budget and bounds, relative to its
    largest component; `feasibility`: |ln cost - ln budget|, or the overspending where the budget
    does not bind; `complementarity`: largest sign violation of a multiplier, relative.
    """

    stationarity: Any
    feasibility: Any
    complementarity: Any
