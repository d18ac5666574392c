"""`allocate`: the columns of a law that lose least under a budget, for one law or a whole ensemble.

This module puts the question (which columns, which bounds, which cost), runs one lane per law and budget through the
tiles, and names the results. How one plan is found and certified is in `_plan`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import costs as _costs
from ._call import check_codes, codes_of
from ._checks import nearest, refuse
from ._law import Law
from ._maps import flat
from ._plan import Question, Shape, plan_tile, plans
from ._results import KKT, Allocation, Fit, Status, bound
from ._tiles import bucket, run_points
from ._tree import node, static, to_numpy, traced
from .solvers import Newton, as_solver


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
    A column that the cost does not read needs an upper bound.

    Works under `jax.grad`, `jit` and `vmap` inside `with jax.enable_x64(True)`, with respect to the budget, prices
    in the cost, given columns and the parameters of a bound law. Raises InputError where the problem is not well put;
    a plan that fails its KKT conditions has a status instead.

    >>> from jaxscale import laws
    >>> plan = allocate(laws.chinchilla.published["besiroglu2024"], 1e21)
    >>> float(f"{float(plan['N']):.4g}"), float(f"{float(plan['D']):.4g}")
    (2778000000.0, 59990000000.0)

    Source of the closed forms it is checked against: Hoffmann et al. 2022 eq. 4. The method is ours.
    """
    fitted = law if isinstance(law, Fit) else None
    if fitted is None:
        own: Law = law  # type: ignore[assignment]
    else:
        own = fitted.problem.law._note(labels=fitted.problem.runs.labels)
    shape, cost, given, codes, low, high = _put(own, cost, over, given or {}, bounds or {}, solver)
    if fitted is None and own.free:
        raise TypeError(f"allocate: {own.name} is not bound: {', '.join(own.free)} are free. Fit it, or fix(...) them.")
    if traced(own, budget, cost, given):
        if fitted is not None:
            own = fitted.law
        return _allocation(plans(Question(own, cost, given, codes, low, high, shape), jnp.asarray(budget)), shape, budget)

    budgets = np.asarray(budget, np.float64)
    if budgets.ndim > 1 or not np.all(np.isfinite(budgets)) or np.any(budgets <= 0):
        raise refuse(f"budget {budget!r}", why="a logarithm, or a matrix of budgets", change="positive numbers, () or (n,)")
    if fitted is None:
        values = {k: np.asarray(v)[None] for k, v in own.fixed.items()}
    else:
        tied = dict(own.ties)
        values = {k: v for k, v in flat(fitted).items() if k not in tied}
        own = bound(fitted.problem, {k: v[0] for k, v in values.items()})
    lead = np.shape(fitted.value) if fitted is not None else ()
    draws = int(np.prod(lead, dtype=int))
    for parameter, group in own.groups:
        if np.ndim(own.fixed[parameter]) > len(dict(own.specs)[parameter].shape):
            check_codes(own.name, group, codes[group], len(own.fixed[parameter]))
    budgets_flat = budgets.reshape(-1)
    job = (
        Question(own, cost, to_numpy(given), codes, low, high, shape),
        {k: _padded(v, 4096) for k, v in values.items()},
        _padded(budgets_flat, 1024),
        np.int32(len(budgets_flat)),
    )
    plan = run_points(plan_tile, job, draws * len(budgets_flat), label="plans")
    lead += budgets.shape
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
    codes = {k: codes_of(law, k, v) for k, v in given.items() if k in groups}
    given = {k: v for k, v in given.items() if k not in groups}
    over = tuple(over) if over is not None else tuple(c for c in law.columns if c not in given)
    reads = tuple(inspect.signature(cost).parameters)
    units = dict(zip(law.columns, law.column_units, strict=True))
    for name in [*over, *bounds]:
        if name not in units:
            raise refuse(f"allocate: {law.name} has no column {name!r}", why="a typing slip", change=nearest(name, units).strip())
    if both := [c for c in over if c in given]:
        raise refuse(f"allocate: {both[0]} is given and chosen", why="it is in over= and in given=", change="name it once")
    if odd := [c for c in given if c not in units and c not in reads]:
        raise refuse(f"allocate: nothing reads given {odd[0]!r}", why="a typing slip", change=nearest(odd[0], units).strip())
    if idle := [c for c in bounds if c in units and c not in over]:
        raise refuse(f"allocate: {idle[0]} has bounds and is not chosen", why="it is given", change="drop its bounds")
    if unnamed := sorted(groups - set(codes)):
        raise refuse(
            f"allocate: {law.name} has one value per {unnamed[0]!r}, and nothing says for which group to plan",
            why="the law was fitted per group",
            change=f"given={{{unnamed[0]!r}: 'name of the group'}}",
        )
    if missing := [c for c in [*law.columns, *reads] if c not in over and c not in given]:
        raise refuse(
            f"allocate: nothing says what {missing[0]} is",
            why=f"the {'law' if missing[0] in law.columns else 'cost'} reads it, and it is not among the columns to choose",
            change=f"given={{{missing[0]!r}: ...}}, or another cost",
        )
    if vector := [c for c in over if units[c].rank]:
        raise refuse(
            f"allocate: {vector[0]} is a vector of shares", why="mixtures are not allocated yet", change="put it in given={...}"
        )
    log = tuple(units[c].support == "positive" for c in over)
    low, high = [], []
    for name, logarithmic in zip(over, log, strict=True):
        natural = {"unit": (0.0, 1.0), "nonnegative": (0.0, np.inf)}.get(units[name].support, (-np.inf, np.inf))
        a, b = (w if v is None else v for v, w in zip(bounds.get(name, (None, None)), natural, strict=True))
        if not a < b and not (a == b):
            raise refuse(f"allocate: bounds of {name} are ({a}, {b})", why="they were swapped", change="give (low, high)")
        if not logarithmic and not np.isfinite([a, b]).all():
            raise refuse(
                f"allocate: {name} needs two bounds",
                why="it may be 0, so it is searched in a box",
                change=f"bounds={{{name!r}: (low, high)}}",
            )
        low.append(np.log(max(a, 0.0)) if logarithmic and a > 0 else -np.inf if logarithmic else a)
        high.append(np.log(b) if logarithmic else b)
    turns = [j for j, c in enumerate(over) if log[j] and c in reads]
    if not turns:
        raise refuse(
            f"allocate: the cost reads {', '.join(reads)}, none of which is chosen",
            why="it is another budget's cost",
            change="cost= or over=",
        )
    if costless := [c for c, top in zip(over, high, strict=True) if c not in reads and not np.isfinite(top)]:
        name = costless[0]
        raise refuse(
            f"allocate: {name} is chosen, and neither the cost (of {', '.join(reads)}) nor a bound holds it",
            why="a column that costs nothing runs to infinity: more of it is always better",
            change=f"given={{{name!r}: ...}}, bounds={{{name!r}: (None, high)}}, or a cost that reads {name}",
        )
    free = [j for j in turns if np.isneginf(low[j]) and np.isposinf(high[j])]
    shape = Shape(
        over,
        log,
        reads,
        (free[-1],) if free else tuple(turns),
        bool(np.all(np.isfinite(high))),
        as_solver(solver or Newton(max_steps=60)),
    )
    node_cost = cost if jax.tree.leaves(cost) and not callable(jax.tree.leaves(cost)[0]) else _Function(cost)
    node_cost = jax.tree.map(lambda v: v if traced(v) else np.asarray(v, np.float64), node_cost)
    given = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in given.items()}
    return shape, node_cost, given, codes, np.asarray(low), np.asarray(high)


def _allocation(plan: dict[str, Any], shape: Shape, budget: Any) -> Allocation:
    remarks = []
    if not traced(plan):
        plan = jax.tree.map(lambda v: v[()] if np.ndim(v) == 0 else v, plan)
        failed = int(np.sum(np.asarray(plan["status"]) != 0))
        none = int(np.sum(np.asarray(plan["status"]) & Status.NON_FINITE.value != 0))
        if none:
            remarks.append(f"{none} plans have no feasible point: the bounds cost more than the budget")
        with np.errstate(invalid="ignore"):
            unspent = int(np.sum(np.asarray(plan["cost"]) < 0.999 * np.asarray(budget)))
        if unspent:
            remarks.append(f"{unspent} plans leave part of the budget unspent: every column is at its upper bound")
        if failed > none:
            remarks.append(
                f"{failed - none} plans fail their KKT conditions: no interior optimum, or a budget that does not bind"
            )
    return Allocation(
        {c: plan["columns"][c] for c in shape.over},
        plan["loss"],
        plan["cost"],
        budget,
        plan["price"],
        plan["active"],
        plan["status"],
        KKT(*plan["kkt"]),
        tuple(remarks),
    )
