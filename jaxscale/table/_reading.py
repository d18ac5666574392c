"""Reading and checking the values of a table, before they become `Runs`.

Each check speaks about one row of one column, or about a column as a whole. Faults of rows are
collected, so that `on_bad="drop"` can leave those rows out and count them; faults of columns are
always errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import units as U
from ..ground._errors import InputError, refuse, row_list, warn
from ..units import Unit

# tokens or parameters: a table whose every run has fewer is mostly in millions or billions
_SMALL = 1e5


@dataclass(frozen=True)
class Fault:
    """The first thing wrong in a row: its column, what stands there, and the error about it."""

    column: str
    cell: str
    error: InputError


def series(series: Any) -> np.ndarray:
    """Values of a frame's column as they are (whole numbers stay whole); missing ones
    become None.
    """
    values = np.empty(len(series), dtype=object)
    values[:] = series.to_list()
    values[np.asarray(series.is_null().to_list(), dtype=bool)] = None
    return values


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        return f"a {type(value).__name__} too large to print"


def usable(values: Any) -> bool:
    numbers, bad = as_numbers(values)
    return not bad and bool(np.all(np.isfinite(numbers)))


def missing(value: Any) -> bool:
    """Whether an entry stands for nothing: None, blank text, masked, and the nan of any kind of
    frame.
    """
    if value is None or value is np.ma.masked or type(value).__name__ in ("NaTType", "NAType"):
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, float | np.floating | np.datetime64 | np.timedelta64) and bool(
        value != value
    )


def labels(values: Any) -> list[Any]:
    """Labels of a group column, None for what is missing or masked."""
    masked = np.ma.getmaskarray(values).tolist() if isinstance(values, np.ma.MaskedArray) else None
    plain = np.ma.getdata(values) if masked is not None else values
    array = np.asarray(plain)  # datetimes keep their kind; as objects they would become numbers
    found = list(array) if array.dtype.kind in "mM" else np.asarray(plain, dtype=object).tolist()
    found = [None if missing(v) else v for v in (found if isinstance(found, list) else [found])]
    return (
        found if masked is None else [None if m else v for v, m in zip(found, masked, strict=True)]
    )


def as_numbers(values: Any) -> tuple[np.ndarray, dict[int, str]]:
    """float64 values, and for each row that is no number what stands there."""
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    try:
        array = np.asarray(np.ma.getdata(values) if masked is not None else values)
    except ValueError:  # lists of different length
        array = np.asarray([None if np.ndim(v) else v for v in values], dtype=object)
        return np.full(len(array), np.nan), {i: repr(v) for i, v in enumerate(values) if np.ndim(v)}
    if array.dtype.kind in "iuf":
        return np.where(
            masked, np.nan, array.astype(np.float64)
        ) if masked is not None else array.astype(np.float64), {}
    out, bad = np.full(array.shape, np.nan), dict[int, str]()
    for at, value in np.ndenumerate(array):
        if value is None or (masked is not None and masked[at]):
            continue
        try:
            if isinstance(
                value,
                bool | np.bool_ | complex | np.complexfloating | np.datetime64 | np.timedelta64,
            ):
                raise TypeError
            out[at] = float(value)
        except (TypeError, ValueError, OverflowError):
            bad.setdefault(
                at[0] if at else 0,
                _short(repr(str(value)) if isinstance(value, str) else _shown(value)),
            )
    return out, bad


def check_column(
    name: str,
    values: np.ndarray,
    bad: Mapping[int, str],
    unit: Unit,
    faults: dict[int, Fault],
    at: Callable[[int], str],
) -> None:
    """Add to `faults` the first thing wrong in each row of this column; `at` says in which line of
    a file a row is.
    """
    flat = values.reshape(len(values), -1)
    ranges = {
        "positive": (0.0, "> 0"),
        "nonnegative": (0.0, ">= 0"),
        "unit": (0.0, "in 0..1"),
        "real": (-np.inf, "finite"),
    }
    low, text = ranges[unit.support]
    wrong = (
        ~np.isfinite(flat) | (flat < low) | ((flat == low) if unit.support == "positive" else False)
    )
    wrong |= flat > (1.0 if unit.support == "unit" else unit.limit)
    for i in np.flatnonzero(wrong.any(axis=1)):
        v = flat[i][wrong[i]][0]
        where, line = f"column {name!r}, row {int(i)}: ", at(int(i))
        if int(i) in bad:
            fault = refuse(
                f"{where}{bad[int(i)]}, which is no number{line}",
                why="an export that writes numbers as text with units, or a failed run",
                change="convert it, or on_bad='drop' to leave such rows out (they are counted)",
            )
        elif not np.isfinite(v):
            fault = refuse(
                f"{where}{v}{line}",
                why="a missing value, or a run that diverged",
                change="remove the run, or on_bad='drop' to leave such rows out (they are counted)",
            )
        elif v > low:
            loss, share = unit.dimension == "loss", unit.support == "unit"
            fault = refuse(
                f"{where}{v:g}, above {min(unit.limit, 1.0 if share else np.inf):.3g} "
                f"{unit.name}{line}",
                why="perplexity instead of its logarithm, or a score and no loss"
                if loss
                else "a percentage"
                if share
                else "another unit",
                change=f"units={{{name!r}: units.Perplexity}}, or units.Fraction for a score "
                f"between 0 and 1"
                if loss
                else "divide by 100"
                if share
                else f"declare the unit: units={{{name!r}: units.Number}}",
            )
        else:
            fault = refuse(
                f"{where}{v:g}, but {unit.name} are {text}{line}",
                why="a counter that was never filled in (tokens seen: 0), or a logarithm instead "
                "of the number",
                change="give a weight of 0 or more"
                if unit.name == "weight"
                else f"the value, on_bad='drop', or declare another unit: units={{{name!r}: "
                f"units.Number}}",
            )
        cell = bad.get(int(i), "missing" if np.isnan(v) else f"{v:g}")
        faults.setdefault(int(i), Fault(name, cell, fault))


def in_plain(values: np.ndarray, unit: Unit) -> tuple[np.ndarray, Unit]:
    """Multiples (billion tokens) become the plain unit; other units change only for a law that asks
    for it.
    """
    return (
        (values, unit) if unit.plain is None else (U.convert(values, unit, unit.plain), unit.plain)
    )


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
            f"column {name!r}: {values[order[at]]:.3g} and {values[order[at + 1]]:.3g} with "
            f"nothing between ({row_list(sorted(rows[minority].tolist()))} lie apart)",
            why="some rows are in units, others in billions",
            change=f"one unit for all rows; if it is meant, declare units={{{name!r}: "
            f"units.Number}}",
        )


def of_size(columns: Mapping[str, np.ndarray], units: Mapping[str, Unit]) -> list[str]:
    """What is odd about the sizes of N, D and U. Billions without a unit fit well: only
    coefficients and plans are wrong.
    """
    kinds = {
        c: units[c].dimension
        for c in "NDU"
        if c in columns and units[c].dimension in ("tokens", "parameters")
    }
    said = [
        warn(
            f"column {name!r}: every run has fewer than {_SMALL:,.0f} {kind}; if these are "
            f"billions, declare units={{{name!r}: "
            f"units.billion(units.{'Tokens' if kind == 'tokens' else 'Params'})}}, else "
            f"units.Number"
        )
        for name, kind in kinds.items()
        if np.max(columns[name]) < _SMALL
    ]
    # no warning: U may be the pool, of which a run sees a part
    if kinds.get("U") == kinds.get("D") == "tokens":
        rows = np.flatnonzero(columns["U"] > columns["D"] * (1 + 1e-6))
        said += (
            [f"{row_list(rows.tolist())}: more unique tokens U than tokens seen D"]
            if len(rows)
            else []
        )
    if (
        {"N", "D", "C"} <= set(columns)
        and units["C"].dimension == "compute"
        and kinds.keys() >= {"N", "D"}
    ):
        ratio = columns["C"] * units["C"].factor / (6.0 * columns["N"] * columns["D"])
        if np.max(np.abs(np.log(ratio))) > 0.05:
            said.append(
                f"column C is {np.min(ratio):.3g} to {np.max(ratio):.3g} times 6 N D: laws and "
                f"plans of N and D count 6 N D unless a cost is given"
            )
    return said
