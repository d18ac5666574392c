"""Cells: tables times objectives that are fitted in one call, and how they are put into jobs.

A cell is one table with one objective. Cells of one kind of objective and of tables of similar
length are lanes of the same job; a fit of many tables is a handful of jobs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ..formula._coordinates import Layout
from ..ground._compiled import compiled
from ._blocks import Run
from ._lanes import Job
from ._problem import Problem
from ._results import Fit, Fits

# rows of padding: at some 20 steps of 20 ns each about as long as a compilation
_WORTH_COMPILING = 3e7


def jobs_of(problems: list[list[Problem]], lanes: int) -> list[tuple[list[int], list[int]]]:
    """Tables and objectives that go into one job each: objectives of one kind, tables of similar
    length.

    A job pads its tables to the longest, and every job compiles: tables are set apart where they
    are less than a quarter as long and `lanes` solves of each would waste more time on padding than
    a compilation takes.
    """
    kinds: dict[Any, list[int]] = {}
    for o, problem in enumerate(problems[0]):
        kinds.setdefault(type(problem.objective), []).append(o)
    lengths: list[list[int]] = []
    size = [len(of_table[0].runs) for of_table in problems]
    order = sorted(range(len(size)), key=lambda d: -size[d])
    for i, d in enumerate(order):
        longest = size[lengths[-1][0]] if lengths else 0
        waste = lanes * sum(longest - size[k] for k in order[i:])
        if not lengths or (4 * size[d] < longest and waste > _WORTH_COMPILING):
            lengths.append([])
        lengths[-1].append(d)
    return [(sorted(rows), columns) for rows in lengths for columns in kinds.values()]


def part(run: Run, number: int, count: int) -> Run:
    """Each job of a call has a directory of its own."""
    if run.directory is None or count == 1:
        return run
    return dataclasses.replace(run, directory=os.path.join(run.directory, f"part_{number}"))


def coordinates(job: Job, params: Mapping[str, Any]) -> np.ndarray:
    """Coordinates (L, P) of parameters (L, ...)."""
    with jax.enable_x64(True):
        free = {k: np.asarray(params[k], np.float64) for k in job.law.free}
        packed: np.ndarray = np.asarray(_packed(free, layout=job.layout)) / job.unit
        return packed


@compiled  # of one layout: looking at a fit compiles nothing anew
def _packed(free: dict[str, Any], *, layout: Layout) -> Any:
    return jax.vmap(layout.pack)(free)


def optima(job: Job, points: Sequence[Fit]) -> np.ndarray:
    """Coordinates (cells, P) of fits."""
    return coordinates(job, {k: np.stack([p.params[k] for p in points]) for k in job.law.free})


def gathered(cells: np.ndarray, several: tuple[bool, bool]) -> Fits:
    """Fits (tables, objectives) with the axes that were asked for."""
    axes = tuple(name for name, many in zip(("tables", "objectives"), several, strict=True) if many)
    return Fits(cells[tuple(slice(None) if many else 0 for many in several)], axes)
