"""Curves: losses along a run under learning-rate schedules, and losses as data or size grow."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import jaxscale as jsl

from . import Published

LAWS, LOAD, OBJECTIVES = jsl.laws, jsl.datasets.load, jsl.objectives


# -- learning-rate schedules ---------------------------------------------------------------------
@functools.cache
def _luo() -> jsl.Runs:
    return LOAD("multipowerlaw", rows="all")


def _luo_curves(size: str, split: str) -> jsl.Runs:
    runs = _luo()
    return runs.where((runs["size"] == size) & (runs["split"] == split))


def _luo_test(law: Any, size: str) -> dict[str, float]:
    """The authors' five measures, each a mean over the six curves that were not fitted."""
    test, measures = _luo_curves(size, "test"), []
    for curve in test.labels["run"]:
        runs = test.where(test["run"] == curve)
        loss, off = runs["loss"], np.asarray(law(*(runs[c] for c in law.columns))) - runs["loss"]
        r2 = 1 - np.sum(off**2) / np.sum((loss - loss.mean()) ** 2)
        relative = np.abs(off) / loss
        measures.append(
            (
                r2,
                np.mean(np.abs(off)),
                np.sqrt(np.mean(off**2)),
                np.mean(relative),
                np.max(relative),
            )
        )
    names = ("R2", "MAE", "RMSE", "PredE", "WorstE")
    return dict(zip(names, np.mean(measures, axis=0).tolist(), strict=True))


def _luo_fit(size: str, figures: tuple[float, ...]) -> Published:
    known = LAWS.multi_power.published[f"luo2025_{size.lower()}"].params
    names = ("R2", "MAE", "RMSE", "PredE", "WorstE")

    def metrics(fit: jsl.Fit) -> dict[str, float]:
        at = _luo_test(LAWS.multi_power.fix(**known), size)
        return _luo_test(fit.law, size) | {f"{k} at published": v for k, v in at.items()}

    return Published(
        name=f"Luo et al. 2025, three curves of {size}",
        source="arXiv 2503.12811; README and configuration of the authors' code",
        evidence="CODE: coefficients, and measures on six unseen curves; no objective is printed",
        law=LAWS.multi_power,
        runs=lambda: _luo_curves(size, "train"),
        objective=OBJECTIVES.LogHuber(1e-3),
        params=dict(known),
        starts=64,
        metrics=metrics,
        figures=dict(zip(names, figures, strict=True))
        | {f"{k} at published": v for k, v in zip(names, figures, strict=True)},
        note="the published point is no optimum: Newton steps from it end in ours, whose "
        "objective on the fitted curves is two to thirteen times lower. On the unseen curves ours "
        "is a little behind in R2 and ahead in WorstE. With 256 bins in place of 16 the least "
        "objective is 0.01 to 0.13 percent lower",
        smoke=False,
    )


def _tissue(fit: jsl.Fit) -> dict[str, float]:
    runs = LOAD("tissue2024")
    off = np.asarray(fit.law(runs["S1"], runs["S2"])) - runs["loss"]
    r2 = 1 - np.sum(off**2) / np.sum((runs["loss"] - runs["loss"].mean()) ** 2)
    return {"R2": float(r2), "largest error": float(np.max(np.abs(off)))}


# -- learning curves -----------------------------------------------------------------------------
def _bnsl(fit: jsl.Fit) -> dict[str, float]:
    runs = LOAD("bnsl_addition", rows="all")
    off = np.log(np.asarray(fit.law(runs["x"])) - 1) - np.log(runs["loss"])
    return {
        "RMSLE of 14": float(np.sqrt(np.mean(off[:14] ** 2))),
        "RMSLE of the next 3": float(np.sqrt(np.mean(off[14:] ** 2))),
    }


_MODELS = ("6 Enc, 6 Dec", "28 Enc, 6 Dec", "6 Enc, 28 Dec", "Dec-only", "TEnc-LSTM")


def _nmt(models: tuple[str, ...] = _MODELS) -> Callable[[], jsl.Runs]:
    def read() -> jsl.Runs:
        runs = LOAD("learning_curves_nmt")
        return runs.where(np.isin(runs["model"], models))

    return read


def _nmt_held_out(fit: jsl.Fit, models: tuple[str, ...] = _MODELS) -> dict[str, float]:
    """Error in ln at the largest x of each model."""
    found, runs = {}, LOAD("learning_curves_nmt", rows="all")
    for model in models:
        own = runs.where(runs["model"] == model)
        last = int(np.argmax(own["x"]))
        given = {"model": [model]} if fit.law.groups else {}
        found[model] = abs(
            float(np.log(np.asarray(fit.law(own["x"][[last]], **given))[0] / own["loss"][last]))
        )
    return found


def _nmt_fit(
    name: str, law: Any, figures: tuple[float, ...], note: str, starts: int = 64
) -> Published:
    return Published(
        name=f"Alabdulmohsin et al. 2022, {name}, five translation models",
        source="arXiv 2209.06640, table 2",
        evidence="PAPER: errors in ln at the held-out point",
        law=law,
        runs=_nmt(),
        objective=OBJECTIVES.LogSquared(),
        starts=starts,
        metrics=_nmt_held_out,
        figures=dict(zip(_MODELS, figures, strict=True)),
        note=note,
    )


def _nmt_m4(model: str, figure: float) -> Published:
    return Published(
        name=f"Alabdulmohsin et al. 2022, M4, {model}",
        source="arXiv 2209.06640, table 2",
        evidence="PAPER: error in ln at the held-out point",
        law=LAWS.plateau_power_law,
        runs=_nmt((model,)),
        objective=OBJECTIVES.LogSquared(),
        expected="FLAT",
        metrics=lambda fit: _nmt_held_out(fit, (model,)),
        figures={model: figure},
        note="report only: another optimiser, and five parameters for 9 or 10 points. On the "
        "other three models alpha and epsilon_0 run away together, and there is no optimum",
    )


_M = LAWS.power_law.start(x0=(1e3, 1e7))

# -- fine-tuning ----------------------------------------------------------------------------------
_SMALL = 102_400  # examples: larger subsets are predicted


def _rectified(large: bool) -> jsl.Runs:
    runs = LOAD("rectified")
    return runs if large else runs.where(runs["D_f"] <= _SMALL)


def _subsets_as_x(large: bool) -> jsl.Runs:
    runs = _rectified(large)
    return jsl.Runs.from_columns(x=runs["D_f"], loss=runs["loss"])


def _finetuned(fit: jsl.Fit) -> dict[str, float]:
    runs = _rectified(True)
    off = np.log(np.asarray(fit.law(runs["D_f"]))) - np.log(runs["loss"])
    return {
        "at 1638400": float(fit.law(1_638_400.0)),
        "RMSLE of all": float(np.sqrt(np.mean(off**2))),
    }


def _rms(total: float, rows: int) -> float:
    return float(np.sqrt(2 * total / rows))


def _rectified_fit(
    name: str, law: Any, large: bool, figures: dict[str, float], **more: Any
) -> Published:
    return Published(
        name=f"Lin et al. 2024, {name}, {'14 subsets' if large else '10 smallest subsets'}",
        source="arXiv 2402.02314; points in the README of the authors' code",
        evidence="D: recomputed from the authors' points, no fit of them is printed",
        law=law,
        runs=functools.partial(_rectified if law is LAWS.rectified else _subsets_as_x, large),
        objective=OBJECTIVES.LogSquared(),
        value=_rms,
        starts=64,
        metrics=_finetuned,
        figures=figures,
        **more,
    )


FITS = [
    _luo_fit("25M", (0.9988, 0.00376, 0.00465, 0.00110, 0.00409)),
    _luo_fit("100M", (0.9983, 0.00435, 0.00592, 0.00142, 0.00583)),
    _luo_fit("400M", (0.9978, 0.00484, 0.00730, 0.00168, 0.00995)),
    Published(
        name="Tissue, Wang and Wang 2024, 40 points",
        source="arXiv 2408.11029; points in the authors' code",
        evidence="D: recomputed from the authors' points, no fit of them is printed",
        law=LAWS.annealing,
        runs=lambda: LOAD("tissue2024"),
        objective=OBJECTIVES.LogHuber(1e-3),
        figure=1.62925e-5,
        digits=6,
        params={"L0": 2.62780, "A": 0.42966, "C": 0.41077, "alpha": 0.54985},
        starts=64,
        metrics=_tissue,
        figures={"R2": 0.999634, "largest error": 0.0143},
    ),
    Published(
        name="Caballero et al. 2022, four-digit addition",
        source="arXiv 2210.14891, figure 4 left; points in the authors' code",
        evidence="D: best known optimum of the authors' objective, recomputed; the paper prints no "
                 "figures",
        law=LAWS.broken_power_law,
        runs=lambda: LOAD("bnsl_addition", rows="plus_one"),
        objective=OBJECTIVES.LogSquared(),
        figure=1.134e-6,
        params={"a": 1.41388453, "b": 2.27727229, "c0": 0.055077348, "c": [5.6629038],
                "d": [612.58362], "f": [0.059193036]},
        metrics=_bnsl,
        figures={"RMSLE of 14": 0.00060, "RMSLE of the next 3": 0.01092},
        note="`a` is that of the paper plus 1",
    ),
    _nmt_fit(
        "M1",
        _M.fix(E=0).per(x0="model", alpha="model"),
        (0.26, 0.17, 0.23, 0.25, 0.19),
        "a power law: the authors' rows and objective",
    ),
    _nmt_fit(
        "M2",
        _M.per(E="model", x0="model", alpha="model"),
        (0.039, 0.056, 0.053, 0.039, 0.013),
        "report only: another optimiser; rows 1 and 4 of the paper's table are alike, probably "
        "a slip",
    ),
    _nmt_fit(
        "M3",
        LAWS.saturating_power_law.per(beta="model", gamma="model", c="model"),
        (0.089, 0.033, 0.016, 0.089, 0.062),
        "report only: another optimiser; rows 1 and 4 of the paper's table are alike, probably "
        "a slip",
    ),
    _nmt_m4("28 Enc, 6 Dec", 0.013),
    _nmt_m4("Dec-only", 0.010),
    Published(
        name="Yao and Wang 2023, seven widths",
        source="arXiv 2304.06875; points in the authors' code",
        evidence="D: recomputed from the authors' points with their objective",
        law=LAWS.power_law,
        runs=lambda: LOAD("mu_scaling"),
        objective=OBJECTIVES.Squared(),
        params={"E": 2.92330, "x0": 2.46943 ** (1 / 0.42311), "alpha": 0.42311},
        value=lambda total, rows: 2 * total,
        metrics=lambda fit: {f"at {x}M": float(fit.law(x)) for x in (194.24, 676.48, 1446.72)},
        figures={"at 194.24M": 3.18899, "at 676.48M": 3.08001, "at 1446.72M": 3.03691},
    ),
    _rectified_fit(
        "rectified law",
        LAWS.rectified,
        True,
        {"at 1638400": 1.7396, "RMSLE of all": 0.00270},
        figure=0.00270,
        digits=3,
        params={"B": 563.8, "D_l": 166.06, "beta": 0.45528, "E": 1.0692},
    ),
    _rectified_fit(
        "rectified law",
        LAWS.rectified,
        False,
        {"at 1638400": 1.7781, "RMSLE of all": 0.00788},
        params={"B": 574.2, "D_l": 174.9, "beta": 0.4650, "E": 1.1745},
    ),
    _rectified_fit(
        "power law", LAWS.power_law, True, {"RMSLE of all": 0.0670}, figure=0.0670, digits=3,
        expected="AT_BOUND",
        note="what the rectified law is compared with: E runs to 0",
    ),
    _rectified_fit(
        "power law", LAWS.power_law, False, {"at 1638400": 2.2995}, expected="AT_BOUND|FLAT",
        note="what the rectified law is compared with: E runs to 0, and x0 is hardly determined",
    ),
]  # fmt: skip
