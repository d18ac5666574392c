"""One case as fields that can be stored and compared: bits of numbers, statuses as whole numbers,
text without its place.

What a result says of where and when it was made (folders, dates, versions, seconds, addresses) is
replaced by words, so that two trees, or two runs of one tree, differ only where what they compute
or say differs.
"""

import base64
import dataclasses
import enum
import re
import tempfile
import time
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import jaxscale as jsl

ROOT = Path(__file__).resolve().parents[2]
# What a result keeps of where it came from: recorded by itself where it matters.
ASIDE = {"asked", "problem", "point", "cells", "several", "drawn", "date", "digest"}
WORK = ("lanes", "steps", "slots", "resumed")  # the others depend on the number of cores
HIDDEN = [
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:\+00:00|Z)?"), "<time>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"\(\d+(?:\.\d+)? s\)"), "(<seconds>)"),
    (re.compile(r"\bjaxscale(?:\.\w+)*\._\w+(?:\.\w+)*"), "jaxscale.<private>"),
    (re.compile(rf"(?<![\d.]){re.escape(jsl.__version__)}(?![\d.])"), "<version>"),
]


def plain(text, hide=()):
    """Text without folders, dates, seconds, addresses, versions; `hide` names what else says
    nothing, such as digests.
    """
    for i, word in enumerate(hide):
        text = text.replace(str(word), f"<hidden {i}>")
    text = text.replace(str(ROOT), "<root>")
    folder = tempfile.gettempdir()
    text = re.sub(rf"{re.escape(folder)}/[\w.-]+", "<folder>", text)
    for pattern, word in HIDDEN:
        text = pattern.sub(word, text)
    return text


def array(values, kind=None):
    """A number or an array as its type, shape and bytes."""
    values = np.ascontiguousarray(values).reshape(np.shape(values))
    data = base64.b64encode(zlib.compress(values.tobytes())).decode()
    return {
        "dtype": str(values.dtype),
        "shape": list(values.shape),
        "data": data,
        **({"kind": kind} if kind else {}),
    }


def opened(field):
    """The array of a stored field."""
    data = zlib.decompress(base64.b64decode(field["data"]))
    return np.frombuffer(data, field["dtype"]).reshape(field["shape"])


FITS = tuple(getattr(jsl, name) for name in ("Fit", "Ensemble", "Fits") if hasattr(jsl, name))


def fields(value, name="value"):
    """Everything that a result says, by name."""
    if value is None or isinstance(value, bool):
        return {name: value}
    if isinstance(value, enum.Enum | int):
        return {name: int(value)}
    if isinstance(value, str):
        return {name: plain(value)}
    if isinstance(value, float):
        return {name: array(value, "float")}
    if isinstance(value, Path):
        return {name: plain(str(value))}
    if isinstance(value, FITS):
        return of_fit(value, name)
    if isinstance(value, jsl.Law):
        return of_law(value, name)
    if isinstance(value, jsl.Runs):
        return of_runs(value, name)
    if isinstance(value, Mapping):
        return many(value.items(), name)
    if isinstance(value, list | tuple | set | frozenset):
        own = sorted(value) if isinstance(value, set | frozenset) else value
        if own and all(isinstance(v, str) for v in own):
            return {name: [plain(v) for v in own]}
        return {f"{name}.length": len(own), **many(enumerate(own), name)}
    if isinstance(value, np.ndarray | np.generic) or type(value).__module__.startswith("jaxlib"):
        return of_array(np.asarray(value), name)
    if isinstance(value, type):
        return {name: value.__qualname__}
    if dataclasses.is_dataclass(value):
        return of_record(value, name)
    if callable(value):
        return {}
    return {name: plain(repr(value))}


def many(items, name):
    """Fields of every item."""
    return {k: v for key, own in items for k, v in fields(own, f"{name}.{key}").items()}


def of_array(values, name):
    """Numbers as bits, labels as text."""
    if values.dtype.kind in "OUS":
        return {name: [plain(str(v)) for v in values.ravel()], f"{name}.shape": list(values.shape)}
    return {name: array(values)}


def of_record(value, name):
    """A result with fields, and what it prints where it has words of its own."""
    out = {}
    for field in dataclasses.fields(value):
        if field.name not in ASIDE and not field.name.startswith("_"):
            out |= fields(getattr(value, field.name), f"{name}.{field.name}")
    if not hasattr(type(value).__repr__, "__wrapped__"):
        out[f"{name}.printed"] = plain(repr(value))
    if type(value).__str__ is not object.__str__:
        out[f"{name}.text"] = plain(str(value))
    return out


def of_fit(fit, name):
    """A fit or an ensemble."""
    out = {
        f"{name}.printed": plain(repr(fit)),
        f"{name}.by": getattr(fit, "by", ""),
        f"{name}.kind": getattr(fit, "kind", ""),
    }
    for part in ("params", "value", "status", "steps", "certificate"):
        if hasattr(fit, part):  # fits of several tables have one each
            out |= fields(getattr(fit, part), f"{name}.{part}")
    for part in WORK:
        if hasattr(fit.work, part):
            out |= fields(getattr(fit.work, part), f"{name}.work.{part}")
    if getattr(fit, "cells", None) is not None:
        for place in np.ndindex(fit.cells.shape):
            own = fit.cells[place]
            out |= fields(own.certificate, f"{name}.cells{list(place)}.certificate")
            out[f"{name}.cells{list(place)}.printed"] = plain(repr(own))
    return out


def of_law(law, name):
    """A law's words, and the values that it is bound to."""
    out = {
        f"{name}.printed": plain(repr(law)),
        f"{name}.columns": list(law.columns),
        f"{name}.free": list(law.free),
    }
    return {**out, **fields(dict(law.fixed), f"{name}.fixed")}


def of_runs(runs, name):
    """A table: all of its numbers and labels, or their bytes' fingerprint where they are many."""
    out = {
        f"{name}.printed": plain(repr(runs)),
        f"{name}.rows": len(runs),
        f"{name}.dropped": runs.dropped,
    }
    out |= fields(list(runs.remarks), f"{name}.remarks") | fields(runs.clusters, f"{name}.clusters")
    units = [
        f"{k}: {v.name}, {v.support}, times {v.factor!r}" for k, v in sorted(runs.units.items())
    ]
    out |= fields(runs.target_name, f"{name}.target_name") | fields(units, f"{name}.units")
    own = {**runs.columns, **runs.groups, "weights": runs.weights}
    if runs.target is not None:
        own["target"] = runs.target
    for key, values in own.items():
        values = np.asarray(values)
        out |= (
            fields(values, f"{name}.{key}")
            if values.size <= 2000
            else {f"{name}.{key}": fingerprint(values)}
        )
    for key, labels in runs.labels.items():
        out[f"{name}.labels.{key}"] = (
            list(labels) if len(labels) <= 200 else fingerprint(np.array(labels))
        )
    return out


def fingerprint(values):
    """Type, shape and SHA-256 of an array."""
    import hashlib

    values = np.ascontiguousarray(values)
    return f"{values.dtype} {values.shape} {hashlib.sha256(values.tobytes()).hexdigest()}"


def recorded(part, name, call):
    """One case: what the call gives, or the error that it ends in, and what it warns of."""
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = fields(call())
        except Exception as error:
            notes = "\n".join(["", *getattr(error, "__notes__", [])]).rstrip()
            found = {"error": type(error).__name__, "message": plain(str(error) + notes)}
    found["warnings"] = [f"{w.category.__name__}: {plain(str(w.message))}" for w in said]
    return {
        "part": part,
        "case": name,
        "seconds": round(time.perf_counter() - begin, 2),
        "fields": found,
    }
