"""Chains of a loss law and a link: coverage in simulated worlds, and tables with a part held out.

Every simulated world has a Chinchilla law near that of Besiroglu et al. 2024, 40 runs of 1e18 to
1e21 FLOP with noise of 0.005 in ln L, and a task whose score is a sigmoid of the loss with noise of
0.01, midpoint and steepness of its own. Asked is the score of the curve at 10 and 100 times the
largest run, and whether the 95 % interval holds it; beside it, whether the interval for one new
model holds the score of one. Shared: the link was fitted to the sweep itself. Free top: the best
score is unknown, and no run of the sweep reaches it. Single step: the score from N and D at once,
without the losses.

Tables: the largest Cerebras-GPT from smaller ones, against a sigmoid of compute alone; translations
of losses, against the published coefficients, and asked at runs that were not fitted; coverage of
problems at 10,000 samples from 100 of them, with problems resampled.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _common import arguments, one_by_one, place

import jaxscale as jsl
from jaxscale import laws
from jaxscale.objectives import LogSquared, NegLogLik, Squared

TRUTH = laws.chinchilla.fix(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
SIGMA, NOISE, RUNS, CHANCE = 0.005, 0.01, 40, 0.25
WORLDS, REFITS, SAMPLES = 500, 400, 20
UNITS = {"score": jsl.units.Fraction}
KNOWN = laws.accuracy_above_chance.fix(chance=CHANCE, top=1.0)
# the last two have scores below the chance of a guess: their floor is fitted
CHANCES: dict[str, dict[str, float]] = {
    "hellaswag": {"chance": 0.25},
    "piqa": {"chance": 0.5},
    "winogrande": {"chance": 0.5},
    "lambada": {"chance": 0.0},
    "arc_easy": {"chance": 0.25},
    "arc_challenge": {},
    "openbookqa": {},
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS)
    options = parser.parse_args()
    worlds = 6 if options.smoke else options.worlds
    kinds: dict[str, dict[str, Any]] = {
        "shared": {},
        "other runs": {"shared": False},
        "shared, helper of weight 10": {
            "link": laws.accuracy_above_chance.fix(chance=CHANCE),
            "helper": 10.0,
        },
        "shared, free top": {
            "link": laws.accuracy_above_chance.fix(chance=CHANCE),
            "top": (0.75, 1.0),
        },
    }
    jobs = {}
    for name, cell in kinds.items():
        jobs[f"slopes, {name}"] = lambda cell=cell: simulated(worlds, **cell)
        jobs[f"refits, {name}"] = lambda cell=cell: simulated(worlds, refits=REFITS, **cell)
    jobs["single step"] = lambda: single_step(worlds)
    if options.smoke:
        jobs = {name: jobs[name] for name in ("slopes, shared",)}
    else:
        jobs |= {f"cerebras_pythia: {task}": lambda task=task: cerebras(task) for task in CHANCES}
        pairs = jsl.datasets.load("loss_to_loss", rows="pairs").labels["pair"]
        jobs |= {f"loss_to_loss: {pair}": lambda pair=pair: translation(pair) for pair in pairs}
        jobs["monkeys_coverage: beta-binomial, 100 to 10,000 samples"] = monkeys
    one_by_one(
        {name: lambda job=job: job() | place("float64") for name, job in jobs.items()},
        options.output,
    )


# -- simulated worlds ----------------------------------------------------------------------------
def sweep(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    C, ratio = (
        np.exp(rng.uniform(np.log(1e18), np.log(1e21), RUNS)),
        np.exp(rng.uniform(np.log(5), np.log(80), RUNS)),
    )
    N = np.sqrt(C / 6 / ratio)
    D = C / 6 / N
    return N, D, TRUTH(N, D) * np.exp(SIGMA * rng.standard_normal(RUNS))


BIG = np.sqrt(np.array([1e22, 1e23]) / 120)
ASKED = {"N": BIG, "D": 20 * BIG}


def world(
    k: int, shared: bool, top: tuple[float, float], helper: float
) -> tuple[jsl.Runs, jsl.Runs, np.ndarray, np.ndarray]:
    """A sweep, a table of scores, the scores asked, and those of one new model at each of these
    places.
    """
    rng = np.random.default_rng([17, k])
    N, D, loss = sweep(rng)
    link = laws.accuracy_above_chance.fix(
        k=rng.uniform(3, 8), x0=rng.uniform(2.1, 2.8), chance=CHANCE, top=rng.uniform(*top)
    )
    seen = loss if shared else sweep(rng)[2]
    score = np.clip(link(seen) + NOISE * rng.standard_normal(RUNS), 0.0, 1.0)
    table = jsl.Runs.from_columns(L=seen, score=score, target="score", units=UNITS)
    curve = TRUTH(**ASKED)
    new = np.clip(
        link(curve * np.exp(SIGMA * rng.standard_normal(2))) + NOISE * rng.standard_normal(2),
        0.0,
        1.0,
    )
    runs = jsl.Runs.from_columns(N=N, D=D, loss=loss)
    return runs, table.with_helper(weight=helper) if helper else table, link(curve), new


def simulated(
    worlds: int,
    *,
    shared: bool = True,
    link: jsl.Law = KNOWN,
    top: tuple[float, float] = (1.0, 1.0),
    helper: float = 0.0,
    refits: int = 0,
) -> dict[str, Any]:
    made = [world(k, shared, top, helper) for k in range(worlds)]
    begin = time.perf_counter()
    losses = jsl.fit(laws.chinchilla, [m[0] for m in made], objective=LogSquared(), starts=8)
    links = jsl.fit(link, [m[1] for m in made], objective=Squared(), starts=16)
    stages = [jsl.bootstrap(f, refits) for f in (losses, links)] if refits else [losses, links]
    found = [jsl.chain(stages[0][k], stages[1][k]).forecast(**ASKED) for k in range(worlds)]
    truth, new = (np.stack([m[i] for m in made]) for i in (2, 3))
    ok = np.asarray(losses.ok) & np.asarray(links.ok)
    low, middle, high = (
        np.stack([getattr(f.interval, end) for f in found]) for end in ("low", "point", "high")
    )
    inside = (low <= truth) & (truth <= high)
    held = np.stack([(f.new.low <= n) & (n <= f.new.high) for f, n in zip(found, new, strict=True)])
    return {
        "worlds": worlds,
        "coverage": [100 * float(c) for c in inside.mean(0)],
        "coverage_error": [100 * float(np.sqrt(c * (1 - c) / worlds)) for c in inside.mean(0)],
        "coverage_ok": [100 * float(c) for c in inside[ok].mean(0)],
        "coverage_new": [100 * float(c) for c in held.mean(0)],
        "width": [float(w) for w in np.median(high - low, 0)],
        "rms_error": [float(e) for e in np.sqrt(np.mean((middle - truth) ** 2, 0))],
        "share_of_loss": [float(s) for s in np.median([f.shares[0] for f in found], 0)],
        "ok_share": float(ok.mean()),
        "seconds": time.perf_counter() - begin,
    }


def single_step(worlds: int) -> dict[str, Any]:
    """The same worlds without their losses, floor and top known; the interval is that of
    the fit.
    """
    made = [world(k, True, (1.0, 1.0), 0.0) for k in range(worlds)]
    begin = time.perf_counter()
    law = laws.accuracy_from_sizes.fix(a=CHANCE - 1.0, b=1.0)
    tables = [
        jsl.Runs.from_columns(
            N=m[0]["N"],
            D=m[0]["D"],
            score=m[1]["score"],
            target="score",
            units=UNITS | {"N": jsl.units.NonEmbeddingParams},
        )
        for m in made
    ]
    fits = jsl.fit(law, tables, objective=Squared(), starts=32)
    truth = np.stack([m[2] for m in made])
    low, middle, high = jsl.interval(fits, of=lambda own: own(ASKED["N"], ASKED["D"]), kind="hc3")
    inside = (low <= truth) & (truth <= high)
    return {
        "worlds": worlds,
        "coverage": [100 * float(c) for c in inside.mean(0)],
        "coverage_error": [100 * float(np.sqrt(c * (1 - c) / worlds)) for c in inside.mean(0)],
        "width": [float(w) for w in np.median(high - low, 0)],
        "rms_error": [float(e) for e in np.sqrt(np.mean((middle - truth) ** 2, 0))],
        "ok_share": float(np.mean(fits.ok)),
        "seconds": time.perf_counter() - begin,
    }


# -- tables --------------------------------------------------------------------------------------
def cerebras(task: str) -> dict[str, Any]:
    """Cerebras-GPT 13B from the 11 smaller ones of both parametrisations."""
    runs, scores = (
        jsl.datasets.load("cerebras_pythia"),
        jsl.datasets.load("cerebras_pythia", rows="scores"),
    )
    scores = scores.where(scores["task"] == task)
    family = np.char.startswith(runs["family"], "Cerebras")
    own, big = runs.where(family & (runs["C"] < 2e22)), runs.where(runs["run"] == "Cerebras 13B")
    known = scores.where(np.isin(scores["run"], own["run"]))
    truth = float(scores["score"][scores["run"] == "Cerebras 13B"][0])
    begin = time.perf_counter()
    loss = jsl.fit(
        laws.power_law,
        jsl.Runs.from_columns(x=own["C"], loss=own["loss"], run=own["run"]),
        objective=LogSquared(),
        starts=64,
    )
    link = jsl.fit(
        laws.accuracy_above_chance.fix(top=1.0, **CHANCES[task]),
        known,
        objective=Squared(),
        starts=16,
    )
    found = jsl.chain(loss, link).forecast(x=big["C"][0])
    alone = jsl.Runs.from_columns(
        C=own["C"],
        score=known["score"][[list(known["run"]).index(r) for r in own["run"]]],
        target="score",
        units=UNITS,
    )
    floor = {"y_min": CHANCES[task]["chance"]} if CHANCES[task] else {}
    baseline = jsl.fit(
        laws.benchmark_sigmoid.fix(y_max=1.0, **floor), alone, objective=Squared(), starts=16
    )
    predicted = float(baseline.law(big["C"][0]))
    return {
        "truth": truth,
        "predicted": float(found.value),
        "interval": [float(found.interval.low), float(found.interval.high)],
        "new": [float(found.new.low), float(found.new.high)],
        "held": bool(found.new.low <= truth <= found.new.high),
        "mae": abs(float(found.value) - truth),
        "baseline": abs(predicted - truth),
        "remarks": list(found.remarks),
        "seconds": time.perf_counter() - begin,
    }


def translation(pair: str) -> dict[str, Any]:
    """kappa and K with floors of our own fits, and the loss of a run that was not fitted, by way of
    the other corpus.
    """
    source, _, target = pair.partition(" to ")
    every, held = (
        jsl.datasets.load("loss_to_loss"),
        jsl.datasets.load("loss_to_loss", rows="extrapolation"),
    )
    begin = time.perf_counter()
    tables = [every.where(every["data"] == d) for d in (source, target)]
    sweeps = jsl.fit(laws.kaplan_offset, tables, objective=jsl.objectives.LogHuber(1e-3), starts=64)
    E0, E1 = (float(e) for e in sweeps.params["E"])
    pairs = jsl.datasets.load("loss_to_loss", rows="pairs")
    fit = jsl.fit(
        laws.loss_to_loss.fix(E0=E0, E1=E1),
        pairs.where(pairs["pair"] == pair),
        objective=LogSquared(),
        starts=16,
    )
    published = {k: float(v) for k, v in laws.loss_translation(source, target).items()}
    intervals = jsl.interval(fit)
    there, here = (held.where(held["data"] == d) for d in (source, target))
    boots = [jsl.bootstrap(sweeps[0], REFITS), jsl.bootstrap(fit, REFITS)]
    found = jsl.chain(*boots).forecast(N=here["N"][0], D=here["D"][0])
    truth = float(here["loss"][0])
    return {
        "published": published,
        "fitted": {k: float(fit.params[k]) for k in published},
        "interval": {k: [float(intervals[k].low), float(intervals[k].high)] for k in published},
        "floors": [E0, E1],
        "truth": truth,
        "from_measured_loss": float(fit.law(there["loss"][0])),
        "predicted": float(found.value),
        "new": [float(found.new.low), float(found.new.high)],
        "held": bool(found.new.low <= truth <= found.new.high),
        "mae": abs(float(found.value) - truth),
        # the target's own sweep
        "baseline": abs(float(sweeps[1].law(here["N"][0], here["D"][0])) - truth),
        "seconds": time.perf_counter() - begin,
    }


def monkeys() -> dict[str, Any]:
    """Each of 7 models, 20 times: 100 of its 10,000 samples of each problem."""
    runs, rng = jsl.datasets.load("monkeys_coverage"), np.random.default_rng(0)
    tables, truths = [], []
    for model in runs.labels["model"]:
        own = runs.where(runs["model"] == model)
        n, c = own["n"].astype(int), own["c"].astype(int)
        for _ in range(SAMPLES):
            drawn = rng.hypergeometric(c, n - c, 100).astype(float)
            tables.append(
                jsl.Runs.from_columns(
                    n=np.full(len(c), 100.0),
                    c=drawn,
                    target=None,
                    groups={"problem": own["problem"]},
                )
            )
            truths.append(float(np.mean(c > 0)))
    begin = time.perf_counter()
    fits = jsl.fit(laws.beta_binomial, tables, objective=NegLogLik(), starts=16)
    boots = jsl.bootstrap(fits, REFITS)
    low, middle, high = jsl.interval(
        boots, of=lambda law: laws.beta_coverage(10_000.0, law.params["a"], law.params["b"])
    )
    truth = np.asarray(truths)
    held = (low <= truth) & (truth <= high)
    seen = np.array([np.mean(t["c"] > 0) for t in tables])  # at the 100 samples themselves
    return {
        "tables": len(tables),
        "held": float(held.mean()),
        "held_by_model": {
            m: float(h)
            for m, h in zip(runs.labels["model"], held.reshape(-1, SAMPLES).mean(1), strict=True)
        },
        "mae": float(np.mean(np.abs(middle - truth))),
        "baseline": float(np.mean(np.abs(seen - truth))),
        "bias": float(np.mean(middle - truth)),
        "ok_share": float(np.mean(fits.ok)),
        "seconds": time.perf_counter() - begin,
    }


if __name__ == "__main__":
    main()
