"""`chain`: a law for the loss, a link from that loss to what is measured after training, and the
uncertainty of both.

A forecast of an accuracy is made in stages: sizes or compute give a loss, the loss gives the
accuracy. Each stage is fitted by itself, with its own runs, objective and certificate, and each is
uncertain. A chain puts them together again. A run that two stages have in common moves both, and is
counted once, with both of its effects; what stages do not share is independent. Single fits are
composed by slopes, ensembles draw by draw (`_propagate`); which runs are shared is seen in
`_stages`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fitting._bootstrap import bootstrap
from ..fitting._evidence import Evidence, evidence
from ..fitting._results import Ensemble, Fit, point_of
from ..formula._form import codes_of
from ..ground._errors import check_level, nearest, refuse, refuse_type
from ..ground._interval import Interval
from ..table._anchors import helpers
from ..table._runs import Runs
from ..table._task_signal import LEAST, task_signal
from ..uncertainty._interval import REFITS, default_kind
from ..units import convert
from ._propagate import Stages, around, by_draws, by_slopes, cut, drawn, noise, slopes_by_value
from ._result import ChainForecast
from ._stages import check_units, conversions, in_common, labelled, same_units, unit_of_value


@dataclass(frozen=True, eq=False)
class Chain:
    """Fits in a row, each of the value of the one before, in the units of their laws: see `chain`.

    `stages` are single fits, or ensembles whose draws belong together; `points` the single fit of
    each. `kinds` says how each is uncertain, `by` what is independent in its table, `units` the
    labels of that; `shared` counts the units that stand in more than one stage; `remarks` are what
    to know before a forecast is believed.
    """

    stages: tuple[Fit | Ensemble, ...]
    points: tuple[Fit, ...]
    at: tuple[Evidence, ...]
    units: tuple[np.ndarray, ...]
    kinds: tuple[str, ...]
    by: tuple[str, ...]
    shared: int
    remarks: tuple[str, ...] = ()

    @property
    def ensembles(self) -> tuple[Ensemble, ...]:
        """The stages where they are ensembles; none where they are single fits."""
        return tuple(s for s in self.stages if isinstance(s, Ensemble))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a forecast needs: those of the first law, and what links read beside the
        value of the stage before.
        """
        return tuple(dict.fromkeys(c for own in self._reads for c in own))

    @property
    def _reads(self) -> list[list[str]]:
        laws = [f.problem.law for f in self.points]
        return [
            [*law.columns[min(k, 1) :], *dict.fromkeys(dict(law.groups).values())]
            for k, law in enumerate(laws)
        ]

    def predict(self, **columns: Any) -> np.ndarray:
        """The last stage's value at columns that broadcast to shape S: S for single fits, (n, *S)
        for ensembles.
        """
        stages = self._at(columns)
        if not self.ensembles:
            return np.asarray(stages.values()[-1])
        return np.asarray(drawn(stages, self.ensembles)[-1][0])

    def forecast(self, *, level: float = 0.95, **columns: Any) -> ChainForecast:
        """Value and interval of every stage at columns that broadcast, in the units of the laws;
        stage by stage.

        The interval is that of the curve: what models that are trained again and again would score
        on average. `new` in the result is about one new model, whose loss and score have the noise
        of each stage; that these are independent is assumed. Nothing is written down: the result is
        no frozen record of a forecast, which is `jsl.forecast`. Raises TypeError where a column is
        missing or unknown.
        """
        check_level("chain.forecast()", level)
        stages = self._at(columns)
        values = np.stack([np.asarray(v) for v in stages.values()])
        slopes = slopes_by_value(stages, values)
        if not self.ensembles:
            found = by_slopes(
                stages, self.at, units=self.units, kinds=self.kinds, by=self.by, level=level
            )
        else:
            found = by_draws(stages, self.ensembles, self.at, level)
        intervals, alone, deviation, reach = found
        law, log = self.points[-1].problem.law, stages.logs[-1]
        middle = intervals[-1].point
        own = np.sqrt(np.sum((slopes * noise(self.at, values)) ** 2, 0))
        low, high = around(
            middle, reach * np.hypot(deviation, own) / (np.abs(values[-1]) if log else 1.0), log
        )
        return ChainForecast(
            columns=dict(columns),
            interval=intervals[-1],
            stages=intervals,
            slopes=slopes,
            alone=alone,
            deviation=deviation[()],
            new=cut(Interval(low, middle, high, level, "new model"), law.unit),
            names=tuple(f.problem.law.name for f in self.points),
            units=tuple(unit_of_value(f.problem).name for f in self.points),
            shared=self.shared,
            remarks=(*self.remarks, *_beyond(self.points, values)),
        )

    def _at(self, columns: dict[str, Any]) -> Stages:
        """The stages as bound laws with the columns that each reads."""
        if odd := [c for c in columns if c not in self.columns]:
            raise refuse_type(
                f"this chain knows no column {odd[0]!r}",
                why="a typing slip",
                change=nearest(odd[0], self.columns).strip(),
            )
        if missing := [c for c in self.columns if c not in columns]:
            raise refuse_type(
                f"this chain needs a value for the column {', '.join(missing)}",
                why="it was left out, or has another name",
                change="every column of its stages, by name",
            )
        same = dict(
            zip(
                columns,
                np.broadcast_arrays(*(np.asarray(v) for v in columns.values())),
                strict=True,
            )
        )
        laws, rows = tuple(f.law for f in self.points), []
        for law, own in zip(laws, self._reads, strict=True):
            rows.append(
                {c: same[c] if c in law.columns else codes_of(law, c, same[c]) for c in own}
            )
        laws = tuple(law._note(labels={}) for law in laws)  # their groups are codes from here on
        return Stages(
            laws,
            rows,
            conversions(self.points),
            tuple(f.problem.objective.log for f in self.points),
        )

    def __repr__(self) -> str:
        names = " -> ".join(
            [
                ", ".join(self.points[0].problem.law.columns),
                *(f.problem.law.name for f in self.points),
            ]
        )
        kind = " and ".join(dict.fromkeys(self.kinds))
        common = (
            f"{self.shared} runs in common, drawn together"
            if self.shared
            else "no runs in common: independent"
        )
        if not self.ensembles and self.shared:
            common = f"{self.shared} runs in common, counted once"
        return f"<Chain {names}: {kind}; {common}{''.join(f'; {r}' for r in self.remarks)}>"


def chain(
    first: Fit | Ensemble,
    *links: Fit | Ensemble,
    by: str | None = None,
    checkpoints: Runs | None = None,
) -> Chain:
    """A loss law and links in a row, such as N, D to loss to accuracy, each in the unit of its law,
    with all uncertainty.

    `first` gives a loss from its columns; each of `links` takes the value of the stage before as
    its first column and may read others. All are single fits, or all are ensembles of the same
    length. Single fits are composed by slopes where `interval` would use HC3 or CR3, and refitted
    1,000 times each where it would use refits.

    Stages may be fitted to the same runs. That is seen by a `run` column in every table, by the
    group column `by`, or, for rows, by a link that reads the very values that an earlier stage was
    fitted to. `print(chain)` says what was found.

    `checkpoints`, a table for `task_signal`, adds a remark for every task whose scores are mostly
    noise. Losses per token of different tokenizers (group column `tokenizer`) are refused, and so
    is a loss per byte where one per token is read.

    Beyond the runs of a link its plateau must be known. Where the best score runs to an edge,
    because no run comes near it, the interval is all that the unit allows, unless the edge is fixed
    or a helper point says that it is meant.

    Raises InputError for units that do not fit, ensembles that cannot be matched, and likelihoods,
    which predict nothing.

    >>> import jaxscale as jsl
    >>> runs, units = jsl.datasets.load("simulated"), {"score": jsl.units.Fraction}
    >>> score = 0.9 - 0.6 / (1
    ...     + np.exp(-4 * (runs["loss"] - 2.6))) + 0.01 * np.sin(np.arange(60) ** 2)
    >>> table = jsl.Runs.from_columns(L=runs["loss"], score=score, target="score", units=units)
    >>> loss = jsl.fit(jsl.laws.chinchilla, runs, objective=jsl.objectives.LogSquared(), starts=32)
    >>> link = jsl.fit(jsl.laws.accuracy_from_loss, table, objective=jsl.objectives.Squared(),
    ...     starts=32)
    >>> print(jsl.chain(loss, link))
    <Chain N, D -> chinchilla -> accuracy_from_loss: hc3; 60 runs in common, counted once>

    Source: the two steps of Bhagia et al. 2024 (arXiv 2412.04403) and Gadre et al. 2024 (arXiv
    2403.08540). Not from the source: that and how the uncertainty of both is composed.
    """
    stages = (first, *links)
    _check(stages)
    points = tuple(s.point for s in stages)
    at = tuple(evidence(f) for f in points)
    said = [*check_units(points), *_weak(at, checkpoints)]
    said += [
        f"{f.problem.law.name} is not OK: {'; '.join(f.certificate.findings)}"
        for f in points
        if not f.ok
    ]
    if count := sum(int(np.sum(helpers(f.problem.runs))) for f in points):
        said.append(
            f"{count} helper point{'s' * (count > 1)} taken as given, without a width of "
            f"{'their' if count > 1 else 'its'} own"
        )
    own, units = labelled(points, by)
    several = [b if len(np.unique(u)) < len(u) else "rows" for b, u in zip(own, units, strict=True)]
    kinds = tuple(default_kind(e, b) for e, b in zip(at, several, strict=True))
    if isinstance(first, Fit) and "percentile" in kinds:
        seeds = [
            next(j for j in range(k + 1) if same_units(units[j], units[k]))
            for k in range(len(points))
        ]
        stages = tuple(
            bootstrap(f, REFITS, by=b, seed=s) for f, b, s in zip(points, own, seeds, strict=True)
        )
    if ensembles := tuple(s for s in stages if isinstance(s, Ensemble)):
        stages, more = _matched(ensembles, units)
        kinds, said = ("percentile",) * len(stages), [*said, *more]
    return Chain(
        stages=stages,
        points=points,
        at=at,
        units=units,
        kinds=kinds,
        by=own,
        shared=in_common(units),
        remarks=tuple(said),
    )


def _check(stages: tuple[Fit | Ensemble, ...]) -> None:
    if len(stages) < 2:
        raise refuse_type(
            "chain() needs a first fit and at least one link",
            why="one fit alone has interval() and predict()",
            change="chain(fit, link)",
        )
    for stage in stages:
        point_of(stage, "chain()")
        if not stage.problem.objective.observes:
            raise refuse(
                f"chain(): {stage.problem.law.name} was fitted as a likelihood",
                why="its value is the likelihood of a run, which is no stage of a forecast",
                change="a law of the rate or the loss itself, or interval(boot, of=...) of its "
                "parameters",
            )
    if len({type(s) for s in stages}) > 1 or len({np.shape(s.value) for s in stages}) > 1:
        shown = ", ".join(
            "a single fit" if isinstance(s, Fit) else f"{len(s)} refits" for s in stages
        )
        change = "all single fits, or bootstrap(...) of each, equally often"
        raise refuse(
            f"chain(): {shown}", why="one stage was resampled, the other not", change=change
        )


def _weak(at: tuple[Evidence, ...], checkpoints: Runs | None) -> list[str]:
    """Links whose metric hardly moves, against its noise, over their own runs; tasks whose
    checkpoints say so.
    """
    said = []
    for e in at[1:]:
        real = e.real
        sd = np.sqrt(np.sum((e.residual[real] * e.size) ** 2) / max(e.spare, 1))
        sd = float(sd * (np.mean(e.fitted[real]) if e.fit.problem.objective.log else 1.0))
        # what a fit to noise alone would vary by
        count, follows = int(np.sum(real)), int(np.sum(~e.edge)) - 1
        moved = (
            np.var(e.fitted[real], ddof=1) - sd**2 * max(follows, 0) / (count - 1)
            if count > 1
            else 0.0
        )
        ratio = float(moved) / sd**2 if sd > 0 else np.inf
        if ratio < LEAST:
            name = e.fit.problem.law.name
            said.append(
                f"over its runs the variance of {name} is only {max(ratio, 0.0):.2g} of its noise: "
                f"too little to predict"
            )
    if checkpoints is not None:
        found, known = (
            task_signal(checkpoints),
            {label for e in at[1:] for label in e.fit.problem.runs.labels.get("task", ())},
        )
        weak = [t for t in found.weak if t in known or not known]
        said += [
            f"{t}: variance between models {max(found.variance[t], 0.0):.2g} of that of noise, too "
            f"little to predict"
            for t in weak
        ]
    return said


def _beyond(points: tuple[Fit, ...], values: np.ndarray) -> list[str]:
    """Where a link is asked beyond the runs that it was fitted to."""
    said = []
    each = zip(itertools.pairwise(points), conversions(points), values, strict=False)
    for (before, fit), units, value in each:
        runs, column = fit.problem.runs, fit.problem.law.columns[0]
        seen, asked = (
            np.asarray(runs.columns[column])[~helpers(runs)],
            np.ravel(np.asarray(convert(value, *units))),
        )
        away = np.maximum(seen.min() - asked, asked - seen.max())
        if np.any(away > 0):
            said.append(
                f"{fit.problem.law.name} is asked at {column} = {asked[np.argmax(away)]:.4g} of "
                f"{before.problem.law.name}, its runs have {seen.min():.4g} to {seen.max():.4g}"
            )
    return said


def _matched(
    stages: tuple[Ensemble, ...], units: tuple[np.ndarray, ...]
) -> tuple[tuple[Ensemble, ...], list[str]]:
    """Ensembles whose draws belong together where stages rest on the same units, and do not where
    they do not.
    """
    out, said = [stages[0]], []
    for k, stage in enumerate(stages[1:], 1):
        # k where it has no twin
        first = next(j for j in range(k + 1) if same_units(units[j], units[k]))
        twin = stages[first]
        if first < k and (_how(twin) != _how(stage) or stage.kind == "posterior"):
            raise refuse(
                f"chain(): refits of {twin.problem.law.name} are {_how(twin)}, "
                f"those of {stage.problem.law.name} are {_how(stage)}",
                why="both rest on the same runs, and a resample must be the same one in both",
                change="bootstrap both with the same seed, kind and by, each by itself; or give "
                "single fits",
            )
        if first == k and any(np.intersect1d(units[j], units[k]).size for j in range(k)):
            said.append(
                f"{stage.problem.law.name} shares some of its runs with an earlier stage: drawn as "
                f"if independent"
            )
        out.append(_shuffled(stage, first) if first else stage)  # twins in one order
    return tuple(out), said


def _how(ensemble: Ensemble) -> str:
    seed, table = ensemble.drawn
    strata = sorted(set(dict(ensemble.problem.law.groups).values()))
    within = f" within {' and '.join(strata)}" if strata else ""
    return f"{ensemble.kind} of {ensemble.by}{within} (seed {seed}, table {table})"


def _shuffled(ensemble: Ensemble, number: int) -> Ensemble:
    """The same draws in another order: equal seeds must not make independent stages depend on each
    other.
    """
    order = np.random.default_rng([number, len(ensemble)]).permutation(len(ensemble))
    params = {k: np.asarray(v)[order] for k, v in ensemble.params.items()}
    value, status = (np.asarray(v)[order] for v in (ensemble.value, ensemble.status))
    certificate, point = ensemble.certificate, ensemble.point
    return Ensemble(
        params=params,
        value=value,
        status=status,
        certificate=certificate,
        point=point,
        by=ensemble.by,
        kind=ensemble.kind,
    )
