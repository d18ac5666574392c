"""`near_optimal`: how flat the optimum is. All plans that are nearly as good as the best, and how
far they reach.

Around the optimum a loss changes little: half the parameters and twice the tokens may cost a tenth
of a per cent. What can be told apart is the region of plans within a given share of the best, and
its extent along each column is two more problems with limits: the least and the greatest of that
column among plans that keep all limits and lose no more than allowed. They are solved as plans are,
from the best plan outwards.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._results import Fitted
from ..ground._errors import refuse, refuse_type
from ..ground._shown import values
from ..ground._trees import to_numpy, traced
from ._answers import of_lanes, spread
from ._lanes import planned
from ._oracle import coordinates
from ._question import Put

_REACH = 30.0  # how far an edge is looked for, in coordinates


@dataclass(frozen=True, eq=False)
class Region:
    """Extent of the nearly optimal plans along each column: `low`, `best` and `high`, of the plan's
    shape.

    `status` (..., columns) is 0 where both ends meet their KKT conditions; an end that does not is
    nan. `said` is what the region allows.
    """

    low: dict[str, Any]
    best: dict[str, Any]
    high: dict[str, Any]
    status: dict[str, Any]
    said: str

    def __getitem__(self, name: str) -> tuple[Any, Any]:
        if name not in self.low:
            raise KeyError(f"no column {name!r} in this region; there is {', '.join(self.low)}")
        return self.low[name], self.high[name]

    def __repr__(self) -> str:
        shown = (
            f"{c} {values(self.low[c])} to {values(self.high[c])} (best {values(self.best[c])})"
            for c in self.best
        )
        return f"<Region {self.said}: {', '.join(shown)}>"


def near_optimal(
    asked: Put,
    fitted: Fitted | None,
    best: dict[str, Any],
    goal: Any,
    loss_slack: float,
    cost_slack: float,
) -> Region:
    """The region of a question around its best columns, whose goal is `goal`; see
    `Allocation.near_optimal`.
    """
    if not (loss_slack >= 0 and cost_slack >= 0 and loss_slack + cost_slack > 0):
        raise refuse(
            f"near_optimal: loss_slack={loss_slack}, cost_slack={cost_slack}",
            why="a share is meant",
            change="loss_slack=0.001 for 0.1 % of the loss",
        )
    if traced(asked.question, asked.limits):
        raise refuse_type(
            "near_optimal(): a plan that JAX traces",
            why="it was made inside jit or grad; a region is for numbers",
            change="a plan made outside of them",
        )
    if asked.options:
        raise refuse(
            "near_optimal: the plan is one of several choices",
            why="choices have no region",
            change="plan.by_choice",
        )
    names = [r.name for r in asked.question.rules]
    by_cost = asked.question.goal.name == "cost"
    slack = np.zeros(1 + len(names))
    slack[0] = cost_slack if by_cost else loss_slack
    held = "target" if by_cost else "budget"
    if held in names:
        slack[1 + names.index(held)] = loss_slack if by_cost else cost_slack
    elif cost_slack:
        raise refuse(
            f"near_optimal: cost_slack={cost_slack}, and the plan has no budget",
            why="other limits hold it",
            change="loss_slack=",
        )
    low, high, status = _ends(asked, fitted, best, goal, slack)
    best = {c: best[c] for c in low}
    shares = [
        f"{what} within {100 * share:.3g} %"
        for what, share in (("loss", loss_slack), ("compute", cost_slack))
        if share
    ]
    return Region(low, best, high, status, " and ".join(shares))


def _ends(
    asked: Put, fitted: Fitted | None, best: dict[str, Any], goal: Any, slack: np.ndarray
) -> tuple[dict[str, Any], ...]:
    """Least and greatest of each column over plans whose goal is at most `slack[0]` (relative)
    worse than the best, and the status of both. Each limit may be exceeded by its share in
    `slack[1:]`. Every search begins at the best plan.
    """
    question, shape = to_numpy(asked.question), asked.question.shape
    values, limits, lead, many = spread(asked, fitted)
    lanes, k = int(np.prod(lead, dtype=int)), len(shape.log)
    z, goal = coordinates(shape, best).reshape(k, lanes), np.ravel(np.asarray(goal, np.float64))
    limits = of_lanes(limits, np.arange(lanes) % many)
    sides = np.array([[r.side] for r in question.rules]).reshape(-1, 1)
    rules = (*question.rules, dataclasses.replace(question.goal, name="goal"))
    worse = goal + np.abs(goal) * slack[0]
    limits = np.concatenate([limits + sides * np.abs(limits) * slack[1:, None], worse[None]])
    edge = dataclasses.replace(question, rules=rules, limits=np.zeros(len(rules)))

    place, way = np.divmod(np.arange(lanes * 2 * k), 2 * k)  # lane, then coordinate down and up
    direction = np.concatenate([np.eye(k), -np.eye(k)])[way].T
    law = {name: of_lanes(v, place // many) for name, v in values.items()}
    start = z[:, place]
    low, high = (
        np.clip(b[:, None], start - _REACH, start + _REACH) for b in (question.low, question.high)
    )
    found = planned(
        edge, (law, {}), limits[:, place], start=start, direction=direction, low=low, high=high
    )
    # as far as it was looked for
    moved = np.abs(found["goal"] - np.sum(direction * start, 0)) > _REACH - 1.0
    state = (found["status"] | np.where(moved, 1, 0)).reshape(lanes, 2, k)
    ends = np.einsum(
        "twk,wk->twk", found["goal"].reshape(lanes, 2, k), np.array([[1.0], [-1.0]]) * np.ones(k)
    )
    said: list[dict[str, Any]] = [{}, {}, {}]
    for c, size, a in shape.slices:
        of = slice(a, a + size) if size else a
        for side in (0, 1):
            value = np.exp(ends[:, side, of]) if shape.log[a] else ends[:, side, of]
            value = np.where(state[:, side, of] == 0, value, np.nan)
            said[side][c] = value.reshape(lead + value.shape[1:])[()]
        worst = np.max(state[:, :, of], 1)
        said[2][c] = worst.reshape(lead + worst.shape[1:])[()]
    return tuple(said)
