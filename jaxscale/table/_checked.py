"""From columns as they come to the fields of a table: checked cell by cell, in plain units, with
what was left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ground._errors import nearest, refuse, row_list, warn
from ..ground._shown import label_of
from ..ground._trees import Aside
from ..units import Unit, by_letter, is_unit, unit_of
from . import _rules
from ._reading import Fault, as_numbers, check_column, check_mixed, in_plain, labels, of_size
from ._rows import Rows

# targets that are hardly losses
_SCORE = re.compile(r"acc|score|err|step|exact|pass|win_?rate|f1|mmlu", re.IGNORECASE)


def checked(
    columns: Mapping[str, Any],
    target: str | None,
    weights: Any,
    groups: Mapping[str, Any],
    units: dict[str, Any],
    on_bad: str | Sequence[int],
    remarks: Iterable[str],
    places: Sequence[str] = (),
    skipped: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The fields of the table. Raises InputError for the first bad cell, unless `on_bad` lets its
    row go.
    """
    if isinstance(on_bad, str) and on_bad not in ("raise", "drop"):
        raise refuse(
            f"on_bad={on_bad!r}",
            why="a typing slip",
            change="'raise' or 'drop', or the numbers of the rows that may be left out",
        )

    def place(row: int) -> str:
        return places[row] if places else f"row {row}"

    def at(row: int) -> str:
        return place(row).removeprefix(f"row {row}")

    data = dict(columns)
    if target is not None and target not in data:
        raise refuse(
            f"no target column {target!r}",
            why="it has another name",
            change=nearest(target, data).strip(),
        )
    if unknown := [k for k in units if k not in data]:
        raise refuse(
            f"units for {unknown[0]!r}, which is no column",
            why="a typing slip",
            change=nearest(unknown[0], data).strip(),
        )
    if odd := [k for k, v in units.items() if not is_unit(v)]:
        raise refuse(
            f"units for {odd[0]!r}: {units[odd[0]]!r} is no unit",
            why="a unit was given by name, or a factor instead of a unit",
            change=f"units={{{odd[0]!r}: units.billion(units.Tokens)}}, units.Bits, "
            f"units.Number, ...",
        )
    declared = {
        k: unit_of(units[k]) if k in units else by_letter("loss" if k == target else k)
        for k in data
    }
    key = "weights" if "weights" not in data else "weights (given)"
    if weights is not None:
        data[key], declared[key] = weights, Unit("weight", "", support="nonnegative")

    numbers: dict[str, np.ndarray] = {}
    faults: dict[int, Fault] = {}
    lengths = {
        k: len(np.atleast_1d(np.asarray(v, dtype=object))) for k, v in {**data, **groups}.items()
    }
    if len(set(lengths.values())) > 1:
        raise refuse(
            f"columns of different length: {lengths}",
            why="they come from different tables",
            change="align them by run",
        )
    if not any(lengths.values()):
        raise refuse(
            "the table has no rows",
            why="a filter removed all of them",
            change="the filter or the file",
        )
    for name, values in data.items():
        numbers[name], bad = as_numbers(values)
        if numbers[name].ndim != 1 and (
            name in (target, key) or numbers[name].ndim != 2 or numbers[name].shape[1] < 2
        ):
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
            said_of = refuse(
                f"group {name!r}, row {i}: no label{at(i)}",
                why="the run lacks it",
                change="add it or drop the row",
            )
            faults.setdefault(i, Fault(name, "missing", said_of))
    keep = _kept(n, faults, on_bad, numbers, place)
    gone = tuple(
        f"{place(i)}: {faults[i].column} is {faults[i].cell}"
        for i in np.flatnonzero(~keep).tolist()
    )

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
        raise refuse(
            "all weights are 0",
            why="the weight column is empty",
            change="give some row a weight above 0",
        )
    if gone:
        shown = "; ".join(gone[:5]) + (
            f"; and {len(gone) - 5} more (see .dropped_rows)" if len(gone) > 5 else ""
        )
        said.append(warn(f"{len(gone)} of {n} rows left out: {shown}"))
    if target is not None and target not in units and _SCORE.search(target):
        said.append(
            warn(
                f"target {target!r} is read as a loss in nats/token, because nothing was said; "
                f"declare units={{{target!r}: units.Fraction}} for a score between 0 and 1, "
                f"units.Number for any other number"
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
    found: dict[str, Any] = {
        "columns": {k: v for k, v in numbers.items() if k != target},
        "target": numbers.get(target or ""),
        "weights": weight,
        "groups": coded,
        "target_name": target or "",
        "notes": notes,
    }
    rows = Rows(**found)
    notes["remarks"] += [*of_size(rows.columns, rows.units), *_rules.duplicates(rows)]
    return found


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
        more = (
            f"\n  ({len(faults)} bad rows in all: {row_list(sorted(faults))})"
            if len(faults) > 1
            else ""
        )
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
                why="the largest run decides a forecast, and was the one that diverged or is not "
                "finished",
                change=f"the value; or name it as one that may go: on_bad={sorted(faults)}",
            )
    return keep
