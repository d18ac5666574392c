"""A job's lanes, run in blocks and brought together: the best start of every resample, and what it
cost.

`Solve` is the task that is handed to threads, executors and other machines: a job of plain arrays,
which pickles, and two integers that say which lanes. It keeps only the best start of each resample
before anything leaves a block, so that millions of starts need no more memory or disk than their
resamples, beside one number each (their objective, from which agreement is counted).
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..formula._law import Law
from ..formula._sums import kernel, sums
from ..ground._compiled import compiled
from ..ground._errors import refuse
from ..ground._reads import reads_of
from ..ground._version import __version__
from ..solvers import Newton
from ._blocks import (
    MEMORY,
    TILES,
    Run,
    Tile,
    Work,
    block_size,
    device_kind,
    on_device,
    run_blocks,
    tile_for,
    workers,
)
from ._host import Host, host_of
from ._lanes import Job, begun, draw, solve_block
from ._resample import NOISY, WEIGHTED
from ._status import judged, measured

__all__ = ["Run", "Solve", "Work", "free_params", "measures", "ready", "solved"]
Arrays = dict[str, np.ndarray]
FEW = 512  # lanes that one worker walks: two would take the steps of their last stragglers twice
BULK = 2**16  # lanes: more take as long on the host as their program takes to compile


@dataclass(frozen=True)
class Solve:
    """Lanes `first` to `first + count - 1` of a job: best start of each resample, and the objective
    of every start.
    """

    job: Job
    tile: Tile
    # where lanes begin and are judged on the host, and walk there by `Newton`
    host: Host | None = None

    @property
    def walks(self) -> bool:
        """Whether lanes walk on the host."""
        return self.host is not None and isinstance(self.job.solver, Newton)

    def __call__(self, first: int, count: int) -> Arrays:
        host = self.host
        if host is not None and self.walks:
            with np.errstate(all="ignore"):
                out = host.solved(first, count)
                spent = np.asarray([np.sum(out["steps"], dtype=np.int64), int(out.pop("paid"))])
                best = _best(out | {"lane": first + np.arange(count)}, int(self.job.starts))
                return {
                    "every": out["value"],
                    "spent": spent,
                    **best,
                    **host.judged(best["lane"], best["x"]),
                }
        x = (
            begun(first, count, self.job, self.tile)
            if host is None
            else self.placed(host, first, count)
        )
        out = jax.device_get(
            solve_block(np.int32(first), np.int32(count), x, self.job, tile=self.tile)
        )
        spent = np.asarray(
            [np.sum(out["steps"], dtype=np.int64), int(out.pop("rounds")) * self.tile.slots]
        )
        lanes = {k: v[:count] for k, v in out.items()} | {"lane": first + np.arange(count)}
        best = _best(lanes, int(self.job.starts))
        if host is None:
            return {
                "every": lanes["value"],
                "spent": spent,
                **best,
                **judged(self.job, self.tile, best["lane"], best["x"]),
            }
        with np.errstate(all="ignore"):
            return {
                "every": lanes["value"],
                "spent": spent,
                **best,
                **host.judged(best["lane"], best["x"]),
            }

    def placed(self, host: Host, first: int, count: int) -> np.ndarray:
        """Starts (P, tile.block) by the host; those after `count` begin nothing."""
        x, lane = np.zeros((self.job.layout.size, self.tile.block)), first + np.arange(count)
        weights, target, *_ = host.resampled(lane)
        with np.errstate(all="ignore"):
            x[:, :count] = host.begun(lane, weights, target)
        return x

    def programs(self) -> list[Callable[[], Any]]:
        """Calls that do nothing but compile what a block needs."""
        host = [] if self.host is None else self.host.programs()
        if self.walks:
            return host
        size, job, tile = self.job.layout.size, self.job, self.tile
        block = [
            lambda: solve_block(
                np.int32(0), np.int32(0), np.zeros((size, tile.block)), job, tile=tile
            )
        ]
        if host:
            return block + host
        drawing = (
            [lambda: draw(np.zeros(tile.slots, np.int32), job)] if job.starts > job.known else []
        )
        return [
            *block,
            lambda: judged(job, tile, np.zeros(0, np.int64), np.zeros((0, size))),
            *drawing,
        ]

    def named(self, label: str) -> str:
        """What these programs are, in words."""
        name = self.job.law.name
        return (
            f"the sums of {name}"
            if self.host is not None
            else f"programs for the {label} of {name}"
        )


def _best(lanes: Arrays, starts: int) -> Arrays:
    """The best lane of each resample, which has `starts` consecutive ones; the first of those that
    are equal.
    """
    resample, value = (
        lanes["lane"] // starts,
        np.where(np.isfinite(lanes["value"]), lanes["value"], np.inf),
    )
    begins = np.flatnonzero(np.r_[True, resample[1:] != resample[:-1]][: len(resample)])
    order = np.lexsort((value, resample))
    return {k: v[order[begins]] for k, v in lanes.items()}


@dataclass(frozen=True)
class Solved:
    """Per resample (cells x resamples): the best lane's arrays; `values` (cells x resamples,
    starts) of all starts.
    """

    lanes: Arrays
    values: np.ndarray
    work: Work


def solved(
    job: Job, resamples: int, run: Run, *, label: str, also: Sequence[Callable[[Job], Any]] = ()
) -> Solved:
    """All lanes of a job; `resamples` counts them over all cells. `also` is compiled meanwhile."""
    named = getattr(job.solver, "portable", True) and not any(
        mark in repr(job.solver) for mark in (" at 0x", "<lambda>")
    )
    if not named and (run.executor is not None or run.directory is not None):
        raise refuse(
            "solver: an optax object, a schedule or a lambda cannot be sent to an executor or "
            "described in a directory",
            why="it holds functions that have no name",
            change="give the factory and its arguments: solvers.Optax(optax.adam, 1e-2)",
        )
    starts = int(job.starts)
    tile, host = tile_for(_lane_bytes(job), run.memory), walker(job, resamples * starts, run.memory)
    most = tile.block // starts * starts or tile.block  # whole resamples where they fit
    task = Solve(job, tile, host)
    size = block_size(resamples * starts, most, run, FEW if task.walks else 1)
    key = {} if run.directory is None else described(task)
    # what else is asked of a fit uses the programs of its walk
    others = also if host is None else ()
    programs = [*task.programs(), *(lambda call=call: call(job) for call in others)]
    said: dict[str, Any] = {
        "label": label,
        "needs": task.named(label),
        "each": 1 if label == "starts" else starts,
    }
    parts, resumed = run_blocks(
        task, resamples * starts, size, run=run, key=key, programs=programs, **said
    )
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0] if k != "spent"}
    values = joined.pop("every").reshape(resamples, starts)
    lanes = _best(joined, starts)
    steps, paid = (int(v) for v in np.sum([p["spent"] for p in parts], axis=0))
    work = Work(
        lanes=resamples * starts,
        steps=steps,
        useful=steps / paid,
        slots=tile.slots,
        block=size,
        device=device_kind(),
        workers=workers(),
        resumed=resumed,
    )
    return Solved(lanes, values, work)


def walker(job: Job, lanes: int, memory: int | None) -> Host | None:
    """The job's lanes on the host, where it does for them: decided by the job, the memory it may
    take, and the kind of device.

    Many lanes and long tables are worth programs of their own, and so is a device that is no CPU.
    """
    if lanes > BULK or jax.default_backend() != "cpu":
        return None
    host: Host | None = on_device(lambda: host_of(job))
    fits = host is not None and host.bytes_of(min(lanes, TILES["cpu"].block)) <= (
        MEMORY if memory is None else memory
    )
    return host if fits else None


def _lane_bytes(job: Job) -> int:
    """Bytes that one slot takes, rounded up: arrays over rows, as XLA counts them on CPU, and some
    numbers beside them.
    """
    sets, rows = job.table.target.shape
    size, columns = job.layout.size, len(job.table.rows) + len(job.table.codes)
    written = kernel(job.law, job.layout, job.table.rows, job.table.codes).written
    arrays = 3 + 3 * size // 8 if written else 4 + 16 * size + size**2 // 8
    # lanes have tables, or targets, of their own
    arrays += 2 * (columns + 1) if sets > 1 else 2 * job.noisy
    # a search along the line is vmapped with its own sums
    arrays += 0 if job.solver.second_order else 16
    return int(8 * (rows + 64 + 2 * size**2) * arrays)


def free_params(lanes: dict[str, Any]) -> dict[str, Any]:
    return {k.removeprefix("params/"): v for k, v in lanes.items() if k.startswith("params/")}


def looking(job: Job, lanes: int) -> Host | None:
    """The host that looks at so many points of a job, where it can."""
    host: Host | None = on_device(lambda: host_of(job)) if jax.default_backend() == "cpu" else None
    return host if host is not None and host.bytes_of(lanes) <= MEMORY else None


def asking(job: Job, cell: np.ndarray) -> Callable[[np.ndarray], Any]:
    """The certified objective of cells (T,): its value (T,), slopes (P, T) and curvature (P, P, T)
    at x (P, T).
    """
    host = looking(job, len(cell))
    if host is not None:
        return on_device(lambda: host.asking(cell))  # type: ignore[no-any-return]
    return lambda x: on_device(lambda: jax.device_get(_asked(job, x, cell.astype(np.int32))))


@compiled
def _asked(job: Job, x: Any, cell: Any) -> tuple[Any, ...]:
    dataset = cell // job.objectives
    law_kernel = kernel(job.law, job.layout, job.table.rows, job.table.codes)
    features = [v[dataset].T for v in law_kernel.table(job.table.rows, job.table.codes)]
    target, weights = job.table.target[dataset].T, job.table.weights[dataset].T
    return sums(
        law_kernel,
        x,
        unit=job.unit,
        table=features,
        target=target,
        weights=weights,
        objective=jax.tree.map(lambda v: v[cell, -1], job.ladder),
    )


def measures(job: Job, x: np.ndarray) -> dict[str, np.ndarray]:
    """Residuals, slopes, scores and Hessian of every cell at its point x (cells, P); see
    `measured`.
    """
    host = looking(job, len(x))
    if host is not None:
        with np.errstate(all="ignore"):
            found: dict[str, np.ndarray] = on_device(lambda: host.measured(x.T, np.arange(len(x))))
            return found
    width = 1 if len(x) == 1 else 64
    parts = []
    for first in range(0, len(x), width):
        cell = np.minimum(np.arange(first, first + width), len(x) - 1)
        here = x[cell].T, cell.astype(np.int32)
        parts.append(on_device(lambda: jax.device_get(measured(job, *here))))  # noqa: B023
    return {k: np.concatenate([p[k] for p in parts])[: len(x)] for k in parts[0]}


def ready(job: Job) -> None:
    """Compile `measures`."""
    measures(job, np.zeros((min(int(np.size(job.levels)), 2), job.layout.size)))


def described(task: Solve) -> dict[str, str]:
    """What decides the bits of a job, in words where it is short and as hashes where it is long."""
    job, tile = task.job, task.tile
    walks = f"{tile.slots} lanes, {tile.rows} rows"
    reads = job.law.reads or reads_of(job.law.function)
    law = dataclasses.replace(job.law, fixed={})
    numbers = hashlib.sha256()
    # these are said in words
    for leaf in jax.tree.leaves(dataclasses.replace(job, law=law, key=(), starts=(), resamples=())):
        array = np.asarray(leaf)
        numbers.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    kind = type(job.ladder)
    return {
        "jaxscale": __version__,
        "jax": jax.__version__,
        "device": device_kind(),
        "law": _law_words(job.law),
        "what the law reads": reads.text(f"law {job.law.name}"),
        "solver": f"{job.solver!r} {_code_of(job.solver, 'the solver')}".rstrip(),
        "objective": f"{kind.__name__} {_code_of(kind, 'the objective')}".rstrip(),
        "seed": "-".join(str(v) for v in job.key.tolist()),
        "starts": str(int(job.starts)),
        "resamples": str(int(job.resamples)),
        "kind of resample": (NOISY if job.noisy else WEIGHTED)[int(job.resample)],
        "tile": "host" if task.walks else walks if task.host is None else f"{walks}, from the host",
        "data and options": numbers.hexdigest()[:16],
    }


def _law_words(law: Law) -> str:
    function = law.function
    fixed = {k: np.asarray(v).tolist() for k, v in sorted(law.fixed.items())}
    specs = [(k, s.support, s.edges, s.shape) for k, s in law.specs]
    form = repr((_source(function), fixed, law.ties, law.groups, specs))
    place = f"{function.__module__}:{getattr(function, '__qualname__', law.name)}"
    return f"{place} {hashlib.sha256(form.encode()).hexdigest()[:16]}"


def _code_of(value: Any, what: str) -> str:
    """A short text of what somebody else's objective or solver reads, its code included; nothing
    for ours.
    """
    found = reads_of(value)
    return hashlib.sha256(found.text(what).encode()).hexdigest()[:16] if found.foreign else ""


def _source(function: Any) -> str:
    """The text of one of our own formulas; those of others are told by what they read, their code
    first of all.
    """
    return inspect.getsource(function) if function.__module__.startswith("jaxscale.laws.") else ""
