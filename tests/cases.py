"""The one registry: every shipped law with true parameters and a grid of runs, every objective, every solver.

A law, objective or solver that is shipped but missing here fails `test_contract.py`.
"""

import numpy as np
import optax

import jaxscale as jsl

_N = np.geomspace(5e7, 1e10, 7)
_D = np.geomspace(2e9, 3e11, 7)
_GRID = {"N": np.repeat(_N, 7), "D": np.tile(_D, 7)}

# name -> (law, true parameters, columns)
LAWS = {
    "chinchilla": (jsl.laws.chinchilla, {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.33}, _GRID),
    "kaplan": (jsl.laws.kaplan, {"Nc": 6.4e13, "Dc": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}, _GRID),
    "busbridge": (
        jsl.laws.busbridge,
        {"E": 1.22, "A": 3355.0, "B": 18186.0, "alpha": 0.408, "beta": 0.431, "gamma": 0.452},
        {"N": np.repeat(np.geomspace(2e7, 2e10, 12), 12), "D": np.tile(np.geomspace(5e8, 1e12, 12), 12)},
    ),
    "power_law": (jsl.laws.power_law, {"E": 0.5, "C0": 6e22, "alpha": 0.074}, {"C": np.geomspace(1e17, 1e23, 30)}),
}

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
    return jsl.Runs.from_columns(**columns, loss=clean * np.exp(sigma * noise))
