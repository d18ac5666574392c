"""IsoFLOP minima of every kind, envelopes, and the approaches side by side."""

import os

import numpy as np

import jaxscale as jsl
from jaxscale import costs

from . import today
from .made import BESIROGLU, sharp, simulated, smooth

BUDGETS = np.geomspace(1e18, 1e22, 7)
KINDS = ("parabola", "cubic", "akima")


def cases():
    for kind in KINDS:
        yield (
            f"{kind} without noise",
            lambda kind=kind: asked(today.isoflop(isoflop(0.0), kind=kind)),
        )
        yield (
            f"{kind} with noise",
            lambda kind=kind: asked(today.isoflop(isoflop(0.002), kind=kind)),
        )
        yield (
            f"{kind} of the embedded sweep",
            lambda kind=kind: asked(today.isoflop(simulated(), kind=kind)),
        )
        yield (
            f"{kind} of few sizes",
            lambda kind=kind: today.isoflop(isoflop(0.002, sizes=3), kind=kind),
        )
        yield (
            f"{kind} off centre",
            lambda kind=kind: today.isoflop(isoflop(0.0, shift=5.0), kind=kind),
        )
    yield "with strays", lambda: asked(today.isoflop(strays()))
    yield "of a lifetime", lambda: asked(today.isoflop(isoflop(0.0), cost=costs.Lifetime(1e9)))
    yield "envelope", lambda: asked(today.envelope(curves()))
    yield "envelope by run", lambda: asked(today.envelope(curves(True), points=60))
    yield "envelope of the embedded sweep", lambda: asked(today.envelope(simulated(), points=200))
    yield "approaches", lambda: today.approaches(sharp(), 1e22)
    yield "approaches of squares", lambda: rows(today.approaches(smooth(), 5.76e23))
    if "JAXSCALE_DATA_DIR" in os.environ:
        yield "hoffmann2022", lambda: real("hoffmann2022", slice(None))
        yield "isoflops_multi", lambda: real("isoflops_multi", "llama_3__raw_loss")


def asked(found):
    return {"found": found, "far": found.predict([1e24, 1e25]), "one": found.predict(1e24)}


def rows(found):
    return {"printed": repr(found), "law": found["law"], "rows": list(found.rows)}


def real(name, experiment):
    runs = jsl.datasets.load(name)
    runs = runs if isinstance(experiment, slice) else runs.where(runs["experiment"] == experiment)
    return {kind: today.isoflop(runs, kind=kind) for kind in KINDS}


def isoflop(noise, sizes=7, shift=1.0, width=4.0):
    """Sizes around the best of each budget."""
    p = {k: float(v) for k, v in BESIROGLU.params.items()}
    a = p["beta"] / (p["alpha"] + p["beta"])
    best = (
        shift
        * (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
        * (BUDGETS / 6) ** a
    )
    n = np.outer(best, np.geomspace(1 / width, width, sizes)).ravel()
    d = np.repeat(BUDGETS, sizes) / (6 * n)
    loss = BESIROGLU(n, d) * np.exp(noise * np.random.default_rng(0).standard_normal(len(n)))
    return jsl.Runs.from_columns(N=n, D=d, loss=loss)


def strays():
    rng, own = np.random.default_rng(1), isoflop(0.0, sizes=9)
    n = np.append(own["N"], np.exp(rng.uniform(18, 23, 15)))
    d = np.append(
        own["D"] * np.exp(rng.uniform(-0.05, 0.05, len(own))), np.exp(rng.uniform(20, 26, 15))
    )
    return jsl.Runs.from_columns(
        N=n, D=d, loss=BESIROGLU(n, d), weights=np.where(np.arange(len(n)) % 7 == 3, 2.0, 1.0)
    )


def curves(by_run=False):
    rng = np.random.default_rng(2)
    sizes = np.array([1e8, 1e8, 2e8, 4e8, 8e8, 1.6e9]) if by_run else np.geomspace(1e8, 3e9, 7)
    n = np.repeat(sizes, 12)
    d = np.concatenate(
        [np.sort(np.exp(rng.uniform(np.log(s * 3), np.log(s * 300), 12))) for s in sizes]
    )
    loss = BESIROGLU(n, d) * np.exp(0.003 * rng.standard_normal(len(n)))
    return jsl.Runs.from_columns(
        N=n, D=d, loss=loss, **({"run": np.repeat(np.arange(6), 12)} if by_run else {})
    )
