"""Files that are written whole or not at all, and records with one form in JSON and a SHA-256 for
each section.

A record has one fingerprint per section, so that an altered file says where it was altered, and one
over these.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_whole(path: Path, data: bytes, *, new: bool = False) -> None:
    """Write a file whole or not at all; with `new`, FileExistsError where there is one already,
    even since just now.
    """
    # threads write too
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(6)}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not new or not _linked(part, path):
            os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _linked(part: Path, path: Path) -> bool:
    """Give a file its name if there is none of that name; False on a file system without links,
    after a look.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        return False
    part.unlink()
    return True


def canonical(record: Any) -> bytes:
    """JSON with one form: keys in order, no spaces, the shortest digits that give the same double
    back.
    """
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digests(record: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each section of a record."""
    return {k: hashlib.sha256(canonical(v)).hexdigest() for k, v in record.items()}


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record, over those of its sections."""
    return hashlib.sha256(canonical(digests(record))).hexdigest()


def as_json(value: Any) -> Any:
    """Arrays and numbers as JSON has them; what is not finite as text, since JSON has
    no infinity.
    """
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
