"""`with_helper`: points that are known without a run, such as the best score at no loss at all.

A link is fitted over the losses of a ladder of small models, and asked at a loss that lies below all of them. What its
ceiling is, no run of the ladder shows. A helper point says it. It is an assumption and no run: every resample, of whatever
kind, has it once and without noise, and it adds nothing to the width of a chain's interval, which is then an interval under
that assumption. (The kinds that put noise on fitted values have it at its fitted value, so that refits lie around the fit.)
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..ground._errors import refuse
from ..ground._trees import Aside
from ._rules import remarked
from ._runs import Runs


def with_helper(runs: Runs, value: float = 1.0, *, at: float = 1e-6, weight: float = 1.0, by: str | None = None) -> Runs:
    """The table with one more row: score `value` [unit of the target] at a loss `at` [unit of the only column], about 0.

    `weight` says how many rows it counts for; with `by="task"` each task gets a row. A loss is positive, so `at` is a small
    number rather than 0. A value of 1 sends a best score that is a fraction to its edge, and the fit says so; to fix it, as in
    `accuracy_above_chance.fix(top=1)`, assumes the same and leaves a fit that is OK. The rows have the label "yes" in the
    group column `helper`; resampling keeps them, and `remarks` count them. Raises InputError for a table with more than one
    column, or without a target.

    >>> table = Runs.from_columns(L=[3.0, 2.5, 2.1], score=[0.3, 0.4, 0.6], target="score")
    >>> helped = with_helper(table, weight=3.0)
    >>> len(helped), float(helped["score"][-1]), helped.labels["helper"]
    (4, 1.0, ('no', 'yes'))

    Source: Bhagia et al. 2024 (arXiv 2412.04403), authors' code, the point (0, best score). Not from the source: the weight,
    and that a helper is no run to be resampled.
    """
    if len(runs.columns) != 1 or runs.target is None:
        raise refuse(
            f"with_helper(): a table with the columns {', '.join(runs.columns) or 'none'} and "
            f"{'no target' if runs.target is None else 'a target'}",
            why="a helper point is one loss and one score",
            change="a table of the link alone: from_columns(L=loss, score=score, target='score')",
        )
    if not (at > 0 and weight > 0):
        raise refuse(f"with_helper(at={at}, weight={weight})", why="a loss of 0", change="small numbers above 0")
    if "helper" in runs.groups:
        raise refuse("with_helper(): this table has its helper points", why="it was called twice", change="call it once")
    if by is not None and by not in runs.groups:
        raise refuse(
            f"with_helper(by={by!r}): no such group column", why="it was not read", change=", ".join(runs.groups) or "by=None"
        )
    labels = runs.labels[by] if by is not None else ("",)
    k, n = len(labels), len(runs)
    (name,) = runs.columns
    groups: dict[str, Any] = {
        g: [*runs[g], *(labels if g == by else ["helper" if k == 1 else f"helper {i}" for i in labels])] for g in runs.groups
    }
    groups["helper"] = ["no"] * n + ["yes"] * k
    columns: dict[str, Any] = {name: np.append(runs[name], np.full(k, at))}
    columns[runs.target_name] = np.append(np.asarray(runs.target), np.full(k, value))
    table = Runs.from_columns(
        target=runs.target_name,
        weights=np.concatenate([np.asarray(runs.weights), np.full(k, weight)]),
        groups=groups,
        units=runs.units,
        **columns,
    )
    said = f"{k} helper point{'s' * (k > 1)} added: {runs.target_name} {value:g} at {name} = {at:g}, of weight {weight:g}"
    notes = Aside({**table.notes, "remarks": runs.remarks, "dropped": runs.dropped})
    return remarked(dataclasses.replace(table, notes=notes), said)


def helpers(runs: Runs) -> np.ndarray:
    """Which rows (n,) are helper points."""
    return np.asarray(runs["helper"] == "yes") if "helper" in runs.groups else np.zeros(len(runs), bool)
