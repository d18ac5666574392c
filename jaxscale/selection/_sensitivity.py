"""The same question asked again: of several laws, tables and objectives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._ensemble import over_ensemble
from ..fitting._fit import fit
from ..fitting._results import Fit, Status, grid
from ..formula._law import Law
from ..ground._errors import refuse, refuse_type
from ..ground._life import saying
from ..ground._shown import table
from ..table._runs import Runs


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Answers by variant: `values[name]` (variants,) in the units of what was asked, `fits` and
    `names` in the same order.

    The printed `scatter` is the robust scale of the residuals: a pin that the runs contradict shows
    there.
    """

    names: tuple[str, ...]
    values: dict[str, np.ndarray]
    fits: tuple[Fit, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.values:
            raise KeyError(f"no answer {name!r}; there is {', '.join(self.values)}")
        return self.values[name]

    def __repr__(self) -> str:
        asked = [k for k, v in self.values.items() if v.ndim == 1]
        lines = [("variant", "rows", *asked, "scatter", "status")]
        for i, (name, own) in enumerate(zip(self.names, self.fits, strict=True)):
            answers = [
                f"{self.values[k][i]:.4g}" if np.isfinite(self.values[k][i]) else "-" for k in asked
            ]
            scatter, status = f"{own.certificate.residual_scale:.4f}", Status(int(own.status))
            lines.append(
                (
                    name,
                    str(own.certificate.rows_used),
                    *answers,
                    scatter,
                    (status.name or "") if status else "OK",
                )
            )
        vectors = [k for k, v in self.values.items() if v.ndim > 1]
        return "\n".join(
            [*table(lines), *([f"not shown: {', '.join(vectors)}"] if vectors else [])]
        )


def sensitivity(
    laws: Law | Mapping[str, Law],
    runs: Runs | Mapping[str, Runs],
    *,
    of: Callable[[Law], Any] | Mapping[str, Callable[[Law], Any]] | None = None,
    objective: Any = None,
    starts: int = 256,
    seed: int = 0,
) -> Sensitivity:
    """What is asked [units of each answer] of every law, table and objective: a table of answers by
    decision.

    `laws` and `runs` are one or several by name, `objective` one or a list; every law is fitted to
    every table by every objective. `of` names functions of the bound law (default: its parameters;
    nan for a law without one); a single function is called `answer`. Tables come from the rules of
    `Runs` (`best`, `late`, `smoothed`, `using`), laws from `fix` and `tie`: `{f"E = {e}":
    law.fix(E=e) for e in (1.5, 1.7)}` shows what hangs on the irreducible loss, and
    `[LogHuber(delta) for delta in (1e-4, 1e-3, 1e-2)]` what hangs on the width of an objective.
    Raises as `fit`.

    >>> import jaxscale as jsl
    >>> runs, law = jsl.datasets.load("simulated"), jsl.laws.chinchilla
    >>> pins = {"free": law, "E = 1.6": law.fix(E=1.6), "E = 1.8": law.fix(E=1.8)}
    >>> found = jsl.selection.sensitivity(pins, runs,
    ...     of={"N*": lambda law: jsl.allocate(law, 1e24)["N"]}, starts=32)
    >>> bool(found["N*"][2] > found["N*"][1])
    True

    No source: Choshen et al. 2024 (arXiv 2410.11840) and Li et al. 2025 (arXiv 2502.18969) show
    why.
    """
    some_laws = dict(laws) if isinstance(laws, Mapping) else {"": laws}
    tables = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    several = isinstance(objective, Sequence)
    objectives = list(objective) if several else [objective]
    wrong = [
        *(v for v in some_laws.values() if not isinstance(v, Law)),
        *(v for v in tables.values() if not isinstance(v, Runs)),
    ]
    if wrong:
        raise refuse_type(
            f"sensitivity() takes laws and tables of runs; {type(wrong[0]).__name__} is neither",
            why="a fit was given",
            change="fit.problem.law and fit.problem.runs",
        )
    asked = {"answer": of} if callable(of) else of
    if not some_laws or not tables or not objectives:
        raise refuse(
            "sensitivity(): no law, no table or no objective",
            why="a mapping or a list is empty",
            change="one law, one table and one objective at least",
        )
    names, answers, points = list[str](), list[dict[str, Any]](), list[Fit]()
    with saying("laws asked", len(some_laws), "law") as said:
        for law_name, law in some_laws.items():
            fits = fit(
                law,
                list(tables.values()),
                objective=objectives if several else objective,
                starts=starts,
                seed=seed,
            )
            found = (
                {k: over_ensemble(fits, f) for k, f in asked.items()}
                if asked
                else dict(fits.params)
            )
            lead = np.shape(fits.value)
            found = {k: np.reshape(v, (-1, *np.shape(v)[len(lead) :])) for k, v in found.items()}
            own = list(itertools.product(tables, [repr(o) if several else "" for o in objectives]))
            for i, (table_name, said_of) in enumerate(own):
                names.append(", ".join(n for n in (law_name, table_name, said_of) if n) or law.name)
                answers.append({k: v[i] for k, v in found.items()})
            points += list(grid(fits).flat)
            said.update()
    keys = list(dict.fromkeys(k for a in answers for k in a))
    missing = {
        k: np.full_like(next(a[k] for a in answers if k in a), np.nan, np.float64) for k in keys
    }
    # of a law without it: nan
    values = {k: np.stack([a.get(k, missing[k]) for a in answers]) for k in keys}
    return Sensitivity(tuple(names), values, tuple(points))
