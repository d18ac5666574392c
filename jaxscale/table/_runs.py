"""`Runs`: the table of training runs, checked once, where it is made.

Columns are named float64 arrays `(n,)` (or `(n, k)` for shares), beside a target, weights and group columns. The
constructors (`from_columns`, `from_csv`, `from_frame`) refuse what cannot be meant (missing values, strings, values
outside a unit's range, two magnitudes in one column) with row and column; `on_bad="drop"` leaves such rows out and
counts them. A run may have many rows (checkpoints): then a `run` column says which rows belong together, and
everything that resamples draws whole runs. Nothing is checked in `__post_init__`, which also runs on tracers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..ground._errors import nearest, refuse, row_list, warn
from ..ground._shown import label_of
from ..ground._trees import Aside, node
from ..units import Unit, by_letter, is_unit, unit_of
from . import _anchors, _rules
from ._reading import Fault, as_numbers, check_column, check_mixed, in_plain, labels, missing, of_size, series, usable
from ._rows import Rows
from ._sources import csv_of, named_once, why_not, without_index

_GROUPS = ("run", "schedule", "seed")  # understood without being named, the last two where every row has one
_NUMBERS = ("step",)
_SCORE = re.compile(r"acc|score|err|step|exact|pass|win_?rate|f1|mmlu", re.IGNORECASE)  # targets that are hardly losses


@node()
class Runs(Rows):
    """A checked table of runs: see `Runs.from_columns`, `Runs.from_csv`, `Runs.from_frame`.

    `weights` multiply the loss of a row: a weight of 2 fits like the row twice, and only their ratio matters. Resampling
    draws rows whatever their weight. They are precisions where noise is estimated: a row of weight 4 has half the noise.
    """

    def __repr__(self) -> str:
        columns = {**self.columns, **({} if self.target is None else {self.target_name: self.target})}
        shown = [
            f"{k} {np.min(v):.3g} .. {np.max(v):.3g}" if np.ndim(v) == 1 else f"{k} {np.shape(v)}" for k, v in columns.items()
        ]
        return f"<Runs {len(self)} rows: {', '.join(shown)}" + "".join(f"; {len(v)} {g}s" for g, v in self.labels.items()) + ">"

    best = _rules.best
    late = _rules.late
    smoothed = _rules.smoothed
    balanced = _rules.balanced
    using = _rules.using
    with_helper = _anchors.with_helper

    @classmethod
    def from_columns(
        cls,
        *,
        target: str | None = "loss",
        weights: Any = None,
        groups: Mapping[str, Any] | None = None,
        units: Mapping[str, Any] | None = None,
        on_bad: str | Sequence[int] = "raise",
        **columns: Any,
    ) -> Runs:
        """Runs from arrays: `Runs.from_columns(N=N, D=D, loss=loss)`.

        `target` names the observed column (None for `NegLogLik`); `weights` (n,); `groups` maps names to labels (n,);
        a column called `run` is a group too. `units` declares units (`units={"loss": units.Bits}`), else the letter
        decides (N, D, C, U, loss). Raises InputError with row and column. `on_bad="drop"` leaves such rows out instead, with
        a warning and in `.dropped_rows`; the row of the largest N, D or C goes only if it is named. `on_bad=[7]` names the
        rows that may be left out.

        >>> runs = Runs.from_columns(N=[1e8, 1e9, 4e9], D=[2e9, 2e10, 8e10], loss=[3.1, 2.6, 2.3])
        >>> len(runs), runs.dropped
        (3, 0)
        """
        if groups is not None and not isinstance(groups, Mapping):
            raise refuse(
                f"from_columns: groups={groups!r}",
                why="names of columns, as from_csv takes them",
                change='groups={"family": family}, the labels of each',
            )
        groups = dict(groups or {}) | {g: columns.pop(g) for g in _GROUPS if g in columns}
        return _build(columns, target, weights=weights, groups=groups, units=dict(units or {}), on_bad=on_bad, remarks=())

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        target: str | None = "loss",
        weights: str | None = None,
        groups: Sequence[str] = (),
        columns: Sequence[str] = (),
        units: Mapping[str, Any] | None = None,
        on_bad: str | Sequence[int] = "raise",
        **renamed: str | Sequence[str],
    ) -> Runs:
        """Runs from a CSV file with a header: `Runs.from_csv("sweep.csv", N="params", D="tokens", target="final_loss")`.

        Keywords rename (`N="params"` reads column `params` as N; `r=["web", "code", "books"]` reads three as one vector
        per run, (n, 3)), `columns` reads under their own names; without either, every column of numbers is read. `run`
        and `step` are read where they exist. Raises as `from_columns`.
        """
        header, table, lines = csv_of(Path(path))
        name = Path(path).name
        places = [f"row {i} (line {n} of {name})" for i, n in enumerate(lines)]
        return _from_table(
            header,
            table,
            target=target,
            weights=weights,
            groups=groups,
            columns=columns,
            units=units,
            on_bad=on_bad,
            renamed=renamed,
            places=places,
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        target: str | None = "loss",
        weights: str | None = None,
        groups: Sequence[str] = (),
        columns: Sequence[str] = (),
        units: Mapping[str, Any] | None = None,
        on_bad: str | Sequence[int] = "raise",
        **renamed: str | Sequence[str],
    ) -> Runs:
        """Runs from a pandas, polars or pyarrow table; arguments and errors as in `from_csv`."""
        import narwhals as nw

        frame = without_index(frame)
        try:
            data = nw.from_native(frame, eager_only=True)
        except (TypeError, nw.exceptions.DuplicateError) as error:
            raise refuse(
                f"from_frame: {type(frame).__name__} cannot be read ({error})",
                why="it is no pandas, polars or pyarrow table, or two of its columns share a name",
                change="convert it to one of these, or use from_columns",
            ) from error
        header = [str(c) for c in data.columns]
        table = [series(data.get_column(c)) for c in data.columns]
        return _from_table(
            header,
            table,
            target=target,
            weights=weights,
            groups=groups,
            columns=columns,
            units=units,
            on_bad=on_bad,
            renamed=renamed,
            places=(),
        )


def _from_table(
    header: Sequence[str],
    values: Sequence[Any],
    target: str | None,
    weights: str | None,
    groups: Sequence[str],
    columns: Sequence[str],
    units: Mapping[str, Any] | None,
    on_bad: str | Sequence[int],
    renamed: Mapping[str, str | Sequence[str]],
    places: Sequence[str],
) -> Runs:
    wanted: dict[str, Any] = {**{c: c for c in columns}, **renamed}
    several = [n for v in wanted.values() for n in ([v] if isinstance(v, str) else list(v))]
    named = {*several, *groups, *([target] if target and target not in renamed else []), *([weights] if weights else [])}
    asked = {*named, *_GROUPS, *_NUMBERS} if wanted else set[str]()
    table, remarks = named_once(header, values, asked)

    def read(name: Any) -> Any:
        if name not in table:
            raise refuse(f"no column {name!r} in the table", why="it has another name", change=nearest(name, table).strip())
        return table[name]

    def column(names: str | Sequence[str]) -> Any:  # one, or several that make a vector per run
        return read(names) if isinstance(names, str) else np.stack([read(c) for c in names], axis=1)

    for new, old in wanted.items():
        if not isinstance(old, str) and (new in (target, *_GROUPS) or len(old) < 2):
            raise refuse(
                f"{new}={list(old)!r}: {'one column' if len(old) > 1 else 'two or more columns'} expected",
                why="a list of columns makes a vector per run, such as the shares of a mixture",
                change=f"{new}='the name of a column'",
            )
    observed = None if target is None else wanted.pop(target, target)  # the target may be renamed too
    group_names = {g: g for g in [*groups, *_GROUPS] if g in groups or g in table} | {
        g: wanted.pop(g) for g in _GROUPS if g in wanted
    }
    asked = {*groups, *renamed, "run"}
    bare = [g for g in group_names if g not in asked and any(map(missing, labels(table[g])))]
    group_names = {g: c for g, c in group_names.items() if g not in bare}
    remarks += [f"{g} not read: not every row has one" for g in bare]
    skipped: dict[str, str] = {}
    if not wanted:
        other = [c for c in table if c not in (observed, weights, *bare) and c not in group_names.values()]
        known = {c for c in other if by_letter(c).dimension or c in (units or {})}  # these obey on_bad
        wanted = {c: c for c in other if c in known or usable(table[c])}
        skipped = {c: why_not(table[c], places) for c in other if c not in wanted}
        if skipped:
            remarks.append(f"columns not read because not every value is a finite number: {', '.join(skipped)}")
    else:
        wanted |= {c: c for c in _NUMBERS if c in table and c not in wanted and usable(table[c])}
    data = {new: column(old) for new, old in wanted.items()}
    if target is not None:
        data[target] = read(observed)
    return _build(
        data,
        target,
        weights=None if weights is None else read(weights),
        groups={g: read(c) for g, c in group_names.items()},
        units=dict(units or {}),
        on_bad=on_bad,
        remarks=remarks,
        places=places,
        skipped=skipped,
    )


def _build(
    columns: Mapping[str, Any],
    target: str | None,
    weights: Any,
    groups: Mapping[str, Any],
    units: dict[str, Any],
    on_bad: str | Sequence[int],
    remarks: Iterable[str],
    places: Sequence[str] = (),
    skipped: Mapping[str, str] | None = None,
) -> Runs:
    if isinstance(on_bad, str) and on_bad not in ("raise", "drop"):
        raise refuse(
            f"on_bad={on_bad!r}", why="a typing slip", change="'raise' or 'drop', or the numbers of the rows that may be left out"
        )

    def place(row: int) -> str:
        return places[row] if places else f"row {row}"

    def at(row: int) -> str:
        return place(row).removeprefix(f"row {row}")

    data = dict(columns)
    if target is not None and target not in data:
        raise refuse(f"no target column {target!r}", why="it has another name", change=nearest(target, data).strip())
    if unknown := [k for k in units if k not in data]:
        raise refuse(
            f"units for {unknown[0]!r}, which is no column", why="a typing slip", change=nearest(unknown[0], data).strip()
        )
    if odd := [k for k, v in units.items() if not is_unit(v)]:
        raise refuse(
            f"units for {odd[0]!r}: {units[odd[0]]!r} is no unit",
            why="a unit was given by name, or a factor instead of a unit",
            change=f"units={{{odd[0]!r}: units.billion(units.Tokens)}}, units.Bits, units.Number, ...",
        )
    declared = {k: unit_of(units[k]) if k in units else by_letter("loss" if k == target else k) for k in data}
    key = "weights" if "weights" not in data else "weights (given)"
    if weights is not None:
        data[key], declared[key] = weights, Unit("weight", "", support="nonnegative")

    numbers: dict[str, np.ndarray] = {}
    faults: dict[int, Fault] = {}
    lengths = {k: len(np.atleast_1d(np.asarray(v, dtype=object))) for k, v in {**data, **groups}.items()}
    if len(set(lengths.values())) > 1:
        raise refuse(f"columns of different length: {lengths}", why="they come from different tables", change="align them by run")
    if not any(lengths.values()):
        raise refuse("the table has no rows", why="a filter removed all of them", change="the filter or the file")
    for name, values in data.items():
        numbers[name], bad = as_numbers(values)
        if numbers[name].ndim != 1 and (name in (target, key) or numbers[name].ndim != 2 or numbers[name].shape[1] < 2):
            raise refuse(
                f"column {name!r} has shape {np.shape(values)}",
                why="it is a scalar or a table",
                change="give (n,), or (n, k) for shares",
            )
        check_column(name, numbers[name], bad=bad, unit=declared[name], faults=faults, at=at)
    n = len(next(iter(numbers.values())))
    texts = {name: labels(values) for name, values in groups.items()}
    for name, own in texts.items():
        for i in (i for i, label in enumerate(own) if label is None):
            said_of = refuse(f"group {name!r}, row {i}: no label{at(i)}", why="the run lacks it", change="add it or drop the row")
            faults.setdefault(i, Fault(name, "missing", said_of))
    keep = _kept(n, faults, on_bad, numbers, place)
    gone = tuple(f"{place(i)}: {faults[i].column} is {faults[i].cell}" for i in np.flatnonzero(~keep).tolist())

    known_labels, coded = {}, {}
    for name, own in texts.items():
        text = [label_of(v) for v, kept in zip(own, keep, strict=True) if kept]
        known, coded[name] = np.unique(text, return_inverse=True)
        known_labels[name] = tuple(known.tolist())
    said = [*remarks, *(f"{k} converted from {u.name}" for k, u in declared.items() if u.plain)]
    for name, values in numbers.items():
        numbers[name], declared[name] = in_plain(values[keep], declared[name])
    for name, values in numbers.items():
        check_mixed(name, values, declared[name], np.flatnonzero(keep))
    weight = numbers.pop(key) if weights is not None else np.ones(int(keep.sum()))
    if not np.any(weight > 0):
        raise refuse("all weights are 0", why="the weight column is empty", change="give some row a weight above 0")
    if gone:
        shown = "; ".join(gone[:5]) + (f"; and {len(gone) - 5} more (see .dropped_rows)" if len(gone) > 5 else "")
        said.append(warn(f"{len(gone)} of {n} rows left out: {shown}"))
    if target is not None and target not in units and _SCORE.search(target):
        said.append(
            warn(
                f"target {target!r} is read as a loss in nats/token, because nothing was said; declare "
                f"units={{{target!r}: units.Fraction}} for a score between 0 and 1, units.Number for any other number"
            )
        )
    notes = Aside(
        units={k: u for k, u in declared.items() if k != key},
        labels=known_labels,
        dropped=len(gone),
        dropped_rows=gone,
        places=tuple(place(i) for i in np.flatnonzero(keep).tolist()) if places or gone else (),
        skipped=dict(skipped or {}),
        remarks=said,
    )
    runs = Runs(
        columns={k: v for k, v in numbers.items() if k != target},
        target=numbers.get(target or ""),
        weights=weight,
        groups=coded,
        target_name=target or "",
        notes=notes,
    )
    notes["remarks"] += [*of_size(runs.columns, runs.units), *_rules.duplicates(runs)]
    return runs


def _kept(
    n: int,
    faults: Mapping[int, Fault],
    on_bad: str | Sequence[int],
    numbers: Mapping[str, np.ndarray],
    place: Callable[[int], str],
) -> np.ndarray:
    """Rows (n,) that stay. Raises InputError for a bad row that may not go."""
    named = set() if isinstance(on_bad, str) else {int(i) for i in on_bad}
    if stay := [i for i in sorted(faults) if on_bad != "drop" and i not in named]:
        more = f"\n  ({len(faults)} bad rows in all: {row_list(sorted(faults))})" if len(faults) > 1 else ""
        raise type(faults[stay[0]].error)(f"{faults[stay[0]].error}{more}")
    keep = np.array([i not in faults for i in range(n)])
    if not keep.any():
        raise next(iter(faults.values())).error
    for name in ("N", "D", "C"):
        values = numbers.get(name)
        if values is None or values.ndim != 1 or not np.any(np.isfinite(values)):
            continue
        top = int(np.nanargmax(np.where(np.isfinite(values), values, -np.inf)))
        if top in faults and top not in named and values[top] > np.max(values[keep]):
            raise refuse(
                f"{place(top)} has the largest {name}, {values[top]:.4g}, and would be left out: "
                f"{str(faults[top].error).splitlines()[0]}",
                why="the largest run decides a forecast, and was the one that diverged or is not finished",
                change=f"the value; or name it as one that may go: on_bad={sorted(faults)}",
            )
    return keep
