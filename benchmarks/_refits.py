"""The refits that `bootstrap.py` and `peers.py` time: one job, methods that do it, and the judge of
them all.

The job is the bootstrap of Besiroglu et al. 2024 (see `_epoch`) on pairs resamples of one table.
All methods refit the same resamples, which are reproduced here from jaxscale's keys; that they are
the same is asserted by evaluating jaxscale's optima in NumPy. One evaluator judges the points of
every method: `worst_gap` is the largest relative excess over the best value that any method found
for that resample, over the resamples that several methods ran, and `missed_share` the share of them
where it is above 1e-6; `ok_share` is what each method says about its own convergence. jaxscale and
the batched peer use all cores and scipy one, so there are two ratios: `ratio_to_jaxscale` of
seconds per refit, and `ratio_per_core` of seconds times threads.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from _common import cores, place, timed
from _epoch import DELTA, HOFFMANN, gathered
from _least_squares import TIGHT, by_start, solved
from scipy.optimize import minimize

import jaxscale as jsl
from jaxscale.fitting._job import prepare
from jaxscale.fitting._resample import WEIGHTED, reweighted, root_key, uniforms

LEAST_SQUARES = 'scipy least_squares(loss="huber")'
# the sum is about 1e-3, and absolute tolerances of general solvers expect numbers of order one or
# more
SCALE = 1e6
TILE = 250  # lanes of a tile of the batched peer


@dataclasses.dataclass
class Work:
    """The refits: table, weights of each resample (resamples, n), the optimum of the full table."""

    name: str
    runs: Any
    weights: np.ndarray
    optimum: np.ndarray
    fit: Any
    repeats: int

    def __post_init__(self) -> None:
        self.n, self.d, self.loss = (
            np.asarray(v, np.float64) for v in (self.runs["N"], self.runs["D"], self.runs.target)
        )
        self.log_n, self.log_d, self.log_l = np.log(self.n), np.log(self.d), np.log(self.loss)


@dataclasses.dataclass
class Outcome:
    """What a method found for the first len(points) resamples."""

    method: str
    points: np.ndarray
    ok: np.ndarray
    seconds: float
    compile_seconds: float
    threads: int
    note: str


def prepared(resamples: int, repeats: int) -> Work:
    try:
        name, runs = "hoffmann2022", jsl.datasets.load("hoffmann2022")
    except FileNotFoundError:
        name, runs = "simulated", jsl.datasets.load("simulated")
    fit = jsl.fit(jsl.laws.chinchilla, runs, objective=jsl.objectives.LogHuber(DELTA))
    return Work(
        name, runs, same_weights(fit, resamples), epoch_coordinates(fit.params), fit, repeats
    )


def same_weights(fit: Any, resamples: int, seed: int = 0) -> np.ndarray:
    """The weights that `jsl.bootstrap(fit, resamples, by="rows", seed=seed)` makes inside its
    lanes.
    """
    job, root = prepare([[fit.problem]], 1), root_key(seed, 1)
    table = jax.tree.map(lambda v: v[0], job.table)
    with jax.enable_x64(True):
        place = np.arange(len(table.weights))
        pairs = WEIGHTED.index("pairs")

        def one(i: Any, t: Any) -> Any:
            return reweighted(uniforms(root, np.int32(0), i, place), pairs, t.weights, t.sampler, i)

        draw = jax.jit(jax.vmap(one, (0, None)))
        return np.asarray(draw(np.arange(resamples, dtype=np.int32), table))[
            :, : len(fit.problem.runs)
        ]


def epoch_coordinates(params: Any) -> np.ndarray:
    """(..., 5): a, b, e, alpha, beta."""
    return np.stack(
        [
            np.log(params["A"]),
            np.log(params["B"]),
            np.log(params["E"]),
            params["alpha"],
            params["beta"],
        ],
        -1,
    )


def objective(x: np.ndarray, weights: np.ndarray, work: Work) -> tuple[float, np.ndarray]:
    """The sum and its exact gradient, in NumPy."""
    a, b, e, alpha, beta = x
    terms = np.stack([a - alpha * work.log_n, b - beta * work.log_d, np.full_like(work.log_n, e)])
    top = terms.max(0)
    shares = np.exp(terms - top)
    total = shares.sum(0)
    residual = top + np.log(total) - work.log_l
    size = np.abs(residual)
    inner = np.minimum(size, DELTA)
    by_term = weights * np.clip(residual, -DELTA, DELTA) * shares / total
    slopes = [-by_term[0] @ work.log_n, -by_term[1] @ work.log_d]
    return float(weights @ (inner * (size - 0.5 * inner))), np.array([*by_term.sum(1), *slopes])


# -- the methods of both -------------------------------------------------------------------------
def with_jaxscale(work: Work) -> Outcome:
    resamples = len(work.weights)
    boot, seconds, compiling = timed(
        lambda: jsl.bootstrap(work.fit, resamples, by="rows", seed=0), work.repeats
    )
    points = epoch_coordinates(boot.params)
    again = np.array([objective(x, w, work)[0] for x, w in zip(points, work.weights, strict=True)])
    np.testing.assert_allclose(
        again, boot.value, rtol=1e-12, err_msg="the peers would not see jaxscale's resamples"
    )
    note = "drawing the resamples and diagnosing every refit are in the time"
    return Outcome("jaxscale", points, np.asarray(boot.ok), seconds, compiling, cores(), note)


def with_optimistix_twice(work: Work) -> list[Outcome]:
    """The batched peer. It gets its weights ready made, the full-data optimum as start, and a
    thread for each core.

    Its time depends on how it is asked: most refits need about 110 steps, and a few that already
    stand at rounding walk on to the last step allowed while their whole tile waits. So it runs
    twice: to rounding with steps to spare, and tuned by hand on this job to the loosest tolerance
    that still finds every optimum, with its own default of 256 steps.
    """
    return [
        with_optimistix(work, "optimistix.BFGS under vmap", tolerance=1e-8, steps=1000),
        with_optimistix(work, "optimistix.BFGS under vmap, tuned", tolerance=5e-7, steps=256),
    ]


def with_optimistix(work: Work, method: str, tolerance: float, steps: int) -> Outcome:
    solver = optx.BFGS(rtol=tolerance, atol=tolerance)

    def value(x: Any, weights: Any) -> Any:
        a, b, e, alpha, beta = x
        terms = [
            a - alpha * work.log_n,
            b - beta * work.log_d,
            jnp.broadcast_to(e, work.log_n.shape),
        ]
        size = jnp.abs(jax.nn.logsumexp(jnp.stack(terms), axis=0) - work.log_l)
        inner = jnp.minimum(size, DELTA)
        return SCALE * jnp.sum(weights * inner * (size - 0.5 * inner))

    def refit(weights: Any) -> Any:
        done = optx.minimise(
            value, solver, jnp.asarray(work.optimum), weights, max_steps=steps, throw=False
        )
        return done.value, done.result == optx.RESULTS.successful

    tile = jax.jit(jax.vmap(refit))

    def one(weights: np.ndarray) -> Any:
        with jax.enable_x64(True):  # the setting belongs to a thread
            return jax.device_get(tile(weights))

    def every() -> Any:
        with ThreadPoolExecutor(cores()) as pool:
            parts = list(pool.map(one, tiles(work.weights)))
        return [np.concatenate(leaves)[: len(work.weights)] for leaves in zip(*parts, strict=True)]

    (points, ok), seconds, compiling = timed(every, work.repeats)
    note = (
        f"rtol = atol = {tolerance:g} on the sum x {SCALE:g}, {steps} steps at most, tiles of "
        f"{TILE}; no drawing in the time"
    )
    return Outcome(method, points, ok, seconds, compiling, cores(), note)


def tiles(weights: np.ndarray) -> list[np.ndarray]:
    """Tiles of one size, the last one filled up: a second size would compile a second program."""
    size = min(TILE, len(weights))
    return [
        np.resize(weights[i : i + size], (size, weights.shape[1]))
        for i in range(0, len(weights), size)
    ]


def as_published(work: Work, sample: int) -> Outcome:
    def every() -> list[Any]:
        return [
            minimize(objective, HOFFMANN, (w, work), jac=True, method="BFGS")
            for w in work.weights[:sample]
        ]

    note = (
        "start, method and tolerances of the published script; its autograd gradient is an "
        "exact NumPy one here, faster"
    )
    return one_by_one("scipy as in Epoch's script", every, note)


def with_least_squares(work: Work, sample: int, exact: bool = True, tight: bool = False) -> Outcome:
    """One call of scipy's `least_squares` for each resample, from the full-data optimum like the
    others.
    """
    drawn = [
        tuple(np.log(v) for v in gathered(w, work.n, work.d, work.loss))
        for w in work.weights[:sample]
    ]
    method = (
        LEAST_SQUARES
        + ("" if exact else ", 2-point Jacobian")
        + (f", tolerances {TIGHT:g}" if tight else "")
    )
    note = (
        "f_scale=1e-3, x_scale='jac', on residuals of ln L in ln A, ln B, ln E, alpha, beta; no "
        "drawing in the time"
    )
    return one_by_one(
        method, lambda: [solved(work.optimum, rows, exact, tight) for rows in drawn], note
    )


def one_by_one(method: str, every: Any, note: str) -> Outcome:
    """Nothing compiles, so one run is the time."""
    ends, seconds, _ = timed(every, 1)
    points, ok = np.array([end.x for end in ends]), np.array([end.success for end in ends])
    return Outcome(method, points, ok, seconds, 0.0, 1, note)


# -- the judge -----------------------------------------------------------------------------------
def judged(work: Work, outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """One line for each outcome; jaxscale's is the first."""
    values = np.full((len(outcomes), len(work.weights)), np.nan)
    for row, outcome in zip(values, outcomes, strict=True):
        found = [
            objective(x, w, work)[0] for x, w in zip(outcome.points, work.weights, strict=False)
        ]
        row[: len(found)] = np.where(np.isfinite(found), found, np.inf)
    best = np.nanmin(values, axis=0)
    gaps = np.where(np.sum(~np.isnan(values), axis=0) > 1, values / best - 1.0, np.nan)
    ours = outcomes[0]
    return [
        record(work, outcome, gap[~np.isnan(gap)], ours)
        for outcome, gap in zip(outcomes, gaps, strict=True)
    ]


def record(work: Work, outcome: Outcome, gaps: np.ndarray, ours: Outcome) -> dict[str, Any]:
    each, our = outcome.seconds / len(outcome.points), ours.seconds / len(ours.points)
    return {
        "method": outcome.method,
        "resamples": len(outcome.points),
        "seconds": outcome.seconds,
        "compile_seconds": outcome.compile_seconds,
        "seconds_per_refit": each,
        "ratio_to_jaxscale": each / our,
        "ratio_per_core": each * outcome.threads / (our * ours.threads),
        "worst_gap": float(gaps.max()),
        "missed_share": float(np.mean(gaps > 1e-6)),
        "ok_share": float(np.mean(outcome.ok)),
        "threads": outcome.threads,
        **place(outcome.points.dtype),
        "table": work.name,
        "rows": len(work.log_n),
        "note": outcome.note,
    }


def told_of_starts(work: Work, records: list[dict[str, Any]], starts: int) -> None:
    """What lines of `least_squares` reach from one start of the full table; the others have 256 and
    a certificate.
    """
    for line in records:
        if str(line["method"]).startswith(LEAST_SQUARES) and "2-point" not in line["method"]:
            rows = (work.log_n, work.log_d, work.log_l)
            line |= by_start(
                rows, float(work.fit.value), work.optimum, starts, "tolerances" in line["method"]
            )


COLD = """
import jaxscale as jsl
runs, objective = jsl.datasets.load({name!r}), jsl.objectives.LogHuber({delta!r})
fit = jsl.fit(jsl.laws.chinchilla, runs, objective=objective)
jsl.bootstrap(fit, {refits}, by="rows")
"""


def break_even(
    work: Work, ours: dict[str, Any], theirs: dict[str, Any], repeats: int
) -> dict[str, Any]:
    """From how many refits on a new process with jaxscale is done before one with scipy's
    `least_squares`.

    Both pay for Python, imports, compiling and the fit of the table (256 starts, or one); medians
    of processes, in turn.
    """
    refits = len(work.weights)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "table.npz")
        np.savez(table, N=work.n, D=work.d, loss=work.loss, refits=0)
        scipy = [sys.executable, str(Path(__file__).with_name("_least_squares.py")), str(table)]
        code = COLD.format(name=work.name, delta=DELTA, refits=refits)
        pairs = [(_wall([sys.executable, "-c", code]), _wall(scipy)) for _ in range(repeats)]
    cold, begun = (float(np.median(v)) for v in zip(*pairs, strict=True))
    each, their = ours["seconds_per_refit"], theirs["seconds_per_refit"]

    def even(own: float) -> int | None:
        return int(np.ceil((cold - refits * each - begun) / (own - each))) if own > each else None

    return {
        "method": f"cold process beside {LEAST_SQUARES}",
        "resamples": refits,
        "seconds": cold,
        "compile_seconds": max(0.0, cold - ours["seconds"]),
        "before_refits_seconds": max(0.0, cold - refits * each),
        "scipy_before_refits_seconds": begun,
        "scipy_seconds": begun + refits * their,
        "scipy_seconds_per_refit": their,
        "break_even": even(their),
        "break_even_all_cores": even(their / ours["threads"]),
        "repeats": repeats,
        "worst_gap": None,
        "threads": ours["threads"],
        **place(np.dtype(np.float64)),
        "table": work.name,
        "rows": len(work.log_n),
        "note": "jaxscale's fit has 256 starts and a certificate, scipy's one start; all cores: as "
        "if its refits were shared out",
    }


def _wall(command: list[str]) -> float:
    """Seconds of a new process in which JAX's compilation cache is off."""
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE"))
    }
    begin = time.perf_counter()
    subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - begin


def found_every_optimum(records: list[dict[str, Any]]) -> None:
    gap = records[0]["worst_gap"]
    assert gap <= 1e-8, f"jaxscale missed an optimum: worst gap {gap:.1e}"
