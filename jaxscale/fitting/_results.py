"""Results: a fit, an ensemble of its refits, fits of several tables, and how far each can be
trusted.

`Status` is data (one number per lane); the `Certificate` says on which grounds, by name of
parameter. Results print, index, predict, and hand out bound laws; nothing is fitted here.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import jax
import numpy as np

from ..formula._form import arguments, broadcast
from ..formula._law import Law
from ..ground._compiled import compiled
from ..ground._errors import refuse_type
from ..ground._shown import values
from ..ground._trees import traced
from ._problem import Problem, bound


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
            Status.MAX_STEPS: "not converged: the gradient is not negligible where the solver "
            "stopped",
            Status.NON_FINITE: "the law or the objective is not finite at any point that was tried",
            Status.AT_BOUND: "a parameter runs to the edge of its support",
            Status.FLAT: "the data do not identify a direction of the parameters",
        }
        return "; ".join(text for flag, text in said.items() if flag in self) or "OK"


@dataclass(frozen=True)
class Certificate:
    """Why a fit may be trusted, or not. Numbers are scalars for a fit and `(n,)` for an ensemble.

    `gradient`: largest cosine-like gradient component |g_j| / sqrt(H_jj value), free of all scales.
    `singular`: smallest singular value of the Jacobian with columns of length 1; below 1e-6 a
    direction is lost. `deviation`: standard deviation of each free coordinate (relative, for
    positive parameters), the larger of sandwich and expected information (the latter alone where
    fewer than ten rows per parameter lie inside delta). `optima`: the best five objectives that
    starts ended in, each with its number of starts.
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


@dataclass(frozen=True, eq=False)
class Fit:
    """One fit: a law, its runs, and the parameters at the certified optimum.

    `params` holds every parameter in natural units, `value` the summed objective, `status` a
    `Status`, `certificate` the grounds; `problem` what was fitted, `work` what the lanes cost and
    where they ran.
    """

    params: dict[str, Any]
    value: Any
    status: Any
    certificate: Certificate
    problem: Problem
    steps: Any = 0
    work: Any = None
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # see `_evidence`

    @property
    def point(self) -> Fit:
        """The fit itself: what is asked of a fit is asked of an ensemble's point."""
        return self

    @property
    def ok(self) -> Any:
        """Whether the certificate holds."""
        return np.asarray(self.status) == Status.OK

    @property
    def law(self) -> Law:
        """The bound law, ready to be called with columns."""
        return bound(self.problem, self.params)

    def predict(self, *columns: Any, **named: Any) -> np.ndarray:
        """Values of the law, in its unit, at columns that broadcast to shape S: `S`."""
        return np.asarray(self.law(*columns, **named))

    def __bool__(self) -> bool:
        raise _neither()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{k}={values(v, 6 if np.ndim(v) == 0 else 4)}" for k, v in self.params.items()
        )
        said = Status(int(self.status)).message
        return f"<Fit {self.problem.law.name}: {shown}; value {float(self.value):.8g}; {said}>"


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Refits of one fit, or draws from its posterior: every array has an axis (n,) in front.

    `params`, `value`, `status` and `steps` as of a fit; `point` is the fit that it came from, whose
    `certificate` it has, with `gradient` and `singular` of each refit. `kind` says what was drawn
    ("pairs", ..., "posterior"), `by` which units, `drawn` the seed, and the number of the table in
    its job, from which the keys follow.
    """

    params: dict[str, Any]
    value: Any
    status: Any
    certificate: Certificate
    point: Fit
    by: str = ""
    steps: Any = 0
    work: Any = None
    kind: str = ""
    drawn: tuple[int, int] = (0, 0)

    @property
    def problem(self) -> Problem:
        """What was fitted."""
        return self.point.problem

    @property
    def ok(self) -> Any:
        """Whether each refit holds (n,)."""
        return np.asarray(self.status) == Status.OK

    @property
    def law(self) -> Law:
        """None: every refit has a law of its own. Raises AttributeError that says what there is
        instead.
        """
        raise AttributeError(
            "an ensemble has many laws: use .point.law, .predict(...), or interval(boot, of=...)"
        )

    def predict(self, *columns: Any, **named: Any) -> np.ndarray:
        """Values of every refit's law, in its unit, at columns that broadcast to shape S: `(n,
        *S)`.
        """
        return predict(self, columns, named)

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        raise _neither()

    def __repr__(self) -> str:
        return (
            f"<{len(self)} refits of {self.problem.law.name} by {self.by}, "
            f"{int(np.sum(self.ok))} OK>"
        )


@dataclass(frozen=True, eq=False)
class Fits:
    """Fits of several tables or objectives, made in one job: a sequence of `Fit`, or of `Ensemble`
    once resampled.

    `cells` has the axes that were asked for, `axes`: ("tables",), ("objectives",) or both.
    `fits[3]`, `fits[3, 1]` is one of them, `fits[:3]` some. `params`, `value`, `status`, `steps`
    are stacked: (tables, objectives), after refits (n,).
    """

    cells: np.ndarray
    axes: tuple[str, ...]

    @property
    def grid(self) -> np.ndarray:
        """The cells as (tables, objectives), whichever of the two there is."""
        if len(self.axes) == 2:
            return self.cells
        return self.cells.reshape((-1, 1) if self.axes == ("tables",) else (1, -1))

    @property
    def point(self) -> Fits:
        """The fits themselves: those that ensembles came from."""
        return Fits(_each(self.cells, lambda f: f.point), self.axes)

    @property
    def first(self) -> Any:
        """The first of them: law, solver and kind of objective are those of all."""
        return self.cells.flat[0]

    @property
    def problem(self) -> Problem:
        """What was fitted: law and solver are those of all, runs and objective those of
        the first.
        """
        problem: Problem = self.first.problem
        return problem

    @property
    def work(self) -> Any:
        """What the lanes of the first job cost."""
        return self.first.work

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        """Every parameter in natural units, stacked."""
        return {k: self._together(lambda f: f.params[k]) for k in self.first.params}  # noqa: B023

    @functools.cached_property
    def value(self) -> np.ndarray:
        """The summed objectives, stacked."""
        return self._together(lambda f: f.value)

    @functools.cached_property
    def status(self) -> np.ndarray:
        """A `Status` of each, stacked."""
        return self._together(lambda f: np.asarray(f.status, np.int64))

    @functools.cached_property
    def steps(self) -> np.ndarray:
        """Steps that each took, stacked."""
        return self._together(lambda f: f.steps)

    @property
    def ok(self) -> Any:
        """Whether each holds, stacked."""
        return self.status == Status.OK

    def predict(self, *columns: Any, **named: Any) -> np.ndarray:
        """Values of every law, in its unit, at columns that broadcast to shape S: `(*axes, *S)`,
        refits first.
        """
        return predict(self, columns, named)

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        picked = self.cells[index]
        if not isinstance(picked, np.ndarray):
            return picked
        if not picked.size or picked.ndim > self.cells.ndim:
            raise IndexError(
                f"fits[{index!r}] picks {'none' if not picked.size else 'new axes'} of "
                f"{self.cells.shape} fits"
            )
        if picked.ndim == self.cells.ndim:
            return Fits(picked, self.axes)
        first = index[0] if isinstance(index, tuple) else index
        return Fits(
            picked,
            self.axes[1:]
            if np.ndim(first) == 0 and not isinstance(first, slice)
            else self.axes[:1],
        )

    def __bool__(self) -> bool:
        raise _neither()

    def __repr__(self) -> str:
        refits = f"{len(self.first)} refits each, " if isinstance(self.first, Ensemble) else ""
        count = f"{int(np.sum(self.ok))} of {np.size(self.value)} OK"
        return f"<{self.cells.size} fits of {self.problem.law.name}, {refits}{count}>"

    def _together(self, of: Callable[[Any], Any]) -> np.ndarray:
        each = [np.asarray(of(f)) for f in self.cells.flat]
        lead = np.shape(self.first.value)
        stacked = np.stack(each, axis=len(lead))
        return stacked.reshape(*lead, *self.cells.shape, *stacked.shape[len(lead) + 1 :])


Fitted = Fit | Ensemble | Fits


def _neither() -> TypeError:
    return refuse_type(
        "a fit is neither true nor false",
        why="it was asked whether it is valid",
        change="use fit.ok, which says (per lane) whether its certificate holds",
    )


def _each(cells: np.ndarray, of: Callable[[Any], Any]) -> np.ndarray:
    out = np.empty(cells.shape, object)
    for place in np.ndindex(cells.shape):
        out[place] = of(cells[place])
    return out


def point_of(fit: Any, verb: str) -> Fit:
    """The one fit that a verb is about: of an ensemble its point. Raises TypeError for several
    tables, and what is no fit.
    """
    if isinstance(fit, Fits):
        raise refuse_type(
            f"{verb} takes one table and objective; this holds {fit.cells.size}",
            why="fit was given a list",
            change="use fits[0], fits[1], ...",
        )
    if not isinstance(fit, Fit | Ensemble):
        raise refuse_type(
            f"{verb} takes a fit or an ensemble, not {type(fit).__name__}",
            why="a law, a plan or a list was given where a fit was meant",
            change="fit = jsl.fit(law, runs), or boot = jsl.bootstrap(fit, 4_000)",
        )
    return fit.point


def resampled(fit: Any) -> TypeGuard[Ensemble | Fits]:
    """Whether these are refits, or draws, of a fit or of several."""
    return isinstance(fit.first if isinstance(fit, Fits) else fit, Ensemble)


def grid(fit: Fit | Fits) -> np.ndarray:
    """The fits of one table and objective that a fit holds, (tables, objectives)."""
    if isinstance(fit, Fits):
        return fit.grid
    only = np.empty((1, 1), object)
    only[0, 0] = fit
    return only


def flat(fit: Fitted) -> dict[str, np.ndarray]:
    """Parameters with all axes (refits, tables, objectives) made one."""
    axes = np.ndim(fit.value)
    if isinstance(fit, Fits) and fit.problem.law.groups:
        raise refuse_type(
            "tables with groups of their own",
            why="each has parameters of its own",
            change="use fits[0], fits[1], ...",
        )
    return {k: np.reshape(v, (-1, *np.shape(v)[axes:])) for k, v in fit.params.items()}


def predict(fit: Ensemble | Fits, columns: tuple[Any, ...], named: dict[str, Any]) -> np.ndarray:
    """See `Ensemble.predict` and `Fits.predict`."""
    params = flat(fit)
    first = bound(fit.problem, {k: v[0] for k, v in params.items()})
    rows, _, codes = arguments(first, columns, named)
    if traced(rows, codes):
        raise refuse_type(
            "predict(): columns that JAX traces",
            why="it is for numbers",
            change="to differentiate, call the bound law of one fit: fit.law(N, D)",
        )
    with jax.enable_x64(True):
        rows = jax.tree.map(lambda v: np.asarray(v, np.float64), rows)
        found = np.asarray(_predict(fit.problem.law, params, rows, codes))
    return found.reshape(*np.shape(fit.value), *found.shape[1:])


@compiled
def _predict(law: Law, params: dict[str, Any], rows: dict[str, Any], codes: dict[str, Any]) -> Any:
    free = {k: v for k, v in params.items() if k in law.free}
    return jax.vmap(lambda own: broadcast(law, rows, own, codes))(free)
