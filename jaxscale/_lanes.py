"""A lane: one solve of one law on one weighted table from one start; a tile solves many of them at once.

The job holds what all lanes share. A lane is made from its integer: resample number and start number give a key, the
key gives the weights and the start. `solve_tile` is the one compiled program of `fit` and `bootstrap`, which differ only
in numbers: whether lanes resample, how many starts each has, whether the first is warm, how far up the ladder of
smoother objectives they begin. It ends with a diagnosis of each lane at its best point, where statuses come from.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._coordinates import Layout
from ._evaluate import evaluate
from ._law import Law
from ._resample import Sampler, resampled
from ._results import Status
from ._starts import Ranges, drawn_start
from ._tree import node, static
from .solvers import derivatives, minimise, smallest_eigenpair, solve_positive

LADDER = 8  # objectives on the longest ladder
SINGULAR = 1e-6  # below this singular value of the column-scaled Jacobian a direction is lost
STATIONARY = 1e-6  # largest scaled gradient component, or remaining Newton step, of a converged lane


@node()
class Job:
    """All that a tile needs besides its integers."""

    law: Law
    rows: dict[str, Any]
    target: Any
    codes: dict[str, Any]
    weights: Any
    objective: Any  # the one that is certified
    ladder: Any  # the same from the smoothest to itself, stacked; `levels` of them are used, the last ones
    levels: Any
    ranges: Ranges
    key: Any
    sampler: Sampler
    resample: Any  # False: every lane has the table's own weights
    warm: Any  # coordinates (P,) of the first start, where `warmed`
    warmed: Any
    starts: Any  # per resample
    layout: Layout = static()
    solver: Any = static()

    def predicted(self, x: Any) -> Any:
        """Values (n,) of the law at coordinates x (P,)."""
        return evaluate(self.law, self.rows, self.layout.unpack(x), self.codes)

    def value(self, x: Any, weights: Any, objective: Any) -> Any:
        """The weighted sum that is minimised."""
        return jnp.sum(weights * objective(self.predicted(x), self.target))

    def residual(self, x: Any) -> Any:
        """Residuals (n,): in ln of the target, or relative to its size for objectives in its own units."""
        r = self.objective.residual(self.predicted(x), self.target)
        live = self.weights > 0
        size = jnp.sqrt(jnp.sum(jnp.where(live, self.target**2, 0.0)) / jnp.sum(live))
        return r if self.objective.log else r / jnp.where(size > 0, size, 1.0)


@jax.jit
def solve_tile(index: Any, job: Job) -> dict[str, Any]:
    """Solve lanes `index` (T,): resample `index // starts`, start `index % starts`. Leaves have the lane first."""

    def make(i: Any) -> tuple[Any, Any]:
        key = jax.random.fold_in(job.key, i // job.starts)
        weights = jnp.where(job.resample, resampled(key, job.weights, job.sampler), job.weights)
        x = drawn_start(jax.random.fold_in(key, 1 + i % job.starts), job, weights)
        return jnp.where(job.warmed & (i % job.starts == 0), job.warm, x), weights

    x0, weights = jax.vmap(make, out_axes=-1)(index)

    def stage(level: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
        x, _, steps = state
        objective = jax.tree.map(lambda v: v[level], job.ladder)
        out = minimise(lambda u, w: job.value(u, w, objective), x, weights, job.solver)
        return jnp.where(jnp.isfinite(out.value), out.x, x), out.value, steps + out.steps

    lanes = (x0, jnp.zeros_like(x0[0]), jnp.zeros(x0.shape[1:], jnp.int32))
    x, value, steps = jax.lax.fori_loop(LADDER - job.levels, LADDER, stage, lanes)
    out = jax.vmap(lambda u, w: diagnose(job, u, w), in_axes=-1)(x, weights)
    lost = jnp.where(jnp.isfinite(value), x, jnp.nan)  # a lane without a finite point has no parameters, not its start's
    return {"x": x.T, "params": jax.vmap(job.layout.unpack)(lost.T), "value": value, "steps": steps, **out}


def diagnose(job: Job, x: Any, weights: Any) -> dict[str, Any]:
    """Status of a point and the measures behind it; see `Certificate` for what they mean."""
    value, gradient, hessian = derivatives(lambda u: job.value(u, weights, job.objective), x)
    jacobian = jax.jacfwd(job.residual)(x) * jnp.sqrt(weights / jnp.sum(weights))[:, None]
    length = jnp.sqrt(jnp.sum(jacobian**2, 0))
    gone = ~(length > 1e-6 * jnp.max(length))  # no influence on any run (or NaN)
    away = (x < job.ranges.low) | (x > job.ranges.high)
    edge, dead = gone & away, gone & ~away

    live = jnp.where(gone, 0.0, 1.0)
    eye = jnp.eye(x.shape[0])
    columns = jacobian * live / jnp.where(gone, 1.0, length)
    square, vector = (v[..., 0] for v in smallest_eigenpair((columns.T @ columns + eye * (1.0 - live))[..., None]))
    singular = jnp.where(jnp.any(dead), 0.0, jnp.sqrt(square))
    direction = jnp.where(jnp.any(dead), jnp.where(dead, 1.0, 0.0), vector / jnp.where(gone, 1.0, length) * live)

    scale = jnp.sqrt(jnp.abs(jnp.diagonal(hessian))) * live + (1.0 - live)
    g = gradient * live / scale
    h = hessian * live * live[:, None] / (scale * scale[:, None]) + eye * (1.0 - live)
    step = solve_positive((h + 1e-6 * eye)[..., None], g[:, None])[:, 0]
    curved = jnp.all(jnp.isfinite(step))  # a minimum (up to 1e-6), not a saddle
    step = solve_positive((h + 1e-13 * eye)[..., None], g[:, None])[:, 0]
    cosine = jnp.max(jnp.abs(g)) / jnp.sqrt(jnp.where(value > 0, value, 1.0))
    move = jnp.max(jnp.abs(step / scale * live))
    finite = jnp.isfinite(value)
    found = curved & ((cosine <= STATIONARY) | (move <= STATIONARY))

    status = (
        jnp.where(found & finite, 0, Status.MAX_STEPS.value)
        | jnp.where(finite, 0, Status.NON_FINITE.value)
        | jnp.where(jnp.any(edge), Status.AT_BOUND.value, 0)
        | jnp.where(singular < SINGULAR, Status.FLAT.value, 0)
    )
    direction = direction / jnp.max(jnp.abs(direction))
    return {"status": status, "gradient": cosine, "singular": singular, "direction": direction, "edge": edge}


@jax.jit
def point_derivatives(job: Job, x: Any) -> tuple[Any, Any, Any]:
    """Value, gradient and Hessian of the certified objective at one point, with the table's own weights."""
    return derivatives(lambda u: job.value(u, job.weights, job.objective), x)


@jax.jit
def point_measures(job: Job, x: Any) -> dict[str, Any]:
    """Residuals, their Jacobian and scores at one point, for the covariances of the certificate."""
    scores = jax.jacfwd(lambda u: job.weights * job.objective(job.predicted(u), job.target))(x)
    return {
        "residual": job.residual(x),
        "jacobian": jax.jacfwd(job.residual)(x),
        "scores": scores,
        "hessian": jax.hessian(job.value)(x, job.weights, job.objective),
    }
