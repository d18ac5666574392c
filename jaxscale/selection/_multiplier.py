"""The compute multiplier of one recipe over another, from a joint covariance or from paired refits.

With a covariance the interval is the set of all m for which L_base*(m C) = L is not rejected: the
statistic is the gap of ln L in its standard deviations, and both of its ends are looked for
outwards from the estimate. Nothing is divided by a slope, which goes to 0 where base comes near its
irreducible loss; there the interval has no upper end. Refits give percentiles of their multipliers,
in which those count as infinite that never reach the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..fitting._results import Ensemble, Fit
from ..ground._errors import refuse
from ..ground._interval import Interval
from ..ground._roots import halved
from ..ground._tails import student_below, students
from ..plans._frontier import Optimal, Sides, costs, losses
from ._pairs import Joint

REACH = float(np.log(1e6))  # multipliers are looked for between a millionth and a million
_GRID = np.linspace(-REACH, REACH, 49)
_ROUNDING = 1e-11  # of ln L and of ln m: plans end within it


# -- from the joint covariance -------------------------------------------------------------------
def by_inversion(
    base: Optimal,
    other: Optimal,
    both: Joint,
    where: np.ndarray,
    budgets: bool,
    level: float,
    kind: str,
) -> dict[str, Any]:
    """Multiplier, confidence and difference (T, K) at budgets, or targets, `where` (T, K)."""
    at = where if budgets else costs(other.fit, other.aimed, where)
    reached = np.isfinite(at)
    usable = np.where(reached, at, 1.0)  # of the rest only its place is kept
    its = other.along(usable)
    aim = its.loss if budgets else where
    spent = costs(base.fit, base.aimed, aim)
    with np.errstate(invalid="ignore"):
        m = np.log(spent) - np.log(at)

    def z(ln_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Statistic (T, K, J) of L_base*(m C) = L at candidates, and its degrees of freedom."""
        tables, many = len(ln_m), ln_m.shape[-1]
        own = base.along((usable[..., None] * np.exp(ln_m)).reshape(tables, -1))
        gap = np.log(own.loss) - np.repeat(np.log(aim), many, 1)
        slopes = np.repeat(its.slopes, many, 1)
        if not budgets:  # what is uncertain of other is the budget that the target takes
            slopes = slopes * (own.steep / np.repeat(its.steep, many, 1))[..., None]
        variance, dof = both.variance(own.slopes, -slopes)
        return over(gap, variance).reshape(ln_m.shape), dof.reshape(ln_m.shape)

    first = np.clip(np.where(np.isnan(m), 0.0, m), -REACH, REACH)
    at_one, dof = (v[..., 0] for v in z(np.zeros_like(first)[..., None]))
    low, high = _ends(z, first, students(0.5 + 0.5 * level, dof))
    # other never gets there: the question the other way round
    if np.any(back_to_front := ~reached & np.isfinite(spent)):
        swapped = Joint(both.other, both.base, np.swapaxes(both.cross, 1, 2), both.paired)
        back = by_inversion(
            other, base, both=swapped, where=where, budgets=budgets, level=level, kind=kind
        )
        with np.errstate(divide="ignore"):
            inverse = [-np.log(v) for v in (back["multiplier"].high, back["multiplier"].low)]
        low, high = (
            np.where(back_to_front, inverse[0], low),
            np.where(back_to_front, inverse[1], high),
        )
        at_one = np.where(back_to_front, -back["z"], at_one)
    known = ~np.isnan(m)  # nan where neither gets there
    low, high = np.where(known, low, np.nan), np.where(known, high, np.nan)
    confidence = student_below(np.where(known, at_one, np.nan), dof)
    multiplier = Interval(np.exp(low), np.exp(m), np.exp(high), level, kind)
    out = {"multiplier": multiplier, "confidence": confidence, "z": at_one}
    if budgets:
        own = base.along(where)
        variance, _ = both.variance(
            -own.loss[..., None] * own.slopes, its.loss[..., None] * its.slopes
        )
        middle, half = its.loss - own.loss, students(0.5 + 0.5 * level, dof) * np.sqrt(variance)
        out["difference"] = Interval(middle - half, middle, middle + half, level, kind)
    return out


def over(gap: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """A gap in its standard deviations: 0 where nothing is known, infinite where all is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gap / np.sqrt(variance)
    return np.asarray(np.where(np.abs(gap) < _ROUNDING, 0.0, z))


def _ends(
    z: Callable[[np.ndarray], Any], middle: np.ndarray, wide: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ends (T, K) in ln m of what is not rejected around `middle`: where z falls through +wide and
    -wide.
    """
    places = np.sort(
        np.concatenate(
            [np.broadcast_to(_GRID, (*middle.shape, len(_GRID))), middle[..., None]], -1
        ),
        -1,
    )
    seen = z(places)[0]
    count = places.shape[-1]
    spot = np.argmin(np.abs(places - middle[..., None]), -1)[..., None]
    number = np.arange(count)
    # the last that is rejected below
    below = np.where((number <= spot) & (seen > wide[..., None]), number, -1).max(-1)
    above = np.where((number >= spot) & (seen < -wide[..., None]), number, count).min(-1)

    def pick(i: np.ndarray) -> np.ndarray:
        return np.asarray(
            np.take_along_axis(places, np.clip(i, 0, count - 1)[..., None], -1)[..., 0]
        )

    brackets = np.stack([pick(below), pick(below + 1), pick(above - 1), pick(above)])

    def gap(ln_m: np.ndarray) -> np.ndarray:  # (2, T, K), both ends at once
        found: np.ndarray = z(np.moveaxis(ln_m, 0, -1))[0]
        return np.asarray(np.moveaxis(found, -1, 0) - np.stack([wide, -wide]))

    ends = halved(gap, brackets[[0, 2]], brackets[[1, 3]])
    low = np.where(below < 0, -np.inf, np.where(below == count - 1, REACH, ends[0]))
    high = np.where(above >= count, np.inf, np.where(above == 0, -REACH, ends[1]))
    return low, high


# -- from refits ---------------------------------------------------------------------------------
def by_draws(
    sides: Sides, draws: tuple[Ensemble, Ensemble], where: np.ndarray, budgets: bool, level: float
) -> dict[str, Any]:
    """Percentiles of the multipliers of paired refits, infinite ones included."""
    return percentiles(*both_ways(sides, draws, where, budgets), budgets, level)


def both_ways(
    sides: Sides, draws: tuple[Ensemble, Ensemble], where: np.ndarray, budgets: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`multipliers` of the fits and of their paired refits."""
    wide = np.broadcast_to(where, (len(draws[0]), len(where)))
    return multipliers([s.fit for s in sides], sides, where, budgets), multipliers(
        list(draws), sides, wide, budgets
    )


def percentiles(
    point: dict[str, Any], each: dict[str, Any], budgets: bool, level: float
) -> dict[str, Any]:
    """Percentiles of the multipliers of refits, infinite ones included."""
    if np.isnan(each["ln_m"]).all():
        raise refuse(
            "recipes(): no refit has a plan",
            why="the fits are not OK, or the cost has no optimum",
            change="look at the status of the fits",
        )
    low, median, high = quantiles(each["ln_m"], level)
    failed = int(np.isnan(each["ln_m"]).any(1).sum())
    multiplier = Interval(
        low=np.exp(low),
        point=np.exp(point["ln_m"]),
        high=np.exp(high),
        level=level,
        kind="percentile",
        failed=failed,
        median=np.exp(median),
    )
    out = {"multiplier": multiplier, "confidence": favourable(each["ln_m"])}
    if budgets:
        low, median, high = quantiles(each["difference"], level)
        out["difference"] = Interval(
            low=low,
            point=point["difference"],
            high=high,
            level=level,
            kind="percentile",
            failed=failed,
            median=median,
        )
    return out


def multipliers(
    fits: Sequence[Fit | Ensemble], sides: Sides, where: np.ndarray, budgets: bool
) -> dict[str, Any]:
    """ln of the multiplier, and both losses at budgets with their difference (..., K), of every
    lane of two fits or ensembles.
    """
    base, other = fits
    if not budgets:
        with np.errstate(invalid="ignore"):
            return {
                "ln_m": np.log(costs(base, sides[0].aimed, where))
                - np.log(costs(other, sides[1].aimed, where))
            }
    loss = losses(other, sides[1].asked, where)
    ln_m = np.log(costs(base, sides[0].aimed, loss)) - np.log(where)
    own = losses(base, sides[0].asked, where)
    return {"ln_m": ln_m, "difference": loss - own, "losses": (own, loss)}


def quantiles(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, median and high (...) of draws (B, ...): infinite ones count, failed ones (nan)
    do not.
    """
    flat, tail = draws.reshape(len(draws), -1), 0.5 * (1.0 - level)
    ends = np.full((3, flat.shape[1]), np.nan)
    for j, own in enumerate(flat.T):
        if len(kept := np.sort(own[~np.isnan(own)])):
            ends[:, j] = [_quantile(kept, share) for share in (tail, 0.5, 1.0 - tail)]
    low, median, high = ends.reshape(3, *draws.shape[1:])
    return low, median, high


def _quantile(ordered: np.ndarray, share: float) -> float:
    """Between neighbours in proportion, as np.quantile does; next to an infinite one, that one."""
    at = share * (len(ordered) - 1)
    a, b = ordered[int(np.floor(at))], ordered[int(np.ceil(at))]
    return float(a if a == b else a + (at % 1.0) * (b - a))


def favourable(draws: np.ndarray) -> np.ndarray:
    """Share of draws (B, ...) above 0, ties by half; as if one more draw had tied, since no share
    of draws is certain.
    """
    known = ~np.isnan(draws)
    above = np.sum(
        np.where(known, 0.5 * (1.0 + np.sign(np.where(np.abs(draws) < 1e-8, 0.0, draws))), 0.0), 0
    )
    return np.asarray((above + 0.5) / (np.sum(known, 0) + 1.0))
