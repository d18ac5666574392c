"""Figures say what their plan, fit or design says: lines, regions, labels and limits are read back
from the axes.
"""

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
    """Budget lines pass through the optima, slivers reach as far as near_optimal says, and no
    further than the bound.
    """
    plan = jsl.allocate(HOFFMANN, [1e21, 1e22, 1e23], bounds={"D": (None, 7e11)})
    before = set(sys.modules)
    figure = plots.frontier(plan)
    assert "matplotlib.pyplot" not in set(sys.modules) - before
    (ax,) = figure.axes
    assert labels(figure) == [
        "efficient frontier",
        "budget",
        "loss within 0.1 %",
        "optimum",
        "D at most 7e11",
    ]
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
        assert np.exp(
            np.interp(np.log(best[0]), np.log(n[order]), np.log(d[order]))
        ) == pytest.approx(best[1], rel=1e-9)
    region = plan.near_optimal(loss_slack=0.001)
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
    assert {f"{v:#.4g}" for v in plan.loss} | {"1e21 FLOP"} <= {
        text.get_text() for text in ax.texts
    }


def test_one_plan_has_a_frontier_of_other_budgets():
    plan = jsl.allocate(HOFFMANN, 1e23)
    (ax,) = plots.frontier(plan, jsl.datasets.load("simulated"), loss_slack=0.002).axes
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
    # of the point, not of a refit
    assert optimum[0] == pytest.approx(jsl.allocate(simulated, 1e22)["N"])

    budgets = np.geomspace(1e20, 1e24, 5)
    both = {"Hoffmann": jsl.allocate(HOFFMANN, budgets), "refits": jsl.allocate(boot, budgets)}
    figure = plots.plans(both, level=0.9)
    assert labels(figure) == ["Hoffmann", "refits"]
    for ax, of in zip(
        figure.axes, (lambda p: p["N"], lambda p: p["D"], lambda p: p["D"] / p["N"]), strict=True
    ):
        np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), of(both["Hoffmann"]))
        low, _, high = jsl.interval(of(both["refits"]), level=0.9)
        middle = of(jsl.allocate(boot.point, budgets))
        np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), middle)
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([band.min(), band.max()], [low.min(), high.max()])
    assert figure.axes[2].get_ylabel() == "D / N [tokens per parameter]"
    figure = plots.allocation(both["refits"], simulated.problem.runs)
    assert [ax.get_ylabel() for ax in figure.axes] == ["N [parameters]", "D [tokens]"]


def test_a_target_has_its_contour_and_the_line_of_the_least_cost():
    plan = jsl.allocate(BESIROGLU, target=2.0)
    (ax,) = plots.frontier(plan).axes
    (target,), (cost,) = (
        [v for v in lines(ax, name) if v.shape[1] > 2] for name in ("target", "least cost")
    )
    np.testing.assert_allclose(BESIROGLU(*target), 2.0, rtol=1e-4)
    np.testing.assert_allclose(6 * cost.prod(0), plan.cost, rtol=1e-9)
    region = plan.near_optimal(loss_slack=0.001)
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
    at = (
        plan.binding["budget"]
        & ok
        & (looser.status == 0)
        & ~plan.binding["data"]
        & ~looser.binding["data"]
    )
    assert at.sum() > 2
    np.testing.assert_allclose(drawn["budget"][at], saved[at], rtol=5e-3)
    # the upper side
    np.testing.assert_allclose(drawn["data"][-1], 0.01 * 2e12 * plan.prices["data"][-1])
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
    chosen = next(
        c for c in left.collections if len(c.get_offsets()) == np.count_nonzero(found.count)
    )
    counts = {tuple(at): count for *at, count in zip(n, d, found.count, strict=True)}
    sizes = [
        (counts[tuple(at)], size)
        for at, size in zip(chosen.get_offsets().data.tolist(), chosen.get_sizes(), strict=True)
    ]
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


def test_residuals_against_everything(simulated):
    """What is drawn is 100 (observed / fitted - 1), in each panel; the three largest are named, the
    medians are medians.
    """
    runs = simulated.problem.runs
    figure = plots.residuals(simulated)
    n, d = runs["N"], runs["D"]
    proper = 100 * (runs["loss"] / simulated.law(n, d) - 1)
    for ax, x in zip(figure.axes, (n, d, 6 * n * d, d / n), strict=True):
        assert ax.get_xscale() == "log"
        (points,) = [c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 60]
        np.testing.assert_allclose(points[:, 0], x, rtol=1e-12)
        np.testing.assert_allclose(points[:, 1], proper, atol=1e-8)
        worst = np.argsort(-np.abs(proper))[:3]
        assert [text.get_text() for text in ax.texts] == [f"row {i}" for i in worst]
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert 0.85 < np.mean(np.abs(proper) < band.max()) <= 1.0
        assert band.min() == pytest.approx(-band.max())
    (line,) = lines(figure.axes[2], "running median")
    compute = np.round(np.log10(6 * n * d), 6)
    assert line.shape == (2, 6)  # a grid of six budgets
    np.testing.assert_allclose(
        line[1], [np.median(proper[compute == c]) for c in np.unique(compute)], atol=1e-8
    )
    (line,) = lines(figure.axes[0], "running median")
    assert line.shape == (2, 60 - 12 + 1)
    order = np.argsort(n)
    assert line[1][0] == pytest.approx(np.median(proper[order][:12]))


def test_the_map_of_what_was_tested(simulated):
    """Runs at C and D/N, their hull, the range of D/N, and plans in and outside of it."""
    runs = simulated.problem.runs
    c, q = 6 * runs["N"] * runs["D"], runs["D"] / runs["N"]
    plan = jsl.allocate(simulated, [1e22, 1e20], bounds={"N": (None, 5e8)})
    (ax, _) = plots.coverage_map(simulated, plan).axes
    (points,) = [p for p in ax.collections if len(p.get_offsets()) == 60]
    at = np.asarray(points.get_offsets())
    np.testing.assert_allclose(np.sort(at[:, 0]), np.sort(c))
    np.testing.assert_allclose(np.sort(at[:, 1]), np.sort(q))
    # in deviations of the noise
    np.testing.assert_allclose(np.sum(np.square(points.get_array())) / 55, 1.0)
    (outline,) = lines(ax, "hull of the runs")
    assert (outline[0].min(), outline[0].max()) == pytest.approx((c.min(), c.max()))
    levels = [line[1][0] for line in lines(ax, "range of D/N")]
    assert levels[:2] == [q.min(), q.max()]
    stars = {
        s.get_label(): np.asarray(s.get_offsets())
        for s in ax.collections
        if s.get_label().startswith("plan")
    }
    ratio = plan["D"] / plan["N"]
    np.testing.assert_allclose(stars["plan at a D/N without runs"], [[1e22, ratio[0]]])
    np.testing.assert_allclose(stars["plan"], [[1e20, ratio[1]]])
    assert ax.get_title().endswith(
        f"10 times the largest C, D/N {ratio[0] / q.max():.2g} times the largest (not tested there)"
    )

    boot = jsl.bootstrap(simulated, 50)
    cloud = jsl.allocate(boot, 1e22)
    (ax, _) = plots.coverage_map(boot, cloud).axes
    (star,) = [np.asarray(s.get_offsets()) for s in ax.collections if s.get_label() == "plan"]
    np.testing.assert_allclose(star, [[1e22, np.median(cloud["D"] / cloud["N"])]])
    assert ax.get_title().endswith("10 times the largest C, D/N inside that of the runs")
    assert "plan" not in plots.coverage_map(simulated).axes[0].get_title()


def test_a_hull_holds_all_points_and_is_made_of_them():
    from scipy.spatial import ConvexHull

    from jaxscale.plots._coverage import hull

    points = np.random.default_rng(0).standard_normal((200, 2))
    proper = points[ConvexHull(points).vertices]
    found = hull(points)
    assert {tuple(p) for p in found} == {tuple(p) for p in proper}
    line = np.linspace(0, 1, 5)[:, None] * np.array([1.0, 2.0])
    assert {tuple(p) for p in hull(line)} == {(0.0, 0.0), (1.0, 2.0)}


def test_the_panels_of_a_chain_are_its_forecast(simulated):
    runs = simulated.problem.runs
    score = (
        0.9
        - 0.6 / (1 + np.exp(-4 * (runs["loss"] - 2.6)))
        + 0.01 * np.random.default_rng(0).standard_normal(60)
    )
    units = {"score": jsl.units.Fraction}
    table = jsl.Runs.from_columns(L=runs["loss"], score=score, target="score", units=units)
    loss = jsl.fit(jsl.laws.chinchilla, runs, objective=jsl.objectives.LogSquared(), starts=8)
    link = jsl.fit(jsl.laws.accuracy_from_loss, table, objective=jsl.objectives.Squared(), starts=8)
    found, N = jsl.chain(loss, link), np.geomspace(1e8, 1e11, 7)
    figure = plots.chain(found, N=N[::-1], D=20 * N[::-1])
    first, middle, last = figure.axes
    assert first.get_xlabel() == last.get_xlabel() == "training compute 6 N D [FLOP]"
    assert middle.get_xlabel() == "L [nats/token], falling"
    forecast = found.forecast(N=N, D=20 * N)
    for ax, interval in ((first, forecast.stages[0]), (last, forecast.interval)):
        x, y = ax.get_lines()[0].get_data()
        np.testing.assert_allclose(x, 120 * N**2)
        np.testing.assert_allclose(y, interval.point)
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose(
            [band.min(), band.max()], [interval.low.min(), interval.high.max()]
        )
    np.testing.assert_allclose(last.get_lines()[1].get_ydata(), forecast.new.low)
    dots = [
        next(c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 60)
        for ax in (middle, last)
    ]
    np.testing.assert_allclose(np.sort(dots[0][:, 0]), np.sort(runs["loss"]))
    np.testing.assert_allclose(np.sort(dots[1][:, 0]), np.sort(6 * runs["N"] * runs["D"]))
    assert middle.get_xlim()[0] > middle.get_xlim()[1]
    with pytest.raises(jsl.InputError, match=r"(?s)one model is a point.*geomspace"):
        plots.chain(found, N=1e9, D=2e10)


def test_figures_that_cannot_be_drawn():
    plan = jsl.allocate(HOFFMANN, 1e23)
    for draw in (plots.prices, plots.allocation, lambda p: plots.plans({"one": p})):
        with pytest.raises(jsl.InputError, match=r"(?s)over several budgets.*np\.geomspace"):
            draw(plan)
    with pytest.raises(jsl.InputError, match="1 to 6 at a time"):
        plots.plans({})
    asked, fitted = plan.asked
    chosen = dataclasses.replace(
        plan, asked=(dataclasses.replace(asked, options={"width": np.ones(2)}), fitted)
    )
    with pytest.raises(jsl.InputError, match=r"(?s)chooses N, D, width.*given="):
        plots.frontier(chosen)
    failed = dataclasses.replace(plan, status=np.int64(1), remarks=("1 plan fails",))
    with pytest.raises(jsl.InputError, match=r"(?s)no plan is valid.*1 plan fails"):
        plots.frontier(failed)
    found = jsl.plans.Design(
        np.ones(1, int), {"N": np.ones(1)}, np.ones(1), 1.0, 1.0, 1.0, 0.5, 0.4
    )
    with pytest.raises(jsl.InputError, match="no column D"):
        plots.design(found)


def test_maps_and_residuals_that_cannot_be_drawn(simulated):
    with pytest.raises(
        jsl.InputError, match=r"(?s)the plan has N, and no N and D.*a mapping of both"
    ):
        plots.coverage_map(simulated, {"N": 1e9})
    alone = dataclasses.replace(simulated.problem.runs, columns={"N": simulated.problem.runs["N"]})
    fit = dataclasses.replace(simulated, problem=dataclasses.replace(simulated.problem, runs=alone))
    with pytest.raises(jsl.InputError, match=r"(?s)the runs have no N and D.*name both"):
        plots.coverage_map(fit)
    likelihood = dataclasses.replace(simulated.problem, objective=jsl.objectives.NegLogLik())
    with pytest.raises(jsl.InputError, match="has no residuals"):
        plots.residuals(dataclasses.replace(simulated, problem=likelihood))
