"""Comparing recipes: does the interval of a compute multiplier hold the true one, and how often is
a difference imagined.

Pairs of recipes have a true multiplier of 1.0, 1.1 or 1.5 at every budget: with N scaled by s and D
by t in the law, L_other(N, D) = L_base(s N, t D), the least losses obey L_other*(C) = L_base*(s t
C) exactly. Both recipes are run on one grid of sizes and tokens; in a paired study half of the
variance of the noise is that of the pair, in an unpaired one each run has its own. Asked is the
multiplier at ten times the dearest run.

Quality is the coverage of the 95 % interval; at a multiplier of 1.0 what it misses are false
alarms, recipes called different that are not. Least squares have the joint HC3 covariance with
Student's t; the default Huber objective (delta 1e-3, far below the noise) has percentiles of refits
with exponential weights, the same for both runs of a pair. `width` is the median of high over low.
"""

from __future__ import annotations

import functools
import itertools
import time
from typing import Any

import numpy as np
from _common import arguments, one_by_one, place

import jaxscale as jsl
from jaxscale.fitting._evidence import evidence
from jaxscale.plans._frontier import optimal
from jaxscale.selection._multiplier import by_inversion, multipliers, quantiles
from jaxscale.selection._pairs import joint, pairs_of

BASE = jsl.laws.chinchilla.published["besiroglu2024"]
SIGMA = 0.005  # of ln L
SHARED = 0.5  # of the variance of the noise of a pair
SIDES = {25: 5, 100: 10}
LEVEL, STARTS, REFITS = 0.95, 8, 399
MULTIPLIERS = (1.0, 1.1, 1.5)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=500, help="studies of least squares")
    parser.add_argument("--refitted", type=int, default=200, help="studies of the Huber objective")
    options = parser.parse_args()
    smooth, few, refits = (6, 4, 39) if options.smoke else (options.pairs, options.refitted, REFITS)
    sizes, wanted = ((25,), (1.5,)) if options.smoke else (tuple(SIDES), MULTIPLIERS)
    jobs: dict[str, Any] = {}
    for method, count, refitted in (
        ("least squares, HC3-t", smooth, None),
        ("Huber, percentile", few, refits),
    ):
        for n, paired, m in itertools.product(
            sizes, (True,) if options.smoke else (True, False), wanted
        ):
            name = f"{method}, {n} {'paired' if paired else 'unpaired'} rows, multiplier {m}"
            jobs[name] = functools.partial(covered, n, m, paired, count, refitted)
    one_by_one(jobs, options.output)


def other(m: float) -> jsl.Law:
    """The recipe that needs 1/m of the compute of the base at every budget: each of N and D counts
    for sqrt(m) as much.
    """
    p, s = BASE.params, np.sqrt(m)
    return jsl.laws.chinchilla.fix(
        **{**p, "A": p["A"] * s ** -p["alpha"], "B": p["B"] * s ** -p["beta"]}
    )


def tables(n: int, m: float, paired: bool, count: int) -> tuple[list[jsl.Runs], list[jsl.Runs]]:
    """Runs of both recipes on one grid, for `count` studies."""
    side = SIDES[n]
    N = np.repeat(np.geomspace(3e7, 1e9, side), side)
    D = np.tile(np.geomspace(1e9, 3e10, side), side)
    clean = [np.asarray(law(N, D)) for law in (BASE, other(m))]
    out: tuple[list[jsl.Runs], list[jsl.Runs]] = ([], [])
    for k in range(count):
        rng = np.random.default_rng([n, round(100 * m), paired, k])
        common, *own = rng.standard_normal((3, n))
        for tables, loss, noise in zip(out, clean, own, strict=True):
            z = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * noise if paired else noise
            # without a shared seed, rows of one configuration are no pairs: a seed of its own says
            # so
            seed = np.zeros(n) if paired else np.full(n, len(tables) * 2.0 + (tables is out[1]))
            tables.append(jsl.Runs.from_columns(N=N, D=D, seed=seed, loss=loss * np.exp(SIGMA * z)))
    return out


def covered(n: int, m: float, paired: bool, count: int, refits: int | None) -> dict[str, Any]:
    begin = time.perf_counter()
    both = tables(n, m, paired, count)
    objective = jsl.objectives.LogSquared() if refits is None else jsl.objectives.LogHuber()
    fits = [jsl.fit(jsl.laws.chinchilla, own, objective=objective, starts=STARTS) for own in both]
    at = [evidence(fit) for fit in fits]
    sides = optimal(fits[0], at[0]), optimal(fits[1], at[1])
    budget = 10 * 6 * 1e9 * 3e10
    pairs = [pairs_of(a, b) for a, b in zip(*at, strict=True)]
    assert all(len(p) == (n if paired else 0) for p in pairs)
    if refits is None:
        where = np.full((count, 1), budget)
        interval = by_inversion(*sides, joint(*at, pairs, "hc3"), where, True, LEVEL, "hc3")[
            "multiplier"
        ]
        low, middle, high = (v[:, 0] for v in interval)
    else:
        draws = [
            jsl.bootstrap(fit, refits, kind="bayes", seed=0 if paired else k)
            for k, fit in enumerate(fits)
        ]
        ln_m = multipliers(draws, sides, np.full((refits, count, 1), budget), True)["ln_m"]
        low, _, high = (np.exp(v[:, 0]) for v in quantiles(ln_m, LEVEL))
        middle = np.exp(multipliers(fits, sides, np.full((count, 1), budget), True)["ln_m"][:, 0])
    inside = (low <= m) & (m <= high)
    apart = (low > 1.0) | (high < 1.0)
    return {
        "rows": n,
        "true": m,
        "paired": paired,
        "studies": count,
        "refits": refits or 0,
        "coverage": 100 * float(np.mean(inside)),
        "below": 100 * float(np.mean(high < m)),
        "above": 100 * float(np.mean(low > m)),
        "called_different": 100 * float(np.mean(apart)),
        "width": float(np.median(high / low)),
        "median": float(np.median(middle)),
        "unbounded": int(np.sum(~np.isfinite(high))),
        "ok_share": float(np.mean([fit.ok for fit in fits])),
        "seconds": time.perf_counter() - begin,
        **place("float64"),
    }


if __name__ == "__main__":
    main()
