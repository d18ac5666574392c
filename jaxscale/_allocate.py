"""`allocate`: the columns of a law that lose least under a budget.

One budget, any cost that grows with a column: that column (D, say) is computed from the others by solving the cost
for it, so the budget is spent exactly and the rest is a small problem without constraints other than boxes. The same
driver and damped Newton as in a fit solve it, one lane per law and budget. Positive columns are logarithms, columns
that may be 0 (a sparsity) stay natural within their box. Where the computed column has bounds itself, each column
takes its turn at being computed: in a convex problem the optimum has a column that no bound holds, and with that one
computed its bounds do not matter.

The search carries no derivatives; one Newton step with derivatives on follows it, which makes the plan differentiable
in budget, prices and law by the implicit function theorem. The certificate checks the first-order conditions again in
the columns themselves.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import costs as _costs
from ._checks import nearest, refuse
from ._law import Law, evaluate
from ._results import KKT, Allocation, Fit, Status, bound
from ._roots import root
from ._tiles import POINT_TILE, bucket, run_tiles, tile_size
from ._tree import node, static, to_numpy, traced
from .solvers import Newton, as_solver, derivatives, minimise

_SCREEN = 6  # starting points that are looked at, per column that is searched
_KKT = 1e-6


@dataclass(frozen=True)
class _Shape:
    """The static part of a problem: which columns are searched, in which coordinates, who reads what."""

    over: tuple[str, ...]
    log: tuple[bool, ...]
    cost_reads: tuple[str, ...]
    computed: tuple[int, ...]  # columns that take a turn at being computed from the budget
    boxed_above: bool  # whether every column has a finite upper bound
    solver: Any


@node()
class _Problem:
    """What a plan depends on: all numbers are leaves."""

    law: Law
    cost: Any
    given: dict[str, Any]
    codes: dict[str, Any]
    low: Any  # (k,) bounds in coordinates
    high: Any
    shape: _Shape = static()


@node()
class _Function:
    """A plain cost function: its constants are baked in, a new function compiles once."""

    function: Callable[..., Any] = static()

    def __call__(self, **columns: Any) -> Any:
        return self.function(**columns)


def allocate(
    law: Law | Fit,
    budget: Any,
    *,
    cost: Any = None,
    over: tuple[str, ...] | None = None,
    given: dict[str, Any] | None = None,
    bounds: dict[str, tuple[float | None, float | None]] | None = None,
    solver: Any = None,
) -> Allocation:
    """The columns that minimise a law at a cost of `budget` [in the units of the cost, FLOP by default].

    `law` is a bound law, a fit, or an ensemble; `budget` a number or an array (budgets,). Results have the shape
    (), (budgets,), (refits,) or (refits, budgets). `cost` names its columns (default `costs.Train()`, 6 N D), `over`
    the columns to choose (default: all that are not `given`), `bounds` maps columns to (low, high), None for no bound.

    Works under `jax.grad`, `jit` and `vmap` inside `with jax.enable_x64(True)`, with respect to the budget, prices
    in the cost, given columns and the parameters of a bound law. Raises InputError where the problem is not well put;
    a plan that fails its KKT conditions has a status instead.

    >>> from jaxscale import laws
    >>> plan = allocate(laws.chinchilla.published["besiroglu2024"], 1e21)
    >>> float(f"{float(plan['N']):.4g}"), float(f"{float(plan['D']):.4g}")
    (2778000000.0, 59990000000.0)

    Source of the closed forms it is checked against: Hoffmann et al. 2022 eq. 4. The method is ours.
    """
    problem_law = law.problem.law if isinstance(law, Fit) else law
    shape, cost, given, codes, low, high = _put(problem_law, cost, over, given or {}, bounds or {}, solver)
    ensemble = isinstance(law, Fit) and np.ndim(law.value) == 1
    if isinstance(law, Fit) and not ensemble:
        law = law.law
    if not isinstance(law, Fit) and law.free:
        raise TypeError(f"allocate: {law.name} is not bound: {', '.join(law.free)} are free. Fit it, or fix(...) them.")
    if traced(law, budget, cost, given):
        plan = _plans(_Problem(law, cost, given, codes, low, high, shape), jnp.asarray(budget))
        return _allocation(plan, shape, budget)

    budgets = np.asarray(budget, np.float64)
    if budgets.ndim > 1 or not np.all(np.isfinite(budgets)) or np.any(budgets <= 0):
        raise refuse(f"budget {budget!r}", why="a logarithm, or a matrix of budgets", change="positive numbers, () or (n,)")
    tied = dict(problem_law.ties)
    draws = len(law) if isinstance(law, Fit) else 1
    if isinstance(law, Fit):
        values = {k: np.asarray(v) for k, v in law.params.items() if k not in tied}
        base = bound(law.problem, {k: v[0] for k, v in law.params.items()})
    else:
        values, base = {k: np.asarray(v)[None] for k, v in law.fixed.items()}, law
    flat = budgets.reshape(-1)
    job = (
        _Problem(base, cost, to_numpy(given), codes, low, high, shape),
        {k: _padded(v, 4096) for k, v in values.items()},
        _padded(flat, 1024),
        np.int32(len(flat)),
    )
    plan = run_tiles(_plan_tile, job, draws * len(flat), tile_size(POINT_TILE), label="plans")
    lead = (draws,) * ensemble + budgets.shape
    return _allocation(jax.tree.map(lambda v: v.reshape(lead + v.shape[1:]), plan), shape, budgets)


def _padded(values: np.ndarray, least: int) -> np.ndarray:
    extra = bucket(len(values), least) - len(values)
    return np.concatenate([values, np.repeat(values[:1], extra, axis=0)])


def _put(
    law: Law, cost: Any, over: tuple[str, ...] | None, given: dict[str, Any], bounds: dict[str, Any], solver: Any
) -> tuple[Any, ...]:
    """Check the question and lay it out: shape, cost, given columns, group codes, bounds in coordinates."""
    cost = _costs.Train() if cost is None else cost
    groups = set(dict(law.groups).values())
    codes = {k: law._codes(k, v) for k, v in given.items() if k in groups}
    given = {k: v for k, v in given.items() if k not in groups}
    over = tuple(over) if over is not None else tuple(c for c in law.columns if c not in given)
    reads = tuple(inspect.signature(cost).parameters)
    units = dict(zip(law.columns, law.column_units, strict=True))
    for name in [*over, *bounds]:
        if name not in units:
            raise refuse(f"allocate: {law.name} has no column {name!r}", why="a typing slip", change=nearest(name, units).strip())
    if missing := [c for c in [*law.columns, *reads] if c not in over and c not in given]:
        raise refuse(
            f"allocate: nothing says what {missing[0]} is",
            why=f"the {'law' if missing[0] in law.columns else 'cost'} reads it, and it is not among the columns to choose",
            change=f"given={{{missing[0]!r}: ...}}, or another cost",
        )
    if vector := [c for c in over if units[c].rank]:
        raise refuse(f"allocate: {vector[0]} is a vector of shares", why="mixtures are not allocated yet", change="put it in given={...}")
    log = tuple(units[c].support == "positive" for c in over)
    low, high = [], []
    for name, logarithmic in zip(over, log, strict=True):
        natural = {"unit": (0.0, 1.0), "nonnegative": (0.0, np.inf)}.get(units[name].support, (-np.inf, np.inf))
        a, b = (w if v is None else v for v, w in zip(bounds.get(name, (None, None)), natural, strict=True))
        if not a < b and not (a == b):
            raise refuse(f"allocate: bounds of {name} are ({a}, {b})", why="they were swapped", change="give (low, high)")
        if not logarithmic and not np.isfinite([a, b]).all():
            raise refuse(f"allocate: {name} needs two bounds", why="it may be 0, so it is searched in a box", change=f"bounds={{{name!r}: (low, high)}}")
        low.append(np.log(max(a, 0.0)) if logarithmic and a > 0 else -np.inf if logarithmic else a)
        high.append(np.log(b) if logarithmic else b)
    turns = [j for j, c in enumerate(over) if log[j] and c in reads]
    if not turns:
        raise refuse(f"allocate: the cost reads {', '.join(reads)}, none of which is chosen", why="it is another budget's cost", change="cost= or over=")
    free = [j for j in turns if np.isneginf(low[j]) and np.isposinf(high[j])]
    shape = _Shape(
        over, log, reads, (free[-1],) if free else tuple(turns), bool(np.all(np.isfinite(high))), as_solver(solver or Newton(max_steps=60))
    )
    own = cost if jax.tree.leaves(cost) and not callable(jax.tree.leaves(cost)[0]) else _Function(cost)
    own = jax.tree.map(lambda v: v if traced(v) else np.asarray(v, np.float64), own)
    given = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in given.items()}
    return shape, own, given, codes, np.asarray(low), np.asarray(high)


@jax.jit
def _plan_tile(index: Any, job: Any) -> dict[str, Any]:
    """Plans of lanes `index` (T,): law `index // count`, budget `index % count`."""
    problem, values, budgets, count = job

    def one(i: Any) -> dict[str, Any]:
        law = dataclasses.replace(problem.law, fixed={k: v[i // count] for k, v in values.items()})
        return _plan(dataclasses.replace(problem, law=law), budgets[i % count])

    return jax.vmap(one)(index)


@jax.jit
def _plans(problem: _Problem, budget: Any) -> dict[str, Any]:
    plan = _plan
    for _ in range(budget.ndim):
        plan = jax.vmap(plan, in_axes=(None, 0))
    return plan(problem, budget)


def _natural(problem: _Problem, z: Any) -> dict[str, Any]:
    """Columns by name from coordinates (k,)."""
    shape = problem.shape
    return {c: jnp.exp(z[j]) if shape.log[j] else z[j] for j, c in enumerate(shape.over)}


def _loss(problem: _Problem, z: Any) -> Any:
    rows = {**problem.given, **_natural(problem, z)}
    one = {c: jnp.reshape(rows[c], (1, *jnp.shape(rows[c]))) for c in problem.law.columns}
    return evaluate(problem.law, one, {}, {g: jnp.reshape(v, (1,)) for g, v in problem.codes.items()})[0]


def _log_cost(problem: _Problem, z: Any) -> Any:
    rows = {**problem.given, **_natural(problem, z)}
    return jnp.log(problem.cost(**{c: rows[c] for c in problem.shape.cost_reads}))


def _plan(problem: _Problem, budget: Any) -> dict[str, Any]:
    """The best plan of one lane over all turns."""
    candidates = [_turn(problem, budget, e) for e in problem.shape.computed]
    if problem.shape.boxed_above:  # the budget may be more than the bounds let us spend
        candidates.append((jnp.asarray(problem.high), _log_cost(problem, problem.high) <= jnp.log(budget)))
    z = jnp.stack([c[0] for c in candidates])
    usable = jnp.stack([c[1] for c in candidates])
    losses = jnp.where(usable, jax.vmap(lambda u: _loss(problem, u))(z), jnp.inf)
    which = jnp.argmin(losses)
    return _judge(problem, budget, z[which], jnp.any(usable))


def _turn(problem: _Problem, budget: Any, e: int) -> tuple[Any, Any]:
    """Optimum with column `e` computed from the budget, its own bounds ignored; and whether they hold."""
    k = len(problem.shape.over)
    rest = np.asarray([j for j in range(k) if j != e])
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
        a = jnp.where(jnp.isfinite(low[rest]), low[rest], jnp.where(log, 0.0, 0.0))
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
        move = jnp.linalg.solve(h, g * free) if len(rest) > 1 else g * free / h[0]
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


def _judge(problem: _Problem, budget: Any, z: Any, feasible: Any) -> dict[str, Any]:
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
    wrong_sign = jnp.max(jnp.maximum(jnp.where(at_low, -left, 0.0), jnp.where(at_high, left, 0.0)))
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


def _allocation(plan: dict[str, Any], shape: _Shape, budget: Any) -> Allocation:
    remarks = []
    if not traced(plan):
        plan = jax.tree.map(lambda v: v[()] if np.ndim(v) == 0 else v, plan)
        failed = int(np.sum(np.asarray(plan["status"]) != 0))
        none = int(np.sum(np.asarray(plan["status"]) & Status.NON_FINITE.value != 0))
        if none:
            remarks.append(f"{none} plans have no feasible point: the bounds cost more than the budget")
        if failed > none:
            remarks.append(f"{failed - none} plans fail their KKT conditions (a law without an interior optimum, or a budget that does not bind)")
    return Allocation(
        {c: plan["columns"][c] for c in shape.over}, plan["loss"], plan["cost"], budget, plan["price"], plan["active"], plan["status"], KKT(*plan["kkt"]), tuple(remarks)
    )
