"""`prediction_interval`: where the loss of a new run will lie, which is not where the curve lies.

A confidence interval of the curve closes as runs are added; a new run keeps its own noise. The two
variances add, on the scale of the objective (ln L for a log objective), with the noise taken from
the residuals: with the degrees of freedom that the fit has used up put back, and at the loss that
is predicted, if the residuals show that noise follows the loss. A noise that was measured apart has
degrees of freedom of its own; those of the sum are Satterthwaite's. `predictive` keeps the parts
apart, for what is to be scored later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import on_device
from ..fitting._bootstrap import bootstrap
from ..fitting._evidence import Frame, evidence
from ..fitting._problem import check_central
from ..fitting._results import Ensemble, Fit, point_of
from ..formula._form import arguments
from ..ground._compiled import compiled
from ..ground._errors import check_level, refuse
from ..ground._interval import Interval
from ..ground._tails import student, students
from ..ground._trees import to_numpy
from . import _covariance
from ._interval import REFITS, default_kind, interval
from ._noise_floor import NoiseFloor, noise_of


@dataclass(frozen=True, eq=False)
class Predictive:
    """A new run's loss: Student's t with `dof` around `centre`, whose variances are that of the
    curve and the noise's.

    In ln of the loss where `log`, else in its unit. `deviation` is the curve's, infinite where the
    runs do not determine it, and `curve_dof` its degrees of freedom; `dof` is an array like
    `centre`, or that number.
    """

    centre: np.ndarray
    deviation: np.ndarray
    noise: np.ndarray
    dof: Any
    curve_dof: float
    log: bool
    kind: str  # of the deviation
    # the curve's interval by percentiles, where it comes from refits
    draws: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def scale(self) -> np.ndarray:
        """Scale of the t distribution: both deviations together."""
        return np.asarray(np.sqrt(self.deviation**2 + self.noise**2))

    def interval(self, level: float) -> Interval:
        """Of the observed loss of a new run, in the law's unit."""
        return self._around(students(0.5 + 0.5 * level, self.dof) * self.scale, level, "new run")

    def curve(self, level: float) -> Interval:
        """Of the curve, in the law's unit."""
        if self.draws is None:
            return self._around(
                student(0.5 + 0.5 * level, self.curve_dof) * self.deviation, level, self.kind
            )
        low, high = self.draws
        return Interval(
            self._back(low), self._back(self.centre), self._back(high), level, self.kind
        )

    def _around(self, half: np.ndarray, level: float, kind: str) -> Interval:
        low, high = self.centre - half, self.centre + half
        return Interval(self._back(low), self._back(self.centre), self._back(high), level, kind)

    def _back(self, value: np.ndarray) -> Any:
        with np.errstate(over="ignore"):  # an interval without an end
            return np.exp(value) if self.log else value


def prediction_interval(
    fit: Fit | Ensemble,
    *columns: Any,
    level: float = 0.95,
    by: str | None = None,
    noise: float | NoiseFloor | None = None,
    **named: Any,
) -> Interval:
    """Interval of the observed loss of new runs, in the law's unit, at columns that broadcast
    against each other.

    The curve's own uncertainty is that of `interval(fit)`; with an ensemble it is the spread of its
    draws. Residuals stand for the noise of a new run, so the interval assumes that the new run is
    trained and measured like the old ones. Its weight is taken to be the mean one of runs; helper
    points have no noise. `noise` takes the place of residuals: a standard deviation of ln L, for an
    objective without logarithms in the law's unit; or `noise_floor(runs)`, which is always of ln L
    and is turned into that unit at the loss that is predicted, and whose degrees of freedom count.
    Raises TypeError for likelihoods and quantiles.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.uncertainty.prediction_interval(best, N=1e11, D=2e12)
    1.871 (1.835 to 1.908, 95% new run)

    Source: the usual prediction interval of regression, with the degrees of freedom of
    Satterthwaite 1946 where noise is given; the noise at the predicted loss is that of `spread`
    (ours).
    """
    check_level("prediction_interval()", level)
    return predictive(
        fit, "prediction_interval()", columns, named, level=level, by=by, noise=noise
    ).interval(level)


def predictive(
    fit: Fit | Ensemble,
    verb: str,
    columns: tuple[Any, ...],
    named: dict[str, Any],
    *,
    level: float = 0.95,
    by: str | None = None,
    noise: Any = None,
    kind: str | None = None,
) -> Predictive:
    """The distribution of the loss of new runs; `noise` replaces that of the residuals."""
    point = point_of(fit, verb)
    at = evidence(point)
    objective = at.fit.problem.objective
    check_central(at.fit.problem, verb)
    rows, _, codes = arguments(point.law, columns, named)
    with jax.enable_x64(True):
        rows = {c: np.asarray(v, np.float64) for c, v in rows.items()}
        value, slopes = to_numpy(
            on_device(lambda: _there(at.frame, at.x, rows, codes, log=bool(objective.log)))
        )
    kind = kind or ("percentile" if isinstance(fit, Ensemble) else default_kind(at, by))
    draws = None
    if kind == "percentile":
        if isinstance(fit, Ensemble) and by is not None:
            raise refuse(
                f"by={by!r}: this ensemble was drawn by {fit.by!r}",
                why="what is resampled is decided when it is drawn",
                change=f"bootstrap(fit, by={by!r})",
            )
        refits = (fit if isinstance(fit, Ensemble) else bootstrap(point, REFITS, by=by)).predict(
            **rows, **{g: named[g] for g in codes}
        )
        # what is not finite is left out by its interval
        with np.errstate(invalid="ignore", divide="ignore"):
            inner, outer = (
                interval(np.log(refits) if objective.log else refits, level=v)
                for v in (0.6827, level)
            )
        deviation, dof = np.asarray(0.5 * (inner.high - inner.low)), float(max(at.spare, 1))
        draws = (np.asarray(outer.low), np.asarray(outer.high))
    else:
        covariance = _covariance.covariance_of(at, kind, by)
        deviation, dof = covariance.deviation(slopes), covariance.dof
    total: Any = dof
    if noise is None:
        own = at.noise(np.exp(value) if objective.log else value)
        # as many runs as parameters leave no residual, which is not the same as no noise
        if at.spare < 1:
            own, deviation = np.full_like(own, np.inf), np.full_like(np.asarray(deviation), np.inf)
    else:
        own, freedom = noise_of(noise, value, bool(objective.log))
        total = _satterthwaite(np.asarray(deviation), dof, own, freedom)
    return Predictive(
        centre=value,
        deviation=np.asarray(deviation),
        noise=np.asarray(own),
        dof=total,
        curve_dof=dof,
        log=bool(objective.log),
        kind=kind,
        draws=draws,
    )


def _satterthwaite(
    deviation: np.ndarray, dof: float, noise: np.ndarray, freedom: float
) -> np.ndarray:
    """Degrees of freedom of the sum of two variances that were estimated apart; the curve's where
    its own is infinite.
    """
    known = np.isfinite(deviation)
    curve, own = np.where(known, deviation, 1.0) ** 2, noise**2
    with np.errstate(divide="ignore"):
        return np.where(known, (curve + own) ** 2 / (curve**2 / dof + own**2 / freedom), dof)


@compiled
def _there(
    frame: Frame, x: Any, rows: dict[str, Any], codes: dict[str, Any], *, log: bool
) -> tuple[Any, Any]:
    """The law at columns, on the scale of the objective, and its slopes by coordinates; columns
    never compile anew.
    """

    def one(u: Any) -> Any:
        value = frame(u)._note(labels={})(**rows, **codes)
        return jnp.log(value) if log else value

    return one(x), jax.jacfwd(one)(x)
