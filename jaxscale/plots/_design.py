"""A design before and after: where its runs lie among those that exist, and how much surer they
make the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..fitting._results import Ensemble, Fit
from ..ground._errors import nearest, refuse
from ..plans._design import Design
from ..table._runs import Runs
from ._figure import BLACK, BLUE, GREY, RED, new, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 12  # numbers of an answer that have a bar of their own


def design(found: Design, runs: Runs | Fit | Ensemble | None = None) -> Figure:
    """Runs of a design at their N [parameters] and D [tokens], and the standard deviation of its
    answer before and after.

    `found` comes from `design`, `runs` are those that exist, or the fit that holds them. The area
    of a circle is how often the candidate is run, its colour the share of the cost that this takes.
    Standard deviations are those of `found`: of the logarithm, unless it was asked for with
    `relative=False`; the line is the bound that no design under the budget can pass, for several
    numbers that of the root of the sum of their variances. Raises InputError for candidates without
    N and D.

    >>> import jaxscale as jsl
    >>> law = jsl.laws.chinchilla.published["besiroglu2024"]
    >>> N, D = (v.ravel() for v in np.meshgrid([3e7, 3e8, 3e9], [1e9, 1e10, 1e11]))
    >>> found = jsl.design(law, {"N": N, "D": D}, 3e21, of=lambda law: law.params["alpha"],
    ...     noise=0.005)
    >>> [text.get_text() for text in design(found).axes[1].texts]
    ['not determined before', '0.00789 after', '0.00789 at best']
    """
    for name in ("N", "D"):
        if name not in found.candidates:
            raise refuse(
                f"plots.design: the candidates have no column {name}",
                why="another law",
                change=f"candidates with N and D.{nearest(name, found.candidates)}",
            )
    figure, (left, right), mpl = new(11.5, 4.8, 1, 2, width_ratios=[1.35, 1.0])
    _plane(
        figure, left, found, runs.problem.runs if isinstance(runs, Fit | Ensemble) else runs, mpl
    )
    _deviations(right, found)
    return figure


def _plane(figure: Any, ax: Any, found: Design, runs: Runs | None, mpl: Any) -> None:
    n, d, count = found.candidates["N"], found.candidates["D"], found.count
    used = np.flatnonzero(count)
    used = used[np.argsort(-count[used], kind="stable")]  # small circles above large ones
    ax.scatter(
        n[count == 0],
        d[count == 0],
        s=14,
        marker="x",
        color=GREY,
        alpha=0.5,
        linewidth=0.8,
        label="candidates left out",
    )
    if runs is not None:
        ax.scatter(
            runs["N"], runs["D"], s=9, color=BLACK, alpha=0.55, linewidth=0, label="runs that exist"
        )
    most = int(count.max())

    def area(runs: Any) -> Any:
        return 25.0 + 375.0 * np.asarray(runs) / most

    share = (count * found.costs)[used] / found.cost
    circles = ax.scatter(
        n[used],
        d[used],
        s=area(count[used]),
        c=100 * share,
        cmap="cividis_r",
        vmin=0,
        edgecolor=BLACK,
        linewidth=0.7,
        zorder=3,
    )
    for runs_of in sorted({1, int(np.ceil(most / 4)), most}):
        label = f"{runs_of} new {'run' if runs_of == 1 else 'runs'}"
        ax.scatter(
            [], [], s=area(runs_of), facecolor="white", edgecolor=BLACK, linewidth=0.7, label=label
        )
    figure.colorbar(circles, ax=ax, label="share of the cost [%]", pad=0.01)
    title = (
        f"{len(found)} new runs of {len(used)} of {len(count)} candidates, cost "
        f"{short(found.cost)} of {short(found.budget)}"
    )
    ax.set(xscale="log", yscale="log", xlabel="N [parameters]", ylabel="D [tokens]")
    ax.set_title(title, fontsize=11)
    ax.margins(0.08)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        frameon=False,
        fontsize=8,
        loc="outside lower left",
        ncols=len(labels),
        labelspacing=1.2,
    )


def _deviations(ax: Any, found: Design) -> None:
    rows = _rows(found)
    height = 0.36
    finite = [v for _, *pair in rows for v in pair if np.isfinite(v)] + [found.bound]
    reach = max(finite)
    for place, (_, before, after) in enumerate(rows):
        for offset, value, color, when in (
            (-height / 2, before, GREY, "before"),
            (height / 2, after, BLUE, "after"),
        ):
            known = np.isfinite(value)
            ax.barh(
                place + offset,
                value if known else 0.0,
                height,
                color=color,
                label=when if place == 0 else None,
            )
            text = f"{value:.3g} {when}" if known else f"not determined {when}"
            ax.text(
                (value if known else 0.0) + 0.015 * reach,
                place + offset,
                text,
                va="center",
                fontsize=8,
            )
    last = len(rows) - 1
    ax.plot(
        [found.bound] * 2,
        [last - 1.3 * height, last + 1.5 * height],
        color=RED,
        linestyle="--",
        linewidth=1.6,
    )
    ax.text(
        found.bound,
        last + 1.6 * height,
        f"{found.bound:.3g} at best",
        color=RED,
        va="top",
        ha="center",
        fontsize=8,
    )
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set_ylim(last + 1.0, -0.6)
    ax.set_xlim(0, 1.3 * reach)
    ax.grid(False, axis="y")
    ax.locator_params(axis="x", nbins=5)
    ax.set(
        xlabel="standard deviation of the answer\n[of its logarithm, unless asked for with "
        "relative=False]"
    )
    ax.set_title("how sure the answer is", fontsize=11)


def _rows(found: Design) -> list[tuple[str, float, float]]:
    """Name, deviation before and after: of each number and, where there are several, of all."""
    before, after = (
        jax.tree_util.tree_leaves_with_path(tree) for tree in (found.before, found.after)
    )
    rows = []
    for (path, old), (_, new_) in zip(before, after, strict=True):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        for place in np.ndindex(np.shape(old)):
            own = f"{name}[{','.join(map(str, place))}]" if place else name
            rows.append(
                (own or "answer", float(np.asarray(old)[place]), float(np.asarray(new_)[place]))
            )
    if len(rows) == 1:
        return rows
    _, *both = zip(*rows, strict=True)
    old_all, new_all = (float(np.sqrt(np.sum(np.square(v)))) for v in both)
    return [*(rows if len(rows) <= _MOST else []), ("all", old_all, new_all)]
