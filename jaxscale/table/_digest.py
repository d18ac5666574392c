"""The fingerprint of a table: a fit can be replayed only if it is known which rows it saw.

It is taken over names, units, and the exact float64 values of all columns, target and weights, and
over the labels of groups, in the order of the rows.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from ._runs import Runs


def rows_digest(runs: Runs) -> str:
    """SHA-256 [64 hexadecimal digits] of the rows of a table, in their order; notes and remarks do
    not count.
    """
    found = hashlib.sha256(b"jaxscale rows 1")
    numbers = {f"column {k}": v for k, v in runs.columns.items()} | {"weights": runs.weights}
    if runs.target is not None:
        numbers[f"target {runs.target_name}"] = runs.target
    for name in sorted(numbers):
        values = np.ascontiguousarray(numbers[name], "<f8") + 0.0  # one zero
        unit = runs.units.get(name.partition(" ")[2])
        found.update(json.dumps([name, "" if unit is None else unit.name, values.shape]).encode())
        found.update(values.tobytes())
    for name in sorted(runs.groups):
        found.update(json.dumps([f"group {name}", runs[name].tolist()]).encode())
    return found.hexdigest()
