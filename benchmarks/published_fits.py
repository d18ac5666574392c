"""Published fits, refitted: objective at or below the published one wherever a figure is published.

One line per fit: the published objective, ours, the objective at the published coefficients,
further metrics beside their published values, status and evidence. `docs/published-fits.md` is made
from these lines with `--page`.
"""

from __future__ import annotations

import json
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from _common import arguments, one_by_one, place
from published import Published, architecture, curves, downstream, loss, mixtures

import jaxscale as jsl

HERE = Path(__file__).parent
STORED, PAGE = (
    HERE / "results" / "published_fits-cpu.jsonl",
    HERE.parent / "docs" / "published-fits.md",
)
HEAD = """# Published fits, refitted

Made by `python benchmarks/published_fits.py --page` from the lines that the same script stored (`--output`). Rows and objective
are the paper's. *Published* is the objective that was published (where the evidence says
DATA or D: recomputed from the released runs), *at its coefficients* the same objective at the published
coefficients, *ours* that of the certified fit; 'report only' where no objective was published. Evidence marks are those of
`docs/laws.md`. The tables are fetched, or looked for under `$JAXSCALE_DATA_DIR`; none is part of this package.
"""
FITS = [fit for file in (loss, architecture, curves, mixtures, downstream) for fit in file.FITS]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", help="names of fits")
    parser.add_argument(
        "--page", action="store_true", help="run nothing; write the page from the stored lines"
    )
    options = parser.parse_args()
    if options.page:
        PAGE.write_text(page())
        return
    chosen = (
        [f for f in FITS if f.name in options.only]
        if options.only
        else [f for f in FITS if f.smoke or not options.smoke]
    )
    if options.smoke and not options.only:
        chosen = chosen[:3]
    starts = {"starts": 32} if options.smoke else {}
    records = one_by_one(
        {f.name: partial(record, f, **starts) for f in chosen}, options.output, digits=10
    )
    for line in records:
        assert line["reached"], (
            f"{line['method']}: {line['ours']} is above the published {line['published']}"
        )
        assert line["status"] == line["expected_status"], f"{line['method']}: {line['status']}"


def record(published: Published, starts: int | None = None) -> dict[str, Any]:
    """One fit beside what was published about it."""
    runs = published.runs()
    begin = time.perf_counter()
    fit = jsl.fit(
        published.law, runs, objective=published.objective, starts=starts or published.starts
    )
    seconds = time.perf_counter() - begin
    ours = published.value(float(fit.value), len(runs))
    printed, least = published.figure, published.least
    half = (
        0.0
        if printed is None
        else 0.5 * 10.0 ** (math.floor(math.log10(abs(printed))) + 1 - published.digits)
    )
    at = None
    if published.params:
        predicted = published.law.fix(**published.params)(*(runs[c] for c in published.law.columns))
        with jax.enable_x64(True):  # an objective called by itself computes as JAX is set
            total = float(
                np.sum(
                    np.asarray(runs.weights)
                    * np.asarray(published.objective(predicted, runs.target))
                )
            )
        at = published.value(total, len(runs))
    bar = printed + half if printed is not None else at
    return {
        "method": published.name,
        "source": published.source,
        "evidence": published.evidence,
        "rows": len(runs),
        "objective": repr(published.objective),
        "published": printed,
        "published_digits": published.digits,
        "at_published": at,
        "best_known": published.best,
        "ours": ours,
        "reached": bool(
            (bar is None or ours <= bar * (1 + 1e-9)) and (least is None or ours >= least)
        ),
        "status": jsl.Status(int(fit.status)).name or "OK",
        "expected_status": published.expected,
        "params": {k: np.asarray(v).tolist() for k, v in fit.params.items()},
        "published_params": {k: np.asarray(v).tolist() for k, v in published.params.items()},
        "metrics": published.metrics(fit),
        "published_metrics": published.figures,
        "starts": starts,
        "agreeing": fit.certificate.starts_agreed / max(fit.certificate.starts_drawn, 1),
        "seconds": seconds,
        "note": published.note,
        **place("float64"),
    }


def page() -> str:
    """The stored lines as one table, and below it what was estimated."""
    lines = [json.loads(line) for line in STORED.read_text().splitlines()]
    title = [
        "fit",
        "rows",
        "published",
        "at its coefficients",
        "ours",
        "difference",
        "status",
        "evidence",
    ]
    rows = [title, ["---"] * len(title), *(cells(line) for line in lines)]
    missing = [fit.name for fit in FITS if fit.name not in {line["method"] for line in lines}]
    told = f"{len(lines)} of {len(FITS)} fits are stored" + (
        f"; not yet: {', '.join(missing)}" if missing else ""
    )
    parts = [
        HEAD,
        told + ".",
        "",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows),
    ]
    for line in lines:
        parts += [
            "",
            f"## {line['method']}",
            "",
            f"{line['source']}. Objective: `{line['objective']}`. {line['note']}".strip(),
            "",
        ]
        parts += [f"| | {' | '.join(line['params'])} |", f"|---|{'---|' * len(line['params'])}"]
        parts.append(f"| ours | {' | '.join(short(v) for v in line['params'].values())} |")
        if line["published_params"]:
            parts.append(
                f"| published | "
                f"{' | '.join(short(line['published_params'].get(k)) for k in line['params'])} |"
            )
        if line["metrics"]:
            published = line["published_metrics"]
            told = (
                f"{k} {short(v)}"
                + (f" (published {short(published[k])})" if k in published else "")
                for k, v in line["metrics"].items()
            )
            parts += ["", "; ".join(told) + "."]
    return "\n".join(parts) + "\n"


def cells(line: dict[str, Any]) -> list[str]:
    reference = line["published"] if line["published"] is not None else line["at_published"]
    difference = "–" if reference is None else f"{100 * (line['ours'] / reference - 1):+.3g} %"
    published = (
        "report only"
        if line["published"] is None
        else f"{line['published']:.{line['published_digits']}g}"
    )
    return [
        line["method"], str(line["rows"]), published, short(line["at_published"], 7),
        short(line["ours"], 7), difference,
        line["status"], line["evidence"],
    ]  # fmt: skip


def short(value: Any, digits: int = 5) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(short(v, 3) for v in value)
    return f"{value:.{digits}g}"


if __name__ == "__main__":
    main()
