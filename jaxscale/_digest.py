"""Fingerprints: of the rows of a table, and of a record that is kept as JSON.

A fit can be replayed only if it is known which rows it saw. The fingerprint of a table is taken over names, units, and the
exact float64 values of all columns, target and weights, and over the labels of groups, in the order of the rows. A record
has one fingerprint per section, so that an altered file says where it was altered, and one over these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._runs import Runs


def rows_digest(runs: Runs) -> str:
    """SHA-256 [64 hexadecimal digits] of the rows of a table, in their order; notes and remarks do not count."""
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


def canonical(record: Any) -> bytes:
    """JSON with one form: keys in order, no spaces, the shortest digits that give the same double back."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digests(record: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each section of a record."""
    return {k: hashlib.sha256(canonical(v)).hexdigest() for k, v in record.items()}


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record, over those of its sections."""
    return hashlib.sha256(canonical(digests(record))).hexdigest()


def as_json(value: Any) -> Any:
    """Arrays and numbers as JSON has them; what is not finite as text, since JSON has no infinity."""
    if isinstance(value, Mapping):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return repr(value)
    return value


def numbers(value: Any) -> np.ndarray:
    """An array from what `as_json` made of it."""
    return np.asarray(value, np.float64)  # reads "inf" and "nan" too
