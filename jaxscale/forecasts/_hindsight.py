"""`hindsight`: would the smaller runs have predicted the largest one?

The cheapest honest test of a law is at hand in every sweep: leave the largest run out, fit again,
and forecast it. It is an extrapolation, if a short one, which no residual is. The run gets weight
0, so that the table keeps its shape and nothing is compiled anew; runs of the same size, and the
other rows of its run, go with it. The interval comes from a covariance, not from refits: at this
distance the noise of the run is most of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._evidence import evidence
from ..fitting._fit import fit as refit
from ..fitting._problem import check_central
from ..fitting._results import Ensemble, Fit, Status, point_of
from ..ground._errors import InputError, check_level, refuse
from ..ground._interval import Interval
from ..table._scope import largest
from ..uncertainty._covariance import FEWEST
from ..uncertainty._interval import default_kind
from ..uncertainty._prediction import predictive


@dataclass(frozen=True, eq=False)
class Hindsight:
    """The largest run, forecast by a fit without it: `predicted` and `observed` in the law's unit,
    `interval` of a new run.

    `size` is what runs are ordered by (`measure`: C = 6 N D, a column C, or the law's first
    column), `ratio` how many times the largest run that was left in it is. `error` is ln observed -
    ln predicted (the difference, for objectives in the target's own units). `rows` were left out;
    `fit` is the fit without them. Of fewer than five runs with several rows each there is no
    interval: its ends are nan.
    """

    fit: Fit
    measure: str
    size: float
    ratio: float
    observed: float
    predicted: float
    error: float
    interval: Interval
    rows: tuple[int, ...]

    @property
    def inside(self) -> bool:
        """Whether the run lies inside the interval that was announced for it."""
        return bool(self.interval.low <= self.observed <= self.interval.high)

    @property
    def relative(self) -> float:
        """observed / predicted - 1."""
        return self.observed / self.predicted - 1.0

    def __str__(self) -> str:
        unit = " FLOP" if self.measure == "C" else ""
        size = f"{self.measure} = {self.size:.3g}{unit}".replace("e+", "e")
        problem, low, high = self.fit.problem, self.interval.low, self.interval.high
        log, name = problem.objective.log, problem.law.unit.name
        side = (
            f"{'inside' if self.inside else 'OUTSIDE'} its {100 * self.interval.level:.4g} % "
            f"interval, "
        )
        if np.isnan(high):
            side = f"{FEWEST} runs would be needed for an interval"
        elif np.isinf(high):
            side += "which has no end"
        else:
            side += (
                f"±{100 * (np.sqrt(high / low) - 1):.2g} %"
                if log
                else f"±{0.5 * (high - low):.2g} {name}"
            )
        why = (*self.fit.certificate.findings, Status(int(self.fit.status)).message)[0]
        refitted = "" if self.fit.ok else f"; without it the fit is not OK: {why}"
        ratio = f", {self.ratio:.3g} times the next" if np.isfinite(self.ratio) else ""
        problem = self.fit.problem
        missed = (
            f"{100 * abs(self.relative):.2g} %"
            if problem.objective.log
            else f"{abs(self.error):.2g} {problem.law.unit.name}"
        )
        return (
            f"would have predicted your largest run ({size}{ratio}) within {missed} "
            f"({side}){refitted}"
        )

    def __repr__(self) -> str:
        return f"<Hindsight: {self}>"


def hindsight(fit: Fit | Ensemble, *, factor: float = 1.05, level: float = 0.95) -> Hindsight:
    """Forecast of the largest run [in the law's unit] by the same fit without it, and whether its
    interval held.

    The largest run is the one of most compute, 6 N D or a column C; of a law without these, the
    furthest out in its first column. All of its size to within 5 % are left out with it (an isoFLOP
    sweep has many, which would give it away), and so are all rows of their `run`; `factor=3` leaves
    out all of at least a third of its size, for a longer extrapolation, `factor=1` only what is
    equal. Where the largest run was repeated, `observed` is the mean. Starts, seed, solver and
    objective are those of the fit. Raises InputError where too few runs are left, TypeError for
    likelihoods and quantiles.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> print(str(jsl.forecasts.hindsight(best)).replace(" within", "\\nwithin"))
    would have predicted your largest run (C = 1e21 FLOP, 3.98 times the next)
    within 0.2 % (inside its 95 % interval, ±1.4 %)

    Source: holding out the largest scale is common practice (Choshen et al. 2024, section 5); ours
    is that it is the default.
    """
    check_level("hindsight()", level)
    point = point_of(fit, "hindsight()")
    if not factor >= 1.0:
        raise refuse(
            f"hindsight(): factor={factor}",
            why="it is how many times smaller the runs are that stay",
            change="1 leaves the largest run out, 3 all of at least a third of its size",
        )
    problem, law, runs = point.problem, point.problem.law, point.problem.runs
    check_central(problem, "hindsight()")
    at = evidence(point)
    columns = {c: at.table.rows[c][at.rows] for c in law.columns}
    try:
        measure, size = largest(columns)
    except ValueError:
        raise refuse(
            f"hindsight(): {law.name} has no column with one number per run",
            why="runs of a mixture have no size",
            change="a law with N, D or another number, or hold runs out by weights",
        ) from None
    held, equal = _held(point, at.rows, columns, size, factor)
    left = size[~held]
    groups = {
        g: np.asarray(runs.groups[g])[at.rows] for g in dict.fromkeys(dict(law.groups).values())
    }
    for g, codes in groups.items():
        lost = sorted(
            {runs.labels[g][c] for c in np.unique(codes[held])}
            - {runs.labels[g][c] for c in np.unique(codes[~held])}
        )
        if lost:
            raise refuse(
                f"hindsight(): without the largest run no run of {g} {lost[0]!r} is left",
                why="the law has parameters of their own for each group, and nothing else tells "
                "those",
                change="a law without per(...), or more runs of that group",
            )
    weights = np.array(runs.weights, np.float64)
    weights[at.rows[held]] = 0.0
    if not len(left):
        raise refuse(
            "hindsight(): no run is left",
            why="all are of one size, or of one run",
            change="factor=1, or more runs",
        )
    again = refit(
        law,
        dataclasses.replace(runs, weights=weights),
        objective=problem.objective,
        starts=max(point.certificate.starts_drawn, 32),
        solver=problem.solver,
        seed=problem.seed,
    )
    kind, clusters = default_kind(at), at.clusters(None)
    few = clusters is not None and len(np.unique(clusters[~held])) < FEWEST
    if kind == "percentile" or few:
        kind = "hc3"
    where = {c: v[equal][0] for c, v in columns.items()} | {
        g: runs.labels[g][codes[equal][0]] for g, codes in groups.items()
    }
    own = predictive(again, "hindsight()", (), where, kind=kind)
    # of a mean
    own = dataclasses.replace(own, noise=own.noise / np.sqrt(np.sum(at.precision[equal])))
    observed = np.average(
        np.log(at.target[equal]) if own.log else at.target[equal], weights=at.weights[equal]
    )
    error = float(observed - own.centre)
    seen, said = (float(np.exp(v)) if own.log else float(v) for v in (observed, own.centre))
    top, following = float(size[equal][0]), float(left.max())
    interval = own.interval(level)
    if few:
        interval = dataclasses.replace(
            interval, low=np.nan, high=np.nan, kind="fewer than five runs"
        )
    return Hindsight(
        fit=again,
        measure=measure,
        size=top,
        ratio=top / following if following > 0 else np.inf,
        observed=seen,
        predicted=said,
        error=error,
        interval=interval,
        rows=tuple(at.rows[held].tolist()),
    )


def _held(
    point: Fit, rows: np.ndarray, columns: dict[str, Any], size: np.ndarray, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which live rows are left out, and which of them are equal to the largest run."""
    problem = point.problem
    top = int(np.argmax(size))
    codes = [
        np.asarray(problem.runs.groups[g])[rows]
        for g in dict.fromkeys(dict(problem.law.groups).values())
    ]
    alike = [
        np.all(np.reshape(v == v[top], (len(rows), -1)), axis=1)
        for v in [*columns.values(), *codes]
    ]
    equal = np.all(alike, axis=0)
    held = equal | ((size >= size[top] / factor) if factor > 1.0 else False)
    if "run" in problem.runs.groups:
        run = np.asarray(problem.runs.groups["run"])[rows]
        held = held | np.isin(run, run[held])
    return held, equal


def in_a_line(fit: Fit | Ensemble, level: float) -> str:
    """What a report says of it, which is never an error."""
    try:
        return str(hindsight(fit, level=level))
    except (InputError, TypeError) as error:
        why = str(error).splitlines()[0].removeprefix("hindsight()").lstrip(": ")
        return f"would have predicted your largest run: not known, {why}"
