"""Mixtures of training domains, and the learning rates and batches of sweeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxscale as jsl
from jaxscale import real
from jaxscale.units import Nats, Shares

from . import Published

_YE = "arXiv 2403.16952; printed in the authors' notebook mix_5_domains.ipynb"
_YE2 = "arXiv 2403.16952; printed in the authors' notebook mix_2_domains.ipynb"

# Mean Huber loss (delta .05) of 26 mixtures at 70M parameters and 30,000 steps, ln c, ln k and t of
# the printed fits.
_FIVE = {
    "academic": (5.682876217179e-4, (0.9750, -2.1391, -10.0864, 2.7140, 2.7106, 2.6083, 1.5866)),
    "prose": (1.2334295024629682e-4, (1.2624, -2.1656, 1.3930, -4.6811, 0.7855, 1.8719, 0.5734)),
    "dialogue": (5.513424403034151e-4, (1.1375, -7.1017, 6.7135, 6.2643, -31.8621, 6.6423, 6.2053)),
    "symbolic": (1.428198884241283e-4, (0.4750, -3.6546, 3.3289, 3.6705, 3.1127, -16.4217, 3.1591)),
    "internet": (8.165960753103718e-5, (1.2402, -1.9510, 1.1897, 0.8697, -0.5184, 1.7122, -3.0870)),
}
# Shares of the five domains in the validation set of the Pile: sums of the authors' weights of 22
# sets.
_SHARES = {
    "academic": 0.34066358,
    "prose": 0.15200618,
    "dialogue": 0.05015432,
    "symbolic": 0.11689815,
    "internet": 0.34027778,
}

# Mean Huber loss (delta .02) of five mixtures of Github and Pile-CC, slope and intercept; c was
# chosen on a grid before the fit.
_TWO = {
    ("70M", "Github", 10_000): (1.0180197932641022e-5, 1.32351606, -2.4381, -0.5978),
    ("70M", "Github", 20_000): (6.930810741323512e-6, 1.12971886, -1.5473, -0.6506),
    ("70M", "Github", 30_000): (3.6705273487314116e-6, 1.10958134, -1.6405, -0.6819),
    ("70M", "Pile-CC", 10_000): (9.003677519103803e-7, 3.60421656, -2.9041, -0.5333),
    ("70M", "Pile-CC", 20_000): (2.7243918339081574e-6, 3.43665117, -2.2959, -0.5862),
    ("70M", "Pile-CC", 30_000): (1.6656942989357049e-6, 3.4181817, -2.5189, -0.6257),
    ("160M", "Github", 10_000): (8.977600373327732e-5, 1.15152389, -3.6654, -0.1843),
    ("160M", "Github", 20_000): (4.9896952987182885e-6, 0.95252568, -1.6850, -0.7528),
    ("160M", "Github", 30_000): (2.7009764380636625e-6, 0.90464176, -1.6139, -0.7760),
    ("160M", "Pile-CC", 10_000): (3.784890868701041e-4, 0.0, -0.1236, 1.3070),
    ("160M", "Pile-CC", 20_000): (3.5466832741803955e-6, 3.12359059, -2.4178, -0.5877),
    ("160M", "Pile-CC", 30_000): (3.302324785181554e-6, 3.09376864, -2.7239, -0.6131),
}


def _mean(total: float, rows: int) -> float:
    return total / rows


def _two(size: str, domain: str, step: int) -> Callable[[], jsl.Runs]:
    """The five mixtures of one size, step and validation domain, whose own share comes first."""

    def runs() -> jsl.Runs:
        table = jsl.datasets.load("mixinglaws", rows="two_domains")
        table = table.where(
            (table["size"] == size) & (table["domain"] == domain) & (table["step"] == step)
        )
        shares = table["r"] if domain == "Github" else table["r"][:, ::-1]
        return jsl.Runs.from_columns(r=shares, loss=table["loss"], units={"r": Shares})

    return runs


def _overall(fit: jsl.Fit) -> dict[str, float]:
    """Error of the loss on the whole validation set, over the mixtures that were fitted."""
    runs = fit.problem.runs
    off = (fit.law(runs["r"], domain=runs["domain"]) - runs["loss"]) * [
        _SHARES[d] for d in runs["domain"]
    ]
    return {
        "mean absolute error, 26 mixtures": float(
            np.mean(np.abs(np.bincount(runs.groups["run"], weights=off)))
        )
    }


# -- mixtures of 17 domains ----------------------------------------------------------------------
@jsl.law
def linear_mixing(r: Shares, *, b: Any = real(4, 7, shape=(17,))) -> Nats:
    """A linear regression on shares: they sum to 1, so it has no constant."""
    return jnp.dot(b, r)


def _held_out(fit: jsl.Fit) -> dict[str, float]:
    """Rank and linear correlation with the loss of mixtures that were not fitted; larger models
    have another level of loss.
    """
    found = {}
    for rows, name in (("test_1m", "1M"), ("test_60m", "60M"), ("test_1b", "1B")):
        test = jsl.datasets.load("regmix", rows=rows)
        predicted, loss = fit.law(test["r"]), test["loss"]
        found[f"rank correlation, {name}"] = _correlation(_ranks(predicted), _ranks(loss))
        found[f"squared correlation, {name}"] = _correlation(predicted, loss) ** 2
        if rows == "test_1m":
            found["R2, 1M"] = float(
                1 - np.sum((predicted - loss) ** 2) / np.sum((loss - loss.mean()) ** 2)
            )
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


# -- learning rate and batch ---------------------------------------------------------------------
def _penalty(fit: jsl.Fit, selection: str) -> dict[str, float]:
    """Loss above the best of each (N, D) at the run of the grid that is nearest to what both laws
    recommend.
    """
    laws = {
        name: getattr(jsl.laws, name).published[selection]
        for name in ("learning_rate", "batch_size")
    }
    laws |= {fit.law.name: fit.law}
    table = jsl.datasets.load("steplaw", rows="all")
    excess = []
    for code in range(len(table.labels["cell"])):
        cell = table.where(table.groups["cell"] == code)
        eta, batch = (
            float(laws[name](cell["N"][0], cell["D"][0]))
            for name in ("learning_rate", "batch_size")
        )
        nearest = np.argmin(np.log(cell["eta"] / eta) ** 2 + np.log(cell["B"] / batch) ** 2)
        excess.append(cell["loss"][nearest] / cell["loss"].min() - 1)
    return {
        "mean loss above the best of its cell, %": 100 * float(np.mean(excess)),
        "largest": 100 * float(np.max(excess)),
    }


def _step_law(
    name: str, rows: str, selection: str, count: int, status: str, refit: dict[str, float]
) -> Published:
    """Least squares of logarithms, on all runs near the best or on the best ones alone; evaluated
    at the published means.
    """
    law, means = getattr(jsl.laws, name), getattr(jsl.laws, name).published["li2025"]

    def metrics(fit: jsl.Fit) -> dict[str, float]:
        at = {k: float(v) for k, v in fit.params.items()}
        found = (
            {"C": at["C"], "N": -at["alpha"], "D": -at["beta"]}
            if name == "learning_rate"
            else {"C": at["c"], "D": at["b"]}
        )
        return found | _penalty(fit, selection)

    return Published(
        name=f"Li et al. 2025 (Step Law), {name.replace('_', ' ')} of {count} runs",
        source="arXiv 2503.04715; released runs, means over bootstrap resamples as released",
        evidence="CODE, DATA",
        law=law if name == "learning_rate" else law.fix(a=0.0),
        runs=lambda: jsl.datasets.load("steplaw", rows=rows),
        objective=jsl.objectives.LogSquared(),
        params=dict(means.params),
        starts=16,
        expected=status,
        metrics=metrics,
        figures=refit | {"mean loss above the best of its cell, %": 0.09},
        note="no objective was published; the published means are no fit of the released runs. "
        "C is flat where N and D are far from 1: its exponents are not",
        smoke=False,
    )


FITS = [
    *(
        Published(
            name=f"Ye et al. 2024, five domains, loss on {domain}",
            source=_YE,
            evidence="CODE, DATA",
            law=jsl.laws.data_mixing.sized(t=5),
            runs=lambda domain=domain: jsl.datasets.load("mixinglaws", rows=domain),
            objective=jsl.objectives.Huber(0.05),
            figure=figure,
            digits=6,  # computed in 32 bits
            params={"c": np.exp(v[0]), "k": np.exp(v[1]), "t": list(v[2:])},
            value=_mean,
            expected="FLAT",
            note="shares sum to 1: k and all of t can move together; data_mixing_relative reaches "
            "the same optimum and is OK",
            smoke=domain == "symbolic",
        )
        for domain, (figure, v) in _FIVE.items()
    ),
    Published(
        name="Ye et al. 2024, five domains at once, relative form",
        source=_YE,
        evidence="CODE, DATA",
        law=jsl.laws.data_mixing_relative.sized(t=4).per(c="domain", k="domain", t="domain"),
        runs=lambda: jsl.datasets.load("mixinglaws"),
        objective=jsl.objectives.Huber(0.05),
        figure=sum(figure for figure, _ in _FIVE.values()),
        digits=6,
        value=lambda total, rows: total / 26,
        starts=16,
        metrics=_overall,
        figures={"mean absolute error, 6 of the 26 mixtures": 0.008618},
        note="the published error is of six mixtures that are among those fitted, and which six "
        "they were is not reproducible",
        smoke=False,
    ),
    *(
        Published(
            name=f"Ye et al. 2024, Github and Pile-CC, {size}, {step} steps, loss on {domain}",
            source=_YE2,
            evidence="CODE, DATA",
            law=jsl.laws.data_mixing_relative.sized(t=1),
            runs=_two(size, domain, step),
            objective=jsl.objectives.Huber(0.02),
            figure=figure,
            digits=4,
            params={"c": c, "k": np.exp(intercept), "t": [slope]},
            value=_mean,
            note="published in two steps, c by the best correlation on a grid of 1,000; here all "
            "three at once",
            smoke=False,
        )
        for (size, domain, step), (figure, c, slope, intercept) in _TWO.items()
    ),
    Published(
        name="Liu et al. 2024, 512 mixtures of 17 domains, exponential law",
        source="arXiv 2407.01492 (RegMix); released runs",
        evidence="DATA",
        law=jsl.laws.data_mixing_relative.sized(t=16),
        runs=lambda: jsl.datasets.load("regmix"),
        objective=jsl.objectives.Squared(),
        starts=16,
        metrics=_held_out,
        figures={"rank correlation, boosted trees": 0.9892},
        note="report only: the paper fits boosted trees and a linear regression",
        smoke=False,
    ),
    Published(
        name="Liu et al. 2024, 512 mixtures of 17 domains, linear regression",
        source="arXiv 2407.01492 (RegMix); released runs",
        evidence="DATA",
        law=linear_mixing,
        runs=lambda: jsl.datasets.load("regmix"),
        objective=jsl.objectives.Squared(),
        starts=4,
        metrics=_held_out,
        figures={
            "rank correlation, 1M": 0.9021,
            "rank correlation, 60M": 0.8933,
            "rank correlation, 1B": 0.8766,
        },
        note="figures were recomputed with a constant beside 17 shares that are rounded and do not "
        "sum to 1",
        smoke=False,
    ),
    _step_law(
        "learning_rate",
        "default",
        "li2025_refit",
        129,
        "FLAT",
        {"C": 77.7, "N": -0.766, "D": 0.197},
    ),
    _step_law("batch_size", "batch", "li2025_refit", 129, "OK", {"C": 0.2085, "D": 0.6125}),
    _step_law(
        "learning_rate", "argmin", "li2025_argmin", 17, "FLAT", {"C": 30.1, "N": -0.823, "D": 0.288}
    ),
    _step_law("batch_size", "batch_argmin", "li2025_argmin", 17, "FLAT", {"C": 3.416, "D": 0.498}),
]
