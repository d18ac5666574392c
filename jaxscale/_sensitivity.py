"""`sensitivity`: the same question asked of several tables and laws, in one table.

Whether N counts embeddings, which checkpoints are rows, whether untuned runs stay, what the irreducible loss is taken to
be: each is decided before the fit, and each moves the answer more than the optimiser does. What a decision is worth shows
when the answer is given under all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._fit import fit
from ._law import Law
from ._maps import over_ensemble
from ._results import Fit, Status
from ._runs import Runs


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Answers by variant: `values[name]` (variants,) in the units of what was asked, `fits` and `names` in the same order."""

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
        lines = [f"{'variant':<{wide}}  {'rows':>6}" + "".join(f"  {k:>{w}}" for k, w in asked.items()) + "  status"]
        for i, (name, own) in enumerate(zip(self.names, self.fits, strict=True)):
            shown = "".join(f"  {self.values[k][i]:>{w}.4g}" for k, w in asked.items())
            status = Status(int(own.status))
            lines.append(f"{name:<{wide}}  {own.certificate.rows_used:>6}{shown}  {status.name if status else 'OK'}")
        return "\n".join(lines)


def sensitivity(
    laws: Law | Mapping[str, Law],
    runs: Runs | Mapping[str, Runs],
    *,
    of: Mapping[str, Callable[[Law], Any]] | None = None,
    objective: Any = None,
    starts: int = 256,
    seed: int = 0,
) -> Sensitivity:
    """What is asked [units of each answer] of every law fitted to every table: a table of answers by decision.

    `laws` and `runs` are one or several by name; every law is fitted to every table. `of` names functions of the bound law
    (default: its parameters). Tables come from the rules of `Runs` (`best`, `late`, `smoothed`, `using`), laws from `fix`
    and `tie`: `{f"E = {e}": law.fix(E=e) for e in (1.5, 1.7)}` shows what hangs on the irreducible loss. Raises as `fit`.

    >>> import jaxscale as jsl
    >>> runs, law = jsl.datasets.load("simulated"), jsl.laws.chinchilla
    >>> pins = {"free": law, "E = 1.6": law.fix(E=1.6), "E = 1.8": law.fix(E=1.8)}
    >>> found = jsl.sensitivity(pins, runs, of={"N*": lambda law: jsl.allocate(law, 1e24)["N"]}, starts=32)
    >>> bool(found["N*"][2] > found["N*"][1])
    True

    No source: Choshen et al. 2024 (arXiv 2410.11840) and Li et al. 2025 (arXiv 2502.18969) show why.
    """
    some_laws = {"": laws} if isinstance(laws, Law) else dict(laws)
    tables = {"": runs} if isinstance(runs, Runs) else dict(runs)
    if not some_laws or not tables:
        raise ValueError("sensitivity() needs a law and a table; an empty mapping was given")
    names, answers, points = list[str](), list[dict[str, Any]](), list[Fit]()
    for law_name, law in some_laws.items():
        fits = fit(law, list(tables.values()), objective=objective, starts=starts, seed=seed)
        own = [fits[i] for i in range(len(tables))]
        asked = {k: over_ensemble(fits, f) for k, f in of.items()} if of else dict(fits.params)
        for i, table_name in enumerate(tables):
            names.append(", ".join(n for n in (law_name, table_name) if n) or law.name)
            answers.append({k: np.asarray(v)[i] for k, v in asked.items()})
        points += own
    shared = [k for k in answers[0] if all(k in a for a in answers)]
    return Sensitivity(tuple(names), {k: np.stack([a[k] for a in answers]) for k in shared}, tuple(points))
