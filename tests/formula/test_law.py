"""`Law`: what the decorator refuses, what a call gives, and which changes compile again."""

import itertools
import math
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale import between, laws, negative, positive, real, simplex, unit, units
from jaxscale.formula._form import check_lengths
from jaxscale.laws import busbridge, chinchilla, kaplan, power_law

VALUES = {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.28}
BOUND = chinchilla.published["hoffmann2022"]
# its digits are the business of test_published_sets_are_bound_laws
HOFFMANN = {k: float(v) for k, v in BOUND.params.items()}
N, D = np.array([1e8, 1e9, 1e10]), np.array([[2e9], [2e11]])


def formula(N, D, *, E, A, B, alpha, beta):
    """The oracle, in NumPy."""
    return E + A * np.power(N, -alpha) + B * np.power(D, -beta)


@jsl.law
def chain(x, *, c=positive(), a=positive(), b=positive()):
    """Three parameters of one kind whose order is not that of the alphabet."""
    return a + b * x + c * x**2


@jsl.law
def mixture(
    N: units.Params, p: units.Shares, *, t=real(shape=(3,)), alpha=positive(0.1, 1)
) -> units.Nats:
    """A law with a vector per run."""
    return jnp.exp(jnp.dot(p, t)) * (N / 1e9) ** -alpha


@jsl.law
def kinds(x, *, p=positive(), n=negative(), r=real(), u=unit(), w=between(-1, 2), s=simplex(3)):
    """One parameter of every kind."""
    return p * x + n + r + u + w + s[0] - s[2]


@jsl.law
def scores(x, *, t=real(shape=(3,))):
    """A law that reads single entries of a vector parameter."""
    return x * t[0] + t[2]


# -- the decorator -------------------------------------------------------------------------------
def positional(x, a=positive()):
    return a * x


def bare(x, *, a):
    return a * x


def plain(x, *, a=1.0):
    return a * x


def starred(*x, a=positive()):
    return a * x[0]


def keywords(x, *, a=positive(), **more):
    return a * x


def columnless(*, a=positive()):
    return a


def defaulted(x, y=1.0, *, a=positive()):
    return a * x * y


def vector(x, *, a=positive(shape=(3,))):
    return a * x


def pair(x, *, a=positive()):
    return a, x


def nothing(x, *, a=positive()):
    pass


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (positional, r"law positional: parameter a is positional(?s:.*)`\*,` before"),
        (bare, r"law bare: parameter a has no default(?s:.*)a=positive\(low, high\)"),
        (plain, r"law plain: parameter a has 1\.0(?s:.*)a=positive\(low, high\)"),
        (starred, r"law starred: \*x hides columns or parameters(?s:.*)name each"),
        (keywords, r"law keywords: \*\*more hides columns or parameters(?s:.*)name each"),
        (columnless, r"law columnless has no column(?s:.*)at least one positional"),
        (defaulted, r"law defaulted: column y has a default(?s:.*)columns have none"),
        (vector, r"law vector returns \(3,\) for one run; it must return one number"),
        (pair, r"law pair returns tuple for one run; it must return one number"),
        (nothing, r"law nothing returns NoneType for one run; it must return one number"),
    ],
)
def test_the_decorator_refuses(function, message):
    with pytest.raises(TypeError, match=message):
        jsl.law(function)


def test_the_decorator_reads_the_signature():
    assert isinstance(chinchilla, jsl.Law)
    assert chinchilla.columns == ("N", "D")
    assert [u.name for u in chinchilla.column_units] == ["parameters (total)", "tokens"]
    assert chinchilla.unit.name == "nats/token"
    assert list(chinchilla.free) == ["E", "A", "B", "alpha", "beta"]
    assert (chinchilla.name, chinchilla.__name__) == ("chinchilla", "chinchilla")
    assert chinchilla.__doc__.startswith("Final pre-training loss [nats/token]")
    assert chain.unit.name == "number"  # nothing annotated


# -- calling -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "keywords", "error"),
    [
        (
            (1e9, 1e10),
            {"E": 1.7},
            r"chinchilla\(\) needs a value for the free parameter A, B, alpha, beta(?s:.*)give it "
            r"by keyword",
        ),
        ((1e9,), VALUES, r"chinchilla\(\) needs a value for the column D"),
        ((1e9, 1e10), VALUES | {"alhpa": 0.3}, r"chinchilla\(\) got 'alhpa'.*Did you mean 'alpha'"),
        ((1e9, 1e10), VALUES | {"N": 1e9}, r"chinchilla\(\) got 'N' twice"),
        (
            (1e9, 1e10, 1.7),
            VALUES,
            r"takes the columns N, D; 3 positional values were given(?s:.*)parameters by keyword",
        ),
        (
            (1e9, 1e10),
            VALUES | {"E": np.ones(4)},
            r"parameter E has shape \(4,\), which is an ensemble(?s:.*)fit\.predict",
        ),
        (
            (1e9, 1e10),
            VALUES | {"A": np.ones((4, 2))},
            r"parameter A has shape \(4, 2\), which is an ensemble(?s:.*)predict",
        ),
    ],
    ids=["free", "column", "typo", "twice", "positional", "ensemble", "ensemble of two axes"],
)
def test_a_call_refuses(columns, keywords, error):
    with pytest.raises(TypeError, match=error):
        chinchilla(*columns, **keywords)


def test_an_ensemble_fixed_in_a_law_is_refused_when_called():
    with pytest.raises(
        TypeError, match=r"parameter E has shape \(2,\), which is an ensemble(?s:.*)fit\.predict"
    ):
        BOUND.fix(E=[1.6, 1.7])(1e9, 1e10)


def test_a_tied_parameter_is_not_given():
    with pytest.raises(TypeError, match=r"chinchilla\(\) got 'beta' \(beta is tied\)"):
        chinchilla.tie(beta="alpha")(1e9, 1e10, **VALUES)


@pytest.mark.parametrize("t", [[1.0, 2.0], [1.0] * 4, 1.0], ids=["short", "long", "number"])
def test_a_vector_parameter_of_another_length_is_refused(t):
    with pytest.raises((TypeError, ValueError), match=r"scores\(\).*parameter t has shape"):
        scores(2.0, t=t)


@pytest.mark.parametrize(
    ("n", "d", "shape"),
    [
        (1e9, 2e10, ()),
        (10**9, 2 * 10**10, ()),
        (np.float32(1e9), np.int64(2 * 10**10), ()),
        (N, 2e10, (3,)),
        (list(N), 2e10, (3,)),
        (1e9, D, (2, 1)),
        (N, D, (2, 3)),
        (N[:0], 2e10, (0,)),
    ],
    ids=[
        "floats",
        "ints",
        "NumPy scalars",
        "column and scalar",
        "list",
        "scalar and column",
        "grid",
        "empty",
    ],
)
def test_columns_broadcast_and_float64_comes_out_with_x64_off(n, d, shape):
    assert not jax.config.jax_enable_x64
    value = BOUND(n, d)
    assert isinstance(value, np.ndarray if shape else np.float64)
    assert (value.dtype, value.shape) == (np.float64, shape)
    np.testing.assert_allclose(
        value, formula(np.asarray(n, np.float64), np.asarray(d, np.float64), **HOFFMANN), rtol=1e-14
    )
    assert not jax.config.jax_enable_x64


def test_columns_and_parameters_by_keyword():
    expected = formula(N, D, **VALUES)
    np.testing.assert_allclose(chinchilla(N, D, **VALUES), expected, rtol=1e-14)
    np.testing.assert_allclose(chinchilla(D=D, N=N, **VALUES), expected, rtol=1e-14)
    # a fixed value can be overruled for a call
    np.testing.assert_allclose(BOUND(N, D, **VALUES), expected, rtol=1e-14)


def test_columns_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        BOUND(N, np.array([1e9, 1e10]))


@pytest.mark.parametrize(
    ("lead", "n"), [((), 1e9), ((3,), N), ((3,), 1e9), ((2, 1), N), ((2, 3), N)], ids=str
)
def test_a_vector_column_keeps_its_own_axis(lead, n):
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=lead)
    t, alpha = np.array([0.3, -0.2, 1.0]), 0.4
    value = mixture(n, p, t=t, alpha=alpha)
    expected = np.exp(p @ t) * (n / 1e9) ** -alpha
    assert value.shape == expected.shape == np.broadcast_shapes(lead, np.shape(n))
    np.testing.assert_allclose(value, expected, rtol=1e-14)


# -- transformations -----------------------------------------------------------------------------
def test_jit_grad_and_vmap_of_columns():
    slope = -HOFFMANN["alpha"] * HOFFMANN["A"] * N ** (-HOFFMANN["alpha"] - 1)
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.jit(BOUND)(N, D), BOUND(N, D), rtol=1e-13)
        assert isinstance(jax.jit(BOUND)(N, D), jax.Array)
        np.testing.assert_allclose(jax.grad(BOUND)(1e9, 2e10), slope[1], rtol=1e-13)
        np.testing.assert_allclose(jax.vmap(jax.grad(BOUND), (0, None))(N, 2e10), slope, rtol=1e-13)
        np.testing.assert_allclose(jax.vmap(BOUND, (0, None))(N, 2e10), BOUND(N, 2e10), rtol=1e-14)
        np.testing.assert_allclose(jax.vmap(BOUND, (None, 0))(N, D), BOUND(N, D), rtol=1e-14)


def test_grad_and_vmap_of_parameters():
    alphas = np.array([0.2, 0.3, 0.4])
    slope = -VALUES["A"] * np.log(1e9) * 1e9**-alphas
    rest = {k: v for k, v in VALUES.items() if k != "alpha"}

    def by_keyword(alpha):
        return chinchilla(1e9, 2e10, alpha=alpha, **rest)

    def by_fix(alpha):
        return chinchilla.fix(alpha=alpha, **rest)(1e9, 2e10)

    with jax.enable_x64(True):
        for value in (by_keyword, by_fix):
            np.testing.assert_allclose(jax.vmap(jax.grad(value))(alphas), slope, rtol=1e-12)
            np.testing.assert_allclose(
                jax.jit(value)(0.34), formula(1e9, 2e10, **VALUES), rtol=1e-14
            )


def test_the_gradient_of_a_law_is_a_law_of_gradients():
    with jax.enable_x64(True):
        slopes = jax.grad(lambda law: law(1e9, 2e10))(BOUND)
    assert isinstance(slopes, jsl.Law)
    np.testing.assert_allclose(slopes.fixed["E"], 1.0)
    np.testing.assert_allclose(slopes.fixed["A"], 1e9 ** -HOFFMANN["alpha"], rtol=1e-13)


def test_an_ensemble_of_fixed_values_is_mapped():
    with jax.enable_x64(True):
        values = jax.vmap(lambda law: law(1e9, 2e10))(
            chinchilla.fix(**{k: [v, 2 * v] for k, v in HOFFMANN.items()})
        )
    doubled = {k: 2 * v for k, v in HOFFMANN.items()}
    np.testing.assert_allclose(
        values, [formula(1e9, 2e10, **HOFFMANN), formula(1e9, 2e10, **doubled)], rtol=1e-13
    )


@pytest.mark.parametrize("first", [True, False], ids=["x64 on, then off", "x64 off, then on"])
def test_jit_of_a_law_in_one_precision_leaves_the_law_usable_in_the_other(first):
    """JAX keeps the device copy of a NumPy array that a live program closes over, by identity and
    whatever x64 says.
    """
    law = chinchilla.fix(**VALUES)
    expected = formula(1e9, 2e10, **VALUES)
    jitted = jax.jit(law)
    for x64 in (first, not first):
        with jax.enable_x64(x64):
            np.testing.assert_allclose(jitted(1e9, 2e10), expected, rtol=1e-13 if x64 else 1e-5)
            np.testing.assert_allclose(
                jax.jit(lambda law: law(1e9, 2e10))(law), expected, rtol=1e-13 if x64 else 1e-5
            )
        np.testing.assert_allclose(law(1e9, 2e10), expected, rtol=1e-14)


# -- traces --------------------------------------------------------------------------------------
def counting():
    """A jitted function of a law and two columns, and the list that gains an entry whenever it is
    traced.
    """
    traces = []

    @jax.jit
    def value(law, n, d):
        traces.append(law)
        return law(n, d)

    return value, traces


def test_jit_of_a_law_does_not_mistake_one_law_for_another():
    """`jax.jit` keeps programs by the identity of the function: two laws of one key are two
    functions.
    """
    low, high = BOUND.fix(E=1.0), BOUND.fix(E=2.0)
    assert low != high
    with jax.enable_x64(True):
        assert float(jax.jit(high)(1e9, 2e10) - jax.jit(low)(1e9, 2e10)) == pytest.approx(
            1.0, abs=1e-12
        )
        static = jax.jit(lambda law, n: law(n, 2e10), static_argnums=0)
        assert float(static(high, 1e9) - static(low, 1e9)) == pytest.approx(1.0, abs=1e-12)


SAME = {
    "another fixed value": BOUND.fix(E=2.0),
    "a Python int": BOUND.fix(E=2),
    "np.float64": BOUND.fix(E=np.float64(2.0)),
    "np.float32": BOUND.fix(E=np.float32(2.0)),
    "0-d array": BOUND.fix(E=np.array(2.0)),
    "jax scalar": BOUND.fix(E=jnp.float32(2.0)),
    "another published set": chinchilla.published["besiroglu2024"],
    "a new published set": chinchilla.publish(
        "mine", source="here", evidence="none", **VALUES
    ).published["mine"],
    "other start ranges": chinchilla.start(A=(1, 1e7), E=(0.1, 9)).fix(**VALUES),
    "fixed in another order": chinchilla.fix(**dict(reversed(VALUES.items()))),
    "after a pickle": pickle.loads(pickle.dumps(BOUND)),
    "through a tie and back": chinchilla.tie(beta="alpha").fix(**VALUES),
    "through per and back": chinchilla.per(E="family").fix(**VALUES),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_as_arguments_laws_of_one_key_share_a_trace(other):
    value, traces = counting()
    with jax.enable_x64(True):
        for law in (BOUND, other):
            np.testing.assert_allclose(value(law, 1e9, 2e10), law(1e9, 2e10), rtol=1e-13)
    assert len(traces) == 1


DIFFERENT = {
    "another formula": busbridge.fix(gamma=1.0, **HOFFMANN),
    "a tie": chinchilla.fix(**VALUES).tie(beta="alpha"),
    "an ensemble": BOUND.fix(E=[1.0, 2.0]),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_as_arguments_laws_of_another_key_are_traced_again(other):
    traces = []
    value = jax.jit(
        lambda law: (traces.append(law), sum(jnp.sum(v) for v in law.fixed.values()))[1]
    )
    with jax.enable_x64(True):
        value(BOUND)
        value(other)
    assert len(traces) == 2


def test_numeric_calls_of_laws_of_one_key_share_a_program():
    """Outside jit as well: a new coefficient does not compile."""
    # without a value that could be read: a list would be part of the law
    traces = itertools.count()

    @jsl.law
    def counted(x, *, a=positive()):
        next(traces)
        return a * x

    assert [counted.fix(a=a)(3.0) for a in (1.0, 2)] == [3.0, 6.0]
    assert counted(3.0, a=np.float64(4.0)) == 12.0
    seen = next(traces)  # the shape check, one program with `a` fixed, one with `a` given
    assert [counted.fix(a=a)(3.0) for a in (5.0, np.float32(6.0))] == [15.0, 18.0]
    assert counted.start(a=(1, 2))(3.0, a=7) == 21.0
    assert next(traces) == seen + 1


# -- fix -----------------------------------------------------------------------------------------
def test_fix_makes_another_law():
    law = chinchilla.fix(alpha=0.5)
    assert list(law.free) == ["E", "A", "B", "beta"]
    assert "alpha" in chinchilla.free
    rest = {k: v for k, v in VALUES.items() if k != "alpha"}
    np.testing.assert_allclose(law(N, D, **rest), formula(N, D, alpha=0.5, **rest), rtol=1e-14)
    assert law.fix(alpha=0.6).fixed["alpha"] == 0.6
    assert law.fixed["alpha"].dtype == np.float64


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda: chinchilla.fix(alhpa=0.3), TypeError,
         r"chinchilla has no parameter 'alhpa'(?s:.*)Did you mean 'alpha'"),
        (lambda: chinchilla.fix(N=1e9), TypeError,
         r"chinchilla has no parameter 'N'(?s:.*)There is: A, B, E, alpha, beta"),
        (lambda: chinchilla.fix(alpha=np.ones((2, 2))), TypeError,
         r"fix\(alpha=...\): shape \(2, 2\) given, a number expected"),
        (lambda: mixture.fix(t=[1.0, 2.0]), TypeError,
         r"fix\(t=...\): shape \(2,\) given, \(3,\) expected"),
        (lambda: mixture.fix(t=1.0), TypeError, r"fix\(t=...\): shape \(\) given, \(3,\) expected"),
        (lambda: kinds.fix(p=-1.0), ValueError,
         r"fix\(p=-1\.0\): p is positive, it lies in \(0\.0, inf\)"),
        (lambda: kinds.fix(n=1.0), ValueError, r"n is negative, it lies in \(-inf, 0\.0\)"),
        (lambda: kinds.fix(u=1.5), ValueError, r"u is between, it lies in \(0\.0, 1\.0\)"),
        (lambda: kinds.fix(w=-1.5), ValueError, r"w is between, it lies in \(-1, 2\)"),
        (lambda: kinds.fix(r=np.nan), ValueError, r"fix\(r=nan\)"),
        (lambda: kinds.fix(p=[0.5, -0.5]), ValueError, r"p is positive"),
        (lambda: kinds.fix(s=[0.5, 0.9, 0.9]), ValueError, r"fix\(s=.*simplex"),
        (lambda: kinds.fix(s=[0.5, -0.5, 1.0]), ValueError, r"fix\(s=.*simplex"),
    ],
    ids=[
        "unknown", "column", "shape", "short vector", "number for a vector", "positive", "negative",
        "unit", "between", "nan",
        "ensemble", "shares above 1", "negative share",
    ],
)  # fmt: skip
def test_fix_refuses(change, error, message):
    with pytest.raises(error, match=message):
        change()


def test_fix_takes_values_of_every_kind():
    law = kinds.fix(p=2.0, n=-1.0, r=0.0, u=0.5, w=1.5, s=[0.5, 0.3, 0.2])
    assert law(3.0) == pytest.approx(2 * 3 - 1 + 0 + 0.5 + 1.5 + 0.5 - 0.2)


# -- tie -----------------------------------------------------------------------------------------
def test_tie_takes_the_value_of_another():
    law = chinchilla.tie(beta="alpha")
    assert list(law.free) == ["E", "A", "B", "alpha"]
    rest = {k: v for k, v in VALUES.items() if k != "beta"}
    np.testing.assert_allclose(
        law(N, D, **rest), formula(N, D, beta=VALUES["alpha"], **rest), rtol=1e-14
    )
    bound = law.fix(**rest)
    assert bound.params["beta"] == VALUES["alpha"]
    assert bound.fix(beta=0.1).params["beta"] == 0.1  # a fixed value unties
    # a tie replaces a fixed value
    assert BOUND.tie(beta="alpha").params["beta"] == HOFFMANN["alpha"]


def test_a_tied_parameter_adds_to_the_gradient_of_its_master():
    rest = {k: v for k, v in VALUES.items() if k not in ("alpha", "beta")}
    with jax.enable_x64(True):
        slope = jax.grad(lambda a: chinchilla.tie(beta="alpha")(1e9, 2e10, alpha=a, **rest))(0.3)
    expected = -400.0 * np.log(1e9) * 1e9**-0.3 - 1100.0 * np.log(2e10) * 2e10**-0.3
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: chinchilla.tie(beta="gamma"), r"chinchilla has no parameter 'gamma'"),
        (lambda: chinchilla.tie(gamma="beta"), r"chinchilla has no parameter 'gamma'"),
        (
            lambda: chinchilla.tie(beta="beta"),
            r"tie\(beta='beta'\)(?s:.*)tie to a parameter that is not tied itself",
        ),
        (lambda: kinds.tie(p="r"), r"tie\(p='r'\): their supports differ"),
        (lambda: kinds.tie(u="w"), r"tie\(u='w'\): their supports differ"),
        (lambda: kinds.tie(s="r"), r"tie\(s='r'\): their supports differ"),
        (
            lambda: chain.tie(c="b", b="a"),
            r"tie\(c='b'\)(?s:.*)tie to a parameter that is not tied itself",
        ),
        (
            lambda: chain.tie(b="a").tie(c="b"),
            r"tie\(c='b'\)(?s:.*)tie to a parameter that is not tied itself",
        ),
    ],
    ids=[
        "unknown master",
        "unknown parameter",
        "itself",
        "support",
        "edges",
        "shape",
        "chain",
        "chain in two steps",
    ],
)
def test_tie_refuses(change, message):
    with pytest.raises(TypeError, match=message):
        change()


@pytest.mark.parametrize(
    ("first", "second"),
    [({"c": "b"}, {"b": "a"}), ({"a": "b"}, {"b": "c"})],
    ids=["c=b=a", "a=b=c"],
)
def test_tying_a_master_is_refused_or_resolved(first, second):
    """Where others follow a parameter, tying it must either be an error or take the followers
    along.
    """
    try:
        law = chain.tie(**first).tie(**second)
    except TypeError as error:
        assert "tie" in str(error)  # noqa: PT017
        return
    (free,) = law.free
    assert law(2.0, **{free: 3.0}) == 3.0 + 3.0 * 2 + 3.0 * 4


# -- per -----------------------------------------------------------------------------------------
FAMILIES = VALUES | {"E": np.array([1.5, 2.0])}


def test_per_gives_each_group_its_value():
    law = chinchilla.per(E="family")
    codes = np.array([0, 1, 1])
    value = law(N, 2e10, family=codes, **FAMILIES)
    np.testing.assert_allclose(
        value, formula(N, 2e10, **VALUES | {"E": FAMILIES["E"][codes]}), rtol=1e-14
    )
    grid = law(N, D, family=codes, **FAMILIES)
    assert grid.shape == (2, 3)
    assert isinstance(law(1e9, 2e10, family=1, **FAMILIES), np.float64)
    fixed = law.fix(**FAMILIES)
    np.testing.assert_allclose(fixed(N, 2e10, family=codes), value, rtol=1e-15)
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.jit(fixed)(N, 2e10, family=codes), value, rtol=1e-13)
        np.testing.assert_allclose(
            jax.jit(lambda c: fixed(N, 2e10, family=c))(codes), value, rtol=1e-13
        )


def test_per_needs_the_group_column():
    with pytest.raises(TypeError, match=r"chinchilla\(\) needs a value for the column family"):
        chinchilla.per(E="family")(N, 2e10, **FAMILIES)


def test_per_of_a_vector_parameter():
    t = np.array([[0.3, -0.2, 1.0], [0.0, 0.1, 0.2]])
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [1.0, 0.0, 0.0]])
    codes = [1, 0, 1]
    value = mixture.per(t="set")(1e9, p, set=codes, t=t, alpha=0.3)
    np.testing.assert_allclose(value, np.exp(np.sum(p * t[codes], axis=1)), rtol=1e-14)


def test_a_single_value_fixed_ends_per():
    law = chinchilla.per(E="family").fix(E=1.7)
    assert law.groups == ()
    assert "E" not in chinchilla.fix(E=1.7).per(E="family").fixed  # and per frees a fixed parameter


def test_whole_numbers_name_the_group_of_that_label():
    """Labels 1, 2, 3 have the codes 0, 1, 2: a number is the label, traced or not, and never the
    code.
    """
    labels = {"family": ("1", "2", "10")}
    law = chinchilla.per(E="family").fix(**VALUES | {"E": [1.0, 2.0, 3.0]})._note(labels=labels)
    given, want = np.array([2, 10, 1]), np.array([2.0, 3.0, 1.0])
    rest = formula(1e9, 2e10, **VALUES | {"E": 0.0})
    for family in (given, given.astype(float), given.astype(str), list(given)):
        np.testing.assert_allclose(law(1e9, 2e10, family=family) - rest, want, rtol=1e-14)
    with jax.enable_x64(True):
        traced = jax.jit(lambda f: law(1e9, 2e10, family=f))(np.array([2, 10, 1, 0]))
    np.testing.assert_allclose(np.asarray(traced)[:3] - rest, want, rtol=1e-13)
    assert np.isnan(np.asarray(traced)[3])  # no group 0
    with pytest.raises(ValueError, match="no group '0' in 'family'"):
        law(1e9, 2e10, family=0)


def test_whole_number_labels_are_labels_wherever_a_group_is_named():
    rng = np.random.default_rng(0)
    recipe = np.tile([1, 2, 3], 10)
    x = np.exp(rng.uniform(40, 50, 30))
    clean = np.array([0.0, 1.5, 1.8, 2.1])[recipe] + (6e22 / x) ** 0.074
    loss = clean * np.exp(0.003 * rng.standard_normal(30))
    runs = jsl.Runs.from_columns(x=x, loss=loss, groups={"recipe": recipe.astype(float)})
    assert runs.labels == {"recipe": ("1", "2", "3")}
    law = power_law.per(E="recipe").start(x0=(1e15, 1e30))
    fit = jsl.fit(law, runs, objective=jsl.objectives.LogSquared(), starts=8)

    def value(fit, label, x):
        E, x0, alpha = (fit.params[k] for k in ("E", "x0", "alpha"))
        return pytest.approx(float(E[label - 1] + (x0 / x) ** alpha), rel=1e-9)

    assert fit.predict(1e22, recipe=3) == value(fit, 3, 1e22)
    frozen = jsl.forecast(fit, x=1e22, recipe=3)
    assert float(frozen.run.point) == value(fit, 3, 1e22)
    assert frozen.groups == {"recipe": "3"}
    boot = jsl.bootstrap(fit, 20)
    assert np.all(boot.predict(1e22, recipe=3) == boot.predict(1e22, recipe="3"))
    assert float(jsl.uncertainty.prediction_interval(boot, x=1e22, recipe=3).point) == value(
        fit, 3, 1e22
    )
    largest = jsl.forecasts.hindsight(fit)
    assert largest.predicted == value(largest.fit, recipe[np.argmax(x)], x.max())


@pytest.mark.parametrize(
    "codes", [[0, 2, 1], [0, -1, 1], [0, 1.5, 1]], ids=["beyond", "negative", "fraction"]
)
def test_codes_of_no_group_are_refused(codes):
    with pytest.raises((ValueError, IndexError, TypeError), match="family"):
        chinchilla.per(E="family")(N, 2e10, family=codes, **FAMILIES)


def test_labels_before_a_fit_are_refused_with_advice():
    """Only a fitted law knows which label is which group."""
    with pytest.raises((ValueError, TypeError), match="family"):
        chinchilla.per(E="family")(N, 2e10, family=["a", "b", "b"], **FAMILIES)


def test_a_fitted_law_is_called_with_labels():
    C = np.geomspace(1e17, 1e23, 12)
    truth = power_law.per(E="family").fix(E=[0.5, 0.9], x0=6e22, alpha=0.074)
    runs = jsl.Runs.from_columns(
        x=np.tile(C, 2),
        loss=truth(np.tile(C, 2), family=[0] * 12 + [1] * 12),
        groups={"family": ["x"] * 12 + ["y"] * 12},
    )
    law = jsl.fit(
        power_law.per(E="family").start(x0=(1e15, 1e30)),
        runs,
        objective=jsl.objectives.LogSquared(),
        starts=16,
    ).law
    np.testing.assert_allclose(law(1e20, family=["y", "x"]), truth(1e20, family=[1, 0]), rtol=1e-6)
    assert law(1e20, family="y") == law(1e20, family=1)  # no label is a number: it is a code
    with pytest.raises(
        ValueError, match=r"power_law\(\): no group 'z' in 'family'(?s:.*)There is: x, y"
    ):
        law(1e20, family="z")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: chinchilla.per(e="family"), r"chinchilla has no parameter 'e'"),
        (lambda: chinchilla.start(e=(1, 2)), r"chinchilla has no parameter 'e'"),
    ],
    ids=["per", "start"],
)
def test_per_and_start_refuse_what_is_no_parameter(change, message):
    with pytest.raises(TypeError, match=message):
        change()


def tie_then_per(master):
    return chinchilla.tie(beta="alpha").per(**{master: "family"})


def test_a_parameter_follows_a_master_that_differs_by_group():
    values = {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": np.array([0.3, 0.4])}
    value = tie_then_per("alpha")(N, 2e10, family=[0, 1, 1], **values)
    own = np.array([0.3, 0.4, 0.4])
    np.testing.assert_allclose(
        value, formula(N, 2e10, **values | {"alpha": own, "beta": own}), rtol=1e-14
    )


def test_per_of_a_tied_parameter_is_not_ignored():
    """As `fix` does, `per` asks for values of its own: the tie goes, or the contradiction is
    refused.
    """
    try:
        law = tie_then_per("beta")
    except TypeError as error:
        assert "beta" in str(error)  # noqa: PT017
        return
    assert "beta" in law.free


def test_a_tie_of_a_parameter_per_group_is_not_half_a_tie():
    """A tied parameter has no values of its own, per group or otherwise: the group column is not
    asked for.
    """
    try:
        law = chinchilla.per(beta="family").tie(beta="alpha")
    except TypeError as error:
        assert "beta" in str(error)  # noqa: PT017
        return
    rest = {k: v for k, v in VALUES.items() if k != "beta"}
    np.testing.assert_allclose(
        law(N, D, **rest), formula(N, D, beta=VALUES["alpha"], **rest), rtol=1e-14
    )


# -- start ---------------------------------------------------------------------------------------
def test_start_moves_the_range_and_nothing_else():
    law = chinchilla.start(A=(1, 1e7))
    assert (law.free["A"].low, law.free["A"].high) == (1, 1e7)
    assert (chinchilla.free["A"].low, chinchilla.free["A"].high) == (1, 1e5)
    assert law.specs == chinchilla.specs  # ranges take no part in comparison
    # never a bound
    np.testing.assert_allclose(
        law(N, D, **VALUES | {"A": 1e9}), formula(N, D, **VALUES | {"A": 1e9})
    )


@pytest.mark.parametrize(
    ("law", "ranges", "message"),
    [
        (
            chinchilla,
            {"A": (5, 1)},
            r"start range \(5, 1\): the low end must lie below the high end",
        ),
        (chinchilla, {"A": (1, 1)}, r"start range \(1, 1\): the low end"),
        (chinchilla, {"A": (np.nan, 1)}, r"start range \(nan, 1\): the low end"),
        (chinchilla, {"A": (-1, 1)}, r"start range \(-1, 1\) leaves the support \(0\.0, inf\)"),
        (
            chinchilla,
            {"A": (0, 1)},
            r"start range \(0, 1\): 0 is no start for a positive parameter",
        ),
        (kinds, {"u": (0.5, 1.5)}, r"start range \(0\.5, 1\.5\) leaves the support"),
        (kinds, {"n": (-1, 1)}, r"start range \(-1, 1\) leaves the support"),
    ],
)
def test_start_refuses(law, ranges, message):
    with pytest.raises(ValueError, match=message):
        law.start(**ranges)


# -- publish -------------------------------------------------------------------------------------
def test_published_sets_are_bound_laws():
    assert list(chinchilla.published)[:2] == ["hoffmann2022", "besiroglu2024"]
    assert BOUND.free == {}
    assert list(BOUND.params) == ["E", "A", "B", "alpha", "beta"]
    source = {
        "E": np.exp(0.5267228),
        "A": np.exp(6.0073404),
        "B": np.exp(6.0179186),
        "alpha": 0.33917084,
        "beta": 0.2849083,
    }
    # e, a, b as in the TeX source
    np.testing.assert_allclose([HOFFMANN[k] for k in source], list(source.values()), rtol=1e-7)
    np.testing.assert_allclose(BOUND(70e9, 1.4e12), formula(70e9, 1.4e12, **HOFFMANN), rtol=1e-14)


def test_publish_makes_a_new_law():
    law = chinchilla.publish("mine", source="table 3", evidence="none", **VALUES)
    assert list(law.published) == [*chinchilla.published, "mine"]
    assert "mine" not in chinchilla.published
    assert list(law.free) == list(chinchilla.free)
    np.testing.assert_allclose(law.published["mine"](N, D), formula(N, D, **VALUES), rtol=1e-14)
    assert law.published["mine"].notes["source"] == "table 3"


def test_a_published_set_replaces_ties_and_groups():
    law = chinchilla.tie(beta="alpha").per(E="family").published["hoffmann2022"]
    assert {k: float(v) for k, v in law.params.items()} == HOFFMANN
    np.testing.assert_allclose(law(N, D), BOUND(N, D), rtol=1e-15)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"E": 1.7, "A": 400.0}, r"chinchilla.publish\('x'\): B, alpha, beta not given"),
        (VALUES | {"gamma": 1.0}, r"gamma"),
        (VALUES | {"alpha": -0.3}, r"alpha"),
        (VALUES | {"alpha": [0.3, 0.4]}, r"alpha"),
    ],
    ids=["missing", "unknown", "outside", "shape"],
)
def test_publish_refuses_at_once(values, message):
    """Not only when a set is read: one bad entry would spoil every other."""
    with pytest.raises((TypeError, ValueError), match=message):
        chinchilla.publish("x", source="here", evidence="none", **values)


def test_params_of_a_law_that_is_not_bound():
    with pytest.raises(
        TypeError,
        match=r"chinchilla is not bound: A, B, alpha, beta are free(?s:.*)fit it, or "
        r"fix\(...\) them",
    ):
        _ = chinchilla.fix(E=1.7).params


# -- showing and pickling ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("law", "text"),
    [
        (chinchilla, "Law chinchilla(N, D; E, A, B, alpha, beta) -> nats/token"),
        (
            chinchilla.fix(alpha=0.5),
            "Law chinchilla(N, D; E, A, B, alpha (fixed), beta) -> nats/token",
        ),
        (
            chinchilla.tie(beta="alpha"),
            "Law chinchilla(N, D; E, A, B, alpha, beta (= alpha)) -> nats/token",
        ),
        (
            chinchilla.per(E="family"),
            "Law chinchilla(N, D; E (per family), A, B, alpha, beta) -> nats/token",
        ),
        (chinchilla.start(A=(1, 1e7)), "Law chinchilla(N, D; E, A, B, alpha, beta) -> nats/token"),
        (chain, "Law chain(x; c, a, b) -> number"),
    ],
    ids=["free", "fix", "tie", "per", "start", "unitless"],
)
def test_repr(law, text):
    assert repr(law) == text


VARIANTS = {
    "chinchilla": chinchilla,
    "kaplan": kaplan,
    "busbridge": busbridge,
    "power_law": power_law,
    "here": chain,
    "shares": mixture.fix(t=[1.0, 2.0, 3.0]),
    "fixed": chinchilla.fix(alpha=0.5),
    "tied": chinchilla.tie(beta="alpha"),
    "per": chinchilla.per(E="family"),
    "per, fixed": chinchilla.per(E="family").fix(E=[1.0, 2.0]),
    "start": chinchilla.start(A=(1, 1e7)),
    "published": chinchilla.publish("mine", source="here", evidence="none", **VALUES),
    "bound": BOUND,
    "a jax number": chinchilla.fix(alpha=jnp.float32(0.5)),
}


@pytest.mark.parametrize("law", VARIANTS.values(), ids=VARIANTS)
def test_pickle_keeps_everything(law):
    back = pickle.loads(pickle.dumps(law))
    assert back.function is law.function
    assert repr(back) == repr(law)
    assert (back.ties, back.groups, list(back.free)) == (law.ties, law.groups, list(law.free))
    assert {k: (s, s.low, s.high) for k, s in back.specs} == {
        k: (s, s.low, s.high) for k, s in law.specs
    }
    assert {k: np.asarray(v).tolist() for k, v in back.fixed.items()} == {
        k: np.asarray(v).tolist() for k, v in law.fixed.items()
    }
    assert dict(back.notes) == dict(law.notes)
    assert jax.tree.structure(back) == jax.tree.structure(law)  # the same compile key


def test_a_pickled_law_gives_the_same_values():
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(BOUND))(N, D), BOUND(N, D))
    back = pickle.loads(pickle.dumps(VARIANTS["published"]))
    np.testing.assert_array_equal(back.published["mine"](N, D), chinchilla(N, D, **VALUES))


def test_a_local_law_cannot_be_pickled():
    @jsl.law
    def local(x, *, a=positive()):
        return a * x

    with pytest.raises(
        pickle.PicklingError,
        match=r"law local cannot be pickled: .*<locals>.*Define it at the top level of a module",
    ):
        pickle.dumps(local)


def test_a_law_whose_name_now_means_another_cannot_be_pickled(monkeypatch):
    @jsl.law
    def other(x, *, a=positive()):
        return a * x

    old = chain.fix(a=1.0)
    monkeypatch.setattr(sys.modules[__name__], "chain", other)
    with pytest.raises(
        pickle.PicklingError, match=r"law chain cannot be pickled: .*:chain is now another law"
    ):
        pickle.dumps(old)


@pytest.mark.parametrize(
    ("law", "row", "said", "cure"),
    [
        (
            laws.data_mixing,
            {"r": (17,)},
            "'r' has 17 elements per run, parameter t has 3",
            "data_mixing.sized(t=17)",
        ),
        (
            laws.data_mixing_relative.sized(t=17),
            {"r": (17,)},
            "parameter t has 17",
            "data_mixing_relative.sized(t=16)",
        ),
        (
            laws.mixture_additive.sized(C=5),
            {"N": (), "D": (), "h": (5,)},
            "gamma has 3",
            "mixture_additive.sized(gamma=5)",
        ),
        (
            laws.mixture_additive,
            {"N": (), "D": (), "h": (2,)},
            "C has 3, gamma has 3",
            ".sized(C=2, gamma=2)",
        ),
        (
            laws.data_mixing.fix(t=[1.0, 2.0, 3.0]),
            {"r": (2,)},
            "t has 3",
            ".sized(t=2), and as many values for t",
        ),
    ],
)
def test_lengths_that_do_not_go_with_the_table(law, row, said, cure):
    with pytest.raises(jsl.InputError) as error:
        check_lengths(law, row)
    assert said in str(error.value)
    assert cure in str(error.value)


def test_lengths_that_go_with_the_table():
    check_lengths(laws.data_mixing.sized(t=17), {"r": (17,)})
    check_lengths(laws.data_mixing_relative, {"r": (3,)})
    check_lengths(laws.chinchilla, {"N": (), "D": ()})
    check_lengths(laws.broken_power_law.sized(c=2, d=2, f=2), {"x": ()})


# -- what Python would do with one number --------------------------------------------------------
@pytest.mark.parametrize(
    ("formula", "write"),
    [
        (lambda N, *, E=positive(0.5, 3): E if N > 1e9 else 2 * E, "jnp.where"),
        (lambda N, *, E=positive(0.5, 3): max(E, 0.1), "jnp.maximum"),
        (lambda N, *, E=positive(0.5, 3): E + math.log(N), "jnp.log"),
        (lambda N, *, E=positive(0.5, 3): E + np.log(N), "jnp"),
    ],
)
def test_slips_of_python_are_named_with_what_to_write(formula, write):
    with pytest.raises(
        TypeError, match=rf"(?s)law <lambda>, line \d+ of .*test_law\.py.*Change: .*{write}"
    ):
        jsl.law(formula)


def root(x):
    return math.sqrt(x)


def test_slips_in_helpers_vectors_costs_and_limits_are_named_as_well():
    with pytest.raises(
        TypeError, match=r"(?s)in root\(\): 'return math\.sqrt\(x\)'.*jnp\.log\(D\) for math\.log"
    ):
        jsl.law(lambda N, *, E=positive(0.5, 3): E + root(N))

    @jsl.law
    def shares(r: units.Shares, *, E=positive(0.5, 3)):
        return E + max(r)

    with pytest.raises(TypeError, match=r"(?s)law shares, line .*jnp\.maximum"):
        shares(np.array([0.2, 0.8]), E=1.0)
    for given in (
        {"cost": lambda N, D: 6 * N * max(D, 1e9)},
        {"constraints": {"memory": (lambda N: 2 * np.log(N), 80.0)}},
    ):
        write = "maximum" if "cost" in given else r"log\(D\) for np"
        with pytest.raises(
            TypeError, match=rf"(?s)the function <lambda>, line \d+ of .*jnp\.{write}"
        ):
            jsl.allocate(BOUND, 1e21, **given)


def test_other_errors_of_a_formula_say_where():
    def missing(N, *, E=positive(0.5, 3)):
        return E + {}["a"]

    with pytest.raises(KeyError, match="a") as error:
        jsl.law(missing)
    assert "In law missing, line" in error.value.__notes__[0]


def test_a_law_of_a_constant_returns_a_number():
    @jsl.law
    def constant(N, *, E=positive(0.5, 3)):
        return 2.0

    assert constant(1e9, E=1.0) == 2.0


def test_a_law_may_be_asked_whether_it_has_params():
    assert not hasattr(chinchilla, "params")
    assert hasattr(chinchilla.fix(**VALUES), "params")
