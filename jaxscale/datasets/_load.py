"""Finding, checking and reading a registered table."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..ground._errors import nearest, refuse
from ..table._runs import Runs
from . import _embedded
from ._entry import Entry
from ._registry import READERS, REGISTRY

_CONNECT = 0.7  # seconds a closed network may cost; a server that answers has all the time it needs
_READ = 60.0


def names() -> list[str]:
    """The tables there are.

    >>> "hoffmann2022" in names()
    True
    """
    return list(REGISTRY)


def describe(name: str) -> str:
    """What a table holds, where it comes from, its licence and what was published about it.

    >>> print(describe("simulated").splitlines()[0])
    simulated
    """
    e = _entry(name)
    return (
        f"{name}\n  {e.about}\n  source: {e.source}\n  licence: {e.licence}\n  published: "
        f"{e.published}"
    )


def load(name: str, rows: str = "default") -> Runs:
    """A registered table as `Runs`: N in parameters, D in tokens, loss in nats/token where
    `describe(name)` says no other.

    `rows` chooses a variant that `describe(name)` lists. Raises InputError for an unknown name or
    variant, and FileNotFoundError where a file is neither under `$JAXSCALE_DATA_DIR` nor to be had,
    saying what would help.

    >>> len(load("simulated"))
    60
    """
    entry = _entry(name)
    if rows not in entry.variants:
        raise refuse(
            f"datasets.load({name!r}, rows={rows!r})",
            why="a typing slip",
            change=nearest(str(rows), entry.variants).strip(),
        )
    if name in _embedded.TABLES:
        return _embedded.TABLES[name](**({} if rows == "default" else {"rows": rows}))
    files = entry.files[rows]
    paths = (
        _path(name, entry, files)
        if isinstance(files, str)
        else tuple(_path(name, entry, file) for file in files)
    )
    return READERS[name](paths, rows)


def _entry(name: str) -> Entry:
    if name not in REGISTRY:
        raise refuse(
            f"no table {name!r}", why="a typing slip", change=nearest(str(name), REGISTRY).strip()
        )
    return REGISTRY[name]


def _path(name: str, entry: Entry, file: str) -> Path:
    """The file, from the local folder or the cache, with the right hash."""
    folder = os.environ.get("JAXSCALE_DATA_DIR")
    if folder and (Path(folder) / file).exists():
        path = Path(folder) / file
        seen = hashlib.sha256(path.read_bytes()).hexdigest()
        if seen != entry.sha256[file]:
            raise OSError(
                f"{path} is not the registered file (SHA-256 {seen[:12]}..., expected "
                f"{entry.sha256[file][:12]}...): it was edited or is another version; remove it "
                f"or take it out of $JAXSCALE_DATA_DIR"
            )
        return path
    if file not in entry.url:
        raise FileNotFoundError(
            f"{name} is local only ({entry.source}). Put {file} under a folder and set "
            f"JAXSCALE_DATA_DIR to it."
        )
    return _fetched(name, entry.url[file], entry.sha256[file], Path(file).name)


def _fetched(name: str, url: str, sha256: str, file: str) -> Path:
    try:
        import pooch
    except ImportError as error:
        raise FileNotFoundError(
            f"{name} is not under $JAXSCALE_DATA_DIR, and fetching it needs pooch: pip install "
            f"'jaxscale[data]'"
        ) from error
    pooch.get_logger().setLevel("WARNING")
    folder = os.environ.get("JAXSCALE_CACHE_DIR") or pooch.os_cache("jaxscale")
    try:
        return Path(
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256}",
                fname=f"{sha256[:12]}-{file}",
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=(_CONNECT, _READ)),
            )
        )
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{name} could not be fetched from {url} ({type(error).__name__}: {str(error)[:120]}). "
            f"Without a network, put the file under a folder and set JAXSCALE_DATA_DIR to it."
        ) from None
