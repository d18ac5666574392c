"""How the stages of a chain go together: the units of what is handed on, and the runs that two
tables have in common.

Numbers that look alike are not always the same quantity: a loss per token of one tokenizer is none
of another, and a loss per byte is none per token. And runs that stand in two tables must be counted
once. Both are decided here, from what the tables say.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..fitting._problem import Problem
from ..fitting._results import Fit
from ..ground._errors import nearest, refuse
from ..table._anchors import helpers
from ..table._runs import Runs
from ..units import Unit

HELPER = "helper "  # begins the label of a unit that is no run
_PLAIN = ("number", "number > 0", "count")  # units that say nothing


# -- units ---------------------------------------------------------------------------------------
def unit_of_value(problem: Problem) -> Unit:
    """What a stage's value is: the law's unit, or that of its table where the law's has no
    dimension, or the table's has none.
    """
    return _one_of(problem.law.unit, problem.runs.units[problem.runs.target_name])


def unit_of_input(problem: Problem) -> Unit:
    """The same of the column that takes the value of the stage before."""
    return _one_of(problem.law.column_units[0], problem.runs.units[problem.law.columns[0]])


def _one_of(law: Unit, table: Unit) -> Unit:
    """Where both have a dimension the table was converted to the law's unit; bits per byte have
    none, and stay what they are.
    """
    return law if (law.dimension and table.dimension) or table.name in _PLAIN else table


def conversions(points: Sequence[Fit]) -> tuple[tuple[Unit, Unit], ...]:
    """From what to what the value of each stage is converted for the next."""
    return tuple(
        (unit_of_value(a.problem), unit_of_input(b.problem)) for a, b in itertools.pairwise(points)
    )


def check_units(points: Sequence[Fit]) -> list[str]:
    """Refuse what does not fit; remark on what had to be assumed."""
    said = []
    for (before, after), (out, into) in zip(
        itertools.pairwise(points), conversions(points), strict=True
    ):
        column, names = (
            after.problem.law.columns[0],
            (before.problem.law.name, after.problem.law.name),
        )
        if out.name in _PLAIN or into.name in _PLAIN:
            said.append(
                f"the value of {names[0]} ({out.name}) is assumed to be {column} of {names[1]} "
                f"({into.name})"
            )
        elif out.name != into.name and (out.dimension != into.dimension or not out.dimension):
            raise refuse(
                f"chain(): {names[0]} gives {out.name}, {column} of {names[1]} is {into.name}",
                why="one table has the loss per token and the other per byte, or they are about "
                "different things",
                change="one unit for both: jsl.units.bits_per_byte(nats_per_token, "
                "bytes_per_token), with units={...} where a table is made",
            )
    _check_tokenizers(points)
    return said


def _check_tokenizers(points: Sequence[Fit]) -> None:
    """Losses per token of different tokenizers are different quantities."""
    seen: list[str] = []
    for number, fit in enumerate(points):
        each = [unit_of_value(fit.problem)] + ([unit_of_input(fit.problem)] if number else [])
        if any(unit.dimension == "loss" for unit in each):
            seen += fit.problem.runs.labels.get("tokenizer", ())
    if len(set(seen)) > 1:
        raise refuse(
            f"chain(): losses per token of the tokenizers {', '.join(dict.fromkeys(seen))}",
            why="a token of one is longer than a token of the other, so their losses cannot be "
            "compared",
            change="jsl.units.bits_per_byte(nats_per_token, bytes_per_token) in every table, with "
            "units={...: BitsPerByte}",
        )


# -- runs ----------------------------------------------------------------------------------------
def labelled(
    points: Sequence[Fit], by: str | None
) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:
    """What is independent in each stage (a group column, or rows), and the label of the unit of
    each live row.

    Equal labels in two stages mean the same unit: the same `run` (or group `by`), or the same row
    of tables that were seen to be the same, because the link reads the very values that an earlier
    stage was fitted to.
    """
    tables = [f.problem.runs for f in points]
    for runs in tables:
        if by is not None and by not in runs.groups:
            change = nearest(by, runs.groups).strip()
            raise refuse(
                f"chain(by={by!r}): no such group column in a table",
                why="it was not read",
                change=change,
            )
    name = by or ("run" if all("run" in runs.groups for runs in tables) else None)
    own, units, sources = [], [], list[int]()
    for number, (fit, runs) in enumerate(zip(points, tables, strict=True)):
        column, real = name or runs.clusters or "rows", ~helpers(runs)
        twins = [
            s
            for t, s in zip(tables[:number], sources, strict=True)
            if name is None and _same_rows(t, fit.problem)
        ]
        sources.append(twins[0] if twins else number)
        text = runs[column] if column != "rows" else np.arange(len(runs))
        prefix = "" if name else f"{sources[-1]}:"
        labels = [
            f"{prefix}{t}" if r else f"{HELPER}{number}:{t}"
            for t, r in zip(text, real, strict=True)
        ]
        own.append(column)
        units.append(np.asarray(labels)[np.asarray(runs.weights) > 0])
    return tuple(own), tuple(units)


def _same_rows(earlier: Runs, link: Problem) -> bool:
    """Whether a link reads, row by row, what an earlier stage was fitted to."""
    read = np.asarray(link.runs.columns[link.law.columns[0]])[~helpers(link.runs)]
    given = np.asarray(earlier.target)[~helpers(earlier)]
    same = read.shape == given.shape and np.allclose(read, given, rtol=1e-12, atol=0.0)
    return bool(same and earlier.clusters == link.runs.clusters)


def same_units(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two stages rest on the same units, helpers aside."""
    first, second = (np.unique(u[~np.char.startswith(u, HELPER)]) for u in (a, b))
    return bool(np.array_equal(first, second))


def in_common(units: Sequence[np.ndarray]) -> int:
    """How many units stand in more than one stage."""
    _, count = np.unique(np.concatenate([np.unique(u) for u in units]), return_counts=True)
    return int(np.sum(count > 1))
