"""One plan: the least of a goal under limits and bounds, as a pure function of a law, prices, limits and bounds.

Goal and limits are rules: plain functions of columns, of the law's parameters and of its value, `loss`. A budget is a
limit of the cost, a target a limit of the loss, so that planning for a budget, for a target and for the edge of a region
are the same problem. Columns are searched in logarithms where they are positive, in natural numbers where they may be 0;
the shares of a mixture are numbers from 0 to 1 whose sum is one more equation.

The limits enter by an augmented Lagrangian, minimised round by round with the driver and the damped Newton of a fit; a
round before the first looks for a feasible point only, and where there is none, names the limit that is in the way.
Stiffness grows and multipliers follow, so that a handful of rounds end at rounding. Two Newton steps on the conditions of
Karush, Kuhn and Tucker close the search; the second carries derivatives, which makes the plan differentiable in budget,
prices, limits and law by the implicit function theorem. The certificate checks the conditions from scratch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._evaluate import complete, evaluate
from ._law import Law
from ._results import Status
from ._tree import node, static
from .solvers import derivatives, minimise, solve_positive

# weight of the goal, stiffness of the limits, and the step at which a round ends: feasibility first, then both
_ROUNDS = np.array([[0.0, 1.0, 1e-3], [1.0, 10.0, 1e-2], *[[1.0, 1e2, 1e-4]] * 6])
_CLOSE = 1e-2  # as far from their limits as this, coordinates are left to the closing steps
_KKT = 1e-6
_ON = 1e-9  # a coordinate this close to its bound is at it


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
    screen: float  # ln of the largest start of a column without bounds
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
    shape: Shape = static()


@jax.jit
def plan_tile(index: Any, job: Any) -> dict[str, Any]:
    """Plans of lanes `index` (T,): choice `index % choices`, then limits, then the law."""
    problem, values, limits, options, (many, choices, per_law) = job

    def one(i: Any) -> dict[str, Any]:
        c, b, draw = i % choices, i // choices % many, i // choices // many
        law = dataclasses.replace(problem.law, fixed={k: v[draw] for k, v in values.items()})
        given = {**problem.given, **{k: v[c] for k, v in options.items()}}
        return _plan(dataclasses.replace(problem, law=law, given=given, limits=limits[b + per_law * draw * many]))

    return jax.vmap(one)(index)


@jax.jit
def region_tile(index: Any, job: Any) -> dict[str, Any]:
    """Regions around the plans of lanes `index` (T,): the least and greatest of every coordinate, as (k, 2) places."""
    problem, values, limits, (many, slack) = job

    def one(i: Any) -> dict[str, Any]:
        law = dataclasses.replace(problem.law, fixed={k: v[i // many] for k, v in values.items()})
        return _region(dataclasses.replace(problem, law=law, limits=limits[i % many]), slack)

    return jax.vmap(one)(index)


@node()
class Along:
    """How far coordinates lie along a direction (k,)."""

    direction: Any

    def __call__(self, coordinates: Any) -> Any:
        return self.direction @ coordinates


def _region(problem: Question, slack: Any) -> dict[str, Any]:
    """Least and greatest of each coordinate over plans whose goal is at most `slack[0]` (relative) worse than the best.

    Each limit may be exceeded by its share in `slack[1:]`. Every search begins at the best plan.
    """
    z, _, _ = found(problem, _starts(problem))
    best, _, _ = _gaps(problem, z)
    goal = dataclasses.replace(problem.goal, log=False)
    worse = jnp.exp(best) * (1.0 + slack[0]) if problem.goal.log else best + jnp.abs(best) * slack[0]
    rules = (*problem.rules, dataclasses.replace(goal, name="goal"))
    limits = jnp.concatenate([problem.limits * (1.0 + slack[1:]), worse[None]])

    def end(direction: Any) -> tuple[Any, Any]:
        edge = Rule(Along(direction), "edge", ("coordinates",), 1.0, False)
        own = dataclasses.replace(problem, goal=edge, rules=rules, limits=limits)
        own = dataclasses.replace(own, low=jnp.maximum(own.low, z - 30.0), high=jnp.minimum(own.high, z + 30.0))
        plan = _judged(own, *_closed(own, *found(own, z[:, None])))
        return plan["status"], jnp.where(direction == 0, 0.0, plan["goal"] * direction)

    k = len(z)
    directions = jnp.concatenate([jnp.eye(k), -jnp.eye(k)])
    status, places = jax.vmap(end)(directions)
    ends = jnp.sum(places, 1).reshape(2, k)
    columns = [natural(problem, e) for e in ends]
    return {"low": columns[0], "high": columns[1], "best": natural(problem, z), "status": status.reshape(2, k)}


@jax.jit
def plans(problem: Question, limits: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Plans for limits (..., m) and choices (c,) of columns, all traced; axes (..., c), or (...) without choices."""

    def one(own: Any, option: dict[str, Any]) -> dict[str, Any]:
        return _plan(dataclasses.replace(problem, limits=own, given={**problem.given, **option}))

    plan = jax.vmap(one, in_axes=(None, 0)) if options else one
    for _ in range(limits.ndim - 1):
        plan = jax.vmap(plan, in_axes=(0, None))
    return plan(limits, options)


def natural(problem: Question, z: Any) -> dict[str, Any]:
    """Columns by name from coordinates (k,)."""
    values = [jnp.exp(z[j]) if log else z[j] for j, log in enumerate(problem.shape.log)]
    return {c: values[a] if size is None else jnp.stack(values[a : a + size]) for c, size, a in problem.shape.slices}


def _known(problem: Question, z: Any) -> dict[str, Any]:
    """All that a rule may read."""
    rows = {**problem.given, **natural(problem, z)}
    one = {c: jnp.reshape(rows[c], (1, *jnp.shape(rows[c]))) for c in problem.law.columns}
    loss = evaluate(problem.law, one, {}, {g: jnp.reshape(v, (1,)) for g, v in problem.codes.items()})[0]
    return {**complete(problem.law, {}), **rows, "loss": loss, "coordinates": z}


def _value(rule: Rule, known: dict[str, Any]) -> Any:
    return jnp.asarray(rule.function(**{name: known[name] for name in rule.reads}), float)


def _gaps(problem: Question, z: Any) -> tuple[Any, Any, Any]:
    """Goal, excess (m,) over each limit (0 on it, negative inside), and miss (e,) of the sum of each mixture."""
    known = _known(problem, z)
    goal = _value(problem.goal, known)
    goal = jnp.log(goal) if problem.goal.log else goal
    excess = [jnp.zeros(0)]
    for rule, limit in zip(problem.rules, problem.limits, strict=True):
        value = _value(rule, known)
        if rule.log:  # by ratio; what is not positive is far below any limit
            ratio = jnp.log(jnp.where(value > 0, value, limit)) - jnp.log(limit)
            excess.append(rule.side * jnp.where(value > 0, ratio, value / limit - 1.0)[None])
        else:
            excess.append(rule.side * (value - limit)[None])
    miss = [jnp.zeros(0)] + [jnp.sum(z[a : a + s], keepdims=True) - 1.0 for _, s, a in problem.shape.slices if s]
    return goal, jnp.concatenate(excess), jnp.concatenate(miss)


def _relative(problem: Question, excess: Any) -> Any:
    """Excess by ratio; of limits that are compared by difference, against the size of both sides."""
    linear = np.array([not r.log for r in problem.rules], bool)
    sides = np.array([r.side for r in problem.rules])
    size = jnp.abs(problem.limits) + jnp.abs(problem.limits + sides * excess) + 1e-300
    return excess / jnp.where(linear, size, 1.0)


def _slopes(problem: Question, z: Any) -> tuple[Any, Any, Any]:
    """Slopes of the three, (k,), (m, k) and (e, k), by the cheaper direction of differentiation."""
    outputs = 1 + len(problem.rules) + sum(s is not None for s in problem.shape.sizes)
    differentiate = jax.jacrev if outputs < len(problem.shape.log) else jax.jacfwd
    slopes: tuple[Any, Any, Any] = differentiate(lambda u: _gaps(problem, u))(z)
    return slopes


def _plan(problem: Question) -> dict[str, Any]:
    """The best plan of one lane: search without derivatives, close with them, judge."""
    fixed = jax.lax.stop_gradient(problem)
    return _judged(problem, *_closed(problem, *found(fixed, _starts(fixed))))


def found(problem: Question, starts: Any) -> tuple[Any, Any, Any]:
    """Coordinates (k,), multipliers of the limits and of the mixtures' sums, from `starts` (k, s); no derivatives."""
    at = jax.lax.fori_loop(0, 2, lambda _, at: _closed(problem, *at), _search(problem, starts))
    return jax.lax.stop_gradient(at)


def _size(problem: Question, steepest: Any) -> Any:
    """What excess over each limit is measured by: 1 for ratios; for differences the limit and its steepest slope (m, ...)."""
    shape = (len(problem.rules),) + (1,) * (steepest.ndim - 1)
    linear = np.array([not r.log for r in problem.rules], bool).reshape(shape)
    return jnp.where(linear, jnp.abs(problem.limits).reshape(shape) + steepest + 1e-300, 1.0)


def _search(problem: Question, z0: Any) -> tuple[Any, Any, Any]:
    """The best end of all starts."""
    low, high = jnp.asarray(problem.low)[:, None], jnp.asarray(problem.high)[:, None]
    count = z0.shape[1]

    def every(function: Any, z: Any) -> Any:  # start
        return jax.vmap(lambda u: function(problem, u), in_axes=-1, out_axes=-1)(z)

    def lagrangian(u: Any, own: Any) -> Any:
        weight, price, equal, stiff, stiff_equal = own
        goal, excess, miss = _gaps(problem, u)
        pressed = jnp.where(
            stiff * excess + price > 0, (price + 0.5 * stiff * excess) * excess, -0.5 * price**2 / jnp.maximum(stiff, 1e-300)
        )
        return jnp.where(weight > 0, goal, 0.0) + jnp.sum(pressed) + jnp.sum((equal + 0.5 * stiff_equal * miss) * miss)

    def one_round(state: Any) -> Any:
        z, price, equal, i, _ = state
        weight, stiffness, near = jnp.asarray(_ROUNDS)[i]
        _, excess, _ = every(_gaps, z)
        slope, slopes, sums = every(_slopes, z)
        size = jnp.where(weight > 0, jnp.maximum(jnp.max(jnp.abs(slope), 0), 1e-12), 1.0)
        stiff, stiff_equal = (stiffness * size / jnp.maximum(jnp.max(s**2, 1), 1e-300) for s in (slopes, sums))
        pull = -jnp.sum(slope * slopes, 1) / jnp.maximum(jnp.sum(slopes**2, 1), 1e-300)
        guess = jnp.where(excess > -0.5, jnp.maximum(pull, 0.0) / limits, 0.0)
        price = jnp.where(i == 1, guess, price)  # without a price the first step would leave the limits
        # a limit that has a price is felt from where the round begins
        stiff = jnp.where((price > 0) & (excess < 0), jnp.minimum(stiff, 0.5 * price / jnp.maximum(-excess, 1e-300)), stiff)
        own = (jnp.full(count, weight), price, equal, stiff, stiff_equal)
        z = minimise(lagrangian, z, own, problem.shape.solver, lower=low + 0 * z, upper=high + 0 * z, near=near).x
        _, excess, miss = every(_gaps, z)
        price = weight * jnp.maximum(price + stiff * excess, 0.0)
        far = jnp.where(price > 0, jnp.abs(excess), jnp.maximum(excess, 0.0)) / jnp.maximum(jnp.max(jnp.abs(slopes), 1), 1e-300)
        off = jnp.max(jnp.concatenate([far, jnp.abs(miss)]), initial=0.0)
        return z, price, weight * (equal + stiff_equal * miss), i + 1, (off > _CLOSE) | (i < 2)

    def going(state: Any) -> Any:
        return state[4] & (state[3] < len(_ROUNDS))

    limits, sums = len(problem.rules), sum(s is not None for s in problem.shape.sizes)
    state = (z0, jnp.zeros((limits, count)), jnp.zeros((sums, count)), 0, jnp.array(True))
    z, price, equal, *_ = jax.lax.while_loop(going, one_round, state)
    goal, excess, miss = every(_gaps, z)
    _, slopes, _ = every(_slopes, z)
    excess = excess / _size(problem, jnp.max(jnp.abs(slopes), 1))
    off = jnp.maximum(jnp.max(excess, 0, initial=0.0), jnp.max(jnp.abs(miss), 0, initial=0.0))
    off = jnp.where(jnp.isfinite(goal), off, jnp.inf)
    best = jnp.argmin(jnp.where(off <= 1e-5, goal, jnp.inf))  # among feasible ends; else the end that is closest
    best = jnp.where(jnp.any(off <= 1e-5), best, jnp.argmin(off))
    return z[:, best], price[:, best], equal[:, best]


def _starts(problem: Question) -> Any:
    """Starting points (k, starts): of points spread over the bounds, moved to the limits, the best of each part."""
    shape, k = problem.shape, len(problem.shape.log)
    low, high = jnp.asarray(problem.low), jnp.asarray(problem.high)
    count = -(-min(max(12, 6 * k), 96) // shape.starts) * shape.starts
    top = jnp.where(jnp.isfinite(high), high, jnp.maximum(shape.screen, jnp.where(jnp.isfinite(low), low + 10.0, 0.0)))
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
            return jnp.max(_relative(problem, _gaps(problem, z + t * along)[1]), initial=-jnp.inf)

        t = jnp.zeros(())
        for _ in range(2):
            value, slope = jax.jvp(worst, (t,), (jnp.ones(()),))
            step = value / jnp.where(jnp.abs(slope) > 1e-3, slope, jnp.inf)
            t = t - jnp.where(jnp.isfinite(step), jnp.clip(step, -20.0, 20.0), 0.0)
        return jnp.clip(z + t * along, low, high)

    points = jax.vmap(moved)(points) if problem.rules else points
    goal, excess, _ = jax.vmap(lambda u: _gaps(problem, u))(points)
    off = jnp.max(jax.vmap(lambda e: _relative(problem, e))(excess), 1, initial=0.0)
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


def _held(problem: Question, z: Any, slope: Any) -> tuple[Any, Any]:
    """Coordinates at their lower and upper bounds that the slope presses there."""
    at_low, at_high = z <= problem.low + _ON, z >= problem.high - _ON
    return at_low & (slope >= 0), at_high & (slope <= 0)


def _closed(problem: Question, z: Any, price: Any, equal: Any) -> tuple[Any, Any, Any]:
    """One Newton step on the KKT conditions with the active limits as equations; derivatives pass through it.

    The matrix is [H R'; R 0]. Adding a multiple of R'R to H changes nothing where R dz = -rest, and makes it positive
    definite at an optimum: two Cholesky factors do.
    """
    fixed = jax.lax.stop_gradient((problem, z, price, equal))

    def lagrangian(own: Question, u: Any, p: Any, e: Any) -> Any:
        goal, excess, miss = _gaps(own, u)
        return goal + p @ excess + e @ miss

    _, slope, h = derivatives(lambda u: lagrangian(fixed[0], u, *fixed[2:]), fixed[1])
    by_goal, by_limit, by_sum = _slopes(*fixed[:2])
    held = jnp.logical_or(*_held(*fixed[:2], slope))
    free = jnp.where(held, 0.0, 1.0)
    strength = fixed[2] * jnp.max(jnp.abs(by_limit), 1, initial=0.0)
    active = strength > 1e-7 * jnp.maximum(jnp.max(jnp.abs(by_goal)), 1e-300)
    rows = jnp.concatenate([jnp.where(active[:, None], by_limit, 0.0), by_sum]) * free
    live = jnp.concatenate([active, jnp.ones(len(by_sum), bool)]) & (jnp.max(jnp.abs(rows), 1, initial=0.0) > 0)
    rows = jnp.where(live[:, None], rows, 0.0)
    h = h * free * free[:, None]
    curved = jnp.maximum(jnp.max(jnp.abs(jnp.diagonal(h))), 1e-3 * jnp.max(jnp.abs(by_goal)) + 1e-300)
    stiff = 10.0 * curved / jnp.maximum(jnp.max(rows**2, 1), 1e-300)
    w = h + (rows.T * stiff) @ rows + jnp.diag(jnp.where(held, 1.0, 0.0) + 1e-13 * curved)

    slope = jax.grad(lagrangian, argnums=1)(problem, *fixed[1:])
    _, excess, miss = _gaps(problem, fixed[1])
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
    edge = jnp.clip(fixed[1] + jax.lax.stop_gradient(move), fixed[0].low, fixed[0].high)
    z = jnp.where(held, edge, fixed[1] + move)
    return z, jnp.where(active, fixed[2] + change[:m], 0.0), fixed[3] + change[m:]


def _judged(problem: Question, z: Any, price: Any, equal: Any) -> dict[str, Any]:
    """A plan with its KKT conditions: what is left of the slope, overspending, multipliers of the wrong sign."""
    fixed, at, own, sums = jax.lax.stop_gradient((problem, z, price, equal))
    known = _known(problem, z)
    goal, excess, miss = _gaps(fixed, at)
    by_goal, by_limit, by_sum = _slopes(fixed, at)
    left = by_goal + own @ by_limit + sums @ by_sum
    at_low, at_high = at <= fixed.low + _ON, at >= fixed.high - _ON
    curved = jax.jvp(jax.grad(lambda u: _gaps(fixed, u)[0]), (at,), (jnp.ones_like(at),))[1]
    size = jnp.maximum(jnp.maximum(jnp.max(jnp.abs(by_goal)), jnp.max(jnp.abs(curved))), 1e-300)
    scale = _size(fixed, jnp.max(jnp.abs(by_limit), 1, initial=0.0))
    over = jnp.maximum(jnp.max(excess / scale, initial=0.0), jnp.max(jnp.abs(miss), initial=0.0))
    binds = own > 0
    on = jnp.max(jnp.where(binds, jnp.abs(excess) / scale, 0.0), initial=0.0)
    stationarity = jnp.max(jnp.where(at_low | at_high, 0.0, jnp.abs(left))) / size
    wrong = jnp.where(at_low & ~at_high, -left, jnp.where(at_high & ~at_low, left, 0.0))
    complementarity = jnp.maximum(jnp.max(wrong), jnp.max(-own, initial=0.0)) / size
    complementarity = jnp.maximum(complementarity, 0.0)
    feasible = jnp.isfinite(goal) & (over <= 1e-5)
    good = feasible & (stationarity <= _KKT) & (complementarity <= _KKT) & (jnp.maximum(over, on) <= _KKT)
    status = jnp.where(good, 0, jnp.where(feasible, Status.MAX_STEPS.value, Status.NON_FINITE.value))
    edge = jnp.where(at_high, 1, jnp.where(at_low, -1, 0))
    pairs = zip(problem.rules, problem.limits, strict=True)
    per = jnp.stack([jnp.zeros(()), *(rule.side / (limit if rule.log else 1.0) for rule, limit in pairs)])[1:]
    scaled = _value(problem.goal, known) if problem.goal.log else 1.0
    blank = jnp.where(feasible, 1.0, jnp.nan)
    return {
        "columns": natural(problem, z * blank),
        "goal": _value(problem.goal, known) * blank,
        "loss": known["loss"] * blank,
        "cost": _value(problem.cost, known) if problem.cost is not None else jnp.nan,
        "prices": price * per * scaled * blank,
        "binds": binds,
        "excess": excess / scale,
        "active": {c: edge[a] if s is None else edge[a : a + s] for c, s, a in problem.shape.slices},
        "status": status,
        "kkt": (stationarity, jnp.maximum(over, on), complementarity),
    }
