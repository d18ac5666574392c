"""Cases of jaxscale/laws/batch.py."""

import numpy as np

from jaxscale import laws

from .grids import SIZES, crossed

BATCHES = {"B": np.geomspace(2e4, 2e7, 40)}

LAWS = {
    "steps_to_target": (laws.steps_to_target, {"S_min": 4000.0, "B_crit": 8e5}, BATCHES),
    "examples_to_target": (laws.examples_to_target, {"E_min": 3.2e9, "B_crit": 8e5}, BATCHES),
    "best_step": (laws.best_step, {"eps_max": 0.02, "B_noise": 8e5}, BATCHES),
    "critical_batch": (
        laws.critical_batch,
        {"B_star": 2e8, "alpha_B": 0.21},
        {"L": np.linspace(1.8, 5.0, 40)},
    ),
    "steps_to_loss": (  # every loss lies above what the smallest model can reach, 2.46
        laws.steps_to_loss,
        {
            "Nc": 6.5e13,
            "alpha_N": 0.077,
            "Sc": 2.1e3,
            "alpha_S": 0.76,
            "B_star": 2e8,
            "alpha_B": 0.21,
        },
        crossed(
            N=np.geomspace(5e8, 2e10, 4), L=np.linspace(2.6, 4.0, 6), B=np.geomspace(1e5, 1e7, 4)
        ),
    ),
    "three_term": (
        laws.three_term,
        {"E": 1.7, "A": 400.0, "B": 40.0, "C": 30.0, "alpha": 0.34, "beta": 0.4, "gamma": 0.5},
        crossed(
            N=np.geomspace(5e7, 5e9, 5), M=np.geomspace(3e4, 3e6, 5), K=np.geomspace(1e3, 1e5, 5)
        ),
    ),
    "batch_size": (laws.batch_size, {"c": 0.9, "a": 0.1, "b": 0.55}, SIZES),
}
