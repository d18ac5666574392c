"""Refits: as good as scipy's, honest about what failed, drawn as they should be."""

import jax
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.fitting._resample import WEIGHTED, reweighted, root_key, sampler, uniforms
from jaxscale.laws import chinchilla


def _weights(u, weights, drawn):
    """Weights of one resample of a table of ones."""
    return reweighted(u, WEIGHTED.index("pairs"), weights, drawn, 0)


@pytest.fixture(scope="module")
def boot(hoffmann):
    return jsl.bootstrap(hoffmann, 4000)


@pytest.mark.real
def test_standard_errors_are_epochs(boot):
    """Besiroglu et al. 2024 by their notebook: 4,000 resamples of the same rows. Another random
    stream: 15 %.
    """
    assert boot.ok.mean() >= 0.995
    assert len(boot) == 4000
    for k, se in {"A": 124.5, "B": 1293.0, "E": 0.0257, "alpha": 0.0154, "beta": 0.0206}.items():
        assert abs(boot.params[k].std() / se - 1) < 0.15, (k, boot.params[k].std())


@pytest.mark.real
def test_a_hundred_refits_are_never_worse_than_scipys(boot, hoffmann):
    from scipy.optimize import minimize

    runs = hoffmann.problem.runs
    n, d, y = np.log(runs["N"]), np.log(runs["D"]), np.log(runs["loss"])
    with jax.enable_x64(True):
        drawn = jax.tree.map(jax.numpy.asarray, sampler(np.ones(240)))
        root = root_key(0, 1)
        weights = [
            np.asarray(
                _weights(uniforms(root, np.int32(0), i, np.arange(240)), np.ones(240), drawn)
            )
            for i in range(100)
        ]

    def value_and_gradient(t, w):
        terms = np.stack([t[0] - t[3] * n, t[1] - t[4] * d, np.full_like(n, t[2])])
        top = terms.max(axis=0)
        share = np.exp(terms - top)
        total = share.sum(axis=0)
        r = top + np.log(total) - y
        share = share / total
        psi = w * np.clip(r, -1e-3, 1e-3)
        value = np.sum(w * np.where(np.abs(r) <= 1e-3, 0.5 * r**2, 1e-3 * (np.abs(r) - 5e-4)))
        return 1e6 * value, 1e6 * np.array(
            [*(share * psi).sum(axis=1), -(share[0] * psi * n).sum(), -(share[1] * psi * d).sum()]
        )

    starts = np.array(
        [
            [6.169, 7.670, 0.5973, 0.3473, 0.3672],
            [6.0, 6.0, 0.5267, 0.3392, 0.2849],
            [5.0, 9.0, 0.6, 0.3, 0.45],
        ]
    )
    worst = -1.0
    for i, w in enumerate(weights):
        theirs = min(
            minimize(
                value_and_gradient,
                s,
                args=(w,),
                jac=True,
                method="BFGS",
                options={"gtol": 1e-6, "maxiter": 1000},
            ).fun
            for s in starts
        )
        worst = max(worst, boot.value[i] * 1e6 / theirs - 1)
    assert worst <= 1e-8


@pytest.mark.real
def test_fresh_starts_find_nothing_better(hoffmann, boot):
    guarded = jsl.bootstrap(hoffmann, 100, starts=4)
    assert np.all(guarded.value <= boot.value[:100] * (1 + 1e-9))
    np.testing.assert_allclose(guarded.value, boot.value[:100], rtol=1e-9)


@pytest.mark.real
def test_predictions_and_intervals_of_anything(hoffmann, boot):
    loss = boot.predict(N=70e9, D=1.4e12)
    assert loss.shape == (4000,)
    by_hand = (
        boot.params["E"]
        + boot.params["A"] * 70e9 ** -boot.params["alpha"]
        + boot.params["B"] * 1.4e12 ** -boot.params["beta"]
    )
    np.testing.assert_allclose(loss, by_hand, rtol=1e-13)
    assert boot.predict(N=[1e9, 1e10], D=[[1e11], [1e12], [1e13]]).shape == (4000, 3, 2)
    found = jsl.interval(boot, of=lambda law: law(70e9, 1.4e12), level=0.9)
    np.testing.assert_allclose(
        [found.low, found.median, found.high], np.quantile(by_hand, [0.05, 0.5, 0.95]), rtol=1e-12
    )
    plan = jsl.allocate(boot, 5.76e23)
    via = jsl.interval(boot, of=lambda law: jsl.allocate(law, 5.76e23)["N"])
    np.testing.assert_allclose(
        [via.low, via.median, via.high], list(jsl.interval(plan["N"])), rtol=1e-9
    )


def _numbers(resample, n):
    return uniforms(root_key(2), np.int32(0), resample, np.arange(n))


def test_random_numbers_are_uniform_and_each_its_own():
    """Moments of 400,000 of them; a number depends on its integers alone, and neighbours of any
    kind are unrelated.
    """
    with jax.enable_x64(True):
        draw = jax.vmap(jax.vmap(uniforms, (None, None, 0, None)), (None, 0, None, None))
        u = np.asarray(draw(root_key(5), np.arange(2), np.arange(1000), np.arange(200)))
        alone = np.asarray(uniforms(root_key(5), np.int32(1), 7, np.arange(150, 160)))
    np.testing.assert_array_equal(u[1, 7, 150:160], alone)
    assert u.min() >= 0
    assert u.max() < 1
    se = 1 / np.sqrt(u.size)
    for power in (1, 2, 3):
        assert abs(np.mean(u**power) - 1 / (power + 1)) < 5 * se
    v = u - 0.5
    for a, b in ((v[0], v[1]), (v[:, 1:], v[:, :-1]), (v[:, :, 1:], v[:, :, :-1])):
        assert abs(12 * np.mean(a * b)) < 5 * se * np.sqrt(u.size / a.size)


def test_pairs_weights_are_multinomial():
    """Counts of 20,000 draws: mean 1 per row, variance 1 - 1/n, always n in all; rows of weight 0
    never drawn.
    """
    n = 16
    weights = np.r_[np.ones(12), np.zeros(4)]
    with jax.enable_x64(True):
        drawn = jax.tree.map(jax.numpy.asarray, sampler(weights, None, None))
        w = np.asarray(
            jax.vmap(lambda i: _weights(_numbers(i, n), weights, drawn))(np.arange(20_000))
        )
    assert w.shape == (20_000, n)
    assert np.all(w[:, 12:] == 0)
    assert np.all(w.sum(axis=1) == 12)
    se = np.sqrt((1 - 1 / 12) / 20_000)
    assert np.all(np.abs(w[:, :12].mean(axis=0) - 1) < 5 * se)
    assert np.all(np.abs(w[:, :12].var(axis=0) / (1 - 1 / 12) - 1) < 0.06)


def test_clusters_are_drawn_whole_and_strata_are_kept():
    clusters = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 1])
    strata = np.repeat([0, 1], [6, 10])
    with jax.enable_x64(True):
        drawn = jax.tree.map(jax.numpy.asarray, sampler(np.ones(16), clusters, strata))
        w = np.asarray(
            jax.vmap(lambda i: _weights(_numbers(i, 16), np.ones(16), drawn))(np.arange(500))
        )
    for c in range(6):
        own = w[:, clusters == c]
        assert np.all(own == own[:, :1])
    # one row of each cluster of the first stratum: three clusters, three draws
    first = w[:, [0, 1, 3]].sum(axis=1)
    assert np.all(first == 3)


def test_checkpoints_of_a_run_are_resampled_together():
    rng = np.random.default_rng(3)
    run = np.repeat(np.arange(15), 5)
    N, D = (
        np.repeat(np.geomspace(1e8, 1e10, 15), 5),
        np.tile(np.geomspace(2e9, 2e11, 5), 15) * np.repeat(rng.uniform(0.5, 2, 15), 5),
    )
    shared = np.repeat(0.01 * rng.standard_normal(15), 5)  # noise of the run, not of the checkpoint
    loss = (1.7 + 400 * N**-0.34 + 1100 * D**-0.33) * np.exp(
        shared + 1e-3 * rng.standard_normal(75)
    )
    fit = jsl.fit(chinchilla, jsl.Runs.from_columns(N=N, D=D, loss=loss, run=run))
    boot = jsl.bootstrap(fit, 400)
    assert boot.by == "run"
    assert "15 of up to 5 rows each" in jsl.report(boot)
    rows = jsl.bootstrap(fit, 400, by="rows")
    assert boot.predict(1e10, 2e11).std() > 1.3 * rows.predict(1e10, 2e11).std()
    with pytest.raises(jsl.InputError, match="no such group column"):
        jsl.bootstrap(fit, 10, by="seed")


def test_few_clusters_warn_and_a_bad_fit_warns(simulated):
    runs = simulated.problem.runs
    few = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"], groups={"lab": np.repeat(["a", "b", "c"], 20)}
    )
    with pytest.warns(jsl.JaxscaleWarning, match="fewer than 10"):
        jsl.bootstrap(jsl.fit(chinchilla, few), 20, by="lab")
    public = jsl.fit(chinchilla, jsl.datasets.load("public_models"))
    with pytest.warns(jsl.JaxscaleWarning, match="not OK"):
        boot = jsl.bootstrap(public, 200)
    assert np.mean(boot.status & jsl.Status.AT_BOUND != 0) > 0.5  # flagged, not dropped
    assert len(boot) == 200
    low, _, high = jsl.interval(boot)["E"]
    assert (low, high) == (0.0, np.inf)


def test_seed_and_size(simulated):
    a, b, c = (jsl.bootstrap(simulated, 50, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(a.params["A"], b.params["A"])
    assert np.all(a.params["A"] != c.params["A"])
    longer = jsl.bootstrap(simulated, 200)
    # a lane depends on its integer alone
    np.testing.assert_array_equal(longer.params["A"][:50], a.params["A"])


def test_interval_forms(simulated):
    draws = np.linspace(0, 1, 1001)
    found = jsl.interval({"x": draws, "y": np.stack([draws, 2 * draws], axis=1)}, level=0.8)
    np.testing.assert_allclose(list(found["x"]), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found["y"].high, [0.9, 1.8])
    with_nan = jsl.interval(np.r_[draws, np.nan])
    assert with_nan.failed == 1
    assert "1 failed" in str(with_nan)
    with pytest.raises(ValueError, match="no draw is finite"):
        jsl.interval(np.full(3, np.nan))
    with pytest.raises(TypeError, match="percentiles"):
        jsl.interval(draws, kind="bca")
    with pytest.raises(TypeError, match="already an ensemble"):
        jsl.bootstrap(jsl.bootstrap(simulated, 5), 5)
    with pytest.raises(AttributeError, match="many laws"):
        _ = jsl.bootstrap(simulated, 5).law
