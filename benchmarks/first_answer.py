"""What a cold process waits for: seconds of wall and CPU until each first answer, beside another tree and other libraries.

Every line is a process of its own that nobody has warmed: a law typed here under a random name, rows drawn at random, no cache
on disk unless the line says so. What leads up to the question runs before the clock starts. `--beside TREE` runs the same lines
on another checkout, in turn, and prints the ratio. The machine's load stands beside the seconds.

    python benchmarks/first_answer.py --beside ../old --output benchmarks/results/first_answer-cpu.jsonl
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import arguments, place

HERE = Path(__file__).resolve().parent.parent
LAW = """
import numpy as np, jaxscale as jsl
from jaxscale import positive
from jaxscale.units import Nats, Params, Tokens
@jsl.law
def NAME(N: Params, D: Tokens, *, E=positive(0.5, 3), A=positive(1, 1e5), B=positive(1, 1e5), alpha=positive(0.05, 1.5),
         beta=positive(0.05, 1.5)) -> Nats:
    return E + A * N**-alpha + B * D**-beta
rng = np.random.default_rng(SEED)
def table(rows):
    N, D = 10 ** rng.uniform(7.5, 10.2, rows), 10 ** rng.uniform(9, 11.5, rows)
    loss = (1.7 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.01 * rng.standard_normal(rows))
    return jsl.Runs.from_columns(N=N, D=D, loss=loss)
runs = table(60)
"""
FIT = LAW + "fit = jsl.fit(NAME, runs)\n"
BOOT = FIT + "boot = jsl.bootstrap(fit, 1_000)\n"
PLAN = BOOT + "plan = jsl.allocate(boot, 1e23)\n"
TWO = """
pair = jsl.Runs.from_columns(N=np.r_[runs["N"], runs["N"]], D=np.r_[runs["D"], runs["D"]],
    loss=np.r_[runs["loss"], runs["loss"] * 0.98], groups={"recipe": ["a"] * 60 + ["b"] * 60})
a, b = (jsl.fit(NAME, pair.where(pair["recipe"] == r)) for r in "ab")
"""
# name: what leads up to it, what is timed
LINES = {
    "import": ("", "import jaxscale"),
    "first fit": (LAW, "jsl.fit(NAME, runs)"),
    "tie of it": (FIT, "jsl.fit(NAME.tie(beta='alpha'), runs)"),
    "fix of it": (FIT, "jsl.fit(NAME.fix(E=1.7), runs)"),
    "second law": (FIT, "jsl.fit(jsl.laws.kaplan, runs)"),
    "data_constrained": (
        LAW + "more = jsl.Runs.from_columns(N=runs['N'], D=runs['D'], U=runs['D'] / 3, loss=runs['loss'])",
        "jsl.fit(jsl.laws.data_constrained, more)",
    ),
    "20 tables": (FIT + "many = [table(n) for n in range(40, 60)]", "jsl.fit(NAME, many)"),
    "first plan": (BOOT, "jsl.allocate(boot, 1e23)"),
    "another question": (PLAN, "jsl.allocate(boot, target=2.1)"),
    "near_optimal": (PLAN, "jsl.near_optimal(plan, loss=0.001)"),
    "regret": (PLAN, "jsl.regret(plan)"),
    "compare of three": (LAW, "jsl.compare({'own': NAME, 'tied': NAME.tie(beta='alpha'), 'kaplan': jsl.laws.kaplan}, runs)"),
    "compare_recipes": (LAW + TWO, "jsl.compare_recipes(a, b, budget=1e22)"),
    "report": (PLAN, "str(jsl.report(boot, plan=plan))"),
    "Optax(lbfgs)": (LAW + "import optax", "jsl.fit(NAME, runs, solver=jsl.solvers.Optax(optax.lbfgs), starts=16)"),
    "grad of allocate": (
        LAW + "import jax\nlaw = jsl.laws.chinchilla.published['hoffmann2022']\njax.config.update('jax_enable_x64', True)",
        "jax.grad(lambda c: jsl.allocate(law, c).loss)(1e22)",
    ),
    "jit of allocate": (
        LAW + "import jax\nlaw = jsl.laws.chinchilla.published['hoffmann2022']\njax.config.update('jax_enable_x64', True)",
        "jax.jit(lambda c: jsl.allocate(law, c).loss)(1e22)",
    ),
    "posterior": (FIT, "jsl.posterior(fit, 200)"),
    "profile": (FIT, "jsl.profile_likelihood(fit, 'alpha')"),
    "README's example": (
        "",
        LAW + "fit = jsl.fit(NAME, runs)\nboot = jsl.bootstrap(fit, 4_000)\nplan = jsl.allocate(boot, budget=5.76e23)\n"
        "print(fit, jsl.interval(boot)['alpha'], jsl.interval(plan['N']), jsl.interval(plan['D']))",
    ),
}
OTHERS = {
    "plain vmapped Newton": (
        LAW + "import jax, jax.numpy as jnp",
        """
with jax.enable_x64(True):
    x, y, z = (jnp.asarray(np.log(runs[c])) for c in ("N", "D", "loss"))
    def loss(p):
        r = jnp.log(jnp.exp(p[0]) + jnp.exp(p[1] - p[3] * x) + jnp.exp(p[2] - p[4] * y)) - z
        s = jnp.abs(r)
        q = jnp.minimum(s, 1e-3)
        return jnp.sum(q * (s - 0.5 * q))
    both = lambda p: (loss(p), jax.grad(loss)(p), jax.hessian(loss)(p))
    def step(state, _):
        p, best, h, g, d = state
        m = h + d * jnp.diag(jnp.abs(jnp.diag(h)) + 1e-12)
        trial = p - jnp.clip(jnp.linalg.solve(m, g), -2, 2)
        v, tg, th = both(trial)
        ok = v < best
        keep = lambda a, b: jnp.where(ok, a, b)
        return (keep(trial, p), keep(v, best), keep(th, h), keep(tg, g), jnp.where(ok, d * 0.3, d * 4)), None
    def solve(p):
        v, g, h = both(p)
        return jax.lax.scan(step, (p, v, h, g, 1e-3), None, length=200)[0][:2]
    low, high = np.log([0.5, 1, 1, 1, 1]), np.log([3, 1e5, 1e5, 1, 1])
    start = np.random.default_rng(0).uniform(low, high, (256, 5))
    start[:, 3:] = np.random.default_rng(1).uniform(0.1, 0.8, (256, 2))
    jax.block_until_ready(jax.jit(jax.vmap(solve))(start))
""",
    ),
    "scipy least_squares, one start": (
        LAW + "from scipy.optimize import least_squares",
        """
x, y, z = (np.log(runs[c]) for c in ("N", "D", "loss"))
def residual(p):
    return np.log(p[0] + np.exp(p[1] - p[3] * x) + np.exp(p[2] - p[4] * y)) - z
least_squares(residual, [1.5, 6, 7, 0.3, 0.3], loss="huber", f_scale=1e-3, x_scale="jac", max_nfev=5000)
""",
    ),
}
CLOCK = """
import time
_w, _c = time.perf_counter(), time.process_time()
{timed}
_w, _c = time.perf_counter() - _w, time.process_time() - _c
print("SECONDS", _w, _c)
"""


def seconds(tree: Path, before: str, timed: str, cache: str | None) -> tuple[float, float]:
    """Wall and CPU seconds of a process on a tree."""
    name, seed = f"law_{secrets.token_hex(4)}", secrets.randbelow(2**31)
    code = (before + CLOCK.format(timed=timed)).replace("NAME", name).replace("SEED", str(seed))
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {"PYTHONPATH": str(tree)}
    if cache is not None:
        env |= {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.py"  # a file: laws are described by their source
        file.write_text(code)
        done = subprocess.run([sys.executable, str(file)], env=env, capture_output=True, text=True, timeout=600)
    found = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    if not found:
        raise RuntimeError(done.stderr[-2000:])
    return float(found[0][0]), float(found[0][1])


def measured(name: str, before: str, timed: str, trees: list[Path], repeats: int, cache: str | None = None) -> dict[str, object]:
    """Medians of each tree, taken in turn, and the ratio of the first to the second."""
    runs: list[list[tuple[float, float]]] = [[] for _ in trees]
    load = os.getloadavg()[0]
    for _ in range(repeats):
        for own, tree in zip(runs, trees, strict=True):
            own.append(seconds(tree, before, timed, cache))
    middle = [[statistics.median(v) for v in zip(*own, strict=True)] for own in runs]
    line: dict[str, object] = {"method": name, "wall": middle[0][0], "cpu": middle[0][1], "load": load, "repeats": repeats}
    if len(trees) > 1:
        line |= {"beside_wall": middle[1][0], "beside_cpu": middle[1][1], "ratio": middle[0][1] / middle[1][1]}
    return line


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--beside", type=Path, help="another checkout, such as that of the commit before")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lines", help="comma-separated; all by default")
    options = parser.parse_args()
    if options.smoke:
        options.lines, options.repeats = "import,first fit", 1
    trees = [HERE] + ([options.beside.resolve()] if options.beside else [])
    wanted = options.lines.split(",") if options.lines else [*LINES, *OTHERS]
    for name in wanted:
        every = name in LINES
        before, timed = (LINES if every else OTHERS)[name]
        line = measured(name, before, timed, trees if every else trees[:1], options.repeats)
        shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()} | place("float64")
        print(json.dumps(shown), flush=True)
        if options.output:
            with options.output.open("a") as file:
                file.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    main()
