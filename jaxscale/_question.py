"""What is asked of a plan: columns to choose, goal, limits and bounds, checked and laid out for `_plan`.

Everything a user can write wrongly about a plan is found here: a column that nothing holds, a limit that reads what is
not there, bounds that were swapped. Costs and constraints are plain functions; what they read is told by the names of
their arguments.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import costs as _costs
from ._box import box, size_of
from ._call import codes_of
from ._checks import nearest, refuse
from ._law import Law
from ._rules import Question, Rule, Shape
from ._tree import node, static, traced
from .solvers import Newton, as_solver
from .units import Unit

Limit = tuple[Any, str, tuple[str, ...], Any]  # function, name, what it reads, limit or (low, high)


@dataclass(frozen=True)
class Put:
    """A question with what varies from lane to lane: limits (..., m), which it does not hold itself, and columns (c,)."""

    question: Question
    limits: Any
    options: dict[str, Any]
    budget: Any


@node()
class _Function:
    """A plain function: its constants are baked in, a new function compiles once."""

    function: Callable[..., Any] = static()

    def __call__(self, **columns: Any) -> Any:
        return self.function(**columns)


@node()
class _Less:
    """The negative of a function: what is maximised is what the goal makes least."""

    function: Any

    def __call__(self, **columns: Any) -> Any:
        return -self.function(**columns)


def _itself(loss: Any) -> Any:
    return loss


LOSS = Rule(_Function(_itself), "loss", ("loss",), 1.0, False)


def as_node(function: Any) -> Any:
    """A function as a tree: numbers of a dataclass of `costs` are leaves, a plain function is static."""
    own = function if jax.tree.leaves(function) and not callable(jax.tree.leaves(function)[0]) else _Function(function)
    return jax.tree.map(lambda v: v if traced(v) else np.asarray(v, np.float64), own)


def put(
    law: Law,
    budget: Any,
    target: Any,
    cost: Any,
    over: tuple[str, ...] | None,
    given: Mapping[str, Any],
    bounds: Mapping[str, Any],
    constraints: Mapping[str, Any],
    choices: Mapping[str, Any],
    maximise: Any,
    starts: int,
    solver: Any,
) -> Put:
    """The question of `allocate`, checked; see there."""
    if budget is not None and target is not None:
        raise refuse(
            "allocate: a budget and a target",
            why="the least loss for a budget and the least cost for a target are two questions",
            change='one of them; hold the other by budget=..., constraints={"loss": (lambda loss: loss, 2.0)}',
        )
    if budget is None and target is None and not constraints and not bounds and not any(u.rank for u in law.column_units):
        raise refuse(
            "allocate: no budget, no target and no constraint", why="nothing holds the columns", change="allocate(law, 1e21)"
        )
    if taken := [n for n, held in (("budget", budget), ("target", target)) if n in constraints and held is not None]:
        raise refuse(
            f"allocate: a constraint is called {taken[0]!r}, as is what is given by {taken[0]}=",
            why="they would be one limit with one price",
            change="another name for the constraint",
        )
    options = _table(choices)
    groups = set(dict(law.groups).values())
    ranks = {c: u.rank for c, u in zip(law.columns, law.column_units, strict=True)}
    if wide := [k for k, v in given.items() if k not in groups and np.ndim(v) > ranks.get(k, np.ndim(v))]:
        raise refuse(
            f"allocate: given {wide[0]!r} has shape {np.shape(given[wide[0]])}",
            why="a plan has one value of what is given",
            change=f"one number, choices={{{wide[0]!r}: [...]}} for the best of several, or jax.vmap",
        )
    codes = {k: codes_of(law, k, v) for k, v in given.items() if k in groups}
    given = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in given.items() if k not in groups}
    there = {*law.columns, *dict(law.specs), *given, *options, "loss"}
    default = cost is None
    cost = _costs.Train() if default else cost
    reads = _reads(cost, there)
    if default and target is None and budget is None and not set(reads) <= there:
        cost = None
    over = tuple(over) if over is not None else tuple(c for c in law.columns if c not in given and c not in options)
    wanted = () if maximise is None else _reads(maximise, there)
    _check_names(law, over, given, bounds, options, reads, wanted, constraints, there, groups - set(codes), cost is not None)

    score = LOSS if maximise is None else _rule(_Less(as_node(maximise)), "what is maximised", wanted)
    price = None if cost is None else Rule(as_node(cost), "cost", reads, 1.0, True)
    asked: list[Limit] = []
    if budget is not None and price is not None:
        asked.append((price.function, "budget", reads, _amount("budget", budget)))
    if target is not None:
        own = as_node(maximise) if maximise is not None else LOSS.function
        amount = _amount("target", target, positive=False)
        asked.append((own, "target", score.reads, (amount, None) if maximise is not None else amount))
    for name, pair in constraints.items():
        if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[0]):
            raise refuse(
                f"allocate: constraint {name!r} is {pair!r}",
                why="a function without its limit, or a limit without its function",
                change=f"constraints={{{name!r}: (function, limit)}}, the limit a number or (low, high)",
            )
        asked.append((as_node(pair[0]), name, _reads(pair[0], there), pair[1]))
    rules, limits = _sides(asked)
    _check_reads(law, asked, over, there, options)
    goal = price if target is not None and price is not None else score

    units = {c: _unit(u, bounds.get(c)) for c, u in zip(law.columns, law.column_units, strict=True)}
    sizes = tuple(size_of(law, c, bounds.get(c), units[c]) for c in over)
    log, low, high = box(over, sizes, bounds, units)
    _check_held(over, sizes, high, asked, goal, reads, bounds)
    amounts = [float(np.max(a)) for a in limits if not traced(a) and np.all(np.asarray(a) > 0)]
    reach = np.float64(np.log(max([*amounts, 1e12])) if target is None else 60.0)
    solver = as_solver(solver or Newton(max_steps=60))
    if not isinstance(solver, Newton) and np.isfinite([low, high]).any():
        raise refuse(
            "allocate: bounds, and a solver that knows none",
            why="optax moves coordinates freely",
            change='constraints={"D": (lambda D: D, 1.5e13)} instead of bounds, or solvers.Newton()',
        )
    shape = Shape(
        over,
        sizes,
        log,
        int(starts),
        solver,
        isinstance(solver, Newton),
    )
    shapes = {rule.name: np.shape(a) for rule, a in zip(rules, limits, strict=True)}
    if len({s for s in shapes.values() if s not in ((), (1,))}) > 1 or any(len(s) > 1 for s in shapes.values()):
        raise refuse(
            "allocate: limits of shape " + ", ".join(f"{k} {s}" for k, s in shapes.items() if s),
            why="budgets and limits are taken together, one plan for each place",
            change="numbers, or arrays (n,) of one length; jax.vmap for all combinations",
        )
    lead = np.broadcast_shapes(*shapes.values())
    stack = jnp.stack if traced(limits) else np.stack
    spread = jnp.broadcast_to if traced(limits) else np.broadcast_to
    stacked = stack([spread(a, lead) for a in limits], -1) if limits else np.zeros((*lead, 0))
    question = Question(law, goal, price, rules, np.zeros(len(rules)), dict(given), codes, low, high, reach, shape)
    return Put(question, stacked, options, budget)


def _unit(unit: Unit, bounds: Any) -> Unit:
    """The unit of a column, positive where its lower bound is: only what may be 0 is searched in natural numbers."""
    above = isinstance(bounds, tuple | list) and len(bounds) == 2 and bounds[0] is not None and np.all(np.asarray(bounds[0]) > 0)
    return dataclasses.replace(unit, support="positive") if above and unit.support == "nonnegative" else unit


def _rule(function: Any, name: str, reads: tuple[str, ...]) -> Rule:
    return Rule(function, name, reads, 1.0, False)


def _amount(name: str, value: Any, positive: bool = True) -> Any:
    """A budget or a target as numbers, checked where they are known."""
    if traced(value):
        return jnp.asarray(value)
    values = np.asarray(value, np.float64)
    if values.ndim > 1 or not np.all(np.isfinite(values)) or (positive and np.any(values <= 0)):
        raise refuse(f"{name} {value!r}", why="a logarithm, or a matrix of budgets", change="positive numbers, () or (n,)")
    return values


def _sides(asked: list[Limit]) -> tuple[tuple[Rule, ...], list[Any]]:
    """One rule and one number for each side of each limit."""
    rules, limits = [], []
    for function, name, reads, limit in asked:
        low, high = limit if isinstance(limit, tuple) else (None, limit)
        for side, amount in ((1.0, high), (-1.0, low)):
            if amount is None:
                continue
            amount = amount if traced(amount) else np.asarray(amount, np.float64)
            if not traced(amount) and not np.all(np.isfinite(amount)):
                raise refuse(f"allocate: limit of {name!r} is {amount}", why="no limit is meant", change="None for no limit")
            # a positive limit is compared by ratio, and so is what has to be positive
            by_ratio = name in ("budget", "target") if traced(amount) else bool(np.all(amount > 0))
            rules.append(Rule(function, name, reads, side, by_ratio))
            limits.append(amount)
    return tuple(rules), limits


def _reads(function: Any, there: set[str]) -> tuple[str, ...]:
    """Names of the arguments of a function; those with a default are read only where there is such a column."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise refuse(
            f"allocate: {function!r} does not name what it reads", why="a built-in", change="lambda N, D: ..."
        ) from error
    return tuple(p.name for p in parameters if p.default is p.empty or p.name in there)


def _table(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Columns (c,) of the choices."""
    options = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in choices.items()}
    lengths = {k: np.shape(v)[:1] for k, v in options.items()}
    if options and (len(set(lengths.values())) > 1 or () in lengths.values() or (0,) in lengths.values()):
        raise refuse(
            "allocate: choices of lengths " + ", ".join(f"{k} {np.shape(v)}" for k, v in options.items()),
            why="one entry is missing",
            change='a table: choices={"N": [1e9, 3e9], "width": [2048, 3072]}',
        )
    return options


def _check_names(
    law: Law,
    over: tuple[str, ...],
    given: Mapping[str, Any],
    bounds: Mapping[str, Any],
    options: Mapping[str, Any],
    reads: tuple[str, ...],
    wanted: tuple[str, ...],
    constraints: Mapping[str, Any],
    there: set[str],
    unnamed: set[str],
    costed: bool,
) -> None:
    for name in [*over, *bounds]:
        if name not in law.columns:
            change = nearest(name, law.columns).strip()
            raise refuse(f"allocate: {law.name} has no column {name!r}", why="a typing slip", change=change)
    others = [*(reads if costed else ()), *wanted, *(r for pair in constraints.values() for r in _named(pair))]
    if both := [c for c in over if c in given or c in options]:
        where = "given=" if both[0] in given else "choices="
        raise refuse(f"allocate: {both[0]} is given and chosen", why=f"it is in over= and in {where}", change="name it once")
    if odd := [c for c in given if c not in law.columns and c not in others]:
        change = nearest(odd[0], [*law.columns, *others]).strip()
        raise refuse(f"allocate: nothing reads given {odd[0]!r}", why="a typing slip", change=change)
    if idle := [c for c in bounds if c not in over]:
        raise refuse(f"allocate: {idle[0]} has bounds and is not chosen", why="it is given", change="drop its bounds")
    if unnamed:
        group = min(unnamed)
        raise refuse(
            f"allocate: {law.name} has one value per {group!r}, and nothing says for which group to plan",
            why="the law was fitted per group",
            change=f"given={{{group!r}: 'name of the group'}}",
        )
    if missing := [c for c in law.columns if c not in over and c not in given and c not in options]:
        raise refuse(
            f"allocate: nothing says what {missing[0]} is",
            why="the law reads it, and it is not among the columns to choose",
            change=f"given={{{missing[0]!r}: ...}}, or over=",
        )
    if missing := [c for c in [*(reads if costed else ()), *wanted] if c not in there]:
        raise refuse(
            f"allocate: nothing says what {missing[0]} is",
            why=f"{'maximise' if missing[0] in wanted else 'the cost'} reads it, and it is not among the columns to choose",
            change=f"given={{{missing[0]!r}: ...}}, or another cost",
        )


def _named(pair: Any) -> tuple[str, ...]:
    return _reads(pair[0], set()) if isinstance(pair, tuple) and pair and callable(pair[0]) else ()


def _check_reads(law: Law, asked: list[Limit], over: tuple[str, ...], there: set[str], options: Mapping[str, Any]) -> None:
    for _, name, reads, _ in asked:
        if missing := [c for c in reads if c not in there]:
            raise refuse(
                f"allocate: nothing says what {missing[0]} is",
                why=f"constraint {name!r} reads it, and it is neither a column, a parameter nor given",
                change=f"given={{{missing[0]!r}: ...}}.{nearest(missing[0], there)}",
            )
        if not set(reads) & {*over, *options, "loss"}:
            raise refuse(
                f"allocate: {'the cost' if name == 'budget' else f'constraint {name!r}'} reads {', '.join(reads)}, "
                "none of which is chosen",
                why="it is another budget's cost",
                change="cost= or over=",
            )


def _check_held(
    over: tuple[str, ...],
    sizes: tuple[int | None, ...],
    high: np.ndarray,
    asked: list[Limit],
    goal: Rule,
    reads: tuple[str, ...],
    bounds: Mapping[str, Any],
) -> None:
    """A column that nothing holds runs to infinity."""
    holding = {r for _, _, names, _ in asked for r in names} | set(goal.reads)
    ends = np.cumsum([0, *(s or 1 for s in sizes)])
    for name, at in zip(over, ends, strict=False):
        if name not in holding and not np.isfinite(high[at]):
            raise refuse(
                f"allocate: {name} is chosen, and neither the cost (of {', '.join(reads)}) nor a bound holds it",
                why="a column that costs nothing runs to infinity: more of it is always better",
                change=f"given={{{name!r}: ...}}, bounds={{{name!r}: (None, high)}}, or a cost that reads {name}",
            )
