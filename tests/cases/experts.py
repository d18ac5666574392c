"""Cases of jaxscale/laws/experts.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

COARSE = {"N": np.geomspace(5e7, 2e10, 5), "D": np.geomspace(2e9, 1e12, 5)}
EXPERTS = np.array([1.0, 2.0, 8.0, 32.0, 128.0, 512.0])

LAWS = {
    "sparse_moe": (
        laws.sparse_moe,
        {
            "e": 0.94,
            "a": 16612.5,
            "alpha": 0.5962,
            "b": 5455.67,
            "beta": 0.3954,
            "c": 0.4598,
            "lambda_": -0.1666,
            "d": 17.26,
            "delta": 0.1603,
            "gamma": 0.1595,
        },
        crossed(**COARSE, S=np.array([0.0, 0.5, 0.8, 0.95, 0.98])),
    ),
    "joint_moe": (
        laws.joint_moe,
        laws.joint_moe.published["ludziejewski2025"].params,
        crossed(**COARSE, E=EXPERTS),
    ),
    "routed_moe": (
        laws.routed_moe,
        {"a": -0.083, "b": -0.118, "c": 0.0099, "d": 1.1136, "E_start": 2.1, "E_max": 240.0},
        crossed(
            N=np.geomspace(1.5e7, 1.3e9, 8),
            E=np.array([1.0, 2.0, 4.0, 8.0, 32.0, 64.0, 128.0, 512.0]),
        ),
    ),
    "fine_grained_moe": (
        laws.fine_grained_moe,
        {"c": 0.47, "a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58},
        crossed(**COARSE, G=np.array([1.0, 2.0, 4.0, 8.0, 16.0])),
    ),
    "inference_moe": (
        laws.inference_moe,
        {
            "A": 400.0,
            "alpha": 0.34,
            "B": 1.0,
            "beta": 0.5,
            "C": 400.0,
            "gamma": 0.28,
            "F": 1.5,
            "d": -0.002,
        },
        crossed(N=COARSE["N"], E=np.array([1.0, 2.0, 4.0, 8.0, 32.0]), D=COARSE["D"]),
    ),
    "upcycling": (
        laws.upcycling,
        {
            "E": 0.165,
            "A": 16.3,
            "alpha1": 0.043,
            "alpha2": 0.085,
            "alpha3": 7.98e-4,
            "B": 8.53,
            "beta": 0.112,
        },
        crossed(N=COARSE["N"], D1=np.geomspace(1e9, 1e12, 5), D2=np.geomspace(1e9, 1e12, 5)),
    ),
    # E is small here, so that values are positive: the objectives of this suite take logarithms
}
