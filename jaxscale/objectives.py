"""Objectives: what a fit adds up over runs.

Each is a frozen dataclass whose numbers are leaves, called as `objective(predicted, observed)` and
returning the loss of one run. The fit minimises the weighted **sum**; nothing in the solver depends
on its scale. `residual` is the difference it measures, in ln L for the `Log...` family and in the
units of the target for the others, and `smoother` is the same objective with a wider quadratic
zone, which fits walk through on the way from rough starts (a Huber loss with a narrow zone is
nearly flat in its curvature far from the optimum).
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from .ground._errors import refuse_type
from .ground._trees import node


@jax.custom_jvp
def _huber(residual: Any, delta: Any) -> Any:
    size = jnp.abs(residual)
    # no `where`: both branches would be evaluated, and one overflows
    inner = jnp.minimum(size, delta)
    return inner * (size - 0.5 * inner)


@_huber.defjvp
def _huber_slope(at: Any, along: Any) -> Any:
    """The clipped residual, written down: what automatic differentiation makes of `minimum` costs
    ten times as much.
    """
    (residual, delta), (d_residual, d_delta) = at, along
    clipped = jax.lax.clamp(*jnp.broadcast_arrays(-delta, residual, delta))
    return _huber(residual, delta), clipped * d_residual + (
        jnp.abs(residual) - jnp.abs(clipped)
    ) * d_delta


def _rounded(residual: Any, smoothing: Any) -> Any:
    """|residual| with a rounded corner: curved everywhere, so that a Newton step can follow it
    where a Huber loss is straight.
    """
    return residual**2 / (jnp.sqrt(residual**2 + smoothing**2) + smoothing)


@node(eq=True)
class Objective:
    """Base of the objectives below; `log` says that residuals are taken in ln of the target."""

    log: ClassVar[bool] = True
    # the field that holds the width of the quadratic zone, if there is one
    width: ClassVar[str | None] = None
    observes: ClassVar[bool] = True  # whether it compares the law with a target

    def residual(self, predicted: Any, observed: Any) -> Any:
        """Per run: `ln predicted - ln observed`, or the plain difference."""
        return jnp.log(predicted) - jnp.log(observed) if self.log else predicted - observed

    def loss(self, residual: Any) -> Any:
        """Loss of one run as a function of its residual."""
        raise refuse_type(
            f"{type(self).__name__} is not an objective",
            why="a class of one's own without a loss",
            change="one of jaxscale.objectives",
        )

    def __call__(self, predicted: Any, observed: Any) -> Any:
        """Loss of one run."""
        return self.loss(self.residual(predicted, observed))

    @property
    def zone(self) -> float:
        """Half the width of the quadratic zone, `delta` or `smoothing`; infinite where all of it is
        quadratic.
        """
        return np.inf if self.width is None else float(getattr(self, self.width))

    def size_of(self, target: Any) -> float:
        """What residuals on this target (n,) are divided by, to be relative: 1 in ln, else its root
        mean square.
        """
        return 1.0 if self.log else float(np.sqrt(np.mean(np.asarray(target) ** 2)) or 1.0)

    def smoother(self, scale: float) -> list[Objective]:
        """From widest to narrowest, ending with itself: each zone 30 times narrower, from 3 % of
        `scale` down.
        """
        if self.width is None:
            return [self]
        delta, levels = self.zone, list[Objective]()
        while delta < 0.03 * scale and len(levels) < 7:  # eight with the last: `_lanes.LADDER`
            levels.append(dataclasses.replace(self, **{self.width: delta}))
            delta *= 30.0
        levels.append(dataclasses.replace(self, **{self.width: delta}))
        return levels[::-1]


@node(eq=True)
class LogHuber(Objective):
    """Huber loss of ln L: quadratic within `delta` (in ln L), linear beyond.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556) eq. 3, with delta = 1e-3. The sum, not the mean,
    is minimised.

    >>> round(float(LogHuber(0.1)(1.0, 1.0)), 3)
    0.0
    """

    delta: Any = 1e-3
    width: ClassVar[str | None] = "delta"

    def loss(self, residual: Any) -> Any:
        return _huber(residual, self.delta)


@node(eq=True)
class Huber(Objective):
    """Huber loss in the units of the target: quadratic within `delta`, linear beyond.

    >>> round(float(Huber(1.0)(5.0, 2.0)), 6)
    2.5
    """

    delta: Any = 1e-3
    log: ClassVar[bool] = False
    width: ClassVar[str | None] = "delta"

    def loss(self, residual: Any) -> Any:
        return _huber(residual, self.delta)


@node(eq=True)
class LogSquared(Objective):
    """Half the squared difference of ln L: maximum likelihood for multiplicative normal noise.

    >>> round(float(LogSquared()(1.0, 1.0)), 3)
    0.0
    """

    def loss(self, residual: Any) -> Any:
        return 0.5 * residual**2


@node(eq=True)
class Squared(Objective):
    """Half the squared difference in the units of the target (half a residual sum of squares).

    >>> float(Squared()(3.0, 1.0))
    2.0
    """

    log: ClassVar[bool] = False

    def loss(self, residual: Any) -> Any:
        return 0.5 * residual**2


@node(eq=True)
class LogAbs(Objective):
    """Absolute difference of ln L (median regression), with its corner rounded within `smoothing`
    (in ln L).

    The rounded loss is smaller than the sharp one by at most `smoothing` per run, so its optimum
    certifies the sharp one to that: the sum of absolute differences there is within `smoothing` per
    run of the least.

    >>> round(float(LogAbs()(2.0, 1.0)), 4)
    0.6931
    """

    smoothing: Any = 1e-6
    width: ClassVar[str | None] = "smoothing"

    def loss(self, residual: Any) -> Any:
        return _rounded(residual, self.smoothing)


@node(eq=True)
class Quantile(Objective):
    """Check loss of ln L: fits the conditional `tau` quantile; small `tau` follows the lower
    envelope of the runs.

    Rounded within `smoothing` like `LogAbs`. Source: Koenker and Bassett 1978, in ln L instead of
    L.

    >>> round(float(Quantile(0.5)(2.0, 1.0)), 4)
    0.3466
    """

    tau: Any = 0.5
    smoothing: Any = 1e-6
    width: ClassVar[str | None] = "smoothing"

    def loss(self, residual: Any) -> Any:
        # observed above the prediction (residual < 0) costs tau, below it costs 1 - tau
        return 0.5 * _rounded(residual, self.smoothing) + (0.5 - self.tau) * residual


@node(eq=True)
class NegLogLik(Objective):
    """The law's value is itself the loss of the run (a negative log-likelihood): counts, mixtures
    of likelihoods.

    The observed counts are columns of the law; the target of the table is not read.

    >>> float(NegLogLik()(0.7, 0.0))
    0.7
    """

    log: ClassVar[bool] = False
    observes: ClassVar[bool] = False

    def residual(self, predicted: Any, observed: Any) -> Any:
        return predicted

    def loss(self, residual: Any) -> Any:
        return residual
