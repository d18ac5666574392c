"""`score`: how a frozen forecast fared, run by run, in numbers that cannot be chosen afterwards.

The error alone flatters: a forecast with a wide interval is always right and never useful. So
beside it stand whether the run lies inside the interval, the CRPS, which rewards a distribution
that is narrow and right at once, the error in multiples of the noise of one run, below which no
forecast can get, and what would have been lost by forecasting no change from the largest run.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import laws
from ..formula._law import Law
from ..ground._errors import nearest, refuse
from ..ground._files import as_json, canonical, digest
from ..ground._tails import student_crps
from ..uncertainty._noise_floor import noise_of
from ._record import Record

SCHEMA = "jaxscale score 1"
SCORES = "scores.jsonl"
_FAR = 2.0  # times as large as announced: another run


@dataclass(frozen=True, eq=False)
class Score:
    """A forecast set against what was observed, arrays of its shape S; nan where a run has not been
    made yet.

    `error` is ln observed - ln forecast where the forecast is one of ln L (`log`), else the
    difference in the law's unit, and `crps` is in the same unit; `relative` is observed / forecast
    - 1. `inside` says whether the run lies in the interval of a new run, `inside_curve` in that of
    the curve (which a noisy run may leave). `noises` is |error| in standard deviations of the noise
    of one run, `baseline` the error of forecasting no change from the largest run.
    """

    forecast: Record
    observed: np.ndarray
    predicted: np.ndarray
    error: np.ndarray
    relative: np.ndarray
    inside: np.ndarray
    inside_curve: np.ndarray
    crps: np.ndarray
    noises: np.ndarray
    baseline: np.ndarray
    columns: dict[str, np.ndarray]
    date: str
    remarks: tuple[str, ...] = ()

    @property
    def made(self) -> np.ndarray:
        """Which runs were observed (S)."""
        return np.asarray(np.isfinite(self.observed))

    @property
    def record(self) -> dict[str, Any]:
        """The line of a ledger."""
        names = (
            "observed",
            "predicted",
            "error",
            "relative",
            "inside",
            "inside_curve",
            "crps",
            "noises",
            "baseline",
            "columns",
        )
        own = {k: getattr(self, k) for k in names}
        head = {
            "schema": SCHEMA,
            "forecast": self.forecast.digest,
            "date": self.date,
            "remarks": self.remarks,
        }
        found: dict[str, Any] = as_json(head | own)
        return found

    def save(self, directory: str | Path) -> Path:
        """Add the score to the ledger in a directory, as one line of scores.jsonl; again is no
        second line.

        Runs that were nan may be added by a later score. Raises InputError where an observed loss,
        once entered, differs, or was scored at other columns or with another noise: a miss stays
        one.
        """
        path = Path(directory) / SCORES
        own = self.record
        lines = read_scores(path)[0] if path.exists() else []
        for line in (v for v in lines if v["forecast"] == own["forecast"]):
            if all(canonical(line[k]) == canonical(own[k]) for k in own if k != "date"):
                return path
            if other := contradicted(line, own):
                raise refuse(
                    f"{path} has another score of this forecast, of {line['date']}: {other}",
                    why="the run was measured again, or another run was meant",
                    change="a forecast of its own for another run; only runs that were nan can be "
                    "added",
                )
        text = canonical(own | {"digest": digest(own)}) + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torn = (
                path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
            )
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                # one write to the end of the file: others may add lines meanwhile
                os.write(file, b"\n" * torn + text)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise refuse(
                f"cannot write {path}: {error.strerror or error}",
                why="the disk is full, or the directory may not be written to",
                change="another directory",
            ) from error
        return path

    def __repr__(self) -> str:
        made, level = self.made, f"{self.forecast.run.level:.0%}"
        if np.ndim(self.observed) == 0:
            if not made:
                return f"<Score {self.forecast.law['name']}: not run yet>"
            side = "inside" if self.inside else "outside"
            error = missed(self.forecast, self.relative, self.error)
            said = (
                f"observed {float(self.observed):.4g}, forecast {float(self.predicted):.4g}: "
                f"{error}, {side} "
            )
            said += (
                f"its {level} interval, {float(self.noises):.2g} times the noise of a run; no "
                f"change: {self._no_change()}"
            )
        else:
            hits, count = int(np.sum(self.inside[made])), int(made.sum())
            said = f"{count} of {made.size} runs observed, {hits} inside their {level} interval"
            if count:
                median = (np.median(np.abs(v[made])) for v in (self.relative, self.error))
                said += (
                    f"; median |error| {missed(self.forecast, *median).lstrip('+')}, no "
                    f"change: {self._no_change()}"
                )
        return (
            f"<Score {self.forecast.law['name']}: {said}"
            + "".join(f"; {r}" for r in self.remarks)
            + ">"
        )

    def _no_change(self) -> str:
        misses = np.abs(self.baseline[self.made])
        if not np.any(np.isfinite(misses)):
            return "not known"
        return (
            f"{np.expm1(np.median(misses)):.2%}"
            if self.forecast.log
            else f"{np.median(misses):.3g}"
        )


def missed(forecast: Record, relative: Any, error: Any) -> str:
    """An error in per cent, or in the law's unit where the forecast is not one of logarithms."""
    return (
        f"{float(relative):+.2%}" if forecast.log else f"{float(error):+.3g} {forecast.law['unit']}"
    )


def score(
    forecast: Record, observed: Any, noise: Any, law: Law | None, columns: dict[str, Any]
) -> Score:
    """How a forecast fared; see `Forecast.score`."""
    seen = np.asarray(observed, np.float64)
    shape = np.shape(forecast.centre)
    bad = np.isinf(seen) | ((seen <= 0) & forecast.log)
    if seen.shape != shape or np.any(bad):
        saw = f"{np.ravel(seen[bad])[0]:g}" if np.any(bad) else f"losses of shape {seen.shape}"
        raise refuse(
            f"score(): {saw} observed, for a forecast of "
            f"{f'shape {shape}' if shape else 'one run'}",
            why="a run is missing, or something else than the loss was given",
            change="one loss per announced run, in the law's unit; nan for those that have not "
            "been made yet",
        )
    shift, own, remarks = _shift(forecast, columns, law)
    centre = forecast.centre + shift

    def back(value: Any) -> Any:
        return np.exp(value) if forecast.log else value

    with np.errstate(invalid="ignore", divide="ignore"):
        at = np.log(seen) if forecast.log else seen
        error = at - centre
        scale = forecast.scale
        finite = np.isfinite(scale) & (scale > 0)
        z = np.where(finite, error / np.where(finite, scale, 1.0), 0.0)
        crps = np.where(
            finite,
            scale * student_crps(np.nan_to_num(z), forecast.dof),
            np.where(scale > 0, np.inf, np.abs(error)),
        )
        crps = np.where(np.isfinite(seen), crps, np.nan)
        sd = forecast.noise if noise is None else noise_of(noise, back(centre), forecast.log)[0]
        last = forecast.last.get("loss", np.nan)

        def within(interval: Any) -> np.ndarray:
            low, high = (
                v * np.exp(shift) if forecast.log else v + shift
                for v in (interval.low, interval.high)
            )
            return np.asarray((low <= seen) & (seen <= high))

        return Score(
            forecast=forecast,
            observed=seen,
            predicted=back(centre),
            error=error,
            relative=seen / back(centre) - 1.0,
            inside=within(forecast.run)[()],
            inside_curve=within(forecast.curve)[()],
            crps=crps,
            noises=np.abs(error) / sd,
            baseline=at - (np.log(last) if forecast.log else last),
            columns=own,
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            remarks=remarks,
        )


def _shift(
    forecast: Record, columns: dict[str, Any], law: Law | None
) -> tuple[Any, dict[str, np.ndarray], tuple[str, ...]]:
    """By how much the centre moves when the runs were made at other columns than announced."""
    own, remarks = {}, []
    for name, value in columns.items():
        if name not in forecast.columns:
            raise refuse(
                f"score(): {name} was not announced",
                why="a typing slip, or a group, which cannot change",
                change=nearest(name, forecast.columns).strip(),
            )
        then = forecast.columns[name]
        now = np.broadcast_to(np.asarray(value, np.float64), then.shape)
        if np.array_equal(now, then):
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.max(np.where(now == then, 0.0, np.abs(np.log(now / then))))
        if not far <= np.log(_FAR):
            raise refuse(
                f"score(): {name} is up to {np.exp(far):.3g} times off what was announced",
                why="it is another run, or in another unit",
                change=f"the loss of the announced run: {forecast.where()}",
            )
        own[name] = np.array(now)
        remarks.append(
            f"{name} up to {np.expm1(far):.2g} off what was announced: scored at its own, with the "
            f"frozen widths"
        )
    if not own:
        return np.zeros(np.shape(forecast.centre)), {}, ()
    bound = _bound(forecast, law)
    labels = {g: np.asarray(v) for g, v in forecast.groups.items()}
    then, now = (
        np.asarray(bound(**v, **labels)) for v in (forecast.columns, {**forecast.columns, **own})
    )
    then, now = (np.log(v) if forecast.log else v for v in (then, now))
    if not np.allclose(then, forecast.centre, rtol=1e-9, atol=1e-9):
        raise refuse(
            f"score(): {bound.name} gives {np.ravel(then)[0]:.10g} where "
            f"{np.ravel(forecast.centre)[0]:.10g} was frozen",
            why="the law was changed after the forecast",
            change="the law as it was, or score at the announced columns",
        )
    return now - forecast.centre, own, tuple(remarks)


def _bound(forecast: Record, law: Law | None) -> Law:
    """The frozen law, with its parameters: from a module that is loaded. A file of data never
    imports one.
    """
    about = forecast.law
    found: Any = law
    if law is None:
        found = sys.modules.get(about["module"])
        if about["module"].startswith("jaxscale.laws."):
            found = laws
        for part in about["qualname"].split("."):
            found = getattr(found, part, None)
    if not isinstance(found, Law):
        raise refuse(
            f"score(): the law {about['module']}:{about['qualname']} is not at hand, and the run "
            f"was not made as announced",
            why="it was defined in a notebook, or inside a function",
            change="score(..., law=...), or leave the columns out",
        )
    specs = {k: np.asarray(v) for k, v in forecast.params.items()}
    lengths = {k: v.shape[-1] for k, v in specs.items() if len(dict(found.specs)[k].shape) == 1}
    whole = (
        found.sized(**lengths).per(**about["groups"]) if about["groups"] else found.sized(**lengths)
    )
    return dataclasses.replace(whole, fixed=specs, ties=())._note(
        labels={g: tuple(v) for g, v in about["labels"].items()}
    )


def contradicted(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What a line of the same forecast says differently of the runs that were scored already;
    nothing: ''.
    """
    made = np.isfinite(np.asarray(old["observed"], np.float64))
    names = {
        "observed": "observed",
        "predicted": "by its columns the forecast is",
        "noises": "in multiples of its noise",
    }
    for name, said in names.items():
        a, b = (np.asarray(v[name], np.float64) for v in (old, new))
        near = 0.0 if name == "observed" else 1e-9  # a law that is evaluated again rounds elsewhere
        if not np.allclose(a[made], b[made], rtol=near, atol=near, equal_nan=name != "observed"):
            return f"{said} {old[name]}, now {new[name]}"
    return ""


def read_scores(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Lines of a ledger's scores, and what is wrong with those that cannot be read."""
    found, bad = [], []
    for i, text in enumerate(path.read_bytes().split(b"\n")):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            if line.pop("digest") != digest(line):
                raise ValueError("the content does not fit its SHA-256")
            found.append(line)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            bad.append(f"{path.name} line {i + 1} was cut short or altered: {error}")
    return found, bad
