"""docs/coverage.md and its figure, from the stored lines of `coverage.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parent.parent / "docs"
HEAD = """# Measured coverage

Made by `python benchmarks/coverage.py --page` from the lines that the same script stored. A 95 % interval should hold the truth
in 95 of 100 sweeps. Each row is a kind of sweep that was simulated {sweeps:,} times ({resampled:,} times for percentiles) from a
Chinchilla law with noise of .005 in ln L, fitted, and asked for intervals of seven quantities: alpha, beta,
a = beta / (alpha + beta), E, ln L of the best plan at 10 and at 100 times the compute of the largest run, ln N of the plan at 10
times. Shown are the lowest and the highest coverage over the seven, and the median width beside that of intervals with a
known noise, which is the least that honest ones can have for normal noise. The Monte Carlo error of a coverage is {error:.1f}
points. `n` counts runs; clustered sweeps have 5 checkpoints a run (10 of 400 rows), most of whose noise is the run's.
*Cautioned* is the share of sweeps for which the report says that something is wrong.

![coverage against the number of runs](coverage.png)
"""
DEFAULT = """## What `interval` does by default, and why

- Squared errors, and a Huber objective whose delta is at least the residual scale: **HC3 with Student's t**. It needs no
  refits, and percentiles of refits cover less on the same sweeps (second table).
- A Huber objective whose delta is far below the scale is close to least absolute deviations, for which no covariance
  counts the few runs inside delta well: **percentiles of refits**, which are honest there and wide.
- Rows that come in runs (checkpoints): **CR3, the cluster jackknife, with t(G - 1)**; HC3 on such rows is shown for what it is.
  Below five clusters there is no answer, and none is given.
- One-sided noise shifts the curve by a constant that goes into E and into every loss: no method can know, and the report
  says where the residuals show it.
- With 10 runs for 5 parameters intervals are twice as wide as with a known noise, and nothing can show whether the law
  holds; the report says so.
"""


def write(stored: Path) -> None:
    lines = [json.loads(line) for line in stored.read_text().splitlines()]
    ours = [
        line
        for line in lines
        if "skipped" not in line and line["objective"] != "squared error of L"
    ]
    peers = [
        line
        for line in lines
        if "skipped" not in line and line["objective"] == "squared error of L"
    ]
    resampled = min(
        (v["of"] for line in ours for m in line["coverage"].values() for v in m.values()), default=0
    )
    head = HEAD.format(
        sweeps=max(line["sweeps"] for line in ours),
        resampled=resampled,
        error=100 * np.sqrt(0.05 * 0.95 / ours[0]["sweeps"]),
    )
    parts = [
        head,
        DEFAULT,
        gates(ours),
        "## The default\n",
        table([(line, line["default"]) for line in ours]),
    ]
    others = [(line, m) for line in ours for m in line["coverage"] if m != line["default"]]
    parts += ["## Other methods on the same sweeps\n", table(others)]
    if peers:
        parts += [PEER.format(**peers[0]), table([(line, line["default"]) for line in peers])]
    (DOCS / "coverage.md").write_text("\n".join(parts))
    figure(ours, DOCS / "coverage.png")


PEER = """## simple-scaling-laws {version} on some of the same sweeps

Its own objective (squared error of L) and wild bootstrap, {draws} draws; it gives intervals of alpha, beta and E, so the row
is over these three, on {sweeps} sweeps.
"""


def of_default(line: dict[str, Any]) -> list[float]:
    return [v["coverage"] for v in line["coverage"][line["default"]].values()]


def gates(lines: list[dict[str, Any]]) -> str:
    """The bars that the project set itself, and whether they are met: misses by name."""
    strict = [line for line in lines if line["noise"] in ("normal", "t3") and line["n"] >= 25]
    rising = [line for line in lines if line["noise"] == "rising" and line["n"] >= 25]
    ten = [line for line in lines if line["noise"] == "clustered" and line["n"] >= 50]
    five = [line for line in lines if line["noise"] == "clustered" and line["n"] < 50]
    middle = (
        float(np.median([v for line in strict for v in of_default(line)]))
        if strict
        else float("nan")
    )
    same, error = "independent rows, normal or t3 noise, n >= 25", "minus two Monte Carlo errors"
    large = [line for line in strict if line["n"] >= 100]
    rows = [
        (f"{same}: at least 93 {error}", strict, below(strict, 93.0)),
        (f"{same}: at most 99 (n <= 50) or 98 (n >= 100)", strict, above(strict)),
        (
            f"{same}: median over all in [94.5, 97]: it is {middle:.1f}",
            strict,
            [] if 94.5 <= middle <= 97.0 else [f"{middle:.1f}"],
        ),
        (
            f"{same.replace('25', '100')}: median width at most 1.3 of the known-noise width",
            large,
            wide(large),
        ),
        (
            f"noise that rises with the loss, n >= 25: at least 90 {error}",
            rising,
            below(rising, 90.0),
        ),
        (f"10 clusters and more: at least 93 {error}", ten, below(ten, 93.0)),
        (f"5 clusters: at least 92 {error}", five, below(five, 92.0)),
    ]
    out = ["## The bars", "", "| bar | cells | met | missed by |", "|---|---|---|---|"]
    for bar, used, missed in rows:
        met = ("no" if missed else "yes") if used else "not measured yet"
        out.append(f"| {bar} | {len(used)} | {met} | {'; '.join(missed)} |")
    return "\n".join([*out, ""])


def cells(lines: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, record of the estimand, line) for the default method."""
    return [
        (f"{x['method']}, {k}: {v['coverage']:.1f}", v, x)
        for x in lines
        for k, v in x["coverage"][x["default"]].items()
    ]


def below(lines: list[dict[str, Any]], bar: float) -> list[str]:
    share = bar / 100
    return [
        name
        for name, v, _ in cells(lines)
        if v["coverage"] < bar - 200 * np.sqrt(share * (1 - share) / v["of"])
    ]


def above(lines: list[dict[str, Any]]) -> list[str]:
    return [
        name
        for name, v, line in cells(lines)
        if v["coverage"] > (99.0 if line["n"] <= 50 else 98.0)
    ]


def wide(lines: list[dict[str, Any]]) -> list[str]:
    ratios = [
        (
            x["method"],
            float(np.median([v["width_ratio"] for v in x["coverage"][x["default"]].values()])),
        )
        for x in lines
    ]
    return [f"{name}: {ratio:.2f}" for name, ratio in ratios if ratio > 1.3]


COLUMNS = (
    "noise",
    "design",
    "n",
    "objective",
    "method",
    "coverage, lowest to highest",
    "median",
    "width",
    "cautioned",
)


def table(rows: list[tuple[dict[str, Any], str]]) -> str:
    out = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    order = ("noise", "objective", "design", "n")
    for line, method in sorted(rows, key=lambda row: (*(row[0][k] for k in order), row[1])):
        own = line["coverage"][method]
        values, widths = (
            [v["coverage"] for v in own.values()],
            [v["width_ratio"] for v in own.values()],
        )
        low, high = (f(own, key=lambda k: own[k]["coverage"]) for f in (min, max))
        span = f"{own[low]['coverage']:.1f} ({low}) to {own[high]['coverage']:.1f} ({high})"
        cautioned = f"{100 * line['cautioned_share']:.0f} %" if "cautioned_share" in line else ""
        out.append(
            f"| {line['noise']} | {line['design']} | {line['n']} | {line['objective']} | {method} "
            f"| {span} | {np.median(values):.1f} | {np.median(widths):.2f} | {cautioned} |"
        )
    return "\n".join([*out, ""])


def figure(lines: list[dict[str, Any]], path: Path) -> None:
    """Lowest, median and highest coverage of the default over estimands and designs, against the
    number of runs.
    """
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    noises = list(dict.fromkeys(line["noise"] for line in lines))
    objectives = list(dict.fromkeys(line["objective"] for line in lines))
    sizes = sorted({line["n"] for line in lines})
    drawing, axes = plt.subplots(
        1, len(noises), figsize=(2.4 * len(noises), 3.0), sharey=True, squeeze=False
    )
    for ax, kind in zip(axes[0], noises, strict=True):
        for j, objective in enumerate(objectives):
            for n in sizes:
                own = [
                    x for x in lines if (x["noise"], x["objective"], x["n"]) == (kind, objective, n)
                ]
                values = [v for x in own for v in of_default(x)]
                if values:
                    at = n * 1.12 ** (j - 1)
                    ax.plot([at, at], [min(values), max(values)], color=f"C{j}", lw=1.5)
                    ax.plot(at, np.median(values), "o", ms=4, color=f"C{j}")
            ax.plot([], [], "o-", ms=4, color=f"C{j}", label=objective)
        ax.axhline(95, color="0.3", lw=0.8)
        ax.set(xscale="log", title=kind, xlabel="runs", ylim=(60, 101))
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.minorticks_off()
        ax.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("coverage of the default, %")
    axes[0, 0].legend(fontsize=7, loc="lower right", frameon=False)
    drawing.tight_layout()
    drawing.savefig(path, dpi=110)
    plt.close(drawing)
