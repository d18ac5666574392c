"""Which rows to fit: methods of `Runs` that choose, average or weight rows, and say what they did.

The rows decide more than the optimiser. A law describes tuned runs at the end of their training; a
table has untuned ones, early checkpoints, and long runs with more checkpoints than short ones. Each
rule here makes a new table, with its counts among the remarks that the report repeats: a rule is
part of the result, and `sensitivity` shows how much hangs on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from ..ground._errors import nearest, refuse, warn
from ..ground._trees import Aside
from ._rows import Rows

Table = TypeVar("Table", bound=Rows)  # a rule gives back the kind of table that it was given

_SAME = 1e-6  # relative: a column that was computed (C / 6 N) differs in its last digits
CONSTANT = ("constant", "none")  # schedules whose checkpoints are all comparable


def best(self: Table, cell: str | Sequence[str] = ("N", "D"), within: float = 0.0) -> Table:
    """The tuned runs: in each `cell` of equal columns, those whose target is within a share of the
    cell's least.

    `runs.best()` keeps the best run of every (N, D), `runs.best(within=0.0025)` all within 0.25 %
    of it. Of exact copies of the best one is kept where `within` is 0. The target is a loss or an
    error, of which less is better; rows of weight 0 take no part. Counts are in `.remarks`. Raises
    InputError for a column that is not there.

    >>> from jaxscale import Runs
    >>> sweep = Runs.from_columns(N=[1e8, 1e8, 1e9], D=[2e9, 2e9, 2e10], loss=[3.12, 3.10, 2.6])
    >>> sweep.best()["loss"].tolist()
    [3.1, 2.6]

    Source: DeepSeek 2024 and Li et al. 2025 (arXiv 2503.04715) count a run within 0.25 % of the
    best as tuned.
    """
    columns = (cell,) if isinstance(cell, str) else tuple(cell)
    if not 0.0 <= within < 1.0:
        raise refuse(
            f"best(within={within})",
            why="a percentage, or a loss",
            change="a share of the loss, such as 0.0025",
        )
    self = live(self)
    code, target = cells(self, columns, "best()"), _target(self, "best()")
    least = np.full(code.max() + 1, np.inf)
    np.minimum.at(least, code, target)
    keep = (
        target <= least[code] * (1.0 + within)
        if np.all(target > 0)
        else target <= least[code] + within * np.abs(least[code])
    )
    if within == 0.0:
        _, first = np.unique(np.where(keep, code, -1), return_index=True)
        keep = keep & np.isin(np.arange(len(self)), first)
    said = f"best by {', '.join(columns)}" + (f" within {within:.3g}" if within else "")
    return remarked(
        self.where(keep),
        f"{said}: {int(keep.sum())} of {len(self)} rows, in {code.max() + 1} cells",
    )


def late(self: Table, *, tokens: float = 0.0, share: float = 0.0) -> Table:
    """Checkpoints after the early part of their run: beyond `tokens` [tokens seen], and beyond a
    `share` of the run.

    A law of final losses does not hold while the loss still falls steeply. A share is of the run's
    last D (or `step`). Choose the rule before looking at what it does to the answer. Raises
    InputError without a `run` column for `share`.

    >>> from jaxscale import Runs
    >>> curve = Runs.from_columns(N=[1e8] * 4, D=[1e8, 1e9, 1e10, 2e10], loss=[6.0, 4.0, 3.3, 3.2],
    ...     run=["a"] * 4)
    >>> len(curve.late(tokens=5e8)), len(curve.late(share=0.1))
    (3, 2)

    Source: Choshen et al. 2024 (arXiv 2410.11840) drop the first 1e10 tokens, Bhagia et al. 2024
    (arXiv 2412.04403) the first tenth of the checkpoints.
    """
    if tokens < 0.0 or not 0.0 <= share < 1.0 or tokens == share == 0.0:
        raise refuse(
            f"late(tokens={tokens}, share={share})",
            why="neither says what is left out, or both",
            change="tokens above 0, or a share of the run such as 0.1",
        )
    keep, said = np.ones(len(self), bool), []
    if tokens > 0.0:
        if "D" not in self.columns:
            raise refuse(
                "late(tokens=...): no column 'D'",
                why="tokens seen have another name",
                change="call the column D",
            )
        keep &= self["D"] >= tokens
        said.append(f"from {tokens:.3g} tokens on")
    if share > 0.0:
        run, place = _runs_of(self, "late(share=...)"), _place(self, "late(share=...)")
        keep &= place > share * _last(run, place)
        said.append(f"after {share:.3g} of each run")
    return remarked(self.where(keep), f"{', '.join(said)}: {int(keep.sum())} of {len(self)} rows")


def smoothed(self: Table, last: int = 5) -> Table:
    """One row per run: the mean target [its unit] of the `last` checkpoints, the columns of the
    last of them.

    `runs.smoothed(1)` keeps finished runs only: the last row of each. Shorter runs use all that
    they have, which is counted in `.remarks`. Weights are those of the last row. Raises InputError
    without a `run` column, or without `step` or D.

    >>> from jaxscale import Runs
    >>> curve = Runs.from_columns(N=[1e8] * 3, D=[1e9, 1e10, 2e10], loss=[4.0, 3.3, 3.2], run=["a"]
    ...     * 3)
    >>> curve.smoothed(2)["loss"].round(3).tolist()
    [3.25]

    Source: Bhagia et al. 2024 (arXiv 2412.04403) average the last five checkpoints.
    """
    if last < 1:
        raise refuse(
            f"smoothed(last={last})", why="a mean is of something", change="at least one checkpoint"
        )
    run, place, target = (
        _runs_of(self, "smoothed()"),
        _place(self, "smoothed()"),
        _target(self, "smoothed()"),
    )
    order = np.lexsort((place, run))
    ends = np.flatnonzero(np.diff(run[order], append=-1))
    starts = np.concatenate([[0], ends[:-1] + 1])
    mean = [
        float(np.mean(target[order[max(a, b + 1 - last) : b + 1]]))
        for a, b in zip(starts, ends, strict=True)
    ]
    short = int(np.sum(ends - starts + 1 < last))
    keep = np.sort(order[ends])
    out = self.where(np.isin(np.arange(len(self)), keep))
    value = dict(zip(order[ends].tolist(), mean, strict=True))
    said = f"mean of the last {last} checkpoints of {len(ends)} runs" + (
        f", fewer in {short}" if short else ""
    )
    said = said if last > 1 else f"the last row of each of {len(ends)} runs"
    return remarked(
        dataclasses.replace(out, target=np.asarray([value[i] for i in keep.tolist()])), said
    )


def balanced(self: Table) -> Table:
    """Weights with which every run counts the same, and inside a run every factor of D (or of
    `step`) does.

    Checkpoints that are equally spaced in steps give most of the weight to long runs, and to their
    ends. Weights of the table are multiplied; their mean stays. They are frequencies: what
    estimates noise (`prediction_interval`, `hindsight`, kind="parametric") would read them as
    precisions. Raises InputError without a `run` column, or without `step` or D.

    >>> from jaxscale import Runs
    >>> curve = Runs.from_columns(N=[1e8] * 3, D=[1e9, 4e9, 8e9], loss=[4.0, 3.5, 3.2], run=["a"]
    ...     * 3)
    >>> curve.balanced().weights.round(3).tolist()
    [1.0, 1.5, 0.5]

    No source: trapezoids in ln D.
    """
    run, place = (
        _runs_of(self, "balanced()"),
        np.log(np.maximum(_place(self, "balanced()"), 1e-300)),
    )
    share = np.ones(len(self))
    for code in range(run.max() + 1):
        rows = np.flatnonzero(run == code)
        own = place[rows[order := np.argsort(place[rows])]]
        if len(rows) > 1 and own[-1] > own[0]:
            gap = np.concatenate([[0.0], np.diff(own), [0.0]])
            half = 0.5 * (gap[:-1] + gap[1:])
            share[rows[order]] = half / half.sum()
        else:
            share[rows] = 1.0 / len(rows)
    weights = np.asarray(self.weights) * share
    weights = weights * np.mean(self.weights) / np.mean(weights)
    said = f"weights: {run.max() + 1} runs count the same, and in each every factor of its length"
    return remarked(dataclasses.replace(self, weights=weights), said)


def using(self: Table, **columns: str) -> Table:
    """Another convention: `runs.using(N="N_no_emb")` takes the column `N_no_emb` as N. Values and
    units move with it.

    >>> from jaxscale import Runs
    >>> Runs.from_columns(N=[2e8], N_body=[1e8], D=[2e9],
    ...     loss=[3.1]).using(N="N_body")["N"].tolist()
    [100000000.0]
    """
    for name in columns.values():
        if name not in self.columns:
            raise refuse(
                f"using(): no column {name!r}",
                why="it has another name",
                change=nearest(name, self.columns).strip(),
            )
    taken = {k: self.columns[v] for k, v in columns.items()}
    units = {
        **self.units,
        **{k: self.units[v] for k, v in columns.items() if self.units[v].dimension},
    }
    out = dataclasses.replace(
        self, columns={**self.columns, **taken}, notes=Aside({**self.notes, "units": units})
    )
    return remarked(out, ", ".join(f"{v} taken as {k}" for k, v in columns.items()))


def unfinished(runs: Rows) -> np.ndarray:
    """Rows (n,) before the end of a run whose learning rate decays: a `schedule` column that says
    so, and a `run` column.
    """
    if not {"run", "schedule"} <= set(runs.groups) or not ({"step", "D"} & set(runs.columns)):
        return np.zeros(len(runs), bool)
    run, place = np.asarray(runs.groups["run"]), _place(runs, "unfinished()")
    decays = np.asarray([not label.lower().startswith(CONSTANT) for label in runs["schedule"]])
    found: np.ndarray = decays & (place < _last(run, place) * (1.0 - _SAME))
    return found


def cells(runs: Rows, by: Sequence[str], verb: str) -> np.ndarray:
    """Number (n,) of the cell of equal `by` columns (up to rounding) and groups in which each row
    lies.
    """
    parts = []
    for name in by:
        if name in runs.groups:
            parts.append(np.asarray(runs.groups[name]))
            continue
        if name not in runs.columns:
            known = [*runs.columns, *runs.groups]
            raise refuse(
                f"{verb}: no column {name!r}",
                why="it has another name",
                change=f"cell=.{nearest(name, known)}",
            )
        for v in np.asarray(runs.columns[name]).reshape(len(runs), -1).T:
            order = np.argsort(v, kind="stable")
            jump = np.diff(v[order]) > _SAME * np.maximum(np.abs(v[order][1:]), 1e-300)
            codes = np.empty(len(v), int)
            codes[order] = np.concatenate([[0], np.cumsum(jump)])
            parts.append(codes)
    numbers: np.ndarray = np.unique(np.stack(parts, 1), axis=0, return_inverse=True)[1].reshape(-1)
    return numbers


def remarked(runs: Table, *said: str, first: bool = False) -> Table:
    """The table with more remarks, after its own or before them."""
    remarks = [*said, *runs.remarks] if first else [*runs.remarks, *said]
    return dataclasses.replace(runs, notes=Aside({**runs.notes, "remarks": remarks}))


def _target(runs: Rows, verb: str) -> np.ndarray:
    if runs.target is None:
        raise refuse(
            f"{verb}: the table has no target",
            why="it was read for a likelihood",
            change="name the target",
        )
    return np.asarray(runs.target)


def _runs_of(runs: Rows, verb: str) -> np.ndarray:
    if "run" not in runs.groups:
        raise refuse(
            f"{verb}: no run column",
            why="the table does not say which rows are one run",
            change="from_csv(..., run='run_id')",
        )
    return np.asarray(runs.groups["run"])


def _last(run: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The furthest place of the run of each row."""
    last = np.zeros(run.max() + 1)
    np.maximum.at(last, run, place)
    longest: np.ndarray = last[run]
    return longest


def _place(runs: Rows, verb: str) -> np.ndarray:
    """How far along its run a row lies."""
    for name in ("step", "D"):
        if name in runs.columns:
            return np.asarray(runs.columns[name])
    raise refuse(
        f"{verb}: neither a step nor a D column",
        why="rows of a run cannot be put in order",
        change="add step or D",
    )


def live(runs: Table) -> Table:
    """The rows of weight above 0."""
    used = np.asarray(runs.weights) > 0
    return runs if used.all() else runs.where(used)


def distinct(runs: Rows) -> np.ndarray:
    """The first row of each set of exact copies: rows that are equal in all columns, groups and the
    target.
    """
    parts = [
        np.reshape(v, (len(runs), -1))
        for v in [*runs.columns.values(), *([] if runs.target is None else [runs.target])]
    ]
    table = np.concatenate(
        [*parts, *[np.reshape(c, (-1, 1)) for c in runs.groups.values()]], axis=1
    )
    found: np.ndarray = np.sort(np.unique(table, axis=0, return_index=True)[1])
    return found


def duplicates(runs: Rows) -> list[str]:
    """Exact copies shrink every interval: they are allowed, counted, and said."""
    copies = len(runs) - len(distinct(runs))
    if not copies:
        return twice(runs)
    return [
        *twice(runs),
        warn(
            f"{copies} of {len(runs)} rows are exact copies of another row: drop them, or give "
            f"weights or a run column"
        ),
    ]


def twice(runs: Rows) -> list[str]:
    """Rows of one run and step that differ: a restarted run logs the steps since its checkpoint a
    second time.
    """
    if "run" not in runs.groups or "step" not in runs.columns:
        return []
    pairs: dict[Any, list[int]] = {}
    others = [np.asarray(v) for g, v in runs.groups.items() if g != "run"]
    for i in distinct(runs).tolist():
        key = (
            int(runs.groups["run"][i]),
            float(runs.columns["step"][i]),
            *(int(v[i]) for v in others),
        )
        pairs.setdefault(key, []).append(i)
    found = [rows for rows in pairs.values() if len(rows) > 1]
    if not found:
        return []
    shown = "; ".join(
        " and ".join(runs.place(i).removeprefix("row ") for i in rows) for rows in found[:3]
    )
    label, step = runs["run"][found[0][0]], runs.columns["step"][found[0][0]]
    return [
        f"{len(found)} steps are there twice (rows {shown}{'; ...' if len(found) > 3 else ''}), "
        f"the first of them step {step:g} of run {label}: a restarted run logs steps again; keep "
        f"the later rows"
    ]
