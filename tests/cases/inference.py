"""Cases of jaxscale/laws/inference.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

_random = np.random.default_rng(0)

LAWS = {
    "long_context_rag": (
        laws.long_context_rag,
        {"a": np.array([0.1, 0.05, 0.2]), "b": np.array([0.3, -0.2]), "c": -0.8},
        {
            "theta": np.exp(_random.uniform(0, [6.0, 5.0, 2.0], (60, 3))),
            "i": _random.uniform(0, [0.5, 0.3], (60, 2)),
        },
    ),
    "inference_runtime": (
        laws.inference_runtime,
        {"t0": 0.05, "prefill": 1e-4, "knee": 700.0, "decode": 0.02},
        crossed(p=np.geomspace(64, 32768, 10), o=np.geomspace(16, 1024, 7)),
    ),
}
