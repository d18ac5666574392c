"""The signature of a formula: its columns with their units, its parameters with their specs."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from ..ground._errors import refuse_type
from ..units import Unit, unit_of
from ._params import Param

Specs = tuple[tuple[str, Param], ...]


def signature_of(
    function: Callable[..., Any],
) -> tuple[tuple[str, ...], tuple[Unit, ...], Specs, Unit]:
    """Columns, their units, parameters with specs, and the unit of the value. Raises TypeError."""
    columns, units, specs = [], [], []
    name = getattr(function, "__name__", "law")
    hints = typing.get_type_hints(function, include_extras=True)
    for arg in inspect.signature(function).parameters.values():
        if arg.kind in (arg.VAR_POSITIONAL, arg.VAR_KEYWORD):
            raise refuse_type(
                f"law {name}: {arg} hides columns or parameters",
                why="a signature was passed on",
                change="name each of them",
            )
        if arg.kind is arg.KEYWORD_ONLY:
            if not isinstance(arg.default, Param):
                raise refuse_type(
                    f"law {name}: parameter {arg.name} has "
                    f"{'no default' if arg.default is arg.empty else repr(arg.default)}",
                    why="a parameter says its support and where starts are drawn",
                    change=f"{arg.name}=positive(low, high), or real, negative, between, unit, "
                    f"simplex",
                )
            specs.append((arg.name, arg.default))
        elif isinstance(arg.default, Param):
            raise refuse_type(
                f"law {name}: parameter {arg.name} is positional",
                why="columns are positional, parameters are not",
                change="`*,` before the first parameter",
            )
        elif arg.default is not arg.empty:
            raise refuse_type(
                f"law {name}: column {arg.name} has a default",
                why="columns have none; a parameter has, and is keyword-only",
                change="no default, or `*,` before it",
            )
        else:
            columns.append(arg.name)
            units.append(unit_of(hints.get(arg.name)))
    if not columns:
        raise refuse_type(
            f"law {name} has no column",
            why="all arguments are keyword-only",
            change="at least one positional argument",
        )
    return tuple(columns), tuple(units), tuple(specs), unit_of(hints.get("return"))
