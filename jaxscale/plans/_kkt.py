"""The conditions of Karush, Kuhn and Tucker at a plan: one closing Newton step, and the certificate.

The step takes the active limits as equations. Derivatives pass through it, which makes a plan differentiable in budget,
prices, limits and law by the implicit function theorem. The certificate checks the conditions from scratch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..fitting._results import Status
from ..solvers import derivatives, solve_positive
from ._problem import Question, gaps, known_of, natural, slopes_of, value_of, yardstick

_KKT = 1e-6
_ON = 1e-9  # a coordinate this close to its bound is at it


def _held(problem: Question, z: Any, slope: Any) -> tuple[Any, Any]:
    """Coordinates at their lower and upper bounds that the slope presses there."""
    at_low, at_high = z <= problem.low + _ON, z >= problem.high - _ON
    return at_low & (slope >= 0), at_high & (slope <= 0)


def closed(problem: Question, z: Any, price: Any, equal: Any) -> tuple[Any, Any, Any]:
    """One Newton step on the KKT conditions with the active limits as equations; derivatives pass through it.

    The matrix is [H R'; R 0]. Adding a multiple of R'R to H changes nothing where R dz = -rest, and makes it positive
    definite at an optimum: two Cholesky factors do.
    """
    fixed = jax.lax.stop_gradient((problem, z, price, equal))

    def lagrangian(own: Question, u: Any, p: Any, e: Any) -> Any:
        goal, excess, miss = gaps(own, u)
        return goal + p @ excess + e @ miss

    _, slope, h = derivatives(lambda u: lagrangian(fixed[0], u, *fixed[2:]), fixed[1])
    by_goal, by_limit, by_sum = slopes_of(*fixed[:2])
    at_low, at_high = _held(*fixed[:2], slope)
    held = at_low | at_high
    free = jnp.where(held, 0.0, 1.0)
    h = h * free * free[:, None]
    curved = jnp.maximum(jnp.max(jnp.abs(jnp.diagonal(h))), 1e-3 * jnp.max(jnp.abs(by_goal)) + 1e-300)
    steepest = jnp.max(jnp.abs(by_limit), 1, initial=0.0)
    strength = fixed[2] * steepest
    # a limit that lies further inside than its price could move the plan has that price from an earlier round only
    over = gaps(*fixed[:2])[1]
    near = -over * curved <= 10.0 * strength * steepest
    active = (strength > 1e-7 * jnp.maximum(jnp.max(jnp.abs(by_goal)), 1e-300)) & near
    active = active | (over > 1e-12 * yardstick(fixed[0], steepest))  # left out too early
    rows = jnp.concatenate([jnp.where(active[:, None], by_limit, 0.0), by_sum]) * free
    live = jnp.concatenate([active, jnp.ones(len(by_sum), bool)]) & (jnp.max(jnp.abs(rows), 1, initial=0.0) > 0)
    rows = jnp.where(live[:, None], rows, 0.0)
    stiff = 10.0 * curved / jnp.maximum(jnp.max(rows**2, 1), 1e-300)
    w = h + (rows.T * stiff) @ rows + jnp.diag(jnp.where(held, 1.0, 0.0) + 1e-13 * curved)

    slope = jax.grad(lagrangian, argnums=1)(problem, fixed[1], jnp.where(active, fixed[2], 0.0), fixed[3])
    _, excess, miss = gaps(problem, fixed[1])
    rest = jnp.where(live, jnp.concatenate([excess, miss]), 0.0)

    def solve(matrix: Any, right: Any) -> Any:  # right (k,) or (k, r)
        many = right if right.ndim == 2 else right[:, None]
        spread = jnp.broadcast_to(matrix[..., None], (*matrix.shape, many.shape[1]))
        return solve_positive(spread, many).reshape(right.shape)

    down = slope * free + rows.T @ (stiff * rest)
    if len(rows):
        across = solve(w, rows.T)  # (k, r)
        small = rows @ across + jnp.diag(jnp.where(live, 0.0, 1.0))
        change = solve(small + 1e-14 * jnp.diag(jnp.diagonal(small)), rest - across.T @ down)
    else:
        change = jnp.zeros(0)
    move = -solve(w, down + rows.T @ change)
    ok = jnp.all(jnp.isfinite(move)) & jnp.all(jnp.isfinite(change)) & (jnp.max(jnp.abs(move)) < 0.1)
    move, change = jnp.where(ok, move, 0.0), jnp.where(ok & live, change, 0.0)
    m = len(problem.rules)
    inside = jnp.clip(fixed[1] + move, fixed[0].low, fixed[0].high)
    z = jnp.where(at_low, fixed[0].low, jnp.where(at_high, fixed[0].high, inside))
    return z, jnp.where(active, fixed[2] + change[:m], 0.0), fixed[3] + change[m:]


def judged(problem: Question, z: Any, price: Any, equal: Any) -> dict[str, Any]:
    """A plan with its KKT conditions: what is left of the slope, overspending, multipliers of the wrong sign."""
    fixed, at, own, sums = jax.lax.stop_gradient((problem, z, price, equal))
    known = known_of(problem, z)
    goal, excess, miss = gaps(fixed, at)
    by_goal, by_limit, by_sum = slopes_of(fixed, at)
    left = by_goal + own @ by_limit + sums @ by_sum
    at_low, at_high = at <= fixed.low + _ON, at >= fixed.high - _ON
    curved = jax.jvp(jax.grad(lambda u: gaps(fixed, u)[0]), (at,), (jnp.ones_like(at),))[1]
    size = jnp.maximum(jnp.maximum(jnp.max(jnp.abs(by_goal)), jnp.max(jnp.abs(curved))), 1e-300)
    steepest = jnp.max(jnp.abs(by_limit), 1, initial=0.0)
    scale = yardstick(fixed, steepest)
    over = jnp.maximum(jnp.max(excess / scale, initial=0.0), jnp.max(jnp.abs(miss), initial=0.0))
    binds = own > 0
    on = jnp.max(jnp.where(binds, jnp.abs(excess) / scale, 0.0), initial=0.0)
    stationarity = jnp.max(jnp.where(at_low | at_high, 0.0, jnp.abs(left))) / size
    wrong = jnp.where(at_low & ~at_high, -left, jnp.where(at_high & ~at_low, left, 0.0))
    complementarity = jnp.maximum(jnp.max(wrong, initial=0.0), jnp.max(-own * steepest, initial=0.0)) / size
    feasible = jnp.isfinite(goal) & (over <= 1e-5)
    good = feasible & (stationarity <= _KKT) & (complementarity <= _KKT) & (jnp.maximum(over, on) <= _KKT)
    status = jnp.where(good, 0, jnp.where(feasible, Status.MAX_STEPS.value, Status.NON_FINITE.value))
    edge = jnp.where(at_high, 1, jnp.where(at_low, -1, 0))
    pairs = zip(problem.rules, problem.limits, strict=True)
    per = jnp.stack([jnp.zeros(()), *(rule.side / (limit if rule.log else 1.0) for rule, limit in pairs)])[1:]
    scaled = value_of(problem.goal, known) if problem.goal.log else 1.0

    def valid(v: Any) -> Any:  # not v * nan, which would send nan back through a derivative
        return jnp.where(feasible, v, jnp.nan)

    return {
        "columns": {c: valid(v) for c, v in natural(problem, z).items()},
        "goal": valid(value_of(problem.goal, known)),
        "loss": valid(known["loss"]),
        "cost": valid(value_of(problem.cost, known)) if problem.cost is not None else jnp.nan,
        "prices": valid(price * per * scaled),
        "binds": binds,
        "excess": excess / scale,
        "active": {c: edge[a] if s is None else edge[a : a + s] for c, s, a in problem.shape.slices},
        "status": status,
        "kkt": (stationarity, jnp.maximum(over, on), complementarity),
    }
