"""Everything that is claimed of an accelerator, in one run of eight minutes: refits, 18 million
fits, plans, agreement.

Lines, in the order in which they run: the fit of 240 rows; 4,000 refits of it; a million plans;
agreement with the CPU, where a process of its own does the same fit, refits and plans; the same
refits in tiles of other widths, whose bits are compared; and at last as many of 4,500 starts x
4,000 resamples as the rest of `--budget` has room for, in chunks, with their rate. `first_s` is the
first call, which compiles; `seconds` a warm one; `wall` the whole line. A line is stored as soon as
it is known, one that fails with its error, and the next goes on. A second run (`--only NAME`)
replaces the lines that it runs.

    python benchmarks/accelerator.py

writes benchmarks/results/accelerator-<device>.jsonl. `--smoke` runs all of it at toy sizes on a
CPU, by the programs that accelerators use, and stores nothing unless told where.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEGIN = time.perf_counter()

import jax  # noqa: E402
import numpy as np  # noqa: E402
from _common import arguments, place, rounded  # noqa: E402
from allocate import closed_form  # noqa: E402

import jaxscale as jsl  # noqa: E402
from jaxscale.fitting import _blocks, _run  # noqa: E402
from jaxscale.plans import _lanes  # noqa: E402

STARTS, RESAMPLES = 4500, 4000  # 18 million fits
AGREE = 1e-9  # of the optimum, relative
CHUNK = 30.0  # seconds that a chunk of the many fits takes, about
MARGIN = 15.0  # seconds of the budget that are left
CPU_LIMIT = 120.0  # seconds that the process on the CPU may take
Line = Callable[[], dict[str, Any]]


class Bench:
    """The lines and what they share: table, fit, refits."""

    def __init__(self, smoke: bool, budget: float) -> None:
        self.smoke, self.budget, self.kept = smoke, budget, {}
        try:
            self.table, self.runs = "hoffmann2022", jsl.datasets.load("hoffmann2022")
        except FileNotFoundError:
            self.table, self.runs = "simulated", jsl.datasets.load("simulated")

    def lines(self) -> dict[str, tuple[float, Line]]:
        """Name: the share of the budget after which the line does not begin any more, and
        the line.
        """
        widths = (32, 256) if self.smoke else (_blocks.WIDE.slots, 1024, 32768)
        tiles = {f"tile of {w:,} lanes": (0.6, lambda w=w: self.tile(w)) for w in widths}
        return {
            "fit": (1.0, self.fitted),
            "refits": (0.7, self.refits),
            "plans": (0.7, self.plans),
            "agreement with the CPU": (0.6, self.agreement),
            **tiles,
            "starts x resamples": (0.9, self.many),
        }

    def left(self) -> float:
        return self.budget - (time.perf_counter() - BEGIN)

    @property
    def fit(self) -> Any:
        if "fit" not in self.kept:
            self.kept["fit"] = jsl.fit(jsl.laws.chinchilla, self.runs)
        return self.kept["fit"]

    def clocked(
        self, call: Callable[[], Any], count: int, of: str, repeats: int = 3
    ) -> tuple[Any, dict[str, Any]]:
        """What a call gives, and its first and its fastest warm seconds."""
        taken = []
        for _ in range(1 + (1 if self.smoke else repeats)):
            begin = time.perf_counter()
            out = jax.block_until_ready(call())
            taken.append(time.perf_counter() - begin)
        warm = min(taken[1:])
        times = {
            "seconds": warm,
            "first_s": taken[0],
            "compile_s": max(0.0, taken[0] - warm),
            "per_second": count / warm,
        }
        return out, {"count": count, "of": of, **times}

    # -- the lines --------------------------------------------------------------------------------
    def fitted(self) -> dict[str, Any]:
        starts = 16 if self.smoke else 256
        fit, line = self.clocked(
            lambda: jsl.fit(jsl.laws.chinchilla, self.runs, starts=starts), starts, "starts"
        )
        self.kept["fit"] = fit
        told = fit.certificate.starts_agreed / fit.certificate.starts_drawn
        return {**line, "value": float(fit.value), "agreed_share": told, "ok": bool(fit.ok)}

    def refits(self) -> dict[str, Any]:
        count, fit = 100 if self.smoke else RESAMPLES, self.fit
        boot, line = self.clocked(lambda: jsl.bootstrap(fit, count, by="rows"), count, "refits")
        work = {"slots": boot.work.slots, "block": boot.work.block, "useful": boot.work.useful}
        return {
            **line,
            "ok_share": float(np.mean(boot.ok)),
            "steps": boot.work.steps / boot.work.lanes,
            **work,
        }

    def plans(self) -> dict[str, Any]:
        refits, count = (20, 10) if self.smoke else (1000, 1000)
        boot, budgets = jsl.bootstrap(self.fit, refits, by="rows"), np.geomspace(1e19, 1e26, count)
        plan, line = self.clocked(
            lambda: jsl.allocate(boot, budgets, starts=1), refits * count, "plans", 2
        )
        gap = float(np.max(np.abs(plan["N"] / closed_form(boot.params, budgets) - 1)))
        return {**line, "worst_gap": gap, "not_ok": int(np.sum(plan.status != 0))}

    def agreement(self) -> dict[str, Any]:
        """The largest relative differences of what this device and a CPU answer to the same
        questions.
        """
        count = 20 if self.smoke else 400
        begin = time.perf_counter()
        ours = answers(self.fit, count)
        first = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "answers.npz")
            command = [sys.executable, __file__, "--child", str(file), "--refits", str(count)]
            env = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))} | {
                "JAX_PLATFORMS": "cpu"
            }
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=CPU_LIMIT
            )
            if done.returncode:
                raise RuntimeError(f"the process on the CPU: {done.stderr[-300:]}")
            with np.load(file) as stored:
                theirs = dict(stored)
        off = {k: apart(ours[k], theirs[k]) for k in ours if k != "status"}
        same = float(np.mean(ours["status"] == theirs["status"]))
        agrees = bool(off["fit"] <= AGREE and off["refits"] <= AGREE)
        return {
            "count": count,
            "of": "refits",
            "first_s": first,
            "apart": off,
            "same_status": same,
            "agrees": agrees,
        }

    def tile(self, width: int) -> dict[str, Any]:
        """The same refits in tiles of so many lanes: their rate, and how far their bits are from
        those of the first width.
        """
        count = 300 if self.smoke else 2**16
        backend = jax.default_backend()
        usual = _blocks.TILES.get(backend)
        _blocks.TILES[backend] = _blocks.Tile(
            width, 8, max(width, 512 if self.smoke else _blocks.WIDE.block)
        )
        try:
            fit = self.fit
            boot, line = self.clocked(
                lambda: jsl.bootstrap(fit, count, by="rows", memory=2**33), count, "refits", 1
            )
        finally:
            _blocks.TILES.pop(backend)
            if usual is not None:
                _blocks.TILES[backend] = usual
        if boot.work.slots != width:
            raise RuntimeError(f"{boot.work.slots} slots instead of {width}")
        beside, values, alpha = self.kept.setdefault(
            "tile", (width, boot.value, boot.params["alpha"])
        )
        line |= {"slots": width, "useful": boot.work.useful}
        if beside == width:  # the first, with which the others are compared
            return line
        same = float(np.mean((boot.value == values) & (boot.params["alpha"] == alpha)))
        off = {"value": apart(boot.value, values), "alpha": apart(boot.params["alpha"], alpha)}
        return {**line, "beside": beside, "same_bits": same, "apart": off}

    def many(self) -> dict[str, Any]:
        """4,500 starts of each resample. Chunks have seeds of their own, so that the budget can end
        between two.
        """
        starts, wanted, fit = (16, 8, self.fit) if self.smoke else (STARTS, RESAMPLES, self.fit)
        # resamples that fill a block
        least = 2 if self.smoke else max(1, _blocks.WIDE.block // starts)

        def chunk(resamples: int, seed: int) -> tuple[Any, float]:
            begin = time.perf_counter()
            boot = jsl.bootstrap(fit, resamples, by="rows", starts=starts, seed=seed)
            return boot, time.perf_counter() - begin

        _, first = chunk(least, 0)
        boot, taken = chunk(least, 1)
        better = float(
            np.mean(boot.value < jsl.bootstrap(fit, least, by="rows", seed=1).value * (1 - 1e-8))
        )
        resamples, seconds, ok, seed = least, taken, [np.mean(boot.ok)] * least, 2
        while resamples < wanted:
            each = seconds / resamples
            size = min(wanted - resamples, max(least, int(CHUNK / each) // least * least))
            room = int((self.left() - MARGIN) / each * 0.9)
            size = size if size <= room else room // least * least
            if size < 1:
                break
            boot, taken = chunk(size, seed)
            resamples, seconds, seed = resamples + size, seconds + taken, seed + 1
            ok += [np.mean(boot.ok)] * size
        done, each = starts * resamples, seconds / (starts * resamples)
        return {
            "count": done,
            "of": "fits",
            "seconds": seconds,
            "first_s": first,
            "compile_s": max(0.0, first - least * starts * each),
            "per_second": 1 / each,
            "starts": starts,
            "resamples": resamples,
            "all": bool(resamples >= wanted),
            "seconds_of_all": each * starts * wanted,
            "chunks": seed - 1,
            "ok_share": float(np.mean(ok)),
            "better_than_one": better,
            "useful": boot.work.useful,
            "steps": boot.work.steps / boot.work.lanes,
        }


def answers(fit: Any, refits: int) -> dict[str, np.ndarray]:
    """What both devices are asked."""
    boot = jsl.bootstrap(fit, refits, by="rows")
    plan = jsl.allocate(boot, np.geomspace(1e20, 1e24, 3), starts=1)
    params = np.stack([boot.params[k] for k in sorted(boot.params)])
    numbers = {
        "fit": np.asarray(fit.value),
        "params": np.array([fit.params[k] for k in sorted(fit.params)]),
    }
    refitted = {
        "refits": np.asarray(boot.value),
        "refits_params": params,
        "status": np.asarray(boot.status),
    }
    return {**numbers, **refitted, "plans": np.asarray(plan["N"]), "losses": np.asarray(plan.loss)}


def apart(a: Any, b: Any) -> float:
    return float(np.max(np.abs(np.asarray(a) / np.asarray(b) - 1)))


def as_accelerators_do() -> None:
    """Small jobs on a CPU walk on the host; here they take the programs that other devices take."""
    _run.BULK = _lanes.BULK = 0


# -- the store -----------------------------------------------------------------------------------
def stored(path: Path | None, record: dict[str, Any]) -> None:
    """The line in place of that of its name, the others as they were; written whole, so that a run
    cut off loses none.
    """
    if path is None:
        return
    text = path.read_text() if path.exists() else ""
    every = {line["method"]: line for line in map(json.loads, text.splitlines())}
    if record["method"] in every and {"skipped", "error"} & set(record):
        return  # what was measured stands
    every |= {record["method"]: record}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text("".join(json.dumps(line) + "\n" for line in every.values()))
    new.replace(path)


def one_line(name: str, last: float, line: Line, bench: Bench) -> dict[str, Any]:
    """What a line found, its error, or that there was no time."""
    begin = time.perf_counter()
    if begin - BEGIN > last * bench.budget:
        found: dict[str, Any] = {
            "skipped": f"{begin - BEGIN:.0f} of {bench.budget:.0f} s were over"
        }
    else:
        try:
            found = line()
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    peak = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    where = {"peak_device_mb": None if peak is None else peak / 2**20, **place("float64")}
    return {
        "method": name,
        **found,
        "wall": time.perf_counter() - begin,
        **where,
        "table": bench.table,
        "rows": len(bench.runs),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--budget",
        type=float,
        default=480.0,
        help="seconds in all; decides how many of the 18 million fits",
    )
    parser.add_argument("--only", nargs="+", help="names of lines, or how they begin")
    parser.add_argument("--child", type=Path, help="answer on this device into a file")
    parser.add_argument("--refits", type=int, default=400, help="of the child")
    options = parser.parse_args()
    if options.child:
        np.savez(options.child, **answers(Bench(False, 0.0).fit, options.refits))
        return
    if jax.default_backend() == "cpu":
        if not options.smoke:
            parser.error("JAX sees no accelerator here; --smoke runs toy sizes on the CPU")
        as_accelerators_do()
    output = options.output
    if output is None and not options.smoke:
        kind = re.sub(r"[^a-z0-9]+", "-", jax.local_devices()[0].device_kind.lower()).strip("-")
        output = Path(__file__).parent / "results" / f"accelerator-{kind}.jsonl"
    bench = Bench(options.smoke, options.budget)
    failed = []
    if unknown := [
        o for o in options.only or () if not any(name.startswith(o) for name in bench.lines())
    ]:
        parser.error(
            f"no line is called {', '.join(unknown)}; there are {', '.join(bench.lines())}"
        )
    for name, (last, line) in bench.lines().items():
        if options.only and not name.startswith(tuple(options.only)):
            continue
        record = rounded(one_line(name, last, line, bench), 4)
        print(json.dumps(record), flush=True)
        stored(output, record)
        failed += [name] if "error" in record or record.get("agrees") is False else []
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
