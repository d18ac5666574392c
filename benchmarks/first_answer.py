"""What a cold process waits for: seconds of wall and CPU until each first answer, beside another
tree and other libraries.

Every line is a process of its own that nobody has warmed: a law typed here under a random name,
rows drawn at random, no cache on disk unless the line says so. What leads up to the question runs
before the clock starts. `--beside TREE` runs the same lines on another checkout, in turn, and
prints the ratio. The machine's load stands beside the seconds.

README's example is told once more with the cache on disk: a process fills a folder of its own, and
those after it count. Under `PEERS` other libraries do the same job, imports and all: the best fit
of 60 rows, an interval of alpha, and N* and D* at one budget with theirs. They minimise what they
are made for: squared residuals of ln L, but `least_squares` the same Huber loss and
simple-scaling-laws squares of L; each makes its intervals as its manual shows. A peer that this
Python does not have is a line that says so; simple-scaling-laws is asked by the interpreter that
`_simple_scaling_laws.py` describes.

    python benchmarks/first_answer.py --beside ../old --output
    benchmarks/results/first_answer-cpu.jsonl
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import arguments, place
from _simple_scaling_laws import INTERPRETER

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
# Where a name was another one in an older tree, the line asks for it there.
THEN = """
how_sure = getattr(jsl, "uncertainty", jsl)
def near(plan):
    own = hasattr(plan, "near_optimal")
    return plan.near_optimal(loss_slack=1e-3) if own else jsl.near_optimal(plan, loss=1e-3)
def lost(plan):
    return plan.regret() if hasattr(plan, "regret") else jsl.regret(plan)
def recipes(*sides):
    own = hasattr(jsl, "selection") and hasattr(jsl.selection, "recipes")
    return (jsl.selection.recipes if own else jsl.compare_recipes)(*sides, budget=1e22)
def ends(plan, c):
    return plan.interval()[c] if hasattr(plan, "interval") else jsl.interval(plan[c])
"""
# name: what leads up to it, what is timed
LINES = {
    "import": ("", "import jaxscale"),
    "first fit": (LAW, "jsl.fit(NAME, runs)"),
    "tie of it": (FIT, "jsl.fit(NAME.tie(beta='alpha'), runs)"),
    "fix of it": (FIT, "jsl.fit(NAME.fix(E=1.7), runs)"),
    "second law": (FIT, "jsl.fit(jsl.laws.kaplan, runs)"),
    "data_constrained": (
        LAW + "more = jsl.Runs.from_columns(N=runs['N'], D=runs['D'], U=runs['D'] / 3, "
        "loss=runs['loss'])",
        "jsl.fit(jsl.laws.data_constrained, more)",
    ),
    "20 tables": (FIT + "many = [table(n) for n in range(40, 60)]", "jsl.fit(NAME, many)"),
    "first plan": (BOOT, "jsl.allocate(boot, 1e23)"),
    "another question": (PLAN, "jsl.allocate(boot, target=2.1)"),
    "near_optimal": (PLAN + THEN, "near(plan)"),
    "regret": (PLAN + THEN, "lost(plan)"),
    "compare of three": (
        LAW,
        "jsl.compare({'own': NAME, 'tied': NAME.tie(beta='alpha'), 'kaplan': jsl.laws.kaplan}, "
        "runs)",
    ),
    "compare_recipes": (LAW + TWO + THEN, "recipes(a, b)"),
    "report": (PLAN, "str(jsl.report(boot, plan=plan))"),
    "Optax(lbfgs)": (
        LAW + "import optax",
        "jsl.fit(NAME, runs, solver=jsl.solvers.Optax(optax.lbfgs), starts=16)",
    ),
    "grad of allocate": (
        LAW + "import jax\nlaw = "
        "jsl.laws.chinchilla.published['hoffmann2022']\njax.config.update('jax_enable_x64', "
        "True)",
        "jax.grad(lambda c: jsl.allocate(law, c).loss)(1e22)",
    ),
    "jit of allocate": (
        LAW + "import jax\nlaw = "
        "jsl.laws.chinchilla.published['hoffmann2022']\njax.config.update('jax_enable_x64', "
        "True)",
        "jax.jit(lambda c: jsl.allocate(law, c).loss)(1e22)",
    ),
    "posterior": (FIT + THEN, "how_sure.posterior(fit, 200)"),
    "profile": (FIT + THEN, "how_sure.profile_likelihood(fit, 'alpha')"),
    "README's example": (
        "",
        LAW
        + THEN
        + "fit = jsl.fit(NAME, runs)\nboot = jsl.bootstrap(fit, 4_000)\nplan = jsl.allocate(boot, "
        "budget=5.76e23)\n"
        "print(fit, jsl.interval(boot)['alpha'], *(ends(plan, c) for c in 'ND'))",
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
ROWS = """
import numpy as np
rng = np.random.default_rng(SEED)
N, D = 10 ** rng.uniform(7.5, 10.2, 60), 10 ** rng.uniform(9, 11.5, 60)
loss = (1.7 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.01 * rng.standard_normal(60))
x, y, z = np.log(N), np.log(D), np.log(loss)
START = np.array([0.4, 6.0, 7.0, 0.3, 0.3])
def predicted(x, y, e, a, b, alpha, beta):
    return np.log(np.exp(e) + np.exp(a - alpha * x) + np.exp(b - beta * y))
def plan(p):
    e, a, b, alpha, beta = np.moveaxis(np.asarray(p), -1, 0)
    n = (np.log(alpha / beta) + a - b + beta * np.log(5.76e23 / 6)) / (alpha + beta)
    return n, np.log(5.76e23 / 6) - n
def told(p, refits):
    middle, ends = (p[3], *plan(p)), np.percentile(np.stack([refits[:, 3], *plan(refits)]), [2.5, 97.5], axis=1)
    print("ANSWER", middle[0], np.exp(middle[1]), *ends[:, 0], *np.exp(ends[:, 1]), *np.exp(ends[:, 2]))
"""
LMFIT = """
import lmfit
model = lmfit.Model(lambda x, y, e, a, b, alpha, beta: predicted(x, y, e, a, b, alpha, beta), independent_vars=["x", "y"])
fit = model.fit(z, x=x, y=y, **dict(zip(["e", "a", "b", "alpha", "beta"], START)))
ends = fit.conf_interval(p_names=["alpha"], sigmas=[2])["alpha"]
draws = rng.multivariate_normal(list(fit.best_values.values()), fit.covar, 1000)
told(np.array(list(fit.best_values.values())), draws)
"""
IMINUIT = """
from iminuit import Minuit
from iminuit.cost import LeastSquares
cost = LeastSquares((x, y), z, 0.01, lambda xy, e, a, b, alpha, beta: predicted(*xy, e, a, b, alpha, beta))
m = Minuit(cost, *START)
m.migrad(); m.hesse(); m.minos("alpha", cl=0.95)
told(np.array(m.values), rng.multivariate_normal(m.values, m.covariance, 1000))
"""
CURVE_FIT = """
from scipy.optimize import curve_fit
def one(i, start):
    return curve_fit(lambda xy, *p: predicted(*xy, *p), (x[i], y[i]), z[i], start, maxfev=20000)[0]
p = one(np.arange(60), START)
told(p, np.array([one(rng.integers(0, 60, 60), p) for _ in range(1000)]))
"""
HUBER = """
from scipy.optimize import least_squares
def one(i, start):
    own = x[i], y[i]
    return least_squares(lambda p: predicted(*own, *p) - z[i], start, loss="huber", f_scale=1e-3, x_scale="jac", max_nfev=5000).x
p = one(np.arange(60), START)
told(p, np.array([one(rng.integers(0, 60, 60), p) for _ in range(REFITS)]))
"""
TIGHT = "5000, ftol=1e-12, xtol=1e-12, gtol=1e-12)"
OPTIMISTIX = """
import jax, jax.numpy as jnp, optimistix
jax.config.update("jax_enable_x64", True)
def residual(p, w):
    terms = jnp.stack([jnp.full(60, p[0]), p[1] - p[3] * x, p[2] - p[4] * y])
    return jnp.sqrt(w) * (jax.nn.logsumexp(terms, axis=0) - z)
solver = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-8)
def one(start, w):
    end = optimistix.least_squares(residual, solver, start, w, max_steps=512, throw=False)
    return end.value, jnp.sum(residual(end.value, w) ** 2)
spread = np.array([0.3, 1.0, 1.0, 0.1, 0.1]) * rng.standard_normal((64, 5))
ends, values = jax.jit(jax.vmap(one, (0, None)))(START + spread, jnp.ones(60))
p = ends[jnp.nanargmin(values)]
weights = rng.multinomial(60, np.full(60, 1 / 60), 1000).astype(float)
told(np.asarray(p), np.asarray(jax.jit(jax.vmap(one, (None, 0)))(p, weights)[0]))
"""
SIMPLE = """
import polars as pl
from simple_scaling_laws import cost_model, fit
columns = {"model_size__n_params": N, "dataset_size__n_tokens": D, "test_loss__nats": loss}
model = fit(pl.DataFrame({"training_run_id": [f"run{i}" for i in range(60)], **columns}), n_draws=1000, seed=0)
low, high = model.conf_int("test_loss__nats", level=0.95)["alpha"]
print(model.optimal_allocation([5.76e23], cost_model("power", k=6.0, a=1.0, b=1.0)))
print("ANSWER", model.params("test_loss__nats")["alpha"])
"""
# name: the package, what is timed
PEERS = {
    "peer: scipy curve_fit, 1,000 refits": ("scipy", ROWS + CURVE_FIT),
    "peer: scipy least_squares huber, 1,000 refits": (
        "scipy",
        ROWS + HUBER.replace("REFITS", "1000"),
    ),
    "peer: scipy least_squares huber, 4,000 refits": (
        "scipy",
        ROWS + HUBER.replace("REFITS", "4000"),
    ),
    "peer: the same, tolerances 1e-12, 1,000 refits": (
        "scipy",
        ROWS + HUBER.replace("REFITS", "1000").replace("5000)", TIGHT),
    ),
    "peer: lmfit, profile of alpha": ("lmfit", ROWS + LMFIT),
    "peer: iminuit, minos of alpha": ("iminuit", ROWS + IMINUIT),
    "peer: optimistix, 64 starts, 1,000 refits": ("optimistix", ROWS + OPTIMISTIX),
    "peer: simple-scaling-laws, 1,000 refits": ("simple-scaling-laws", ROWS + SIMPLE),
}
CACHED = "README's example, cache on disk"
CLOCK = """
import time
_w, _c = time.perf_counter(), time.process_time()
{timed}
_w, _c = time.perf_counter() - _w, time.process_time() - _c
print("SECONDS", _w, _c)
"""


def seconds(
    tree: Path | None,
    before: str,
    timed: str,
    cache: str | None = None,
    drawn: tuple[str, int] | None = None,
    python: str = "",
) -> tuple[float, float, list[float]]:
    """Wall and CPU seconds of a process on a tree, or without one, and what it answers. `drawn`:
    name of the law and seed.
    """
    name, seed = drawn or fresh()
    code = (
        (before + CLOCK.replace("{timed}", timed)).replace("NAME", name).replace("SEED", str(seed))
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {
        "PYTHONPATH": str(tree or "")
    }
    if cache is not None:
        env |= {
            "JAX_COMPILATION_CACHE_DIR": cache,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.py"  # a file: laws are described by their source
        file.write_text(code)
        done = subprocess.run(
            [python or sys.executable, str(file)],
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
        )
    found = {
        line.split()[0]: [float(v) for v in line.split()[1:]]
        for line in done.stdout.splitlines()
        if _told(line)
    }
    if "SECONDS" not in found:
        raise RuntimeError(done.stderr[-2000:])
    return found["SECONDS"][0], found["SECONDS"][1], found.get("ANSWER", [])


def _told(line: str) -> bool:
    return line.startswith(("SECONDS ", "ANSWER "))


def fresh() -> tuple[str, int]:
    """A name and a seed that nobody has used."""
    return f"law_{secrets.token_hex(4)}", secrets.randbelow(2**31)


def measured(
    name: str, before: str, timed: str, trees: list[Path], repeats: int, cached: bool = False
) -> dict[str, object]:
    """Medians of each tree, taken in turn, and the ratio of the first to the second.

    `cached`: each tree has a folder for its programs, which a first process of the same law and
    rows fills.
    """
    runs: list[list[tuple[float, float]]] = [[] for _ in trees]
    load, drawn = os.getloadavg()[0], fresh() if cached else None
    with tempfile.TemporaryDirectory() as folder:
        caches = [str(Path(folder, str(k))) if cached else None for k in range(len(trees))]
        fills = [
            seconds(tree, before, timed, cache, drawn)
            for tree, cache in zip(trees, caches, strict=True)
            if cached
        ]
        for _ in range(repeats):
            for own, tree, cache in zip(runs, trees, caches, strict=True):
                own.append(seconds(tree, before, timed, cache, drawn)[:2])
    middle = [[statistics.median(v) for v in zip(*own, strict=True)] for own in runs]
    line: dict[str, object] = {
        "method": name,
        "wall": middle[0][0],
        "cpu": middle[0][1],
        "load": load,
        "repeats": repeats,
    }
    if cached:
        line |= {"filling_wall": fills[0][0], "filling_cpu": fills[0][1]}
    if len(trees) > 1:
        line |= {
            "beside_wall": middle[1][0],
            "beside_cpu": middle[1][1],
            "ratio": middle[0][1] / middle[1][1],
        }
    return line


def by_peer(name: str, package: str, timed: str, repeats: int) -> dict[str, object]:
    """Medians of cold processes of another library; `answer` is alpha, N* and, where there are any,
    their intervals.
    """
    python = os.environ.get(INTERPRETER, "") if package == "simple-scaling-laws" else sys.executable
    if package != "simple-scaling-laws" and importlib.util.find_spec(package) is None:
        return {"method": name, "skipped": f"not installed: pip install {package}"}
    if not python:
        return {"method": name, "skipped": f"{INTERPRETER} names no Python 3.12 with {package}"}
    load, runs = (
        os.getloadavg()[0],
        [seconds(None, "", timed, python=python) for _ in range(repeats)],
    )
    wall, cpu = (statistics.median(run[k] for run in runs) for k in (0, 1))
    return {
        "method": name,
        "wall": wall,
        "cpu": cpu,
        "load": load,
        "repeats": repeats,
        "answer": runs[-1][2],
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--beside", type=Path, help="another checkout, such as that of the commit before"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lines", help="names, separated by semicolons; all by default")
    options = parser.parse_args()
    if options.smoke:
        options.lines, options.repeats = "import;first fit", 1
    trees = [HERE] + ([options.beside.resolve()] if options.beside else [])
    wanted = options.lines.split(";") if options.lines else [*LINES, CACHED, *OTHERS, *PEERS]
    for name in wanted:
        if name in PEERS:
            line = by_peer(name, *PEERS[name], options.repeats)
        elif name == CACHED:
            line = measured(name, *LINES["README's example"], trees, options.repeats, cached=True)
        else:
            every = name in LINES
            line = measured(
                name,
                *(LINES if every else OTHERS)[name],
                trees if every else trees[:1],
                options.repeats,
            )
        shown = place("float64") | {
            k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()
        }
        print(json.dumps(shown), flush=True)
        if options.output:
            with options.output.open("a") as file:
                file.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    main()
