"""Shapes that several laws share: written once, so that a law says only what it feeds into them."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from ..ground._errors import refuse


def saturating(unique: Any, total: Any, half: Any) -> Any:
    """Worth of `total` items of which `unique` differ: repeats count ever less, and `half` of them
    at most in all.

    Muennighoff et al. 2023 (arXiv 2305.16264). With expm1: 1 - exp(-x) cancels for a large `half`,
    and fits then end in false optima.
    """
    repeats = jnp.maximum(total / unique - 1, 0.0)
    return unique - unique * half * jnp.expm1(-repeats / half)


def broken(x: Any, c: Any, d: Any, f: Any) -> Any:
    """prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i): breaks at d_i, each as sharp as f_i is small. In
    logs: no overflow.

    Caballero et al. 2022 (arXiv 2210.14891).
    """
    return jnp.exp(-jnp.sum(c * f * jnp.logaddexp(0.0, (jnp.log(x) - jnp.log(d)) / f)))


def decrements_to(eta: Any, t: Any, warm_up: Any, convention: str) -> tuple[Any, Any]:
    """What each step k of a schedule (T,) adds to the sum of the multi-power law at step t:
    eta_(k-1) - eta_k, and S_k(t).

    "counted": from a learning rate of 0 before the first step. "from_peak": 0 up to step `warm_up`,
    the first at the peak. S_k(t) is summed from the end: a difference of two sums from the start
    would lose its digits near t.
    """
    if convention not in ("counted", "from_peak"):
        raise refuse(
            f"convention={convention!r}",
            why="a typing slip",
            change="'counted' or 'from_peak'",
        )
    steps = jnp.arange(len(eta))
    drops = jnp.concatenate([jnp.zeros(1), eta[:-1]]) - eta
    taken = (steps <= t) & ((convention == "counted") | (steps > warm_up))
    return jnp.where(taken, drops, 0.0), jnp.cumsum(jnp.where(steps <= t, eta, 0.0)[::-1])[::-1]


def tilted_logit(alpha: Any, r: Any) -> Any:
    """The t with t + (alpha - 1) softplus(t) = r, which is sigmoid(t) / (1 - sigmoid(t))^alpha =
    exp(r); alpha > 0.

    The curve lies on one side of its asymptotes and of its tangent at 0, and of the three lines'
    roots the outermost is nearest; from there three of Halley's steps reach rounding for alpha in
    0.03 to 30 and any r (1e-10 in 0.01 to 100). They carry no derivatives; one more expansion about
    the root, which moves nothing, has the exact first and second.
    """
    a, y = jax.lax.stop_gradient((alpha, r))
    asymptote, tangent = jnp.where(y > 0, y / a, y), (y - (a - 1) * math.log(2)) / (0.5 + 0.5 * a)
    t = jnp.where(a > 1, jnp.minimum(asymptote, tangent), jnp.maximum(asymptote, tangent))
    for _ in range(3):
        s = jax.nn.sigmoid(t)
        miss, slope, bend = (
            t + (a - 1) * jnp.logaddexp(0.0, t) - y,
            1 + (a - 1) * s,
            (a - 1) * s * (1 - s),
        )
        t = t - 2 * miss * slope / (2 * slope**2 - miss * bend)
    s = jax.nn.sigmoid(t)
    slope = 1 + (alpha - 1) * s
    step = (r - t - (alpha - 1) * jnp.logaddexp(0.0, t)) / slope
    return t + step - (a - 1) * s * (1 - s) * step**2 / (2 * slope)
