"""Tables in which loss or size is turned into something else: loss on another corpus, coverage,
benchmark scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..costs import Train
from ..table._runs import Runs
from ..units import Count, Fraction, Nats, Params, Samples, Tokens
from ._entry import Entry
from ._read import column, lines, saying

_KEMPNER = "https://raw.githubusercontent.com/KempnerInstitute/loss-to-loss-notebooks/457ce81a019019bc3981937c20a70c52f5fad436/data"
_OBSERVATIONAL = "https://raw.githubusercontent.com/ryoungj/ObsScaling/4d6e1e43fd2635d04654aa77d1df9d5266ea0382/eval_results"
_SLOTH = "https://raw.githubusercontent.com/felipemaiapolo/sloth/6dc6bb3efeefc7c1db01d60cba1f4b73e5d260d1/data"

_SWEEP, _EXTRAPOLATION = "loss_to_loss/sweep.csv", "loss_to_loss/extrapolation.csv"
_CORPORA = {
    "fineweb-100b": "fineweb",
    "fineweb-edu-100b": "fineweb-edu",
    "proof-pile-2": "proof-pile-2",
    "slimpajama-chunk1": "slimpajama",
    "smollm-corpus": "smollm",
    "starcoder": "starcoder",
}
_MEASURED = (
    "c4",
    "fineweb_100b",
    "fineweb_1T",
    "fineweb_edu_100b",
    "proof_pile_2",
    "slimpajama",
    "smollm",
    "starcoder",
)
_TRANSLATED = [
    ("fineweb", to) for to in ("fineweb-edu", "proof-pile-2", "slimpajama", "smollm", "starcoder")
]
_TRANSLATED.append(("slimpajama", "starcoder"))

_MONKEYS = {
    "default": "monkeys_counts",
    "mean": "monkeys_mean_pass_at_k",
    "jailbreak": "bon_jailbreak_counts",
}
_MONKEYS_FILES = {rows: f"monkeys_coverage/{name}.csv" for rows, name in _MONKEYS.items()}

_SCORES = (
    "MMLU",
    "ARC-C",
    "HellaSwag",
    "Winograd",
    "TruthfulQA",
    "GSM8K",
    "XWinograd",
    "HumanEval",
)
_BASE, _EMERGENT = (
    "observational/base_llm_benchmark_eval.csv",
    "observational/base_llm_emergent_capability_eval.csv",
)
_TASKS = {
    "parsinlu_qa_2_acc": "Persian QA",
    "word_unscrambling_2_exact_match": "word unscrambling",
    "ipa_transliterate_2_exact_match": "IPA transliteration",
    "arithmetic_3ds_2_acc": "3-digit subtraction",
    "arithmetic_3da_2_acc": "3-digit addition",
    "arithmetic_2dm_2_acc": "2-digit multiplication",
    "arithmetic_2da_2_acc": "2-digit addition",
}

_CEREBRAS = "cerebras_pythia/cerebras_pythia_zero_shot.csv"
_ZERO_SHOT = (
    "hellaswag",
    "piqa",
    "winogrande",
    "lambada",
    "arc_easy",
    "arc_challenge",
    "openbookqa",
)

_TOO_MANY = 100  # trillion tokens

_LEADERBOARD = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K")
_LEADERBOARD2 = ("IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO")
_SLOTH_FILES = ("sloth/data_v2.csv", "sloth/lower_bounds.csv")

ENTRIES = {
    "cerebras_pythia": Entry(
        about="N, training compute C and loss on the Pile [nats per token of GPT-2] of 30 models: "
        "Cerebras-GPT, Pythia, GPT-NeoX and GPT-J. rows='scores' has L, that loss, and the "
        "zero-shot accuracy on 7 tasks, a row for each model and task. Groups: run (the model), "
        "family, task. Chance is 1/4 on HellaSwag, ARC and OpenBookQA, 1/2 on PIQA and "
        "WinoGrande, 0 on LAMBADA. The loss of Pythia-deduped 1.4B lies off its trend.",
        source="the zero-shot table of the Cerebras-GPT model card, typed by hand: local only",
        licence="of the table: none stated",
        published="Dey et al. 2023: a power law of the Pile loss in C; no coefficients are "
        "compared",
        variants=("default", "scores"),
        files=dict.fromkeys(("default", "scores"), _CEREBRAS),
        sha256={_CEREBRAS: "e456d5d9048ede68ea43dd5539efad801ad6fe37642fb679c06d6d476a8ab8f9"},
    ),
    "loss_to_loss": Entry(
        about="L(N, D) on six corpora: 529 runs of Brandfonbrener et al., with the loss on a "
        "validation set of their own corpus, losses on eight validation sets in columns such as "
        "loss_c4, and C = 6 N D at 8 budgets. rows='c4' has the loss on C4 as its target. "
        "rows='pairs' has L0 and the loss of runs of the same N and C on two corpora, for the six "
        "published translations (group `pair`); rows='extrapolation' the six runs of 3.3B "
        "parameters at 1e21 FLOP, which were not fitted. Groups: data.",
        source="KempnerInstitute/loss-to-loss-notebooks, data/sweep.csv and data/extrapolation.csv",
        licence="none stated: not part of this package",
        published="Brandfonbrener et al. 2024 (arXiv 2411.12925), kappa and K of FineWeb to "
        "FineWeb-Edu .99937 .98577, to Proof-Pile-2 1.06535 .59610, to SlimPajama .96584 1.03953, "
        "to SmolLM 1.00501 1.05482, to StarCoder 1.09041 .62303, and SlimPajama to StarCoder "
        "1.13359 .59665",
        variants=("default", "c4", "pairs", "extrapolation"),
        files={
            **dict.fromkeys(("default", "c4", "pairs"), _SWEEP),
            "extrapolation": _EXTRAPOLATION,
        },
        sha256={
            _SWEEP: "1a9fd71e3bd6ecf35bdd32b660a9b42dbb3b8635630b1a358633fa18d61fb13c",
            _EXTRAPOLATION: "2c7cecc44aa016464e2d4e42b339798eb899ec9d0d313f618dae8bd3ce0757b3",
        },
        url={file: f"{_KEMPNER}/{file.partition('/')[2]}" for file in (_SWEEP, _EXTRAPOLATION)},
    ),
    "monkeys_coverage": Entry(
        about="Counts of successes: c of n = 10,000 samples of 128 MATH problems by 7 Pythia "
        "models, a row each (no target). rows='mean' has the coverage (mean pass@k over problems, "
        "unbiased) at 101 values of k for each model. rows='jailbreak' has c of n attempts at 159 "
        "prompts on 7 models, where sampling went on until a success, in batches of 60 and up to "
        "10,020. Groups: model, and problem, which is what to resample; rows of one model at "
        "different k are not independent.",
        source="RylanSchaeffer/KoyejoLab-Large-How-Do-Language-Monkey-Power-Get-Their-Power, "
        "data/processed_data, converted from parquet: local only",
        licence="none stated: not part of this package",
        published="Schaeffer et al. 2025: -ln of mean pass@k falls as a power of k; no "
        "coefficients are compared",
        variants=tuple(_MONKEYS),
        files=dict(_MONKEYS_FILES),
        sha256={
            _MONKEYS_FILES[
                "default"
            ]: "52425aa7ba56e3042d3e7fb6e7c51ac35bac0df69f8c1f8df49bc819a6654b57",
            _MONKEYS_FILES[
                "mean"
            ]: "04e7b0891663bb6d25da6b4890c2d998abee109d12ed869cbd30e0864e630055",
            _MONKEYS_FILES[
                "jailbreak"
            ]: "98de6a18c1e190ecfbcf0a0c71c26add23396cf801e6bfd58c696679c7c9c384",
        },
    ),
    "observational": Entry(
        about="Scores of 148 public base models of 47 families on 8 benchmarks: a row for each of "
        "the 1,144 known scores, with size [parameters], tokens and C = 6 N D where the tokens "
        "are known (rows='sized': 122 models). rows='emergent' has 7 tasks of BIG-Bench for the "
        "73 of 84 models with known tokens instead. Groups: model, family, benchmark. Chance "
        "levels are not subtracted.",
        source="ryoungj/ObsScaling, eval_results/base_llm_benchmark_eval.csv and "
        "base_llm_emergent_capability_eval.csv",
        licence="Apache-2.0",
        published="Ruan et al. 2024 (arXiv 2405.10938): three principal components carry nearly "
        "all variance; tasks are sigmoids of them, held out above 8.4e22 FLOP",
        variants=("default", "sized", "emergent"),
        files={"default": _BASE, "sized": _BASE, "emergent": (_EMERGENT, _BASE)},
        sha256={
            _BASE: "511996815735a4c46251dc585dcc525e370d148201f86561e6f927f9df2d0db8",
            _EMERGENT: "a156beee73c39b7833c3c53535c473939105512d85e90b0143be7325e516ef7c",
        },
        url={file: f"{_OBSERVATIONAL}/{file.partition('/')[2]}" for file in (_BASE, _EMERGENT)},
    ),
    "sloth": Entry(
        about="Scores of public models, base and instruction-tuned, with size [parameters] and "
        "tokens: a row for each known score of the 6 benchmarks of the first Open LLM "
        "Leaderboard; rows='second' has the 6 of the second. `chance` is the lowest score that "
        "the authors expect. Groups: model, family (tuned models are families of their own), "
        "benchmark.",
        source="felipemaiapolo/sloth, data/data_v2.csv and data/lower_bounds.csv",
        licence="MIT",
        published="Maia Polo et al. 2024 (arXiv 2412.06540): two to four skills",
        variants=("default", "second"),
        files=dict.fromkeys(("default", "second"), _SLOTH_FILES),
        sha256={
            _SLOTH_FILES[0]: "528d08d7bc04dc71a73d42ea0a1041396616505b53a140052828104afe0c6f39",
            _SLOTH_FILES[1]: "cf89a9485fd2f8bd1194da6c301e85fc17a0f947fdea2d20dc554d8bbe44ac1d",
        },
        url={file: f"{_SLOTH}/{file.partition('/')[2]}" for file in _SLOTH_FILES},
    ),
}


def _cerebras_pythia(path: Path, rows: str) -> Runs:
    table = lines(path)
    models, families = (
        [f"{line['family']} {line['size']}" for line in table],
        [line["family"] for line in table],
    )
    loss = column(table, "pile_test_xent")
    if rows == "default":
        N, C = column(table, "params_nominal"), column(table, "train_flops")
        return Runs.from_columns(N=N, C=C, loss=loss, groups={"run": models, "family": families})
    count = len(_ZERO_SHOT)
    return Runs.from_columns(
        L=np.tile(loss, count),
        score=np.concatenate([column(table, task) for task in _ZERO_SHOT]),
        target="score",
        groups={
            "run": models * count,
            "family": families * count,
            "task": np.repeat(_ZERO_SHOT, len(table)),
        },
        units={"score": Fraction},
    )


def _loss_to_loss(path: Path, rows: str) -> Runs:
    table = lines(path)
    data = np.array([_CORPORA[line["data"]] for line in table])
    N, D, C, loss = (column(table, name) for name in ("params", "tokens", "iso_flop", "val_loss"))
    if rows == "pairs":
        at = {(d, n, c): i for i, (d, n, c) in enumerate(zip(data, N, C, strict=True))}
        pairs = [
            (a, b, at[a, n, c], i)
            for a, b in _TRANSLATED
            for (d, n, c), i in at.items()
            if d == b and (a, n, c) in at
        ]
        first, second = (np.array([pair[k] for pair in pairs]) for k in (2, 3))
        groups = {"pair": [f"{a} to {b}" for a, b, _, _ in pairs]}
        return Runs.from_columns(
            L0=loss[first],
            N=N[second],
            C=C[second],
            loss=loss[second],
            groups=groups,
            units={"L0": Nats},
        )
    measured: dict[str, Any] = {
        f"loss_{name}": column(table, f"eval/{name}_val/CrossEntropyLoss") for name in _MEASURED
    }
    target = measured.pop("loss_c4") if rows == "c4" else loss
    units = dict.fromkeys(measured, Nats)
    return Runs.from_columns(
        N=N, D=D, C=C, loss=target, groups={"data": data}, units=units, **measured
    )


def _monkeys_coverage(path: Path, rows: str) -> Runs:
    table = lines(path)
    groups = {"model": [line["Model"] for line in table]}
    columns: dict[str, Any]
    if rows == "mean":
        columns = {"k": column(table, "k"), "coverage": column(table, "mean_pass_at_k")}
        return Runs.from_columns(
            **columns, target="coverage", groups=groups, units={"k": Samples, "coverage": Fraction}
        )
    names = (
        ("Num. Samples", "Num. Samples Correct")
        if rows == "jailbreak"
        else ("Num. Samples Total", "Num. Samples Correct")
    )
    columns = {letter: column(table, name) for letter, name in zip("nc", names, strict=True)}
    groups["problem"] = [line["Problem Idx"] for line in table]
    return Runs.from_columns(
        **columns, target=None, groups=groups, units=dict.fromkeys("nc", Count)
    )


def _observational(paths: Any, rows: str) -> Runs:
    base, tasks = lines(paths[1] if rows == "emergent" else paths), {b: b for b in _SCORES}
    sizes = {"size": "Model Size (B)"} | (
        {} if rows == "default" else {"tokens": "Pretraining Data Size (T)"}
    )
    if rows == "emergent":
        model = {line["Model"]: line for line in base}
        base, tasks = [model[line["Model"]] | line for line in lines(paths[0])], _TASKS
    return _scores(base, tasks, {"family": "Model Family"}, sizes)


def _sloth(paths: tuple[Path, Path], rows: str) -> Runs:
    names = _LEADERBOARD if rows == "default" else _LEADERBOARD2
    groups = {"family": "Family2", "lineage": "Family"}
    [floor] = lines(paths[1])
    sizes = {"size": "#Params (B)", "tokens": "Pretraining Data Size (T)"}
    return _scores(
        lines(paths[0]), {b: b for b in names}, groups, sizes, {b: float(floor[b]) for b in names}
    )


def _scores(
    table: list[dict[str, str]],
    benchmarks: dict[str, str],
    groups: dict[str, str],
    sizes: dict[str, str],
    chance: dict[str, float] | None = None,
) -> Runs:
    """One row for each known score of a model with known sizes, and remarks on what is missing."""
    scored = [line for line in table if any(line[b] for b in benchmarks)]
    # the files have billions of parameters, trillions of tokens
    unit = {"size": 1e9, "tokens": 1e12}
    known = [line for line in scored if all(line[name] for name in sizes.values())]
    models = [
        line for line in known if "tokens" not in sizes or float(line[sizes["tokens"]]) < _TOO_MANY
    ]
    cells = [(line, b) for line in models for b in benchmarks if line[b]]
    gaps = {benchmarks[b]: sum(not line[b] for line in models) for b in benchmarks}
    missing = ", ".join(f"{count} of {b}" for b, count in gaps.items() if count)
    whole = len(models) * len(benchmarks)
    said = [
        f"{whole - len(cells)} of {whole} scores are missing" + (f": {missing}" if missing else "")
    ]
    if len(known) < len(scored):
        said.append(
            f"{len(scored) - len(known)} models are left out: their training tokens are not known"
        )
    if odd := [line["Model"] for line in known if line not in models]:
        said.append(
            f"{', '.join(odd)} is left out: above {_TOO_MANY} trillion tokens, which were surely "
            f"billions"
        )
    if len(scored) < len(table):
        said.append(f"{len(table) - len(scored)} models have none of these scores")
    columns: dict[str, Any] = {
        s: unit[s] * np.array([float(line[name]) for line, _ in cells]) for s, name in sizes.items()
    }
    if "tokens" in columns:
        columns["C"] = Train()(columns["size"], columns["tokens"])
    if chance is not None:
        columns["chance"] = [chance[b] for _, b in cells]
    runs = Runs.from_columns(
        **columns,
        score=[float(line[b]) for line, b in cells],
        target="score",
        groups={
            "model": [line["Model"] for line, _ in cells],
            "benchmark": [benchmarks[b] for _, b in cells],
            **{group: [line[name] for line, _ in cells] for group, name in groups.items()},
        },
        units={"size": Params, "score": Fraction}
        | ({"tokens": Tokens} if "tokens" in columns else {}),
    )
    return saying(runs, said)


READERS = {
    "cerebras_pythia": _cerebras_pythia,
    "loss_to_loss": _loss_to_loss,
    "monkeys_coverage": _monkeys_coverage,
    "observational": _observational,
    "sloth": _sloth,
}
