"""What the registry says of a table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """One table. `url` is empty for tables that are embedded or local only; `variants` are values
    of `rows=`.

    A variant that is spread over several files names them all, and its reader gets a tuple of
    paths.
    """

    about: str
    source: str
    licence: str
    published: str
    variants: tuple[str, ...] = ("default",)
    # below the data directory, by variant
    files: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)  # of each file
    url: dict[str, str] = field(default_factory=dict)
