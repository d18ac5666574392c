"""`approaches`: three ways to the compute-optimal size, side by side, each with its bias on the
user's own grid.

The envelope (Approach 1 of Hoffmann et al. 2022), the minima of isoFLOP curves (Approach 2) and the
fitted law (Approach 3) answer the same question, and where they disagree the reason is often the
grid. So every estimator is applied twice: to the losses of the runs, and to the losses that the
fitted law gives for the same rows, without noise. In the second the right answer is known, it is
the law's own, and what is missed is bias.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._results import Ensemble, Fit, Status, point_of
from ..ground._errors import InputError, nearest, refuse
from ..ground._shown import table
from ..table._runs import Runs
from ._allocate import allocate
from ._isoflop import KINDS, IsoFLOP, isoflop

_STEP = 0.01  # in ln C, for the slope of the law's own optimum
_ESTIMATORS: dict[str, Callable[[Runs], IsoFLOP]] = {
    kind: functools.partial(isoflop, kind=kind) for kind in KINDS
}
_NUMBER = {"envelope": 1, "law": 3}  # in Hoffmann et al.; the others are 2


@dataclass(frozen=True)
class Approach:
    """One estimator: exponent of N*, `N` [parameters] at the budget, and its bias on the same rows
    without noise.

    `exponent_bias` is a difference, `N_bias` a factor; `used` and `dropped` count minima (points of
    the envelope, rows for the law). Numbers are nan where the estimator cannot be applied, and
    `reason` says why.
    """

    name: str
    exponent: float = np.nan
    N: float = np.nan
    exponent_bias: float = np.nan
    N_bias: float = np.nan
    used: int = 0
    dropped: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Approaches:
    """The estimators side by side at `budget` [FLOP]: `rows` of `Approach`, each also by its name,
    as in `found["akima"]`.
    """

    budget: float
    rows: tuple[Approach, ...]

    def __getitem__(self, name: str) -> Approach:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no approach {name!r}.{nearest(name, [row.name for row in self.rows])}")

    def __repr__(self) -> str:
        lines: list[tuple[str, ...]] = [
            ("approach", "exponent", "bias", f"N* at {self.budget:.3g}", "bias", "used", "dropped")
        ]
        for r in self.rows:
            numbers = (
                f"{r.exponent:.4f}",
                f"{r.exponent_bias:+.4f}",
                f"{r.N:.4g}",
                f"x {r.N_bias:.3f}",
            )
            name = f"{_NUMBER.get(r.name, 2)} {r.name}"
            lines.append((name, *numbers, str(r.used), str(r.dropped), f"  {r.reason}"))
        return "\n".join(table(lines))


def approaches(fit: Fit | Ensemble, budget: float) -> Approaches:
    """Exponent of N* and N* [parameters] at `budget` [FLOP, 6 N D] by Approaches 1, 2 and 3, and
    the bias of each.

    `fit` is a fit of a law of N and D; of an ensemble, the point fit is taken. The estimators see
    the runs of the fit: the envelope, isoFLOP minima by parabola, cubic and Akima interpolation,
    and the law, whose exponent is the slope of its ln N* against ln C at `budget`. Bias is what an
    estimator makes of the law's own losses on the same rows, against the law: a difference of
    exponents, and a factor of N*. It holds as far as the law does; the law itself has none, by
    definition. An estimator that cannot be applied has nan and its reason. Raises InputError for
    laws of other columns.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> approaches(best, 1e22)
    approach    exponent     bias  N* at 1e+22     bias  used  dropped
    1 envelope    0.5187  -0.0011    7.899e+09  x 0.895  1429       83
    2 parabola    0.4740  -0.0005     5.88e+09  x 1.010     6        0
    2 cubic       0.4669  +0.0010    5.573e+09  x 1.016     6        0
    2 akima       0.5190  +0.0006    7.063e+09  x 1.003     6        0
    3 law         0.4735  +0.0000    5.944e+09  x 1.000    60        0

    Source: Hoffmann et al. 2022, sections 3.1 to 3.3, for the approaches. Their bias on the user's
    grid is ours.
    """
    point = point_of(fit, "approaches()")
    own, runs = point.problem.law, point.problem.runs
    if set(own.columns) != {"N", "D"} or own.groups:
        per = f", one per {own.groups[0][1]}" if own.groups else ""
        raise refuse(
            f"approaches: {own.name} is a law of {', '.join(own.columns)}{per}",
            why="Approaches 1 and 2 know sizes, tokens and their loss, and nothing else",
            change="a law of N and D, such as laws.chinchilla, fitted to one family of runs",
        )
    at = np.asarray(budget, np.float64)
    if at.ndim or not np.isfinite(at) or at <= 0:
        raise refuse(
            f"approaches: budget {budget!r}",
            why="a logarithm, or several budgets",
            change="one positive number, in FLOP",
        )
    law = point.law
    plan = allocate(law, at * np.exp([-_STEP, 0.0, _STEP]))
    n = np.asarray(plan["N"], np.float64)
    exponent, size, reason = float(np.log(n[2] / n[0]) / (2 * _STEP)), float(n[1]), ""
    if failed := int(np.bitwise_or.reduce(np.asarray(plan.status).astype(int))):
        exponent, size, reason = np.nan, np.nan, f"no plan of the law: {Status(failed).message}"
    exact = dataclasses.replace(runs, target=np.asarray(law(N=runs["N"], D=runs["D"]), np.float64))
    rows = [
        _applied(
            name, estimator, runs=runs, exact=exact, budget=float(at), exponent=exponent, size=size
        )
        for name, estimator in _ESTIMATORS.items()
    ]
    rows.append(
        Approach(
            name="law",
            exponent=exponent,
            N=size,
            exponent_bias=exponent - exponent,
            N_bias=size / size,
            used=len(runs),
            dropped=runs.dropped,
            reason=reason,
        )
    )
    return Approaches(float(at), tuple(rows))


def _applied(
    name: str,
    estimator: Callable[[Runs], IsoFLOP],
    runs: Runs,
    exact: Runs,
    budget: float,
    exponent: float,
    size: float,
) -> Approach:
    numbers: dict[str, Any] = {"reason": ""}
    try:
        found = estimator(runs)
        numbers |= {"exponent": found.exponents["N"], "N": float(found.predict(budget)["N"])}
        numbers |= {"used": len(found.C), "dropped": len(found.dropped)}
    except InputError as error:
        numbers["reason"] = str(error).splitlines()[0]
    try:
        clean = estimator(exact)
        numbers |= {
            "exponent_bias": clean.exponents["N"] - exponent,
            "N_bias": float(clean.predict(budget)["N"]) / size,
        }
    except InputError as error:
        numbers["reason"] = (
            numbers["reason"] or f"bias unknown; without noise, {str(error).splitlines()[0]}"
        )
    return Approach(name, **numbers)
