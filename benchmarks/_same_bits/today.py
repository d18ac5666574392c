"""Verbs by one name on every tree: a method or a room of today where the tree has it, else what was
there before.

`today.regret(plan)` calls `plan.regret()`, and `jsl.regret(plan)` on a tree without that method.
"""

import dataclasses
import importlib
import inspect

import numpy as np

import jaxscale as jsl

METHODS = {  # the noun that has it as a method, and its name there
    "near_optimal": ("Allocation", "near_optimal"),
    "regret": ("Allocation", "regret"),
    "decide": ("Allocation", "decide"),
    "score": ("Forecast", "score"),
    "with_helper": ("Runs", "with_helper"),
    "joint": ("Law", "then"),
    "best": ("Runs", "best"),
}
ROOMS = {
    "chains": ("Chain", "ChainForecast"),
    "forecasts": ("Hindsight", "Ledger", "Score", "hindsight", "ledger"),
    "laws": ("cite",),
    "plans": (
        "Approaches",
        "Design",
        "IsoFLOP",
        "Region",
        "Regret",
        "approaches",
        "expected_deviation",
        "isoflop",
    ),
    "selection": (
        "Comparison",
        "Recipes",
        "Sensitivity",
        "TaskSignal",
        "sensitivity",
        "task_signal",
    ),
    "uncertainty": (
        *(
            "Covariance",
            "Identifiability",
            "Influence",
            "LackOfFit",
            "NoiseFloor",
            "Profile",
            "Sampling",
            "cautions",
        ),
        *(
            "covariance",
            "identifiability",
            "influence",
            "lack_of_fit",
            "noise_floor",
            "posterior",
            "prediction_interval",
        ),
        "profile_likelihood",
    ),
}


WORDS = {  # what an argument is called today, and what it was called before
    "near_optimal": {"loss_slack": "loss", "cost_slack": "compute"},
    "with_helper": {"loss": "at", "per": "by"},
    "hindsight": {"factor": "within"},
    "noise_floor": {"cell": "by"},
    "best": {"cell": "by"},
    "posterior": {"noise_prior": "scale"},
    "expected_deviation": {"relative": "log"},
    "design": {"relative": "log"},
    "compare": {"size": "scale"},
    "compare_recipes": {"bracket": "within"},
    "frontier": {"loss_slack": "loss"},
}


def has(room, name):
    """A name of a room, or None on a tree whose room shows none."""
    return getattr(importlib.import_module(f"jaxscale.{room}"), name, None)


def worded(name, call):
    """The verb by today's words."""
    known = inspect.signature(call).parameters

    def asked(*given, **options):
        before = WORDS.get(name, {})
        return call(
            *given, **{k if k in known else before.get(k, k): v for k, v in options.items()}
        )

    return asked


def __getattr__(name):
    if name in METHODS:
        noun, own = METHODS[name]
        return worded(name, getattr(getattr(jsl, noun), own, None) or getattr(jsl, name))
    if name in ("compare", "design"):
        return worded(name, getattr(jsl, name))
    if name == "frontier":
        return worded(name, jsl.plots.frontier)
    for room, names in ROOMS.items():
        if name in names:
            found = has(room, name) or getattr(jsl, name)
            return worded(name, found) if name in WORDS else found
    raise AttributeError(name)


def compare_recipes(*sides, **options):
    return worded("compare_recipes", has("selection", "recipes") or jsl.compare_recipes)(
        *sides, **options
    )


def envelope(runs, **options):
    return (
        jsl.envelope(runs, **options)
        if hasattr(jsl, "envelope")
        else jsl.plans.isoflop(runs, kind="envelope", **options)
    )


def compare_plans(*plans, **options):
    return (getattr(jsl.plots, "plans", None) or jsl.plots.compare_plans)(*plans, **options)


def delta_sensitivity(fit, deltas=None, *, of):
    """Deltas, and the answer of a fit by each: today a `Sensitivity` of that many objectives."""
    if hasattr(jsl, "delta_sensitivity"):
        return jsl.delta_sensitivity(fit, deltas, of=of)
    problem, certificate = fit.problem, fit.certificate
    scale = problem.objective.zone / certificate.delta_over_scale
    wanted = (
        scale * np.geomspace(0.03, 30.0, 7) if deltas is None else np.asarray(deltas, np.float64)
    )
    objectives = [
        dataclasses.replace(problem.objective, **{problem.objective.width: float(d)})
        for d in wanted
    ]
    starts, seed = max(certificate.starts_drawn, 1), problem.seed
    found = jsl.selection.sensitivity(
        problem.law, problem.runs, of=of, objective=objectives, starts=starts, seed=seed
    )
    return wanted, found["answer"]


def decisions(*tables, **options):
    return (
        jsl.baselines.compare(*tables, **options)
        if hasattr(jsl, "baselines")
        else jsl.selection.decisions(*tables, **options)
    )


def extrapolation(name):
    """One of the nine ways to foretell a recipe."""
    return getattr(jsl.baselines if hasattr(jsl, "baselines") else jsl.selection, name)
