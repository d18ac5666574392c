"""Cases of jaxscale/laws/compression.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

TRAIN = {
    "E": 2.7, "A": 4299.0, "B": 18000.0, "alpha": 0.4965, "beta": 0.48, "gamma_w": 2.6745,
    "gamma_a": 2.2, "gamma_kv": 0.96,
}  # fmt: skip
POST = {"C_T": 0.06, "gamma_D": 0.5068, "gamma_N": 0.3439, "gamma_post": 0.6}


def at_bits(sizes, bits, **columns):
    """`sizes` crossed with rows of bit widths: each part is lowered alone, which tells the gammas
    apart.
    """
    grid = crossed(
        N=np.geomspace(5e7, 2e9, sizes),
        D=np.geomspace(2e9, 1e11, sizes),
        row=np.arange(len(bits)),
        **columns,
    )
    rows = np.asarray(bits, float)[grid.pop("row")]
    return grid | {"P_w": rows[:, 0], "P_a": rows[:, 1], "P_kv": rows[:, 2]}


LAWS = {
    "low_precision": (
        laws.low_precision,
        TRAIN,
        at_bits(
            4,
            [
                [16, 16, 16],
                [3, 16, 16],
                [6, 16, 16],
                [16, 3, 16],
                [16, 6, 16],
                [16, 16, 2],
                [16, 16, 4],
                [8, 8, 8],
            ],
        ),
    ),
    "post_training_quantization": (
        laws.post_training_quantization,
        POST,
        crossed(N=np.geomspace(5e7, 2e9, 4), D=np.geomspace(2e9, 1e11, 4), P_post=[3.0, 4.0, 6.0]),
    ),
    "precision": (
        laws.precision,
        TRAIN | POST,
        at_bits(
            3,
            [[16, 16, 16], [3, 16, 16], [16, 3, 16], [16, 16, 2], [6, 6, 4]],
            P_post=[3.0, 4.0, 16.0],
        ),
    ),
    "quantization_degradation": (
        laws.quantization_degradation,
        {"k": 0.017, "alpha": 0.2261, "beta": 0.5251, "gamma": 5.4967},
        crossed(N=np.geomspace(1e8, 1e10, 4), D=np.geomspace(1e9, 3e11, 4), P=[2.0, 3.0, 4.0]),
    ),
    "weight_sparsity": (
        laws.weight_sparsity,
        {"a_S": 17.0, "b_S": 0.72, "c_S": 45.0, "b_N": 0.25, "a_D": 6.9e8, "b_D": 0.3, "c": 0.7},
        crossed(
            N=np.geomspace(1e6, 1e9, 6), S=[0.0, 0.5, 0.75, 0.875], D=np.geomspace(1e9, 3e11, 5)
        ),
    ),
    "compressed": (
        laws.compressed,
        {
            "E": 1.7,
            "A": 400.0,
            "B": 1100.0,
            "alpha": 0.34,
            "beta": 0.33,
            "L": 0.95,
            "F": 0.3,
            "C": 0.7,
        },
        crossed(
            N=np.geomspace(3e7, 1e9, 5),
            D=np.geomspace(2e9, 1e11, 5),
            GMSE=[1e-4, 1e-3, 1e-2, 0.05, 0.2],
        ),
    ),
}
OTHERWISE = {"compressed": "FLAT"}  # L multiplies N in every run: only A L^-alpha is determined
