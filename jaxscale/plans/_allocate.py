"""`allocate`: the columns of a law that lose least under a budget and any other limits, for one law or an ensemble.

The same verb answers the question from both ends: least loss for a budget, least cost for a target. Here lanes (one per
law, budget and choice) are run through the tiles and their results named. How a question is checked is in `_question`,
how one plan is found and certified in `_search`.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._problem import bound
from ..fitting._results import Fitted, Status, flat, point_of, resampled
from ..formula._form import check_codes
from ..formula._law import Law
from ..ground._interval import Interval
from ..ground._shown import rows, values
from ..ground._trees import to_numpy, traced
from ..uncertainty._draws import percentile
from ._lanes import answered, planned
from ._question import Put, put
from ._remarks import remarks, untested


@dataclass(frozen=True)
class KKT:
    """First-order conditions of a plan, free of scale: per relative change of positive columns, natural for the others.

    `stationarity`: what is left of the loss gradient after budget and bounds, relative to its largest component;
    `feasibility`: |ln cost - ln budget|, or the
    overspending where the budget does not bind; `complementarity`: largest sign violation of a multiplier, relative.
    """

    stationarity: Any
    feasibility: Any
    complementarity: Any


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan: `plan["N"]` is the optimal column, of shape (), (budgets,), (n,) or (n, budgets).

    `loss` at the plan, `cost` it takes, `shadow_price` -dL/dC, `prices` of every limit (by how much the goal falls per unit
    that the limit rises), `binding` which limits hold the plan, `active` which columns sit at a bound (-1, 0, 1),
    `status` and `certificate` per lane, `value` what was maximised. Of choices: the row taken, and the goal of every row,
    `by_choice` (..., choices).
    """

    columns: dict[str, Any]
    loss: Any
    cost: Any
    budget: Any
    shadow_price: Any
    active: dict[str, Any]
    status: Any
    certificate: KKT
    remarks: tuple[str, ...] = ()
    prices: dict[str, Any] = field(default_factory=dict)
    binding: dict[str, Any] = field(default_factory=dict)
    value: Any = None
    choice: Any = None
    by_choice: Any = None
    asked: Any = None  # the question and the fit, for what is asked of a plan next

    def __getitem__(self, name: str) -> Any:
        if name not in self.columns:
            raise KeyError(f"no column {name!r} in this plan; there is {', '.join(self.columns)}")
        return self.columns[name]

    @functools.cached_property
    def point(self) -> Allocation:
        """The plan at the certified fit: of an ensemble that of its point, of anything else the plan itself."""
        asked, fitted = self.asked or (None, None)
        if asked is None or fitted is None or not resampled(fitted):
            return self
        return allocation(solved(asked, fitted.point), asked, fitted.point)

    def interval(self, *, level: float = 0.95) -> dict[str, Interval]:
        """Percentiles of the refits' plans around the plan at the fit: of every column, of the loss and of the cost.

        Each is of the shape of `plan.point`, in the units of the plan; refits without a plan are left out and counted, and where
        none has one there is nan. Raises TypeError for the plan of one law.

        >>> import jaxscale as jsl
        >>> fit = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
        >>> plan, best = jsl.allocate(jsl.bootstrap(fit, 200), 1e23), jsl.allocate(fit, 1e23)
        >>> bool(plan.interval()["N"].point == best["N"])
        True
        """
        if self.point is self:
            raise TypeError("a plan of one law has no refits: give allocate an ensemble, or use interval(fit, of=...)")
        draws, at = ({**p.columns, "loss": p.loss, "cost": p.cost} for p in (self, self.point))
        return {name: _around(np.asarray(v), level, at[name]) for name, v in draws.items()}

    @property
    def ok(self) -> Any:
        """Whether the plan is feasible and meets its KKT conditions (per lane)."""
        return np.asarray(self.status) == Status.OK

    def __bool__(self) -> bool:
        raise TypeError(
            "a plan is neither true nor false: use plan.ok, which says (per lane) whether it meets its KKT conditions"
        )

    def __repr__(self) -> str:
        if traced(self.columns, self.loss):
            return f"<Allocation of {', '.join(self.columns)}, traced>"
        if np.ndim(self.loss):
            head = f"<Allocation of {', '.join(self.columns)}, shape {np.shape(self.loss)}"
            return (
                "\n".join(
                    [
                        f"{head}, {int(np.sum(self.ok))} OK",
                        rows(np.shape(self.loss), self._line),
                        *map("  note: {}".format, self.remarks),
                    ]
                )
                + ">"
            )
        none = bool(np.asarray(self.status) & Status.NON_FINITE.value)
        held = [name for name, binds in self.binding.items() if binds and not none and name not in ("budget", "target")]
        said = [f"{' and '.join(held)} bind{'s' * (len(held) == 1)}"] if held else []
        said += [f"{c} at its {'upper' if a > 0 else 'lower'} bound" for c, a in self.active.items() if np.ndim(a) == 0 and a]
        tail = "".join(f"; {r}" for r in [*said, *self.remarks])
        return f"<Allocation {self._line(())}{tail}>"

    def _line(self, lane: tuple[int, ...]) -> str:
        """The plan of one lane."""
        own = {k: np.asarray(v)[lane] for k, v in self.columns.items()}
        shown = ", ".join(f"{k}={values(v, 6 if np.ndim(v) == 0 else 4)}" for k, v in own.items())
        value = "" if self.value is None else f", value {np.asarray(self.value)[lane]:.6g}"
        return f"{shown}, loss {np.asarray(self.loss)[lane]:.6g}{value}, cost {np.asarray(self.cost)[lane]:.4g}"


def _around(draws: np.ndarray, level: float, point: Any) -> Interval:
    """Percentiles of draws (refits, ...) around the value at the fit; nan where no refit has a plan."""
    some = np.isfinite(draws).any(0)
    return percentile(np.where(some, draws, 0.0), level, 0, point).each(lambda v: np.where(some, v, np.nan)[()])


def allocate(
    law: Law | Fitted,
    budget: Any = None,
    *,
    target: Any = None,
    cost: Any = None,
    over: tuple[str, ...] | None = None,
    given: dict[str, Any] | None = None,
    bounds: dict[str, Any] | None = None,
    constraints: dict[str, Any] | None = None,
    choices: dict[str, Any] | None = None,
    maximise: Any = None,
    starts: int = 4,
    solver: Any = None,
) -> Allocation:
    """The columns that minimise a law at a cost of at most `budget` [in the units of the cost, FLOP by default].

    `law` is a bound law, a fit, or an ensemble; `budget` a number or an array (budgets,). Results have the shape
    (), (budgets,), (refits,) or (refits, budgets). With `target` [loss] instead of a budget the least cost that reaches it.

    - `cost` is a function that names its columns (default `costs.Train()`, 6 N D); `over` the columns to choose (default:
      all that are not `given`); `bounds` maps columns to (low, high), None for no bound. Shares of a mixture are chosen
      on the simplex.
    - `constraints={"memory": (lambda N: 2 * N, 80e9)}`: functions of columns, parameters or `loss`, with the most that
      they may be, or (least, most), None for neither; limits may be arrays (budgets,).
    - `choices={"N": [...], "width": [...]}`: a table of which one row is taken; functions may read its columns.
    - `maximise=lambda loss: ...` a function of the same names is made largest instead of the law smallest.
    - `starts` is how many points the search begins from; `solver` any of `jsl.solvers`.

    First derivatives come by `jax.grad` and its kind, also under `jit` and `vmap`, inside `with jax.enable_x64(True)`: with
    respect to the budget, prices in the cost, limits, given columns and the parameters of a bound law. Raises InputError
    where the problem is not well put; a plan that fails its KKT conditions, or that has no feasible point, has a status
    and a remark instead.

    >>> from jaxscale import laws
    >>> plan = allocate(laws.chinchilla.published["besiroglu2024"], 1e21)
    >>> float(f"{float(plan['N']):.4g}"), float(f"{float(plan['D']):.4g}")
    (2778000000.0, 59990000000.0)
    >>> allocate(laws.chinchilla.published["besiroglu2024"], target=2.0, constraints={"memory": (lambda N: 2 * N, 40e9)})
    <Allocation N=2e+10, D=3.01302e+12, loss 2, cost 3.616e+23; memory binds>

    Source of the closed forms it is checked against: Hoffmann et al. 2022 eq. 4. The method is ours.
    """
    fitted = law if isinstance(law, Fitted) else None
    if fitted is None:
        own: Law = law  # type: ignore[assignment]
        if own.free:
            raise TypeError(f"allocate: {own.name} is not bound: {', '.join(own.free)} are free. Fit it, or fix(...) them.")
    else:
        own = first_law(fitted)
    asked = put(
        own, budget, target, cost, over, given or {}, bounds or {}, constraints or {}, choices or {}, maximise, starts, solver
    )
    if traced(own, asked.question, asked.limits, asked.options):
        if fitted is not None:
            asked = dataclasses.replace(asked, question=asked.question.under(point_of(fitted, "allocate").law))
        found = traced_plans(asked)
    else:
        found = solved(asked, fitted)
    return allocation(found, asked, fitted)


def first_law(fit: Fitted) -> Law:
    """The bound law of a fit, or of the first lane of an ensemble: its shape is that of all."""
    tied = dict(fit.problem.law.ties)
    return bound(fit.problem, {k: v[0] for k, v in flat(fit).items() if k not in tied})


def solved(asked: Put, fitted: Fitted | None, *, per_law: bool = False) -> dict[str, Any]:
    """Plans of every lane: axes of the ensemble, then of the limits (..., m), then of the choices.

    With `per_law` the limits begin with the axes of the ensemble.
    """
    choices = len(next(iter(asked.options.values()), [0]))
    law, limits, lead, many = spread(asked, fitted, per_law=per_law)
    lanes = int(np.prod(lead, dtype=int)) * choices
    place, choice = np.divmod(np.arange(lanes), choices)
    options = {k: of_lanes(v, choice) for k, v in asked.options.items()}
    law = {k: of_lanes(v, place // many) for k, v in law.items()}
    limits = of_lanes(limits, place if per_law else place % many)
    found = planned(to_numpy(asked.question), (law, options), limits)
    lead = (*lead, *((choices,) if asked.options else ()))
    shaped: dict[str, Any] = jax.tree.map(lambda v: v.reshape(lead + v.shape[1:]), found)
    return shaped


def spread(asked: Put, fitted: Fitted | None, *, per_law: bool = False) -> tuple[dict[str, Any], Any, tuple[int, ...], int]:
    """Parameters of every law, rows of limits (rows, m), axes of the lanes, and the number of limits of each law."""
    law = asked.question.law
    for parameter, group in law.groups:
        if np.ndim(law.fixed[parameter]) > len(dict(law.specs)[parameter].shape):
            check_codes(law.name, group, asked.question.oracle.codes[group], len(law.fixed[parameter]))
    lead = np.shape(fitted.value) if fitted is not None else ()
    values = {k: np.asarray(v)[None] for k, v in law.fixed.items()} if fitted is None else flat(fitted)
    shape = asked.limits.shape[len(lead) if per_law else 0 : -1]
    limits = asked.limits.reshape(int(np.prod(asked.limits.shape[:-1], dtype=int)), asked.limits.shape[-1])
    return {k: v for k, v in values.items() if k in law.fixed}, limits, (*lead, *shape), int(np.prod(shape, dtype=int))


def of_lanes(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Entries (..., T) of values (n, ...), lanes last."""
    return np.moveaxis(np.asarray(values)[index], 0, -1)


def traced_plans(asked: Put) -> dict[str, Any]:
    """Plans of a question that JAX traces: axes of the limits (..., m), then of the choices."""
    limits, question = jnp.asarray(asked.limits), asked.question
    choices = len(next(iter(asked.options.values()), [0]))
    lead = limits.shape[:-1]
    rows = limits.reshape(int(np.prod(lead, dtype=int)), limits.shape[-1])
    place, choice = np.divmod(np.arange(len(rows) * choices), choices)
    own = jax.tree.map(lambda v: jnp.repeat(jnp.asarray(v)[..., None], len(place), -1), dict(question.law.fixed))
    options = {k: jnp.moveaxis(jnp.asarray(v)[choice], 0, -1) for k, v in asked.options.items()}
    found = answered(question, (own, options), rows[place].T)
    lead = (*lead, *((choices,) if asked.options else ()))
    shaped: dict[str, Any] = jax.tree.map(lambda v: v.reshape(lead + v.shape[1:]), found)
    return shaped


def allocation(found: dict[str, Any], asked: Put, fitted: Fitted | None) -> Allocation:
    """The result, by name; of several choices the best, with the value of all."""
    shape, rules, numbers = asked.question.shape, asked.question.rules, traced(found)
    xp = jnp if numbers else np
    choice = others = None
    if asked.options:
        goal = xp.where(found["status"] & Status.NON_FINITE.value == 0, found["goal"], xp.inf)
        choice, others = xp.argmin(goal, -1), goal
        axis = goal.ndim - 1

        def of_best(v: Any) -> Any:
            at = choice.reshape(choice.shape + (1,) * (v.ndim - axis))
            return xp.take_along_axis(v, at, axis)[(slice(None),) * axis + (0,)]

        found = jax.tree.map(of_best, found)
        taken = {k: xp.asarray(v)[choice] for k, v in asked.options.items()}
    else:
        taken = {}
    if not numbers:
        found = jax.tree.map(lambda v: v[()] if np.ndim(v) == 0 else v, found)
    names = list(dict.fromkeys(r.name for r in rules))
    of = {name: [i for i, r in enumerate(rules) if r.name == name] for name in names}
    prices = {name: sum(found["prices"][..., i] for i in at) for name, at in of.items()}
    binding = {name: xp.any(found["binds"][..., xp.asarray(at)], -1) for name, at in of.items()}
    if "budget" in prices or "target" not in prices:
        price = prices.get("budget", found["loss"] * xp.nan)
    else:  # of the cost by the target; a target that is met anyway has none
        price = xp.where(prices["target"] == 0, xp.nan, 1.0 / xp.where(prices["target"] == 0, 1.0, xp.abs(prices["target"])))
    maximised = asked.question.goal.name == "what is maximised"
    chosen = {**{c: found["columns"][c] for c in shape.over}, **taken}
    return Allocation(
        {c: chosen[c] for c in [*asked.question.law.columns, *taken] if c in chosen},
        found["loss"],
        found["cost"],
        asked.budget,
        price,
        found["active"],
        found["status"],
        KKT(*found["kkt"]),
        () if numbers else (*remarks(found, asked, binding), *untested(chosen, fitted)),
        prices,
        binding,
        -found["goal"] if maximised else None,
        choice,
        others if others is None or not maximised else -others,
        (asked, fitted),
    )
