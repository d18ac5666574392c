"""Where the search for a plan begins: points spread over the bounds, moved to the limits, the best
of each part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ._problem import Ask, Question, parts, relative

_MOVES = 2  # steps towards the limits


def points_of(question: Question, xp: Any) -> Any:
    """Points (k, count), as many in every part."""
    shape, k = question.shape, len(question.shape.log)
    low, high = xp.asarray(question.low), xp.asarray(question.high)
    count = -(-min(max(12, 6 * k), 96) // question.starts) * question.starts
    top = xp.where(
        xp.isfinite(high),
        high,
        xp.maximum(question.reach, xp.where(xp.isfinite(low), low + 10.0, 0.0)),
    )
    bottom = xp.where(xp.isfinite(low), low, xp.minimum(0.0, top - 10.0))
    unit, mixed = _spread(k, count), np.zeros(k, bool)
    for _, size, a in shape.slices:
        if size:  # evenly over the simplex, and its centre
            raw = -np.log(_spread(size, count, seed=a + 1))
            raw[0] = 1.0
            unit[:, a : a + size] = raw / raw.sum(1, keepdims=True)
            mixed[a : a + size] = True
    return xp.where(mixed, unit, bottom + unit * (top - bottom)).T


def best_starts(
    ask: Ask,
    question: Question,
    points: Any,
    evaluate: Callable[[Any], tuple[Any, Any, Any]],
    lanes: int,
    xp: Any,
) -> Any:
    """Starts (k, lanes * starts) of lanes, lane by lane; `evaluate` and `ask` are about lanes *
    count points, lane by lane.
    """
    k, count = points.shape
    z = xp.tile(xp.asarray(points), (1, lanes))
    along = xp.where(np.asarray(question.shape.log, bool) & ~xp.isfinite(question.high), 1.0, 0.0)[
        :, None
    ]

    def nearer(_: Any, state: Any) -> Any:
        """The worst limit is met by a Newton step along the columns that nothing bounds above."""
        t, *_ = state
        at = xp.clip(z + t * along, ask.low, ask.high)
        p = parts(ask, at, evaluate(at), xp)
        off = relative(ask, p.excess, xp)
        worst = xp.max(off, 0, initial=0.0)
        order = xp.where(xp.isfinite(worst), 1e250 * (1 + worst), 1e300)
        order = xp.where(worst < 0.5, xp.where(xp.isfinite(p.goal), p.goal, 1e200), order)
        if not len(ask.at):
            return t, at, order
        slope = _relative_slope(ask, p.excess, xp.sum(p.slopes * along, 1), xp)
        which = xp.argmax(xp.where(xp.isfinite(off), off, -xp.inf), 0)[None]
        value, steep = xp.take_along_axis(off, which, 0)[0], xp.take_along_axis(slope, which, 0)[0]
        step = value / xp.where(xp.abs(steep) > 1e-3, steep, xp.inf)
        return t - xp.where(xp.isfinite(step), xp.clip(step, -20.0, 20.0), 0.0), at, order

    state = (xp.zeros(z.shape[1]), z, xp.zeros(z.shape[1]))
    if xp is np:
        with np.errstate(all="ignore"):
            for i in range(_MOVES + 1):
                state = nearer(i, state)
    else:
        state = jax.lax.fori_loop(0, _MOVES + 1, nearer, state)
    # every part holds points from all over
    parted = (lanes, count // question.starts, question.starts)
    best = xp.argmin(state[2].reshape(parted), 1)
    taken = xp.take_along_axis(state[1].reshape(k, *parted), best[None, :, None], 2)
    return taken.reshape(k, lanes * question.starts)


def _relative_slope(ask: Ask, excess: Any, slope: Any, xp: Any) -> Any:
    """The derivative of `relative`, where excess changes by `slope`."""
    outside = ask.limits + ask.side * excess
    size = xp.abs(ask.limits) + xp.abs(outside) + 1e-300
    return xp.where(
        ask.log, slope, (slope * size - excess * xp.sign(outside) * ask.side * slope) / size**2
    )


def _spread(dimensions: int, count: int, seed: int = 0) -> np.ndarray:
    """Points (count, dimensions) in the unit cube: a Kronecker sequence of the generalised golden
    ratio. Deterministic.
    """
    ratio = 2.0
    for _ in range(60):  # the root of x^(d + 1) = x + 1
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    return np.asarray(
        np.mod(0.5 + 0.137 * seed + np.arange(1, count + 1)[:, None] * steps, 1.0)
    ).clip(1e-6, 1 - 1e-6)
