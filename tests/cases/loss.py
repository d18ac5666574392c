"""Cases of jaxscale/laws/loss.py."""

import numpy as np

from jaxscale import laws

from .grids import SIZES, crossed

LAWS = {
    "chinchilla": (
        laws.chinchilla,
        {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.33},
        SIZES,
    ),
    "kaplan": (
        laws.kaplan,
        {"Nc": 6.4e13, "Dc": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
        SIZES,
    ),
    "kaplan_steps": (
        laws.kaplan_steps,
        {"Nc": 6.5e13, "Sc": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76},
        crossed(N=np.geomspace(1e6, 1e9, 7), S=np.geomspace(1e3, 3e5, 10)),
    ),
    "busbridge": (
        laws.busbridge,
        {"E": 1.22, "A": 3355.0, "B": 18186.0, "alpha": 0.408, "beta": 0.431, "gamma": 0.452},
        crossed(N=np.geomspace(2e7, 2e10, 12), D=np.geomspace(5e8, 1e12, 12)),
    ),
    "overtrained": (
        laws.overtrained,
        {"E": 1.8, "a": 100.0, "b": 250.0, "eta": 0.15},
        crossed(C=np.geomspace(1e17, 1e21, 8), M=np.geomspace(5, 640, 8)),
    ),
    "rosenfeld": (
        laws.rosenfeld,
        {"eps0": 0.999, "a": 40.0, "b": 20.0, "alpha": 0.4, "beta": 0.35, "c": 0.1},
        crossed(N=np.geomspace(1e3, 1e8, 11), D=np.geomspace(1e2, 1e7, 11)),
    ),
    "power_law": (
        laws.power_law,
        {"E": 0.5, "x0": 6e22, "alpha": 0.074},
        {"x": np.geomspace(1e17, 1e23, 30)},
    ),
    "trend": (laws.trend, {"k": 11.9, "a": -0.066}, {"x": np.geomspace(1e5, 1e9, 40)}),
    "growth": (laws.growth, {"k": 0.8, "g": 2.4}, {"t": np.linspace(-6, 3, 40)}),
}
