"""One plan: the least of a goal under limits and bounds, as a pure function of a law, prices, limits and bounds.

Planning for a budget, for a target and for the edge of a region are the same problem (`_problem`). The limits enter by an
augmented Lagrangian, minimised round by round with the driver and the damped Newton of a fit; a round before the first
looks for a feasible point only, and where there is none, names the limit that is in the way. Stiffness grows and
multipliers follow; once every limit is met to a per cent, Newton steps on the first-order conditions close the search to
rounding, and carry the derivatives (`_kkt`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..solvers import Newton, minimise
from ._kkt import closed, judged
from ._problem import Question, gaps, relative, slopes_of

# weight of the goal, stiffness of the limits, and the step at which a round ends: feasibility first, then both
_ROUNDS = np.array([[0.0, 1.0, 1e-3], [1.0, 10.0, 1e-2], *[[1.0, 1e2, 1e-4]] * 2, *[[1.0, 1e3, 1e-5]] * 6])
_CLOSE = 1e-2  # as far from their limits as this, coordinates are left to the closing steps
_NEAR = 0.1  # a limit that is farther away is not felt
_SETTLED = 0.2  # and so are prices that change by less than this share of the largest
_STEEP = 1e-2  # and so is this share of the slope
_CLOSED, _CLOSING = 1e-7, 8  # closing steps: how small the last one is, and how many there are at most


@jax.jit
def plan_tile(index: Any, job: Any) -> dict[str, Any]:
    """Plans of lanes `index` (T,): choice `index % choices`, then limits, then the law."""
    problem, values, limits, options, (many, choices, per_law) = job

    def one(i: Any) -> dict[str, Any]:
        c, b, draw = i % choices, i // choices % many, i // choices // many
        law = dataclasses.replace(problem.law, fixed={k: v[draw] for k, v in values.items()})
        given = {**problem.given, **{k: v[c] for k, v in options.items()}}
        own = dataclasses.replace(problem, law=law, given=given, limits=limits[b + per_law * draw * many])
        return judged(own, *found(own, starts_of(own)))

    return jax.vmap(one)(index)


@jax.jit
def plans(problem: Question, limits: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Plans for limits (..., m) and choices (c,) of columns, all traced; axes (..., c), or (...) without choices."""

    def one(own: Any, option: dict[str, Any]) -> dict[str, Any]:
        live = dataclasses.replace(problem, limits=own, given={**problem.given, **option})
        fixed = jax.lax.stop_gradient(live)
        return judged(live, *closed(live, *found(fixed, starts_of(fixed))))

    plan = jax.vmap(one, in_axes=(None, 0)) if options else one
    for _ in range(limits.ndim - 1):
        plan = jax.vmap(plan, in_axes=(0, None))
    return plan(limits, options)


def found(problem: Question, starts: Any) -> tuple[Any, Any, Any]:
    """Coordinates (k,), multipliers of the limits and of the mixtures' sums, from `starts` (k, s); no derivatives."""

    def step(state: Any) -> Any:
        at, _, count = state
        new = closed(problem, *at)
        return new, jnp.max(jnp.abs(new[0] - at[0])), count + 1

    def going(state: Any) -> Any:
        return (state[1] > _CLOSED) & (state[2] < _CLOSING)

    at, *_ = jax.lax.while_loop(going, step, (_search(problem, starts), jnp.array(jnp.inf), 0))
    end: tuple[Any, Any, Any] = jax.lax.stop_gradient(at)
    return end


def _search(problem: Question, z0: Any) -> tuple[Any, Any, Any]:
    """The best end of all starts."""
    low, high = jnp.asarray(problem.low)[:, None], jnp.asarray(problem.high)[:, None]
    count = z0.shape[1]

    def every(function: Any, z: Any) -> Any:  # start
        return jax.vmap(lambda u: function(problem, u), in_axes=-1, out_axes=-1)(z)

    def lagrangian(u: Any, own: Any) -> Any:
        weight, price, equal, stiff, stiff_equal = own
        goal, excess, miss = gaps(problem, u)
        pressed = jnp.where(
            stiff * excess + price > 0, (price + 0.5 * stiff * excess) * excess, -0.5 * price**2 / jnp.maximum(stiff, 1e-300)
        )
        return jnp.where(weight > 0, goal, 0.0) + jnp.sum(pressed) + jnp.sum((equal + 0.5 * stiff_equal * miss) * miss)

    def one_round(state: Any) -> Any:
        z, price, equal, (slope, slopes, sums), i, _ = state
        weight, stiffness, near = jnp.asarray(_ROUNDS)[i]
        _, excess, _ = every(gaps, z)
        size = jnp.where(weight > 0, jnp.maximum(jnp.max(jnp.abs(slope), 0), 1e-12), 1.0)
        stiff, stiff_equal = (stiffness * size / jnp.maximum(jnp.max(s**2, 1), 1e-300) for s in (slopes, sums))
        pull = -jnp.sum(slope * slopes, 1) / jnp.maximum(jnp.sum(slopes**2, 1), 1e-300)
        guess = jnp.maximum(pull, 0.0) / max(limits, 1)
        price = jnp.where(i == 1, guess, price)  # without a price the first step would leave the limits
        close = excess > -jnp.where(i == 1, 0.5, _NEAR) * jnp.max(jnp.abs(slopes), 1)
        price = jnp.where(close, price, 0.0)
        # a limit that has a price is felt from where the round begins
        stiff = jnp.where((price > 0) & (excess < 0), jnp.minimum(stiff, 0.5 * price / jnp.maximum(-excess, 1e-300)), stiff)
        own = (jnp.full(count, weight), price, equal, stiff, stiff_equal)
        box = {"lower": low + 0 * z, "upper": high + 0 * z} if isinstance(problem.shape.solver, Newton) else {}
        z = minimise(lagrangian, z, own, problem.shape.solver, near=near, **box).x
        _, excess, miss = every(gaps, z)
        before, price = price, weight * jnp.maximum(price + stiff * excess, 0.0)
        equal = weight * (equal + stiff_equal * miss)
        slope, slopes, sums = new = every(slopes_of, z)
        far = jnp.where(price > 0, jnp.abs(excess), jnp.maximum(excess, 0.0)) / jnp.maximum(jnp.max(jnp.abs(slopes), 1), 1e-300)
        off = jnp.max(jnp.concatenate([far, jnp.abs(miss)]), initial=0.0)
        settled = jnp.all(jnp.abs(price - before) <= _SETTLED * jnp.max(price, 0, initial=0.0))
        left = slope + jnp.sum(price[:, None] * slopes, 0) + jnp.sum(equal[:, None] * sums, 0)
        held = ((z <= low) & (left >= 0)) | ((z >= high) & (left <= 0))
        steep = jnp.any(jnp.where(held, 0.0, jnp.abs(left)) > _STEEP * jnp.max(jnp.abs(slope), 0))
        return z, price, equal, new, i + 1, (off > _CLOSE) | ~settled | steep | (i < 2)

    def going(state: Any) -> Any:
        return state[5] & (state[4] < len(_ROUNDS))

    limits, sums = len(problem.rules), sum(s is not None for s in problem.shape.sizes)
    state = (z0, jnp.zeros((limits, count)), jnp.zeros((sums, count)), every(slopes_of, z0), 0, jnp.array(True))
    z, price, equal, (_, slopes, _), *_ = jax.lax.while_loop(going, one_round, state)
    goal, excess, miss = every(gaps, z)
    off = excess / jnp.maximum(jnp.max(jnp.abs(slopes), 1), 1e-300)  # in coordinates
    off = jnp.maximum(jnp.max(off, 0, initial=0.0), jnp.max(jnp.abs(miss), 0, initial=0.0))
    goal = goal + jnp.sum(price * excess, 0) + jnp.sum(equal * miss, 0)  # what it will be on the limits, to first order
    usable = (off <= 2 * _CLOSE) & jnp.isfinite(goal)
    best = jnp.argmin(jnp.where(usable, goal, jnp.inf))  # else the end that is closest
    best = jnp.where(jnp.any(usable), best, jnp.argmin(jnp.where(jnp.isfinite(goal), off, jnp.inf)))
    return z[:, best], price[:, best], equal[:, best]


def starts_of(problem: Question) -> Any:
    """Starting points (k, starts): of points spread over the bounds, moved to the limits, the best of each part."""
    shape, k = problem.shape, len(problem.shape.log)
    low, high = jnp.asarray(problem.low), jnp.asarray(problem.high)
    count = -(-min(max(12, 6 * k), 96) // shape.starts) * shape.starts
    top = jnp.where(jnp.isfinite(high), high, jnp.maximum(problem.reach, jnp.where(jnp.isfinite(low), low + 10.0, 0.0)))
    bottom = jnp.where(jnp.isfinite(low), low, jnp.minimum(0.0, top - 10.0))
    points = bottom + jnp.asarray(_spread(k, count)) * (top - bottom)
    for _, size, a in shape.slices:
        if size:  # evenly over the simplex, and its centre
            raw = -np.log(_spread(size, count, seed=a + 1))
            raw[0] = 1.0
            points = points.at[:, a : a + size].set(raw / raw.sum(1, keepdims=True))
    along = jnp.where(jnp.asarray(shape.log) & ~jnp.isfinite(high), 1.0, 0.0)

    def moved(z: Any) -> Any:
        def worst(t: Any) -> Any:
            return jnp.max(relative(problem, gaps(problem, z + t * along)[1]), initial=-jnp.inf)

        def nearer(_: int, t: Any) -> Any:
            value, slope = jax.jvp(worst, (t,), (jnp.ones(()),))
            step = value / jnp.where(jnp.abs(slope) > 1e-3, slope, jnp.inf)
            return t - jnp.where(jnp.isfinite(step), jnp.clip(step, -20.0, 20.0), 0.0)

        return jnp.clip(z + jax.lax.fori_loop(0, 2, nearer, jnp.zeros(())) * along, low, high)

    points = jax.vmap(moved)(points) if problem.rules else points
    goal, excess, _ = jax.vmap(lambda u: gaps(problem, u))(points)
    off = jnp.max(jax.vmap(lambda e: relative(problem, e))(excess), 1, initial=0.0)
    order = jnp.where(
        off < 0.5, jnp.where(jnp.isfinite(goal), goal, 1e200), jnp.where(jnp.isfinite(off), 1e250 * (1 + off), 1e300)
    )
    parts = points.reshape(-1, shape.starts, k)  # every part holds points from all over
    best = jnp.argmin(order.reshape(-1, shape.starts), 0)
    return jnp.take_along_axis(parts, best[None, :, None], 0)[0].T


def _spread(dimensions: int, count: int, seed: int = 0) -> np.ndarray:
    """Points (count, dimensions) in the unit cube: a Kronecker sequence of the generalised golden ratio. Deterministic."""
    ratio = 2.0
    for _ in range(60):  # the root of x^(d + 1) = x + 1
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    return np.asarray(np.mod(0.5 + 0.137 * seed + np.arange(1, count + 1)[:, None] * steps, 1.0)).clip(1e-6, 1 - 1e-6)
