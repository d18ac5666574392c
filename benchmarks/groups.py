"""A thousand ragged groups with parameters of their own and one exponent for all, in one fit.

Each group has 10 to 60 runs of a power law with an E and a B of its own. Quality: the largest
relative difference between a group's parameters and those of a fit of that group alone at the
shared exponent. The peer is SciPy: `least_squares` of each group inside a bounded search for the
exponent, its gradient written out, timed on a sample of groups and scaled up.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _common import arguments, emit, place, timed
from scipy import optimize

import jaxscale as jsl
from jaxscale.units import Nats, Tokens

SAMPLE = 40
TRUTH = 0.3


@jsl.law
def power(
    D: Tokens, *, E=jsl.positive(0.5, 3), B=jsl.positive(10, 1e5), beta=jsl.positive(0.05, 1)
) -> Nats:
    return E + B * D**-beta


def main() -> None:
    options = arguments(__doc__).parse_args()
    count = 40 if options.smoke else 1000
    runs = simulated(count)
    records = [
        ours(runs, objective)
        for objective in (jsl.objectives.LogSquared(), jsl.objectives.LogHuber(1e-3))
    ]
    emit([*records, by_scipy(runs, min(count, SAMPLE))], options.output)


def simulated(count: int) -> jsl.Runs:
    rng = np.random.default_rng(0)
    size = rng.integers(10, 61, count)
    d = np.exp(rng.uniform(np.log(1e8), np.log(1e11), size.sum()))
    e, b = (
        np.repeat(rng.uniform(1.5, 2.2, count), size),
        np.repeat(np.exp(rng.uniform(4, 6, count)), size),
    )
    loss = (e + b * d**-TRUTH) * np.exp(0.003 * rng.standard_normal(len(d)))
    return jsl.Runs.from_columns(
        D=d, loss=loss, groups={"family": np.repeat([f"f{i:04d}" for i in range(count)], size)}
    )


def ours(runs: jsl.Runs, objective: Any) -> dict[str, Any]:
    law = power.per(E="family", B="family")
    fit, warm, compiling = timed(lambda: jsl.fit(law, runs, objective=objective), 2)
    tables = [runs.where(runs["family"] == label) for label in runs.labels["family"]]
    alone = jsl.fit(power.fix(beta=fit.params["beta"]), tables, objective=objective, starts=4)
    gap = max(float(np.max(np.abs(fit.params[k] / alone.params[k] - 1))) for k in ("E", "B"))
    return {
        "method": f"jaxscale.fit, {type(objective).__name__}",
        "groups": len(tables),
        "rows": len(runs),
        "parameters": 2 * len(tables) + 1,
        "warm_s": warm,
        "first_s": warm + compiling,
        "compile_s": compiling,
        "gap": gap,
        "exponent": float(fit.params["beta"]),
        "deviation": fit.certificate.deviation["beta"],
        "gradient": fit.certificate.gradient,
        "status": jsl.Status(int(fit.status)).name or "OK",
        **place(fit.params["E"].dtype),
    }


def by_scipy(runs: jsl.Runs, sample: int) -> dict[str, Any]:
    """Two parameters of each group, inside the exponent."""
    code = np.asarray(runs.groups["family"])
    groups = [
        (np.log(runs["D"][code == k]), np.log(runs["loss"][code == k])) for k in range(sample)
    ]

    def one(d: np.ndarray, y: np.ndarray, beta: float) -> float:
        power_of = np.exp(-beta * d)

        def residual(v: np.ndarray) -> np.ndarray:
            return np.log(np.exp(v[0]) + np.exp(v[1]) * power_of) - y

        def slope(v: np.ndarray) -> np.ndarray:
            a, b = np.exp(v[0]) * np.ones_like(d), np.exp(v[1]) * power_of
            return np.stack([a, b], 1) / (a + b)[:, None]

        return float(
            optimize.least_squares(
                residual, [0.6, 5.0], jac=slope, xtol=1e-12, ftol=1e-12, gtol=1e-12
            ).cost
        )

    begin = time.perf_counter()
    found = optimize.minimize_scalar(
        lambda beta: sum(one(d, y, beta) for d, y in groups),
        bounds=(0.05, 1.0),
        method="bounded",
        options={"xatol": 1e-9},
    )
    seconds = time.perf_counter() - begin
    total = len(runs.labels["family"])
    return {
        "method": "scipy.optimize.least_squares inside minimize_scalar, scaled up",
        "groups": sample,
        "warm_s": seconds * total / sample,
        "exponent": float(found.x),
        "evaluations": int(found.nfev),
        **place(np.float64),
        "dtype": "float64",
    }


if __name__ == "__main__":
    main()
