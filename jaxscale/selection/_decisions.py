"""`decisions`: which extrapolation gets the order of the recipes right? The eight of DataDecide and
a ranking on one table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ground._errors import InputError, check_level, refuse
from ..ground._shown import label_of
from ..table._runs import Runs
from . import _methods
from ._by_recipe import ends_of, labels_of
from ._methods import Predicted


@dataclass(frozen=True, eq=False)
class Decisions:
    """Decision accuracy [fraction of pairs] of each method: `decision[name]`, with `low` and `high`
    over recipes.

    `error` is the mean absolute error of the accuracy itself (nan for a ranking), `predicted` what
    each foretold, `skipped` the methods that the table does not feed, with the reason.
    """

    recipes: tuple[str, ...]
    truth: np.ndarray
    decision: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    error: dict[str, float]
    predicted: dict[str, Predicted]
    skipped: dict[str, str]
    level: float

    def __repr__(self) -> str:
        lines = [
            f"<Decisions of {len(self.decision)} methods on {len(self.recipes)} recipes: decision "
            f"accuracy, {self.level:.0%}"
        ]
        for name in sorted(self.decision, key=lambda n: -self.decision[n]):
            lost = int(np.sum(~self.predicted[name].converged))
            said = f", {lost} fits did not converge" if lost else ""
            error = "" if np.isnan(self.error[name]) else f", error {self.error[name]:.3g}"
            lines.append(
                f"  {name:28s} {self.decision[name]:.3f} ({self.low[name]:.3f} to "
                f"{self.high[name]:.3f}){error}{said}"
            )
        lines += [f"  {name:28s} skipped: {why}" for name, why in self.skipped.items()]
        return "\n".join(lines) + ">"


def decisions(
    runs: Runs,
    *,
    at: Mapping[str, float],
    truth: Any,
    methods: Mapping[str, Callable[[Runs, Mapping[str, float]], Predicted]] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Decisions:
    """Decision accuracy [fraction of pairs of recipes] of the nine methods at a size `at`
    [parameters and tokens, or FLOP].

    `truth` is the accuracy of each recipe there: a mapping, or a table of runs like `runs`, whose
    seeds are averaged. `methods` stand in place of the nine: functions of a table and a size, by
    name. Intervals resample recipes; a pair that is tied in either order counts one half. Raises
    InputError for recipes without a truth, or fewer than three.

    >>> import jaxscale as jsl
    >>> rng = np.random.default_rng(0)
    >>> N, good = np.tile(np.geomspace(2e7, 6e8, 6), 4), np.repeat([0.9, 0.95, 1.0, 1.05], 6)
    >>> loss = 0.5 + good * (2e8 / N) ** 0.3
    >>> runs = jsl.Runs.from_columns(N=N, D=20 * N, loss=loss, accuracy=0.95 - 0.7
    ...     / (1 + np.exp(-3 * (loss - 1.2))),
    ...     groups={"recipe": np.repeat(list("abcd"), 6)})
    >>> found = jsl.selection.decisions(runs, at={"N": 1e9, "D": 2e10},
    ...     truth={"a": 0.8, "b": 0.7, "c": 0.6, "d": 0.5},
    ...     methods={"single_scale_rank": jsl.selection.single_scale_rank})
    >>> found.decision
    {'single_scale_rank': 1.0}

    Source: Magnusson et al. 2025, section 3. Not from the source: ties, and intervals over recipes.
    """
    labels = labels_of(runs)
    wanted = _truth(truth, labels)
    if len(labels) < 3:
        raise refuse(
            f"decisions: {len(labels)} recipes",
            why="a pair or a single one",
            change="three or more",
        )
    check_level("decisions()", level)
    if resamples < 1:
        raise refuse(
            f"decisions(): resamples={resamples}",
            why="intervals resample recipes",
            change="at least one",
        )
    predicted: dict[str, Predicted] = {}
    skipped = {}
    for name, method in (methods or METHODS).items():
        try:
            predicted[name] = (
                method(runs) if method is _methods.single_scale_rank else method(runs, at)
            )
        except InputError as error:
            skipped[name] = str(error).splitlines()[0]
    weights = np.random.default_rng([seed, 3]).multinomial(
        len(labels), np.full(len(labels), 1 / len(labels)), resamples
    )
    decision, low, high, miss = {}, {}, {}, {}
    for name, own in predicted.items():
        right = _right(own.values, wanted)
        decision[name] = float(_share(right, np.ones((1, len(labels))))[0])
        tail = 0.5 * (1.0 - level)
        low[name], high[name] = (
            float(v) for v in np.nanquantile(_share(right, weights), [tail, 1.0 - tail])
        )
        miss[name] = (
            float("nan")
            if name == "single_scale_rank"
            else float(np.mean(np.abs(own.values - wanted)))
        )
    return Decisions(
        recipes=labels,
        truth=wanted,
        decision=decision,
        low=low,
        high=high,
        error=miss,
        predicted=predicted,
        skipped=skipped,
        level=level,
    )


METHODS: dict[str, Callable[..., Predicted]] = {
    name: getattr(_methods, name)
    for name in (
        "three_parameter",
        "three_parameter_helper",
        "three_parameter_late",
        "three_parameter_helper_late",
        "two_parameter",
        "five_parameter",
        "five_parameter_single_step",
        "three_parameter_single_step",
        "single_scale_rank",
    )
}


def _right(predicted: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """1, 1/2 or 0 (recipes, recipes) for pairs in the right order, tied, and in the wrong one."""
    orders = [np.sign(v[:, None] - v[None, :]) for v in (predicted, wanted)]
    return np.asarray(0.5 * (1.0 + orders[0] * orders[1]))


def _share(right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share (B,) of pairs of different recipes that are right, each recipe as often as it was drawn
    (B, recipes).
    """
    apart = 1.0 - np.eye(len(right))
    with np.errstate(invalid="ignore"):
        return np.asarray(
            np.einsum("bi,ij,bj->b", weights, right * apart, weights)
            / np.einsum("bi,ij,bj->b", weights, apart, weights)
        )


def _truth(truth: Any, labels: tuple[str, ...]) -> np.ndarray:
    if isinstance(truth, Runs):
        truth = {
            recipe: float(np.mean(own["accuracy"]))
            for recipe, own in ends_of(truth, "accuracy").items()
        }
    truth = {label_of(recipe): value for recipe, value in dict(truth).items()}
    if missing := [r for r in labels if r not in truth]:
        raise refuse(
            f"compare: no truth for the recipe {missing[0]!r}",
            why="it was not trained there",
            change="leave its small runs out",
        )
    return np.asarray([float(truth[r]) for r in labels])
