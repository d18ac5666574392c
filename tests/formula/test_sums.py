"""The kernel's sums against automatic differentiation of the whole law, for every law, objective
and kind of parameter.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import LAWS, OBJECTIVES, SHAPES

import jaxscale as jsl
from jaxscale.fitting._starts import amplitudes
from jaxscale.formula._coordinates import layout
from jaxscale.formula._form import evaluate
from jaxscale.formula._jets import Jet
from jaxscale.formula._sums import kernel, per_run, sums
from jaxscale.formula._tape import Formula, Unknown
from jaxscale.units import Number, Shares

LANES, ROWS = 16, 24


@jsl.law
def mixture(
    r: Shares,
    x: Number,
    *,
    c=jsl.positive(0.5, 2),
    k=jsl.positive(0.1, 1),
    t=jsl.real(-1, 1, shape=(3,)),
) -> Number:
    return c + k * jnp.exp(jnp.dot(t, r)) + jnp.max(t) * x


@jsl.law
def shared(
    x: Number, *, w=jsl.simplex(3), s=jsl.negative(-2, -0.1), u=jsl.unit(), a=jsl.between(1, 3)
) -> Number:
    return (
        w[0] + w[1] * x**s + w[2] * jnp.where(x > a, x**u, jnp.log1p(x)) + jax.nn.logsumexp(w * x)
    )


@jsl.law
def branches(x: Number, *, a=jsl.positive(0.5, 2), b=jsl.positive(0.1, 1)) -> Number:
    # branches that depend on nothing
    return 1.0 + a * jnp.where(x**b > 1.5, jnp.where(x > 2 * b, 2.0, 1.0), 0.0) + b * x


@jsl.law
def sorts(x: Number, *, t=jsl.positive(0.1, 2, shape=(3,))) -> Number:
    return jnp.sort(t)[0] + jnp.sort(t)[2] * x


RNG = np.random.default_rng(0)
POSITIVE = np.exp(RNG.uniform(0, 2, ROWS))


@jsl.law
def both(x: Number, *, a=jsl.positive(0.5, 2), u=jsl.positive(1.5, 3)) -> Number:
    late = (x > u) & ~(x > 5.0) | (x > 6.0)  # truths of the columns alone travel with them
    return 1.0 + a * jnp.where(late & (x > 2.0), x**0.3, x / u)


@jsl.law
def constant(x: Number, *, E=jsl.positive(0.5, 2)) -> Number:
    return E


OTHERS = {
    "both": (both, {"x": POSITIVE}),
    "constant": (constant, {"x": POSITIVE}),
    "mixture": (mixture, {"r": RNG.dirichlet(np.ones(3), ROWS), "x": POSITIVE}),
    "shared": (shared, {"x": POSITIVE}),
    "sorts": (sorts, {"x": POSITIVE}),
    "branches": (branches, {"x": POSITIVE}),
    "chinchilla per family": (jsl.laws.chinchilla.per(E="family", alpha="family"), None),
    "chinchilla tied and fixed": (jsl.laws.chinchilla.tie(beta="alpha").fix(E=1.7), None),
}
CASES = {
    name: (law, columns) for name, (law, _, columns) in LAWS.items() if name in SHAPES
} | OTHERS
WHOLE = {"constant"}  # laws with an operation that jets do not know, or that read no column


def setting(name, objective, whole):
    """The kernel of a case, and everything its sums need, for lanes with weights and starts of
    their own.
    """
    law, columns = CASES[name]
    columns = columns or LAWS["chinchilla"][2]
    columns = {c: np.resize(v, (ROWS, *v.shape[1:])) for c, v in columns.items()}
    codes = {
        g: np.arange(ROWS, dtype=np.int32) % 3 for g in dict.fromkeys(dict(law.groups).values())
    }
    lay = layout(law, dict.fromkeys(codes, 3))
    rng = np.random.default_rng(1)
    low, high = lay.each(lambda s: s.start_range[0]), lay.each(lambda s: s.start_range[1])
    x = low + rng.uniform(0.3, 0.7, (LANES, lay.size)) * (high - low)
    found = kernel(law, lay, columns, codes)
    if whole:
        found = dataclasses.replace(found, formula=None)
    table = [v[:, None] for v in found.table(jax.tree.map(jnp.asarray, columns), codes)]
    predicted = np.abs(
        per_run(found, x.T, np.ones(lay.size), [jnp.broadcast_to(v, (ROWS, LANES)) for v in table])[
            0
        ][:, :1]
    )
    target = predicted * np.exp(0.05 * rng.standard_normal((ROWS, 1)))
    weights = rng.poisson(1.0, (ROWS, LANES)).astype(float)
    return found, x.T, np.ones(lay.size), table, target, weights, objective


@pytest.mark.parametrize("name", CASES)
def test_jets_agree_with_automatic_differentiation(name):
    with jax.enable_x64(True):
        ours, theirs = (
            sums(*setting(name, jsl.objectives.LogSquared(), whole), gram=True)
            for whole in (False, True)
        )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * np.max(np.abs(b)))


@pytest.mark.parametrize("name", LAWS)
def test_the_jet_of_every_law_is_that_of_automatic_differentiation(name):
    """At the true parameters of its case, operation by operation: nothing is compiled as
    a whole.
    """
    law, true, columns = LAWS[name]
    own = {c: v[:: len(v) // 5] for c, v in columns.items()}
    with jax.enable_x64(True):
        lay = layout(law, {})
        x = jnp.asarray(lay.pack({k: v for k, v in true.items() if k in law.free}))
        found = kernel(law, lay, own, {})
        assert (found.formula is None) == (name in WHOLE)
        if name in WHOLE:
            return
        table = [jnp.reshape(v, (-1, 1)) for v in found.table(jax.tree.map(jnp.asarray, own), {})]
        jet = found.jet(x[:, None], jnp.ones(len(x)), table)

        def values(u):
            return evaluate(law, jax.tree.map(jnp.asarray, own), lay.unpack(u), {})

        first, second = jax.jacfwd(values)(x), jax.jacfwd(jax.jacfwd(values))(x)
        np.testing.assert_allclose(
            np.broadcast_to(jet.value[:, 0], len(first)), values(x), rtol=1e-12
        )
        for i in range(len(x)):
            ours = np.broadcast_to(jnp.ravel(jet.first.get(i, jnp.zeros(1))), len(first))
            np.testing.assert_allclose(
                ours, first[:, i], rtol=1e-9, atol=1e-11 * np.max(np.abs(first))
            )
            for j in range(i, len(x)):
                ours = np.broadcast_to(jnp.ravel(jet.second.get((i, j), jnp.zeros(1))), len(first))
                np.testing.assert_allclose(
                    ours, second[:, i, j], rtol=1e-8, atol=1e-10 * np.max(np.abs(second))
                )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_has_the_derivatives_of_its_value(name):
    with jax.enable_x64(True):
        ours, theirs = (
            sums(*setting("chinchilla", OBJECTIVES[name], whole)) for whole in (False, True)
        )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * np.max(np.abs(b)))


def test_an_operation_without_a_jet_is_differentiated_as_a_whole():
    with jax.enable_x64(True):
        assert setting("sorts", jsl.objectives.Squared(), False)[0].formula is None
        for name in ("mixture", "shared", "chinchilla per family"):
            assert setting(name, jsl.objectives.Squared(), False)[0].formula is not None
    with pytest.raises(Unknown, match="sort"):
        Formula(lambda c, p: jnp.sort(p["t"])[0], {}, {"t": jax.ShapeDtypeStruct((3,), np.float64)})


def test_structural_zeros_cost_nothing_and_logarithms_are_taken_once():
    """Of the 15 second derivatives of E + A N^-alpha + B D^-beta by A, B, alpha, beta four are not
    0.
    """
    number = jax.ShapeDtypeStruct((), np.float64)
    formula = Formula(
        lambda c, p: p["E"] + p["A"] * c["N"] ** -p["a"] + p["B"] * c["D"] ** -p["b"],
        dict.fromkeys("ND", number),
        dict.fromkeys(["E", "A", "B", "a", "b"], number),
    )
    with jax.enable_x64(True):
        params = {
            k: np.array(Jet(jnp.asarray(v), {i: 1.0}), object)
            for i, (k, v) in enumerate(zip("ABEab", (4.0, 5.0, 1.7, 0.3, 0.4), strict=True))
        }
        features = formula.of_columns(
            {k: np.array(v, object) for k, v in {"N": 9.0, "D": 20.0}.items()}
        )
        np.testing.assert_allclose(sorted(features), np.log([9.0, 20.0]))
        jet = formula(features, formula.of_params(params))
    assert sorted(jet.second) == [(0, 3), (1, 4), (3, 3), (4, 4)]
    np.testing.assert_allclose(jet.value, 1.7 + 4 * 9**-0.3 + 5 * 20**-0.4, rtol=1e-15)


def test_a_power_of_zero_is_zero_and_so_are_its_derivatives():
    """0^a with a > 0: exp(a log 0) would have derivatives 0 times infinity."""

    @jsl.law
    def sparse(S: Number, *, c=jsl.positive(0.5, 2), a=jsl.positive(0.1, 2)) -> Number:
        return c + S**a

    lay = layout(sparse, {})
    with jax.enable_x64(True):
        found = kernel(sparse, lay, {"S": np.zeros(8)}, {})
        table = [v[:, None] for v in found.table({"S": jnp.asarray([0.0, 0.5] * 4)}, {})]
        out = sums(
            found,
            np.zeros((2, 4)),
            np.ones(2),
            table,
            np.ones((8, 1)),
            np.ones((8, 4)),
            jsl.objectives.Squared(),
        )
    np.testing.assert_allclose(out[0], 4 * 0.5 * (0.0 + 0.5**2), rtol=1e-14)
    assert all(np.all(np.isfinite(v)) for v in out)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chinchilla", {"E", "A", "B"}),
        ("power_law", {"E"}),
        ("kaplan", set()),
        ("mixture", {"c", "k"}),
        ("busbridge", {"E"}),
    ],
)
def test_amplitudes_are_read_off_the_jet(name, expected):
    law, columns = CASES[name]
    with jax.enable_x64(True):
        found = amplitudes(kernel(law, layout(law, {}), columns, {}))
    names = layout(law, {}).names({})
    assert {names[i] for i in np.flatnonzero(found)} == expected


def test_lanes_with_tables_of_their_own_get_the_same_sums():
    with jax.enable_x64(True):
        found, x, unit, table, target, weights, objective = setting(
            "chinchilla", jsl.objectives.LogHuber(), False
        )
        alone = sums(found, x, unit, table, target, weights, objective)
        wide = [jnp.broadcast_to(v, (ROWS, LANES)) for v in [*table, target]]
        own = sums(found, x, unit, wide[:-1], wide[-1], weights, objective)
    for a, b in zip(alone, own, strict=True):
        np.testing.assert_array_equal(a, b)
