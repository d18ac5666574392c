"""Cases of jaxscale/laws/downstream.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

COMPUTE = {"C": np.geomspace(1e18, 1e24, 60)}
WIDE = crossed(N=np.geomspace(5e6, 5e10, 11), D=np.geomspace(2e8, 1e12, 11))

LAWS = {
    "error_from_loss": (
        laws.error_from_loss,
        {"epsilon": 0.85, "k": 2.0, "gamma": 0.7},
        {"L": np.linspace(1.8, 6, 50)},
    ),
    "accuracy_from_loss": (
        laws.accuracy_from_loss,
        {"a": -0.6, "k": 4.0, "x0": 0.9, "b": 0.95},
        {"L": np.linspace(0.2, 2.0, 50)},
    ),
    "accuracy_above_chance": (
        laws.accuracy_above_chance,
        {"k": 4.0, "x0": 0.9, "chance": 0.35, "top": 0.95},
        {"L": np.linspace(0.2, 2.0, 50)},
    ),
    "accuracy_log_sigmoid": (
        laws.accuracy_log_sigmoid,
        {"a": -0.25, "k": 3.0, "x0": 0.8},
        {"L": np.linspace(0.2, 1.6, 50)},
    ),
    "accuracy_from_sizes": (
        laws.accuracy_from_sizes,
        {"A": 800.0, "B": 3000.0, "alpha": 0.35, "beta": 0.37, "E": -2.0, "a": -0.6, "b": 0.9},
        WIDE,
    ),
    "accuracy_from_compute": (
        laws.accuracy_from_compute,
        {"A": 2000.0, "alpha": 0.15, "E": -3.0, "a": -0.6, "b": 0.9},
        COMPUTE,
    ),
    "benchmark_sigmoid": (
        laws.benchmark_sigmoid,
        {"a": -23.1, "b": 1.1, "y_min": 0.25, "y_max": 0.95},
        COMPUTE,
    ),
    "u_shape": (laws.u_shape, {"y_turn": 0.3, "q": 0.05, "C_turn": 1e22}, COMPUTE),
    "opposed_power_laws": (
        laws.opposed_power_laws,
        {"E": 0.5, "A": 60.0, "alpha": 0.12, "B": 900.0, "beta": 0.2},
        {"C": np.geomspace(1e14, 1e24, 80)},
    ),
    "pass_rate": (laws.pass_rate, {"c": 400.0, "alpha": 0.25}, {"N": np.geomspace(1e8, 1e11, 40)}),
    "exact_match": (
        laws.exact_match,
        {"c": 1e6, "alpha": 0.3},
        crossed(N=np.geomspace(1e8, 1e11, 10), length=np.arange(1.0, 6.0)),
    ),
}
OTHERWISE = {}
