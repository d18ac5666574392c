"""Plans of many laws and limits at once: walked on the host, or compiled whole where they are
traced or very many.

A plan has some starts, each of them a lane of the search; the best end is the plan. On the host
nothing is compiled for a question but the oracle, so that a budget, a target, a limit of another
size or the edge of a region are answered by the program that is there. From `BULK` lanes on, which
take as long as compiling, the walk is one program on all cores.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import WIDE, bucket, on_device, run_points
from ..ground._compiled import compiled
from ..ground._life import saying
from ..ground._trees import to_numpy, traced
from ..solvers import Newton
from ._kkt import closed, judged
from ._oracle import evaluated, lanes_at_once, natural
from ._problem import Ask, Parts, Question, parts
from ._search import search, search_traced
from ._starts import best_starts, points_of

BULK = 2**18  # lanes: walking them takes as long as compiling a program of their own
# chunks of the points that a walk begins with: with fewer, NumPy's calls take longer than what they
# do
_WALKED = 256
# plans that take steps together in it: half of them wait for the slowest in wider tiles
_TILE = 1024
_WORSE = 1e-7  # a plan that fails its conditions counts as worse by this share of its goal

# parameters of the law and columns that lanes have of their own, lanes last
Own = tuple[dict[str, Any], dict[str, Any]]


def planned(
    question: Question, own: Own, limits: np.ndarray, **edges: Any
) -> dict[str, np.ndarray]:
    """Plans (n, ...) for limits (m, n), each with its `own` law and columns.

    `edges` are for lanes that look for the edge of a region: `start` and `direction` (k, n), with
    bounds `low` and `high`.
    """
    plans, newton = limits.shape[1], isinstance(question.solver, Newton)
    if edges and not newton:  # optax knows no bounds
        question = dataclasses.replace(question, solver=Newton(max_steps=60))
    elif not newton or plans * question.starts > BULK or jax.default_backend() != "cpu":
        return _bulk(question, own, limits)
    # of each plan, looked at side by side
    points = 1 if edges else points_of(question, np).shape[1]
    per = max(1, lanes_at_once(question.oracle, _WALKED) // points)
    found = []
    with saying("plans", plans, "plan") as said:
        for first in range(0, plans, per):
            here = slice(first, min(first + per, plans))
            law, options, edge = (
                {k: v[..., here] for k, v in part.items()} for part in (*own, edges)
            )
            walk = functools.partial(_walked, question, (law, options), limits[:, here], **edge)
            found.append(on_device(walk))
            said.update(here.stop - here.start)
    return jax.tree.map(lambda *v: np.concatenate(v) if len(v) > 1 else v[0], *found)  # type: ignore[no-any-return]


def _walked(
    question: Question, own: Own, limits: np.ndarray, **edges: Any
) -> dict[str, np.ndarray]:
    oracle = question.oracle
    with np.errstate(all="ignore"):
        z, price, equal = _ends(question, own, limits, **edges)
        edges.pop("start", None)
        ask, numbers = question.ask(limits, **edges), evaluated(oracle, own, z)
        p = parts(ask, z, numbers, np)
        said = judged(ask, z, p, (price, equal), np)
        return _described(
            question, ask, z=z, p=p, multipliers=(price, equal), said=said, v=numbers[0], xp=np
        )


def _ends(
    question: Question, own: Own, limits: np.ndarray, **edges: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates (k, n) and multipliers of plans, found on the host."""
    oracle, lanes, z = question.oracle, limits.shape[1], edges.pop("start", None)
    starts = question.starts if z is None else 1

    def asking(times: int) -> Any:
        def some(which: np.ndarray) -> Any:
            wide = jax.tree.map(lambda v: v[..., which // times], own)
            return lambda at: evaluated(oracle, wide, at)

        return some

    if z is None:
        points = points_of(question, np)
        many = question.ask(np.repeat(limits, points.shape[1], 1))
        z = best_starts(
            many,
            question,
            points=points,
            evaluate=asking(points.shape[1])(np.arange(many.limits.shape[1])),
            lanes=lanes,
            xp=np,
        )
    ask, ends = question.ask(np.repeat(limits, starts, 1), **edges), asking(starts)
    walk = search(ask, ends, z, question.solver)
    multipliers = (walk.rules.price, walk.rules.equal)
    if starts == 1:
        return walk.z, *multipliers
    p = parts(ask, walk.z, ends(np.arange(z.shape[1]))(walk.z), np)
    best = _best(
        ask,
        p,
        said=judged(ask, walk.z, p, multipliers, np),
        multipliers=multipliers,
        starts=starts,
        xp=np,
    )
    return walk.z[:, best], multipliers[0][:, best], multipliers[1][:, best]


def answered(question: Question, own: Own, limits: Any) -> dict[str, Any]:
    """The same for numbers that JAX may trace; derivatives pass through the closing step of each
    plan.
    """
    plans: dict[str, Any] = _through(question, own, limits, *_found(question, own, limits))
    return plans


@jax.custom_jvp
def _found(question: Question, own: Own, limits: Any) -> tuple[Any, Any, Any]:
    """Coordinates and multipliers of plans, through which no derivative passes: those of numbers
    come from the host.
    """
    if traced(question, own, limits) or not isinstance(question.solver, Newton):
        found: tuple[Any, Any, Any] = _compiled(question, own, limits)
        return found
    own_numbers, question = to_numpy(own), to_numpy(question)
    with np.errstate(all="ignore"):
        ends = on_device(lambda: _ends(question, own_numbers, np.asarray(limits)))
    return jnp.asarray(ends[0]), jnp.asarray(ends[1]), jnp.asarray(ends[2])


@_found.defjvp
def _not_differentiated(primals: Any, tangents: Any) -> Any:
    found = _found(*primals)
    return found, jax.tree.map(jnp.zeros_like, found)


@compiled
def _compiled(question: Question, own: Own, limits: Any) -> tuple[Any, Any, Any]:
    """What `_ends` finds, by one program."""
    lanes, starts, points = limits.shape[1], question.starts, points_of(question, jnp)
    k, q, count = len(points), len(question.oracle.functions), points.shape[1]

    def wide(times: int) -> Any:
        return jax.tree.map(lambda v: jnp.repeat(v, times, -1), own)

    def value(x: Any, lane: Own) -> Any:
        return question.oracle.under(*lane).values(x)

    def slopes(lane: Own, x: Any) -> Any:
        return *question.oracle.under(*lane).slopes(x), jnp.zeros((q, k, k))

    z = best_starts(
        question.ask(jnp.repeat(limits, count, 1)),
        question,
        points=points,
        evaluate=_over(slopes, wide(count)),
        lanes=lanes,
        xp=jnp,
    )
    ask, each = question.ask(jnp.repeat(limits, starts, 1)), wide(starts)
    walk = search_traced(
        ask, each, evaluate=_over(_curves(question), each), value=value, z=z, solver=question.solver
    )
    p, multipliers = (
        parts(ask, walk.z, _over(slopes, each)(walk.z), jnp),
        (walk.rules.price, walk.rules.equal),
    )
    best = _best(
        ask,
        p,
        said=judged(ask, walk.z, p, multipliers, jnp),
        multipliers=multipliers,
        starts=starts,
        xp=jnp,
    )
    return walk.z[:, best], multipliers[0][:, best], multipliers[1][:, best]


@compiled
def _through(
    question: Question, own: Own, limits: Any, z: Any, price: Any, equal: Any
) -> dict[str, Any]:
    """Plans from where the search ended."""
    v, j, h = _over(_curves(question), own)(z)
    live = parts(question.ask(limits), z, (v, j, jax.lax.stop_gradient(h)), jnp)
    ask, p = jax.lax.stop_gradient((question.ask(limits), live))
    through = (live.goal_slope, live.slopes, live.excess, live.miss)
    said = judged(ask, z, p, (price, equal), jnp)
    moved, price, equal, _ = closed(ask, z, p=p, multipliers=(price, equal), xp=jnp, live=through)
    step, (j, h) = moved - z, jax.lax.stop_gradient((j, h))
    v = v + jnp.einsum("qkt,kt->qt", j, step) + 0.5 * jnp.einsum("qijt,it,jt->qt", h, step, step)
    return _described(
        question,
        question.ask(limits),
        z=moved,
        p=p,
        multipliers=(price, equal),
        said=said,
        v=v,
        xp=jnp,
    )


def _curves(question: Question) -> Any:
    def curves(lane: Own, x: Any) -> Any:
        return question.oracle.under(*lane).curves(x)

    return curves


def _over(function: Any, lane: Any) -> Any:
    """A function of one lane's own and its point, over lanes."""
    return lambda at: jax.vmap(function, in_axes=-1, out_axes=-1)(lane, at)


def _best(
    ask: Ask, p: Parts, said: dict[str, Any], multipliers: tuple[Any, Any], starts: int, xp: Any
) -> Any:
    """Which lane of each plan ended best; where none is feasible, the one that comes closest."""
    price, equal = multipliers
    # what it is on the limits, to first order
    goal = p.goal + xp.sum(price * p.excess, 0) + xp.sum(equal * p.miss, 0)
    goal = goal + xp.where(said["status"] == 0, 0.0, _WORSE * xp.abs(goal))
    off = p.excess / xp.maximum(xp.max(xp.abs(p.slopes), 1, initial=0.0), 1e-300)  # in coordinates
    off = xp.maximum(xp.max(off, 0, initial=0.0), xp.max(xp.abs(p.miss), 0, initial=0.0))
    far = xp.where(xp.isfinite(p.goal) & xp.isfinite(off), 1e250 * (1 + off), 1e300)
    order = xp.where(said["feasible"] & xp.isfinite(goal), goal, far).reshape(-1, starts)
    return xp.arange(len(order)) * starts + xp.argmin(order, 1)


def _described(
    question: Question,
    ask: Ask,
    z: Any,
    p: Parts,
    multipliers: tuple[Any, Any],
    said: dict[str, Any],
    v: Any,
    xp: Any,
) -> dict[str, Any]:
    """A plan by name, lanes first: nan where there is no feasible point."""
    feasible, shape = said["feasible"], question.shape
    per = ask.side / xp.where(ask.log, ask.limits, 1.0)
    scale = v[question.goal.at] if question.goal.log and ask.goal >= 0 else 1.0

    def valid(values: Any) -> Any:  # not v * nan, which would send nan back through a derivative
        return xp.moveaxis(xp.where(feasible, values, xp.nan), -1, 0)

    edge = xp.moveaxis(said["edge"], -1, 0)
    cost = v[question.cost.at] if question.cost is not None else xp.full(v.shape[1:], xp.nan)
    return {
        "columns": {c: valid(values) for c, values in natural(shape, z, xp).items()},
        "goal": valid(p.goal if ask.goal < 0 else v[question.goal.at]),
        "loss": valid(v[0]),
        "cost": xp.where(feasible, cost, xp.nan),
        "prices": valid(multipliers[0] * per * scale),
        "binds": xp.moveaxis(said["binds"], -1, 0),
        "excess": xp.moveaxis(said["excess"], -1, 0),
        "active": {c: edge[:, a] if s is None else edge[:, a : a + s] for c, s, a in shape.slices},
        "status": said["status"],
        "kkt": said["kkt"],
        "z": xp.moveaxis(z, -1, 0),
    }


def _bulk(question: Question, own: Own, limits: np.ndarray) -> dict[str, np.ndarray]:
    """All plans by one program, in tiles on all cores and devices."""
    plans = limits.shape[1]
    size = 8 if plans <= 8 else _TILE if jax.default_backend() == "cpu" else WIDE.slots
    wide = jax.tree.map(
        lambda v: _padded(np.moveaxis(v, -1, 0), bucket(plans, size)), (*own, limits)
    )
    return run_points(_bulk_tile, (question, wide), plans, label="plans", tile=size)  # type: ignore[no-any-return]


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[:1], length - len(values), axis=0)])


@compiled
def _bulk_tile(index: Any, job: Any) -> dict[str, Any]:
    question, wide = job
    law, columns, limits = jax.tree.map(lambda v: jnp.moveaxis(v[index], 0, -1), wide)
    return answered(question, (law, columns), limits)
