"""Verbs by one name on every tree: a method or a room of today where the tree has it, else what was there before.

`today.regret(plan)` calls `plan.regret()`, and `jsl.regret(plan)` on a tree without that method.
"""

import dataclasses
import importlib

import numpy as np

import jaxscale as jsl

METHODS = {  # the noun that has it as a method, and its name there
    "near_optimal": ("Allocation", "near_optimal"),
    "regret": ("Allocation", "regret"),
    "decide": ("Allocation", "decide"),
    "score": ("Forecast", "score"),
    "with_helper": ("Runs", "with_helper"),
    "joint": ("Law", "then"),
}
ROOMS = {
    "chains": ("Chain", "ChainForecast"),
    "forecasts": ("Hindsight", "Ledger", "Score", "hindsight", "ledger"),
    "laws": ("cite",),
    "plans": ("Approaches", "Design", "IsoFLOP", "Region", "Regret", "approaches", "expected_deviation", "isoflop"),
    "selection": ("Comparison", "Recipes", "Sensitivity", "TaskSignal", "sensitivity", "task_signal"),
    "uncertainty": (
        *("Covariance", "Identifiability", "Influence", "LackOfFit", "NoiseFloor", "Profile", "Sampling", "cautions"),
        *("covariance", "identifiability", "influence", "lack_of_fit", "noise_floor", "posterior", "prediction_interval"),
        "profile_likelihood",
    ),
}


def has(room, name):
    """A name of a room, or None on a tree whose room shows none."""
    return getattr(importlib.import_module(f"jaxscale.{room}"), name, None)


def __getattr__(name):
    if name in METHODS:
        noun, own = METHODS[name]
        if hasattr(getattr(jsl, noun), own):
            return lambda first, *rest, **options: getattr(first, own)(*rest, **options)
        return getattr(jsl, name)
    for room, names in ROOMS.items():
        if name in names:
            return has(room, name) or getattr(jsl, name)
    raise AttributeError(name)


def compare_recipes(*sides, **options):
    return (has("selection", "recipes") or jsl.compare_recipes)(*sides, **options)


def envelope(runs, **options):
    return jsl.envelope(runs, **options) if hasattr(jsl, "envelope") else jsl.plans.isoflop(runs, kind="envelope", **options)


def compare_plans(*plans, **options):
    return (getattr(jsl.plots, "plans", None) or jsl.plots.compare_plans)(*plans, **options)


def delta_sensitivity(fit, deltas=None, *, of):
    """Deltas, and the answer of a fit by each: today a `Sensitivity` of that many objectives."""
    if hasattr(jsl, "delta_sensitivity"):
        return jsl.delta_sensitivity(fit, deltas, of=of)
    problem, certificate = fit.problem, fit.certificate
    scale = problem.objective.zone / certificate.delta_over_scale
    wanted = scale * np.geomspace(0.03, 30.0, 7) if deltas is None else np.asarray(deltas, np.float64)
    objectives = [dataclasses.replace(problem.objective, **{problem.objective.width: float(d)}) for d in wanted]
    starts, seed = max(certificate.starts_drawn, 1), problem.seed
    found = jsl.selection.sensitivity(problem.law, problem.runs, of=of, objective=objectives, starts=starts, seed=seed)
    return wanted, found["answer"]


def decisions(*tables, **options):
    return jsl.baselines.compare(*tables, **options) if hasattr(jsl, "baselines") else jsl.selection.decisions(*tables, **options)


def extrapolation(name):
    """One of the nine ways to foretell a recipe."""
    return getattr(jsl.baselines if hasattr(jsl, "baselines") else jsl.selection, name)
