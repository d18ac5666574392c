"""The numbers of a chain: values of all stages, their slopes, and the uncertainty of all of them
put together.

Single fits by slopes: what each unit moves the coordinates of a stage by, times the slope of the
answer, is summed over the stages that hold the unit, and squares are summed over units. Each value
is taken on the scale of its own stage: ln of it where residuals were taken in ln. Ensembles by
draws: the answer for every draw of all stages, and of each stage alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import on_device, run_points
from ..fitting._evidence import Evidence, Frame
from ..fitting._results import Ensemble
from ..formula._law import Law
from ..formula._params import Param
from ..ground._compiled import compiled
from ..ground._interval import Interval
from ..ground._tails import student
from ..ground._trees import node, static
from ..table._anchors import helpers
from ..uncertainty._covariance import covariance_of
from ..uncertainty._draws import percentile
from ..units import Unit, convert
from ._stages import HELPER, in_common

# of each stage: columns, and codes of its groups, for a law without labels
Rows = list[dict[str, Any]]
_DEAD = 1e-6  # singular value below which a certificate calls a direction lost
# intervals; deviations of the last value: alone, in all; quantile
Found = tuple[tuple[Interval, ...], np.ndarray, Any, Any]


@node()
class Stages:
    """Bound laws in a row, with the columns that each reads beside the value of the one before."""

    laws: tuple[Law, ...]
    rows: Rows
    units: tuple[tuple[Unit, Unit], ...] = static()
    logs: tuple[bool, ...] = static(default=())

    def onward(self, value: Any, k: int) -> list[Any]:
        """The value after stage k, and after each further one."""
        values = [value]
        for law, units, own in zip(
            self.laws[k + 1 :], self.units[k:], self.rows[k + 1 :], strict=True
        ):
            values.append(law(convert(values[-1], *units), **own))
        return values

    def values(self) -> list[Any]:
        """The value after each stage."""
        return self.onward(self.laws[0](**self.rows[0]), 0)

    def on_scales(self, values: Sequence[Any]) -> Any:
        """Values (stages, ...), in ln where the stage was fitted in ln."""
        return jnp.stack(
            [
                jnp.log(v) if log else jnp.asarray(v)
                for v, log in zip(values, self.logs, strict=True)
            ]
        )


def _on_scales(frame: Frame, x: Any, stages: Stages, values: Any, k: int) -> Any:
    """All values (stages, ...) on their scales, with stage k at coordinates x."""
    law, own = frame(x)._note(labels={}), stages.rows[k]
    first = law(**own) if k == 0 else law(convert(values[k - 1], *stages.units[k - 1]), **own)
    return stages.on_scales([*(values[j] for j in range(k)), *stages.onward(first, k)])


_at = compiled(_on_scales)
_by_coordinate = compiled(jax.jacfwd(_on_scales, argnums=1))  # slopes (stages, ..., P)


@compiled
def _by_value(stages: Stages, values: Any) -> Any:
    """Slope of the last value by the value of each stage (stages, ...)."""
    ones = jnp.ones_like(values[0])
    return jnp.stack(
        [
            jax.jvp(lambda v, k=k: stages.onward(v, k)[-1], (values[k],), (ones,))[1]
            for k in range(len(stages.laws))
        ]
    )


def slopes_by_value(stages: Stages, values: np.ndarray) -> np.ndarray:
    """What the last value changes by per unit of the value of each stage (stages, ...)."""
    return np.asarray(on_device(lambda: _by_value(stages, values)))


def cut(i: Interval, unit: Unit) -> Interval:
    """Ends that the unit allows: no fraction lies beyond 0 and 1."""
    low = -np.inf if unit.support == "real" else 0.0
    return dataclasses.replace(
        i, low=np.fmax(i.low, low), high=np.fmin(i.high, 1.0 if unit.support == "unit" else np.inf)
    )


def around(value: Any, half: Any, log: bool) -> tuple[Any, Any]:
    """Ends of an interval of half-width `half` on the scale of the value."""
    return (value * np.exp(-half), value * np.exp(half)) if log else (value - half, value + half)


def noise(at: Sequence[Evidence], values: np.ndarray) -> np.ndarray:
    """Standard deviation (stages, ...) of one run about each stage, in the unit of its value."""
    out = []
    for e, value in zip(at, values, strict=True):
        own = e.noise(value)
        out.append(own * np.abs(value) if e.fit.problem.objective.log else own)
    return np.stack(out)


# -- single fits ---------------------------------------------------------------------------------
def by_slopes(
    stages: Stages,
    at: Sequence[Evidence],
    units: Sequence[np.ndarray],
    kinds: Sequence[str],
    by: Sequence[str],
    level: float,
) -> Found:
    """Intervals of all values from the slopes of single fits, with Student's t."""
    values = np.stack([np.asarray(v) for v in stages.values()])
    every, codes = np.unique(np.concatenate(units), return_inverse=True)
    own = np.split(codes, np.cumsum([len(u) for u in units])[:-1])
    given = np.char.startswith(every, HELPER)
    # by way of stage k, each unit, each value
    moved = np.zeros((len(at), len(every), *values.shape))
    lost, dofs = np.zeros((len(at), *values.shape), bool), np.zeros(len(at))
    for k, (e, kind) in enumerate(zip(at, kinds, strict=True)):
        cov = covariance_of(e, kind, by[k] if kind == "cr3" else None)
        assert cov.steps is not None
        slopes = np.asarray(
            on_device(functools.partial(_by_coordinate, e.frame, e.x, stages, values, k=k))
        )
        clusters = e.clusters(by[k]) if kind == "cr3" else None
        # in the order of the steps
        where = own[k] if clusters is None else own[k][np.unique(clusters, return_index=True)[1]]
        # a helper is an assumption, not a run
        steps = np.where(given[where][:, None], 0.0, cov.steps)
        np.add.at(moved[k], where, np.moveaxis(slopes @ steps.T, -1, 0))
        own_width, dofs[k] = cov.deviation(slopes), cov.dof
        lost[k] = ~np.isfinite(own_width) | _unknown(e, k, stages, values, own_width)
    # (stages, stages, ...), (stages, ...)
    variances, total = np.sum(moved**2, 1), np.sum(np.sum(moved, 0) ** 2, 0)
    dof = _freedom(variances, total, dofs.reshape(-1, *[1] * total.ndim), in_common(units) > 0)
    reach = np.reshape([student(0.5 + 0.5 * level, float(d)) for d in np.ravel(dof)], np.shape(dof))
    deviation = np.where(np.any(lost, 0), np.inf, np.sqrt(total))
    with np.errstate(over="ignore"):
        ends = [
            around(v, h, log)
            for v, h, log in zip(values, reach * deviation, stages.logs, strict=True)
        ]
    said = " and ".join(dict.fromkeys(kinds))
    intervals = tuple(
        cut(Interval(low[()], v[()], high[()], level, said), e.fit.problem.law.unit)
        for v, (low, high), e in zip(values, ends, at, strict=True)
    )
    size = np.abs(values[-1]) if stages.logs[-1] else 1.0
    alone = np.where(lost[:, -1], np.inf, np.sqrt(variances[:, -1])) * size
    return intervals, alone, deviation[-1] * size, reach[-1]


def _unknown(
    e: Evidence, k: int, stages: Stages, values: np.ndarray, width: np.ndarray
) -> np.ndarray:
    """Values (stages, ...) whose deviation by way of stage k, `width` on their scales, says less
    than nothing.

    Either the value hangs on what ran to an edge of its support: a twentieth of the support away
    from it, or at the end of the start range, it changes by more than the width. A helper point
    says that the edge is meant. Or the law is dead, such as a sigmoid that became a step: it is
    flat in its own parameters, and no number of theirs moves it.
    """
    noise_of_one = np.sqrt(np.mean(e.residual[e.real] ** 2)) * e.size
    dead = float(e.fit.certificate.singular) < _DEAD and bool(
        np.all(width[k] < 1e-3 * noise_of_one)
    )
    out = np.zeros(values.shape, bool)
    out[k:] = dead
    if not np.any(e.edge) or np.any(helpers(e.fit.problem.runs)):
        return out
    here = np.asarray(on_device(lambda: _at(e.frame, e.x, stages, values, k=k)))
    ends = np.stack([e.job.layout.each(functools.partial(_inside, end=end)) for end in (0, 1)])
    for j in np.flatnonzero(e.edge):
        x = np.array(e.x)
        x[j] = ends[int(x[j] > ends[:, j].mean()), j]
        there = np.asarray(on_device(functools.partial(_at, e.frame, x, stages, values, k=k)))
        out |= ~(np.abs(there - here) <= width)
    return out


def _inside(spec: Param, end: int) -> float:
    """A coordinate a little inside the support, at its low or high end."""
    away = float(np.log(19.0))
    return (
        (-away, away)[end]
        if spec.support in ("between", "simplex")
        else float(spec.start_range[end])
    )


def _freedom(
    variances: np.ndarray, total: np.ndarray, dofs: np.ndarray, shared: bool
) -> np.ndarray:
    """Degrees of freedom (stages, ...): Satterthwaite's for independent stages; the fewest where
    stages share runs.
    """
    if shared:
        return np.asarray(np.min(np.where(variances > 1e-12 * total, dofs, np.inf), 0))
    parts = np.sum(variances**2 / dofs, 0)
    return np.where(parts > 0, total**2 / np.where(parts > 0, parts, 1.0), np.inf)


# -- ensembles -----------------------------------------------------------------------------------
def drawn(stages: Stages, ensembles: Sequence[Ensemble]) -> list[np.ndarray]:
    """Values after each stage (1 + stages, n, ...): with all stages drawn, then with each of them
    drawn alone.
    """
    count, n = len(ensembles), len(ensembles[0])
    places = np.full((1 + count, n, count), n, np.int32)  # place n is the fit itself
    places[0] = np.arange(n)[:, None]
    for k in range(count):
        places[1 + k, :, k] = np.arange(n)
    params = []
    for f in ensembles:
        tied = dict(f.problem.law.ties)
        own = {
            k: (np.asarray(v, np.float64), np.asarray(f.point.params[k], np.float64))
            for k, v in f.params.items()
            if k not in tied
        }
        params.append({k: np.concatenate([v, p[None]]) for k, (v, p) in own.items()})
    flat = places.reshape(-1, count)
    found = run_points(_drawn, (flat, params, stages), len(flat), label="chain")
    return [np.asarray(v).reshape(1 + count, n, *np.shape(v)[1:]) for v in found]


@compiled
def _drawn(index: Any, given: Any) -> Any:
    places, params, stages = given

    def one(i: Any) -> Any:
        each = zip(stages.laws, params, range(len(params)), strict=True)
        laws = tuple(
            dataclasses.replace(law, fixed={k: v[places[i, j]] for k, v in own.items()})
            for law, own, j in each
        )
        return dataclasses.replace(stages, laws=laws).values()

    return jax.vmap(one)(index)


def by_draws(
    stages: Stages, ensembles: Sequence[Ensemble], at: Sequence[Evidence], level: float
) -> Found:
    """Percentiles of the draws of all stages; deviations are half the range of the middle 68 % of
    them.
    """
    values, draws = np.stack([np.asarray(v) for v in stages.values()]), drawn(stages, ensembles)
    low, high = (
        np.stack(v)
        for v in zip(*(np.nanquantile(d, [0.15865, 0.84135], axis=1) for d in draws), strict=True)
    )
    # (stages, 1 + stages, ...): of each value, from all stages and from each alone
    deviation = 0.5 * (high - low)
    lost = np.zeros((len(at), *values.shape), bool)
    size = np.stack(
        [np.abs(v) if log else np.ones_like(v) for v, log in zip(values, stages.logs, strict=True)]
    )
    for k, (e, ensemble) in enumerate(zip(at, ensembles, strict=True)):
        if ensemble.kind != "posterior":  # whose draws leave the edge
            lost[k] = _unknown(e, k, stages, values, deviation[:, 1 + k] / size)
    intervals = []
    for v, d, e, gone in zip(values, draws, at, np.any(lost, 0), strict=True):
        i = percentile(d[0], level, 0, v[()])
        open_ended = dataclasses.replace(
            i, low=np.where(gone, -np.inf, i.low)[()], high=np.where(gone, np.inf, i.high)[()]
        )
        intervals.append(cut(open_ended, e.fit.problem.law.unit))
    alone = np.where(lost[:, -1], np.inf, deviation[-1, 1:])
    total = np.where(np.any(lost[:, -1], 0), np.inf, deviation[-1, 0])
    return (
        tuple(intervals),
        alone,
        total,
        student(0.5 + 0.5 * level, float(max(min(e.spare for e in at), 1))),
    )
