"""Laws compared beyond their rows, what hangs on rows and conventions, and baselines on recipes."""

import numpy as np

import jaxscale as jsl

from . import today
from .made import CHINCHILLA, LOG, exponent, simulated, size, sweep

RECIPES, SEEDS = 6, 2
SIZES = np.geomspace(1e7, 7.5e8, 8)
AT = {"N": 1e9, "D": 1e11}
NAMES = [f"r{i:02d}" for i in range(RECIPES)]

EXTRAPOLATIONS = (
    *(
        "five_parameter",
        "five_parameter_single_step",
        "single_scale_rank",
        "three_parameter",
        "three_parameter_helper",
    ),
    *(
        "three_parameter_helper_late",
        "three_parameter_late",
        "three_parameter_single_step",
        "two_parameter",
    ),
)


def cases():
    laws = {
        "free": CHINCHILLA,
        "no limit": CHINCHILLA.fix(E=0),
        "alpha = beta": CHINCHILLA.tie(beta="alpha"),
    }
    yield "compare", lambda: compared(laws, simulated(), objective=LOG, ratios=(2, 10, 1e6))
    yield (
        "compare tables",
        lambda: compared({"free": CHINCHILLA}, [simulated(), sweep()], objective=LOG, ratios=(4,)),
    )
    yield (
        "compare by a column",
        lambda: compared(
            laws, simulated(), objective=LOG, ratios=(2, 10), size="N", level=0.8, seed=3
        ),
    )
    yield "compare runs", lambda: compared(CHINCHILLA, runs(), ratios=(4,))
    pins = {f"E = {e}": CHINCHILLA.fix(E=e) for e in (1.6, 1.8)}
    tables = {"all": simulated(), "small": simulated().where(simulated()["N"] < 3e9)}
    yield (
        "sensitivity to E",
        lambda: today.sensitivity(pins, simulated(), of={"N*": size, "p": exponent}, starts=16),
    )
    yield (
        "sensitivity to rows",
        lambda: today.sensitivity(CHINCHILLA, tables, of=exponent, objective=LOG, starts=16),
    )
    yield (
        "sensitivity of parameters",
        lambda: today.sensitivity(CHINCHILLA, tables, objective=LOG, starts=16),
    )
    yield from baselines()


def compared(laws, table, **options):
    found = today.compare(laws, table, **{"starts": 16, "resamples": 50, **options})
    return {"found": found, "best": found.best, "stack": found.stack(), "printed": repr(found)}


def runs():
    n, d = np.repeat(np.geomspace(1e7, 1e9, 12), 4), np.tile([1e9, 2e9, 4e9, 8e9], 12)
    loss = (1.8 + 400 * n**-0.34 + 1100 * d**-0.33) * np.exp(
        0.003 * np.random.default_rng(0).standard_normal(48)
    )
    weights = np.r_[np.ones(47), 0.0]
    return jsl.Runs.from_columns(
        N=n, D=d, loss=loss, run=np.repeat(np.arange(12), 4), weights=weights
    )


def world():
    """Recipes whose loss is a power law of compute, with four checkpoints per run, and an accuracy
    that follows it.
    """
    rng = np.random.default_rng(1)
    floor, scale, power = (
        rng.uniform(*ends, RECIPES) for ends in ((0.45, 0.6), (2.7e18, 3.3e18), (0.13, 0.16))
    )
    recipe, n, seed, part = (
        v.ravel()
        for v in np.meshgrid(
            np.arange(RECIPES), SIZES, np.arange(SEEDS), [0.25, 0.5, 0.95, 1.0], indexing="ij"
        )
    )
    recipe, d = recipe.astype(int), 100 * n * part
    rng = np.random.default_rng(2)
    loss = (floor[recipe] + (scale[recipe] / (6 * n * d)) ** power[recipe]) * np.exp(
        0.004 * rng.standard_normal(len(n))
    )
    accuracy = 0.95 - 0.7 / (1 + np.exp(-4 * (loss - 1.1))) + 0.004 * rng.standard_normal(len(n))
    run = [f"{r}-{size:.4g}-{s:g}" for r, size, s in zip(recipe, n, seed, strict=True)]
    table = {"N": n, "D": d, "step": 1000 * part, "loss": loss, "accuracy": accuracy, "run": run}
    last = floor + (scale / 6e20) ** power
    truth = dict(zip(NAMES, (0.95 - 0.7 / (1 + np.exp(-4 * (last - 1.1)))).tolist(), strict=True))
    return jsl.Runs.from_columns(**table, groups={"recipe": [NAMES[r] for r in recipe]}), truth


def baselines():
    table, truth = world()
    yield (
        "baselines",
        lambda: (found := today.decisions(table, at=AT, truth=truth, resamples=50), repr(found)),
    )
    for name in EXTRAPOLATIONS:
        method = today.extrapolation(name)
        yield f"baseline {name}", lambda method=method, name=name: predicted(method, name, table)
    one = {"single_scale_rank": today.extrapolation("single_scale_rank")}
    largest = table.where(table["N"] == table["N"].max())
    yield (
        "a truth that is a table",
        lambda: today.decisions(table, at=AT, truth=largest, methods=one, resamples=50),
    )
    yield (
        "ranks at a small size",
        lambda: today.extrapolation("single_scale_rank")(table, {"N": SIZES[0]}, metric="loss"),
    )


def predicted(method, name, table):
    found = method(table) if name == "single_scale_rank" else method(table, AT)
    return {"found": found, "one": found[NAMES[1]], "printed": repr(found)}
