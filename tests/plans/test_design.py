"""Designs: variances against the full matrix, gains against recomputation, searches against brute
force, bounds against scipy.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

import jaxscale as jsl
from jaxscale.plans import _exchange

TRUTH = jsl.laws.chinchilla.published["besiroglu2024"]
N, D = (v.ravel() for v in np.meshgrid(np.geomspace(2e7, 2e9, 5), np.geomspace(3e8, 3e10, 5)))
GRID = {"N": N, "D": D}


def size(law):
    """ln N* at 1e22 FLOP, in closed form."""
    p = law.params
    total = p["alpha"] + p["beta"]
    return jnp.log(p["alpha"] * p["A"] / (p["beta"] * p["B"])) / total + p[
        "beta"
    ] / total * jnp.log(1e22 / 6)


@pytest.fixture(scope="module")
def fit():
    runs = jsl.simulate(TRUTH, GRID, noise=0.005, seed=3)
    return jsl.fit(jsl.laws.chinchilla, runs, objective=jsl.objectives.LogSquared(), starts=16)


def choice(m, k=1, seed=0, most=None, limit=0.5, runs=4.0):
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0.5, 2.0, m) / runs
    cost[-1] = 1.5  # too dear
    first = rng.standard_normal((6, 3))
    return _exchange.scaled(
        limit * first.T @ first,
        rng.standard_normal((m, 3)) * np.sqrt(cost)[:, None],
        rng.standard_normal((k, 3)),
        cost,
        most,
    )


def slopes(law, of, step=1e-6):
    """Derivatives of a function of the law by ln of its parameters, by central differences."""
    free = jsl.laws.chinchilla

    def at(name, factor):
        return np.asarray(of(free.fix(**{**law.params, name: law.params[name] * factor})))

    with jax.enable_x64(True):
        return np.stack(
            [(at(k, np.exp(step)) - at(k, np.exp(-step))) / (2 * step) for k in free.free], -1
        )


def test_deviations_are_those_of_the_full_information_matrix(fit):
    """Old runs, new runs and the slopes of the answer put together by hand, from finite
    differences.
    """
    new = {"N": [5e7, 5e7, 3e9], "D": [1e10, 1e10, 5e10]}
    old = slopes(fit.law, lambda law: np.log(law(N=N, D=D)))
    more = slopes(fit.law, lambda law: np.log(law(**new)))
    noise = np.sqrt(np.sum(np.log(fit.law(N=N, D=D) / fit.problem.runs["loss"]) ** 2) / (25 - 5))
    wanted = slopes(fit.law, size)
    for rows, columns in ((old, None), (np.concatenate([old, more]), new)):
        by_hand = noise * np.sqrt(wanted @ np.linalg.inv(rows.T @ rows) @ wanted)
        assert jsl.plans.expected_deviation(fit, columns, of=size, relative=False) == pytest.approx(
            by_hand, rel=1e-4
        )
    alone = 0.01 * np.sqrt(wanted @ np.linalg.inv(old.T @ old) @ wanted)
    assert jsl.plans.expected_deviation(
        fit.law, GRID, of=size, relative=False, noise=0.01
    ) == pytest.approx(alone, rel=1e-4)
    assert jsl.plans.expected_deviation(
        fit, new, of=size, relative=False, noise=noise
    ) == pytest.approx(by_hand, rel=1e-4)


def test_log_is_relative_and_trees_come_back_as_trees(fit):
    plain = jsl.plans.expected_deviation(fit, of=lambda law: dict(law.params), relative=False)
    relative = jsl.plans.expected_deviation(fit, of=lambda law: dict(law.params))
    for k, v in fit.params.items():
        assert plain[k] == pytest.approx(relative[k] * v, rel=1e-9)
    vector = jsl.plans.expected_deviation(fit, of=lambda law: law(N=jnp.array([1e9, 1e10]), D=2e10))
    assert vector.shape == (2,)
    assert vector.dtype == np.float64


def test_objectives_in_the_targets_units(fit):
    """Squared error of L: the noise is in nats, and the runs weigh by the slopes of L itself."""
    own = jsl.fit(
        jsl.laws.chinchilla, fit.problem.runs, objective=jsl.objectives.Squared(), starts=16
    )
    rows = slopes(own.law, lambda law: law(N=N, D=D))
    noise = np.sqrt(np.sum((own.law(N=N, D=D) - own.problem.runs["loss"]) ** 2) / 20)
    wanted = slopes(own.law, size)
    by_hand = noise * np.sqrt(wanted @ np.linalg.inv(rows.T @ rows) @ wanted)
    assert jsl.plans.expected_deviation(own, of=size, relative=False) == pytest.approx(
        by_hand, rel=1e-4
    )


def test_rows_of_one_run_count_as_one(fit):
    nine = {k: v[::3] for k, v in GRID.items()}
    table = {k: np.repeat(v, 3) for k, v in {**nine, "loss": fit.problem.runs["loss"][::3]}.items()}
    runs = jsl.Runs.from_columns(**table, step=np.arange(27), run=np.repeat(np.arange(9), 3))
    tripled = jsl.fit(jsl.laws.chinchilla, runs, objective=jsl.objectives.LogSquared(), starts=16)
    alone = jsl.plans.expected_deviation(tripled.law, nine, of=size, relative=False, noise=0.005)
    assert jsl.plans.expected_deviation(
        tripled, of=size, relative=False, noise=0.005
    ) == pytest.approx(alone, rel=1e-4)


def test_gains_and_slopes_are_those_of_recomputation():
    p = choice(8, k=2)
    count = np.array([1, 0, 2, 0, 0, 1, 0, 0])
    more = np.eye(8, dtype=int)
    assert p.gains(count) == pytest.approx(
        [p.total(count) - p.total(count + e) for e in more], rel=1e-9
    )
    step = 1e-6
    assert p.slopes(count) == pytest.approx(
        [(p.total(count - step * e) - p.total(count + step * e)) / (2 * step) for e in more]
    )


def test_designs_are_near_the_best_of_all_and_never_below_the_bound():
    worst = 1.0
    for seed in range(20):
        p = choice(
            6, k=1 + seed % 2, seed=seed, most=2 + seed % 3, limit=(0.5, 1e-6)[seed % 5 == 4]
        )
        every = [
            c for c in itertools.product(*(range(int(n) + 1) for n in p.most)) if p.cost @ c <= 1
        ]
        least = min(p.total(np.array(c)) for c in every)
        count, bound = _exchange.best(p)
        assert p.cost @ count <= 1 + 1e-8
        assert np.all(count <= p.most)
        assert count[-1] == 0
        assert bound <= least * (1 + 1e-9)
        worst = max(worst, p.total(count) / least)
    assert worst < 1.05


def test_the_bound_is_the_optimum_over_fractions():
    for seed, most in ((1, None), (2, None), (3, 2)):
        p = choice(7, seed=seed, most=most, runs=8.0)
        start = np.minimum(p.most, 0.5 / p.cost / 7) * 1.0
        found = minimize(
            p.total,
            start,
            jac=lambda w, p=p: -p.slopes(w),
            bounds=[(0, int(n)) for n in p.most],
            constraints=LinearConstraint(p.cost, -np.inf, 1),
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        weights, bound = _exchange.relaxed(p, np.zeros(7))
        assert p.cost @ weights <= 1 + 1e-8
        assert p.total(weights) == pytest.approx(found.fun, rel=3e-4)
        assert bound <= found.fun * (1 + 1e-7)
        assert bound == pytest.approx(found.fun, rel=3e-4)


def test_large_designs_come_close_to_the_bound():
    p = choice(30, runs=3e4)
    count, bound = _exchange.best(p)
    assert count.sum() > 5_000
    assert bound <= p.total(count) < bound * 1.001


def test_what_is_wanted_may_be_out_of_reach_until_the_runs_are_there():
    """Nothing is known, the budget buys from a handful to millions of runs: no number overflows or
    is lost.
    """
    rows, cost = slopes(TRUTH, lambda law: np.log(law(**GRID))) / 0.005, 6 * N * D
    wanted = slopes(TRUTH, size)[None]
    none = np.zeros((5, 5))
    for budget in (3e18, 1e20, 1e23, 1e26):
        p = _exchange.scaled(none, rows, wanted, cost / budget, None)
        count, bound = _exchange.best(p)
        (variance,) = _exchange.variances(none, rows, wanted, count)
        exact = wanted[0] @ np.linalg.inv((rows.T * count) @ rows) @ wanted[0]
        assert variance == pytest.approx(exact, rel=1e-5)
        assert bound <= exact * (1 + 1e-6)
        assert budget < 1e20 or exact < 1.05 * bound
    assert _exchange.variances(none, rows, wanted, np.eye(25)[0]) == np.inf


def test_a_design_of_a_fit(fit):
    plan = jsl.design(fit, GRID, 1e20, of=size, relative=False, most=4)
    costs = 6 * N * D
    assert plan.cost == pytest.approx(costs @ plan.count)
    assert plan.cost <= 1e20 * (1 + 1e-8)
    assert not np.any(plan.count[costs > 1e20])
    assert plan.count.max() <= 4
    assert plan.bound <= plan.after < plan.before
    assert 0 <= plan.gap < 0.02
    assert plan.before == pytest.approx(jsl.plans.expected_deviation(fit, of=size, relative=False))
    assert plan.after == pytest.approx(
        jsl.plans.expected_deviation(fit, plan.columns, of=size, relative=False)
    )
    assert len(plan) == len(plan.columns["N"]) == plan.count.sum()
    assert "standard deviation" in repr(plan)
    rows, wanted = slopes(fit.law, lambda law: np.log(law(**GRID))), slopes(fit.law, size)
    noise = plan.before / np.sqrt(wanted @ np.linalg.inv(rows.T @ rows) @ wanted)
    rng = np.random.default_rng(0)
    # no design of the same cost is below the bound, and none of these is better
    for _ in range(100):
        count = np.zeros(25, int)
        for i in rng.permutation(np.repeat(np.arange(25), 4)):
            count[i] += costs @ count + costs[i] <= 1e20
        variance = wanted @ np.linalg.inv((rows.T * (1 + count)) @ rows) @ wanted
        assert noise * np.sqrt(variance) > plan.after * (1 + 1e-4)
    # 60 runs of any size
    other = jsl.design(fit, GRID, 60, of=size, relative=False, cost=lambda N, D: 1.0 + 0 * N)
    assert len(other) == 60


def test_a_first_sweep_from_a_published_law():
    plan = jsl.design(TRUTH, GRID, 3e20, of=lambda law: law.params["alpha"], noise=0.005, most=3)
    assert plan.before == np.inf
    assert 0.5 * plan.after < plan.bound <= plan.after < 1
    exact = jsl.plans.expected_deviation(
        TRUTH, plan.columns, of=lambda law: law.params["alpha"], noise=0.005
    )
    assert plan.after == pytest.approx(exact, rel=1e-6)
    few = {k: v[:3] for k, v in GRID.items()}
    found = jsl.plans.expected_deviation(
        TRUTH, few, of=lambda law: dict(law.params), noise=0.005
    )  # three sizes, all with the same D
    assert all(np.isfinite(found[k]) == (k in ("A", "alpha")) for k in found)


def test_laws_per_group_and_mixtures():
    law = jsl.laws.chinchilla.per(E="family")
    bound = law.fix(**{**TRUTH.params, "E": np.array([1.7, 1.9])})
    table = {**{k: np.tile(v, 2) for k, v in GRID.items()}, "family": np.repeat([0, 1], 25)}
    plan = jsl.design(bound, table, 1e20, of=lambda own: own.params["E"][1], noise=0.005, most=2)
    assert plan.after < 0.1
    assert plan.count[25:].sum() > 0
    mixture = jsl.laws.data_mixing.sized(t=3).fix(c=2.0, k=1.0, t=[-1.0, 0.5, 0.2])
    shares = {"r": np.random.default_rng(0).dirichlet([1, 1, 1], 30)}
    asked = {
        "of": lambda own: own(r=np.array([0.2, 0.3, 0.5])),
        "cost": lambda r: 1.0 + 0 * r[:, 0],
    }
    plan = jsl.design(mixture, shares, 10, noise=0.01, **asked)
    assert plan.columns["r"].shape == (10, 3)
    assert plan.gap < 0.1


def test_what_cannot_be_asked_is_refused(fit):
    with pytest.raises(jsl.InputError, match="the cheapest of 25 candidates"):
        jsl.design(fit, GRID, 1e15, of=size, relative=False)
    with pytest.raises(jsl.InputError, match="no column 'D'"):
        jsl.design(fit, {"N": N}, 1e20, of=size)
    with pytest.raises(jsl.InputError, match="the cost reads 'C'"):
        jsl.design(fit, GRID, 1e20, of=size, cost=lambda C: C)
    with pytest.raises(jsl.InputError, match="no finite logarithm"):
        jsl.design(fit, GRID, 1e20, of=lambda law: -law.params["alpha"])
    with pytest.raises(jsl.InputError, match="no noise"):
        jsl.design(TRUTH, GRID, 1e20, of=size)
    with pytest.raises(jsl.InputError, match="budget"):
        jsl.design(fit, GRID, [1e20, 1e21], of=size)
    with pytest.raises(jsl.InputError, match="candidate 3 costs 0"):
        jsl.design(fit, GRID, 1e20, of=size, relative=False, cost=lambda N: np.arange(25) != 3)
    with pytest.raises(TypeError, match="not bound"):
        jsl.design(jsl.laws.chinchilla, GRID, 1e20, of=size, noise=0.01)
    with pytest.raises(TypeError, match="no columns"):
        jsl.plans.expected_deviation(TRUTH, of=size, noise=0.01)
    with pytest.raises(ValueError, match="most=0"):
        jsl.design(fit, GRID, 1e20, of=size, relative=False, most=0)


def test_simulated_noise_has_the_moments_that_were_asked_for():
    tables = jsl.simulate(TRUTH, GRID, noise=0.02, seed=1, count=400)
    z = np.stack([np.log(t["loss"] / TRUTH(N=N, D=D)) for t in tables]) / 0.02
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert z.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * z.size))
    assert np.max(np.abs(np.corrcoef(z.T) - np.eye(25))) < 0.25
    again = jsl.simulate(TRUTH, GRID, noise=0.02, seed=1)
    assert np.array_equal(again["loss"], tables[0]["loss"])
    assert not np.array_equal(jsl.simulate(TRUTH, GRID, noise=0.02, seed=2)["loss"], again["loss"])
    # a table gives its columns
    uneven = jsl.simulate(TRUTH, again, noise=np.where(N > 1e8, 0.0, 0.1))
    assert np.array_equal(np.isclose(uneven["loss"], TRUTH(N=N, D=D), rtol=1e-12), N > 1e8)


def test_simulation_of_groups_and_bad_input():
    law = jsl.laws.chinchilla.per(E="family").fix(**{**TRUTH.params, "E": np.array([1.7, 1.9])})
    table = jsl.simulate(law, {"N": [1e8, 1e8], "D": 1e10, "family": [0, 1]}, noise=0.0)
    assert np.diff(table["loss"]) == pytest.approx(0.2)
    with pytest.raises(TypeError, match="not bound"):
        jsl.simulate(jsl.laws.chinchilla, GRID, noise=0.1)
    with pytest.raises(jsl.InputError, match="noise -1"):
        jsl.simulate(TRUTH, GRID, noise=-1)
    with pytest.raises(jsl.InputError, match="no column 'D'"):
        jsl.simulate(TRUTH, {"N": N}, noise=0.1)
    with pytest.raises(jsl.InputError, match="different tables"):
        jsl.simulate(TRUTH, {"N": N, "D": D[:3]}, noise=0.1)
