"""What a refit costs, and what memory they take together, from a thousand lanes to a million.

Refits are independent, so their cost should not depend on how many there are: blocks of lanes are
made, solved and brought home one after the other, and only what is kept of each refit (parameters,
value, status, and what the status rests on) grows with their number. Each size runs in a process of
its own, because the largest memory a process ever had cannot be measured twice. `peak_memory_mb` is
that (`ru_maxrss`, with Python, JAX and the programs in it), and `memory_above_small_mb` what it has
more than the smallest size. LLVM takes more memory to compile the programs than they take to run,
which would hide all growth; so two processes compile them first, and the others read them from
JAX's compilation cache. `compile_seconds`, `memory_with_compiler_mb` and `first_s`, the seconds of
the first fit and the first 200 refits together, are those of the processes that compiled.

Lanes are pure functions of their number, so the first refits are the same in every size, tile and
memory budget: `first_apart` is the largest relative difference of their objective from that in the
smallest size, and must be rounding. One line has a memory budget that allows fewer slots than the
tile of this device has, and one refits each resample from 64 starts; `better_than_one` is the share
of resamples in which a fresh start found a better optimum than the full fit's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from _common import arguments, cores, emit, place

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FLAT = 0.15  # of the cost per lane, from 10,000 lanes on
FIRST = 200  # refits that every size has
BUDGET = 2**18  # bytes for the slots of a worker: half of what 128 slots of 240 rows take


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=SIZES,
        help="lanes; flatness is asserted from 10,000 on",
    )
    parser.add_argument("--child", type=json.loads, help="one size, in this process")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(**options.child)), flush=True)
        return
    sizes = [FIRST] if options.smoke else sorted(options.sizes)
    small = FIRST if options.smoke else 10_000
    jobs = [{"lanes": n, "repeats": 5 if n <= 10_000 else 2 if n <= 100_000 else 1} for n in sizes]
    jobs += [{"lanes": small, "memory": BUDGET, "repeats": jobs[0]["repeats"]}]
    jobs += [
        {"lanes": FIRST * 8, "starts": 8, "repeats": 1}
        if options.smoke
        else {"lanes": 200 * 64, "starts": 64, "repeats": 3}
    ]
    with tempfile.TemporaryDirectory() as cache:
        compiled = {
            memory: in_child({"lanes": FIRST, "memory": memory}, cache)
            for memory in ([None] if options.smoke else [None, BUDGET])
        }
        lines = [in_child(job, cache) for job in jobs]
    compared(lines, compiled)
    emit(lines, options.output)
    asserted(lines, small, options.smoke)


def in_child(job: dict[str, Any], cache: str) -> dict[str, Any]:
    """The line of one size, from a process that keeps what it compiles in `cache`, or finds it
    there.
    """
    env = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, __file__, "--child", json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


def measured(
    lanes: int, starts: int = 1, memory: int | None = None, repeats: int = 1
) -> dict[str, Any]:
    """One size, timed in this process."""
    import jaxscale as jsl

    try:
        name, runs = "hoffmann2022", jsl.datasets.load("hoffmann2022")
    except FileNotFoundError:
        name, runs = "simulated", jsl.datasets.load("simulated")
    resamples = lanes // starts

    def clocked(call: Any) -> Any:
        begin = time.perf_counter()
        return call(), time.perf_counter() - begin

    def refits(count: int) -> Any:
        return clocked(lambda: jsl.bootstrap(fit, count, by="rows", starts=starts, memory=memory))

    (fit, cold), (_, warm) = (
        clocked(lambda: jsl.fit(jsl.laws.chinchilla, runs, memory=memory)) for _ in range(2)
    )

    plain = jsl.bootstrap(fit, resamples, by="rows") if starts > 1 else None
    (_, first), (_, again) = refits(FIRST), refits(FIRST)
    before, seconds = peak_mb(), []
    for _ in range(repeats):
        boot = None  # a second ensemble beside the first would count as memory
        boot, taken = refits(resamples)
        seconds.append(taken)
    after, work = peak_mb(), boot.work
    return {
        "method": "starts x resamples"
        if starts > 1
        else "bootstrap, small memory"
        if memory
        else "bootstrap",
        "lanes": lanes,
        "resamples": resamples,
        "starts": starts,
        "seconds": min(seconds),
        "compile_seconds": max(0.0, cold - warm + first - again),
        "first_s": cold + first,
        "microseconds_per_lane": 1e6 * min(seconds) / lanes,
        "core_microseconds_per_lane": 1e6 * min(seconds) * work.workers / lanes,
        "peak_memory_mb": after,
        "memory_grown_mb": after - before,
        "ok_share": float(np.mean(boot.ok)),
        "better_than_one": None
        if plain is None
        else float(np.mean(boot.value < plain.value * (1 - 1e-8))),
        "useful": work.useful,
        "steps": work.steps / work.lanes,
        "slots": work.slots,
        "block": work.block,
        "memory_budget": memory,
        "threads": cores(),
        "repeats": repeats,
        **place(np.asarray(boot.value).dtype),
        "table": name,
        "rows": len(runs),
        "first": np.asarray(boot.value)[:FIRST].tolist(),
        "alpha": str(jsl.interval(boot)["alpha"]),
    }


def peak_mb() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # bytes there, kilobytes elsewhere
    return size / 2**20 if sys.platform == "darwin" else size / 2**10


def compared(lines: list[dict[str, Any]], compiled: dict[Any, dict[str, Any]]) -> None:
    """What only the processes together show; the refits themselves leave the lines."""
    small = lines[0]["peak_memory_mb"]
    reference = np.array(lines[0]["first"])
    for line in lines:
        compiling = compiled.get(line["memory_budget"], line)  # a toy compiles for itself
        line |= {"compile_seconds": compiling["compile_seconds"], "first_s": compiling["first_s"]}
        line["memory_with_compiler_mb"] = compiling["peak_memory_mb"]
        line["memory_above_small_mb"] = line["peak_memory_mb"] - small
        apart = np.array(line.pop("first")) / reference - 1
        line["first_apart"] = float(
            np.max(np.abs(apart if line["starts"] == 1 else np.maximum(apart, 0.0)))
        )


def asserted(lines: list[dict[str, Any]], small: int, smoke: bool) -> None:
    for line in lines:
        assert line["first_apart"] <= 1e-9, (
            f"{line['method']}, {line['lanes']} lanes: other refits, by {line['first_apart']:.1e}"
        )
    tile = lines[0]["slots"]
    budgeted = next(line for line in lines if line["memory_budget"])
    assert budgeted["slots"] < tile, f"a budget of {BUDGET} bytes left all {tile} slots"
    costs = [
        line["microseconds_per_lane"]
        for line in lines
        if line["method"] == "bootstrap" and line["lanes"] >= small
    ]
    if not smoke and len(costs) > 1:
        spread = max(costs) / min(costs) - 1
        assert spread <= FLAT, f"the cost per lane differs by {spread:.0%} from {small} lanes on"


if __name__ == "__main__":
    main()
