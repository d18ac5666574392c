"""`bootstrap`: the same fit on thousands of resamples; `leave_out`: without each run, or group, in
turn.

Refits start at the fitted optimum and need no ladder, unless `starts` asks for guards. What a
resample does to the table is decided inside the lanes (`_resample`); here tables are laid out,
noise is put on them where the kind asks for it (`_noise`), and the lanes are run and handed back as
an ensemble, failed ones included.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, TypedDict, Unpack, overload

import jax
import numpy as np

from ..ground._errors import nearest, refuse, refuse_type, warn
from ..ground._trees import check_outside
from ..table._anchors import helpers
from ..table._runs import Runs
from ._blocks import Run
from ._cells import jobs_of, optima, part
from ._job import prepare, projected, resampler
from ._lanes import Job
from ._noise import inflated, spread
from ._problem import all_parameters
from ._resample import KINDS, NOISY, WEIGHTED, root_key
from ._results import Ensemble, Fit, Fits, grid, resampled
from ._run import free_params, measures, solved


class _Options(TypedDict, total=False):
    kind: str
    by: str | None
    starts: int
    seed: int
    executor: Executor | None
    directory: str | os.PathLike[str] | None
    memory: int | None


@overload
def bootstrap(fit: Fit, resamples: int = 1000, **options: Unpack[_Options]) -> Ensemble: ...
@overload
def bootstrap(fit: Fits, resamples: int = 1000, **options: Unpack[_Options]) -> Fits: ...
def bootstrap(
    fit: Fit | Fits,
    resamples: int = 1000,
    *,
    kind: str = "pairs",
    by: str | None = None,
    starts: int = 1,
    seed: int = 0,
    executor: Executor | None = None,
    directory: str | os.PathLike[str] | None = None,
    memory: int | None = None,
) -> Ensemble | Fits:
    """Refits of `fit` on `resamples` resamples: an ensemble, parameters `(resamples,)` in the law's
    units.

    `kind` says what a resample is. "pairs" draws units with replacement; "bayes" gives them
    exponential weights, which never lose a unit. These two make no assumption about the noise.
    "webb" and "rademacher" (wild) keep all rows and give the residuals, divided by 1 - leverage
    (HC3), random signs, one per unit: for designs in which every run counts. "parametric" puts
    normal noise on the fitted values of independent rows, with a spread that follows the loss if
    the residuals show it, and weights as precisions.

    `by` names the unit: "rows", or a group column whose groups are drawn whole. By default rows,
    unless some `run` has several rows: then runs, because checkpoints of a run are not independent.
    Helper points are no units: every resample has each of them once, without noise. Each refit
    starts at the fitted optimum; `starts=k` adds k - 1 fresh starts and keeps the best. Failed
    refits stay, with a status.

    Fits of several tables or objectives are resampled in one go: parameters (resamples, tables,
    objectives), and `boots[3]` is the ensemble of one table. Objectives of one table see the same
    resamples. `executor`, `directory` and `memory` are as in `fit`.

    Raises InputError for an unknown group column or kind.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> len(jsl.bootstrap(best, 100))
    100

    Source: Efron 1979 (pairs; Besiroglu et al. 2024 use it with 4,000 resamples); Rubin 1981
    (Bayesian weights); Wu 1986 and Webb 2023 (wild, by cluster: Cameron, Gelbach and Miller 2008).
    """
    if not isinstance(fit, Fit | Fits) or resampled(fit):
        what = (
            "this is already an ensemble" if resampled(fit) else f"{type(fit).__name__} is no fit"
        )
        raise refuse_type(
            f"bootstrap(): {what}", why="refits are of one fit", change="bootstrap(boot.point, ...)"
        )
    check_outside("bootstrap()")
    if resamples < 1 or starts < 1:
        raise refuse(
            f"bootstrap(): resamples={resamples}, starts={starts}",
            why="one of them is 0",
            change="at least one of each",
        )
    if kind not in KINDS:
        raise refuse(
            f"bootstrap(): kind={kind!r}",
            why="a typing slip",
            change=nearest(str(kind), KINDS).strip(),
        )
    if kind in NOISY and not fit.problem.objective.observes:
        raise refuse(
            f"bootstrap(): kind={kind!r} puts noise on a target, and NegLogLik has none",
            why="a likelihood of one's own compares no residuals",
            change="kind='pairs' or 'bayes'",
        )
    points = grid(fit)
    units = [_unit(row[0].problem.runs, by) for row in points]
    if kind == "parametric" and any(unit != "rows" for unit in units):
        raise refuse(
            f"kind='parametric' with units {next(u for u in units if u != 'rows')!r}: its noise is "
            f"drawn row by row",
            why="rows of a run share noise that it does not model",
            change="kind='webb' or 'pairs', or by='rows' if rows are independent after all",
        )
    if said := _inherited(points):
        warn(said)
    run = Run(executor, directory, memory)
    cells = _refits(
        points, units, kind=kind, resamples=resamples, starts=starts, seed=seed, run=run
    )
    return Fits(cells.reshape(fit.cells.shape), fit.axes) if isinstance(fit, Fits) else cells[0, 0]


def reweighted_at(
    fit: Fit, resamples: int, places: np.ndarray, *, by: str | None, seed: int
) -> Ensemble:
    """Refits with exponential weights: unit i has the random number at places[i] (k,) of the stream
    that `seed` names.
    """
    points = grid(fit)
    if said := _inherited(points):
        warn(said)
    refits: Ensemble = _refits(
        points,
        [_unit(fit.problem.runs, by)],
        kind="bayes",
        resamples=resamples,
        starts=1,
        seed=seed,
        run=Run(),
        places=places,
    )[0, 0]
    return refits


def _inherited(points: np.ndarray) -> str:
    bad = [p for p in points.flat if not p.ok]
    many = f" ({len(bad)} of {points.size})" if points.size > 1 else ""
    return (
        f"the fit is not OK{many}; its refits inherit that. "
        f"{'; '.join(bad[0].certificate.findings)}"
        if bad
        else ""
    )


def leave_out(fits: Sequence[Fit], by: str | None = None) -> list[Fit]:
    """Refits of each fit without each of its units in turn (in the order of their labels, rows of
    weight 0 left aside).

    Fits of one law with as many units and objectives of one kind are refitted in one job.
    """
    units = [_unit(f.problem.runs, by, few=0) for f in fits]
    alike: dict[Any, list[int]] = {}
    for i, (f, unit) in enumerate(zip(fits, units, strict=True)):
        labels = (
            np.arange(len(f.problem.runs))
            if unit == "rows"
            else np.asarray(f.problem.runs.groups[unit])
        )
        count = len(np.unique(labels[np.asarray(f.problem.runs.weights) > 0]))
        alike.setdefault((count, type(f.problem.objective)), []).append(i)
    out: list[Any] = [None] * len(fits)
    for (count, _), members in alike.items():
        points = np.empty((len(members), 1), object)
        points[:, 0] = [fits[i] for i in members]
        refits = _refits(
            points,
            [units[i] for i in members],
            kind="leave",
            resamples=count,
            starts=1,
            seed=0,
            run=Run(),
        )
        for i, refit in zip(members, refits[:, 0], strict=True):
            out[i] = refit
    return out


def _refits(
    points: np.ndarray,
    units: list[str],
    kind: str,
    resamples: int,
    starts: int,
    seed: int,
    run: Run,
    places: np.ndarray | None = None,
) -> np.ndarray:
    """An ensemble for each of `points` (tables, objectives); `places` (units,) of a single table,
    where they are not 0, 1, ...
    """
    problems = [[p.problem for p in row] for row in points]
    law, cells = problems[0][0].law, np.empty(points.shape, object)
    for number, (rows, columns) in enumerate(jobs := jobs_of(problems, resamples * starts)):
        job = resampling_job(
            points[np.ix_(rows, columns)],
            [units[d] for d in rows],
            kind=kind,
            resamples=resamples,
            starts=starts,
            seed=seed,
        )
        if places is not None:
            job.table.sampler.place[0, : len(places)] = places
        found = solved(
            job, len(rows) * len(columns) * resamples, part(run, number, len(jobs)), label="refits"
        )
        for k, (d, o) in enumerate((d, o) for d in rows for o in columns):
            lanes = {
                name: v[k * resamples : (k + 1) * resamples] for name, v in found.lanes.items()
            }
            point, params = points[d, o], all_parameters(law, free_params(lanes), (resamples,))
            certificate = dataclasses.replace(
                point.certificate, gradient=lanes["gradient"], singular=lanes["singular"]
            )
            cells[d, o] = Ensemble(
                params=params,
                value=lanes["value"],
                status=lanes["status"],
                certificate=certificate,
                point=point,
                by=units[d],
                steps=lanes["steps"],
                work=found.work,
                kind=kind,
                drawn=(seed, rows.index(d)),
            )
    return cells


def resampling_job(
    points: np.ndarray, units: list[str], kind: str, resamples: int, starts: int, seed: int
) -> Job:
    """The job whose lanes are resamples of `points` (tables, objectives), by `units` of
    each table.
    """
    noisy = kind in NOISY
    if noisy and points.shape[1] > 1:  # residuals, and so the noise, are those of one objective
        raise refuse(
            f"bootstrap(): kind={kind!r} resamples one objective at a time",
            why="its noise is that of one fit",
            change="bootstrap fits[..., 0], fits[..., 1], ...",
        )
    job = prepare([[p.problem for p in row] for row in points], starts)
    warm, rows = optima(job, list(points.flat)), job.table.target.shape[1]
    noise = (
        _noise(job, warm, kind, [row[0].problem.runs for row in points])
        if noisy
        else [(None, None)] * len(units)
    )
    drawn = [
        resampler(job.law, row[0].problem.runs, unit, rows, kind, *own)
        for row, unit, own in zip(points, units, noise, strict=True)
    ]
    return dataclasses.replace(
        job,
        table=dataclasses.replace(job.table, sampler=jax.tree.map(lambda *v: np.stack(v), *drawn)),
        resample=np.int32((NOISY if noisy else WEIGHTED).index(kind)),
        noisy=noisy,
        given=warm[:, None],
        known=np.int32(1),
        resamples=np.int32(resamples),
        key=root_key(seed, 1),  # a stream apart from the starts of `fit`
        **({"ranges": projected(job)} if starts > 1 else {"levels": np.ones_like(job.levels)}),
    )


def _noise(
    job: Job, x: np.ndarray, kind: str, tables: list[Runs]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fitted values and noise on them, (rows,) for each table at its optimum x (tables, P); helper
    points have none.
    """
    found, out = measures(job, x), []
    for d, runs in enumerate(tables):
        live = job.table.weights[d] > 0
        real = ~helpers(runs)[live[: len(runs)]]
        target, weights, residual = (
            job.table.target[d][live],
            job.table.weights[d][live],
            found["residual"][d][live],
        )
        size = job.ladder.size_of(target)
        fitted = target * np.exp(residual) if job.ladder.log else target + residual * size
        if kind == "parametric":
            precision = weights / np.mean(weights[real])
            own, level = (residual * np.sqrt(precision))[real], np.abs(fitted)
            noise = spread(own, level[real], x.shape[1], level) / np.sqrt(precision)
        else:
            noise = inflated(-residual, found["jacobian"][d][live], weights)
        out.append((_padded(live, fitted), _padded(live, np.where(real, noise * size, 0.0))))
    return out


def _padded(live: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of live rows in the padded table; the others get the first one."""
    out = np.full(len(live), values[0])
    out[live] = values
    return out


def _unit(runs: Runs, by: str | None, few: int = 10) -> str:
    """What is drawn with replacement from a table."""
    by = by or runs.clusters or "rows"
    if by != "rows":
        if by not in runs.groups:
            raise refuse(
                f"by={by!r}: no such group column",
                why="it was read as a number or not at all",
                change=nearest(by, runs.groups),
            )
        if (
            len(
                np.unique(
                    np.asarray(runs.groups[by])[(np.asarray(runs.weights) > 0) & ~helpers(runs)]
                )
            )
            < few
        ):
            warn(f"fewer than 10 groups of {by!r}: percentile intervals from so few are too narrow")
    return by
