"""Every figure on small results: labels, limits, texts, and what is drawn, without a display."""

import matplotlib

matplotlib.use("Agg")

import numpy as np

import jaxscale as jsl
from jaxscale import plots

from . import today
from .made import (
    BESIROGLU,
    CHINCHILLA,
    HOFFMANN,
    LOG,
    SQUARED,
    boot,
    grid,
    sharp,
    simulated,
    smooth,
)
from .recipes import fitted, scaled, table

BUDGETS = np.geomspace(1e20, 1e24, 5)


def cases():
    n, d = grid(4, 4)
    limits = {"data": (lambda D: D, (1e11, 2e12))}
    laws = {"free": CHINCHILLA, "no limit": CHINCHILLA.fix(E=0)}
    figures = {
        "loss": lambda: plots.loss(sharp()),
        "loss of refits": lambda: plots.loss(boot(), sizes=4, budgets=3),
        "allocation": lambda: plots.allocation(jsl.allocate(boot(), BUDGETS), simulated()),
        "allocation without runs": lambda: plots.allocation(
            jsl.allocate(HOFFMANN, BUDGETS), level=0.8
        ),
        "compare_plans": lambda: today.compare_plans(
            {"Hoffmann": jsl.allocate(HOFFMANN, BUDGETS), "refits": jsl.allocate(boot(), BUDGETS)},
            level=0.9,
        ),
        "frontier": lambda: plots.frontier(
            jsl.allocate(HOFFMANN, [1e21, 1e22, 1e23], bounds={"D": (None, 7e11)})
        ),
        "frontier of a plan": lambda: today.frontier(
            jsl.allocate(HOFFMANN, 1e23), simulated(), loss_slack=0.002
        ),
        "frontier of refits": lambda: plots.frontier(jsl.allocate(boot(), 1e22)),
        "frontier of a target": lambda: plots.frontier(jsl.allocate(BESIROGLU, target=2.0)),
        "prices": lambda: plots.prices(
            jsl.allocate(HOFFMANN, np.geomspace(1e21, 1e26, 7), constraints=limits)
        ),
        "prices of a target": lambda: plots.prices(jsl.allocate(HOFFMANN, target=[1.9, 2.0, 2.2])),
        "design": lambda: plots.design(
            today.design(sharp(), {"N": n, "D": d}, 1e22, of=log_size, relative=False, most=8),
            sharp(),
        ),
        "design of two": lambda: plots.design(
            jsl.design(
                smooth(),
                {"N": n, "D": d},
                1e22,
                of=lambda law: {k: law.params[k] for k in ("alpha", "beta")},
            )
        ),
        "residuals": lambda: plots.residuals(sharp()),
        "coverage_map": lambda: plots.coverage_map(
            smooth(), jsl.allocate(smooth(), [1e22, 1e20], bounds={"N": (None, 5e8)})
        ),
        "coverage_map of refits": lambda: plots.coverage_map(boot(), jsl.allocate(boot(), 1e22)),
        "coverage_map of a mapping": lambda: plots.coverage_map(smooth(), {"N": 1e9, "D": 1e12}),
        "ladder": lambda: plots.ladder(
            jsl.compare(laws, simulated(), objective=LOG, ratios=(2, 10), starts=16, resamples=20)
        ),
        "recipes": lambda: plots.recipes(
            today.compare_recipes(
                *fitted(table(BESIROGLU, 1), table(scaled(1.5), 2)), budget=[1e19, 1e21]
            ),
            names=("web", "filtered"),
        ),
        "chain": chain,
    }
    for name, draw in figures.items():
        yield name, lambda draw=draw: drawn(draw())
    yield (
        "every figure is here",
        lambda: sorted(
            set(plots.__all__) - {"plans"} - {name.partition(" ")[0] for name in figures}
        ),
    )


def log_size(law):
    p = law.params
    return np.log(1e22 / 6) * p["beta"] / (p["alpha"] + p["beta"])


def chain():
    runs, n = simulated(), np.geomspace(1e8, 1e11, 5)
    noise = 0.01 * np.random.default_rng(0).standard_normal(60)
    score = 0.9 - 0.6 / (1 + np.exp(-4 * (runs["loss"] - 2.6))) + noise
    scores = jsl.Runs.from_columns(
        L=runs["loss"], score=score, target="score", units={"score": jsl.units.Fraction}
    )
    link = jsl.fit(jsl.laws.accuracy_from_loss, scores, objective=SQUARED, starts=8)
    return plots.chain(jsl.chain(smooth(), link), N=n, D=20 * n)


def drawn(figure):
    """What a figure shows, in the order in which it was drawn."""
    out = {
        "title": figure._suptitle.get_text() if figure._suptitle else "",
        "size": figure.get_size_inches(),
    }
    out["legends"] = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for i, ax in enumerate(figure.axes):
        out[f"axes {i}"] = {
            "labels": [ax.get_xlabel(), ax.get_ylabel(), ax.get_title()],
            "scales": [ax.get_xscale(), ax.get_yscale()],
            "limits": np.array([*ax.get_xlim(), *ax.get_ylim()]),
            "legend": [text.get_text() for text in ax.get_legend().get_texts()]
            if ax.get_legend()
            else [],
            "texts": [text.get_text() for text in ax.texts],
            "places": [np.asarray(text.get_position(), float) for text in ax.texts],
            "lines": [np.asarray(line.get_data(), float) for line in ax.get_lines()],
            "names": [line.get_label() for line in ax.get_lines()],
            "styles": [
                f"{line.get_color()} {line.get_linestyle()} {line.get_marker()}"
                for line in ax.get_lines()
            ],
            "points": [np.asarray(c.get_offsets(), float) for c in ax.collections],
            "areas": [path.vertices for c in ax.collections for path in c.get_paths()],
            "patches": [patch.get_path().vertices for patch in ax.patches],
            "ticks": [text.get_text() for text in ax.get_yticklabels()],
        }
    return out
