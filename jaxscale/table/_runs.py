"""`Runs`: the table of training runs, checked once, where it is made.

Columns are named float64 arrays `(n,)` (or `(n, k)` for shares), beside a target, weights and group columns. The
constructors (`from_columns`, `from_csv`, `from_frame`) refuse what cannot be meant (missing values, strings, values
outside a unit's range, two magnitudes in one column) with row and column; `on_bad="drop"` leaves such rows out and
counts them. A run may have many rows (checkpoints): then a `run` column says which rows belong together, and
everything that resamples draws whole runs. Nothing is checked in `__post_init__`, which also runs on tracers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..ground._errors import InputError, nearest, refuse, row_list
from ..ground._shown import label_of
from ..ground._trees import Aside, node
from ..units import Unit, by_letter, unit_of
from . import _rules
from ._reading import as_numbers, check_column, check_mixed, in_plain, of_size, series, usable
from ._rows import Rows

_GROUPS = ("run", "schedule", "seed")  # understood without being named, the last two where every row has one
_NUMBERS = ("step",)


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

    @classmethod
    def from_columns(
        cls,
        *,
        target: str | None = "loss",
        weights: Any = None,
        groups: Mapping[str, Any] | None = None,
        units: Mapping[str, Any] | None = None,
        on_bad: str = "raise",
        **columns: Any,
    ) -> Runs:
        """Runs from arrays: `Runs.from_columns(N=N, D=D, loss=loss)`.

        `target` names the observed column (None for `NegLogLik`); `weights` (n,); `groups` maps names to labels (n,);
        a column called `run` is a group too. `units` declares units (`units={"loss": units.Bits}`), else the letter
        decides (N, D, C, U, loss). Raises InputError with row and column; `on_bad="drop"` drops and counts instead.

        >>> runs = Runs.from_columns(N=[1e8, 1e9, 4e9], D=[2e9, 2e10, 8e10], loss=[3.1, 2.6, 2.3])
        >>> len(runs), runs.dropped
        (3, 0)
        """
        groups = dict(groups or {}) | {g: columns.pop(g) for g in _GROUPS if g in columns}
        return _build(columns, target, weights, groups, dict(units or {}), on_bad, ())

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        target: str = "loss",
        weights: str | None = None,
        groups: Sequence[str] = (),
        columns: Sequence[str] = (),
        units: Mapping[str, Any] | None = None,
        on_bad: str = "raise",
        **renamed: str | Sequence[str],
    ) -> Runs:
        """Runs from a CSV file with a header: `Runs.from_csv("sweep.csv", N="params", D="tokens", target="final_loss")`.

        Keywords rename (`N="params"` reads column `params` as N; `r=["web", "code", "books"]` reads three as one vector
        per run, (n, 3)), `columns` reads under their own names; without either, every column of numbers is read. `run`
        and `step` are read where they exist. Raises as `from_columns`.
        """
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
        if not lines:
            raise refuse(f"{Path(path).name} is empty", why="an export stopped early", change="the file")
        header = [h.strip() for h in lines[0]]
        if double := sorted({h for h in header if header.count(h) > 1}):
            raise refuse(
                f"{Path(path).name}: two columns are called {double[0]!r}", why="tables were joined", change="rename one"
            )
        for i, line in enumerate(lines[1:]):
            if len(line) != len(header):
                raise refuse(
                    f"{Path(path).name} row {i} has {len(line)} cells, the header has {len(header)}",
                    why="a comma stands inside a value, or the file was cut short",
                    change="quote that value, or export again",
                )
        cells = list(zip(*lines[1:], strict=True)) if len(lines) > 1 else [()] * len(header)
        table = dict(zip(header, [np.asarray([v.strip() or None for v in c], dtype=object) for c in cells], strict=True))
        return _from_table(table, target, weights, groups, columns, units, on_bad, renamed)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        target: str = "loss",
        weights: str | None = None,
        groups: Sequence[str] = (),
        columns: Sequence[str] = (),
        units: Mapping[str, Any] | None = None,
        on_bad: str = "raise",
        **renamed: str | Sequence[str],
    ) -> Runs:
        """Runs from a pandas, polars or pyarrow table; arguments and errors as in `from_csv`."""
        import narwhals as nw

        try:
            data = nw.from_native(frame, eager_only=True)
        except (TypeError, nw.exceptions.DuplicateError) as error:
            raise refuse(
                f"from_frame: {type(frame).__name__} cannot be read ({error})",
                why="it is no pandas, polars or pyarrow table, or two of its columns share a name",
                change="convert it to one of these, or use from_columns",
            ) from error
        table = {c: series(data[c]) for c in data.columns}
        return _from_table(table, target, weights, groups, columns, units, on_bad, renamed)


def _from_table(
    table: Mapping[str, Any],
    target: str,
    weights: str | None,
    groups: Sequence[str],
    columns: Sequence[str],
    units: Mapping[str, Any] | None,
    on_bad: str,
    renamed: Mapping[str, str | Sequence[str]],
) -> Runs:
    def read(name: Any) -> Any:
        if name not in table:
            raise refuse(f"no column {name!r} in the table", why="it has another name", change=nearest(name, table).strip())
        return table[name]

    def column(names: str | Sequence[str]) -> Any:  # one, or several that make a vector per run
        return read(names) if isinstance(names, str) else np.stack([read(c) for c in names], axis=1)

    wanted: dict[str, Any] = {**{c: c for c in columns}, **renamed}
    for new, old in wanted.items():
        several = not isinstance(old, str)
        if several and (new in (target, *_GROUPS) or len(old) < 2):
            raise refuse(
                f"{new}={list(old)!r}: {'one column' if len(old) > 1 else 'two or more columns'} expected",
                why="a list of columns makes a vector per run, such as the shares of a mixture",
                change=f"{new}='the name of a column'",
            )
    observed = wanted.pop(target, target)  # the target may be renamed too
    group_names = {g: g for g in [*groups, *_GROUPS] if g in groups or g in table} | {
        g: wanted.pop(g) for g in _GROUPS if g in wanted
    }
    asked = {*groups, *renamed, "run"}
    bare = [g for g in group_names if g not in asked and any(v is None or v == "" for v in np.asarray(table[g], object).tolist())]
    group_names = {g: c for g, c in group_names.items() if g not in bare}
    remarks = tuple(f"{g} not read: not every row has one" for g in bare)
    if not wanted:
        other = [c for c in table if c not in (observed, weights, *bare) and c not in group_names.values()]
        wanted = {c: c for c in other if usable(table[c])}
        if skipped := [c for c in other if c not in wanted]:
            remarks = (
                *remarks,
                f"columns not read because not every value is a finite number: {', '.join(skipped)}",
            )
    else:
        wanted |= {c: c for c in _NUMBERS if c in table and c not in wanted and usable(table[c])}
    data = {new: column(old) for new, old in wanted.items()} | {target: read(observed)}
    return _build(
        data,
        target,
        None if weights is None else read(weights),
        {g: read(c) for g, c in group_names.items()},
        dict(units or {}),
        on_bad,
        remarks,
    )


def _build(
    columns: Mapping[str, Any],
    target: str | None,
    weights: Any,
    groups: Mapping[str, Any],
    units: dict[str, Any],
    on_bad: str,
    remarks: Iterable[str],
) -> Runs:
    if on_bad not in ("raise", "drop"):
        raise ValueError(f"on_bad={on_bad!r}: write 'raise' or 'drop'")
    data = dict(columns)
    if target is not None and target not in data:
        raise refuse(f"no target column {target!r}", why="it has another name", change=nearest(target, data).strip())
    if unknown := [k for k in units if k not in data]:
        raise refuse(
            f"units for {unknown[0]!r}, which is no column", why="a typing slip", change=nearest(unknown[0], data).strip()
        )
    if words := [k for k, v in units.items() if isinstance(v, str)]:
        raise refuse(
            f"units for {words[0]!r}: {units[words[0]]!r} is no unit",
            why="a unit was given by name",
            change="units={'D': jsl.units.billion(jsl.units.Tokens)}, jsl.units.Bits, ...",
        )
    declared = {k: unit_of(units[k]) if k in units else by_letter("loss" if k == target else k) for k in data}
    key = "weights" if "weights" not in data else "weights (given)"
    if weights is not None:
        data[key], declared[key] = weights, Unit("weight", "", support="nonnegative")

    numbers: dict[str, np.ndarray] = {}
    faults: dict[int, InputError] = {}
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
        check_column(name, numbers[name], bad, declared[name], faults)
    n = len(next(iter(numbers.values())))
    for name, codes in groups.items():
        for i, label in enumerate(np.asarray(codes, dtype=object).tolist()):
            if label is None or label == "" or (isinstance(label, float) and label != label):
                faults.setdefault(
                    i, refuse(f"group {name!r}, row {i}: no label", why="the run lacks it", change="add it or drop the row")
                )
    if faults and on_bad == "raise":
        first = faults[min(faults)]
        raise type(first)(
            f"{first}" + (f"\n  ({len(faults)} bad rows in all: {row_list(sorted(faults))})" if len(faults) > 1 else "")
        )
    keep = np.array([i not in faults for i in range(n)])
    if not keep.any():
        raise next(iter(faults.values()))

    labels, coded = {}, {}
    for name, values in groups.items():
        text = [label_of(v) for v in np.asarray(values, dtype=object)[keep].tolist()]
        known, coded[name] = np.unique(text, return_inverse=True)
        labels[name] = tuple(known.tolist())
    said = [*remarks, *(f"{k} converted from {u.name}" for k, u in declared.items() if u.plain)]
    for name, values in numbers.items():
        numbers[name], declared[name] = in_plain(values[keep], declared[name])
    for name, values in numbers.items():
        check_mixed(name, values, declared[name], np.flatnonzero(keep))
    weight = numbers.pop(key) if weights is not None else np.ones(int(keep.sum()))
    if not np.any(weight > 0):
        raise refuse("all weights are 0", why="the weight column is empty", change="give some row a weight above 0")
    notes = Aside(units={k: u for k, u in declared.items() if k != key}, labels=labels, dropped=len(faults), remarks=said)
    runs = Runs({k: v for k, v in numbers.items() if k != target}, numbers.get(target or ""), weight, coded, target or "", notes)
    notes["remarks"] += [*of_size(runs.columns, runs.units), *_rules.duplicates(runs)]
    return runs
