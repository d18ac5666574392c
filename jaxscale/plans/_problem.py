"""A plan's problem as functions: goal, limits and bounds over coordinates.

A rule is a plain function of columns, of the law's parameters and of its value, `loss`. Goal and limits are rules: a budget
is a limit of the cost, a target a limit of the loss. Columns are searched in logarithms where they are positive, in natural
numbers where they may be 0; the shares of a mixture are numbers from 0 to 1 whose sum is one more equation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._form import complete, evaluate
from ..formula._law import Law
from ..ground._trees import node, static


@node()
class Rule:
    """A plain function of named columns, parameters or `loss`, at most (`side` 1) or at least (-1) a limit."""

    function: Any
    name: str = static()
    reads: tuple[str, ...] = static()
    side: float = static(1.0)
    log: bool = static(True)  # compared by ratio: in ln


@dataclass(frozen=True)
class Shape:
    """The static part of a problem: which columns are searched, how long they are, in which coordinates, by what."""

    over: tuple[str, ...]
    sizes: tuple[int | None, ...]  # None: a number; k: shares of a mixture
    log: tuple[bool, ...]  # by coordinate
    starts: int
    solver: Any

    @property
    def slices(self) -> list[tuple[str, int | None, int]]:
        """Column, its length and the place of its first coordinate."""
        ends = np.cumsum([0, *(s or 1 for s in self.sizes)])
        return [(c, s, int(a)) for c, s, a in zip(self.over, self.sizes, ends[:-1], strict=True)]


@node()
class Question:
    """What a plan depends on: all numbers are leaves."""

    law: Law
    goal: Rule
    cost: Rule | None
    rules: tuple[Rule, ...]
    limits: Any  # (m,) of the rules
    given: dict[str, Any]
    codes: dict[str, Any]
    low: Any  # (k,) bounds in coordinates
    high: Any
    reach: Any  # ln of the largest start of a column without bounds
    shape: Shape = static()


def natural(problem: Question, z: Any) -> dict[str, Any]:
    """Columns by name from coordinates (k,)."""
    values = [jnp.exp(z[j]) if log else z[j] for j, log in enumerate(problem.shape.log)]
    return {c: values[a] if size is None else jnp.stack(values[a : a + size]) for c, size, a in problem.shape.slices}


def known_of(problem: Question, z: Any) -> dict[str, Any]:
    """All that a rule may read."""
    rows = {**problem.given, **natural(problem, z)}
    one = {c: jnp.reshape(rows[c], (1, *jnp.shape(rows[c]))) for c in problem.law.columns}
    loss = evaluate(problem.law, one, {}, {g: jnp.reshape(v, (1,)) for g, v in problem.codes.items()})[0]
    return {**complete(problem.law, {}), **rows, "loss": loss, "coordinates": z}


def value_of(rule: Rule, known: dict[str, Any]) -> Any:
    return jnp.asarray(rule.function(**{name: known[name] for name in rule.reads}), float)


def gaps(problem: Question, z: Any) -> tuple[Any, Any, Any]:
    """Goal, excess (m,) over each limit (0 on it, negative inside), and miss (e,) of the sum of each mixture."""
    known = known_of(problem, z)
    goal = value_of(problem.goal, known)
    goal = jnp.log(goal) if problem.goal.log else goal
    excess = [jnp.zeros(0)]
    for rule, limit in zip(problem.rules, problem.limits, strict=True):
        value = value_of(rule, known)
        if rule.log:  # by ratio; what is not positive is far below any limit
            ratio = jnp.log(jnp.where(value > 0, value, limit)) - jnp.log(limit)
            excess.append(rule.side * jnp.where(value > 0, ratio, value / limit - 1.0)[None])
        else:
            excess.append(rule.side * (value - limit)[None])
    miss = [jnp.zeros(0)] + [jnp.sum(z[a : a + s], keepdims=True) - 1.0 for _, s, a in problem.shape.slices if s]
    return goal, jnp.concatenate(excess), jnp.concatenate(miss)


def slopes_of(problem: Question, z: Any) -> tuple[Any, Any, Any]:
    """Slopes of the three, (k,), (m, k) and (e, k), by the cheaper direction of differentiation."""
    outputs = 1 + len(problem.rules) + sum(s is not None for s in problem.shape.sizes)
    differentiate = jax.jacrev if outputs < len(problem.shape.log) else jax.jacfwd
    slopes: tuple[Any, Any, Any] = differentiate(lambda u: gaps(problem, u))(z)
    return slopes


def relative(problem: Question, excess: Any) -> Any:
    """Excess by ratio; of limits that are compared by difference, against the size of both sides."""
    linear = np.array([not r.log for r in problem.rules], bool)
    sides = np.array([r.side for r in problem.rules])
    size = jnp.abs(problem.limits) + jnp.abs(problem.limits + sides * excess) + 1e-300
    return excess / jnp.where(linear, size, 1.0)


def yardstick(problem: Question, steepest: Any) -> Any:
    """What excess over each limit is measured by: 1 for ratios; for differences the limit and its steepest slope (m, ...)."""
    shape = (len(problem.rules),) + (1,) * (steepest.ndim - 1)
    linear = np.array([not r.log for r in problem.rules], bool).reshape(shape)
    return jnp.where(linear, jnp.abs(problem.limits).reshape(shape) + steepest + 1e-300, 1.0)
