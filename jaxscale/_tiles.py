"""Tiles: the only file that knows devices, threads and chunks.

Work is a number of lanes, each a pure function of its integer. Lanes run in tiles of a fixed size; a tile is one call
of one compiled program on one device. A fixed size bounds memory, stops one slow lane from holding up all the others,
and gives the same bits however many tiles run at once. The last tile is filled up with copies of lane 0. Threads
dispatch tiles: JAX releases the interpreter while a program runs, so all cores of a CPU are kept busy on one device.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import jax
import numpy as np

# Lanes per tile by device kind. CPU: measured on 2 cores (4,000 refits of 240 runs: 128 and 256 tie, 1,000 takes 1.5
# times as long, because a tile ends with its slowest lane). GPU, TPU: wide enough to fill the device, not measured yet.
ROW_TILE = {"cpu": 128}  # lanes that sum over a table
POINT_TILE = {"cpu": 8192}  # lanes that evaluate a formula once
WIDE_TILE = 8192
_SHOW_AFTER = 2.0  # seconds before a progress bar appears


def tile_size(sizes: dict[str, int]) -> int:
    """The tile of this device kind. A constant: the same program serves three lanes and three million."""
    return sizes.get(jax.default_backend(), WIDE_TILE)


def bucket(count: int, least: int) -> int:
    """Lengths are padded to few sizes (powers of two from `least`), so that few programs are compiled."""
    return max(least, 1 << max(0, (count - 1).bit_length()))


def run_tiles(tile: Callable[[Any, Any], Any], job: Any, lanes: int, size: int, *, label: str = "") -> Any:
    """Call `tile(indices (size,), job)` for all lanes and join the results along their first axis, as NumPy arrays."""
    starts = range(0, lanes, size)

    def one(start: int) -> Any:
        index = np.arange(start, start + size)
        with jax.enable_x64(True):  # the setting belongs to a thread
            out = jax.device_get(tile(np.where(index < lanes, index, 0).astype(np.int32), job))
        return jax.tree.map(lambda v: np.asarray(v)[: lanes - start], out)

    parts: dict[int, Any] = {}
    with ThreadPoolExecutor(max(1, min(len(starts), _cores()))) as pool:
        futures = {pool.submit(one, s): s for s in starts}
        try:
            for future in _progress(as_completed(futures), len(starts), label):
                parts[futures[future]] = future.result()
        except BaseException:  # Ctrl-C too: do not start the tiles that still wait
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return jax.tree.map(lambda *v: np.concatenate(v), *[parts[s] for s in starts])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _progress(iterable: Any, total: int, label: str) -> Any:
    if total < 8 or not sys.stderr.isatty():
        return iterable
    from tqdm import tqdm

    return tqdm(iterable, total=total, desc=label, unit="tile", delay=_SHOW_AFTER, leave=False)
