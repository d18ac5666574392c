"""Figures say what their plan, fit or design says: lines, regions, labels and limits are read back from the axes."""

import dataclasses
import sys

import numpy as np
import pytest

import jaxscale as jsl
from jaxscale import plots

HOFFMANN = jsl.laws.chinchilla.published["hoffmann2022"]
BESIROGLU = jsl.laws.chinchilla.published["besiroglu2024"]


def lines(ax, label):
    """Data (2, k) of each line that follows a label: further ones of the same kind have none."""
    found, on = [], False
    for line in ax.get_lines():
        name = line.get_label()
        on = name == label or (on and name.startswith("_"))
        if on:
            found.append(np.asarray(line.get_data()))
    return found


def labels(figure):
    holder = figure.axes[0].get_legend() or figure.legends[0]
    return [text.get_text() for text in holder.get_texts()]


def slivers(ax):
    return [np.asarray(patch.get_xy()) for patch in ax.patches]


def inside(ax, x, y):
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return np.all((left < x) & (x < right) & (bottom < y) & (y < top))


def test_the_plane_shows_the_plan():
    """Budget lines pass through the optima, slivers reach as far as near_optimal says, and no further than the bound."""
    plan = jsl.allocate(HOFFMANN, [1e21, 1e22, 1e23], bounds={"D": (None, 7e11)})
    before = set(sys.modules)
    figure = plots.frontier(plan)
    assert "matplotlib.pyplot" not in set(sys.modules) - before
    (ax,) = figure.axes
    assert labels(figure) == ["efficient frontier", "budget", "loss within 0.1 %", "optimum", "D at most 7e11"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("N [parameters]", "D [tokens]")
    (path,), (optima,) = lines(ax, "efficient frontier"), lines(ax, "optimum")
    np.testing.assert_allclose(path, [plan["N"], plan["D"]])
    np.testing.assert_allclose(optima, [plan["N"], plan["D"]])
    assert inside(ax, *path)
    budgets = [line for line in lines(ax, "budget") if line.shape[1] > 2]
    assert len(budgets) == 3
    for (n, d), budget, best in zip(budgets, plan.budget, optima.T, strict=True):
        np.testing.assert_allclose(6 * n * d, budget, rtol=1e-9)
        order = np.argsort(n)
        assert np.exp(np.interp(np.log(best[0]), np.log(n[order]), np.log(d[order]))) == pytest.approx(best[1], rel=1e-9)
    region = jsl.near_optimal(plan, loss=0.001)
    assert len(slivers(ax)) == 3
    for i, shape in enumerate(slivers(ax)):
        for column, places in zip(("N", "D"), shape.T, strict=True):
            low, high = (v[column][i] for v in (region.low, region.high))
            np.testing.assert_allclose(places.min(), low, rtol=1e-3)
            np.testing.assert_allclose(places.max(), high if np.isfinite(high) else 7e11, rtol=1e-3)
        assert np.all(HOFFMANN(*shape.T) <= (1 + 1.001e-3) * plan.loss[i])
        assert np.all(6 * shape.prod(1) <= (1 + 1e-4) * plan.budget[i])
    (bound,) = lines(ax, "D at most 7e11")
    np.testing.assert_allclose(bound[1], 7e11, rtol=1e-9)
    assert {f"{v:#.4g}" for v in plan.loss} | {"1e21 FLOP"} <= {text.get_text() for text in ax.texts}


def test_one_plan_has_a_frontier_of_other_budgets():
    plan = jsl.allocate(HOFFMANN, 1e23)
    (ax,) = plots.frontier(plan, jsl.datasets.load("simulated"), loss=0.002).axes
    ((n, d),) = lines(ax, "efficient frontier")
    assert len(n) > 30
    assert np.min(np.abs(n / plan["N"] - 1)) < 1e-9
    again = jsl.allocate(HOFFMANN, 6 * n * d)
    np.testing.assert_allclose(n, again["N"], rtol=1e-8)
    runs = jsl.datasets.load("simulated")
    assert inside(ax, runs["N"], runs["D"])
    assert any(len(c.get_offsets()) == len(runs) for c in ax.collections)


def test_the_plane_of_a_fit_and_of_refits(simulated):
    figure = plots.frontier(simulated)
    assert labels(figure)[:2] == ["runs", "efficient frontier"]
    boot = jsl.bootstrap(simulated, 64)
    plan = jsl.allocate(boot, 1e22)
    figure = plots.frontier(plan)
    assert "optima of refits" in labels(figure)
    cloud = next(c.get_offsets() for c in figure.axes[0].collections if len(c.get_offsets()) == 64)
    np.testing.assert_allclose(np.sort(cloud[:, 0]), np.sort(plan["N"]))
    (optimum,) = lines(figure.axes[0], "optimum")
    assert optimum[0] == pytest.approx(jsl.allocate(simulated, 1e22)["N"])  # of the point, not of a refit

    budgets = np.geomspace(1e20, 1e24, 5)
    both = {"Hoffmann": jsl.allocate(HOFFMANN, budgets), "refits": jsl.allocate(boot, budgets)}
    figure = plots.compare_plans(both, level=0.9)
    assert labels(figure) == ["Hoffmann", "refits"]
    for ax, of in zip(figure.axes, (lambda p: p["N"], lambda p: p["D"], lambda p: p["D"] / p["N"]), strict=True):
        np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), of(both["Hoffmann"]))
        low, middle, high = jsl.interval(of(both["refits"]), level=0.9)
        np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), middle)
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([band.min(), band.max()], [low.min(), high.max()])
    assert figure.axes[2].get_ylabel() == "D / N [tokens per parameter]"
    figure = plots.allocation(both["refits"], simulated.problem.runs)
    assert [ax.get_ylabel() for ax in figure.axes] == ["N [parameters]", "D [tokens]"]


def test_a_target_has_its_contour_and_the_line_of_the_least_cost():
    plan = jsl.allocate(BESIROGLU, target=2.0)
    (ax,) = plots.frontier(plan).axes
    (target,), (cost,) = ([v for v in lines(ax, name) if v.shape[1] > 2] for name in ("target", "least cost"))
    np.testing.assert_allclose(BESIROGLU(*target), 2.0, rtol=1e-4)
    np.testing.assert_allclose(6 * cost.prod(0), plan.cost, rtol=1e-9)
    region = jsl.near_optimal(plan, loss=0.001)
    ((shape),) = slivers(ax)
    np.testing.assert_allclose([shape[:, 0].min(), shape[:, 0].max()], region["N"], rtol=1e-3)
    assert "loss 2.000" in [text.get_text() for text in ax.texts]


def test_prices_are_what_a_looser_limit_saves():
    limits = {"data": (lambda D: D, (1e11, 2e12))}
    plan = jsl.allocate(HOFFMANN, np.geomspace(1e21, 1e26, 11), constraints=limits)
    figure = plots.prices(plan)
    top, bottom = figure.axes
    assert top.get_ylabel() == "loss saved if a limit is 1 % looser\n[nats/token]"
    assert bottom.get_xlabel() == "budget [FLOP]"
    ok = plan.status == 0
    rows = [text.get_text() for text in bottom.get_yticklabels()]
    assert rows == ["budget", "data"] + ["no valid plan"] * (not ok.all())
    drawn = {name: lines(top, name)[0][1] for name in ("budget", "data")}
    for name, values in drawn.items():
        assert np.array_equal(np.isfinite(values), plan.binding[name] & ok), name
    looser = jsl.allocate(HOFFMANN, 1.002 * plan.budget, constraints=limits)
    saved = 5 * (plan.loss - looser.loss)
    at = plan.binding["budget"] & ok & (looser.status == 0) & ~plan.binding["data"] & ~looser.binding["data"]
    assert at.sum() > 2
    np.testing.assert_allclose(drawn["budget"][at], saved[at], rtol=5e-3)
    np.testing.assert_allclose(drawn["data"][-1], 0.01 * 2e12 * plan.prices["data"][-1])  # the upper side
    assert plan.binding["data"][0]
    np.testing.assert_allclose(drawn["data"][0], -0.01 * 1e11 * plan.prices["data"][0])  # the lower
    bars = dict(zip(rows, bottom.collections, strict=True))
    heights = bars["data"].get_paths()[0].vertices[:, 1]
    assert np.ptp(heights) == pytest.approx(2 * 0.38)


@pytest.mark.parametrize("many", [False, True])
def test_a_design_before_and_after(simulated, many):
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(3e7, 3e9, 4), np.geomspace(1e9, 1e11, 4)))

    def of(law):
        return {k: law.params[k] for k in ("alpha", "beta")} if many else law.params["alpha"]

    found = jsl.design(simulated, {"N": n, "D": d}, 1e21, of=of, most=8)
    left, right, *_ = plots.design(found, simulated).axes
    chosen = next(c for c in left.collections if len(c.get_offsets()) == np.count_nonzero(found.count))
    counts = {tuple(at): count for *at, count in zip(n, d, found.count, strict=True)}
    sizes = [(counts[tuple(at)], size) for at, size in zip(chosen.get_offsets().data.tolist(), chosen.get_sizes(), strict=True)]
    assert max(sizes) == (found.count.max(), 400.0)
    assert any(len(c.get_offsets()) == len(simulated.problem.runs) for c in left.collections)
    widths = [bar.get_width() for bar in right.patches]
    names = [text.get_text() for text in right.get_yticklabels()]
    if many:
        assert names == ["alpha", "beta", "all"]
        assert widths[:4] == [v[k] for k in ("alpha", "beta") for v in (found.before, found.after)]
        assert widths[5] == pytest.approx(np.hypot(*found.after.values()))
    else:
        assert names == ["answer"]
        assert widths == [found.before, found.after]
    assert right.get_lines()[0].get_xdata() == pytest.approx([found.bound] * 2)


def test_figures_that_cannot_be_drawn():
    plan = jsl.allocate(HOFFMANN, 1e23)
    for draw in (plots.prices, plots.allocation, lambda p: plots.compare_plans({"one": p})):
        with pytest.raises(jsl.InputError, match=r"(?s)over several budgets.*np\.geomspace"):
            draw(plan)
    with pytest.raises(jsl.InputError, match="1 to 6 at a time"):
        plots.compare_plans({})
    asked, fitted = plan.asked
    chosen = dataclasses.replace(plan, asked=(dataclasses.replace(asked, options={"width": np.ones(2)}), fitted))
    with pytest.raises(jsl.InputError, match=r"(?s)chooses N, D, width.*given="):
        plots.frontier(chosen)
    failed = dataclasses.replace(plan, status=np.int64(1), remarks=("1 plan fails",))
    with pytest.raises(jsl.InputError, match=r"(?s)no plan is valid.*1 plan fails"):
        plots.frontier(failed)
    found = jsl.Design(np.ones(1, int), {"N": np.ones(1)}, np.ones(1), 1.0, 1.0, 1.0, 0.5, 0.4)
    with pytest.raises(jsl.InputError, match="no column D"):
        plots.design(found)
