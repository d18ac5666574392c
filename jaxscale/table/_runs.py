"""`Runs`: the table of training runs, checked once, where it is made.

Columns are named float64 arrays `(n,)` (or `(n, k)` for shares), beside a target, weights and group
columns. The constructors (`from_columns`, `from_csv`, `from_frame`) refuse what cannot be meant
(missing values, strings, values outside a unit's range, two magnitudes in one column) with row and
column; `on_bad="drop"` leaves such rows out and counts them. A run may have many rows
(checkpoints): then a `run` column says which rows belong together, and everything that resamples
draws whole runs. Nothing is checked in `__post_init__`, which also runs on tracers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..ground._errors import nearest, refuse
from ..ground._trees import node
from ..units import by_letter
from . import _anchors, _rules
from ._checked import checked
from ._reading import labels, missing, series, usable
from ._rows import Rows
from ._sources import csv_of, named_once, why_not, without_index

# understood without being named, the last two where every row has one
_GROUPS = ("run", "schedule", "seed")
_NUMBERS = ("step",)


@node()
class Runs(Rows):
    """A checked table of runs: see `Runs.from_columns`, `Runs.from_csv`, `Runs.from_frame`.

    `weights` multiply the loss of a row: a weight of 2 fits like the row twice, and only their
    ratio matters. Resampling draws rows whatever their weight. They are precisions where noise is
    estimated: a row of weight 4 has half the noise.
    """

    def __repr__(self) -> str:
        columns = {
            **self.columns,
            **({} if self.target is None else {self.target_name: self.target}),
        }
        shown = [
            f"{k} {np.min(v):.3g} .. {np.max(v):.3g}" if np.ndim(v) == 1 else f"{k} {np.shape(v)}"
            for k, v in columns.items()
        ]
        return (
            f"<Runs {len(self)} rows: {', '.join(shown)}"
            + "".join(f"; {len(v)} {g}s" for g, v in self.labels.items())
            + ">"
        )

    best = _rules.best
    late = _rules.late
    smoothed = _rules.smoothed
    balanced = _rules.balanced
    using = _rules.using
    with_helper = _anchors.with_helper

    @classmethod
    def from_columns(
        cls,
        *,
        target: str | None = "loss",
        weights: Any = None,
        groups: Mapping[str, Any] | None = None,
        units: Mapping[str, Any] | None = None,
        on_bad: str | Sequence[int] = "raise",
        **columns: Any,
    ) -> Runs:
        """Runs from arrays: `Runs.from_columns(N=N, D=D, loss=loss)`.

        `target` names the observed column (None for `NegLogLik`); `weights` (n,); `groups` maps
        names to labels (n,); a column called `run` is a group too. `units` declares units
        (`units={"loss": units.Bits}`), else the letter decides (N, D, C, U, loss). Raises
        InputError with row and column. `on_bad="drop"` leaves such rows out instead, with a warning
        and in `.dropped_rows`; the row of the largest N, D or C goes only if it is named.
        `on_bad=[7]` names the rows that may be left out.

        >>> runs = Runs.from_columns(N=[1e8, 1e9, 4e9], D=[2e9, 2e10, 8e10], loss=[3.1, 2.6, 2.3])
        >>> len(runs), runs.dropped
        (3, 0)
        """
        if groups is not None and not isinstance(groups, Mapping):
            raise refuse(
                f"from_columns: groups={groups!r}",
                why="names of columns, as from_csv takes them",
                change='groups={"family": family}, the labels of each',
            )
        groups = dict(groups or {}) | {g: columns.pop(g) for g in _GROUPS if g in columns}
        own = dict(units or {})
        return cls(
            **checked(
                columns,
                target,
                weights=weights,
                groups=groups,
                units=own,
                on_bad=on_bad,
                remarks=(),
            )
        )

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        target: str | None = "loss",
        weights: str | None = None,
        groups: Sequence[str] = (),
        columns: Sequence[str] = (),
        units: Mapping[str, Any] | None = None,
        on_bad: str | Sequence[int] = "raise",
        **renamed: str | Sequence[str],
    ) -> Runs:
        """Runs from a CSV file with a header: `Runs.from_csv("sweep.csv", N="params", D="tokens",
        target="final_loss")`.

        Keywords rename (`N="params"` reads column `params` as N; `r=["web", "code", "books"]` reads
        three as one vector per run, (n, 3)), `columns` reads under their own names; without either,
        every column of numbers is read. `run` and `step` are read where they exist. Raises as
        `from_columns`.
        """
        header, table, lines = csv_of(Path(path))
        name = Path(path).name
        places = [f"row {i} (line {n} of {name})" for i, n in enumerate(lines)]
        return _from_table(
            header,
            table,
            target=target,
            weights=weights,
            groups=groups,
            columns=columns,
            units=units,
            on_bad=on_bad,
            renamed=renamed,
            places=places,
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        target: str | None = "loss",
        weights: str | None = None,
        groups: Sequence[str] = (),
        columns: Sequence[str] = (),
        units: Mapping[str, Any] | None = None,
        on_bad: str | Sequence[int] = "raise",
        **renamed: str | Sequence[str],
    ) -> Runs:
        """Runs from a pandas, polars or pyarrow table; arguments and errors as in `from_csv`."""
        import narwhals as nw

        frame = without_index(frame)
        try:
            data = nw.from_native(frame, eager_only=True)
        except (TypeError, nw.exceptions.DuplicateError) as error:
            raise refuse(
                f"from_frame: {type(frame).__name__} cannot be read ({error})",
                why="it is no pandas, polars or pyarrow table, or two of its columns share a name",
                change="convert it to one of these, or use from_columns",
            ) from error
        header = [str(c) for c in data.columns]
        table = [series(data.get_column(c)) for c in data.columns]
        return _from_table(
            header,
            table,
            target=target,
            weights=weights,
            groups=groups,
            columns=columns,
            units=units,
            on_bad=on_bad,
            renamed=renamed,
            places=(),
        )


def _from_table(
    header: Sequence[str],
    values: Sequence[Any],
    target: str | None,
    weights: str | None,
    groups: Sequence[str],
    columns: Sequence[str],
    units: Mapping[str, Any] | None,
    on_bad: str | Sequence[int],
    renamed: Mapping[str, str | Sequence[str]],
    places: Sequence[str],
) -> Runs:
    wanted: dict[str, Any] = {**{c: c for c in columns}, **renamed}
    several = [n for v in wanted.values() for n in ([v] if isinstance(v, str) else list(v))]
    named = {
        *several,
        *groups,
        *([target] if target and target not in renamed else []),
        *([weights] if weights else []),
    }
    asked = {*named, *_GROUPS, *_NUMBERS} if wanted else set[str]()
    table, remarks = named_once(header, values, asked)

    def read(name: Any) -> Any:
        if name not in table:
            raise refuse(
                f"no column {name!r} in the table",
                why="it has another name",
                change=nearest(name, table).strip(),
            )
        return table[name]

    def column(names: str | Sequence[str]) -> Any:  # one, or several that make a vector per run
        return read(names) if isinstance(names, str) else np.stack([read(c) for c in names], axis=1)

    for new, old in wanted.items():
        if not isinstance(old, str) and (new in (target, *_GROUPS) or len(old) < 2):
            raise refuse(
                f"{new}={list(old)!r}: {'one column' if len(old) > 1 else 'two or more columns'} "
                f"expected",
                why="a list of columns makes a vector per run, such as the shares of a mixture",
                change=f"{new}='the name of a column'",
            )
    # the target may be renamed too
    observed = None if target is None else wanted.pop(target, target)
    group_names = {g: g for g in [*groups, *_GROUPS] if g in groups or g in table} | {
        g: wanted.pop(g) for g in _GROUPS if g in wanted
    }
    asked = {*groups, *renamed, "run"}
    bare = [g for g in group_names if g not in asked and any(map(missing, labels(table[g])))]
    group_names = {g: c for g, c in group_names.items() if g not in bare}
    remarks += [f"{g} not read: not every row has one" for g in bare]
    skipped: dict[str, str] = {}
    if not wanted:
        other = [
            c
            for c in table
            if c not in (observed, weights, *bare) and c not in group_names.values()
        ]
        # these obey on_bad
        known = {c for c in other if by_letter(c).dimension or c in (units or {})}
        wanted = {c: c for c in other if c in known or usable(table[c])}
        skipped = {c: why_not(table[c], places) for c in other if c not in wanted}
        if skipped:
            remarks.append(
                f"columns not read because not every value is a finite number: {', '.join(skipped)}"
            )
    else:
        wanted |= {c: c for c in _NUMBERS if c in table and c not in wanted and usable(table[c])}
    data = {new: column(old) for new, old in wanted.items()}
    if target is not None:
        data[target] = read(observed)
    fields = checked(
        data,
        target,
        weights=None if weights is None else read(weights),
        groups={g: read(c) for g, c in group_names.items()},
        units=dict(units or {}),
        on_bad=on_bad,
        remarks=remarks,
        places=places,
        skipped=skipped,
    )
    return Runs(**fields)
