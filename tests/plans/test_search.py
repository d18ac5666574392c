"""The walk of a plan on the host and inside a compiled program is the same walk; what is not asked
for is not compiled.
"""

import jax
import numpy as np
import optax
import pytest

import jaxscale as jsl
from jaxscale import costs, laws
from jaxscale.plans import _lanes

LAW = laws.chinchilla.published["besiroglu2024"]

MIXTURE = laws.data_mixing.fix(c=1.6, k=1.0, t=[-1.5, -2.0, -0.4])


def _second(r):
    return r[1]


def _memory(N):
    return 2 * N


def _gap(N, D):
    return D - 20 * N


QUESTIONS = {
    "budgets": lambda: jsl.allocate(LAW, np.geomspace(1e20, 1e24, 5)),
    "a target, a cap and a bound": lambda: jsl.allocate(
        LAW, target=2.05, constraints={"memory": (_memory, 4e10)}, bounds={"D": (None, 2e12)}
    ),
    "a difference": lambda: jsl.allocate(
        LAW, 1e22, constraints={"ratio": (_gap, (None, 0.0))}, cost=costs.Lifetime(1e12)
    ),
    "shares": lambda: jsl.allocate(MIXTURE, constraints={"code": (_second, 0.3)}),
    "choices": lambda: jsl.allocate(LAW, 1e22, over=("D",), choices={"N": [1e9, 4e9, 2e10]}),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_compiled_walk_finds_the_same_plan(name, monkeypatch):
    walked = QUESTIONS[name]()
    monkeypatch.setattr(_lanes, "BULK", 0)
    compiled = QUESTIONS[name]()
    np.testing.assert_array_equal(walked.status, compiled.status)
    for column, values in compiled.columns.items():
        np.testing.assert_allclose(walked[column], values, rtol=1e-8, atol=1e-10, err_msg=column)
    for price, value in compiled.prices.items():
        np.testing.assert_allclose(walked.prices[price], value, rtol=1e-6, err_msg=price)


def test_plans_depend_on_no_neighbour():
    budgets = np.geomspace(1e20, 1e24, 300)
    many = jsl.allocate(LAW, budgets)
    for i in (0, 150, 299):
        alone = jsl.allocate(LAW, budgets[i])
        np.testing.assert_allclose(alone["N"], many["N"][i], rtol=1e-12)


def test_a_start_far_inside_its_target_moves():
    """Where no limit is felt ln cost is a plane, and damping alone would never shorten a step that
    leaves the target.
    """
    targets = np.linspace(1.9, 2.3, 64)
    plan = jsl.allocate(LAW, target=targets, starts=1)
    assert not np.any(plan.status)
    np.testing.assert_allclose(plan.loss, targets, rtol=1e-9)


def test_what_cannot_be_met_is_named_however_it_is_computed(monkeypatch):
    def asked():
        return jsl.allocate(LAW, 1e20, constraints={"least": (lambda loss: loss, 1.9)})

    walked = asked()
    monkeypatch.setattr(_lanes, "BULK", 0)
    assert walked.remarks == asked().remarks
    assert "no feasible point: budget stays over its limit by a factor of 83.2" in walked.remarks[0]


def test_a_gradient_walks_on_the_host(monkeypatch):
    def never(*arguments):
        raise AssertionError("compiled")

    monkeypatch.setattr(_lanes, "_compiled", never)
    with jax.enable_x64(True):
        slope = jax.grad(lambda c: jsl.allocate(LAW, c).loss)(1e22)
    low, high = (float(jsl.allocate(LAW, c).loss) for c in (1e22 * (1 - 1e-5), 1e22 * (1 + 1e-5)))
    np.testing.assert_allclose(slope, (high - low) / 2e17, rtol=1e-5)


def test_the_region_of_a_plan_by_another_solver():
    plan = jsl.allocate(LAW, 1e22, solver=jsl.solvers.Optax(optax.lbfgs))
    own, other = (
        jsl.allocate(LAW, 1e22).near_optimal(loss_slack=0.001),
        plan.near_optimal(loss_slack=0.001),
    )
    for side in (0, 1):
        np.testing.assert_allclose(other["N"][side], own["N"][side], rtol=1e-6)


def test_a_plan_of_many_shares_has_the_same_bits_alone():
    """Sixteen shares: NumPy sums eight numbers and more in another order where they are a single
    column.
    """
    law = laws.data_mixing.sized(t=16).fix(c=1.6, k=1.0, t=np.linspace(-2.0, -0.2, 16))
    limits = np.linspace(0.1, 0.3, 5)
    many = jsl.allocate(law, constraints={"code": (_second, limits)}, starts=1)
    alone = jsl.allocate(law, constraints={"code": (_second, limits[3])}, starts=1)
    np.testing.assert_array_equal(many["r"][3], alone["r"])


def _active(N, D, S):
    return 6.0 * N * (1.0 - S) * D


def test_a_plan_too_far_for_a_closing_step_is_searched_on():
    """The budget is steep in S: close to it there, the end of the rounds is far from it in N and D
    (one of the 50 problems).
    """
    numbers = {
        "e": 0.98687,
        "a": 16767.45,
        "alpha": 0.611677,
        "b": 5557.81,
        "beta": 0.40088,
        "c": 0.477866,
        "lambda_": -0.171256,
    }
    law = laws.sparse_moe.fix(**numbers, d=16.84732, delta=0.154177, gamma=0.154846)

    def asked(memory):
        limit = {"memory": (_memory, memory)}
        return jsl.allocate(
            law, 2.97295e24, cost=_active, constraints=limit, bounds={"S": (0.0, 0.98)}
        )

    plan = asked(1.0951079e12)
    with jax.enable_x64(True):  # a limit that is traced is compared by difference
        loss, slope = jax.value_and_grad(lambda memory: asked(memory).loss)(1.0951079e12)
    assert plan.status == 0
    np.testing.assert_allclose(loss, plan.loss, rtol=1e-10)
    np.testing.assert_allclose(-slope, plan.prices["memory"], rtol=1e-6)
