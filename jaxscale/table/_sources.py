"""Where a table comes from: the cells of a CSV file with their lines, a frame with its index, and
what its columns are called.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..ground._errors import refuse
from ..units import by_letter
from ._reading import as_numbers


def csv_of(path: Path) -> tuple[list[str], list[np.ndarray], list[int]]:
    """Header, columns and the line of each row of a CSV file. Raises InputError with the line."""
    csv.field_size_limit(2**24)  # a cell may hold a log; nobody asked for it
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader, rows = csv.reader(file), []
            before = 0
            for row in reader:
                if row:
                    rows.append((before + 1, row))
                before = reader.line_num
    except (UnicodeDecodeError, csv.Error) as error:
        raise refuse(
            f"{path.name} is no CSV file in UTF-8: {error}",
            why="it was exported as 'Unicode text' or in an old encoding, is compressed, or is "
            "no text",
            change="export as CSV in UTF-8, or read it with pandas and use Runs.from_frame",
        ) from error
    if not rows:
        raise refuse(f"{path.name} is empty", why="an export stopped early", change="the file")
    (_, first), *rest = rows
    for i, (line, row) in enumerate(rest):
        if len(row) != len(first):
            raise refuse(
                f"{path.name} row {i} has {len(row)} cells, the header has {len(first)} (line "
                f"{line})",
                why="a comma stands inside a value, or the file was cut short",
                change="quote that value, or export again",
            )
    cells = list(zip(*(row for _, row in rest), strict=True)) if rest else [()] * len(first)
    columns = [np.asarray([v.strip() or None for v in c], dtype=object) for c in cells]
    return [h.strip() for h in first], columns, [line for line, _ in rest]


def without_index(frame: Any) -> Any:
    """A pandas frame whose index has names, with the index as columns: after groupby(["N", "D"])
    they stand there.
    """
    if not type(frame).__module__.startswith("pandas"):
        return frame
    index = frame.index
    if getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
        raise refuse(
            f"from_frame: the header has {frame.columns.nlevels} levels, such as "
            f"{frame.columns[0]!r}",
            why="agg with several functions, or a pivot",
            change="one name per column: frame.columns = ['_'.join(c) for c in frame.columns]",
        )
    names = [n for n in getattr(index, "names", None) or () if n is not None]
    if not names or not hasattr(frame, "reset_index"):
        return frame
    if double := [n for n in names if n in frame.columns]:
        raise refuse(
            f"from_frame: {double[0]!r} is a column and in the index",
            why="a groupby that kept the column",
            change="frame.reset_index(drop=True), or another name for one of them",
        )
    return frame.reset_index()


def named_once(
    header: Sequence[str], columns: Sequence[Any], asked: set[str]
) -> tuple[dict[str, Any], list[str]]:
    """Columns by name; what nobody asked for may be empty or share a name, and is told. Raises
    InputError else.
    """
    table: dict[str, Any] = {}
    said = []
    for i, (name, values) in enumerate(zip(header, columns, strict=True)):
        if not name and all(v is None for v in values):
            continue
        own = name or f"column {i}"
        if header.count(name) > 1 and (not asked or name in asked or by_letter(name).dimension):
            raise refuse(
                f"two columns are called {name!r}", why="tables were joined", change="rename one"
            )
        if own in table:
            said.append(f"two columns are called {own!r}: not read")
        table[own] = values
    return {k: v for k, v in table.items() if header.count(k) < 2}, list(dict.fromkeys(said))


def why_not(values: Any, places: Sequence[str]) -> str:
    """The first cell of a column that is no finite number, and where it stands."""
    numbers, bad = as_numbers(values)
    row = int(np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(1))[0])
    return f"{places[row] if places else f'row {row}'} of it is {bad.get(row, 'blank')}"
