"""Compiled programs as objects of our own: the most recently used are kept, and no cache of JAX is
ever cleared.

`jax.jit` keeps every program for as long as its function lives, and finds it again through caches
that all threads share. A process that fits some hundred laws would run out of memory maps (Linux
allows 65,530, a large program takes hundreds), and clearing JAX's caches throws away what is not
ours. Here a program is compiled ahead of time for one form of arguments (trees, shapes, types,
device) and found by that form alone; the one that was not used for longest goes first, and its maps
with it.

Programs are traced one at a time, whichever thread asks, and compiled side by side.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ._life import waited
from ._trees import check_process

# programs that are kept, of some ten megabytes: a law that was fitted and planned has about five
MOST = 128
# and so many however crowded the process is: what others have compiled is no reason to compile
# again and again
FEW = 32
_SHARE = 0.5  # of the memory maps that a process may have
# only Linux has such a limit
_MAPS, _LIMIT = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")

_kept: OrderedDict[Any, Any] = OrderedDict()
_building: dict[Any, threading.Lock] = {}
_books, _trace = threading.Lock(), threading.RLock()
_here = threading.local()


class Program:
    """A function of arrays, compiled for each form of its arguments; keywords are static. Tracers
    pass through `jax.jit`.

    Of JAX's settings, 64 bits and the default device are part of the form; the others are those of
    the first call.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = function, options

    def __call__(self, *arguments: Any, **static: Any) -> Any:
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return self.function(*arguments, **static)
        check_process(use=True)
        leaves, tree = jax.tree.flatten(arguments)
        if any(isinstance(v, jax.core.Tracer) for v in leaves):
            return jax.jit(self.function, static_argnames=tuple(static))(*arguments, **static)
        form = tree, tuple([_kind(v) for v in leaves]), tuple(sorted(static.items()))
        key = self.function, form, jax.config.jax_enable_x64, _device()  # type: ignore[attr-defined]
        program = _found(key)
        if program is None:
            program = _built(key, lambda: self.lower(*arguments, **static), self.options)
        return program(*arguments)

    def lower(self, *arguments: Any, **static: Any) -> Any:
        """What `jax.jit` lowers: to look at a program, or to compile it elsewhere."""
        return jax.jit(functools.partial(self.function, **static)).lower(*arguments)


def compiled(function: Callable[..., Any] | None = None, *, hurried: bool = False) -> Any:
    """Decorator: a `Program` of the function. `hurried` programs are compiled with LLVM's level 1
    on CPUs.

    Measured with jax 0.10: 30 % less to compile, 5 to 20 % slower to run; for what takes little of
    a job's time.
    """
    if function is None:
        return functools.partial(compiled, hurried=hurried)
    return Program(function, {"xla_backend_optimization_level": 1} if hurried else {})


def _kind(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.shape, leaf.dtype
    if isinstance(leaf, jax.Array):
        return leaf.shape, leaf.dtype, leaf.weak_type, leaf.sharding
    return type(leaf)


def forget() -> None:
    """Let go of all programs that nobody runs at present."""
    with _books:
        gone = list(_kept.values())
        _kept.clear()
    del gone  # outside the lock: unloading takes a while


def _device() -> Any:
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return (
        jax.local_devices(backend=device)[0]
        if isinstance(device, str)
        else device or jax.local_devices()[0]
    )


def _found(key: Any) -> Any:
    with _books:
        program = _kept.get(key)
        if program is not None:
            _kept.move_to_end(key)
        return program


def _built(key: Any, lowered: Callable[[], Any], options: dict[str, Any]) -> Any:
    """The program of this key, compiled here unless another thread does it already."""
    with _turn(key):
        program = _found(key)
        if program is None:
            with _trace:
                _here.tracing = getattr(_here, "tracing", 0) + 1
                try:
                    ready = lowered()
                finally:
                    _here.tracing -= 1
            on_cpu = _device().platform == "cpu"
            program = waited(lambda: ready.compile(compiler_options=options if on_cpu else None))
            crowded = len(_kept) >= FEW and _crowded()
            with _books:
                _kept[key] = program
                most = max(FEW, len(_kept) * 3 // 4) if crowded else MOST
                gone = [_kept.popitem(last=False) for _ in range(len(_kept) - most)]
            del gone  # outside the lock: unloading takes a while
        return program


@contextlib.contextmanager
def _turn(key: Any) -> Iterator[None]:
    """One thread at a time; but a function that is being traced, and asks for a program, waits for
    nobody.
    """
    if getattr(_here, "tracing", 0):
        yield
        return
    with _books:
        turn = _building.setdefault(key, threading.Lock())
    try:
        with turn:
            yield
    finally:
        with _books:
            _building.pop(key, None)


def _crowded() -> bool:
    """Whether half of the memory maps that this process may have are taken."""
    try:
        limit = int(_LIMIT.read_text())
        with _MAPS.open("rb") as file:
            return sum(1 for _ in file) > _SHARE * limit
    except OSError:
        return False
