"""The registry: all tables by name. Where each comes from stands in the file of its kind, beside
its reader.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..table._runs import Runs
from . import _architecture, _curves, _downstream, _embedded, _hyperparameters, _loss, _mixtures
from ._entry import Entry

# files with ENTRIES and READERS
_KINDS = (_loss, _architecture, _curves, _hyperparameters, _mixtures, _downstream)
REGISTRY: dict[str, Entry] = {
    name: entry for kind in _KINDS for name, entry in kind.ENTRIES.items()
} | _embedded.ENTRIES
READERS: dict[str, Callable[[Any, str], Runs]] = {
    name: reader for kind in _KINDS for name, reader in kind.READERS.items()
}
