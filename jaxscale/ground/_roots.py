"""A bounded, bracketed root of an increasing function, with exact derivatives.

The search itself carries no derivatives: it runs on values alone, Newton steps kept inside a
bracket that bisection shrinks. Two more Newton steps are then taken with derivatives switched on.
At a root, one such step has the exact first derivative of the root with respect to everything the
function depends on, and two have the exact second one, so the result can be used inside a function
whose Hessian is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_MOST = 80  # bisection alone closes a bracket of 300 to rounding in 60


def root(function: Callable[[Any, Any], Any], low: Any, high: Any, args: Any) -> Any:
    """The t in [low, high] where the increasing `function(t, args)` is 0; NaN where it has no root
    there.
    """
    fixed = jax.lax.stop_gradient((low, high, args))

    def slope(t: Any, a: Any) -> tuple[Any, Any]:
        return jax.jvp(lambda u: function(u, a), (t,), (jnp.ones_like(t),))

    def step(state: Any) -> Any:
        t, low, high, _, count = state
        f, df = slope(t, fixed[2])
        low, high = jnp.where(f < 0, t, low), jnp.where(f < 0, high, t)
        newton = t - f / df
        new = jnp.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        moved = (jnp.abs(new - t) > 1e-13 * (1.0 + jnp.abs(t))) & (f != 0.0)
        return jnp.where(moved, new, t), low, high, moved, count + 1

    low, high, _ = fixed
    state = (0.5 * (low + high), low, high, jnp.ones_like(low, bool), 0)
    t, *_ = jax.lax.while_loop(lambda s: jnp.any(s[3]) & (s[4] < _MOST), step, state)
    t = jax.lax.stop_gradient(t)
    miss = slope(t, fixed[2])[0]
    # the bracket closed on one of its ends: no root inside
    t = jnp.where(jnp.abs(miss) <= 1e-6, t, jnp.nan)
    for _ in range(2):
        f, df = slope(t, args)
        t = t - f / df
    return t


_ROUNDS = 28  # of halving a bracket, each second one a secant step


def halved(
    function: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    rounds: int = _ROUNDS,
) -> np.ndarray:
    """Roots of a function that is positive at `low` and negative at `high`, all brackets at once.

    >>> float(halved(lambda t: 2.0 - t**2, np.asarray(0.0), np.asarray(8.0), 128))
    1.414213562373095
    """
    f_low, f_high = function(low), function(high)
    for number in range(rounds):
        middle = 0.5 * (low + high)
        if number % 2:
            with np.errstate(invalid="ignore", divide="ignore"):
                secant = low + (high - low) * f_low / (f_low - f_high)
            middle = np.where((secant > low) & (secant < high), secant, middle)
        f = function(middle)
        left: np.ndarray = f > 0
        low, f_low = np.where(left, middle, low), np.where(left, f, f_low)
        high, f_high = np.where(left, high, middle), np.where(left, f_high, f)
    return np.asarray(0.5 * (low + high))
