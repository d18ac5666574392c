"""A directory of finished blocks, from which an interrupted job goes on byte for byte.

The directory belongs to one job: `job.json` holds what decides its bits (data, law, options, seed,
sizes, versions) as short hashes and words, and a directory of another job is refused, naming what
differs. Each block is one file, written whole or not at all (temporary file, fsync, rename) behind
a line that says which block of which job it is, with a SHA-256 of all, so that a file that was
truncated, altered or put in another's place is found when it is read. Nothing is ever deleted.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
from pathlib import Path

import numpy as np

from ..ground._errors import refuse
from ..ground._files import write_whole

_MARK = b"jaxscale block 2 "


def encode(arrays: dict[str, np.ndarray], what: str = "") -> bytes:
    """Arrays as bytes; in front what they are, and a checksum of both."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    own = what.encode() + b"\n" + file.getvalue()
    return _MARK + hashlib.sha256(own).hexdigest().encode() + b" " + own


def decode(data: bytes, what: str = "") -> dict[str, np.ndarray]:
    """Arrays from bytes; ValueError where the checksum does not fit, or they are something else."""
    size = len(_MARK) + 64
    head, own = data[:size], data[size + 1 :]
    if head != _MARK + hashlib.sha256(own).hexdigest().encode():
        raise ValueError("the checksum does not fit the content")
    found, _, body = own.partition(b"\n")
    if found.decode() != what:
        raise ValueError(f"it is {found.decode()}, not {what}")
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        return {k: file[k] for k in file.files}


class Store:
    """The blocks of one job in one directory."""

    def __init__(self, directory: Path, job: dict[str, str], blocks: int) -> None:
        self.directory, self.blocks = directory, blocks
        self._job = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]
        about = directory / "job.json"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            foreign = sorted(p.name for p in directory.iterdir() if not p.name.endswith(".part"))
            # asked after the listing: another process may be beginning the same job
            if not about.exists():
                if foreign:
                    raise refuse(
                        f"directory {directory} has no job.json, but {foreign[0]!r}",
                        why="it is used for something else",
                        change="a new or an empty directory",
                    )
                write_whole(about, json.dumps(job, indent=1).encode())
        except OSError as error:
            raise self._failed(error) from error
        try:
            found = json.loads(about.read_text())
        except ValueError as error:
            raise refuse(
                f"{about} is not readable",
                why="it was altered by hand",
                change="another directory, or restore the file",
            ) from error
        if differs := [k for k in {**job, **found} if job.get(k) != found.get(k)]:
            seen = "; ".join(f"{k} was {found.get(k)}, is {job.get(k)}" for k in differs)
            raise refuse(
                f"directory {directory} belongs to another job: {seen}",
                why="the data, an option or a version has changed since",
                change="another directory, or the options of that job",
            )

    def read(self, block: int) -> dict[str, np.ndarray] | None:
        """A finished block, or None."""
        path = self._path(block)
        if not path.exists():
            return None
        try:
            return decode(path.read_bytes(), self._what(block))
        except (ValueError, OSError, KeyError, EOFError) as error:
            raise refuse(
                f"block {path.name} of {path.parent} is damaged: {error}",
                why="the file was truncated, altered, or copied here from elsewhere",
                change="delete that file and run again: the other blocks are kept, this one is "
                "computed anew",
            ) from error

    def write(self, block: int, arrays: dict[str, np.ndarray]) -> None:
        """Store a finished block, whole or not at all."""
        try:
            write_whole(self._path(block), encode(arrays, self._what(block)))
        except OSError as error:
            raise self._failed(error) from error

    def _what(self, block: int) -> str:
        return f"block {block} of {self.blocks} of the job {self._job}"

    def _path(self, block: int) -> Path:
        return self.directory / f"block_{block:06d}.npz"

    def _failed(self, error: OSError) -> Exception:
        kept = len(list(self.directory.glob("block_*.npz"))) if self.directory.is_dir() else 0
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return refuse(
            f"cannot write to {self.directory}: {error.strerror or error}; {kept} of {self.blocks} "
            f"blocks are stored",
            why="the disk is full" if full else "the directory may not be written to",
            change="free some space and run again with the same directory: what is stored is kept"
            if full
            else "another directory",
        )
