"""What is asked of a plan: columns to choose, goal, limits and bounds, checked and laid out for
`_search`.

What a user can write wrongly about a plan is found here, in `_well_posed` (names) and in `_box`
(bounds). Costs and constraints are plain functions; what they read is told by the names of their
arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import costs as _costs
from ..formula._form import codes_of, settled
from ..formula._law import Law
from ..ground._errors import refuse
from ..ground._reads import Reads, reads_of, same
from ..ground._told import told
from ..ground._trees import node, static, traced
from ..solvers import Newton, as_solver
from ..units import Unit
from ._box import box, size_of
from ._oracle import Function, Oracle, Shape
from ._problem import Question, Rule
from ._well_posed import check_held, check_names, check_reads, reads

Limit = tuple[int, str, Any]  # number of its function, name, limit or (low, high)


@dataclass(frozen=True)
class Put:
    """A question with what varies from lane to lane: limits (..., m), which it does not hold
    itself, and columns (c,).
    """

    question: Question
    limits: Any
    options: dict[str, Any]
    budget: Any


@node()
class _Function:
    """A plain function: its constants are baked in, and so is what it reads from outside; a new
    function compiles once.
    """

    function: Callable[..., Any] = static()
    reads: Reads = static()

    def __call__(self, **columns: Any) -> Any:
        what = f"the function {getattr(self.function, '__name__', '')}".rstrip()
        return told(what, same(what, self.function, self.reads))(**columns)


@node()
class _Less:
    """The negative of a function: what is maximised is what the goal makes least."""

    function: Any

    def __call__(self, **columns: Any) -> Any:
        return -self.function(**columns)


def _itself(loss: Any) -> Any:
    return loss


_LOSS = Function(_Function(_itself, reads_of(_itself)), ("loss",))


def as_node(function: Any) -> Any:
    """A function as a tree: numbers of a dataclass of `costs` are leaves, a plain function is
    static.
    """
    own = (
        function
        if jax.tree.leaves(function) and not callable(jax.tree.leaves(function)[0])
        else _Function(function, reads_of(function))
    )
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
    law = settled(law)
    if isinstance(budget, Number) and not isinstance(budget, int | float | np.generic):
        budget = float(budget)  # type: ignore[arg-type]  # Decimal, Fraction
    if not isinstance(starts, int) or starts < 1:
        raise refuse(
            f"allocate: starts={starts!r}",
            why="a count was meant",
            change="a whole number from 1 on, such as 4",
        )
    if not isinstance(constraints, Mapping):
        raise refuse(
            f"allocate: constraints={constraints!r}",
            why="a list of limits, which have no names",
            change='constraints={"memory": (lambda N: 2 * N, 80e9)}',
        )
    if budget is not None and target is not None:
        raise refuse(
            "allocate: a budget and a target",
            why="the least loss for a budget and the least cost for a target are two questions",
            change='one of them; hold the other by budget=..., constraints={"loss": (lambda loss: '
            "loss, 2.0)}",
        )
    if (
        budget is None
        and target is None
        and not constraints
        and not bounds
        and not any(u.rank for u in law.column_units)
    ):
        raise refuse(
            "allocate: no budget, no target and no constraint",
            why="nothing holds the columns",
            change="allocate(law, 1e21)",
        )
    if taken := [
        n
        for n, held in (("budget", budget), ("target", target))
        if n in constraints and held is not None
    ]:
        raise refuse(
            f"allocate: a constraint is called {taken[0]!r}, as is what is given by {taken[0]}=",
            why="they would be one limit with one price",
            change="another name for the constraint",
        )
    options = _table(choices)
    groups = set(dict(law.groups).values())
    ranks = {c: u.rank for c, u in zip(law.columns, law.column_units, strict=True)}
    if wide := [
        k for k, v in given.items() if k not in groups and np.ndim(v) > ranks.get(k, np.ndim(v))
    ]:
        raise refuse(
            f"allocate: given {wide[0]!r} has shape {np.shape(given[wide[0]])}",
            why="a plan has one value of what is given",
            change=f"one number, choices={{{wide[0]!r}: [...]}} for the best of several, or "
            f"jax.vmap",
        )
    codes = {k: codes_of(law, k, v) for k, v in given.items() if k in groups}
    given = {
        k: v if traced(v) else np.asarray(v, np.float64)
        for k, v in given.items()
        if k not in groups
    }
    there = {*law.columns, *dict(law.specs), *given, *options, "loss"}
    default = cost is None
    cost = _costs.Train() if default else cost
    spent = reads("allocate", cost, there)
    if default and target is None and budget is None and not set(spent) <= there:
        cost = None
    over = (
        tuple(over)
        if over is not None
        else tuple(c for c in law.columns if c not in given and c not in options)
    )
    wanted = () if maximise is None else reads("allocate", maximise, there)
    check_names(
        law,
        over,
        given=given,
        bounds=bounds,
        options=options,
        spent=spent,
        wanted=wanted,
        constraints=constraints,
        there=there,
        unnamed=groups - set(codes),
        costed=cost is not None,
    )

    if not over:
        raise refuse(
            "allocate: no column is left to choose",
            why="all are given or stand among the choices, so that there is nothing to search",
            change="the law at those values, law(N, D), and the least of what is affordable: "
            "np.argmin",
        )

    functions = [_LOSS]  # the loss is always the first, and the cost the second where there is one

    def number(function: Function) -> int:
        functions.append(function)
        return len(functions) - 1

    price = None if cost is None else Rule(number(Function(as_node(cost), spent)), "cost")
    wished = None if maximise is None else as_node(maximise)
    score = Rule(0, "loss", log=False)
    if wished is not None and (target is None or price is None):
        score = Rule(number(Function(_Less(wished), wanted)), "what is maximised", log=False)
    asked: list[Limit] = []
    if budget is not None and price is not None:
        asked.append((price.at, "budget", _amount("budget", budget)))
    if target is not None:
        own = 0 if wished is None else number(Function(wished, wanted))
        amount = _amount("target", target, positive=False)
        asked.append((own, "target", amount if wished is None else (amount, None)))
    for name, pair in constraints.items():
        if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[0]):
            raise refuse(
                f"allocate: constraint {name!r} is {pair!r}",
                why="a function without its limit, or a limit without its function",
                change=f"constraints={{{name!r}: (function, limit)}}, the limit a number or (low, "
                f"high)",
            )
        asked.append(
            (number(Function(as_node(pair[0]), reads("allocate", pair[0], there))), name, pair[1])
        )
    rules, limits = _sides(asked)
    named = [(name, functions[at].reads) for at, name, _ in asked]
    check_reads(named, {*over, *options, "loss"}, there)
    goal = price if target is not None and price is not None else score

    units = {c: _unit(u, bounds.get(c)) for c, u in zip(law.columns, law.column_units, strict=True)}
    sizes = tuple(size_of(law, c, bounds.get(c), units[c]) for c in over)
    log, low, high = box(over, sizes, bounds, units)
    check_held(
        over,
        sizes,
        high,
        {c for _, columns in named for c in columns} | set(functions[goal.at].reads),
        spent,
    )
    amounts = [float(np.max(a)) for a in limits if not traced(a) and np.all(np.asarray(a) > 0)]
    reach = np.float64(np.log(max([*amounts, 1e12])) if target is None else 60.0)
    solver = as_solver(solver or Newton(max_steps=60))
    if not isinstance(solver, Newton) and np.isfinite([low, high]).any():
        raise refuse(
            "allocate: bounds, and a solver that knows none",
            why="optax moves coordinates freely",
            change='constraints={"D": (lambda D: D, 1.5e13)} instead of bounds, or '
            "solvers.Newton()",
        )
    oracle = Oracle(law, tuple(functions), dict(given), codes, Shape(over, sizes, log))
    shapes = [np.shape(a) for a in limits]
    if len({s for s in shapes if s not in ((), (1,))}) > 1 or any(len(s) > 1 for s in shapes):
        raise refuse(
            "allocate: limits of shape "
            + ", ".join(f"{r.name} {s}" for r, s in zip(rules, shapes, strict=True) if s),
            why="budgets and limits are taken together, one plan for each place",
            change="numbers, or arrays (n,) of one length; jax.vmap for all combinations",
        )
    lead = np.broadcast_shapes(*shapes)
    stack = jnp.stack if traced(limits) else np.stack
    spread = jnp.broadcast_to if traced(limits) else np.broadcast_to
    stacked = stack([spread(a, lead) for a in limits], -1) if limits else np.zeros((*lead, 0))
    question = Question(
        oracle=oracle,
        limits=np.zeros(len(rules)),
        low=low,
        high=high,
        reach=reach,
        goal=goal,
        cost=price,
        rules=rules,
        starts=int(starts),
        solver=solver,
    )
    return Put(question, stacked, options, budget)


def _unit(unit: Unit, bounds: Any) -> Unit:
    """The unit of a column, positive where its lower bound is: only what may be 0 is searched in
    natural numbers.
    """
    above = (
        isinstance(bounds, tuple | list)
        and len(bounds) == 2
        and bounds[0] is not None
        and np.all(np.asarray(bounds[0]) > 0)
    )
    return (
        dataclasses.replace(unit, support="positive")
        if above and unit.support == "nonnegative"
        else unit
    )


def _amount(name: str, value: Any, positive: bool = True) -> Any:
    """A budget or a target as numbers, checked where they are known."""
    if traced(value):
        return jnp.asarray(value)
    try:
        values = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        values = np.asarray(np.nan)
    if isinstance(value, str) or not values.size:
        values = np.asarray(np.nan)
    if values.ndim > 1 or not np.all(np.isfinite(values)) or (positive and np.any(values <= 0)):
        raise refuse(
            f"{name} {value!r}",
            why="text, nothing, a logarithm, or a matrix",
            change="positive numbers, () or (n,)",
        )
    return values


def _sides(asked: list[Limit]) -> tuple[tuple[Rule, ...], list[Any]]:
    """One rule and one number for each side of each limit."""
    rules, limits = [], []
    for at, name, limit in asked:
        low, high = limit if isinstance(limit, tuple) else (None, limit)
        for side, amount in ((1.0, high), (-1.0, low)):
            if amount is None:
                continue
            try:
                amount = amount if traced(amount) else np.asarray(amount, np.float64)
            except (TypeError, ValueError):
                raise refuse(
                    f"allocate: limit of {name!r} is {amount!r}",
                    why="text with a unit",
                    change="a number in the unit of the function, such as 80e9",
                ) from None
            if not traced(amount) and not np.all(np.isfinite(amount)):
                raise refuse(
                    f"allocate: limit of {name!r} is {amount}",
                    why="no limit is meant",
                    change="None for no limit",
                )
            # a positive limit is compared by ratio, and so is what has to be positive
            by_ratio = name in ("budget", "target") if traced(amount) else bool(np.all(amount > 0))
            rules.append(Rule(at, name, side, by_ratio))
            limits.append(amount)
    return tuple(rules), limits


def _table(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Columns (c,) of the choices."""
    options = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in choices.items()}
    lengths = {k: np.shape(v)[:1] for k, v in options.items()}
    if options and (
        len(set(lengths.values())) > 1 or () in lengths.values() or (0,) in lengths.values()
    ):
        raise refuse(
            "allocate: choices of lengths "
            + ", ".join(f"{k} {np.shape(v)}" for k, v in options.items()),
            why="one entry is missing",
            change='a table: choices={"N": [1e9, 3e9], "width": [2048, 3072]}',
        )
    return options
