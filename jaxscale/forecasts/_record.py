"""`Forecast`: the record of a forecast, and its file, which is never overwritten and refused once it was altered.

Everything that decides a forecast is in one record: law, fingerprint of the rows, settings and versions, parameters with
all their digits, the announced columns, the distribution of what will be observed, and how far beyond the runs it reaches.
The record is JSON in sections, each with its SHA-256, so that an altered file says where it was altered. Reading and
scoring take numbers from the record and need neither the law nor the rows: a forecast outlives the code that made it.
A digest shows an accident, not a fraud, since whoever edits a file can compute it anew; a digest that was published can.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import platform
import re
import stat
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..fitting._results import Ensemble, Fit, Status
from ..ground._errors import refuse
from ..ground._files import as_json, canonical, digest, digests, numbers, write_whole
from ..ground._interval import Interval
from ..ground._version import __version__
from ..table._digest import rows_digest
from ..table._scope import ranges

SCHEMA = "jaxscale forecast 1"


@dataclass(frozen=True, eq=False)
class Forecast:
    """A frozen forecast of the losses of new runs, arrays of shape S (that of the announced columns).

    `law`, `rows` and `settings` say what was fitted, to which rows (SHA-256), and how; `params` holds the parameters in the
    law's units. `columns` are the announced runs, `groups` the labels of theirs. The distribution of a new run's loss is
    Student's t around `centre`, with the variances `deviation`^2 (the curve) plus `noise`^2 (one run), in ln of the loss
    where `log`, else in its unit; `dof` is a number, or an array of S where the noise was given. `curve` and `run` are
    intervals from it, in the law's unit, the former with the curve's own degrees of freedom. `beyond` says by what
    factor C, D/N and each column lie outside the runs (1: inside), `last` what the largest run had.
    """

    law: Mapping[str, Any]
    rows: Mapping[str, Any]
    settings: Mapping[str, Any]
    params: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]
    groups: dict[str, Any]
    centre: np.ndarray
    deviation: np.ndarray
    noise: np.ndarray
    dof: Any
    log: bool
    curve: Interval
    run: Interval
    beyond: dict[str, np.ndarray]
    last: Mapping[str, Any]
    remarks: tuple[str, ...]
    date: str
    note: str = ""

    @property
    def scale(self) -> np.ndarray:
        """Scale (S) of the t distribution of a new run's loss."""
        return np.asarray(np.sqrt(self.deviation**2 + self.noise**2))

    @property
    def record(self) -> dict[str, Any]:
        """The forecast as JSON has it, in sections."""
        both = {k: {"low": i.low, "median": i.point, "high": i.high, "kind": i.kind} for k, i in self._intervals.items()}
        found: dict[str, Any] = as_json(
            {
                "schema": SCHEMA,
                "law": self.law,
                "rows": self.rows,
                "settings": self.settings,
                "parameters": self.params,
                "announced": {"columns": self.columns, "groups": self.groups},
                "distribution": {k: getattr(self, k) for k in ("centre", "deviation", "noise")}
                | {"dof": self.dof, "log": self.log},
                "intervals": {"level": self.run.level, **both},
                "reach": {"beyond": self.beyond, "last": self.last},
                "about": {"date": self.date, "note": self.note, "remarks": self.remarks},
            }
        )
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of the record: publish it, and nobody can doubt later what was forecast."""
        return digest(self.record)

    @property
    def _intervals(self) -> dict[str, Interval]:
        return {"curve": self.curve, "run": self.run}

    def save(self, path: str | Path) -> Path:
        """Write the forecast to a JSON file, whole or not at all, and return its path.

        A path that does not end in .json is a directory (a ledger), in which the file is named after date, law and digest.
        Raises InputError where the file holds another forecast: what is frozen is never overwritten.

        >>> import tempfile
        >>> import jaxscale as jsl
        >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), objective=jsl.objectives.LogSquared(), starts=32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = jsl.forecast(best, N=1e11, D=2e12).save(folder)
        ...     print(jsl.Forecast.load(path))
        <Forecast chinchilla N=1e+11, D=2e+12: 1.871 (1.835 to 1.908, 95% new run); C 1.2e+03 times the largest run's>
        """
        path = Path(path)
        if path.suffix != ".json":
            path.mkdir(parents=True, exist_ok=True)
            own = re.sub(r"[^\w.-]+", "_", f"{self.date[:10]}-{self.law['name']}-{self.digest[:8]}")
            path = path / f"{own.lstrip('.')}.json"  # both may be somebody else's text: no way out of the directory
        record = self.record
        text = json.dumps({**record, "digests": digests(record), "digest": digest(record)}, indent=1, allow_nan=False)
        try:
            write_whole(path, text.encode() + b"\n", new=True)
        except FileExistsError:
            if (there := Forecast.load(path)).digest != self.digest:
                raise refuse(
                    f"{path} holds another forecast, of {there.date}",
                    why="the same name was used for two forecasts, or a forecast was to be improved after it was frozen",
                    change="a new name: a frozen forecast is never overwritten",
                ) from None
        except OSError as error:
            raise refuse(
                f"cannot write {path}: {error.strerror or error}",
                why="the disk is full, or the directory does not exist or may not be written to",
                change="another path",
            ) from error
        return path

    @classmethod
    def load(cls, path: str | Path) -> Forecast:
        """A forecast from its file. Raises InputError where the file was altered, naming the sections that were.

        Nothing in the file is run: the formula in it is text, and the law is not needed to read or score a forecast.
        """
        path = Path(path)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise OSError("it is no file")  # a pipe would be waited for
            found = json.loads(path.read_text(encoding="utf-8"), parse_float=_exactly)
        except (OSError, ValueError, RecursionError) as error:
            raise refuse(
                f"{path} cannot be read: {error}", why="it is another file, or was cut short", change="restore the file"
            ) from error
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            seen = found.get("schema") if isinstance(found, dict) else type(found).__name__
            raise refuse(
                f"{path} is no {SCHEMA!r}, but {seen!r}",
                why="it is another JSON file, or from another version",
                change="a file that Forecast.save wrote",
            )
        whole, parts = found.pop("digest", None), found.pop("digests", {})
        try:
            own, sound = digests(found), whole == digest(found)
        except (ValueError, TypeError, RecursionError):  # NaN, which no forecast writes
            own, sound = {}, False
        parts = parts if isinstance(parts, dict) else {}
        if differs := [k for k in sorted({*own, *parts}) if own.get(k) != parts.get(k)] or ([] if sound else [""]):
            where = f"in {', '.join(differs)}" if differs[0] else "in its digests"
            raise refuse(
                f"{path} was altered after it was frozen: {where}, the content does not fit its SHA-256",
                why="a number was edited by hand, or the file was reformatted by a tool that rounds",
                change="restore the file that was frozen; a changed forecast is a new forecast",
            )
        try:
            return _read(found)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise refuse(
                f"{path} is no whole forecast: {type(error).__name__} {_plain(str(error))}",
                why="a section is missing, or was written by something else",
                change="a file that Forecast.save wrote",
            ) from error

    def differences(self, fit: Fit | Ensemble) -> tuple[str, ...]:
        """What of a fit is not what was forecast from: law, rows, settings, or parameters. None where the fit is the same."""
        ours, theirs = self.record, as_json(described(fit))
        pairs = {k: (ours[k], theirs[k]) for k in ("law", "rows", "parameters")}
        pairs |= {k: (ours["settings"][k], v) for k, v in theirs["settings"].items()}
        return tuple(k for k, (a, b) in pairs.items() if canonical(a) != canonical(b))

    def __repr__(self) -> str:
        said = f"<Forecast {_plain(str(self.law['name']))} {_plain(self.where())}: "
        said += str(self.run)
        reach = {k: v for k, v in self.beyond.items() if k == "C" or (k == "D/N" and np.any(v != 1))}
        return said + "".join(f"; {k} {_times(v)}" for k, v in reach.items() if np.any(v != 1)) + ">"

    def where(self) -> str:
        """The announced runs in a few words."""
        both: dict[str, Any] = {**self.columns, **self.groups}
        return ", ".join(f"{k}={_short(v)}" for k, v in both.items())


def _plain(text: str) -> str:
    """Text of a file without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _exactly(text: str) -> float | str:
    """A number in the shortest digits that give its double back, as they were written; any others are not that number."""
    value = float(text)
    return value if repr(value) == text else text


def described(fit: Fit | Ensemble) -> dict[str, Any]:
    """Law, rows, settings and parameters of a fit: everything that a replay needs."""
    point = fit.point
    problem, law = point.problem, point.problem.law
    runs, objective = problem.runs, problem.objective
    try:
        formula = textwrap.dedent(inspect.getsource(law.function))
    except (OSError, TypeError):  # typed at a prompt
        formula = ""
    numbers_of = {f.name: float(getattr(objective, f.name)) for f in dataclasses.fields(objective)}
    refits = {} if isinstance(fit, Fit) else {"count": len(fit), "kind": fit.kind, "by": fit.by, "seed": int(fit.drawn[0])}
    return {
        "law": {
            "name": law.name,
            "module": law.function.__module__,
            "qualname": law.function.__qualname__,
            "formula": formula,
            "columns": {c: u.name for c, u in zip(law.columns, law.column_units, strict=True)},
            "unit": law.unit.name,
            "fixed": sorted(law.fixed),
            "ties": dict(law.ties),
            "groups": dict(law.groups),
            "labels": {g: list(runs.labels[g]) for g in dict.fromkeys(dict(law.groups).values())},
        },
        "rows": {
            "sha256": rows_digest(runs),
            "used": point.certificate.rows_used,
            "dropped": point.certificate.rows_dropped,
            "target": runs.target_name,
            "ranges": {k: list(v) for k, v in ranges(runs).items()},
        },
        "settings": {
            "objective": {"name": type(objective).__name__, **numbers_of},
            "solver": repr(problem.solver),
            "seed": problem.seed,
            "starts": point.certificate.starts_drawn,
            "refits": refits,
            "versions": {
                "jaxscale": __version__,
                "jax": jax.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "value": float(point.value),
            "status": Status(int(point.status)).name or "OK",
            "findings": list(point.certificate.findings),
        },
        "parameters": {k: np.asarray(v, np.float64) for k, v in point.params.items()},
    }


def _read(found: dict[str, Any]) -> Forecast:
    level, spread = found["intervals"]["level"], found["distribution"]

    def interval(name: str) -> Interval:
        own = found["intervals"][name]
        low, median, high = (numbers(own[k])[()] for k in ("low", "median", "high"))
        return Interval(low, median, high, level, own["kind"])

    return Forecast(
        found["law"],
        found["rows"],
        found["settings"],
        {k: numbers(v) for k, v in found["parameters"].items()},
        {k: numbers(v) for k, v in found["announced"]["columns"].items()},
        found["announced"]["groups"],
        numbers(spread["centre"]),
        numbers(spread["deviation"]),
        numbers(spread["noise"]),
        numbers(spread["dof"])[()],
        spread["log"],
        interval("curve"),
        interval("run"),
        {k: numbers(v) for k, v in found["reach"]["beyond"].items()},
        found["reach"]["last"],
        tuple(found["about"]["remarks"]),
        found["about"]["date"],
        found["about"]["note"],
    )


def _times(factor: np.ndarray) -> str:
    most = float(np.ravel(factor)[np.argmax(np.abs(np.log(np.maximum(factor, 1e-300))))])
    return f"{most:.3g} times the {'largest' if most > 1 else 'least'} run's"


def _short(value: Any) -> str:
    value = np.asarray(value)
    if value.ndim == 0:
        return str(value) if value.dtype.kind == "U" else f"{float(value):.4g}"
    if value.dtype.kind == "U":
        return ", ".join(np.unique(value))
    return f"{value.min():.4g} .. {value.max():.4g}" if value.min() < value.max() else f"{value.flat[0]:.4g}"
