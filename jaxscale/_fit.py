"""`fit`: the best of many starts, with a certificate; `bootstrap`: the same fit on thousands of resamples.

Both prepare a job, run its lanes in tiles and read the best lane. `fit` walks every start through a ladder of smoother
objectives; `bootstrap` starts each refit at the fitted optimum and needs no ladder, unless `starts` asks for guards.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import objectives as obj
from ._certify import certify
from ._checks import nearest, refuse, warn
from ._coordinates import Layout, layout
from ._lanes import LADDER, Job, point_derivatives, solve_tile
from ._law import Law
from ._resample import sampler
from ._results import Fit, Problem
from ._runs import Runs
from ._starts import Ranges, amplitudes
from ._tiles import ROW_TILE, run_tiles, tile_size
from .solvers import Newton, as_solver
from .units import convert


def fit(law: Law, runs: Runs, *, objective: Any = None, starts: int = 256, solver: Any = None, seed: int = 0) -> Fit:
    """Best fit of `law` to `runs`: parameters in the law's units, certified.

    `objective` (default `LogHuber(1e-3)`) is summed over runs with their weights; `starts` are drawn in the start
    ranges of the law with `seed`; `solver` is a spec (default `solvers.Newton()`).

    Raises InputError where the fit cannot mean anything (a column is missing, another unit, fewer distinct runs than
    free parameters). What can only be seen in the result is in `.status` and `.certificate`, never hidden.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> bool(best.ok), round(float(best.params["alpha"]), 2)
    (True, 0.36)

    Source of the objective: Hoffmann et al. 2022 eq. 3. Starts by projection, the ladder and the certificate are ours.
    """
    if starts < 1:
        raise ValueError(f"starts={starts}: at least one is needed")
    objective = obj.LogHuber() if objective is None else objective
    problem = Problem(law, runs, objective, as_solver(solver or Newton()), seed)
    job = prepare(problem, starts)
    with jax.enable_x64(True):
        job = dataclasses.replace(job, ranges=dataclasses.replace(job.ranges, amplitude=amplitudes(job)))
    lanes = run_tiles(solve_tile, job, starts, tile_size(ROW_TILE), label="starts")
    value = np.where(np.isfinite(lanes["value"]), lanes["value"], np.inf)
    exact = 1e-20 * np.sum(job.weights * (1.0 if objective.log else job.target**2))  # residuals of 1e-10: rounding
    least = np.min(value)
    agreed = int(np.sum(value <= least + 1e-6 * abs(least) + exact)) if np.isfinite(least) else 0
    # among lanes that differ by rounding alone, one whose own diagnosis is clean
    best = int(np.lexsort((value, lanes["status"], value > least + 1e-12 * abs(least)))[0])
    lane = _polished(job, jax.tree.map(lambda v: v[best], lanes))
    status, certificate = certify(problem, job, lane)
    certificate = dataclasses.replace(
        certificate, starts_drawn=starts, starts_kept=int(np.sum(np.isfinite(value))), starts_agreed=agreed
    )
    return Fit(everything(law, lane["params"], ()), lane["value"], status, certificate, problem, steps=lane["steps"])


def bootstrap(fit: Fit, resamples: int = 1000, *, by: str | None = None, starts: int = 1, seed: int = 0) -> Fit:
    """Refits of `fit` on `resamples` pairs resamples: an ensemble, parameters `(resamples,)` in the law's units.

    `by` names what is drawn with replacement: "rows", or a group column whose groups are drawn whole. By default rows,
    unless some `run` has several rows: then runs, because checkpoints of a run are not independent. Each refit starts
    at the fitted optimum; `starts=k` adds k - 1 fresh starts and keeps the best. Failed refits stay, with a status.

    Raises InputError for an unknown group column.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> len(jsl.bootstrap(best, 100))
    100

    Source: Efron 1979 (pairs resampling); Besiroglu et al. 2024 use it with 4,000 resamples.
    """
    if np.ndim(fit.value):
        raise TypeError("bootstrap() takes one fit; this is already an ensemble (use its .point)")
    if resamples < 1 or starts < 1:
        raise ValueError(f"resamples={resamples}, starts={starts}: at least one of each is needed")
    runs, law = fit.problem.runs, fit.problem.law
    by = by or runs.clusters or "rows"
    clusters = None
    if by != "rows":
        if by not in runs.groups:
            raise refuse(
                f"by={by!r}: no such group column", why="it was read as a number or not at all", change=nearest(by, runs.groups)
            )
        clusters = np.asarray(runs.groups[by])
        if len(np.unique(clusters[np.asarray(runs.weights) > 0])) < 10:
            warn(f"fewer than 10 groups of {by!r}: percentile intervals from so few are too narrow")
    if not fit.ok:
        warn(f"the fit is not OK; its refits inherit that. {'; '.join(fit.certificate.findings)}")
    job = prepare(fit.problem, starts)
    strata = None
    for column in sorted(set(dict(law.groups).values())):  # every resample must keep every group
        own = np.asarray(runs.groups[column])
        strata = own if strata is None else strata * (own.max() + 1) + own
    if strata is not None and clusters is not None:
        _check_strata(by, clusters, strata, np.asarray(runs.weights) > 0)
    pad = len(job.weights) - len(runs)
    drawn = sampler(
        job.weights,
        None if clusters is None else np.concatenate([clusters, np.zeros(pad, int)]),
        None if strata is None else np.concatenate([strata, np.zeros(pad, int)]),
    )
    with jax.enable_x64(True):
        warm = np.asarray(job.layout.pack({k: fit.params[k] for k in law.free}))
        key = jax.random.fold_in(jax.random.key(seed), 1)  # a stream apart from the starts of `fit`
        job = dataclasses.replace(job, sampler=drawn, resample=np.bool_(True), warm=warm, warmed=np.bool_(True), key=key)
        if starts > 1:
            job = dataclasses.replace(job, ranges=dataclasses.replace(job.ranges, amplitude=amplitudes(job)))
        else:
            job = dataclasses.replace(job, levels=np.int32(1))
    lanes = run_tiles(solve_tile, job, resamples * starts, tile_size(ROW_TILE), label="refits")
    value = np.where(np.isfinite(lanes["value"]), lanes["value"], np.inf).reshape(resamples, starts)
    best = np.arange(resamples) * starts + np.argmin(value, axis=1)
    lanes = jax.tree.map(lambda v: v[best], lanes)
    certificate = dataclasses.replace(fit.certificate, gradient=lanes["gradient"], singular=lanes["singular"])
    params = everything(law, lanes["params"], (resamples,))
    return Fit(params, lanes["value"], lanes["status"], certificate, fit.problem, fit, by, lanes["steps"])


def _check_strata(by: str, clusters: np.ndarray, strata: np.ndarray, live: np.ndarray) -> None:
    """Groups of the law must be kept by every resample: clusters lie inside them, and some have more than one."""
    pairs = np.unique(np.stack([clusters[live], strata[live]]), axis=1)
    if len(np.unique(pairs[0])) < pairs.shape[1]:
        raise refuse(
            f"by={by!r}: some {by} has rows in several groups of the law",
            why="the law has parameters per group, and a resample must keep every group",
            change="by='rows', or a column whose groups lie inside those of the law",
        )
    if np.max(np.unique(pairs[1], return_counts=True)[1]) == 1:
        raise refuse(
            f"by={by!r}: each group of the law has one {by} to draw, so every resample would be the table itself",
            why="it resamples by the column that the law's parameters are per",
            change="by='rows' or by='run'",
        )


def _polished(job: Job, lane: dict[str, Any]) -> dict[str, Any]:
    """The same optimum to the last digits: plain Newton steps, kept while they shrink the gradient.

    A solver compares values, and rounding hides the value's last half of the digits of a flat direction.
    """
    keep = ~np.asarray(lane["edge"])
    with jax.enable_x64(True):
        x, best = lane["x"], jax.device_get(point_derivatives(job, lane["x"]))
        for _ in range(5):
            _, g, h = best
            unit = np.sqrt(np.abs(np.diagonal(h)))
            if lane["status"] or not np.all(np.isfinite(h)) or np.any(unit[keep] == 0):
                break
            scaled = (h / unit / unit[:, None])[np.ix_(keep, keep)]
            move = np.zeros_like(x)
            move[keep] = np.linalg.lstsq(scaled, (g / unit)[keep], rcond=1e-14)[0] / unit[keep]
            trial = jax.device_get(point_derivatives(job, x - move))
            if not np.max(np.abs(trial[1] / unit)[keep]) < np.max(np.abs(g / unit)[keep]):
                break
            x, best = x - move, trial
        value, g, h = best
        with np.errstate(all="ignore"):
            cosine = np.max(np.abs(g[keep]) / np.sqrt(np.abs(np.diagonal(h)[keep]) * np.abs(value)), initial=0.0)
        params = jax.tree.map(lambda v: np.asarray(v)[()], job.layout.unpack(x))
    return {**lane, "x": x, "value": np.float64(value), "params": params, "gradient": np.fmin(cosine, lane["gradient"])}


def everything(law: Law, free: dict[str, np.ndarray], lead: tuple[int, ...]) -> dict[str, np.ndarray]:
    """All parameters in the order of the law's signature: free ones, fixed ones (repeated over `lead`), tied ones."""
    fixed = {k: np.broadcast_to(np.asarray(v), (*lead, *np.shape(v))) for k, v in law.fixed.items()}
    known = {**fixed, **free}
    for k, master in law.ties:
        known[k] = known[master]
    return {k: known[k] for k, _ in law.specs}


# -- from a problem to a job -----------------------------------------------------------------------------------------
def prepare(problem: Problem, starts: int) -> Job:
    """Check law against table, and lay both out for the lanes. Rows are padded with weight 0 to few lengths."""
    law, runs, objective = problem.law, problem.runs, problem.objective
    columns, target = _columns(law, runs, objective)
    sizes = {}
    for parameter, group in law.groups:
        if group not in runs.groups:
            raise refuse(
                f"{law.name} has one {parameter} per {group!r}, and the table has no group column {group!r}",
                why="it was not named when the table was read",
                change=f"groups=[{group!r}] in Runs.from_csv.{nearest(group, runs.groups)}",
            )
        sizes[group] = len(runs.labels[group])
        given = law.fixed.get(parameter)
        if given is not None and np.ndim(given) > len(dict(law.specs)[parameter].shape) and len(given) != sizes[group]:
            raise refuse(
                f"{parameter} is fixed to {len(given)} values, the table has {sizes[group]} groups of {group!r}",
                why="the values belong to another table",
                change=f"one value for each of {', '.join(runs.labels[group])}",
            )
    lay = layout(law, sizes)
    _check_rows(law, runs, columns, lay)
    size = _row_bucket(len(runs))

    def pad(v: Any) -> np.ndarray:
        v = np.asarray(v)
        return np.concatenate([v, np.repeat(v[:1], size - len(v), axis=0)])

    weights = np.zeros(size)
    weights[: len(runs)] = runs.weights
    codes = {g: pad(runs.groups[g]).astype(np.int32) for g in sizes}
    low, high = lay.each(lambda s: s.start_range[0]), lay.each(lambda s: s.start_range[1])
    sign = lay.each(lambda s: {"positive": 1.0, "negative": -1.0}.get(s.support, 0.0))
    ladder = objective.smoother(1.0 if objective.log else float(np.median(np.abs(target))))
    with jax.enable_x64(True):
        return Job(
            law,
            {c: pad(v) for c, v in columns.items()},
            pad(target),
            codes,
            weights,
            _numbers(objective),
            _stacked(ladder),
            np.int32(len(ladder)),
            Ranges(low.astype(float), high.astype(float), np.zeros(lay.size), sign.astype(float)),
            jax.random.key(problem.seed),
            sampler(weights, None, None),
            np.bool_(False),
            np.zeros(lay.size),
            np.bool_(False),
            np.int32(starts),
            lay,
            problem.solver,
        )


def _numbers(objective: Any) -> Any:
    return jax.tree.map(lambda v: np.asarray(v, np.float64), objective)


def _stacked(ladder: list[Any]) -> Any:
    """The objectives of a ladder as one, with a leading axis of fixed length; unused places come first."""
    assert len(ladder) <= LADDER, "Objective.smoother has more levels than a job has room for"
    padded = [ladder[0]] * (LADDER - len(ladder)) + ladder
    return jax.tree.map(lambda *v: np.stack([np.asarray(u, np.float64) for u in v]), *padded)


def _columns(law: Law, runs: Runs, objective: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The law's columns and target in the law's units."""
    columns = {}
    for name, unit in zip(law.columns, law.column_units, strict=True):
        if name not in runs.columns:
            raise refuse(
                f"{law.name} reads a column {name!r}, and the table has none",
                why="the file calls it otherwise",
                change=f"rename when reading: Runs.from_csv(..., {name}='...').{nearest(name, runs.columns)}",
            )
        columns[name] = _in_unit(name, np.asarray(runs.columns[name]), runs.units[name], unit)
    if runs.target is None:
        if objective.observes:
            raise refuse("the table has no target", why="it was read with target=None", change="name the observed column")
        return columns, np.zeros(len(runs))
    target = _in_unit(runs.target_name, np.asarray(runs.target), runs.units[runs.target_name], law.unit)
    if objective.log and np.any(target <= 0):
        row = int(np.flatnonzero(target <= 0)[0])
        raise refuse(
            f"target {runs.target_name!r}, row {row}: {target[row]:g}; {type(objective).__name__} takes logarithms",
            why="the metric is not a loss, or is a difference of losses",
            change="an objective in the target's own units: objectives.Huber(...) or objectives.Squared()",
        )
    return columns, target


def _in_unit(name: str, values: np.ndarray, given: Any, wanted: Any) -> np.ndarray:
    if wanted.rank != values.ndim - 1:
        raise refuse(
            f"column {name!r} has shape {values.shape}, the law wants {'one vector' if wanted.rank else 'one number'} per run",
            why="shares were given as separate columns, or a number where shares are meant",
            change="stack the shares: np.stack([...], axis=1)",
        )
    if not given.dimension or not wanted.dimension or given.name == wanted.name:
        return values
    if given.dimension != wanted.dimension:
        raise refuse(
            f"column {name!r} is in {given.name}, the law wants {wanted.name}",
            why="two columns were swapped",
            change="the renaming, or the declared units",
        )
    return convert(values, given, wanted)


def _check_rows(law: Law, runs: Runs, columns: dict[str, np.ndarray], lay: Layout) -> None:
    codes = [np.asarray(runs.groups[g]) for g in dict.fromkeys(dict(law.groups).values())]
    table = np.concatenate([np.reshape(v, (len(runs), -1)) for v in [*columns.values(), *codes]], axis=1)
    distinct = len(np.unique(table[np.asarray(runs.weights) > 0], axis=0))
    if lay.size == 0:
        raise refuse(f"{law.name} has nothing left to fit", why="every parameter is fixed", change="call it as a function")
    if distinct < lay.size:
        raise refuse(
            f"{distinct} distinct runs for {lay.size} free parameters ({', '.join(law.free)})",
            why="the sweep is too small for this law: any such fit is perfect and means nothing",
            change="fix or tie parameters, e.g. law.fix(E=1.7) or law.tie(beta='alpha'), or add runs",
        )
    row = {c: jax.ShapeDtypeStruct(v.shape[1:], np.float64) for c, v in columns.items()}
    params = {k: jax.ShapeDtypeStruct(s.shape, np.float64) for k, s in law.specs}
    out = jax.eval_shape(lambda r, p: jnp.asarray(law.function(*(r[c] for c in law.columns), **p)), row, params)
    if out.shape != ():
        raise TypeError(f"law {law.name} returns shape {out.shape} for one run; it must return one number")


def _row_bucket(n: int) -> int:
    """Rows are padded to a multiple of an eighth of the power of two below: few lengths, few programs, at most 14 %."""
    step = max(8, 1 << max(0, n.bit_length() - 4))
    return -(-n // step) * step
