"""Plans by the million: 1,000 budgets for each of 4,000 refits, beside the closed form and scipy on a sample.

The closed form of 6 N D is the quality oracle; no code path of the library uses it. scipy minimises the same loss over
ln N with D from the budget, one plan at a time, as people write it by hand.
"""

from __future__ import annotations

import time

import numpy as np
from _common import arguments, emit, place, timed
from scipy.optimize import minimize_scalar

import jaxscale as jsl


def closed_form(p: dict[str, np.ndarray], budgets: np.ndarray) -> np.ndarray:
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    return g[:, None] * (budgets / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))[:, None]


def by_scipy(p: dict[str, np.ndarray], i: int, budget: float) -> float:
    def loss(t: float) -> float:
        n = np.exp(t)
        return float(p["E"][i] + p["A"][i] * n ** -p["alpha"][i] + p["B"][i] * (budget / 6 / n) ** -p["beta"][i])

    return float(np.exp(minimize_scalar(loss, bracket=(15.0, 25.0), tol=1e-10).x))


def main() -> None:
    parser = arguments(__doc__)
    options = parser.parse_args()
    refits, count, sample = (100, 20, 20) if options.smoke else (4_000, 1_000, 500)
    boot = jsl.bootstrap(jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated")), refits)
    budgets = np.geomspace(1e19, 1e26, count)
    plan, seconds, compiling = timed(lambda: jsl.allocate(boot, budgets)["N"], 1 if options.smoke else 2)
    best = closed_form(boot.params, budgets)
    shared = place(plan.dtype)
    ours = seconds / plan.size
    begin = time.perf_counter()
    theirs = np.array([by_scipy(boot.params, i % refits, budgets[i % count]) for i in range(sample)])
    each = (time.perf_counter() - begin) / sample
    wanted = np.array([best[i % refits, i % count] for i in range(sample)])
    gap = float(np.max(np.abs(plan / best - 1)))
    line = {"method": "jaxscale", "plans": plan.size, "seconds": seconds, "compile_seconds": compiling}
    other = {"method": "scipy minimize_scalar", "plans": sample, "seconds": each * sample, "compile_seconds": 0.0}
    records = [
        {**line, "seconds_per_plan": ours, "ratio_to_jaxscale": 1.0, "worst_gap": gap, **shared},
        {
            **other,
            "seconds_per_plan": each,
            "ratio_to_jaxscale": each / ours,
            "worst_gap": float(np.max(np.abs(theirs / wanted - 1))),
            **shared,
        },
    ]
    emit(records, options.output)
    assert gap < 1e-8


if __name__ == "__main__":
    main()
