"""Cases of jaxscale/laws/sampling.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

LAWS = {
    "coverage": (laws.coverage, {"a": -1.5, "b": -0.4}, {"k": np.geomspace(1, 1e4, 40)}),
    "beta_binomial": (
        laws.beta_binomial,
        {"a": 0.3, "b": 2.0},
        crossed(n=np.array([50.0, 100.0, 400.0]), c=np.arange(0.0, 49.0, 2.0)),
    ),
    "self_consistency": (
        laws.self_consistency,
        {"E": 0.2, "A": 0.8},
        {"n": np.geomspace(2, 512, 40)},
    ),
    "perplexity_consistency": (
        laws.perplexity_consistency,
        {"E": 0.2, "A": 0.6, "r": 0.1},
        {"n": np.geomspace(1, 100, 40)},
    ),
    # gains differ from run to run (several tasks), which is what tells b from a
}
