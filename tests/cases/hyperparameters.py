"""Cases of jaxscale/laws/hyperparameters.py."""

import numpy as np

from jaxscale import laws

from .grids import SIZES, crossed

LAWS = {
    "learning_rate": (laws.learning_rate, {"C": 1.8, "alpha": 0.71, "beta": -0.31}, SIZES),
    "timescale": (laws.timescale, {"c": 1.1, "m": -0.53}, SIZES),
    "quadratic_optimum": (
        laws.quadratic_optimum,
        {"L_star": 2.5, "kappa": 0.05, "eta_star": 2e-3},
        {"eta": np.geomspace(2e-4, 1e-2, 40)},
    ),
    "quadratic_optimum_pair": (
        laws.quadratic_optimum_pair,
        {
            "L_star": 2.5,
            "kappa_eta": 0.05,
            "kappa_B": 0.02,
            "rho": -0.6,
            "eta_star": 2e-3,
            "B_star": 5e5,
        },
        crossed(eta=np.geomspace(2e-4, 1e-2, 8), B=np.geomspace(6e4, 4e6, 7)),
    ),
    "tuned_front": (
        laws.tuned_front,
        {"E": 1.7, "A": 2000.0, "alpha": 0.15, "kappa": 0.05, "a": 1.0, "b": -0.18},
        crossed(h=np.geomspace(1e-4, 1e-2, 8), C=np.geomspace(1e17, 1e21, 12)),
    ),
}
