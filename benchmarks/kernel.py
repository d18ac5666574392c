"""The kernel beside its floor: value, gradient and Hessian of a law, per lane and run, on one core.

All time of a fit goes into these sums, so this is the number that speed rests on. Four laws are
written here as any user writes one, and nothing is known about them but the formula: Chinchilla;
the data-constrained law of Muennighoff et al. 2023 (arXiv 2305.16264), in which tokens and
parameters saturate; the broken power law of Caballero et al. 2022 (arXiv 2210.14891) with one
break; and the exponential mixture law of Ye et al. 2024 (arXiv 2403.16952) on five shares.

The floor is what the plain value cannot do without: as many exponentials and logarithms per lane
and run as the formula with a logarithmic objective holds (`FLOORS`), each of a number of its own,
added up over runs, and nothing else: no derivative, no weight, no loss. It is the fastest of three
ways to write that: all rows at once, 40 or 8 at a time. A power is one exponential, and one
logarithm more if its base depends on parameters (that of a column is taken once per table); what
depends on parameters alone is done once per lane and counts nothing. E of Chinchilla's law counts
as an exponential by convention, because people write the law as a log-sum-exp, and `note` says so.
`whole` is the same sums by differentiating the law as a whole, which is what jaxscale falls back
to; both forms must agree.

The process pins itself to one core where the system allows. Programs take turns, and the least time
of each counts, because other work on a machine only ever adds; `spread` is the median over that
least time. The bars are reported, and asserted with --strict alone: a number of nanoseconds belongs
to a machine, and a ratio still does a little.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _common import arguments, emit, place

import jaxscale as jsl
from jaxscale import positive, real
from jaxscale.fitting._blocks import TILES
from jaxscale.formula._coordinates import layout
from jaxscale.formula._sums import Kernel, kernel, sums
from jaxscale.units import Nats, Number, Params, Shares, Tokens

LANES, ROWS = TILES["cpu"].slots, 240
AGREE = 1e-9


# -- the laws ------------------------------------------------------------------------------------
@jsl.law
def chinchilla(
    N: Params,
    D: Tokens,
    *,
    E=positive(),
    A=positive(),
    B=positive(),
    alpha=positive(),
    beta=positive(),
) -> Nats:
    return E + A * N**-alpha + B * D**-beta


@jsl.law
def data_constrained(
    N: Params,
    D: Tokens,
    U: Tokens,
    *,
    E=positive(),
    A=positive(),
    B=positive(),
    alpha=positive(),
    beta=positive(),
    R_D=positive(),
    R_N=positive(),
) -> Nats:
    def ln_worth(ln_unique, ln_all, half):  # ln of `saturating` in jaxscale.laws
        repeats = jnp.maximum(jnp.expm1(ln_all - ln_unique), 0.0)
        return ln_unique + jnp.log1p(-half * jnp.expm1(-repeats / half))

    ln_G = (jnp.log(alpha * A) - jnp.log(beta * B)) / (alpha + beta)
    ln_D, ln_N, ln_U = jnp.log(D), jnp.log(N), jnp.log(jnp.minimum(D, U))
    ln_N_U = jnp.minimum(ln_N, beta / alpha * ln_U + (beta / alpha + 1) * ln_G)
    ln_N1, ln_D1 = ln_worth(ln_N_U, ln_N, R_N), ln_worth(ln_U, ln_D, R_D)
    return E + A * jnp.exp(-alpha * ln_N1) + B * jnp.exp(-beta * ln_D1)


@jsl.law
def broken_power(
    x: Number,
    *,
    a=positive(),
    b=positive(),
    c0=real(),
    c1=real(),
    d=positive(1.0, 1e4),
    f=positive(0.01, 1.0),
) -> Nats:
    return a + b * x**-c0 * (1 + (x / d) ** (1 / f)) ** (-c1 * f)


@jsl.law
def mixture(r: Shares, *, c=positive(), k=positive(), t=real(shape=(5,))) -> Nats:
    return c + k * jnp.exp(jnp.sum(t * r))


def columns(rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    """Runs of each law, spread as real sweeps are."""

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), ROWS))

    sizes = {"N": spread(5e7, 1e10), "D": spread(1e9, 5e11)}
    return {
        "chinchilla": sizes,
        # up to 40 epochs, a third below one
        "data_constrained": {**sizes, "U": sizes["D"] / spread(0.5, 40.0)},
        "broken_power": {"x": spread(1e2, 1e5)},
        "mixture": {"r": rng.dirichlet(np.ones(5), ROWS)},
    }


TRUE = {
    "chinchilla": {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.33},
    "data_constrained": {
        "E": 1.87,
        "A": 521.0,
        "B": 1488.0,
        "alpha": 0.353,
        "beta": 0.353,
        "R_D": 15.4,
        "R_N": 5.3,
    },
    "broken_power": {"a": 0.4, "b": 2.3, "c0": 0.055, "c1": 0.5, "d": 3000.0, "f": 0.3},
    "mixture": {"c": 1.4, "k": 1.2, "t": np.array([-1.5, -0.7, 0.1, 0.6, 1.0])},
}
# exponentials and logarithms, that of the objective included; and where they stand in the formula
FLOORS = {
    "chinchilla": (
        3,
        1,
        "E, N^-alpha and D^-beta as a log-sum-exp; as written here E needs none: 2 exp and 1 log",
    ),
    "data_constrained": (
        5,
        4,
        "two saturations, and three powers of numbers that depend on parameters",
    ),
    "broken_power": (3, 3, "x^-c0, and two powers of numbers that depend on parameters"),
    "mixture": (1, 1, "one exponential of a sum of products"),
}
BARS = {"chinchilla": 4.0, "data_constrained": 8.0, "broken_power": 8.0, "mixture": 8.0}
LAWS = {law.name: law for law in (chinchilla, data_constrained, broken_power, mixture)}


# -- the programs --------------------------------------------------------------------------------
@dataclasses.dataclass
class Program:
    """A compiled program that evaluates something `turns` times (once: a toy); `call` gives what
    the last turn found.
    """

    call: Callable[[], Any]
    compile_seconds: float
    turns: int
    times: list[float] = dataclasses.field(default_factory=list)

    def measure(self) -> None:
        begin = time.perf_counter()
        jax.block_until_ready(self.call())
        self.times.append(time.perf_counter() - begin)

    @property
    def first_s(self) -> float:
        """Seconds until the first answer."""
        return self.compile_seconds + self.times[0]

    @property
    def ns(self) -> float:
        """Per lane and run."""
        return 1e9 * min(self.times) / (self.turns * LANES * ROWS)


OPT: dict[str, Any] = {}
# compiles twice as fast, and runs slower: for --smoke
QUICK: dict[str, Any] = {"xla_backend_optimization_level": 0}


def repeated(evaluate: Callable[[Any], Any], x: np.ndarray, turns: int) -> Program:
    """`evaluate` at x (P, T), again and again in one program; each turn reads the last, so that
    none is left out.
    """

    def every(x: Any) -> Any:
        def turn(_: Any, state: Any) -> Any:
            at, _ = state
            found = evaluate(at)
            return at + 1e-30 * found[0], found

        return jax.lax.fori_loop(
            0, turns, turn, (x, jax.tree.map(jnp.zeros_like, jax.eval_shape(evaluate, x)))
        )[1]

    begin = time.perf_counter()
    compiled = jax.jit(every).lower(x).compile(compiler_options=OPT if turns > 1 else QUICK)
    seconds = time.perf_counter() - begin
    return Program(lambda: compiled(x), seconds, turns)


def of_law(formed: Kernel, job: dict[str, Any], x: np.ndarray, turns: int) -> Program:
    """The sums of a kernel, as a block of lanes asks for them: one table for all lanes, weights of
    their own.
    """
    table = [jnp.asarray(v)[:, None] for v in formed.table(job["columns"], {})]
    unit, tile = jnp.ones(len(x)), TILES["cpu"]
    fixed = (
        table,
        jnp.asarray(job["target"])[:, None],
        jnp.asarray(job["weights"]),
        jsl.objectives.LogHuber(),
    )
    return repeated(lambda at: sums(formed, at, unit, *fixed, rows=tile.rows), x, turns)


def of_floor(exponentials: int, logarithms: int, rows: int, turns: int) -> Program:
    """Sums over runs of nothing but exponentials and logarithms, `rows` runs at a time."""
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.2, 0.5, (exponentials + logarithms, LANES))
    runs = jnp.asarray(rng.uniform(15.0, 25.0, (ROWS // rows, rows, 1)))

    def chunk(rate: Any, run: Any) -> Any:
        terms = [jnp.exp(-r * run) for r in rate[:exponentials]] + [
            jnp.log(r + run) for r in rate[exponentials:]
        ]
        return jnp.sum(sum(terms), 0)

    def evaluate(rate: Any) -> Any:
        if rows == ROWS:
            return (chunk(rate, runs[0]),)
        return (
            jax.lax.scan(
                lambda total, run: (total + chunk(rate, run), None), jnp.zeros(LANES), runs
            )[0],
        )

    return repeated(evaluate, rates, turns)


# -- the measurement -----------------------------------------------------------------------------
def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--strict", action="store_true", help="fail where a law is above its bar")
    options = parser.parse_args()
    turns, repeats = (1, 2) if options.smoke else (16, options.repeats)
    pinned = on_one_core()
    with jax.enable_x64(True):
        programs = {name: prepared(law, turns) for name, law in LAWS.items()}
        for _ in range(1 + repeats):
            for own in programs.values():
                for program in [own["sums"], own["whole"], *own["floors"]]:
                    program.measure()
        records = [record(name, own, repeats, pinned) for name, own in programs.items()]
    emit(records, options.output)
    for line in records:
        assert line["disagreement"] <= AGREE, (
            f"{line['method']}: the two forms differ by {line['disagreement']:.1e}"
        )
        assert line["within_bar"] or not options.strict, (
            f"{line['method']}: {line['ratio']:.2f} floors, bar {line['bar']:g}"
        )


def on_one_core() -> bool:
    """Whether this process could be kept on one core; XLA's threads begin later and stay
    there too.
    """
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True


def prepared(law: Any, turns: int) -> dict[str, Any]:
    """Table, lanes around the truth, and the compiled programs of a law."""
    rng = np.random.default_rng(1)
    own, true = columns(rng)[law.name], TRUE[law.name]
    target = np.asarray(law(**own, **true)) * np.exp(0.01 * rng.standard_normal(ROWS))
    weights = rng.multinomial(ROWS, np.full(ROWS, 1 / ROWS), LANES).T.astype(float)
    lay = layout(law, {})
    x = np.asarray(lay.pack(true))[:, None] + 0.05 * rng.standard_normal((lay.size, LANES))
    formed = kernel(law, lay, own, {})
    assert formed.written, f"{law.name} has no jet: its two forms are one"
    job = {"columns": own, "target": target, "weights": weights}
    exponentials, logarithms, _ = FLOORS[law.name]
    return {
        "sums": of_law(formed, job, x, turns),
        "whole": of_law(dataclasses.replace(formed, formula=None), job, x, turns),
        "floors": [
            of_floor(exponentials, logarithms, rows, turns)
            for rows in ((ROWS, 40, 8) if turns > 1 else (ROWS,))
        ],
        "size": lay.size,
    }


def record(name: str, own: dict[str, Any], repeats: int, pinned: bool) -> dict[str, Any]:
    written, whole, size = own["sums"], own["whole"], own["size"]
    found = written.call()
    floor = min(program.ns for program in own["floors"])
    exponentials, logarithms, note = FLOORS[name]
    return {
        "method": name,
        "ns": written.ns,
        "floor_ns": floor,
        "ratio": written.ns / floor,
        "bar": BARS[name],
        "within_bar": bool(written.ns <= BARS[name] * floor),
        "whole_ns": whole.ns,
        "whole_ratio": whole.ns / written.ns,
        "disagreement": max(apart(a, b) for a, b in zip(found, whole.call(), strict=True)),
        "exponentials": exponentials,
        "logarithms": logarithms,
        "parameters": size,
        "sums": 1 + size + size * (size + 1) // 2,
        "first_s": written.first_s,
        "compile_seconds": written.compile_seconds,
        "whole_compile_seconds": whole.compile_seconds,
        "spread": statistics.median(written.times) / min(written.times),
        "repeats": repeats,
        "evaluations": written.turns,
        "lanes": LANES,
        "rows": ROWS,
        "threads": 1 if pinned else None,
        **place(found[0].dtype),
        "note": note,
    }


def apart(a: Any, b: Any) -> float:
    """Largest difference of any entry over lanes, relative to the largest that the entry is in any
    lane.
    """
    a, b = np.asarray(a), np.asarray(b)
    assert np.all(np.isfinite(a)), "the sums are not finite"
    return float(np.max(np.max(np.abs(a - b), -1) / np.max(np.abs(b), -1)))


if __name__ == "__main__":
    main()
