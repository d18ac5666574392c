"""Cases of jaxscale/laws/multimodal.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

LAWS = {
    # without noise the offset can be found; with the noise of benchmarks it cannot
    "visual_tokens": (
        laws.visual_tokens,
        {"A": 2.5, "alpha": 0.071, "beta": 0.015, "d": 0.05},
        crossed(N=[5e8, 1.8e9, 4e9, 7e9, 13e9, 34e9], T=[1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0]),
    ),
    "shifted_power_law": (
        laws.shifted_power_law,
        {"a": 60.0, "b": 1e17, "c": -0.13, "d": 0.08},
        {"C": np.geomspace(1e15, 1e22, 60)},
    ),
    "encoder_decoder": (
        laws.encoder_decoder,
        {"alpha": 0.6, "p_e": 0.18, "p_d": 0.31, "L_inf": 1.2},
        crossed(N_e=np.geomspace(1e7, 3e9, 8), N_d=np.geomspace(1e7, 3e9, 8)),
    ),
    "multilingual": (
        laws.multilingual,
        {"beta": 500.0, "alpha": 0.3, "L_inf": 1.0, "c1": 0.3, "c2": 0.6, "c3": 0.8},
        crossed(N=np.geomspace(1e7, 3e9, 8), p=[0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]),
    ),
}
