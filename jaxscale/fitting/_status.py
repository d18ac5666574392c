"""What a lane's best point is worth: an optimum or not, at an edge or not, and which directions the
runs determine.

The solver's opinion is not asked. The sums are evaluated once more at the point, on the device and
for many lanes at once; the small matrices that come back are looked at here, in NumPy, which has
LAPACK: inside a program that runs in several threads a batched LAPACK call of JAX 0.10 can wait for
ever. Only the best start of each resample is judged.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._sums import kernel, outer, per_run, sums
from ..ground._compiled import compiled
from ..ground._linalg import LOST
from ._blocks import Tile
from ._lanes import Job, resample_of
from ._results import Status
from ._starts import Ranges

SINGULAR = 1e-6  # below this singular value of the column-scaled Jacobian a direction is lost
# largest scaled gradient component, or remaining Newton step, of a converged lane
STATIONARY = 1e-6


def judged(job: Job, tile: Tile, lane: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters, value and status of lanes (L,) at their points x (L, P), and the measures behind
    the status.
    """
    parts = []
    for first in range(0, max(len(lane), 1), tile.slots):
        here = np.minimum(np.arange(first, first + tile.slots), max(len(lane) - 1, 0))
        own = (
            (lane[here], x[here].T)
            if len(lane)
            else (np.zeros(tile.slots), np.zeros((x.shape[1], tile.slots)))
        )
        parts.append(jax.device_get(_again(own[0].astype(np.int32), own[1], job, tile=tile)))
    found = {k: np.concatenate([p[k] for p in parts])[: len(lane)] for k in parts[0]}
    # large, and of no use once they were looked at
    sizes = {k: found.pop(k) for k in ("value", "slope", "curve", "gram")}
    return {**found, **diagnose(x, **sizes, ranges=job.ranges)}


@compiled(hurried=True)
def _again(lane: Any, x: Any, job: Job, *, tile: Tile) -> dict[str, Any]:
    """The sums of lanes (T,) at x (P, T), lanes first, and their parameters."""
    weights, target, dataset, cell = resample_of(job, lane)
    law_kernel = kernel(job.law, job.layout, job.table.rows, job.table.codes)
    many = job.table.target.shape[0] > 1
    features = [
        v[dataset].T if many else v[0][:, None]
        for v in law_kernel.table(job.table.rows, job.table.codes)
    ]
    objective = jax.tree.map(lambda v: v[cell, -1], job.ladder)
    found = sums(
        law_kernel,
        x,
        unit=job.unit,
        table=features,
        target=target,
        weights=weights,
        objective=objective,
        rows=tile.rows,
        gram=True,
    )
    params = jax.vmap(job.layout.unpack, in_axes=-1)(x * job.unit[:, None])
    sizes = dict(zip(("value", "slope", "curve", "gram"), found, strict=True))
    sizes["gram"] = sizes["gram"] / jnp.sum(weights, 0)
    return {f"params/{k}": v for k, v in params.items()} | {
        k: jnp.moveaxis(v, -1, 0) for k, v in sizes.items()
    }


def diagnose(
    x: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
    curve: np.ndarray,
    gram: np.ndarray,
    ranges: Ranges,
) -> dict[str, np.ndarray]:
    """Status of lanes at x (L, P) from slopes (L, P), Hessians and mean products of residual slopes
    (L, P, P).

    The measures are those of `Certificate`; `edge` (L, P) marks coordinates that ran to the edge of
    their support.
    """
    with np.errstate(all="ignore"):
        length = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))
        # no influence on any run (or NaN)
        gone = ~(length > 1e-6 * np.max(length, 1, keepdims=True))
        away = (x < np.asarray(ranges.low)) | (x > np.asarray(ranges.high))
        edge, dead = gone & away, gone & ~away
        lost = np.any(dead, 1)

        length = np.where(gone, 1.0, length)
        squares, vectors = _spectrum(_scaled(gram, length, gone))
        singular = np.where(lost, 0.0, np.sqrt(np.maximum(squares[:, 0], 0.0)))
        direction = np.where(lost[:, None], dead, np.where(gone, 0.0, vectors[:, :, 0] / length))
        direction = direction / np.max(np.abs(direction), 1, keepdims=True)

        size = np.where(gone, 1.0, np.sqrt(np.abs(np.diagonal(curve, axis1=1, axis2=2))))
        g = np.where(gone, 0.0, slope / size)
        squares, vectors = _spectrum(_scaled(curve, size, gone))
        along = np.einsum("lpk,lp->lk", vectors, g) / np.where(squares > LOST, squares, np.inf)
        step = np.where(gone, 0.0, np.einsum("lpk,lk->lp", vectors, along) / size)
        cosine = np.max(np.abs(g), 1) / np.sqrt(np.where(value > 0, value, 1.0))
        flat = (cosine <= STATIONARY) | (np.max(np.abs(step), 1) <= STATIONARY)
    finite = np.isfinite(value) & np.all(np.isfinite(curve), (1, 2))
    optimum = flat & (squares[:, 0] > -1e-6)  # a minimum, not a saddle
    status = (
        np.where(optimum & finite, 0, Status.MAX_STEPS.value)
        | np.where(np.isfinite(value), 0, Status.NON_FINITE.value)
        | np.where(np.any(edge, 1), Status.AT_BOUND.value, 0)
        | np.where(singular < SINGULAR, Status.FLAT.value, 0)
    )
    return {
        "value": value,
        "status": status,
        "gradient": cosine,
        "singular": singular,
        "direction": direction,
        "edge": edge,
    }


def _scaled(matrix: np.ndarray, size: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Rows and columns divided by `size`; those that are gone become those of the identity."""
    live = ~gone[:, :, None] & ~gone[:, None, :]
    return np.where(live, matrix / size[:, :, None] / size[:, None, :], np.eye(size.shape[1]))


def _spectrum(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, ascending, and vectors; a matrix that is not finite has only zeros."""
    usable = np.all(np.isfinite(matrix), (1, 2))
    return np.linalg.eigh(np.where(usable[:, None, None], matrix, 0.0))


@compiled(hurried=True)
def measured(job: Job, x: Any, cell: Any) -> dict[str, Any]:
    """For the covariances of the certificate, cells (T,) at x (P, T): leaves with the cell first.

    Residuals (n,): in ln of the target, or relative to its size for objectives in its own units;
    their slopes (n, P); weighted first and second derivative of each run's loss by its residual,
    `force` and `bend` (n,); the Hessian (P, P) of the certified objective. A run's score, the slope
    of its loss, is its force times its slopes.
    """
    dataset = cell // job.objectives
    law_kernel = kernel(job.law, job.layout, job.table.rows, job.table.codes)
    features = [v[dataset].T for v in law_kernel.table(job.table.rows, job.table.codes)]
    target, weights = job.table.target[dataset].T, job.table.weights[dataset].T
    objective = jax.tree.map(lambda v: v[cell, -1], job.ladder)
    predicted, slopes = per_run(law_kernel, x, job.unit, features)
    hessian = sums(
        law_kernel,
        x,
        unit=job.unit,
        table=features,
        target=target,
        weights=weights,
        objective=objective,
    )[2]
    residual = objective.residual(predicted, target)
    if objective.log:
        slopes, size = slopes / predicted, jnp.ones(())
    else:
        size = jnp.sqrt(
            jnp.sum(jnp.where(weights > 0, target**2, 0.0), 0) / jnp.sum(weights > 0, 0)
        )
        size = jnp.where(size > 0, size, 1.0)
    _, psi, bend = outer(objective.loss, residual)
    return {
        "residual": (residual / size).T,
        "jacobian": jnp.transpose(slopes / size, (2, 1, 0)),
        "force": (weights * psi * size).T,
        "bend": (weights * bend * size**2).T,
        "hessian": jnp.transpose(hessian, (2, 0, 1)),
    }
