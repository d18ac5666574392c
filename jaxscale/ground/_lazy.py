"""Namespaces whose names are loaded when they are first used, so that importing one of them does
not import JAX.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Loaded = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def lazily(package: str, names: Mapping[str, str], spaces: Sequence[str] = ()) -> Loaded:
    """`__getattr__`, `__dir__` and `__all__` of a package: `names` by their file from the top, and
    modules of its own.
    """
    top = package.partition(".")[0]

    def __getattr__(name: str) -> Any:
        if name in spaces:
            return importlib.import_module(f"{package}.{name}")
        if name in names:
            value = getattr(importlib.import_module(f"{top}.{names[name]}"), name)
            setattr(sys.modules[package], name, value)
            return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    known = sorted([*spaces, *names])
    return __getattr__, lambda: list(known), known
