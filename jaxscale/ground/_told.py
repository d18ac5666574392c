"""Errors of somebody's own formula, told in its own terms: which function, which line, and what to
write there.

A formula is traced: its arguments stand for numbers that are not there yet. Python's `if`, `max`
and `math.log`, and NumPy, ask for the number, and what JAX says then speaks of tracers and of
functions of ours.
"""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable
from typing import Any

import jax

from ._errors import InputError, refuse_type

_WRITE = (
    (r"\bmath\.", "jnp for math: jnp.log(D) for math.log(D)"),
    (r"\b(np|numpy)\.", "jnp for np: jnp.log(D) for np.log(D)"),
    (r"\b(max|min)\(", "jnp.maximum(a, b) for max(a, b), jnp.minimum for min"),
    (
        r"\b(float|int|bool|round)\(",
        "the value as it is, or jnp.round, jnp.floor: float() and int() need the number",
    ),
    (
        r"\b(if|and|or|not)\b|<.*<",
        "jnp.where(condition, a, b) for a if condition else b; &, | and ~ for and, or and not",
    ),
    (
        r"\b(while|for|range|assert)\b",
        "a formula without loops over values: jnp.where, jnp.minimum, or a closed form",
    ),
)
_ANY = (
    "jnp.where(condition, a, b) for if, jnp.maximum(a, b) for max, jnp.log for math.log and np.log"
)


def told(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose errors while it is traced say where in it and what to write. Raises
    TypeError for those.
    """

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
            raise _needs_number(what, error) from error
        except InputError:
            raise
        except Exception as error:
            if isinstance(error, TypeError) and "integer scalar arrays can be converted" in str(
                error
            ):
                raise _needs_number(what, error) from error
            error.add_note(f"  In {what}, {_place(error)[0]}.")
            raise

    return call


def _needs_number(what: str, error: Exception) -> TypeError:
    place, *texts = _place(error)
    change = next(
        (write for text in texts for pattern, write in _WRITE if re.search(pattern, text)), _ANY
    )
    return refuse_type(
        f"{what}, {place}: Python asks for a number here, and the formula is traced without "
        f"numbers",
        why="if, max, float, math or NumPy on a value, which only jax.numpy can take",
        change=f"import jax.numpy as jnp, and {change}",
    )


def _place(error: Exception) -> tuple[str, str, str]:
    """Where in somebody's code an error arose, what was run there, and its line: the innermost that
    is not installed.
    """
    own = [f for f in traceback.extract_tb(error.__traceback__) if not _installed(f.filename)]
    if not own:
        return "in a function of a library", "", ""
    at, line = own[-1], (own[-1].line or "").strip()
    begin, end = getattr(at, "colno", None), getattr(at, "end_colno", None)
    part = (
        linecache.getline(at.filename, at.lineno or 0)[begin:end]
        if begin is not None and at.lineno == at.end_lineno
        else ""
    )
    return f"line {at.lineno} of {at.filename}, in {at.name}(): {line!r}", part, line


def _installed(filename: str) -> bool:
    return bool(
        re.search(
            r"[\\/](site-packages|jaxscale[\\/]\w+[\\/]_\w+\.py|lib[\\/]python3\.\d+)([\\/]|$)",
            filename,
        )
    )
