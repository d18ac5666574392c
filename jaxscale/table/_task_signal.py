"""`task_signal`: can a task be predicted at all, or do its scores move more between checkpoints
than between models?

Signal, as published, is the range of the last scores over models, noise the spread of late
checkpoints of a run. Their ratio does not decide: the range of pure noise grows with the number of
models. What decides is the variance between models, of the means of their late scores and less what
noise leaves in a mean, over the variance of noise in one score, which is what a law is fitted to.
Below 1, more than half of the variance of one score is noise, and no law can do better than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..ground._errors import refuse
from ._runs import Runs

LEAST = 1.0  # variance between models over that of noise: half of the variance of a score is noise


@dataclass(frozen=True, eq=False)
class TaskSignal:
    """`signal`, `noise` [relative to the mean score] and their ratio `snr` by task, as published;
    and what decides.

    `variance` is that between models over that of noise in one score, 0 or less where nothing but
    noise is seen; `weak` are the tasks where it is below `least`.
    """

    signal: dict[str, float]
    noise: dict[str, float]
    snr: dict[str, float]
    variance: dict[str, float]
    least: float

    @property
    def weak(self) -> tuple[str, ...]:
        """Tasks whose scores are mostly noise, the noisiest first."""
        return tuple(
            t
            for t in sorted(self.variance, key=lambda t: self.variance[t])
            if not self.variance[t] >= self.least
        )

    def __repr__(self) -> str:
        rows = [
            f"{t:<24} signal {self.signal[t]:.3f}, noise {self.noise[t]:.4f}, ratio "
            f"{self.snr[t]:.1f}; variance between models {max(v, 0.0):.3g} times that of noise"
            for t, v in self.variance.items()
        ]
        marks = ["   too little to predict" if t in self.weak else "" for t in self.snr]
        return "\n".join(r + m for r, m in zip(rows, marks, strict=True))


def task_signal(
    runs: Runs, *, task: str = "task", last: int = 5, least: float = LEAST
) -> TaskSignal:
    """Signal to noise [ratio] of the scores of each task, from the last checkpoints of several
    models.

    `runs` has a score as its target, group columns `task` and `run` (the model), and a column
    `step`. The last score of each model gives the signal, its `last` checkpoints the noise; models
    with one checkpoint only add to the signal, and noise is the root mean square over the others.
    `snr` is their ratio. A task is weak where `variance`, between models over noise in one score,
    is below `least`. Of tasks that are nothing but noise, 5 checkpoints each let 4 % pass with 2
    models, 0.3 % with 5, and hardly any with more; 2 checkpoints let 13 % pass with 5 models, 5 %
    with 10. Raises InputError where no model has checkpoints, or a task has one model.

    >>> from jaxscale import units
    >>> scores = {"run": ["a", "a", "b", "b"], "step": [9, 10, 9, 10],
    ...     "score": [0.29, 0.31, 0.59, 0.61]}
    >>> said = {"groups": {"task": ["arc"] * 4}, "units": {"score": units.Fraction}}
    >>> table = Runs.from_columns(**scores, target="score", **said)
    >>> print(str(task_signal(table)).replace("; ", "\\n"))
    arc                      signal 0.652, noise 0.0264, ratio 24.7
    variance between models 224 times that of noise

    Source: Heineman et al. 2025 [heineman2025], authors' code, as `laws.signal_to_noise`. Not from
    the source: the pooling over models, and the ratio of variances that decides (one-way analysis
    of variance, divided by n - 1).
    """
    for name in (task, "run"):
        if name not in runs.groups:
            raise refuse(
                f"task_signal(): no group column {name!r}",
                why="it was read as a number or not at all",
                change="groups={...: labels}",
            )
    if "step" not in runs.columns or runs.target is None:
        raise refuse(
            "task_signal(): no column 'step', or no target",
            why="scores of final models only",
            change="late checkpoints",
        )
    signal, noise, variance = dict[str, float](), dict[str, float](), dict[str, float]()
    score, step, model = np.asarray(runs.target), runs["step"], np.asarray(runs.groups["run"])
    for code, name in enumerate(runs.labels[task]):
        own = np.flatnonzero(np.asarray(runs.groups[task]) == code)
        late = [own[model[own] == m] for m in np.unique(model[own])]
        late = [rows[np.argsort(step[rows], kind="stable")][-last:] for rows in late]
        several = [score[rows] for rows in late if len(rows) > 1]
        if len(late) < 2 or not several:
            raise refuse(
                f"task_signal(): {name} has {len(late)} models, {len(several)} of them with "
                f"checkpoints",
                why="signal is between models and noise between checkpoints",
                change="two models or more, and late checkpoints of at least one",
            )
        final = score[[rows[-1] for rows in late]]
        signal[name] = float(np.ptp(final) / np.mean(final))
        noise[name] = float(np.sqrt(np.mean([(np.std(s) / np.mean(s)) ** 2 for s in several])))
        one = sum(np.sum((s - np.mean(s)) ** 2) for s in several) / sum(len(s) - 1 for s in several)
        of_means = one * np.mean([1 / len(rows) for rows in late])
        between = float(np.var([np.mean(score[rows]) for rows in late], ddof=1) - of_means)
        variance[name] = between / float(one) if one else math.inf if between else 0.0
    return TaskSignal(
        signal,
        noise,
        {t: signal[t] / noise[t] if noise[t] else math.inf for t in signal},
        variance,
        least,
    )
