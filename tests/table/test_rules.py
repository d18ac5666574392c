"""Which rows are fitted: rules that choose, average and weight rows, noise floors, and what hangs
on them.
"""

import numpy as np
import pytest
from scipy import stats

import jaxscale as jsl
from jaxscale.table._rules import cells, unfinished
from jaxscale.uncertainty import lack_of_fit, noise_floor

CURVES = {
    "N": np.repeat([1e8, 1e9], [4, 6]),
    "D": np.concatenate([[1e9, 2e9, 4e9, 8e9], [1e9, 2e9, 4e9, 8e9, 1.6e10, 3.2e10]]),
    "loss": np.concatenate([[4.0, 3.6, 3.3, 3.1], [3.9, 3.4, 3.0, 2.8, 2.6, 2.5]]),
    "run": np.repeat(["a", "b"], [4, 6]),
}


@pytest.fixture(scope="module")
def misfitting():
    return jsl.datasets.load("misfitting")


@pytest.mark.filterwarnings("ignore:8 of 261 rows are exact copies")
def test_the_best_learning_rate_of_each_cell():
    """81 cells of (N, D); 7 bests are written down twice (other learning rates, the same 16
    digits).
    """
    runs = jsl.datasets.load("misfitting")
    best = runs.best()
    assert len(best) == 81
    key = list(zip(runs["N"], runs["D"], strict=True))
    least = {
        k: min(loss for own, loss in zip(key, runs["loss"], strict=True) if own == k)
        for k in set(key)
    }
    assert sorted(best["loss"]) == sorted(least.values())
    near = runs.best(within=0.01)
    assert (
        len(near)
        == sum(loss <= 1.01 * least[k] for k, loss in zip(key, runs["loss"], strict=True))
        == 153
    )
    assert near.remarks[-1] == "best by N, D within 0.01: 153 of 261 rows, in 81 cells"


def test_cells_do_not_split_on_rounding():
    runs = jsl.Runs.from_columns(N=[1e8, 1e8 * (1 + 1e-9), 2e8], D=[2e9] * 3, loss=[3.0, 3.1, 2.9])
    assert cells(runs, ("N", "D"), "").tolist() == [0, 0, 1]
    assert len(runs.best()) == 2
    with pytest.raises(jsl.InputError, match=r"no column 'Nn'"):
        runs.best(cell=("Nn",))


def test_late_smoothed_and_balanced_checkpoints():
    runs = jsl.Runs.from_columns(**CURVES)
    assert len(runs.late(tokens=4e9)) == 6
    assert runs.late(share=0.25)["D"].tolist() == [4e9, 8e9, 1.6e10, 3.2e10]
    smooth = runs.smoothed(3)
    np.testing.assert_allclose(smooth["loss"], [np.mean([3.6, 3.3, 3.1]), np.mean([2.8, 2.6, 2.5])])
    assert smooth["D"].tolist() == [8e9, 3.2e10]
    assert runs.smoothed(5).remarks[-1] == "mean of the last 5 checkpoints of 2 runs, fewer in 1"
    weights = runs.balanced().weights
    np.testing.assert_allclose(weights[:4].sum(), weights[4:].sum())  # a run is a run
    # equal factors of D
    np.testing.assert_allclose(weights[4:] / weights[5], [0.5, 1, 1, 1, 1, 0.5])
    np.testing.assert_allclose(weights.mean(), 1.0)
    for verb in ("smoothed", "balanced"):
        with pytest.raises(jsl.InputError, match="no run column"):
            getattr(jsl.Runs.from_columns(N=[1e8], D=[2e9], loss=[3.0]), verb)()


def test_a_decaying_schedule_makes_early_checkpoints_biased():
    """An unfinished decay is a bias, whatever the number of rows; checkpoints of a constant rate
    are comparable.
    """
    schedule = np.repeat(["cosine", "constant"], [4, 6])
    runs = jsl.Runs.from_columns(**CURVES, schedule=schedule)
    assert unfinished(runs).tolist() == [True] * 3 + [False] * 7
    law = jsl.laws.power_law.start(x0=(1e3, 1e9))
    fit = jsl.fit(law, runs.using(x="D"), starts=16)
    said = [c for c in jsl.uncertainty.cautions(fit) if "schedule" in c]
    assert len(said) == 1
    assert said[0].startswith("3 of 10 rows are checkpoints before the end of a decaying schedule")


def test_seeds_that_are_not_known_do_not_stop_a_table(tmp_path):
    file = tmp_path / "sweep.csv"
    file.write_text("N,D,loss,seed\n1e8,2e9,3.1,\n1e9,2e10,2.6,1\n")
    runs = jsl.Runs.from_csv(file)
    assert "seed" not in runs.groups
    assert runs.remarks == ("seed not read: not every row has one",)
    with pytest.raises(jsl.InputError, match="group 'seed', row 0: no label"):
        jsl.Runs.from_csv(file, groups=["seed"])


def test_the_noise_floor_of_replicates():
    """Pooled over 17 replicated cells of the repeated-data runs, by hand with the statistics
    module.
    """
    import statistics
    from collections import defaultdict

    runs = jsl.datasets.load("datablations", rows="all")
    cell = defaultdict(list)
    for n, d, u, loss in zip(runs["N"], runs["D"], runs["U"], runs["val_loss"], strict=True):
        cell[n, d, u].append(float(np.log(loss)))
    several = [v for v in cell.values() if len(v) > 1]
    pooled = np.sqrt(
        sum((len(v) - 1) * statistics.variance(v) for v in several)
        / sum(len(v) - 1 for v in several)
    )
    floor = noise_floor(runs)
    np.testing.assert_allclose(
        [floor.sd, floor.median], [pooled, statistics.median(map(statistics.stdev, several))]
    )
    assert (round(floor.sd, 4), round(floor.median, 4), len(floor.values), floor.dof) == (
        0.0069,
        0.0027,
        17,
        66,
    )
    assert float(floor.objective().delta) == pytest.approx(1.345 * pooled)
    with pytest.raises(jsl.InputError, match="no two of 182 rows share N, D, U"):
        noise_floor(jsl.datasets.load("datablations"))


def test_ties_are_no_copies_and_checkpoints_no_replicates():
    """Losses rounded to three digits tie often: the scatter is that of all of them. Rows of weight
    0 are nobody's.
    """
    rng, cells, sd = np.random.default_rng(2), 500, 0.001
    loss = np.round(3.0 * np.exp(sd * rng.standard_normal((cells, 3))), 3)
    columns = {"N": np.repeat(np.geomspace(1e7, 1e10, cells), 3), "loss": loss.ravel()}
    runs = jsl.Runs.from_columns(**columns, seed=np.tile(["0", "1", "2"], cells))
    floor = noise_floor(runs)
    assert floor.dof == 2 * cells
    np.testing.assert_allclose(
        floor.sd, np.sqrt(np.mean(np.var(np.log(loss), axis=1, ddof=1))), rtol=1e-9
    )
    weights = np.r_[0.0, np.ones(3 * cells - 1)]
    spoilt = jsl.Runs.from_columns(
        **{**columns, "loss": np.r_[12.0, loss.ravel()[1:]]},
        weights=weights,
        run=np.arange(3 * cells),
    )
    assert noise_floor(spoilt, cell="N").sd < 1.2 * sd
    assert spoilt.best(cell="N")["loss"].max() < 4
    curves = jsl.Runs.from_columns(**CURVES)
    # D of a long run passes where a short one ends
    with pytest.raises(jsl.InputError, match="no two of 2 rows"):
        noise_floor(curves, cell="D")
    tuned = jsl.Runs.from_columns(
        N=[1e8] * 3, D=[2e9] * 3, loss=[3.0, 3.001, 3.2], seed=["0", "1", "2"]
    ).best(within=0.01)
    assert "chosen by their loss" in noise_floor(tuned).source


def test_the_least_effect_that_a_sweep_can_see():
    """Power of the two-sample test at the difference that `visible` names, by simulation: 80 %
    within three errors.
    """
    floor = jsl.uncertainty.NoiseFloor(
        0.004, 0.004, 10**6, np.array([0.004]), np.array([3.0]), "replicates"
    )
    rng, tries, seeds = np.random.default_rng(0), 20_000, 3
    off = floor.visible(seeds) + (rng.normal(0, 0.004, (tries, 2, seeds)).mean(-1) @ [1, -1])
    seen = np.mean(np.abs(off) > stats.norm.ppf(0.975) * 0.004 * np.sqrt(2 / seeds))
    assert abs(seen - 0.8) < 3 * np.sqrt(0.16 / tries)


def test_checkpoints_stand_in_for_seeds():
    """White noise about a falling line: the scatter is found without the trend, within three
    standard errors.
    """
    rng, runs, points, sd = np.random.default_rng(1), 40, 12, 0.003
    place = np.tile(np.geomspace(1e9, 2e9, points), runs)
    loss = 3.0 * (place / 1e9) ** -0.2 * np.exp(sd * rng.standard_normal(runs * points))
    table = jsl.Runs.from_columns(D=place, loss=loss, run=np.repeat(np.arange(runs), points))
    floor = noise_floor(table, last=8)
    assert floor.dof == runs * 6
    assert abs(floor.sd / sd - 1) < 3 / np.sqrt(2 * floor.dof)


def test_lack_of_fit_is_seen_and_not_imagined():
    """F test at 1 %: the true law passes, the law without its offset does not; p of the true law is
    that of scipy.
    """
    rng, law = np.random.default_rng(3), jsl.laws.power_law.start(x0=(1e3, 1e9))
    x = np.repeat(np.geomspace(1e8, 1e11, 12), 3)
    loss = (1.8 + 400.0 * x**-0.3) * np.exp(0.004 * rng.standard_normal(36))
    runs = jsl.Runs.from_columns(
        x=x, loss=loss, seed=np.tile(["0", "1", "2"], 12), units={"x": jsl.units.Positive}
    )
    floor = noise_floor(runs)
    objective = jsl.objectives.LogSquared()
    right = lack_of_fit(jsl.fit(law, runs, objective=objective, starts=16), floor)
    wrong = lack_of_fit(jsl.fit(law.fix(E=0), runs, objective=objective, starts=16), floor)
    assert right.p > 0.01 > wrong.p
    assert wrong.missed > 5 * floor.sd
    np.testing.assert_allclose(right.p, stats.f.sf(right.ratio, 12 - 3, 24), rtol=1e-6)


def test_a_prediction_interval_contains_the_floor():
    fit = jsl.fit(
        jsl.laws.chinchilla,
        jsl.datasets.load("simulated"),
        objective=jsl.objectives.LogSquared(),
        starts=32,
    )
    floor = jsl.uncertainty.NoiseFloor(
        0.05, 0.05, 30, np.array([0.05]), np.array([2.5]), "replicates"
    )
    plain, wide = (
        jsl.uncertainty.prediction_interval(fit, N=1e10, D=2e11),
        jsl.uncertainty.prediction_interval(fit, N=1e10, D=2e11, noise=floor),
    )
    assert np.log(wide.high / wide.low) > 2 * 1.96 * 0.05 > np.log(plain.high / plain.low)


def test_a_poor_floor_makes_wide_intervals():
    """95 % intervals of new runs whose noise was measured with 2 degrees of freedom hold 95 %,
    within four standard errors.

    The spread of the floor is that of three replicates. Chance goes beyond four errors once in
    16,000.
    """
    fit = jsl.fit(
        jsl.laws.chinchilla,
        jsl.datasets.load("simulated"),
        objective=jsl.objectives.LogSquared(),
        starts=32,
    )
    there, sd, tries, rng = {"N": 1e10, "D": 2e11}, 0.05, 250, np.random.default_rng(8)
    frozen = jsl.forecast(fit, **there)
    inside = 0
    for _ in range(tries):
        own = sd * np.sqrt(rng.chisquare(2) / 2)
        found = jsl.uncertainty.prediction_interval(
            fit,
            **there,
            noise=jsl.uncertainty.NoiseFloor(
                own, own, 2, np.array([own]), np.array([2.0]), "three"
            ),
        )
        run = np.exp(
            frozen.centre
            + float(frozen.deviation) * rng.standard_t(frozen.dof)
            + sd * rng.standard_normal()
        )
        inside += int(found.low < run < found.high)
    assert abs(inside / tries - 0.95) < 4 * np.sqrt(0.95 * 0.05 / tries)


def test_degrees_of_freedom_of_two_variances():
    """Satterthwaite's, between the less and the sum; a number counts as known, and the curve keeps
    its own.
    """
    fit = jsl.fit(
        jsl.laws.chinchilla,
        jsl.datasets.load("simulated"),
        objective=jsl.objectives.LogSquared(),
        starts=32,
    )
    there = {"N": [1e10, 1e11], "D": 2e12}
    plain = jsl.forecast(fit, **there)
    own = [
        jsl.forecast(
            fit,
            **there,
            noise=jsl.uncertainty.NoiseFloor(0.01, 0.01, k, np.ones(1), np.ones(1), ""),
        )
        for k in (2, 10**9)
    ]
    d, s = plain.deviation, 0.01
    wanted = (d**2 + s**2) ** 2 / (d**4 / 55 + s**4 / 2)
    np.testing.assert_allclose(own[0].dof, wanted, rtol=1e-12)
    np.testing.assert_allclose(own[1].dof, jsl.forecast(fit, **there, noise=0.01).dof, rtol=1e-6)
    half = stats.t.ppf(0.975, wanted) * np.sqrt(d**2 + s**2)
    np.testing.assert_allclose(np.log(own[0].run.high / own[0].run.point), half, rtol=1e-9)
    for f in own:
        np.testing.assert_allclose(list(f.curve), list(plain.curve), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:.*exact cop")
def test_one_call_shows_what_rows_and_conventions_do():
    """The figures that this table was first seen with, to their digits; all 4,852 checkpoints are
    in the benchmark.
    """
    runs = jsl.datasets.load("misfitting")
    tables = {
        "all": runs,
        "best": runs.best(),
        "within 1 %": runs.best(within=0.01),
        "non-embedding": runs.using(N="N_no_emb"),
    }
    found = jsl.selection.sensitivity(
        jsl.laws.chinchilla,
        tables,
        of={
            "p": lambda law: law.params["beta"] / (law.params["alpha"] + law.params["beta"]),
            "N*": lambda law: jsl.allocate(law, 1e22)["N"],
        },
        starts=64,
    )
    np.testing.assert_allclose(found["p"], [0.760, 0.829, 0.855, 0.922], atol=5e-4)
    np.testing.assert_allclose(found["N*"].max(), 1.4e11, rtol=0.04)
    assert found.fits[3].certificate.at_bound == ("E",)
    assert "AT_BOUND" in repr(found).splitlines()[-1]
    pins = {f"E = {e}": jsl.laws.chinchilla.fix(E=e) for e in (1.6, 1.8)}
    pinned = jsl.selection.sensitivity(pins, runs, of={"E": lambda law: law.params["E"]}, starts=16)
    assert pinned["E"].tolist() == [1.6, 1.8]
