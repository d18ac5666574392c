"""Cases of jaxscale/laws/translation.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

LAWS = {
    "loss_to_loss": (
        laws.loss_to_loss,
        {"K": 0.62303, "kappa": 1.09041, "E0": 1.8, "E1": 0.7},
        {"L0": np.linspace(1.9, 5.0, 50)},
    ),
    "kaplan_offset": (
        laws.kaplan_offset,
        {"E": 1.6, "A": 2e8, "B": 2e9, "alpha": 0.4, "beta": 0.45},
        crossed(N=np.geomspace(2e7, 2e10, 11), D=np.geomspace(5e8, 1e12, 11)),
    ),
}
