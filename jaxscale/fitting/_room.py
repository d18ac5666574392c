"""Room for compiled programs: a process may have only so many memory maps, and JAX never gives one back.

On CPUs every compiled program of a fit takes about a thousand maps, and Linux allows 65,530 in a process by default. A
notebook or a sweep over some sixty laws and table shapes reaches that; the compiler then reports that it cannot allocate
memory, with gigabytes free, and the process dies. So before a job begins the maps are counted now and then, and where half
of them are taken JAX's caches are cleared: programs that are needed again are compiled again, or read from the
compilation cache if one is set.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import jax

_EVERY = 4  # jobs between two counts: one job compiles three programs at most, and a count takes some milliseconds
_SHARE = 0.5
_MAPS, _LIMIT = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_jobs = itertools.count(1)


def make_room() -> bool:
    """Clear JAX's caches if the process has taken half of its memory maps; whether it did. Only Linux has such a limit."""
    if next(_jobs) % _EVERY:
        return False
    try:
        limit = int(_LIMIT.read_text())
        with _MAPS.open("rb") as file:
            taken = sum(1 for _ in file)
    except OSError:
        return False
    if taken <= _SHARE * limit:
        return False
    jax.clear_caches()
    return True
