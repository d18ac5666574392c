"""Two fits side by side: which of their runs are pairs, and the joint covariance of both that
follows.

Two recipes are often run on the same grid with the same seeds. What a seed does to a run (the order
of the data, the initial weights) then moves both losses of a pair the same way, and cancels when
the recipes are compared. A pair is a configuration and a seed that both tables have, once each. In
a covariance the moves of a pair's two runs are added before they are squared; in refits both runs
of a pair have the same weight. What has no partner is independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._bootstrap import reweighted_at
from ..fitting._evidence import Evidence
from ..fitting._results import Ensemble, Fit, Fitted
from ..ground._errors import refuse, refuse_type
from ..table._runs import Runs
from ..uncertainty._covariance import Covariance, covariance_of, left_outs


@dataclass(frozen=True, eq=False)
class Pairs:
    """Units (k,) of the one table and their partners (k,) of the other, by number; how many units
    each table has.
    """

    base: np.ndarray
    other: np.ndarray
    units: tuple[int, int]
    rows: int  # of the base table that belong to a pair
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.base)


def pairs_of(base: Evidence, other: Evidence, by: str | None = None) -> Pairs:
    """Units (rows, or runs that have several) with the same configuration and seed in both tables.

    A configuration is what the law reads: its columns, and the groups of its parameters. Where one
    occurs more than once in a table, the other columns that both tables have (a learning rate, say)
    belong to it too; where it still does and no `seed` tells its runs apart, nobody knows which
    belong together: they count as independent.
    """
    seeded = [_has_seed(e.fit.problem.runs) for e in (base, other)]
    read = {
        *base.fit.problem.law.columns,
        *dict(base.fit.problem.law.groups).values(),
        "seed",
        "run",
        "step",
    }
    tables = [e.fit.problem.runs for e in (base, other)]
    more = [
        c
        for c in tables[0].columns
        if c in tables[1].columns and c not in read and np.ndim(tables[0].columns[c]) == 1
    ]
    keys = [_keys(e, by, all(seeded), []) for e in (base, other)]
    if more and any(len(set(own)) < len(own) for own in keys):
        keys = [_keys(e, by, all(seeded), more) for e in (base, other)]
    counts: list[dict[Any, int]] = [{}, {}]
    for own, count in zip(keys, counts, strict=True):
        for key in own:
            count[key] = count.get(key, 0) + 1
    place = {key: j for j, key in enumerate(keys[1])}
    found = [
        (i, place[k]) for i, k in enumerate(keys[0]) if counts[0][k] == 1 == counts[1].get(k, 0)
    ]
    shared = [k for k in counts[0] if k in counts[1] and (counts[0][k] > 1 or counts[1][k] > 1)]
    said = []
    if shared:
        again = sum(counts[0][k] for k in shared)
        said.append(
            f"{again} of {len(keys[0])} rows of the base share their configuration with several "
            f"others and count as independent: a "
            f"{'column that tells them apart' if all(seeded) else 'seed column'} would pair them"
        )
    if seeded[0] != seeded[1]:
        said.append(
            "only one of the two tables has a seed column: pairs are those of equal configuration"
        )
    i, j = np.asarray(found, int).reshape(-1, 2).T
    return Pairs(i, j, (len(keys[0]), len(keys[1])), sum(len(keys[0][k]) for k in i), tuple(said))


def _has_seed(runs: Runs) -> bool:
    return "seed" in runs.groups or "seed" in runs.columns


def _keys(at: Evidence, by: str | None, seeded: bool, more: list[str]) -> list[tuple[Any, ...]]:
    """What makes a unit the same unit in another table: its rows, sorted, by the law's columns and
    `more`.
    """
    runs, law = at.fit.problem.runs, at.fit.problem.law
    columns = [*law.columns, *more]
    parts = [
        np.reshape(np.asarray(runs.columns[c])[at.rows], (len(at.rows), -1)).tolist()
        for c in columns
    ]
    names = [*dict.fromkeys(dict(law.groups).values()), *(["seed"] if seeded else [])]
    parts += [[[str(v)] for v in _labels(runs, name)[at.rows]] for name in names]
    rows = [tuple(v for part in row for v in part) for row in zip(*parts, strict=True)]
    codes = at.clusters(by)
    if codes is None:
        return [(row,) for row in rows]
    own: dict[int, list[Any]] = {int(c): [] for c in np.unique(codes)}
    for code, row in zip(codes, rows, strict=True):
        own[int(code)].append(row)
    return [tuple(sorted(v)) for v in own.values()]


def _labels(runs: Runs, name: str) -> np.ndarray:
    values = runs[name]
    return values if name in runs.groups else np.asarray([f"{v:g}" for v in values])


# -- a covariance of both ------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Joint:
    """Covariance of the coordinates of two fits, for each of T tables: their own, and `cross` (T,
    P, Q) through pairs.
    """

    base: list[Covariance]
    other: list[Covariance]
    cross: np.ndarray
    paired: np.ndarray  # (T,) whether there are any pairs

    def variance(self, base: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance (T, K) of functions with slopes (T, K, P) and (T, K, Q), and degrees of freedom
        (T, K) of its estimate.

        Of independent tables these are Welch's; with pairs there are as many residuals as in one
        table, and so the smaller number. Infinite where the runs do not identify what the function
        reads.
        """
        own = [
            np.stack([c.deviation(s) ** 2 for c, s in zip(side, slopes, strict=True)])
            for side, slopes in ((self.base, base), (self.other, other))
        ]
        both = 2.0 * np.einsum(
            "tki,tij,tkj->tk", np.nan_to_num(base), self.cross, np.nan_to_num(other)
        )
        dof = [np.asarray([c.dof for c in side])[:, None] for side in (self.base, self.other)]
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.where(
                np.isfinite(own[0] + own[1]),
                np.maximum(own[0] + own[1] + both, 0.0),
                own[0] + own[1],
            )
            welch = (own[0] + own[1]) ** 2 / (own[0] ** 2 / dof[0] + own[1] ** 2 / dof[1])
        least = np.broadcast_to(np.minimum(*dof), welch.shape)
        return total, np.where(self.paired[:, None] | ~np.isfinite(welch), least, welch)


def joint(
    base: list[Evidence],
    other: list[Evidence],
    pairs: list[Pairs],
    kind: str,
    by: str | None = None,
) -> Joint:
    """The joint covariance of "hc3" or "cr3", table by table."""
    sides, moves = [], []
    for at in (base, other):
        steps = left_outs(
            at, by if kind == "cr3" else "rows", exact=None if kind == "cr3" else False
        )
        sides.append(
            [
                covariance_of(e, kind, by if kind == "cr3" else None, m)
                for e, m in zip(at, steps, strict=True)
            ]
        )
        share = [np.sqrt((len(m) - 1) / len(m)) if kind == "cr3" else 1.0 for m in steps]
        moves.append(
            [s * np.where(e.edge, 0.0, m) for s, e, m in zip(share, at, steps, strict=True)]
        )
    cross = [m[p.base].T @ n[p.other] for m, n, p in zip(*moves, pairs, strict=True)]
    return Joint(sides[0], sides[1], np.stack(cross), np.asarray([len(p) > 0 for p in pairs]))


# -- refits of both ------------------------------------------------------------------------------
def paired_refits(
    base: Evidence, other: Evidence, pairs: Pairs, resamples: int, seed: int, by: str | None = None
) -> tuple[Ensemble, Ensemble]:
    """Ensembles of both fits in which the two runs of a pair have the same weight in every refit.

    One stream of random numbers serves both: partners have the same place in it, and all other
    units one of their own. Weights are exponential ("bayes"): they never lose a run, where drawing
    loses a third of them, which made intervals from 25 rows too wide (benchmarks/recipes.py).
    """
    count, many = pairs.units
    places = count + np.arange(many)
    places[pairs.other] = pairs.base
    own = ((base, np.arange(count)), (other, places))
    first, second = (reweighted_at(e.fit, resamples, p, by=by, seed=seed) for e, p in own)
    return first, second


def check_pair(base: Any, other: Any) -> None:
    """Raise where two fits cannot be compared: ensembles, several tables, another table layout, no
    loss.
    """
    for name, fit in (("base", base), ("other", other)):
        if not isinstance(fit, Fitted):
            raise refuse_type(
                f"recipes: {name} is a {type(fit).__name__}",
                why="a law or a table was given",
                change="two fits, jsl.fit(law, runs)",
            )
        if not isinstance(fit, Fit):
            what = "an ensemble" if isinstance(fit, Ensemble) else "fits of several tables"
            raise refuse(
                f"recipes: {name} is {what}",
                why="refits have to be drawn together to be paired, so they are made here",
                change="its .point, or fits[0], fits[1]; resamples= says how many refits",
            )
        if not fit.problem.objective.observes:
            raise refuse(
                f"recipes: {name} was fitted by likelihood: the law's value is no loss of a run",
                why="counts have no least value for a budget",
                change="the parameter that is meant: jsl.interval(fit)",
            )
    own, its = base.problem.law, other.problem.law
    if own.columns != its.columns:
        raise refuse(
            f"recipes: {own.name} reads {', '.join(own.columns)}, {its.name} reads "
            f"{', '.join(its.columns)}",
            why="two sweeps are compared under one law",
            change="jsl.fit(law, [runs_a, runs_b]), then fits[0] and fits[1]",
        )
    if own.unit.name != its.unit.name:
        raise refuse(
            f"recipes: losses in {own.unit.name} and {its.unit.name}",
            why="two laws",
            change="one law for both tables",
        )
