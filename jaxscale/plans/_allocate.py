"""`allocate`: the columns of a law that lose least under a budget and any other limits, for one law
or an ensemble.

The same verb answers the question from both ends: least loss for a budget, least cost for a target.
Here lanes (one per law, budget and choice) are run through the tiles and their results named. How a
question is checked is in `_question`, how one plan is found and certified in `_search`. What is
asked of a plan next (how flat its optimum is, what it loses) takes the question and is a method of
the plan.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._results import Ensemble, Fitted, Status, point_of, resampled
from ..formula._law import Law
from ..ground._errors import check_level, refuse, refuse_type
from ..ground._interval import Interval
from ..ground._shown import rows, values
from ..ground._trees import traced
from ..uncertainty._draws import percentile
from ._answers import first_law, solved, traced_plans
from ._conditions import KKT
from ._near_optimal import Region, near_optimal
from ._question import Put, put
from ._regret import Regret, decide, regret
from ._remarks import remarks, untested


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan: `plan["N"]` is the optimal column, of shape (), (budgets,), (n,) or (n, budgets).

    `loss` at the plan, `cost` it takes, `shadow_price` -dL/dC, `prices` of every limit (by how much
    the goal falls per unit that the limit rises), `binding` which limits hold the plan, `active`
    which columns sit at a bound (-1, 0, 1), `status` and `certificate` per lane, `value` what was
    maximised. Of choices: the row taken, and the goal of every row, `by_choice` (..., choices).
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
        """The plan at the certified fit: of an ensemble that of its point, of anything else the
        plan itself.
        """
        asked, fitted = self.asked or (None, None)
        if asked is None or fitted is None or not resampled(fitted):
            return self
        return allocation(solved(asked, fitted.point), asked, fitted.point)

    def interval(self, *, level: float = 0.95) -> dict[str, Interval]:
        """Percentiles of the refits' plans around the plan at the fit: of every column, of the loss
        and of the cost.

        Each is of the shape of `plan.point`, in the units of the plan; refits without a plan are
        left out and counted, and where none has one there is nan. Raises TypeError for the plan of
        one law.

        >>> import jaxscale as jsl
        >>> fit = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
        >>> plan, best = jsl.allocate(jsl.bootstrap(fit, 200), 1e23), jsl.allocate(fit, 1e23)
        >>> bool(plan.interval()["N"].point == best["N"])
        True
        """
        check_level("plan.interval()", level)
        if self.point is self:
            raise refuse_type(
                "interval(): this is the plan of one law",
                why="percentiles are those of refits",
                change="a plan of an ensemble, allocate(boot, 1e23), or interval(fit, of=...)",
            )
        draws, at = ({**p.columns, "loss": p.loss, "cost": p.cost} for p in (self, self.point))
        return {name: _around(np.asarray(v), level, at[name]) for name, v in draws.items()}

    def near_optimal(self, *, loss_slack: float = 0.0, cost_slack: float = 0.0) -> Region:
        """Extent [units of the columns] of all plans within a share of the least loss and of the
        cost.

        For the plan of a law, a fit or an ensemble. `loss_slack=0.001` holds every limit and lets
        the loss be 0.1 % above the best; `cost_slack=0.05` lets the cost be 5 % above the budget
        (or the least cost) at the loss of the best plan; both together allow both. Where something
        was maximised, the share is of its value. Raises InputError where neither is given, and for
        plans of choices, whose neighbours are in `plan.by_choice`.

        >>> from jaxscale import allocate, laws
        >>> plan = allocate(laws.chinchilla.published["hoffmann2022"], 1e23)
        >>> print(str(plan.near_optimal(loss_slack=0.001)).replace(", D", ",\\nD"))
        <Region loss within 0.1 %: N 1.251e+10 to 2.639e+10 (best 1.815e+10),
        D 6.315e+11 to 1.332e+12 (best 9.184e+11)>

        Source: the region is ours; that losses are flat around the optimum: Hoffmann et al. 2022,
        figure 3.
        """
        asked, fitted = self.asked
        by_cost = asked.question.goal.name == "cost"
        return near_optimal(
            asked,
            fitted,
            best=self.columns,
            goal=self.cost if by_cost else self._goal,
            loss_slack=loss_slack,
            cost_slack=cost_slack,
        )

    def regret(self, **columns: Any) -> Regret:
        """What a plan loses [loss, share of compute, noise of one run] against the best plan of
        each refit.

        For the plan of an ensemble and one budget: `allocate(boot, 1e23)`. `columns` is the plan
        that is judged, `N=..., D=...`; those of the point fit's own optimum where nothing is given.
        A limit that the judged plan breaks under some refits is counted in `excess`. Raises
        InputError for plans of one law, of several budgets, for a target, of choices.

        >>> import jaxscale as jsl
        >>> boot = jsl.bootstrap(jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
        ...     starts=32), 200)
        >>> lost = jsl.allocate(boot, 1e23).regret()
        >>> bool(lost.loss.min() > -1e-9), bool(lost.loss.mean() < 0.01)
        (True, True)

        Source: ours; the spread of plans against their cost is the point of Hoffmann et al. 2022,
        appendix D.
        """
        return regret(*self._ensemble("regret"), self._goal, np.asarray(self.status), columns)

    def decide(self, *, worst: float = 1.0) -> Regret:
        """The one plan that loses least [loss] over the refits of an ensemble, with its regret.

        For a plan as in `regret`. With `worst=1` the regret is averaged over all refits that have a
        valid plan, with `worst=0.1` over the tenth of them that fares worst with it. Limits hold
        for the point fit. `plan.regret()` says what the point fit's own optimum loses.

        >>> import jaxscale as jsl
        >>> boot = jsl.bootstrap(jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
        ...     starts=32), 200)
        >>> plan = jsl.allocate(boot, 1e23)
        >>> bool(plan.decide().loss.mean() <= plan.regret().loss.mean())
        True

        Source: minimax and expected regret are textbook decision theory (Savage 1951); that the
        corner of the worst share is rounded over a twentieth of the spread of regrets is ours.
        """
        return decide(*self._ensemble("decide"), self._goal, np.asarray(self.status), worst)

    @property
    def _goal(self) -> np.ndarray:
        return np.asarray(self.loss if self.value is None else -self.value)

    def _ensemble(self, verb: str) -> tuple[Put, Ensemble]:
        """The question and the ensemble, of a plan that has both and one budget."""
        asked, fitted = self.asked
        if (
            not isinstance(fitted, Ensemble)
            or np.ndim(self.loss) != 1
            or asked.options
            or asked.budget is None
        ):
            raise refuse(
                f"{verb}: a plan of shape {np.shape(self.loss)}"
                + (" of one law" if fitted is None else ""),
                why="regret is about many laws and one budget, without choices",
                change="plan = allocate(jsl.bootstrap(fit, 4_000), 1e23)",
            )
        return asked, fitted

    @property
    def ok(self) -> Any:
        """Whether the plan is feasible and meets its KKT conditions (per lane)."""
        return np.asarray(self.status) == Status.OK

    def __bool__(self) -> bool:
        raise refuse_type(
            "a plan is neither true nor false",
            why="it was asked whether it is valid",
            change="use plan.ok, which says (per lane) whether it meets its KKT conditions",
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
        held = [
            name
            for name, binds in self.binding.items()
            if binds and not none and name not in ("budget", "target")
        ]
        said = [f"{' and '.join(held)} bind{'s' * (len(held) == 1)}"] if held else []
        said += [
            f"{c} at its {'upper' if a > 0 else 'lower'} bound"
            for c, a in self.active.items()
            if np.ndim(a) == 0 and a
        ]
        tail = "".join(f"; {r}" for r in [*said, *self.remarks])
        return f"<Allocation {self._line(())}{tail}>"

    def _line(self, lane: tuple[int, ...]) -> str:
        """The plan of one lane."""
        own = {k: np.asarray(v)[lane] for k, v in self.columns.items()}
        shown = ", ".join(f"{k}={values(v, 6 if np.ndim(v) == 0 else 4)}" for k, v in own.items())
        value = "" if self.value is None else f", value {np.asarray(self.value)[lane]:.6g}"
        return (
            f"{shown}, loss {np.asarray(self.loss)[lane]:.6g}{value}, cost "
            f"{np.asarray(self.cost)[lane]:.4g}"
        )


def _around(draws: np.ndarray, level: float, point: Any) -> Interval:
    """Percentiles of draws (refits, ...) around the value at the fit; nan where no refit has a
    plan.
    """
    some = np.isfinite(draws).any(0)
    return percentile(np.where(some, draws, 0.0), level, 0, point).each(
        lambda v: np.where(some, v, np.nan)[()]
    )


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
    """The columns that minimise a law at a cost of at most `budget` [in the units of the cost, FLOP
    by default].

    `law` is a bound law, a fit, or an ensemble; `budget` a number or an array (budgets,). Results
    have the shape (), (budgets,), (refits,) or (refits, budgets). With `target` [loss] instead of a
    budget the least cost that reaches it.

    - `cost` is a function that names its columns (default `costs.Train()`, 6 N D); `over` the
      columns to choose (default: all that are not `given`); `bounds` maps columns to (low, high),
      None for no bound. Shares of a mixture are chosen on the simplex.
    - `constraints={"memory": (lambda N: 2 * N, 80e9)}`: functions of columns, parameters or `loss`,
      with the most that they may be, or (least, most), None for neither; limits may be arrays
      (budgets,).
    - `choices={"N": [...], "width": [...]}`: a table of which one row is taken; functions may read
      its columns.
    - `maximise=lambda loss: ...` a function of the same names is made largest instead of the law
      smallest.
    - `starts` is how many points the search begins from; `solver` any of `jsl.solvers`.

    First derivatives come by `jax.grad` and its kind, also under `jit` and `vmap`, inside `with
    jax.enable_x64(True)`: with respect to the budget, prices in the cost, limits, given columns and
    the parameters of a bound law. Raises InputError where the problem is not well put; a plan that
    fails its KKT conditions, or that has no feasible point, has a status and a remark instead.

    >>> from jaxscale import laws
    >>> plan = allocate(laws.chinchilla.published["besiroglu2024"], 1e21)
    >>> float(f"{float(plan['N']):.4g}"), float(f"{float(plan['D']):.4g}")
    (2778000000.0, 59990000000.0)
    >>> allocate(laws.chinchilla.published["besiroglu2024"], target=2.0,
    ...     constraints={"memory": (lambda N: 2 * N, 40e9)})
    <Allocation N=2e+10, D=3.01302e+12, loss 2, cost 3.616e+23; memory binds>

    Source of the closed forms it is checked against: Hoffmann et al. 2022 eq. 4. The method is
    ours.
    """
    fitted = law if isinstance(law, Fitted) else None
    if fitted is None:
        own: Law = law  # type: ignore[assignment]
        if own.free:
            raise refuse_type(
                f"allocate: {own.name} is not bound: {', '.join(own.free)} are free",
                why="a law was given where a fit was meant",
                change="fit it, or fix(...) them",
            )
    else:
        own = first_law(fitted)
    asked = put(
        own,
        budget,
        target=target,
        cost=cost,
        over=over,
        given=given or {},
        bounds=bounds or {},
        constraints=constraints or {},
        choices=choices or {},
        maximise=maximise,
        starts=starts,
        solver=solver,
    )
    if traced(own, asked.question, asked.limits, asked.options):
        if fitted is not None:
            asked = dataclasses.replace(
                asked, question=asked.question.under(point_of(fitted, "allocate").law)
            )
        found = traced_plans(asked)
    else:
        found = solved(asked, fitted)
    return allocation(found, asked, fitted)


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
        price = xp.where(
            prices["target"] == 0,
            xp.nan,
            1.0 / xp.where(prices["target"] == 0, 1.0, xp.abs(prices["target"])),
        )
    maximised = asked.question.goal.name == "what is maximised"
    chosen = {**{c: found["columns"][c] for c in shape.over}, **taken}
    return Allocation(
        columns={c: chosen[c] for c in [*asked.question.law.columns, *taken] if c in chosen},
        loss=found["loss"],
        cost=found["cost"],
        budget=asked.budget,
        shadow_price=price,
        active=found["active"],
        status=found["status"],
        certificate=KKT(*found["kkt"]),
        remarks=() if numbers else (*remarks(found, asked, binding), *untested(chosen, fitted)),
        prices=prices,
        binding=binding,
        value=-found["goal"] if maximised else None,
        choice=choice,
        by_choice=others if others is None or not maximised else -others,
        asked=(asked, fitted),
    )
