"""Laws ranked by what they would have predicted: against refits by hand, published errors, and
brute force.
"""

import numpy as np
import pytest
from scipy import optimize

import jaxscale as jsl
from jaxscale.selection._folds import stacked

LOG = jsl.objectives.LogSquared()


@pytest.fixture(scope="module")
def simulated_runs():
    return jsl.datasets.load("simulated")


@pytest.fixture(scope="module")
def comparison(simulated_runs):
    law = jsl.laws.chinchilla
    laws = {"free": law, "no limit": law.fix(E=0), "alpha = beta": law.tie(beta="alpha")}
    return jsl.compare(
        laws, simulated_runs, objective=LOG, ratios=(2, 10, 1e6), starts=16, resamples=100
    )


def test_errors_are_those_of_refits_by_hand(comparison, simulated_runs):
    """Every cut refitted and predicted outside `compare`; means over rows, then over cuts."""
    runs, scale = simulated_runs, 6 * simulated_runs["N"] * simulated_runs["D"]
    wanted = {"free": [], "no limit": [], "best so far": [], "largest so far": []}
    for ratio in (2, 10):
        inside = scale <= scale.max() / ratio * (1 + 1e-6)
        rest = ~inside
        for name, law in (
            ("free", jsl.laws.chinchilla),
            ("no limit", jsl.laws.chinchilla.fix(E=0)),
        ):
            fit = jsl.fit(law, runs.where(inside), objective=LOG, starts=16)
            wanted[name].append(
                np.log(np.asarray(fit.law(runs["N"][rest], runs["D"][rest])) / runs["loss"][rest])
            )
        wanted["best so far"].append(np.log(runs["loss"][inside].min() / runs["loss"][rest]))
        last = runs["loss"][inside][np.argmax(scale[inside])]
        wanted["largest so far"].append(np.log(last / runs["loss"][rest]))
    for name, off in wanted.items():
        i = comparison.names.index(name)
        np.testing.assert_allclose(
            comparison.error[i], np.mean([np.abs(v).mean() for v in off]), rtol=1e-6
        )
        np.testing.assert_allclose(
            comparison.bias[i], np.mean([v.mean() for v in off]), rtol=1e-6, atol=1e-9
        )
    ratio = np.concatenate(
        [
            scale[scale > scale.max() / r * (1 + 1e-6)] / (scale.max() / r * (1 + 1e-6))
            for r in (10, 2)
        ]
    )
    off = np.abs(np.concatenate(wanted["free"][::-1]))
    near = comparison.by_ratio[comparison.reach.index("1-3x"), 0]
    np.testing.assert_allclose(near, off[ratio <= 3].mean(), rtol=1e-6)


def test_what_is_not_said_by_the_data_is_said_in_words(comparison):
    fitted = "rows at each cut: 50 fitted, 10 predicted; 40 fitted, 20 predicted"
    assert comparison.remarks == (
        fitted,
        "cuts left out: ratio 1e+06 (0 rows to fit, 60 to predict)",
    )
    assert comparison.best == "free"
    lines = repr(comparison).splitlines()
    assert lines[1].startswith("free")
    assert "largest so far" in lines[-2] + lines[-3]


def test_ranks_have_intervals(comparison):
    """The law that made the runs is first in most resamples, a law without a limit in none; ranks
    lie in their intervals.
    """
    assert np.all(
        (comparison.rank_low <= comparison.rank) & (comparison.rank <= comparison.rank_high)
    )
    assert comparison.first[0] > 0.5
    assert comparison.first[1] == 0
    np.testing.assert_allclose(comparison.first.sum(), 1.0)


def test_information_criteria_by_hand(comparison, simulated_runs):
    """AICc and BIC of normal noise with a fitted scale, from the sums of squares of fits to all
    rows.
    """
    n, aic, bic = len(simulated_runs), [], []
    for law in (jsl.laws.chinchilla, jsl.laws.chinchilla.fix(E=0)):
        fit = jsl.fit(law, simulated_runs, objective=LOG, starts=16)
        k = len(law.free) + 1
        twice = n * np.log(2 * float(fit.value) / n)
        aic.append(twice + 2 * k + 2 * k * (k + 1) / (n - k - 1))
        bic.append(twice + k * np.log(n))
    np.testing.assert_allclose(comparison.aic[1] - comparison.aic[0], aic[1] - aic[0], rtol=1e-6)
    np.testing.assert_allclose(comparison.bic[1] - comparison.bic[0], bic[1] - bic[0], rtol=1e-6)
    assert np.all(np.isnan(comparison.aic[3:]))


def test_stacking_against_a_solver_with_constraints():
    """Least squares on the simplex by SLSQP, on problems with and without laws that get
    no weight.
    """
    rng = np.random.default_rng(0)
    for laws in (2, 3, 5):
        truth = rng.standard_normal(30)
        predicted = (
            truth
            + rng.standard_normal((laws, 30)) * rng.uniform(0.1, 1.0, (laws, 1))
            + rng.uniform(0, 0.5, (laws, 1))
        )
        weights = stacked(predicted, truth)

        def value(w, predicted=predicted, truth=truth):
            return float(np.sum((w @ predicted - truth) ** 2))

        found = optimize.minimize(
            value,
            np.full(laws, 1 / laws),
            bounds=[(0, 1)] * laws,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        )
        np.testing.assert_allclose(weights.sum(), 1.0)
        assert weights.min() >= 0
        assert value(weights) <= found.fun * (1 + 1e-6)


def test_a_stack_is_at_least_as_good_as_its_laws(comparison):
    weights = comparison.stack()
    assert set(weights) == {"free", "no limit", "alpha = beta"}
    off = np.concatenate(
        [
            np.log(p[:3]) - np.log(f.observed)
            for p, f in zip(comparison.predicted, comparison.folds, strict=True)
        ],
        1,
    )
    together = np.sum((np.array(list(weights.values())) @ off) ** 2)
    assert together <= (off**2).sum(1).min() * (1 + 1e-9)


@pytest.mark.real
def test_published_errors_of_a_learning_curve():
    """Error in ln at the held-out point of five translation models by M1 (Alabdulmohsin et al.
    2022, table 2).
    """
    runs = jsl.datasets.load("learning_curves_nmt", rows="all")
    tables = [
        runs.where(runs["model"] == m)
        for m in ("6 Enc, 6 Dec", "28 Enc, 6 Dec", "6 Enc, 28 Dec", "Dec-only", "TEnc-LSTM")
    ]
    law = jsl.laws.power_law.start(x0=(1e3, 1e7))
    found = jsl.compare(
        {"M1": law.fix(E=0), "M2": law}, tables, ratios=(2,), objective=LOG, resamples=20
    )
    off = [
        abs(np.log(p[0, 0] / f.observed[0]))
        for p, f in zip(found.predicted, found.folds, strict=True)
    ]
    np.testing.assert_allclose(off, [0.262, 0.171, 0.234, 0.252, 0.190], atol=5e-4)
    np.testing.assert_allclose(found.error[0], np.mean(off))
    assert found.best == "best so far"  # these curves have ended: nothing beats the last point


@pytest.mark.real
def test_a_law_for_fine_tuning_and_a_power_law():
    """Trained on at most 102,400 examples: 1.7781 and 2.2995 at 1,638,400, where 1.7427 was
    measured.
    """
    runs = jsl.datasets.load("rectified").using(x="D_f")
    laws = {"rectified": jsl.laws.rectified, "power law": jsl.laws.power_law.start(x0=(1e-3, 1e6))}
    found = jsl.compare(laws, runs, size="D_f", ratios=(16,), objective=LOG, resamples=20)
    (fold,), (predicted,) = found.folds, found.predicted
    last = int(np.argmax(fold.ratio))
    np.testing.assert_allclose(fold.observed[last], 1.7427, atol=1e-4)
    np.testing.assert_allclose(predicted[:2, last], [1.7781, 2.2995], atol=2e-4)
    assert found.rank[0] == 1


def test_held_out_runs_are_held_out_whole():
    """Checkpoints below the cut of a run that goes beyond it are not fitted; rows of weight 0 are
    neither fitted nor judged.
    """
    n, d = np.repeat(np.geomspace(1e7, 1e9, 12), 4), np.tile([1e9, 2e9, 4e9, 8e9], 12)
    loss = 1.8 + 400 * n**-0.34 + 1100 * d**-0.33
    weights = np.r_[np.ones(47), 0.0]
    runs = jsl.Runs.from_columns(
        N=n, D=d, loss=loss, run=np.repeat(np.arange(12), 4), weights=weights
    )
    found = jsl.compare(jsl.laws.chinchilla, runs, ratios=(4,), starts=8, resamples=20)
    (fold,) = found.folds
    used = runs.where(weights > 0)
    beyond = 6 * used["N"] * used["D"] > fold.cut
    assert fold.test.tolist() == np.flatnonzero(beyond).tolist()
    assert not set(fold.train["run"]) & set(used["run"][beyond])


def test_what_cannot_be_compared_is_refused(simulated_runs):
    law = jsl.laws.chinchilla
    with pytest.raises(jsl.InputError, match="no cut leaves 8 rows to fit"):
        jsl.compare([law], simulated_runs, ratios=(1e9,))
    with pytest.raises(jsl.InputError, match="no such column"):
        jsl.compare([law], simulated_runs, size="flops")
    with pytest.raises(TypeError, match=r"compare\(\) fits laws; str is none"):
        jsl.compare(["chinchilla"], simulated_runs)
    with pytest.raises(ValueError, match="numbers above 1"):
        jsl.compare(law, simulated_runs, ratios=(0.5,))
    with pytest.raises(TypeError, match=r"compared by fit\.value"):
        jsl.compare(law, simulated_runs, objective=jsl.objectives.NegLogLik())
    with pytest.raises(ValueError, match="told apart by their names"):
        jsl.compare([law, law.fix(E=0)], simulated_runs)
    with pytest.raises(jsl.InputError) as error:
        jsl.compare({"mine": jsl.laws.power_law}, simulated_runs)
    assert error.value.__notes__ == ["  In compare(), law 'mine'"]
