"""Starts: draw the nonlinear parameters, compute the rest.

A law is often affine in some of its parameters (E, A and B of a sum of power laws). Those need not be drawn: given the
others, the best values follow from one small least-squares problem in relative residuals, without negative amplitudes.
Which parameters these are is found by automatic differentiation (their second derivatives vanish), so that no law has
to declare it. Starts then differ only in exponents, which is what makes almost all of them end at the best optimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ._evaluate import evaluate
from ._tree import node
from .solvers import solve_positive

if TYPE_CHECKING:
    from ._lanes import Job

_LEAST_SHARE = 1e-2  # an amplitude that least squares sets to 0 starts at this share of the target instead


@node()
class Ranges:
    """Where coordinates start, `(P,)` each; `amplitude` marks those that are computed instead of drawn."""

    low: Any
    high: Any
    amplitude: Any
    sign: Any  # +1, -1 for positive and negative parameters, 0 where the sign is free


def drawn_start(key: Any, job: Job, weights: Any) -> Any:
    """Coordinates (P,) of one start: uniform in their ranges, amplitudes by projection on the weighted rows."""
    r = job.ranges
    x = r.low + jax.random.uniform(key, r.low.shape, jnp.float64) * (r.high - r.low)
    predicted, jacobian = job.predicted(x), jax.jacfwd(job.predicted)(x)
    size = jnp.where(r.sign == 0, x, jnp.exp(x))  # |value| of an amplitude, or its value where the sign is free
    slope = jacobian / jnp.where(r.sign == 0, 1.0, size) * r.amplitude  # d predicted / d |value|
    rest = predicted - slope @ jnp.where(r.amplitude > 0, size, 0.0)
    unit = job.target if job.objective.log else jnp.sqrt(jnp.mean(job.target**2))
    found = _nonnegative(slope / jnp.reshape(unit, (-1, 1)), (job.target - rest) / unit, weights, r.sign == 0)
    projected = jnp.where(r.sign == 0, found, jnp.log(found))  # not finite where it failed: then the drawn value stays
    use = (r.amplitude > 0) & jnp.isfinite(projected)
    return jnp.where(use, projected, x)


def _nonnegative(columns: Any, wanted: Any, weights: Any, free: Any) -> Any:
    """Least squares with coefficients >= 0 where not `free`: columns that come out negative leave, one round each.

    Not Lawson and Hanson's algorithm (nothing re-enters): a start needs to be feasible, not optimal.
    """
    length = jnp.sqrt(jnp.sum(weights[:, None] * columns**2, 0))
    scaled = columns / jnp.where(length > 0, length, 1.0)
    gram = scaled.T @ (weights[:, None] * scaled)
    right = scaled.T @ (weights * wanted)
    eye = jnp.eye(columns.shape[1])

    def drop(_: int, state: Any) -> Any:
        mask, _ = state
        solved = solve_positive((gram * mask * mask[:, None] + eye * (1.0 - mask + 1e-12))[..., None], (right * mask)[:, None])[
            :, 0
        ]
        return jnp.where(free | (solved > 0), mask, 0.0), solved

    mask = jnp.where(length > 0, 1.0, 0.0)
    _, solved = jax.lax.fori_loop(0, min(columns.shape[1], 8), drop, (mask, jnp.zeros_like(mask)))
    least = _LEAST_SHARE * jnp.sqrt(jnp.sum(weights * wanted**2))
    kept = jnp.where(free, solved, jnp.maximum(solved, least))
    return kept / jnp.where(length > 0, length, jnp.nan)


@jax.jit
def _curvatures(job: Job, points: Any) -> Any:
    """Largest relative second derivative (P, P) of the law in natural values, over points (K, P) and some rows."""
    rows = jax.tree.map(lambda v: v[:: max(1, v.shape[0] // 8)], (job.rows, job.codes))

    def at(x: Any) -> Any:
        def value(offset: Any) -> Any:
            return evaluate(job.law, rows[0], job.layout.unpack(x, offset), rows[1])

        second = jax.hessian(value)(jnp.zeros_like(x))
        size = jnp.where(job.ranges.sign == 0, 1.0, jnp.exp(x))
        return second * size * size[:, None] / jnp.abs(value(jnp.zeros_like(x)))[:, None, None]

    return jnp.max(jnp.abs(jax.vmap(at)(points)), (0, 1))


def amplitudes(job: Job) -> np.ndarray:
    """1 for coordinates that can be projected: a largest-first set without second derivatives among each other."""
    low, high = np.asarray(job.ranges.low), np.asarray(job.ranges.high)
    points = low + np.asarray([[0.3], [0.5], [0.7]]) * (high - low)
    second = np.asarray(_curvatures(job, points))
    chosen: list[int] = []
    eligible = job.layout.each(lambda spec: spec.support in ("positive", "negative", "real"))
    for j in np.flatnonzero(eligible).tolist():
        if all(second[i, j] <= 1e-9 for i in [*chosen, j]):
            chosen.append(j)
    mask = np.zeros(len(low))
    mask[chosen] = 1.0
    return mask
