"""Reading and checking the values of a table, before they become `Runs`.

Each check speaks about one row of one column, or about a column as a whole. Faults of rows are collected, so that
`on_bad="drop"` can leave those rows out and count them; faults of columns are always errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import units as U
from ._checks import InputError, refuse, row_list
from .units import Unit


def series(series: Any) -> np.ndarray:
    """Values of a frame's column; missing becomes NaN in numbers, None in labels."""
    if series.dtype.is_numeric():
        import narwhals as nw

        return np.asarray(series.cast(nw.Float64).to_list(), dtype=object)
    return np.asarray(series.to_list(), dtype=object)


def usable(values: Any) -> bool:
    numbers, bad = as_numbers(values)
    return not bad and bool(np.all(np.isfinite(numbers)))


def as_numbers(values: Any) -> tuple[np.ndarray, dict[int, str]]:
    """float64 values, and for each row that is no number what stands there."""
    array = np.ma.filled(values.astype(np.float64), np.nan) if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    if array.dtype.kind in "iuf":
        return array.astype(np.float64), {}
    out, bad = np.full(array.shape, np.nan), dict[int, str]()
    for at, value in np.ndenumerate(array):
        try:
            if isinstance(value, bool | np.bool_ | complex):
                raise TypeError
            out[at] = np.nan if value is None else float(value)
        except (TypeError, ValueError):
            bad.setdefault(at[0], repr(str(value)) if isinstance(value, str) else repr(value))
    return out, bad


def check_column(name: str, values: np.ndarray, bad: Mapping[int, str], unit: Unit, faults: dict[int, InputError]) -> None:
    """Add to `faults` the first thing wrong in each row of this column."""
    flat = values.reshape(len(values), -1)
    ranges = {"positive": (0.0, "> 0"), "nonnegative": (0.0, ">= 0"), "unit": (0.0, "in 0..1"), "real": (-np.inf, "finite")}
    low, text = ranges[unit.support]
    wrong = ~np.isfinite(flat) | (flat < low) | ((flat == low) if unit.support == "positive" else False)
    wrong |= flat > (1.0 if unit.support == "unit" else unit.limit)
    for i in np.flatnonzero(wrong.any(axis=1)):
        v = flat[i][wrong[i]][0]
        where = f"column {name!r}, row {int(i)}: "
        if int(i) in bad:
            fault = refuse(
                f"{where}{bad[int(i)]}, which is no number",
                why="an export that writes numbers as text with units, or a failed run",
                change="convert it, or on_bad='drop' to leave such rows out (they are counted)",
            )
        elif not np.isfinite(v):
            fault = refuse(
                f"{where}{v}",
                why="a missing value, or a run that diverged",
                change="remove the run, or on_bad='drop' to leave such rows out (they are counted)",
            )
        elif v > low:
            fault = refuse(
                f"{where}{v:g}, above {min(unit.limit, 1.0 if unit.support == 'unit' else np.inf):.3g} {unit.name}",
                why="perplexity instead of its logarithm" if unit.dimension == "loss" else "another unit",
                change=f"declare the unit: units={{{name!r}: units.{'Perplexity' if unit.dimension == 'loss' else 'Number'}}}",
            )
        else:
            fault = refuse(
                f"{where}{v:g}, but {unit.name} are {text}",
                why="a counter that was never filled in (tokens seen: 0), or a logarithm instead of the number",
                change=f"the value, on_bad='drop', or declare another unit: units={{{name!r}: units.Number}}",
            )
        faults.setdefault(int(i), fault)


def base(values: np.ndarray, unit: Unit) -> np.ndarray:
    """Multiples (billion tokens) become the plain unit; dimensions are only changed by a law that asks for it."""
    return U.convert(values, unit, Unit(unit.name, unit.dimension)) if unit.mixed and unit.factor != 1.0 else values


def check_mixed(name: str, values: np.ndarray, unit: Unit, rows: np.ndarray) -> None:
    """Two magnitudes in one column: some rows in tokens, some in billions of tokens."""
    if not unit.mixed or len(values) < 2:
        return
    order = np.argsort(values)
    jumps = np.diff(np.log10(values[order]))
    at = int(np.argmax(jumps))
    if jumps[at] > 5.0:
        minority = order[: at + 1] if at + 1 <= len(values) / 2 else order[at + 1 :]
        raise refuse(
            f"column {name!r}: {values[order[at]]:.3g} and {values[order[at + 1]]:.3g} with nothing between "
            f"({row_list(sorted(rows[minority].tolist()))} lie apart)",
            why="some rows are in units, others in billions",
            change=f"one unit for all rows; if it is meant, declare units={{{name!r}: units.Number}}",
        )
