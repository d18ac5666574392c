"""Public models above a compute cut-off, from those below: latent capabilities or family skills
against compute alone.

Observational: three principal components of the scores on eight benchmarks, missing cells filled,
are the capabilities of a model; a task is a sigmoid of them, fitted to models up to 8.4e22 FLOP and
asked for the models above. The components never see the task; where it is one of the eight, they
are taken of the other seven. The baseline is the same sigmoid, with the same floor, objective and
models, of ln C alone. Sloth: scores of a family's largest member from its smaller members and from
all other families; the baselines know size and tokens, or compute, and no family. Errors are mean
absolute errors of scores [fraction]; the interval of their difference to the baseline is from
refits by family, and from families of the models that are asked, drawn again.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
from _common import arguments, one_by_one, place

import jaxscale as jsl
from jaxscale import between, laws, real
from jaxscale.units import Fraction, Number

CUT = 8.4e22  # FLOP; Llama-2-7B has it
HUBER = jsl.objectives.Huber(0.1)
COMPONENTS, REFITS, STARTS = 3, 400, 64
OWN = ("GSM8K", "HumanEval", "MMLU", "HellaSwag")


@jsl.law
def compute_sigmoid(
    x: Number, *, beta=real(-3, 3), alpha=real(-5, 5), b=between(0.0, 0.2)
) -> Fraction:
    """`capability_sigmoid` with a standardised ln C for a capability."""
    return b + (1 - b) * jax.nn.sigmoid(beta * x + alpha)


def main() -> None:
    parser = arguments(__doc__)
    options = parser.parse_args()
    refits = 20 if options.smoke else REFITS
    emergent = jsl.datasets.load("observational", rows="emergent")
    tasks = (
        emergent.labels["benchmark"][:1] if options.smoke else (*emergent.labels["benchmark"], *OWN)
    )
    jobs = {
        f"observational: {task}": lambda task=task: observational(task, refits) for task in tasks
    }
    # a parameter for each of 56 families compiles for minutes; two skills of each take 11 GB
    if not options.smoke:
        jobs["sloth, 1 skill: default"] = lambda: sloth(1, "default")
    one_by_one(
        {name: lambda job=job: job() | place("float64") for name, job in jobs.items()},
        options.output,
    )


# -- capabilities --------------------------------------------------------------------------------
def matrix(runs: jsl.Runs, leave: str) -> tuple[np.ndarray, np.ndarray]:
    """Names of models, and their scores (models, benchmarks) with NaN where there is none, without
    one benchmark.
    """
    names = np.asarray(runs.labels["model"])
    kept = [b for b in runs.labels["benchmark"] if b != leave]
    table = np.full((len(names), len(kept)), np.nan)
    for j, b in enumerate(kept):
        own = runs["benchmark"] == b
        table[np.searchsorted(names, runs["model"][own]), j] = runs["score"][own]
    return names, table


def observational(task: str, refits: int) -> dict[str, Any]:
    base = jsl.datasets.load("observational", rows="sized")
    names, table = matrix(base, task)
    found = laws.capabilities(table, COMPONENTS)
    source = base if task in OWN else jsl.datasets.load("observational", rows="emergent")
    own = source.where(source["benchmark"] == task)
    S = found["S"][np.searchsorted(names, own["model"])]
    x = np.log(own["C"])
    x = (x - x.mean()) / x.std()
    fitted = own["C"] <= CUT * (1 + 1e-9)
    begin = time.perf_counter()
    methods = {
        "capabilities": (laws.capability_sigmoid.sized(beta=COMPONENTS), {"S": S / S.std(0)}),
        "compute": (compute_sigmoid, {"x": x}),
    }
    draws, point = {}, {}
    for name, (law, columns) in methods.items():
        runs = jsl.Runs.from_columns(
            **{c: v[fitted] for c, v in columns.items()},
            score=own["score"][fitted],
            target="score",
            groups={"family": own["family"][fitted]},
            units={"score": jsl.units.Fraction},
        )
        fit = jsl.fit(law, runs, objective=HUBER, starts=STARTS)
        asked = {c: v[~fitted] for c, v in columns.items()}
        point[name] = fit, fit.predict(**asked)
        draws[name] = jsl.bootstrap(fit, refits, by="family", starts=2).predict(**asked)
    truth, family = own["score"][~fitted], own["family"][~fitted]
    line: dict[str, Any] = {
        "models": int(fitted.sum()),
        "asked": int((~fitted).sum()),
        "families_asked": len(np.unique(family)),
        "explained": [float(v) for v in found["explained"]],
    }
    for name, (fit, predicted) in point.items():
        line[f"mae_{name}"] = float(np.mean(np.abs(predicted - truth)))
        line[f"rmse_{name}"] = float(np.sqrt(np.mean((predicted - truth) ** 2)))
        line[f"status_{name}"] = jsl.Status(int(fit.status)).name
    low, middle, high = difference(draws, truth, family)
    line |= {
        "mae": line["mae_capabilities"],
        "baseline": line["mae_compute"],
        "difference": [low, middle, high],
    }
    return line | {"seconds": time.perf_counter() - begin}


def difference(draws: dict[str, np.ndarray], truth: np.ndarray, family: np.ndarray) -> list[float]:
    """Quantiles of the difference in mean absolute error, over refits and resampled families of the
    models asked.
    """
    rng, labels = np.random.default_rng(0), np.unique(family)
    own, other = (np.abs(draws[name] - truth) for name in ("capabilities", "compute"))
    out = []
    for a, b in zip(own, other, strict=True):
        rows = np.concatenate(
            [np.flatnonzero(family == f) for f in rng.choice(labels, len(labels))]
        )
        out.append(np.mean(a[rows]) - np.mean(b[rows]))
    return [float(v) for v in np.quantile(out, [0.025, 0.5, 0.975])]


# -- skills of families --------------------------------------------------------------------------
def sloth(skills: int, rows: str) -> dict[str, Any]:
    """The largest member of every family of three sizes or more is asked."""
    runs = jsl.datasets.load("sloth", rows=rows)
    asked = np.zeros(len(runs), bool)
    for f in runs.labels["family"]:
        own = runs["family"] == f
        sizes = np.unique(runs["size"][own])
        if len(sizes) >= 3:
            asked |= own & (runs["size"] == sizes[-1])
    chance = np.array([runs["chance"][runs["benchmark"] == b][0] for b in runs.labels["benchmark"]])
    train = runs.where(~asked)
    begin = time.perf_counter()
    lengths = dict.fromkeys(("alpha", "beta_s", "beta_t", "beta_st", "Lambda"), skills)
    law = laws.sloth.sized(**lengths)
    columns = {c: runs[c][asked] for c in ("size", "tokens")} | {
        "benchmark": runs["benchmark"][asked]
    }
    truth, line = (
        runs["score"][asked],
        {"models": len(train.labels["model"]), "asked": len(np.unique(runs["model"][asked]))},
    )
    shared = {"Lambda": "benchmark", "b": "benchmark", "c": "benchmark"}
    zero = {"beta_st": np.zeros(skills)} if skills > 1 else {"beta_s": np.ones(1)}
    variants = {
        "family": law.per(alpha="family", **shared).fix(
            c=chance, **({"beta_s": np.ones(1)} if skills == 1 else {})
        ),
        "no family": law.per(**shared).fix(c=chance, alpha=np.zeros(skills), **zero),
    }
    for name, own_law in variants.items():
        fit = jsl.fit(own_law, train, objective=jsl.objectives.Huber(0.01), starts=16, memory=2**31)
        given = columns | ({"family": runs["family"][asked]} if name == "family" else {})
        error = fit.predict(**given) - truth
        line |= {
            f"mae_{name.replace(' ', '_')}": float(np.mean(np.abs(error))),
            f"status_{name.replace(' ', '_')}": jsl.Status(int(fit.status)).name,
        }
    line |= {"mae": line["mae_family"], "baseline": line["mae_no_family"]}
    return line | {"seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    main()
