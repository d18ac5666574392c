"""Several tables, objectives and starts in one call: the same numbers as one by one, with the axes
that were asked for.
"""

import dataclasses

import numpy as np
import pytest
from cases import noisy

import jaxscale as jsl
from jaxscale.fitting import _chunks, _fit, _host
from jaxscale.ground import _compiled
from jaxscale.laws import chinchilla
from jaxscale.objectives import LogHuber, LogSquared

# 49, 42 and 35 rows
SWEEPS = [noisy("chinchilla", 0.005, seed=s, rows=slice(0, 49 - 7 * s)) for s in range(3)]
DELTAS = [LogHuber(1e-3), LogHuber(1e-2)]


@pytest.fixture(scope="module")
def fits():
    return jsl.fit(chinchilla, SWEEPS, objective=DELTAS, starts=32)


def test_ragged_tables_and_deltas_are_fitted_as_if_one_by_one(fits):
    assert fits.params["alpha"].shape == fits.value.shape == fits.status.shape == (3, 2)
    assert len(fits) == 3
    for d, o in ((0, 0), (1, 1), (2, 0)):
        alone = jsl.fit(chinchilla, SWEEPS[d], objective=DELTAS[o], starts=32)
        np.testing.assert_allclose(fits.value[d, o], alone.value, rtol=1e-10)
        np.testing.assert_allclose(fits[d, o].params["alpha"], alone.params["alpha"], rtol=1e-8)
        assert fits[d, o].certificate.rows_used == len(SWEEPS[d])
        assert fits[d, o].status == alone.status
        assert jsl.report(fits[d, o]).splitlines()[1] == jsl.report(alone).splitlines()[1]


def test_one_list_is_one_axis():
    tables = jsl.fit(chinchilla, SWEEPS[:2], starts=8)
    deltas = jsl.fit(chinchilla, SWEEPS[0], objective=DELTAS, starts=8)
    assert tables.params["E"].shape == (2,)
    assert deltas.params["E"].shape == (2,)
    assert float(deltas[1].problem.objective.delta) == 1e-2
    # two programs, one result
    kinds = jsl.fit(chinchilla, SWEEPS[0], objective=[LogHuber(), LogSquared()], starts=8)
    np.testing.assert_allclose(
        kinds.value[1],
        jsl.fit(chinchilla, SWEEPS[0], objective=LogSquared(), starts=8).value,
        rtol=1e-10,
    )


def test_refits_of_all_cells_see_the_resamples_of_their_table(fits):
    boots = jsl.bootstrap(fits, 40)
    assert boots.params["alpha"].shape == boots.value.shape == (40, 3, 2)
    one = boots[1, 0]
    assert one.params["alpha"].shape == (40,)
    assert one.point is fits[1, 0]
    low, _, high = jsl.interval(one)["alpha"]
    assert low < one.point.params["alpha"] < high
    together = jsl.interval(boots)["alpha"], jsl.interval(boots, of=lambda law: law(1e10, 2e11))
    apart = jsl.interval(one)["alpha"], jsl.interval(one, of=lambda law: law(1e10, 2e11))
    for many, alone in zip(together, apart, strict=True):
        np.testing.assert_allclose([v[1, 0] for v in many], list(alone), rtol=1e-12)
    wide = jsl.bootstrap(fits[0, 0], 40)  # table 0 of one and of three: the same keys
    np.testing.assert_allclose(boots[0, 0].value, wide.value, rtol=1e-9)
    # resamples differ between tables and agree between deltas: the same rows are drawn
    spread = np.corrcoef(boots.params["alpha"][:, 0].T)[0, 1]
    assert spread > 0.5
    assert abs(np.corrcoef(boots.params["alpha"][:, :, 0].T)[0, 1]) < 0.5


def test_every_resample_can_have_many_starts(fits):
    warm, guarded = jsl.bootstrap(fits[0, 0], 20), jsl.bootstrap(fits[0, 0], 20, starts=7)
    assert guarded.value.shape == (20,)
    assert guarded.work.lanes == 140
    assert np.all(guarded.value <= warm.value * (1 + 1e-9))


def test_predictions_and_plans_keep_the_axes(fits):
    loss = fits.predict(N=1e10, D=[1e11, 1e12])
    assert loss.shape == (3, 2, 2)
    np.testing.assert_allclose(loss[2, 1], fits[2, 1].law(1e10, [1e11, 1e12]), rtol=1e-12)
    plan = jsl.allocate(fits, [1e21, 1e22])
    assert plan["N"].shape == (3, 2, 2)
    np.testing.assert_allclose(plan["N"][1, 1, 0], jsl.allocate(fits[1, 1], 1e21)["N"], rtol=1e-9)
    with pytest.raises(TypeError, match="one table and objective"):
        jsl.report(fits)


def test_fits_are_a_sequence(fits):
    """Every way to pick some of them gives the same fits, with the axes that are left."""
    assert isinstance(fits, jsl.Fits)
    assert (len(fits), fits.axes, fits.cells.shape) == (3, ("tables", "objectives"), (3, 2))
    rows = list(fits)
    assert [type(row) for row in rows] == [jsl.Fits] * 3
    assert (rows[1].axes, fits[:, 1].axes, fits[1:].axes) == (
        ("objectives",),
        ("tables",),
        ("tables", "objectives"),
    )
    assert rows[1][0] is fits[1, 0] is fits[:, 0][1] is fits[1:][0, 0]
    assert list(fits[:, 1]) == [fits[0, 1], fits[1, 1], fits[2, 1]]
    np.testing.assert_array_equal(fits[:, 1].params["A"], fits.params["A"][:, 1])
    np.testing.assert_array_equal(fits[2].value, [fits[2, 0].value, fits[2, 1].value])
    boots = jsl.bootstrap(fits[:, 0], 20)
    assert [type(b) for b in boots] == [jsl.Ensemble] * 3
    assert boots.params["A"].shape == (20, 3)
    np.testing.assert_array_equal(boots.params["A"][:, 2], boots[2].params["A"])
    assert boots.point.cells.tolist() == [fits[0, 0], fits[1, 0], fits[2, 0]]
    with pytest.raises(IndexError, match="out of bounds"):
        _ = fits[7]
    with pytest.raises(IndexError, match="picks none"):
        _ = fits[3:]
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(fits)


def test_given_starts_are_taken_as_they_are():
    truth = {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.33}
    best = jsl.fit(chinchilla, SWEEPS[0], starts=16)
    fit = jsl.fit(chinchilla, SWEEPS[0], starts=[truth, {**truth, "E": 2.0}])
    assert fit.certificate.starts_drawn == 2
    np.testing.assert_allclose(fit.value, best.value, rtol=1e-10)
    with pytest.raises(jsl.InputError, match=r"starts\[0\]: beta is not given"):
        jsl.fit(chinchilla, SWEEPS[0], starts=[{k: v for k, v in truth.items() if k != "beta"}])
    with pytest.raises(jsl.InputError, match=r"starts\[1\]: A=-1"):
        jsl.fit(chinchilla, SWEEPS[0], starts=[truth, {**truth, "A": -1.0}])


def test_a_bad_table_among_good_ones_is_named():
    with pytest.raises(jsl.InputError, match="distinct runs for 5 free parameters"):
        jsl.fit(chinchilla, [SWEEPS[0], SWEEPS[0].where(np.arange(49) < 3)])
    with pytest.raises(ValueError, match="empty list"):
        jsl.fit(chinchilla, [])


def test_tables_of_very_different_length_are_set_apart_where_padding_would_cost_more():
    small, large = SWEEPS[2], dataclasses.replace(SWEEPS[0])
    problem = [[jsl.fit(chinchilla, r, starts=1).problem] for r in (small, large)]
    assert _fit.jobs_of(problem, 10**9) == [([0, 1], [0])]  # within a factor of four
    long = [
        [dataclasses.replace(problem[1][0], runs=SWEEPS[0].where(np.arange(49) < 9))],
        problem[1],
    ]
    assert _fit.jobs_of(long, 10) == [([0, 1], [0])]
    assert _fit.jobs_of(long, 10**9) == [([1], [0]), ([0], [0])]


def test_programs_that_were_forgotten_are_compiled_to_the_same_bits():
    before = jsl.fit(chinchilla, SWEEPS[0], starts=8)
    _compiled.forget()
    after = jsl.fit(chinchilla, SWEEPS[0], starts=8)
    assert before.value == after.value
    for k, v in before.params.items():
        assert v == after.params[k]


def test_sums_of_another_objective_are_no_fit(monkeypatch):
    """What a wrong program gives does not pass as a fit: the sums are held against each run's own
    loss.
    """
    real = _host.summed
    other = jsl.objectives.LogHuber(1e-6)

    def wrong(law, sizes, x, data, objective, counts, **form):
        return real(law, sizes, x, data, type(other)(objective.smoothing), counts, **form)

    monkeypatch.setattr(_host, "summed", wrong)
    with pytest.raises(
        RuntimeError,
        match=r"the compiled sums of this law are 1\.39\d*e-07 where its runs add up to 0\.139",
    ):
        jsl.fit(chinchilla, SWEEPS[0], objective=jsl.objectives.LogAbs(), starts=4)


def test_what_is_held_against_each_other():
    """A lane whose sums are no numbers is wrong; one with a run whose loss is none, and sums of
    exactly nothing, are not.
    """
    weights, slope = np.array([[1.0, 1.0], [1.0, 0.0]]), np.zeros((2, 2))
    loss = np.array([[1.0, 3.0], [2.0, np.nan]])
    _chunks.confirm(np.array([3.0, 3.0]), weights, loss, slope)
    _chunks.confirm(np.array([1e-32, 0.0]), weights, 0.0 * np.ones((2, 2)), slope)
    with pytest.raises(RuntimeError, match="are inf where its runs add up to 3"):
        _chunks.confirm(np.array([np.inf, 3.0]), weights, loss, slope)
    with pytest.raises(RuntimeError, match="are 4 where its runs add up to 3"):
        _chunks.confirm(np.array([4.0, np.nan]), weights, loss, slope)
