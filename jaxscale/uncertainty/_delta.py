"""`delta_sensitivity`: how much of an answer hangs on the width of a robust objective's quadratic zone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._checks import warn
from .._fit import fit as fitted
from .._law import Law
from .._results import Fit
from ._evidence import evidence, parameters, slopes_of


def delta_sensitivity(
    fit: Fit, deltas: Sequence[float] | None = None, *, of: Callable[[Law], Any] | None = None
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
    fit.one_cell("delta_sensitivity()")
    point = fit if fit.point is None else fit.point
    problem, certificate = point.problem, point.certificate
    name = problem.objective.width
    if name is None:
        raise TypeError(f"delta_sensitivity(): {type(problem.objective).__name__} has no delta")
    scale = float(getattr(problem.objective, name)) / (certificate.delta_over_scale or 1.0)
    wanted = scale * np.geomspace(0.03, 30.0, 7) if deltas is None else np.asarray(deltas, np.float64)
    objectives = [dataclasses.replace(problem.objective, **{name: float(d)}) for d in wanted]
    starts = max(certificate.starts_drawn, 1)
    fits = fitted(problem.law, problem.runs, objective=objectives, starts=starts, solver=problem.solver, seed=problem.seed)
    if not np.all(fits.ok):
        warn(f"delta_sensitivity(): the fit is not OK at delta {', '.join(f'{d:.3g}' for d in wanted[~fits.ok])}")
    return wanted, slopes_of(evidence(fits), of or parameters)[0]
