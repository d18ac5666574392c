"""Forecasts: how often a frozen interval holds, 4 to 400 times beyond the largest run, and on
public tables.

Each study has a law of its own, near the one of Besiroglu et al. 2024, and a sweep of 40 runs on
five isoFLOP levels with noise of 0.5 % (ln L). A fit is asked for the loss of the compute-optimal
run at 4, 40 and 400 times the largest compute; the run is then made, with noise of its own, and
scored. Quality is the share of runs inside the 95 % interval of a new run, with its standard error;
beside it stand the share inside the interval of the curve, which forgets that a run has noise, the
median error, and the mean CRPS over that of forecasting no change from the largest run (less is
better).

Fits are by least squares and by the default objective with 300 refits; the third way takes E as
known, and known wrongly by 5 %: its intervals cannot know of that. Public tables have no new run.
Their largest is left out with all of at least a tenth of its compute, and forecast.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _common import arguments, emit, place

import jaxscale as jsl

# Besiroglu et al. 2024
NEAR = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SIGMA = 0.005  # of ln L
LEVELS = np.geomspace(3e17, 1e20, 5)
RATIOS = np.geomspace(2.0, 200.0, 8)  # tokens per parameter
BEYOND = np.array([4.0, 40.0, 400.0])
REFITS = 300
TABLES = ("hoffmann2022", "public_models")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--studies", type=int, default=200)
    options = parser.parse_args()
    records = simulated(6 if options.smoke else options.studies)
    emit(records + ([] if options.smoke else public()), options.output)


def simulated(studies: int) -> list[dict[str, Any]]:
    truths = [truth(k) for k in range(studies)]
    c, q = (v.ravel() for v in np.meshgrid(LEVELS, RATIOS))
    sweep = {"N": np.sqrt(c / (6 * q)), "D": np.sqrt(c * q / 6)}
    tables = [jsl.simulate(own, sweep, noise=SIGMA, seed=k) for k, own in enumerate(truths)]
    targets = [jsl.allocate(own, BEYOND * LEVELS[-1]) for own in truths]
    new = [{"N": plan["N"], "D": plan["D"]} for plan in targets]
    seen = [
        jsl.simulate(own, there, noise=SIGMA, seed=10**6 + k)["loss"]
        for k, (own, there) in enumerate(zip(truths, new, strict=True))
    ]
    law, squares = jsl.laws.chinchilla, jsl.objectives.LogSquared()
    plain = jsl.fit(law, tables, objective=squares, starts=32)
    robust = jsl.bootstrap(jsl.fit(law, tables, starts=32), REFITS)
    wrong = jsl.fit(law.fix(E=0.95 * NEAR["E"]), tables, objective=squares, starts=32)
    ways = {
        "least squares, HC3": plain,
        "log-Huber, refits": robust,
        "E taken as known, 5 % too low": wrong,
    }
    records = []
    for name, fits in ways.items():
        begin = time.perf_counter()
        scores = [jsl.forecast(fits[k], **new[k]).score(seen[k]) for k in range(studies)]
        seconds = (time.perf_counter() - begin) / studies
        for i, beyond in enumerate(BEYOND):
            inside = np.array([s.inside[i] for s in scores])
            records.append(
                {
                    "method": f"{name}, {beyond:g}x",
                    "beyond": float(beyond),
                    "seconds": seconds,
                    "inside": float(inside.mean()),
                    "inside_error": float(
                        np.sqrt(max(inside.mean() * (1 - inside.mean()), 0.05 / studies) / studies)
                    ),
                    "inside_curve": float(np.mean([s.inside_curve[i] for s in scores])),
                    "median_error": float(np.median([abs(s.error[i]) for s in scores])),
                    "noises": float(np.median([abs(s.error[i]) / SIGMA for s in scores])),
                    "width": float(
                        np.median(
                            [s.forecast.run.high[i] / s.forecast.run.low[i] - 1 for s in scores]
                        )
                    ),
                    "crps_over_no_change": float(
                        np.mean([s.crps[i] for s in scores])
                        / np.mean([abs(s.baseline[i]) for s in scores])
                    ),
                    "count": studies,
                    **place("float64"),
                }
            )
    return records


def truth(seed: int) -> jsl.Law:
    """A law near the published one, with its E: coefficients within 10 % or so, exponents within a
    few per cent.
    """
    rng = np.random.default_rng(seed)
    factor = {"E": 0.0, "A": 0.1, "B": 0.1, "alpha": 0.03, "beta": 0.03}
    return jsl.laws.chinchilla.fix(
        **{k: v * float(np.exp(factor[k] * rng.standard_normal())) for k, v in NEAR.items()}
    )


def public() -> list[dict[str, Any]]:
    """The largest run of public tables, forecast from those of less than a tenth of its compute."""
    records = []
    for table in TABLES:
        try:
            runs = jsl.datasets.load(table)
        except FileNotFoundError:
            print(f"{table} cannot be had here")
            continue
        law = (
            jsl.laws.chinchilla
            if table != "public_models"
            else jsl.laws.chinchilla.tie(beta="alpha")
        )
        fit = jsl.fit(law, runs)
        begin = time.perf_counter()
        for within in (1.05, 10.0):
            own = jsl.forecasts.hindsight(fit, factor=within)
            records.append(
                {
                    "method": f"{table}, largest run from those {own.ratio:.3g}x smaller",
                    "beyond": own.ratio,
                    "seconds": time.perf_counter() - begin,
                    "inside": float(own.inside),
                    "median_error": abs(own.error),
                    "width": float(own.interval.high / own.interval.low - 1),
                    "count": 1,
                    **place("float64"),
                }
            )
    return records


if __name__ == "__main__":
    main()
