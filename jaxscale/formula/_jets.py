"""Second-order jets: value, gradient and Hessian of a number, with every structural zero left out.

`jax.hessian` carries a full tangent through every operation, and XLA may not drop a multiplication
by a known 0. Of the 15 second derivatives of E + A N^-alpha + B D^-beta only five are not 0, so
most of that work is multiplying zeros. A jet carries its derivatives by coordinate in a dictionary:
what is not in the dictionary is 0 and costs nothing. The derivatives of each operation come from
JAX's own rules (`jax.jvp` of the primitive). `_tape` makes jets of a law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal


@dataclass(frozen=True, eq=False)
class Jet:
    """A number with its non-zero derivatives: `first[i]`, and `second[i, j]` with i <= j."""

    value: Any
    first: dict[int, Any] = field(default_factory=dict)
    second: dict[tuple[int, int], Any] = field(default_factory=dict)

    def __add__(self, other: Jet) -> Jet:
        return Jet(
            self.value + other.value, _sum(self.first, other.first), _sum(self.second, other.second)
        )

    def __neg__(self) -> Jet:
        return Jet(
            -self.value,
            {k: -v for k, v in self.first.items()},
            {k: -v for k, v in self.second.items()},
        )

    def __sub__(self, other: Jet) -> Jet:
        return self + -other

    def __mul__(self, other: Jet) -> Jet:
        first = _sum(
            {i: g * other.value for i, g in self.first.items()},
            {i: self.value * g for i, g in other.first.items()},
        )
        second = _sum(
            {k: h * other.value for k, h in self.second.items()},
            {k: self.value * h for k, h in other.second.items()},
            *(
                {_pair(i, j): a * b}
                for i, a in self.first.items()
                for j, b in other.first.items()
                if i != j
            ),
            *(
                {(i, i): 2.0 * self.first[i] * other.first[i]}
                for i in self.first
                if i in other.first
            ),
        )
        return Jet(self.value * other.value, first, second)


def _pair(i: int, j: int) -> tuple[int, int]:
    return (i, j) if i <= j else (j, i)


def _sum(*parts: dict[Any, Any]) -> dict[Any, Any]:
    total: dict[Any, Any] = {}
    for part in parts:
        for k, v in part.items():
            total[k] = total[k] + v if k in total else v
    return total


# -- one operation -------------------------------------------------------------------------------
def chain(function: Callable[..., Any], *arguments: Jet) -> Jet:
    """Elementwise `function` of jets, by JAX's own derivatives of it."""
    values = [jnp.asarray(a.value) for a in arguments]
    shape = jnp.broadcast_shapes(*(v.shape for v in values))
    values = [jnp.broadcast_to(v, shape) if v.shape != shape else v for v in values]
    out = function(*values)
    if not jnp.issubdtype(out.dtype, jnp.floating):  # a comparison has no derivatives
        return Jet(out)
    active = [k for k, a in enumerate(arguments) if a.first]
    first: list[dict[int, Any]] = []
    second: list[dict[tuple[int, int], Any]] = []
    for k in active:
        slope = _along(function, k)
        f = slope(*values)
        first.append({i: f * g for i, g in arguments[k].first.items()})
        second.append({ij: f * h for ij, h in arguments[k].second.items()})
        for m in active:
            if m < k or _vanishes(_along(slope, m), values):
                continue
            ff = _along(slope, m)(*values)
            for i, a in arguments[k].first.items():
                for j, b in arguments[m].first.items():
                    if m == k and i > j:
                        continue
                    second.append({_pair(i, j): (2.0 * ff if m > k and i == j else ff) * a * b})
    return Jet(out, _sum(*first), _sum(*second))


def _along(function: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative of an elementwise function by its argument `k`."""

    def slope(*values: Any) -> Any:
        def alone(u: Any) -> Any:
            return function(*values[:k], u, *values[k + 1 :])

        return jax.jvp(alone, (values[k],), (jnp.ones_like(values[k]),))[1]

    return slope


def _vanishes(function: Callable[..., Any], values: list[Any]) -> bool:
    """Whether a derivative is 0 whatever its arguments: it is then a constant in the jaxpr."""
    scalars = [jax.ShapeDtypeStruct((), v.dtype) for v in values]
    out = jax.make_jaxpr(function)(*scalars).jaxpr.outvars[0]
    return isinstance(out, Literal) and out.val == 0
