"""Tables of final losses: L(N, D) and L(N, D, U)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..costs import Train
from ..table._runs import Runs
from ._entry import Entry
from ._read import saying

_EPOCH = "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e"
_ISOFLOPS = "https://raw.githubusercontent.com/Open-Athena/scaling-law-analysis/3e0656ee3dce1a2c89aa67691920f5eb9d30f0fc"
_MISFITTING = "https://raw.githubusercontent.com/hadasah/scaling_laws/1f3708c0a12df0effb0ee906b1da5f9f0ff4f4f1"

ENTRIES = {
    "hoffmann2022": Entry(
        about="L(N, D): 245 runs of Hoffmann et al. 2022, read off figure 4 by Epoch. D is not in "
        "the file: it is C / (6 N). rows='default' leaves out the 5 highest losses as Besiroglu "
        "et al. do (240 rows), rows='all' keeps them.",
        source="epoch-research/analyzing-chinchilla, data/svg_extracted_data.csv",
        licence="none stated: not part of this package",
        published="Besiroglu et al. 2024: E 1.8172, A 482.01, B 2085.43, alpha .3478, beta .3658; "
        "all 245: E 1.89, A 463.3, B 12530, alpha .345, beta .452. Hoffmann et al. fitted other "
        "rows than these, to E 1.69, A 406.4, B 410.7, alpha .34, beta .28. Open-Athena, the 217 "
        "rows below 1e21 FLOP: alpha .351, beta .459 (least squares), .324, .406 (Huber)",
        variants=("default", "all"),
        files=dict.fromkeys(("default", "all"), "chinchilla_epoch/svg_extracted_data.csv"),
        sha256={
            "chinchilla_epoch/svg_extracted_data.csv": "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30"
        },
        url={"chinchilla_epoch/svg_extracted_data.csv": f"{_EPOCH}/data/svg_extracted_data.csv"},
    ),
    "misfitting": Entry(
        about="L(N, D): 261 runs at their last checkpoint, untuned learning rates included; "
        "rows='all' has all 4,852 checkpoints with their `run`. N includes embeddings, N_no_emb "
        "does not.",
        source="hadasah/scaling_laws, data/scaling_results_last_ckpt_only.csv and "
        "data/scaling_results.csv",
        licence="none stated: not part of this package",
        published="Li, Kudugunta and Zettlemoyer 2025: sum of log-Huber 0.005021654212 on the 261 "
        "rows at alpha .2002, beta .6357; 0.005243705788 at alpha = beta = .6034",
        variants=("default", "all"),
        files={
            "default": "misfitting/scaling_results_last_ckpt_only.csv",
            "all": "misfitting/scaling_results.csv",
        },
        sha256={
            "misfitting/scaling_results_last_ckpt_only.csv": "cd96b9eb8e5b2adc80e6739a642dd8554590edc96234d36859ab6ed0f5c30562",
            "misfitting/scaling_results.csv": "193b4b7665365112605417e2ef06d55efe599cfa08412354e3ae42c3af7a9f58",
        },
        url={
            "misfitting/scaling_results_last_ckpt_only.csv": f"{_MISFITTING}/data/scaling_results_last_ckpt_only.csv",
            "misfitting/scaling_results.csv": f"{_MISFITTING}/data/scaling_results.csv",
        },
    ),
    "datablations": Entry(
        about="L(N, D, U) with repeated data: the 182 runs that Muennighoff et al. fitted; "
        "rows='all' has 296 runs, with 64 other seeds and 50 that the authors left out by hand. "
        "Loss: val_loss.",
        source="huggingface/datablations, extracted from utils/parametric_fit.ipynb: local only",
        licence="Apache-2.0",
        published="Muennighoff et al. 2023, other coefficients held: R_D* 15.39, R_N* 5.31, "
        "objective 0.0158259, one of five local optima (the best: R_D* 95.4, R_N* 1.71, "
        "0.0158047); without decay of parameters R_D* 2.916, objective 0.0169224",
        variants=("default", "all"),
        files={
            "default": "datablations/datablations_fit182.csv",
            "all": "datablations/datablations_runs.csv",
        },
        sha256={
            "datablations/datablations_fit182.csv": "490c07b5def4ef43a82ea27458430b4136a33c5d2c31e0c0c538297923106510",
            "datablations/datablations_runs.csv": "679b488c19db7bc1550f4b77286b4b21f940e4dcc92c6a2167b1118c80c95c6b",
        },
    ),
    "isoflops_multi": Entry(
        about="L(N, D) at fixed compute: 8 sweeps (group `experiment`) of Chinchilla, Llama 3, "
        "Marin and others, C the budget of the sweep. rows='default' has the 750 runs that the "
        "collection keeps, rows='all' 947 with the `reason` of those it does not. Take one "
        "experiment at a time: Chinchilla's runs are in it from two readings, those of Llama 3 "
        "with their losses (0.7 to 0.9) and the exponentials of these.",
        source="Open-Athena/scaling-law-analysis, data/isoflops/transform/isoflops.csv",
        licence="none stated: not part of this package",
        published="Llama Team 2024: D* = 0.299 C^0.537. Parabolas through the kept runs: N* as "
        "C^0.54 (Chinchilla), C^0.50 (Llama 3), C^0.43 to C^0.44 (Marin)",
        variants=("default", "all"),
        files=dict.fromkeys(("default", "all"), "isoflops_multi/isoflops.csv"),
        sha256={
            "isoflops_multi/isoflops.csv": "b04d611253611490c5cc339fb95cb28d4f38f279a97438cb804a80f03171caa0"
        },
        url={"isoflops_multi/isoflops.csv": f"{_ISOFLOPS}/data/isoflops/transform/isoflops.csv"},
    ),
}


def _hoffmann2022(path: Path, rows: str) -> Runs:
    table = Runs.from_csv(path, N="Model Size", C="Training FLOP")
    said = ["D is not in the file: D = C / (6 N)"]
    keep = table["loss"] > 0
    if rows == "default":
        keep = table["loss"] < sorted(table["loss"])[-5]
        said.append(
            "the 5 highest losses are left out, as Besiroglu et al. 2024 do; rows='all' keeps them"
        )
    runs = Runs.from_columns(
        N=table["N"], C=table["C"], D=table["C"] / Train()(table["N"], 1.0), loss=table["loss"]
    )
    return saying(runs.where(keep), said)


def _misfitting(path: Path, rows: str) -> Runs:
    groups = ["model", "total_steps", "peak_lr", "sweep"]
    table = Runs.from_csv(path, columns=["N", "D", "N_no_emb", "peak_lr"], groups=groups)
    columns: dict[str, Any] = {c: table[c] for c in ("N", "D", "N_no_emb", "peak_lr", "loss")}
    if rows == "default":
        return saying(
            Runs.from_columns(**columns, groups={"model": table["model"]}),
            ["untuned learning rates are included"],
        )
    run = [
        "/".join(map(str, parts))
        for parts in zip(*(table[g].tolist() for g in groups), strict=True)
    ]
    return Runs.from_columns(**columns, run=run)


def _datablations(path: Path, rows: str) -> Runs:
    return Runs.from_csv(path, N="params", D="tokens", U="unique_tokens", target="val_loss")


def _isoflops_multi(path: Path, rows: str) -> Runs:
    groups = ["experiment", "reason"]
    said = [
        "N of Llama 3 is C / (6 D), not a count",
        "C is a nominal budget: 6 N D is 0.9 to 1.35 of it in Marin's sweeps and ML-Scalefit's",
    ]
    table = Runs.from_csv(path, N="params", D="tokens", C="budget", groups=groups)
    if rows == "all":
        return saying(table, said)
    runs = table.where(table["reason"] == "none")
    columns: dict[str, Any] = {c: runs[c] for c in ("N", "D", "C", "loss")}
    return saying(Runs.from_columns(**columns, groups={"experiment": runs["experiment"]}), said)


READERS = {
    "hoffmann2022": _hoffmann2022,
    "misfitting": _misfitting,
    "datablations": _datablations,
    "isoflops_multi": _isoflops_multi,
}
