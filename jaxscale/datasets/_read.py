"""Reading the files of the registry: lines by header, columns of numbers, and what is said about a
table first of all.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..table._rules import remarked
from ..table._runs import Runs


def lines(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file, packed or not, each by the names of the header."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def column(table: Sequence[dict[str, str]], name: str) -> np.ndarray:
    """One column of `lines` as numbers."""
    return np.asarray([float(line[name]) for line in table])


def numbers(path: Path, *names: str) -> list[np.ndarray]:
    """Columns of numbers of a file, in the order of `names`."""
    table = lines(path)
    return [column(table, name) for name in names]


def saying(runs: Runs, remarks: Sequence[str]) -> Runs:
    """The same runs with remarks put before their own."""
    return remarked(runs, *remarks, first=True)
