"""Cases of jaxscale/laws/robustness.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

_random = np.random.default_rng(0)

LAWS = {
    # half of the runs fill the model, half run out of facts: only the first tell R
    "knowledge_capacity": (
        laws.knowledge_capacity,
        {"R": 2.0},
        crossed(N=np.geomspace(1e6, 1e9, 8), bits=np.geomspace(3e5, 1e10, 8)),
    ),
    "attack_tokens": (laws.attack_tokens, {"kappa": 24.0}, {"a": np.arange(1.0, 41.0)}),
    # accuracies so high that every logit is positive, since the suite fits logarithms
    "accuracy_on_the_line": (
        laws.accuracy_on_the_line,
        {"w0": 0.3, "w": np.array([0.7, 0.3, 0.1])},
        {"accuracy": _random.uniform(0.55, 0.95, (40, 3))},
    ),
}
