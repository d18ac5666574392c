"""A table of runs of many recipes, recipe by recipe: all rows, those after a share of a run, and
one row for each run.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..costs import Train
from ..ground._errors import nearest, refuse
from ..table._runs import Runs

_LAST = 0.9  # of the steps of a run: what its end is averaged over

Rows = dict[str, np.ndarray]  # of one recipe, by column


def labels_of(runs: Runs) -> tuple[str, ...]:
    if "recipe" not in runs.groups:
        raise refuse(
            "decisions: no group column 'recipe'",
            why="the column was read as numbers, or has another name",
            change='Runs.from_columns(..., groups={"recipe": [...]})',
        )
    return runs.labels["recipe"]


def rows_of(runs: Runs, needed: tuple[str, ...]) -> dict[str, Rows]:
    """Columns of each recipe, with C = 6 N D where there is none."""
    labels, table = labels_of(runs), {**runs.columns, runs.target_name: runs.target}
    table = {k: np.asarray(v) for k, v in table.items() if v is not None and np.ndim(v) == 1}
    if "C" not in table and {"N", "D"} <= set(table):
        table["C"] = Train()(table["N"], table["D"])
    if missing := [c for c in needed if c not in table]:
        raise refuse(
            f"decisions: no column {missing[0]!r}",
            why="another name",
            change=nearest(missing[0], table).strip(),
        )
    run = np.asarray(runs.groups["run"]) if "run" in runs.groups else np.arange(len(runs))
    codes = np.asarray(runs.groups["recipe"])
    return {
        r: {"run": run[codes == i], **{k: v[codes == i] for k, v in table.items()}}
        for i, r in enumerate(labels)
    }


def rows_after(own: Rows, share: float) -> np.ndarray:
    """Rows of a recipe that come after a share of the steps of their run; all rows where there are
    no steps.
    """
    if "step" not in own:
        return np.ones(len(own["run"]), bool)
    last = np.zeros(own["run"].max() + 1)
    np.maximum.at(last, own["run"], own["step"])
    return np.asarray(own["step"] >= share * last[own["run"]])


def ends_of(runs: Runs, *needed: str) -> dict[str, Rows]:
    """One row for each run: its last checkpoint, with losses and accuracies averaged over the last
    tenth of its steps.
    """
    out = {}
    for recipe, own in rows_of(runs, needed).items():
        late = {k: v[rows_after(own, _LAST)] for k, v in own.items()}
        _, number = np.unique(late["run"], return_inverse=True)
        order = np.argsort(late.get("step", number), kind="stable")
        final = np.zeros(number.max() + 1, int)
        final[number[order]] = order  # the last one stays
        means = {
            k: np.bincount(number, v) / np.bincount(number)
            for k, v in late.items()
            if k in (runs.target_name, "accuracy")
        }
        out[recipe] = {**{k: v[final] for k, v in late.items()}, **means}
    return out


def size_of(at: Mapping[str, float], columns: tuple[str, ...]) -> dict[str, float]:
    known = {k: float(v) for k, v in at.items()}
    if "C" not in known and {"N", "D"} <= set(known):
        known["C"] = Train()(known["N"], known["D"])
    if missing := [c for c in columns if c not in known]:
        raise refuse(
            f"decisions: at={dict(at)} has no {missing[0]}",
            why="another size was meant",
            change='at={"N": 1e9, "D": 1e11}',
        )
    return known
