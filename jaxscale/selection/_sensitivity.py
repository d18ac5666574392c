"""The same question asked again: of several tables and laws (`sensitivity`), or of several widths of a robust objective."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._ensemble import over_ensemble
from ..fitting._evidence import evidence_of_each, parameters, slopes_of
from ..fitting._fit import fit
from ..fitting._fit import fit as fitted
from ..fitting._results import Ensemble, Fit, Status, point_of
from ..formula._law import Law
from ..ground._errors import warn
from ..ground._life import saying
from ..table._runs import Runs


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Answers by variant: `values[name]` (variants,) in the units of what was asked, `fits` and `names` in the same order.

    The printed `scatter` is the robust scale of the residuals: a pin that the runs contradict shows there.
    """

    names: tuple[str, ...]
    values: dict[str, np.ndarray]
    fits: tuple[Fit, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.values:
            raise KeyError(f"no answer {name!r}; there is {', '.join(self.values)}")
        return self.values[name]

    def __repr__(self) -> str:
        wide = max(len(n) for n in (*self.names, "variant"))
        asked = {k: max(len(k), 10) for k, v in self.values.items() if v.ndim == 1}
        lines = [f"{'variant':<{wide}}  {'rows':>6}" + "".join(f"  {k:>{w}}" for k, w in asked.items()) + "  scatter  status"]
        for i, (name, own) in enumerate(zip(self.names, self.fits, strict=True)):
            cells = [(f"{self.values[k][i]:.4g}" if np.isfinite(self.values[k][i]) else "-", w) for k, w in asked.items()]
            shown = "".join(f"  {text:>{w}}" for text, w in cells)
            scatter, status = own.certificate.residual_scale, Status(int(own.status))
            lines.append(
                f"{name:<{wide}}  {own.certificate.rows_used:>6}{shown}  {scatter:>7.4f}  {status.name if status else 'OK'}"
            )
        vectors = [k for k, v in self.values.items() if v.ndim > 1]
        return "\n".join([*lines, *([f"not shown: {', '.join(vectors)}"] if vectors else [])])


def sensitivity(
    laws: Law | Mapping[str, Law],
    runs: Runs | Mapping[str, Runs],
    *,
    of: Callable[[Law], Any] | Mapping[str, Callable[[Law], Any]] | None = None,
    objective: Any = None,
    starts: int = 256,
    seed: int = 0,
) -> Sensitivity:
    """What is asked [units of each answer] of every law fitted to every table: a table of answers by decision.

    `laws` and `runs` are one or several by name; every law is fitted to every table. `of` names functions of the bound law
    (default: its parameters; nan for a law without one); a single function is called `answer`. Tables
    come from the rules of `Runs` (`best`, `late`, `smoothed`, `using`), laws from `fix`
    and `tie`: `{f"E = {e}": law.fix(E=e) for e in (1.5, 1.7)}` shows what hangs on the irreducible loss. Raises as `fit`.

    >>> import jaxscale as jsl
    >>> runs, law = jsl.datasets.load("simulated"), jsl.laws.chinchilla
    >>> pins = {"free": law, "E = 1.6": law.fix(E=1.6), "E = 1.8": law.fix(E=1.8)}
    >>> found = jsl.sensitivity(pins, runs, of={"N*": lambda law: jsl.allocate(law, 1e24)["N"]}, starts=32)
    >>> bool(found["N*"][2] > found["N*"][1])
    True

    No source: Choshen et al. 2024 (arXiv 2410.11840) and Li et al. 2025 (arXiv 2502.18969) show why.
    """
    some_laws = dict(laws) if isinstance(laws, Mapping) else {"": laws}
    tables = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    wrong = [*(v for v in some_laws.values() if not isinstance(v, Law)), *(v for v in tables.values() if not isinstance(v, Runs))]
    if wrong:
        raise TypeError(
            f"sensitivity() takes laws and tables of runs; {type(wrong[0]).__name__} is neither (fit.problem has both)"
        )
    asked = {"answer": of} if callable(of) else of
    if not some_laws or not tables:
        raise ValueError("sensitivity() needs a law and a table; an empty mapping was given")
    names, answers, points = list[str](), list[dict[str, Any]](), list[Fit]()
    with saying("laws asked", len(some_laws), "law") as said:
        for law_name, law in some_laws.items():
            fits = fit(law, list(tables.values()), objective=objective, starts=starts, seed=seed)
            own = [fits[i] for i in range(len(tables))]
            found = {k: over_ensemble(fits, f) for k, f in asked.items()} if asked else dict(fits.params)
            for i, table_name in enumerate(tables):
                names.append(", ".join(n for n in (law_name, table_name) if n) or law.name)
                answers.append({k: np.asarray(v)[i] for k, v in found.items()})
            points += own
            said.update()
    keys = list(dict.fromkeys(k for a in answers for k in a))
    missing = {k: np.full_like(next(a[k] for a in answers if k in a), np.nan, np.float64) for k in keys}
    values = {k: np.stack([a.get(k, missing[k]) for a in answers]) for k in keys}  # of a law without it: nan
    return Sensitivity(tuple(names), values, tuple(points))


def delta_sensitivity(
    fit: Fit | Ensemble, deltas: Sequence[float] | None = None, *, of: Callable[[Law], Any] | None = None
) -> tuple[np.ndarray, Any]:
    """Deltas (k,), in the objective's unit, and a result at each of them, a tree of arrays (k, ...) in its units.

    The fit is repeated for each delta in one call; by default seven of them, from 0.03 to 30 residual scales. `of` takes
    the bound law (default: its parameters). Raises TypeError for an objective without a delta.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> deltas, size = jsl.delta_sensitivity(best, of=lambda law: jsl.allocate(law, 1e24)["N"])
    >>> size.shape
    (7,)

    No source: a table that every robust fit should come with.
    """
    point = point_of(fit, "delta_sensitivity()")
    problem, certificate = point.problem, point.certificate
    name = problem.objective.width
    if name is None:
        raise TypeError(f"delta_sensitivity(): {type(problem.objective).__name__} has no delta")
    scale = problem.objective.zone / (certificate.delta_over_scale or 1.0)
    wanted = scale * np.geomspace(0.03, 30.0, 7) if deltas is None else np.asarray(deltas, np.float64)
    objectives = [dataclasses.replace(problem.objective, **{name: float(d)}) for d in wanted]
    starts = max(certificate.starts_drawn, 1)
    fits = fitted(problem.law, problem.runs, objective=objectives, starts=starts, solver=problem.solver, seed=problem.seed)
    if not np.all(fits.ok):
        warn(f"delta_sensitivity(): the fit is not OK at delta {', '.join(f'{d:.3g}' for d in wanted[~fits.ok])}")
    return wanted, slopes_of(evidence_of_each(fits), of or parameters)[0]
