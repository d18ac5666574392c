"""One plan: least loss at a given cost, as a pure function of a bound law, prices, bounds and a budget.

The cost is solved for one column (D, say), so the budget is spent exactly and the rest is a small problem with boxes
only. The same driver and damped Newton as in a fit solve it, in logarithms for positive columns and in natural numbers
for those that may be 0 (a sparsity). Where the computed column has bounds itself, each column takes its turn at being
computed: in a convex problem some column is held by no bound at the optimum, and with that one computed its bounds do
not matter.

The search carries no derivatives. One Newton step with derivatives on follows it, which makes the plan differentiable
in budget, prices and law by the implicit function theorem. The certificate then checks the first-order conditions
from scratch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._evaluate import evaluate
from ._law import Law
from ._results import Status
from ._roots import root
from ._tree import node, static
from .solvers import derivatives, minimise, solve_positive

_SCREEN = 6  # starting points that are looked at, per column that is searched
_KKT = 1e-6


@dataclass(frozen=True)
class Shape:
    """The static part of a problem: which columns are searched, in which coordinates, who reads what."""

    over: tuple[str, ...]
    log: tuple[bool, ...]
    cost_reads: tuple[str, ...]
    computed: tuple[int, ...]  # columns that take a turn at being computed from the budget
    boxed_above: bool  # whether every column has a finite upper bound
    solver: Any


@node()
class Question:
    """What a plan depends on: all numbers are leaves."""

    law: Law
    cost: Any
    given: dict[str, Any]
    codes: dict[str, Any]
    low: Any  # (k,) bounds in coordinates
    high: Any
    shape: Shape = static()


@jax.jit
def plan_tile(index: Any, job: Any) -> dict[str, Any]:
    """Plans of lanes `index` (T,): law `index // count`, budget `index % count`."""
    problem, values, budgets, count = job

    def one(i: Any) -> dict[str, Any]:
        law = dataclasses.replace(problem.law, fixed={k: v[i // count] for k, v in values.items()})
        return _plan(dataclasses.replace(problem, law=law), budgets[i % count])

    return jax.vmap(one)(index)


@jax.jit
def plans(problem: Question, budget: Any) -> dict[str, Any]:
    plan = _plan
    for _ in range(budget.ndim):
        plan = jax.vmap(plan, in_axes=(None, 0))
    return plan(problem, budget)


def _natural(problem: Question, z: Any) -> dict[str, Any]:
    """Columns by name from coordinates (k,)."""
    shape = problem.shape
    return {c: jnp.exp(z[j]) if shape.log[j] else z[j] for j, c in enumerate(shape.over)}


def _loss(problem: Question, z: Any) -> Any:
    rows = {**problem.given, **_natural(problem, z)}
    one = {c: jnp.reshape(rows[c], (1, *jnp.shape(rows[c]))) for c in problem.law.columns}
    return evaluate(problem.law, one, {}, {g: jnp.reshape(v, (1,)) for g, v in problem.codes.items()})[0]


def _log_cost(problem: Question, z: Any) -> Any:
    rows = {**problem.given, **_natural(problem, z)}
    return jnp.log(problem.cost(**{c: rows[c] for c in problem.shape.cost_reads}))


def _plan(problem: Question, budget: Any) -> dict[str, Any]:
    """The best plan of one lane over all turns."""
    candidates = [_turn(problem, budget, e) for e in problem.shape.computed]
    if problem.shape.boxed_above:  # the budget may be more than the bounds let us spend
        candidates.append((jnp.asarray(problem.high), _log_cost(problem, problem.high) <= jnp.log(budget)))
    z = jnp.stack([c[0] for c in candidates])
    usable = jnp.stack([c[1] for c in candidates])
    losses = jnp.where(usable, jax.vmap(lambda u: _loss(problem, u))(z), jnp.inf)
    which = jnp.argmin(losses)
    return _judge(problem, budget, z[which], jnp.any(usable))


def _turn(problem: Question, budget: Any, e: int) -> tuple[Any, Any]:
    """Optimum with column `e` computed from the budget, its own bounds ignored; and whether they hold."""
    k = len(problem.shape.over)
    rest = np.asarray([j for j in range(k) if j != e], int)
    target = jnp.log(budget)
    low, high = jnp.asarray(problem.low), jnp.asarray(problem.high)

    def full(u: Any, args: Any) -> Any:
        own, wanted = args

        def excess(t: Any, a: Any) -> Any:
            return _log_cost(a[0], jnp.zeros(k).at[rest].set(a[1]).at[e].set(t)) - a[2]

        t = root(excess, -100.0 + 0.0 * wanted, wanted + 100.0, (own, u, wanted))
        return jnp.zeros(k).at[rest].set(u).at[e].set(t)

    def value(u: Any, args: Any) -> Any:
        return _loss(args[0], full(u, args))

    args = (problem, target)
    if len(rest) == 0:
        z = full(jnp.zeros(0), args)
    else:
        at_rest = jax.lax.stop_gradient(args)
        log = jnp.asarray(problem.shape.log)[rest]
        a = jnp.where(jnp.isfinite(low[rest]), low[rest], 0.0)
        b = jnp.where(jnp.isfinite(high[rest]), high[rest], jnp.where(log, jnp.maximum(at_rest[1], a), 1.0))
        points = a + _spread(len(rest)) * (b - a)  # (screen, k - 1)
        first = jax.vmap(lambda u: value(u, at_rest))(points)
        u0 = points[jnp.argmin(jnp.where(jnp.isfinite(first), first, jnp.inf))]
        leaves, tree = jax.tree.flatten(at_rest)
        solved = minimise(
            lambda u, own: value(u, jax.tree.unflatten(tree, own)),
            u0[:, None],
            [leaf[..., None] for leaf in leaves],
            problem.shape.solver,
            lower=low[rest][:, None],
            upper=high[rest][:, None],
        )
        u = jax.lax.stop_gradient(solved.x[:, 0])
        _, g, h = derivatives(lambda v: value(v, args), u)
        h = jax.lax.stop_gradient(h)  # one Newton step is exact to first order without its derivative
        held = ((u <= low[rest]) & (g > 0)) | ((u >= high[rest]) & (g < 0))
        free = jax.lax.stop_gradient(jnp.where(held, 0.0, 1.0))
        h = h * free * free[:, None] + jnp.diag(1.0 - free)
        move = solve_positive(h[..., None], (g * free)[:, None])[:, 0]
        u = u - jnp.where(jnp.isfinite(move) & (jnp.abs(move) < 1e-2), move, 0.0)
        u = jnp.where(held, jax.lax.stop_gradient(jnp.clip(u, low[rest], high[rest])), u)
        z = full(u, args)
    ok = jnp.all(jnp.isfinite(z)) & (z[e] >= low[e] - 1e-9) & (z[e] <= high[e] + 1e-9)
    return z, ok


def _spread(dimensions: int) -> np.ndarray:
    """Points in the unit cube: evenly on a line, a Kronecker sequence above that. Deterministic."""
    count = _SCREEN * dimensions
    steps = [1.0] if dimensions == 1 else [np.sqrt(p) for p in (2, 3, 5, 7, 11, 13, 17, 19)][:dimensions]
    line = (np.arange(count) + 0.5) / count
    return line[:, None] if dimensions == 1 else np.mod(np.arange(1, count + 1)[:, None] * np.asarray(steps), 1.0)


def _judge(problem: Question, budget: Any, z: Any, feasible: Any) -> dict[str, Any]:
    """KKT conditions at a plan: multiplier of the budget from the column that no bound holds."""
    low, high = jnp.asarray(problem.low), jnp.asarray(problem.high)
    loss, slope = jax.value_and_grad(lambda u: _loss(problem, u))(z)
    spent, per = jax.value_and_grad(lambda u: _log_cost(problem, u))(z)
    at_low, at_high = z <= low + 1e-9, z >= high - 1e-9
    size = jnp.max(jnp.abs(slope))
    inside = ~(at_low | at_high) & (jnp.abs(per) > 1e-12)
    price = jnp.where(jnp.any(inside), jnp.max(jnp.where(inside, -slope / jnp.where(inside, per, 1.0), -jnp.inf)), 0.0)
    left = (slope + price * per) / size
    stationarity = jnp.max(jnp.where(at_low | at_high, 0.0, jnp.abs(left)))
    only_low, only_high = at_low & ~at_high, at_high & ~at_low  # at both: a column that was given, of any sign
    wrong_sign = jnp.max(jnp.maximum(jnp.where(only_low, -left, 0.0), jnp.where(only_high, left, 0.0)))
    complementarity = jnp.maximum(jnp.maximum(wrong_sign, 0.0), jnp.maximum(-price / size, 0.0))
    slack = jnp.log(budget) - spent
    feasibility = jnp.where(jnp.any(inside), jnp.abs(slack), jnp.maximum(-slack, 0.0))
    good = feasible & (stationarity <= _KKT) & (complementarity <= _KKT) & (feasibility <= _KKT)
    status = jnp.where(good, 0, jnp.where(feasible & jnp.isfinite(loss), Status.MAX_STEPS.value, Status.NON_FINITE.value))
    edge = jnp.where(at_high, 1, jnp.where(at_low, -1, 0))
    return {
        "columns": _natural(problem, jnp.where(feasible, z, jnp.nan)),
        "loss": jnp.where(feasible, loss, jnp.nan),
        "cost": jnp.exp(spent),
        "price": price / budget,
        "active": {c: edge[j] for j, c in enumerate(problem.shape.over)},
        "status": status,
        "kkt": (stationarity, feasibility, complementarity),
    }
