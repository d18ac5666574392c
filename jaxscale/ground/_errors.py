"""How jaxscale says no: one form to raise, one way to warn.

An error names four things: what was seen, where (row and column), why that usually happens, and
what to change. Everything that is checked before numbers reach JAX goes through `refuse` (a bad
value) or `refuse_type` (a wrong kind of thing); everything that is allowed but should not pass
unnoticed goes through `warn`, and is also kept in the result, so that the report can repeat it.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class InputError(ValueError):
    """Input that cannot be used. The message says what was seen, where, why it is usually so, and
    what to change.
    """


class JaxscaleWarning(UserWarning):
    """Something is allowed but probably not meant; the same sentence is kept in the result and in
    the report.
    """


def refuse(saw: str, *, why: str, change: str) -> InputError:
    """Return (to be raised) the error: `saw` includes the place, `why` the usual cause, `change`
    what to write.
    """
    return InputError(_told(saw, why, change))


def refuse_type(saw: str, *, why: str, change: str) -> TypeError:
    """As `refuse`, where what was given is another kind of thing than is meant, or is missing."""
    return TypeError(_told(saw, why, change))


def _told(saw: str, why: str, change: str) -> str:
    return f"{saw}\n  Usually: {why}\n  Change: {change}"


def check_level(verb: str, level: Any) -> None:
    """Raise unless `level` is a probability, of an interval: the one check of it."""
    try:
        inside = bool(0.0 < level < 1.0)
    except (TypeError, ValueError):
        raise refuse_type(
            f"{verb}: level={level!r}",
            why="text, or several levels",
            change="one number such as 0.95",
        ) from None
    if not inside:
        raise refuse(
            f"{verb}: level={level!r}", why="a percentage", change="a probability such as 0.95"
        )


def warn(message: str) -> str:
    """Warn once per place of the caller's code, and hand the sentence back so that it can
    be kept.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, JaxscaleWarning, stacklevel=level)
    return message


def nearest(name: str, names: Iterable[str]) -> str:
    """' Did you mean ...?' or the list of what there is."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return (
        f" Did you mean {close[0]!r}?" if close else f" There is: {', '.join(known) or 'nothing'}."
    )


def row_list(rows: Sequence[int], most: int = 5) -> str:
    """'row 3' or 'rows 3, 7, 9 and 12 more' (counted from 0)."""
    shown = ", ".join(str(int(r)) for r in rows[:most])
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"
