"""Random constrained plans beside SciPy's SLSQP and brute force: ten kinds of problems, twenty of
each.

Every problem is solved three times: by `allocate`; by SLSQP from many starts with exact gradients,
the best feasible end of all; and, where two coordinates are chosen, by a look at every point of a
grid. The objective and the constraints that SciPy sees are written here a second time, over the
same coordinates. A gap is how much worse `allocate` is, relative to the best that the others found;
certificates and statuses are counted. Some limits cannot be met: then `allocate` has to say so, and
name the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _common import arguments, emit, place
from scipy.optimize import minimize

import jaxscale as jsl
from jaxscale import laws

STARTS, GRID = 20, 300
TOLERANCE = 1e-9  # how much a point of SciPy's or of the grid may exceed a limit


def train(N: Any, D: Any) -> Any:
    return 6.0 * N * D


def served(N: Any, D: Any) -> Any:
    return 6.0 * N * D + 2.0 * N * 2e12


def memory(N: Any) -> Any:
    return 2.0 * N


def ratio(N: Any, D: Any) -> Any:
    return D - 20.0 * N


def days(N: Any, D: Any) -> Any:
    return 6.0 * N * D / 4e20 + 3e-9 * N


def active(N: Any, D: Any, S: Any) -> Any:
    return 6.0 * N * (1.0 - S) * D


def by_bits(N: Any, D: Any, P_w: Any) -> Any:
    return 6.0 * N * D * P_w / 16.0


def vision(N: Any, T: Any) -> Any:
    return 2.0 * N * (50.0 + T)


def first(r: Any) -> Any:
    return r[0]


def two(r: Any) -> Any:
    return r[1] + r[2]


@jsl.law
def bumpy(
    N: jsl.units.Params,
    D: jsl.units.Tokens,
    *,
    A=jsl.positive(),
    B=jsl.positive(),
    h=jsl.positive(),
    w=jsl.positive(),
) -> jsl.units.Nats:
    return 1.7 + A * N**-0.34 + B * D**-0.3 + h * jnp.sin(w * jnp.log(N)) * N**-0.1


@dataclass(frozen=True)
class Problem:
    """One plan: what `allocate` is given, and the box that SciPy and the grid look at."""

    law: Any
    over: tuple[str, ...]
    box: dict[str, tuple[float, float]]
    budget: float | None = None
    target: float | None = None
    cost: Callable[..., Any] = train
    constraints: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, Any] = field(default_factory=dict)
    shares: int = 0


def near(rng: np.random.Generator, law: Any, spread: float = 0.1) -> Any:
    """A published law with its parameters moved a little, exponents less."""
    return law.fix(
        **{
            k: np.asarray(v) * np.exp(spread * rng.normal(size=np.shape(v)) * 0.3)
            for k, v in law.params.items()
        }
    )


def problem(kind: str, rng: np.random.Generator) -> Problem:
    c = float(10 ** rng.uniform(20, 25))
    plain = near(rng, laws.chinchilla.published[str(rng.choice(["hoffmann2022", "besiroglu2024"]))])
    wide = {"N": (1e6, 1e14), "D": (1e7, 1e16)}
    best = float(np.sqrt(c / 6 / 20))
    around = float(best * 10 ** rng.uniform(-1, 0.5))
    if kind == "lifetime, memory, tokens per parameter":
        limits = {"memory": (memory, 2 * around), "ratio": (ratio, (0.0, None))}
        cap = 20 * best * 10 ** rng.uniform(-0.5, 1)
        return Problem(plain, ("N", "D"), wide, c, None, served, limits, bounds={"D": (None, cap)})
    if kind == "repeated data":
        law = near(rng, laws.data_constrained.published["muennighoff2023"])
        unique = float(20 * best * 10 ** rng.uniform(-2, 0))
        return Problem(
            law, ("N", "D"), wide, c, None, train, {"memory": (memory, 4 * around)}, {"U": unique}
        )
    if kind == "sparsity":
        law = near(rng, laws.sparse_moe.published["abnar2025"])
        box = {**wide, "S": (0.0, 0.98)}
        return Problem(
            law,
            ("N", "D", "S"),
            box,
            c,
            None,
            active,
            {"memory": (memory, 6 * around)},
            bounds={"S": (0.0, 0.98)},
        )
    if kind == "experts":
        law = near(rng, laws.joint_moe.published["ludziejewski2025"], 0.02)
        limits = {"memory": (memory, 2 * around), "days": (days, (None, c / 3e20))}
        return Problem(
            law, ("N", "D"), wide, c, None, served, limits, {"E": float(rng.choice([1, 4, 16]))}
        )
    if kind == "bits":
        p = {
            "E": 2.0,
            "A": 4299.0,
            "B": 1.8e4,
            "alpha": 0.4965,
            "beta": 0.4965,
            "gamma_w": 2.6745,
            "gamma_a": 2.2,
            "gamma_kv": 0.96,
        }
        law = near(
            rng,
            laws.precision.fix(**p, C_T=0.0598, gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.59),
        )
        box, given = {**wide, "P_w": (1.0, 16.0)}, {"P_a": 16.0, "P_kv": 16.0, "P_post": 16.0}
        bits = {"P_w": (1.0, 16.0)}
        return Problem(
            law,
            ("N", "D", "P_w"),
            box,
            c,
            None,
            by_bits,
            {"memory": (memory, 4 * around)},
            given,
            bits,
        )
    if kind == "mixture":
        law = laws.data_mixing.sized(t=5).fix(
            c=1.5, k=1.0, t=rng.normal(size=5) - rng.uniform(0, 2)
        )
        limits = {
            "first": (first, float(rng.uniform(0.1, 0.5))),
            "two": (two, (float(rng.uniform(0.05, 0.3)), 0.6)),
        }
        return Problem(law, ("r",), {"r": (0.0, 1.0)}, None, None, train, limits, shares=5)
    if kind == "visual tokens":
        p = {"A": 0.6, "alpha": 0.077, "beta": 0.015, "d": 0.02}
        law = near(rng, laws.visual_tokens.fix(**p))
        box = {"N": (1e7, 1e13), "T": (1.0, 576.0)}
        floor = {"memory": (memory, 2 * 10 ** float(rng.uniform(9, 11)))}
        return Problem(
            law,
            ("N", "T"),
            box,
            10 ** float(rng.uniform(10, 13)),
            None,
            vision,
            floor,
            bounds={"T": (1.0, 576.0)},
        )
    if kind == "target":
        loss = float(plain.params["E"]) + 10 ** float(rng.uniform(-0.9, 0.0))
        return Problem(
            plain,
            ("N", "D"),
            wide,
            None,
            loss,
            served,
            {"memory": (memory, 10 ** float(rng.uniform(10, 12)))},
        )
    if kind == "two budgets":
        limits = {
            "days": (days, (None, 10 ** float(rng.uniform(-0.7, 0.7)) * c / 4e20)),
            "memory": (memory, (1e8, 8 * around)),
        }
        return Problem(plain, ("N", "D"), wide, c, None, train, limits)
    p = {
        "A": 400.0,
        "B": 900.0,
        "h": 10 ** float(rng.uniform(-1.5, -0.3)),
        "w": float(rng.uniform(1, 3)),
    }
    return Problem(
        bumpy.fix(**p), ("N", "D"), wide, c, None, train, {"memory": (memory, 8 * around)}
    )


KINDS = (
    "lifetime, memory, tokens per parameter",
    "repeated data",
    "sparsity",
    "experts",
    "bits",
    "mixture",
    "visual tokens",
    "target",
    "two budgets",
    "many valleys",
)


def by_allocate(p: Problem) -> Any:
    return jsl.allocate(
        p.law,
        p.budget,
        target=p.target,
        cost=None if p.shares else p.cost,
        over=p.over,
        given=p.given,
        bounds=p.bounds,
        constraints=p.constraints,
        starts=8,
    )


class Written:
    """The same problem over coordinates, written without the library's planner: goal and slacks (>=
    0 where a limit holds).
    """

    def __init__(self, p: Problem) -> None:
        self.log = not p.shares
        names = [n for n in p.over for _ in range(p.shares or 1)]
        bounds = {
            n: tuple(
                a if b is None else b
                for a, b in zip(p.box[n], p.bounds.get(n, p.box[n]), strict=True)
            )
            for n in p.over
        }
        self.logs = np.array([self.log and n != "S" for n in names])
        ends = np.array([bounds[n] for n in names], float)
        self.ends = np.where(self.logs[:, None], np.log(np.maximum(ends, 1e-300)), ends)
        limits = dict(p.constraints)
        if p.budget is not None and not p.shares:
            limits["budget"] = (p.cost, p.budget)

        def columns(z: Any) -> dict[str, Any]:
            values = [jnp.exp(z[j]) if log else z[j] for j, log in enumerate(self.logs)]
            return (
                {p.over[0]: jnp.stack(values)}
                if p.shares
                else dict(zip(p.over, values, strict=True))
            )

        def read(function: Any, known: dict[str, Any]) -> Any:
            return function(
                **{
                    k: known[k]
                    for k in function.__code__.co_varnames[: function.__code__.co_argcount]
                }
            )

        def loss(known: dict[str, Any]) -> Any:
            return p.law.function(*(known[c] for c in p.law.columns), **p.law.params)

        def goal(z: Any) -> Any:
            known = {**p.given, **columns(z)}
            return jnp.log(read(p.cost, known)) if p.target is not None else loss(known)

        def slack(z: Any) -> Any:
            known = {**p.given, **columns(z)}
            out = [jnp.zeros(0)]
            for function, limit in limits.values():
                low, high = limit if isinstance(limit, tuple) else (None, limit)
                value = read(function, known)
                if p.shares:  # a share may be 0, where a logarithm has no slope
                    out += [(high - value)[None]] + ([] if low is None else [(value - low)[None]])
                    continue
                if high is not None:
                    out.append((jnp.log(high) - jnp.log(value))[None])
                if low is not None and low > 0:
                    out.append((jnp.log(value) - jnp.log(low))[None])
                elif low is not None:
                    out.append((value / (jnp.abs(value) + known["N"] * 20.0))[None])
            if p.target is not None:
                out.append((jnp.log(p.target) - jnp.log(loss(known)))[None])
            return jnp.concatenate(out)

        self.goal, self.slack = jax.jit(goal), jax.jit(slack)
        self.goal_slope, self.slack_slope = jax.jit(jax.grad(goal)), jax.jit(jax.jacfwd(slack))
        self.shares = p.shares
        self.many = jax.jit(jax.vmap(lambda z: (goal(z), jnp.min(slack(z), initial=jnp.inf))))

    def by_slsqp(self, rng: np.random.Generator) -> float:
        rules = [
            {
                "type": "ineq",
                "fun": lambda z: np.asarray(self.slack(z)),
                "jac": lambda z: np.asarray(self.slack_slope(z)),
            }
        ]
        if self.shares:
            rules.append(
                {
                    "type": "eq",
                    "fun": lambda z: np.sum(z) - 1.0,
                    "jac": lambda z: np.ones((1, len(z))),
                }
            )
        best = np.inf
        for _ in range(STARTS):
            z = rng.dirichlet(np.ones(self.shares)) if self.shares else rng.uniform(*self.ends.T)
            with np.errstate(all="ignore"):
                found = minimize(
                    lambda z: float(self.goal(z)),
                    z,
                    jac=lambda z: np.asarray(self.goal_slope(z)),
                    bounds=self.ends,
                    constraints=rules,
                    method="SLSQP",
                    options={"maxiter": 300, "ftol": 1e-14},
                )
            if np.all(np.asarray(self.slack(found.x)) > -TOLERANCE) and (
                not self.shares or abs(found.x.sum() - 1) < TOLERANCE
            ):
                best = min(best, float(found.fun))
        return best

    def by_grid(self) -> float:
        if len(self.ends) != 2:
            return np.inf
        axes = np.meshgrid(*(np.linspace(*e, GRID) for e in self.ends))
        goal, slack = (np.asarray(v) for v in self.many(np.stack([a.ravel() for a in axes], -1)))
        ok = (slack >= 0) & np.isfinite(goal)
        return float(goal[ok].min()) if ok.any() else np.inf


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--each", type=int, default=20, help="problems of each kind")
    parser.add_argument("--only", nargs="*", default=KINDS)
    options = parser.parse_args()
    each, kinds = (1, KINDS[:2]) if options.smoke else (options.each, options.only)
    records = [one_kind(kind, each) for kind in kinds]
    emit([{**r, **place("float64")} for r in records], options.output)
    assert max(r["worst_gap"] for r in records) <= 1e-6
    assert sum(r["ok"] + r["infeasible"] for r in records) == sum(r["problems"] for r in records)


def one_kind(kind: str, each: int) -> dict[str, Any]:
    """Worst gap to the best of SLSQP and the grid over problems of one kind, in one line."""
    gaps, statuses, kkt, seconds, theirs, missed, lower = [], [], [], [], [], 0, 0
    for i in range(each):
        rng = np.random.default_rng([KINDS.index(kind), i])
        p = problem(kind, rng)
        begin = time.perf_counter()
        plan = by_allocate(p)
        seconds.append(time.perf_counter() - begin)
        with jax.enable_x64(True):
            written = Written(p)
            begin = time.perf_counter()
            slsqp = written.by_slsqp(rng)
            theirs.append(time.perf_counter() - begin)
            best = min(slsqp, written.by_grid())
        ours = np.log(float(plan.cost)) if p.target is not None else float(plan.loss)
        status = int(plan.status)
        statuses.append(status)
        if status & jsl.Status.NON_FINITE.value:
            missed += np.isfinite(best)
            assert "no feasible point" in plan.remarks[0]
            continue
        gaps.append((ours - best) / abs(ours))
        lower += best - ours > 1e-6 * abs(ours)
        kkt.append(max(float(v) for v in vars(plan.certificate).values()))
        if gaps[-1] > 1e-6 or status:
            print(
                f"# {kind} {i}: ours {ours:.10g}, best {best:.10g}, status {status}, {plan}",
                flush=True,
            )
    return {
        "method": kind,
        "problems": each,
        "ok": statuses.count(0),
        "infeasible": sum(s & jsl.Status.NON_FINITE.value != 0 for s in statuses),
        "called_infeasible_wrongly": int(missed),
        "worst_gap": float(max(gaps, default=0.0)),
        "others_worse": int(lower),
        "worst_kkt": float(max(kkt, default=0.0)),
        "seconds_warm": float(np.median(seconds)),
        "slsqp_seconds": float(np.median(theirs)),
    }


if __name__ == "__main__":
    main()
