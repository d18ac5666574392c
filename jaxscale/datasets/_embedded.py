"""Tables that are part of the package: published figures, typed, and simulated sweeps with known
truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import schedules
from ..costs import Train
from ..table._runs import Runs
from ..units import Examples, Fraction, LearningRate, Positive, Tokens
from ._entry import Entry
from ._read import saying

# N [parameters, nominal], C [FLOP, as published], loss [nats per GPT-2 token of the Pile test set].
# Source: Cerebras-GPT model card, zero-shot table; Dey et al. 2023 (arXiv 2304.03208).
_PUBLIC_MODELS = {
    "Cerebras-GPT": (
        (1.11e08, 2.6e18, 2.608),
        (2.56e08, 1.3e19, 2.349),
        (5.9e08, 6.1e19, 2.181),
        (1.3e09, 2.8e20, 1.997),
        (2.7e09, 1.1e21, 1.834),
        (6.7e09, 6.3e21, 1.704),
        (1.3e10, 2.3e22, 1.572),
    ),
    "Cerebras-GPT muP": (
        (1.11e08, 2.6e18, 2.588),
        (2.56e08, 1.3e19, 2.359),
        (5.9e08, 6.1e19, 2.155),
        (1.3e09, 2.8e20, 1.984),
        (2.7e09, 1.1e21, 1.846),
    ),
    "Pythia": (
        (7e07, 1.6e20, 2.504),
        (1.6e08, 4.1e20, 2.186),
        (4.1e08, 1.1e21, 1.971),
        (1e09, 2.2e21, 1.845),
        (1.4e09, 3.2e21, 1.793),
        (2.8e09, 6.1e21, 1.72),
        (6.9e09, 1.4e22, 1.626),
        (1.2e10, 2.4e22, 1.582),
    ),
    "Pythia deduped": (
        (7e07, 1.6e20, 2.549),
        (1.6e08, 4.1e20, 2.204),
        (4.1e08, 1.1e21, 1.989),
        (1e09, 2.2e21, 1.858),
        (1.4e09, 3.2e21, 1.889),
        (2.8e09, 6.1e21, 1.724),
        (6.9e09, 1.4e22, 1.644),
        (1.2e10, 2.4e22, 1.601),
    ),
    "GPT-NeoX": ((2e10, 6.4e22, 1.519),),
    "GPT-J": ((6e09, 1.7e22, 1.613),),
}

# Average benchmark score of N [parameters of the language model] (rows) at T [visual tokens per
# image] (columns). Source: Li et al. 2024 (arXiv 2411.03312), figures in the authors' code.
_VLM_TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
_VLM_SCORES = {
    5e8: (0.3855, 0.3917, 0.4078, 0.4133, 0.4151, 0.4244, 0.4320),
    1.8e9: (0.4333, 0.4519, 0.4528, 0.4597, 0.4609, 0.4758, 0.4808),
    4e9: (0.4630, 0.4692, 0.4858, 0.4916, 0.5023, 0.5092, 0.5185),
    7e9: (0.4810, 0.4971, 0.5050, 0.5141, 0.5172, 0.5238, 0.5354),
}


# Loss [nats/token] every 1,000 steps of 20,000. Source: authors' code of Tissue, Wang and Wang 2024
# (arXiv 2408.11029).
_ANNEALED = {
    "cosine": (
        3.6696358, 3.3254106, 3.1908393, 3.1158533, 3.0604768, 3.0203840, 2.9880967, 2.9612265,
        2.9395165, 2.9195616,
        2.9030452, 2.8881907, 2.8767889, 2.8654318, 2.8565135, 2.8489892, 2.8436390, 2.8398669,
        2.8380618, 2.8376071,
    ),
    "constant": (
        3.6714418, 3.3256260, 3.1884103, 3.1119470, 3.0583540, 3.0211415, 2.9874816, 2.9608200,
        2.9406552, 2.9241402,
        2.9054413, 2.8942103, 2.8807929, 2.8702695, 2.8621750, 2.8530996, 2.8448784, 2.8383856,
        2.8326995, 2.8294308,
    ),
}  # fmt: skip
_ANNEALED_PEAK, _ANNEALED_WARM_UP = 2e-4, 500

# N [million parameters], loss [nats/token]. Source: authors' code of Yao and Wang 2023 (arXiv
# 2304.06875).
_MU = (
    (8.53, 3.9181), (21.56, 3.6054), (39.09, 3.4431), (61.12, 3.3542), (87.65, 3.2902),
    (118.68, 3.2478), (154.21, 3.2240),
    (194.24, 3.1797), (676.48, 3.0854), (1446.72, 3.0425),
)  # fmt: skip

# Loss after fine-tuning [nats/token] on 200 * 2^k examples. Source: README of the code of Lin et
# al. 2024 (arXiv 2402.02314).
_FINE_TUNED = (
    4.247949918, 4.188166777, 4.086900075, 3.946466605, 3.808449984, 3.645450115, 3.420799971,
    3.165299892, 2.915524960, 2.652625084, 2.382649899, 2.151550055, 1.916550040, 1.742699981,
)  # fmt: skip


def public_models() -> Runs:
    """30 public models: see the registry."""
    table = [(family, *row) for family, rows in _PUBLIC_MODELS.items() for row in rows]
    family, n, c, loss = zip(*table, strict=True)
    runs = Runs.from_columns(
        N=n,
        C=c,
        D=np.asarray(c) / Train()(np.asarray(n), 1.0),
        loss=loss,
        groups={"family": family},
    )
    return saying(runs, ["D is not published for all: D = C / (6 N)"])


def simulated() -> Runs:
    """60 runs: 6 budgets from 1e18 to 1e21 FLOP, 10 model sizes each, within a factor of 8 of 20
    tokens a parameter.
    """
    E, A, B, alpha, beta = 1.7, 400.0, 1100.0, 0.34, 0.33
    c = np.repeat(np.geomspace(1e18, 1e21, 6), 10)
    n = np.sqrt(c / 120.0) * np.tile(np.geomspace(1 / 8, 8, 10), 6)
    d = c / Train()(n, 1.0)
    noise = np.random.default_rng(2022).standard_normal(60)
    loss = (E + A * n**-alpha + B * d**-beta) * np.exp(0.005 * noise)
    return Runs.from_columns(N=n, D=d, C=c, loss=loss)


def vlm_tokens() -> Runs:
    """28 vision-language models: see the registry."""
    n = np.repeat(list(_VLM_SCORES), len(_VLM_TOKENS))
    error = 1.0 - np.concatenate(list(_VLM_SCORES.values()))
    return Runs.from_columns(
        N=n,
        T=np.tile(_VLM_TOKENS, 4),
        error=error,
        target="error",
        units={"T": Tokens, "error": Fraction},
    )


def tissue2024() -> Runs:
    """Two loss curves with the columns of the annealing law: see the registry."""
    step = np.arange(1_000, 20_001, 1_000)
    parts = []
    for shape in (schedules.cosine, schedules.constant):
        rates = shape(_ANNEALED_PEAK, 20_001, warm_up=_ANNEALED_WARM_UP)
        parts.append(schedules.annealing(rates, step, warm_up=_ANNEALED_WARM_UP))
    columns: dict[str, Any] = {k: np.concatenate([part[k] for part in parts]) for k in ("S1", "S2")}
    runs = Runs.from_columns(
        step=np.tile(step, 2),
        **columns,
        loss=np.concatenate(list(_ANNEALED.values())),
        run=np.repeat(list(_ANNEALED), len(step)),
        units={"S1": LearningRate},
    )
    return saying(runs, ["S1 and S2 are made from the schedules, with a momentum of .999"])


def mu_scaling(rows: str = "default") -> Runs:
    """Losses of ten widths: see the registry."""
    n, loss = np.asarray(_MU if rows == "all" else _MU[:7]).T
    return Runs.from_columns(x=n, loss=loss, units={"x": Positive})


def rectified() -> Runs:
    """Losses after fine-tuning on 14 subsets: see the registry."""
    return Runs.from_columns(
        D_f=200 * 2.0 ** np.arange(14), loss=_FINE_TUNED, units={"D_f": Examples}
    )


ENTRIES = {
    "public_models": Entry(
        about="L(N, D) of 30 public models (Cerebras-GPT, Pythia, GPT-NeoX, GPT-J): nominal "
        "parameters, training FLOP and Pile test loss per GPT-2 token. D is C / (6 N). Groups: "
        "family. These rows do not identify a five-parameter law.",
        source="figures of the zero-shot table in the Cerebras-GPT model card (Dey et al. 2023, "
        "arXiv 2304.03208)",
        licence="published figures, typed",
        published="one loss (Pythia deduped 1.4B, 1.889) is out of line and probably a slip in the "
        "source",
    ),
    "simulated": Entry(
        about="L(N, D): 60 simulated runs with 0.5 % noise around a known law, E 1.7, A 400, B "
        "1100, alpha .34, beta .33.",
        source="made by this package from a fixed seed",
        licence="Apache-2.0",
        published="the truth: E 1.7, A 400, B 1100, alpha .34, beta .33",
    ),
    "vlm_tokens": Entry(
        about="error(N, T), one minus the average score, of 28 vision-language models: N "
        "[parameters of the language model, 4 sizes], T [visual tokens per image, 7 numbers]. "
        "These rows do not identify an offset of the error.",
        source="figures in the authors' code, locuslab/llava-token-compression, "
        "scaling_law_code/values.py (arXiv 2411.03312)",
        licence="published figures, typed",
        published="Li et al. 2024: alpha .077, beta .015, from a random part of a grid of "
        "coefficients",
    ),
    "tissue2024": Entry(
        about="Loss [nats/token] every 1,000 steps of two runs of 20,000 steps, a cosine to 0 and "
        "a constant learning rate, peak 2e-4, 500 steps of warm-up, for `annealing`: S1 and S2 "
        "are made by `schedules.annealing`. Column `run`.",
        source="figures in the authors' code of arXiv 2408.11029",
        licence="published figures, typed",
        published="Tissue, Wang and Wang 2024 print no coefficients for these points; refitted: "
        "L0 2.62780, A .42966, C .41077, alpha .54985, sum of log-Huber 1.62925e-5",
    ),
    "mu_scaling": Entry(
        about="L(N): ten widths of a model under muP, x in millions of parameters. The 7 "
        "smallest, which were fitted; rows='all' adds the 3 that were predicted.",
        source="figures in the authors' code, cofe-ai/Mu-scaling (arXiv 2304.06875)",
        licence="published figures, typed",
        published="Yao and Wang 2023; refitted: a 2.46943, b -.42311, c 2.92330 of a x^b + c, "
        "least squares",
        variants=("default", "all"),
    ),
    "rectified": Entry(
        about="Loss after fine-tuning [nats/token] on D_f = 200, 400, ..., 1,638,400 examples: "
        "flat at first, then a power law.",
        source="figures in the README of the authors' code, linhaowei1/Fine-tuning-Scaling-Law "
        "(arXiv 2402.02314)",
        licence="published figures, typed",
        published="Lin et al. 2024; refitted: B 563.8, D_l 166.06, beta .45528, E 1.0692, RMSLE "
        ".00270",
    ),
}

# with the keyword `rows` where there are variants
TABLES: dict[str, Callable[..., Runs]] = {
    "public_models": public_models,
    "simulated": simulated,
    "vlm_tokens": vlm_tokens,
    "tissue2024": tissue2024,
    "mu_scaling": mu_scaling,
    "rectified": rectified,
}
