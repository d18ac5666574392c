"""Where a law was tested, and where a plan asks it to hold: the plane of compute and tokens per
parameter.

In this plane a sweep is a patch and a plan is a point beside it. To the right of the patch lies the
extrapolation that a scaling law is for. Above and below it lie shapes of training that no run has
had, at any size: there nothing speaks for the law but its formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..costs import Train
from ..fitting._evidence import evidence
from ..fitting._results import Ensemble, Fit, point_of
from ..ground._errors import refuse
from ..plans._allocate import Allocation
from ..table._scope import ranges
from ._figure import BLACK, BLUE, GREEN, GREY, RED, new, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def coverage_map(fit: Fit | Ensemble, plan: Allocation | Mapping[str, Any] | None = None) -> Figure:
    """Runs over compute C = 6 N D [FLOP] and D/N [tokens per parameter], the patch that they cover,
    and a plan.

    Colour is the residual of a run in standard deviations, area how often that run was made. The
    solid outline is the hull of the runs, the dashed lines the range of D/N. `plan` comes from
    `allocate`, of one or many budgets, or is a mapping with N and D (the `columns` of a forecast);
    a plan outside the range of D/N is red, and the title says by what factors the furthest goes
    beyond the runs. Of an ensemble's plans the medians are drawn. Raises InputError without N and
    D.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), starts=32)
    >>> coverage_map(best, {"N": 1e9, "D": 1e13}).axes[0].get_title().splitlines()[1]
    'plan: 60 times the largest C, D/N 7.8 times the largest (not tested there)'
    """
    point = point_of(fit, "plots.coverage_map")
    runs = point.problem.runs
    if not {"N", "D"} <= set(runs.columns):
        raise refuse(
            "plots.coverage_map: the runs have no N and D",
            why="the map is about compute and tokens per parameter",
            change="name both when the table is read, even for a law that does not read them",
        )
    if plan is not None and not {"N", "D"} <= set(_columns(plan)):
        raise refuse(
            f"plots.coverage_map: the plan has {', '.join(_columns(plan))}, and no N and D",
            why="it is a plan of other columns, or one of them was held by given=",
            change='a mapping of both: coverage_map(fit, {"N": ..., "D": ...})',
        )
    live = np.flatnonzero(np.asarray(runs.weights) > 0)
    size, tokens = runs["N"][live], runs["D"][live]
    compute, ratio = Train()(size, tokens), tokens / size
    figure, (ax,), _ = new(7.8, 5.4)
    places = _runs(figure, ax, point, compute, ratio)
    outline = np.exp(hull(np.log(places)))
    ax.fill(*outline.T, facecolor=GREY, alpha=0.12, linewidth=0, zorder=1)
    ax.plot(
        *np.concatenate([outline, outline[:1]]).T,
        color=GREY,
        linewidth=1.0,
        zorder=2,
        label="hull of the runs",
    )
    low, high = ranges(runs)["D/N"]
    for i, edge in enumerate((low, high)):
        ax.axhline(
            edge,
            color=BLACK,
            linestyle=(0, (5, 3)),
            linewidth=1.0,
            zorder=1.5,
            label="range of D/N" if i == 0 else None,
        )
    ax.axvline(
        compute.max(),
        color=BLACK,
        linestyle=(0, (1, 2)),
        linewidth=1.0,
        zorder=1.5,
        label="largest C",
    )
    title = f"{point.problem.law.name}: where {len(live)} runs have tested it"
    if plan is not None:
        title += "\nplan: " + _plans(
            ax, _columns(plan), plan, (compute.min(), compute.max()), (low, high)
        )
    ax.set(
        xscale="log", yscale="log", xlabel="C = 6 N D [FLOP]", ylabel="D / N [tokens per parameter]"
    )
    ax.set_title(title, fontsize=10.5)
    ax.margins(0.08)
    figure.legend(
        *ax.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=8.5,
    )
    return figure


def _runs(figure: Any, ax: Any, point: Fit, compute: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Draw the runs; where they are (places, 2): C and D/N."""
    places, of, count = np.unique(
        np.stack([compute, ratio], 1), axis=0, return_inverse=True, return_counts=True
    )
    area = 22.0 * count
    if point.problem.objective.observes:
        at = evidence(point)
        own = -at.residual * np.sqrt(at.precision)
        own = own / np.sqrt(np.sum(own**2) / max(at.spare, 1))
        mean = np.bincount(np.ravel(of), own) / count
        dots = ax.scatter(
            *places.T,
            s=area,
            c=mean,
            cmap="RdBu_r",
            vmin=-3,
            vmax=3,
            edgecolor=GREY,
            linewidth=0.5,
            zorder=3,
        )
        figure.colorbar(
            dots,
            ax=ax,
            label="residual [standard deviations of the noise]",
            pad=0.01,
            extend="both",
        )
    else:
        ax.scatter(*places.T, s=area, color=BLUE, edgecolor=GREY, linewidth=0.5, zorder=3)
    if count.max() > 1:
        for n in sorted({1, int(count.max())}):
            ax.scatter(
                [],
                [],
                s=22.0 * n,
                facecolor="white",
                edgecolor=GREY,
                label=f"{n} equal runs" if n > 1 else "1 run",
            )
    return places


def _columns(plan: Any) -> Mapping[str, Any]:
    return plan.columns if isinstance(plan, Allocation) else plan


def _plans(
    ax: Any, columns: Mapping[str, Any], plan: Any, c: tuple[float, float], q: tuple[float, float]
) -> str:
    """Draw plans, red outside the range of D/N, and say how far the furthest goes."""
    n, d = np.broadcast_arrays(*(np.asarray(columns[k], np.float64) for k in ("N", "D")))
    compute, ratio = Train()(n, d), d / n
    if isinstance(plan, Allocation) and (lanes := n.ndim - np.ndim(plan.budget)) > 0:
        some = np.isfinite(compute).any(0)
        compute, ratio = (
            np.nanmedian(np.where(some, v, 1.0), axis=tuple(range(lanes))) for v in (compute, ratio)
        )
        compute = np.where(some, compute, np.nan)
    compute, ratio = np.ravel(compute), np.ravel(ratio)
    ok = np.isfinite(compute)
    if not np.any(ok):
        raise refuse(
            "plots.coverage_map: no plan is valid",
            why="its limits leave nothing",
            change="the limits of the plan",
        )
    compute, ratio = compute[ok], ratio[ok]
    out = (ratio < q[0]) | (ratio > q[1])
    for mask, color, label in ((~out, GREEN, "plan"), (out, RED, "plan at a D/N without runs")):
        if np.any(mask):
            ax.scatter(
                compute[mask],
                ratio[mask],
                s=130,
                marker="*",
                color=color,
                edgecolor="white",
                zorder=5,
                label=label,
            )
    for x, y, wrong in zip(compute, ratio, out, strict=True) if len(compute) <= 6 else ():
        said = f"D/N {short(y)}" + (": not tested" if wrong else "")
        beside = {"xytext": (-9, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
        ax.annotate(said, (x, y), fontsize=8, color=RED if wrong else BLACK, zorder=6, **beside)
    most, beyond = compute.max() / c[1], np.maximum(ratio / q[1], q[0] / ratio)
    far = int(np.argmax(beyond))
    side = "largest" if ratio[far] > q[1] else "least"
    factor = ratio[far] / (q[1] if side == "largest" else q[0])
    reach = f"{short(most)} times the largest C" if most > 1 else "inside the runs' C"
    return f"{reach}, D/N " + (
        f"{factor:.2g} times the {side} (not tested there)"
        if np.any(out)
        else "inside that of the runs"
    )


def hull(points: np.ndarray) -> np.ndarray:
    """Corners (k, 2) of the convex hull of points (n, 2), counter-clockwise.

    Source: Andrew 1979, monotone chain.
    """
    ordered = np.unique(points, axis=0)
    if len(ordered) < 3:
        return ordered

    def chain(path: np.ndarray) -> list[np.ndarray]:
        out: list[np.ndarray] = []
        for p in path:
            while len(out) > 1:
                (ax, ay), (bx, by) = out[-1] - out[-2], p - out[-2]
                if ax * by - ay * bx > 0:
                    break
                out.pop()
            out.append(p)
        return out[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))
