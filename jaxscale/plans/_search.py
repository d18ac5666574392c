"""One plan: the least of a goal under limits and bounds, from the oracle's values, slopes and
curvature alone.

Planning for a budget, for a target and for the edge of a region are the same problem. The limits
enter by an augmented Lagrangian, minimised round by round with the driver and the damped Newton of
a fit; a round before the first looks for a feasible point only, and where there is none, names the
limit that is in the way. Stiffness grows and multipliers follow; once every limit is met to a per
cent, Newton steps on the first-order conditions close the search to rounding (`_kkt`).

A step of the search is one call of the oracle and arithmetic on what it says, which is written once
for NumPy and JAX. `search` walks on the host: nothing is compiled but the oracle. `search_traced`
is the same walk inside a compiled program, for calls that are traced, for optax solvers, and for
jobs of many lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._life import alive
from ..solvers import Newton, Search, advance, begin, namespace
from ._kkt import closed
from ._problem import TINY, Ask, Parts, over_sums, parts

# weight of the goal, stiffness of the limits, and the step at which a round ends: feasibility
# first, then both
_ROUNDS = np.array(
    [[0.0, 1.0, 1e-3], [1.0, 10.0, 1e-2], *[[1.0, 1e2, 1e-4]] * 2, *[[1.0, 1e3, 1e-5]] * 6]
)
_CLOSE = 1e-2  # as far from their limits as this, coordinates are left to the closing steps
_NEAR = 0.1  # a limit that is farther away is not felt
_SETTLED = 0.2  # and so are prices that change by less than this share of the largest
_STEEP = 1e-2  # and so is this share of the slope
_BENT = 1e-2  # of the slope: the least curvature of what is pressed; none at its minimum
# closing steps: how small the last one is, and how many there are at most
_CLOSED, _CLOSING = 1e-7, 8
_TOO_FAR = -1  # stands for the trials of a lane that a closing step could not be taken in
WALKS, TURNS, CLOSES, ENDED = 0, 1, 2, 3  # what a lane does with what the oracle says of its point


# (walk, lanes that begin a round, value with slope and curvature) -> next trial, best point, and
# whether a lane has stopped
Newtons = Callable[["Walk", Any, tuple[Any, ...]], tuple[Any, ...]]


class Rules(NamedTuple):
    """How hard goal and limits press on a lane in its present round; lanes last."""

    weight: Any  # (T,) of the goal
    price: Any  # (m, T) multipliers of the limits
    equal: Any  # (e, T) and of the sums
    stiff: Any
    stiff_equal: Any


class Walk(NamedTuple):
    """Lanes on their way to a plan; lanes last."""

    z: Any  # (k, T) where the oracle is asked next
    doing: Any  # (T,)
    round: Any  # (T,)
    tried: Any  # (T,) trials of this round, or closing steps
    near: Any  # (T,) the step at which the round ends
    rules: Rules


def begun(ask: Ask, z: Any, xp: Any) -> Walk:
    """Lanes at their starts (k, T)."""
    lanes = z.shape[1]
    none = xp.zeros(lanes, int)
    sums, limits = xp.zeros((len(ask.sums), lanes)), xp.zeros((len(ask.at), lanes))
    rules = Rules(xp.zeros(lanes), limits, sums, limits, sums)
    return Walk(
        z=z, doing=none + TURNS, round=none - 1, tried=none, near=xp.zeros(lanes), rules=rules
    )


def pressed(ask: Ask, p: Parts, rules: Rules, xp: Any) -> tuple[Any, Any, Any]:
    """The augmented Lagrangian (T,) with its slope (k, T) and curvature (k, k, T)."""
    weight, price, equal, stiff, stiff_equal = rules
    push = stiff * p.excess + price
    felt = push > 0
    press = xp.where(
        felt, (price + 0.5 * stiff * p.excess) * p.excess, -0.5 * price**2 / xp.maximum(stiff, TINY)
    )
    pull = equal + stiff_equal * p.miss
    goal = xp.where(weight > 0, p.goal, 0.0)
    value = goal + xp.sum(press, 0) + xp.sum((equal + 0.5 * stiff_equal * p.miss) * p.miss, 0)
    force, bend = xp.where(felt, push, 0.0), xp.where(felt, stiff, 0.0)
    sums = xp.asarray(ask.sums)
    slope = (
        xp.where(weight > 0, p.goal_slope, 0.0)
        + xp.sum(force[:, None] * p.slopes, 0)
        + over_sums(ask, pull, xp)
    )
    curve = xp.where(weight > 0, p.goal_curve, 0.0) + xp.sum(force[:, None, None] * p.curves, 0)
    curve = curve + xp.einsum("mt,mit,mjt->ijt", bend, p.slopes, p.slopes)
    curve = curve + xp.einsum("et,ei,ej->ijt", stiff_equal, sums, sums)
    # a goal without curvature, such as ln cost, gives damping nothing to act on where no limit is
    # felt
    floor = _BENT * xp.max(xp.abs(slope), 0)
    return value, slope, curve + xp.eye(len(slope))[:, :, None] * floor


def turned(ask: Ask, walk: Walk, p: Parts, xp: Any) -> tuple[Walk, Any]:
    """Multipliers after a round, and the next round where one is needed; and which lanes
    begin one.
    """
    rules, low, high = walk.rules, ask.low, ask.high
    first, steep = walk.round < 0, xp.max(xp.abs(p.goal_slope), 0)
    steepest = xp.maximum(xp.max(xp.abs(p.slopes), 1, initial=0.0), TINY)
    price = xp.where(
        first, 0.0, rules.weight * xp.maximum(rules.price + rules.stiff * p.excess, 0.0)
    )
    equal = xp.where(first, 0.0, rules.weight * (rules.equal + rules.stiff_equal * p.miss))
    far = xp.where(price > 0, xp.abs(p.excess), xp.maximum(p.excess, 0.0)) / steepest
    off = xp.maximum(xp.max(far, 0, initial=0.0), xp.max(xp.abs(p.miss), 0, initial=0.0))
    settled = xp.all(xp.abs(price - rules.price) <= _SETTLED * xp.max(price, 0, initial=0.0), 0)
    left = p.goal_slope + xp.sum(price[:, None] * p.slopes, 0) + over_sums(ask, equal, xp)
    held = ((walk.z <= low) & (left >= 0)) | ((walk.z >= high) & (left <= 0))
    sloping = xp.any(xp.where(held, 0.0, xp.abs(left)) > _STEEP * steep, 0)
    more = (off > _CLOSE) | ~settled | sloping | (walk.round < 2) | (walk.tried == _TOO_FAR)
    on = walk.round + 1
    begins = (walk.doing == TURNS) & more & (on < len(_ROUNDS))

    weight, stiffness, near = xp.asarray(_ROUNDS)[xp.minimum(on, len(_ROUNDS) - 1)].T
    size = xp.where(weight > 0, xp.maximum(steep, 1e-12), 1.0)
    stiff = stiffness * size / xp.maximum(xp.max(p.slopes**2, 1, initial=0.0), TINY)
    stiff_equal = (
        stiffness
        * size
        / xp.maximum(xp.max(xp.asarray(ask.sums) ** 2, 1, initial=0.0), TINY)[:, None]
    )
    pull = -xp.sum(p.goal_slope * p.slopes, 1) / xp.maximum(xp.sum(p.slopes**2, 1), TINY)
    guess = xp.maximum(pull, 0.0) / max(len(ask.at), 1)
    # without a price the first step would leave the limits
    next_price = xp.where(on == 1, guess, price)
    felt = p.excess > -xp.where(on == 1, 0.5, _NEAR) * steepest
    next_price = xp.where(felt, next_price, 0.0)
    # a limit that has a price is felt from where the round begins
    firm = xp.minimum(stiff, 0.5 * next_price / xp.maximum(-p.excess, TINY))
    stiff = xp.where((next_price > 0) & (p.excess < 0), firm, stiff)
    new = Rules(weight, next_price, equal, stiff, stiff_equal)
    old = rules._replace(price=price, equal=equal)
    turning = walk.doing == TURNS
    rules = Rules(
        *(
            xp.where(begins, a, xp.where(turning, b, c))
            for a, b, c in zip(new, old, walk.rules, strict=True)
        )
    )
    doing = xp.where(begins, WALKS, xp.where(turning, CLOSES, walk.doing))
    return Walk(
        z=walk.z,
        doing=doing,
        round=xp.where(begins, on, walk.round),
        tried=xp.where(turning, 0, walk.tried),
        near=xp.where(begins, near, walk.near),
        rules=rules,
    ), begins


def stepped(ask: Ask, walk: Walk, p: Parts, newton: Newtons, most: int, xp: Any) -> Walk:
    """What every lane does with the oracle's word on its point: the next point to ask about."""
    walk, begins = turned(ask, walk, p, xp)
    trial, best, done = newton(walk, begins, pressed(ask, p, walk.rules, xp))
    walks, closes = walk.doing == WALKS, walk.doing == CLOSES
    tried = walk.tried + xp.where(walks | closes, 1, 0)
    over = walks & (done | (tried >= most))
    z, price, equal, taken = _closing(ask, walk, p, closes, xp)
    # too far for a closing step: another round
    again = closes & ~taken & (walk.round + 1 < len(_ROUNDS))
    ended = closes & ~again & ((xp.max(xp.abs(z - walk.z), 0) <= _CLOSED) | (tried >= _CLOSING))
    z = xp.where(closes, z, xp.where(over, best, xp.where(walks, trial, walk.z)))
    doing = xp.where(over | again, TURNS, xp.where(ended, ENDED, walk.doing))
    return Walk(
        z=z,
        doing=doing,
        round=walk.round,
        tried=xp.where(again, _TOO_FAR, tried),
        near=walk.near,
        rules=walk.rules._replace(price=price, equal=equal),
    )


def _closing(ask: Ask, walk: Walk, p: Parts, closes: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
    """Coordinates and multipliers after a closing step of the lanes that are there, and whether it
    was taken; on the host others take none.
    """
    old = (walk.z, walk.rules.price, walk.rules.equal)
    if xp is not np:
        found = closed(ask, walk.z, p, old[1:], xp)
        z, price, equal = (xp.where(closes, a, b) for a, b in zip(found[:3], old, strict=True))
        return z, price, equal, found[3]
    lanes, moved = (
        np.flatnonzero(closes),
        (old[0].copy(), old[1].copy(), old[2].copy(), np.ones(closes.shape, bool)),
    )
    if len(lanes):
        own = Parts(*(v[..., lanes] for v in p))
        new = closed(ask.of(lanes), walk.z[:, lanes], own, (old[1][:, lanes], old[2][:, lanes]), np)
        for into, values in zip(moved, new, strict=True):
            into[..., lanes] = values
    return moved


def search(ask: Ask, asking: Callable[[np.ndarray], Any], z: np.ndarray, solver: Newton) -> Walk:
    """Ends of lanes from their starts z (k, T), on the host; `asking(lanes)(z)` asks the oracle
    about some lanes.
    """
    end: Walk = jax.tree.map(np.copy, begun(ask, z, np))
    # NumPy sums a lone column otherwise than many
    lanes, tx = np.arange(max(z.shape[1], 2)) % z.shape[1], solver.build(None)
    ask, z = ask.of(lanes), z[:, lanes]
    walk, state, evaluate = begun(ask, z, np), begin(z, tx), asking(lanes)

    def newton(walk: Walk, begins: Any, at: tuple[Any, ...]) -> tuple[Any, ...]:
        nonlocal state
        state = _advanced(
            state,
            begins,
            near=walk.near,
            z=walk.z,
            at=at,
            tx=tx,
            lanes=None,
            low=ask.low,
            high=ask.high,
        )
        return state.x, state.best, state.done

    with np.errstate(all="ignore"):
        while len(lanes):
            alive()
            walk = stepped(
                ask,
                walk,
                p=parts(ask, walk.z, evaluate(walk.z), np),
                newton=newton,
                most=solver.max_steps,
                xp=np,
            )
            on = np.flatnonzero(walk.doing < ENDED)
            # lanes that have ended cost no more
            if len(on) == 0 or (2 * len(on) <= len(lanes) and len(lanes) > 2):
                for into, values in zip(jax.tree.leaves(end), jax.tree.leaves(walk), strict=True):
                    into[..., lanes] = values
                on = np.repeat(on, 2) if len(on) == 1 else on
                kept = jax.tree.map(lambda v: np.ascontiguousarray(v[..., on]), (walk, state))  # noqa: B023
                lanes, ask, (walk, state) = lanes[on], ask.of(on), kept
                evaluate = asking(lanes)
    return end


def _advanced(
    state: Search,
    again: Any,
    near: Any,
    z: Any,
    at: Any,
    tx: Any,
    lanes: Any,
    low: Any = None,
    high: Any = None,
) -> Search:
    """One trial of every lane, from the beginning where a round begins."""
    xp = namespace(z)
    state = jax.tree.map(lambda new, old: xp.where(again, new, old), begin(z, tx), state)
    return advance(state, lambda _: tuple(at), tx, lanes, low, high, near)


def search_traced(
    ask: Ask,
    lanes: Any,
    evaluate: Callable[[Any], Any],
    value: Callable[..., Any],
    z: Any,
    solver: Any,
) -> Walk:
    """The same inside a compiled program, with any solver; `value(x, lane)` are the values (q,) of
    one lane's functions.
    """
    box = (ask.low, ask.high) if isinstance(solver, Newton) else ()

    def pressed_at(x: Any, own: Any) -> Any:
        lane, limits, rules = jax.tree.map(lambda v: v[..., None], own)
        v = value(x, jax.tree.map(lambda leaf: leaf[..., 0], lane))[:, None]
        flat = jnp.zeros((len(v), len(x), 1)), jnp.zeros((len(v), len(x), len(x), 1))
        one = ask._replace(limits=limits, direction=None)
        return pressed(one, parts(one, x[:, None], (v, *flat), jnp), rules, jnp)[0][0]

    tx = solver.build(pressed_at)

    def step(state: tuple[Walk, Search]) -> tuple[Walk, Search]:
        walk, inner = state
        after = [inner]

        def newton(walk: Walk, begins: Any, at: Any) -> tuple[Any, ...]:
            v, g, h = at
            h = h if solver.second_order else jnp.zeros((0, 0, *v.shape))
            after[0] = _advanced(
                inner,
                begins,
                walk.near,
                walk.z,
                (v, g, h),
                tx,
                (lanes, ask.limits, walk.rules),
                *box,
            )
            return after[0].x, after[0].best, after[0].done

        return stepped(
            ask,
            walk,
            p=parts(ask, walk.z, evaluate(walk.z), jnp),
            newton=newton,
            most=solver.max_steps,
            xp=jnp,
        ), after[0]

    def going(state: tuple[Walk, Search]) -> Any:
        return jnp.any(state[0].doing < ENDED)

    end: tuple[Walk, Search] = jax.lax.while_loop(going, step, (begun(ask, z, jnp), begin(z, tx)))
    return end[0]
