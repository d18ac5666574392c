"""What all benchmarks share: where they ran, how they time, how they print.

A timing is two numbers: what the first call costs beyond a warm one (tracing and compiling), and
the fastest of a few warm calls, because other work on a machine only ever adds. Every method is one
JSON line with its quality beside its time, so that no line is a speed alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax

from jaxscale.ground import _compiled


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def processor() -> str:
    """What the CPU is called, which JAX does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def place(dtype: Any) -> dict[str, Any]:
    """Device, cores, how busy they are, dtype, JAX version and commit: what a time means nothing
    without.
    """
    device = jax.devices()[0].device_kind
    # of the last minute, this benchmark in it
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = {"device": device, "processor": processor(), "cores": cores(), "load": busy}
    return {**machine, "dtype": str(dtype), "jax": jax.__version__, "commit": commit()}


def timed(call: Callable[[], Any], repeats: int) -> tuple[Any, float, float]:
    """Result of `call`, seconds of its fastest warm run, and the seconds that its first run took
    beyond that.
    """
    jax.clear_caches()  # an earlier call may have compiled the same program
    _compiled.forget()
    _, first = _once(call)
    runs = [_once(call) for _ in range(repeats)]
    warm = min(seconds for _, seconds in runs)
    return runs[-1][0], warm, max(0.0, first - warm)


def _once(call: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - begin


def arguments(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--smoke", action="store_true", help="a toy size that only shows that it runs"
    )
    parser.add_argument("--output", type=Path, help="write the lines to this file as well")
    return parser


def emit(records: Iterable[dict[str, Any]], output: Path | None, digits: int = 4) -> None:
    """One JSON line per record, printed and, where wanted, written."""
    lines = [json.dumps(rounded(record, digits)) for record in records]
    print("\n".join(lines), flush=True)
    if output:
        output.write_text("\n".join(lines) + "\n")


def one_by_one(
    jobs: dict[str, Callable[[], dict[str, Any]]], output: Path | None, digits: int = 4
) -> list[dict[str, Any]]:
    """Records of named jobs, printed and stored as they come: a run that was interrupted goes on
    where it stopped.
    """
    text = output.read_text() if output and output.exists() else ""
    done = {line["method"]: line for line in map(json.loads, text.splitlines())}
    order = [*jobs, *(name for name in done if name not in jobs)]
    for name, job in jobs.items():
        if name not in done:
            done[name] = rounded({"method": name, **job()}, digits)
            print(json.dumps(done[name]), flush=True)
            if output:
                output.write_text("".join(json.dumps(done[n]) + "\n" for n in order if n in done))
    return [done[name] for name in jobs]


def rounded(value: Any, digits: int) -> Any:
    """Floats to so many digits."""
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v, digits) for v in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
