"""Held-out runs: cuts of scale, what two baselines say beyond them, and how errors are averaged and ranked.

A fold is a table with a cut: rows up to it are fitted, rows beyond it predicted. Errors are averaged over the rows of a
fold, over the cuts of a table and over tables, in this order, so that neither a cut with many rows nor a long table decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._checks import nearest, refuse
from ._law import Law
from ._runs import Runs
from ._tested import largest

BASELINES = ("best so far", "largest so far")
BINS = (1.0, 3.0, 10.0, 33.0, 100.0, np.inf)  # of how far a prediction reaches beyond its cut


@dataclass(frozen=True)
class Fold:
    """What was fitted and predicted: rows `test` (m,) of a table beyond a cut, `ratio` times as far, with their target."""

    table: int
    cut: float
    train: Runs
    test: np.ndarray
    ratio: np.ndarray
    observed: np.ndarray


def scale_of(runs: Runs, by: str | Callable[[Runs], Any] | None, law: Law) -> np.ndarray:
    """How large each run is (n,)."""
    if callable(by):
        scale = np.asarray(by(runs), np.float64)
    elif by is not None:
        if by not in runs.columns:
            raise refuse(
                f"compare(by={by!r}): no such column", why="it has another name", change=nearest(by, runs.columns).strip()
            )
        scale = runs[by]
    else:
        known = [c for c in (*law.columns, "N", "D", "C") if c in runs.columns]
        scale = largest({c: runs[c] for c in known})[1] if known else np.empty(0)
    if scale.shape != (len(runs),) or not np.all(scale > 0):
        raise refuse("compare(): the scale of a run is one number above 0", why="it is a vector or a rate", change="by='C'")
    return scale


def folds_of(tables: list[Runs], scales: list[np.ndarray], ratios: Sequence[float], fewest: int) -> tuple[list[Fold], list[str]]:
    folds, left_out = list[Fold](), list[str]()
    for t, (table, scale) in enumerate(zip(tables, scales, strict=True)):
        seen = set[int]()
        for ratio in ratios:
            cut = float(scale.max()) / ratio * (1 + 1e-6)
            inside = scale <= cut
            count = int(inside.sum())
            if count < fewest or count == len(table) or count in seen:
                left_out.append(f"{ratio:g} ({count} of {len(table)} rows below it)")
                continue
            seen.add(count)
            test = np.flatnonzero(~inside)
            folds.append(Fold(t, cut, table.where(inside), test, scale[test] / cut, np.asarray(table.target)[test]))
    if not folds:
        raise refuse(
            f"compare(): no cut leaves {fewest} rows to fit and one to predict: {'; '.join(left_out[:5])}",
            why="the table spans too little of the scale, or a law has too many parameters",
            change="smaller ratios, fewer parameters, or more runs",
        )
    return folds, [f"cuts left out: ratio {'; '.join(left_out[:5])}"] if left_out else []


def baseline(kind: int, fold: Fold, scale: np.ndarray) -> np.ndarray:
    target = np.asarray(fold.train.target)
    value = target.min() if kind == 0 else target[np.argmax(scale[scale <= fold.cut])]
    return np.full(len(fold.test), float(value))


def error_of(predicted: np.ndarray, observed: np.ndarray, log: bool) -> np.ndarray:
    """Signed errors; what is not finite is infinitely wrong."""
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.log(predicted) - np.log(observed) if log else (predicted - observed) / np.abs(observed)
    return np.where(np.isfinite(off), off, np.inf)


def averaged(values: list[np.ndarray], folds: list[Fold]) -> np.ndarray:
    """Means over rows, then over the cuts of a table, then over tables: (..., laws, m) by fold to (..., laws)."""
    means = [v.mean(-1) for v in values]
    tables = [
        np.mean([m for m, f in zip(means, folds, strict=True) if f.table == t], 0) for t in sorted({f.table for f in folds})
    ]
    return np.asarray(np.mean(tables, 0))


def by_reach_of(errors: list[np.ndarray], folds: list[Fold]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    together, ratio = np.concatenate(errors, 1), np.concatenate([f.ratio for f in folds])
    names, sizes, signs = list[str](), list[np.ndarray](), list[np.ndarray]()
    for low, high in itertools.pairwise(BINS):
        if np.any(here := (ratio > low) & (ratio <= high)):
            names.append(f"{low:g}-{high:g}x" if np.isfinite(high) else f"> {low:g}x")
            sizes.append(np.abs(together[:, here]).mean(1))
            signs.append(together[:, here].mean(1))
    return tuple(names), np.stack(sizes), np.stack(signs)


def ranks_of(
    error: np.ndarray, drawn: list[np.ndarray], folds: list[Fold], tables: list[Runs], log: bool, level: float, seed: int
) -> tuple[np.ndarray, ...]:
    """Ranks (laws,), their interval over resamples of fits, held-out rows and tables, and how often each law is first."""
    rng, resamples = np.random.default_rng([seed, 7]), drawn[0].shape[1]
    means = []
    for values, fold in zip(drawn, folds, strict=True):
        size = np.abs(error_of(values, fold.observed, log))  # (laws, resamples, m)
        table = tables[fold.table]
        unit = np.asarray(table.groups["run"])[fold.test] if table.clusters else np.arange(len(fold.test))
        unit = np.unique(unit, return_inverse=True)[1].reshape(-1)
        counts = rng.multinomial(unit.max() + 1, np.full(unit.max() + 1, 1 / (unit.max() + 1)), resamples)[:, unit]
        with np.errstate(invalid="ignore"):
            weighted = np.where(counts > 0, size * counts, 0.0)
        means.append(weighted.sum(-1) / counts.sum(-1))
    each = np.stack(
        [np.mean([m for m, f in zip(means, folds, strict=True) if f.table == t], 0) for t in {f.table for f in folds}]
    )
    pick = rng.integers(len(each), size=(resamples, len(each))) if len(each) > 1 else np.zeros((resamples, 1), int)
    scores = np.stack([each[pick[b], :, b].mean(0) for b in range(resamples)])  # (resamples, laws)
    ranks = _rank(scores)
    tail = 0.5 * (1 - level)
    low, high = np.quantile(ranks, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return _rank(error[None])[0], low, high, (ranks == 1).mean(0)


def _rank(scores: np.ndarray) -> np.ndarray:
    return np.asarray(1 + (scores[:, None, :] < scores[:, :, None]).sum(-1))
