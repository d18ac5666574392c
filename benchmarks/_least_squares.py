"""The refits as scipy's `least_squares` does them: its Huber loss on residuals of ln L, in ln A, ln
B, ln E, alpha, beta.

scipy's `loss="huber"` with `f_scale=1e-3` is the sum of `_epoch` to the last bit of its definition.
Only NumPy and scipy are imported here, and

    python _least_squares.py TABLE.npz

is what somebody waits for who uses them: a new process, one fit from the estimate of Hoffmann et
al., and `refits` of it on resamples of its own. TABLE.npz holds N, D, loss and `refits`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from _epoch import DELTA, HOFFMANN
from scipy.optimize import least_squares

TIGHT = 1e-12
# where starts are drawn
LOW, HIGH = (
    np.array([0.0, 0.0, np.log(0.5), 0.05, 0.05]),
    np.array([11.5, 11.5, np.log(3.0), 1.5, 1.5]),
)


def shares(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predicted ln L, and what part of L each of the three terms is (3, n)."""
    a, b, e, alpha, beta = p
    terms = np.stack([a - alpha * x, b - beta * y, np.full_like(x, e)])
    top = terms.max(0)
    parts = np.exp(terms - top)
    total = parts.sum(0)
    return top + np.log(total), parts / total


def residual(p: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return shares(p, x, y)[0] - z


def slope(p: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    own = shares(p, x, y)[1]
    return np.stack([*own, -own[0] * x, -own[1] * y], 1)


def solved(start: np.ndarray, rows: Any, exact: bool = True, tight: bool = False) -> Any:
    """scipy's end for rows (ln N, ln D, ln L) from one start, with the exact Jacobian or its own
    differences.
    """
    stop = dict.fromkeys(("ftol", "xtol", "gtol"), TIGHT) if tight else {}
    jac: Any = slope if exact else "2-point"
    return least_squares(
        residual,
        start,
        jac=jac,
        args=rows,
        loss="huber",
        f_scale=DELTA,
        x_scale="jac",
        max_nfev=5000,
        **stop,
    )


def by_start(rows: Any, best: float, point: np.ndarray, starts: int, tight: bool) -> dict[str, Any]:
    """From one start: the gap of Hoffmann's, and the share of starts near the optimum and anywhere
    that reach it to 1e-9.
    """
    rng = np.random.default_rng(0)
    # of A, B, E by a tenth, and of the exponents
    factor = np.exp(0.1 * rng.standard_normal((starts, 5)))
    near = np.concatenate([point[:3] + np.log(factor[:, :3]), point[3:] * factor[:, 3:]], 1)
    anywhere = rng.uniform(LOW, HIGH, (starts, 5))

    def reached(points: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            return float(
                np.mean([solved(p, rows, tight=tight).cost <= best * (1 + 1e-9) for p in points])
            )

    begin = time.perf_counter()
    one = solved(HOFFMANN, rows, tight=tight)
    seconds = time.perf_counter() - begin
    found = {"one_start_gap": float(one.cost / best - 1), "one_start_seconds": seconds}
    return {
        **found,
        "near_share": reached(near),
        "anywhere_share": reached(anywhere),
        "starts": starts,
    }


def main() -> None:
    with np.load(sys.argv[1]) as table:
        rows, refits = [np.log(table[k]) for k in ("N", "D", "loss")], int(table["refits"])
    clock = [time.perf_counter()]
    fit = solved(HOFFMANN, rows)
    clock.append(time.perf_counter())
    rng, ends = np.random.default_rng(0), []
    for _ in range(refits):
        drawn = rng.integers(0, len(rows[0]), len(rows[0]))
        ends.append(solved(fit.x, [v[drawn] for v in rows]).x)
    clock.append(time.perf_counter())
    print(
        json.dumps(
            {
                "value": float(fit.cost),
                "fit_s": clock[1] - clock[0],
                "refits_s": clock[2] - clock[1],
            }
        )
    )


if __name__ == "__main__":
    main()
