"""Intervals from the draws of an ensemble: percentile, BCa, studentised.

`percentile` takes quantiles of the draws. `bca` moves these quantiles by how far the draws lie off
centre (bias) and by how much the noise changes with the value (acceleration, from leaving out each
unit). `studentised` measures each draw in its own standard deviation, which makes the tails those
of the statistic and costs a covariance per draw.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import on_device
from ..fitting._bootstrap import resampling_job
from ..fitting._cells import coordinates
from ..fitting._evidence import Evidence
from ..fitting._lanes import Job, resample_of
from ..fitting._resample import NOISY
from ..fitting._results import Ensemble, grid
from ..formula._sums import kernel, outer, per_run, sums
from ..ground._compiled import compiled
from ..ground._errors import refuse
from ..ground._interval import Interval
from ..ground._life import saying
from ..ground._linalg import sandwich

KINDS = ("percentile", "bca", "studentised")
_TILE = 128  # draws whose covariance is computed at once


def percentile(draws: Any, level: float, axis: int, point: Any = None) -> Interval:
    """Quantiles of draws along an axis, around the value of the fit; what is not finite is counted,
    not used.
    """
    draws = np.moveaxis(np.asarray(draws, np.float64), axis, 0)
    finite = np.isfinite(draws)
    if not finite.any():
        raise refuse(
            "interval(): no draw is finite",
            why="no refit has converged, or what is asked is not defined there",
            change="look at the status of the refits",
        )
    tail = 0.5 * (1.0 - level)
    low, median, high = np.nanquantile(
        np.where(finite, draws, np.nan), [tail, 0.5, 1.0 - tail], axis=0
    )
    return Interval(
        low=low,
        point=median if point is None else point,
        high=high,
        level=level,
        kind="percentile",
        failed=_failed(draws),
        median=median,
    )


def bca(draws: np.ndarray, value: np.ndarray, moved: np.ndarray, level: float) -> Interval:
    """Bias-corrected and accelerated quantiles of draws (B, ...); `moved` (units, ...) is the
    change without each unit.

    Source: Efron 1987; the acceleration is that of the jackknife (eq. 6.6 there), by `left_out`
    instead of refits.
    """
    count = np.sum(np.isfinite(draws), 0)
    below = (np.sum(draws < value, 0) + 0.5 * np.sum(draws == value, 0)) / np.maximum(count, 1)
    away = -(moved - moved.mean(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        acceleration = np.nan_to_num(np.sum(away**3, 0) / (6.0 * np.sum(away**2, 0) ** 1.5))
        bias = _normal_quantile(np.clip(below, 0.5 / len(draws), 1.0 - 0.5 / len(draws)))
        z = bias + _normal_quantile(np.asarray([0.5 * (1.0 - level), 0.5 + 0.5 * level])).reshape(
            2, *[1] * np.ndim(value)
        )
        at = _normal(bias + z / (1.0 - acceleration * z))
    flat = np.reshape(draws, (len(draws), -1))
    ends = [np.nanquantile(flat[:, j], np.reshape(at, (2, -1))[:, j]) for j in range(flat.shape[1])]
    low, high = (np.reshape([e[i] for e in ends], np.shape(value)) for i in (0, 1))
    return Interval(
        low=low,
        point=value,
        high=high,
        level=level,
        kind="bca",
        failed=_failed(draws),
        median=np.nanmedian(draws, 0),
    )


def studentised(
    draws: np.ndarray, inner: np.ndarray, value: np.ndarray, outer: np.ndarray, level: float
) -> Interval:
    """Quantiles of (draw - value) / its own deviation (B, ...), times the deviation of the fit.

    Source: Efron and Tibshirani 1993, chapter 12.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (draws - value) / inner
    low, high = np.nanquantile(
        np.where(np.isfinite(t), t, np.nan), [0.5 * (1.0 - level), 0.5 + 0.5 * level], axis=0
    )
    median = np.nanmedian(np.where(np.isfinite(draws), draws, np.nan), 0)
    return Interval(
        low=value - high * outer,
        point=value,
        high=value - low * outer,
        level=level,
        kind="studentised",
        failed=_failed(t),
        median=median,
    )


def covariances(ensemble: Ensemble, at: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates (B, P) of the draws, the sandwich covariance (P, P) of the fit, and of each draw
    on its resample (B, P, P).
    """
    if ensemble.kind in NOISY:
        raise refuse(
            f"interval(): kind='studentised' of resamples of kind {ensemble.kind!r}",
            why="each refit needs its own covariance, which weights give",
            change="bootstrap(fit, kind='pairs') or 'bayes'",
        )
    seed, table = ensemble.drawn
    job = resampling_job(
        grid(ensemble.point),
        [ensemble.by],
        kind=ensemble.kind,
        resamples=len(ensemble),
        starts=1,
        seed=seed,
    )
    # as in the job of several tables that the draws come from
    key = job.key ^ np.asarray([0, table], np.uint32)
    x, plain = coordinates(job, ensemble.params), dataclasses.replace(job, resample=np.int32(0))
    return (
        x,
        _sandwiches(plain, at.x[None], at)[0],
        _sandwiches(dataclasses.replace(job, key=key), x, at),
    )


def _sandwiches(job: Job, x: np.ndarray, at: Evidence) -> np.ndarray:
    """H^-1 M H^-1 (L, P, P) at x (L, P); coordinates at an edge have no row."""
    parts = []
    with saying("refits and their curvature", len(x), "refit") as said:
        for first in range(0, len(x), _TILE):
            lane = np.minimum(np.arange(first, first + _TILE), len(x) - 1).astype(np.int32)
            parts.append(on_device(lambda: jax.device_get(_bread_and_meat(lane, job, x[lane].T))))  # noqa: B023
            said.update(min(_TILE, len(x) - first))
    bread, meat = (np.concatenate([p[i] for p in parts])[: len(x)] for i in (0, 1))
    n, p = len(at.rows), int(np.sum(~at.edge))
    each = [
        np.where(at.edge | at.edge[:, None], 0.0, sandwich(b, m, at.edge)[0])
        for b, m in zip(bread, meat, strict=True)
    ]
    return np.stack(each) * n / max(n - p, 1)


@compiled
def _bread_and_meat(lane: Any, job: Job, x: Any) -> tuple[Any, Any]:
    """Hessian, and the sum of squared scores of the units that were drawn, (T, P, P) of lanes at x
    (P, T).
    """
    weights, target, _, _ = resample_of(job, lane)
    law_kernel = kernel(job.law, job.layout, job.table.rows, job.table.codes)
    features = [
        jnp.broadcast_to(v[0][:, None], weights.shape)
        for v in law_kernel.table(job.table.rows, job.table.codes)
    ]
    objective = jax.tree.map(lambda v: v[0, -1], job.ladder)
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
    _, force, _ = outer(objective.loss, objective.residual(predicted, target))
    scores = force * (slopes / predicted if objective.log else slopes)  # (P, n, T)
    base, unit = job.table.weights[0][:, None], job.table.sampler.unit[0]
    times = jnp.where(base > 0, weights / jnp.where(base > 0, base, 1.0), 0.0)
    own = jnp.zeros_like(scores).at[:, unit].add(scores * base)
    times = jnp.zeros_like(times).at[unit].max(times)
    return jnp.moveaxis(hessian, -1, 0), jnp.einsum("iut,jut,ut->tij", own, own, times)


def _failed(draws: np.ndarray) -> int:
    return int(len(draws) - np.isfinite(draws).reshape(len(draws), -1).all(1).sum())


def _normal(z: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(jax.scipy.special.ndtr(z))


def _normal_quantile(p: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(jax.scipy.special.ndtri(p))
