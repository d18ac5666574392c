"""`influence`: what each run, or each group of runs, does to a parameter, a forecast or a plan.

Two answers to one question. The exact one refits without each unit. The other takes one Newton step
from the optimum without the unit's runs, by implicit differentiation, and costs nothing. Where few
runs lie inside the delta of a Huber objective, whoever is left out decides who lies inside next,
and one step is no refit: then the exact answer is given. The result says which it is. Beside it
stand the derivatives with respect to every weight and every observed loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..fitting._evidence import Evidence, evidence, parameters, slopes_at
from ..fitting._results import Ensemble, Fit, point_of
from ..formula._law import Law
from ..ground._errors import refuse_type
from ._covariance import few_inside, inverse_hessian, left_out


@dataclass(frozen=True)
class Influence:
    """What a result owes to each unit, trees of arrays like the result (`...`), in its units.

    `change` (units, ...): the result without the unit minus the result; `exact` says whether by
    refits. `labels` names the units, rows by their number in the table. `by_weight` and `by_loss`
    (n, ...): derivatives of the result by the weight of each run, and by ln of each observed loss
    (or by the loss over the size of the target, for objectives in its own units; None where the
    law's value is a likelihood). Rows of weight 0 are in none of them.
    """

    value: Any
    change: Any
    by_weight: Any
    by_loss: Any
    labels: tuple[str, ...]
    by: str
    exact: bool

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The units whose absence changes a single number most, with that change."""
        leaves = jax.tree.leaves(self.change)
        if len(leaves) != 1 or np.ndim(leaves[0]) != 1:
            raise refuse_type(
                "top(): the influence on several numbers",
                why="rows are ordered by one",
                change="influence(fit, of=lambda law: ...) of one number",
            )
        order = np.argsort(-np.abs(leaves[0]), kind="stable")[:count]
        return [(self.labels[i], float(leaves[0][i])) for i in order]

    def __repr__(self) -> str:
        how = "refits" if self.exact else "one Newton step"
        return f"<Influence of {len(self.labels)} {self.by}, by {how}>"


def influence(
    fit: Fit | Ensemble,
    *,
    of: Callable[[Law], Any] | None = None,
    by: str | None = None,
    exact: bool | None = None,
) -> Influence:
    """Change of a result, in its units, when each run or group is left out, with its derivatives by
    weights and losses.

    `of` takes the bound law (default: its parameters); `by` names a group column (default: rows, or
    runs where a `run` has several rows). `exact=None` refits where the Newton step cannot be
    trusted: fewer than 20 runs inside delta, or at most 200 runs and a delta below the residual
    scale.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> moved = jsl.uncertainty.influence(best, of=lambda law: jsl.allocate(law, 1e24)["N"])
    >>> len(moved.labels), moved.exact
    (60, False)

    Source: Cook and Weisberg 1982 (case deletion by one step); Giordano et al. 2019 (the same for
    M-estimators).
    """
    point = point_of(fit, "influence()")
    at = evidence(point)
    exact = few_inside(at) if exact is None else exact
    moves, labels, by = moved(at, by, exact=exact)
    values, slopes = slopes_at(at, of or parameters, np.concatenate([at.x[None], at.x + moves]))
    inverse = inverse_hessian(at)

    def along(step: np.ndarray) -> Any:
        return jax.tree.map(lambda s: np.moveaxis(s[0] @ step.T, -1, 0), slopes)

    return Influence(
        value=jax.tree.map(lambda v: v[0], values),
        change=jax.tree.map(lambda v: v[1:] - v[0], values),
        by_weight=along(-(at.scores / at.weights[:, None]) @ inverse),
        by_loss=along((at.bend[:, None] * at.slopes) @ inverse)
        if at.fit.problem.objective.observes
        else None,
        labels=tuple(labels),
        by=by,
        exact=bool(exact),
    )


def moved(
    at: Evidence, by: str | None = None, *, exact: bool = False
) -> tuple[np.ndarray, list[str], str]:
    """Change (units, P) of the optimum without each unit, the labels of the units, and what they
    are.
    """
    runs, units = at.fit.problem.runs, at.clusters(by)
    by = by or runs.clusters or "rows"
    labels = (
        [str(r) for r in at.rows]
        if units is None
        else [runs.labels[by][u] for u in np.unique(units)]
    )
    return left_out(at, by, exact=exact), labels, by
