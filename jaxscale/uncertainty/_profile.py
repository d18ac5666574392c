"""`profile_likelihood`: the best objective for each value of a parameter, or of anything computed from the law.

Where an interval from a covariance is a parabola's, the profile is the objective's own: lopsided where the data are, and
flat where they say nothing. All values of a grid are lanes of one program. Each lane adds a stiff spring that pulls the
quantity to its value; wherever the lane comes to rest is a point of the profile, exactly, for the value it has there, so
that the spring needs no sharpening. Lanes start along the tangent at the optimum and again from their neighbours.
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
from ..fitting._evidence import Evidence, evidence, slopes_of
from ..fitting._results import Fit
from ..formula._form import evaluate
from ..formula._law import Law
from ..ground._errors import nearest, warn
from ..ground._interval import Interval
from ..ground._life import saying
from ..ground._tails import student
from ..solvers import Newton, minimise
from ._covariance import inverse_hessian, noise_scale
from ._scale import linked, unlinked

_STIFF = 1e4  # the spring, in curvatures of the profile at the optimum
_ROUNDS = 4  # widenings of the grid until both ends lie beyond the level


@dataclass(frozen=True)
class Profile:
    """`objective` (points,) is the least there is for each of `values` (points,), which are in natural units.

    `distance` is the signed root of twice the excess over the noise scale: Student's t, if the objective were a parabola.
    """

    values: np.ndarray
    objective: np.ndarray
    distance: np.ndarray
    interval: Interval


def profile_likelihood(
    fit: Fit, of: str | Callable[[Law], Any], *, level: float = 0.95, points: int = 41, log: bool = False
) -> Profile:
    """Profile of a parameter, by name, or of a function of the bound law, in its units, with the interval it implies.

    The interval holds the values whose excess 2 (S - S_min) / scale is below t^2, Student's t with the spare runs as
    degrees of freedom; an end that the objective never closes is infinite, or the edge of the support. Rows count as
    independent. `log` as in `interval`. Raises TypeError where the quantity is no single number.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), objective=jsl.objectives.LogSquared(), starts=32)
    >>> jsl.profile_likelihood(best, "alpha").interval
    0.352 (0.3355 to 0.3685, 95% profile)

    Source: Venzon and Moolgavkar 1988; the scale for M-estimators: Schrader and Hettmansperger 1980.
    """
    fit.one_cell("profile_likelihood()")
    at = evidence(fit if fit.point is None else fit.point)[0]
    quantity, natural = _quantity(at.fit.problem.law, of, log)
    values, slopes = slopes_of([at], quantity)
    if not isinstance(values, np.ndarray) or values.shape != (1,):
        raise TypeError("profile_likelihood() needs one number: a scalar parameter, or a function that returns a scalar")
    centre, slope = float(values[0]), slopes[0]
    inverse, tau = inverse_hessian(at), noise_scale(at)
    reach = float(np.sqrt(max(slope @ inverse @ slope, 0.0)))  # distance at which the objective rises by one half
    if not reach > 0:
        raise ValueError("profile_likelihood(): the quantity does not depend on any free parameter that the runs determine")
    t = student(0.5 + 0.5 * level, float(max(at.spare, 1)))
    low = high = 1.5 * t * np.sqrt(tau) * reach
    for _ in range(_ROUNDS):
        wanted = centre + np.r_[-low * np.linspace(1, 0, points // 2 + 1)[:-1], high * np.linspace(0, 1, points // 2 + 1)]
        found, least = _solved(at, quantity, wanted - centre, centre, inverse @ slope / reach**2, reach)
        distance = np.sign(found - centre) * np.sqrt(2.0 * np.maximum(least - float(at.fit.value), 0.0) / tau)
        ends = _crossing(found, distance, -t), _crossing(found, distance, t)
        if np.all(np.isfinite(ends)):
            break
        low, high = (reached if np.isfinite(end) else 4.0 * reached for end, reached in zip(ends, (low, high), strict=True))
    if np.nanmin(least) < float(at.fit.value) - 1e-6 * abs(float(at.fit.value)):
        warn("profile_likelihood() found a better optimum than the fit: fit again with more starts")
    with np.errstate(over="ignore"):
        shown = Interval(natural(ends[0]), natural(centre), natural(ends[1]), level, "profile")
        return Profile(natural(found), least, distance, shown)


def _crossing(found: np.ndarray, distance: np.ndarray, level: float) -> float:
    """Where the distance passes `level` last, seen from the optimum; infinite where the outermost point has not passed it."""
    usable = np.isfinite(found) & np.isfinite(distance)
    x, y = found[usable] * np.sign(level), distance[usable] * np.sign(level)
    order = np.argsort(x)
    x, y = x[order], y[order]
    inside = np.flatnonzero(y < abs(level))
    if not len(inside) or inside[-1] == len(y) - 1:
        return float(np.sign(level) * np.inf)
    i = inside[-1]
    return float(np.sign(level) * (x[i] + (abs(level) - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i])))


def _quantity(law: Law, of: str | Callable[[Law], Any], log: bool) -> tuple[Callable[[Law], Any], Callable[[Any], Any]]:
    """The quantity on the scale on which it is profiled, and the way back."""
    if not isinstance(of, str):
        return (lambda own: jnp.log(of(own)) if log else jnp.asarray(of(own))), (np.exp if log else np.asarray)
    if of not in law.free:
        raise TypeError(f"profile_likelihood(): {law.name} has no free parameter {of!r}.{nearest(of, law.free)}")
    spec = law.free[of]
    return (lambda own: linked(spec, own.params[of])), lambda value: unlinked(spec, value)


def _solved(
    at: Evidence, quantity: Callable[[Law], Any], shift: np.ndarray, centre: float, tangent: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """The quantity and the objective (points,) where lanes with springs at `centre + shift` come to rest."""
    given = at.frame, at.table, at.objective, at.x, shift, centre, tangent, reach
    with saying(f"profile of {at.job.law.name}: one program, compiled, then {len(shift)} points"):
        found, least = on_device(lambda: jax.device_get(_rested(given, quantity)))
    order = np.argsort(found)
    return found[order], least[order]


@functools.partial(jax.jit, static_argnames="quantity")
def _rested(given: Any, quantity: Callable[[Law], Any]) -> Any:
    frame, table, objective, at, shift, centre, tangent, reach = given

    def total(x: Any) -> Any:
        predicted = evaluate(frame.law, table.rows, frame.layout.unpack(x * frame.unit), table.codes)
        return jnp.sum(table.weights * objective(predicted, table.target))

    def pulled(x: Any, own: Any) -> Any:
        return total(x) + 0.5 * _STIFF * ((quantity(frame(x)) - centre - own) / reach) ** 2

    def round_(_: int, x: Any) -> Any:
        x = minimise(pulled, x, shift, Newton()).x
        # a neighbour's resting place, moved along the tangent, is often the better start far from the optimum
        sides = [jnp.roll(x, k, 1) + tangent[:, None] * (shift - jnp.roll(shift, k)) for k in (1, -1)]
        starts = jnp.stack([x, *sides])
        values = jnp.stack([jax.vmap(pulled, (1, 0))(s, shift) for s in starts])
        best = jnp.argmin(jnp.where(jnp.isfinite(values), values, jnp.inf), 0)
        return jnp.take_along_axis(starts, best[None, None], 0)[0]

    x = jax.lax.fori_loop(0, 4, round_, at[:, None] + tangent[:, None] * shift)
    return jax.vmap(lambda u: (quantity(frame(u)), total(u)), 1)(x)
