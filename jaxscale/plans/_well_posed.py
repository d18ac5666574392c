"""Whether a question about a plan is well put: names that are there, columns that
something holds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from ..formula._law import Law
from ..ground._errors import nearest, refuse


def check_names(
    law: Law,
    over: tuple[str, ...],
    given: Mapping[str, Any],
    bounds: Mapping[str, Any],
    options: Mapping[str, Any],
    spent: tuple[str, ...],
    wanted: tuple[str, ...],
    constraints: Mapping[str, Any],
    there: set[str],
    unnamed: set[str],
    costed: bool,
) -> None:
    """Every name is that of a column, once, and every column has a source."""
    for name in [*over, *bounds]:
        if name not in law.columns:
            change = nearest(name, law.columns).strip()
            raise refuse(
                f"allocate: {law.name} has no column {name!r}", why="a typing slip", change=change
            )
    others = [
        *(spent if costed else ()),
        *wanted,
        *(r for pair in constraints.values() for r in _named(pair)),
    ]
    if both := [c for c in over if c in given or c in options]:
        where = "given=" if both[0] in given else "choices="
        raise refuse(
            f"allocate: {both[0]} is given and chosen",
            why=f"it is in over= and in {where}",
            change="name it once",
        )
    if odd := [c for c in given if c not in law.columns and c not in others]:
        change = nearest(odd[0], [*law.columns, *others]).strip()
        raise refuse(
            f"allocate: nothing reads given {odd[0]!r}", why="a typing slip", change=change
        )
    if idle := [c for c in bounds if c not in over]:
        raise refuse(
            f"allocate: {idle[0]} has bounds and is not chosen",
            why="it is given",
            change="drop its bounds",
        )
    if unnamed:
        group = min(unnamed)
        raise refuse(
            f"allocate: {law.name} has one value per {group!r}, and nothing says for which group "
            f"to plan",
            why="the law was fitted per group",
            change=f"given={{{group!r}: 'name of the group'}}",
        )
    if missing := [c for c in law.columns if c not in over and c not in given and c not in options]:
        raise refuse(
            f"allocate: nothing says what {missing[0]} is",
            why="the law reads it, and it is not among the columns to choose",
            change=f"given={{{missing[0]!r}: ...}}, or over=",
        )
    if missing := [c for c in [*(spent if costed else ()), *wanted] if c not in there]:
        raise refuse(
            f"allocate: nothing says what {missing[0]} is",
            why=f"{'maximise' if missing[0] in wanted else 'the cost'} reads it, and it is not "
            f"among the columns to choose",
            change=f"given={{{missing[0]!r}: ...}}, or another cost",
        )


def _named(pair: Any) -> tuple[str, ...]:
    return (
        reads("allocate", pair[0], ())
        if isinstance(pair, tuple) and pair and callable(pair[0])
        else ()
    )


def check_reads(
    asked: list[tuple[str, tuple[str, ...]]], chosen: set[str], there: set[str]
) -> None:
    """Every limit reads what there is, and something that is chosen."""
    for name, columns in asked:
        if missing := [c for c in columns if c not in there]:
            raise refuse(
                f"allocate: nothing says what {missing[0]} is",
                why=f"constraint {name!r} reads it, and it is neither a column, a parameter nor "
                f"given",
                change=f"given={{{missing[0]!r}: ...}}.{nearest(missing[0], there)}",
            )
        if not set(columns) & chosen:
            raise refuse(
                f"allocate: {'the cost' if name == 'budget' else f'constraint {name!r}'} reads "
                f"{', '.join(columns)}, none of which is chosen",
                why="it is another budget's cost",
                change="cost= or over=",
            )


def check_held(
    over: tuple[str, ...],
    sizes: tuple[int | None, ...],
    high: np.ndarray,
    holding: set[str],
    spent: tuple[str, ...],
) -> None:
    """A column that nothing holds runs to infinity."""
    ends = np.cumsum([0, *(s or 1 for s in sizes)])
    for name, at in zip(over, ends, strict=False):
        if name not in holding and not np.isfinite(high[at]):
            raise refuse(
                f"allocate: {name} is chosen, and neither the cost (of {', '.join(spent)}) nor a "
                f"bound holds it",
                why="a column that costs nothing runs to infinity: more of it is always better",
                change=f"given={{{name!r}: ...}}, bounds={{{name!r}: (None, high)}}, or a cost "
                f"that reads {name}",
            )


def reads(verb: str, function: Callable[..., Any], there: Collection[str]) -> tuple[str, ...]:
    """What a cost or a limit reads: the names of its arguments; those with a default only where
    there is such a column.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        saw = f"{verb}: {function!r} does not name what it reads"
        raise refuse(saw, why="no function, or a built-in", change="lambda N, D: ...") from error
    return tuple(p.name for p in parameters if p.default is p.empty or p.name in there)
