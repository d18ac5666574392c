"""The page and the figure of `selection.py`: docs/selection.md, made from its stored lines and
nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEAD = """# Which law predicts what it has not seen

Made by `python benchmarks/selection.py --page` from `{stored}`. Each law is fitted to the
runs below a cut of scale and predicts those beyond it. *Error* is the mean absolute error of ln L, *bias* its mean with sign
(below 0: the law promises too much), averaged over rows, cuts and curves; *rank* has a 95 % interval from resampling the
fits, the held-out runs and the curves; *first* is the share of resamples in which a law comes first; *dAIC* is what in-sample
fit would have said; *stack* the weight with which the laws together would have predicted best. Ranks that are equal are both
counted. The two baselines fit nothing.

{verdict}

![Rank of each law with its interval](selection.png)

"""
ABOUT = {
    "learning_curves_nmt": "Five translation models, each with its largest training set held out "
    "(a factor of 2). M1 to M4 are `power_law` with E = 0 and free, `saturating_power_law`, "
    "`plateau_power_law`; published errors of M1: .262 .171 .234 .252 .190, ours {furthest}.",
    "rectified": "Fine-tuning on at most 102,400 examples, four larger subsets held out (up to a "
    "factor of 16). At the last, where {measured} was measured, the rectified law says "
    "{rectified} and the power law {power} (published: 1.7781, 2.2995).",
    "bnsl_addition": "Four-digit addition: 14 points fitted, 3 predicted, beyond the one sharp "
    "break of the curve.",
    "chinchilla_epoch": "The 240 runs read off Hoffmann et al. (`hoffmann2022` in "
    "`jaxscale.datasets`), cuts at 1/2, 1/5, 1/10 and 1/30 of the largest 6 N D.",
    "misfitting": "261 runs with tuned and untuned learning rates, the same cuts.",
    "misfitting, tuned within 1 %": "The 153 of them within 1 % of the best of their cell.",
}


def write(stored: Path, page: Path) -> None:
    """docs/selection.md and docs/selection.png."""
    lines = [json.loads(line) for line in stored.read_text().splitlines()]
    name = f"benchmarks/results/{stored.name}"
    text = (
        HEAD.format(stored=name, verdict=_verdict(lines))
        + "\n\n".join(_study(line) for line in lines)
        + "\n"
    )
    page.write_text(text)
    _figure(lines, page.with_suffix(".png"))


def _verdict(lines: list[dict[str, Any]]) -> str:
    """When the default of the field comes first, and when not."""
    said = []
    for line in lines:
        own = {r["law"]: r for r in line["laws"]}
        if "chinchilla" in own:
            rank = own["chinchilla"]["rank"]
            best = min(line["laws"], key=lambda r: r["error"])["law"]
            said.append(f"{'first' if rank[0] == 1 else f'number {rank[0]}'} ({rank[1]} to "
                        f"{rank[2]}) on {line['method']}"
                        + ("" if rank[0] == 1 else f", behind {best}"))  # fmt: skip
    ended = [x["method"] for x in lines if x["best"] in ("best so far", "largest so far")]
    text = (
        f"The field's default, the Chinchilla law with five free parameters, comes "
        f"{'; '.join(said)}."
    )
    if ended:
        text += (f" On {', '.join(ended)} no law beats saying that nothing will improve: "
                 "those curves have ended, and an extrapolation that is judged there says "
                 "little.")  # fmt: skip
    return text + " In-sample criteria often prefer another law than the one that predicts best."


def _study(line: dict[str, Any]) -> str:
    laws = {r["law"]: r for r in line["laws"]}
    facts = {"furthest": "", "measured": "", "rectified": "", "power": ""}
    if "M1" in laws:
        import math

        facts["furthest"] = " ".join(
            f"{abs(math.log(p / o)):.3f}".lstrip("0") for p, o in laws["M1"]["furthest"]
        )
    if "rectified" in laws:
        (said, measured), power = (
            laws["rectified"]["furthest"][0],
            laws["M2 (power law)"]["furthest"][0][0],
        )
        facts |= {
            "measured": f"{measured:.4f}",
            "rectified": f"{said:.4f}",
            "power": f"{power:.4f}",
        }
    reach = list(line["laws"][0]["by_ratio"])
    head = [
        "law",
        "k",
        "rank",
        "first",
        "error",
        "bias",
        *(f"error {r}" for r in reach),
        "dAIC",
        "stack",
        "fits not OK",
    ]
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for r in sorted(line["laws"], key=lambda r: r["error"]):
        cells = [
            r["law"],
            str(r["parameters"] or "–"),
            f"{r['rank'][0]} ({r['rank'][1]}–{r['rank'][2]})",
            f"{100 * r['first']:.0f} %",
            _percent(r["error"]),
            _percent(r["bias"]),
            *(_percent(v[0]) for v in r["by_ratio"].values()),
            "–" if r["dAIC"] is None else f"{r['dAIC']:.1f}",
            "–" if r["stack"] is None else f"{r['stack']:.2f}",
            f"{r['not_ok']} of {line['cuts']}",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    about = ABOUT[line["method"]].format(**facts)
    tail = (
        f"{line['objective']}, {line['cuts']} fits of each law, {line['seconds']:.0f} s "
        f"({line['commit']})."
    )
    said = "".join(f" {r[0].upper()}{r[1:]}." for r in line["remarks"])
    return f"## {line['method']}\n\n{about}{said} {tail}\n\n" + "\n".join(rows)


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _figure(lines: list[dict[str, Any]], path: Path) -> None:
    """Rank of each law with its interval, a panel per data set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(13.0, 5.6), layout="constrained")
    for ax, line in zip(axes.flat, lines, strict=False):
        laws = sorted(line["laws"], key=lambda r: -r["error"])
        for y, r in enumerate(laws):
            color = (
                "#6b7280"
                if not r["parameters"]
                else "#d55e00"
                if r["law"] == "chinchilla"
                else "#0072b2"
            )
            ax.plot(r["rank"][1:], [y, y], color=color, linewidth=2)
            ax.plot(r["rank"][0], y, "o", color=color, markersize=5)
            ax.text(len(laws) + 0.4, y, _percent(r["error"]), va="center", fontsize=7)
        ax.set_yticks(range(len(laws)), [r["law"] for r in laws], fontsize=8)
        ax.set(title=line["method"], xlabel="rank (95 % interval)", xlim=(0.5, len(laws) + 2.2))
        ax.set_xticks(range(1, len(laws) + 1))
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
