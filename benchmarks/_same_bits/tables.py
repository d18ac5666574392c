"""Tables: from columns, files and frames; the verbs that choose, average and weight rows; every
registered table.
"""

import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import jaxscale as jsl
from jaxscale import units

from . import today
from .made import columns, simulated

SMALL = {
    "N": [1e9, 1e8, 4e9, 3e8, 2e9, 8e9],
    "D": [2e10, 2e9, 8e10, 6e9, 3e10, 2e11],
    "loss": [2.6, 3.4, 2.3, 3.0, 2.45, 2.2],
}
CURVES = {
    "N": np.repeat([1e8, 1e9], [4, 6]),
    "D": np.concatenate([[1e9, 2e9, 4e9, 8e9], [1e9, 2e9, 4e9, 8e9, 1.6e10, 3.2e10]]),
    "loss": np.concatenate([[4.0, 3.6, 3.3, 3.1], [3.9, 3.4, 3.0, 2.8, 2.6, 2.5]]),
    "run": np.repeat(["a", "b"], [4, 6]),
}
FILES = {
    "plain": ("N,D,loss\n1e8,2e9,3.1\n1e9,2e10,2.6\n4e9,8e10,2.3\n", {"columns": ("N", "D")}),
    "renamed": (
        "params,tokens,final,family\n1e8,2,3.1,a\n1e9,20,2.6,a\n4e9,80,2.3,b\n",
        {
            "N": "params",
            "D": "tokens",
            "target": "final",
            "groups": ("family",),
            "units": {"D": units.billion(units.Tokens)},
        },
    ),
    "weights and drops": (
        "N,D,loss,w\n1e8,2e9,3.1,1\n1e9,,2.6,1\n4e9,8e10,2.3,2\n5e9,9e10,2.25,0\n",
        {"columns": ("N", "D"), "weights": "w", "on_bad": "drop"},
    ),
    "seeds that miss": ("N,D,loss,seed\n1e8,2e9,3.1,\n1e9,2e10,2.6,1\n", {}),
    "checkpoints": (
        "N,D,loss,run,step\n1e8,1e9,3.5,a,1\n1e8,2e9,3.1,a,2\n1e9,1e9,3.3,b,1\n1e9,2e9,2.9,b,2\n",
        {},
    ),
    "shares": (
        "web,code,books,loss\n.5,.3,.2,3.1\n.2,.3,.5,3.0\n.1,.8,.1,3.3\n",
        {"r": ["web", "code", "books"]},
    ),
    "bits": (
        "N,D,loss\n1e8,2e9,4.1\n1e9,2e10,3.6\n",
        {"columns": ("N", "D"), "units": {"loss": units.Bits}},
    ),
}

SLOW = {("multipowerlaw", "all")}  # half a minute, by the reader of its other rows
# the others are files
EMBEDDED = ("public_models", "simulated", "vlm_tokens", "tissue2024", "mu_scaling", "rectified")


def cases():
    for name, (text, options) in FILES.items():
        yield f"csv {name}", lambda text=text, options=options: from_text(text, options)
    data = SMALL | {"family": list("abcabc"), "run": list("aabbcc")}
    for name, make in {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}.items():
        yield (
            f"frame {name}",
            lambda make=make: jsl.Runs.from_frame(
                make(data), columns=("N", "D"), groups=("family",)
            ),
        )
        yield f"frame {name} as it is", lambda make=make: jsl.Runs.from_frame(make(data))
    yield from made()
    yield from verbs()
    for name in jsl.datasets.names():
        yield f"describe {name}", lambda name=name: jsl.datasets.describe(name)
        for rows in variants(name) if name in EMBEDDED or "JAXSCALE_DATA_DIR" in os.environ else ():
            if (name, rows) in SLOW:
                continue
            yield (
                f"table {name} {rows}",
                lambda name=name, rows=rows: jsl.datasets.load(name, rows=rows),
            )


def from_text(text, options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.csv"
        path.write_text(text)
        return jsl.Runs.from_csv(path, **options)


def made():
    runs = jsl.Runs.from_columns
    yield "columns", lambda: runs(**SMALL)
    yield "columns with weights", lambda: runs(**SMALL, weights=[1, 0, 2, 3, 0.5, 0])
    yield (
        "columns with groups",
        lambda: runs(**SMALL, groups={"family": list("babacc"), "size": [10, 2, 10, 2, 3, 3]}),
    )
    yield "columns of runs", lambda: runs(**SMALL, run=list("aabbcc"), seed=[0, 0, 1, 1, 2, 2])
    yield (
        "columns in other units",
        lambda: runs(
            N=np.array(SMALL["N"]) / 1e9,
            D=np.array(SMALL["D"]) / 1e9,
            loss=np.exp(SMALL["loss"]),
            units={
                "N": units.billion(units.Params),
                "D": units.billion(units.Tokens),
                "loss": units.Perplexity,
            },
        ),
    )
    yield (
        "columns that drop",
        lambda: runs(**SMALL | {"loss": [2.6, None, 2.3, -1.0, 2.4, 2.2]}, on_bad="drop"),
    )
    yield "columns of no target", lambda: runs(n=np.full(4, 10.0), c=np.arange(4.0), target=None)
    yield "columns with copies", lambda: runs(**{k: np.tile(v, 2) for k, v in SMALL.items()})
    yield "columns too small", lambda: runs(**SMALL | {"D": np.array(SMALL["D"]) / 1e9})
    yield "columns of shares", lambda: runs(r=[[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]], loss=[3.0, 3.1])


def verbs():
    curves = jsl.Runs.from_columns(**CURVES, schedule=np.repeat(["cosine", "constant"], [4, 6]))
    tuned = jsl.Runs.from_columns(
        N=np.repeat([1e8, 1e9], 4), D=np.repeat([2e9, 4e9], 4),
        lr=np.tile([1e-4, 3e-4, 1e-3, 3e-3], 2),
        loss=[3.0, 2.9, 2.95, 3.1, 2.6, 2.5, 2.502, 2.7],
    )  # fmt: skip
    yield "where", lambda: simulated().where(simulated()["loss"] < 2.6)
    yield (
        "best",
        lambda: [
            tuned.best(),
            tuned.best(within=0.01),
            today.best(tuned, cell="N"),
            today.best(tuned, cell=("N", "D"), within=0.05),
        ],
    )
    yield "late", lambda: [curves.late(tokens=4e9), curves.late(share=0.25)]
    yield "smoothed", lambda: [curves.smoothed(1), curves.smoothed(3), curves.smoothed(5)]
    yield "balanced", curves.balanced
    yield (
        "using",
        lambda: jsl.Runs.from_columns(**columns(N_all=columns()["N"] * 1.1)).using(N="N_all"),
    )
    yield "columns read back", lambda: {k: curves[k] for k in ("N", "D", "loss", "run", "schedule")}
    for verb in ("smoothed", "balanced"):
        yield f"{verb} without runs", lambda verb=verb: getattr(simulated(), verb)()
    yield "best of no column", lambda: today.best(tuned, cell="Nn")
    yield "where of nothing", lambda: tuned.where(tuned["loss"] > 9)


def variants(name):
    """What `rows=` may be, from the error that names it."""
    try:
        jsl.datasets.load(name, rows="?")
    except ValueError as error:
        return sorted(re.search(r"[Tt]here is:? (.*?)\.?$", str(error)).group(1).split(", "))
    return ["default"]
