"""`suggest_runs` of simple-scaling-laws, which needs Python 3.12: this file is run by an
interpreter that has it, not by ours.

    python _suggest_runs.py STUDIES.npz

STUDIES.npz holds the columns N, D (runs,) of a first sweep, its losses (studies, runs), the budgets
that the runs are wanted for, the budgets of its candidates, the budget to spend and the number of
draws. For each study one JSON line is printed with the columns of the runs that it suggests, in its
order, as many as the budget pays for, and those of the candidates that it chose them from. All
other choices are its defaults.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

METHOD = "simple-scaling-laws suggest_runs"
INTERPRETER = "JAXSCALE_BENCH_PY312"
TARGET = "test_loss__nats"


# -- in the calling benchmark --------------------------------------------------------------------
def suggested(n: Any, d: Any, losses: Any, **numbers: Any) -> list[dict[str, Any]]:
    """What this file prints about each study; empty where JAXSCALE_BENCH_PY312 names no interpreter
    with the package.
    """
    python = os.environ.get(INTERPRETER)
    if not python:
        return []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "studies.npz")
        np.savez(table, N=n, D=d, loss=losses, **numbers)
        done = subprocess.run(
            [python, "-I", __file__, str(table)], stdout=subprocess.PIPE, text=True, check=True
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# -- in the peer's interpreter -------------------------------------------------------------------
def main() -> None:
    with np.load(sys.argv[1]) as table:
        given = dict(table)
    for loss in given["loss"]:
        print(json.dumps(one(given, loss)), flush=True)


def one(given: dict[str, Any], loss: np.ndarray) -> dict[str, Any]:
    import polars as pl
    from simple_scaling_laws import __version__, cost_model, fit, suggest_runs
    from simple_scaling_laws.design import _candidates  # to choose from the same

    begin = time.perf_counter()
    columns = {"model_size__n_params": given["N"], "dataset_size__n_tokens": given["D"]}
    frame = pl.DataFrame(
        {"training_run_id": [f"run{i}" for i in range(len(loss))], **columns, TARGET: loss}
    )
    budget, small = float(given["budget"]), [float(c) for c in given["candidate_budgets"]]
    price = cost_model("power", k=6.0, a=1.0, b=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fit(frame, n_draws=int(given["draws"]), seed=0)
        plan = suggest_runs(
            model,
            [float(c) for c in given["wanted"]],
            price,
            n=int(np.ceil(budget / min(small))),
            candidate_budgets=small,
        )
        offered = _candidates(model, price, small, model.primary_target, 31, 0.6)[:, 1:].T.tolist()
    kept, spent = [], 0.0
    for n, d, cost in zip(
        plan["model_size__n_params"], plan["dataset_size__n_tokens"], plan["cost"], strict=True
    ):
        if spent + cost <= budget * (1 + 1e-9):
            kept.append((n, d))
            spent += cost
    n, d = zip(*kept, strict=True)
    return {
        "N": n,
        "D": d,
        "offered": offered,
        "seconds": time.perf_counter() - begin,
        "version": __version__,
    }


if __name__ == "__main__":
    main()
