"""The registry: where each table comes from, what its columns are, and what was published about it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """One table. `url` is None for tables that are embedded or local only; `variants` are values of `rows=`."""

    about: str
    source: str
    licence: str
    published: str
    variants: tuple[str, ...] = ("default",)
    files: dict[str, str] = field(default_factory=dict)  # file below the data directory, by variant
    sha256: dict[str, str] = field(default_factory=dict)  # of each file
    url: dict[str, str] = field(default_factory=dict)


_EPOCH = "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e"
_MISFITTING = "https://raw.githubusercontent.com/hadasah/scaling_laws/1f3708c0a12df0effb0ee906b1da5f9f0ff4f4f1"

REGISTRY = {
    "hoffmann2022": Entry(
        about="L(N, D): 245 runs of Hoffmann et al. 2022, read off figure 4 by Epoch. D is not in the file: it is "
        "C / (6 N). rows='default' leaves out the 5 highest losses as Besiroglu et al. do (240 rows), rows='all' keeps them.",
        source="epoch-research/analyzing-chinchilla, data/svg_extracted_data.csv",
        licence="none stated: not part of this package",
        published="Besiroglu et al. 2024: E 1.8172, A 482.01, B 2085.43, alpha .3478, beta .3658",
        variants=("default", "all"),
        files=dict.fromkeys(("default", "all"), "chinchilla_epoch/svg_extracted_data.csv"),
        sha256={"chinchilla_epoch/svg_extracted_data.csv": "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30"},
        url={"chinchilla_epoch/svg_extracted_data.csv": f"{_EPOCH}/data/svg_extracted_data.csv"},
    ),
    "misfitting": Entry(
        about="L(N, D): 261 runs at their last checkpoint, untuned learning rates included; rows='all' has all 4,852 "
        "checkpoints with their `run`. N includes embeddings, N_no_emb does not.",
        source="hadasah/scaling_laws, data/scaling_results_last_ckpt_only.csv and data/scaling_results.csv",
        licence="none stated: not part of this package",
        published="Li, Kudugunta and Zettlemoyer 2025: sum of log-Huber 0.005021654212 on the 261 rows",
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
        about="L(N, D, U) with repeated data: the 182 runs that Muennighoff et al. fitted; rows='all' has 296 runs.",
        source="huggingface/datablations, extracted from utils/parametric_fit.ipynb: local only",
        licence="Apache-2.0",
        published="Muennighoff et al. 2023: R_D* 15.39, R_N* 5.31, objective 0.0158259 (not the best optimum)",
        variants=("default", "all"),
        files={"default": "datablations/datablations_fit182.csv", "all": "datablations/datablations_runs.csv"},
        sha256={
            "datablations/datablations_fit182.csv": "490c07b5def4ef43a82ea27458430b4136a33c5d2c31e0c0c538297923106510",
            "datablations/datablations_runs.csv": "679b488c19db7bc1550f4b77286b4b21f940e4dcc92c6a2167b1118c80c95c6b",
        },
    ),
    "public_models": Entry(
        about="L(N, D) of 30 public models (Cerebras-GPT, Pythia, GPT-NeoX, GPT-J): nominal parameters, training FLOP and "
        "Pile test loss per GPT-2 token. D is C / (6 N). Groups: family. These rows do not identify a five-parameter law.",
        source="figures of the zero-shot table in the Cerebras-GPT model card (Dey et al. 2023, arXiv 2304.03208)",
        licence="published figures, typed",
        published="one loss (Pythia deduped 1.4B, 1.889) is out of line and probably a slip in the source",
    ),
    "simulated": Entry(
        about="L(N, D): 60 simulated runs with 0.5 % noise around a known law, E 1.7, A 400, B 1100, alpha .34, beta .33.",
        source="made by this package from a fixed seed",
        licence="Apache-2.0",
        published="the truth: E 1.7, A 400, B 1100, alpha .34, beta .33",
    ),
}
