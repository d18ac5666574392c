"""Two recipes under one law: how much less compute the better one needs, where the curves cross,
and how sure that is.

A recipe (data, architecture, optimizer) has a sweep and a fit; both fits have a curve of least loss
over budgets. The compute multiplier m of a recipe over a base says that the base needs m times its
compute: L_base*(m C) = L_other*(C). Its interval is the set of all m that a test of this equation
does not reject. That needs no inverse of a curve which flattens towards its irreducible loss, so
that an interval may well end at infinity, and the same statistic says how sure it is that one is
better (m = 1) and where the curves cross (all budgets at which m = 1 is not rejected).

Rows of both tables with the same configuration and seed are pairs: noise that they share cancels
(`_pairs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._evidence import Evidence, evidence
from ..fitting._results import Fit, Status
from ..ground._errors import check_level, nearest, refuse
from ..ground._interval import Interval
from ..ground._shown import rows
from ..plans._frontier import Sides, optimal
from ..plans._oracle import value_of
from ..uncertainty._interval import default_kind
from ._crossing import Crossing, Curves, by_lines, by_refits, crossings
from ._multiplier import by_draws, by_inversion
from ._pairs import check_pair, joint, paired_refits, pairs_of

KINDS = ("hc3", "cr3", "percentile")
_CURVE = 41  # budgets at which the curves are drawn and crossings looked for
_BEYOND = 100.0  # times the dearest run, where no range is given


@dataclass(frozen=True, eq=False)
class Recipes:
    """How `other` compares with `base`, at budgets or targets: arrays (k,), or numbers where one
    was asked for.

    `multiplier`: the base needs that many times the compute (above 1, other is better); its `point`
    is the estimate. `confidence`: how sure it is that other is better (one-sided; 0.5 is no idea).
    `difference`: loss of other less that of base at the same budget [the law's unit], None for
    targets. `crossings` within the range of `curves`, and `crosses`, the share of draws in which
    the curves cross there at all. `pairs` of `rows` rows belong together.
    """

    multiplier: Interval
    confidence: Any
    difference: Interval | None
    budget: Any
    target: Any
    crossings: tuple[Crossing, ...]
    crosses: float
    curves: Curves
    pairs: int
    rows: tuple[int, int]
    remarks: tuple[str, ...] = ()
    of: tuple[Any, Any] = (None, None)  # the two fits
    asked: Any = None  # the question about the base, for figures

    @property
    def p_value(self) -> Any:
        """Two-sided: how often the difference would be as large if both recipes were alike."""
        share = np.asarray(self.confidence)
        return (2.0 * np.minimum(share, 1.0 - share))[()]

    def __repr__(self) -> str:
        m, where = self.multiplier, self.budget if self.target is None else self.target
        at, many = ("loss", "losses") if self.budget is None else ("budget", "budgets")

        def line(place: tuple[int, ...]) -> str:
            low, middle, high, sure, asked = (
                np.asarray(v)[place] for v in (*m, self.confidence, where)
            )
            said = (
                "below 0.001" if sure < 0.001 else "above 0.999" if sure > 0.999 else f"{sure:.3g}"
            )
            ends = f"{low:.3g} to {high:.3g}{'' if place else f', {m.level:.0%} {m.kind}'}"
            return (
                f"multiplier {middle:.3g} at {at} {asked:.3g} ({ends}), other better with "
                f"confidence {said}"
            )

        shape = np.shape(m.point)
        head = (
            f"multipliers at {shape[0]} {many}, {m.level:.0%} {m.kind}\n{rows(shape, line)}\n  "
            if shape
            else line(()) + "; "
        )
        cross = "; ".join(
            f"cross at {c.budget:.3g} ({c.low:.3g} to {c.high:.3g})" for c in self.crossings
        )
        cross = cross or f"no crossing (in {self.crosses:.0%} of draws)"
        return (
            f"<Recipes: {head}{self.pairs} of {self.rows[0]} rows paired; "
            f"{cross}{''.join(f'; {r}' for r in self.remarks)}>"
        )


def recipes(
    base: Fit,
    other: Fit,
    *,
    budget: Any = None,
    target: Any = None,
    cost: Any = None,
    over: tuple[str, ...] | None = None,
    given: Mapping[str, Any] | None = None,
    bounds: Mapping[str, Any] | None = None,
    bracket: tuple[float, float] | None = None,
    kind: str | None = None,
    level: float = 0.95,
    by: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Recipes:
    """Compute multiplier of `other` over `base` at a `budget` [FLOP, or units of the cost] or a
    `target` loss [the law's unit].

    The multiplier m at a budget C solves L_base*(m C) = L_other*(C), with L* the least loss for a
    budget; at a target it is the ratio of least costs, base to other. Where base never reaches the
    loss, m is infinite. `budget` and `target` are numbers or arrays (k,). `cost`, `over`, `given`
    and `bounds` are those of `allocate`; a law of one column is a law of its cost. Crossings are
    looked for in a `bracket` (low, high) of budgets, by default from the cheapest run to 100 times
    the dearest, and 10 times the largest budget that is asked for.

    `kind` is "hc3" (rows) or "cr3" (runs with several rows, or `by` a group column) from the joint
    covariance of both fits with Student's t, or "percentile" from `resamples` paired refits; the
    default is the kind that `interval` takes for the same objective. Rows of equal configuration
    and `seed` (a column or a group) are pairs. Raises InputError for ensembles, likelihoods, laws
    of other columns, and where nothing or both is asked.

    >>> import jaxscale as jsl
    >>> runs, law = jsl.datasets.load("simulated"), jsl.laws.chinchilla
    >>> better = jsl.Runs.from_columns(N=runs["N"], D=runs["D"], loss=0.99 * runs["loss"])
    >>> fits = jsl.fit(law, [runs, better], objective=jsl.objectives.LogSquared(), starts=32)
    >>> found = jsl.selection.recipes(fits[0], fits[1], budget=1e22)
    >>> bool(found.multiplier.low > 1.0), found.pairs
    (True, 60)

    Source: the compute multiplier is in common use (Erdil and Besiroglu 2022, "Algorithmic progress
    in computer vision", for gains over time); intervals by inversion of a test are those of Fieller
    1954. The pairing is ours.
    """
    check_pair(base, other)
    where = _asked(budget, target, level)
    a, b = evidence(base), evidence(other)
    kind = _kind(a, b, kind, by)
    options: dict[str, Any] = {"cost": cost, "over": over, "given": given, "bounds": bounds}
    sides = optimal(base, [a], **options), optimal(other, [b], **options)
    pairs, cheapest, dearest = pairs_of(a, b, by), *_spent(sides)
    grid = _range(bracket, where if target is None else np.zeros(0), cheapest, dearest)
    if kind == "percentile":
        draws = paired_refits(a, b, pairs=pairs, resamples=resamples, seed=seed, by=by)
        found = by_draws(sides, draws, where, target is None, level)
        curves, share = by_refits(sides, draws, grid, level)
    else:
        both = joint([a], [b], [pairs], kind, by)
        found = by_inversion(*sides, both, where[None], target is None, level, kind)
        curves, share = by_lines(sides, both, grid=grid, level=level, kind=kind, seed=seed)
    shape: tuple[int, ...] = np.shape(budget if target is None else target)
    multiplier, confidence, difference = (
        _shaped(found.get(k), shape) for k in ("multiplier", "confidence", "difference")
    )
    beyond = float(where.max()) / dearest if target is None else 0.0
    return Recipes(
        multiplier=multiplier,
        confidence=confidence,
        difference=difference,
        budget=None if budget is None else where.reshape(shape)[()],
        target=None if target is None else where.reshape(shape)[()],
        crossings=crossings(sides, curves),
        crosses=share,
        curves=curves,
        pairs=pairs.rows,
        rows=(len(a.rows), len(b.rows)),
        remarks=(
            *pairs.remarks,
            *_remarks((base, other), multiplier, curves.difference.failed, resamples, beyond),
        ),
        of=(base, other),
        asked=sides[0].asked,
    )


def _asked(budget: Any, target: Any, level: float) -> np.ndarray:
    if (budget is None) == (target is None):
        raise refuse(
            "recipes: "
            + ("no budget and no target" if budget is None else "a budget and a target"),
            why="a multiplier differs from budget to budget",
            change="budget=1e22, or target=2.1",
        )
    check_level("recipes()", level)
    name, given = ("budget", budget) if target is None else ("target", target)
    where = np.atleast_1d(np.asarray(given, np.float64))
    if where.ndim != 1 or not len(where) or not np.all(np.isfinite(where)) or np.any(where <= 0):
        raise refuse(
            f"recipes: {name} {given!r}",
            why="a logarithm, or a matrix",
            change="positive numbers, () or (k,)",
        )
    return where


def _kind(base: Evidence, other: Evidence, kind: str | None, by: str | None) -> str:
    """What `interval` takes for the fit that asks for more."""
    clustered = any(e.clusters(by) is not None for e in (base, other))
    if kind is None:
        own = {default_kind(e, by) for e in (base, other)}
        return next(k for k in ("cr3", "percentile", "hc3") if k in own)
    if kind not in KINDS:
        raise refuse(
            f"recipes(): kind={kind!r}",
            why="a typing slip",
            change=nearest(str(kind), KINDS).strip(),
        )
    if clustered and kind == "hc3":
        raise refuse(
            "recipes: kind='hc3' where runs have several rows",
            why="checkpoints of a run are not independent",
            change="kind='cr3', or by='rows' if rows are independent after all",
        )
    return kind


def _range(
    bracket: tuple[float, float] | None, budgets: np.ndarray, cheapest: float, dearest: float
) -> np.ndarray:
    """Budgets (K,) over which curves are drawn."""
    low, high = bracket or (min([cheapest, *budgets]), max([_BEYOND * dearest, *(10.0 * budgets)]))
    if not 0.0 < low < high < np.inf:
        raise refuse(
            f"recipes: bracket={bracket}",
            why="low and high are swapped",
            change="bracket=(1e19, 1e24)",
        )
    return np.geomspace(low, high, _CURVE)


def _spent(sides: Sides) -> tuple[float, float]:
    """Cost of the cheapest and of the dearest run of both tables; what is given to plans is given
    here.
    """
    spent = []
    for side in sides:
        runs, question = side.fit.problem.runs, side.asked.question
        assert question.cost is not None
        table = {
            **question.oracle.given,
            **{k: v for k, v in runs.columns.items() if np.ndim(v) == 1},
        }
        spent.append(
            np.broadcast_to(
                np.asarray(value_of(question.of(question.cost), table), np.float64), len(runs)
            )
        )
    every = np.concatenate(spent)
    return float(every[every > 0].min()), float(every.max())


# -- what has to be said -------------------------------------------------------------------------
def _remarks(
    fits: tuple[Fit, Fit], multiplier: Interval, without: int, refits: int, beyond: float
) -> tuple[str, ...]:
    said = []
    for name, fit in zip(("base", "other"), fits, strict=True):
        if int(fit.status):
            said.append(f"the fit of {name} is not OK: {Status(int(fit.status)).message}")
    m = np.atleast_1d(multiplier.point)
    if count := int(np.sum(np.isposinf(m))):
        said.append(
            f"{count} of {len(m)}: base reaches that loss at no budget, the multiplier is infinite"
        )
    if count := int(np.sum(m == 0.0)):
        said.append(
            f"{count} of {len(m)}: other reaches that loss at no budget, the multiplier is 0"
        )
    if count := int(np.sum(np.isnan(m))):
        said.append(f"{count} of {len(m)}: neither recipe has a plan there, nothing can be said")
    if multiplier.failed:
        said.append(f"{multiplier.failed} refits without a plan are left out")
    if without:
        said.append(
            f"{without} of {refits} refits lack a plan somewhere in the range of the curves and "
            f"are left out of `crosses`"
        )
    if beyond > _BEYOND:
        said.append(
            f"the largest budget is {beyond:.3g} times the dearest run: that the law still holds "
            f"there is not tested"
        )
    return tuple(said)


def _shaped(value: Any, shape: tuple[int, ...]) -> Any:
    """An interval, or an array, of one table in the shape that was asked for."""
    if value is None:
        return None
    if isinstance(value, Interval):
        return value.each(lambda v: np.reshape(v, shape)[()])
    return np.reshape(value, shape)[()]
