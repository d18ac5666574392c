"""`ledger`: every forecast of a directory, with its score or without one, and how often the
intervals held.

A ledger shows what a single forecast cannot: whether "95 %" has meant 95 %. It counts what was
frozen, not what is remembered, so nothing may drop out of it: open forecasts are listed, and so are
files that were altered, and scores whose forecast is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..ground._errors import InputError, refuse
from ..ground._tails import clopper_pearson
from ._forecast import Forecast
from ._score import SCORES, contradicted, missed, read_scores


@dataclass(frozen=True)
class Entry:
    """One forecast of a ledger, and the newest line of its scores (None: open)."""

    path: Path
    forecast: Forecast
    score: dict[str, Any] | None

    @property
    def inside(self) -> tuple[int, int]:
        """How many runs lie inside their interval, and how many were observed."""
        if self.score is None:
            return 0, 0
        made = np.isfinite(np.asarray(self.score["observed"], np.float64))
        return int(np.sum(np.asarray(self.score["inside"], bool)[made])), int(made.sum())

    def __str__(self) -> str:
        f = self.forecast
        run = f.run if f.centre.ndim == 0 else None
        said = (
            f"{run.point:.4g} ({run.low:.4g} to {run.high:.4g})" if run else f"{f.centre.size} runs"
        )
        return f"{f.date[:10]}  {f.law['name']:<14} {f.where():<28} {said:<26} {self._outcome()}"

    def _outcome(self) -> str:
        hits, count = self.inside
        if self.score is None or not count:
            return "open"
        made = np.isfinite(np.asarray(self.score["observed"], np.float64))
        relative, error, noises = (
            np.asarray(self.score[k], np.float64)[made] for k in ("relative", "error", "noises")
        )
        if self.forecast.centre.ndim == 0:
            side = "inside" if hits else "OUTSIDE"
            miss = missed(self.forecast, relative[0], error[0])
            return (
                f"{float(self.score['observed']):.4g}: {side}, {miss}, {noises[0]:.2g} times "
                f"the noise of a run"
            )
        left = f", {made.size - count} open" if count < made.size else ""
        median = missed(
            self.forecast, np.median(np.abs(relative)), np.median(np.abs(error))
        ).lstrip("+")
        return (
            f"{hits} of {count} inside, median |error| {median}, {np.median(noises):.2g} times "
            f"the noise of a run{left}"
        )


@dataclass(frozen=True)
class Ledger:
    """Forecasts of a directory in the order of their dates, and `problems`: what could not be read,
    or does not belong.

    `hits` of `count` observed runs lie inside their interval; `rate` is the share with its binomial
    95 % interval. Runs of one forecast share its fit and often miss together: with few forecasts of
    many runs that interval is too narrow.
    """

    directory: Path
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]

    @property
    def hits(self) -> int:
        """Observed runs inside their interval."""
        return sum(e.inside[0] for e in self.entries)

    @property
    def count(self) -> int:
        """Observed runs."""
        return sum(e.inside[1] for e in self.entries)

    @property
    def rate(self) -> tuple[float, float, float]:
        """Low, share and high of the runs inside, 95 % by Clopper and Pearson 1934; nan where
        nothing was observed.
        """
        return clopper_pearson(self.hits, self.count)

    def __len__(self) -> int:
        return len(self.entries)

    def __str__(self) -> str:
        scored = sum(e.inside[1] > 0 for e in self.entries)
        head = (
            f"{len(self)} forecast{'s' * (len(self) != 1)}, {scored} scored, "
            f"{len(self) - scored} open"
        )
        if self.count:
            low, share, high = self.rate
            levels = {e.forecast.run.level for e in self.entries if e.inside[1]}
            said = (
                f"{min(levels):.0%}"
                if len(levels) == 1
                else f"{min(levels):.0%} to {max(levels):.0%}"
            )
            head += f"; {self.hits} of {self.count} runs inside, {100 * share:.3g}% "
            head += f"({100 * low:.3g}% to {100 * high:.3g}%), announced {said}"
        return "\n".join(
            [head, *map(str, self.entries), *(f"PROBLEM     {p}" for p in self.problems)]
        )

    __repr__ = __str__


def ledger(directory: str | Path) -> Ledger:
    """All forecasts (*.json) of a directory with their scores (scores.jsonl), in the order of their
    dates.

    `forecast.save(directory)` and `score.save(directory)` fill it. Files that were altered, scores
    without their forecast, lines that were cut short, and lines that say otherwise of a run than an
    earlier one, which counts, are listed as problems, never left out silently. Raises InputError
    without a directory.

    >>> import tempfile
    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = jsl.forecast(best, N=1e11, D=2e12).save(folder)
    ...     _ = jsl.Forecast.load(path).score(1.88).save(folder)
    ...     print(str(jsl.forecasts.ledger(folder)).splitlines()[0])
    1 forecast, 1 scored, 0 open; 1 of 1 runs inside, 100% (2.5% to 100%), announced 95%

    No source; the interval of the share is that of Clopper and Pearson 1934.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise refuse(
            f"ledger: {directory} is no directory",
            why="nothing was saved there yet",
            change="forecast.save(directory) first",
        )
    problems: list[str] = []
    found: dict[str, tuple[Path, Forecast]] = {}
    for path in sorted(directory.glob("*.json")):
        try:
            own = Forecast.load(path)
        except InputError as error:
            problems.append(str(error).splitlines()[0])
            continue
        if own.digest in found:
            problems.append(
                f"{path.name} is a copy of {found[own.digest][0].name}, and counted once"
            )
        else:
            found[own.digest] = path, own
    lines, bad = read_scores(directory / SCORES) if (directory / SCORES).exists() else ([], [])
    newest: dict[str, dict[str, Any]] = {}
    for line in lines:
        seen = newest.get(line["forecast"])
        if seen is not None and (
            other := contradicted(*((line, seen) if _made(line) < _made(seen) else (seen, line)))
        ):
            bad.append(
                f"the forecast {line['forecast'][:8]} was scored again on {line['date'][:10]}, not "
                f"counted: {other}"
            )
        elif seen is None or _made(line) >= _made(seen):
            newest[line["forecast"]] = line
    problems += bad
    for key, line in newest.items():
        if key not in found:
            problems.append(
                f"the forecast {key[:8]} that was scored on {line['date'][:10]} is missing or was "
                f"altered"
            )
    entries = sorted(
        (Entry(path, own, newest.get(key)) for key, (path, own) in found.items()),
        key=lambda e: e.forecast.date,
    )
    return Ledger(directory, tuple(entries), tuple(problems))


def _made(line: dict[str, Any]) -> int:
    return int(np.sum(np.isfinite(np.asarray(line["observed"], np.float64))))
