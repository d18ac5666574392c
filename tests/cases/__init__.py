"""The one registry: every shipped law with true parameters and a grid of runs, every objective,
every solver.

A law, objective or solver that is shipped but missing here fails `test_contract.py`. Laws stand in
one file for each file of `jaxscale/laws`: LAWS maps a name to (law, true parameters, columns);
OTHERWISE says which laws noise-free runs do not determine, and with which status a fit says so.
"""

import importlib
import pkgutil

import numpy as np
import optax

import jaxscale as jsl

_FILES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
LAWS = {name: case for file in _FILES for name, case in file.LAWS.items()}
OTHERWISE = {
    name: status for file in _FILES for name, status in getattr(file, "OTHERWISE", {}).items()
}

# One law for each shape of formula: what has to compile for long is tested on these, and on all by
# benchmarks/recovery.py.
SHAPES = (
    "chinchilla",
    "kaplan",
    "busbridge",
    "power_law",
    "broken_power_law",
    "data_mixing_relative",
    "benchmark_sigmoid",
    "rectified",
    "annealing",
)

OBJECTIVES = {
    "LogHuber": jsl.objectives.LogHuber(1e-3),
    "Huber": jsl.objectives.Huber(1e-2),
    "LogSquared": jsl.objectives.LogSquared(),
    "Squared": jsl.objectives.Squared(),
    "LogAbs": jsl.objectives.LogAbs(),
    "Quantile": jsl.objectives.Quantile(0.3),
    "NegLogLik": jsl.objectives.NegLogLik(),
}

SOLVERS = {
    "Newton": jsl.solvers.Newton(),
    "lbfgs": jsl.solvers.Optax(optax.lbfgs, max_steps=400),
    "adam": jsl.solvers.Optax(optax.adam, 2e-2, max_steps=20_000),
}


def noisy(name, sigma, seed=0, rows=slice(None)):
    """Runs of a case with multiplicative noise."""
    law, true, columns = LAWS[name]
    columns = {c: v[rows] for c, v in columns.items()}
    clean = law(**columns, **true)
    noise = np.random.default_rng(seed).standard_normal(len(clean))
    return jsl.Runs.from_columns(
        **columns, loss=clean * np.exp(sigma * noise), units={"loss": law.unit}
    )
