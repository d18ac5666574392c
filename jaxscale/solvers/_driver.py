"""One driver for every solver and every problem: fits, refits and plans.

The primitive is one lane's `value(x, lane)` with `x` of shape (P,). From it `derived_oracle` makes the batched oracle
`(X, lanes) -> value (T,), gradient (P, T), curvature (P, P, T)`, lanes last. `minimise` then repeats
oracle -> `tx.update` -> `optax.apply_updates` until every lane has stopped. A lane stops when its gradient is
negligible against its value, or when the solver proposes to move nowhere (a converged Newton step, or damping that
found no descent). Both tests are free of the scale of the objective. Whether the point is an optimum is not decided
here: the certificate looks at the best point again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Value = Callable[[Any, Any], Any]
ROUNDING = 4e-16  # a value that is higher by rounding alone is not worse


class Solved(NamedTuple):
    """Best point of each lane: `x` (P, T), `value` (T,) and trial `steps` (T,)."""

    x: Any
    value: Any
    steps: Any


def derived_oracle(value: Value, *, second_order: bool = True) -> Callable[[Any, Any], tuple[Any, Any, Any]]:
    """Value, gradient and (where asked for) Hessian of every lane, by automatic differentiation of one lane."""

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


class _State(NamedTuple):
    x: Any  # the next, untested trial
    inner: Any
    best: Any
    best_value: Any
    done: Any
    steps: Any
    count: Any


def minimise(
    value: Value,
    x0: Any,
    lanes: Any,
    solver: Any,
    *,
    lower: Any = None,
    upper: Any = None,
    gradient_tolerance: float = 1e-12,
    step_tolerance: float = 1e-10,
) -> Solved:
    """Minimise `value(x, lane)` from `x0` (P, T); every leaf of `lanes` ends in T.

    `lower` and `upper` (P, T) bound the coordinates, for solvers that can (`Newton`). The tolerances are: largest
    gradient component relative to the value, and largest step in a coordinate. Neither sees the objective's scale.
    """
    oracle = derived_oracle(value, second_order=solver.second_order)
    tx = solver.build(value)
    box = {} if lower is None and upper is None else {"lower": lower, "upper": upper}
    lower = -jnp.inf if lower is None else lower
    upper = jnp.inf if upper is None else upper

    def evaluate(x: Any) -> tuple[Any, Any, Any]:
        v, g, h = oracle(x, lanes)
        return jnp.where(jnp.isfinite(v) & jnp.all(jnp.isfinite(g), 0), v, jnp.inf), g, h

    def step(s: _State) -> _State:
        v, g, h = evaluate(s.x)
        # ties too: where rounding hides the value, the later point of a converging solver is the better one
        better = ~s.done & ((v <= s.best_value) | (v <= s.best_value + ROUNDING * jnp.abs(s.best_value)))
        best, best_value = jnp.where(better, s.x, s.best), jnp.where(better, v, s.best_value)
        # a component that pushes out of the box at its edge is no reason to go on
        outward = ((s.x <= lower) & (g > 0)) | ((s.x >= upper) & (g < 0))
        flat = jnp.max(jnp.where(outward, 0.0, jnp.abs(g)), 0) <= gradient_tolerance * jnp.abs(v)
        update, inner = tx.update(g, s.inner, s.x, value=v, curvature=h, lanes=lanes, **box)
        x: Any = optax.apply_updates(s.x, update)
        still = jnp.max(jnp.abs(x - best), 0) <= step_tolerance
        hopeless = ~jnp.isfinite(best_value)  # not even the start could be evaluated
        done = s.done | flat | still | hopeless
        return _State(jnp.where(s.done, s.x, x), inner, best, best_value, done, s.steps + ~s.done, s.count + 1)

    start = _State(
        x0,
        tx.init(x0),
        x0,
        jnp.full(x0.shape[1:], jnp.inf, x0.dtype),
        jnp.zeros(x0.shape[1:], bool),
        jnp.zeros(x0.shape[1:], jnp.int32),
        0,
    )
    end = jax.lax.while_loop(lambda s: (s.count < solver.max_steps) & ~jnp.all(s.done), step, start)
    return Solved(end.best, end.best_value, end.steps)
