"""Cases of jaxscale/laws/inference.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

_random = np.random.default_rng(0)

LAWS = {
    "coverage": (laws.coverage, {"a": -1.5, "b": -0.4}, {"k": np.geomspace(1, 1e4, 40)}),
    "beta_binomial": (
        laws.beta_binomial,
        {"a": 0.3, "b": 2.0},
        crossed(n=np.array([50.0, 100.0, 400.0]), c=np.arange(0.0, 49.0, 2.0)),
    ),
    "self_consistency": (laws.self_consistency, {"E": 0.2, "A": 0.8}, {"n": np.geomspace(2, 512, 40)}),
    "perplexity_consistency": (
        laws.perplexity_consistency,
        {"E": 0.2, "A": 0.6, "r": 0.1},
        {"n": np.geomspace(1, 100, 40)},
    ),
    # gains differ from run to run (several tasks), which is what tells b from a
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
