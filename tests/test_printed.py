"""What is printed: every object by its numbers, arrays by their first and last rows."""

import pickle
import re

import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.fitting import _bootstrap, _evidence, _fit
from jaxscale.ground._interval import Interval
from jaxscale.laws import chinchilla
from jaxscale.uncertainty import cautions, covariance

BUDGETS = np.geomspace(1e21, 1e24, 8)


@pytest.fixture(scope="module")
def boot(simulated):
    return jsl.bootstrap(simulated, 60)


def test_an_interval_of_an_array_shows_its_first_and_last_rows():
    low = np.arange(8.0)
    lines = repr(Interval(low, low + 1, low + 2, 0.9, "percentile", 3)).splitlines()
    assert lines[0] == "Interval of shape (8,), 90% percentile, 3 failed"
    assert lines[1] == "  [0]  1 (0 to 2)"
    assert lines[3:6] == ["  [2]  3 (2 to 4)", "  ...", "  [5]  6 (5 to 7)"]
    assert len(lines) == 8
    few = repr(Interval(np.zeros((2, 2)), np.ones((2, 2)), np.full((2, 2), 2.0), 0.9, "hc3"))
    assert [line.split("  ")[1] for line in few.splitlines()[1:]] == [
        "[0, 0]",
        "[0, 1]",
        "[1, 0]",
        "[1, 1]",
    ]


def test_a_point_outside_its_interval_is_printed_so():
    assert (
        repr(Interval(1.0, 2.5, 2.0, 0.95, "percentile"))
        == "2.5 (1 to 2, point outside, 95% percentile)"
    )
    lines = repr(
        Interval(np.ones(2), np.array([0.5, 1.5]), np.full(2, 2.0), 0.95, "bca")
    ).splitlines()
    assert lines[1:] == ["  [0]  0.5 (1 to 2, point outside)", "  [1]  1.5 (1 to 2)"]
    assert "outside" not in repr(Interval(np.nan, np.nan, np.nan, 0.95, "percentile"))


@pytest.mark.parametrize("kind", ["percentile", "bca", "studentised", "hc3", "sandwich", "laplace"])
def test_the_point_is_the_value_at_the_fit(simulated, boot, kind):
    """By every kind, of parameters and of functions; the median is that of the refits, where there
    are some.
    """
    refits = kind in ("percentile", "bca", "studentised")
    of = jsl.interval(
        boot,
        kind=kind,
        of=lambda law: {"loss": law(1e11, 2e12), "ratio": law.params["A"] / law.params["B"]},
    )
    for name, i in jsl.interval(boot, kind=kind).items():
        np.testing.assert_allclose(i.point, simulated.params[name], rtol=1e-12)
        assert list(i) == [i.low, i.point, i.high]
        if refits:
            # of its coordinate
            np.testing.assert_allclose(i.median, np.median(boot.params[name]), rtol=1e-3)
        else:
            assert i.median is None
    p = simulated.params
    np.testing.assert_allclose(
        of["loss"].point,
        p["E"] + p["A"] * 1e11 ** -p["alpha"] + p["B"] * 2e12 ** -p["beta"],
        rtol=1e-12,
    )
    np.testing.assert_allclose(of["ratio"].point, p["A"] / p["B"], rtol=1e-12)
    if refits:
        np.testing.assert_allclose(
            of["loss"].median, np.median(boot.predict(1e11, 2e12)), rtol=1e-9
        )


def test_the_point_of_arrays_without_a_fit_is_their_median(boot):
    found = jsl.interval(boot.params["A"])
    assert found.point == found.median == np.median(boot.params["A"])


def test_an_allocation_shows_its_plans():
    law = chinchilla.published["besiroglu2024"]
    plans, lines = jsl.allocate(law, BUDGETS), repr(jsl.allocate(law, BUDGETS)).splitlines()
    assert lines[0] == "<Allocation of N, D, shape (8,), 8 OK"
    assert [line.split()[0] for line in lines[1:]] == [
        "[0]",
        "[1]",
        "[2]",
        "...",
        "[5]",
        "[6]",
        "[7]",
    ]
    for i, line in ((0, lines[1]), (7, lines[-1])):
        n, d, loss, cost = (plans["N"][i], plans["D"][i], plans.loss[i], plans.cost[i])
        assert (
            line.rstrip(">") == f"  [{i}]  N={n:.6g}, D={d:.6g}, loss {loss:.6g}, cost {cost:.4g}"
        )
        assert (
            repr(jsl.allocate(law, BUDGETS[i]))
            == f"<Allocation N={n:.6g}, D={d:.6g}, loss {loss:.6g}, cost {cost:.4g}>"
        )
    region = plans.near_optimal(loss_slack=0.001)
    assert f"N [{region.low['N'][0]:.4g}, " in repr(region)
    bounded = jsl.allocate(law, BUDGETS, bounds={"N": (None, 1e9), "D": (None, 1e11)})
    assert repr(bounded).splitlines()[-1] == f"  note: {bounded.remarks[-1]}>"


def test_vectors_of_a_fit_show_their_values():
    runs = jsl.datasets.load("simulated")
    labels = np.where(np.arange(60) % 2, "odd", "even")
    table = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"], groups={"half": labels}
    )
    fit = jsl.fit(chinchilla.per(E="half"), table, starts=16)
    assert f"E=[{fit.params['E'][0]:.4g}, {fit.params['E'][1]:.4g}]" in repr(fit)


@pytest.mark.parametrize("make", ["fit", "boot", "plan"])
def test_nothing_with_a_status_is_true_or_false(simulated, boot, make):
    thing = {"fit": simulated, "boot": boot, "plan": jsl.allocate(simulated, 1e23)}[make]
    with pytest.raises(TypeError, match=r"use (fit|plan)\.ok"):
        bool(thing)
    assert np.all(thing.ok == (np.asarray(thing.status) == 0))


def test_all_show_one_plan(simulated, boot):
    """The closed form of the fit's law, `allocate`, `interval`, a plan's interval and
    the report.
    """
    p, budget = {k: float(v) for k, v in simulated.params.items()}, 1e23
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    n = g * (budget / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    best, plan, plans = (
        jsl.allocate(fit, c)
        for fit, c in ((simulated, budget), (boot, budget), (boot, [1e22, budget]))
    )
    assert best["N"] == pytest.approx(n, rel=1e-9)
    seen = [
        jsl.interval(boot, of=lambda law: jsl.allocate(law, budget)["N"]).point,
        plan.point["N"],
        plan.interval()["N"].point,
        plans.interval()["N"].point[1],
    ]
    assert seen == [best["N"]] * 4
    assert best.point is best
    low, high = np.quantile(plan["N"], [0.05, 0.95])
    np.testing.assert_allclose(
        [plan.interval(level=0.9)["N"].low, plan.interval(level=0.9)["N"].high], [low, high]
    )
    for given in (best, plan, plans):
        shown = [
            line.split()[1]
            for line in jsl.report(boot, plan=given).splitlines()
            if line.startswith("    N ")
        ]
        assert shown[-1] == f"{best['N']:.4g}"
    with pytest.raises(TypeError, match="one law"):
        best.interval()


def test_budgets_without_a_plan_have_no_interval(boot):
    found = jsl.allocate(
        boot, [1e20, 1e22], bounds={"N": (1e10, None), "D": (1e10, None)}
    ).interval()["N"]
    assert np.isnan([found.low[0], found.high[0], found.median[0]]).all()
    assert np.isfinite(list(found)).all(0)[1]
    assert "nan" in repr(found)


def test_a_report_names_the_runs_that_move_the_fit_most(simulated):
    """Under a delta far below the scatter as well: held against fits without those runs."""
    (line,) = (x for x in jsl.report(simulated).splitlines() if "absence moves" in x)
    found = re.findall(r"(\d+) \((\w+) ([-+.\d]+)\)", line)
    assert len(found) == 3
    runs, deviation = simulated.problem.runs, simulated.certificate.deviation
    for row, name, told in found:
        without = jsl.fit(chinchilla, runs.where(np.arange(len(runs)) != int(row)), starts=16)
        moved = np.log(without.params[name] / simulated.params[name]) / deviation[name]
        assert moved == pytest.approx(float(told), abs=0.01)


def test_a_report_measures_nothing_anew(monkeypatch):
    """`fit` lays its table out once and measures once; what is asked of it later reads that, and
    hindsight refits once.
    """
    seen = []
    for module in (_fit, _bootstrap, _evidence):
        for name in ("prepare", "measures"):

            def counted(*given, _name=name, _own=getattr(module, name), **more):
                seen.append(_name)
                return _own(*given, **more)

            monkeypatch.setattr(module, name, counted)

    def calls(ask):
        seen.clear()
        answer = ask()
        return answer, [seen.count("prepare"), seen.count("measures")]

    squares = jsl.objectives.LogSquared()
    fit, first = calls(
        lambda: jsl.fit(chinchilla, jsl.datasets.load("simulated"), objective=squares, starts=16)
    )
    assert first == [1, 1]
    for ask in (
        jsl.interval,
        lambda f: jsl.interval(f, of=lambda law: law(1e10, 1e12)),
        cautions,
        covariance,
    ):
        assert calls(lambda: ask(fit))[1] == [0, 0]  # noqa: B023
    assert calls(lambda: jsl.forecast(fit, N=1e11, D=2e12))[1] == [0, 0]
    boot, refits = calls(lambda: jsl.bootstrap(fit, 50))
    assert refits == [1, 0]
    # the fit without the largest runs
    assert calls(lambda: jsl.report(boot, plan=jsl.allocate(boot, 1e23)))[1] == [1, 1]
    again = pickle.loads(pickle.dumps(fit))
    assert calls(lambda: jsl.interval(again))[1] == [1, 1]
    np.testing.assert_allclose(
        list(jsl.interval(again)["E"]), list(jsl.interval(fit)["E"]), rtol=1e-9
    )
