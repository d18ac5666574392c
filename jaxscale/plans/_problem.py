"""What is asked of the functions of an oracle: which is made least, which have limits, between
which bounds.

All of it is data. Goal and limits are rules: a budget is a limit of the cost, a target a limit of
the loss. `parts` reads the oracle's numbers as goal, excess over each limit and miss of each
mixture's sum, in NumPy or in JAX.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..formula._law import Law
from ..ground._trees import node, static
from ._oracle import Function, Oracle, Shape, value_of

TINY = 1e-300


@dataclass(frozen=True)
class Rule:
    """What is asked of function number `at`: at most (`side` 1) or at least (-1) a limit, or to be
    as small as can be.
    """

    at: int
    name: str
    side: float = 1.0
    log: bool = True  # compared by ratio: in ln


@node()
class Question:
    """What a plan depends on: all numbers are leaves."""

    oracle: Oracle
    limits: Any  # (m,) of the rules
    low: Any  # (k,) bounds in coordinates
    high: Any
    reach: Any  # ln of the largest start of a column without bounds
    goal: Rule = static()
    cost: Rule | None = static()
    rules: tuple[Rule, ...] = static()
    starts: int = static()
    solver: Any = static()

    @property
    def law(self) -> Law:
        return self.oracle.law

    @property
    def shape(self) -> Shape:
        return self.oracle.shape

    def of(self, rule: Rule) -> Function:
        """The function that a rule is about."""
        return self.oracle.functions[rule.at]

    def goal_at(self, z: Any) -> Any:
        """The goal's function at coordinates (k,)."""
        return value_of(self.of(self.goal), self.oracle.known(z))

    def under(self, law: Law) -> Question:
        """The same question about another law of this form."""
        return dataclasses.replace(self, oracle=dataclasses.replace(self.oracle, law=law))

    def ask(self, limits: Any, *, low: Any = None, high: Any = None, direction: Any = None) -> Ask:
        """The question for lanes with these limits (m, T); `direction` (k, T) stands for
        the goal.
        """
        wide = np.ones((1, limits.shape[-1]))
        low, high = (
            own[:, None] * wide if given is None else given
            for own, given in ((self.low, low), (self.high, high))
        )
        sides = np.array([[r.side] for r in self.rules]).reshape(-1, 1)
        logs = np.array([[r.log] for r in self.rules], bool).reshape(-1, 1)
        at = np.array([r.at for r in self.rules], int)
        goal = self.goal.at if direction is None else -1
        return Ask(
            goal=goal,
            goal_log=self.goal.log,
            direction=direction,
            at=at,
            side=sides,
            log=logs,
            limits=limits,
            sums=self.shape.sums,
            low=low,
            high=high,
        )


class Ask(NamedTuple):
    """What is asked of the functions of an oracle: all of it is data, lanes last."""

    goal: int  # the function that is made least; -1: how far a lane lies along its direction
    goal_log: bool
    direction: Any  # (k, T), of regions
    at: np.ndarray  # (m,) functions that have limits
    side: np.ndarray  # (m, 1)
    log: np.ndarray  # (m, 1)
    limits: Any  # (m, T)
    sums: np.ndarray  # (e, k) coordinates that add up to 1
    low: Any  # (k, T)
    high: Any

    def of(self, lanes: Any) -> Ask:
        """Of some lanes only."""
        direction = None if self.direction is None else self.direction[:, lanes]
        own = {
            "limits": self.limits[:, lanes],
            "low": self.low[:, lanes],
            "high": self.high[:, lanes],
        }
        return self._replace(direction=direction, **own)


class Parts(NamedTuple):
    """Goal, excess over each limit (0 on it, negative inside) and miss of each sum, with slopes and
    curvature.
    """

    goal: Any  # (T,)
    goal_slope: Any  # (k, T)
    goal_curve: Any  # (k, k, T)
    excess: Any  # (m, T)
    slopes: Any  # (m, k, T)
    curves: Any  # (m, k, k, T)
    miss: Any  # (e, T)


def parts(ask: Ask, z: Any, numbers: tuple[Any, Any, Any], xp: Any) -> Parts:
    """What the oracle's values, slopes and curvature at z (k, T) say about a question."""
    v, j, h = numbers
    if ask.goal < 0:
        goal, slope, curve = xp.sum(ask.direction * z, 0), ask.direction, 0.0 * h[0]
    else:
        goal, slope, curve = v[ask.goal], j[ask.goal], h[ask.goal]
        if ask.goal_log:
            slope = slope / goal
            goal, curve = xp.log(goal), curve / v[ask.goal] - slope[:, None] * slope
    v, j, h = v[ask.at], j[ask.at], h[ask.at]
    log, limit = ask.log, ask.limits
    above = v > 0  # by ratio; what is not positive is far below any limit
    size = xp.where(log, xp.where(above, v, limit), 1.0)
    ratio = xp.where(
        above,
        xp.log(xp.where(log & above, v, 1.0)) - xp.log(xp.where(log, limit, 1.0)),
        v / size - 1.0,
    )
    excess = ask.side * xp.where(log, ratio, v - limit)
    slopes = j / size[:, None]
    bent = xp.where((log & above)[:, None, None], slopes[:, :, None] * slopes[:, None], 0.0)
    curves = ask.side[:, None, None] * (h / size[:, None, None] - bent)
    miss = xp.sum(ask.sums[:, :, None] * z, 1) - 1.0
    return Parts(
        goal=goal,
        goal_slope=slope,
        goal_curve=curve,
        excess=excess,
        slopes=ask.side[:, None] * slopes,
        curves=curves,
        miss=miss,
    )


def relative(ask: Ask, excess: Any, xp: Any) -> Any:
    """Excess by ratio; of limits that are compared by difference, against the size of
    both sides.
    """
    size = xp.abs(ask.limits) + xp.abs(ask.limits + ask.side * excess) + TINY
    return excess / xp.where(ask.log, 1.0, size)


def over_sums(ask: Ask, values: Any, xp: Any) -> Any:
    """By coordinate (k, T), what belongs to each sum (e, T): lane by lane, where a product of
    matrices would mix them.
    """
    return xp.sum(ask.sums[:, :, None] * values[:, None], 0)


def yardstick(ask: Ask, steepest: Any, xp: Any) -> Any:
    """What excess over each limit (m, T) is measured by: 1 for ratios; for differences the limit
    and its steepest slope.
    """
    return xp.where(ask.log, 1.0, xp.abs(ask.limits) + steepest + TINY)
