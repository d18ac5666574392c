"""`fit`: the best of many starts, with a certificate.

Jobs are prepared, their lanes run in blocks, and the best start is kept and certified. Every second
start walks up a ladder of ever sharper objectives (`_lanes`). Several tables and several objectives
are more lanes of the same job: a cell is one table with one objective, and only tables of very
different length, or objectives of different kinds, make a job of their own. `_bootstrap` puts the
same parts together for resamples.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypedDict, Unpack, overload

import numpy as np

from .. import objectives as obj
from ..formula._form import settled
from ..formula._law import Law
from ..ground._errors import refuse, refuse_type
from ..ground._trees import check_outside
from ..solvers import Newton, as_solver
from ..table._runs import Runs
from ._blocks import Run
from ._cells import gathered, jobs_of, part
from ._certificate import certify
from ._evidence import keep_evidence
from ._groups import applies, fit_groups
from ._job import prepare, projected
from ._lanes import Job
from ._problem import Problem, all_parameters
from ._results import Fit, Fits
from ._run import free_params, measures, ready, solved

MOST_STARTS = 10**6  # of one fit: beyond this the unit of the number is meant


class _Options(TypedDict, total=False):
    starts: int | Sequence[Mapping[str, Any]]
    solver: Any
    seed: int
    executor: Executor | None
    directory: str | os.PathLike[str] | None
    memory: int | None


One = obj.Objective | None
Many = Sequence[obj.Objective]


@overload
def fit(law: Law, runs: Runs, *, objective: One = None, **options: Unpack[_Options]) -> Fit: ...
@overload
def fit(law: Law, runs: Runs, *, objective: Many, **options: Unpack[_Options]) -> Fits: ...
@overload
def fit(
    law: Law, runs: Sequence[Runs], *, objective: One | Many = None, **options: Unpack[_Options]
) -> Fits: ...
def fit(
    law: Law,
    runs: Runs | Sequence[Runs],
    *,
    objective: Any = None,
    starts: int | Sequence[Mapping[str, Any]] = 256,
    solver: Any = None,
    seed: int = 0,
    executor: Executor | None = None,
    directory: str | os.PathLike[str] | None = None,
    memory: int | None = None,
) -> Fit | Fits:
    """Best fit of `law` to `runs`: parameters in the law's units, certified.

    `objective` (default `LogHuber(1e-3)`) is summed over runs with their weights; `starts` are
    drawn in the start ranges of the law with `seed`, or given as a list of dicts; `solver` is a
    spec (default `solvers.Newton()`).

    Lists of tables and of objectives are fitted in one go, and give `Fits`: a sequence whose
    `params` have the shape (tables,), (objectives,) or (tables, objectives), and whose `fits[3]` is
    the fit of one table. `executor` (any `concurrent.futures.Executor`) runs the blocks of lanes
    elsewhere; `directory` stores them, and the same call goes on where an interrupted one stopped;
    `memory` [bytes] bounds what the lanes of one worker take at once. None of the three changes a
    number, except that less memory can mean smaller tiles.

    Raises InputError where the fit cannot mean anything (a column is missing, another unit, fewer
    distinct runs than free parameters). What can only be seen in the result is in `.status` and
    `.certificate`, never hidden.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> bool(best.ok), round(float(best.params["alpha"]), 2)
    (True, 0.36)

    Source of the objective: Hoffmann et al. 2022 eq. 3. Starts by projection, the ladder and the
    certificate are ours.
    """
    if not isinstance(law, Law):
        raise refuse_type(
            f"{getattr(law, '__name__', law)!r} is no law",
            why="a rule has nothing to fit, it is called; or the formula has no decorator",
            change="@jsl.law above the formula",
        )
    check_outside("fit()", law.fixed)
    if isinstance(runs, Mapping) or not isinstance(runs, Runs | list | tuple):
        raise refuse_type(
            f"fit() takes Runs, not {type(runs).__name__}",
            why="a table is checked before it is fitted",
            change="jsl.Runs.from_columns(N=N, D=D, loss=loss)",
        )
    law = settled(law)
    if not isinstance(starts, int | list | tuple) or (
        isinstance(starts, int) and starts > MOST_STARTS
    ):
        raise refuse(
            f"fit(): starts={starts!r}",
            why="it is how many starts are drawn",
            change=f"a whole number up to {MOST_STARTS:,}, or a list of dicts of parameters",
        )
    count = starts if isinstance(starts, int) else len(starts)
    if count < 1:
        raise refuse(f"fit(): starts={starts}", why="none is left", change="at least one start")
    objective = obj.LogHuber() if objective is None else objective
    spec = as_solver(solver or Newton())
    several = isinstance(runs, list | tuple), isinstance(objective, list | tuple)
    sets, objectives = (
        list(v) if many else [v] for v, many in zip((runs, objective), several, strict=True)
    )
    if not sets or not objectives:
        raise refuse(
            "fit(): an empty list",
            why="a filter left nothing",
            change="at least one table and one objective",
        )
    problems = [[Problem(law, r, o, spec, seed) for o in objectives] for r in sets]
    run = Run(executor, directory, memory)
    if not any(several) and isinstance(starts, int) and applies(law, sets[0]):
        return fit_groups(problems[0][0], starts, run)
    cells = np.empty((len(sets), len(objectives)), object)
    for number, (rows, columns) in enumerate(jobs := jobs_of(problems, count)):
        own = [[problems[d][o] for o in columns] for d in rows]
        job = prepare(own, starts)
        if isinstance(starts, int):
            job = dataclasses.replace(job, ranges=projected(job))
        found = solved(
            job,
            len(rows) * len(columns),
            part(run, number, len(jobs)),
            label="starts",
            also=[ready],
        )
        near = measures(job, found.lanes["x"])
        for k, (d, o) in enumerate((d, o) for d in rows for o in columns):
            lane = {name: v[k] for name, v in found.lanes.items()}
            status, certificate = certify(
                problems[d][o], job, k, lane, {name: v[k] for name, v in near.items()}
            )
            certificate = dataclasses.replace(certificate, **_agreement(job, k, found.values[k]))
            params = all_parameters(law, free_params(lane))
            cells[d, o] = Fit(
                params,
                lane["value"],
                status,
                certificate,
                problems[d][o],
                steps=lane["steps"],
                work=found.work,
            )
    if any(several):
        return gathered(cells, several)
    only: Fit = cells[0, 0]
    keep_evidence(only, job, found.lanes["x"], near)
    return only


def _agreement(job: Job, cell: int, values: np.ndarray) -> dict[str, Any]:
    """Starts drawn, kept, and agreeing with the best of them; the optima that they ended in."""
    table, log = job.table, job.ladder.log
    dataset = cell // int(job.objectives)
    # residuals of 1e-10: rounding
    exact = 1e-20 * np.sum(table.weights[dataset] * (1.0 if log else table.target[dataset] ** 2))
    ended = np.sort(values[np.isfinite(values)])
    optima: list[tuple[float, int]] = []
    while len(ended) and len(optima) < 5:
        same = ended <= ended[0] + 1e-6 * abs(ended[0]) + exact
        optima.append((float(ended[0]), int(same.sum())))
        ended = ended[~same]
    kept = int(np.sum(np.isfinite(values)))
    return {
        "starts_drawn": len(values),
        "starts_kept": kept,
        "starts_agreed": optima[0][1] if optima else 0,
        "optima": tuple(optima),
    }
