"""`Record`: all that a forecast says, in sections, each with its digest. `Forecast` adds its file
and its score.

Everything that decides a forecast is in one record: law, fingerprint of the rows, settings and
versions, parameters with all their digits, the announced columns, the distribution of what will be
observed, and how far beyond the runs it reaches. The record is JSON in sections, each with its
SHA-256, so that an altered file says where it was altered. Reading and scoring take numbers from
the record and need neither the law nor the rows: a forecast outlives the code that made it. A
digest shows an accident, not a fraud, since whoever edits a file can compute it anew; a digest that
was published can.
"""

from __future__ import annotations

import dataclasses
import inspect
import platform
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..fitting._results import Ensemble, Fit, Status
from ..ground._files import as_json, digest
from ..ground._interval import Interval
from ..ground._version import __version__
from ..table._digest import rows_digest
from ..table._scope import ranges

SCHEMA = "jaxscale forecast 1"


@dataclass(frozen=True, eq=False)
class Record:
    """All numbers and words of a forecast; see `Forecast`."""

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
        both = {
            k: {"low": i.low, "median": i.point, "high": i.high, "kind": i.kind}
            for k, i in self._intervals.items()
        }
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

    def __repr__(self) -> str:
        said = f"<Forecast {plain(str(self.law['name']))} {plain(self.where())}: "
        said += str(self.run)
        reach = {
            k: v for k, v in self.beyond.items() if k == "C" or (k == "D/N" and np.any(v != 1))
        }
        return (
            said + "".join(f"; {k} {_times(v)}" for k, v in reach.items() if np.any(v != 1)) + ">"
        )

    def where(self) -> str:
        """The announced runs in a few words."""
        both: dict[str, Any] = {**self.columns, **self.groups}
        return ", ".join(f"{k}={_short(v)}" for k, v in both.items())


def plain(text: str) -> str:
    """Text of a file without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


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
    refits = (
        {}
        if isinstance(fit, Fit)
        else {"count": len(fit), "kind": fit.kind, "by": fit.by, "seed": int(fit.drawn[0])}
    )
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


def _times(factor: np.ndarray) -> str:
    most = float(np.ravel(factor)[np.argmax(np.abs(np.log(np.maximum(factor, 1e-300))))])
    return f"{most:.3g} times the {'largest' if most > 1 else 'least'} run's"


def _short(value: Any) -> str:
    value = np.asarray(value)
    if value.ndim == 0:
        return str(value) if value.dtype.kind == "U" else f"{float(value):.4g}"
    if value.dtype.kind == "U":
        return ", ".join(np.unique(value))
    return (
        f"{value.min():.4g} .. {value.max():.4g}"
        if value.min() < value.max()
        else f"{value.flat[0]:.4g}"
    )
