"""Cases of jaxscale/laws/reinforcement.py."""

import numpy as np

from jaxscale import laws

LAWS = {
    "data_to_return": (
        laws.data_to_return,
        {"D_min": 7.98e4, "beta": 0.57, "alpha": 1.09},
        {"sigma": np.geomspace(0.125, 32, 40)},
    ),
}
