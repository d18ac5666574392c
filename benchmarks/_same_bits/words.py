"""Rules of the catalogue, schedules, costs, units, the words that are found, and the
command line.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

import jaxscale as jsl

from . import today
from .record import ROOT, plain

SCOPE = {
    **{name: getattr(jsl.laws, name) for name in jsl.laws.__all__},
    "jsl": jsl,
    "allocate": jsl.allocate,
    "schedules": jsl.schedules,
    "np": np,
}


def cases():
    yield (
        "public names",
        lambda: {
            "names": sorted(jsl.__all__),
            "laws": sorted(jsl.laws.__all__),
            "spaces": spaces(),
        },
    )
    for word in (
        "repeated data",
        "mixture",
        "batch",
        "muP",
        "learning rate",
        "sparse",
        "downstream",
        "zebra",
    ):
        yield f"find {word}", lambda word=word: str(jsl.laws.find(word))
    for name in jsl.laws.__all__:
        if not isinstance(getattr(jsl.laws, name), jsl.Law) and callable(getattr(jsl.laws, name)):
            yield f"describe {name}", lambda name=name: described(name)
    for i, (name, expression) in enumerate(rules()):
        yield f"rule {i} {name}", lambda expression=expression: numbers(expression)
    yield from schedules()
    yield from costs_and_units()
    yield "help", lambda: command("--help")
    yield "help of the demo", lambda: command("demo", "--help")
    yield "the demo", demo


def spaces():
    """The public names of every namespace."""
    named = ("baselines", "costs", "datasets", "objectives", "plots", "schedules", "units")
    return {
        "solvers": ["Newton", "Optax"],
        **{name: names_of(getattr(jsl, name)) for name in named if hasattr(jsl, name)},
    }


def names_of(space):
    """Those that it lists, or those that it defines."""
    own = {
        k
        for k, v in vars(space).items()
        if not k.startswith("_") and getattr(v, "__module__", "") == space.__name__
    }
    return sorted(getattr(space, "__all__", own))


def described(name):
    item = getattr(jsl.laws, name)
    return {"describe": jsl.laws.describe(item), "cite": today.cite(item)}


def rules():
    """Every expression of the catalogue's tables that plans nothing, in their order."""
    for path in sorted((ROOT / "tests").rglob("catalogue/*.checks.tsv")):
        for row in csv.reader(
            path.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE
        ):
            if (
                row
                and not row[0].startswith("#")
                and "allocate" not in row[2]
                and "fit(" not in row[2]
            ):
                yield row[0], row[2]


def numbers(expression):
    return np.ravel(np.asarray(eval(expression, dict(SCOPE)), float))


def schedules():
    own = jsl.schedules
    at = np.array([100, 500, 999])
    made = {
        "constant": lambda: own.constant(3e-4, 1000, warm_up=50),
        "linear": lambda: own.linear(3e-4, 1000, end=3e-5),
        "cosine": lambda: own.cosine(3e-4, 1000, end=3e-5, warm_up=100),
        **{
            f"wsd {s}": lambda s=s: own.wsd(3e-4, 1000, cooldown=0.2, shape=s, end=3e-5)
            for s in ("exponential", *own.SHAPES)
        },
        "power": lambda: own.power(
            0.02, 3001, batch=1024, context=4096, cooldown=0.1, end=1e-4, warm_up=100
        ),
    }
    for name, make in made.items():
        yield (
            f"schedule {name}",
            lambda make=make: {
                "rates": (eta := make()),
                "annealing": own.annealing(eta, at),
                "decrements": own.decrements(eta, at, bins=4),
                "from peak": own.decrements(eta, at, bins=4, convention="from_peak", area=0.3),
            },
        )
    yield (
        "power_onset",
        lambda: [own.power_onset(1024), own.power_rate(np.geomspace(1e9, 1e12, 5), 1024)],
    )


def costs_and_units():
    costs, units = jsl.costs, jsl.units
    n, d = np.geomspace(1e8, 1e10, 3), np.geomspace(1e10, 1e12, 3)
    yield (
        "costs",
        lambda: {
            "train": costs.Train()(n, d),
            "lifetime": costs.Lifetime(inference_tokens=1e12)(n, d),
            "words": [repr(costs.Train()), repr(costs.Lifetime(1e12))],
            "inference": costs.inference(n, 1e12),
            "parameters": costs.transformer_parameters(512, 8, vocabulary=32_000, tied=False),
            "flop": costs.transformer_flop(512, 8, context=2048, vocabulary=32_000),
            "train of a shape": costs.transformer_train(
                np.array([512, 1024]), 8, 1e9, context=2048, vocabulary=50304
            ),
        },
    )
    yield (
        "units",
        lambda: {
            "named": {
                k: repr(v)
                for k, v in sorted(vars(units).items())
                if k[0].isupper() and "Unit(" in repr(v)
            },
            "billion": repr(units.billion(units.Tokens)),
            "bytes": units.bits_per_byte(np.array([2.5, 3.0]), 4.3),
            "tokens": units.nats_per_token(np.array([0.8, 0.9]), 4.3),
        },
    )
    yield "slope of a cost", slope_of_a_cost


def slope_of_a_cost():
    with jax.enable_x64(True):
        return jax.grad(lambda n: jsl.costs.Lifetime(1e12)(n, 2e10))(1e9)


def command(*arguments, folder=None):
    """What the command line prints."""
    call = [sys.executable, "-m", "jaxscale.cli", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    done = subprocess.run(call, capture_output=True, text=True, env=env, cwd=folder or ROOT)
    return {"code": done.returncode, "out": plain(done.stdout), "error": plain(done.stderr)}


def demo():
    with tempfile.TemporaryDirectory() as folder:
        out = command("demo", "--resamples", "60", "--output", folder)
        files = {p.name: plain(p.read_text()) for p in sorted(Path(folder).glob("*.txt"))}
        lines = (Path(folder) / "demo.json").read_text().splitlines()
        kept = [line for line in lines if '"seconds"' not in line and "version" not in line]
        return {**out, "files": files, "json": "\n".join(kept)}
