"""The refits of `bootstrap.py` in every way in which people do them, in one run: jaxscale and its
peers.

Methods, from the published job to the best that can be asked of each package:

- jaxscale, and optimistix under vmap in both its tunings, as in `bootstrap.py`;
- scipy exactly as Epoch's published script has it, with the gradient of the package `autograd`
  (`_epoch.py`);
- the same with an exact gradient in NumPy, which is what is left when the Python of autograd is
  taken away;
- scipy's `least_squares` with its Huber loss, from one start, with the exact Jacobian, with
  differences, and with tight tolerances; what share of starts lead it to the optimum of the table
  stands beside (`_least_squares.py`);
- scipy at its best: several starts, and an objective scaled so that stopping rules bite. It is
  there for quality;
- simple-scaling-laws, the fastest package made for this. It has its own objective (squared error of
  the loss itself) and its own bootstrap, so that only its seconds per draw compare: nothing judges
  its points (`_simple_scaling_laws.py`).

scipy runs a sample of the resamples, one after the other on one core; ratios are of seconds per
refit, in all and per core. A peer that is not installed is a line that says so and how to get it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _common import arguments, emit, place
from _epoch import HOFFMANN, MISSING, gathered, published_sum, refitter
from _refits import (
    SCALE,
    Outcome,
    Work,
    as_published,
    found_every_optimum,
    judged,
    objective,
    one_by_one,
    prepared,
    told_of_starts,
    with_jaxscale,
    with_least_squares,
    with_optimistix_twice,
)
from _simple_scaling_laws import elsewhere
from scipy.optimize import minimize

AUTOGRAD = "Epoch's script: scipy, autograd"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--resamples", type=int, default=4000)
    parser.add_argument("--scipy", type=int, default=40, help="refits that scipy runs in each way")
    parser.add_argument(
        "--draws",
        type=int,
        default=1000,
        help="refits of simple-scaling-laws, which documents that number",
    )
    options = parser.parse_args()
    resamples, sample, draws = (
        (60, 2, 20) if options.smoke else (options.resamples, options.scipy, options.draws)
    )
    work = prepared(resamples, repeats=1 if options.smoke else 3)
    outcomes = [with_jaxscale(work), *with_optimistix_twice(work)]
    published = by_autograd(work, sample)
    outcomes += [published] if published else []
    outcomes += [as_published(work, sample), scaled(work, sample)]
    many = sample if options.smoke else 10 * sample
    outcomes += [
        with_least_squares(work, many, *asked)
        for asked in ((True, False), (False, False), (True, True))
    ]
    records = judged(work, outcomes)
    told_of_starts(work, records, 3 if options.smoke else 50)
    records += [] if published else [{"method": AUTOGRAD, "skipped": MISSING}]
    records.append(by_simple_scaling_laws(work, draws, records[0]))
    emit(records, options.output)
    found_every_optimum(records)
    if published:
        same_sum(work, published)


def by_autograd(work: Work, sample: int) -> Outcome | None:
    refit = refitter()
    if refit is None:
        return None
    drawn = [gathered(w, work.n, work.d, work.loss) for w in work.weights[:sample]]
    note = (
        "start, method, tolerances, gathered rows and separate gradient of the published "
        "script; no drawing in the time"
    )
    return one_by_one(AUTOGRAD, lambda: [refit(*rows) for rows in drawn], note)


def same_sum(work: Work, published: Outcome) -> None:
    """The published sum over gathered rows must be the weighted sum that judges: else another job
    was timed.
    """
    for x, w in zip(published.points, work.weights, strict=False):
        np.testing.assert_allclose(
            published_sum(x, *gathered(w, work.n, work.d, work.loss)),
            objective(x, w, work)[0],
            rtol=1e-9,
        )


def scaled(work: Work, sample: int) -> Outcome:
    starts = [work.optimum, HOFFMANN, *other_exponents(work)]

    def stretched(x: np.ndarray, weights: np.ndarray) -> Any:
        value, gradient = objective(x, weights, work)
        return SCALE * value, SCALE * gradient

    def best(weights: np.ndarray) -> Any:
        tight = {"gtol": 1e-6, "maxiter": 2000}
        ends = [
            minimize(stretched, x, (weights,), jac=True, method="BFGS", options=tight)
            for x in starts
        ]
        return min(ends, key=lambda end: end.fun)

    note = (
        f"best of {len(starts)} starts, all in the time; often stops at rounding before gtol "
        f"1e-6 and then reports failure"
    )
    return one_by_one(
        "scipy, exact gradient, objective scaled",
        lambda: [best(w) for w in work.weights[:sample]],
        note,
    )


def other_exponents(work: Work) -> list[np.ndarray]:
    """Starts with both exponents off, in which the terms keep their size at the middle of the
    table.
    """
    a, b, e, alpha, beta = work.optimum
    n, d = work.log_n.mean(), work.log_d.mean()
    return [
        np.array([a + (u - alpha) * n, b + (v - beta) * d, e, u, v])
        for u in (0.2, 0.5)
        for v in (0.2, 0.5)
    ]


def by_simple_scaling_laws(work: Work, draws: int, ours: dict[str, Any]) -> dict[str, Any]:
    """Its own line, in the words of the others where they mean the same."""
    line = elsewhere(work.n, work.d, work.loss, draws)
    if "skipped" in line:
        return line
    each, our_cores = line["seconds_per_draw"], ours["seconds_per_refit"] * ours["threads"]
    return {
        "method": line["method"],
        "resamples": line.pop("draws"),
        "seconds": line["seconds"],
        "compile_seconds": max(0.0, line.pop("first_seconds") - line["seconds"]),
        "seconds_per_refit": line.pop("seconds_per_draw"),
        "ratio_to_jaxscale": each / ours["seconds_per_refit"],
        "ratio_per_core": line["cpu_seconds"] / draws / our_cores,
        "worst_gap": None,
        "missed_share": None,
        **line,
        **place(np.dtype(np.float64)),
        "table": work.name,
        "note": "another objective (squared error) and another bootstrap (wild): its seconds "
        "compare, its points do not",
    }


if __name__ == "__main__":
    main()
