"""`interval`: low, point and high for parameters, or for anything computed from a law, by the
method that can be trusted.

Two families. An ensemble of refits gives intervals from its draws (`_draws`); a single fit gives
them from a covariance and Student's t (`_covariance`), in coordinates, so that an interval of a
positive parameter stays positive. Which one is the default was decided by measured coverage
(docs/coverage.md): HC3 with t where every run carries curvature, that is for squared errors and for
a Huber objective whose delta is at least the residual scale; percentiles of refits for a delta far
below it; the cluster jackknife CR3 where rows come in runs. A parameter that is not identified or
runs to an edge has no interval, whatever a formula says: it gets the edges of its support, never
width 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._bootstrap import bootstrap
from ..fitting._ensemble import over_ensemble
from ..fitting._evidence import Evidence, evidence_of_each, slopes_at, slopes_of
from ..fitting._groups import coordinates_of, too_many
from ..fitting._problem import element_names
from ..fitting._resample import KINDS as RESAMPLES
from ..fitting._results import Ensemble, Fit, Fits, Fitted, Status, grid, point_of, resampled
from ..formula._law import Law
from ..ground._errors import check_level, nearest, refuse, refuse_type
from ..ground._interval import Interval
from ..ground._tails import student
from . import _covariance, _draws
from ._scale import Scale, is_interval

KINDS = (*_covariance.KINDS, *_draws.KINDS)
UNKNOWN = ("at its edge", "not identified", "not converged")  # kinds of intervals that are none
REFITS = 1000  # where the default needs an ensemble and none is given


def interval(
    fit: Any,
    *,
    of: Callable[[Law], Any] | None = None,
    kind: str | None = None,
    level: float = 0.95,
    by: str | None = None,
    log: bool = False,
    axis: int = 0,
) -> Any:
    """Interval(s) at `level`, in the units of what is given.

    `interval(fit)` gives one per parameter, by name; `interval(fit, of=f)` one for `f(bound law)`,
    any traceable function, such as `lambda law: jsl.allocate(law, 1e24)["N"]`. With an ensemble
    both come from its draws; `interval(tree, axis=0)` gives one for each array of draws. Values
    that are not finite are left out and counted in `.failed`. What stands before the ends,
    `.point`, is the value at the certified fit; that of arrays without a fit their median.

    `kind`: "hc3", "cr3", "sandwich", "laplace" from the covariance of a fit, with Student's t;
    "percentile", "bca", "studentised" from refits, 1,000 of them where only a fit is given. The
    default for a fit is the kind whose coverage was measured to hold for its objective and rows;
    for an ensemble it is "percentile". `by` names the clusters. `log` says that `f` is positive and
    its interval symmetrical in its logarithm (tokens, a loss; never a difference).

    These are intervals of what is estimated; `prediction_interval` is about the loss of a new run,
    which has noise of its own. Raises InputError for an unknown kind, where nothing is finite, and
    below five clusters.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.interval(best, of=lambda law: law(1e11, 2e12), log=True)
    1.871 (1.843 to 1.9, 95% hc3)

    Source: Efron 1979, 1987 (percentile, BCa, bootstrap-t); for the covariances see `covariance`.
    The defaults are ours.
    """
    if kind is not None and kind not in KINDS:
        raise refuse(
            f"interval(): kind={kind!r}",
            why="a typing slip",
            change=nearest(str(kind), KINDS).strip(),
        )
    check_level("interval()", level)
    if not isinstance(fit, Fitted):
        if of is not None or kind not in (None, "percentile"):
            raise refuse_type(
                f"interval(): {'of=' if of is not None else f'kind={kind!r}'} for arrays",
                why="arrays of draws know no law and no covariance",
                change="a fit or an ensemble; or leave it out: arrays have percentiles",
            )
        return jax.tree.map(lambda draws: _draws.percentile(draws, level, axis), fit)
    point = fit.point
    if resampled(fit):
        kind = kind or "percentile"
        if by is not None and kind in _draws.KINDS:
            raise refuse(
                f"interval(): by={by!r}, and the refits of this ensemble were drawn already",
                why="what is resampled is decided when it is drawn",
                change=f"bootstrap(fit, by={by!r})",
            )
        if kind == "percentile":
            return _percentiles(fit, of, level)
    if isinstance(fit, Fit) and too_many(point.problem.law, point.problem.runs):
        return _of_groups(fit, of, kind, level)
    at = evidence_of_each(point)
    kind = kind or _one_kind([default_kind(e, by) for e in at])
    scale = Scale(point.problem.law, of, log)
    if kind in _covariance.KINDS:
        found = _by_covariance(at, _covariance.covariances_of(at, kind, by), scale, level, kind)
        found = jax.tree.map(
            lambda i: _shaped(i, np.shape(point.value)), found, is_leaf=is_interval
        )
        return _unknown_aside(found, point) if of is None else found
    refits = fit if resampled(fit) else bootstrap(point, REFITS, by=by)
    if kind == "percentile":
        return _percentiles(refits, of, level)
    point_of(refits, f"interval(kind={kind!r})")
    assert isinstance(refits, Ensemble)
    found = _by_draws(refits, at[0], kind, scale, level)
    return _unknown_aside(found, point) if of is None else found


def _of_groups(fit: Fit, of: Any, kind: str | None, level: float) -> dict[str, Interval]:
    """Of a fit with many groups: from the deviations of its certificate, by Student's t."""
    if of is not None or kind not in (None, "laplace"):
        raise refuse_type(
            "interval(): a fit with many groups has kind='laplace' intervals of its "
            "parameters only",
            why="each of its groups is fitted alone, and no covariance of all is kept",
            change="interval(fit) without of= and kind=, or fewer groups",
        )
    law, deviation, out = fit.problem.law, fit.certificate.deviation, dict[str, Interval]()
    reach = student(
        0.5 + 0.5 * level, max(fit.certificate.rows_used - coordinates_of(law, fit.problem.runs), 1)
    )
    tied = dict(law.ties)
    for name, value in fit.params.items():
        spec, value = dict(law.specs)[name], np.asarray(value)
        own = np.zeros(value.shape)
        for place, full in element_names(fit.problem, tied.get(name, name), value.shape):
            own[place] = 0.0 if name in law.fixed else deviation.get(full, np.nan)
        with jax.enable_x64(True), np.errstate(over="ignore"):
            middle = np.asarray(spec.on_line(jnp.asarray(value)))
            low, high = (spec.from_line(middle + side * reach * own) for side in (-1.0, 1.0))
        edges = spec.edges
        low, high = (
            np.where(np.isfinite(own), low, edges[0]),
            np.where(np.isfinite(own), high, edges[1]),
        )
        out[name] = Interval(low[()], value[()], high[()], level, "laplace")
    return out


def _one_kind(kinds: list[str]) -> str:
    if len(set(kinds)) > 1:
        raise refuse(
            f"interval(): these fits call for {' and '.join(sorted(set(kinds)))}",
            why="their objectives or tables differ",
            change="one kind for all by kind=, or ask them one by one",
        )
    return kinds[0]


def default_kind(at: Evidence, by: str | None = None) -> str:
    """The kind whose measured coverage holds for this objective and these rows."""
    if at.clusters(by) is not None:
        return "cr3"
    if not at.fit.problem.objective.observes:
        return "sandwich"  # no second derivative by a residual, and so no leverage
    ratio = at.fit.certificate.delta_over_scale
    return (
        "hc3"
        if at.fit.problem.objective.width is None or (ratio is not None and ratio >= 1.0)
        else "percentile"
    )


def _shaped(i: Interval, shape: tuple[int, ...]) -> Interval:
    """Cells (tables, objectives) instead of their number, or nothing where there is one."""
    return i.each(lambda v: np.reshape(v, shape + np.shape(v)[1:])[()])


def _by_covariance(
    at: list[Evidence], covariances: list[Any], scale: Scale, level: float, kind: str
) -> Any:
    """Value, and Student's t times its deviation to both sides, for every cell: intervals with
    arrays (cells, ...).
    """
    values, slopes = slopes_of(at, scale.quantity)
    width = [student(0.5 + 0.5 * level, c.dof) for c in covariances]

    def one(value: np.ndarray, slope: np.ndarray) -> Interval:
        to = np.stack(
            [w * c.deviation(s) for w, c, s in zip(width, covariances, slope, strict=True)]
        )
        return Interval(value - to, value, value + to, level, kind)

    return scale.back(jax.tree.map(one, values, slopes))


def _percentiles(ensemble: Ensemble | Fits, of: Any, level: float) -> Any:
    draws = over_ensemble(ensemble, of) if of is not None else dict(ensemble.params)
    point = _at_fit(ensemble.point, of) if of is not None else dict(ensemble.point.params)
    found = jax.tree.map(lambda d, v: _draws.percentile(d, level, 0, v), draws, point)
    if of is not None or (
        isinstance(ensemble, Ensemble) and ensemble.kind == "posterior"
    ):  # a prior may identify what the runs do not
        return found
    return _unknown_aside(found, ensemble.point)


def _at_fit(point: Fit | Fits, of: Callable[[Law], Any]) -> Any:
    """`of` at the fit, with the axes of several tables and objectives, where there are
    any, first.
    """
    with jax.enable_x64(True):
        each = [jax.tree.map(np.asarray, of(one.law)) for one in grid(point).flat]
    shape = np.shape(point.value)
    return jax.tree.map(lambda *v: np.reshape(v, (*shape, *np.shape(v[0])))[()], *each)


def _by_draws(ensemble: Ensemble, at: Evidence, kind: str, scale: Scale, level: float) -> Any:
    """BCa and studentised intervals, which need more than the draws."""
    if ensemble.kind not in RESAMPLES:
        raise refuse(
            f"interval(): kind={kind!r} of a {ensemble.kind}",
            why="it is for refits",
            change='kind="percentile"',
        )
    draws, (values, slopes) = (
        over_ensemble(ensemble, scale.quantity),
        slopes_of([at], scale.quantity),
    )
    if kind == "bca":
        moves = _covariance.left_out(at, ensemble.by)

        def one(d: np.ndarray, value: np.ndarray, slope: np.ndarray) -> Interval:
            return _draws.bca(d, value[0], np.moveaxis(slope[0] @ moves.T, -1, 0), level)

        return scale.back(jax.tree.map(one, draws, values, slopes))
    x, own, covariances = _draws.covariances(ensemble, at)
    _, inner = slopes_at(at, scale.quantity, x)

    def deviations(slope: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return np.asarray(
            np.sqrt(np.maximum(np.einsum("b...i,bij,b...j->b...", slope, matrix, slope), 0.0))
        )

    def studentised(
        d: np.ndarray, value: np.ndarray, slope: np.ndarray, each: np.ndarray
    ) -> Interval:
        outer = deviations(slope, own[None])[0]
        return _draws.studentised(d, deviations(each, covariances), value[0], outer, level)

    return scale.back(jax.tree.map(studentised, draws, values, slopes, inner))


def _unknown_aside(found: dict[str, Interval], point: Fit | Fits) -> dict[str, Interval]:
    """Parameters that are not identified, or run to an edge, get the edges of their support,
    element by element.
    """
    law, shape = point.problem.law, np.shape(point.value)
    out, tied = {k: found[k] for k, _ in law.specs}, dict(law.ties)
    for cell, one in enumerate(grid(point).flat):
        unknown = dict.fromkeys(one.certificate.at_bound, UNKNOWN[0]) | dict.fromkeys(
            one.certificate.flat, UNKNOWN[1]
        )
        bad = bool(np.asarray(one.status) & (Status.MAX_STEPS | Status.NON_FINITE))
        for name, i in out.items():
            if name in law.fixed:
                continue
            low, high = (
                np.array(v, np.float64).reshape(-1, *np.shape(v)[len(shape) :])
                for v in (i.low, i.high)
            )
            edges, said = dict(law.specs)[name].edges, i.kind
            for place, full in element_names(one.problem, tied.get(name, name), low.shape[1:]):
                if (why := UNKNOWN[2] if bad else unknown.get(full)) is not None:
                    low[(cell, *place)], high[(cell, *place)], said = *edges, why
            if said != i.kind:
                low, high = (v.reshape(np.shape(i.low))[()] for v in (low, high))
                out[name] = dataclasses.replace(i, low=low, high=high, kind=said)
    return out
