"""A plan's question over the plane of N and D: its goal, cost and limits on a grid of logarithms,
and curves through them.

Whatever a cost or a limit is, its line is where it exceeds its limit by 0. Curves are traced in
logarithms, in which most are straight or nearly so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._compiled import compiled
from ..plans._problem import Question, parts
from ..plans._question import Put
from ..table._runs import Runs

GRID = 200


@compiled
def _values(question: Question, points: Any) -> dict[str, Any]:
    def one(z: Any) -> dict[str, Any]:
        v = question.oracle.values(z)[:, None]
        flat = jnp.zeros((len(v), len(z), 1)), jnp.zeros((len(v), len(z), len(z), 1))
        p = parts(question.ask(question.limits[:, None]), z[:, None], (v, *flat), jnp)
        cost = v[question.cost.at, 0] if question.cost is not None else jnp.nan
        return {"loss": v[0, 0], "cost": cost, "goal": p.goal[0], "excess": p.excess[:, 0]}

    return jax.vmap(one)(points)


def values(question: Question, x: Any, y: Any) -> dict[str, Any]:
    """Loss, cost, goal and excess (..., m) over each limit at ln N = `x`, ln D = `y`, at most GRID
    * GRID points.
    """
    at = {"N": np.ravel(x), "D": np.ravel(y)}
    points = np.ones((GRID * GRID, 2))  # of one length: one program
    for column, _, place in question.shape.slices:
        points[:, place] = np.resize(at[column], len(points))
    with jax.enable_x64(True):
        found = jax.tree.map(np.asarray, _values(question, points))
    shape = np.shape(x)
    return {k: v[: np.size(x)].reshape(shape + v.shape[1:]) for k, v in found.items()}


def with_limits(asked: Put, limits: Any) -> Question:
    return dataclasses.replace(asked.question, limits=np.asarray(limits, np.float64))


def curves(x: np.ndarray, y: np.ndarray, field: np.ndarray) -> list[np.ndarray]:
    """Curves (k, 2) of N and D on which a field over ln N and ln D is 0."""
    from contourpy import contour_generator

    lines = contour_generator(x, y, np.ma.masked_invalid(field)).lines(0.0)
    return [np.exp(np.asarray(line)) for line in lines]


def band(worst: Callable[[Any, Any], Any], across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Outline (k, 2) of N and D of where `worst` is at most 0, between two ln N (`across`) and two
    ln D (`up`).

    A region that is thin and ends in points slips through any grid. So at each ln N the least of
    `worst` is looked for by zooming in, and from there both edges.
    """
    x = np.repeat(np.linspace(across[0], across[1], GRID)[:, None], GRID, 1)
    steps, rows = np.linspace(0.0, 1.0, GRID), np.arange(GRID)

    def ladder(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = low[:, None] + (high - low)[:, None] * steps
        return y, np.nan_to_num(worst(x, y), nan=np.inf)

    low, high = (np.full(GRID, v) for v in up)
    for _ in range(3):
        y, field = ladder(low, high)
        best = np.argmin(field, 1)
        middle, low, high = (
            y[rows, best],
            y[rows, np.maximum(best - 1, 0)],
            y[rows, np.minimum(best + 1, GRID - 1)],
        )
    some = field[rows, best] <= 1e-6
    edges = []
    for end in up:
        inner, outer = middle, np.full(GRID, end)
        for _ in range(2):
            y, field = ladder(inner, outer)
            last = np.argmax(np.concatenate([field[:, 1:] > 0, np.ones((GRID, 1), bool)], 1), 1)
            inner, outer = y[rows, last], y[rows, np.minimum(last + 1, GRID - 1)]
        edges.append(np.stack([x[:, 0], inner], 1)[some])
    return np.asarray(np.exp(np.concatenate([edges[0], edges[1][::-1]])))


@dataclass(frozen=True)
class View:
    """What is seen of the plane: ln N (GRID,) and ln D (GRID,), and their mesh."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def around(cls, seen: dict[str, np.ndarray], runs: Runs | None) -> View:
        """All that is `seen` and all runs, with some room, and no side much shorter than
        the other.
        """
        sides = []
        for name in ("N", "D"):
            places = np.log(
                seen[name] if runs is None else np.concatenate([seen[name], runs[name]])
            )
            places = places[np.isfinite(places)]
            sides.append((places.min(), places.max()))
        least = max(np.log(50.0), 0.6 * max(high - low for low, high in sides))
        room = [
            0.08 * max(high - low, least) + max(least - (high - low), 0) / 2 + 0.1
            for low, high in sides
        ]
        x, y = (
            np.linspace(low - r, high + r, GRID) for (low, high), r in zip(sides, room, strict=True)
        )
        return cls(x, y)

    @property
    def mesh(self) -> tuple[np.ndarray, ...]:
        return tuple(np.meshgrid(self.x, self.y))
