"""What is fitted: a law, runs, an objective; and the law again, with the values that were found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..formula._coordinates import element
from ..formula._form import complete
from ..formula._law import Law
from ..ground._errors import refuse_type
from ..ground._trees import node, static
from ..table._runs import Runs


@node()
class Problem:
    """What was fitted: law, runs, objective, solver, and the seed of its starts."""

    law: Law
    runs: Runs
    objective: Any
    solver: Any = static()
    seed: int = static(default=0)


def check_central(problem: Problem, verb: str) -> None:
    """Raise TypeError where residuals do not scatter about the fit: without a target, or about
    another quantile.
    """
    if not problem.objective.observes or float(getattr(problem.objective, "tau", 0.5)) != 0.5:
        raise refuse_type(
            f"{verb} needs an objective that fits the middle of a target: no likelihood, no "
            f"quantile",
            why="residuals do not scatter about such a fit",
            change="jsl.fit(law, runs) with another objective",
        )


def element_names(
    problem: Problem, name: str, shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Place and name of each element of a parameter."""
    group = dict(problem.law.groups).get(name)
    for place in np.ndindex(shape):
        label = (problem.runs.labels[group][place[0]],) if group and place else place[:1]
        yield place, element(name, *label, *place[1:])


def bound(problem: Problem, params: dict[str, Any]) -> Law:
    """The law with these values (one lane), ready to be called with columns; knows the labels of
    its groups.
    """
    tied = dict(problem.law.ties)
    fixed = {k: v for k, v in params.items() if k not in tied}
    return dataclasses.replace(problem.law, fixed=fixed)._note(labels=problem.runs.labels)


def all_parameters(
    law: Law, free: dict[str, np.ndarray], lead: tuple[int, ...] = ()
) -> dict[str, np.ndarray]:
    """All parameters in the order of the law's signature: free ones, fixed ones (repeated over
    `lead`), tied ones.
    """
    fixed = {k: np.broadcast_to(np.asarray(v), (*lead, *np.shape(v))) for k, v in law.fixed.items()}
    return complete(law, fixed | free)
