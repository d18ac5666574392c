"""`forecast`: what a law says about runs that have not been trained, to be frozen before they are.

A forecast that is written down afterwards proves nothing, and one without its interval cannot be
wrong. So it is made as one record (`_record`), with the interval of the curve, that of a new run,
and the remarks that explain most failures: a parameter that was assumed instead of fitted, a fit
that is not OK, a D/N that no run had.
"""

from __future__ import annotations

import datetime
import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..fitting._evidence import evidence
from ..fitting._results import Ensemble, Fit, point_of
from ..formula._law import Law
from ..ground._errors import check_level, nearest, refuse
from ..ground._files import as_json, canonical, digest, digests, numbers, write_whole
from ..ground._interval import Interval
from ..ground._shown import label_of
from ..table._scope import beyond, largest, ranges, ratio_remark
from ..uncertainty._prediction import Predictive, predictive
from ._record import SCHEMA, Record, described, plain
from ._score import Score, score


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Record):
    """A frozen forecast of the losses of new runs, arrays of shape S (that of the announced
    columns).

    `law`, `rows` and `settings` say what was fitted, to which rows (SHA-256), and how; `params`
    holds the parameters in the law's units. `columns` are the announced runs, `groups` the labels
    of theirs. The distribution of a new run's loss is Student's t around `centre`, with the
    variances `deviation`^2 (the curve) plus `noise`^2 (one run), in ln of the loss where `log`,
    else in its unit; `dof` is a number, or an array of S where the noise was given. `curve` and
    `run` are intervals from it, in the law's unit, the former with the curve's own degrees of
    freedom. `beyond` says by what factor C, D/N and each column lie outside the runs (1: inside),
    `last` what the largest run had.
    """

    def save(self, path: str | Path) -> Path:
        """Write the forecast to a JSON file, whole or not at all, and return its path.

        A path that does not end in .json is a directory (a ledger), in which the file is named
        after date, law and digest.
        Raises InputError where the file holds another forecast: what is frozen is never
        overwritten.

        >>> import tempfile
        >>> import jaxscale as jsl
        >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
        ...     objective=jsl.objectives.LogSquared(), starts=32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = jsl.forecast(best, N=1e11, D=2e12).save(folder)
        ...     print(str(jsl.Forecast.load(path)).replace("; ", "\\n"))
        <Forecast chinchilla N=1e+11, D=2e+12: 1.871 (1.835 to 1.908, 95% new run)
        C 1.2e+03 times the largest run's>
        """
        path = Path(path)
        if path.suffix != ".json":
            path.mkdir(parents=True, exist_ok=True)
            own = re.sub(r"[^\w.-]+", "_", f"{self.date[:10]}-{self.law['name']}-{self.digest[:8]}")
            # both may be somebody else's text: no way out of the directory
            path = path / f"{own.lstrip('.')}.json"
        record = self.record
        text = json.dumps(
            {**record, "digests": digests(record), "digest": digest(record)},
            indent=1,
            allow_nan=False,
        )
        try:
            write_whole(path, text.encode() + b"\n", new=True)
        except FileExistsError:
            if (there := Forecast.load(path)).digest != self.digest:
                raise refuse(
                    f"{path} holds another forecast, of {there.date}",
                    why="the same name was used for two forecasts, or a forecast was to be "
                    "improved after it was frozen",
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
        """A forecast from its file. Raises InputError where the file was altered, naming the
        sections that were.

        Nothing in the file is run: the formula in it is text, and the law is not needed to read or
        score a forecast.
        """
        path = Path(path)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise OSError("it is no file")  # a pipe would be waited for
            found = json.loads(path.read_text(encoding="utf-8"), parse_float=_exactly)
        except (OSError, ValueError, RecursionError) as error:
            raise refuse(
                f"{path} cannot be read: {error}",
                why="it is another file, or was cut short",
                change="restore the file",
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
        if differs := [k for k in sorted({*own, *parts}) if own.get(k) != parts.get(k)] or (
            [] if sound else [""]
        ):
            where = f"in {', '.join(differs)}" if differs[0] else "in its digests"
            raise refuse(
                f"{path} was altered after it was frozen: {where}, the content does not fit its "
                f"SHA-256",
                why="a number was edited by hand, or the file was reformatted by a tool that "
                "rounds",
                change="restore the file that was frozen; a changed forecast is a new forecast",
            )
        try:
            return _read(found)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise refuse(
                f"{path} is no whole forecast: {type(error).__name__} {plain(str(error))}",
                why="a section is missing, or was written by something else",
                change="a file that Forecast.save wrote",
            ) from error

    def differences(self, fit: Fit) -> tuple[str, ...]:
        """What of a fit is not what was forecast from: law, rows, settings, or parameters. None
        where the fit is the same.
        """
        ours, theirs = self.record, as_json(described(fit))
        pairs = {k: (ours[k], theirs[k]) for k in ("law", "rows", "parameters")}
        pairs |= {k: (ours["settings"][k], v) for k, v in theirs["settings"].items()}
        return tuple(k for k, (a, b) in pairs.items() if canonical(a) != canonical(b))

    def score(
        self, observed: Any, *, noise: Any = None, law: Law | None = None, **columns: Any
    ) -> Score:
        """Score of the forecast by the `observed` loss [unit of the law] of its runs (S); nan for
        runs not made yet.

        `noise` is a measured standard deviation between equal runs, of ln L for a forecast of ln L,
        else in the law's unit; or anything with `.sd`, which is always of ln L and is turned into
        that unit at the forecast. By default it is that of the forecast. A run that was not made
        quite as announced is scored at its own `columns` (D=2.1e12): the centre moves along the
        frozen law, the widths stay. The law is found where its module is loaded, or given as `law`;
        a law that no longer gives the frozen values is refused, and so is a run more than a factor
        of 2 from the announced one. Both say InputError.

        The CRPS is that of Student's t in closed form (Jordan, Krüger and Lerch 2019, appendix A),
        in ln L for a forecast of ln L.

        >>> import jaxscale as jsl
        >>> squared = jsl.objectives.LogSquared()
        >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"), objective=squared,
        ...     starts=32)
        >>> done = jsl.forecast(best, N=1e11, D=2e12).score(1.88)
        >>> print(str(done).replace("interval, ", "interval,\\n"))
        <Score chinchilla: observed 1.88, forecast 1.871: +0.47%, inside its 95% interval,
        0.78 times the noise of a run; no change: 24.02%>

        Source of the score: Gneiting and Raftery 2007. The multiples of the noise and the baseline
        are ours.
        """
        return score(self, observed, noise, law, columns)


def forecast(
    fit: Fit | Ensemble,
    *,
    level: float = 0.95,
    by: str | None = None,
    noise: Any = None,
    note: str = "",
    **columns: Any,
) -> Forecast:
    """Forecast of the loss [unit of the law] of runs at `columns` that broadcast to S, ready to be
    frozen with `save`.

    `fit` is a fit or an ensemble; of the curve's interval see `interval`, of a new run's
    `prediction_interval`, which this is. `noise` replaces that of the residuals: the standard
    deviation between runs that differ in their seed only, of ln L, for an objective without
    logarithms in the law's unit. A plain number counts as known. `noise_floor(runs)`, or anything
    with an `.sd`, is always of ln L, which is turned into that unit at the loss that is predicted,
    and has `.dof` degrees of freedom, if it says so. `by` names clusters, `note` is kept. Columns,
    and labels of the law's groups, are given by name. Fixed parameters count as known, so that an
    assumed E makes intervals too narrow: a remark says so.

    Raises InputError where the forecast is not a finite number, TypeError for likelihoods and
    quantiles.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> frozen = jsl.forecast(best, N=1e11, D=2e12, note="the big run")
    >>> frozen.run
    1.871 (1.835 to 1.908, 95% new run)
    >>> bool(frozen.score(1.88).inside)
    True

    No source: pre-registration of a forecast, with the predictive distribution of a regression. The
    record is ours.
    """
    point = point_of(fit, "forecast()")
    check_level("forecast()", level)
    law, runs = point.problem.law, point.problem.runs
    known = [*law.columns, *dict.fromkeys(dict(law.groups).values())]
    if odd := sorted(set(columns) ^ set(known)):
        raise refuse(
            f"forecast(): {odd[0]} "
            f"{'is not given' if odd[0] in known else 'is no column of ' + law.name}",
            why="a forecast announces every column that the law reads",
            change=f"forecast(fit, {', '.join(f'{k}=...' for k in known)})."
            f"{nearest(odd[0], known) if odd[0] in columns else ''}",
        )
    own = predictive(fit, "forecast()", (), columns, level=level, by=by, noise=noise)
    if bad := int(np.sum(~np.isfinite(own.centre))):
        raise refuse(
            f"forecast(): {bad} of {own.centre.size} values of the law are not finite numbers",
            why="a column is 0, negative or not finite",
            change="the announced columns",
        )
    announced = _announced(law, columns, own.centre.shape)
    groups = {
        g: np.vectorize(label_of, otypes=[object])(
            np.broadcast_to(np.asarray(columns[g]), own.centre.shape)
        ).tolist()
        for g in known[len(law.columns) :]
    }
    tested = ranges(runs)
    what = described(fit)
    what["settings"] |= {
        "by": by or "",
        "kind": own.kind,
        "noise": "residuals" if noise is None else "given",
    }
    return Forecast(
        law=what["law"],
        rows=what["rows"],
        settings=what["settings"],
        params=what["parameters"],
        columns=announced,
        groups=groups,
        centre=own.centre,
        deviation=own.deviation,
        noise=own.noise,
        dof=own.dof,
        log=own.log,
        curve=own.curve(level),
        run=own.interval(level),
        beyond=beyond(tested, {k: v for k, v in announced.items() if v.ndim == own.centre.ndim}),
        last=_last(point),
        remarks=_remarks(point, tested, announced, own),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        note=note,
    )


def _announced(law: Any, columns: dict[str, Any], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    ranks = [u.rank for u in law.column_units]
    own = {k: np.asarray(columns[k], np.float64) for k in law.columns}
    return {
        k: np.array(np.broadcast_to(v, shape + v.shape[v.ndim - r :]))
        for (k, v), r in zip(own.items(), ranks, strict=True)
    }


def _last(point: Fit) -> dict[str, Any]:
    """The largest run, in the law's units: what a forecast has to be better than."""
    at = evidence(point)
    try:
        name, size = largest({c: at.table.rows[c][at.rows] for c in point.problem.law.columns})
    except ValueError:  # shares only
        return {}
    row = int(np.argmax(size))
    return {
        "row": int(at.rows[row]),
        "measure": name,
        "size": float(size[row]),
        "loss": float(at.target[row]),
    }


def _remarks(
    point: Fit, tested: dict[str, Any], announced: dict[str, Any], own: Predictive
) -> tuple[str, ...]:
    law = point.problem.law
    said = [] if point.ok else [f"the fit is not OK: {f}" for f in point.certificate.findings]
    if law.fixed:
        said.append(f"{', '.join(sorted(law.fixed))} fixed: the intervals take that as known")
    if unknown := int(np.sum(~np.isfinite(own.deviation))):
        said.append(
            f"the runs do not determine {unknown} of {own.centre.size} forecasts: their intervals "
            f"have no end"
        )
    if "D/N" in tested and {"N", "D"} <= set(announced):
        ratios = np.unique(announced["D"] / announced["N"])
        said += [
            r
            for ratio in (ratios[[0, -1]] if len(ratios) > 1 else ratios)
            if (r := ratio_remark(tested, ratio))
        ]
    return tuple(said)


def _exactly(text: str) -> float | str:
    """A number in the shortest digits that give its double back, as they were written; any others
    are not that number.
    """
    value = float(text)
    return value if repr(value) == text else text


def _read(found: dict[str, Any]) -> Forecast:
    level, spread = found["intervals"]["level"], found["distribution"]

    def interval(name: str) -> Interval:
        own = found["intervals"][name]
        low, median, high = (numbers(own[k])[()] for k in ("low", "median", "high"))
        return Interval(low, median, high, level, own["kind"])

    return Forecast(
        law=found["law"],
        rows=found["rows"],
        settings=found["settings"],
        params={k: numbers(v) for k, v in found["parameters"].items()},
        columns={k: numbers(v) for k, v in found["announced"]["columns"].items()},
        groups=found["announced"]["groups"],
        centre=numbers(spread["centre"]),
        deviation=numbers(spread["deviation"]),
        noise=numbers(spread["noise"]),
        dof=numbers(spread["dof"])[()],
        log=spread["log"],
        curve=interval("curve"),
        run=interval("run"),
        beyond={k: numbers(v) for k, v in found["reach"]["beyond"].items()},
        last=found["reach"]["last"],
        remarks=tuple(found["about"]["remarks"]),
        date=found["about"]["date"],
        note=found["about"]["note"],
    )
