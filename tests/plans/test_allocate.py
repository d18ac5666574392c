"""`allocate` against the catalogue's closed forms, scipy, brute force and finite differences."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale import costs
from jaxscale.laws import busbridge, chinchilla, data_constrained

HOFFMANN = chinchilla.published["hoffmann2022"]
BESIROGLU = chinchilla.published["besiroglu2024"]
BUSBRIDGE = busbridge.published["busbridge2025"]


def closed_form(law, c, q=1.0):
    """q-family: L = E + [(A N^-alpha)^(1/q) + (B D^-beta)^(1/q)]^q at 6 N D = C."""
    p = {k: float(v) for k, v in law.params.items()}
    g = (p["alpha"] * p["A"] ** (1 / q) / (p["beta"] * p["B"] ** (1 / q))) ** (
        q / (p["alpha"] + p["beta"])
    )
    share = p["beta"] / (p["alpha"] + p["beta"])
    return g * (c / 6) ** share, (c / 6) ** (1 - share) / g


@pytest.mark.parametrize(
    ("law", "budget", "N", "D", "loss"),
    [
        (HOFFMANN, 5.76e23, 4.03609e10, 2.37854e12, 1.918412),
        (HOFFMANN, 1e21, 2.216955e9, 7.51782e10, 2.295491),
        (BESIROGLU, 1e21, 2.77846e9, 5.99853e10, None),
        (BESIROGLU, 5.76e23, 7.22487e10, 1.32874e12, 1.974441),
        (BUSBRIDGE, 1e20, 9.35627e8, 1.78134e10, 2.39478),
        (BUSBRIDGE, 5.76e23, 7.99571e10, 1.20064e12, 1.73726),
    ],
)
def test_published_laws(law, budget, N, D, loss):
    plan = jsl.allocate(law, budget)
    assert plan.status == 0
    assert plan["N"] == pytest.approx(N, rel=3e-6)  # six digits
    assert plan["D"] == pytest.approx(D, rel=3e-6)
    if loss is not None:
        assert plan.loss == pytest.approx(loss, rel=3e-6)
    if law is not BUSBRIDGE:
        np.testing.assert_allclose([plan["N"], plan["D"]], closed_form(law, budget), rtol=1e-9)
    np.testing.assert_allclose(plan.cost, budget, rtol=1e-12)
    assert (
        max(
            plan.certificate.stationarity,
            plan.certificate.feasibility,
            plan.certificate.complementarity,
        )
        < 1e-9
    )


def test_busbridge_is_chinchilla_with_other_letters():
    """(A/N^a + B/D^b)^gamma has the optimum of its inner sum."""
    p = BUSBRIDGE.params
    inner = chinchilla.fix(E=1.0, A=p["A"], B=p["B"], alpha=p["alpha"], beta=p["beta"])
    np.testing.assert_allclose(
        jsl.allocate(BUSBRIDGE, 1e22)["N"], jsl.allocate(inner, 1e22)["N"], rtol=1e-9
    )


def test_budgets_and_shapes():
    budgets = np.geomspace(1e17, 1e27, 300)
    plan = jsl.allocate(BESIROGLU, budgets)
    assert plan["N"].shape == (300,)
    assert np.all(plan.status == 0)
    np.testing.assert_allclose([plan["N"], plan["D"]], closed_form(BESIROGLU, budgets), rtol=1e-9)


def test_an_ensemble_gives_one_plan_per_refit_and_budget(simulated):
    boot = jsl.bootstrap(simulated, 200)
    budgets = np.geomspace(1e20, 1e24, 5)
    plan = jsl.allocate(boot, budgets)
    assert plan["D"].shape == (200, 5)
    p = boot.params
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    want = g[:, None] * (budgets / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))[:, None]
    np.testing.assert_allclose(plan["N"], want, rtol=1e-8)
    np.testing.assert_allclose(
        jsl.allocate(simulated, 1e21)["N"], jsl.allocate(simulated.law, 1e21)["N"], rtol=1e-12
    )


def test_exponent_of_the_optimum_by_automatic_differentiation():
    for law in (HOFFMANN, BESIROGLU):
        a, b = float(law.params["alpha"]), float(law.params["beta"])
        with jax.enable_x64(True):
            for budget in (1e19, 5.76e23):
                slope = jax.grad(lambda c, law=law: jnp.log(jsl.allocate(law, jnp.exp(c))["N"]))(
                    np.log(budget)
                )
                assert abs(slope - b / (a + b)) < 1e-6


def test_derivatives_against_finite_differences():
    """Of N, D and the loss with respect to budget, a price and every parameter, at a
    lifetime cost.
    """
    params = {k: float(v) for k, v in HOFFMANN.params.items()}
    at = {"budget": 1e22, "tokens": 1e12, **params}

    def plan(at):
        law = HOFFMANN.fix(**{k: at[k] for k in params})
        found = jsl.allocate(law, at["budget"], cost=costs.Lifetime(at["tokens"]))
        return found["N"], found["D"], found.loss, found.shadow_price

    with jax.enable_x64(True):
        slopes = jax.jacrev(lambda at: plan(at)[:3])({k: jnp.asarray(v) for k, v in at.items()})
    for k, v in at.items():
        up, down = (plan({**at, k: v * (1 + s)}) for s in (1e-4, -1e-4))
        for i in range(3):
            finite = (up[i] - down[i]) / (2e-4 * v)
            np.testing.assert_allclose(slopes[i][k], finite, rtol=1e-5, atol=1e-9 * abs(up[i] / v))
    np.testing.assert_allclose(-slopes[2]["budget"], plan(at)[3], rtol=1e-9)


def test_gradient_with_respect_to_a_law():
    """A law is a tree of numbers: its own gradient is a law of slopes; the closed form is the
    oracle.
    """
    p = {k: float(v) for k, v in HOFFMANN.params.items()}
    with jax.enable_x64(True):
        by_law = jax.grad(lambda law: jnp.log(jsl.allocate(law, 1e22)["N"]))(HOFFMANN)
    # ln N* = ln G + ..., and d ln G / d ln A = 1 / (alpha + beta)
    np.testing.assert_allclose(
        float(by_law.fixed["A"]) * p["A"], 1 / (p["alpha"] + p["beta"]), rtol=1e-9
    )
    np.testing.assert_allclose(
        float(by_law.fixed["B"]) * p["B"], -1 / (p["alpha"] + p["beta"]), rtol=1e-9
    )


def test_under_jit_and_vmap():
    with jax.enable_x64(True):
        budgets = jnp.asarray([1e20, 1e22])
        np.testing.assert_allclose(
            jax.jit(lambda c: jsl.allocate(HOFFMANN, c)["N"])(budgets),
            jsl.allocate(HOFFMANN, [1e20, 1e22])["N"],
        )
        np.testing.assert_allclose(
            jax.vmap(lambda c: jsl.allocate(HOFFMANN, c)["N"])(budgets),
            closed_form(HOFFMANN, budgets)[0],
            rtol=1e-9,
        )


@pytest.mark.parametrize(
    ("bounds", "active"),
    [
        ({"D": (None, 1.5e12)}, {"N": 0, "D": 1}),
        ({"D": (1e13, None)}, {"N": 0, "D": -1}),
        ({"N": (None, 2e10)}, {"N": 1, "D": 0}),
        ({"N": (1e8, 1e13), "D": (1e9, 1e14)}, {"N": 0, "D": 0}),
        ({"N": (1e11, 1e13), "D": (1e9, 1e14)}, {"N": -1, "D": 0}),
    ],
)
def test_bounds_against_scipy(bounds, active):
    from scipy.optimize import minimize_scalar

    plan = jsl.allocate(HOFFMANN, 1e24, bounds=bounds)
    assert plan.status == 0, plan.certificate
    assert {k: int(v) for k, v in plan.active.items()} == active
    low, high = (
        np.array([(bounds.get(k, (None, None))[i] or (1e3, 1e25)[i]) for k in ("N", "D")])
        for i in (0, 1)
    )
    a, b = np.log(max(low[0], 1e24 / 6 / high[1])), np.log(min(high[0], 1e24 / 6 / low[1]))
    oracle = minimize_scalar(
        lambda t: float(HOFFMANN(np.exp(t), 1e24 / 6 / np.exp(t))),
        bounds=(a, b),
        method="bounded",
        options={"xatol": 1e-10},
    )
    ends = [float(HOFFMANN(np.exp(t), 1e24 / 6 / np.exp(t))) for t in (a, b)]
    assert plan.loss <= min(oracle.fun, *ends) * (1 + 1e-10)
    for k in ("N", "D"):
        lo, hi = bounds.get(k, (None, None))
        assert (lo or 0) * (1 - 1e-9) <= plan[k] <= (hi or np.inf) * (1 + 1e-9)


def test_a_budget_beyond_all_bounds_is_not_spent():
    plan = jsl.allocate(HOFFMANN, 1e26, bounds={"N": (None, 1e10), "D": (None, 1e12)})
    assert (plan["N"], plan["D"]) == (pytest.approx(1e10), pytest.approx(1e12))
    assert plan.cost < 1e26
    assert plan.status == 0


def test_infeasible_plans_say_so():
    plan = jsl.allocate(HOFFMANN, 1e20, bounds={"N": (1e11, None), "D": (1e12, None)})
    assert jsl.Status(int(plan.status)) == jsl.Status.NON_FINITE
    assert np.isnan(plan["N"])
    assert "no feasible point" in plan.remarks[0]


def test_inference_aware_optimum_meets_its_first_order_condition():
    """Sardana et al. 2023: alpha A N^-alpha / (beta B D^-beta) = 1 + D_inf / (3 D) (derived)."""
    p = {k: float(v) for k, v in HOFFMANN.params.items()}
    for tokens in (1e11, 2e12, 1e13):
        plan = jsl.allocate(HOFFMANN, 1e23, cost=costs.Lifetime(tokens))
        left = (
            p["alpha"]
            * p["A"]
            * plan["N"] ** -p["alpha"]
            / (p["beta"] * p["B"] * plan["D"] ** -p["beta"])
        )
        np.testing.assert_allclose(left, 1 + tokens / (3 * plan["D"]), rtol=1e-8)
    plain = jsl.allocate(HOFFMANN, 1e23, cost=lambda N, D: 6 * N * D + 2 * N * 1e13)
    np.testing.assert_allclose(plain["N"], plan["N"], rtol=1e-9)


def test_a_column_that_may_be_zero_is_searched_in_its_box():
    """A law whose best sparsity is 0 at small and inside at large N: brute force on a grid is the
    oracle.
    """

    @jsl.law
    def sparse(
        N: jsl.units.Params, D: jsl.units.Tokens, S: jsl.units.Fraction, *, a=jsl.positive()
    ) -> jsl.units.Nats:
        return a * (300.0 * N**-0.3 * (1 + (S - 0.1 * jnp.log(N / 1e9)) ** 2) + 500.0 * D**-0.3)

    law = sparse.fix(a=1.0)
    for budget in (1e19, 1e23):
        plan = jsl.allocate(law, budget, bounds={"S": (0.0, 0.95)})
        assert plan.status == 0, plan.certificate
        n = np.geomspace(1e7, 1e12, 400)[:, None]
        grid = law(n, budget / 6 / n, np.linspace(0, 0.95, 96))
        assert plan.loss <= grid.min() * (1 + 1e-9)
        assert plan.loss >= grid.min() * (1 - 1e-3)
    assert jsl.allocate(law, 1e18, bounds={"S": (0.0, 0.95)})["S"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"over": ("N", "D", "U")}, "no column 'U'"),
        ({"bounds": {"d": (1, 2)}}, "no column 'd'"),
        ({"cost": lambda N, D, U: N * D * U}, "nothing says what U is"),
        ({"over": ("N",)}, "nothing says what D is"),
        ({"bounds": {"D": (1e13, 1e12)}}, "swapped"),
        ({"over": ("N",), "given": {"D": 1e12}, "cost": lambda D: D}, "none of which is chosen"),
    ],
)
def test_questions_that_are_not_well_put(arguments, message):
    with pytest.raises(jsl.InputError, match=message):
        jsl.allocate(HOFFMANN, 1e21, **arguments)


def test_a_column_without_a_cost_needs_an_upper_bound():
    """Unique tokens cost nothing in 6 N D: unbounded they would run to infinity, bounded they end
    at the bound.
    """
    law = data_constrained.published["muennighoff2023"]
    for open_above in ({}, {"U": (1e9, None)}):
        with pytest.raises(
            jsl.InputError, match=r"(?s)U is chosen.*cost \(of N, D\).*given=\{'U'.*bounds=\{'U'"
        ):
            jsl.allocate(law, 1e22, bounds=open_above)
    with pytest.raises(jsl.InputError, match="U is chosen"), jax.enable_x64(True):
        jax.grad(lambda c: jsl.allocate(law, c).loss)(1e22)
    plan = jsl.allocate(law, 1e22, bounds={"U": (None, 25e9)})
    given = jsl.allocate(law, 1e22, given={"U": 25e9})
    assert plan.status == 0
    assert plan.active["U"] == 1
    np.testing.assert_allclose(
        [plan["N"], plan["D"], plan["U"]], [given["N"], given["D"], 25e9], rtol=1e-9
    )


def test_a_free_law_and_a_bad_budget_are_refused():
    with pytest.raises(TypeError, match="are free"):
        jsl.allocate(chinchilla, 1e21)
    for budget in (-1.0, 0.0, np.nan, [[1e20]]):
        with pytest.raises(jsl.InputError, match="budget"):
            jsl.allocate(HOFFMANN, budget)


def memory(N):
    return 2.0 * N


def tokens(D):
    return D


def per_parameter(N, D):
    return D - 20.0 * N


def test_limits_bind_with_their_price():
    """Memory and data hold the plan; prices are the slopes of the loss; what is left of the budget
    is said.
    """
    limits = {"memory": (memory, 8e10), "tokens": (tokens, np.array([3.5e12, 4.5e12]))}
    plan = jsl.allocate(HOFFMANN, 1e24, constraints=limits)
    assert np.all(plan.status == 0)
    np.testing.assert_allclose(plan["N"], 4e10)
    np.testing.assert_allclose(plan["D"], [3.5e12, 1e24 / 6 / 4e10])
    p = {k: float(v) for k, v in HOFFMANN.params.items()}
    slope = p["beta"] * p["B"] * 3.5e12 ** -(p["beta"] + 1)
    np.testing.assert_allclose(plan.prices["tokens"], [slope, 0.0], rtol=1e-8)
    assert [plan.binding[k].tolist() for k in ("budget", "memory", "tokens")] == [
        [False, True],
        [True, True],
        [True, False],
    ]
    assert (
        "1 plan leaves part of the budget unspent: memory and tokens bind first" in plan.remarks[0]
    )
    held = jsl.allocate(
        HOFFMANN,
        1e24,
        constraints={"ratio": (per_parameter, (0.0, None)), "least": (memory, (1.2e11, None))},
    )
    np.testing.assert_allclose(held["N"], 6e10, rtol=1e-9)
    assert held.prices["least"] < 0 < held.prices["budget"]


def test_least_cost_for_a_target_is_the_inverse_of_the_best_loss():
    budgets = np.array([1e21, 1e24])
    plan = jsl.allocate(HOFFMANN, budgets)
    back = jsl.allocate(HOFFMANN, target=plan.loss)
    assert np.all(back.status == 0)
    np.testing.assert_allclose(back.cost, budgets, rtol=1e-7)
    np.testing.assert_allclose(back.shadow_price, plan.shadow_price, rtol=1e-7)


def test_a_limit_that_cannot_be_met_is_named():
    never = jsl.allocate(HOFFMANN, target=1.6)
    assert never.status == jsl.Status.NON_FINITE
    assert np.isnan(never["N"])
    factor = float(HOFFMANN.params["E"]) / 1.6
    assert f"target stays over its limit by a factor of {factor:.3g}" in never.remarks[0]
    short = jsl.allocate(
        HOFFMANN,
        1e20,
        constraints={"least": (memory, (1e12, None)), "tokens": (tokens, (1e12, None))},
    )
    assert "1 plan has no feasible point" in short.remarks[0]


def test_choices_are_compared_by_their_best_plan():
    sizes = np.array([1e10, 4e10, 1.5e11])
    plan = jsl.allocate(
        HOFFMANN, np.array([1e23, 1e24]), choices={"N": sizes, "width": [4096, 8192, 12288]}
    )
    losses = HOFFMANN(sizes, np.array([1e23, 1e24])[:, None] / 6 / sizes)
    np.testing.assert_allclose(plan.by_choice, losses, rtol=1e-12)
    assert plan.choice.tolist() == losses.argmin(1).tolist()
    np.testing.assert_array_equal(plan["width"], np.array([4096, 8192, 12288])[losses.argmin(1)])


def test_what_follows_from_a_loss_is_maximised():
    """Value per unit of accuracy less the bill: brute force over budgets of the plain plan is the
    oracle.
    """

    def worth(loss, N, D):
        return 1e3 / (1 + jnp.exp(6 * (loss - 2.2))) - 6 * N * D / 1e22

    plan = jsl.allocate(HOFFMANN, 1e25, maximise=worth)
    assert plan.status == 0
    budgets = np.geomspace(1e22, 1e25, 3000)
    best = jsl.allocate(HOFFMANN, budgets, starts=1)
    values = worth(best.loss, best["N"], best["D"])
    assert float(plan.value) >= np.max(values) * (1 - 1e-9)
    np.testing.assert_allclose(plan.cost, budgets[np.argmax(values)], rtol=5e-3)
    assert "unspent" in plan.remarks[0]


def test_shares_of_a_mixture_are_chosen_on_the_simplex():
    law = jsl.laws.data_mixing.fix(c=1.6, k=1.0, t=[-1.5, -2.0, -0.4])

    def second(r):
        return r[1]

    plan = jsl.allocate(law, constraints={"code": (second, 0.3)})
    np.testing.assert_allclose(plan["r"], [0.7, 0.3, 0.0], atol=1e-12)
    assert plan.status == 0
    assert jsl.allocate(law)["r"][1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 1e21, "target": 2.0}, "a budget and a target"),
        ({}, "no budget, no target and no constraint"),
        ({"budget": 1e21, "constraints": {"memory": 80e9}}, "constraint 'memory'"),
        (
            {"budget": 1e21, "constraints": {"memory": (lambda n: n, 80e9)}},
            "nothing says what n is",
        ),
        ({"budget": 1e21, "choices": {"N": [1e9, 2e9], "width": [1]}}, "choices of lengths"),
        ({"budget": 1e21, "bounds": {"D": 1e12}}, "bounds of D"),
        ({"budget": [1e21, 1e22], "constraints": {"memory": (memory, [1e9, 2e9, 3e9])}}, "shape"),
    ],
)
def test_limits_that_are_not_well_put(arguments, message):
    with pytest.raises(jsl.InputError, match=message):
        jsl.allocate(HOFFMANN, **arguments)


def test_prices_are_derivatives_of_the_plan():
    """With respect to budget and a limit, by implicit differentiation; finite differences are the
    oracle.
    """

    def loss(budget, limit):
        return jsl.allocate(
            HOFFMANN, budget, cost=costs.Lifetime(2e12), constraints={"memory": (memory, limit)}
        ).loss

    with jax.enable_x64(True):
        slopes = jax.grad(loss, (0, 1))(1e24, 3e10)
    plan = jsl.allocate(
        HOFFMANN, 1e24, cost=costs.Lifetime(2e12), constraints={"memory": (memory, 3e10)}
    )
    np.testing.assert_allclose(
        [-slopes[0], -slopes[1]], [plan.prices["budget"], plan.prices["memory"]], rtol=1e-9
    )
    for i, at in enumerate((1e24, 3e10)):
        ends = [
            loss(*(v * (1 + s) if i == j else v for j, v in enumerate((1e24, 3e10))))
            for s in (1e-4, -1e-4)
        ]
        np.testing.assert_allclose(slopes[i], (ends[0] - ends[1]) / (2e-4 * at), rtol=1e-5)


def test_the_region_of_nearly_optimal_plans_against_a_grid():
    plan = jsl.allocate(HOFFMANN, np.array([1e23, 1e24]), bounds={"D": (None, 2e12)})
    region = plan.near_optimal(loss_slack=0.001)
    assert all(np.all(s == 0) for s in region.status.values())
    n = np.geomspace(1e9, 1e12, 400_001)
    for i, c in enumerate((1e23, 1e24)):
        d = np.minimum(c / 6 / n, 2e12)
        inside = n[HOFFMANN(n, d) <= plan.loss[i] * 1.001]
        np.testing.assert_allclose(
            [region["N"][0][i], region["N"][1][i]], inside[[0, -1]], rtol=1e-4
        )
    assert region["D"][1][1] == pytest.approx(2e12)
    with pytest.raises(jsl.InputError, match="a share is meant"):
        plan.near_optimal()


def test_regret_and_the_plan_that_loses_least_against_brute_force(simulated):
    boot = jsl.bootstrap(simulated, 200)
    plan = jsl.allocate(boot, 1e24)
    plugged, chosen, careful = plan.regret(), plan.decide(), plan.decide(worst=0.1)
    n = np.geomspace(3e10, 1.2e11, 1001)
    lost = boot.predict(N=n, D=1e24 / 6 / n) - plan.loss[:, None]
    np.testing.assert_allclose(chosen.loss.mean(), lost.mean(0).min(), rtol=1e-4)
    worst = np.sort(lost, 0)[-20:].mean(0)
    assert careful.worst() <= worst.min() * 1.002  # its corner is rounded
    assert chosen.loss.mean() <= plugged.loss.mean()
    at = 8e10
    given = plan.regret(N=at, D=1e24 / 6 / at)
    np.testing.assert_allclose(
        given.loss, boot.predict(N=at, D=1e24 / 6 / at) - plan.loss, rtol=1e-9
    )
    cheapest = jsl.allocate(simulated, target=float(simulated.predict(N=at, D=1e24 / 6 / at))).cost
    assert abs(np.median(given.compute) - (1 - cheapest / 1e24)) < 0.02
    with pytest.raises(jsl.InputError, match="many laws and one budget"):
        jsl.allocate(simulated, 1e24).regret()


def test_optax_solvers_plan_without_bounds():
    import optax

    solver = jsl.solvers.Optax(optax.lbfgs, max_steps=200)
    plan = jsl.allocate(HOFFMANN, 1e24, constraints={"tokens": (tokens, 2e12)}, solver=solver)
    assert plan.status == 0
    np.testing.assert_allclose([plan["N"], plan["D"]], [1e24 / 6 / 2e12, 2e12], rtol=1e-9)
    with pytest.raises(jsl.InputError, match=r"(?s)a solver that knows none.*constraints="):
        jsl.allocate(HOFFMANN, 1e24, bounds={"D": (None, 2e12)}, solver=solver)


@pytest.mark.parametrize(
    ("budget", "options", "message"),
    [
        (1e21, {"choices": {"N": [1e9, 2e9], "D": [1e10, 2e10]}}, "no column is left to choose"),
        (1e21, {"starts": 0}, "starts=0"),
        ("1e21", {}, "budget '1e21'"),
        ([], {}, r"budget \[\]"),
        (1e21, {"constraints": [(lambda N: N, 1e10)]}, "constraints="),
        (
            1e21,
            {"constraints": {"memory": (lambda N: 2 * N, "80GB")}},
            "limit of 'memory' is '80GB'",
        ),
        ([1e21, 1e22], {"bounds": {"N": ([1e9, 1e10], None)}}, "bounds of N"),
    ],
)
def test_questions_that_ended_in_a_traceback_are_refused(budget, options, message):
    law = chinchilla.published["besiroglu2024"]
    with pytest.raises(jsl.InputError, match=message) as error:
        jsl.allocate(law, budget, **options)
    assert "Change:" in str(error.value)


def test_a_budget_may_be_a_decimal():
    law = chinchilla.published["besiroglu2024"]
    assert jsl.allocate(law, decimal.Decimal("1e21"))["N"] == jsl.allocate(law, 1e21)["N"]
