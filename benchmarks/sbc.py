"""Simulation-based calibration of `posterior`: are its draws the posterior that the stated priors
imply?

Parameters and noise scale are drawn from the priors, a sweep is simulated from each, and the rank
of the truth among thinned posterior draws must be uniform. Where starts are drawn is no prior and
plays no part. No data set is dropped; divergences and R-hat above 1.01 are counted. The band is
joint over all quantities: the largest distance of each rank distribution from the uniform one is
compared with its 1 - .01 / 9 quantile (Kolmogorov-Smirnov for so many ranks, by simulation).

Source: Talts et al. 2018 (SBC); Modrak et al. 2023 (the log likelihood as a test quantity).
"""

from __future__ import annotations

import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _common import arguments, emit, place

import jaxscale as jsl
from jaxscale.fitting._evidence import evidence_of_each
from jaxscale.uncertainty._posterior import FREEDOM, Given, chain, split_rhat

PRIORS = {
    "E": (1.8, 0.05),
    "A": (480.0, 0.3),
    "B": (2000.0, 0.3),
    "alpha": (0.35, 0.05),
    "beta": (0.36, 0.05),
}
SCALE = (0.005, 0.3)
DRAWS, KEPT = 2000, 99
BUDGET = 1e24
ALARM = 0.01


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--tables", type=int, default=500)
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    tables, draws = (8, 198) if options.smoke else (options.tables, options.draws)
    record = calibrated(tables, draws)
    emit([record], options.output)
    assert options.smoke or record["inside"], f"ranks leave the joint band: {record['distance']}"


def calibrated(tables: int, draws: int) -> dict[str, Any]:
    """Ranks of all quantities over simulated tables, and how far they are from uniform."""
    begin = time.perf_counter()
    rng = np.random.default_rng(7)
    n, d = (
        v.reshape(-1) for v in np.meshgrid(np.geomspace(4e7, 1e10, 6), np.geomspace(2e9, 2e11, 5))
    )
    truth = {k: m * np.exp(s * rng.standard_normal(tables)) for k, (m, s) in PRIORS.items()}
    scale = SCALE[0] * np.exp(SCALE[1] * rng.standard_normal(tables))
    law = jsl.laws.chinchilla.prior(**PRIORS)
    noise = scale[:, None] * rng.standard_t(FREEDOM, (tables, len(n)))
    clean = np.stack(
        [law(n, d, **{k: float(v[i]) for k, v in truth.items()}) for i in range(tables)]
    )
    runs = [jsl.Runs.from_columns(N=n, D=d, loss=y) for y in clean * np.exp(noise)]
    at = evidence_of_each(jsl.fit(law, runs, objective=jsl.objectives.LogHuber(0.007), starts=8))
    with jax.enable_x64(True):
        given = jax.tree.map(lambda *v: jnp.stack(v), *[Given.of(e, SCALE) for e in at])
        assert len(np.unique(np.asarray(given.target)[:, 0])) == tables, (
            "every posterior must see its own table"
        )
        keys = np.random.SeedSequence(3).generate_state(2 * tables, np.uint32).reshape(tables, 2)
        run = jax.jit(
            jax.vmap(functools.partial(chain, at[0].job.law, at[0].job.layout, "student", draws))
        )
        x, diverged = jax.device_get(run(keys, given))
    sampled = time.perf_counter() - begin
    names = [*PRIORS, "scale"]
    thin = x[:, np.linspace(0, draws - 1, KEPT).astype(int)]
    own = {k: thin[:, :, i] for i, k in enumerate(names)}
    true = {k: np.log(truth[k]) for k in PRIORS} | {"scale": np.log(scale)}
    residuals = np.log(clean * np.exp(noise))
    for values in (own, true):
        total = np.exp(values["alpha"]) + np.exp(values["beta"])
        share = np.exp(values["beta"]) / total
        ratio = values["alpha"] + values["A"] - values["beta"] - values["B"]
        values |= {"p": share, "ln N*": ratio / total + share * np.log(BUDGET / 6)}
    own["log likelihood"] = np.stack(
        [likelihood({k: v[i] for k, v in own.items()}, n, d, residuals[i]) for i in range(tables)]
    )
    true["log likelihood"] = np.array(
        [
            likelihood({k: v[i : i + 1] for k, v in true.items()}, n, d, residuals[i])[0]
            for i in range(tables)
        ]
    )
    ranks = {k: np.sum(own[k] < true[k][:, None], axis=1) for k in own}
    distance = {k: from_uniform(r) for k, r in ranks.items()}
    draw = np.random.default_rng(1).integers(0, KEPT + 1, (20_000, tables))
    band = float(np.quantile(from_uniform(draw), 1 - ALARM / len(ranks)))
    rhat = np.array([split_rhat(chains[None]).max() for chains in x])
    return {
        "method": "NUTS of jaxscale.uncertainty.posterior",
        "tables": tables,
        "draws": draws,
        "kept": KEPT,
        "inside": bool(max(distance.values()) <= band),
        "distance": distance,
        "band": band,
        "divergences": int(diverged.sum()),
        "diverged_tables": int(np.sum(diverged.any(1))),
        "rhat_above_1.01": int(np.sum(rhat > 1.01)),
        "worst_rhat": float(rhat.max()),
        "priors": {**PRIORS, "scale": SCALE},
        "seconds": sampled,
        **place("float64"),
    }


def likelihood(
    p: dict[str, np.ndarray], n: np.ndarray, d: np.ndarray, observed: np.ndarray
) -> np.ndarray:
    """Student log likelihood (draws,) up to a constant, from logarithms of the parameters."""
    e, a, b, alpha, beta = (np.exp(p[k])[:, None] for k in PRIORS)
    z = (np.log(e + a * n**-alpha + b * d**-beta) - observed) / np.exp(p["scale"])[:, None]
    return np.sum(-0.5 * (FREEDOM + 1) * np.log1p(z**2 / FREEDOM) - p["scale"][:, None], axis=1)


def from_uniform(ranks: np.ndarray) -> Any:
    """Largest distance of the distribution of ranks (..., tables) from the uniform one on 0 to
    KEPT.
    """
    counts = np.stack([np.mean(ranks <= r, axis=-1) for r in range(KEPT)])
    return np.max(
        np.abs(counts - np.arange(1, KEPT + 1).reshape(-1, *[1] * (counts.ndim - 1)) / (KEPT + 1)),
        axis=0,
    )


if __name__ == "__main__":
    main()
