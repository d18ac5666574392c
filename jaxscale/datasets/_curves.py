"""Tables of curves: losses along a run under learning-rate schedules, and losses as one quantity
grows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import schedules
from ..table._runs import Runs
from ..units import Examples, LearningRate, Nats, Positive, Vector
from ._entry import Entry
from ._read import numbers, saying

_LUO = "https://raw.githubusercontent.com/thu-yao-01-luo/MultiPowerLaw/8da9f1902602f3391b971a811e3cc51604541769/loss_curve_repo"
_LUO_SIZES = {"25M": 25e6, "100M": 1e8, "400M": 4e8}
_LUO_TRAIN = ("cosine_24000", "constant_24000", "wsdcon_9")
_LUO_TEST = (
    "cosine_72000",
    "constant_72000",
    "wsdcon_3",
    "wsdcon_18",
    "wsd_20000_24000",
    "wsdld_20000_24000",
)
_LUO_PEAK, _LUO_END, _LUO_WARM_UP = 3e-4, 3e-5, 2160
_LUO_CURVES = {
    rows: tuple((size, curve) for size in _LUO_SIZES for curve in curves)
    for rows, curves in {"default": _LUO_TRAIN, "all": _LUO_TRAIN + _LUO_TEST}.items()
}
_LUO_SHA256 = {
    "multipowerlaw/csv_25/cosine_24000.csv": "554e35f9efbe28a614c9ae1121b3bf55490df6b72a5898957f68a52770038e3a",
    "multipowerlaw/csv_25/constant_24000.csv": "5a7c0b440751e258e7199eeefe9f0ae58520a2f2d64c5f81524d8d375f75f0ce",
    "multipowerlaw/csv_25/wsdcon_9.csv": "b7579f38b5e175d9e9dc9b9598b409efdf2cba0a68819857ba28649c242c2bd8",
    "multipowerlaw/csv_25/cosine_72000.csv": "af3b25a485966a0f7fc34824774cf8ec85af14848a6dc7b64d6a8d3d044befa5",
    "multipowerlaw/csv_25/constant_72000.csv": "99ee51a9be7b7fb71511d0af28edd6bc6221350d2ad26a66c615467cb5c83247",
    "multipowerlaw/csv_25/wsdcon_3.csv": "3d37fcf82c237e5c1ba2ee34c4b9e606ecba781536d4fea9a7dde5463207fc3d",
    "multipowerlaw/csv_25/wsdcon_18.csv": "9b9bd40f519d20ecbf540d4c9451f6a01b7b379b1d335407ba4651025cc5926f",
    "multipowerlaw/csv_25/wsd_20000_24000.csv": "8649b7de4b4b31db5c35f4ff0458af9472a50168177de6372c3ceb37ace9fc62",
    "multipowerlaw/csv_25/wsdld_20000_24000.csv": "8e3a9ae33ed586e5040a114fad215f4f245c6a2ff7d96f61cba02ccd8b74b3e7",
    "multipowerlaw/csv_100/cosine_24000.csv": "dd544dc61a11fa138c98ac0b673d5512287062d2d2d2e9c2867976abc8c46e69",
    "multipowerlaw/csv_100/constant_24000.csv": "034a75e2415373a9be1097e9d406f98524344f4718d200d3a188dcbd5115103b",
    "multipowerlaw/csv_100/wsdcon_9.csv": "510256497a0ea9d4270919fb37c56140e1b4d07e50b96b46334891ba316f144e",
    "multipowerlaw/csv_100/cosine_72000.csv": "2e637203b48b3e3a84063f49035cde2f6a40c69ecd15d95b6551774b9a279f44",
    "multipowerlaw/csv_100/constant_72000.csv": "52b5752009e1e4c396f15016e98897238fccb3816f58576ea944f03fe529dbc3",
    "multipowerlaw/csv_100/wsdcon_3.csv": "a1cbb8c730ae0628d69bb1d7aefadbad5cda5f6a92272f85203cd33d7b8f4912",
    "multipowerlaw/csv_100/wsdcon_18.csv": "33cfea673dc0efde9e4fd74cc47d8daabdebfdc6d5a2659835bd780347f6e651",
    "multipowerlaw/csv_100/wsd_20000_24000.csv": "e66df98c85dba705ebc85512c6a09a8ebec5675878a20d4d783c0bf80d031002",
    "multipowerlaw/csv_100/wsdld_20000_24000.csv": "0ef6b02e260ff5efa51a5885655ead8cf126a7e9c4ea3034d403e11852c06fe2",
    "multipowerlaw/csv_400/cosine_24000.csv": "aa18c9dbad66610d2037249bbcbf08fdce0983aa486b876ba95c2e3fb6fc0dce",
    "multipowerlaw/csv_400/constant_24000.csv": "5d91536675592acdc40ea56f71ca24ee9026243e51a0a791ac25b631381c45ee",
    "multipowerlaw/csv_400/wsdcon_9.csv": "497aa4a60df8f520e11e212a990dcf70e8bfd89e814f295dc5476af630aac768",
    "multipowerlaw/csv_400/cosine_72000.csv": "347acbdc80042cb7cfe0dcb28580a2780718ccbad23443d4de76821f0a1ab41e",
    "multipowerlaw/csv_400/constant_72000.csv": "a453ef82f549470cc8250723917668801436dd835fd17bbf71e1fd77d00a3b6c",
    "multipowerlaw/csv_400/wsdcon_3.csv": "e1a896755ea1e1a6a4648a503be6a19eb62fc7ef12fbab3440a66f7a94197ac6",
    "multipowerlaw/csv_400/wsdcon_18.csv": "998aaf3fd14de43fe754c7250885d7f72e20e7a210b1ea205a8af37ea8b22951",
    "multipowerlaw/csv_400/wsd_20000_24000.csv": "8a56dbd8f6b553b42ca8b3f4be9822cf5b7458a6c1b7ae0ddc6ac57b2893dea7",
    "multipowerlaw/csv_400/wsdld_20000_24000.csv": "7c5d5141d917955491732606e8817e7fdbd4bc2036e508e1610ab8bd252267dc",
}


def _luo_file(size: str, curve: str) -> str:
    return f"multipowerlaw/csv_{size.removesuffix('M')}/{curve}.csv"


ENTRIES = {
    "multipowerlaw": Entry(
        about="Loss [nats/token] along runs under different learning-rate schedules, logged every "
        "128 steps after the warm-up, for `multi_power`: three sizes (N nominal, group `size`), "
        "three curves each that the authors fitted; rows='all' adds the six curves they predicted "
        "(group `split`; takes half a minute, since schedules of 72,000 steps are reduced). S1, "
        "drop, eta and S are columns of `schedules.decrements`, 16 bins, the warm-up counted in: "
        "without it the published coefficients are off by B times the peak. Losses of one run are "
        "not independent: column `run`.",
        source="thu-yao-01-luo/MultiPowerLaw, loss_curve_repo/csv_{25,100,400}/*.csv",
        licence="MIT",
        published="Luo et al. 2025 (arXiv 2503.12811), README: mean R2 of the six test curves "
        ".9988, .9983, .9978, RMSE .00465, .00592, .00730 (25M, 100M, 400M)",
        variants=("default", "all"),
        files={rows: tuple(_luo_file(*c) for c in curves) for rows, curves in _LUO_CURVES.items()},
        sha256=_LUO_SHA256,
        url={file: f"{_LUO}/{file.removeprefix('multipowerlaw/')}" for file in _LUO_SHA256},
    ),
    "bnsl_addition": Entry(
        about="Test cross-entropy [nats] of four-digit addition from x [training examples]: one "
        "sharp break. The 14 rows that were fitted; rows='all' adds the 3 that were predicted. "
        "The authors' residual is in ln(y + 1): rows='plus_one' has loss + 1 as the target, and "
        "the limit `a` of `broken_power_law` is then theirs plus 1.",
        source="ethancaballero/broken_neural_scaling_laws, extracted from two arrays of "
        "fit_bnsl_and_extrapolate__4_digit_addition__dataset_size_x-axis.py: local only",
        licence="none stated: not part of this package",
        published="Caballero et al. 2022 (arXiv 2210.14891) print no figures; best known sum of "
        "squares / 2 in ln(y + 1) 1.134e-6, RMSLE of the 3 rows .01092 (recomputed)",
        variants=("default", "all", "plus_one"),
        files=dict.fromkeys(
            ("default", "all", "plus_one"), "bnsl_addition/four_digit_addition.csv"
        ),
        sha256={
            "bnsl_addition/four_digit_addition.csv": "834ac918aff6c28590564b78c69f90f5e2b6524e567f4d0d78de3129976ad7fa"
        },
    ),
    "learning_curves_nmt": Entry(
        about="Log-perplexity from x [sentence pairs] of five translation models (group `model`), "
        "x doubling: 48 points that were fitted; rows='all' adds the largest x of each model, "
        "which was predicted.",
        source="google-research/google-research, "
        "revisiting_neural_scaling_laws/data/benchmark.lang.csv, rows NMT, transcribed: local only",
        licence="CC BY 4.0",
        published="Alabdulmohsin et al. 2022 (arXiv 2209.06640), table 2: error in ln at the "
        "largest x by M1 (`power_law` with E = 0) .26, .17, .23, .25, .19; rows 1 and 4 of that "
        "table are alike for M2 to M4, probably a slip",
        variants=("default", "all"),
        files=dict.fromkeys(("default", "all"), "learning_curves_nmt/benchmark_nmt.csv"),
        sha256={
            "learning_curves_nmt/benchmark_nmt.csv": "e4da12ca970c0d350e16d9e23690f7922eaa74cbf6f1b9900aa47e57a39a8596"
        },
    ),
}


def _luo_rates(curve: str) -> np.ndarray:
    """Learning rate of every step, as the authors write it: the warm-up has the peak already at its
    last step.
    """
    kind, *numbers = curve.split("_")
    last = int(numbers[-1]) if kind != "wsdcon" else 16_000
    steps = last - _LUO_WARM_UP + 1  # from the first after the warm-up to the one after the last
    if kind == "cosine":
        after = schedules.cosine(_LUO_PEAK, steps, end=_LUO_END)
    elif kind in ("wsd", "wsdld"):
        share, shape = (
            (last - int(numbers[0])) / (steps - 1),
            {"wsd": "exponential", "wsdld": "linear"}[kind],
        )
        after = schedules.wsd(_LUO_PEAK, steps, cooldown=share, shape=shape, end=_LUO_END)
    else:
        after = schedules.constant(_LUO_PEAK, steps)
        if kind == "wsdcon":  # a second learning rate [1e-5] from step 8,000 on
            after = np.where(np.arange(steps) < 8_000 - _LUO_WARM_UP, after, int(numbers[0]) * 1e-5)
    return np.concatenate([np.linspace(0.0, _LUO_PEAK, _LUO_WARM_UP), after])


def _multipowerlaw(paths: tuple[Path, ...], rows: str) -> Runs:
    tables = dict(
        zip(_LUO_CURVES[rows], (numbers(path, "step", "lr", "loss") for path in paths), strict=True)
    )
    parts: list[dict[str, np.ndarray]] = []
    for curve in dict.fromkeys(curve for _, curve in tables):
        sizes = {size: table for (size, other), table in tables.items() if other == curve}
        steps = np.unique(np.concatenate([table[0] for table in sizes.values()]))
        columns, _ = schedules.decrements(_luo_rates(curve), steps)  # once for all sizes
        for size, (step, lr, loss) in sizes.items():
            own = {k: v[np.searchsorted(steps, step)] for k, v in columns.items()}
            labels = {
                "run": f"{size} {curve}",
                "size": size,
                "split": "train" if curve in _LUO_TRAIN else "test",
            }
            same = {"N": _LUO_SIZES[size], **labels}
            parts.append(
                {
                    "step": step,
                    "lr": lr,
                    **own,
                    "loss": loss,
                    **{k: np.full(len(step), v) for k, v in same.items()},
                }
            )
    together: dict[str, Any] = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    groups = {g: together.pop(g) for g in ("run", "size", "split")}
    units = {"S1": LearningRate, "drop": Vector, "eta": Vector, "S": Vector}
    said = (
        "S1, drop, eta and S are made from each schedule, with 16 bins: they move the law's "
        "value by some 2e-5 nats"
    )
    return saying(Runs.from_columns(**together, groups=groups, units=units), [said])


def _bnsl_addition(path: Path, rows: str) -> Runs:
    x, loss = numbers(path, "train_examples", "test_cross_entropy")
    keep = slice(None) if rows == "all" else slice(0, 14)
    if rows == "plus_one":
        runs = Runs.from_columns(x=x[keep], loss=loss[keep] + 1, units={"x": Examples})
        return saying(
            runs, ["the target is the loss plus 1: the authors' residual is in ln(y + 1)"]
        )
    return Runs.from_columns(x=x[keep], loss=loss[keep], units={"x": Examples})


def _learning_curves_nmt(path: Path, rows: str) -> Runs:
    runs = Runs.from_csv(
        path, x="Seen Examples", Training="Training", target="Loss", groups=["Model"]
    )
    keep = slice(None) if rows == "all" else runs["Training"] == 1
    return Runs.from_columns(
        x=runs["x"][keep],
        loss=runs["Loss"][keep],
        groups={"model": runs["Model"][keep]},
        units={"x": Positive, "loss": Nats},
    )


READERS = {
    "multipowerlaw": _multipowerlaw,
    "bnsl_addition": _bnsl_addition,
    "learning_curves_nmt": _learning_curves_nmt,
}
