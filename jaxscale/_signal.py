"""`task_signal`: can a task be predicted at all, or do its scores move more between checkpoints than between models?

Signal is the spread of the last scores over models, noise the spread of late checkpoints of a run. Where models lie evenly
over their range, the variance between them is a twelfth of its square; so below a ratio of the square root of 12, about
3.5, more than half of what is seen in one score is noise, and no law can do better than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._checks import refuse
from ._runs import Runs

LEAST = math.sqrt(12.0)  # signal over noise at which half of the variance of a score is noise


@dataclass(frozen=True, eq=False)
class TaskSignal:
    """`signal`, `noise` [relative to the mean score] and `snr` by task; `weak` are the tasks below `least`."""

    signal: dict[str, float]
    noise: dict[str, float]
    snr: dict[str, float]
    least: float

    @property
    def weak(self) -> tuple[str, ...]:
        """Tasks whose scores are mostly noise, the noisiest first."""
        return tuple(t for t in sorted(self.snr, key=lambda t: self.snr[t]) if not self.snr[t] >= self.least)

    def __repr__(self) -> str:
        rows = [f"{t:<24} signal {self.signal[t]:.3f}, noise {self.noise[t]:.4f}, ratio {self.snr[t]:.1f}" for t in self.snr]
        marks = ["   too little to predict" if t in self.weak else "" for t in self.snr]
        return "\n".join(r + m for r, m in zip(rows, marks, strict=True))


def task_signal(runs: Runs, *, task: str = "task", last: int = 5, least: float = LEAST) -> TaskSignal:
    """Signal to noise [ratio] of the scores of each task, from the last checkpoints of several models.

    `runs` has a score as its target, group columns `task` and `run` (the model), and a column `step`. The last score of each
    model gives the signal, its `last` checkpoints the noise; models with one checkpoint only add to the signal, and noise is
    the root mean square over the others. Tasks below `least` are weak. Raises InputError where no model has checkpoints, or
    a task has one model.

    >>> scores = {"run": ["a", "a", "b", "b"], "step": [9, 10, 9, 10], "score": [0.29, 0.31, 0.59, 0.61]}
    >>> table = Runs.from_columns(**scores, target="score", groups={"task": ["arc"] * 4})
    >>> task_signal(table).weak, round(task_signal(table).snr["arc"], 1)
    ((), 24.7)

    Source: Heineman et al. 2025 [heineman2025], authors' code, as `laws.signal_to_noise`. Not from the source: the
    pooling over models, and the least ratio.
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
            "task_signal(): no column 'step', or no target", why="scores of final models only", change="late checkpoints"
        )
    signal, noise = dict[str, float](), dict[str, float]()
    score, step, model = np.asarray(runs.target), runs["step"], runs["run"]
    for name in runs.labels[task]:
        own = np.flatnonzero(runs[task] == name)
        late = [own[model[own] == m] for m in np.unique(model[own])]
        late = [rows[np.argsort(step[rows], kind="stable")][-last:] for rows in late]
        several = [score[rows] for rows in late if len(rows) > 1]
        if len(late) < 2 or not several:
            raise refuse(
                f"task_signal(): {name} has {len(late)} models, {len(several)} of them with checkpoints",
                why="signal is between models and noise between checkpoints",
                change="two models or more, and late checkpoints of at least one",
            )
        final = score[[rows[-1] for rows in late]]
        signal[name] = float(np.ptp(final) / np.mean(final))
        noise[name] = float(np.sqrt(np.mean([(np.std(s) / np.mean(s)) ** 2 for s in several])))
    return TaskSignal(signal, noise, {t: signal[t] / noise[t] if noise[t] else math.inf for t in signal}, least)
