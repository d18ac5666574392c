"""Two curves of least loss over a range of budgets: their intervals, that of their difference, and
where they cross.

A crossing comes with the budgets around it at which the interval of the difference holds 0, so that
it agrees with what is said at any single budget; and with the share of draws in which the curves
cross within the range at all: refits, or curves drawn from the joint covariance of both fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fitting._results import Ensemble
from ..ground._interval import Interval
from ..ground._roots import halved
from ..ground._tails import students
from ..plans._frontier import Along, Sides, losses
from ._multiplier import both_ways, by_inversion, percentiles, quantiles
from ._pairs import Joint

_DRAWS = 4000  # of linearised curves


@dataclass(frozen=True, eq=False)
class Crossing:
    """Where the curves cross: `budget`, and the budgets from `low` to `high` around it at which
    either may be the better.

    0 and infinity stand for ends beyond the range that was looked at. `better_above` is the recipe
    that has the lower loss above it, "base" or "other".
    """

    budget: float
    low: float
    high: float
    better_above: str

    def __repr__(self) -> str:
        return (
            f"<Crossing at {self.budget:.3g} ({self.low:.3g} to {self.high:.3g}), "
            f"{self.better_above} better above>"
        )


@dataclass(frozen=True, eq=False)
class Curves:
    """Both recipes over `budget` (K,), as intervals: least losses of `base` and `other`, other less
    base, the multiplier.
    """

    budget: np.ndarray
    base: Interval
    other: Interval
    difference: Interval
    multiplier: Interval


def by_lines(
    sides: Sides, both: Joint, grid: np.ndarray, level: float, kind: str, seed: int
) -> tuple[Curves, float]:
    """Both curves with intervals, and the share of linearised draws of their difference that change
    sign.
    """
    own: list[Along] = [side.along(grid[None]) for side in sides]
    none = [np.zeros_like(a.slopes) for a in own]

    def band(middle: np.ndarray, base: np.ndarray, other: np.ndarray) -> Interval:
        variance, dof = both.variance(base, other)
        half = students(0.5 + 0.5 * level, dof[0]) * np.sqrt(variance[0])
        return Interval(middle - half, middle, middle + half, level, kind)

    a, b = own
    logs = [band(np.log(a.loss[0]), a.slopes, none[1]), band(np.log(b.loss[0]), none[0], b.slopes)]
    bands = [i.each(np.exp) for i in logs]
    to = [-a.loss[..., None] * a.slopes, b.loss[..., None] * b.slopes]
    difference = band(b.loss[0] - a.loss[0], *to)
    usable = np.isfinite(difference.low)
    slopes = np.concatenate([to[0][0], to[1][0]], -1)[usable]
    rng = np.random.default_rng([seed, 71])
    size, vectors = np.linalg.eigh(slopes @ _full(both) @ slopes.T)
    root = vectors * np.sqrt(np.maximum(size, 0.0))
    dof = float(min(both.base[0].dof, both.other[0].dof))
    scale = np.sqrt(dof / rng.chisquare(dof, (_DRAWS, 1)))
    curves = difference.point[usable] + scale * (rng.standard_normal((_DRAWS, len(size))) @ root.T)
    multiplier = by_inversion(*sides, both, grid[None], True, level, kind)["multiplier"]
    return Curves(grid, bands[0], bands[1], difference, multiplier.each(lambda v: v[0])), _changing(
        curves
    )


def _full(both: Joint) -> np.ndarray:
    """Covariance (P + Q, P + Q) of both fits of the first table; what is not known stays out."""
    a, b, c = np.nan_to_num(both.base[0].matrix), np.nan_to_num(both.other[0].matrix), both.cross[0]
    return np.block([[a, c], [c.T, b]])


def _changing(draws: np.ndarray) -> float:
    """Share of curves (B, K) that change sign."""
    signs = np.sign(draws)
    return (
        float(np.mean(np.any(signs[:, 1:] * signs[:, :-1] < 0, 1))) if draws.size else float("nan")
    )


def by_refits(
    sides: Sides, draws: tuple[Ensemble, Ensemble], grid: np.ndarray, level: float
) -> tuple[Curves, float]:
    """Both curves with percentiles, and the share of refits whose curves cross; `difference.failed`
    refits lack a curve.
    """
    at_point, at_each = both_ways(sides, draws, grid, True)
    multiplier = percentiles(at_point, at_each, True, level)["multiplier"]
    point, each = at_point["losses"], at_each["losses"]

    def band(drawn: np.ndarray, middle: np.ndarray) -> Interval:
        low, median, high = quantiles(drawn, level)
        return Interval(
            low=low,
            point=middle,
            high=high,
            level=level,
            kind="percentile",
            failed=int(np.isnan(drawn).any(1).sum()),
            median=median,
        )

    gap = each[1] - each[0]
    curves = Curves(
        grid,
        band(each[0], point[0]),
        band(each[1], point[1]),
        band(gap, point[1] - point[0]),
        multiplier,
    )
    return curves, _changing(gap[~np.isnan(gap).any(1)])


# -- crossings -----------------------------------------------------------------------------------
def crossings(sides: Sides, curves: Curves) -> tuple[Crossing, ...]:
    """Changes of sign of the difference, each with the budgets around it at which the interval of
    the difference holds 0.
    """
    x, gap = np.log(curves.budget), curves.difference.point
    at = np.flatnonzero(np.sign(gap[1:]) * np.sign(gap[:-1]) < 0)
    if not len(at):
        return ()
    sign = np.sign(gap[at])

    def difference(ln_c: np.ndarray) -> np.ndarray:
        budgets = np.exp(ln_c)
        return np.asarray(
            sign
            * (
                losses(sides[1].fit, sides[1].asked, budgets)
                - losses(sides[0].fit, sides[0].asked, budgets)
            )
        )

    found = []
    for place, i in zip(halved(difference, x[at], x[at + 1]), at, strict=True):
        low, high = _undecided(x, curves.difference, int(i))
        budget = float(np.exp(place))
        found.append(
            Crossing(budget, min(low, budget), max(high, budget), "other" if gap[i] > 0 else "base")
        )
    return tuple(found)


def _undecided(x: np.ndarray, difference: Interval, i: int) -> tuple[float, float]:
    """Ends of the budgets around places i, i + 1 at which the difference may be 0; 0 and infinity
    beyond the range.
    """
    # how far the interval of the difference stays from 0: negative where it holds it
    away = np.maximum(difference.low, -difference.high)
    down = np.flatnonzero(away[: i + 1] > 0)
    up = np.flatnonzero(away[i + 1 :] > 0) + i + 1
    low = 0.0 if not len(down) else float(np.exp(_zero(x, away, int(down[-1]), int(down[-1]) + 1)))
    high = np.inf if not len(up) else float(np.exp(_zero(x, away, int(up[0]) - 1, int(up[0]))))
    return low, high


def _zero(x: np.ndarray, y: np.ndarray, i: int, j: int) -> float:
    """Where the line from (x_i, y_i) to (x_j, y_j) is 0; the middle where both are away from it."""
    if not np.isfinite(y[i] - y[j]) or y[i] * y[j] >= 0:
        return float(0.5 * (x[i] + x[j]))
    return float(x[i] + (x[j] - x[i]) * y[i] / (y[i] - y[j]))
