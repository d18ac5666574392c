"""Tables of sweeps over learning rate and batch size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..table._runs import Runs
from ..units import ActiveParams, LearningRate, NonEmbeddingParams, Tokens
from ._entry import Entry
from ._read import saying

_STEPLAW = "https://raw.githubusercontent.com/step-law/steplaw/32a8f4cc50247695fb56cc6c9117abdf67c97763/data"
_DENSE, _MOE = "steplaw/dense_lr_bs_loss.csv", "steplaw/moe_lr_bs_loss.csv"
# a run is near-optimal when its loss is less than this share above the best of its cell
_NEAR = 0.0025

ENTRIES = {
    "steplaw": Entry(
        about="Learning rate eta and batch B at which 17 combinations (N, D) of dense models "
        "train best. rows='default': eta of the 129 runs whose loss is within 0.25 % of the best "
        "of their (N, D), as the authors fit; 'batch': B of the same runs; 'argmin' and "
        "'batch_argmin': eta and B of the 17 best runs alone, which are noise of the grid. "
        "rows='all' has the smoothed loss of all 1,911 runs, diverged ones included, with eta and "
        "B; rows='moe' that of 708 sparse models, where N_active are the active parameters. N "
        "leaves out embeddings. Groups: cell, which is one (N, D).",
        source="step-law/steplaw, data/dense_lr_bs_loss.csv and data/moe_lr_bs_loss.csv",
        licence="none stated: not part of this package",
        published="Li et al. 2025 (arXiv 2503.04715), means over bootstrap resamples: eta 1.797 "
        "N^-.71292 D^.30749, B .581 D^.57094. Least squares of logarithms on the released runs "
        "gives 77.7 N^-.766 D^.197 and .2085 D^.6125, on the best runs 30.1 N^-.823 D^.288 and "
        "3.416 D^.498 (recomputed)",
        variants=("default", "batch", "argmin", "batch_argmin", "all", "moe"),
        files={
            **dict.fromkeys(("default", "batch", "argmin", "batch_argmin", "all"), _DENSE),
            "moe": _MOE,
        },
        sha256={
            _DENSE: "9e46181076c04d450294d75dfe6f72adc416e231e154a07b337e378f9410002c",
            _MOE: "653d585244a7b227423007e8b796bc16d76f6d24eb87b1919b8f048a91897b92",
        },
        url={file: f"{_STEPLAW}/{file.partition('/')[2]}" for file in (_DENSE, _MOE)},
    ),
}


def _steplaw(path: Path, rows: str) -> Runs:
    names: dict[str, Any] = {
        "N": "N",
        "D": "D",
        "eta": "lr",
        "sequences": "bs",
        "loss": "smooth loss",
    }
    names |= {"N_active": "Na"} if rows == "moe" else {}
    table = Runs.from_csv(path, **names)
    sizes = table["N_active" if rows == "moe" else "N"]
    cell = np.array([f"N={n:.4g} D={d:.4g}" for n, d in zip(sizes, table["D"], strict=True)])
    keep = np.ones(len(table), bool)
    said = ["loss is the smoothed loss; B is the number of sequences times 2,048 tokens"]
    if rows not in ("all", "moe"):
        best = {c: np.min(table["loss"][cell == c]) for c in np.unique(cell)}
        excess = table["loss"] / np.array([best[c] for c in cell]) - 1
        keep = excess == 0 if rows.endswith("argmin") else excess < _NEAR
        share = "" if rows.endswith("argmin") else "more than 0.25 % "
        said.append(
            f"{len(keep) - keep.sum()} runs are left out: their loss is {share}above the best of "
            f"their (N, D)"
        )
    columns: dict[str, Any] = {c: table[c] for c in names if c != "sequences"}
    runs = Runs.from_columns(
        **columns,
        B=2048 * table["sequences"],
        target="loss" if rows in ("all", "moe") else "B" if rows.startswith("batch") else "eta",
        groups={"cell": cell},
        units={"N": NonEmbeddingParams, "eta": LearningRate, "B": Tokens}
        | ({"N_active": ActiveParams} if rows == "moe" else {}),
    ).where(keep)
    return saying(runs, said)


READERS = {"steplaw": _steplaw}
