"""Objectives against formulas of scipy and NumPy, their slopes by finite differences, and their
place in a compile key.
"""

import dataclasses

import jax
import numpy as np
import pytest
import scipy.special as sp

import jaxscale as jsl
from jaxscale.objectives import Huber, LogAbs, LogHuber, LogSquared, NegLogLik, Quantile, Squared

PREDICTED = np.array([2.0, 2.5, 3.0, 2.2, 2.201, 2.5005, 7.0, 0.3])
OBSERVED = np.array([2.0, 2.4, 3.3, 2.2001, 2.2, 2.5, 0.2, 9.0])


def log_residual(p, o):
    return np.log(p) - np.log(o)


def rounded(r, s):
    """|r| with its corner rounded: the pseudo-Huber loss in units of its width."""
    return sp.pseudo_huber(s, r) / s


# objective, an independent formula for the loss of one run
CASES = {
    "LogHuber": (LogHuber(), lambda p, o: sp.huber(1e-3, log_residual(p, o))),
    "LogHuber(0.1)": (LogHuber(0.1), lambda p, o: sp.huber(0.1, log_residual(p, o))),
    "Huber": (Huber(), lambda p, o: sp.huber(1e-3, p - o)),
    "Huber(0.5)": (Huber(0.5), lambda p, o: sp.huber(0.5, p - o)),
    "LogSquared": (LogSquared(), lambda p, o: log_residual(p, o) ** 2 / 2),
    "Squared": (Squared(), lambda p, o: (p - o) ** 2 / 2),
    "LogAbs": (LogAbs(), lambda p, o: rounded(log_residual(p, o), 1e-6)),
    "LogAbs(0.1)": (LogAbs(0.1), lambda p, o: rounded(log_residual(p, o), 0.1)),
    "Quantile": (Quantile(), lambda p, o: rounded(log_residual(p, o), 1e-6) / 2),
    "Quantile(0.2, 0.1)": (
        Quantile(0.2, 0.1),
        lambda p, o: rounded(log_residual(p, o), 0.1) / 2 + 0.3 * log_residual(p, o),
    ),
    "NegLogLik": (NegLogLik(), lambda p, o: p),
}
WIDE = {
    "LogHuber": ("delta", LogHuber),
    "Huber": ("delta", Huber),
    "LogAbs": ("smoothing", LogAbs),
    "Quantile": ("smoothing", Quantile),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


def test_every_objective_is_tried():
    public = {
        v
        for k, v in vars(jsl.objectives).items()
        if isinstance(v, type) and issubclass(v, jsl.objectives.Objective)
    }
    assert {type(o) for o, _ in CASES.values()} == public - {jsl.objectives.Objective}


# -- values and slopes ---------------------------------------------------------------------------
def test_value(case):
    objective, formula = case
    with jax.enable_x64(True):
        value = jax.vmap(objective)(PREDICTED, OBSERVED)
    assert value.dtype == np.float64
    np.testing.assert_allclose(value, formula(PREDICTED, OBSERVED), rtol=1e-9, atol=1e-15)


def test_slope(case):
    objective, formula = case
    step = 1e-6 * PREDICTED
    r = log_residual(PREDICTED, OBSERVED) if objective.log else PREDICTED - OBSERVED
    width = getattr(objective, objective.width) if objective.width else 0.0
    smooth = np.abs(np.abs(r) - width) > 1e-5  # away from corners
    slope = (formula(PREDICTED + step, OBSERVED) - formula(PREDICTED - step, OBSERVED)) / (2 * step)
    with jax.enable_x64(True):
        exact = jax.jit(jax.vmap(jax.grad(objective)))(PREDICTED, OBSERVED)
    assert smooth.sum() >= 5
    np.testing.assert_allclose(np.asarray(exact)[smooth], slope[smooth], rtol=1e-5, atol=1e-8)


def test_slopes_are_finite_at_the_optimum_and_far_from_it(case):
    objective, _ = case
    predicted, observed = np.array([2.0, 1e-300, 1e30, 2.0]), np.array([2.0, 2.0, 2.0, 1e-300])
    with jax.enable_x64(True):
        value, slope = jax.jit(jax.vmap(jax.value_and_grad(objective)))(predicted, observed)
        second = jax.jit(jax.vmap(jax.grad(jax.grad(objective))))(
            predicted[[0, 2, 3]], observed[[0, 2, 3]]
        )
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(slope))
    assert np.all(np.isfinite(second))


def test_zero_at_the_optimum_and_least_there(case):
    objective, _ = case
    if not objective.observes or isinstance(objective, Quantile):
        # a likelihood has no target, and the rounded check loss of tau != 1/2 is least beside it
        return
    with jax.enable_x64(True):
        assert float(objective(2.0, 2.0)) == 0.0
        assert float(objective(2.02, 2.0)) > 0.0
        assert float(objective(1.98, 2.0)) > 0.0


@pytest.mark.parametrize(
    "objective",
    [LogAbs(1e-3), Quantile(0.5, 1e-3), Quantile(0.1, 1e-3), Quantile(0.9, 1e-3)],
    ids=str,
)
def test_rounding_stays_within_what_it_says(objective):
    """Below the sharp loss by at most `smoothing` a run."""
    r = np.concatenate([-np.geomspace(1, 1e-9, 40), [0.0], np.geomspace(1e-9, 1, 40)])
    tau = getattr(objective, "tau", None)
    # observed above costs tau
    sharp = np.abs(r) if tau is None else np.where(r < 0, -tau * r, (1 - tau) * r)
    with jax.enable_x64(True):
        gap = sharp - np.asarray(jax.vmap(objective)(np.exp(r), np.ones_like(r)))
    assert np.all(gap >= -1e-15)
    assert np.all(gap <= 1e-3 + 1e-15)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.8])
def test_the_minimum_of_the_check_loss_is_the_quantile(tau):
    observed = np.exp(np.random.default_rng(0).normal(1.0, 0.1, 501))
    grid = np.quantile(observed, np.linspace(0.01, 0.99, 99))
    with jax.enable_x64(True):
        total = np.sum(Quantile(tau)(grid[:, None], observed), axis=1)
    assert abs(np.linspace(0.01, 0.99, 99)[int(np.argmin(total))] - tau) < 0.011


@pytest.mark.parametrize(
    "objective", [LogHuber(1e-2), LogSquared(), LogAbs(), Quantile(0.3)], ids=str
)
def test_log_objectives_do_not_depend_on_the_unit(objective):
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            objective(1e30 * PREDICTED, 1e30 * OBSERVED),
            objective(PREDICTED, OBSERVED),
            rtol=1e-9,
            atol=1e-15,
        )


def test_the_base_is_no_objective():
    with pytest.raises(
        TypeError, match=r"(?s)Objective is not an objective.*one of jaxscale\.objectives"
    ):
        jsl.objectives.Objective()(2.0, 2.0)


# -- leaves and traces ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("objective", "leaves"),
    [
        (LogHuber(0.1), [0.1]),
        (Huber(0.2), [0.2]),
        (LogAbs(0.3), [0.3]),
        (Quantile(0.4, 0.5), [0.4, 0.5]),
        (LogSquared(), []),
        (Squared(), []),
        (NegLogLik(), []),
    ],
    ids=lambda v: type(v).__name__,
)
def test_numbers_are_leaves(objective, leaves):
    found, tree = jax.tree.flatten(objective)
    assert found == leaves
    assert jax.tree.unflatten(tree, found) == objective


@pytest.mark.parametrize(
    "objectives",
    [
        (LogHuber(1e-3), LogHuber(1e-2)),
        (Huber(0.1), Huber(0.5)),
        (LogAbs(1e-6), LogAbs(1e-3)),
        (Quantile(0.1), Quantile(0.9, 1e-3)),
    ],
    ids=lambda pair: type(pair[0]).__name__,
)
def test_another_number_does_not_trace_again(objectives):
    traces = []

    @jax.jit
    def total(objective, p, o):
        traces.append(objective)
        return jax.numpy.sum(objective(p, o))

    with jax.enable_x64(True):
        values = [float(total(objective, PREDICTED, OBSERVED)) for objective in objectives]
        assert values[0] != values[1]
        assert len(traces) == 1
        total(Squared(), PREDICTED, OBSERVED)
        assert len(traces) == 2


@pytest.mark.parametrize(("field", "kind"), WIDE.values(), ids=WIDE)
def test_the_width_is_differentiable_and_can_be_mapped(field, kind):
    def total(width):
        return jax.numpy.sum(dataclasses.replace(kind(), **{field: width})(PREDICTED, OBSERVED))

    with jax.enable_x64(True):
        slope = (total(0.2 + 1e-6) - total(0.2 - 1e-6)) / 2e-6
        np.testing.assert_allclose(jax.jit(jax.grad(total))(0.2), slope, rtol=1e-6)
        np.testing.assert_allclose(
            jax.vmap(total)(np.array([0.1, 0.2])), [total(0.1), total(0.2)], rtol=1e-12
        )


def test_objectives_compare_by_value():
    assert LogHuber(1e-3) == LogHuber()
    assert LogHuber(1e-2) != LogHuber()
    assert LogSquared() != Squared()
    with pytest.raises(dataclasses.FrozenInstanceError):
        LogHuber().delta = 1.0


# -- the ladder ----------------------------------------------------------------------------------
@pytest.mark.parametrize("scale", [0.0, 1e-6, 0.01, 1.0, 100.0, 1e30])
@pytest.mark.parametrize("objective", [o for o, _ in CASES.values()], ids=CASES)
def test_smoother_ends_with_itself_and_narrows(objective, scale):
    ladder = objective.smoother(scale)
    assert ladder[-1] == objective
    assert 1 <= len(ladder) <= 9
    if objective.width is None:
        assert len(ladder) == 1
        return
    widths = [getattr(level, objective.width) for level in ladder]
    assert np.all(np.diff(widths) < 0)
    np.testing.assert_allclose(np.divide(widths[:-1], widths[1:]), 30.0)
    assert all(
        dataclasses.replace(level, **{objective.width: widths[-1]}) == objective for level in ladder
    )


@pytest.mark.parametrize(
    ("objective", "scale", "widths"),
    [
        (LogHuber(1e-3), 0.01, [1e-3]),
        (LogHuber(1e-3), 1.0, [3e-2, 1e-3]),
        (LogHuber(1e-3), 10.0, [0.9, 3e-2, 1e-3]),
        (Huber(1e-2), 1.0, [0.3, 1e-2]),
        (LogAbs(1e-6), 1e-2, [9e-4, 3e-5, 1e-6]),
    ],
)
def test_smoother_starts_at_three_percent_of_the_scale(objective, scale, widths):
    np.testing.assert_allclose(
        [getattr(level, objective.width) for level in objective.smoother(scale)], widths
    )
