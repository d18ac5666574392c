"""Frozen dataclasses as JAX trees: numbers are leaves, everything else is the compile key.

`node` registers a frozen dataclass; fields made with `static()` are compared by value when JAX
decides whether a compiled program can be used again, all other fields are leaves or trees of
leaves. `Aside` carries what must travel with a node but must never cause a recompilation (names,
sources, notes): it equals every other `Aside`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np

from ._errors import refuse

T = TypeVar("T")


def static(default: Any = ..., **kw: Any) -> Any:
    """A field that belongs to the compile key."""
    if default is not ...:
        kw["default"] = default
    return field(metadata={"static": True}, **kw)


@dataclass_transform(frozen_default=True, field_specifiers=(field, static))
def node(*, eq: bool = False) -> Callable[[type[T]], type[T]]:
    """Class decorator: frozen dataclass, registered as a pytree."""

    def wrap(cls: type[T]) -> type[T]:
        cls = dataclass(frozen=True, eq=eq)(cls)
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        meta = [f.name for f in fields(cls) if f.metadata.get("static")]  # type: ignore[arg-type]
        jax.tree_util.register_dataclass(cls, [n for n in names if n not in meta], meta)
        return cls

    return wrap


class Aside(dict[str, Any]):
    """Notes that travel with a node but stay out of its compile key: equal to every other Aside."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aside)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, Aside)

    def __hash__(self) -> int:  # type: ignore[override]
        return 0


def traced(*trees: Any) -> bool:
    """Whether any leaf is a tracer: then the pure core runs and tracers come out."""
    return any(
        isinstance(leaf, jax.core.Tracer) for tree in trees for leaf in jax.tree.leaves(tree)
    )


_life = {"used": False, "forked": False}


def _in_child() -> None:
    _life["forked"] = _life["used"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def check_process(use: bool = False) -> None:
    """Raise InputError in a child that was forked after programs ran: their threads are not there,
    it would wait for ever.
    """
    _life["used"] |= use
    if _life["forked"]:
        raise refuse(
            "a forked child of a process that has already fitted",
            why="fork copies no threads, and JAX's would be waited for; it is the default of "
            "multiprocessing on Linux",
            change="multiprocessing.get_context('spawn'), or executor=, or begin the children "
            "before anything is fitted",
        )


def check_outside(verb: str, *trees: Any) -> None:
    """Raise InputError inside of `jax.jit`, or where numbers are traced: a search on the host does
    not go in there.
    """
    check_process()
    if traced(*trees) or isinstance(jnp.zeros(()) + 1.0, jax.core.Tracer):
        raise refuse(
            f"{verb} inside jax.jit, grad or vmap",
            why="a fit is a search of many programs on the host, no function of arrays that JAX "
            "could trace",
            change="fit outside, and transform what follows: fit.law, or allocate(fit.law, "
            "budget), are traceable; how a fit moves with its rows is influence(fit)",
        )


def to_numpy(tree: Any) -> Any:
    """Leaves as NumPy arrays (scalars stay 0-d), which is what every entry point returns."""
    return jax.tree.map(np.asarray, tree)
