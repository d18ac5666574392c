"""Results of a fit: what it is, or an ensemble of refits, and how far each can be trusted.

A `Fit` is one fit or an ensemble; whether it is an ensemble is `value.ndim`, and a leading axis of every parameter.
`Status` is data (one number per lane); the `Certificate` says on which grounds, by name of parameter. Results print,
index, predict, and hand out bound laws; nothing is fitted here.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ..formula._coordinates import element
from ..formula._form import arguments, broadcast, complete
from ..formula._law import Law
from ..ground._compiled import compiled
from ..ground._shown import values
from ..ground._trees import node, static, traced
from ..table._runs import Runs


class Status(enum.IntFlag):
    """How a lane ended; 0 is OK. Several can hold at once."""

    OK = 0
    MAX_STEPS = 1
    NON_FINITE = 2
    AT_BOUND = 4
    FLAT = 8

    @property
    def message(self) -> str:
        """What it means, in a sentence."""
        said = {
            Status.MAX_STEPS: "not converged: the gradient is not negligible where the solver stopped",
            Status.NON_FINITE: "the law or the objective is not finite at any point that was tried",
            Status.AT_BOUND: "a parameter runs to the edge of its support",
            Status.FLAT: "the data do not identify a direction of the parameters",
        }
        return "; ".join(text for flag, text in said.items() if flag in self) or "OK"


@dataclass(frozen=True)
class Certificate:
    """Why a fit may be trusted, or not. Numbers are scalars for a fit and `(n,)` for an ensemble.

    `gradient`: largest cosine-like gradient component |g_j| / sqrt(H_jj value), free of all scales.
    `singular`: smallest singular value of the Jacobian with columns of length 1; below 1e-6 a direction is lost.
    `deviation`: standard deviation of each free coordinate (relative, for positive parameters), the larger of sandwich and
    expected information (the latter alone where fewer than ten rows per parameter lie inside delta).
    `optima`: the best five objectives that starts ended in, each with its number of starts.
    """

    gradient: Any
    singular: Any
    direction: dict[str, float] = field(default_factory=dict)
    deviation: dict[str, float] = field(default_factory=dict)
    flat: tuple[str, ...] = ()
    at_bound: tuple[str, ...] = ()
    outside_start: tuple[str, ...] = ()
    starts_drawn: int = 0
    starts_kept: int = 0
    starts_agreed: int = 0
    optima: tuple[tuple[float, int], ...] = ()
    delta_over_scale: float | None = None
    residual_scale: float = float("nan")
    rows_used: int = 0
    rows_dropped: int = 0
    assumptions: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@node()
class Problem:
    """What was fitted: law, runs, objective, solver, and the seed of its starts."""

    law: Law
    runs: Runs
    objective: Any
    solver: Any = static()
    seed: int = static(default=0)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit (`value` has shape ()) or an ensemble of refits (`value` has shape (n,)).

    `params` holds every parameter in natural units, `value` the summed objective, `status` a `Status` (per lane);
    `point` is the fit that an ensemble came from, `by` what it resampled, `work` what the lanes cost and where they ran.
    Where several tables or objectives were fitted at once, `cells` holds the fit of each (`fits[3]`, `fits[3, 1]`), and
    arrays have the axes (refits, tables, objectives), those that there are.
    """

    params: dict[str, Any]
    value: Any
    status: Any
    certificate: Certificate
    problem: Problem
    point: Fit | None = None
    by: str = ""
    steps: Any = 0
    work: Any = None
    cells: Any = None
    several: tuple[bool, bool] = (False, False)
    kind: str = ""  # of the resamples
    drawn: tuple[int, int] = (0, 0)  # their seed, and the number of the table in its job, from which their keys follow

    def __len__(self) -> int:
        if np.ndim(self.value) == 0:
            raise TypeError("one fit has no length; an ensemble from bootstrap(...) has")
        return len(self.value)

    def __getitem__(self, cell: Any) -> Fit:
        """The fit (or the ensemble) of one table and objective, where several were fitted at once: `fits[3]`, `fits[3, 1]`."""
        if self.cells is None:
            raise TypeError("this fit has one table and one objective: there is nothing to pick")
        picked = self.cells[cell]
        if not isinstance(picked, Fit):
            raise TypeError(f"fits[...] picks one of {self.cells.shape} tables and objectives: give {self.cells.ndim} integers")
        return picked

    def one_cell(self, verb: str) -> None:
        """Raise where several tables or objectives were fitted at once, for verbs that are about one."""
        if self.cells is not None:
            raise TypeError(f"{verb} takes one table and objective; this holds {self.cells.size}: use fits[0], fits[1], ...")

    def __bool__(self) -> bool:
        raise TypeError("a fit is neither true nor false: use fit.ok, which says (per lane) whether its certificate holds")

    @property
    def ok(self) -> Any:
        """Whether the certificate holds (per lane)."""
        return np.asarray(self.status) == Status.OK

    @property
    def law(self) -> Law:
        """The bound law of one fit; an ensemble has one per resample: use `predict`, `interval(of=...)`, `allocate`."""
        self.one_cell("law")
        if np.ndim(self.value):
            raise TypeError("an ensemble has many laws: use .point.law, .predict(...), or interval(boot, of=...)")
        return bound(self.problem, self.params)

    def predict(self, *columns: Any, **named: Any) -> np.ndarray:
        """Values of the law at columns that broadcast to shape S: `(n, *S)` for an ensemble, `S` for one fit."""
        return predict(self, columns, named)

    def __repr__(self) -> str:
        if self.cells is not None:
            refits = f"{len(self)} refits each, " if self.point is not None else ""
            return (
                f"<{self.cells.size} fits of {self.problem.law.name}, {refits}{int(np.sum(self.ok))} of {np.size(self.value)} OK>"
            )
        if np.ndim(self.value):
            return f"<{len(self)} refits of {self.problem.law.name} by {self.by}, {int(np.sum(self.ok))} OK>"
        shown = ", ".join(f"{k}={values(v, 6 if np.ndim(v) == 0 else 4)}" for k, v in self.params.items())
        return f"<Fit {self.problem.law.name}: {shown}; value {float(self.value):.8g}; {Status(int(self.status)).message}>"


def check_central(problem: Problem, verb: str) -> None:
    """Raise TypeError where residuals do not scatter about the fit: without a target, or about another quantile."""
    if not problem.objective.observes or float(getattr(problem.objective, "tau", 0.5)) != 0.5:
        raise TypeError(f"{verb} needs an objective that fits the middle of a target: no likelihood, no quantile")


def element_names(problem: Problem, name: str, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Place and name of each element of a parameter."""
    group = dict(problem.law.groups).get(name)
    for place in np.ndindex(shape):
        label = (problem.runs.labels[group][place[0]],) if group and place else place[:1]
        yield place, element(name, *label, *place[1:])


def bound(problem: Problem, params: dict[str, Any]) -> Law:
    """The law with these values (one lane), ready to be called with columns; knows the labels of its groups."""
    tied = dict(problem.law.ties)
    fixed = {k: v for k, v in params.items() if k not in tied}
    return dataclasses.replace(problem.law, fixed=fixed)._note(labels=problem.runs.labels)


def all_parameters(law: Law, free: dict[str, np.ndarray], lead: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """All parameters in the order of the law's signature: free ones, fixed ones (repeated over `lead`), tied ones."""
    fixed = {k: np.broadcast_to(np.asarray(v), (*lead, *np.shape(v))) for k, v in law.fixed.items()}
    return complete(law, fixed | free)


def flat(fit: Fit) -> dict[str, np.ndarray]:
    """Parameters with all axes of an ensemble (refits, tables, objectives) made one."""
    axes = np.ndim(fit.value)
    if fit.cells is not None and fit.problem.law.groups:
        raise TypeError("tables with groups of their own are mapped one by one: use fits[0], fits[1], ...")
    return {k: np.reshape(v, (-1, *np.shape(v)[axes:])) for k, v in fit.params.items()}


def predict(fit: Fit, columns: tuple[Any, ...], named: dict[str, Any]) -> np.ndarray:
    """See `Fit.predict`."""
    if np.ndim(fit.value) == 0:
        return np.asarray(fit.law(*columns, **named))
    params = flat(fit)
    first = bound(fit.problem, {k: v[0] for k, v in params.items()})
    rows, _, codes = arguments(first, columns, named)
    if traced(rows, codes):
        raise TypeError("predict() is for numbers; to differentiate, call the bound law of one fit")
    with jax.enable_x64(True):
        rows = jax.tree.map(lambda v: np.asarray(v, np.float64), rows)
        found = np.asarray(_predict(fit.problem.law, params, rows, codes))
    return found.reshape(*np.shape(fit.value), *found.shape[1:])


@compiled
def _predict(law: Law, params: dict[str, Any], rows: dict[str, Any], codes: dict[str, Any]) -> Any:
    free = {k: v for k, v in params.items() if k in law.free}
    return jax.vmap(lambda own: broadcast(law, rows, own, codes))(free)
