"""Lanes of a job on the host: nothing is compiled but the law's sums and its values with slopes
(`formula/_programs`).

The same lanes as those of a compiled block (`_lanes`): the same starts and resamples, the same
ladder of objectives, the same Newton steps. What is done between two evaluations is NumPy over all
lanes at once, so that a first answer does not wait for a compiler. It costs about two microseconds
a step of a lane, which is why large jobs are compiled whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..formula._programs import (
    CHUNKS,
    TALL,
    WIDE,
    Embedding,
    embedding,
    features_of,
    looked,
    summed,
    written,
)
from ..ground._life import reached
from ..solvers import advance, begin
from ._chunks import by_run, chunked, confirm, in_chunks, joined, tall, whole, widened
from ._lanes import LADDER, Job, numbers_of
from ._resample import noised_lanes, reweighted_lanes, uniforms_of
from ._starts import projected_starts
from ._status import diagnose

_LANES = WIDE * CHUNKS


@dataclass(frozen=True)
class Host:
    """The programs of a job's law and the features of its tables (S, n)."""

    job: Job
    embedding: Embedding
    widths: tuple[tuple[str, int], ...]
    features: list[np.ndarray]

    def bytes_of(self, lanes: int) -> int:
        """What these many lanes take at once: features, target, weights and slopes over rows, and
        some copies of them.
        """
        rows, lanes = -(-int(self.features[0].shape[1]) // TALL) * TALL, -(-lanes // WIDE) * WIDE
        return 8 * rows * lanes * (len(self.features) + 3 * int(self.job.layout.size) + 8)

    # -- what depends on the law ------------------------------------------------------------------
    def sums(
        self, data: list[Any], rows: int, lanes: int, x: np.ndarray, objective: Any
    ) -> tuple[Any, Any, Any]:
        """Value (T,), slopes (P, T) and curvature (P, P, T) at x (P, T), of lanes whose `data` were
        made by `loaded`.
        """
        own, size = self.embedding, len(x)
        wide = own.into(x)
        calls = []
        for k, blocks in enumerate(data):
            here = slice(k * _LANES, min((k + 1) * _LANES, lanes))
            at, goal = jax.tree.map(lambda v: chunked(v[..., here]), (wide, objective))  # noqa: B023
            chunks = (here.stop - here.start) // WIDE
            for b, block in enumerate(blocks):
                counts = np.array([chunks, min(TALL, rows - b * TALL)], np.int32)
                calls.append(
                    (
                        k,
                        summed(
                            own.law,
                            (own.unit, own.held),
                            at,
                            block,
                            goal,
                            counts,
                            layout=own.layout,
                            widths=self.widths,
                        ),
                    )
                )
        parts: list[Any] = [None] * len(data)
        for k, out in calls:
            part = [np.asarray(v) for v in out]
            parts[k] = (
                part if parts[k] is None else [a + b for a, b in zip(parts[k], part, strict=True)]
            )
        left = [min(_LANES, lanes - k * _LANES) for k in range(len(parts))]
        v, g, h = (
            np.concatenate([joined(p[i], n) for p, n in zip(parts, left, strict=True)], -1)
            for i in range(3)
        )
        return v, own.back(g, size), own.back(h, size, 2)

    def loaded(self, dataset: np.ndarray, target: np.ndarray, weights: np.ndarray) -> list[Any]:
        """Features, target and weights of lanes (n, T), in calls of so many lanes and blocks of so
        many rows.
        """
        rows, lanes = weights.shape
        data = []
        for k in range(0, lanes, _LANES):
            here, blocks = slice(k, min(k + _LANES, lanes)), []
            for first in range(0, rows, TALL):
                block = slice(first, min(first + TALL, rows))
                own = [v[dataset[here], block].T for v in self.features]
                tall = [in_chunks(v) for v in (*own, target[block, here])]
                blocks.append(
                    jax.device_put(
                        (tall[:-1], tall[-1], in_chunks(weights[block, here], empty=True))
                    )
                )
            data.append(blocks)
        return data

    def look(self, x: np.ndarray, dataset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (n, T) of the law at x (P, T), and their slopes (P, n, T)."""
        own, size, lanes = self.embedding, *x.shape
        rows = self.features[0].shape[1]
        values, slopes = np.empty((rows, lanes)), np.empty((size, rows, lanes))
        wide = own.into(x)
        for k in range(0, lanes, WIDE):
            here = slice(k, min(k + WIDE, lanes))
            count = here.stop - here.start
            for first in range(0, rows, TALL):
                block = slice(first, min(first + TALL, rows))
                features = [widened(tall(v[dataset[here], block].T)) for v in self.features]
                found = looked(
                    own.law,
                    (own.unit, own.held),
                    widened(wide[:, here]),
                    features,
                    layout=own.layout,
                    widths=self.widths,
                )
                value, slope = (np.asarray(v) for v in found)
                values[block, here] = value[: block.stop - first, :count]
                slopes[:, block, here] = own.back(slope[:, : block.stop - first, :count], size)
        return values, slopes

    # -- lanes ------------------------------------------------------------------------------------
    def resampled(self, lane: np.ndarray) -> tuple[np.ndarray, ...]:
        """Weights and target (n, T) of lanes (T,), their data set and cell."""
        job, table = self.job, self.job.table
        dataset, cell, resample, _ = numbers_of(job, lane)
        weights, target, kind = table.weights[dataset].T, table.target[dataset].T, int(job.resample)
        if kind == 0:
            return weights, target, dataset, cell
        out = np.empty(weights.shape)
        for d in np.unique(dataset):
            here = np.flatnonzero(dataset == d)
            sampler = jax.tree.map(lambda v: v[d], table.sampler)  # noqa: B023
            u = uniforms_of(job.key, dataset[here], resample[here], sampler.place[:, None])
            if job.noisy:
                out[:, here] = noised_lanes(u, kind, table.target[d], sampler, job.ladder.log)
            else:
                out[:, here] = reweighted_lanes(u, kind, table.weights[d], sampler, resample[here])
        return (weights, out, dataset, cell) if job.noisy else (out, target, dataset, cell)

    def begun(self, lane: np.ndarray, weights: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Where lanes (T,) start: coordinates (P, T), those given or drawn, amplitudes by
        projection.
        """
        job = self.job
        dataset, cell, resample, start = numbers_of(job, lane)
        x: np.ndarray = job.given[cell, np.minimum(start, job.given.shape[1] - 1)].T.copy()
        own = np.flatnonzero(start >= job.known)
        if len(own):
            own = whole(own)
            size = job.layout.size
            place = 2**31 + start[own].astype(np.int64) * size + np.arange(size)[:, None]
            drawn = uniforms_of(job.key, dataset[own], resample[own], place)
            at = job.ranges.low[:, None] + drawn * (job.ranges.high - job.ranges.low)[:, None]
            looks = self.look(at, dataset[own])
            x[:, own] = projected_starts(
                at,
                looks,
                target=target[:, own],
                weights=weights[:, own],
                log=job.ladder.log,
                ranges=job.ranges,
            )
        return x

    def solved(self, first: int, count: int) -> dict[str, np.ndarray]:
        """Best points of lanes `first` to `first + count - 1`, lanes first, and how many lane-steps
        were paid for.
        """
        job, lane = self.job, first + np.arange(count)
        weights, target, dataset, cell = self.resampled(lane)
        start, tx = numbers_of(job, lane)[3], job.solver.build(None)
        # lanes that are walking, some of them twice: a lane alone would be summed otherwise
        on = whole(np.arange(count))
        search = begin(self.begun(lane, weights, target)[:, on], tx)
        direct = (start % 2 == 1) | (start < job.known)
        level = np.where(direct, LADDER - 1, LADDER - job.levels[cell])[on]
        tried, paid, data = (
            np.zeros(len(on), int),
            0,
            self.loaded(dataset[on], target[:, on], weights[:, on]),
        )
        best, value, steps = (
            np.empty((count, len(search.x))),
            np.empty(count),
            np.empty(count, np.int32),
        )
        while True:
            reached(first, max(0, count - len(on)))
            objective = jax.tree.map(lambda v: v[cell[on], level], job.ladder)  # noqa: B023
            found = self.sums(data, len(weights), len(on), search.x, objective)
            paid, tried = paid + len(on), tried + 1
            search = advance(search, lambda _: found, tx, None)  # noqa: B023
            ended = search.done | (tried >= job.solver.max_steps)
            up = ended & (level < LADDER - 1) & np.isfinite(search.best_value)
            search = search._replace(done=ended)
            if np.any(up):
                again = begin(search.best, tx)._replace(steps=search.steps)
                search = jax.tree.map(lambda new, old: np.where(up, new, old), again, search)  # noqa: B023
                level, tried = level + up, np.where(up, 0, tried)
            live = whole(np.flatnonzero(~search.done))
            if 4 * len(live) > 3 * len(on):
                continue
            ends = search.done
            at, best[on[ends]] = on[ends], search.best[:, ends].T
            value[at], steps[at] = search.best_value[ends], search.steps[ends]
            if not len(live):
                return {"x": best, "value": value, "steps": steps, "paid": np.asarray(paid)}
            on, level, tried, search = (
                on[live],
                level[live],
                tried[live],
                jax.tree.map(lambda v: v[..., live], search),  # noqa: B023
            )
            data = self.loaded(dataset[on], target[:, on], weights[:, on])

    def judged(self, lane: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters, value and status of lanes (L,) at their points x (L, P), and the measures
        behind the status.
        """
        parts = []
        for k in range(0, max(len(lane), 1), _LANES):
            own, at = lane[k : k + _LANES], x[k : k + _LANES].T
            on = whole(np.arange(len(own)))
            weights, target, dataset, cell = (v[..., on] for v in self.resampled(own))
            objective = jax.tree.map(lambda v: v[cell, -1], self.job.ladder)  # noqa: B023
            data, at = self.loaded(dataset, target, weights), at[:, on]
            value, slope, curve = self.sums(data, len(weights), len(on), at, objective)
            predicted, slopes = self.look(at, dataset)
            slopes = slopes / predicted if self.job.ladder.log else slopes
            gram = np.stack([np.sum(weights * one * slopes, 1) for one in slopes]) / np.sum(
                weights, 0
            )
            sizes = [value, slope, curve, gram]
            parts.append([np.moveaxis(v, -1, 0)[: len(own)] for v in sizes])
        value, slope, curve, gram = (np.concatenate(v) for v in zip(*parts, strict=True))
        natural = {f"params/{k}": v for k, v in self.job.layout.unpack(x * self.job.unit).items()}
        return {
            **natural,
            **diagnose(x, value, slope=slope, curve=curve, gram=gram, ranges=self.job.ranges),
        }

    def asking(self, cell: np.ndarray) -> Callable[[np.ndarray], tuple[Any, Any, Any]]:
        """The certified objective of cells (T,): its value (T,), slopes (P, T) and curvature (P, P,
        T) at x (P, T).
        """
        table, on = self.job.table, whole(np.arange(len(cell)))
        dataset, objective = (
            (cell // self.job.objectives)[on],
            jax.tree.map(lambda v: v[cell[on], -1], self.job.ladder),
        )
        weights, count = table.weights[dataset].T, len(cell)
        data = self.loaded(dataset, table.target[dataset].T, weights)

        def ask(x: np.ndarray) -> tuple[Any, Any, Any]:
            v, g, h = self.sums(data, len(weights), len(on), x[:, on], objective)
            return v[:count], g[:, :count], h[..., :count]

        return ask

    def measured(self, x: np.ndarray, cell: np.ndarray) -> dict[str, np.ndarray]:
        """What `_status.measured` says of cells (T,) at x (P, T), cells first."""
        job, table = self.job, self.job.table
        on = whole(np.arange(len(cell)))
        dataset, at = (cell // job.objectives)[on], x[:, on]
        target, weights = table.target[dataset].T, table.weights[dataset].T
        objective = jax.tree.map(lambda v: v[cell[on], -1], job.ladder)
        predicted, slopes = self.look(at, dataset)
        value, _, hessian = self.asking(cell)(x)
        residual, loss, psi, bend = by_run(objective, predicted, target)
        confirm(
            value,
            *(v[:, : len(cell)] for v in (weights, loss, psi * np.maximum(1.0, np.abs(target)))),
        )
        if job.ladder.log:
            slopes, size = slopes / predicted, np.ones(())
        else:
            live = weights > 0
            size = np.sqrt(np.sum(np.where(live, target**2, 0.0), 0) / np.sum(live, 0))
            size = np.where(size > 0, size, 1.0)
        found = {
            "residual": (residual / size).T,
            "jacobian": np.transpose(slopes / size, (2, 1, 0)),
            "force": (weights * psi * size).T,
            "bend": (weights * bend * size**2).T,
            "hessian": np.transpose(hessian, (2, 0, 1)),
        }
        return {k: v[: len(cell)] for k, v in found.items()}

    def programs(self) -> list[Callable[[], Any]]:
        """Calls that do nothing but compile what the law needs."""
        size, none = self.job.layout.size, np.zeros(1, int)
        rows = self.features[0].shape[1] if self.features else TALL
        at, flat = np.zeros((size, WIDE)), np.ones((rows, WIDE))
        objective = jax.tree.map(lambda v: np.repeat(v[0, -1], WIDE), self.job.ladder)
        return [
            lambda: self.sums(
                self.loaded(np.repeat(none, WIDE), flat, flat), rows, WIDE, at, objective
            ),
            lambda: self.look(at[:, :1], none),
        ]


def host_of(job: Job) -> Host | None:
    """The lanes of a job on the host; None where the law's sums are not written out term
    by term.
    """
    own, table = embedding(job.law, job.layout, job.unit), job.table
    units = zip(own.law.columns, own.law.column_units, strict=True)
    widths = tuple((c, table.rows[c].shape[-1] if u.rank else 0) for c, u in units)
    widths += tuple((g, 0) for g in sorted(table.codes))
    if not written(own.law, own.layout, widths):
        return None
    sets, rows = table.target.shape
    flat = {
        k: v.reshape(sets * rows, *v.shape[2:]) for k, v in {**table.rows, **table.codes}.items()
    }
    parts = []
    for first in range(0, sets * rows, TALL):
        block = {k: tall(v[first : first + TALL]) for k, v in flat.items()}
        columns = {c: block[c] for c in table.rows}, {g: block[g] for g in table.codes}
        parts.append(
            [
                np.asarray(v)
                for v in features_of(own.law, *columns, layout=own.layout, widths=widths)
            ]
        )
    features = [
        np.concatenate(v)[: sets * rows].reshape(sets, rows) for v in zip(*parts, strict=True)
    ]
    return Host(job, own, widths, features)
