"""Cases of jaxscale/laws/training.py: columns of real schedules, of a run that anneals and of one
that does not.
"""

import numpy as np

from jaxscale import laws, schedules


def _rows(reduced):
    return {k: np.concatenate([r[k] for r in reduced]) for k in reduced[0]}


def _annealed():
    at = np.arange(1000, 20_001, 1000)
    paths = [
        schedules.cosine(2e-4, 20_001, warm_up=500),
        schedules.constant(2e-4, 20_001, warm_up=500),
    ]
    return _rows([schedules.annealing(eta, at, warm_up=500) for eta in paths])


def _with(columns, **more):
    """The rows once for each value in `more`."""
    times = len(next(iter(more.values())))
    rows = len(next(iter(columns.values())))
    return {k: np.tile(v, times) for k, v in columns.items()} | {
        k: np.repeat(v, rows) for k, v in more.items()
    }


def _binned():
    """Three runs as in the paper: a cosine, a constant, and a step down; few bins, so that the test
    compiles soon.
    """
    constant = schedules.constant(3e-4, 24_001, warm_up=2160)
    paths = [
        schedules.cosine(3e-4, 24_001, end=3e-5, warm_up=2160),
        constant,
        np.where(np.arange(24_001) < 8000, constant, 9e-5),
    ]
    return _rows(
        [
            schedules.decrements(eta, np.linspace(2200, 24_000, 24).astype(int), bins=4)[0]
            for eta in paths
        ]
    )


_S = _annealed()
_SIZES = np.geomspace(3e7, 3e9, 4)
_FITTED = {"L0": 2.6278, "A": 0.42966, "C": 0.41077, "alpha": 0.54985}

LAWS = {
    "annealing": (laws.annealing, _FITTED, _S),
    "annealing_size": (
        laws.annealing_size,
        {"L0": 1.6, "A": 0.43, "B": 300.0, "C": 0.05, "alpha": 0.55, "beta": 0.3, "gamma": 0.1},
        _with(_S, N=_SIZES),
    ),
    "annealed_chinchilla": (
        laws.annealed_chinchilla,
        {"E": 1.7, "A": 400.0, "B": 1100.0, "F": 0.05, "alpha": 0.34, "beta": 0.33, "r": 0.1},
        _with({"D": _S["S1"] * 1e10, "S2": _S["S2"]}, N=_SIZES),
    ),
    "multi_power": (
        laws.multi_power,
        dict(laws.multi_power.published["luo2025_25m"].params),
        _binned(),
    ),
}
