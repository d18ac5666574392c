"""The command line: `jaxscale demo` does the whole job on a real table and writes what it found."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click


@click.group()
@click.version_option(package_name="jaxscale")
def main() -> None:
    """Fit scaling laws, with certificates and intervals, and plan from the fit."""


@main.command()
@click.option(
    "--output",
    default="demo",
    show_default=True,
    help="Folder for the report, two figures and a JSON file.",
)
@click.option("--resamples", default=4000, show_default=True, help="Refits.")
@click.option(
    "--budget", default=5.76e23, show_default=True, help="Training compute of the plan [FLOP]."
)
def demo(output: str, resamples: int, budget: float) -> None:
    """Table -> certified fit -> refits -> plan with intervals, on the runs of Hoffmann et
    al. 2022.
    """
    import numpy as np

    import jaxscale as jsl

    begin = time.perf_counter()
    try:
        jsl.cache()
    except jsl.InputError as error:
        click.echo(f"programs are compiled anew each time: {error}\n")
    name, why = "hoffmann2022", ""
    try:
        runs = jsl.datasets.load(name)
    except FileNotFoundError as error:
        name, why = "simulated", str(error)
        runs = jsl.datasets.load(name)
        click.echo(
            f"hoffmann2022 cannot be had here: {why}\nUsing the embedded simulated sweep instead.\n"
        )
    click.echo(jsl.datasets.describe(name) + "\n")
    fit = jsl.fit(jsl.laws.chinchilla, runs)
    boot = jsl.bootstrap(fit, resamples)
    plan = jsl.allocate(boot, budget)
    text = jsl.report(boot, plan=plan)
    click.echo(text)

    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    largest = float(np.max(jsl.costs.Train()(runs["N"], runs["D"])))
    budgets = np.geomspace(largest / 1e3, max(budget, largest) * 2, 30)
    figures = {
        "loss.png": lambda: jsl.plots.loss(fit),
        "allocation.png": lambda: jsl.plots.allocation(jsl.allocate(boot, budgets), runs),
    }
    written = ["report.txt", "demo.json"]
    for file, draw in figures.items():
        try:
            draw().savefig(folder / file)
            written.append(file)
        except ImportError as error:
            click.echo(f"\n{file} is not drawn: {error}")
    (folder / "report.txt").write_text(text + "\n", encoding="utf-8")
    seconds = time.perf_counter() - begin
    (folder / "demo.json").write_text(
        json.dumps(_summary(jsl, name, fit=fit, boot=boot, plan=plan, seconds=seconds), indent=2)
        + "\n",
        encoding="utf-8",
    )
    click.echo(f"\nwritten: {', '.join(str(folder / f) for f in written)} ({seconds:.1f} s)")


def _summary(jsl: Any, name: str, fit: Any, boot: Any, plan: Any, seconds: float) -> dict[str, Any]:
    def three(found: Any) -> list[float]:
        return [float(v) for v in found]

    c, planned = fit.certificate, plan.interval()
    return {
        "version": jsl.__version__,
        "table": name,
        "rows": c.rows_used,
        "status": jsl.Status(int(fit.status)).message,
        "value": float(fit.value),
        "params": {k: float(v) for k, v in fit.params.items()},
        "intervals": {k: three(v) for k, v in jsl.interval(boot).items()},
        "starts": {"drawn": c.starts_drawn, "kept": c.starts_kept, "agreed": c.starts_agreed},
        "refits": {"count": len(boot), "ok": int(boot.ok.sum())},
        "plan": {"budget": float(plan.budget), **{k: three(planned[k]) for k in plan.columns}},
        "loss": three(planned["loss"]),
        "seconds": round(seconds, 2),
    }


if __name__ == "__main__":
    main()
