"""Derivatives of plans against finite differences: five of each kind of the problems in `plans`.

Columns, goal and multipliers come with derivatives by the budget (or target), by a limit and by
every parameter of the law. The first two kinds of numbers are compared with central differences of
whole plans, and the price of each limit with the difference of the goal. Plans at a kink (a limit
that just begins to bind) have one-sided derivatives and are left out, counted.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _common import arguments, emit, place
from plans import KINDS, Problem, by_allocate, problem

STEP = 2e-5  # relative


def numbers(p: Problem) -> dict[str, Any]:
    """What is moved, by a relative change each."""
    own = {"law": p.law.params}
    own |= {"budget": p.budget} if p.budget is not None and not p.shares else {}
    own |= {"target": p.target} if p.target is not None else {}
    name, (_, limit) = next(iter(p.constraints.items()))
    if not isinstance(limit, tuple):
        own[name] = limit
    return {k: jax.tree.map(lambda v: np.asarray(v, np.float64), v) for k, v in own.items()}


def moved(p: Problem, own: dict[str, Any]) -> Problem:
    constraints = {k: (f, own.get(k, limit)) for k, (f, limit) in p.constraints.items()}
    return dataclasses.replace(
        p,
        law=p.law.fix(**own["law"]),
        budget=own.get("budget", p.budget),
        target=own.get("target", p.target),
        constraints=constraints,
    )


def wanted(plan: Any) -> dict[str, Any]:
    goal = plan.loss if "target" not in plan.prices else plan.cost
    return {"goal": goal, **plan.columns}


def held(plan: Any) -> tuple[list[bool], list[Any]]:
    """Which limits bind, and which columns sit at a bound."""
    return [bool(b) for b in plan.binding.values()], [
        np.ravel(a).tolist() for a in plan.active.values()
    ]


def worst_of(p: Problem) -> tuple[float, float]:
    """Largest gap of a derivative, relative to it or to what is differentiated, and of a price; nan
    at a kink.
    """
    own = numbers(p)
    plan = by_allocate(p)
    if int(plan.status):
        return np.nan, np.nan
    with jax.enable_x64(True):
        live = jax.tree.map(jnp.asarray, own)
        slopes = jax.jacrev(lambda own: wanted(by_allocate(moved(p, own))))(live)
    leaves, tree = jax.tree.flatten(own)
    gaps, prices = [0.0], [0.0]
    middle = wanted(plan)
    for i, leaf in enumerate(leaves):
        for at in np.ndindex(np.shape(leaf)):
            ends = []
            for sign in (1, -1):
                new = [np.array(v) for v in leaves]
                new[i][at] = leaf[at] * (1 + sign * STEP)
                ends.append(by_allocate(moved(p, jax.tree.unflatten(tree, new))))
            same = all(
                {k: bool(v) for k, v in e.binding.items()}
                == {k: bool(v) for k, v in plan.binding.items()}
                for e in ends
            )
            if (
                not same
                or any(int(e.status) for e in ends)
                or any(np.any(e.active[c] != plan.active[c]) for e in ends for c in e.active)
            ):
                return np.nan, np.nan
            high, low = (wanted(e) for e in ends)
            for k, v in middle.items():
                exact = np.asarray(jax.tree.leaves(slopes[k])[i])[(..., *at)] * leaf[at]
                finite = (np.asarray(high[k]) - np.asarray(low[k])) / (2 * STEP)
                size = np.maximum(np.maximum(np.abs(v), np.abs(exact)), 1e-3)
                gaps.append(float(np.max(np.abs(exact - finite) / size)))
    for name, value in own.items():
        if name in plan.prices:
            exact = float(np.asarray(slopes["goal"][name]))
            prices.append(
                abs(exact + float(plan.prices[name])) * float(value) / abs(float(middle["goal"]))
            )
    return max(gaps), max(prices)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--each", type=int, default=5, help="problems of each kind")
    parser.add_argument("--only", nargs="*", default=KINDS)
    options = parser.parse_args()
    each, kinds = (1, KINDS[7:8]) if options.smoke else (options.each, options.only)
    records = []
    for kind in kinds:
        found = [
            worst_of(problem(kind, np.random.default_rng([KINDS.index(kind), i])))
            for i in range(each)
        ]
        gaps, prices = np.array(found).T
        used = np.isfinite(gaps)
        line = {"method": kind, "problems": int(used.sum()), "left_out": int((~used).sum())}
        line |= {
            "worst_derivative": float(np.max(gaps[used], initial=0.0)),
            "worst_price": float(np.max(prices[used], initial=0.0)),
        }
        records.append({**line, **place("float64")})
        print(f"# {line}", flush=True)
    emit(records, options.output)
    assert max(r["worst_derivative"] for r in records) <= 1e-5
    assert max(r["worst_price"] for r in records) <= 1e-5


if __name__ == "__main__":
    main()
