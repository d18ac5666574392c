"""`forecast`: what a law says about runs that have not been trained, to be frozen before they are.

A forecast that is written down afterwards proves nothing, and one without its interval cannot be wrong. So it is made as one
record (`_record`), with the interval of the curve, that of a new run, and the remarks that explain most failures: a
parameter that was assumed instead of fitted, a fit that is not OK, a D/N that no run had.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from ..fitting._evidence import evidence
from ..fitting._results import Ensemble, Fit, point_of
from ..ground._errors import nearest, refuse
from ..ground._shown import label_of
from ..table._scope import beyond, largest, ranges, ratio_remark
from ..uncertainty._prediction import Predictive, predictive
from ._record import Forecast, described


def forecast(
    fit: Fit | Ensemble, *, level: float = 0.95, by: str | None = None, noise: Any = None, note: str = "", **columns: Any
) -> Forecast:
    """Forecast of the loss [unit of the law] of runs at `columns` that broadcast to S, ready to be frozen with `save`.

    `fit` is a fit or an ensemble; of the curve's interval see `interval`, of a new run's `prediction_interval`, which this
    is. `noise` replaces that of the residuals: the standard deviation between runs that differ in their seed only, of ln L,
    for an objective without logarithms in the law's unit. A plain number counts as known. `noise_floor(runs)`, or anything
    with an `.sd`, is always of ln L, which is turned into that unit at the loss that is predicted, and has `.dof` degrees of
    freedom, if it says so. `by` names clusters, `note` is kept.
    Columns, and labels of the law's groups, are given by name. Fixed parameters count as known, so that an assumed E makes
    intervals too narrow: a remark says so.

    Raises InputError where the forecast is not a finite number, TypeError for likelihoods and quantiles.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), objective=jsl.objectives.LogSquared(), starts=32)
    >>> frozen = jsl.forecast(best, N=1e11, D=2e12, note="the big run")
    >>> frozen.run
    1.871 (1.835 to 1.908, 95% new run)
    >>> bool(jsl.score(frozen, 1.88).inside)
    True

    No source: pre-registration of a forecast, with the predictive distribution of a regression. The record is ours.
    """
    point = point_of(fit, "forecast()")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level}: a probability such as 0.95")
    law, runs = point.problem.law, point.problem.runs
    known = [*law.columns, *dict.fromkeys(dict(law.groups).values())]
    if odd := sorted(set(columns) ^ set(known)):
        raise refuse(
            f"forecast(): {odd[0]} {'is not given' if odd[0] in known else 'is no column of ' + law.name}",
            why="a forecast announces every column that the law reads",
            change=f"forecast(fit, {', '.join(f'{k}=...' for k in known)}).{nearest(odd[0], known) if odd[0] in columns else ''}",
        )
    own = predictive(fit, "forecast()", (), columns, level=level, by=by, noise=noise)
    if bad := int(np.sum(~np.isfinite(own.centre))):
        raise refuse(
            f"forecast(): {bad} of {own.centre.size} values of the law are not finite numbers",
            why="a column is 0, negative or not finite",
            change="the announced columns",
        )
    announced = _announced(law, columns, own.centre.shape)
    groups = {
        g: np.vectorize(label_of, otypes=[object])(np.broadcast_to(np.asarray(columns[g]), own.centre.shape)).tolist()
        for g in known[len(law.columns) :]
    }
    tested = ranges(runs)
    what = described(fit)
    what["settings"] |= {"by": by or "", "kind": own.kind, "noise": "residuals" if noise is None else "given"}
    return Forecast(
        what["law"],
        what["rows"],
        what["settings"],
        what["parameters"],
        announced,
        groups,
        own.centre,
        own.deviation,
        own.noise,
        own.dof,
        own.log,
        own.curve(level),
        own.interval(level),
        beyond(tested, {k: v for k, v in announced.items() if v.ndim == own.centre.ndim}),
        _last(point),
        _remarks(point, tested, announced, own),
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        note,
    )


def _announced(law: Any, columns: dict[str, Any], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    ranks = [u.rank for u in law.column_units]
    own = {k: np.asarray(columns[k], np.float64) for k in law.columns}
    return {k: np.array(np.broadcast_to(v, shape + v.shape[v.ndim - r :])) for (k, v), r in zip(own.items(), ranks, strict=True)}


def _last(point: Fit) -> dict[str, Any]:
    """The largest run, in the law's units: what a forecast has to be better than."""
    at = evidence(point)
    try:
        name, size = largest({c: at.table.rows[c][at.rows] for c in point.problem.law.columns})
    except ValueError:  # shares only
        return {}
    row = int(np.argmax(size))
    return {"row": int(at.rows[row]), "measure": name, "size": float(size[row]), "loss": float(at.target[row])}


def _remarks(point: Fit, tested: dict[str, Any], announced: dict[str, Any], own: Predictive) -> tuple[str, ...]:
    law = point.problem.law
    said = [] if point.ok else [f"the fit is not OK: {f}" for f in point.certificate.findings]
    if law.fixed:
        said.append(f"{', '.join(sorted(law.fixed))} fixed: the intervals take that as known")
    if unknown := int(np.sum(~np.isfinite(own.deviation))):
        said.append(f"the runs do not determine {unknown} of {own.centre.size} forecasts: their intervals have no end")
    if "D/N" in tested and {"N", "D"} <= set(announced):
        ratios = np.unique(announced["D"] / announced["N"])
        said += [r for ratio in (ratios[[0, -1]] if len(ratios) > 1 else ratios) if (r := ratio_remark(tested, ratio))]
    return tuple(said)
