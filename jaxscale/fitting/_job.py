"""From a problem to a job: check law against tables, and lay both out for the lanes.

Tables of one job are padded to one length, a few lengths in all, with rows of weight 0; several
tables are stacked. What is checked here is what only law and table together can show: columns that
are missing or in another unit, targets that an objective cannot take, fewer distinct runs than free
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._coordinates import Layout, layout
from ..formula._form import check_lengths, formula_of
from ..formula._law import Law
from ..formula._sums import kernel
from ..ground._errors import nearest, refuse, refuse_type
from ..table._anchors import helpers
from ..table._runs import Runs
from ..units import convert
from ._lanes import LADDER, Job, Table
from ._problem import Problem
from ._resample import Sampler, root_key, sampler
from ._starts import Ranges, amplitudes

MOST = 400  # coordinates of one dense solve


def prepare(
    problems: Sequence[Sequence[Problem]],
    starts: int | Sequence[Mapping[str, Any]],
    *,
    few: bool = False,
) -> Job:
    """The job of `problems[dataset][objective]`, which share law, solver, seed and kind of
    objective.

    `few` says that a table may have fewer runs than the law has parameters, because others share
    them.
    """
    law, seed = problems[0][0].law, problems[0][0].seed
    sets = [of_table[0].runs for of_table in problems]
    objectives = [p.objective for p in problems[0]]
    tables = [_columns(law, runs, objectives[0]) for runs in sets]
    lay = layout(law, _sizes(law, sets))
    if lay.size > MOST:
        raise refuse(
            f"{lay.size} free parameters in one solve",
            why="a law with many groups is fitted group by group, and this asks for all of them "
            "at once",
            change="fit.certificate.deviation has deviations; for one group fit law.fix(...) with "
            "what is shared to its rows",
        )
    for runs, (columns, _) in zip([] if few else sets, [] if few else tables, strict=True):
        _check_rows(law, runs, columns, lay)
    _check_law(law, tables[0][0])
    rows = _row_bucket(max(len(runs) for runs in sets))
    table = _stacked(
        [_table(law, runs, *own, rows) for runs, own in zip(sets, tables, strict=True)]
    )
    scales = [
        1.0 if objectives[0].log else float(np.median(np.abs(target))) for _, target in tables
    ]
    ladders = [o.smoother(scale) for scale in scales for o in objectives]
    sign = lay.each(lambda s: {"positive": 1.0, "negative": -1.0}.get(s.support, 0.0)).astype(float)
    low, high = (lay.each(lambda s, k=k: s.start_range[k]).astype(float) for k in (0, 1))
    reach = np.maximum(np.abs(low), np.abs(high))
    real = lay.each(lambda s: s.support == "real").astype(bool)
    # a real number of any size: its coordinate is about 1
    unit = np.where(real & (reach > 0), reach, 1.0)
    given = np.zeros((len(ladders), 1, lay.size))
    if not isinstance(starts, int):
        given = np.broadcast_to(
            _given(law, lay, starts) / unit, (len(ladders), len(starts), lay.size)
        )
    count = starts if isinstance(starts, int) else len(starts)
    with jax.enable_x64(True):
        return Job(
            law=law,
            table=table,
            ladder=_stacked([_rungs(ladder) for ladder in ladders]),
            levels=np.asarray([len(ladder) for ladder in ladders], np.int32),
            ranges=Ranges(low / unit, high / unit, np.zeros(lay.size), sign),
            unit=unit,
            key=root_key(seed),
            resample=np.int32(0),
            given=given,
            known=np.int32(0 if isinstance(starts, int) else count),
            starts=np.int32(count),
            resamples=np.int32(1),
            objectives=np.int32(len(objectives)),
            layout=lay,
            solver=problems[0][0].solver,
        )


def projected(job: Job) -> Ranges:
    """The start ranges with the amplitudes marked that are computed instead of drawn."""
    with jax.enable_x64(True):
        found = amplitudes(kernel(job.law, job.layout, job.table.rows, job.table.codes))
    return Ranges(job.ranges.low, job.ranges.high, found, job.ranges.sign)


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *v: np.stack(v), *trees)


def _rungs(ladder: list[Any]) -> Any:
    """The objectives of a ladder as one, with a leading axis of fixed length; unused places come
    first.
    """
    assert len(ladder) <= LADDER, "Objective.smoother has more levels than a job has room for"
    padded = [ladder[0]] * (LADDER - len(ladder)) + ladder
    return jax.tree.map(lambda *v: np.stack([np.asarray(u, np.float64) for u in v]), *padded)


def _table(
    law: Law, runs: Runs, columns: dict[str, np.ndarray], target: np.ndarray, rows: int
) -> Table:
    def pad(v: Any) -> np.ndarray:
        v = np.asarray(v)
        return np.concatenate([v, np.repeat(v[:1], rows - len(v), axis=0)])

    weights = np.zeros(rows)
    weights[: len(runs)] = runs.weights
    codes = {
        g: pad(runs.groups[g]).astype(np.int32) for g in dict.fromkeys(dict(law.groups).values())
    }
    return Table(
        {c: pad(v) for c, v in columns.items()}, codes, pad(target), weights, sampler(weights)
    )


def resampler(
    law: Law,
    runs: Runs,
    by: str,
    rows: int,
    kind: str,
    fitted: np.ndarray | None = None,
    noise: np.ndarray | None = None,
) -> Sampler:
    """How a table of `rows` padded rows is resampled by rows or by a group column, within the
    groups of the law.

    Helper points are no runs, and are kept as they are; only where units are left out, each is one.
    """
    clusters = None if by == "rows" else np.asarray(runs.groups[by])
    fixed = helpers(runs) if kind != "leave" else np.zeros(len(runs), bool)
    strata = None
    for column in sorted(set(dict(law.groups).values())):  # every resample must keep every group
        own = np.asarray(runs.groups[column])
        strata = own if strata is None else strata * (own.max() + 1) + own
    live = (np.asarray(runs.weights) > 0) & ~fixed
    if strata is not None and clusters is not None and kind == "pairs":
        _check_strata(by, clusters, strata, live)
    labels = [
        None if v is None else np.concatenate([v, np.zeros(rows - len(runs), int)])
        for v in (clusters, strata)
    ]
    weights = np.concatenate([np.asarray(runs.weights), np.zeros(rows - len(runs))])
    kept = np.concatenate([fixed, np.zeros(rows - len(runs), bool)]) if np.any(fixed) else None
    return sampler(weights, *labels, fitted=fitted, noise=noise, fixed=kept)


def _given(law: Law, lay: Layout, starts: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Coordinates (K, P) of starts that were given by name."""
    for k, start in enumerate(starts):
        if odd := set(start) ^ set(law.free):
            name = sorted(odd)[0]
            raise refuse(
                f"starts[{k}]: {name} is "
                f"{'not given' if name in law.free else 'no free parameter'}",
                why="a start gives a value to every free parameter, in the law's units",
                change=f"give {', '.join(law.free)}",
            )
        for name, value in start.items():
            if not law.free[name].contains(np.asarray(value, np.float64)):
                raise refuse(
                    f"starts[{k}]: {name}={value}",
                    why="it lies outside the parameter's support",
                    change=f"a value in {law.free[name].edges}",
                )
    with jax.enable_x64(True):
        return np.stack(
            [
                np.asarray(lay.pack({k: np.asarray(v, np.float64) for k, v in s.items()}))
                for s in starts
            ]
        )


def _sizes(law: Law, sets: Sequence[Runs]) -> dict[str, int]:
    """Number of groups in each group column that the law has parameters for."""
    sizes: dict[str, int] = {}
    for parameter, group in law.groups:
        for k, runs in enumerate(sets):
            if group not in runs.groups:
                raise refuse(
                    f"{law.name} has one {parameter} per {group!r}, and the table has no group "
                    f"column {group!r}",
                    why="it was not named when the table was read",
                    change=f"groups=[{group!r}] in Runs.from_csv.{nearest(group, runs.groups)}",
                )
            count = len(runs.labels[group])
            if sizes.setdefault(group, count) != count:
                raise refuse(
                    f"table {k} has {count} groups of {group!r}, table 0 has {sizes[group]}",
                    why="tables that are fitted at once need the same number of groups",
                    change="fit them one by one",
                )
        given = law.fixed.get(parameter)
        if (
            given is not None
            and np.ndim(given) > len(dict(law.specs)[parameter].shape)
            and len(given) != sizes[group]
        ):
            raise refuse(
                f"{parameter} is fixed to {len(given)} values, the table has {sizes[group]} groups "
                f"of {group!r}",
                why="the values belong to another table",
                change=f"one value for each of {', '.join(sets[0].labels[group])}",
            )
    return sizes


def _check_strata(by: str, clusters: np.ndarray, strata: np.ndarray, live: np.ndarray) -> None:
    """Groups of the law must be kept by every resample: clusters lie inside them, and some have
    more than one.
    """
    pairs = np.unique(np.stack([clusters[live], strata[live]]), axis=1)
    if len(np.unique(pairs[0])) < pairs.shape[1]:
        raise refuse(
            f"by={by!r}: some {by} has rows in several groups of the law",
            why="the law has parameters per group, and a resample must keep every group",
            change="by='rows', or a column whose groups lie inside those of the law",
        )
    if np.max(np.unique(pairs[1], return_counts=True)[1]) == 1:
        raise refuse(
            f"by={by!r}: each group of the law has one {by} to draw, so every resample would be "
            f"the table itself",
            why="it resamples by the column that the law's parameters are per",
            change="by='rows' or by='run'",
        )


def _columns(law: Law, runs: Runs, objective: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The law's columns and target in the law's units."""
    columns, left = {}, runs.notes.get("skipped", {})
    for name, unit in zip(law.columns, law.column_units, strict=True):
        if name not in runs.columns:
            raise refuse(
                f"{law.name} reads a column {name!r}, and the table has none",
                why=f"it was not read: {left[name]}"
                if name in left
                else "the file calls it otherwise",
                change=f"that value, or columns=[{name!r}, ...] with on_bad='drop'"
                if name in left
                else f"rename when reading: Runs.from_csv(..., "
                f"{name}='...').{nearest(name, runs.columns)}",
            )
        columns[name] = _in_unit(name, np.asarray(runs.columns[name]), runs.units[name], unit)
        _check_support(law, runs, name, columns[name], unit)
    if runs.target is None:
        if objective.observes:
            raise refuse(
                "the table has no target",
                why="it was read with target=None",
                change="name the observed column",
            )
        return columns, np.zeros(len(runs))
    target = _in_unit(
        runs.target_name, np.asarray(runs.target), runs.units[runs.target_name], law.unit
    )
    if objective.log and np.any(target <= 0):
        row = int(np.flatnonzero(target <= 0)[0])
        raise refuse(
            f"target {runs.target_name!r}, {runs.place(row)}: {target[row]:g}; "
            f"{type(objective).__name__} takes logarithms",
            why="the metric is not a loss, or is a difference of losses",
            change="an objective in the target's own units: objectives.Huber(...) or "
            "objectives.Squared()",
        )
    return columns, target


def _in_unit(name: str, values: np.ndarray, given: Any, wanted: Any) -> np.ndarray:
    if wanted.rank != values.ndim - 1:
        raise refuse(
            f"column {name!r} has shape {values.shape}, the law wants "
            f"{'one vector' if wanted.rank else 'one number'} per run",
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
    return np.asarray(convert(values, given, wanted))


def _check_support(law: Law, runs: Runs, name: str, values: np.ndarray, unit: Any) -> None:
    """A column that the law declares positive (or between 0 and 1) is so in every row
    that counts.
    """
    low, high = {"positive": (0.0, np.inf), "nonnegative": (0.0, np.inf), "unit": (0.0, 1.0)}.get(
        unit.support, (-np.inf, np.inf)
    )
    wrong = (
        (values < low)
        | (values > high)
        | ((values == low) if unit.support == "positive" else False)
    )
    rows = np.flatnonzero(wrong.reshape(len(runs), -1).any(1) & (np.asarray(runs.weights) > 0))
    if len(rows):
        row = int(rows[0])
        seen = np.ravel(values[row])[np.ravel(wrong[row])][0]
        said = (
            "> 0"
            if unit.support == "positive"
            else f"in {low:g}..{high:g}"
            if high < np.inf
            else ">= 0"
        )
        raise refuse(
            f"column {name!r}, {runs.place(row)}: {seen:g}, but {law.name} declares {name} {said} "
            f"({unit.name})",
            why="a logarithm, a difference or a count that was never filled in; a power of it is "
            "no number",
            change="leave the row out: runs.where(...), or a law that allows it",
        )


def _check_rows(law: Law, runs: Runs, columns: dict[str, np.ndarray], lay: Layout) -> None:
    codes = [np.asarray(runs.groups[g]) for g in dict.fromkeys(dict(law.groups).values())]
    table = np.concatenate(
        [np.reshape(v, (len(runs), -1)) for v in [*columns.values(), *codes]], axis=1
    )
    distinct = len(np.unique(table[np.asarray(runs.weights) > 0], axis=0))
    if lay.size == 0:
        raise refuse(
            f"{law.name} has nothing left to fit",
            why="every parameter is fixed",
            change="call it as a function",
        )
    if distinct < lay.size:
        raise refuse(
            f"{distinct} distinct runs for {lay.size} free parameters ({', '.join(law.free)})",
            why="the sweep is too small for this law: any such fit is perfect and means nothing",
            change="fix or tie parameters, e.g. law.fix(E=1.7) or law.tie(beta='alpha'), or "
            "add runs",
        )


def _check_law(law: Law, columns: dict[str, np.ndarray]) -> None:
    check_lengths(law, {c: v.shape[1:] for c, v in columns.items()})
    row = {c: jax.ShapeDtypeStruct(v.shape[1:], np.float64) for c, v in columns.items()}
    params = {k: jax.ShapeDtypeStruct(s.shape, np.float64) for k, s in law.specs}
    out = jax.eval_shape(
        lambda r, p: jnp.asarray(formula_of(law)(*(r[c] for c in law.columns), **p)), row, params
    )
    if out.shape != ():
        raise refuse_type(
            f"law {law.name} returns shape {out.shape} for one run; it must return one number",
            why="the formula is one of a table",
            change="the formula of a single run",
        )


def _row_bucket(n: int) -> int:
    """Rows are padded to a multiple of an eighth of the power of two below: few lengths, few
    programs, at most 14 %.
    """
    step = max(8, 1 << max(0, n.bit_length() - 4))
    return -(-n // step) * step
