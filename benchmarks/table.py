"""All stored results on one page: reads benchmarks/results/*.jsonl and writes docs/benchmarks.md.

A file is called `<benchmark>-<machine>.jsonl` and holds what that benchmark wrote with --output.
The page is a pure function of these files and of the first sentences of the benchmarks, so that
--check can tell whether it is theirs.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "benchmarks.md"
NONE = "–"
HEAD = """# Benchmarks

Made by `python benchmarks/table.py` from `benchmarks/results/`; `--check` fails where this page is not theirs. Each result
file holds one JSON line per method with more than is shown here: the time to compile, what the machine was, how busy it
was, and a note on how the method was asked. Figures are wall time of warm runs; other work on a machine makes them larger
and never smaller, so compare within a table and not between machines. What quality means for each benchmark stands at the
top of its file.
"""

Record = dict[str, Any]
Cell = Callable[[Record, list[Record]], str]


@dataclass(frozen=True)
class Columns:
    """How the records of a benchmark become rows; `ratio` says of what to what."""

    about: str
    figure: Cell
    ratio: Cell
    quality: Cell
    method: Cell = lambda r, _: str(r["method"])


# -- numbers -------------------------------------------------------------------------------------
def short(value: Any, digits: int = 3) -> str:
    """Three digits, without an exponent where that can be read."""
    if value is None:
        return NONE
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    if not 1e-3 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def seconds(value: Any) -> str:
    """A time in the unit that suits it."""
    if value is None:
        return NONE
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{short(value * factor)} {unit}"
    return f"{short(1e9 * value)} ns"


def percent(value: Any) -> str:
    """A share, rounded down: 99.99 % is not all."""
    return NONE if value is None else f"{math.floor(1e4 * value + 1e-6) / 1e2:g} %"


def times(value: Any) -> str:
    return NONE if value is None else f"{short(value)} x"


def against(own: float | None, other: float | None) -> str:
    return NONE if own is None or not other else times(own / other)


def first_call(record: Record) -> str:
    """Seconds of the first call, which compiles; of older lines, what compiling took and a warm
    call.
    """
    warm = record.get("seconds", record.get("warm_s"))
    compiling = record.get("compile_s", record.get("compile_seconds"))
    if "first_s" not in record and not compiling:
        return ""
    return f", first call {seconds(record['first_s'] if 'first_s' in record else compiling + warm)}"


def first(records: list[Record], **wanted: Any) -> Record:
    """The first record with these values, or none."""
    return next((r for r in records if all(r.get(k) == v for k, v in wanted.items())), {})


# -- what each benchmark shows -------------------------------------------------------------------
def refit_ratio(r: Record, _: list[Record]) -> str:
    if "ratio_to_jaxscale" not in r:
        return NONE
    per_core = r.get("ratio_per_core")
    return times(r["ratio_to_jaxscale"]) + (
        f" ({times(per_core)} per core)" if per_core is not None else ""
    )


def refit_figure(r: Record, _: list[Record]) -> str:
    if "before_refits_seconds" not in r:
        return f"{seconds(r['seconds_per_refit'])} per refit ({r['resamples']:,})"
    both = f"{seconds(r['seconds'])}, scipy {seconds(r['scipy_seconds'])} ({r['resamples']:,})"
    return (
        f"{both}; before the first refit {seconds(r['before_refits_seconds'])}, scipy "
        f"{seconds(r['scipy_before_refits_seconds'])}"
    )


def refit_quality(r: Record, _: list[Record]) -> str:
    if "before_refits_seconds" in r:
        cores = (
            f"; if scipy's are shared out over {r['threads']} cores, from "
            f"{short(r['break_even_all_cores'])}"
        )
        return (
            f"jaxscale is done first from {short(r['break_even'])} refits on{cores}; load "
            f"{short(r['load'])}"
        )
    said = (
        f"gap {short(r['worst_gap'])}, missed {percent(r.get('missed_share'))}, converged "
        f"{percent(r['ok_share'])}"
    )
    if "near_share" in r:
        one = f"the table from one start: gap {short(r['one_start_gap'])} from Hoffmann's"
        said += (
            f"; {one}, optimum from {percent(r['near_share'])} of starts near it, "
            f"{percent(r['anywhere_share'])} anywhere"
        )
    return said


REFITS = Columns(
    about="Ratio: seconds per refit to those of jaxscale in the same run. Gap: the largest "
    "relative excess over the best value that any method found for a resample; missed: the share "
    "of resamples where it is above 1e-6. A cold process pays for Python, imports, compiling and "
    "the fit of the table too. Near: A, B, E and the exponents a tenth off; an optimum is reached "
    "to 1e-9.",
    figure=refit_figure,
    ratio=refit_ratio,
    quality=refit_quality,
)


def accelerator_quality(r: Record, _: list[Record]) -> str:
    said = [f"compiling {seconds(r['compile_s'])}"] if "compile_s" in r else []
    said += [f"OK {percent(r['ok_share'])}"] if "ok_share" in r else []
    said += [f"gap {short(r['worst_gap'])}"] if "worst_gap" in r else []
    said += [f"same bits {percent(r['same_bits'])}"] if "same_bits" in r else []
    if "apart" in r:
        said.append("apart: " + ", ".join(f"{k} {short(v)}" for k, v in r["apart"].items()))
    if "agrees" in r:
        said.append(f"{'agrees' if r['agrees'] else 'does not agree'} to 1e-9")
    if "seconds_of_all" in r and not r["all"]:
        said.append(f"all 18 million would take {seconds(r['seconds_of_all'])}")
    return "; ".join(said) or NONE


TABLES = {
    "bootstrap": REFITS,
    "peers": REFITS,
    "accelerator": Columns(
        about="First call, then warm. Ratio: what is done in a second. Apart: the largest relative "
        "difference.",
        figure=lambda r, _: (
            f"{r['count']:,} {r['of']}"
            + (f" in {seconds(r['seconds'])}" if "seconds" in r else "")
            + first_call(r)
        ),
        ratio=lambda r, _: f"{short(r['per_second'])} per s" if "per_second" in r else NONE,
        quality=accelerator_quality,
    ),
    "epoch_job": Columns(
        about="Ratio: to the warm run. Reached: the share of starts that end in the best optimum.",
        figure=lambda r, _: (
            f"{seconds(r['seconds'])} (fit {seconds(r['fit_seconds'])}, refits "
            f"{seconds(r['refits_seconds'])})"
        ),
        ratio=lambda r, _: times(r["ratio_to_warm"]),
        quality=lambda r, _: (
            f"reached {percent(r['reached_share'])}, excess {short(r['excess'])}, refits OK "
            f"{percent(r['ok_share'])}"
        ),
    ),
    "first_answer": Columns(
        about="Seconds of wall and, in brackets, of CPU, medians of cold processes. Ratio: CPU "
        "seconds to those of the commit before first answers were made short (d01859a), taken in "
        "turn. Peers do README's job, imports and all, each in its own way (see the file); the "
        "tables are drawn with alpha = .35.",
        figure=lambda r, _: f"{seconds(r['wall'])} ({seconds(r['cpu'])})",
        ratio=lambda r, _: NONE if "ratio" not in r else short(r["ratio"]),
        quality=lambda r, _: (
            f"before: {seconds(r['beside_wall'])} ({seconds(r['beside_cpu'])})"
            if "beside_cpu" in r
            else f"alpha {short(r['answer'][0])} of the last run"
            if r.get("answer")
            else NONE
        ),
    ),
    "starts": Columns(
        about="Ratio: seconds per start to those of jaxscale's first line for the same table. "
        "Reached: the share of starts in the best optimum known. Elsewhere: fits that say OK (of "
        "scipy: the share that reports success) away from it.",
        method=lambda r, _: (
            f"{r['method']}: {r['table']}" + (f", {r['starts']} starts" if r.get("starts") else "")
        ),
        figure=lambda r, _: f"{seconds(r['milliseconds_per_start'] / 1e3)} per start",
        ratio=lambda r, every: against(
            r["milliseconds_per_start"],
            first(every, method="jaxscale", table=r["table"]).get("milliseconds_per_start"),
        ),
        quality=lambda r, _: (
            f"reached {percent(r['reached_share'])}, elsewhere "
            + (str(r["ok_elsewhere"]) if "ok_elsewhere" in r else percent(r["success_elsewhere"]))
        ),
    ),
    "kernel": Columns(
        about="Value, gradient and Hessian per lane and run on one core. Ratio: to the "
        "exponentials and logarithms that the plain value needs. Agreement: with the law "
        "differentiated as a whole, whose time stands beside.",
        figure=lambda r, _: (
            f"{short(r['ns'])} ns (as a whole {short(r['whole_ns'])} ns)"
            + (
                first_call(r)
                if "first_s" in r
                else f", compiled in {seconds(r['compile_seconds'])}"
            )
        ),
        ratio=lambda r, _: f"{times(r['ratio'])} (bar {short(r['bar'])})",
        quality=lambda r, _: f"agreement {short(r['disagreement'])}",
    ),
    "scale": Columns(
        about="Ratio: cost per lane to that of the first line. Memory: the peak of the process, "
        "and how much more than that of the smallest size.",
        method=lambda r, _: f"{r['method']}, {r['lanes']:,} lanes",
        figure=lambda r, _: (
            f"{short(r['microseconds_per_lane'])} µs per lane"
            + (
                first_call(r)
                if "first_s" in r
                else f", compiled in {seconds(r['compile_seconds'])}"
            )
        ),
        ratio=lambda r, every: against(
            r["microseconds_per_lane"], every[0]["microseconds_per_lane"]
        ),
        quality=lambda r, _: (
            f"OK {percent(r['ok_share'])}, memory {short(r['peak_memory_mb'])} MB "
            f"({r['memory_above_small_mb']:+.0f} MB)"
        ),
    ),
    "allocate": Columns(
        about="Ratio: seconds per plan to those of jaxscale in the same run. Gap: the largest "
        "relative error of N.",
        figure=lambda r, _: (
            f"{seconds(r['seconds_per_plan'])} per plan ({r['plans']:,})" + first_call(r)
        ),
        ratio=lambda r, _: times(r["ratio_to_jaxscale"]),
        quality=lambda r, _: f"gap {short(r['worst_gap'])}",
    ),
    "plans": Columns(
        about="Random constrained plans beside the best of SLSQP from many starts and a grid. "
        "Ratio: seconds of SLSQP to one warm call. Gap: how much worse the worst plan is, "
        "relative to its goal.",
        method=lambda r, _: f"{r['method']}, {r['problems']}",
        figure=lambda r, _: seconds(r["seconds_warm"]),
        ratio=lambda r, _: times(r["slsqp_seconds"] / r["seconds_warm"]),
        quality=lambda r, _: (
            f"gap {short(r['worst_gap'])}, KKT {short(r['worst_kkt'])}, OK {r['ok']}, infeasible "
            f"{r['infeasible']} ({r['called_infeasible_wrongly']} wrongly)"
        ),
    ),
    "plan_derivatives": Columns(
        about="Derivatives of plans by implicit differentiation against central differences of "
        "whole plans.",
        method=lambda r, _: f"{r['method']}, {r['problems']}",
        figure=lambda r, _: NONE,
        ratio=lambda r, _: NONE,
        quality=lambda r, _: (
            f"worst derivative {short(r['worst_derivative'])}, worst shadow price "
            f"{short(r['worst_price'])}"
        ),
    ),
    "recovery": Columns(
        about="Ratio: none; times include compilation. Error: the largest relative error of a "
        "parameter.",
        figure=lambda r, _: seconds(r["seconds"]),
        ratio=lambda r, _: NONE,
        quality=lambda r, _: f"error {short(r['error'])}, status {r['status']}",
    ),
    "sbc": Columns(
        about="Simulation-based calibration. Distance: the largest of a rank distribution from "
        "the uniform one, beside the band that holds all of them jointly with probability .99.",
        figure=lambda r, _: f"{seconds(r['seconds'])} for {r['tables']} tables",
        ratio=lambda r, _: NONE,
        quality=lambda r, _: (
            f"distance {short(max(r['distance'].values()))}, band {short(r['band'])}; "
            f"{r['divergences']} divergences, R-hat above 1.01 in {r['rhat_above_1.01']} tables"
        ),
    ),
    "known_failures": Columns(
        about="Fits that look better than they are. Quality: the status, the default interval of "
        "the quantity, cautions.",
        figure=lambda r, _: f"{r['rows']} rows",
        ratio=lambda r, _: NONE,
        quality=lambda r, _: (
            f"{r['status']}; {short(min(r['low']))} to {short(max(r['high']))} ({r['kind']})"
            + (f"; {len(r['cautions'])} cautions" if r["cautions"] else "")
        ),
    ),
    "design": Columns(
        about="Ratio: geometric mean width of the intervals of ln N* at 10 and 100 times the "
        "dearest run, to that of `design`, with its standard error. Error: root mean square of "
        "the true error of ln N*.",
        figure=lambda r, _: (
            f"{short(r['runs'])} runs, {percent(r['cost_over_budget'])} of the budget"
        ),
        ratio=lambda r, _: f"{times(r['width_ratio'])} ± {short(r['width_ratio_error'])}",
        quality=lambda r, _: (
            f"error {short(r['rms_error_all'])}, coverage {short(min(r['coverage']))} % or more"
        ),
    ),
    "forecast": Columns(
        about="Ratio: mean CRPS to that of forecasting no change from the largest run. Inside: "
        "the share of new runs in their 95 % interval, with its standard error, and in that of "
        "the curve.",
        figure=lambda r, _: (
            f"error {short(100 * r['median_error'])} %, interval {short(100 * r['width'])} % wide"
        ),
        ratio=lambda r, _: times(r.get("crps_over_no_change")),
        quality=lambda r, _: (
            f"inside {short(100 * r['inside'])} ± {short(100 * r['inside_error'])} % "
            f"({short(100 * r['inside_curve'])} % of the curve's)"
            if r["count"] > 1
            else "inside"
            if r["inside"]
            else "outside"
        ),
    ),
    "rows": Columns(
        about="Answers of the same law to the same question. Ratio: N* at 1e22 FLOP to that of all "
        "runs.",
        figure=lambda r, _: f"p {short(r['p'])}, E {short(r['E'])} ({r['rows']} rows)",
        ratio=lambda r, every: times(r["N*"] / every[0]["N*"]),
        quality=lambda r, _: f"N* {short(r['N*'])}; {r['status']}",
    ),
    "groups": Columns(
        about="Ratio: time to that of SciPy, scaled up from a sample of groups. Gap: the largest "
        "relative difference to fits of each group alone.",
        figure=lambda r, _: f"{seconds(r['warm_s'])} for 1,000 groups" + first_call(r),
        ratio=lambda r, every: times(r["warm_s"] / every[-1]["warm_s"]),
        quality=lambda r, _: (
            f"exponent {short(r['exponent'], 4)}"
            + (f", gap {short(r['gap'])}" if "gap" in r else "")
        ),
    ),
    "recipes": Columns(
        about="Ratio: the median of high over low of the interval. Different: the share of pairs "
        "whose interval leaves 1 out; at a multiplier of 1.0 these are false alarms.",
        figure=lambda r, _: (
            f"{seconds(r['seconds'])} for {r['studies']} pairs"
            + (f", {r['refits']} refits" if r["refits"] else "")
        ),
        ratio=lambda r, _: times(r["width"]),
        quality=lambda r, _: (
            f"coverage {short(r['coverage'])} %, different {short(r['called_different'])} %"
        ),
    ),
    "chains": Columns(
        about="Coverage of 95 % intervals at 10 and 100 times the largest run, with its standard "
        "error in the worse of the two, and of those for a new model. Of tables: the error of the "
        "forecast, and of the baseline: a sigmoid of compute, the target's own sweep, the "
        "coverage seen in the samples. Ratio: of the two.",
        figure=lambda r, _: (
            f"coverage {short(r['coverage'][0])} %, {short(r['coverage'][1])} %"
            if "coverage" in r
            else f"error {short(r['mae'])}"
        ),
        ratio=lambda r, _: against(r.get("mae"), r.get("baseline")),
        quality=lambda r, _: (
            f"± {short(max(r['coverage_error']))} %; width {short(r['width'][1])}, rms error "
            f"{short(r['rms_error'][1])}; OK {percent(r['ok_share'])}"
            + (f"; new models {short(min(r['coverage_new']))} %" if "coverage_new" in r else "")
            if "coverage" in r
            else f"baseline {short(r['baseline'])}; "
            + (
                f"held {percent(float(r['held']))}"
                if isinstance(r["held"], float)
                else f"truth {'in' if r['held'] else 'not in'} the interval"
            )
        ),
    ),
    "observational": Columns(
        about="Mean absolute error of scores, and of the baseline: compute alone, or size and "
        "tokens without families. Ratio: of the two. Difference: 95 % of refits by family, over "
        "resampled families of the models asked.",
        figure=lambda r, _: f"error {short(r['mae'])} ({r['asked']} models)",
        ratio=lambda r, _: against(r["mae"], r["baseline"]),
        quality=lambda r, _: (
            f"baseline {short(r['baseline'])}"
            + (
                f", difference {short(r['difference'][0])} to {short(r['difference'][2])}"
                if "difference" in r
                else ""
            )
        ),
    ),
    "accuracy": Columns(
        about="Ratio: seconds per sweep to those of jaxscale in the same run. Errors of the "
        "exponents: geometric mean and largest. Optima: the share of sweeps whose optimum was "
        "found.",
        figure=lambda r, _: f"{seconds(r['seconds_per_sweep'])} per sweep ({r['sweeps']:,})",
        ratio=lambda r, every: against(
            r["seconds_per_sweep"], first(every, method="jaxscale").get("seconds_per_sweep")
        ),
        quality=lambda r, _: (
            f"errors {short(r['gmean'])} %, {short(r['max_a'])} %; optima "
            f"{percent(r['optimum_share'])}; {r['abnormal']} abnormal"
        ),
    ),
}


# -- the page ------------------------------------------------------------------------------------
def page() -> str:
    files = [
        f
        for f in sorted(RESULTS.glob("*.jsonl"))
        if benchmark(f) not in ("published_fits", "coverage", "selection")
    ]  # own pages
    if unknown := [f.name for f in files if benchmark(f) not in TABLES]:
        raise SystemExit(
            f"{', '.join(unknown)}: no such benchmark; give it an entry in TABLES of "
            f"{Path(__file__).name}"
        )
    parts = [HEAD, accelerators(files)]
    for name, columns in TABLES.items():
        rows = [
            row(r, every, columns)
            for f in files
            if benchmark(f) == name
            for every in [read(f)]
            for r in every
        ]
        if rows:
            title = ["method", "figure", "ratio", "quality", "device", "commit"]
            parts.append(
                f"## {name}\n\n{sentence(name)} `python benchmarks/{name}.py`\n\n{columns.about}\n"
            )
            parts.append(
                "\n".join(
                    f"| {' | '.join(cells)} |" for cells in [title, ["---"] * len(title), *rows]
                )
                + "\n"
            )
    return "\n".join(parts)


def accelerators(files: list[Path]) -> str:
    """Which devices other than CPUs the results are from."""
    kinds = sorted(
        {
            r["device"]
            for f in files
            for r in read(f)
            if r.get("device", "cpu") != "cpu" and "error" not in r
        }
    )
    said = (
        f"{', '.join(kinds)}."
        if kinds
        else "none; all figures are those of CPUs. `benchmarks/accelerator.py` measures one."
    )
    return f"Accelerators measured: {said}\n"


def benchmark(file: Path) -> str:
    return file.stem.partition("-")[0]


def read(file: Path) -> list[Record]:
    return [json.loads(line) for line in file.read_text().splitlines() if line]


def row(record: Record, every: list[Record], columns: Columns) -> list[str]:
    if why := [k for k in ("skipped", "error") if k in record]:
        cells = [
            columns.method(record, every),
            f"{why[0]}: {record[why[0]]}",
            NONE,
            NONE,
            NONE,
            NONE,
        ]
    else:
        three = (columns.figure, columns.ratio, columns.quality)
        cells = [
            columns.method(record, every),
            *(cell(record, every) for cell in three),
            device(record),
            record["commit"],
        ]
    return [cell.replace("|", "\\|") for cell in cells]


def device(record: Record) -> str:
    name = (
        record.get("processor")
        if record["device"] == "cpu" and record.get("processor")
        else record["device"]
    )
    return f"{name}, {record['cores']} core{'s' if record['cores'] > 1 else ''}"


def sentence(name: str) -> str:
    """The first line of a benchmark's docstring."""
    text = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text())) or ""
    return text.splitlines()[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if the page is not what would be written",
    )
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    text = page()
    if not options.check:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8")
    elif not options.output.exists() or options.output.read_text(encoding="utf-8") != text:
        sys.exit(f"{options.output} is not what its results say: run python benchmarks/table.py")


if __name__ == "__main__":
    main()
