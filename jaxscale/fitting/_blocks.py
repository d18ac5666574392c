"""Blocks of lanes on cores, devices, processes and machines: the only file that knows them.

Work is a number of lanes, each a pure function of its integer. Lanes are cut into blocks of
consecutive ones; a block is one call of one compiled program on one device, and what is dispatched,
stored and resumed. Inside it lanes run in a tile of a fixed number of slots (`_lanes`). The sizes
are constants of the device kind, so that the same version, device kind, tile and seed give the same
bits on any number of cores, devices, processes or restarts: a lane does not see where its block
ends. Threads dispatch blocks; JAX releases the interpreter while a program runs, so all cores of a
CPU are busy without anybody setting anything, and every device of the host gets threads of its own.
Whoever called waits for them (`ground/_life`), so that Ctrl-C ends a call while something compiles.

Beyond one process existing engines do the work: `executor` is any `concurrent.futures.Executor`,
and under `jax.distributed` process p of P takes blocks p, p + P, ... With `directory` each block is
stored as soon as it is done.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..formula._law import by_value
from ..ground._errors import refuse
from ..ground._life import Threads, finished, saying, waited
from ._store import Store, decode, encode

Arrays = dict[str, np.ndarray]
Submit = Callable[[int, int], "Future[Arrays]"]
# (first lane, number of lanes) -> arrays; a pure function that pickles
Task = Callable[[int, int], Arrays]


@dataclass(frozen=True)
class Tile:
    """Sizes that are part of the compiled program: slots, runs at a time, lanes of a block
    at most.
    """

    slots: int
    rows: int
    block: int


# CPU: measured on 2 cores (benchmarks/scale.py). 128 lanes of 8 runs fill 8 kB, so that a handful
# of intermediates stay in the first cache. GPU, TPU: wide enough to fill the device; not measured.
TILES = {"cpu": Tile(128, 8, 2048)}
WIDE = Tile(8192, 8, 65536)
POINT_TILE = {"cpu": 8192}  # lanes that evaluate a formula once
MEMORY = 2**30  # bytes that the slots of one worker may take unless the caller says otherwise


@dataclass(frozen=True)
class Run:
    """How blocks are run: see `fit`. `memory` [bytes] is what the slots of one worker may take."""

    executor: Executor | None = None
    directory: str | os.PathLike[str] | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Work:
    """What a job cost and where it ran.

    `useful` is the share of lane-steps that were taken by lanes that had not stopped; `resumed`
    counts the lanes whose blocks were already stored.
    """

    lanes: int
    steps: int
    useful: float
    slots: int
    block: int
    device: str
    workers: int
    resumed: int


def tile_for(lane: int, memory: int | None) -> Tile:
    """The tile of this device kind, with fewer slots where lanes of `lane` bytes each would not fit
    in memory.
    """
    tile = TILES.get(jax.default_backend(), WIDE)
    budget, slots = MEMORY if memory is None else memory, tile.slots
    while slots > 8 and slots * lane > budget:
        slots //= 2
    if slots * lane > budget:
        raise refuse(
            f"memory={budget} bytes: {slots} lanes, the fewest there can be, take {slots * lane}",
            why="the table is long and the budget small",
            change=f"memory={slots * lane} or more, or fewer rows",
        )
    return Tile(slots, tile.rows, tile.block // tile.slots * slots)


def bucket(count: int, least: int) -> int:
    """Lengths are padded to few sizes (powers of two from `least`), so that few programs are
    compiled.
    """
    return max(least, 1 << max(0, (count - 1).bit_length()))


def run_blocks(
    task: Task,
    lanes: int,
    size: int,
    *,
    run: Run | None = None,
    key: dict[str, str] | None = None,
    programs: Sequence[Callable[[], Any]] = (),
    label: str = "",
    needs: str = "",
    each: int = 1,
) -> tuple[list[Arrays], int]:
    """`task` for all lanes, in blocks of `size`: results in order, and how many lanes were read
    from a store.

    `key` describes the job (see `Store`). `programs` are calls that compile what the task needs:
    they run first and side by side, so that no thread compiles what another one does already.
    `label` and `needs` say what is done and compiled; `each` lanes count as one of what the label
    names.
    """
    run = run or Run()
    blocks = [(first, min(size, lanes - first)) for first in range(0, lanes, size)]
    mine = blocks[jax.process_index() :: jax.process_count()]
    done: dict[int, Arrays] = {}
    store = None
    if run.directory is not None:
        store = Store(
            Path(run.directory),
            {**(key or {}), "lanes": str(lanes), "block": str(size)},
            len(blocks),
        )
        done = {first: out for first, _ in mine if (out := store.read(first // size)) is not None}
    resumed = sum(count for first, count in mine if first in done)
    todo = [b for b in mine if b[0] not in done]
    needs, left = needs or f"what the {label} need", sum(count for _, count in todo)
    threads = min(workers(), max(1, len(todo)))
    with (
        _pool(run.executor, task, threads, programs if todo else (), needs) as submit,
        saying(label, left // each, label.partition(" ")[0].removesuffix("s"), each) as said,
    ):
        futures = {submit(*b): b for b in todo}
        try:
            for future in finished(futures):
                first, count = futures[future]
                done[first] = future.result()
                said.reached(first, count)
                if store:
                    store.write(first // size, done[first])
        # Ctrl-C too: blocks that still wait do not start; what is stored stays
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    if jax.process_count() > 1:
        done = _exchanged(done)
    return [done[first] for first, _ in blocks], resumed


def run_points(
    function: Callable[[Any, Any], Any],
    job: Any,
    lanes: int,
    *,
    label: str = "",
    tile: int | None = None,
) -> Any:
    """`function(indices, job)` for lanes that end together, such as predictions: their trees joined
    along the first axis.
    """
    size, trees = tile or POINT_TILE.get(jax.default_backend(), WIDE.slots), list[Any]()

    def task(first: int, count: int) -> Arrays:
        index = np.arange(first, first + size)
        out = jax.device_get(function(np.where(index < lanes, index, 0).astype(np.int32), job))
        trees.append(jax.tree.structure(out))
        return {str(i): np.asarray(v)[:count] for i, v in enumerate(jax.tree.leaves(out))}

    parts, _ = run_blocks(
        task, lanes, size, programs=[lambda: task(0, 0)] if lanes > size else [], label=label
    )
    if not trees:  # another process of jax.distributed had all blocks
        on_device(lambda: task(0, 0))
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    return jax.tree.unflatten(trees[0], [joined[str(i)] for i in range(len(joined))])


def block_size(lanes: int, most: int, run: Run, few: int) -> int:
    """In one process every worker gets as many lanes, in blocks of equal size; what is stored or
    sent has one size.

    So many lanes as `few` are not worth two workers.
    """
    alone = run.executor is None and run.directory is None and jax.process_count() == 1
    rounds = -(-lanes // (workers() * most))
    return (
        (lanes if lanes <= min(few, most) else -(-lanes // (workers() * rounds))) if alone else most
    )


def on_device(call: Callable[[], Any], device: Any = None) -> Any:
    """`call()` in 64 bits on one device of this process, the first by default, on a thread that
    Ctrl-C need not wait for.
    """

    def here() -> Any:
        # settings of a thread
        with jax.enable_x64(True), jax.default_device(device or jax.local_devices()[0]):
            return call()

    return waited(here)


@contextlib.contextmanager
def _pool(
    executor: Executor | None,
    task: Task,
    threads: int,
    programs: Sequence[Callable[[], Any]],
    needs: str,
) -> Iterator[Submit]:
    """A function that submits a block, to threads of this process or to somebody
    else's executor.
    """
    if executor is not None:
        payload = _pickled(task)
        digest = hashlib.sha256(payload).hexdigest()
        yield lambda first, count: executor.submit(_elsewhere, payload, digest, first, count)
        return
    if programs:
        with (
            saying(f"compiling {needs}", len(programs), "program") as said,
            Threads(len(programs)) as pool,
        ):
            for future in finished([pool.submit(on_device, program) for program in programs]):
                future.result()
                said.update()
    turn, own = itertools.cycle(jax.local_devices()), threading.local()

    def begin() -> None:
        own.device = next(turn)

    def here(first: int, count: int) -> Arrays:
        out: Arrays = on_device(lambda: task(first, count), own.device)
        return out

    with Threads(threads, begin) as pool:
        yield lambda first, count: pool.submit(here, first, count)


def _pickled(task: Task) -> bytes:
    """A task as bytes. Laws travel as module:name; those of a notebook by value, which takes
    cloudpickle.
    """
    try:
        data = pickle.dumps(task)
        if b"__main__" not in data:
            return data
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        reason = str(error)
    else:
        reason = "the law is defined in __main__, which a worker does not import"
    try:
        import cloudpickle
    except ImportError as error:
        raise refuse(
            f"this job cannot be sent to an executor: {reason}",
            why="the law lives in a notebook or a script",
            change="define the law at the top level of a module, or install cloudpickle",
        ) from error
    with by_value():
        return bytes(cloudpickle.dumps(task))


@functools.lru_cache(maxsize=2)
def _loaded(digest: str, payload: bytes) -> Task:
    task: Task = pickle.loads(payload)
    return task


def _elsewhere(payload: bytes, digest: str, first: int, count: int) -> Arrays:
    """One block in a worker process."""
    with jax.enable_x64(True):
        return _loaded(digest, payload)(first, count)


def _exchanged(parts: dict[int, Arrays]) -> dict[int, Arrays]:
    """The blocks of all processes of `jax.distributed`, in every one of them."""
    from jax.experimental import multihost_utils

    data = np.frombuffer(
        pickle.dumps({first: encode(part) for first, part in parts.items()}), np.uint8
    )
    lengths = np.asarray(multihost_utils.process_allgather(np.int32(len(data))))
    gathered = np.asarray(multihost_utils.process_allgather(np.resize(data, int(lengths.max()))))
    together: dict[int, bytes] = {}
    for row, length in zip(gathered, lengths, strict=True):
        together |= pickle.loads(row[:length].tobytes())
    return {first: decode(block) for first, block in together.items()}


def workers() -> int:
    """Blocks that run at once in this process: the cores of a CPU, or the devices of the host."""
    devices = jax.local_devices()
    return max(_cores(), len(devices)) if devices[0].platform == "cpu" else len(devices)


def device_kind() -> str:
    """What JAX calls the device."""
    return str(jax.local_devices()[0].device_kind)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
