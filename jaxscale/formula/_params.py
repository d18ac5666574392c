"""Parameters: the name says the support, `(low, high)` says where starts are drawn.

Solvers work on coordinates without bounds; a `Param` is the map between the two. A positive number
is `exp(u)`, so a step in `u` is a relative change, which is what makes steps, gradients and
tolerances comparable between parameters of size 0.3 and 2,000. `(low, high)` is never a bound: an
optimum outside it is found, and the certificate says that it lies there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._errors import refuse

# an edge lies at an end of the line, as in jnp
_to_the_ends = np.errstate(over="ignore", divide="ignore")


@dataclass(frozen=True)
class Param:
    """One parameter's support. Start ranges take no part in comparison, so they never cause a
    recompilation.
    """

    support: str  # positive, negative, real, between, simplex
    low: float = field(compare=False)
    high: float = field(compare=False)
    edges: tuple[float, float] = (-math.inf, math.inf)
    shape: tuple[int, ...] = ()
    # median, standard deviation of the coordinate
    prior: tuple[float, float] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.support == "simplex" and self.shape[0] < 1:
            raise refuse(
                f"simplex({self.shape[0]})",
                why="there is no share",
                change="the number of shares, at least 1",
            )
        if not self.low < self.high:
            raise refuse(
                f"start range ({self.low}, {self.high}): the low end must lie below the high end",
                why="the ends are swapped, or equal",
                change="(low, high)",
            )
        if not math.isfinite(self.low) or not math.isfinite(self.high):
            raise refuse(
                f"start range ({self.low}, {self.high}) has no end",
                why="a bound was meant; starts are drawn in this range, which bounds nothing",
                change="finite ends",
            )
        if not (self.edges[0] <= self.low and self.high <= self.edges[1]):
            raise refuse(
                f"start range ({self.low}, {self.high}) leaves the support {self.edges}",
                why="another support was meant",
                change="a range inside the support, or real(low, high)",
            )
        if self.support in ("positive", "negative") and self.low * self.high == 0.0:
            raise refuse(
                f"start range ({self.low}, {self.high}): 0 is no start for a {self.support} "
                f"parameter",
                why="its logarithm is fitted",
                change="a small number such as 1e-3 for 0",
            )

    @property
    def size(self) -> int:
        """How many coordinates it has."""
        return self.shape[0] - 1 if self.support == "simplex" else math.prod(self.shape)

    def contains(self, value: Any) -> bool:
        """Whether finite NumPy values lie in the support (edges included)."""
        low, high = self.edges
        inside = bool(np.all(np.isfinite(value) & (value >= low) & (value <= high)))
        return inside and (
            self.support != "simplex"
            or bool(np.all(value >= 0) and np.allclose(value.sum(-1), 1.0, atol=1e-6))
        )

    @property
    def logarithmic(self) -> bool:
        """Whether a step in its coordinate is a relative change of the parameter."""
        return self.support in ("positive", "negative")

    def natural(self, u: Any) -> Any:
        """Coordinates `(..., size)` -> values `(..., *shape)`; NumPy arrays give NumPy arrays."""
        if self.support == "simplex":
            return _softmax(_namespace(u).concatenate([u, np.zeros((*u.shape[:-1], 1))], -1))
        return self.element(u.reshape((*u.shape[:-1], *self.shape)))

    @_to_the_ends
    def element(self, u: Any) -> Any:
        """`natural` of single coordinates (...); not for shares, each of which takes all
        of them.
        """
        xp = _namespace(u)
        if self.support == "between":
            return xp.clip(_logistic(u, *self.edges), *self.edges)  # rounding may step over an edge
        return {"positive": xp.exp, "negative": lambda v: -xp.exp(v), "real": lambda v: v}[
            self.support
        ](u)

    @_to_the_ends
    def coordinates(self, value: Any) -> Any:
        """Value -> coordinates `(size,)`: the inverse of `natural`."""
        xp = _namespace(value)
        if self.support == "simplex":
            return xp.log(value[:-1]) - xp.log(value[-1])
        value = xp.reshape(value, (-1,))
        if self.support == "between":
            return _logit(value, *self.edges)
        return {"positive": xp.log, "negative": lambda v: xp.log(-v), "real": lambda v: v}[
            self.support
        ](value)

    @_to_the_ends
    def on_line(self, value: Any) -> Any:
        """Values (...) on the whole line, increasing, shares one by one: there an interval is
        symmetrical.
        """
        xp = _namespace(value)
        if self.support in ("between", "simplex"):
            return _logit(value, *self._ends)
        return {"positive": xp.log, "negative": lambda v: -xp.log(-v), "real": lambda v: v}[
            self.support
        ](value)

    @_to_the_ends
    def from_line(self, t: Any) -> Any:
        """The inverse of `on_line`."""
        xp = _namespace(t)
        if self.support in ("between", "simplex"):
            return _logistic(t, *self._ends)
        return {"positive": xp.exp, "negative": lambda v: -xp.exp(-v), "real": lambda v: v}[
            self.support
        ](t)

    @property
    def _ends(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.support == "simplex" else self.edges

    @property
    def start_range(self) -> tuple[float, float]:
        """`(low, high)` in coordinates."""
        if self.support == "simplex":
            return self.low, self.high
        # an edge itself has no coordinate: stay a hundredth of the range away
        if self.support == "between":
            (a, b), away = self.edges, 0.01 * (self.high - self.low)
            low, high = max(self.low, a + away), min(self.high, b - away)
            return math.log((low - a) / (b - low)), math.log((high - a) / (b - high))
        if self.support == "real":
            return self.low, self.high
        ends = sorted((math.log(abs(self.low)), math.log(abs(self.high))))
        return ends[0], ends[1]


def _namespace(values: Any) -> Any:
    return jnp if isinstance(values, jax.Array) else np


def _softmax(u: Any) -> Any:
    if isinstance(u, jax.Array):
        return jax.nn.softmax(u)
    shares = np.exp(u - np.max(u, -1, keepdims=True))
    return shares / np.sum(shares, -1, keepdims=True)


def _logit(value: Any, low: float, high: float) -> Any:
    xp = _namespace(value)
    return xp.log(value - low) - xp.log(high - value)


def _logistic(u: Any, low: float, high: float) -> Any:
    if isinstance(u, jax.Array):
        return low + (high - low) * jax.nn.sigmoid(u)
    return low + (high - low) / (1.0 + np.exp(-u))


# The functions below return Any on purpose: in a law they stand as defaults of parameters that are
# numbers inside.
def positive(low: float = 1e-3, high: float = 1e3, *, shape: tuple[int, ...] = ()) -> Any:
    """A parameter > 0; starts are drawn log-uniformly in `(low, high)`.

    >>> positive(0.5, 3).support
    'positive'
    """
    return Param("positive", low, high, (0.0, math.inf), shape)


def negative(low: float = -1e3, high: float = -1e-3, *, shape: tuple[int, ...] = ()) -> Any:
    """A parameter < 0; starts are drawn log-uniformly in `(low, high)`.

    >>> negative(-2, -0.1).edges
    (-inf, 0.0)
    """
    return Param("negative", low, high, (-math.inf, 0.0), shape)


def real(low: float = -1.0, high: float = 1.0, *, shape: tuple[int, ...] = ()) -> Any:
    """Any real number; starts are drawn uniformly in `(low, high)`.

    >>> real(-3, 3).size
    1
    """
    return Param("real", low, high, (-math.inf, math.inf), shape)


def between(a: float, b: float, *, shape: tuple[int, ...] = ()) -> Any:
    """A number strictly between `a` and `b`, which are bounds here; starts are drawn between them.

    >>> between(-1, 2).edges
    (-1, 2)
    """
    return Param("between", a, b, (a, b), shape)


def unit(*, shape: tuple[int, ...] = ()) -> Any:
    """A fraction strictly between 0 and 1.

    >>> unit().edges
    (0.0, 1.0)
    """
    return between(0.0, 1.0, shape=shape)


def simplex(k: int) -> Any:
    """`k` positive shares that sum to 1.

    >>> simplex(3).size
    2
    """
    return Param("simplex", -2.0, 2.0, (-math.inf, math.inf), (k,))
