"""Cases of jaxscale/laws/transfer.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

LAWS = {
    "data_transferred": (
        laws.data_transferred,
        {"k": 1.9e4, "alpha": 0.18, "beta": 0.38},
        crossed(D_F=np.geomspace(1e5, 1e8, 8), N=np.geomspace(1e6, 1e9, 8)),
    ),
    "finetuning": (
        laws.finetuning,
        {"A": 30.0, "alpha": 0.1, "beta": 0.12, "E": 0.5},
        crossed(X=np.geomspace(1e8, 2e10, 10), D_f=np.geomspace(1e3, 1e7, 10)),
    ),
    "rectified": (
        laws.rectified,
        {"B": 560.0, "D_l": 170.0, "beta": 0.46, "E": 1.07},
        {"D_f": np.geomspace(200, 3e6, 60)},
    ),
    "vanilla_finetuning": (
        laws.vanilla_finetuning,
        {"B": 0.1, "beta": 0.3, "E": 0.5, "alpha": 0.7},
        {"D_f": np.geomspace(10, 1e7, 80)},
    ),
    "translation_score": (
        laws.translation_score,
        {"A": 3.0, "alpha": 0.1, "beta": 4.0},
        {"D_p": np.geomspace(1e6, 1e12, 60)},
    ),
}
