"""The conditions of Karush, Kuhn and Tucker at a plan: one closing Newton step, and the
certificate.

Both read the numbers of the oracle only, in NumPy or in JAX. The step takes the active limits as
equations; derivatives pass through it, which makes a plan differentiable in budget, prices, limits
and law by the implicit function theorem. The certificate checks the conditions from scratch.
"""

from __future__ import annotations

from typing import Any

from ..fitting._results import Status
from ..solvers import solve_positive
from ._problem import TINY, Ask, Parts, over_sums, yardstick

_KKT = 1e-6
_ON = 1e-9  # a coordinate this close to its bound is at it


def lagrangian(p: Parts, price: Any, equal: Any, ask: Ask, xp: Any) -> tuple[Any, Any]:
    """Slope (k, T) and curvature (k, k, T) of goal + price . excess + equal . miss."""
    slope = p.goal_slope + xp.sum(price[:, None] * p.slopes, 0) + over_sums(ask, equal, xp)
    return slope, p.goal_curve + xp.sum(price[:, None, None] * p.curves, 0)


def closed(
    ask: Ask,
    z: Any,
    p: Parts,
    multipliers: tuple[Any, Any],
    xp: Any,
    live: tuple[Any, ...] | None = None,
) -> tuple[Any, Any, Any, Any]:
    """One Newton step on the KKT conditions with the active limits as equations: coordinates,
    multipliers, whether it was taken.

    The matrix is [H R'; R 0]. Adding a multiple of R'R to H changes nothing where R dz = -rest, and
    makes it positive definite at an optimum: two Cholesky factors do. Derivatives pass through
    `live`: slopes of the goal and of the limits, excess and miss, which are those of `p` where
    nothing is differentiated.
    """
    count, sums, (price, equal) = len(ask.at), len(ask.sums), multipliers
    slope, h = lagrangian(p, price, equal, ask, xp)
    at_low, at_high = (z <= ask.low + _ON) & (slope >= 0), (z >= ask.high - _ON) & (slope <= 0)
    held = at_low | at_high
    free = xp.where(held, 0.0, 1.0)
    h = h * free * free[:, None]
    steep = xp.max(xp.abs(p.goal_slope), 0)
    diagonal = xp.stack([h[i, i] for i in range(len(z))])
    curved = xp.maximum(xp.max(xp.abs(diagonal), 0), 1e-3 * steep + TINY)
    steepest = xp.max(xp.abs(p.slopes), 1, initial=0.0)
    strength = price * steepest
    # a limit that lies further inside than its price could move the plan has that price from an
    # earlier round only
    near = -p.excess * curved <= 10.0 * strength * steepest
    active = (strength > 1e-7 * xp.maximum(steep, TINY)) & near
    active = active | (p.excess > 1e-12 * yardstick(ask, steepest, xp))  # left out too early
    by_sum = xp.broadcast_to(xp.asarray(ask.sums)[:, :, None], (sums, *z.shape))
    rows = xp.concatenate([xp.where(active[:, None], p.slopes, 0.0), by_sum]) * free
    holds = xp.concatenate([active, xp.ones((sums, z.shape[1]), bool)]) & (
        xp.max(xp.abs(rows), 1, initial=0.0) > 0
    )
    rows = xp.where(holds[:, None], rows, 0.0)
    stiff = 10.0 * curved / xp.maximum(xp.max(rows**2, 1, initial=0.0), TINY)
    eye = xp.eye(len(z))[:, :, None]
    w = (
        h
        + xp.einsum("rit,rt,rjt->ijt", rows, stiff, rows)
        + eye * (xp.where(held, 1.0, 0.0) + 1e-13 * curved)
    )

    goal_slope, slopes, excess, miss = (
        (p.goal_slope, p.slopes, p.excess, p.miss) if live is None else live
    )
    own = xp.where(active, price, 0.0)
    slope = goal_slope + xp.sum(own[:, None] * slopes, 0) + over_sums(ask, equal, xp)
    rest = xp.where(holds, xp.concatenate([excess, miss]), 0.0)
    down = slope * free + xp.einsum("rkt,rt->kt", rows, stiff * rest)
    if count + sums:
        # (k, r + 1, T)
        solved = _solve(w, xp.concatenate([xp.moveaxis(rows, 0, 1), down[:, None]], 1), xp)
        across = solved[:, :-1]
        small = xp.einsum("rkt,kst->rst", rows, across)
        small = small + xp.eye(count + sums)[:, :, None] * (
            xp.where(holds, 0.0, 1.0) + 1e-14 * _diagonal(small, xp)
        )
        change = _solve(small, (rest - xp.einsum("krt,kt->rt", across, down))[:, None], xp)[:, 0]
        move = -(solved[:, -1] + xp.einsum("krt,rt->kt", across, change))
    else:
        change, move = xp.zeros((0, z.shape[1])), -_solve(w, down[:, None], xp)[:, 0]
    ok = (
        xp.all(xp.isfinite(move), 0)
        & xp.all(xp.isfinite(change), 0)
        & (xp.max(xp.abs(move), 0) < 0.1)
    )
    move, change = xp.where(ok, move, 0.0), xp.where(ok & holds, change, 0.0)
    inside = xp.clip(z + move, ask.low, ask.high)
    z = xp.where(at_low, ask.low, xp.where(at_high, ask.high, inside))
    return z, xp.where(active, price + change[:count], 0.0), equal + change[count:], ok


def _diagonal(matrix: Any, xp: Any) -> Any:
    return xp.stack([matrix[i, i] for i in range(len(matrix))])


def _solve(matrix: Any, right: Any, xp: Any) -> Any:
    """Solutions (k, r, T) of positive definite systems (k, k, T); NaN in lanes where they
    are not.
    """
    k, r, lanes = right.shape
    wide = xp.broadcast_to(matrix[:, :, None], (k, k, r, lanes)).reshape(k, k, r * lanes)
    return solve_positive(wide, right.reshape(k, r * lanes)).reshape(k, r, lanes)


def judged(ask: Ask, z: Any, p: Parts, multipliers: tuple[Any, Any], xp: Any) -> dict[str, Any]:
    """A plan's status and KKT conditions: what is left of the slope, overspending, multipliers of
    the wrong sign.
    """
    price, equal = multipliers
    left, _ = lagrangian(p, price, equal, ask, xp)
    at_low, at_high = z <= ask.low + _ON, z >= ask.high - _ON
    curved = xp.sum(p.goal_curve, 1)
    size = xp.maximum(xp.maximum(xp.max(xp.abs(p.goal_slope), 0), xp.max(xp.abs(curved), 0)), TINY)
    steepest = xp.max(xp.abs(p.slopes), 1, initial=0.0)
    scale = yardstick(ask, steepest, xp)
    over = xp.maximum(
        xp.max(p.excess / scale, 0, initial=0.0), xp.max(xp.abs(p.miss), 0, initial=0.0)
    )
    binds = price > 0
    on = xp.max(xp.where(binds, xp.abs(p.excess) / scale, 0.0), 0, initial=0.0)
    stationarity = xp.max(xp.where(at_low | at_high, 0.0, xp.abs(left)), 0) / size
    wrong = xp.where(at_low & ~at_high, -left, xp.where(at_high & ~at_low, left, 0.0))
    signs = xp.maximum(xp.max(wrong, 0, initial=0.0), xp.max(-price * steepest, 0, initial=0.0))
    complementarity = signs / size
    feasible = xp.isfinite(p.goal) & (over <= 1e-5)
    good = (
        feasible
        & (stationarity <= _KKT)
        & (complementarity <= _KKT)
        & (xp.maximum(over, on) <= _KKT)
    )
    return {
        "feasible": feasible,
        "status": xp.where(
            good, 0, xp.where(feasible, Status.MAX_STEPS.value, Status.NON_FINITE.value)
        ),
        "kkt": (stationarity, xp.maximum(over, on), complementarity),
        "excess": p.excess / scale,
        "binds": binds,
        "edge": xp.where(at_high, 1, xp.where(at_low, -1, 0)),
    }
