"""The compute-optimal curve of a fit: least loss for a budget, its slopes, and the budget that a
loss takes.

What a recipe is worth is read off this curve. Its slopes by the parameters of the law need no
derivative of a plan: at an optimum the plan's own response changes nothing in first order (the
envelope theorem), so they are those of the law at the plan's columns. The slope by the budget is
the shadow price that the plan comes with.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import bucket, run_points
from ..fitting._evidence import Evidence, Frame
from ..fitting._results import Ensemble, Fit, Status
from ..formula._law import Law
from ..ground._compiled import compiled
from ..ground._errors import refuse
from ..ground._trees import to_numpy
from ._answers import first_law, solved
from ._question import Put, put

_TILE = 1024


@dataclass(frozen=True, eq=False)
class Optimal:
    """A fit's evidence (T tables), and the two questions about its law: least loss for a budget,
    least cost for a target.
    """

    fit: Fit
    at: list[Evidence]
    asked: Put
    aimed: Put

    def along(self, budgets: np.ndarray) -> Along:
        """The curve at budgets (T, K)."""
        found = _plans(self.fit, self.asked, budgets)
        z = found["z"].reshape(budgets.size, -1)
        x = np.repeat(np.stack([e.x for e in self.at]), budgets.shape[1], 0)
        extra = bucket(len(z), 64) - len(z)
        z, x = (np.concatenate([v, np.repeat(v[:1], extra, 0)]) for v in (z, x))
        slopes = run_points(
            _slopes,
            (to_numpy(self.asked.question.oracle), self.at[0].frame, x, z),
            len(z),
            tile=_TILE,
        )
        slopes = slopes[: budgets.size].reshape(*budgets.shape, -1)
        loss = np.where(_feasible(found), found["loss"], np.nan)
        price = np.sum(found["prices"], -1)
        return Along(
            loss, -price * budgets / loss, np.where(np.isfinite(loss)[..., None], slopes, np.nan)
        )


@dataclass(frozen=True, eq=False)
class Along:
    """Least loss (T, K), its slope d ln L / d ln C (T, K), and the slopes (T, K, P) of ln L by the
    coordinates of the fit.
    """

    loss: np.ndarray
    steep: np.ndarray
    slopes: np.ndarray


Sides = tuple[Optimal, Optimal]  # base, other


def optimal(
    fit: Fit,
    at: list[Evidence],
    *,
    cost: Any = None,
    over: tuple[str, ...] | None = None,
    given: Mapping[str, Any] | None = None,
    bounds: Mapping[str, Any] | None = None,
) -> Optimal:
    """The curve of a fit; of a law of one column the cost is that column, unless another
    is given.
    """
    law = first_law(fit)
    cost = cost_of(law, cost)
    rest: tuple[Any, ...] = (cost, over, given or {}, bounds or {}, {}, {}, None, 4, None)
    asked, aimed = put(law, 1e12, None, *rest), put(law, None, 1.0, *rest)
    if inside := sorted(
        {*asked.question.of(asked.question.rules[0]).reads} & {k for k, _ in law.specs}
    ):
        raise refuse(
            f"recipes: the cost reads {inside[0]!r}, a parameter of the law",
            why="a budget is the same for both recipes, whatever their laws",
            change="a cost of columns, such as lambda N, D: 6 * N * D",
        )
    return Optimal(fit, at, asked, aimed)


def cost_of(law: Law, cost: Any) -> Any:
    """The only column of a law, where it has one and no cost is given; else what was given."""
    scalars = [c for c, u in zip(law.columns, law.column_units, strict=True) if not u.rank]
    return (
        _itself(law.columns[0]) if cost is None and len(law.columns) == len(scalars) == 1 else cost
    )


@functools.lru_cache(maxsize=64)
def _itself(name: str) -> Callable[..., Any]:
    def cost(**columns: Any) -> Any:
        return columns[name]

    own = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
    cost.__signature__ = inspect.Signature([own])  # type: ignore[attr-defined]
    return cost


def losses(fit: Fit | Ensemble, asked: Put, budgets: np.ndarray) -> np.ndarray:
    """Least losses (..., K) for budgets (..., K), whose first axes are those of the fit; nan where
    no plan is feasible.
    """
    found = _plans(fit, asked, budgets)
    return np.asarray(np.where(_feasible(found), found["loss"], np.nan))


def costs(fit: Fit | Ensemble, aimed: Put, targets: np.ndarray) -> np.ndarray:
    """Least costs (..., K) of losses (..., K): infinite where the law never falls so low, nan for
    no target.
    """
    known = np.isfinite(targets)
    found = _plans(fit, aimed, np.where(known, targets, 1.0))
    out = np.where(
        _feasible(found),
        found["cost"],
        np.where(found["status"] & Status.MAX_STEPS.value, np.nan, np.inf),
    )
    return np.asarray(np.where(known, out, np.nan))


def _plans(fit: Fit | Ensemble, put: Put, limits: np.ndarray) -> dict[str, Any]:
    question = put.question
    if question.rules[0].name == "budget":
        question = dataclasses.replace(
            question, reach=np.float64(np.log(max(float(np.max(limits)), 1e12)))
        )
    return solved(
        dataclasses.replace(put, question=question, limits=limits[..., None]), fit, per_law=True
    )


def _feasible(found: dict[str, Any]) -> np.ndarray:
    return np.asarray(found["status"] & (Status.NON_FINITE | Status.MAX_STEPS).value == 0)


@compiled
def _slopes(index: Any, job: Any) -> Any:
    """Slopes (L, P) of ln of the law's value by coordinates x (L, P), at the columns z (L, k)."""
    oracle, frame, x, z = job

    def one(i: Any) -> Any:
        def value(u: Any) -> Any:
            return jnp.log(dataclasses.replace(oracle, law=_bound(frame, u)).known(z[i])["loss"])

        return jax.jacfwd(value)(x[i])

    return jax.vmap(one)(index)


def _bound(frame: Frame, u: Any) -> Law:
    return frame(u)
