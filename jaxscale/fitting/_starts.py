"""Starts: draw the nonlinear parameters, compute the rest.

A law is often affine in some of its parameters (E, A and B of a sum of power laws). Those need not
be drawn: given the others, the best values follow from one small least-squares problem in relative
residuals, without negative amplitudes. Which parameters these are is read off the law's jet (no
second derivative among each other), so that no law has to declare it. Starts then differ only in
exponents, which is what makes almost all of them end at the best optimum.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._jets import Jet
from ..formula._sums import Kernel
from ..ground._trees import node
from ..solvers import namespace, solve_positive

# an amplitude that least squares sets to 0 starts at this share of the target instead
_LEAST_SHARE = 1e-2


@node()
class Ranges:
    """Where coordinates start, `(P,)` each; `amplitude` marks those that are computed instead of
    drawn.
    """

    low: Any
    high: Any
    amplitude: Any
    sign: Any  # +1, -1 for positive and negative parameters, 0 where the sign is free


def projected_starts(
    x: Any, at: tuple[Any, Any], target: Any, weights: Any, log: bool, ranges: Ranges
) -> Any:
    """Coordinates (P, T) of starts from drawn ones: amplitudes come by projection on the weighted
    rows.

    `at` has the law's values (n, T) there and their slopes (P, n, T); target and weights (n, T).
    """
    xp, (predicted, slope) = namespace(x), at
    amplitude, sign = (v[:, None] for v in (ranges.amplitude, ranges.sign))
    # |value| of an amplitude, or its value where the sign is free
    size = xp.where(sign == 0, x, xp.exp(x))
    slope = slope * (amplitude / xp.where(sign == 0, 1.0, size))[:, None]  # d predicted / d |value|
    rest = predicted - xp.sum(slope * xp.where(amplitude > 0, size, 0.0)[:, None], 0)
    scale = target if log else xp.sqrt(xp.mean(target**2, 0))
    found = _nonnegative(slope / scale, (target - rest) / scale, weights, sign == 0)
    # not finite where it failed: then the drawn value stays
    projected = xp.where(sign == 0, found, xp.log(found))
    return xp.where((amplitude > 0) & xp.isfinite(projected), projected, x)


def _nonnegative(columns: Any, wanted: Any, weights: Any, free: Any) -> Any:
    """Least squares (P, T) with coefficients >= 0 where not `free`: columns that come out negative
    leave, one round each.

    Not Lawson and Hanson's algorithm (nothing re-enters): a start needs to be feasible, not
    optimal.
    """
    xp = namespace(columns)
    length = xp.sqrt(xp.sum(weights * columns**2, 1))
    scaled = columns / xp.where(length > 0, length, 1.0)[:, None]
    gram = _gram(weights, scaled)
    right = xp.sum(weights * wanted * scaled, 1)
    eye = np.eye(len(columns))[:, :, None]

    def drop(_: int, state: Any) -> Any:
        mask, _ = state
        solved = solve_positive(
            gram * mask * mask[:, None] + eye * (1.0 - mask + 1e-12), right * mask
        )
        return xp.where(free | (solved > 0), mask, 0.0), solved

    mask, rounds = xp.where(length > 0, 1.0, 0.0), min(len(columns), 8)
    state = (mask, xp.zeros_like(mask))
    if xp is np:
        for i in range(rounds):
            state = drop(i, state)
    else:
        state = jax.lax.fori_loop(0, rounds, drop, state)
    least = _LEAST_SHARE * xp.sqrt(xp.sum(weights * wanted**2, 0))
    kept = xp.where(free, state[1], xp.maximum(state[1], least))
    return kept / xp.where(length > 0, length, xp.nan)


def _gram(weights: Any, columns: Any) -> Any:
    """Products (P, P, T) of columns (P, n, T): one by one in NumPy, which would write all of them
    down.
    """
    if isinstance(columns, np.ndarray):
        return np.stack([np.sum(weights * own * columns, 1) for own in columns])
    return jnp.sum(weights * columns[:, None] * columns, 2)


def amplitudes(kernel: Kernel) -> np.ndarray:
    """1 for coordinates that can be projected: a largest-first set without second derivatives among
    each other.
    """
    layout, mask = kernel.layout, np.zeros(kernel.layout.size)
    if kernel.formula is None:
        return mask
    curved: set[tuple[int, int]] = set()

    def look(numbers: Any) -> Any:
        params = {k: _each(v, lambda _: Jet(numbers)) for k, v in kernel.law.fixed.items()}
        for name, spec, groups, start in layout.blocks:
            shape, own = (
                ((groups,) if groups else ()) + spec.shape,
                iter(range(start, start + max(groups, 1) * spec.size)),
            )
            simplex = spec.support == "simplex"
            params[name] = _each(
                np.empty(shape),
                lambda _, own=own, alone=simplex: (
                    Jet(numbers) if alone else Jet(numbers, {next(own): numbers})
                ),
            )
        assert kernel.formula is not None
        columns = {}
        for name, size in kernel.widths:  # of their own kinds: a condition on columns is no number
            one = numbers if name in kernel.law.columns else jnp.zeros((), jnp.int32)
            columns[name] = _each(np.empty((size,) if size else ()), lambda _, one=one: one)
        features = kernel.formula.of_columns(columns)
        curved.update(kernel.formula(features, kernel.formula.of_params(params)).second)
        return numbers

    jax.eval_shape(look, jnp.ones(()))
    eligible = layout.each(lambda spec: spec.support in ("positive", "negative", "real"))
    chosen: list[int] = []
    for j in np.flatnonzero(eligible).tolist():
        if not any((min(i, j), max(i, j)) in curved for i in [*chosen, j]):
            chosen.append(j)
    mask[chosen] = 1.0
    return mask


def _each(values: Any, jet: Any) -> np.ndarray:
    out = np.empty(np.shape(values), object)
    for i in np.ndindex(out.shape):
        out[i] = jet(i)
    return out
