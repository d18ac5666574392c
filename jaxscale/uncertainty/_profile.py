"""`profile_likelihood`: the best objective for each value of a parameter, or of anything computed
from the law.

Where an interval from a covariance is a parabola's, the profile is the objective's own: lopsided
where the data are, and flat where they say nothing. All values of a grid are lanes of one walk on
the law's sums. Each lane adds a stiff spring that pulls the quantity to its value; wherever the
lane comes to rest is a point of the profile, exactly, for the value it has there, so that the
spring needs no sharpening. Lanes start along the tangent at the optimum and again from their
neighbours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import on_device
from ..fitting._evidence import Evidence, Frame, evidence, slopes_of
from ..fitting._results import Ensemble, Fit, point_of
from ..fitting._run import asking
from ..formula._law import Law
from ..formula._params import Param
from ..ground._compiled import compiled
from ..ground._errors import check_level, nearest, refuse, refuse_type, warn
from ..ground._interval import Interval
from ..ground._life import alive, saying
from ..ground._tails import student
from ..solvers import Newton, advance, begin, derivatives
from ._covariance import inverse_hessian, noise_scale

_STIFF = 1e4  # the spring, in curvatures of the profile at the optimum
_ROUNDS = 4  # widenings of the grid until both ends lie beyond the level


@dataclass(frozen=True)
class Profile:
    """`objective` (points,) is the least there is for each of `values` (points,), which are in
    natural units.

    `distance` is the signed root of twice the excess over the noise scale: Student's t, if the
    objective were a parabola.
    """

    values: np.ndarray
    objective: np.ndarray
    distance: np.ndarray
    interval: Interval


@dataclass(frozen=True)
class Parameter:
    """A parameter on its scale; equal by value, so that one program serves all calls."""

    name: str
    spec: Param
    traced_once = True

    def __call__(self, law: Law) -> Any:
        return self.spec.on_line(jnp.asarray(law.params[self.name]))


def profile_likelihood(
    fit: Fit | Ensemble,
    of: str | Callable[[Law], Any],
    *,
    level: float = 0.95,
    points: int = 41,
    log: bool = False,
) -> Profile:
    """Profile of a parameter, by name, or of a function of the bound law, in its units, with the
    interval it implies.

    The interval holds the values whose excess 2 (S - S_min) / scale is below t^2, Student's t with
    the spare runs as degrees of freedom; an end that the objective never closes is infinite, or the
    edge of the support. Rows count as independent. `log` as in `interval`. Raises TypeError where
    the quantity is no single number.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.uncertainty.profile_likelihood(best, "alpha").interval
    0.352 (0.3355 to 0.3685, 95% profile)

    Source: Venzon and Moolgavkar 1988; the scale for M-estimators: Schrader and Hettmansperger
    1980.
    """
    check_level("profile_likelihood()", level)
    point = point_of(fit, "profile_likelihood()")
    at = evidence(point)
    quantity, natural = _quantity(at.fit.problem.law, of, log)
    values, slopes = slopes_of([at], quantity)
    if not isinstance(values, np.ndarray) or values.shape != (1,):
        raise refuse_type(
            "profile_likelihood(): more than one number",
            why="a vector of parameters, or a function that returns an array",
            change="a scalar parameter, or a function that returns a scalar",
        )
    centre, slope = float(values[0]), slopes[0]
    inverse, tau = inverse_hessian(at), noise_scale(at)
    # distance at which the objective rises by one half
    reach = float(np.sqrt(max(slope @ inverse @ slope, 0.0)))
    if not reach > 0:
        raise refuse(
            "profile_likelihood(): the quantity depends on no free parameter that the runs "
            "determine",
            why="its parameters are fixed, or at an edge",
            change="another quantity, or a law with fewer fixed parameters",
        )
    t = student(0.5 + 0.5 * level, float(max(at.spare, 1)))
    low = high = 1.5 * t * np.sqrt(tau) * reach
    for _ in range(_ROUNDS):
        wanted = (
            centre
            + np.r_[
                -low * np.linspace(1, 0, points // 2 + 1)[:-1],
                high * np.linspace(0, 1, points // 2 + 1),
            ]
        )
        found, least = _solved(
            at,
            quantity,
            shift=wanted - centre,
            centre=centre,
            tangent=inverse @ slope / reach**2,
            reach=reach,
        )
        distance = np.sign(found - centre) * np.sqrt(
            2.0 * np.maximum(least - float(at.fit.value), 0.0) / tau
        )
        ends = _crossing(found, distance, -t), _crossing(found, distance, t)
        if np.all(np.isfinite(ends)):
            break
        low, high = (
            reached if np.isfinite(end) else 4.0 * reached
            for end, reached in zip(ends, (low, high), strict=True)
        )
    if np.nanmin(least) < float(at.fit.value) - 1e-6 * abs(float(at.fit.value)):
        warn("profile_likelihood() found a better optimum than the fit: fit again with more starts")
    with np.errstate(over="ignore"):
        shown = Interval(natural(ends[0]), natural(centre), natural(ends[1]), level, "profile")
        return Profile(natural(found), least, distance, shown)


def _crossing(found: np.ndarray, distance: np.ndarray, level: float) -> float:
    """Where the distance passes `level` last, seen from the optimum; infinite where the outermost
    point has not passed it.
    """
    usable = np.isfinite(found) & np.isfinite(distance)
    x, y = found[usable] * np.sign(level), distance[usable] * np.sign(level)
    order = np.argsort(x)
    x, y = x[order], y[order]
    inside = np.flatnonzero(y < abs(level))
    if not len(inside) or inside[-1] == len(y) - 1:
        return float(np.sign(level) * np.inf)
    i = inside[-1]
    return float(
        np.sign(level) * (x[i] + (abs(level) - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i]))
    )


def _quantity(
    law: Law, of: str | Callable[[Law], Any], log: bool
) -> tuple[Callable[[Law], Any], Callable[[Any], Any]]:
    """The quantity on the scale on which it is profiled, and the way back."""
    if not isinstance(of, str):
        return (lambda own: jnp.log(of(own)) if log else jnp.asarray(of(own))), (
            np.exp if log else np.asarray
        )
    if of not in law.free:
        raise refuse_type(
            f"profile_likelihood(): {law.name} has no free parameter {of!r}",
            why="a typing slip, or it is fixed or tied",
            change=nearest(of, law.free).strip(),
        )
    spec = law.free[of]
    return Parameter(of, spec), spec.from_line


def _solved(
    at: Evidence,
    quantity: Callable[[Law], Any],
    shift: np.ndarray,
    centre: float,
    tangent: np.ndarray,
    reach: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The quantity and the objective (points,) where lanes with springs at `centre + shift` come to
    rest.
    """
    total, tx = asking(at.job, np.full(len(shift), at.cell)), Newton().build(None)
    # a function of the user may read what has changed since it was last traced
    own = isinstance(quantity, Parameter)
    curves = (
        functools.partial(_traced_once, quantity=quantity)
        if own
        else jax.jit(functools.partial(_curves, quantity=quantity))
    )
    stiff = _STIFF / reach**2

    def numbers(x: np.ndarray) -> tuple[Any, Any]:
        return total(x), jax.tree.map(np.asarray, curves(x, at.frame))

    def pulled(x: np.ndarray) -> tuple[Any, Any, Any]:
        alive()
        (v, g, h), (q, slope, curve) = numbers(x)
        off = q - centre - shift
        return (
            v + 0.5 * stiff * off**2,
            g + stiff * off * slope,
            h + stiff * (off * curve + slope[:, None] * slope),
        )

    def rested() -> tuple[np.ndarray, np.ndarray]:
        x = at.x[:, None] + tangent[:, None] * shift
        for _ in range(4):
            search, newton = begin(x, tx), Newton()
            for _ in range(newton.max_steps):
                search = advance(search, pulled, tx, None)
                if np.all(search.done):
                    break
            x = search.best
            # a neighbour's resting place, moved along the tangent, is often the better start far
            # from the optimum
            sides = [
                np.roll(x, k, 1) + tangent[:, None] * (shift - np.roll(shift, k)) for k in (1, -1)
            ]
            starts = np.stack([x, *sides])
            values = np.stack([pulled(s)[0] for s in starts])
            best = np.argmin(np.where(np.isfinite(values), values, np.inf), 0)
            x = np.take_along_axis(starts, best[None, None], 0)[0]
        (least, *_), (found, *_) = numbers(x)
        return found, least

    with (
        saying(f"{len(shift)} points of a profile of {at.job.law.name}"),
        np.errstate(all="ignore"),
    ):
        found, least = on_device(rested)
    order = np.argsort(found)
    return found[order], least[order]


def _curves(x: Any, frame: Frame, quantity: Callable[[Law], Any]) -> Any:
    """The quantity (T,) with its slopes (P, T) and curvature (P, P, T) at x (P, T)."""
    return jax.vmap(lambda u: derivatives(lambda v: quantity(frame(v)), u), -1, -1)(x)


_traced_once = compiled(_curves)
