"""`with_helper`: points that are known without a run, such as the best score at no loss at all.

A link is fitted over the losses of a ladder of small models, and asked at a loss that lies below
all of them. What its ceiling is, no run of the ladder shows. A helper point says it. It is an
assumption and no run: every resample, of whatever kind, has it once and without noise, and it adds
nothing to the width of a chain's interval, which is then an interval under that assumption. (The
kinds that put noise on fitted values have it at its fitted value, so that refits lie around the
fit.)
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..ground._errors import refuse
from ..ground._trees import Aside
from ._rows import Rows
from ._rules import Table, remarked


def with_helper(
    self: Table,
    value: float = 1.0,
    *,
    loss: float = 1e-6,
    weight: float = 1.0,
    per: str | None = None,
) -> Table:
    """The table with one more row: score `value` [unit of the target] at a `loss` [unit of the only
    column], about 0.

    `weight` says how many rows it counts for; with `per="task"` each task gets a row. A loss is
    positive, so it is a small number rather than 0. A value of 1 sends a best score that is a
    fraction to its edge, and the fit says so; to fix it, as in `accuracy_above_chance.fix(top=1)`,
    assumes the same and leaves a fit that is OK. The rows have the label "yes" in the group column
    `helper`; resampling keeps them, and `remarks` count them. Raises InputError for a table with
    more than one column, or without a target.

    >>> from jaxscale import Runs
    >>> from jaxscale.units import Fraction
    >>> losses, scores = [3.0, 2.5, 2.1], [0.3, 0.4, 0.6]
    >>> table = Runs.from_columns(L=losses, score=scores, target="score", units={"score": Fraction})
    >>> helped = table.with_helper(weight=3.0)
    >>> len(helped), float(helped["score"][-1]), helped.labels["helper"]
    (4, 1.0, ('no', 'yes'))

    Source: Bhagia et al. 2024 (arXiv 2412.04403), authors' code, the point (0, best score). Not
    from the source: the weight, and that a helper is no run to be resampled.
    """
    if len(self.columns) != 1 or self.target is None:
        raise refuse(
            f"with_helper(): a table with the columns {', '.join(self.columns) or 'none'} and "
            f"{'no target' if self.target is None else 'a target'}",
            why="a helper point is one loss and one score",
            change="a table of the link alone: from_columns(L=loss, score=score, target='score')",
        )
    if not (loss > 0 and weight > 0):
        raise refuse(
            f"with_helper(loss={loss}, weight={weight})",
            why="a loss is positive",
            change="a small number such as 1e-6 for 0",
        )
    if "helper" in self.groups:
        raise refuse(
            "with_helper(): this table has its helper points",
            why="it was called twice",
            change="call it once",
        )
    if per is not None and per not in self.groups:
        raise refuse(
            f"with_helper(per={per!r}): no such group column",
            why="it was not read",
            change=", ".join(self.groups) or "per=None",
        )
    labels = self.labels[per] if per is not None else ("",)
    k, n = len(labels), len(self)
    (name,) = self.columns
    groups: dict[str, Any] = {
        g: [
            *self[g],
            *(labels if g == per else ["helper" if k == 1 else f"helper {i}" for i in labels]),
        ]
        for g in self.groups
    }
    groups["helper"] = ["no"] * n + ["yes"] * k
    columns: dict[str, Any] = {name: np.append(self[name], np.full(k, loss))}
    columns[self.target_name] = np.append(np.asarray(self.target), np.full(k, value))
    made: Any = type(self)  # `Runs` has ways in, which rows have not
    table: Table = made.from_columns(
        target=self.target_name,
        weights=np.concatenate([np.asarray(self.weights), np.full(k, weight)]),
        groups=groups,
        units=self.units,
        **columns,
    )
    said = (
        f"{k} helper point{'s' * (k > 1)} added: {self.target_name} {value:g} at {name} = "
        f"{loss:g}, of weight {weight:g}"
    )
    notes = Aside({**table.notes, "remarks": self.remarks, "dropped": self.dropped})
    return remarked(dataclasses.replace(table, notes=notes), said)


def helpers(runs: Rows) -> np.ndarray:
    """Which rows (n,) are helper points."""
    return (
        np.asarray(runs["helper"] == "yes")
        if "helper" in runs.groups
        else np.zeros(len(runs), bool)
    )
