"""A rule: a formula with nothing to fit, evaluated like a law in float64.

Laws have parameters that a fit may change. What has none (a learning-rate table, a linear batch
rule, an exponent that follows from two others) is a plain function of numbers or arrays. `rule`
gives it the edges that a law has: numbers in give NumPy float64 out, a tracer in gives a tracer
out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

from ..ground._trees import to_numpy, traced

F = TypeVar("F", bound=Callable[..., Any])


def rule(function: F) -> F:
    """Evaluate `function` in float64: NumPy in and out, traceable inside. What is not a number (a
    law, a name) passes.
    """

    @functools.wraps(function)
    def evaluated(*arguments: Any, **keywords: Any) -> Any:
        if traced(arguments, keywords):
            return function(*arguments, **keywords)
        with jax.enable_x64(True):
            own = [_float64(a) for a in arguments]
            out = function(*own, **{k: _float64(v) for k, v in keywords.items()})
            if isinstance(out, dict):  # in the order of the rule, which a tree would sort
                return {k: _numpy(v) for k, v in out.items()}
            return _numpy(out)

    return evaluated  # type: ignore[return-value]


def _numpy(value: Any) -> Any:
    return jax.tree.map(lambda v: v[()] if v.ndim == 0 else v, to_numpy(value))


def _float64(value: Any) -> Any:
    numbers = isinstance(value, int | float | list | tuple) and not isinstance(value, bool)
    arrays = (
        isinstance(value, np.ndarray | np.generic | jax.Array)
        and np.asarray(value).dtype.kind in "iuf"
    )
    return np.asarray(value, np.float64) if numbers or arrays else value
