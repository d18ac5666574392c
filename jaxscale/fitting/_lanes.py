"""A lane: one solve of one law on one weighted table from one start; a block solves thousands of
them.

A lane is made from its integer: it names data set, objective, resample and start, and these give
weights and start. What all lanes share is the `Job`. A block has a fixed number of slots, in which
lanes take their steps side by side. Lanes need between 5 and 200 steps, so a slot whose lane has
stopped is given to the next waiting one (`turnover`); without that two thirds of all steps would be
taken by lanes that are done. Every second start walks up its own ladder of objectives, from a
smooth one to the one that is certified; the others, and starts that were given, begin at the last
rung, because a ladder leads all that climb it into one basin, which need not be the best (that of
Muennighoff's 182 runs is not). Lanes never see each other: a lane's bits depend neither on its slot
nor on its neighbours. Whether a best point is an optimum is not decided here (`_status`).

`solve_block` is the program of jobs that are worth compiling whole (`_run.walker`): very many
lanes, long tables, other solvers and devices. The others take the same steps on the host (`_host`).
Starts of a block come from a program of their own, compiled in a hurry: it runs once per lane and
would be a third of what there is to compile.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._coordinates import Layout
from ..formula._law import Law
from ..formula._sums import Kernel, kernel, per_run, sums
from ..ground._compiled import compiled
from ..ground._trees import node, static
from ..solvers import Search, advance, begin
from ._blocks import Tile
from ._resample import Sampler, noised, reweighted, uniforms
from ._starts import Ranges, projected_starts

LADDER = 8  # objectives on the longest ladder


@node()
class Table:
    """Rows of one data set `(n, ...)`, or of several stacked `(S, n, ...)`."""

    rows: dict[str, Any]
    codes: dict[str, Any]
    target: Any
    weights: Any
    sampler: Sampler


@node()
class Job:
    """All that a block needs besides its integers. A cell is a data set with an objective: `dataset
    * objectives + o`.
    """

    law: Law
    table: Table  # leaves (S, n, ...)
    # objectives, leaves (cells, LADDER), smoothest first; the last `levels` are used, the very last
    # is certified
    ladder: Any
    levels: Any  # (cells,)
    ranges: Ranges
    unit: Any  # (P,) size of one coordinate
    key: Any
    resample: Any  # which kind of resample, by number; 0: every lane has the table itself
    given: Any  # (cells, K, P) coordinates of the first starts, `known` of them
    known: Any
    starts: Any  # per resample
    resamples: Any
    objectives: Any  # per data set
    layout: Layout = static()
    solver: Any = static()
    noisy: bool = static(default=False)  # resamples differ in their target, not in their weights


class _Slots(NamedTuple):
    """What stands in the slots; every leaf ends in T."""

    search: Search
    level: Any  # of the ladder
    tried: Any  # steps on this level
    cell: Any
    at: Any  # which lane of the block; `block` where the slot is empty
    weights: Any  # (n, T)
    # (n, T) of what lanes have of their own: nothing, the target, or all features and the target
    table: Any


class _State(NamedTuple):
    slots: _Slots
    next: Any  # the first lane that still waits
    rounds: Any
    x: Any  # (P, block + 1) results; the last place takes what belongs nowhere
    value: Any
    steps: Any


def begun(first: int, count: int, job: Job, tile: Tile) -> np.ndarray:
    """Where lanes `first` to `first + count - 1` start: coordinates (P, tile.block), those given or
    drawn.
    """
    lane = (first + np.arange(tile.block)).astype(np.int32)
    _, cell, _, start = numbers_of(job, np.minimum(lane, first + max(count, 1) - 1))
    x: np.ndarray = job.given[cell, np.minimum(start, job.given.shape[1] - 1)].T.copy()
    for k in range(0, count if job.starts > job.known else 0, tile.slots):
        here = slice(k, k + tile.slots)
        x[:, here] = np.where(
            start[here] < job.known, x[:, here], jax.device_get(draw(lane[here], job))
        )
    return x


@compiled(hurried=True)
def draw(lane: Any, job: Job) -> Any:
    """Starts (P, T) of lanes (T,): uniform in their ranges, amplitudes by projection on the lane's
    own weights.
    """
    weights, target, dataset, _ = resample_of(job, lane)
    _, _, resample, start = numbers_of(job, lane)
    law_kernel = kernel(job.law, job.layout, job.table.rows, job.table.codes)
    tables = [*(v[dataset].T for v in law_kernel.table(job.table.rows, job.table.codes)), target]
    size = job.layout.size
    # places from 2^31 on: no row of a table has them
    place = (jnp.uint32(2**31) + start.astype(jnp.uint32) * size)[:, None] + jnp.arange(
        size, dtype=jnp.uint32
    )
    drawn = jax.vmap(uniforms, (None, 0, 0, 0))(job.key, dataset, resample, place).T
    x = job.ranges.low[:, None] + drawn * (job.ranges.high - job.ranges.low)[:, None]
    *features, target = tables
    at = per_run(law_kernel, x, job.unit, features)
    return projected_starts(
        x, at, target=target, weights=weights, log=job.ladder.log, ranges=job.ranges
    )


@compiled
def solve_block(first: Any, count: Any, x: Any, job: Job, *, tile: Tile) -> dict[str, Any]:
    """Solve lanes `first` to `first + count - 1` from x (P, tile.block): best points,
    lanes first.
    """
    block = _block(first, count, x, job, tile)
    state = block.retired(jax.lax.while_loop(block.going, block.step, block.empty()))
    return {
        "x": state.x[:, :-1].T,
        "value": state.value[:-1],
        "steps": state.steps[:-1],
        "rounds": state.rounds,
    }


@dataclass(frozen=True)
class _Block:
    """What stays the same while a block runs."""

    first: Any
    count: Any
    x: Any  # where lanes start (P, block)
    job: Job
    tile: Tile
    kernel: Kernel
    tables: list[Any]  # features and target, (S, n)
    tx: Any

    @property
    def shared(self) -> int:
        """How many of `tables` are the same for all lanes; the others are copied into
        their slots.
        """
        several = self.job.table.target.shape[0] > 1
        return 0 if several else len(self.tables) - self.job.noisy

    def table(self, own: list[Any]) -> list[Any]:
        """Features and target, `(n, 1)` or `(n, T)`, of lanes that have `own`."""
        return [v[0][:, None] for v in self.tables[: self.shared]] + own

    def empty(self) -> _State:
        """No lane yet."""
        size, slots, block = self.job.layout.size, self.tile.slots, self.tile.block
        search = begin(jnp.zeros((size, slots)), self.tx)._replace(done=jnp.ones(slots, bool))
        level, tried, cell = (jnp.zeros(slots, jnp.int32) for _ in range(3))
        at, n = jnp.full(slots, block, jnp.int32), self.job.table.target.shape[1]
        table = [jnp.zeros((n, slots), v.dtype) for v in self.tables[self.shared :]]
        results = (
            jnp.zeros((size, block + 1)),
            jnp.full(block + 1, jnp.inf),
            jnp.zeros(block + 1, jnp.int32),
        )
        return _State(
            _Slots(
                search=search,
                level=level,
                tried=tried,
                cell=cell,
                at=at,
                weights=jnp.zeros((n, slots)),
                table=table,
            ),
            jnp.int32(0),
            jnp.int32(0),
            *results,
        )

    def going(self, state: _State) -> Any:
        """Whether some lane still waits or walks."""
        return (state.next < self.count) | ~jnp.all(state.slots.search.done)

    def step(self, state: _State) -> _State:
        """Fill slots if enough of them stand idle, else take one trial in all of them."""
        room = (state.next < self.count) & (jnp.sum(state.slots.search.done) >= _fresh(self.tile))
        after: _State = jax.lax.cond(room, self.turnover, self.trial, state)
        return after

    def trial(self, state: _State) -> _State:
        """One trial in every slot; lanes that have stopped go up their ladder."""
        slots, solver = state.slots, self.job.solver
        objective = jax.tree.map(lambda v: v[slots.cell, slots.level], self.job.ladder)
        *features, target = self.table(slots.table)

        def evaluate(x: Any) -> Any:
            return sums(
                self.kernel,
                x,
                unit=self.job.unit,
                table=features,
                target=target,
                weights=slots.weights,
                objective=objective,
                rows=self.tile.rows,
            )

        search = advance(slots.search, evaluate, self.tx, (slots.table, slots.weights, objective))
        tried = slots.tried + 1
        ended = search.done | (tried >= solver.max_steps)
        up = ended & (slots.level < LADDER - 1) & jnp.isfinite(search.best_value)
        again = begin(search.best, self.tx)._replace(steps=search.steps)
        search = jax.tree.map(
            lambda new, old: jnp.where(up, new, old), again, search._replace(done=ended)
        )
        slots = slots._replace(search=search, level=slots.level + up, tried=jnp.where(up, 0, tried))
        return state._replace(slots=slots, rounds=state.rounds + 1)

    def turnover(self, state: _State) -> _State:
        """Write down lanes that have stopped, and give some of their slots to waiting ones."""
        state, job, count = self.retired(state), self.job, _fresh(self.tile)
        slots = state.slots
        (idle,) = jnp.nonzero(slots.search.done, size=count, fill_value=self.tile.slots)
        lane = state.next + jnp.arange(count, dtype=jnp.int32)
        live = (lane < self.count) & (idle < self.tile.slots)
        place = jnp.where(live, idle, self.tile.slots)
        weights, target, dataset, cell = resample_of(job, self.first + jnp.where(live, lane, 0))
        x = self.x[:, jnp.minimum(lane, self.tile.block - 1)]

        def put(old: Any, new: Any) -> Any:
            return old.at[..., place].set(new, mode="drop")

        fresh = put(jnp.zeros(self.tile.slots, bool), True)
        search = jax.tree.map(
            lambda new, old: jnp.where(fresh, new, old),
            begin(put(slots.search.x, x), self.tx),
            slots.search,
        )
        own = [*(v[dataset].T for v in self.tables[self.shared : -1]), target][: len(slots.table)]
        table = [put(old, new) for old, new in zip(slots.table, own, strict=True)]
        start = numbers_of(job, self.first + jnp.where(live, lane, 0))[3]
        direct = (start % 2 == 1) | (start < job.known)
        level = put(
            slots.level, jnp.where(direct, LADDER - 1, LADDER - job.levels[cell]).astype(jnp.int32)
        )
        cell, tried = put(slots.cell, cell), jnp.where(fresh, 0, slots.tried)
        slots = _Slots(
            search=search,
            level=level,
            tried=tried,
            cell=cell,
            at=put(slots.at, lane),
            weights=put(slots.weights, weights),
            table=table,
        )
        return state._replace(slots=slots, next=state.next + jnp.sum(live, dtype=jnp.int32))

    def retired(self, state: _State) -> _State:
        """Results of the lanes that have stopped, in their places."""
        search = state.slots.search
        at = jnp.where(search.done, state.slots.at, self.tile.block)
        x, value = state.x.at[:, at].set(search.best), state.value.at[at].set(search.best_value)
        return state._replace(x=x, value=value, steps=state.steps.at[at].set(search.steps))


def _fresh(tile: Tile) -> int:
    """Slots that are filled at once: enough to make it worth while, few enough not to stand idle
    for long.
    """
    return max(1, tile.slots // 8)


def _block(first: Any, count: Any, x: Any, job: Job, tile: Tile) -> _Block:
    law_kernel = kernel(job.law, job.layout, job.table.rows, job.table.codes)
    tables = [*law_kernel.table(job.table.rows, job.table.codes), job.table.target]

    def value(x: Any, own: Any) -> Any:
        """One lane's objective, for solvers that search along a line themselves."""
        table, weights, objective = own
        *features, target = block.table([v[:, None] for v in table])
        return sums(
            law_kernel,
            x[:, None],
            unit=job.unit,
            table=features,
            target=target,
            weights=weights[:, None],
            objective=objective,
            rows=tile.rows,
        )[0][0]

    block = _Block(
        first=first, count=count, x=x, job=job, tile=tile, kernel=law_kernel, tables=tables, tx=None
    )
    return dataclasses.replace(block, tx=job.solver.build(value))


def numbers_of(job: Job, lane: Any) -> tuple[Any, Any, Any, Any]:
    """Data set, cell, resample and start of a lane."""
    start, rest = lane % job.starts, lane // job.starts
    resample, cell = rest % job.resamples, rest // job.resamples
    return cell // job.objectives, cell, resample, start


def resample_of(job: Job, lane: Any) -> tuple[Any, Any, Any, Any]:
    """Weights (n, T) and target (n, T) of lanes (T,), their data set and cell."""
    dataset, cell, resample, _ = numbers_of(job, lane)

    table = job.table.weights, job.table.target, job.table.sampler
    weights, target, sampler = jax.tree.map(lambda v: v[dataset], table)

    def own(_: Any) -> Any:
        u = jax.vmap(uniforms, (None, 0, 0, 0))(job.key, dataset, resample, sampler.place)
        if job.noisy:
            return jax.vmap(noised, (0, None, 0, 0, None))(
                u, job.resample, target, sampler, job.ladder.log
            )
        return jax.vmap(reweighted, (0, None, 0, 0, 0))(u, job.resample, weights, sampler, resample)

    drawn = jax.lax.cond(job.resample > 0, own, lambda _: target if job.noisy else weights, None)
    weights, target = (weights, drawn) if job.noisy else (drawn, target)
    return weights.T, target.T, dataset, cell
