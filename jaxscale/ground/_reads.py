"""What a function reads besides its arguments: closures, globals, defaults, helper functions.

A law that reads a number from outside is another law once that number has changed. So what is read
belongs to the key of what is compiled for a function and of what is stored: by value as far as it
is Python, by identity where it is not. Modules and functions of installed packages are known by
their names.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import site
import sys
import types
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from ._errors import InputError, refuse
from ._trees import Aside

_OWN = __name__.partition(".")[0]
_PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes)
_WRITES = {"append", "add", "extend", "update"}
_MANY = 1000  # elements of a list that are looked at one by one


@dataclasses.dataclass(frozen=True)
class Itself:
    """What has no value that could be compared: it is what it is, and nothing else."""

    what: Any = dataclasses.field(hash=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.what is other.what

    def __hash__(self) -> int:
        return id(self.what)

    def __repr__(self) -> str:
        return f"a {type(self.what).__name__}"


class Reads:
    """What functions read, by name: texts that compare by value, or `Itself`. Hashable, so that it
    can be a key.
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self._hash = hash(tuple(found.items()))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Reads) and self.found == other.found)

    def __hash__(self) -> int:
        return self._hash

    def __bool__(self) -> bool:
        return bool(self.found)

    def __reduce__(self) -> Any:
        return Reads, ({k: v for k, v in self.found.items() if not isinstance(v, Itself)},)

    def with_objects(self, here: Reads | None) -> Reads:
        """These from another process, with the objects of this one, which have no value to be
        compared.
        """
        own = {} if here is None else {k: v for k, v in here.found.items() if isinstance(v, Itself)}
        return Reads({**self.found, **own})

    @property
    def foreign(self) -> bool:
        """Whether code is among it that is not installed, or an object without a value."""
        return any(k.endswith("code") or isinstance(v, Itself) for k, v in self.found.items())

    def text(self, what: str) -> str:
        """For a directory: short where it is short. Raises InputError for what cannot be written
        down.
        """
        for name, value in self.found.items():
            if isinstance(value, Itself):
                raise refuse(
                    f"{what} reads {name}, {value!r}, which cannot be described in a directory",
                    why="an object without a value of its own, such as an open file or a compiled "
                    "function",
                    change="numbers, arrays, plain functions and classes; or no directory=",
                )
        said = "; ".join(f"{k} = {v}" for k, v in self.found.items())
        return said if len(said) <= 300 else hashlib.sha256(said.encode()).hexdigest()[:16]


def same(what: str, function: Any, then: Reads | None, known: Iterable[Any] = ()) -> Any:
    """The function, to be traced, if it still reads what it did. Raises InputError that names what
    has changed.
    """
    if then is not None and (now := reads_of(function, known)) != then:
        raise _changed(what, then, now)
    return function


def _changed(what: str, then: Reads, now: Reads) -> InputError:
    """The error about a function that reads something else than it did."""
    name = next(k for k in {**then.found, **now.found} if then.found.get(k) != now.found.get(k))
    was, is_ = (str(r.found.get(name, "nothing")) for r in (then, now))
    return refuse(
        f"{what} reads {name}, which was {was[:60]} and is {is_[:60]}",
        why="a value outside of the function was changed since",
        change="fit or ask again with the function as it is now; what varies should be an argument "
        "or a parameter",
    )


def reads_of(function: Any, known: Iterable[Any] = ()) -> Reads:
    """What a callable reads besides its arguments and what is `known`; nothing for the functions of
    this package.
    """
    if _named(function) and function.__module__.partition(".")[0] == _OWN:
        return _NOTHING
    walk = _Walk({id(v) for v in known})
    walk.visit("", function)
    return Reads(walk.found)


_NOTHING = Reads({})


class _Walk:
    def __init__(self, known: set[int]) -> None:
        self.found: dict[str, Any] = {}
        self.seen: dict[int, str] = {}
        self.known = known

    def visit(self, name: str, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self.found[name] = repr(value)
        elif isinstance(value, jax.core.Tracer):
            self.found[name] = Itself(value)
        elif isinstance(value, np.ndarray | np.generic | jax.Array):
            self.found[name] = _array(np.asarray(value))
        elif isinstance(value, types.ModuleType):
            self.found[name] = f"module {value.__name__}"
        elif isinstance(value, Aside) or id(value) in self.known:
            return
        elif id(value) in self.seen:
            self.found[name] = f"as {self.seen[id(value)] or 'the function'}"
        else:
            self.seen[id(value)] = name
            self.deeper(name, value)

    def deeper(self, name: str, value: Any) -> None:
        if isinstance(value, types.FunctionType) and not _named(value):
            self.function(name, value)
        elif isinstance(value, functools.partial):
            self.each(
                name, {"function": value.func, "arguments": value.args, "keywords": value.keywords}
            )
        elif isinstance(value, types.MethodType):
            self.each(name, {"method": value.__func__, "of": value.__self__})
        elif isinstance(getattr(value, "__wrapped__", None), types.FunctionType) and not _named(
            value
        ):
            self.visit(name, value.__wrapped__)
        elif isinstance(value, type):
            self.found[name] = f"class {value.__module__}.{value.__qualname__}"
            if not _library(value.__module__):
                self.each(name, {k: v for k, v in vars(value).items() if _tells(k, v)})
        elif _named(value) or isinstance(value, types.BuiltinFunctionType | np.ufunc):
            own = getattr(value, "__qualname__", value.__name__)
            self.found[name] = f"{getattr(value, '__module__', None)}.{own}"
        elif isinstance(value, dict | list | tuple | set | frozenset):
            self.found[name] = type(value).__name__
            if len(value) > _MANY:
                self.found[name] = (
                    f"{type(value).__name__} "
                    f"{hashlib.sha256(repr(value).encode()).hexdigest()[:16]}"
                )
            elif isinstance(value, dict):
                self.each(name, {repr(k): v for k, v in value.items()})
            else:
                own = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
                self.each(name, {str(i): v for i, v in enumerate(own)})
        elif hasattr(value, "__dict__"):
            self.visit(_join(name, "class"), type(value))
            self.each(name, vars(value))
        else:
            self.found[name] = Itself(value)

    def each(self, name: str, parts: dict[str, Any]) -> None:
        for part, value in parts.items():
            self.visit(_join(name, part), value)

    def function(self, name: str, value: types.FunctionType) -> None:
        code = value.__code__
        text, names, attributes = _code(code)
        self.found[_join(name, "code")] = text
        plain = {f"default {i}": v for i, v in enumerate(value.__defaults__ or ())}
        self.each(name, {**plain, **(value.__kwdefaults__ or {})})
        held: dict[str, Any] = {k: value.__globals__[k] for k in names if k in value.__globals__}
        for k, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            try:
                held[k] = cell.cell_contents
            except ValueError:  # not filled yet
                continue
        for k, v in held.items():
            if isinstance(v, list | set) and set(attributes.get(k, ("",))) <= _WRITES:
                continue  # a notebook of its own, written and not read
            self.visit(_join(name, k), v)
            if isinstance(v, types.ModuleType) and not _library(v.__name__):
                self.each(
                    _join(name, k), {a: vars(v)[a] for a in attributes.get(k, ()) if a in vars(v)}
                )


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def _tells(name: str, value: Any) -> bool:
    """Whether an attribute of a class is code or a constant that somebody wrote."""
    return not name.startswith("__") or (
        name in ("__call__", "__init__") and isinstance(value, types.FunctionType)
    )


def _array(values: np.ndarray) -> str:
    if values.dtype.hasobject:
        return f"{values.shape} {hashlib.sha256(repr(values.tolist()).encode()).hexdigest()[:16]}"
    if values.ndim == 0:
        return f"{values.dtype} {values.item()!r}"
    return (
        f"{values.dtype}{values.shape} "
        f"{hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]}"
    )


def _named(value: Any) -> bool:
    """Whether a function of an installed package is found by its name alone."""
    if not callable(value) or isinstance(value, type | types.MethodType | functools.partial):
        return False
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return False
    return "<" not in name and _library(module)


@functools.lru_cache(maxsize=4096)
def _library(module: str) -> bool:
    """Whether a module is part of Python, of this package, or installed: what is written there does
    not change.
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in (_OWN, "jax", "jaxlib", "numpy", "scipy", "optax"):
        return True
    path = getattr(sys.modules.get(top), "__file__", None) or ""
    places = (
        [*site.getsitepackages(), site.getusersitepackages()]
        if hasattr(site, "getsitepackages")
        else []
    )
    return any(path.startswith(place) for place in places)


@functools.lru_cache(maxsize=4096)
def _code(code: types.CodeType) -> tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]]:
    """A code object as a short text, the globals it loads, and which attributes are taken of what
    it loads.
    """
    shown, names, attributes = (
        hashlib.sha256(code.co_code),
        dict[str, None](),
        dict[str, dict[str, None]](),
    )
    shown.update(
        repr((code.co_names, code.co_varnames, code.co_freevars, code.co_argcount)).encode()
    )
    last = ""
    for step in dis.get_instructions(code):
        if last and step.opname not in ("CACHE", "PRECALL"):
            # "": as a whole
            used = str(step.argval) if step.opname in ("LOAD_ATTR", "LOAD_METHOD") else ""
            attributes.setdefault(last, {})[used] = None
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names[str(step.argval)] = None
        if step.opname not in ("CACHE", "PRECALL"):
            last = (
                str(step.argval)
                if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
                else ""
            )
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            text, inner, taken = _code(constant)
            shown.update(text.encode())
            names |= dict.fromkeys(inner)
            for k, v in taken.items():
                attributes.setdefault(k, {}).update(dict.fromkeys(v))
        else:
            shown.update(
                repr(
                    sorted(constant, key=repr) if isinstance(constant, frozenset) else constant
                ).encode()
            )
    return shown.hexdigest()[:16], tuple(names), {k: tuple(v) for k, v in attributes.items()}
