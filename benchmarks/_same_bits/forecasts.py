"""Forecasts: frozen, saved, read, scored, kept in a ledger, altered; and hindsight."""

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np

import jaxscale as jsl

from . import today
from .made import (
    BIG,
    CHINCHILLA,
    LOG,
    SQUARED,
    boot,
    clustered,
    line,
    sharp,
    simulated,
    smooth,
    straight,
)
from .record import plain

FLOOR = today.NoiseFloor(0.002, 0.002, 3, np.ones(1), np.ones(1), "replicates")
MANY = {"N": np.array([1e11, 2e11, 4e11]), "D": 2e12}


def cases():
    yield "one run", lambda: told(jsl.forecast(smooth(), **BIG, note="the big run"))
    yield "runs", lambda: told(jsl.forecast(smooth(), **MANY))
    yield "a level", lambda: told(jsl.forecast(smooth(), **BIG, level=0.8))
    yield "of the default", lambda: told(jsl.forecast(sharp(), **BIG))
    yield (
        "of refits",
        lambda: told(
            jsl.forecast(boot(), N=np.geomspace(1e10, 1e12, 3)[:, None], D=np.array([1e12, 1e13]))
        ),
    )
    yield "of runs", lambda: told(jsl.forecast(clustered(), **BIG))
    yield "of a line", lambda: told(jsl.forecast(straight(), x=4.0))
    yield (
        "of squares",
        lambda: told(
            jsl.forecast(jsl.fit(CHINCHILLA, simulated(), objective=SQUARED, starts=16), **BIG)
        ),
    )
    yield (
        "with E fixed",
        lambda: told(
            jsl.forecast(
                jsl.fit(CHINCHILLA.fix(E=1.7), simulated(), objective=LOG, starts=16), **BIG
            )
        ),
    )
    yield (
        "with a floor",
        lambda: [told(jsl.forecast(smooth(), **BIG, noise=v)) for v in (0.004, FLOOR)],
    )
    yield "file", file
    yield "altered", altered
    yield "differences", differences
    yield from scores()
    yield "ledger", ledger
    yield "a ledger with problems", problems
    for name, fit in {
        "squares": smooth,
        "default": sharp,
        "runs": clustered,
        "line": straight,
    }.items():
        yield f"hindsight of {name}", lambda fit=fit: of_hindsight(today.hindsight(fit()))
    yield (
        "hindsight within",
        lambda: [of_hindsight(today.hindsight(smooth(), factor=w)) for w in (1.0, 30)],
    )


def told(frozen):
    """Without the sections' digests, which hold a date and versions."""
    return {"frozen": settled(frozen), "printed": repr(frozen), "where": frozen.where()}


def settled(frozen):
    """A forecast without versions of other packages and of this machine's Python."""
    return dataclasses.replace(
        frozen, settings={k: v for k, v in frozen.settings.items() if k != "versions"}, date=""
    )


def of_hindsight(found):
    return {"found": found, "inside": found.inside, "relative": found.relative, "line": str(found)}


def scored(score):
    return {
        "score": score,
        "printed": plain(repr(score), [score.forecast.digest, score.forecast.digest[:8]]),
    }


def file():
    """The record as it is stored: all sections, and the digests of those that say nothing of time
    or versions.
    """
    with tempfile.TemporaryDirectory() as folder:
        frozen = jsl.forecast(smooth(), **BIG, note="the big run")
        path = frozen.save(Path(folder) / "big.json")
        again = jsl.Forecast.load(path)
        record = json.loads(path.read_text())
        named = plain(frozen.save(folder).name, hidden([frozen]))
    digests = {k: v for k, v in record.pop("digests").items() if k not in ("settings", "about")}
    del record["digest"]
    record["settings"].pop("versions")
    record["about"].pop("date")
    same = again.digest == frozen.digest
    return {
        "record": record,
        "digests": digests,
        "same": same,
        "named": named,
        "again": told(again),
    }


def altered():
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        path = jsl.forecast(smooth(), **BIG).save(Path(folder) / "big.json")
        text = path.read_text()
        record = json.loads(text)
        number = json.dumps(record["parameters"]["E"])
        changes = {
            "a digit": text.replace(number, number[:-1] + str((int(number[-1]) + 1) % 10)),
            "cut short": text[:500],
            "another schema": '{"schema": "jaxscale forecast 99"}',
            "a list": "[1]",
            "no digests": json.dumps({k: v for k, v in record.items() if k != "digests"}),
        }
        for name, changed in changes.items():
            path.write_text(changed)
            try:
                jsl.Forecast.load(path)
            except jsl.InputError as error:
                out[name] = str(error)
        path.write_text(text)
        try:
            jsl.forecast(smooth(), **BIG, note="another").save(path)
        except jsl.InputError as error:
            out["another in its place"] = str(error)
    return out


def differences():
    frozen, runs = jsl.forecast(smooth(), **BIG), simulated()
    loss = np.asarray(runs["loss"]) * 1.0001
    other = jsl.fit(
        CHINCHILLA, dataclasses.replace(runs, target=loss), objective=LOG, starts=16, seed=1
    )
    return {"same": list(frozen.differences(smooth())), "other": list(frozen.differences(other))}


def scores():
    def frozen():
        return jsl.forecast(smooth(), **BIG)

    yield "score", lambda: scored(today.score(frozen(), 1.88))
    yield "score far off", lambda: scored(today.score(frozen(), 2.2))
    yield "score of another run", lambda: scored(today.score(frozen(), 1.88, D=2.4e12))
    yield "score with noise", lambda: scored(today.score(frozen(), 1.88, noise=FLOOR))
    yield (
        "score that is open",
        lambda: scored(today.score(jsl.forecast(smooth(), **MANY), [1.88, np.nan, 1.8])),
    )
    yield "score of a line", lambda: scored(today.score(jsl.forecast(straight(), x=4.0), 3.2))
    yield (
        "score with a law",
        lambda: scored(today.score(jsl.forecast(straight(), x=4.0), 3.2, x=4.1, law=line)),
    )


def kept(folder):
    """Three forecasts with dates of their own, two of them scored."""
    dates = [f"2026-01-0{k}T00:00:00+00:00" for k in (1, 2, 3)]
    asked = (BIG, MANY, {"N": 3e10, "D": 1e12})
    frozen = [
        dataclasses.replace(jsl.forecast(smooth(), **own), date=date)
        for own, date in zip(asked, dates, strict=True)
    ]
    paths = [own.save(folder) for own in frozen]
    for own, seen in zip(frozen, (2.05, [1.88, np.nan, 1.8]), strict=False):
        today.score(own, seen).save(folder)
    return frozen, paths


def ledger():
    with tempfile.TemporaryDirectory() as folder:
        frozen, _ = kept(folder)
        again = None
        try:
            today.score(frozen[0], 2.01).save(folder)
        except jsl.InputError as error:
            again = plain(str(error), hidden(frozen))
        book = today.ledger(folder)
        lines = [
            json.loads(line) for line in (Path(folder) / "scores.jsonl").read_text().splitlines()
        ]
        text = plain(str(book), hidden(frozen))
    scores = [
        {k: v for k, v in line.items() if k not in ("date", "forecast", "digest", "sha256")}
        for line in lines
    ]
    return {
        "text": text,
        "rate": book.rate,
        "counts": [book.hits, book.count, len(book)],
        "again": again,
        "lines": scores,
    }


def problems():
    with tempfile.TemporaryDirectory() as folder:
        frozen, paths = kept(folder)
        (Path(folder) / "copy.json").write_bytes(paths[2].read_bytes())
        (Path(folder) / "other.json").write_text("{}")
        paths[0].unlink()
        scores = Path(folder) / "scores.jsonl"
        scores.write_bytes(scores.read_bytes()[:-30])
        book = today.ledger(folder)
        return {
            "problems": sorted(plain(p, hidden(frozen)) for p in book.problems),
            "text": len(str(book).splitlines()),
        }


def hidden(frozen):
    return [
        v for own in frozen for v in (own.digest, own.digest[:16], own.digest[:12], own.digest[:8])
    ]
