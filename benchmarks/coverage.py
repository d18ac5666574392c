"""Coverage: how often a 95 % interval holds the truth, for every method, noise, design and size of
a sweep.

Each cell simulates thousands of sweeps of a Chinchilla law with known truth, fits all of them in
one call and asks of each method and estimand how often its interval holds the truth, and how wide
it is beside the width that a known noise would allow. "Truth" is the curve without noise, which is
the conditional median and mean of ln L for all kinds of noise but the one-sided one; there nothing
but a shift of E is to be expected. A cell is one JSON line; a run that was interrupted goes on
where it stopped. The page docs/coverage.md and its figure are made from the lines with `--page`.
"""

from __future__ import annotations

import functools
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _coverage_page
import jax.numpy as jnp
import numpy as np
from _common import arguments, one_by_one, place
from _simple_scaling_laws import METHOD, intervals

import jaxscale as jsl
from jaxscale.fitting._evidence import evidence_of_each
from jaxscale.uncertainty._cautions import cautions_of
from jaxscale.uncertainty._interval import default_kind

STORED = Path(__file__).parent / "results" / "coverage-cpu.jsonl"
# Besiroglu et al. 2024
TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SIGMA = 0.005  # of ln L
SIZES = (25, 50, 100, 400, 10)
NOISES = ("normal", "t3", "rising", "clustered", "outliers", "one-sided")
INDEPENDENT = ("normal", "t3")  # independent rows, law true, one spread: the strictest gate
DESIGNS = ("grid", "isoflop")
OBJECTIVES = {
    "squared": jsl.objectives.LogSquared(),
    "huber 1.345 sigma": jsl.objectives.LogHuber(1.345 * SIGMA),
    "huber 1e-3": jsl.objectives.LogHuber(1e-3),
}
BY_DRAWS = ("percentile", "bca")
LEVEL, SWEEPS, RESAMPLED, REFITS, STARTS = 0.95, 2000, 1000, 399, 4


@dataclass(frozen=True)
class Cell:
    n: int
    noise: str
    design: str
    objective: str

    @property
    def methods(self) -> tuple[str, ...]:
        """The default first."""
        if self.noise == "clustered":
            return ("cr3", "hc3")
        if self.objective == "huber 1e-3":
            return ("percentile", "hc3")
        return (
            "hc3",
            "sandwich",
            "laplace",
            *(["percentile"] if self.noise == "normal" and self.design == "grid" else []),
        )


PEERS = (Cell(25, "normal", "grid", "squared"), Cell(100, "normal", "grid", "squared"))
PEER_SWEEPS, PEER_DRAWS = 200, 200


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sweeps", type=int, default=SWEEPS)
    parser.add_argument(
        "--only", nargs="*", default=[], help="words that a cell's name must contain"
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="run nothing; write the page and its figure from the stored lines",
    )
    options = parser.parse_args()
    if options.page:
        return _coverage_page.write(STORED)
    cells, peers = all_cells(), PEERS
    if options.smoke:
        cells, peers, options.sweeps = (
            [Cell(25, "normal", "grid", "squared"), Cell(25, "normal", "grid", "huber 1e-3")],
            (),
            40,
        )
    jobs = {name(c): functools.partial(measured, c, options.sweeps) for c in cells}
    jobs |= {f"{name(c)}, {METHOD}": functools.partial(by_peer, c) for c in peers}
    one_by_one(
        {k: job for k, job in jobs.items() if all(word in k for word in options.only)},
        options.output,
        digits=5,
    )


def all_cells() -> list[Cell]:
    """Those that need no refits first, and of these those with a bar."""
    cells = [
        Cell(n, kind, *rest)
        for kind, n, *rest in itertools.product(NOISES, SIZES, DESIGNS, OBJECTIVES)
    ]
    cells = sorted(cells, key=lambda c: any(m in BY_DRAWS for m in c.methods))
    # fewer clusters are refused
    return [c for c in cells if c.noise != "clustered" or (c.design == "grid" and c.n >= 25)]


def name(cell: Cell) -> str:
    return f"n={cell.n} {cell.noise} {cell.design} {cell.objective}"


def measured(cell: Cell, sweeps: int) -> dict[str, Any]:
    """Coverage of every method in one cell."""
    begin = time.perf_counter()
    n, d, run, losses = simulated(cell, sweeps)
    groups = {} if cell.noise != "clustered" else {"run": run}
    runs = [jsl.Runs.from_columns(N=n, D=d, loss=y, **groups) for y in losses]
    fits = jsl.fit(jsl.laws.chinchilla, runs, objective=OBJECTIVES[cell.objective], starts=STARTS)
    largest = float(np.max(6 * n * d))
    wanted = estimands(jsl.laws.chinchilla.fix(**TRUTH), largest)
    truth = {k: float(v) for k, v in wanted.items()}
    known = known_widths(n, d, largest)
    out, lanes = {}, sweeps * STARTS

    def of(own: Any) -> dict[str, Any]:
        return estimands(own, largest)

    for method in cell.methods:
        if method in BY_DRAWS:
            count = min(RESAMPLED, sweeps)
            boots = jsl.bootstrap(
                jsl.fit(
                    jsl.laws.chinchilla,
                    runs[:count],
                    objective=OBJECTIVES[cell.objective],
                    starts=STARTS,
                ),
                REFITS,
            )
            lanes += count * (REFITS + STARTS)
            draws = of(Values(boots.params))  # (refits, sweeps)
            found = jsl.interval(draws, level=LEVEL)
        else:
            found = jsl.interval(fits, of=of, kind=method, level=LEVEL)
        out[method] = {k: judged(found[k], truth[k], known[k]) for k in truth}
    seconds = time.perf_counter() - begin
    at = evidence_of_each(fits)
    marked = np.mean([bool(cautions_of(e)) for e in at])
    # outliers may move delta below the scale
    usual = float(np.mean([default_kind(e) == cell.methods[0] for e in at]))
    # ten residuals do not show their scale
    assert usual > 0.5 or cell.n < 16, f"the default is now {default_kind(at[0])}"
    return {
        "n": cell.n,
        "noise": cell.noise,
        "design": cell.design,
        "objective": cell.objective,
        "default": cell.methods[0],
        "default_share": usual,
        "sweeps": sweeps,
        "ok_share": float(np.mean(fits.ok)),
        "cautioned_share": float(marked),
        "coverage": out,
        "seconds": seconds,
        "lanes_per_second": lanes / seconds,
        **place("float64"),
    }


def simulated(cell: Cell, sweeps: int) -> tuple[np.ndarray, ...]:
    """Columns N, D, run (n,) and losses (sweeps, n); all objectives see the same sweeps."""
    n, d, run = design(cell)
    rng = np.random.default_rng([cell.n, NOISES.index(cell.noise), DESIGNS.index(cell.design)])
    clean = np.log(law(n, d))
    return n, d, run, np.exp(clean + noise(cell, clean, run, rng, sweeps))


def by_peer(cell: Cell) -> dict[str, Any]:
    """simple-scaling-laws on the first sweeps of a cell: squared error of the loss itself, its own
    wild bootstrap.
    """
    begin = time.perf_counter()
    n, d, _, losses = simulated(cell, PEER_SWEEPS)
    found = intervals(n, d, losses, PEER_DRAWS)
    if "skipped" in found[0]:
        return found[0]
    known = known_widths(n, d, float(np.max(6 * n * d)))
    ends = {k: np.array([one["interval95"][k] for one in found]).T for k in ("alpha", "beta", "E")}
    coverage = {
        k: judged(jsl.Interval(low, low, high, LEVEL, METHOD), TRUTH[k], known[k])
        for k, (low, high) in ends.items()
    }
    return {
        **{k: getattr(cell, k) for k in ("n", "noise", "design")},
        "objective": "squared error of L",
        "default": METHOD,
        "sweeps": len(found),
        "draws": PEER_DRAWS,
        "version": found[0]["version"],
        "coverage": {METHOD: coverage},
        "seconds": time.perf_counter() - begin,
        **place("float64"),
    }


def judged(found: Any, truth: float, known: float) -> dict[str, float]:
    low, high = np.asarray(found.low), np.asarray(found.high)
    inside = (low <= truth) & (truth <= high)
    return {
        "coverage": 100 * float(np.mean(inside)),
        "of": len(inside),
        "width_ratio": float(np.median(high - low) / known),
    }


class Values:
    """Parameters of many fits, as a bound law holds those of one."""

    def __init__(self, params: dict[str, Any]):
        self.params = params


def estimands(own: Any, largest: float) -> dict[str, Any]:
    """What plans are made of: exponents, E, the loss of the best plan at 10 and 100 times the
    largest run, its size at 10.
    """
    p = own.params
    total = p["alpha"] + p["beta"]
    out = {"alpha": p["alpha"], "beta": p["beta"], "a": p["beta"] / total, "E": p["E"]}
    for ratio in (10, 100):
        size = jnp.log(p["alpha"] * p["A"] / (p["beta"] * p["B"])) / total + p[
            "beta"
        ] / total * np.log(ratio * largest / 6)
        tokens = np.log(ratio * largest / 6) - size
        loss = p["E"] + p["A"] * jnp.exp(-p["alpha"] * size) + p["B"] * jnp.exp(-p["beta"] * tokens)
        out[f"ln L at {ratio}x"] = jnp.log(loss)
        if ratio == 10:
            out["ln N* at 10x"] = size
    return out


def law(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return TRUTH["E"] + TRUTH["A"] * n ** -TRUTH["alpha"] + TRUTH["B"] * d ** -TRUTH["beta"]


def design(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns N, D and the run of each row. Clustered sweeps have five checkpoints a run (ten of
    400 rows).
    """
    shape = {10: (5, 2), 25: (5, 5), 50: (10, 5), 100: (10, 10), 400: (20, 20)}[cell.n]
    if cell.noise == "clustered":
        points = 10 if cell.n == 400 else 5
        count = cell.n // points
        sizes = np.geomspace(4e7, 1e10, count)
        ends = np.geomspace(2e10, 2e11, count)[np.argsort(np.random.default_rng(0).random(count))]
        n = np.repeat(sizes, points)
        d = (ends[:, None] * np.geomspace(0.1, 1, points)).reshape(-1)
        return n, d, np.repeat(np.arange(count), points)
    # two values of D would not tell B, beta and E apart: ten of each, paired
    if cell.design == "grid" and cell.n == 10:
        n, d = (
            np.geomspace(4e7, 1e10, 10),
            np.geomspace(2e9, 2e11, 10)[[3, 8, 1, 6, 9, 0, 5, 2, 7, 4]],
        )
    elif cell.design == "grid":
        n, d = (
            v.reshape(-1)
            for v in np.meshgrid(
                np.geomspace(4e7, 1e10, shape[0]), np.geomspace(2e9, 2e11, shape[1])
            )
        )
    else:
        compute = np.geomspace(1e19, 3e21, shape[1])
        total = TRUTH["alpha"] + TRUTH["beta"]
        best = (TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])) ** (1 / total) * (
            compute / 6
        ) ** (TRUTH["beta"] / total)
        n = (best[:, None] * np.geomspace(1 / 8, 8, shape[0])).reshape(-1)
        d = np.repeat(compute, shape[0]) / (6 * n)
    return n, d, np.arange(cell.n)


def noise(
    cell: Cell, clean: np.ndarray, run: np.ndarray, rng: np.random.Generator, sweeps: int
) -> np.ndarray:
    """Noise of ln L (sweeps, n)."""
    shape = sweeps, len(clean)
    z = rng.standard_normal(shape)
    if cell.noise == "t3":
        return SIGMA * rng.standard_t(3, shape) / np.sqrt(3)
    # in proportion to the reducible loss, from a quarter to four times the mean
    if cell.noise == "rising":
        reducible = np.exp(clean) - TRUTH["E"]
        return SIGMA * np.clip(reducible / np.mean(reducible), 0.25, 4.0) * z
    if cell.noise == "clustered":  # most of the noise is the run's
        return SIGMA * (
            0.9 * rng.standard_normal((sweeps, run.max() + 1))[:, run] + np.sqrt(1 - 0.81) * z
        )
    if cell.noise == "outliers":
        return SIGMA * np.where(rng.random(shape) < 0.05, 10.0, 1.0) * z
    if cell.noise == "one-sided":
        return SIGMA * np.abs(z)
    return SIGMA * z


def known_widths(n: np.ndarray, d: np.ndarray, largest: float) -> dict[str, float]:
    """Widths of 95 % intervals if the noise were normal with a known sigma: the least that honest
    ones can have.
    """
    names = list(TRUTH)
    step = 1e-5

    def at(shift: dict[str, float]) -> tuple[np.ndarray, dict[str, float]]:
        p = {k: v * np.exp(shift.get(k, 0.0)) for k, v in TRUTH.items()}
        predicted = p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"]
        return np.log(predicted), {k: float(v) for k, v in estimands(Values(p), largest).items()}

    up, down = ([at({k: s}) for k in names] for s in (step, -step))
    jacobian = np.stack([(u[0] - v[0]) / (2 * step) for u, v in zip(up, down, strict=True)], 1)
    covariance = np.linalg.inv(jacobian.T @ jacobian) * SIGMA**2
    out = {}
    for k in up[0][1]:
        slope = np.array([(u[1][k] - v[1][k]) / (2 * step) for u, v in zip(up, down, strict=True)])
        out[k] = 2 * 1.959964 * float(np.sqrt(slope @ covariance @ slope))
    return out


if __name__ == "__main__":
    main()
