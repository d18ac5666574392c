"""Lanes on the host and lanes in a compiled block are the same lanes: the same draws, optima and
statuses.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import noisy

import jaxscale as jsl
from jaxscale.fitting import _resample, _run
from jaxscale.laws import chinchilla


def test_random_numbers_are_those_of_jax():
    key = _resample.root_key(7, 1)
    dataset, resample, place = np.array([0, 2, 5]), np.array([0, 1, 3999]), np.arange(40)
    mine = _resample.uniforms_of(key, dataset, resample, place[:, None])
    with jax.enable_x64(True):
        theirs = [
            _resample.uniforms(key, np.uint32(d), np.uint32(r), place)
            for d, r in zip(dataset, resample, strict=True)
        ]
    np.testing.assert_array_equal(mine, np.stack(theirs, 1))


@pytest.mark.parametrize("kind", _resample.KINDS)
def test_resamples_are_those_of_a_block(kind):
    rng = np.random.default_rng(0)
    weights = np.r_[rng.uniform(0.5, 2, 30), 0.0, 0.0]
    clusters, strata = np.repeat(np.arange(8), 4), np.repeat(np.arange(2), 16)
    own = {"fitted": rng.uniform(2, 3, 32), "noise": rng.uniform(0.01, 0.02, 32)}
    fixed = np.arange(32) == 5 if kind in ("pairs", "bayes") else None
    sampler = _resample.sampler(
        weights, *((clusters, strata) if kind == "pairs" else (None, None)), fixed=fixed, **own
    )
    u, lanes = rng.uniform(size=(32, 6)), np.arange(6)
    noisy_kind = kind in _resample.NOISY
    number = (_resample.NOISY if noisy_kind else _resample.WEIGHTED).index(kind)
    with jax.enable_x64(True):
        traced = jax.tree.map(jnp.asarray, sampler)
        if noisy_kind:
            mine = _resample.noised_lanes(u, number, own["fitted"], sampler, True)
            theirs = [_resample.noised(u[:, i], number, own["fitted"], traced, True) for i in lanes]
        else:
            mine = _resample.reweighted_lanes(u, number, weights, sampler, lanes)
            theirs = [_resample.reweighted(u[:, i], number, weights, traced, i) for i in lanes]
    np.testing.assert_allclose(mine, np.stack(theirs, 1), rtol=1e-13)


LAWS = {
    "plain": chinchilla,
    "fixed": chinchilla.fix(alpha=0.34),
    "at an edge": chinchilla.fix(E=0.0),
    "tied": chinchilla.tie(beta="alpha"),
    "tied and fixed": chinchilla.tie(beta="alpha").fix(E=1.7),
    "grouped": chinchilla.per(E="half"),
    "grouped and tied": chinchilla.per(alpha="half").tie(beta="alpha"),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_block_finds_the_same_optimum(name, monkeypatch):
    table = noisy("chinchilla", 0.01)
    half = np.where(np.arange(len(table)) % 2, "odd", "even")
    runs = jsl.Runs.from_columns(
        N=table["N"], D=table["D"], loss=table["loss"], groups={"half": half}
    )
    walked = jsl.fit(LAWS[name], runs, starts=24)
    refits = jsl.bootstrap(walked, 6)
    monkeypatch.setattr(_run, "BULK", 0)
    compiled = jsl.fit(LAWS[name], runs, starts=24)
    assert walked.work.block == 24
    np.testing.assert_allclose(walked.value, compiled.value, rtol=1e-12)
    assert walked.status == compiled.status == 0
    for k, v in compiled.params.items():
        np.testing.assert_allclose(walked.params[k], v, rtol=1e-7, err_msg=k)
    again = jsl.bootstrap(walked, 6)
    np.testing.assert_allclose(refits.value, again.value, rtol=1e-10)
    np.testing.assert_array_equal(refits.status, again.status)


@pytest.mark.parametrize("groups", [1, 4, 13])
def test_a_lone_lane_has_the_bits_that_it_has_among_others(groups):
    """With 5, 8 and 17 coordinates: NumPy sums a lone column otherwise than many."""
    table = noisy("chinchilla", 0.01)
    label = [f"g{i % groups}" for i in range(len(table))]
    runs = jsl.Runs.from_columns(
        N=table["N"], D=table["D"], loss=table["loss"], groups={"group": label}
    )
    law = chinchilla if groups == 1 else chinchilla.per(E="group")
    fit = jsl.fit(law, runs, starts=8)
    many, one = jsl.bootstrap(fit, 150, kind="bayes"), jsl.bootstrap(fit, 1, kind="bayes")
    for k, v in one.params.items():
        np.testing.assert_array_equal(many.params[k][:1], v)
    np.testing.assert_array_equal(many.value[:1], one.value)


def test_tables_longer_than_a_block_of_rows():
    """Sums over 1,300 rows are put together from three calls."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 1300), 10 ** rng.uniform(9, 11.5, 1300)
    runs = jsl.simulate(chinchilla.published["besiroglu2024"], {"N": N, "D": D}, noise=0.01)
    fit = jsl.fit(chinchilla, runs, starts=8)
    assert fit.ok
    half = jsl.fit(
        chinchilla,
        jsl.Runs.from_columns(N=N, D=D, loss=runs["loss"], weights=np.full(1300, 0.5)),
        starts=8,
    )
    np.testing.assert_allclose(half.value, fit.value / 2, rtol=1e-10)
    own = fit.problem.objective(fit.law(N, D), runs["loss"])
    np.testing.assert_allclose(fit.value, np.sum(np.asarray(own, float)), rtol=1e-4)


@jsl.law
def gated(
    N: jsl.units.Params,
    D: jsl.units.Tokens,
    U: jsl.units.Tokens,
    *,
    E=jsl.positive(0.5, 3),
    A=jsl.positive(1, 1e5),
    B=jsl.positive(1, 1e5),
    alpha=jsl.positive(0.05, 1.5),
    beta=jsl.positive(0.05, 1.5),
) -> jsl.units.Nats:
    """With a flag that columns alone decide."""
    return E + A * N**-alpha + jnp.where(D > U, B * D**-beta, 0.0)


def test_flags_of_columns_stay_flags():
    table = noisy("chinchilla", 0.01)
    runs = jsl.Runs.from_columns(N=table["N"], D=table["D"], U=table["D"] / 2, loss=table["loss"])
    fit, plain = jsl.fit(gated, runs, starts=16), jsl.fit(chinchilla, table, starts=16)
    np.testing.assert_allclose(fit.value, plain.value, rtol=1e-9)


def test_more_is_tied_than_can_be_written_out():
    """Fourteen groups of alpha, and beta tied to each: 17 free coordinates of a law that has 31."""
    rng = np.random.default_rng(0)
    N, D, group = 10 ** rng.uniform(7.5, 10, 84), 10 ** rng.uniform(9, 11.5, 84), np.arange(84) % 14
    runs = jsl.simulate(
        chinchilla.fix(E=1.7, A=400.0, B=400.0, alpha=0.33, beta=0.33), {"N": N, "D": D}, noise=0.01
    )
    runs = jsl.Runs.from_columns(
        N=N, D=D, loss=runs["loss"], groups={"g": [f"g{i}" for i in group]}
    )
    fit = jsl.fit(chinchilla.per(alpha="g").tie(beta="alpha"), runs, starts=8)
    assert fit.ok
    np.testing.assert_array_equal(fit.params["alpha"], fit.params["beta"])


def test_a_long_table_with_little_memory_is_compiled():
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 700), 10 ** rng.uniform(9, 11.5, 700)
    runs = jsl.simulate(chinchilla.published["besiroglu2024"], {"N": N, "D": D}, noise=0.01)
    few, many = (
        jsl.fit(chinchilla, runs, starts=8, memory=2**21),
        jsl.fit(chinchilla, runs, starts=8),
    )
    np.testing.assert_allclose(few.value, many.value, rtol=1e-12)


@jsl.law
def stepped(
    x: jsl.units.Number,
    *,
    a=jsl.real(-2, 2),
    b=jsl.positive(0.1, 10),
    k=jsl.positive(1, 40),
    s=jsl.between(0.0, 50.0),
) -> jsl.units.Number:
    return a + b * x * jnp.floor(k) + 0.0 * jnp.floor(s)


@pytest.mark.parametrize("whole", [7.0, 8.0, 20.0, 39.0])
def test_what_is_fixed_is_that_number(whole):
    """exp(ln 7) lies below 7, and the law has a step there."""
    x = np.linspace(-2, 4, 40)
    units = {"x": jsl.units.Number, "y": jsl.units.Number}
    runs = jsl.Runs.from_columns(x=x, y=1 + 2 * x, target="y", units=units)
    fit = jsl.fit(stepped.fix(k=whole, s=3.0), runs, objective=jsl.objectives.Squared(), starts=4)
    np.testing.assert_allclose(fit.params["b"] * whole, 2.0, rtol=1e-8)
    np.testing.assert_allclose(fit.law(x), runs["y"], atol=1e-7)
