"""Recipes: multipliers against closed forms, intervals against the delta method by hand, pairs
against rows put in order.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student_t

import jaxscale as jsl
from jaxscale import plots
from jaxscale.fitting._evidence import evidence
from jaxscale.selection import _multiplier
from jaxscale.selection._pairs import paired_refits, pairs_of

LAW = jsl.laws.chinchilla
BASE = LAW.published["besiroglu2024"]
N, D = (
    v.ravel()
    for v in np.meshgrid(np.geomspace(3e7, 1e9, 5), np.geomspace(1e9, 3e10, 5), indexing="ij")
)
SQUARED = jsl.objectives.LogSquared()


def scaled(m, share=0.5, **other):
    """A recipe for which N counts m^share times as much and D m^(1 - share) times: m times the
    compute at every budget.
    """
    p = BASE.params
    own = {"A": p["A"] * m ** (-share * p["alpha"]), "B": p["B"] * m ** (-(1 - share) * p["beta"])}
    return LAW.fix(**{**p, **own, **other})


def least(law, c):
    """Least loss under 6 N D = c in closed form (Hoffmann et al. 2022, eq. 4)."""
    p = {k: float(v) for k, v in law.params.items()}
    total = p["alpha"] + p["beta"]
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    n = g * (c / 6) ** (p["beta"] / total)
    return p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * (c / 6 / n) ** -p["beta"]


def ratio(base, other, c):
    """The multiplier by bisection of the closed form."""
    return np.exp(
        brentq(lambda x: least(base, np.exp(x) * c) - least(other, c), -10, 10, xtol=1e-13)
    )


def table(law, noise=0.0, draw=0, shared=None, rows=slice(None), **more):
    z = np.random.default_rng(draw).standard_normal(len(N))
    z = z if shared is None else np.sqrt(0.5) * (z + shared)
    loss = np.asarray(law(N, D)) * np.exp(noise * z)
    return jsl.Runs.from_columns(
        N=N[rows], D=D[rows], loss=loss[rows], **{k: np.asarray(v)[rows] for k, v in more.items()}
    )


def fitted(*tables, objective=SQUARED, law=LAW):
    fits = jsl.fit(law, list(tables), objective=objective, starts=16)
    return [fits[i] for i in range(len(tables))]


COMMON = np.random.default_rng(5).standard_normal(len(N))


@pytest.fixture(scope="module")
def two():
    """A base and a recipe of multiplier 1.5, half of the noise shared."""
    return fitted(table(BASE, 0.005, 1, COMMON), table(scaled(1.5), 0.005, 2, COMMON))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_true_multiplier_is_found_at_every_budget_and_target(share):
    base, other = fitted(table(BASE), table(scaled(1.7, share)))
    budgets = np.array([1e19, 1e21, 1e24])
    found = jsl.selection.recipes(base, other, budget=budgets)
    np.testing.assert_allclose(found.multiplier.point, 1.7, rtol=1e-4)
    np.testing.assert_allclose(
        found.difference.point, least(scaled(1.7), budgets) - least(BASE, budgets), rtol=1e-4
    )
    aimed = jsl.selection.recipes(base, other, target=[3.0, 2.1])
    np.testing.assert_allclose(aimed.multiplier.point, 1.7, rtol=1e-4)
    assert aimed.difference is None
    assert found.crossings == ()


def test_multipliers_against_bisection_of_the_closed_form(two):
    base, other = two
    budgets = np.geomspace(1e19, 1e22, 4)
    found = jsl.selection.recipes(base, other, budget=budgets)
    wanted = [ratio(base.law, other.law, c) for c in budgets]
    np.testing.assert_allclose(found.multiplier.point, wanted, rtol=1e-8)
    aimed = jsl.selection.recipes(base, other, target=least(other.law, budgets))
    np.testing.assert_allclose(aimed.multiplier.point, wanted, rtol=1e-8)


def gradient(of, fit, step=1e-5):
    """Slopes of a function of the law by ln of its parameters."""
    values = {k: float(v) for k, v in fit.params.items()}
    out = []
    for k, v in values.items():
        up, down = (of(LAW.fix(**{**values, k: v * np.exp(s)})) for s in (step, -step))
        out.append((up - down) / (2 * step))
    return np.array(out)


def moved(fit):
    """HC3 steps (rows, P) of ln of the parameters, by finite differences."""
    p = {k: float(v) for k, v in fit.params.items()}
    slopes = gradient(lambda law: np.log(np.asarray(law(N, D))), fit).T
    residual = np.log(fit.problem.runs["loss"]) - np.log(np.asarray(LAW.fix(**p)(N, D)))
    second = sum(
        r * gradient(lambda law, i=i: gradient_row(law, i), fit, 1e-4)
        for i, r in enumerate(residual)
    )  # the Hessian of least squares has the curvature of the law in it
    hessian = slopes.T @ slopes - second
    inverse = np.linalg.inv(0.5 * (hessian + hessian.T))
    leverage = np.einsum("ni,ij,nj->n", slopes, inverse, slopes)
    return -(slopes * (residual / (1 - leverage))[:, None]) @ inverse


def gradient_row(law, i, step=1e-4):
    values = {k: float(v) for k, v in law.params.items()}
    out = []
    for k, v in values.items():
        up, down = (
            np.log(float(LAW.fix(**{**values, k: v * np.exp(s)})(N[i], D[i])))
            for s in (step, -step)
        )
        out.append((up - down) / (2 * step))
    return np.array(out)


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_is_that_of_the_delta_method_where_noise_is_small(paired):
    """Gradients, HC3 steps and the sum over pairs by hand; the width of ln m is t times the
    deviation, to first order.
    """
    more = [{"seed": np.full(25, k if not paired else 0.0)} for k in (1.0, 2.0)]
    base, other = fitted(
        *(
            table(law, 2e-4, k + 1, COMMON, **m)
            for k, (law, m) in enumerate(zip((BASE, scaled(1.5)), more, strict=True))
        )
    )
    found = jsl.selection.recipes(base, other, budget=1e20)
    assert found.pairs == (25 if paired else 0)
    to_base = gradient(lambda law: np.log(ratio(law, other.law, 1e20)), base)
    to_other = gradient(lambda law: np.log(ratio(base.law, law, 1e20)), other)
    a, b = moved(base) @ to_base, moved(other) @ to_other
    variance = np.sum((a + b) ** 2) if paired else np.sum(a**2) + np.sum(b**2)
    dof = (
        20.0
        if paired
        else (np.sum(a**2) + np.sum(b**2)) ** 2 / ((np.sum(a**2) ** 2 + np.sum(b**2) ** 2) / 20)
    )
    half = student_t.ppf(0.975, dof) * np.sqrt(variance)
    m = found.multiplier
    assert np.log(m.high / m.low) == pytest.approx(2 * half, rel=5e-3)
    assert np.log(m.point) == pytest.approx(0.5 * np.log(m.high * m.low), abs=0.05 * half)


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_is_what_the_test_does_not_reject(two, paired):
    """At the level of its own p-value the interval ends at 1; Welch's degrees of freedom, without
    pairs, are not whole.
    """
    base, other = two
    if not paired:
        base, other = fitted(
            table(BASE, 0.005, 1, COMMON, seed=np.zeros(25)),
            table(scaled(1.5), 0.015, 2, COMMON, seed=np.ones(25)),
        )
    found = jsl.selection.recipes(base, other, budget=1e21)
    assert found.pairs == (25 if paired else 0)
    m = found.multiplier
    assert m.high / m.low > 1.5
    narrow = jsl.selection.recipes(base, other, budget=1e21, level=1 - found.p_value)
    assert min(abs(np.log(narrow.multiplier.low)), abs(np.log(narrow.multiplier.high))) < 1e-5
    assert found.confidence == pytest.approx(1 - found.p_value / 2)


def test_pairs_cancel(two):
    """A table against itself: nothing is left. And rows in another order are the same pairs."""
    base, other = two
    for kind in ("hc3", "percentile"):
        same = jsl.selection.recipes(base, base, budget=1e21, kind=kind, resamples=50)
        np.testing.assert_allclose(list(same.multiplier), 1.0, rtol=1e-5)
        assert same.confidence == pytest.approx(0.5)
        assert same.p_value == pytest.approx(1.0)
    order = np.random.default_rng(0).permutation(25)
    shuffled = fitted(table(scaled(1.5), 0.005, 2, COMMON, rows=order))[0]
    alone = fitted(table(scaled(1.5), 0.005, 2, COMMON, seed=np.ones(25)))[0]
    widths = {}
    for kind in ("hc3", "percentile"):
        options = {"budget": 1e21, "kind": kind, "resamples": 200}
        found = [jsl.selection.recipes(base, fit, **options) for fit in (other, shuffled)]
        assert [f.pairs for f in found] == [25, 25]
        np.testing.assert_allclose(list(found[0].multiplier), list(found[1].multiplier), rtol=1e-4)
        widths[kind] = np.log(found[0].multiplier.high / found[0].multiplier.low)
    seeded = fitted(table(BASE, 0.005, 1, COMMON, seed=np.zeros(25)))[0]
    apart = jsl.selection.recipes(seeded, alone, budget=1e21)
    assert apart.pairs == 0
    assert np.log(apart.multiplier.high / apart.multiplier.low) > 1.1 * widths["hc3"]


@pytest.mark.parametrize("pairs", [0, 1, 24, 25])
def test_only_pairs_share_their_weights(pairs):
    """The refitted means of two tables of equal residuals correlate as much as the squares of
    residuals that are paired.

    A correlation of 4000 independent draws has a standard error of 1/63; four of them are exceeded
    once in 16,000 by chance.
    """
    x, noise = np.geomspace(1.0, 100.0, 25), 0.01 * np.random.default_rng(4).standard_normal(25)
    law = jsl.laws.power_law.fix(E=0.0, alpha=0.3).start(x0=(0.1, 10.0))
    seeds = [[f"{i}" if i < pairs else f"{i} of {k}" for i in range(25)] for k in range(2)]
    tables = [
        jsl.Runs.from_columns(x=x, loss=x**-0.3 * np.exp(noise), groups={"seed": s}) for s in seeds
    ]
    own = [evidence(f) for f in fitted(*tables, law=law)]
    both = pairs_of(*own)
    assert len(both) == pairs
    drawn = [np.log(f.params["x0"]) for f in paired_refits(*own, both, 4000, 0)]
    squares = (noise - noise.mean()) ** 2
    assert abs(np.corrcoef(*drawn)[0, 1] - squares[:pairs].sum() / squares.sum()) < 4 / 63


def test_which_rows_are_pairs(two):
    base, _ = two
    n, d = (np.concatenate([v[:12], v[:13]]) for v in (N[::2], D[::2]))
    loss = np.asarray(BASE(n, d)) * np.exp(0.005 * np.random.default_rng(3).standard_normal(25))
    twice = jsl.Runs.from_columns(N=n, D=d, loss=loss)
    named = jsl.Runs.from_columns(
        N=n, D=d, loss=loss, groups={"seed": np.repeat(["a", "b"], [12, 13])}
    )
    plain, seeded = fitted(twice, named)
    found = jsl.selection.recipes(base, plain, budget=1e21)
    assert (found.pairs, found.rows) == (1, (25, 25))
    assert "12 of 25 rows of the base share their configuration" in found.remarks[0]
    assert jsl.selection.recipes(seeded, seeded, budget=1e21).pairs == 25
    found = jsl.selection.recipes(base, seeded, budget=1e21)
    assert any("only one of the two tables has a seed column" in r for r in found.remarks)
    fewer = table(scaled(1.5), 0.005, 2, COMMON, weights=1.0 * (np.arange(25) < 20))
    short = fitted(fewer)[0]
    for kind in ("hc3", "percentile"):  # of unequal length: rows of weight 0 are none
        found = jsl.selection.recipes(base, short, budget=1e20, kind=kind, resamples=100)
        assert (found.pairs, found.rows) == (20, (25, 20))
        assert found.multiplier.low < found.multiplier.point < found.multiplier.high


def test_whole_runs_are_pairs():
    """Checkpoints: pairs are runs, and the order of runs and labels does not matter."""
    run = np.repeat(np.arange(5), 5)
    noise = np.random.default_rng(1).standard_normal((3, 5))[:, run]
    tables = []
    for k, (law, labels) in enumerate(((BASE, "abcde"), (scaled(1.5), "zyxwv"))):
        z = noise[0] + 0.3 * noise[1 + k] + 0.2 * np.random.default_rng(k).standard_normal(25)
        order = np.random.default_rng(k).permutation(25)
        names = np.asarray(list(labels))[run]
        own = {"N": N, "D": D, "loss": np.asarray(law(N, D)) * np.exp(0.003 * z), "run": names}
        tables.append(jsl.Runs.from_columns(**{k: v[order] for k, v in own.items()}))
    base, other = fitted(*tables)
    with pytest.warns(jsl.JaxscaleWarning, match="fewer than 10 groups"):
        percent = jsl.selection.recipes(base, other, budget=1e20, kind="percentile", resamples=200)
    found = jsl.selection.recipes(base, other, budget=1e20)
    assert found.multiplier.kind == "cr3"
    for r in (found, percent):
        assert (r.pairs, r.rows) == (25, (25, 25))
    same = jsl.selection.recipes(base, base, budget=1e20)
    np.testing.assert_allclose(list(same.multiplier), 1.0, rtol=1e-5)
    apart = jsl.selection.recipes(base, other, budget=1e20, by="rows")
    assert apart.multiplier.kind == "hc3"
    with pytest.raises(jsl.InputError, match=r"(?s)runs have several rows.*cr3"):
        jsl.selection.recipes(base, other, budget=1e20, kind="hc3")


def test_what_base_never_reaches_is_infinite_and_said():
    base, other = fitted(table(BASE, 0.001, 1, COMMON), table(scaled(1.0, E=1.5), 0.001, 2, COMMON))
    floor = float(base.params["E"])
    for kind in ("hc3", "percentile"):
        found = jsl.selection.recipes(base, other, budget=[1e19, 1e26], kind=kind, resamples=100)
        assert np.isfinite(found.multiplier.point[0])
        assert np.isinf(found.multiplier.point[1])
        assert np.isinf(found.multiplier.high[1])
        assert found.multiplier.low[1] > 10.0
        assert any("base reaches that loss at no budget" in r for r in found.remarks)
        target = [2.4, floor - 0.05, 1.2]
        there = jsl.selection.recipes(base, other, target=target, kind=kind, resamples=100)
        back = jsl.selection.recipes(other, base, target=target, kind=kind, resamples=100)
        assert np.isposinf(there.multiplier.point[1])
        assert back.multiplier.point[1] == 0.0
        assert np.isnan(there.multiplier.point[2])
        assert any("neither recipe" in r for r in there.remarks)
        with np.errstate(divide="ignore"):
            for a, b in (("low", "high"), ("high", "low"), ("point", "point")):
                np.testing.assert_allclose(
                    getattr(there.multiplier, a), 1 / getattr(back.multiplier, b), rtol=2e-2
                )
        np.testing.assert_allclose(there.confidence[:2], 1 - back.confidence[:2], atol=1e-9)


def test_where_the_curves_cross():
    """Against a root of the closed forms; at the ends of the crossing the p-value is 0.05."""
    better_later = scaled(1.0, A=float(BASE.params["A"]) * 1.25, E=float(BASE.params["E"]) - 0.05)
    base, other = fitted(table(BASE, 0.002, 1, COMMON), table(better_later, 0.002, 2, COMMON))
    found = jsl.selection.recipes(base, other, budget=1e20, bracket=(1e17, 1e25))
    (crossing,) = found.crossings
    wanted = brentq(
        lambda x: least(base.law, np.exp(x)) - least(other.law, np.exp(x)),
        np.log(1e17),
        np.log(1e25),
    )
    assert np.log(crossing.budget) == pytest.approx(wanted, abs=1e-6)
    assert crossing.better_above == "other"
    assert found.crosses > 0.9
    assert crossing.low < crossing.budget < crossing.high
    assert jsl.selection.recipes(base, other, budget=crossing.low).p_value == pytest.approx(
        0.05, abs=0.005
    )
    assert jsl.selection.recipes(base, other, budget=crossing.budget).p_value == pytest.approx(
        1.0, abs=1e-4
    )
    (back,) = jsl.selection.recipes(other, base, budget=1e20, bracket=(1e17, 1e25)).crossings
    assert back.better_above == "base"
    assert (back.low, back.budget, back.high) == pytest.approx(
        (crossing.low, crossing.budget, crossing.high), rel=1e-6
    )
    assert "cross at" in repr(found)


def test_a_law_of_compute_alone():
    c = np.geomspace(1e18, 1e21, 25)
    law = jsl.laws.power_law
    truth = [law.fix(E=1.7, x0=x, alpha=0.15) for x in (2e19, 1e19)]
    runs = [
        jsl.Runs.from_columns(
            x=c, loss=np.asarray(t(c)) * np.exp(1e-4 * np.random.default_rng(k).standard_normal(25))
        )
        for k, t in enumerate(truth)
    ]
    narrow = law.start(x0=(1e18, 1e21))
    base, other = fitted(*runs, law=narrow)
    found = jsl.selection.recipes(base, other, budget=1e20)
    p, q = ({k: float(v) for k, v in f.params.items()} for f in (base, other))
    loss = q["E"] + (1e20 / q["x0"]) ** -q["alpha"]
    assert found.multiplier.point == pytest.approx(
        p["x0"] * (loss - p["E"]) ** (-1 / p["alpha"]) / 1e20, rel=1e-8
    )
    assert found.multiplier.low < 2.0 < found.multiplier.high


def test_the_default_objective_has_paired_percentiles():
    base, other = fitted(
        table(BASE, 0.005, 1, COMMON),
        table(scaled(1.5), 0.005, 2, COMMON),
        objective=jsl.objectives.LogHuber(),
    )
    found = jsl.selection.recipes(base, other, budget=1e20, resamples=200)
    assert found.multiplier.kind == "percentile"
    assert found.multiplier.low < 1.5 < found.multiplier.high
    again = jsl.selection.recipes(base, other, budget=1e20, resamples=200)
    assert list(again.multiplier) == list(found.multiplier)


def test_refits_without_a_curve_are_counted(two, monkeypatch):
    """Two of 50 refits have no plan at one budget of the range: said, and neither crossing nor not
    crossing.
    """
    told = jsl.selection.recipes(*two, budget=1e20, kind="percentile", resamples=50)
    assert told.remarks == ()
    own = _multiplier.losses

    def spoilt(fit, asked, budgets):
        found = own(fit, asked, budgets)
        if found.ndim == 2 and found.shape[1] > 7:
            found[[0, 3], 7] = np.nan
        return found

    monkeypatch.setattr(_multiplier, "losses", spoilt)
    found = jsl.selection.recipes(*two, budget=1e20, kind="percentile", resamples=50)
    assert found.remarks == (
        "2 of 50 refits lack a plan somewhere in the range of the curves and are left out of "
        "`crosses`",
    )
    assert found.crosses * 48 == pytest.approx(round(found.crosses * 48))


def test_figures_of_recipes(two):
    found = jsl.selection.recipes(*two, budget=[1e19, 1e21])
    figure = plots.recipes(found, names=("web", "filtered"))
    top, bottom = figure.axes
    shown = dict(zip(("web", "filtered"), top.get_lines(), strict=False))
    for name, band in (("web", found.curves.base), ("filtered", found.curves.other)):
        np.testing.assert_allclose(shown[name].get_data(), [found.curves.budget, band.point])
    bars = [line for line in top.get_lines() if line.get_marker() == "|"]
    for bar, c, m in zip(bars, found.budget, found.multiplier.point, strict=True):
        np.testing.assert_allclose(np.sort(bar.get_xdata()), np.sort([c, m * c]))
        np.testing.assert_allclose(bar.get_ydata(), least(two[1].law, c), rtol=1e-3)
    np.testing.assert_allclose(bottom.get_lines()[0].get_ydata(), found.curves.multiplier.point)
    assert "web" in bottom.get_ylabel()
    marks = [line for line in bottom.get_lines() if line.get_marker() == "o"]
    assert [m.get_xdata()[0] for m in marks] == [c.budget for c in found.crossings]
    with pytest.raises(jsl.InputError, match=r"jsl\.selection\.recipes"):
        plots.recipes(two[0])


def test_questions_that_cannot_be_answered(two):
    base, other = two
    with pytest.raises(jsl.InputError, match="no budget and no target"):
        jsl.selection.recipes(base, other)
    with pytest.raises(jsl.InputError, match="a budget and a target"):
        jsl.selection.recipes(base, other, budget=1e21, target=2.0)
    with pytest.raises(jsl.InputError, match=r"(?s)budget -1.*positive"):
        jsl.selection.recipes(base, other, budget=-1)
    with pytest.raises(ValueError, match="There is: cr3, hc3, percentile"):
        jsl.selection.recipes(base, other, budget=1e21, kind="bca")
    with pytest.raises(ValueError, match="level=95"):
        jsl.selection.recipes(base, other, budget=1e21, level=95)
    with pytest.raises(jsl.InputError, match="low and high are swapped"):
        jsl.selection.recipes(base, other, budget=1e21, bracket=(1e24, 1e20))
    with pytest.raises(jsl.InputError, match=r"(?s)other is an ensemble.*\.point"):
        jsl.selection.recipes(base, jsl.bootstrap(other, 10), budget=1e21)
    with pytest.raises(TypeError, match="base is a Law"):
        jsl.selection.recipes(BASE, other, budget=1e21)
    with pytest.raises(jsl.InputError, match="a parameter of the law"):
        jsl.selection.recipes(base, other, budget=1e21, cost=lambda N, D, alpha: N * D * alpha)
    one = jsl.fit(
        jsl.laws.power_law.start(x0=(1e6, 1e9)),
        jsl.Runs.from_columns(x=N, loss=base.problem.runs["loss"]),
        starts=8,
    )
    with pytest.raises(jsl.InputError, match="chinchilla reads N, D, power_law reads x"):
        jsl.selection.recipes(base, one, budget=1e21)


def test_a_learning_rate_sweep_is_paired_by_its_learning_rates():
    """Two rates at each of 12 sizes, the same seed: the rate tells runs apart, and all noise is
    common.
    """
    rng, n = np.random.default_rng(0), np.repeat(np.geomspace(1e8, 1e10, 12), 2)
    d, rate = 20 * n * np.tile([0.5, 0.5, 2.0, 2.0], 6), np.tile([1e-3, 2e-3], 12)
    loss = (1.7 + 400 * n**-0.34 + 1100 * d**-0.33) * np.exp(0.003 * rng.standard_normal(24))
    seed, tables = np.repeat("0", 24), []
    for factor in (1.0, 0.99):
        tables.append(jsl.Runs.from_columns(N=n, D=d, lr=rate, loss=factor * loss, seed=seed))
    base, other = (
        jsl.fit(jsl.laws.chinchilla, t, objective=jsl.objectives.LogSquared(), starts=8)
        for t in tables
    )
    found = jsl.selection.recipes(base, other, budget=1e22)
    assert found.pairs == 24
    assert found.multiplier.low > 1.0
