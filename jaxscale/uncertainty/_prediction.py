"""`prediction_interval`: where the loss of a new run will lie, which is not where the curve lies.

A confidence interval of the curve closes as runs are added; a new run keeps its own noise. The two variances add, on
the scale of the objective (ln L for a log objective), with the noise taken from the residuals: with the degrees of freedom
that the fit has used up put back, and at the loss that is predicted, if the residuals show that noise follows the loss.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .._noise import spread
from .._results import Fit, Interval
from . import _covariance
from ._evidence import evidence, slopes_of
from ._floor import NoiseFloor
from ._interval import default_kind, interval
from ._student import student


def prediction_interval(
    fit: Fit, *columns: Any, level: float = 0.95, by: str | None = None, floor: NoiseFloor | None = None, **named: Any
) -> Interval:
    """Interval of the observed loss of new runs, in the law's unit, at columns that broadcast against each other.

    The curve's own uncertainty is that of `interval(fit)`; with an ensemble it is the spread of its draws. Residuals
    stand for the noise of a new run, so the interval assumes that the new run is trained and measured like the old ones.
    Its weight is taken to be the mean one. A noise `floor` (`noise_floor(runs)`) takes their place where it is larger:
    residuals of a table without replicates may hide it. Raises TypeError for likelihoods and quantiles.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.prediction_interval(best, N=1e11, D=2e12)
    1.871 (1.835 to 1.908, 95% new run)

    Source: the usual prediction interval of regression; the noise at the predicted loss is that of `spread` (ours).
    """
    fit.one_cell("prediction_interval()")
    point = fit if fit.point is None else fit.point
    at = evidence(point)[0]
    objective = at.fit.problem.objective
    if not objective.observes or float(getattr(objective, "tau", 0.5)) != 0.5:
        raise TypeError("prediction_interval() needs an objective that fits the middle of a target: no likelihood, no quantile")

    def on_scale(law: Any) -> Any:
        value = law(*columns, **named)
        return jnp.log(value) if objective.log else value

    values, slopes = slopes_of([at], on_scale)
    value = np.asarray(values[0])
    kind = default_kind(at, by)
    if fit.point is not None or kind == "percentile":
        inner = interval(fit, of=on_scale, kind="percentile", level=0.6827, by=by)
        deviation, dof = 0.5 * (inner.high - inner.low), float(max(at.spare, 1))
    else:
        covariance = _covariance.covariance_of(at, kind, by)
        deviation, dof = covariance.deviation(slopes[0]), covariance.dof
    at_loss = np.abs(np.exp(value) if objective.log else value)
    residual = at.residual * np.sqrt(at.precision)
    noise = at.size * spread(residual, np.abs(at.fitted), len(at.x), at_loss)
    if floor is not None:
        noise = np.maximum(noise, floor.sd * (1.0 if objective.log else at_loss))
    half = student(0.5 + 0.5 * level, dof) * np.sqrt(deviation**2 + noise**2)
    low, middle, high = (np.exp(v) if objective.log else v for v in (value - half, value, value + half))
    return Interval(low, middle, high, level, "new run")
