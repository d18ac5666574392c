"""Cases of jaxscale/laws/architecture.py."""

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
        crossed(N=np.geomspace(1.5e7, 1.3e9, 8), E=np.array([1.0, 2.0, 4.0, 8.0, 32.0, 64.0, 128.0, 512.0])),
    ),
    "fine_grained_moe": (
        laws.fine_grained_moe,
        {"c": 0.47, "a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58},
        crossed(**COARSE, G=np.array([1.0, 2.0, 4.0, 8.0, 16.0])),
    ),
    "inference_moe": (
        laws.inference_moe,
        {"A": 400.0, "alpha": 0.34, "B": 1.0, "beta": 0.5, "C": 400.0, "gamma": 0.28, "F": 1.5, "d": -0.002},
        crossed(N=COARSE["N"], E=np.array([1.0, 2.0, 4.0, 8.0, 32.0]), D=COARSE["D"]),
    ),
    "upcycling": (
        laws.upcycling,
        {"E": 0.165, "A": 16.3, "alpha1": 0.043, "alpha2": 0.085, "alpha3": 7.98e-4, "B": 8.53, "beta": 0.112},
        crossed(N=COARSE["N"], D1=np.geomspace(1e9, 1e12, 5), D2=np.geomspace(1e9, 1e12, 5)),
    ),
    # E is small here, so that values are positive: the objectives of this suite take logarithms
    "vocabulary": (
        laws.vocabulary,
        {"E": 0.02, "A1": 876.0, "alpha1": 0.447, "A2": 2077.0, "alpha2": 0.671, "B": 22200.0, "beta": 0.44},
        crossed(
            N=np.geomspace(2e7, 2e9, 4), V=np.geomspace(4e3, 1e5, 4), d=np.array([512.0, 2048.0]), D=np.geomspace(1e8, 1e11, 4)
        ),
    ),
    "width_depth": (
        laws.width_depth,
        {"E": 1.4, "A": 5.0, "alpha": 0.3, "B": 1.2, "beta": 0.4, "C": 20000.0, "gamma": 0.47},
        crossed(width=np.geomspace(256, 4096, 5), depth=np.geomspace(3, 80, 5), D=np.geomspace(2e9, 4e11, 5)),
    ),
    "width_depth_params": (
        laws.width_depth_params,
        {"E": 1.5, "A": 4.5, "alpha": 0.25, "B": 1.0, "beta": 0.4, "C": 2800.0, "gamma": 0.5, "F": 23000.0, "delta": 0.47},
        crossed(
            width=np.geomspace(256, 4096, 4),
            depth=np.geomspace(3, 80, 4),
            N=np.geomspace(2e7, 2e10, 3),
            D=np.geomspace(2e9, 4e11, 3),
        ),
    ),
    "parallel_streams": (
        laws.parallel_streams,
        {"E": 0.69, "A": 1.13e7, "alpha": 0.189, "k": 0.393},
        crossed(N=np.geomspace(5e8, 5e9, 8), P=np.array([1.0, 2.0, 4.0, 8.0, 16.0])),
    ),
    "diloco": (
        laws.diloco,
        {"A": 19.2, "alpha": 0.0985, "beta": 0.0116},
        crossed(N=np.geomspace(3e7, 1e10, 8), M=np.array([1.0, 2.0, 4.0, 8.0, 16.0])),
    ),
    # the supervised law is fixed, as in the paper
    "distillation": (
        laws.distillation.fix(E=1.22, A=3355.0, B=18186.0, alpha=0.408, beta=0.431, gamma=0.452),
        {
            "c0": 2.549,
            "c1": 522.6,
            "f1": 0.09,
            "d1": 1.315,
            "A_S": 2243.0,
            "B_S": 24181.0,
            "alpha_S": 0.321,
            "beta_S": 0.637,
            "gamma_S": 0.764,
        },
        crossed(N=np.geomspace(1e8, 1e10, 5), D=np.geomspace(2e9, 5e11, 5), L_T=np.linspace(1.9, 3.0, 6)),
    ),
}
