"""`near_optimal`: how flat the optimum is. All plans that are nearly as good as the best, and how far they reach.

Around the optimum a loss changes little: half the parameters and twice the tokens may cost a tenth of a per cent. What can
be told apart is the region of plans within a given share of the best, and its extent along each column is two more
problems with limits: the least and the greatest of that column among plans that keep all limits and lose no more than
allowed. They are solved as plans are, from the best plan outwards.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import plan_tile_of, run_points
from ..ground._errors import refuse
from ..ground._trees import node, traced
from ._allocate import Allocation, spread
from ._kkt import closed, judged
from ._problem import Question, Rule, gaps, natural
from ._search import found, starts_of


@dataclass(frozen=True, eq=False)
class Region:
    """Extent of the nearly optimal plans along each column: `low`, `best` and `high`, of the plan's shape.

    `status` (..., columns) is 0 where both ends meet their KKT conditions; an end that does not is nan. `said` is what the
    region allows.
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
        if any(np.ndim(v) for v in self.best.values()):
            return f"<Region of {', '.join(self.best)}, {self.said}>"
        shown = (f"{c} {self.low[c]:.4g} to {self.high[c]:.4g} (best {self.best[c]:.4g})" for c in self.best)
        return f"<Region {self.said}: {', '.join(shown)}>"


def near_optimal(plan: Allocation, *, loss: float = 0.0, compute: float = 0.0) -> Region:
    """Extent [units of the columns] of all plans within `loss` [share of the loss] and `compute` [share of the cost] of a plan.

    `plan` comes from `allocate`, for a law, a fit or an ensemble. `loss=0.001` holds every limit and lets the loss be 0.1 %
    above the best; `compute=0.05` lets the cost be 5 % above the budget (or the least cost) at the loss of the best plan;
    both together allow both. Where something was maximised, the share is of its value. Raises InputError where neither is
    given, and for plans of choices, whose neighbours are in `plan.by_choice`.

    >>> from jaxscale import allocate, laws
    >>> near_optimal(allocate(laws.chinchilla.published["hoffmann2022"], 1e23), loss=0.001)
    <Region loss within 0.1 %: N 1.251e+10 to 2.639e+10 (best 1.815e+10), D 6.315e+11 to 1.332e+12 (best 9.184e+11)>

    Source: the region is ours; that losses are flat around the optimum: Hoffmann et al. 2022, figure 3.
    """
    if not (loss >= 0 and compute >= 0 and loss + compute > 0):
        raise refuse(
            f"near_optimal: loss={loss}, compute={compute}", why="a share is meant", change="loss=0.001 for 0.1 % of the loss"
        )
    asked, fitted = plan.asked
    if traced(asked.question, asked.limits):
        raise TypeError("near_optimal is for numbers: it takes a plan made outside jit and grad")
    if asked.options:
        raise refuse("near_optimal: the plan is one of several choices", why="choices have no region", change="plan.by_choice")
    names = [r.name for r in asked.question.rules]
    by_cost = asked.question.goal.name == "cost"
    slack = np.zeros(1 + len(names))
    slack[0] = compute if by_cost else loss
    held = "target" if by_cost else "budget"
    if held in names:
        slack[1 + names.index(held)] = loss if by_cost else compute
    elif compute:
        raise refuse(f"near_optimal: compute={compute}, and the plan has no budget", why="other limits hold it", change="loss=")
    values, limits, lead, many = spread(asked, fitted)
    lanes = int(np.prod(lead, dtype=int))
    job = (asked.question, values, limits, (np.int32(many), slack))
    ends = run_points(_tile, job, lanes, label="regions", tile=plan_tile_of(lanes))
    ends = jax.tree.map(lambda v: v.reshape(lead + v.shape[1:])[()], ends)
    status, low, best, high = {}, {}, {}, {}
    for c, size, a in asked.question.shape.slices:
        own = ends["status"][..., a : a + size] if size else ends["status"][..., a]  # (..., 2, size) or (..., 2)
        sides = (own[..., 0, :], own[..., 1, :]) if size else (own[..., 0], own[..., 1])
        low[c], high[c] = (np.where(s == 0, ends[k][c], np.nan)[()] for s, k in zip(sides, ("low", "high"), strict=True))
        best[c], status[c] = ends["best"][c], np.maximum(*sides)[()]
    shares = [f"{what} within {100 * share:.3g} %" for what, share in (("loss", loss), ("compute", compute)) if share]
    return Region(low, best, high, status, " and ".join(shares))


@jax.jit
def _tile(index: Any, job: Any) -> dict[str, Any]:
    """Regions around the plans of lanes `index` (T,): the least and greatest of every coordinate, as (k, 2) places."""
    problem, values, limits, (many, slack) = job

    def one(i: Any) -> dict[str, Any]:
        law = dataclasses.replace(problem.law, fixed={k: v[i // many] for k, v in values.items()})
        return _region(dataclasses.replace(problem, law=law, limits=limits[i % many]), slack)

    return jax.vmap(one)(index)


@node()
class _Along:
    """How far coordinates lie along a direction (k,)."""

    direction: Any

    def __call__(self, coordinates: Any) -> Any:
        return self.direction @ coordinates


def _region(problem: Question, slack: Any) -> dict[str, Any]:
    """Least and greatest of each coordinate over plans whose goal is at most `slack[0]` (relative) worse than the best.

    Each limit may be exceeded by its share in `slack[1:]`. Every search begins at the best plan.
    """
    z, _, _ = found(problem, starts_of(problem))
    best, _, _ = gaps(problem, z)
    worse = jnp.exp(best) * (1.0 + slack[0]) if problem.goal.log else best + jnp.abs(best) * slack[0]
    rules = (*problem.rules, dataclasses.replace(problem.goal, name="goal"))
    sides = jnp.asarray([r.side for r in problem.rules])
    limits = jnp.concatenate([problem.limits + sides * jnp.abs(problem.limits) * slack[1:], worse[None]])

    def end(direction: Any) -> tuple[Any, Any]:
        edge = Rule(_Along(direction), "edge", ("coordinates",), 1.0, False)
        own = dataclasses.replace(problem, goal=edge, rules=rules, limits=limits)
        own = dataclasses.replace(own, low=jnp.maximum(own.low, z - 30.0), high=jnp.minimum(own.high, z + 30.0))
        plan = judged(own, *closed(own, *found(own, z[:, None])))
        far = jnp.abs(plan["goal"] - direction @ z) > 29.0  # as far as it was looked for
        return plan["status"] | jnp.where(far, 1, 0), jnp.where(direction == 0, 0.0, plan["goal"] * direction)

    k = len(z)
    directions = jnp.concatenate([jnp.eye(k), -jnp.eye(k)])
    status, places = jax.vmap(end)(directions)
    ends = jnp.sum(places, 1).reshape(2, k)
    columns = [natural(problem, e) for e in ends]
    return {"low": columns[0], "high": columns[1], "best": natural(problem, z), "status": status.reshape(2, k)}
