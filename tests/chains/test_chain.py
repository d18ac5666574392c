"""Chains against closed forms and brute force, and against worlds whose truth is known."""

import pickle

import jax
import numpy as np
import pytest
from scipy import stats

import jaxscale as jsl
from jaxscale import laws, real, units
from jaxscale.chains._propagate import noise
from jaxscale.fitting._bootstrap import resampling_job
from jaxscale.fitting._evidence import evidence
from jaxscale.fitting._lanes import resample_of
from jaxscale.fitting._resample import KINDS
from jaxscale.fitting._results import grid
from jaxscale.objectives import LogHuber, LogSquared, NegLogLik, Squared
from jaxscale.table._anchors import helpers
from jaxscale.units import Number

SCORE = {"score": units.Fraction}
TRUTH = laws.chinchilla.fix(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


@jsl.law
def line(x: Number, *, a=real(-5, 5), b=real(-5, 5)) -> Number:
    return a + b * x


@jsl.law
def second(y: Number, *, c=real(-5, 5), d=real(-5, 5)) -> Number:
    return c + d * y


@jsl.law
def third(w: Number, *, f=real(-5, 5), g=real(-5, 5)) -> Number:
    return f + g * w


def straight(law, x, y, **groups):
    (column,) = law.columns
    return jsl.fit(
        law,
        jsl.Runs.from_columns(
            **{column: x, "z": y}, target="z", groups=groups, units={"z": Number}
        ),
        objective=Squared(),
        starts=4,
    )


def steps(x, y, at):
    """What each row moves the value of a straight line at `at` by, HC3, and its slope."""
    X = np.stack([np.ones_like(x), x], 1)
    bread = np.linalg.inv(X.T @ X)
    h = np.einsum("ni,ij,nj->n", X, bread, X)
    beta = bread @ X.T @ y
    return ((y - X @ beta) / (1 - h))[:, None] * X @ bread @ np.array([1.0, at]), beta


def lines(n=20, m=20, seed=0, pull=0.0):
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 3, n)
    e = 0.2 * rng.standard_normal(n)
    y = 1 + 0.5 * x + e
    other = y if n == m and pull else np.linspace(1, 3, m)
    z = 2 - 0.7 * other + 0.1 * rng.standard_normal(m) + pull * (e if n == m else 0.0)
    return x, y, other, z


@pytest.mark.parametrize("shared", [True, False])
def test_the_width_of_two_lines_is_the_textbooks(shared):
    x, y, other, z = lines(20, 20 if shared else 14, pull=0.9 if shared else 0.0)
    found = jsl.chain(straight(line, x, y), straight(second, other, z))
    assert found.shared == (20 if shared else 0)
    assert ("counted once" if shared else "independent") in repr(found)
    forecast = found.forecast(x=4.0)
    first, (a, b) = steps(x, y, 4.0)
    value = a + b * 4.0
    last, (c, d) = steps(other, z, value)
    variance = (
        np.sum((d * first + last) ** 2) if shared else np.sum((d * first) ** 2) + np.sum(last**2)
    )
    assert forecast.value == pytest.approx(c + d * value)
    assert found.predict(x=4.0) == pytest.approx(c + d * value)
    np.testing.assert_allclose(forecast.slopes, [d, 1.0])
    np.testing.assert_allclose(
        forecast.alone, [abs(d) * np.sqrt(np.sum(first**2)), np.sqrt(np.sum(last**2))]
    )
    assert forecast.deviation == pytest.approx(np.sqrt(variance))
    one, two = np.sum((d * first) ** 2), np.sum(last**2)
    dof = 18 if shared else variance**2 / (one**2 / 18 + two**2 / 12)
    half = stats.t.ppf(0.975, dof) * np.sqrt(variance)
    np.testing.assert_allclose(
        [forecast.interval.low, forecast.interval.high],
        [c + d * value - half, c + d * value + half],
    )
    np.testing.assert_allclose(np.sum(forecast.shares) == pytest.approx(1.0), not shared)
    noise = [np.sqrt(np.sum(r**2) / (len(r) - 2)) for r in (y - a - b * x, z - c - d * other)]
    new = stats.t.ppf(0.975, dof) * np.sqrt(variance + (d * noise[0]) ** 2 + noise[1] ** 2)
    assert forecast.new.high - forecast.value == pytest.approx(new)
    one = jsl.interval(found.points[0], of=lambda law: law(4.0))
    np.testing.assert_allclose(list(forecast.stages[0]), list(one))


def test_runs_in_common_are_found_by_rows_by_run_and_by_group():
    x, y, other, z = lines(20, 20, pull=0.9)
    names = np.array([f"m{i:02d}" for i in range(20)])
    first = straight(line, x, y, run=names)
    # the same runs in another order
    turned = straight(second, other[::-1], z[::-1], run=names[::-1])
    by_rows = jsl.chain(straight(line, x, y), straight(second, other, z)).forecast(x=4.0)
    by_run = jsl.chain(first, turned)
    assert by_run.shared == 20
    assert by_run.forecast(x=4.0).deviation == pytest.approx(by_rows.deviation)
    part = jsl.chain(first, straight(second, other[5:], z[5:], run=names[5:]))
    assert part.shared == 15
    named = jsl.chain(
        straight(line, x, y, model=names),
        straight(second, other[::-1], z[::-1], model=names[::-1]),
        by="model",
    )
    assert named.forecast(x=4.0).deviation == pytest.approx(by_rows.deviation)
    alone = jsl.chain(first, straight(second, other, z, run=np.char.add("other ", names))).forecast(
        x=4.0
    )
    assert alone.deviation**2 == pytest.approx(np.sum(alone.alone**2))
    assert abs(by_rows.deviation / alone.deviation - 1) > 0.1
    with pytest.raises(jsl.InputError, match=r"(?s)chain\(by='family'\): no such group"):
        jsl.chain(first, turned, by="family")


def test_clusters_are_counted_whole():
    """Checkpoints of a run: its loss stage by the cluster jackknife, a link with one row per run by
    HC3.
    """
    x, y, other, z = lines(24, 24, pull=0.9)
    run = np.repeat([f"r{i}" for i in range(8)], 3)
    first, last = (
        straight(line, x, y, run=run),
        straight(second, other[2::3], z[2::3], run=run[2::3]),
    )
    found = jsl.chain(first, last)
    assert found.kinds == ("cr3", "hc3")
    assert found.shared == 8
    forecast = found.forecast(x=4.0)
    c, d = (last.params[k] for k in "cd")
    moved = []
    for r in np.unique(run):
        kept = run != r
        slope, constant = np.polyfit(x[kept], y[kept], 1)
        moved.append(d * (constant + 4 * slope - first.law(4.0)) * np.sqrt(7 / 8))
    own, _ = steps(other[2::3], z[2::3], float(first.law(4.0)))
    # the jackknife gives what leaving a run out does, and so does the HC3 step: both point away
    # from the run
    assert forecast.deviation == pytest.approx(
        np.sqrt(np.sum((np.array(moved) - own) ** 2))
    ) or forecast.deviation == pytest.approx(np.sqrt(np.sum((np.array(moved) + own) ** 2)))
    assert c == pytest.approx(np.polyfit(other[2::3], z[2::3], 1)[1])


def test_steps_of_clusters_go_to_their_own_units_beside_a_helper():
    """Runs a-f and u-z, twice each, in a link whose helper's label lies between them; the first
    table has no `run`.
    """
    x, y, other, z = lines(20, 24)
    run = np.repeat(list("abcdefuvwxyz"), 2)
    z = z + 0.3 * np.repeat(np.random.default_rng(7).standard_normal(12), 2)
    table = jsl.Runs.from_columns(
        y=other, z=z, target="z", units={"z": Number}, groups={"run": run}
    )
    helped = table.with_helper(3.0)  # far from the line: its own step is no small one
    link = jsl.fit(second, helped, objective=Squared(), starts=4)
    forecast = jsl.chain(straight(line, x, y), link).forecast(x=4.0)
    at = float(forecast.stages[0].point)
    X, target = np.stack([np.ones(25), helped["y"]], 1), np.asarray(helped.target)
    label, moved = helped["run"], []
    for one in np.unique(run):  # the helper has no step
        kept = label != one
        moved.append(np.linalg.lstsq(X[kept], target[kept])[0] @ [1.0, at] - float(link.law(at)))
    assert forecast.alone[1] == pytest.approx(np.sqrt(np.sum(np.square(moved)) * 12 / 13), rel=1e-6)


def test_refits_of_shared_runs_stay_together_and_others_do_not():
    x, y, other, z = lines(40, 40, pull=0.9)
    first, last = straight(line, x, y), straight(second, other, z)
    boots = [jsl.bootstrap(f, 2_000) for f in (first, last)]
    shared = jsl.chain(*boots).forecast(x=4.0)
    exact = jsl.chain(first, last).forecast(x=4.0)
    # of 2,000 draws: 3 %, and HC3 is the wider one
    assert shared.deviation == pytest.approx(exact.deviation, rel=0.15)
    # tables of equal length and equal seeds, of other runs: draws are the same resamples, and must
    # not be matched
    elsewhere = straight(second, other + 1e-6, z)
    apart = jsl.chain(boots[0], jsl.bootstrap(elsewhere, 2_000)).forecast(x=4.0)
    assert apart.deviation**2 == pytest.approx(np.sum(apart.alone**2), rel=0.1)
    assert abs(shared.deviation / apart.deviation - 1) > 0.1
    with pytest.raises(jsl.InputError, match=r"(?s)seed 0.*seed 1.*same seed"):
        jsl.chain(boots[0], jsl.bootstrap(last, 2_000, seed=1))
    with pytest.raises(jsl.InputError, match=r"(?s)a single fit, 2000 refits.*bootstrap"):
        jsl.chain(first, boots[1])
    assert jsl.chain(*boots).predict(x=[4.0, 5.0]).shape == (2_000, 2)


def test_later_stages_that_share_their_runs_stay_together():
    """Stages 2 and 3 rest on the same 20 runs, of which stage 1 has none: draws belong together in
    2 and 3 only.
    """
    x, y, _, _ = lines(20)
    rng = np.random.default_rng(1)
    other, e = np.linspace(1, 3, 20), 0.1 * rng.standard_normal(20)
    z = 2 - 0.7 * other + e
    w = 1 + z + 2 * e + 0.03 * rng.standard_normal(20)
    fits = [straight(line, x, y), straight(second, other, z), straight(third, z, w)]
    found = jsl.chain(*(jsl.bootstrap(f, 1_000) for f in fits))
    assert found.shared == 20
    assert "20 runs in common, drawn together" in repr(found)
    one, two, three = (
        f.params[a] + f.params[b] * at
        for f, a, b, at in zip(found.stages, "acf", "bdg", (1.5, 2.0, 0.6), strict=True)
    )
    alone = [jsl.bootstrap(f, 1_000) for f in fits[1:]]
    paired = np.corrcoef(
        alone[0].params["c"] + 2 * alone[0].params["d"],
        alone[1].params["f"] + 0.6 * alone[1].params["g"],
    )
    assert abs(paired[0, 1]) > 0.5
    assert np.corrcoef(two, three)[0, 1] == pytest.approx(paired[0, 1])
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(1_000)


def ladder(seed, n=40, top=1.0, noise=0.01):
    """A sweep, scores of the same runs, and the score of models at 10 and 100 times the largest of
    them.
    """
    rng = np.random.default_rng([11, seed])
    C, ratio = (
        np.exp(rng.uniform(np.log(1e18), np.log(1e21), n)),
        np.exp(rng.uniform(np.log(5), np.log(80), n)),
    )
    N = np.sqrt(C / 6 / ratio)
    loss = TRUTH(N, C / 6 / N) * np.exp(0.005 * rng.standard_normal(n))
    link = laws.accuracy_above_chance.fix(
        k=rng.uniform(3, 8), x0=rng.uniform(2.1, 2.8), chance=0.25, top=top
    )
    score = np.clip(link(loss) + noise * rng.standard_normal(n), 0, 1)
    big = np.sqrt(np.array([1e22, 1e23]) / 120)
    sweep = jsl.Runs.from_columns(N=N, D=C / 6 / N, loss=loss)
    scores = jsl.Runs.from_columns(L=loss, score=score, target="score", units=SCORE)
    return sweep, scores, {"N": big, "D": 20 * big}, link(TRUTH(big, 20 * big))


@pytest.fixture(scope="module")
def worlds():
    made = [ladder(k) for k in range(40)]
    losses = jsl.fit(laws.chinchilla, [w[0] for w in made], objective=LogSquared(), starts=8)
    law = laws.accuracy_above_chance.fix(chance=0.25, top=1.0)
    return made, losses, jsl.fit(law, [w[1] for w in made], objective=Squared(), starts=4)


def test_intervals_hold_a_simulated_truth(worlds):
    """40 worlds: at a coverage of 93 % fewer than 32 hold the truth in 1 of 1,000 studies, by the
    binomial distribution.
    """
    made, losses, links = worlds
    held = np.zeros(2)
    for k, (_, _, columns, truth) in enumerate(made):
        low, _, high = jsl.chain(losses[k], links[k]).forecast(**columns).interval
        held += (low <= truth) & (truth <= high)
    assert stats.binom.cdf(31, 40, 0.93) < 2e-3
    assert np.all(held >= 32)


def test_a_forecast_says_what_it_rests_on(worlds):
    _, losses, links = worlds
    found = jsl.chain(losses[0], links[0])
    text = repr(found.forecast(N=1e11, D=2e12))
    assert text.startswith("forecast at N=1e+11, D=2e+12\n  chinchilla ")
    for part in (
        "nats/token; slope of the metric -",
        "of the variance",
        "40 runs are in both stages",
        "one new model",
    ):
        assert part in text
    assert "is asked at L =" in text
    assert "its runs have" in text
    many = found.forecast(N=[1e9, 1e11], D=2e12)
    assert repr(many).startswith(
        "<ChainForecast chinchilla -> accuracy_above_chance: Interval of shape (2,), 95% "
    )
    assert f"  [1]  {many.value[1]:.4g} (" in repr(many)
    np.testing.assert_allclose(many.interval.high[1], found.forecast(N=1e11, D=2e12).interval.high)
    assert np.all(many.new.high <= 1.0)
    with pytest.raises(TypeError, match="needs a value for the column D"):
        found.predict(N=1e9)
    with pytest.raises(TypeError, match="knows no column 'C'"):
        found.predict(N=1e9, D=1e10, C=6e19)
    with pytest.raises(ValueError, match="level=95"):
        found.forecast(N=1e9, D=1e10, level=95)


def test_three_stages_with_a_task_per_group():
    """N, D to a loss, to another loss, to the accuracy of one of two tasks."""
    rng = np.random.default_rng(5)
    N, D = np.exp(rng.uniform(18, 23, 60)), np.exp(rng.uniform(22, 26, 60))
    loss = TRUTH(N, D) * np.exp(0.003 * rng.standard_normal(60))
    there = laws.loss_to_loss.fix(K=0.9, kappa=1.1, E0=1.5, E1=1.2)
    other = there(loss) * np.exp(0.003 * rng.standard_normal(60))
    task = np.tile(["arc", "piqa"], 30)
    truth = laws.accuracy_above_chance.per(k="task", x0="task", chance="task").fix(
        k=[4.0, 6.0], x0=[2.0, 2.2], chance=[0.25, 0.5], top=1.0
    )
    score = truth(other, task=np.tile([0, 1], 30)) + 0.005 * rng.standard_normal(60)
    tables = [
        jsl.Runs.from_columns(N=N, D=D, loss=loss),
        jsl.Runs.from_columns(L0=loss, loss=other, units={"L0": units.Nats}),
        jsl.Runs.from_columns(
            L=other, score=score, target="score", groups={"task": task}, units=SCORE
        ),
    ]
    link = laws.accuracy_above_chance.per(k="task", x0="task", chance="task").fix(
        chance=[0.25, 0.5], top=1.0
    )
    fits = [
        jsl.fit(laws.chinchilla, tables[0], objective=LogSquared(), starts=16),
        jsl.fit(laws.loss_to_loss.fix(E0=1.5, E1=1.2), tables[1], objective=LogSquared(), starts=8),
        jsl.fit(link, tables[2], objective=Squared(), starts=8),
    ]
    found = jsl.chain(*fits)
    assert found.columns == ("N", "D", "task")
    assert found.shared == 60
    forecast = found.forecast(N=1e11, D=2e12, task=["arc", "piqa"])
    expected = truth(there(TRUTH(1e11, 2e12)), task=[0, 1])
    assert np.all((forecast.interval.low <= expected) & (expected <= forecast.interval.high))
    by_hand = fits[2].law(fits[1].law(fits[0].law(1e11, 2e12)), task=["arc", "piqa"])
    np.testing.assert_allclose(forecast.value, by_hand)
    h = 1e-5
    slope = (fits[2].law(fits[1].law(fits[0].law(1e11, 2e12) + h), task="piqa") - by_hand[1]) / h
    assert forecast.slopes[0, 1] == pytest.approx(slope, rel=1e-3)
    assert len(forecast.stages) == 3


# -- units ---------------------------------------------------------------------------------------
def test_a_loss_per_byte_is_none_per_token(worlds):
    made, losses, links = worlds
    _, scores, columns, _ = made[0]
    bits = jsl.Runs.from_columns(
        L=scores["L"] / np.log(2),
        score=scores["score"],
        target="score",
        units=SCORE | {"L": units.Bits},
    )
    law = laws.accuracy_above_chance.fix(chance=0.25, top=1.0)
    as_bits = jsl.fit(law, bits, objective=Squared(), starts=4)
    np.testing.assert_allclose(
        jsl.chain(losses[0], as_bits).predict(**columns),
        jsl.chain(losses[0], links[0]).predict(**columns),
        rtol=1e-9,
    )
    per_byte = jsl.Runs.from_columns(
        L=units.bits_per_byte(scores["L"], 4.3),
        score=scores["score"],
        target="score",
        units=SCORE | {"L": units.BitsPerByte},
    )
    link = jsl.fit(law, per_byte, objective=Squared(), starts=4)
    with pytest.raises(
        jsl.InputError,
        match=r"(?s)gives nats/token, L of accuracy_above_chance is bits/byte.*bytes_per_token",
    ):
        jsl.chain(losses[0], link)
    sweep = made[0][0]
    same = jsl.Runs.from_columns(
        N=sweep["N"],
        D=sweep["D"],
        loss=units.bits_per_byte(sweep["loss"], 4.3),
        units={"loss": units.BitsPerByte},
    )
    loss = jsl.fit(laws.chinchilla, same, objective=LogSquared(), starts=8)
    there = jsl.chain(loss, link)
    assert there.shared == 40
    np.testing.assert_allclose(
        there.predict(**columns), jsl.chain(losses[0], links[0]).predict(**columns), rtol=1e-6
    )
    assert "bits/byte; slope" in repr(there.forecast(N=1e10, D=2e11))
    np.testing.assert_allclose(
        units.nats_per_token(units.bits_per_byte(2.5, [3.9, 4.3]), [3.9, 4.3]), 2.5
    )
    with pytest.raises(ValueError, match="bytes_per_token=0"):
        units.bits_per_byte(2.5, 0)


def test_losses_per_token_of_two_tokenizers_are_refused():
    x, y, other, z = lines(20, 20, pull=0.9)
    first = jsl.Runs.from_columns(x=x, loss=y, groups={"tokenizer": ["gpt2"] * 20})
    link = jsl.Runs.from_columns(
        y=other,
        z=z,
        target="z",
        groups={"tokenizer": ["llama"] * 20},
        units={"y": units.Nats, "z": Number},
    )
    fits = [
        jsl.fit(law, runs, objective=Squared(), starts=4)
        for law, runs in ((line, first), (second, link))
    ]
    with pytest.raises(jsl.InputError, match=r"(?s)tokenizers gpt2, llama.*bits_per_byte"):
        jsl.chain(*fits)


# -- helpers, noise, likelihoods -----------------------------------------------------------------
def test_a_helper_point_is_in_every_refit_and_adds_no_width(worlds):
    made, losses, _ = worlds
    _, scores, columns, _ = made[1]
    helped = scores.with_helper(0.97, weight=100.0)
    assert len(helped) == 41
    assert helpers(helped).sum() == 1
    assert "1 helper point added: score 0.97 at L = 1e-06, of weight 100" in helped.remarks
    link = jsl.fit(
        laws.accuracy_above_chance.fix(chance=0.25), helped, objective=Squared(), starts=8
    )
    assert link.params["top"] == pytest.approx(0.97, abs=0.01)
    boot = jsl.bootstrap(link, 300)
    # dropped in one of three refits, it would be anywhere
    assert np.all(np.abs(boot.params["top"] - 0.97) < 0.03)
    found = jsl.chain(losses[1], link)
    assert found.shared == 40
    assert any("1 helper point taken as given" in r for r in found.remarks)
    fixed = jsl.fit(
        laws.accuracy_above_chance.fix(chance=0.25, top=0.97), scores, objective=Squared(), starts=4
    )
    own, other = found.forecast(**columns), jsl.chain(losses[1], fixed).forecast(**columns)
    np.testing.assert_allclose(own.value, other.value, atol=0.01)
    np.testing.assert_allclose(own.deviation, other.deviation, rtol=0.5)
    assert jsl.chain(jsl.bootstrap(losses[1], 300), boot).shared == 40
    tasks = jsl.Runs.from_columns(
        L=scores["L"],
        score=scores["score"],
        target="score",
        groups={"task": np.tile(["a", "b"], 20)},
        units=SCORE,
    )
    assert list(tasks.with_helper(per="task")["task"][-2:]) == ["a", "b"]
    with pytest.raises(jsl.InputError, match=r"(?s)columns N, D.*from_columns\(L=loss"):
        made[1][0].with_helper()
    with pytest.raises(jsl.InputError, match="has its helper points"):
        helped.with_helper()
    with pytest.raises(jsl.InputError, match="loss=0"):
        scores.with_helper(loss=0.0)


def resamples(fit, kind, by):
    """Weights and targets (n, 64) of resamples, as the refits see them."""
    job = resampling_job(grid(fit), [by], kind, 64, 1, 0)
    with jax.enable_x64(True):
        weights, target, _, _ = resample_of(job, jax.numpy.arange(64))
    return np.asarray(weights), np.asarray(target)


@pytest.mark.parametrize(
    ("kind", "by"),
    [*((k, "rows") for k in KINDS), *((k, "task") for k in KINDS if k != "parametric")],
)
def test_every_kind_of_resample_keeps_helper_points_as_they_are(kind, by):
    x, y, _, _ = lines(40)
    task = np.tile([f"t{i}" for i in range(10)], 4)
    plain = jsl.Runs.from_columns(
        y=x + 0.1, z=y, target="z", units={"z": Number}, groups={"task": task}
    )
    helped = plain.with_helper(0.8, weight=10.0, per="task")
    fits = [jsl.fit(second, t, objective=Squared(), starts=4) for t in (plain, helped)]
    (weights, _), (own, others) = (resamples(f, kind, by) for f in fits)
    if kind in ("pairs", "bayes"):
        np.testing.assert_array_equal(own[40:50], 10.0)
        # runs are drawn as if there were no helper
        np.testing.assert_allclose(own[:40], weights[:40], rtol=1e-14)
        np.testing.assert_allclose(own[:40].sum(0), 40.0)
    else:
        noise = (
            others
            - np.asarray(fits[1].law(np.append(helped["y"], np.full(len(others) - 50, 1.0))))[
                :, None
            ]
        )
        np.testing.assert_allclose(noise[40:50], 0.0, atol=1e-12)
        assert np.all(np.std(noise[:40], axis=1) > 0)
        if kind == "parametric":  # the size of the noise is that of runs
            residual = y - fits[1].law(helped["y"][:40])
            # of 2,560 numbers: 4 SE
            assert np.std(noise[:40]) == pytest.approx(np.sqrt(np.sum(residual**2) / 38), rel=0.06)


def test_a_helper_point_is_no_run_in_the_noise_of_new_models():
    """On the line that runs lie about, a helper changes no fit; its weight and its own residual of
    0 are no noise of runs.
    """
    x, y, other, z = lines(20, 14)
    first, law, columns = straight(line, x, y), second, {"units": {"z": Number}, "target": "z"}
    plain = straight(law, other, z)
    c, d = (float(plain.params[k]) for k in "cd")
    table = jsl.Runs.from_columns(y=other, z=z, **columns)
    sd = np.sqrt(np.sum((z - c - d * other) ** 2) / 12)
    for weight in (1.0, 10.0, 100.0):
        helped = table.with_helper(c + d * 1e-6, weight=weight)
        link = jsl.fit(law, helped, objective=Squared(), starts=4)
        e = evidence(link)
        assert e.spare == 12
        assert e.precision[e.real].mean() == pytest.approx(1.0)
        np.testing.assert_allclose(noise([e], np.array([[1.2, 0.8]])), [[sd, sd]], rtol=1e-6)
        found = jsl.uncertainty.prediction_interval(link, 2.0)
        alone = jsl.interval(link, of=lambda law: law(2.0))
        variances = [((i.high - i.low) / 2 / stats.t.ppf(0.975, 12)) ** 2 for i in (found, alone)]
        assert variances[0] - variances[1] == pytest.approx(sd**2)
        # models differ by less than noise, of which a degree of freedom for the helper would make
        # less
        remark = next(r for r in jsl.chain(first, flat_link(weight)).remarks if "of its noise" in r)
        assert remark == next(
            r for r in jsl.chain(first, flat_link(None)).remarks if "of its noise" in r
        )


def flat_link(weight):
    """A line with noise of its own size through 8 runs, with a helper on it."""
    x = np.linspace(1, 3, 8)
    z = 1.0 + 0.1 * x + np.array([1, -1, -1, 1, 1, -1, -1, 1]) * 0.1
    table = jsl.Runs.from_columns(y=x, z=z, target="z", units={"z": Number})
    if weight is not None:
        slope, constant = np.polyfit(x, z, 1)
        table = table.with_helper(constant + slope * 1e-6, weight=weight)
    return jsl.fit(second, table, objective=Squared(), starts=4)


def test_a_best_score_at_its_edge_has_no_narrow_interval(worlds):
    """The top is .85 in truth, no run shows it, and the fit puts it at 1: unless that is said to be
    meant, nothing is known.
    """
    sweep, scores, columns, _ = ladder(3, top=0.85)
    loss = jsl.fit(laws.chinchilla, sweep, objective=LogSquared(), starts=8)
    law = laws.accuracy_above_chance.fix(chance=0.25)
    link = jsl.fit(law, scores, objective=Squared(), starts=8)
    assert link.certificate.at_bound == ("top",)
    forecast = jsl.chain(loss, link).forecast(**columns)
    np.testing.assert_allclose([forecast.interval.low, forecast.interval.high], [[0, 0], [1, 1]])
    assert np.all(np.isfinite(forecast.stages[0].high))
    assert np.all(np.isinf(forecast.alone[1]))
    assert any("top runs to 1" in r for r in forecast.remarks)
    with pytest.warns(jsl.JaxscaleWarning, match="AT_BOUND"):
        boots = [jsl.bootstrap(f, 200) for f in (loss, link)]
    drawn = jsl.chain(*boots).forecast(**columns)
    np.testing.assert_allclose([drawn.interval.low, drawn.interval.high], [[0, 0], [1, 1]])
    meant = jsl.fit(law, scores.with_helper(), objective=Squared(), starts=8)
    assert meant.certificate.at_bound == ("top",)
    assert np.all(
        np.diff(np.stack(list(jsl.chain(loss, meant).forecast(**columns).interval)[::2]), axis=0)
        < 0.1
    )


@pytest.mark.real
def test_a_dead_sigmoid_has_no_interval_of_width_0(worlds):
    """OpenBookQA has scores below its chance of 1/4: held there, the curve is that constant, and
    knows nothing.
    """
    _, losses, _ = worlds
    scores = jsl.datasets.load("cerebras_pythia", rows="scores")
    own = scores.where(
        (scores["task"] == "openbookqa")
        & np.char.startswith(scores["family"], "Cerebras")
        & (scores["L"] > 1.6)
    )
    link = jsl.fit(
        laws.accuracy_above_chance.fix(chance=0.25, top=1.0), own, objective=Squared(), starts=8
    )
    assert not link.ok
    forecast = jsl.chain(losses[0], link).forecast(N=1e9, D=2e10)
    assert list(forecast.interval)[::2] == [0.0, 1.0]
    assert any("too little to predict" in r for r in forecast.remarks)


def test_tasks_that_are_mostly_noise_are_named(worlds):
    made, losses, links = worlds
    rng = np.random.default_rng(2)
    model, step = np.repeat([f"m{i}" for i in range(6)], 10), np.tile(np.arange(10), 6)
    level = np.repeat(np.linspace(0.3, 0.6, 6), 10)
    tables = {
        "good": level + 0.01 * rng.standard_normal(60),
        "noisy": 0.4 + 0.02 * rng.standard_normal(60),
    }
    checkpoints = jsl.Runs.from_columns(
        step=np.tile(step, 2),
        score=np.concatenate(list(tables.values())),
        target="score",
        groups={"run": np.tile(model, 2), "task": np.repeat(list(tables), 60)},
        units=SCORE,
    )
    found = jsl.selection.task_signal(checkpoints, last=5)
    assert found.weak == ("noisy",)
    assert "too little to predict" in repr(found).splitlines()[1]
    last = tables["good"].reshape(6, 10)[:, -5:]
    own = laws.signal_to_noise(last[:, -1], last)
    assert found.snr["good"] == pytest.approx(
        float(own["signal"] / np.sqrt(np.mean(own["noise"] ** 2)))
    )
    chain = jsl.chain(losses[0], links[0], checkpoints=checkpoints)
    assert any(r.startswith("noisy: variance between models") for r in chain.remarks)
    assert not any(r.startswith("good") for r in chain.remarks)
    flat = jsl.Runs.from_columns(
        L=made[0][1]["L"], score=0.5 + 0.05 * rng.standard_normal(40), target="score", units=SCORE
    )
    link = jsl.fit(
        laws.accuracy_above_chance.fix(chance=0.25, top=1.0), flat, objective=Squared(), starts=8
    )
    assert any(
        "of its noise: too little to predict" in r for r in jsl.chain(losses[0], link).remarks
    )
    with pytest.raises(jsl.InputError, match=r"(?s)no group column 'task'.*groups="):
        jsl.selection.task_signal(made[0][1])


def checkpoints_of(rng, models, level, count=5):
    """A table of 400 tasks at once, `models` with `count` checkpoints each: `level` (models,) plus
    noise of .02.
    """
    score = 0.5 + np.reshape(level, (1, -1, 1)) + 0.02 * rng.standard_normal((400, models, count))
    task, run, step = (
        v.ravel()
        for v in np.meshgrid(np.arange(400), np.arange(models), np.arange(count), indexing="ij")
    )
    groups = {"task": np.char.add("t", task.astype(str)), "run": np.char.add("m", run.astype(str))}
    return jsl.Runs.from_columns(
        step=step + 1, score=score.ravel(), target="score", groups=groups, units=SCORE
    )


@pytest.mark.parametrize("models", [5, 10, 20, 40])
def test_pure_noise_is_no_signal_however_many_models_there_are(models):
    """400 tasks: at a rate of 98 %, fewer than 380 flagged in 1 of 2,000 studies."""
    rng = np.random.default_rng(models)
    noise = jsl.selection.task_signal(checkpoints_of(rng, models, np.zeros(models)))
    assert stats.binom.cdf(379, 400, 0.98) < 5e-4
    assert len(noise.weak) >= 380
    level = 0.06 * (np.arange(models) - (models - 1) / 2) / np.std(np.arange(models), ddof=1)
    clear = jsl.selection.task_signal(checkpoints_of(rng, models, level))
    assert clear.weak == ()
    # .06 against .02, squared
    assert np.mean(list(clear.variance.values())) == pytest.approx(9.0, rel=0.15)
    if models == 40:  # the ratio as published would call nearly all of them clear
        assert np.mean(np.array(list(noise.snr.values())) > np.sqrt(12)) > 0.9


@pytest.fixture(scope="module")
def rates():
    """Success rates of 200 problems, from 100 samples of each, twenty times."""
    rng, problem = np.random.default_rng(3), {"problem": [f"p{i}" for i in range(200)]}
    counts = [rng.binomial(100, rng.beta(0.4, 3.0, 200)).astype(float) for _ in range(20)]
    tables = [
        jsl.Runs.from_columns(n=np.full(200, 100.0), c=c, target=None, groups=problem)
        for c in counts
    ]
    return jsl.fit(laws.beta_binomial, tables, objective=NegLogLik(), starts=8)


def test_what_is_no_stage_is_refused(worlds, rates):
    _, losses, links = worlds
    with pytest.raises(
        jsl.InputError, match=r"(?s)beta_binomial was fitted as a likelihood.*interval\(boot"
    ):
        jsl.chain(losses[0], rates[0])
    with pytest.raises(TypeError, match="at least one link"):
        jsl.chain(losses[0])
    with pytest.raises(TypeError, match="a fit or an ensemble, not Law"):
        jsl.chain(losses[0], laws.accuracy_from_loss)
    with pytest.raises(TypeError, match="takes one table"):
        jsl.chain(losses, links[0])


def test_narrow_deltas_are_refitted():
    sweep, scores, columns, _ = ladder(3)
    loss = jsl.fit(laws.chinchilla, sweep, objective=LogHuber(1e-3), starts=32)
    link = jsl.fit(
        laws.accuracy_above_chance.fix(chance=0.25, top=1.0), scores, objective=Squared(), starts=4
    )
    found = jsl.chain(loss, link)
    assert found.kinds == ("percentile", "percentile")
    assert "drawn together" in repr(found)
    assert found.stages[0].drawn == found.stages[1].drawn
    assert found.predict(**columns).shape == (1_000, 2)


# -- one law of two ------------------------------------------------------------------------------
def test_two_laws_in_one():
    both = laws.chinchilla.then(laws.accuracy_from_loss.fix(k=4.0, x0=2.4))
    truth = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "a": -0.6, "b": 0.9}
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 1e10, 7), np.geomspace(1e9, 4e11, 7)))
    score = both(N, D, **truth)
    one_step = laws.accuracy_from_sizes(
        N, D, A=4 * 480.0, B=4 * 2100.0, alpha=0.35, beta=0.37, E=4 * (1.8 - 2.4), a=-0.6, b=0.9
    )
    np.testing.assert_allclose(score, one_step)
    runs = jsl.Runs.from_columns(N=N, D=D, score=score, target="score", units=SCORE)
    fit = jsl.fit(both, runs, objective=Squared(), starts=64)
    assert {k: float(fit.params[k]) for k in truth} == pytest.approx(truth, rel=1e-4)
    again = pickle.loads(pickle.dumps(both))
    assert again.function == both.function
    assert repr(again) == repr(both)
    with pytest.raises(jsl.InputError, match=r"(?s)both have E, alpha.*other letters"):
        laws.chinchilla.then(laws.power_law)
    with pytest.raises(jsl.InputError, match=r"(?s)gives nats/token, C is FLOP"):
        laws.chinchilla.then(laws.benchmark_sigmoid)


# -- worked examples on tables -------------------------------------------------------------------
def test_coverage_of_problems_beyond_the_samples_that_were_drawn(rates):
    """pass@k at 100 times the samples: rows are problems, and these are resampled, never k."""
    boots = jsl.bootstrap(rates, 200)
    truth = float(laws.beta_coverage(10_000, a=0.4, b=3.0))
    low, _, high = jsl.interval(
        boots, of=lambda law: laws.beta_coverage(10_000.0, law.params["a"], law.params["b"])
    )
    # at 90 % or more, fewer in 1 of 90 studies
    assert np.sum((low <= truth) & (truth <= high)) >= 15
    assert np.all(high - low < 0.15)


def test_density_of_a_model_against_fitted_reference_models(worlds):
    """Densing: the size of the reference model of the same score, over the true size; its interval
    from both stages.
    """
    _, losses, links = worlds
    loss, link = losses[0].params, links[0].params
    D = 1e12

    def density(score, N):
        own = {
            "a": link["chance"] - link["top"],
            "k": link["k"],
            "x0": link["x0"],
            "b": link["top"],
        }
        data = loss["E"] + loss["B"] * D ** -loss["beta"]
        return (
            float(laws.effective_size(score, A=loss["A"], alpha=loss["alpha"], data=data, **own))
            / N
        )

    found = jsl.chain(losses[0], links[0])
    assert density(found.predict(N=3e9, D=D), 3e9) == pytest.approx(1.0, rel=1e-6)
    assert density(found.predict(N=6e9, D=D), 2e9) == pytest.approx(3.0, rel=1e-6)
    forecast = found.forecast(N=3e9, D=D)
    low, high = density(forecast.interval.low, 3e9), density(forecast.interval.high, 3e9)
    assert low < 1 < high  # what can be told from 1 at all, at this size
    days = laws.days_to_match(6e9, 2e9, A=0.007)
    assert days == pytest.approx(np.log(3) / 0.007)


@pytest.mark.real
def test_the_largest_cerebras_model_is_forecast_from_smaller_ones():
    runs, scores = (
        jsl.datasets.load("cerebras_pythia"),
        jsl.datasets.load("cerebras_pythia", rows="scores"),
    )
    own = runs.where(np.char.startswith(runs["family"], "Cerebras") & (runs["C"] < 2e22))
    table = jsl.Runs.from_columns(x=own["C"], loss=own["loss"], run=own["run"])
    loss = jsl.fit(laws.power_law, table, objective=LogSquared(), starts=32)
    task = scores.where((scores["task"] == "hellaswag") & np.isin(scores["run"], own["run"]))
    link = jsl.fit(
        laws.accuracy_above_chance.fix(chance=0.25, top=1.0), task, objective=Squared(), starts=8
    )
    found = jsl.chain(loss, link)
    assert found.shared == 11
    forecast = found.forecast(x=2.3e22)
    assert forecast.new.low <= 0.513 <= forecast.new.high
    assert forecast.new.high - forecast.new.low < 0.2
