"""Held-out runs: cuts of scale, what two baselines say beyond them, and how errors are averaged,
ranked and weighed.

Weights with which predictions are averaged come from least squares on the simplex, exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formula._law import Law
from ..ground._errors import nearest, refuse
from ..table._runs import Runs
from ..table._scope import largest

BASELINES = ("best so far", "largest so far")
BINS = (1.0, 3.0, 10.0, 33.0, 100.0, np.inf)  # of how far a prediction reaches beyond its cut


@dataclass(frozen=True)
class Fold:
    """What was fitted and predicted: rows `test` (m,) of a table beyond a cut, `ratio` times as
    far, with their target.

    `train` are the rows that were fitted, `size` their scale.
    """

    table: int
    cut: float
    train: Runs
    size: np.ndarray
    test: np.ndarray
    ratio: np.ndarray
    observed: np.ndarray


def size_of_runs(runs: Runs, by: str | Callable[[Runs], Any] | None, law: Law) -> np.ndarray:
    """How large each run is (n,)."""
    if callable(by):
        size = np.asarray(by(runs), np.float64)
    elif by is not None:
        if by not in runs.columns:
            change = nearest(by, runs.columns).strip()
            raise refuse(
                f"compare(size={by!r}): no such column", why="it has another name", change=change
            )
        size = runs[by]
    else:
        known = [c for c in (*law.columns, "N", "D", "C") if c in runs.columns]
        size = largest({c: runs[c] for c in known})[1] if known else np.empty(0)
    if size.shape != (len(runs),) or not np.all(size > 0):
        raise refuse(
            "compare(): the size of a run is one number above 0",
            why="it is a vector or a rate",
            change="size='C'",
        )
    return size


def folds_of(
    tables: list[Runs], scales: list[np.ndarray], ratios: Sequence[float], fewest: int
) -> tuple[list[Fold], list[str]]:
    """A fold for each table and cut that leaves `fewest` rows to fit and enough to predict, and
    what is to be said of them.

    A run that has rows beyond a cut is not fitted at all: its earlier rows would give them away.
    """
    folds, left_out, said = list[Fold](), list[str](), list[str]()
    for t, (table, scale) in enumerate(zip(tables, scales, strict=True)):
        seen, least = dict[tuple[int, int], float](), min(5, len(table) // 20 + 1)
        for ratio in ratios:
            cut = float(scale.max()) / ratio * (1 + 1e-6)
            beyond = scale > cut
            inside = ~beyond
            if table.clusters:
                run = np.asarray(table.groups["run"])
                inside &= ~np.isin(run, run[beyond])
            count, rest = int(inside.sum()), int(beyond.sum())
            if count < fewest or rest < least or (count, rest) in seen:
                twin = seen.get((count, rest))
                few = f"{count} rows to fit, {rest} to predict"
                left_out.append(f"{ratio:g} ({f'the rows of {twin:g}' if twin else few})")
                continue
            seen[count, rest] = ratio
            test = np.flatnonzero(beyond)
            folds.append(
                Fold(
                    table=t,
                    cut=cut,
                    train=table.where(inside),
                    size=scale[inside],
                    test=test,
                    ratio=scale[test] / cut,
                    observed=np.asarray(table.target)[test],
                )
            )
            said.append(f"{count} fitted, {rest} predicted")
    if not folds:
        raise refuse(
            f"compare(): no cut leaves {fewest} rows to fit and some to predict: "
            f"{'; '.join(left_out[:5])}",
            why="the table spans too little of the scale, or a law has too many parameters",
            change="smaller ratios, fewer parameters, or more runs",
        )
    rows = f"rows at each cut: {'; '.join(dict.fromkeys(said))}"
    return folds, [rows, *([f"cuts left out: ratio {'; '.join(left_out[:5])}"] if left_out else [])]


def baseline(kind: int, fold: Fold) -> np.ndarray:
    """What a baseline says of the rows beyond a cut: the best value so far, in the direction in
    which it moves, or the last.
    """
    target, size = np.asarray(fold.train.target), fold.size
    rises = (
        len(target) > 2
        and np.corrcoef(np.argsort(np.argsort(size)), np.argsort(np.argsort(target)))[0, 1] > 0
    )
    value = (target.max() if rises else target.min()) if kind == 0 else target[np.argmax(size)]
    return np.full(len(fold.test), float(value))


def error_of(predicted: np.ndarray, observed: np.ndarray, log: bool) -> np.ndarray:
    """Signed errors; what is not finite is infinitely wrong."""
    with np.errstate(invalid="ignore", divide="ignore"):
        off = (
            np.log(predicted) - np.log(observed)
            if log
            else (predicted - observed) / np.abs(observed)
        )
    return np.where(np.isfinite(off), off, np.inf)


def averaged(values: list[np.ndarray], folds: list[Fold]) -> np.ndarray:
    """Means over rows, then over the cuts of a table, then over tables: (..., laws, m) by fold to
    (..., laws).
    """
    return np.asarray(_by_table([v.mean(-1) for v in values], folds).mean(0))


def _by_table(means: list[np.ndarray], folds: list[Fold]) -> np.ndarray:
    """Means over the cuts of each table, (tables, ...)."""
    tables = sorted({f.table for f in folds})
    return np.stack(
        [np.mean([m for m, f in zip(means, folds, strict=True) if f.table == t], 0) for t in tables]
    )


def by_reach_of(
    errors: list[np.ndarray], folds: list[Fold]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    together, ratio = np.concatenate(errors, 1), np.concatenate([f.ratio for f in folds])
    names, sizes, signs = list[str](), list[np.ndarray](), list[np.ndarray]()
    for low, high in itertools.pairwise(BINS):
        if np.any(here := (ratio > low) & (ratio <= high)):
            names.append(f"{low:g}-{high:g}x" if np.isfinite(high) else f"> {low:g}x")
            sizes.append(np.abs(together[:, here]).mean(1))
            signs.append(together[:, here].mean(1))
    return tuple(names), np.stack(sizes), np.stack(signs)


def ranks_of(
    error: np.ndarray,
    drawn: list[np.ndarray],
    folds: list[Fold],
    tables: list[Runs],
    log: bool,
    level: float,
    seed: int,
) -> tuple[np.ndarray, ...]:
    """Ranks (laws,), their interval over resamples of fits, held-out rows and tables, and how often
    each law is first.
    """
    rng, resamples = np.random.default_rng([seed, 7]), drawn[0].shape[1]
    units = [np.asarray(t.groups["run"]) if t.clusters else np.arange(len(t)) for t in tables]
    counts = [
        rng.multinomial(u.max() + 1, np.full(u.max() + 1, 1 / (u.max() + 1)), resamples)[:, u]
        for u in units
    ]
    means = []
    for values, fold in zip(drawn, folds, strict=True):
        size = np.abs(error_of(values, fold.observed, log))  # (laws, resamples, m)
        # a run that several cuts hold out counts as often in all of them
        own = counts[fold.table][:, fold.test]
        own = np.where(own.sum(1, keepdims=True) > 0, own, 1)
        with np.errstate(invalid="ignore"):
            weighted = np.where(own > 0, size * own, 0.0)
        means.append(weighted.sum(-1) / own.sum(-1))
    each = _by_table(means, folds)
    pick = (
        rng.integers(len(each), size=(resamples, len(each)))
        if len(each) > 1
        else np.zeros((resamples, 1), int)
    )
    scores = np.stack([each[pick[b], :, b].mean(0) for b in range(resamples)])  # (resamples, laws)
    ranks = _rank(scores)
    tail = 0.5 * (1 - level)
    low, high = np.quantile(ranks, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return _rank(error[None])[0], low, high, (ranks == 1).mean(0)


def _rank(scores: np.ndarray) -> np.ndarray:
    return np.asarray(1 + (scores[:, None, :] < scores[:, :, None]).sum(-1))


_MOST = 12  # 4,095 sets


def stacked(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Weights (laws,), at least 0 and of sum 1, of predictions (laws, m) nearest to what was
    observed (m,).
    """
    count = len(predicted)
    if count > _MOST:
        raise refuse(
            f"stack(): {count} laws",
            why="weights are found by looking at all of them",
            change=f"at most {_MOST}",
        )
    off = predicted - observed
    gram = off @ off.T
    best, weights = np.inf, np.full(count, 1.0 / count)  # which stay where every law is exact
    for size in range(1, count + 1):
        for subset in itertools.combinations(range(count), size):
            own = gram[np.ix_(subset, subset)]
            found = np.linalg.lstsq(
                own + 1e-12 * np.trace(own) / size * np.eye(size), np.ones(size), rcond=None
            )[0]
            if found.sum() <= 0 or np.any(found < 0):
                continue
            found = found / found.sum()
            value = float(found @ own @ found)
            if 0 < value < best * (1 - 1e-9):
                best, weights = value, np.zeros(count)
                weights[list(subset)] = found
    return weights
