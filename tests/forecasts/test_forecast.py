"""A forecast is frozen, refused once altered, scored by numbers that can be checked by hand, and
never lost by its ledger.
"""

import dataclasses
import json
import os

import numpy as np
import pytest
from scipy import integrate, stats

import jaxscale as jsl
from jaxscale import positive
from jaxscale.ground._files import digest, digests, write_whole
from jaxscale.ground._tails import clopper_pearson, student_crps
from jaxscale.table._digest import rows_digest
from jaxscale.table._scope import beyond, largest
from jaxscale.units import Nats, Params, Tokens

chinchilla = jsl.laws.chinchilla
BIG = {"N": 1e11, "D": 2e12}


@pytest.fixture(scope="module")
def smooth():
    return jsl.fit(
        chinchilla, jsl.datasets.load("simulated"), objective=jsl.objectives.LogSquared(), starts=32
    )


FIVE = np.isin(np.arange(60), [0, 12, 37, 44, 59])


def only(fit, mask, **columns):
    """The table of a fit with weight 0 where the mask is false: of the same shape, so that nothing
    is compiled anew.
    """
    runs = fit.problem.runs
    return dataclasses.replace(runs, weights=np.where(mask, runs.weights, 0.0), **columns)


@pytest.fixture(scope="module")
def frozen(smooth):
    return jsl.forecast(smooth, **BIG, note="the big run")


def by_hand(frozen, **parts):
    """A forecast of ln 2 with scale 0.005 and 10 degrees of freedom."""
    t = stats.t(10)
    low, high = (2.0 * np.exp(0.005 * t.ppf(p)) for p in (0.025, 0.975))
    curve_low, curve_high = (2.0 * np.exp(0.003 * t.ppf(p)) for p in (0.025, 0.975))
    own = {
        "centre": np.log(2.0),
        "deviation": np.array(0.003),
        "noise": np.array(0.004),
        "dof": 10.0,
        "run": jsl.Interval(low, 2.0, high, 0.95, "new run"),
        "curve": jsl.Interval(curve_low, 2.0, curve_high, 0.95, "hc3"),
        "last": {"row": 3, "measure": "C", "size": 1e21, "loss": 2.3},
    }
    return dataclasses.replace(frozen, **own | parts)


# -- frozen --------------------------------------------------------------------------------------


def test_a_forecast_comes_back_as_it_was(frozen, smooth, tmp_path):
    path = frozen.save(tmp_path / "big.json")
    again = jsl.Forecast.load(path)
    assert again.digest == frozen.digest
    assert repr(again) == repr(frozen)
    for name, value in smooth.params.items():
        assert float(again.params[name]) == float(value)  # all digits
    assert again.note == "the big run"
    assert again.rows["sha256"] == rows_digest(smooth.problem.runs)
    assert again.rows["used"] == 60
    assert again.settings["starts"] == 32
    assert again.settings["versions"]["jaxscale"] == jsl.__version__
    assert "A * N**-alpha" in again.law["formula"]
    assert again.differences(smooth) == ()
    assert frozen.save(tmp_path / "big.json") == path  # the same one again is no change
    assert not list(tmp_path.glob("*.part"))


def test_what_is_frozen_is_not_overwritten(frozen, tmp_path):
    path = frozen.save(tmp_path / "big.json")
    before = path.read_bytes()
    other = dataclasses.replace(frozen, note="a better one")
    with pytest.raises(jsl.InputError, match=r"(?s)holds another forecast.*never overwritten"):
        other.save(path)
    assert path.read_bytes() == before
    # named by their digests
    assert other.save(tmp_path / "ledger") != frozen.save(tmp_path / "ledger")
    with pytest.raises(jsl.InputError, match="cannot write"):
        frozen.save(tmp_path / "no" / "such" / "big.json")


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ("parameters", lambda r: r["parameters"]),
        ("distribution", lambda r: r["distribution"]),
        ("intervals", lambda r: r["intervals"]["run"]),
        ("announced", lambda r: r["announced"]["columns"]),
    ],
)
def test_one_altered_digit_is_refused(frozen, tmp_path, section, where):
    """A digit of the file's text, in each section: the last one of a number."""
    path = frozen.save(tmp_path / "big.json")
    text = path.read_text()
    for value in where(json.loads(text)).values():
        if not isinstance(value, float):
            continue
        shown = json.dumps(value)
        at = text.index(shown) + len(shown.split("e")[0]) - 1
        digit = str((int(text[at]) + 1) % 10)
        path.write_text(text[:at] + digit + text[at + 1 :])
        with pytest.raises(
            jsl.InputError, match=rf"(?s)altered after it was frozen: in [a-z, ]*{section}"
        ):
            jsl.Forecast.load(path)
    path.write_text(text)
    jsl.Forecast.load(path)


def test_an_altered_digest_and_other_files_are_refused(frozen, tmp_path):
    path = frozen.save(tmp_path / "big.json")
    text = path.read_text()
    whole = json.loads(text)
    digit = "0" if frozen.digest[0] != "0" else "1"
    path.write_text(text.replace(frozen.digest, digit + frozen.digest[1:]))
    with pytest.raises(jsl.InputError, match="altered after it was frozen: in its digests"):
        jsl.Forecast.load(path)
    path.write_text(json.dumps({k: v for k, v in whole.items() if k != "digests"}))
    with pytest.raises(jsl.InputError, match="altered after it was frozen"):
        jsl.Forecast.load(path)
    path.write_text(text[:500])
    with pytest.raises(jsl.InputError, match=r"(?s)cannot be read.*cut short"):
        jsl.Forecast.load(path)
    path.write_text('{"schema": "jaxscale forecast 99"}')
    with pytest.raises(jsl.InputError, match=r"(?s)no 'jaxscale forecast 1'.*another version"):
        jsl.Forecast.load(path)
    path.write_text("[1]")
    with pytest.raises(jsl.InputError, match="but 'list'"):
        jsl.Forecast.load(path)
    path.write_text(json.dumps(whole))  # the same content in another layout is the same forecast
    assert jsl.Forecast.load(path).digest == frozen.digest


def test_rows_have_one_fingerprint():
    """Any value, name, unit, weight, label or order of rows counts; notes do not."""
    table = {
        "N": np.array([1e8, 2e8, 3e8]),
        "D": np.array([1e10, 2e10, 4e10]),
        "loss": np.array([3.0, 2.8, 2.6]),
    }
    runs = jsl.Runs.from_columns(**table, groups={"family": ["a", "b", "b"]})
    others = [
        jsl.Runs.from_columns(
            **table | {"loss": np.nextafter(table["loss"], 9)}, groups={"family": ["a", "b", "b"]}
        ),
        jsl.Runs.from_columns(**table, groups={"family": ["a", "b", "c"]}),
        jsl.Runs.from_columns(**table, groups={"kin": ["a", "b", "b"]}),
        jsl.Runs.from_columns(**table, groups={"family": ["a", "b", "b"]}, weights=[1, 1, 2]),
        jsl.Runs.from_columns(
            **table, groups={"family": ["a", "b", "b"]}, units={"loss": jsl.units.Bits}
        ),
        jsl.Runs.from_columns(
            **{k: v[::-1] for k, v in table.items()}, groups={"family": ["b", "b", "a"]}
        ),
        jsl.Runs.from_columns(**table | {"U": table["D"]}, groups={"family": ["a", "b", "b"]}),
        runs.where(np.array([True, True, False])),
    ]
    assert len({rows_digest(r) for r in [runs, *others]}) == 1 + len(others)
    again = jsl.Runs.from_columns(
        **{k: v.tolist() for k, v in table.items()}, groups={"family": ["a", "b", "b"]}
    )
    assert rows_digest(again) == rows_digest(runs)


def test_differences_name_what_changed(frozen, smooth):
    runs = smooth.problem.runs
    other = dataclasses.replace(runs, target=np.asarray(runs.target) * 1.0001)
    fit = jsl.fit(chinchilla, other, objective=jsl.objectives.LogSquared(), starts=32, seed=1)
    assert frozen.differences(fit) == ("rows", "parameters", "seed", "value")


# -- made ----------------------------------------------------------------------------------------


def test_it_is_the_prediction_interval_and_the_interval_of_the_curve(frozen, smooth, simulated):
    own = jsl.uncertainty.prediction_interval(smooth, **BIG)
    np.testing.assert_allclose(list(frozen.run), list(own), rtol=1e-14)
    np.testing.assert_allclose(
        list(frozen.curve),
        list(jsl.interval(smooth, of=lambda law: law(**BIG), log=True)),
        rtol=1e-12,
    )
    boot = jsl.bootstrap(simulated, 300)
    grid = {"N": np.geomspace(1e10, 1e12, 3)[:, None], "D": np.array([1e12, 1e13])}
    many = jsl.forecast(boot, level=0.9, **grid)
    assert many.centre.shape == (3, 2)
    assert many.settings["refits"] == {"count": 300, "kind": "pairs", "by": "rows", "seed": 0}
    np.testing.assert_allclose(
        many.run.low, jsl.uncertainty.prediction_interval(boot, level=0.9, **grid).low, rtol=1e-12
    )
    curve = jsl.interval(boot, of=lambda law: law(**grid), level=0.9)
    np.testing.assert_allclose(many.curve.low, curve.low, rtol=1e-6)
    np.testing.assert_allclose(many.curve.high, curve.high, rtol=1e-6)
    np.testing.assert_allclose(np.exp(many.centre), simulated.law(**grid), rtol=1e-12)


def test_how_far_it_reaches(smooth, frozen):
    """The runs end at C = 1e21 and D/N from 0.3125 to 1280."""
    assert frozen.beyond["C"] == pytest.approx(1200.0)
    assert frozen.beyond["D/N"] == 1.0
    far = jsl.forecast(smooth, N=[1e9, 1e12], D=[1e13, 1e11])
    np.testing.assert_allclose(far.beyond["D/N"], [1e4 / 1280, 0.1 / 0.3125], rtol=1e-12)
    assert [r.split(" lies")[0] for r in far.remarks] == ["D/N of 0.1", "D/N of 1e+04"]
    assert "D/N 7.81 times the largest run's" in repr(far)
    assert frozen.last["measure"] == "C"
    runs = smooth.problem.runs
    assert frozen.last["loss"] == runs["loss"][np.argmax(runs["N"] * runs["D"])]


def test_an_assumed_irreducible_loss_is_told(smooth, frozen):
    """The interval of a forecast with E fixed is narrower, and says what it takes as known."""
    fixed = jsl.fit(
        chinchilla.fix(E=float(smooth.params["E"])),
        smooth.problem.runs,
        objective=jsl.objectives.LogSquared(),
    )
    own = jsl.forecast(fixed, **BIG)
    assert own.remarks == ("E fixed: the intervals take that as known",)
    assert own.deviation < 0.8 * frozen.deviation
    few = jsl.forecast(
        jsl.fit(chinchilla, only(smooth, FIVE), objective=jsl.objectives.LogSquared(), starts=32),
        **BIG,
    )
    assert few.remarks[0].startswith("the fit is not OK: FLAT")


def test_a_measured_noise_replaces_the_residuals(smooth, frozen, tmp_path):
    class Floor:
        sd = 0.002

    own = jsl.forecast(smooth, **BIG, noise=Floor())
    assert float(own.noise) == 0.002
    assert float(own.scale) == pytest.approx(np.hypot(float(frozen.deviation), 0.002))
    assert own.settings["noise"] == "given"
    floor = jsl.uncertainty.NoiseFloor(0.002, 0.002, 3, np.ones(1), np.ones(1), "replicates")
    many = jsl.forecast(smooth, N=[1e11, 2e11], D=2e12, noise=floor)
    again = jsl.Forecast.load(many.save(tmp_path))
    np.testing.assert_array_equal(again.dof, many.dof)
    assert again.digest == many.digest
    z = np.log(1.88) - many.centre
    crps = [s * student_crps(v / s, k) for v, s, k in zip(z, many.scale, many.dof, strict=True)]
    np.testing.assert_allclose(again.score([1.88, 1.88]).crps, crps, rtol=1e-12)
    with pytest.raises(ValueError, match="noise=-1"):
        jsl.forecast(smooth, **BIG, noise=-1)


def test_forecasts_that_cannot_be_made(smooth):
    with pytest.raises(jsl.InputError, match=r"(?s)D is not given.*N=\.\.\., D=\.\.\."):
        jsl.forecast(smooth, N=1e11)
    with pytest.raises(jsl.InputError, match="tokens is no column of chinchilla"):
        jsl.forecast(smooth, N=1e11, D=1e12, tokens=3)
    with pytest.raises(jsl.InputError, match="1 of 2 values of the law are not finite"):
        jsl.forecast(smooth, N=[1e11, -1e11], D=1e12)
    with pytest.raises(TypeError, match="not Law"):
        jsl.forecast(smooth.law, **BIG)
    with pytest.raises(ValueError, match="level=95"):
        jsl.forecast(smooth, **BIG, level=95)


# -- scored --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dof", [1.0, 1.5, 4.0, 55.0, np.inf])
def test_crps_is_its_integral(dof):
    law = stats.t(dof) if np.isfinite(dof) else stats.norm()
    for z in (-4.0, 0.0, 0.3, 2.5):
        below = integrate.quad(lambda x: law.cdf(x) ** 2, -np.inf, z, epsabs=1e-11)[0]
        above = integrate.quad(lambda x: law.sf(x) ** 2, z, np.inf, epsabs=1e-11)[0]
        assert student_crps(z, dof) == pytest.approx(below + above, rel=3e-5 if dof == 1 else 1e-9)


def test_a_score_by_hand(frozen):
    own = by_hand(frozen)
    score = own.score(2.02)
    error = np.log(1.01)
    assert score.error == pytest.approx(error, rel=1e-12)
    assert score.relative == pytest.approx(0.01, rel=1e-12)
    assert score.noises == pytest.approx(error / 0.004, rel=1e-12)
    assert score.baseline == pytest.approx(np.log(2.02 / 2.3), rel=1e-12)
    assert bool(score.inside)  # 1 % is 1.99 scales, the quantile 2.228
    assert not score.inside_curve
    law = stats.t(10, loc=np.log(2.0), scale=0.005)
    at = np.log(2.02)
    below = integrate.quad(lambda x: law.cdf(x) ** 2, at - 1, at, epsabs=1e-13, points=[np.log(2)])[
        0
    ]
    above = integrate.quad(lambda x: law.sf(x) ** 2, at, at + 1, epsabs=1e-13)[0]
    assert score.crps == pytest.approx(below + above, rel=1e-6)
    assert not own.score(2.03).inside
    assert own.score(2.02, noise=0.002).noises == pytest.approx(error / 0.002, rel=1e-12)
    assert (
        "+1.00%, inside its 95% interval, 2.5 times the noise of a run; no change: 13.86%"
        in repr(score)
    )
    assert "not run yet" in repr(own.score(np.nan))


def test_scores_without_a_scale(frozen):
    """An interval without an end is always right and its CRPS infinite; a forecast without doubt
    has |error|.
    """
    run = jsl.Interval(0.0, 2.0, np.inf, 0.95, "new run")
    wide = by_hand(frozen, deviation=np.array(np.inf), run=run, curve=run).score(2.02)
    assert bool(wide.inside)
    assert wide.crps == np.inf
    sure = by_hand(frozen, deviation=np.array(0.0), noise=np.array(0.0)).score(2.02, noise=0.01)
    assert sure.crps == pytest.approx(np.log(1.01))


def test_infinite_intervals_survive_the_file(frozen, tmp_path):
    run = jsl.Interval(0.0, 2.0, np.inf, 0.95, "new run")
    own = by_hand(frozen, deviation=np.array([np.inf, 0.1]), run=run, curve=run)
    again = jsl.Forecast.load(own.save(tmp_path / "wide.json"))
    assert again.run.high == np.inf
    np.testing.assert_array_equal(again.deviation, [np.inf, 0.1])


def test_a_score_is_refused_where_it_means_nothing(frozen):
    with pytest.raises(jsl.InputError, match=r"shape \(2,\) observed, for a forecast of one run"):
        frozen.score([1.8, 1.9])
    with pytest.raises(jsl.InputError, match=r"(?s)-1 observed.*nan for those"):
        frozen.score(-1.0)
    with pytest.raises(jsl.InputError, match="inf observed"):
        frozen.score(np.inf)


def test_a_run_that_was_not_made_as_announced(frozen, smooth):
    """Its own D: the centre moves along the frozen law, the widths stay."""
    own = frozen.score(1.88, D=2.4e12)
    assert own.predicted == pytest.approx(float(smooth.law(1e11, 2.4e12)), rel=1e-12)
    assert own.error == pytest.approx(np.log(1.88 / float(smooth.law(1e11, 2.4e12))), rel=1e-9)
    assert "D up to 0.2 off what was announced" in own.remarks[0]
    assert frozen.score(1.88, **BIG).remarks == ()
    with pytest.raises(jsl.InputError, match="D is up to 10 times off"):
        frozen.score(1.88, D=2e11)
    with pytest.raises(jsl.InputError, match="U was not announced"):
        frozen.score(1.88, U=2e11)
    moved = dataclasses.replace(frozen, params={**frozen.params, "E": np.array(1.5)})
    with pytest.raises(jsl.InputError, match=r"(?s)was frozen.*law was changed"):
        moved.score(1.88, D=2.4e12)


def test_a_law_that_nobody_can_import_is_scored(smooth, tmp_path):
    """Its formula is text; only a run that was made otherwise asks for the law itself."""

    @jsl.law
    def mine(
        N: Params,
        D: Tokens,
        *,
        E=positive(0.5, 3),
        A=positive(1, 1e5),
        B=positive(1, 1e5),
        alpha=positive(0.05, 1.5),
        beta=positive(0.05, 1.5),
    ) -> Nats:
        return E + A / N**alpha + B / D**beta

    fit = jsl.fit(mine, smooth.problem.runs, objective=jsl.objectives.LogSquared(), starts=32)
    again = jsl.Forecast.load(jsl.forecast(fit, **BIG).save(tmp_path))
    assert "A / N**alpha" in again.law["formula"]
    assert bool(again.score(1.88).inside)
    with pytest.raises(jsl.InputError, match=r"(?s)<locals>.mine is not at hand.*law="):
        again.score(1.88, D=2.1e12)
    own = again.score(1.88, D=2.1e12, law=mine)
    assert own.predicted == pytest.approx(float(fit.law(1e11, 2.1e12)), rel=1e-12)


def test_a_file_of_data_imports_nothing(frozen):
    """A module that is named in a file is used only where it is loaded already."""
    other = dataclasses.replace(
        frozen, law={**frozen.law, "module": "antigravity", "qualname": "fly"}
    )
    import sys

    with pytest.raises(jsl.InputError, match="antigravity:fly is not at hand"):
        other.score(1.88, D=2.1e12)
    assert "antigravity" not in sys.modules


def test_groups_are_announced_by_label():
    rng = np.random.default_rng(0)
    family = np.repeat(["a", "b", "c", "d"], 9)
    n, d = (
        np.tile(np.repeat(np.geomspace(1e8, 1e10, 3), 3), 4),
        np.tile(np.geomspace(2e9, 2e11, 3), 12),
    )
    own = dict(zip("abcd", [1.5, 1.7, 1.9, 2.1], strict=True))
    loss = (np.array([own[f] for f in family]) + 400 * n**-0.34 + 1100 * d**-0.33) * np.exp(
        1e-3 * rng.standard_normal(36)
    )
    runs = jsl.Runs.from_columns(N=n, D=d, loss=loss, groups={"family": family})
    fit = jsl.fit(
        chinchilla.per(E="family"), runs, objective=jsl.objectives.LogSquared(), starts=32
    )
    both = jsl.forecast(fit, N=1e11, D=1e12, family=["a", "d"])
    again = jsl.Forecast(**{f.name: getattr(both, f.name) for f in dataclasses.fields(both)})
    np.testing.assert_allclose(
        np.exp(both.centre), [float(fit.law(1e11, 1e12, family=f)) for f in "ad"], rtol=1e-12
    )
    score = again.score([1.6, 2.2], D=1.1e12)
    np.testing.assert_allclose(
        score.predicted, [float(fit.law(1e11, 1.1e12, family=f)) for f in "ad"], rtol=1e-12
    )
    with pytest.raises(jsl.InputError, match="family is not given"):
        jsl.forecast(fit, N=1e11, D=1e12)
    held = jsl.forecasts.hindsight(fit)
    assert len(held.rows) == 4  # the same size in each family
    assert held.observed == pytest.approx(loss[8])
    alone = only(fit, (family != "d") | (n * d > 1e21))
    fit = jsl.fit(
        chinchilla.per(E="family"), alone, objective=jsl.objectives.LogSquared(), starts=32
    )
    with pytest.raises(jsl.InputError, match="no run of family 'd' is left"):
        jsl.forecasts.hindsight(fit)
    assert jsl.report(fit).endswith(
        "not known, without the largest run no run of family 'd' is left"
    )


# -- kept ----------------------------------------------------------------------------------------


def test_a_ledger_of_one_day(frozen, smooth, tmp_path):
    with pytest.raises(jsl.InputError, match="no directory"):
        jsl.forecasts.ledger(tmp_path / "nothing")
    one = by_hand(frozen, date="2026-01-01T00:00:00+00:00")
    many = dataclasses.replace(
        jsl.forecast(smooth, N=[1e11, 2e11, 4e11], D=2e12), date="2026-01-02T00:00:00+00:00"
    )
    open_ = dataclasses.replace(frozen, date="2026-01-03T00:00:00+00:00")
    for own in (many, open_, one):
        own.save(tmp_path)
    one.score(2.05).save(tmp_path)
    path = many.score([np.exp(many.centre[0]), np.nan, np.nan]).save(tmp_path)
    many.score([np.exp(many.centre[0]), np.nan, np.nan]).save(tmp_path)
    assert len(path.read_text().splitlines()) == 2  # the same score again is no second line
    book = jsl.forecasts.ledger(tmp_path)
    assert (len(book), book.hits, book.count) == (3, 1, 2)
    low, share, high = book.rate
    proper = stats.binomtest(1, 2).proportion_ci(method="exact")
    assert (low, share, high) == pytest.approx((proper.low, 0.5, proper.high), abs=1e-9)
    lines = str(book).splitlines()
    assert (
        lines[0]
        == "3 forecasts, 2 scored, 1 open; 1 of 2 runs inside, 50% (1.26% to 98.7%), announced 95%"
    )
    assert lines[1].startswith("2026-01-01")
    assert "2.05: OUTSIDE, +2.50%, 6.2 times the noise of a run" in lines[1]
    assert lines[2].endswith(
        "1 of 1 inside, median |error| 0.00%, 0 times the noise of a run, 2 open"
    )
    assert lines[3].endswith("open")
    # runs that were open may be added, what was entered may not be changed
    many.score([np.exp(many.centre[0]), np.nan, 9.0]).save(tmp_path)
    assert jsl.forecasts.ledger(tmp_path).count == 3
    with pytest.raises(jsl.InputError, match=r"(?s)another score of this forecast.*measured again"):
        one.score(2.01).save(tmp_path)


def test_a_miss_stays_a_miss(smooth, tmp_path):
    """Other columns would move the forecast to what was observed, another noise make the error look
    small.
    """
    frozen = jsl.forecast(smooth, N=[1e11, 2e11], D=2e12)
    frozen.save(tmp_path)
    seen = np.array([1.002 * frozen.run.high[0], np.nan])
    miss, hit = frozen.score(seen), frozen.score(seen, D=1.1e12)
    assert not miss.inside[0]
    assert hit.inside[0]
    path = miss.save(tmp_path)
    before = path.read_bytes()
    with pytest.raises(
        jsl.InputError, match=r"(?s)another score of this forecast.*by its columns the forecast is"
    ):
        hit.save(tmp_path)
    with pytest.raises(jsl.InputError, match="in multiples of its noise"):
        frozen.score(seen, noise=0.5).save(tmp_path)
    assert path.read_bytes() == before
    assert jsl.forecasts.ledger(tmp_path).hits == 0
    # a run that was open may have columns of its own; those of the other stay as announced
    later = frozen.score([seen[0], float(smooth.law(2e11, 2.1e12))], D=[2e12, 2.1e12])
    later.save(tmp_path)
    book = jsl.forecasts.ledger(tmp_path)
    assert (book.hits, book.count, book.problems) == (1, 2, ())
    # a line that was added by other means does not count
    both = frozen.score(later.observed, D=[1.1e12, 2.1e12]).save(tmp_path / "other").read_bytes()
    path.write_bytes(path.read_bytes() + both)
    book = jsl.forecasts.ledger(tmp_path)
    assert (book.hits, book.count) == (1, 2)
    assert f"the forecast {frozen.digest[:8]} was scored again on" in book.problems[0]


def test_a_ledger_lists_what_is_wrong_with_it(frozen, tmp_path):
    kept, altered, lost = (dataclasses.replace(frozen, note=n) for n in ("kept", "altered", "lost"))
    paths = [own.save(tmp_path) for own in (kept, altered, lost)]
    for own in (kept, altered, lost):
        own.score(1.88).save(tmp_path)
    paths[1].write_text(paths[1].read_text().replace("altered", "guessed"))
    paths[2].unlink()
    (tmp_path / "copy.json").write_bytes(paths[0].read_bytes())
    (tmp_path / "other.json").write_text("{}")
    book = jsl.forecasts.ledger(tmp_path)
    assert (len(book), book.count) == (1, 1)
    said = "\n".join(book.problems)
    assert "altered after it was frozen: in about" in said
    assert f"the forecast {lost.digest[:8]} that was scored" in said
    assert f"the forecast {altered.digest[:8]} that was scored" in said
    assert "is a copy of" in said
    assert "other.json is no 'jaxscale forecast 1'" in said
    assert str(book).count("PROBLEM") == 5

    scores = tmp_path / "scores.jsonl"
    whole = scores.read_bytes()
    scores.write_bytes(whole[:-30])  # an append that was interrupted
    assert any(
        "line 3 was cut short or altered" in p for p in jsl.forecasts.ledger(tmp_path).problems
    )
    lost.score(1.88).save(tmp_path)  # goes to a line of its own
    assert sum(f"{lost.digest[:8]}" in p for p in jsl.forecasts.ledger(tmp_path).problems) == 1
    scores.write_bytes(whole.replace(b'"inside":true', b'"inside":false', 1))
    assert any(
        "line 1 was cut short or altered" in p for p in jsl.forecasts.ledger(tmp_path).problems
    )


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (0, 7), (5, 7), (19, 20)])
def test_the_interval_of_a_share(hits, count):
    proper = stats.binomtest(hits, count).proportion_ci(method="exact")
    assert clopper_pearson(hits, count) == pytest.approx(
        (proper.low, hits / count, proper.high), abs=1e-10
    )


# -- hindsight -----------------------------------------------------------------------------------


def test_hindsight_is_a_refit_without_the_largest(smooth):
    runs = smooth.problem.runs
    compute = 6 * runs["N"] * runs["D"]
    for within, kept in ((1.0, np.arange(60) != np.argmax(compute)), (1.05, compute < 9.9e20)):
        own = jsl.forecasts.hindsight(smooth, factor=within)
        fit = jsl.fit(
            chinchilla, runs.where(kept), objective=jsl.objectives.LogSquared(), starts=32
        )
        for name, value in fit.params.items():
            np.testing.assert_allclose(own.fit.params[name], value, rtol=1e-6)
        top = int(np.argmax(compute))
        there = {"N": runs["N"][top], "D": runs["D"][top]}
        assert own.rows == tuple(np.flatnonzero(~kept).tolist())
        assert own.predicted == pytest.approx(float(fit.law(**there)), rel=1e-8)
        assert own.observed == pytest.approx(runs["loss"][top], rel=1e-14)
        assert own.error == pytest.approx(np.log(own.observed / own.predicted), rel=1e-9)
        assert own.ratio == pytest.approx(compute[top] / compute[kept].max())
        np.testing.assert_allclose(
            list(own.interval), list(jsl.uncertainty.prediction_interval(fit, **there)), rtol=1e-6
        )
    with pytest.raises(ValueError, match=r"factor=0\.5"):
        jsl.forecasts.hindsight(smooth, factor=0.5)


def test_replicates_and_whole_runs_go_with_it(smooth):
    truth = chinchilla.published["besiroglu2024"]
    n = np.concatenate([np.repeat(np.geomspace(1e8, 3e9, 6), 4), [1e10, 1e10]])
    d = np.concatenate([np.tile(np.geomspace(3e9, 9e10, 4), 6), [2e11, 2e11]])
    runs = jsl.simulate(truth, {"N": n, "D": d}, noise=0.004)
    fit = jsl.fit(chinchilla, runs, objective=jsl.objectives.LogSquared(), starts=32)
    own = jsl.forecasts.hindsight(fit, factor=1.0)
    assert own.rows == (24, 25)
    assert own.observed == pytest.approx(np.sqrt(runs["loss"][24] * runs["loss"][25]))
    single = jsl.uncertainty.prediction_interval(own.fit, N=1e10, D=2e11)
    # of a mean of two
    assert np.log(own.interval.high / own.interval.low) < np.log(single.high / single.low)

    names = np.append(np.repeat([f"r{i}" for i in range(6)], 4), ["r0", "big"])
    both = jsl.Runs.from_columns(N=n, D=d, loss=runs["loss"], run=names)
    fit = jsl.fit(chinchilla, both, objective=jsl.objectives.LogSquared(), starts=32)
    own = jsl.forecasts.hindsight(fit)
    assert own.rows == (0, 1, 2, 3, 24, 25)  # the rows of r0, too
    assert own.interval.kind == "new run"
    few = jsl.Runs.from_columns(N=n, D=d, loss=runs["loss"], run=np.where(n > 1e9, "big", names))
    fit = jsl.fit(chinchilla, few, objective=jsl.objectives.LogSquared(), starts=32)
    own = jsl.forecasts.hindsight(fit)
    assert np.isnan(own.interval.high)
    assert str(own).endswith("(5 runs would be needed for an interval)")


def test_the_report_ends_with_it(smooth, simulated):
    text = jsl.report(smooth)
    assert rows_digest(smooth.problem.runs)[:16] in text
    last = text.splitlines()[-1]
    assert last == str(jsl.forecasts.hindsight(smooth))
    assert "(C = 1e21 FLOP, 3.98 times the next)" in last
    low, _, high = jsl.forecasts.hindsight(smooth).interval
    assert last.endswith(f"(inside its 95 % interval, ±{100 * (np.sqrt(high / low) - 1):.2g} %)")
    boot = jsl.bootstrap(simulated, 50)
    assert jsl.report(boot).splitlines()[-1] == str(jsl.forecasts.hindsight(simulated))


def test_a_run_that_was_spoilt_is_missed(smooth):
    runs = smooth.problem.runs
    loss = np.array(runs["loss"])
    loss[np.argmax(runs["N"] * runs["D"])] *= 1.1
    fit = jsl.fit(
        chinchilla,
        dataclasses.replace(runs, target=loss),
        objective=jsl.objectives.LogSquared(),
        starts=32,
    )
    own = jsl.forecasts.hindsight(fit)
    assert not own.inside
    assert own.relative == pytest.approx(0.1, abs=0.02)
    assert "(OUTSIDE its 95 % interval, ±" in str(own)


def test_reports_without_hindsight_say_why(smooth):
    runs = smooth.problem.runs
    fit = jsl.fit(chinchilla, only(smooth, FIVE), objective=jsl.objectives.LogSquared(), starts=32)
    assert jsl.report(fit).endswith(
        "not known, 4 distinct runs for 5 free parameters (E, A, B, alpha, beta)"
    )
    quantile = jsl.fit(chinchilla, runs, objective=jsl.objectives.Quantile(0.1), starts=32)
    assert (
        "not known, needs an objective that fits the middle"
        in jsl.report(quantile).splitlines()[-1]
    )
    with pytest.raises(TypeError, match="no likelihood, no quantile"):
        jsl.forecast(quantile, **BIG)


def test_metrics_without_logarithms_are_told_in_their_unit(tmp_path):
    """A straight line of a number of any sign: errors are differences, and a size of 0 has no
    multiple.
    """

    @jsl.law
    def line(x: jsl.units.Number, *, a=jsl.real(-2, 2), b=jsl.real(-2, 2)) -> jsl.units.Number:
        return a + b * x

    x = np.linspace(-3, 0, 24)
    y = 0.1 + 0.3 * x + 0.01 * np.random.default_rng(0).standard_normal(24)
    runs = jsl.Runs.from_columns(x=x, y=y, target="y", units={"y": jsl.units.Number})
    fit = jsl.fit(line, runs, objective=jsl.objectives.Squared(), starts=16)
    own = jsl.forecasts.hindsight(fit)
    b, a = np.polyfit(x[:-1], y[:-1], 1)
    assert own.error == pytest.approx(y[-1] - a, abs=1e-8)
    assert f"(x = 0) within {abs(own.error):.2g} number (" in str(own)
    frozen = jsl.forecast(fit, x=1.0)
    score = frozen.score(0.45)
    b, a = np.polyfit(x, y, 1)
    assert score.error == pytest.approx(0.45 - (a + b), abs=1e-8)
    assert score.baseline == pytest.approx(0.45 - y[-1])
    sd = np.sqrt(np.sum((y - a - b * x) ** 2) / 22)
    assert score.noises == pytest.approx(abs(score.error) / sd, rel=1e-6)
    assert f": {score.error:+.3g} number, " in repr(score)
    frozen.save(tmp_path)
    score.save(tmp_path)
    assert f"{score.error:+.3g} number" in str(jsl.forecasts.ledger(tmp_path))


def test_a_floor_is_of_logarithms_whatever_the_objective(smooth):
    """For least squares of L itself it is as many nats as L has; a plain number is in
    nats already.
    """
    fit = jsl.fit(chinchilla, smooth.problem.runs, objective=jsl.objectives.Squared(), starts=32)
    floor = jsl.uncertainty.NoiseFloor(0.01, 0.01, 30, np.ones(1), np.ones(1), "replicates")
    there = {"N": np.array([1e8, 1e11]), "D": 2e10}
    own = jsl.forecast(fit, **there, noise=floor)
    np.testing.assert_allclose(own.noise, 0.01 * np.asarray(fit.law(**there)), rtol=1e-12)
    np.testing.assert_array_equal(
        own.run.high, jsl.uncertainty.prediction_interval(fit, **there, noise=floor).high
    )
    np.testing.assert_array_equal(jsl.forecast(fit, **there, noise=0.01).noise, 0.01)
    for noise, nats in ((floor, own.noise), (0.01, 0.01)):
        found = own.score([4.0, 3.0], noise=noise)
        np.testing.assert_allclose(found.noises, np.abs(found.error) / nats, rtol=1e-12)
    np.testing.assert_array_equal(jsl.forecast(smooth, **there, noise=floor).noise, 0.01)


def test_the_size_of_a_run_and_what_lies_beyond():
    """By 6 N D, else by C, else by the first column; shares have no size, and what is not positive
    no factor.
    """
    assert largest({"D": np.array([1.0, 2.0]), "N": np.array([3.0, 4.0])})[1].tolist() == [
        18.0,
        48.0,
    ]
    assert largest({"x": np.ones(2), "C": np.array([1.0, 2.0])})[0] == "C"
    assert largest({"r": np.ones((2, 3)), "x": np.ones(2)})[0] == "x"
    with pytest.raises(ValueError, match="one number per run"):
        largest({"r": np.ones((2, 3))})
    found = beyond(
        {"x": (2.0, 4.0), "y": (-1.0, 1.0)},
        {"x": [1.0, 3.0, 40.0], "y": [-2.0, 0.0, 2.0], "z": 1.0},
    )
    assert found["x"].tolist() == [0.5, 1.0, 10.0]
    assert found["y"].tolist() == [0.0, 1.0, np.inf]
    assert set(found) == {"x", "y"}


def test_files_are_written_whole_and_once(tmp_path, monkeypatch):
    """Also where the file system has no links."""
    for name in ("linked", "moved"):
        path = tmp_path / name
        write_whole(path, b"one", new=True)
        with pytest.raises(FileExistsError):
            write_whole(path, b"two", new=True)
        assert path.read_bytes() == b"one"
        write_whole(path, b"three")
        assert path.read_bytes() == b"three"

        def no_links(*args):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["linked", "moved"]


# -- plans ---------------------------------------------------------------------------------------


def test_plans_outside_the_runs_are_flagged(smooth, simulated):
    """The runs have D/N from 0.3125 to 1280 and C up to 1e21."""
    assert jsl.allocate(smooth, 1e22).remarks == ()
    assert jsl.allocate(smooth.law, 1e26).remarks == ()  # a law has no runs
    small = {"N": (None, 5e8)}
    plan = jsl.allocate(smooth, [1e22, 1e20], bounds=small)
    ratio = plan["D"] / plan["N"]
    assert ratio[0] > 1280 > ratio[1]
    assert plan.remarks == (
        f"D/N of {ratio[0]:.3g} lies outside the 0.312 to 1.28e+03 of the runs: the law is not "
        f"tested there (1 of 2 budgets)",
    )
    far = jsl.allocate(smooth, 1e25)
    assert far.remarks == ("6 N D is up to 1e+04 times that of the largest run",)
    text = jsl.report(smooth, plan=plan)
    assert text.count("the law is not tested there") == 1
    assert f"D/N of {ratio[1]:.3g} lies inside the 0.312 to 1.28e+03 of the runs" in text
    compute = 6 * plan["N"] * plan["D"] / 1e21
    for times in compute:
        assert f"FLOP is {times:.3g} times that of the largest run" in text
    boot = jsl.bootstrap(simulated, 50)
    cloud = jsl.allocate(boot, 1e22, bounds=small)
    assert "the law is not tested there" in cloud.remarks[0]


# -- files of others -----------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore")
def test_one_bad_file_does_not_hide_the_others(frozen, tmp_path):
    record = frozen.record
    short = {k: v for k, v in record.items() if k != "intervals"}
    bad = {
        "nan": json.dumps({**record, "about": {**record["about"], "note": float("nan")}}),
        "deep": "[" * 100_000,
        "list": json.dumps({**record, "digests": [], "digest": ""}),
        "null": json.dumps({**record, "digests": None}),
        "short": json.dumps({**short, "digests": digests(short), "digest": digest(short)}),
    }
    frozen.save(tmp_path)
    for name, text in bad.items():
        (tmp_path / f"{name}.json").write_text(text)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "scores.jsonl").write_text("[" * 100_000 + "\n")
    found = jsl.forecasts.ledger(tmp_path)
    assert (len(found), len(found.problems)) == (1, len(bad) + 2)


def test_a_forecast_is_saved_inside_its_directory_and_printed_without_control_characters(
    frozen, tmp_path
):
    record = json.loads(json.dumps(frozen.record))
    record["about"]["date"] = "../outside"
    record["law"]["name"] = "/etc/\x1b[31mred"
    (tmp_path / "got.json").write_text(
        json.dumps({**record, "digests": digests(record), "digest": digest(record)})
    )
    got = jsl.Forecast.load(tmp_path / "got.json")
    assert got.save(tmp_path / "ledger").resolve().parent == (tmp_path / "ledger").resolve()
    assert "\x1b" not in repr(got)


def test_no_residual_left_is_no_zero_noise():
    """Two runs and two parameters: the curve goes through both, which says nothing about
    a third.
    """
    C, y = np.array([2.00e19, 1.31e20]), np.array([3.2373, 2.9538])
    law = jsl.laws.power_law.fix(E=1.6)
    fit = jsl.fit(
        law, jsl.Runs.from_columns(x=C, loss=y), objective=jsl.objectives.Squared(), starts=16
    )
    band = jsl.uncertainty.prediction_interval(fit, x=7.16e20)
    assert (band.low, band.high) == (-np.inf, np.inf)
    known = jsl.uncertainty.prediction_interval(fit, x=7.16e20, noise=0.01)
    assert np.isfinite([known.low, known.high]).all()
