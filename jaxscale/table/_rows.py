"""Rows: what a table of runs holds, and the rows of it that a mask picks. `Runs` adds the ways in
and the rules.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ..ground._errors import nearest, refuse
from ..ground._trees import Aside, node, static
from ..units import Unit


@node()
class Rows:
    """Columns, target, weights and groups of checked runs, row by row."""

    columns: dict[str, Any]
    target: Any
    weights: Any
    groups: dict[str, Any]
    target_name: str = static(default="loss")
    notes: Aside = static(default=Aside())

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, name: str) -> np.ndarray:
        """The values of a column, of the target, or the labels of a group column."""
        if name in self.columns:
            return np.asarray(self.columns[name])
        if name == self.target_name:
            return np.asarray(self.target)
        if name in self.groups:
            return np.asarray([self.labels[name][code] for code in self.groups[name]])
        raise KeyError(
            f"no column {name!r}.{nearest(name, [*self.columns, self.target_name, *self.groups])}"
        )

    @property
    def units(self) -> dict[str, Unit]:
        """Unit of each column and of the target, as declared or taken from its letter."""
        return dict(self.notes["units"])

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels of each group column; `groups` holds their indices."""
        return dict(self.notes["labels"])

    @property
    def dropped(self) -> int:
        """Rows left out by `on_bad="drop"`."""
        return int(self.notes["dropped"])

    @property
    def dropped_rows(self) -> tuple[str, ...]:
        """The rows left out by `on_bad="drop"`, one by one: row, line of the file, column, cell and
        reason.
        """
        return tuple(self.notes.get("dropped_rows", ()))

    def place(self, row: int) -> str:
        """Where a row stood when the table was read: 'row 3', with its line where it came from a
        file.
        """
        own = self.notes.get("places", ())
        return str(own[row]) if len(own) == len(self) else f"row {row}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was noticed when the table was read; the report repeats it."""
        return tuple(self.notes["remarks"])

    def _places(self, mask: np.ndarray) -> tuple[str, ...]:
        return tuple(self.place(int(i)) for i in np.flatnonzero(mask))

    @property
    def clusters(self) -> str | None:
        """'run' where some run has more than one row: then rows are not independent, and runs are
        resampled.
        """
        if "run" not in self.groups or len(self) == 0:
            return None
        return "run" if np.bincount(self.groups["run"]).max() > 1 else None

    def where(self, mask: Any) -> Self:
        """The rows where `mask` (n,) is true: `runs.where(runs["loss"] < 5)`."""
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise refuse(
                f"where(): a mask of dtype {mask.dtype} and shape {mask.shape} for "
                f"{len(self)} rows",
                why="positions or another table's mask were given",
                change="give one true or false per row, such as runs['loss'] < 5",
            )
        if not mask.any():
            raise refuse(
                f"where(): none of {len(self)} rows left",
                why="the condition has another unit",
                change="the condition",
            )
        groups, labels = {}, dict(self.notes["labels"])
        for g, codes in self.groups.items():
            kept, groups[g] = np.unique(np.asarray(codes)[mask], return_inverse=True)
            labels[g] = tuple(np.asarray(labels[g])[kept].tolist())
        return type(self)(
            {k: np.asarray(v)[mask] for k, v in self.columns.items()},
            None if self.target is None else np.asarray(self.target)[mask],
            np.asarray(self.weights)[mask],
            groups,
            self.target_name,
            Aside({**self.notes, "labels": labels, "places": self._places(mask)}),
        )
