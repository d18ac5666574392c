"""One driver for every solver and every problem: fits, refits and plans.

A solver is an optax transformation with lanes last; the driver is what stands around it. `begin`
makes the state of lanes at their starts, `advance` takes one trial in every lane: evaluate,
`tx.update`, move. A lane stops when its gradient is negligible against its value, or when the
solver proposes to move nowhere (a converged Newton step, or damping that found no descent). Both
tests are free of the scale of the objective. Whether the point is an optimum is not decided here:
the certificate looks at the best point again. Both take NumPy arrays as well, for lanes that are
not worth a program.

`minimise` advances a fixed set of lanes until all have stopped; a block of fits fills the slots of
finished lanes with waiting ones instead (`fitting/_lanes`), and plans do other things between
trials (`plans/_search`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._cholesky import namespace

Value = Callable[[Any, Any], Any]
# values that differ by less are equal: a sum over some hundred runs is not known better
ROUNDING = 1e-13
GRADIENT_TOLERANCE = 1e-12  # largest gradient component relative to the value
STEP_TOLERANCE = 1e-10  # largest step in a coordinate
# points this close, whose values cannot be told apart, may be told apart by their gradients alone
NEAR = 1e-6


class Search(NamedTuple):
    """Lanes on their way: every leaf ends in T."""

    x: Any  # (P, T) the next, untested trial
    inner: Any  # the solver's own state
    best: Any
    best_value: Any
    best_slope: Any  # largest gradient component there, scaled by the curvature where there is one
    done: Any
    steps: Any


class Solved(NamedTuple):
    """Best point of each lane: `x` (P, T), `value` (T,) and trial `steps` (T,)."""

    x: Any
    value: Any
    steps: Any


def begin(x0: Any, tx: Any) -> Search:
    """Lanes at their starts (P, T), nothing tried yet."""
    xp, lanes = namespace(x0), x0.shape[1:]
    worst = xp.full(lanes, xp.inf, x0.dtype)
    return Search(
        x=x0,
        inner=tx.init(x0),
        best=x0,
        best_value=worst,
        best_slope=worst,
        done=xp.zeros(lanes, bool),
        steps=xp.zeros(lanes, np.int32),
    )


def advance(
    s: Search,
    evaluate: Callable[[Any], Any],
    tx: Any,
    lanes: Any,
    lower: Any = None,
    upper: Any = None,
    near: Any = STEP_TOLERANCE,
) -> Search:
    """One trial in every lane that has not stopped; `evaluate(x)` gives value, gradient and
    curvature.
    """
    xp = namespace(s.x)
    box = {} if lower is None and upper is None else {"lower": lower, "upper": upper}
    lower = -xp.inf if lower is None else lower
    upper = xp.inf if upper is None else upper
    v, g, h = evaluate(s.x)
    v = xp.where(xp.isfinite(v) & xp.all(xp.isfinite(g), 0), v, xp.inf)
    # a component that pushes out of the box at its edge is no reason to go on
    outward = ((s.x <= lower) & (g > 0)) | ((s.x >= upper) & (g < 0))
    size = xp.where(outward, 0.0, xp.abs(g))
    slope = xp.max(size / (xp.sqrt(xp.abs(xp.diagonal(h).T)) + 1e-300 if h.shape[0] else 1.0), 0)
    # where rounding hides the difference of two values, their gradients decide
    margin = ROUNDING * xp.abs(s.best_value)
    tie = xp.abs(v - s.best_value) <= xp.where(xp.isfinite(margin), margin, 0.0)
    better = ~s.done & xp.where(tie, slope < s.best_slope, v < s.best_value)
    best, best_value = xp.where(better, s.x, s.best), xp.where(better, v, s.best_value)
    best_slope = xp.where(better, slope, s.best_slope)
    # a worse trial may lie on any plateau
    flat = better & (xp.max(size, 0) <= GRADIENT_TOLERANCE * xp.abs(v))
    update, inner = tx.update(
        g, s.inner, s.x, value=v, curvature=h, lanes=lanes, better=better, **box
    )
    x = s.x + update
    still = xp.max(xp.abs(x - best), 0) <= near
    hopeless = ~xp.isfinite(best_value)  # not even the start could be evaluated
    # next to the best point, no better value and no smaller gradient: this is as far as float64
    # goes
    exhausted = tie & ~better & (xp.max(xp.abs(s.x - s.best), 0) <= NEAR)
    done = s.done | flat | still | hopeless | exhausted
    return Search(
        x=xp.where(s.done, s.x, x),
        inner=inner,
        best=best,
        best_value=best_value,
        best_slope=best_slope,
        done=done,
        steps=s.steps + ~s.done,
    )


def minimise(
    value: Value,
    x0: Any,
    lanes: Any,
    solver: Any,
    *,
    lower: Any = None,
    upper: Any = None,
    near: Any = STEP_TOLERANCE,
) -> Solved:
    """Minimise `value(x, lane)`, one lane's objective, from `x0` (P, T); every leaf of `lanes` ends
    in T.

    `lower` and `upper` (P, T) bound the coordinates, for solvers that can (`Newton`). A lane ends
    where the next step is no longer than `near`.
    """
    oracle, tx = derived_oracle(value, second_order=solver.second_order), solver.build(value)

    def step(state: tuple[Search, Any]) -> tuple[Search, Any]:
        return advance(
            state[0],
            lambda x: oracle(x, lanes),
            tx=tx,
            lanes=lanes,
            lower=lower,
            upper=upper,
            near=near,
        ), state[1] + 1

    def going(state: tuple[Search, Any]) -> Any:
        return (state[1] < solver.max_steps) & ~jnp.all(state[0].done)

    end, _ = jax.lax.while_loop(going, step, (begin(x0, tx), 0))
    return Solved(end.best, end.best_value, end.steps)


def derived_oracle(
    value: Value, *, second_order: bool = True
) -> Callable[[Any, Any], tuple[Any, Any, Any]]:
    """Value, gradient and (where asked for) Hessian of every lane, by automatic differentiation of
    one lane.
    """

    def lane(x: Any, own: Any) -> tuple[Any, Any, Any]:
        if not second_order:
            return *jax.value_and_grad(value)(x, own), jnp.zeros((0, 0), x.dtype)
        return derivatives(lambda u: value(u, own), x)

    return jax.vmap(lane, in_axes=(-1, -1), out_axes=-1)


def derivatives(value: Callable[[Any], Any], x: Any) -> tuple[Any, Any, Any]:
    """Value, gradient (P,) and Hessian (P, P) at x (P,), from one trace of `value`."""

    def gradient(u: Any) -> tuple[Any, Any]:
        v, g = jax.value_and_grad(value)(u)
        return g, (v, g)

    h, (v, g) = jax.jacfwd(gradient, has_aux=True)(x)
    return v, g, h
