"""`Param`: the map between a parameter and its coordinates, and the ranges in which starts are
drawn.
"""

import math

import jax
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale import between, negative, positive, real, simplex, unit
from jaxscale.formula._params import Param

KINDS = {
    "positive": positive(0.5, 3),
    "positive, default": positive(),
    "positive (3,)": positive(1, 1e5, shape=(3,)),
    "positive (2, 2)": positive(shape=(2, 2)),
    "negative": negative(-2, -0.1),
    "negative (2,)": negative(shape=(2,)),
    "any real": real(-3, 5),
    "any real (3,)": real(shape=(3,)),
    "between": between(-1, 2),
    "between, rounded": between(-0.5, 0.3),  # in floating point -0.5 + (0.3 - -0.5) lies above 0.3
    "between (2,)": between(-3, -1, shape=(2,)),
    "unit": unit(),
    "unit (4,)": unit(shape=(4,)),
    "simplex 1": simplex(1),
    "simplex 2": simplex(2),
    "simplex 5": simplex(5),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def spec(request):
    return request.param


def inside(spec, value):
    """Within the support, edges included."""
    value, (low, high) = np.asarray(value), spec.edges
    if spec.support == "simplex":
        return bool(np.all((value >= 0) & (value <= 1))) and abs(value.sum() - 1) < 1e-6
    return bool(np.all((value >= low) & (value <= high)))


def draws(spec, scale, n=6):
    return np.random.default_rng(0).uniform(-scale, scale, (n, spec.size))


def test_every_kind_is_a_param(spec):
    assert isinstance(spec, Param)
    assert spec.size == (
        spec.shape[0] - 1 if spec.support == "simplex" else int(np.prod(spec.shape))
    )
    assert spec.logarithmic == (spec.support in ("positive", "negative"))


def test_round_trip_from_coordinates(spec):
    with jax.enable_x64(True):
        for u in draws(spec, 5.0):
            value = spec.natural(u)
            assert value.shape == spec.shape
            assert value.dtype == np.float64
            np.testing.assert_allclose(spec.coordinates(value), u, rtol=1e-12, atol=1e-12)


def test_round_trip_from_values(spec):
    with jax.enable_x64(True):
        for u in draws(spec, 5.0):
            value = np.asarray(spec.natural(u))
            np.testing.assert_allclose(spec.natural(spec.coordinates(value)), value, rtol=1e-13)


@pytest.mark.parametrize("scale", [3.0, 40.0, 800.0, 1e300])
def test_the_support_is_respected_everywhere(spec, scale):
    with jax.enable_x64(True):
        for u in [*draws(spec, scale), np.full(spec.size, scale), np.full(spec.size, -scale)]:
            value = spec.natural(u)
            assert inside(spec, value)
            assert spec.support == "simplex" or not np.any(np.isnan(spec.coordinates(value)))


def test_the_support_is_open_where_coordinates_are_moderate(spec):
    low, high = spec.edges if spec.support != "simplex" else (0.0, 1.0)
    if spec.shape == (1,):
        return  # the only simplex of one share is (1,)
    with jax.enable_x64(True):
        for u in draws(spec, 15.0):
            value = np.asarray(spec.natural(u))
            assert np.all((value > low) & (value < high))


def test_coordinates_are_differentiable(spec):
    with jax.enable_x64(True):
        jacobian = np.reshape(
            jax.jacfwd(spec.natural)(np.full(spec.size, 0.3)),
            (max(1, int(np.prod(spec.shape))), spec.size),
        )
    assert np.all(np.isfinite(jacobian))
    assert spec.size == 0 or np.linalg.matrix_rank(jacobian) == spec.size


def test_starts_lie_inside_the_range_and_the_support(spec):
    low, high = spec.start_range
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high
    if spec.support == "simplex":
        return  # the range of a simplex is one of coordinates
    with jax.enable_x64(True):
        for u in (low, high):
            value = np.asarray(spec.natural(np.full(spec.size, u)))
            assert np.all(
                (value >= spec.low - 1e-12 * abs(spec.low))
                & (value <= spec.high + 1e-12 * abs(spec.high))
            )


@pytest.mark.parametrize("k", [1, 2, 5, 50])
@pytest.mark.parametrize("scale", [1.0, 30.0, 700.0])
def test_shares_sum_to_one(k, scale):
    with jax.enable_x64(True):
        for u in draws(simplex(k), scale):
            shares = np.asarray(simplex(k).natural(u))
            assert shares.shape == (k,)
            assert abs(shares.sum() - 1.0) < 1e-14 * k


# -- formulas ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("spec", "u", "value"),
    [
        (positive(), 2.0, math.exp(2.0)),
        (negative(), 2.0, -math.exp(2.0)),
        (real(), -7.5, -7.5),
        (unit(), math.log(3.0), 0.75),
        (between(-1, 2), math.log(3.0), 1.25),
        (between(-1, 2), 0.0, 0.5),
    ],
)
def test_natural_values(spec, u, value):
    with jax.enable_x64(True):
        np.testing.assert_allclose(spec.natural(np.array([u])), value, rtol=1e-14)


def test_natural_shares():
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            simplex(3).natural(np.log([2.0, 3.0])), [2 / 6, 3 / 6, 1 / 6], rtol=1e-14
        )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (positive(0.5, 3), (math.log(0.5), math.log(3))),
        (positive(1, 1e5), (0.0, math.log(1e5))),
        (negative(-2, -0.1), (math.log(0.1), math.log(2))),
        (real(-3, 5), (-3, 5)),
        (unit(), (math.log(0.01 / 0.99), math.log(0.99 / 0.01))),
        (between(-1, 2), (math.log(0.01 / 0.99), math.log(0.99 / 0.01))),
        (Param("between", 0.25, 0.75, (0.0, 1.0)), (-math.log(3), math.log(3))),
    ],
)
def test_start_range_in_coordinates(spec, expected):
    np.testing.assert_allclose(spec.start_range, expected, rtol=1e-12)


@pytest.mark.parametrize("asked", [(0.001, 0.005), (0.995, 0.999), (0.2, 0.3), (0.005, 0.5)])
def test_a_start_range_near_an_edge_is_the_one_asked_for(asked):
    """Rare-event rates live near 0: starts are drawn where `start` says, or at least not outside
    it.
    """

    @jsl.law
    def rate(x, *, p=unit()):
        return p * x

    spec = rate.start(p=asked).free["p"]
    low, high = spec.start_range
    assert low < high
    with jax.enable_x64(True):
        ends = np.array([spec.natural(np.array([u])) for u in (low, high)])
    assert np.all((ends >= asked[0] - 1e-12) & (ends <= asked[1] + 1e-12))


# -- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: positive(3, 0.5),
         r"start range \(3, 0\.5\): the low end must lie below the high end"),
        (lambda: positive(2, 2), r"start range \(2, 2\): the low end"),
        (lambda: positive(math.nan, 2), r"start range \(nan, 2\): the low end"),
        (lambda: positive(1, math.nan), r"start range \(1, nan\): the low end"),
        (lambda: positive(-1, 2), r"start range \(-1, 2\) leaves the support \(0\.0, inf\)"),
        (lambda: positive(0, 2), r"start range \(0, 2\): 0 is no start for a positive parameter"),
        (lambda: positive(1, math.inf), r"start range \(1, inf\)"),
        (lambda: negative(-1, 0), r"start range \(-1, 0\): 0 is no start for a negative parameter"),
        (lambda: negative(-1, 1), r"start range \(-1, 1\) leaves the support \(-inf, 0\.0\)"),
        (lambda: negative(-0.1, -2), r"start range \(-0\.1, -2\): the low end"),
        (lambda: negative(-math.inf, -1), r"start range \(-inf, -1\)"),
        (lambda: real(1, -1), r"start range \(1, -1\): the low end"),
        (lambda: real(-math.inf, math.inf), r"start range \(-inf, inf\)"),
        (lambda: between(2, -1), r"start range \(2, -1\): the low end"),
        (lambda: between(0, math.inf), r"\(0, inf\)"),
        (lambda: Param("between", 0.0, 0.5, (0.1, 0.9)),
         r"start range \(0\.0, 0\.5\) leaves the support \(0\.1, 0\.9\)"),
        (lambda: simplex(0), r"simplex"),
    ],
    ids=[
        "order", "empty", "nan low", "nan high", "sign", "zero", "infinite", "negative zero",
        "negative sign",
        "negative order", "negative infinite", "real order", "real infinite", "between order",
        "between infinite", "outside",
        "no shares",
    ],
)  # fmt: skip
def test_bad_ranges_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- the compile key -----------------------------------------------------------------------------
def test_start_ranges_take_no_part_in_comparison():
    assert positive(1, 2) == positive(3, 4)
    assert hash(positive(1, 2)) == hash(positive(3, 4))


@pytest.mark.parametrize(
    "other", [negative(), real(), positive(shape=(1,)), unit(), between(0, 2), simplex(2)], ids=repr
)
def test_supports_shapes_and_edges_do(other):
    assert positive() != other
    assert between(0, 1) == unit()
    assert between(0, 2) != unit()
