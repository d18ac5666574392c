"""Cases of jaxscale/laws/observational.py."""

import numpy as np

from jaxscale import laws

from .grids import crossed

_S = np.random.default_rng(0).normal(size=(60, 3)) * [2.0, 1.0, 0.5]
_ONE_SKILL = laws.sloth.sized(alpha=1, beta_s=1, beta_t=1, beta_st=1, Lambda=1)

LAWS = {
    "capability_sigmoid": (
        laws.capability_sigmoid,
        {"beta": np.array([1.0, 0.5, -0.8]), "alpha": -0.5, "b": 0.1},
        {"S": _S},
    ),
    "log_linear": (laws.log_linear, {"a": -0.1, "b": 0.02}, {"x": np.geomspace(1e8, 3e10, 40)}),
    "sloth": (  # with one benchmark only one skill can be seen, and only Lambda times it
        _ONE_SKILL.fix(Lambda=[1.0], b=0.0),
        {
            "alpha": np.array([-0.5]),
            "beta_s": np.array([1.2]),
            "beta_t": np.array([0.9]),
            "beta_st": np.array([0.3]),
            "c": 0.25,
        },
        crossed(size=np.geomspace(1e8, 1e11, 9), tokens=np.geomspace(5e10, 1e13, 9)),
    ),
}
OTHERWISE = {}
