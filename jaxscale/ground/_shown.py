"""How arrays are printed: by their numbers, the first and the last of them where they are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_ENDS = 3  # shown at either end


def values(array: Any, digits: int = 4) -> str:
    """A number, or the numbers of an array in brackets.

    >>> values(1.23456), values(np.arange(9.0))
    ('1.235', '[0, 1, 2, ..., 6, 7, 8]')
    """
    if np.ndim(array) == 0:
        return f"{float(array):.{digits}g}"
    flat = np.ravel(array)
    return f"[{', '.join(_ends(len(flat), lambda i: f'{flat[i]:.{digits}g}'))}]"


def rows(shape: tuple[int, ...], line: Callable[[tuple[int, ...]], str]) -> str:
    """A line for each place of an array, with its place before it.

    >>> print(rows((2, 2), lambda place: f"row {place[0]}"))
      [0, 0]  row 0
      [0, 1]  row 0
      [1, 0]  row 1
      [1, 1]  row 1
    """

    def one(i: int) -> str:
        place = tuple(int(k) for k in np.unravel_index(i, shape))
        return f"[{', '.join(map(str, place))}]  {line(place)}"

    return "\n".join(f"  {text}" for text in _ends(int(np.prod(shape)), one))


def table(lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of cells in columns two spaces apart: the first `left` columns flush left, the others
    right.

    What a line has beyond the first line's cells is added as it is.

    >>> print("\\n".join(table([("law", "error"), ("free", "0.5%", "  best")])))
    law   error
    free   0.5%  best
    """
    many = len(lines[0])
    widths = [
        max(len(cell) for cell in column)
        for column in zip(*(line[:many] for line in lines), strict=True)
    ]
    out = []
    for line in lines:
        cells = [
            c.ljust(w) if i < left else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=False))
        ]
        out.append(("  ".join(cells) + "".join(line[many:])).rstrip())
    return out


def label_of(value: Any) -> str:
    """The text of a group's label: 1 and 1.0 are "1", everything else is as it prints.

    >>> label_of(np.float64(3.0)), label_of("web")
    ('3', 'web')
    """
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)


def _ends(count: int, one: Callable[[int], str]) -> list[str]:
    if count <= 2 * _ENDS:
        return [one(i) for i in range(count)]
    return [*map(one, range(_ENDS)), "...", *map(one, range(count - _ENDS, count))]
