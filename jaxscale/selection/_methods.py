"""The eight extrapolations of DataDecide and the ranking at one small size, as functions of a table
and a size.

Each function takes a table of small runs of many recipes (a group column `recipe`; columns N and D,
or C; a task loss as the target and a column `accuracy`) and a size, and foretells the accuracy of
every recipe there. In two steps a law gives the task loss at that size, and a sigmoid turns a loss
into an accuracy; in one step a law gives the accuracy itself. All recipes are fitted at once.
`decisions` sets all nine beside each other by decision accuracy: the share of pairs of recipes
whose order they get right.

Where a run has checkpoints (a `run` group and a `step` column), the first step reads the mean of
its last tenth, and the second step all but its first tenth, or its second half in the variants
called `late`. Source of the forms: Magnusson et al. 2025, "DataDecide", authors' code. Not from the
source: objectives (log-Huber with delta 1e-3 for losses, least squares for accuracies), many starts
in place of hand-written ones, and what a table looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import objectives
from ..fitting._fit import fit
from ..fitting._results import Fits, Status
from ..formula._law import Law
from ..ground._errors import nearest, refuse
from ..ground._shown import label_of
from ..laws import loss as _loss
from ..laws.downstream import accuracy_from_compute, accuracy_from_loss, accuracy_from_sizes
from ..table._runs import Runs
from ._by_recipe import Rows, ends_of, rows_after, rows_of, size_of

_STARTS = 32
_FIRST, _HALF = 0.1, 0.5  # of the steps of a run: what the second step leaves out
_ZERO = 1e-6  # a loss of none, where a law of a positive loss is asked


@dataclass(frozen=True, eq=False)
class Predicted:
    """Foretold `values` (recipes,) [the unit of the accuracy; higher is better] and whether the
    fits `converged` (recipes,).
    """

    recipes: tuple[str, ...]
    values: np.ndarray
    converged: np.ndarray

    def __getitem__(self, recipe: str) -> float:
        label = label_of(recipe)
        if label not in self.recipes:
            raise KeyError(f"no recipe {recipe!r}.{nearest(label, self.recipes)}")
        return float(self.values[self.recipes.index(label)])

    def __repr__(self) -> str:
        best = int(np.argmax(self.values))
        said = f"{len(self.recipes)} recipes, best {self.recipes[best]} ({self.values[best]:.4g})"
        return f"<Predicted {said}; {int(self.converged.sum())} converged>"


# -- the eight, and the one to beat --------------------------------------------------------------
def three_parameter(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction] of every recipe at a size `at` [FLOP, or parameters and tokens].

    L = E + (x0 / C)^alpha, then a sigmoid. `at` is {"N": ..., "D": ...} or {"C": ...}. Raises
    InputError where a column is missing or a recipe has too few runs. The seven below take and give
    the same.

    >>> from jaxscale import Runs
    >>> C, gain = np.tile(np.geomspace(1e18, 1e20, 7), 2), np.repeat([1.0, 1.2], 7)
    >>> loss = 0.5 + 1.5 * (C * gain / 1e18) ** -0.15
    >>> score = 0.25 + 0.7 / (1 + np.exp(6 * (loss - 1.4)))
    >>> recipe = {"recipe": np.repeat(["plain", "filtered"], 7)}
    >>> found = three_parameter(Runs.from_columns(C=C, loss=loss, accuracy=score, groups=recipe),
    ...     {"C": 1e21})
    >>> found["filtered"] > found["plain"]
    True

    Source: Magnusson et al. 2025, authors' code, "3_param" (baseline 1).
    """
    return _two_steps(runs, at, _of_compute(runs))


def three_parameter_helper(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction]: `three_parameter` with the point (loss 0, accuracy 1) in the second
    step, so that it saturates.

    Source: Magnusson et al. 2025, authors' code (baseline 2); the point is that of Bhagia et al.
    2024.
    """
    return _two_steps(runs, at, _of_compute(runs), helper=True)


def three_parameter_late(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction]: `three_parameter` whose second step reads only the second half of each
    run.

    Source: Magnusson et al. 2025, authors' code (baseline 3).
    """
    return _two_steps(runs, at, _of_compute(runs), after=_HALF)


def three_parameter_helper_late(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction]: `three_parameter` with the helper point and the second half of each run.

    Source: Magnusson et al. 2025, authors' code (baseline 4).
    """
    return _two_steps(runs, at, _of_compute(runs), helper=True, after=_HALF)


def two_parameter(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction]: L = (x0 / C)^alpha without an irreducible loss, then a sigmoid.

    Source: Magnusson et al. 2025, authors' code, "2_param" (baseline 5).
    """
    return _two_steps(runs, at, _of_compute(runs).fix(E=0.0))


def five_parameter(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction]: L = E + A N^-alpha + B D^-beta, then a sigmoid; `at` has N and D.

    Source: Magnusson et al. 2025, authors' code, "5_param" (baseline 6).
    """
    return _two_steps(runs, at, _loss.chinchilla)


def five_parameter_single_step(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction] as a sigmoid of E + A N^-alpha + B D^-beta, fitted at once; `at` has N
    and D.

    Source: Magnusson et al. 2025, authors' code, "5_param-1_step" (baseline 7).
    """
    return _one_step(runs, at, accuracy_from_sizes)


def three_parameter_single_step(runs: Runs, at: Mapping[str, float]) -> Predicted:
    """Accuracy [fraction] as a sigmoid of E + A C^-alpha, fitted at once.

    Source: Magnusson et al. 2025, authors' code, "3_param-1_step" (baseline 8).
    """
    return _one_step(runs, at, accuracy_from_compute)


def single_scale_rank(
    runs: Runs, at: Mapping[str, float] | None = None, *, metric: str = "accuracy"
) -> Predicted:
    """The `metric` [its unit] at one small size: no extrapolation at all. A loss counts negatively,
    so that higher is better.

    `at` names the size by a column of the table, {"N": 1.5e8}; by default it is the largest that
    every recipe has. Runs of one size (seeds) are averaged. Raises InputError where `at` names
    several columns, or a recipe has no run of that size.

    >>> import jaxscale as jsl
    >>> table = {"N": [1e8, 3e8, 1e8, 3e8], "D": 2e9 * np.ones(4), "loss": [1.5, 1.2, 1.4, 1.1],
    ...     "accuracy": [0.3, 0.5, 0.4, 0.6]}
    >>> runs = jsl.Runs.from_columns(**table, groups={"recipe": ["web", "web", "books", "books"]})
    >>> jsl.selection.single_scale_rank(runs)["books"]
    0.6

    Source: Magnusson et al. 2025; no extrapolation there beats it for the same compute.
    """
    if at is not None and len(at) != 1:
        raise refuse(
            f"single_scale_rank: at names {', '.join(at) or 'nothing'}",
            why="the others ask for N and D of the size to foretell",
            change='one column of the small runs, at={"N": 1.5e8}; other rows are left out by '
            "runs.where(...)",
        )
    ends = ends_of(runs, metric)
    names = [c for c in ("N", "C") if c in next(iter(ends.values()))]
    name, size = (names[0], None) if at is None else next(iter(at.items()))
    if name not in next(iter(ends.values())):
        raise refuse(
            f"single_scale_rank: no column {name!r}",
            why="another name",
            change=nearest(name, names).strip(),
        )
    if size is None:
        shared = set.intersection(*(set(own[name].tolist()) for own in ends.values()))
        if not shared:
            raise refuse(
                f"single_scale_rank: no {name} that all recipes have",
                why="a different ladder per recipe",
                change='at={"N": 1.5e8}',
            )
        size = max(shared)
    if lacking := [r for r, own in ends.items() if not np.any(own[name] == size)]:
        raise refuse(
            f"single_scale_rank: {lacking[0]!r} has no run of {name}={size:g}",
            why="it was not trained",
            change="another size",
        )
    sign = _sign(runs, metric)
    values = np.asarray([sign * np.mean(own[metric][own[name] == size]) for own in ends.values()])
    return Predicted(tuple(ends), values, np.ones(len(values), bool))


def _sign(runs: Runs, metric: str) -> float:
    """Whether a large value of the metric is good, 1, or bad, -1. Raises InputError where its unit
    does not say.
    """
    unit = runs.units[metric]
    if metric == "accuracy" or metric != runs.target_name or unit.dimension == "fraction":
        return 1.0
    if unit.dimension == "loss" or unit.name == "bits/byte":
        return -1.0
    raise refuse(
        f"single_scale_rank: the target {metric!r} is in {unit.name}, which does not say whether "
        f"large is good",
        why="a score was read as a plain number",
        change=f"units={{{metric!r}: units.Fraction}} for a score, units.Nats for a loss",
    )


# -- fits ----------------------------------------------------------------------------------------
def _of_compute(runs: Runs) -> Law:
    """E + (x0 / x)^alpha whose x0 starts near the runs' compute: there its term is about 1."""
    c = np.concatenate([own["C"] for own in rows_of(runs, ("C",)).values()])
    return _loss.power_law.start(x0=(float(c.min()) * 1e-3, float(c.max()) * 10.0))


def _columns(law: Law) -> dict[str, str]:
    """Column of the law by column of the table."""
    return {"C": "x"} if law.columns == ("x",) else {c: c for c in law.columns}


def _fitted(law: Law, tables: list[Rows], target: str, objective: Any) -> Fits:
    names = _columns(law)
    every = []
    for table in tables:
        columns: dict[str, Any] = {own: table[name] for name, own in names.items()}
        every.append(Runs.from_columns(loss=table[target], units={"loss": law.unit}, **columns))
    return fit(law, every, objective=objective, starts=_STARTS)


def _two_steps(
    runs: Runs, at: Mapping[str, float], law: Law, *, helper: bool = False, after: float = _FIRST
) -> Predicted:
    """The task loss at a size by a law, and the accuracy at that loss by a sigmoid."""
    names, target = _columns(law), runs.target_name
    size = size_of(at, tuple(names))
    ends = ends_of(runs, *names, target, "accuracy")
    losses = _fitted(law, list(ends.values()), target, objectives.LogHuber())
    tables = []
    for own in rows_of(runs, (target, "accuracy")).values():
        late, more = rows_after(own, after), 1 if helper else 0
        points = {"L": (own[target], _ZERO), "accuracy": (own["accuracy"], 1.0)}
        tables.append({k: np.append(v[late], [extra] * more) for k, (v, extra) in points.items()})
    links = _fitted(accuracy_from_loss, tables, "accuracy", objectives.Squared())
    values = []
    for i in range(len(tables)):
        loss = losses[i].law(**{own: size[name] for name, own in names.items()})
        values.append(float(links[i].law(L=max(float(loss), _ZERO))))
    return Predicted(tuple(ends), np.asarray(values), _converged(losses) & _converged(links))


def _one_step(runs: Runs, at: Mapping[str, float], law: Law) -> Predicted:
    size = size_of(at, law.columns)
    ends = ends_of(runs, *law.columns, "accuracy")
    fits = _fitted(law, list(ends.values()), "accuracy", objectives.Squared())
    values = [float(fits[i].law(**{c: size[c] for c in law.columns})) for i in range(len(ends))]
    return Predicted(tuple(ends), np.asarray(values), _converged(fits))


def _converged(fits: Fits) -> np.ndarray:
    """A parameter at an edge, as b is with the helper point, still foretells; what did not converge
    does not.
    """
    return np.asarray(np.asarray(fits.status) & (Status.MAX_STEPS | Status.NON_FINITE).value == 0)
