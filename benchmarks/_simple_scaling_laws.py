"""The peer simple-scaling-laws, which needs Python 3.12: this file is run by an interpreter that
has it, not by ours.

    python _simple_scaling_laws.py TABLE.npz [--repeats 1]

TABLE.npz holds the arrays N, D and loss, one run a row (or tables of losses, one a row), and the
number `draws`. One JSON line is printed for each table. The job is what the package documents:
`fit(table, n_draws=draws)` of its `separable-power` law, squared error of the loss itself by
variable projection, and its own bootstrap, wild multipliers per (N, D) in place of pairs. So it
refits neither the objective nor the resamples of the other methods: its seconds per draw compare,
its estimates and intervals need not. Beyond the package and what it installs (NumPy, Polars) only
the standard library is imported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

METHOD = "simple-scaling-laws"
INTERPRETER = "JAXSCALE_BENCH_PY312"
TARGET = "test_loss__nats"  # the prefix makes it a loss, which keeps the amplitudes positive
SHOWN = ("E", "alpha", "beta")


# -- in the calling benchmark --------------------------------------------------------------------
def elsewhere(n: Any, d: Any, loss: Any, draws: int, repeats: int = 1) -> dict[str, Any]:
    """What this file prints about a table when the peer's own interpreter runs it.

    The environment variable JAXSCALE_BENCH_PY312 names that interpreter: the `python` of a virtual
    environment made with Python 3.12 or newer, into which `pip install simple-scaling-laws` was
    done. If it is unset or empty the peer is skipped, and the record says so under `skipped`. If it
    is set and the peer fails, that is an error and no skip.
    """
    return (_run(n, d, loss, draws, "--repeats", str(repeats)) or [_missing()])[0]


def intervals(n: Any, d: Any, losses: Any, draws: int) -> list[dict[str, Any]]:
    """The same for many tables (tables, runs) in one process, one record each; one that says
    `skipped` without it.
    """
    return _run(n, d, losses, draws) or [_missing()]


def _missing() -> dict[str, Any]:
    return {"method": METHOD, "skipped": f"{INTERPRETER} names no Python 3.12 with {METHOD}"}


def _run(n: Any, d: Any, loss: Any, draws: int, *options: str) -> list[dict[str, Any]]:
    python = os.environ.get(INTERPRETER)
    if not python:
        return []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "table.npz")
        np.savez(
            table,
            N=np.asarray(n, float),
            D=np.asarray(d, float),
            loss=np.asarray(loss, float),
            draws=draws,
        )
        command = [python, "-I", __file__, str(table), *options]  # -I: our PYTHONPATH is not for it
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# -- in the peer's interpreter -------------------------------------------------------------------
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument(
        "--repeats",
        type=int,
        default=0,
        help="warm calls, of which the fastest counts; 0: one cold call",
    )
    options = parser.parse_args()
    with np.load(options.table) as table:
        n, d, losses, draws = (
            table["N"],
            table["D"],
            np.atleast_2d(table["loss"]),
            int(table["draws"]),
        )
    for loss in losses:
        print(json.dumps(measured(n, d, loss, draws, options.repeats)), flush=True)


def measured(
    n: np.ndarray, d: np.ndarray, loss: np.ndarray, draws: int, repeats: int
) -> dict[str, Any]:
    import polars as pl  # the package's own table type, installed with it
    from simple_scaling_laws import __version__, fit

    runs = [f"run{i}" for i in range(len(loss))]
    frame = pl.DataFrame(
        {"training_run_id": runs, "model_size__n": n, "dataset_size__d": d, TARGET: loss}
    )

    def once() -> tuple[Any, float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        model = fit(frame, n_draws=draws, seed=0)
        return model, time.perf_counter() - wall, time.process_time() - cpu

    first = once()[1] if repeats else None
    model, seconds, cpu = min((once() for _ in range(max(repeats, 1))), key=lambda run: run[1])
    params, intervals = model.params(TARGET), model.conf_int(TARGET, level=0.95)
    bootstrap = model.diagnostics["uncertainty"][TARGET]
    return {
        "method": METHOD,
        "draws": draws,
        "seconds": seconds,
        "first_seconds": first,
        # the fit of the table itself is in it, and counts less the more draws
        "seconds_per_draw": seconds / draws,
        "cpu_seconds": cpu,
        "ok_share": 1.0 - bootstrap["n_failed_draws"] / draws,
        "bootstrap": bootstrap["method"],
        "rows": len(loss),
        "estimate": {k: params[k] for k in SHOWN},
        "interval95": {k: list(intervals[k]) for k in SHOWN},
        "warnings": sorted({note.code for note in model.warnings}),
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    main()
