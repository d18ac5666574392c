"""Cases of jaxscale/laws/mixture.py."""

import numpy as np

from jaxscale import laws

_rng = np.random.default_rng(7)
_TERM = {"C": np.array([3.0, 1.0, 2.0]), "gamma": np.array([0.6, 0.3, 1.2])}


def _mixtures(runs):
    """Mixtures of three domains: single domains nearly pure, pairs, and all between."""
    return _rng.dirichlet([0.6, 0.6, 0.6], runs) * 0.97 + 0.01


def _pairs(runs):
    first = _rng.uniform(0.02, 0.98, runs)
    return np.stack([first, 1 - first], -1)


def _scales(runs):
    return {
        "N": np.exp(_rng.uniform(np.log(3e7), np.log(1e10), runs)),
        "D": np.exp(_rng.uniform(np.log(1e9), np.log(1e12), runs)),
    }


LAWS = {
    "mixture_additive": (
        laws.mixture_additive,
        {"E": 1.4, "A": 300.0, "B": 900.0, "alpha": 0.34, "beta": 0.31, **_TERM},
        {**_scales(150), "h": _mixtures(150)},
    ),
    "mixture_joint": (  # of two domains: 13 parameters, with three there would be 17
        laws.mixture_joint.sized(C=2, gamma=2, C_A=2, C_B=2),
        {
            "E": 1.4,
            "alpha": 0.34,
            "beta": 0.31,
            "C": np.array([3.0, 1.0]),
            "gamma": np.array([0.6, 0.3]),
        }
        | {
            "C_A": np.array([300.0, 900.0]),
            "gamma_A": 0.9,
            "C_B": np.array([2000.0, 400.0]),
            "gamma_B": 1.1,
        },
        {**_scales(120), "h": _pairs(120)},
    ),
    "data_mixing": (
        laws.data_mixing,
        {"c": 2.0, "k": 0.4, "t": np.array([1.0, -2.0, 0.5])},
        {"r": _mixtures(60)},
    ),
    "data_mixing_relative": (
        laws.data_mixing_relative,
        {"c": 2.0, "k": 0.4, "t": np.array([1.0, -2.0])},
        {"r": _mixtures(60)},
    ),
}
OTHERWISE = {"data_mixing": "FLAT"}  # t + s with k exp(-s) is the same law on shares that sum to 1
