"""`noise_floor`: how much a run scatters that is trained again, and what that says about a law.

The same configuration with another seed ends at another loss; no law can do better than that
scatter, and a law that does much worse is wrong and not only noisy. Replicates show it directly.
Without them the last checkpoints of each run are a cheap stand-in, which misses what differs from
seed to seed for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import objectives
from ..fitting._evidence import evidence
from ..fitting._results import Ensemble, Fit, point_of
from ..ground._errors import check_level, refuse, refuse_type
from ..ground._tails import f_tail, student
from ..table._rules import cells, distinct, live
from ..table._runs import Runs

_TUNED = 1.345  # of Huber's delta in noise scales: 95 % efficient for normal noise (Huber 1964)


@dataclass(frozen=True, eq=False)
class NoiseFloor:
    """Standard deviation of ln L of runs of one configuration: `sd` pooled, `median` over cells,
    with `dof` freedom.

    `deviations` and `values` (cells,) are the standard deviation of each cell and its mean target;
    `source` says of what.
    """

    sd: float
    median: float
    dof: int
    deviations: np.ndarray
    values: np.ndarray
    source: str

    def __repr__(self) -> str:
        return (
            f"<NoiseFloor of ln L: {self.sd:.4f} pooled, {self.median:.4f} in the middle of "
            f"{len(self.values)} cells ({self.source}, {self.dof} degrees of freedom)>"
        )

    def objective(self) -> objectives.LogHuber:
        """A Huber objective whose quadratic zone is as wide as this noise: delta = 1.345 sd, in ln
        L.
        """
        return objectives.LogHuber(_TUNED * self.sd)

    def visible(self, seeds: int = 1, *, level: float = 0.95, power: float = 0.8) -> float:
        """Least difference of ln L between two recipes that `seeds` runs of each show with that
        power, two-sided.

        >>> floor = NoiseFloor(0.005, 0.005, 1000, np.array([0.005]), np.array([3.0]), "replicates")
        >>> round(floor.visible(), 4), round(floor.visible(seeds=4), 4)
        (0.0198, 0.0099)
        """
        check_level("visible()", level)
        if seeds < 1:
            raise refuse(
                f"visible(seeds={seeds})",
                why="a difference is between runs",
                change="at least one run of each",
            )
        needed = student(0.5 + 0.5 * level, self.dof) + student(power, self.dof)
        return float(needed * self.sd * np.sqrt(2.0 / seeds))


@dataclass(frozen=True)
class LackOfFit:
    """Whether a law misses by more than noise: `ratio` of the mean squares, its `p`, and `missed`,
    what is left of ln L.

    `missed` is the standard deviation of ln L between configurations that noise does not explain: 0
    where nothing is left.
    """

    ratio: float
    p: float
    missed: float
    dof: tuple[int, int]

    def __repr__(self) -> str:
        said = "the law misses by more than noise" if self.p < 0.05 else "no more than noise"
        return (
            f"<LackOfFit F = {self.ratio:.3g} with {self.dof}, p = {self.p:.2g}: {said}; "
            f"{self.missed:.4f} of ln L beyond it>"
        )


def noise_floor(
    runs: Runs, cell: str | Sequence[str] | None = None, *, last: int | None = None
) -> NoiseFloor:
    """Scatter of ln L [standard deviation] of replicates: rows of `runs` with equal columns.

    `cell` names what makes a configuration (default: every column of numbers but `step`, and every
    group but `run` and `seed`). Rows that are equal in everything, seed and run included, are one
    run written down twice: they are not counted, which `.source` says; rows of weight 0 are left
    aside, other weights are not used. Of a run with several rows the last one counts, because an
    earlier checkpoint is no replicate of a shorter run. `last=k` takes the last k checkpoints of
    each run instead, about the line in ln D (or `step`) through them. Raises InputError where
    nothing is replicated.

    >>> runs = Runs.from_columns(N=[1e8] * 4, D=[2e9] * 4, loss=[3.00, 3.03, 2.97, 3.00],
    ...     seed=["1", "2", "3", "4"])
    >>> print(str(noise_floor(runs)).replace(" (", "\\n("))
    <NoiseFloor of ln L: 0.0082 pooled, 0.0082 in the middle of 1 cells
    (replicates, 3 degrees of freedom)>

    Source: the last checkpoints stand for noise in Heineman et al. 2025; the line through them and
    the rest are ours.
    """
    if runs.target is None or not np.all(np.asarray(runs.target) > 0):
        raise refuse(
            "noise_floor(): no positive target",
            why="its scatter is taken in ln",
            change="give a loss",
        )
    runs = live(runs)
    if last is not None:
        return _of_checkpoints(runs, last)
    aside = [", of the last row of each run"] if runs.clusters else []
    runs = runs.smoothed(1) if runs.clusters else runs
    aside += (
        [", chosen by their loss, which hides scatter"]
        if any(r.startswith("best by") for r in runs.remarks)
        else []
    )
    cell = (cell,) if isinstance(cell, str) else cell
    if cell is None:
        cell = [
            *(c for c in runs.columns if c != "step"),
            *(g for g in runs.groups if g not in ("run", "seed")),
        ]
    first = distinct(runs)
    code, target = cells(runs, cell, "noise_floor()"), np.asarray(runs.target)
    groups = [np.log(target[rows]) for rows in _split(code[first], first)]
    groups = [g for g in groups if len(g) > 1]
    if not groups:
        raise refuse(
            f"noise_floor(): no two of {len(runs)} rows share "
            f"{', '.join(cell) or 'a configuration'}",
            why="no run was repeated, or a column such as the learning rate differs",
            change="cell=('N', 'D'), last=5 for the last checkpoints of each run, or train a "
            "replicate",
        )
    copies = len(runs) - len(first)
    source = "".join(["replicates", *aside, *([f", {copies} copies aside"] if copies else [])])
    return _pooled(
        [g - g.mean() for g in groups],
        [len(g) - 1 for g in groups],
        [float(np.exp(g.mean())) for g in groups],
        source,
    )


def noise_of(noise: Any, value: np.ndarray, log: bool) -> tuple[np.ndarray, float]:
    """Standard deviations at `value`s on the scale of an objective (`log`: ln L), and their degrees
    of freedom.

    A plain number is on that scale, and known. What has `.sd`, and perhaps `.dof`, is of ln L, and
    |value| times as large for an objective without logarithms.
    """
    sd = float(getattr(noise, "sd", noise))
    if not (np.isfinite(sd) and sd > 0):
        raise refuse(
            f"noise={sd}",
            why="a standard deviation of ln L between runs is meant",
            change="a positive number such as 0.002",
        )
    times = np.abs(value) if hasattr(noise, "sd") and not log else np.ones(np.shape(value))
    return np.asarray(sd * times), float(getattr(noise, "dof", np.inf))


def lack_of_fit(fit: Fit | Ensemble, floor: NoiseFloor) -> LackOfFit:
    """Test [F, p] of whether the residuals of a fit are larger than the noise floor lets them be,
    in ln L.

    Residuals are averaged over rows of one configuration, so that noise within them is not taken
    for lack of fit; the floor may come from the same table or another. Raises TypeError for an
    objective that is not of ln L.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.uncertainty.lack_of_fit(best,
    ...     NoiseFloor(0.01, 0.01, 30, np.array([0.01]), np.array([2.5]), "replicates")).p > 0.05
    True

    Source: the classic F test of lack of fit against pure error (Draper and Smith 1998, section
    2.1).
    """
    point = point_of(fit, "lack_of_fit()")
    at = evidence(point)
    if not at.fit.problem.objective.log:
        raise refuse_type(
            f"lack_of_fit(): {type(at.fit.problem.objective).__name__} is not about ln L",
            why="a noise floor is the scatter of ln L",
            change="a fit with a logarithmic objective, such as objectives.LogSquared()",
        )
    law, rows = at.fit.problem.law, np.flatnonzero(at.rows) if at.rows.dtype == bool else at.rows
    cell = cells(
        at.fit.problem.runs,
        [*law.columns, *dict.fromkeys(dict(law.groups).values())],
        "lack_of_fit()",
    )[rows]
    means = [(len(g), float(np.mean(g))) for g in _split(cell, at.residual)]
    free = len(at.x) - int(np.sum(at.edge))
    spare = len(means) - free
    if spare < 1:
        raise refuse(
            f"lack_of_fit(): {len(means)} configurations for {free} parameters",
            why="nothing is left to test",
            change="more runs",
        )
    square = sum(n * m**2 for n, m in means) / spare
    ratio = square / floor.sd**2 if floor.sd > 0 else np.inf
    size = len(at.residual) / len(means)
    missed = float(np.sqrt(max(square - floor.sd**2, 0.0) / size))
    return LackOfFit(
        float(ratio), f_tail(float(ratio), spare, floor.dof), missed, (spare, floor.dof)
    )


def _of_checkpoints(runs: Runs, last: int) -> NoiseFloor:
    """About the line in ln of the place through the last checkpoints of each run."""
    if last < 3:
        raise refuse(
            f"noise_floor(last={last})",
            why="the scatter is about a line through the last checkpoints",
            change="at least 3",
        )
    place = next(
        (np.log(np.maximum(runs[c], 1e-300)) for c in ("step", "D") if c in runs.columns), None
    )
    if "run" not in runs.groups or place is None:
        raise refuse(
            "noise_floor(last=...): no run column, or neither step nor D",
            why="rows cannot be put in order",
            change="add them",
        )
    left, freedom, values = list[np.ndarray](), list[int](), list[float]()
    order = np.lexsort((place, np.asarray(runs.groups["run"])))
    for rows in _split(np.asarray(runs.groups["run"])[order], order):
        x, y = place[rows[-last:]], np.log(np.asarray(runs.target)[rows[-last:]])
        if len(x) >= 3 and np.ptp(x) > 0:
            slope, level = np.polyfit(x - x.mean(), y, 1)
            left.append(y - level - slope * (x - x.mean()))
            freedom.append(len(x) - 2)
            values.append(float(np.exp(level)))
    if not left:
        raise refuse(
            "noise_floor(last=...): no run has 3 checkpoints",
            why="rows are whole runs",
            change="replicates: last=None",
        )
    return _pooled(left, freedom, values, f"the last {last} checkpoints of a run")


def _pooled(
    left: list[np.ndarray], freedom: list[int], values: list[float], source: str
) -> NoiseFloor:
    squares = np.array([float(np.sum(v**2)) for v in left])
    each = np.sqrt(squares / np.array(freedom))
    return NoiseFloor(
        sd=float(np.sqrt(squares.sum() / sum(freedom))),
        median=float(np.median(each)),
        dof=sum(freedom),
        deviations=each,
        values=np.array(values),
        source=source,
    )


def _split(codes: np.ndarray, values: Any) -> list[np.ndarray]:
    """Values by code, each in the order that they have."""
    order = np.argsort(codes, kind="stable")
    ends = np.flatnonzero(np.diff(codes[order])) + 1
    return np.split(np.asarray(values)[order], ends)
