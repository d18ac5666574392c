"""Cases of jaxscale/laws/architecture.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

LAWS = {
    "vocabulary": (
        laws.vocabulary,
        {
            "E": 0.02,
            "A1": 876.0,
            "alpha1": 0.447,
            "A2": 2077.0,
            "alpha2": 0.671,
            "B": 22200.0,
            "beta": 0.44,
        },
        crossed(
            N=np.geomspace(2e7, 2e9, 4),
            V=np.geomspace(4e3, 1e5, 4),
            d=np.array([512.0, 2048.0]),
            D=np.geomspace(1e8, 1e11, 4),
        ),
    ),
    "width_depth": (
        laws.width_depth,
        {"E": 1.4, "A": 5.0, "alpha": 0.3, "B": 1.2, "beta": 0.4, "C": 20000.0, "gamma": 0.47},
        crossed(
            width=np.geomspace(256, 4096, 5),
            depth=np.geomspace(3, 80, 5),
            D=np.geomspace(2e9, 4e11, 5),
        ),
    ),
    "width_depth_params": (
        laws.width_depth_params,
        {
            "E": 1.5,
            "A": 4.5,
            "alpha": 0.25,
            "B": 1.0,
            "beta": 0.4,
            "C": 2800.0,
            "gamma": 0.5,
            "F": 23000.0,
            "delta": 0.47,
        },
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
        crossed(
            N=np.geomspace(1e8, 1e10, 5), D=np.geomspace(2e9, 5e11, 5), L_T=np.linspace(1.9, 3.0, 6)
        ),
    ),
}
