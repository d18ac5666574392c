"""Design: how much narrower the interval of a plan becomes when the next runs are chosen for it.

Each study has a law of its own, near the one of Besiroglu et al. 2024, and a first sweep of 40
small runs. It is extended with four times the first sweep's cost, at the same noise, and fitted
again: by `design`, by `design` with each candidate at most once, by random candidates, by isoFLOP
curves (three, spread over a factor of ten, or one that is as large as eight runs can be), and by
the runs that simple-scaling-laws suggests. All choose among 2 to 400 tokens per parameter and runs
between 1/200 and 1/4 of the budget, so that no design is a swarm of tiny runs. The peer lays its
own candidates between the same costs, over another range of tokens per parameter; so the last way
is `design` among just these. Asked is ln N* at 10 and 100 times the dearest candidate.

The width of an interval is a promise; so each line has its coverage beside it, and the root mean
square of the true error. Ratios are to `design`: above 1 the other way is worse. Errors of ratios
are standard errors over studies.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _common import arguments, emit, place
from _suggest_runs import METHOD, suggested

import jaxscale as jsl

# Besiroglu et al. 2024
NEAR = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SIGMA = 0.005  # of ln L
RATIOS = 2.0, 400.0  # tokens per parameter
LEVELS = np.geomspace(3e17, 1e19, 5)  # of the first sweep, eight runs each
FIRST = 8 * float(np.sum(LEVELS))
BUDGET = 4 * FIRST
DEAREST, CHEAPEST = BUDGET / 4, BUDGET / 200
WANTED = 10 * DEAREST, 100 * DEAREST
STARTS, DRAWS, REFERENCE = 8, 200, "design"
SAME = "design among the candidates of suggest_runs"

Columns = dict[str, np.ndarray]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--studies", type=int, default=100)
    options = parser.parse_args()
    studies = 6 if options.smoke else options.studies
    emit(measured(studies), options.output)


def measured(studies: int) -> list[dict[str, Any]]:
    truths = [truth(k) for k in range(studies)]
    first = curves(LEVELS)
    sweeps = [jsl.simulate(own, first, noise=SIGMA, seed=k) for k, own in enumerate(truths)]
    before = Found.of(sweeps, truths)
    found, facts = (
        {"first sweep": before},
        {"first sweep": {"runs": len(sweeps[0]), "cost_over_budget": 0.0}},
    )
    for name, (chosen, more) in extensions(before, sweeps).items():
        tables = []
        for k, (own, old, new) in enumerate(zip(truths, sweeps, chosen, strict=True)):
            # the same noise for all ways, run by run
            seen = jsl.simulate(own, new, noise=SIGMA, seed=1_000_000 + k)
            tables.append(joined(old, seen))
        found[name] = Found.of(tables, truths)
        cost = [float(np.sum(6 * new["N"] * new["D"])) / BUDGET for new in chosen]
        facts[name] = {
            "runs": float(np.mean([len(new["N"]) for new in chosen])),
            "distinct_runs": float(
                np.mean([len(np.unique(new["N"] * 1e6 + new["D"])) for new in chosen])
            ),
            "cost_over_budget": float(np.mean(cost)),
            **more,
        }
    reference = found[REFERENCE]
    if SAME in found:
        pair = found[METHOD].against(found[SAME])
        facts[METHOD]["to_design_of_same_candidates"] = {
            k: v for k, v in pair.items() if "ratio" in k
        }
    return [
        {
            "method": name,
            "studies": studies,
            **facts[name],
            **own.against(reference),
            **place("float64"),
        }
        for name, own in found.items()
    ]


def extensions(
    before: Found, sweeps: list[jsl.Runs]
) -> dict[str, tuple[list[Columns], dict[str, Any]]]:
    """Columns of the further runs of each study, by method, with what is known about them
    beforehand.
    """
    n, ratio = (
        v.ravel() for v in np.meshgrid(np.geomspace(1e7, 4e9, 18), np.geomspace(*RATIOS, 12))
    )
    cost = 6 * n**2 * ratio
    fits = (cost <= DEAREST) & (cost >= CHEAPEST)
    candidates = {"N": n[fits], "D": (n * ratio)[fits]}
    out: dict[str, tuple[list[Columns], dict[str, Any]]] = {}
    for name, most in ((REFERENCE, None), ("design, each candidate once", 1)):
        out[name] = designed(before, [candidates] * len(sweeps), most)
    out["random candidates"] = [at_random(candidates, k) for k in range(len(sweeps))], {}
    shape = np.geomspace(1.0, 10.0, 3)
    out["three isoFLOP curves"] = [curves(BUDGET / 8 * shape / shape.sum())] * len(sweeps), {}
    out["one large isoFLOP curve"] = [curves(np.array([BUDGET / 8]))] * len(sweeps), {}
    small = np.geomspace(CHEAPEST, DEAREST, 8)
    peer = suggested(
        *(sweeps[0][c] for c in "ND"),
        [r["loss"] for r in sweeps],
        wanted=WANTED,
        candidate_budgets=small,
        budget=BUDGET,
        draws=DRAWS,
    )
    if peer:
        seconds, version = float(np.mean([p["seconds"] for p in peer])), peer[0]["version"]
        out[METHOD] = (
            [{c: np.asarray(p[c]) for c in "ND"} for p in peer],
            {
                "seconds_per_design": seconds,
                "draws": DRAWS,
                "version": version,
                "candidates": len(peer[0]["offered"][0]),
            },
        )
        out[SAME] = designed(
            before, [dict(zip("ND", map(np.asarray, p["offered"]), strict=True)) for p in peer]
        )
    return out


def designed(
    before: Found, candidates: list[Columns], most: int | None = None
) -> tuple[list[Columns], dict[str, Any]]:
    begin = time.perf_counter()
    plans = [
        jsl.design(before.fits[k], own, BUDGET, of=sizes, relative=False, most=most)
        for k, own in enumerate(candidates)
    ]
    return [p.columns for p in plans], {
        "foretold": float(np.sqrt(np.mean([np.square(p.after) for p in plans]))),
        "gap": float(np.mean([p.gap for p in plans])),
        "gap_most": float(np.max([p.gap for p in plans])),
        "seconds_per_design": (time.perf_counter() - begin) / len(plans),
        "candidates": len(candidates[0]["N"]),
    }


def truth(study: int) -> jsl.Law:
    """A law near the published one: exponents, E, and both terms at a billion parameters and 20
    billion tokens vary.
    """
    rng = np.random.default_rng([2024, study])
    alpha, beta = rng.uniform(0.29, 0.41, 2)
    a, b = np.exp(rng.uniform(-0.3, 0.3, 2))
    return jsl.laws.chinchilla.fix(
        E=rng.uniform(1.6, 1.95),
        A=NEAR["A"] * a * 1e9 ** (alpha - NEAR["alpha"]),
        B=NEAR["B"] * b * 2e10 ** (beta - NEAR["beta"]),
        alpha=alpha,
        beta=beta,
    )


def curves(levels: np.ndarray) -> Columns:
    """Eight runs on each curve of equal cost, over all tokens per parameter that are allowed."""
    n = np.sqrt(levels[:, None] / (6 * np.geomspace(*RATIOS, 8))).ravel()
    return {"N": n, "D": np.repeat(levels, 8) / (6 * n)}


def at_random(candidates: Columns, study: int) -> Columns:
    """Candidates in random order, each taken if it still fits."""
    cost, left, kept = 6 * candidates["N"] * candidates["D"], BUDGET, []
    for i in np.random.default_rng([7, study]).permutation(len(cost)):
        if cost[i] <= left:
            kept.append(i)
            left -= cost[i]
    return {k: v[kept] for k, v in candidates.items()}


def joined(old: jsl.Runs, new: jsl.Runs) -> jsl.Runs:
    return jsl.Runs.from_columns(
        **{c: np.concatenate([old[c], new[c]]) for c in ("N", "D", "loss")}
    )


def sizes(own: Any) -> Any:
    """ln N* at the wanted budgets (2,), in closed form."""
    p = own.params
    total = p["alpha"] + p["beta"]
    return jnp.log(p["alpha"] * p["A"] / (p["beta"] * p["B"])) / total + p["beta"] / total * np.log(
        np.array(WANTED) / 6
    )


@dataclass(frozen=True)
class Found:
    """Refits of all studies; widths, errors and whether the interval holds the truth
    (studies, 2).
    """

    fits: jsl.Fit
    width: np.ndarray
    error: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(cls, tables: list[jsl.Runs], truths: list[jsl.Law]) -> Found:
        fits = jsl.fit(
            jsl.laws.chinchilla, tables, objective=jsl.objectives.LogSquared(), starts=STARTS
        )
        interval = jsl.interval(fits, of=sizes, kind="hc3")
        with jax.enable_x64(True):
            true = np.stack([np.asarray(sizes(own)) for own in truths])
        low, middle, high = (np.asarray(v) for v in interval)
        return cls(fits, high - low, middle - true, (low <= true) & (true <= high))

    def against(self, reference: Found) -> dict[str, Any]:
        usable = np.isfinite(self.width).all(1) & np.isfinite(reference.width).all(1)
        ratio = np.log(self.width / reference.width)[usable].mean(1)
        squares, others = (np.mean(f.error[usable] ** 2, 1) for f in (self, reference))
        left_out = [
            0.5 * np.log((squares.sum() - a) / (others.sum() - b))
            for a, b in zip(squares, others, strict=True)
        ]
        return {
            "ok_share": float(np.mean(self.fits.ok)),
            "usable": int(usable.sum()),
            "width": [float(w) for w in np.exp(np.mean(np.log(self.width[usable]), 0))],
            "width_ratio": float(np.exp(ratio.mean())),
            "width_ratio_error": float(
                np.exp(ratio.mean()) * ratio.std(ddof=1) / np.sqrt(len(ratio))
            ),
            "rms_error": [float(e) for e in np.sqrt(np.mean(self.error[usable] ** 2, 0))],
            "rms_error_all": float(np.sqrt(squares.mean())),
            "rms_error_ratio": float(np.sqrt(squares.mean() / others.mean())),
            "rms_error_ratio_error": float(
                np.sqrt(squares.mean() / others.mean())
                * np.std(left_out)
                * np.sqrt(len(left_out) - 1)
            ),
            "coverage": [100 * float(c) for c in np.mean(self.inside, 0)],
        }


if __name__ == "__main__":
    main()
