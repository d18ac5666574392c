"""What cannot be meant: the error of each, in its words; and tables that are fitted with a flag or
a note.
"""

import dataclasses

import jax
import numpy as np
import optax

import jaxscale as jsl
from jaxscale import costs

from . import today
from .made import (
    BESIROGLU,
    BIG,
    CHINCHILLA,
    HOFFMANN,
    LOG,
    SQUARED,
    TRUE,
    columns,
    line,
    simulated,
    size,
    smooth,
    straight,
    sweep,
)


def cases():
    for part in (
        tables,
        laws,
        fits,
        refits,
        intervals,
        plans,
        forecasts,
        comparisons,
        chains,
        others,
        flagged,
    ):
        for name, call in part().items():
            yield f"{part.__name__} {name}", call


def changed(column, rows, value):
    table = columns(0.005)
    cells = np.array(table[column], dtype=object if isinstance(value, str) else float)
    cells[rows] = value(cells[rows]) if callable(value) else value
    return lambda: jsl.fit(CHINCHILLA, jsl.Runs.from_columns(**table | {column: cells}), starts=8)


def cut(count, times=1):
    table = {k: np.tile(v[:count], times) for k, v in columns(0.005).items()}
    return lambda: jsl.fit(CHINCHILLA, jsl.Runs.from_columns(**table), starts=8)


def made(**own):
    return lambda: jsl.Runs.from_columns(**own)


def tables():
    own = columns(0.005)
    return {
        "nan": changed("loss", [7], np.nan),
        "negative": changed("loss", [3], -1.0),
        "zero": changed("D", [0], 0.0),
        "infinite": changed("N", [39], np.inf),
        "text": changed("N", [2], "7B"),
        "some in billions": changed("D", slice(0, 5), lambda d: d / 1e9),
        "perplexity": made(**own | {"loss": np.exp(own["loss"])}),
        "ragged": made(**own | {"N": own["N"][:39]}),
        "no rows": made(**{k: v[:0] for k, v in own.items()}),
        "no loss": made(N=own["N"], D=own["D"]),
        "weights of 0": made(**own, weights=np.zeros(48)),
        "a weight below 0": made(**own, weights=np.where(np.arange(48) == 2, -1.0, 1.0)),
        "no label": made(**own, groups={"family": [None, *["a"] * 47]}),
        "a unit by name": made(**own, units={"D": "billion"}),
        "a unit of no column": made(**own, units={"T": jsl.units.Tokens}),
        "no file": lambda: jsl.Runs.from_csv("no-such-file.csv"),
        "a dict as a frame": lambda: jsl.Runs.from_frame(own),
        "no frame": lambda: jsl.Runs.from_frame(None),
        "no column": lambda: sweep()["tokens"],
        "no table": lambda: jsl.datasets.load("hoffman2022"),
        "no rows of a table": lambda: jsl.datasets.load("misfitting", rows="last"),
    }


def laws():
    law = CHINCHILLA
    return {
        "an unknown parameter": lambda: law.fix(gamma=1.0),
        "outside its support": lambda: law.fix(alpha=-1.0),
        "a shape": lambda: law.fix(alpha=[[1.0, 2.0], [1.0, 2.0]]),
        "tied to itself": lambda: law.tie(beta="beta"),
        "tied twice": lambda: law.tie(beta="alpha").tie(alpha="beta"),
        "tied to another support": lambda: jsl.laws.accuracy_from_loss.tie(a="k"),
        "a start": lambda: law.start(E=(3, 1)),
        "a prior": lambda: law.prior(E=(1.7, -0.1)),
        "a prior of what is fixed": lambda: law.fix(E=1.7).prior(E=(1.7, 0.1)),
        "published without all": lambda: law.publish(
            "x", source="here", evidence="none", E=1.0, A=2.0
        ),
        "sized without a vector": lambda: law.sized(alpha=3),
        "called without a column": lambda: law(1e9, **TRUE),
        "called without a parameter": lambda: law(1e9, 1e10, E=1.7),
        "called with too many": lambda: law(1e9, 1e10, 1e11, **TRUE),
        "no set": lambda: law.published["nobody2020"],
        "params of a free law": lambda: law.params,
        "two of one name": lambda: today.joint(law, jsl.laws.power_law),
        "joint units": lambda: today.joint(law, jsl.laws.benchmark_sigmoid),
        "positive": lambda: jsl.positive(3, 1),
        "between": lambda: jsl.between(2, 1),
        "simplex": lambda: jsl.simplex(0),
        "no annotation": lambda: jsl.law(lambda N, *, a=jsl.positive(): a * N),
        "a cite of nothing": lambda: today.cite("chinchilla"),
        "find of a number": lambda: jsl.laws.find(3),
    }


def fits():
    runs = sweep(0.005)
    swapped = {**columns(0.005)}
    return {
        "1 row": cut(1),
        "3 rows": cut(3),
        "4 rows ten times": cut(4, 10),
        "a missing column": lambda: jsl.fit(
            CHINCHILLA, jsl.Runs.from_columns(N=runs["N"], tokens=runs["D"], loss=runs["loss"])
        ),
        "another unit": lambda: jsl.fit(
            CHINCHILLA, jsl.Runs.from_columns(**swapped, units={"D": jsl.units.Params})
        ),
        "logarithms of negatives": lambda: jsl.fit(
            CHINCHILLA,
            jsl.Runs.from_columns(
                **swapped | {"loss": runs["loss"] - 3}, units={"loss": jsl.units.Number}
            ),
        ),
        "no group": lambda: jsl.fit(CHINCHILLA.per(E="family"), runs),
        "nothing to fit": lambda: jsl.fit(HOFFMANN, runs),
        "no law": lambda: jsl.fit("chinchilla", runs),
        "no runs": lambda: jsl.fit(CHINCHILLA, columns()),
        "an empty list": lambda: jsl.fit(CHINCHILLA, []),
        "no starts": lambda: jsl.fit(CHINCHILLA, runs, starts=0),
        "a start without all": lambda: jsl.fit(CHINCHILLA, runs, starts=[{"E": 1.7}]),
        "a start outside": lambda: jsl.fit(CHINCHILLA, runs, starts=[TRUE | {"A": -1.0}]),
        "no solver": lambda: jsl.fit(CHINCHILLA, runs, solver="lbfgs"),
        "no objective": lambda: jsl.fit(CHINCHILLA, runs, objective="huber"),
        "the base objective": lambda: jsl.objectives.Objective()(2.0, 2.0),
        "no memory": lambda: jsl.fit(CHINCHILLA, runs, starts=8, memory=100),
        "a solver without a name": lambda: jsl.fit(
            CHINCHILLA, runs, starts=8, solver=optax.lbfgs(), directory="nowhere"
        ),
        "one of several": lambda: jsl.fit(
            CHINCHILLA, [runs, runs.where(np.arange(48) < 3)], starts=8
        ),
    }


def refits():
    fit = smooth()
    return {
        "of refits": lambda: jsl.bootstrap(jsl.bootstrap(fit, 8), 8),
        "none": lambda: jsl.bootstrap(fit, 0),
        "no kind": lambda: jsl.bootstrap(fit, 8, kind="jackknife"),
        "no group": lambda: jsl.bootstrap(fit, 8, by="family"),
        "parametric by groups": lambda: jsl.bootstrap(straight(), 8, kind="parametric", by="lab"),
        "no length": lambda: len(fit),
        "nothing to pick": lambda: fit[0],
        "a law of refits": lambda: jsl.bootstrap(fit, 8).law,
    }


def intervals():
    fit = smooth()
    return {
        "no kind": lambda: jsl.interval(fit, kind="hc4"),
        "no group": lambda: jsl.interval(fit, by="famliy"),
        "hc3 by groups": lambda: jsl.interval(straight(), by="lab", kind="hc3"),
        "a level": lambda: jsl.interval(fit, level=95),
        "bca of a fit": lambda: jsl.interval(fit, kind="bca"),
        "no parameter": lambda: today.profile_likelihood(fit, "gamma"),
        "a covariance": lambda: today.covariance(fit, "hc4"),
        "a prediction without a column": lambda: today.prediction_interval(fit, N=1e9),
        "a noise below 0": lambda: today.prediction_interval(fit, **BIG, noise=-1),
        "no replicates": lambda: today.noise_floor(simulated()),
        "a posterior of noise": lambda: today.posterior(fit, 10, noise="cauchy"),
    }


def plans():
    law, ask = HOFFMANN, jsl.allocate
    return {
        "a free law": lambda: ask(CHINCHILLA, 1e21),
        "a budget below 0": lambda: ask(law, -1.0),
        "a budget that is nan": lambda: ask(law, np.nan),
        "a budget of two axes": lambda: ask(law, [[1e20]]),
        "no question": lambda: ask(law),
        "two questions": lambda: ask(law, 1e21, target=2.0),
        "no column to choose": lambda: ask(law, 1e21, over=("N", "D", "U")),
        "bounds of no column": lambda: ask(law, 1e21, bounds={"d": (1, 2)}),
        "bounds that are swapped": lambda: ask(law, 1e21, bounds={"D": (1e13, 1e12)}),
        "bounds of one number": lambda: ask(law, 1e21, bounds={"D": 1e12}),
        "a cost of what is unknown": lambda: ask(law, 1e21, cost=lambda N, D, U: N * D * U),
        "a cost of nothing chosen": lambda: ask(
            law, 1e21, over=("N",), given={"D": 1e12}, cost=lambda D: D
        ),
        "one column alone": lambda: ask(law, 1e21, over=("N",)),
        "given and chosen": lambda: ask(law, 1e22, over=("N", "D"), given={"D": 1e12}),
        "given and unread": lambda: ask(law, 1e22, given={"typo": 3.0}),
        "no cost of a column": lambda: ask(
            jsl.laws.data_constrained.published["muennighoff2023"], 1e22
        ),
        "a constraint of one number": lambda: ask(law, 1e21, constraints={"memory": 80e9}),
        "a constraint of what is unknown": lambda: ask(
            law, 1e21, constraints={"memory": (lambda n: n, 80e9)}
        ),
        "choices of two lengths": lambda: ask(law, 1e21, choices={"N": [1e9, 2e9], "width": [1]}),
        "shapes": lambda: ask(
            law, [1e21, 1e22], constraints={"memory": (lambda N: N, [1e9, 2e9, 3e9])}
        ),
        "bounds without a solver": lambda: ask(
            law,
            1e24,
            bounds={"D": (None, 2e12)},
            solver=jsl.solvers.Optax(optax.lbfgs, max_steps=50),
        ),
        "a region of nothing": lambda: today.near_optimal(ask(law, 1e21)),
        "regret of one law": lambda: today.regret(ask(law, 1e21)),
        "no column of a plan": lambda: ask(law, 1e21)["U"],
        "no group": lambda: ask(law, 1e21, given={"family": "b"}),
        "a budget of approaches": lambda: today.approaches(smooth(), [1e22, 1e23]),
        "isoflop kind": lambda: today.isoflop(simulated(), kind="parabole"),
        "isoflop cost": lambda: today.isoflop(simulated(), cost=lambda C: C),
        "envelope of one point": lambda: today.envelope(simulated(), points=1),
        "isoflop budget": lambda: today.isoflop(simulated()).predict(-1),
        "a design too dear": lambda: jsl.design(smooth(), {"N": [1e9], "D": [1e10]}, 1e15, of=size),
        "a design without noise": lambda: jsl.design(
            BESIROGLU, {"N": [1e9], "D": [1e10]}, 1e21, of=size
        ),
        "a simulation below 0": lambda: jsl.simulate(
            BESIROGLU, {"N": [1e9], "D": [1e10]}, noise=-1
        ),
        "a simulation without a column": lambda: jsl.simulate(BESIROGLU, {"N": [1e9]}, noise=0.1),
        "a lifetime below 0": lambda: costs.Lifetime(-1.0)(1e9, 1e10),
        "a traced question": traced_question,
    }


def traced_question():
    law = jsl.laws.data_constrained.published["muennighoff2023"]
    with jax.enable_x64(True):
        return jax.grad(lambda c: jsl.allocate(law, c).loss)(1e22)


def forecasts():
    fit = smooth()
    frozen = jsl.forecast(fit, **BIG)
    return {
        "without a column": lambda: jsl.forecast(fit, N=1e11),
        "of no column": lambda: jsl.forecast(fit, N=1e11, D=1e12, tokens=3),
        "not finite": lambda: jsl.forecast(fit, N=[1e11, -1e11], D=1e12),
        "of a law": lambda: jsl.forecast(fit.law, **BIG),
        "a level": lambda: jsl.forecast(fit, **BIG, level=95),
        "a score below 0": lambda: today.score(frozen, -1.0),
        "a score without an end": lambda: today.score(frozen, np.inf),
        "scores of one": lambda: today.score(frozen, [1.8, 1.9]),
        "a score far off": lambda: today.score(frozen, 1.88, D=2e11),
        "a score of no column": lambda: today.score(frozen, 1.88, U=2e11),
        "no ledger": lambda: today.ledger("no-such-folder"),
        "no file": lambda: jsl.Forecast.load("no-such-file.json"),
        "hindsight within": lambda: today.hindsight(fit, factor=0.5),
        "a law that is not at hand": lambda: today.score(
            dataclasses.replace(frozen, law={**frozen.law, "module": "nowhere", "qualname": "fly"}),
            1.88,
            D=2.1e12,
        ),
    }


def comparisons():
    runs, fit = simulated(), smooth()
    return {
        "no cut": lambda: jsl.compare([CHINCHILLA], runs, ratios=(1e9,)),
        "no scale": lambda: today.compare([CHINCHILLA], runs, size="flops"),
        "no law": lambda: jsl.compare(["chinchilla"], runs),
        "ratios below 1": lambda: jsl.compare(CHINCHILLA, runs, ratios=(0.5,)),
        "a likelihood": lambda: jsl.compare(CHINCHILLA, runs, objective=jsl.objectives.NegLogLik()),
        "two of one name": lambda: jsl.compare([CHINCHILLA, CHINCHILLA.fix(E=0)], runs),
        "another column": lambda: jsl.compare({"mine": jsl.laws.power_law}, runs),
        "recipes without a budget": lambda: today.compare_recipes(fit, fit),
        "recipes with both": lambda: today.compare_recipes(fit, fit, budget=1e21, target=2.0),
        "recipes below 0": lambda: today.compare_recipes(fit, fit, budget=-1),
        "recipes of a kind": lambda: today.compare_recipes(fit, fit, budget=1e21, kind="bca"),
        "recipes of a law": lambda: today.compare_recipes(BESIROGLU, fit, budget=1e21),
        "recipes swapped": lambda: today.compare_recipes(
            fit, fit, budget=1e21, bracket=(1e24, 1e20)
        ),
        "sensitivity of nothing": lambda: today.sensitivity({}, runs),
        "baselines without groups": lambda: today.decisions(runs, at=BIG, truth={}),
        "baselines without a column": lambda: today.extrapolation("five_parameter")(
            runs, {"N": 1e9}
        ),
    }


def chains():
    fit = smooth()
    return {
        "without a link": lambda: jsl.chain(fit),
        "of a law": lambda: jsl.chain(fit, jsl.laws.accuracy_from_loss),
        "of another unit": lambda: jsl.chain(fit, straight()),
        "a helper of many columns": lambda: today.with_helper(simulated()),
        "a helper at 0": lambda: today.with_helper(straight().problem.runs, loss=0.0),
        "a signal without tasks": lambda: today.task_signal(simulated()),
        "bytes": lambda: jsl.units.bits_per_byte(2.5, 0),
        "a best score twice": lambda: today.with_helper(today.with_helper(straight().problem.runs)),
    }


def others():
    return {
        "no public name": lambda: jsl.nonsense,
        "a shape of a schedule": lambda: jsl.schedules.cooldown(0.5, "spline"),
        "no peak left": lambda: jsl.schedules.constant(1.0, 10, warm_up=10),
        "bins": lambda: jsl.schedules.decrements(jsl.schedules.linear(3e-4, 200), 100, bins=1),
        "a convention": lambda: jsl.schedules.decrements(
            jsl.schedules.linear(3e-4, 200), 100, convention="peak"
        ),
        "no optax": lambda: jsl.solvers.Optax("adam"),
        "a figure of one budget": lambda: jsl.plots.prices(jsl.allocate(HOFFMANN, 1e23)),
        "a figure of nothing": lambda: today.compare_plans({}),
        "a figure of a fit": lambda: jsl.plots.recipes(smooth()),
        "a report of several": lambda: jsl.report(
            jsl.fit(line, [straight().problem.runs] * 2, objective=SQUARED, starts=4)
        ),
    }


def flagged():
    own = columns(0.005)
    there = {
        "constant ratio": own | {"D": 20 * own["N"]},
        "one size": own | {"N": np.full(48, 1e9)},
        "constant loss": own | {"loss": np.full(48, 2.5)},
        "5 rows": {k: v[:5] for k, v in own.items()},
        "6 rows": {k: v[[0, 7, 14, 21, 28, 47]] for k, v in own.items()},
        "no noise": columns(0.0),
        "copies": {k: np.tile(v, 10) for k, v in own.items()},
        "tokens in billions": own | {"D": own["D"] / 1e9},
    }
    return {name: lambda table=table: reported(table) for name, table in there.items()}


def reported(table):
    fit = jsl.fit(CHINCHILLA, jsl.Runs.from_columns(**table), starts=32, objective=LOG)
    return {"fit": fit, "report": jsl.report(fit)}
