"""Cases of jaxscale/laws/data.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

LAWS = {
    "data_constrained": (
        laws.data_constrained,
        {"E": 1.87, "A": 520.0, "B": 1490.0, "alpha": 0.35, "beta": 0.36, "R_D": 15.4, "R_N": 5.3},
        crossed(N=np.geomspace(3e7, 1e10, 6), D=np.geomspace(1e9, 3e11, 7), U=[1e9, 1e10, 1e11]),
    ),
    "data_filtering": (
        laws.data_filtering,
        {"a": 8.0, "b": -0.18, "tau": 3.0, "d": 0.1},
        crossed(n=np.geomspace(1e6, 6e8, 25), P=[12.8e6, 64e6]),
    ),
    "saturating_power_law": (
        laws.saturating_power_law,
        {"beta": 30.0, "gamma": 1e-5, "c": 0.4},
        {"x": np.geomspace(1e2, 1e7, 40)},
    ),
    "plateau_power_law": (
        laws.plateau_power_law,
        {"beta": 30.0, "c": -0.5, "alpha": 0.8, "epsilon_0": 0.9, "epsilon_inf": 0.1},
        {"x": np.geomspace(1.0, 1e8, 60)},
    ),
    "broken_power_law": (
        laws.broken_power_law,
        {
            "a": 0.4,
            "b": 2.3,
            "c0": 0.05,
            "c": np.array([0.8]),
            "d": np.array([600.0]),
            "f": np.array([0.3]),
        },
        {"x": np.geomspace(10.0, 1e6, 60)},
    ),
}
