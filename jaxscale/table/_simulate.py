"""`simulate`: tables of runs whose truth is known, made from a bound law.

What a method is worth shows on runs whose law is known: intervals can be counted, designs compared,
failures provoked. The loss of a run is the law's value times exp(noise z) with z standard normal,
independent from row to row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..formula._law import Law
from ..ground._errors import nearest, refuse, refuse_type
from ..units import convert
from ._reading import as_numbers
from ._runs import Runs


def simulate(law: Law, columns: Any, *, noise: Any, seed: int = 0, count: int | None = None) -> Any:
    """Runs with losses [in the law's unit] that a bound law gives at `columns`, with normal noise
    of ln L.

    `columns` is a dict of columns (n,), scalars where all runs share a value, or a table of runs,
    whose losses are not read; `noise` is the standard deviation of ln L, a number or (n,). `count`
    tables come as a list, each with noise of its own, which does not depend on how many there are;
    without it, one table. Raises InputError where a column is missing or noise is negative,
    TypeError for a law that is not bound.

    >>> from jaxscale import laws
    >>> truth = laws.chinchilla.published["besiroglu2024"]
    >>> runs = simulate(truth, {"N": [1e8, 1e9, 4e9], "D": 2e10}, noise=0.0)
    >>> len(runs), bool(np.allclose(runs["loss"], truth(N=runs["N"], D=2e10)))
    (3, True)

    No source: what every simulation study does.
    """
    check_bound(law, "simulate()")
    table = columns_of(law, columns, "simulate()")
    clean = np.asarray(
        law(**{k: table[k] for k in [*law.columns, *dict.fromkeys(dict(law.groups).values())]})
    )
    spread = np.asarray(noise, np.float64)
    if spread.shape not in ((), clean.shape) or not np.all(spread >= 0):
        raise refuse(
            f"simulate(): noise {noise!r}",
            why="it is a variance, or of another table",
            change="a number >= 0, or (n,)",
        )
    if not np.all(clean > 0):
        row = int(np.flatnonzero(~(clean > 0))[0])
        raise refuse(
            f"simulate(): {law.name} is {clean[row]:g} at row {row}; noise of ln L needs a "
            f"positive value",
            why="a column is in another unit, or the law is of something that may be negative",
            change="the column, or add noise of your own",
        )
    groups = {
        g: table.pop(g) for g in dict.fromkeys([*dict(law.groups).values(), "run"]) if g in table
    }
    units = {**dict(zip(law.columns, law.column_units, strict=True)), "loss": law.unit}

    def one(number: int) -> Runs:
        z = np.random.default_rng([seed, number]).standard_normal(len(clean))
        return Runs.from_columns(
            **table, loss=clean * np.exp(spread * z), groups=groups, units=units
        )

    return one(0) if count is None else [one(k) for k in range(count)]


def check_bound(law: Law, verb: str) -> None:
    """Raise TypeError where parameters are still free."""
    if law.free:
        raise refuse_type(
            f"{verb}: {law.name} is not bound: {', '.join(law.free)} are free",
            why="a law was given where a fit was meant",
            change="fit it, or fix(...) them",
        )


def columns_of(law: Law, given: Any, verb: str) -> dict[str, Any]:
    """Columns (n, ...) in the law's units, group labels (n,) and whatever else there is, from a
    dict or a table of runs.
    """
    units = dict(zip(law.columns, law.column_units, strict=True))
    table: dict[str, Any] = {}
    if isinstance(given, Runs):
        for name, values in given.columns.items():
            known = name in units and given.units[name].dimension == units[name].dimension != ""
            table[name] = (
                convert(np.asarray(values), given.units[name], units[name])
                if known
                else np.asarray(values)
            )
        table |= {g: given[g] for g in given.groups}
    elif isinstance(given, Mapping):
        labels = {"run", *dict(law.groups).values()}
        table = {k: np.asarray(v) if k in labels else as_numbers(v)[0] for k, v in given.items()}
    else:
        raise refuse_type(
            f"{verb}: a {type(given).__name__} is no table",
            why="rows or a list of runs were given",
            change="a dict of columns, or Runs",
        )
    needed = [*law.columns, *dict.fromkeys(dict(law.groups).values())]
    if missing := [c for c in needed if c not in table]:
        raise refuse(
            f"{verb}: no column {missing[0]!r}, which {law.name} reads",
            why="it has another name",
            change=f"name it.{nearest(missing[0], table)}",
        )
    ranks = {c: units[c].rank if c in units else 0 for c in table}
    rows = {c: v.shape[: v.ndim - ranks[c]] for c, v in table.items()}
    try:
        shape = np.broadcast_shapes((1,), *rows.values())
    except ValueError:
        shape = (0, 0)
    if len(shape) != 1 or not shape[0]:
        raise refuse(
            f"{verb}: columns of shapes {rows}",
            why="they come from different tables",
            change="one value per run, (n,)",
        )
    for c, v in table.items():
        table[c] = np.broadcast_to(v, shape + v.shape[v.ndim - ranks[c] :]).copy()
        if c in units and not np.all(np.isfinite(table[c])):
            row = int(np.flatnonzero(~np.isfinite(table[c].reshape(shape[0], -1)).all(1))[0])
            raise refuse(
                f"{verb}: column {c!r}, row {row} is not finite",
                why="a missing value",
                change="the value",
            )
    return table
