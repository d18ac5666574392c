"""Regret: what a plan loses against the best one, under every law that the data allow; and the plan
that loses least.

The best plan of the best fit is one plan of many that the refits would have chosen. What matters is
not how far apart these plans lie but how much is lost by taking one where another would have been
right: in loss, in compute that bought nothing, and in units of the noise of a single run. `regret`
measures it for any plan; `decide` looks for the plan that loses least on average, or in the worst
tenth of the refits, instead of the one that is best if the fit is exactly right.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import on_device
from ..fitting._evidence import evidence
from ..fitting._results import Ensemble, Status
from ..ground._errors import nearest, refuse
from ..ground._roots import root
from ..ground._shown import values
from ..ground._trees import node, static, to_numpy
from ..uncertainty._covariance import noise_scale
from ._answers import of_lanes, solved, spread, traced_plans
from ._oracle import Function, coordinates, evaluated
from ._problem import Question, Rule, parts, relative
from ._question import Put

_FEW = 4  # lanes side by side where each is a sum over all refits


@dataclass(frozen=True, eq=False)
class Regret:
    """What the plan `columns` loses under each refit (n,): in `loss`, in `compute` [share of its
    cost] and in `noise`.

    `loss` is in the unit of the goal (the law's, or of what was maximised), `noise` in standard
    deviations of the loss of one run (None where the goal is no loss). `excess` counts the refits
    under which the plan breaks a limit or a bound, by its name; `failed` those that have no valid
    plan of their own: they are nan, and in no mean.
    """

    columns: dict[str, Any]
    cost: float
    loss: np.ndarray
    compute: np.ndarray
    noise: np.ndarray | None
    excess: dict[str, int]
    failed: int = 0

    def worst(self, share: float = 0.1) -> float:
        """Mean regret in loss over the worst share of the refits."""
        ordered = np.sort(self.loss[np.isfinite(self.loss)])
        return float(np.mean(ordered[-max(1, round(share * len(ordered))) :]))

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={values(v)}" for k, v in self.columns.items())
        noise = (
            "" if self.noise is None else f"; {np.nanmean(self.noise):.2g} of the noise of one run"
        )
        over = "".join(
            f"; {name} exceeded in {count} refits" for name, count in self.excess.items() if count
        )
        over += f"; {self.failed} refits without a valid plan left out" if self.failed else ""
        return (
            f"<Regret of {shown}: {np.nanmean(self.loss):.3g} on average, {self.worst():.3g} in "
            f"the worst tenth; {np.nanmean(self.compute):.2%} of the compute{noise}{over}>"
        )


def regret(
    asked: Put, fitted: Ensemble, best: np.ndarray, status: np.ndarray, columns: dict[str, Any]
) -> Regret:
    """Of columns, or of the point fit's own, where the best goals (n,) of a question are known; see
    `Allocation.regret`.
    """
    own = columns or _of_point(asked, fitted)
    if odd := set(own) ^ set(asked.question.shape.over):
        raise refuse(
            f"regret: {', '.join(sorted(odd))} given or missing; the plan has "
            f"{', '.join(asked.question.shape.over)}",
            why="a plan is all of its columns",
            change=nearest(min(odd), asked.question.shape.over).strip(),
        )
    question, shape = to_numpy(asked.question), asked.question.shape
    z = _coordinates(asked, own)
    values, limits, lead, _ = spread(asked, fitted)
    laws = np.arange(lead[0])
    law = {k: of_lanes(v, laws) for k, v in values.items()}
    ask = question.ask(of_lanes(limits, 0 * laws))
    at = np.repeat(z[:, None], len(laws), 1)
    with np.errstate(all="ignore"):
        v, j, h = on_device(lambda: evaluated(question.oracle, (law, {}), at))
        # ln of a ratio, or against both sides
        broken = relative(ask, parts(ask, at, (v, j, h), np).excess, np).T > 1e-6
    goal, loss = v[question.goal.at], v[0]
    cost = v[question.cost.at] if question.cost is not None else np.full(len(laws), np.nan)
    bad = status != 0
    best = np.where(bad, np.nan, best)
    names = [r.name for r in question.rules]
    budget = names.index("budget") if "budget" in names else -1
    compute = np.full(len(goal), np.nan)
    if budget >= 0 and question.cost is not None:
        target = dataclasses.replace(question.goal, name="target")
        rules = (*(r for i, r in enumerate(question.rules) if i != budget), target)
        kept = np.broadcast_to(np.delete(asked.limits, budget), (len(goal), len(names) - 1))
        cheapest = dataclasses.replace(
            question, goal=question.cost, rules=rules, limits=np.zeros(len(rules))
        )
        aimed = dataclasses.replace(
            asked, question=cheapest, limits=np.concatenate([kept, goal[:, None]], 1)
        )
        least = solved(aimed, fitted, per_law=True)
        bad = bad | (least["status"] != 0)
        compute = np.where(bad, np.nan, 1.0 - least["cost"] / cost)
    noise = None
    if question.goal.name == "loss" and fitted.problem.objective.observes:
        point = evidence(fitted.point)
        sd = np.sqrt(noise_scale(point)) * (loss if fitted.problem.objective.log else point.size)
        noise = (goal - best) / sd
    excess = {
        n: int(np.sum(np.any(broken[:, [i for i, m in enumerate(names) if m == n]], 1)))
        for n in dict.fromkeys(names)
    }
    outside = (z < question.low - 1e-9) | (z > question.high + 1e-9)
    for c, size, a in shape.slices:
        excess[f"bounds of {c}"] = len(goal) * int(np.any(outside[a : a + (size or 1)]))
    return Regret(
        columns=dict(own),
        cost=float(cost[0]),
        loss=goal - best,
        compute=compute,
        noise=noise,
        excess=excess,
        failed=int(np.sum(bad)),
    )


def decide(
    asked: Put, fitted: Ensemble, best: np.ndarray, status: np.ndarray, worst: float
) -> Regret:
    """The columns of least regret, as `regret` has it of them; see `Allocation.decide`."""
    if not 0.0 < worst <= 1.0:
        raise refuse(
            f"decide: worst={worst}",
            why="a percentage",
            change="a share, such as 0.1 for the worst tenth",
        )
    first = regret(asked, fitted, best, status, {})
    usable = status == 0
    values = {
        k: np.asarray(v)[usable] for k, v in fitted.params.items() if k in asked.question.law.fixed
    }
    question = dataclasses.replace(
        to_numpy(asked.question).under(fitted.point.law), limits=asked.limits
    )
    width = np.float64(max(0.05 * np.nanstd(first.loss), 1e-12))
    lost = Function(
        _Expected(question, values, best[usable], width, float(worst)), ("coordinates",)
    )
    oracle = dataclasses.replace(
        question.oracle, functions=(*question.oracle.functions, lost), side_by_side=_FEW
    )
    goal = Rule(len(question.oracle.functions), "regret", log=False)
    own = dataclasses.replace(
        asked, question=dataclasses.replace(question, oracle=oracle, goal=goal)
    )
    found = to_numpy(on_device(lambda: traced_plans(own)))
    if state := int(found["status"]):
        raise refuse(
            f"decide: no plan was found ({Status(state).message})",
            why="the limits leave nothing, or the worst share is too small to be smooth",
            change="allocate(boot, ...).remarks, or a larger worst=",
        )
    return regret(asked, fitted, best, status, _columns(own, found))


def _of_point(asked: Put, fitted: Ensemble) -> dict[str, Any]:
    """The plug-in plan: the optimum of the point fit."""
    own = dataclasses.replace(asked, question=asked.question.under(fitted.point.law))
    return _columns(own, solved(own, None))


def _columns(asked: Put, found: dict[str, Any]) -> dict[str, Any]:
    """Columns of one plan, in the order of the law's."""
    chosen = {c: np.asarray(found["columns"][c])[()] for c in asked.question.shape.over}
    return {c: chosen[c] for c in asked.question.law.columns if c in chosen}


def _coordinates(asked: Put, columns: dict[str, Any]) -> np.ndarray:
    shape = asked.question.shape
    values, log = (
        [np.ravel(np.asarray(columns[c], np.float64)) for c in shape.over],
        np.asarray(shape.log),
    )
    numbers = np.concatenate(values)
    if len(numbers) != len(log) or not np.all(np.isfinite(numbers)) or not np.all(numbers[log] > 0):
        raise refuse(
            f"regret: columns {columns}",
            why="one plan is judged at a time",
            change="positive numbers, N=1e10, D=1e12",
        )
    return coordinates(shape, columns)


@node()
class _Expected:
    """Mean of a goal's regret over the laws of an ensemble, or over its worst share: at coordinates
    (k,).

    The worst share is smooth: an expected shortfall whose corner is rounded over `width`.
    """

    problem: Question
    values: dict[str, Any]
    best: Any
    width: Any
    worst: float = static(1.0)

    def __call__(self, coordinates: Any) -> Any:
        def one(own: dict[str, Any], best: Any) -> Any:
            law = dataclasses.replace(self.problem.law, fixed=own)
            value = self.problem.under(law).goal_at(coordinates)
            return (jnp.log(value) if self.problem.goal.log else value) - best

        lost = jax.vmap(one)(self.values, self.best)
        if self.worst >= 1.0:
            return jnp.mean(lost)

        def below(t: Any, args: Any) -> Any:
            lost, width = args
            return self.worst - jnp.mean(jax.nn.sigmoid((lost - t) / width))

        reach = 50.0 * self.width
        t = root(below, jnp.min(lost) - reach, jnp.max(lost) + reach, (lost, self.width))
        return t + self.width * jnp.mean(jax.nn.softplus((lost - t) / self.width)) / self.worst
