"""Tables in which the architecture varies: experts and routers, vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..laws.architecture import tokens_per_character
from ..table._runs import Runs
from ..units import (
    Characters,
    Count,
    DenseParams,
    Experts,
    NonEmbeddingParams,
    Number,
    Params,
    Positive,
)
from ._entry import Entry
from ._read import column, lines, saying

_ROUTING = "https://raw.githubusercontent.com/google-deepmind/scaling_laws_for_routing/42da0c392b127df2c01fa7b705f72396050d05e5"
_VOCABULARY = "https://raw.githubusercontent.com/sail-sg/scaling-with-vocab/6701cc202af8b075a46eef8e9d263b3f2ebe012c"
_ROUTERS = {"sbase": "S-Base", "rlr": "RL-R", "hash": "Hash"}

ENTRIES = {
    "routed_moe": Entry(
        about="L(N, E): routed models of Clark et al. after 130B tokens; N counts the dense model "
        "(one expert), E the experts; loss on the validation set. rows='default' has the 163 "
        "models that the authors fit: last step, every second layer routed, one expert per token, "
        "seed 42. 'sbase', 'rlr' and 'hash' are one router with the 5 dense models as E = 1, "
        "'dense' these alone. 'all' has 5,791 evaluations of 223 models with `run`, `step`, `k`, "
        "`routing_frequency` and `total` parameters; 8 evaluations without a loss are dropped. "
        "Groups: router.",
        source="google-deepmind/scaling_laws_for_routing, data/curves.csv.gz",
        licence="CC BY 4.0 (non-software materials of the repository)",
        published="Clark et al. 2022, table 3 (a, b, c, d, E_start, E_max): S-Base -.082 -.108 "
        ".009 1.104 1.847 314.5, RL-R -.083 -.126 .012 1.111 1.88 470, Hash -.087 -.136 .012 "
        "1.157 4.175 477.7; dense exponent .078. E_start and E_max are weakly determined",
        variants=("default", *_ROUTERS, "dense", "all"),
        files=dict.fromkeys(("default", *_ROUTERS, "dense", "all"), "routed_moe/curves.csv.gz"),
        sha256={
            "routed_moe/curves.csv.gz": "c03e7531add85e594f368d33bac4a0220280be858a7ed12d147cf73af6a3819f"
        },
        url={"routed_moe/curves.csv.gz": f"{_ROUTING}/data/curves.csv.gz"},
    ),
    "vocab": Entry(
        about="Lu(N, V, d, D), the loss minus a unigram model's (negative): 60 models (6 sizes, "
        "10 vocabularies V of width d), 20 evaluations each, with `run`; N leaves out the "
        "vocabulary, H are training characters. rows='default' has the 1,054 evaluations of "
        "2.18e17 FLOP or more, with D as the authors' fit takes it, H tokens_per_character(V / "
        "1000). rows='tokens' has D in tokens, H tokens_per_character(V), which is what C = 6 (N "
        "+ V d) D holds for exactly. rows='all' has 1,200 evaluations, D in tokens.",
        source="sail-sg/scaling-with-vocab, exp_data.csv",
        licence="none stated: not part of this package",
        published="Tao et al. 2024: E 5.5328, A1 1.8314, A2 .19584, B 2.1241, alpha1 = beta "
        ".44661, alpha2 .67074 (N and V d in millions, D in billions): R^2 .9717 with D as in "
        "'default', .036 with tokens",
        variants=("default", "tokens", "all"),
        files=dict.fromkeys(("default", "tokens", "all"), "vocab/exp_data.csv"),
        sha256={
            "vocab/exp_data.csv": "6571e877469a44cb50b2d05e1fa485587369ee1c47941a4b3b2bfef80496f1b2"
        },
        url={"vocab/exp_data.csv": f"{_VOCABULARY}/exp_data.csv"},
    ),
}


def _routed_moe(path: Path, rows: str) -> Runs:
    table = lines(path)
    if rows != "all":
        last = {
            line["hyper_id"]: line for line in sorted(table, key=lambda line: int(line["step"]))
        }
        usual = {"routing_frequency": "0.5", "k": "1", "seed": "42"}
        kept = {
            "Dense",
            *(
                [_ROUTERS[rows]]
                if rows in _ROUTERS
                else []
                if rows == "dense"
                else _ROUTERS.values()
            ),
        }
        table = [
            r
            for r in last.values()
            if r["router_type"] in kept and all(r[c] == v for c, v in usual.items())
        ]
    missing = [r for r in table if not r["loss_validation"]]
    table = [r for r in table if r["loss_validation"]]
    names = {"N": "dense_parameter_count", "E": "num_experts", "loss": "loss_validation"}
    units: dict[str, Any] = {"N": DenseParams, "E": Experts}
    groups = {"router": [line["router_type"] for line in table]}
    if rows == "all":
        names |= {c: c for c in ("step", "k", "routing_frequency")} | {
            "total": "total_parameter_count"
        }
    columns: dict[str, Any] = {c: column(table, name) for c, name in names.items()}
    if rows != "all":
        return Runs.from_columns(**columns, units=units, groups=groups)
    units |= {"step": Count, "k": Experts, "total": Params}
    runs = Runs.from_columns(
        **columns, units=units, groups=groups, run=[line["hyper_id"] for line in table]
    )
    return saying(runs, [f"{len(missing)} evaluations have no validation loss and are left out"])


def _vocab(path: Path, rows: str) -> Runs:
    names = {
        "N": "Non_vocab_parameters",
        "V": "vocab_size",
        "d": "embed_dim",
        "H": "num_characters",
        "C": "FLOPs",
    }
    table = Runs.from_csv(path, target="Lossu", units={"Lossu": Number}, **names)
    columns: dict[str, Any] = {c: table[c] for c in names}
    rate = tokens_per_character(columns["V"] / (1000 if rows == "default" else 1))
    runs = Runs.from_columns(
        **columns,
        D=columns["H"] * np.asarray(rate, np.float64),
        Lu=table["Lossu"],
        run=[f"{n:.3g}/{v:.0f}" for n, v in zip(columns["N"], columns["V"], strict=True)],
        target="Lu",
        units={
            "N": NonEmbeddingParams,
            "V": Positive,
            "d": Positive,
            "H": Characters,
            "Lu": Number,
        },
    )
    said = ["D is not in the file: D = H tokens_per_character(V)"]
    if rows == "default":
        said = [
            "D = H tokens_per_character(V / 1000), about three times the tokens, as in the "
            "authors' fit; rows='tokens' has tokens"
        ]
    if rows != "all":
        runs = runs.where(runs["C"] >= 2.18e17)
        said.append(
            "146 evaluations below 2.18e17 FLOP are left out, as the authors do; rows='all' "
            "keeps them"
        )
    return saying(runs, said)


READERS = {"routed_moe": _routed_moe, "vocab": _vocab}
