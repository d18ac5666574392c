"""Plans by the million: 1,000 budgets for each of 4,000 refits, beside closed forms and SciPy on a
sample.

Two questions. Plain: 6 N D, whose closed form is the quality oracle (no code path of the library
uses it). Served: training and inference of 2 T tokens with at most 15 T tokens of data, whose
first-order condition is the oracle where data do not run out, and N from the budget where they do.
SciPy minimises the same loss over ln N with D from the budget, one plan at a time, as people write
it by hand.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _common import arguments, emit, place, timed
from scipy.optimize import brentq, minimize_scalar

import jaxscale as jsl

SERVED, CAP = 2e12, 1.5e13
COST = jsl.costs.Lifetime(inference_tokens=SERVED)


def closed_form(p: dict[str, np.ndarray], budgets: np.ndarray) -> np.ndarray:
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    return g[:, None] * (budgets / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))[:, None]


def by_scipy(p: dict[str, Any], budget: float, served: float, cap: float) -> float:
    """N of the best plan: D is what the budget leaves, and no more than there is."""

    def loss(t: float) -> float:
        n = np.exp(t)
        d = min(max((budget - 2 * n * served) / (6 * n), 1.0), cap)
        return float(p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"])

    top = np.log(budget / (2 * served)) - 1e-9 if served else 60.0
    return float(
        np.exp(
            minimize_scalar(
                loss, bounds=(10.0, min(top, 60.0)), method="bounded", options={"xatol": 1e-10}
            ).x
        )
    )


def by_root(p: dict[str, Any], budget: float) -> float:
    """N of the served question to rounding: the root of the first-order condition, or what data
    leave over.
    """

    def excess(t: float) -> float:
        n = np.exp(t)
        d = (budget - 2 * n * SERVED) / (6 * n)
        return float(
            p["alpha"] * p["A"] * n ** -p["alpha"]
            - p["beta"] * p["B"] * d ** -p["beta"] * (1 + SERVED / (3 * d))
        )

    n = float(np.exp(brentq(excess, 5.0, np.log(budget / (2 * SERVED)) - 1e-6, xtol=1e-14)))
    return n if (budget - 2 * n * SERVED) / (6 * n) <= CAP else budget / (6 * CAP + 2 * SERVED)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--starts", type=int, default=1, help="starts of each plan; these problems have one optimum"
    )
    options = parser.parse_args()
    refits, count, sample = (100, 20, 20) if options.smoke else (4_000, 1_000, 500)
    repeats = 1 if options.smoke else 2
    boot = jsl.bootstrap(jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated")), refits)
    budgets = np.geomspace(1e19, 1e26, count)
    records = []
    for question, given in (
        ("plain", {}),
        ("served", {"cost": COST, "bounds": {"D": (None, CAP)}}),
    ):
        plan, seconds, compiling = timed(
            lambda given=given: jsl.allocate(boot, budgets, starts=options.starts, **given), repeats
        )
        picks = [(i % refits, i * 7 % count) for i in range(sample)]
        laws = [{k: v[i] for k, v in boot.params.items()} for i, _ in picks]
        if question == "plain":
            best = closed_form(boot.params, budgets)
            gap = float(np.max(np.abs(plan["N"] / best - 1)))
            wanted = np.array([best[i, j] for i, j in picks])
        else:
            wanted = np.array(
                [by_root(p, budgets[j]) for p, (_, j) in zip(laws, picks, strict=True)]
            )
            gap = float(np.max(np.abs(np.array([plan["N"][i, j] for i, j in picks]) / wanted - 1)))
        begin = time.perf_counter()
        served = (0.0, np.inf) if question == "plain" else (SERVED, CAP)
        theirs = np.array(
            [by_scipy(p, budgets[j], *served) for p, (_, j) in zip(laws, picks, strict=True)]
        )
        each = (time.perf_counter() - begin) / sample
        ours = seconds / plan.loss.size
        line = {
            "method": f"jaxscale, {question}",
            "plans": plan.loss.size,
            "seconds": seconds,
            "first_s": seconds + compiling,
        }
        line |= {
            "compile_seconds": compiling,
            "not_ok": int(np.sum(plan.status != 0)),
            "starts": options.starts,
        }
        other = {
            "method": f"scipy minimize_scalar, {question}",
            "plans": sample,
            "seconds": each * sample,
            "compile_seconds": 0.0,
        }
        shared = place(plan.loss.dtype)
        theirs_gap = float(np.max(np.abs(theirs / wanted - 1)))
        records.append(
            {**line, "seconds_per_plan": ours, "ratio_to_jaxscale": 1.0, "worst_gap": gap, **shared}
        )
        records.append(
            {
                **other,
                "seconds_per_plan": each,
                "ratio_to_jaxscale": each / ours,
                "worst_gap": theirs_gap,
                **shared,
            }
        )
        assert gap < 1e-8
        assert line["not_ok"] == 0
    emit(records, options.output)


if __name__ == "__main__":
    main()
