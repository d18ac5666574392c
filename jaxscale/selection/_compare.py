"""`compare`: laws ranked by what they would have predicted, not by how well they follow what they
saw.

A law that follows the small runs best need not say most about the large ones. So every law is
fitted to the runs below a cut of scale and predicts those above it, at several cuts (rolling
origin); the largest runs are held out by the last. Errors are given by how far the prediction
reached, with their sign, and ranks with an interval from resampling both what was fitted and what
was predicted. Two baselines that fit nothing always take part: a law that does not beat them says
nothing. Information criteria stand beside, because they answer another question.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import objectives as obj
from ..fitting._bootstrap import bootstrap
from ..fitting._evidence import evidence
from ..fitting._fit import fit
from ..fitting._results import Ensemble, Fit, Fits, Status
from ..formula._law import Law
from ..ground._errors import InputError, JaxscaleWarning, check_level, refuse, refuse_type
from ..ground._life import saying
from ..ground._shown import table
from ..table._rules import live
from ..table._runs import Runs
from ._folds import (
    BASELINES,
    Fold,
    averaged,
    baseline,
    by_reach_of,
    error_of,
    folds_of,
    ranks_of,
    size_of_runs,
    stacked,
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Laws and baselines, best first in print; arrays are in the order of `names`.

    `error`, `bias` mean absolute and mean signed error of predictions (of ln of the target;
    relative for other objectives), averaged over rows, cuts and tables; `by_ratio`, `bias_by_ratio`
    (bins, laws) by how far they reach, `reach` the bins; `rank` with `rank_low`, `rank_high` at
    `level`, `first` the share of resamples in which a law comes first; `aic`, `bic` above the least
    one, on all rows; `parameters`, `failed` (fits that are not OK, of `len(folds)`). `predicted`
    holds (laws, m) for each of `folds`, `fits` the fits of each law to the folds.
    """

    names: tuple[str, ...]
    error: np.ndarray
    bias: np.ndarray
    reach: tuple[str, ...]
    by_ratio: np.ndarray
    bias_by_ratio: np.ndarray
    rank: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    first: np.ndarray
    aic: np.ndarray
    bic: np.ndarray
    parameters: np.ndarray
    failed: np.ndarray
    folds: tuple[Fold, ...]
    predicted: tuple[np.ndarray, ...]
    fits: dict[str, Fits]
    level: float
    log: bool
    remarks: tuple[str, ...] = field(default=())

    @property
    def best(self) -> str:
        """Name of the law or baseline with the least error."""
        return self.names[int(np.argmin(self.error))]

    def stack(self) -> dict[str, float]:
        """Weights, at least 0 and of sum 1, with which the laws together would have predicted best
        (baselines aside).

        Source: Breiman 1996 (stacked regressions), here on predictions beyond a cut, averaged in ln
        for objectives of ln.
        """
        told = [
            (p[: len(self.fits)], f.observed)
            for p, f in zip(self.predicted, self.folds, strict=True)
        ]
        if any(not np.all(np.isfinite(p)) for p, _ in told):
            raise refuse(
                "stack(): a law has predictions that are not finite",
                why="it was asked too far beyond its runs",
                change="compare the others",
            )
        to = np.log if self.log else np.asarray
        weights = stacked(
            to(np.concatenate([p for p, _ in told], 1)), to(np.concatenate([o for _, o in told]))
        )
        return dict(zip(self.fits, weights.tolist(), strict=True))

    def __repr__(self) -> str:
        lines = [("law", "k", "rank", "error", "bias", *self.reach, "dAIC", "first", "not OK")]
        for i in np.argsort(self.error, kind="stable"):
            rank = f"{self.rank[i]:.0f} ({self.rank_low[i]:.0f}-{self.rank_high[i]:.0f})"
            sizes = map(_percent, (self.error[i], self.bias[i], *self.by_ratio[:, i]))
            aic = f"{self.aic[i]:.1f}" if np.isfinite(self.aic[i]) else ""
            bad = f"{int(self.failed[i])} of {len(self.folds)}"
            lines.append(
                (
                    self.names[i],
                    str(self.parameters[i]),
                    rank,
                    *sizes,
                    aic,
                    f"{self.first[i]:.0%}",
                    bad,
                )
            )
        return "\n".join([*table(lines), *(f"note: {r}" for r in self.remarks)])


def compare(
    laws: Law | Sequence[Law] | Mapping[str, Law],
    runs: Runs | Sequence[Runs],
    *,
    size: str | Callable[[Runs], Any] | None = None,
    ratios: Sequence[float] = (2.0, 5.0, 10.0, 30.0),
    objective: Any = None,
    starts: int = 64,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Laws ranked by their error [of ln L, as a share] on runs beyond those that they were fitted
    to.

    At each of `ratios` the cut is the largest size over that ratio: rows up to it are fitted, all
    rows beyond predicted; a run with rows beyond is not fitted at all. `size` is a column or a
    function of the runs; by default 6 N D, else C, else the first column of the first law. Several
    tables (one curve each, say) are cut each on its own and averaged. A cut that leaves fewer than
    1.5 rows per parameter of the largest law, or fewer than 5 rows to predict (a twentieth of a
    short table), is left out. `.remarks` say so, and how many rows each cut has. Rows of weight 0
    take no part.

    Ranks are resampled: fits by `bootstrap`, with the same draws for every law (but for laws with
    groups, whose draws keep every group), held-out rows (whole runs), which count alike at every
    cut, and tables. A law whose prediction is not finite has an infinite error. Raises InputError
    where no cut is possible, and as `fit`; TypeError for likelihoods.

    >>> import jaxscale as jsl
    >>> laws = {"free": jsl.laws.chinchilla, "alpha = beta": jsl.laws.chinchilla.tie(beta="alpha")}
    >>> found = jsl.compare(laws, jsl.datasets.load("simulated"), ratios=(2, 10), starts=16,
    ...     resamples=50)
    >>> found.best in laws, found.names[-1]
    (True, 'largest so far')

    Source: Choshen et al. 2024 (arXiv 2410.11840) for error on held-out larger models and the
    baseline of the best seen; Alabdulmohsin et al. 2022 (arXiv 2209.06640) for choosing a law by
    extrapolation. Cuts and resampled ranks are ours.
    """
    check_level("compare()", level)
    some = (
        [laws]
        if isinstance(laws, Law)
        else list(laws.values() if isinstance(laws, Mapping) else laws)
    )
    if odd := [v for v in some if not isinstance(v, Law)]:
        raise refuse_type(
            f"compare() fits laws; {type(odd[0]).__name__} is none",
            why="a fit was given",
            change="its law, fit.problem.law",
        )
    named = dict(
        zip(laws if isinstance(laws, Mapping) else [law.name for law in some], some, strict=True)
    )
    tables = [live(table) for table in ([runs] if isinstance(runs, Runs) else runs)]
    if not named or not tables or len(named) < len(some):
        raise refuse(
            "compare(): no law, no table, or two laws of one name",
            why="laws in a list are told apart by their names",
            change="a dict {name: law}, and a table",
        )
    if not all(ratio > 1.0 for ratio in ratios):
        raise refuse(
            f"compare(ratios={tuple(ratios)})",
            why="it is the largest size over the cut",
            change="numbers above 1",
        )
    objective = obj.LogHuber() if objective is None else objective
    if not objective.observes:
        raise refuse_type(
            "compare(): an objective without a target",
            why="a likelihood predicts no loss to compare",
            change="an objective of residuals; likelihoods are compared by fit.value",
        )
    sizes = [size_of_runs(table, size, next(iter(named.values()))) for table in tables]
    most = max(_size(law) for law in named.values())
    folds, remarks = folds_of(tables, sizes, sorted(set(ratios)), int(np.ceil(1.5 * most)))
    fits, predicted, drawn, failed = (
        dict[str, Fits](),
        list[list[np.ndarray]](),
        list[list[np.ndarray]](),
        list[int](),
    )
    whole = list[list[Fit]]()
    with saying("laws compared", len(named), "law") as said:
        for name, law in named.items():
            try:
                own = fit(
                    law,
                    [*(f.train for f in folds), *tables],
                    objective=objective,
                    starts=starts,
                    seed=seed,
                )
            except InputError as error:
                error.add_note(f"  In compare(), law {name!r}")
                raise
            boots = _resampled(own, resamples, seed)
            fits[name] = own
            predicted.append([_at(own[i], tables[f.table], f.test) for i, f in enumerate(folds)])
            drawn.append([_at(boots[i], tables[f.table], f.test) for i, f in enumerate(folds)])
            failed.append(int(np.sum(np.asarray(own.status)[: len(folds)] != Status.OK)))
            whole.append([own[len(folds) + t] for t in range(len(tables))])
            said.update()
    for k in range(len(BASELINES)):
        values = [baseline(k, f) for f in folds]
        predicted.append(values)
        drawn.append([np.broadcast_to(v, (resamples, len(v))) for v in values])
        failed.append(0)
    together = tuple(np.stack([p[i] for p in predicted]) for i in range(len(folds)))
    spread = [np.stack([p[i] for p in drawn]) for i in range(len(folds))]
    errors = [error_of(p, f.observed, objective.log) for p, f in zip(together, folds, strict=True)]
    misses, bias = (averaged([v(e) for e in errors], folds) for v in (np.abs, np.asarray))
    rank, low, high, first = ranks_of(
        misses, spread, folds=folds, tables=tables, log=objective.log, level=level, seed=seed
    )
    reach, by_ratio, bias_by_ratio = by_reach_of(errors, folds)
    aic, bic = (np.append(v, [np.nan] * len(BASELINES)) for v in _criteria(whole))
    return Comparison(
        names=(*named, *BASELINES),
        error=misses,
        bias=bias,
        reach=reach,
        by_ratio=by_ratio,
        bias_by_ratio=bias_by_ratio,
        rank=rank,
        rank_low=low,
        rank_high=high,
        first=first,
        aic=aic,
        bic=bic,
        parameters=np.array([*(_size(law) for law in named.values()), *(0 for _ in BASELINES)]),
        failed=np.array(failed),
        folds=tuple(folds),
        predicted=together,
        fits=fits,
        level=level,
        log=bool(objective.log),
        remarks=tuple(remarks),
    )


def _size(law: Law) -> int:
    """Free parameters of one group."""
    return sum(int(np.prod(spec.shape)) for spec in law.free.values())


def _resampled(fits: Fits, resamples: int, seed: int) -> Fits:
    """Ensembles by table; a fit that is not OK is resampled all the same, because its predictions
    count.
    """
    with warnings.catch_warnings():
        # which fits are not OK is a column of the result
        warnings.simplefilter("ignore", JaxscaleWarning)
        return bootstrap(fits, resamples, seed=seed)


def _at(fit: Fit | Ensemble, table: Runs, test: np.ndarray) -> np.ndarray:
    """Predictions at the held-out rows, (m,) or (resamples, m)."""
    law = fit.problem.law
    names = [*law.columns, *dict.fromkeys(dict(law.groups).values())]
    # all rows: one shape for all cuts
    return np.asarray(fit.predict(**{c: table[c] for c in names}))[..., test]


def _criteria(whole: list[list[Fit]]) -> np.ndarray:
    """AICc and BIC (2, laws) above the least, on all rows of all tables, for noise whose scale is
    fitted: Laplace where a Huber loss is narrower than the residuals of the law that fits best,
    else normal.
    """
    near = min(whole, key=lambda fits: sum(float(f.value) for f in fits))[0]
    ratio = near.certificate.delta_over_scale
    narrow = near.problem.objective.width is not None and not (ratio is not None and ratio >= 1.0)
    found = np.stack([np.sum([_criterion(f, narrow) for f in fits], 0) for fits in whole], 1)
    return np.asarray(found - found.min(1, keepdims=True))


def _criterion(fit: Fit, narrow: bool) -> tuple[float, float]:
    e = evidence(fit)
    n, k = len(e.rows), len(e.x)
    if fit.problem.objective.observes:
        scale = np.average(np.abs(e.residual) if narrow else e.residual**2, weights=e.weights)
        twice, k = (2.0 if narrow else 1.0) * n * float(np.log(max(scale, 1e-300))), k + 1
    else:
        twice = 2.0 * float(fit.value)
    small = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf
    return twice + 2 * k + small, twice + k * float(np.log(n))


def _percent(value: float) -> str:
    return f"{100 * value:.2f}%" if np.isfinite(value) else "inf"
