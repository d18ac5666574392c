"""A law is the paper's formula for one run: columns positional, parameters keyword-only with their spec as default.

`@law` turns such a function into a `Law`. Calling it evaluates the formula, on scalars or on columns. Everything else
makes a new law: `fix`, `tie`, `per` and `start` are the four ways to say what a fit may change, `sized` gives vector
parameters their length, `publish` adds a published set of coefficients. A law with every parameter given is *bound*: it
has `.params` and can be called with columns alone.

The compile key of a law is the function, the supports of its parameters, ties and groups. Fixed values are leaves:
changing them never recompiles, and they can be differentiated. A `Law` itself compares by identity, because
`jax.jit(law)` bakes the fixed values in and must not mistake one law for another.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import importlib
import inspect
import pickle
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._errors import nearest
from ..ground._trees import Aside, node, to_numpy, traced
from ..units import Unit, unit_of
from ._form import Form, arguments, broadcast, broadcast_jit, complete, formula_of, settled, to_numpy64
from ._params import Param


class Unbound(TypeError, AttributeError):
    """A law with free parameters has no `params`; `hasattr` may ask for them."""


@node()
class Law(Form):
    """A scaling law: see `law`. Made by the decorator, changed by its methods, never edited."""

    # -- what it is made of -------------------------------------------------------------------------------------
    @property
    def params(self) -> dict[str, Any]:
        """All parameter values of a bound law; an error names those that are still free."""
        if self.free:
            raise Unbound(f"{self.name} is not bound: {', '.join(self.free)} are free. Fit it, or fix(...) them.")
        return complete(self, {})

    @property
    def published(self) -> Mapping[str, Law]:
        """Published coefficient sets by name, each a bound law."""
        sets: dict[str, dict[str, Any]] = self.notes.get("published", {})
        return {
            k: self._sized_for(v["values"]).fix(**v["values"])._note(published_as=k, source=v["source"]) for k, v in sets.items()
        }

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    # -- ways to make another law ------------------------------------------------------------------------------
    def fix(self, **values: Any) -> Law:
        """A law in which these parameters have these values: `law.fix(alpha=0.5)`. Numbers, not part of the key."""
        for k, v in values.items():
            spec = self._spec(k)
            shape = np.shape(v)
            if shape[len(shape) - len(spec.shape) :] != spec.shape or len(shape) > len(spec.shape) + 1:
                raise TypeError(f"{self.name}.fix({k}=...): shape {shape} given, {spec.shape or 'a number'} expected")
            if not traced(v) and not spec.contains(np.asarray(v, np.float64)):
                raise ValueError(f"{self.name}.fix({k}={v}): {k} is {spec.support}, it lies in {spec.edges}")
        new = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in values.items()}
        groups = tuple(g for g in self.groups if not (g[0] in new and np.ndim(new[g[0]]) == len(self._spec(g[0]).shape)))
        ties = tuple(t for t in self.ties if t[0] not in new)
        return dataclasses.replace(self, fixed={**self.fixed, **new}, groups=groups, ties=ties)

    def tie(self, **masters: str) -> Law:
        """A law in which a parameter takes another's value: `law.tie(beta="alpha")`."""
        for k, master in masters.items():
            if self._spec(k) != self._spec(master):
                raise TypeError(f"{self.name}.tie({k}={master!r}): their supports differ")
            if master == k or master in dict(self.ties) or master in masters or k in dict(self.ties).values():
                raise TypeError(f"{self.name}.tie({k}={master!r}): tie to a parameter that is not tied itself")
            if k in dict(self.groups):
                raise TypeError(f"{self.name}.tie({k}={master!r}): {k} has one value per group; make {master} per group")
        fixed = {k: v for k, v in self.fixed.items() if k not in masters}
        ties = {**dict(self.ties), **masters}
        return dataclasses.replace(self, ties=tuple(sorted(ties.items())), fixed=fixed)

    def per(self, **columns: str) -> Law:
        """A law with one value per group: `law.per(E="family")`; `family` must be a group column of the runs."""
        for k in columns:
            self._spec(k)
            if k in dict(self.ties):
                raise TypeError(f"{self.name}.per({k}=...): {k} is tied to {dict(self.ties)[k]}; make that one per group")
        fixed = {k: v for k, v in self.fixed.items() if k not in columns}
        groups = {**dict(self.groups), **columns}
        return dataclasses.replace(self, groups=tuple(sorted(groups.items())), fixed=fixed)

    def start(self, **ranges: tuple[float, float]) -> Law:
        """A law whose starts are drawn elsewhere: `law.start(A=(1, 1e7))`. Never a bound."""
        specs = dict(self.specs)
        for k, (low, high) in ranges.items():
            specs[k] = dataclasses.replace(self._spec(k), low=low, high=high)
        return dataclasses.replace(self, specs=tuple(specs.items()))

    def prior(self, **priors: tuple[float, float]) -> Law:
        """A law with normal priors for `posterior`: `law.prior(E=(1.7, 0.1))`. Never used by a fit.

        Each is the median, in the parameter's units, and the standard deviation of its coordinate: of ln for a positive
        parameter (0.1 is about 10 %), of the logit for one between two edges, of the number itself for a real one.
        """
        specs = dict(self.specs)
        for k, (median, deviation) in priors.items():
            spec = self._spec(k)
            if k not in self.free:
                raise TypeError(f"{self.name}.prior({k}=...): {k} is fixed or tied; a prior is for what is free")
            if spec.support == "simplex" or not spec.edges[0] < median < spec.edges[1] or not deviation > 0:
                raise ValueError(f"{self.name}.prior({k}=({median}, {deviation})): a median inside {spec.edges}, a deviation > 0")
            specs[k] = dataclasses.replace(spec, prior=(float(median), float(deviation)))
        return dataclasses.replace(self, specs=tuple(specs.items()))

    def sized(self, **lengths: int) -> Law:
        """A law whose vector parameters have these lengths: `law.sized(t=17)` for 17 domains."""
        specs = dict(self.specs)
        for k, length in lengths.items():
            if len(self._spec(k).shape) != 1 or length < 1:
                raise TypeError(
                    f"{self.name}.sized({k}={length}): {k} has shape {self._spec(k).shape}, a length >= 1 is for vectors"
                )
            if k in self.fixed:
                raise TypeError(f"{self.name}.sized({k}={length}): {k} is fixed; size the law before it is given values")
            specs[k] = dataclasses.replace(specs[k], shape=(int(length),))
        return dataclasses.replace(self, specs=tuple(specs.items()))

    def _sized_for(self, values: Mapping[str, Any]) -> Law:
        """Vector parameters as long as these values."""
        return self.sized(**{k: len(v) for k, v in values.items() if len(self._spec(k).shape) == 1})

    def publish(self, name: str, /, *, source: str, evidence: str, **values: Any) -> Law:
        """A new law that also knows a published coefficient set: `law.published[name]` is the bound law."""
        missing = [k for k, _ in self.specs if k not in values]
        if missing:
            raise TypeError(f"{self.name}.publish({name!r}): {', '.join(missing)} not given")
        for k, v in values.items():
            if np.ndim(v) != len(self._spec(k).shape):
                raise TypeError(f"{self.name}.publish({name!r}): {k} has shape {np.shape(v)}")
        self._sized_for(values).fix(
            **values
        )  # unknown names and values outside the support are errors now, not when the set is used
        entry = {"values": values, "source": source, "evidence": evidence}
        return self._note(published={**self.notes.get("published", {}), name: entry})

    # -- calling ------------------------------------------------------------------------------------------------
    def __call__(self, *columns: Any, **keywords: Any) -> Any:
        """Value of the law, in its unit, for runs given as scalars or as columns that broadcast against each other.

        Free parameters are given by keyword (natural units); group columns of `per` by keyword too: as labels,
        or as codes 0, 1, ... where no label is a whole number. Numbers in give NumPy float64 out; a tracer in gives a tracer out.
        """
        law = settled(self)
        rows, params, codes = arguments(law, columns, keywords)
        if traced(rows, params, codes, self.fixed):
            # copies: JAX 0.10 ties an array that a jitted function closes over to the precision it was first used in
            own, rows, params, codes = jax.tree.map(lambda v: v if traced(v) else np.array(v), (law, rows, params, codes))
            return broadcast(own, rows, params, codes)
        with jax.enable_x64(True):
            out = to_numpy(broadcast_jit(law, to_numpy64(rows), to_numpy64(params), codes))
        return out[()]

    def _spec(self, name: str) -> Param:
        specs = dict(self.specs)
        if name not in specs:
            raise TypeError(f"{self.name} has no parameter {name!r}.{nearest(name, specs)}")
        return specs[name]

    def _note(self, **notes: Any) -> Law:
        return dataclasses.replace(self, notes=Aside({**self.notes, **notes}))

    # -- showing and pickling -----------------------------------------------------------------------------------
    def __repr__(self) -> str:
        marks = dict.fromkeys(self.fixed, "fixed") | {k: f"= {m}" for k, m in self.ties}
        marks |= {k: f"per {g}" for k, g in self.groups}
        shown = ", ".join(f"{k} ({marks[k]})" if k in marks else k for k, _ in self.specs)
        return f"Law {self.name}({', '.join(self.columns)}; {shown}) -> {self.unit.name}"

    def __reduce__(self) -> Any:
        state = {
            "specs": self.specs,
            "ties": self.ties,
            "groups": self.groups,
            "notes": dict(self.notes),
            "fixed": {k: np.asarray(v) for k, v in self.fixed.items()},
            "reads": self.reads,
        }
        if _BY_VALUE.get() or not hasattr(self.function, "__qualname__"):  # a formula that is made of others pickles itself
            return _rebuilt, (self.function, self.columns, self.column_units, state)
        module, name = self.function.__module__, self.function.__qualname__
        try:
            found = _find(module, name)
        except (ImportError, AttributeError) as error:
            raise pickle.PicklingError(
                f"law {self.name} cannot be pickled: it is not importable as {module}:{name}. "
                f"Define it at the top level of a module."
            ) from error
        if found.function is not self.function:
            raise pickle.PicklingError(f"law {self.name} cannot be pickled: {module}:{name} is now another law")
        return _restore, (module, name, state)


def _find(module: str, name: str) -> Law:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not isinstance(found, Law):
        raise AttributeError(f"{module}:{name} is not a law")
    return found


def _restore(module: str, name: str, state: dict[str, Any]) -> Law:
    return _as_it_was(dataclasses.replace(_find(module, name), **{**state, "notes": Aside(state["notes"])}))


def _as_it_was(law: Law) -> Law:
    """A law that arrived from elsewhere. Raises InputError where its function reads something else here."""
    if law.reads is None:
        return law
    here = settled(dataclasses.replace(law, reads=None))
    formula_of(dataclasses.replace(law, reads=law.reads.with_objects(here.reads)))
    return here


_BY_VALUE: contextvars.ContextVar[bool] = contextvars.ContextVar("by_value", default=False)


@contextlib.contextmanager
def by_value() -> Iterator[None]:
    """Laws pickle with their function inside: for a pickler that can do that, and laws that no worker can import."""
    token = _BY_VALUE.set(True)
    try:
        yield
    finally:
        _BY_VALUE.reset(token)


def _rebuilt(function: Any, columns: tuple[str, ...], units: tuple[Unit, ...], state: dict[str, Any]) -> Law:
    return _as_it_was(Law(function, columns, units, **{**state, "notes": Aside(state["notes"])}))


def law(function: Callable[..., Any]) -> Law:
    """Make a `Law` from a formula for one run.

    Columns are positional and carry their unit as annotation; parameters are keyword-only, with a spec
    (`positive(...)`, `real(...)`, ...) as default; the return annotation is the unit of the value.

    Raises TypeError where the signature is not of that form, naming the argument and what to write.

    >>> from jaxscale import law, positive
    >>> from jaxscale.units import Nats, Tokens
    >>> @law
    ... def power(D: Tokens, *, E=positive(1, 3), B=positive(1, 1e5), beta=positive(0.1, 1)) -> Nats:
    ...     return E + B * D**-beta
    >>> round(float(power(1e10, E=1.7, B=400.0, beta=0.3)), 4)
    2.1
    """
    columns, units, specs = [], [], []
    name = getattr(function, "__name__", "law")
    hints = typing.get_type_hints(function, include_extras=True)
    for arg in inspect.signature(function).parameters.values():
        if arg.kind in (arg.VAR_POSITIONAL, arg.VAR_KEYWORD):
            raise TypeError(f"law {name}: {arg} hides columns or parameters; name each of them")
        if arg.kind is arg.KEYWORD_ONLY:
            if not isinstance(arg.default, Param):
                raise TypeError(
                    f"law {name}: parameter {arg.name} has {'no default' if arg.default is arg.empty else repr(arg.default)}; "
                    f"write {arg.name}=positive(low, high), or real, negative, between, unit, simplex"
                )
            specs.append((arg.name, arg.default))
        elif isinstance(arg.default, Param):
            raise TypeError(f"law {name}: parameter {arg.name} is positional; put `*,` before the first parameter")
        elif arg.default is not arg.empty:
            raise TypeError(f"law {name}: column {arg.name} has a default; columns have none")
        else:
            columns.append(arg.name)
            units.append(unit_of(hints.get(arg.name)))
    if not columns:
        raise TypeError(f"law {name} has no column: it needs at least one positional argument")
    notes = Aside(name=name, unit=unit_of(hints.get("return")))
    new = Law(function, tuple(columns), tuple(units), tuple(specs), notes=notes)
    _check_shape(new)
    return new


def _number(value: Any) -> Any:
    """A law of constants may return a Python number."""
    return jnp.asarray(value) if isinstance(value, int | float) else value


_INSTEAD = (
    (("if ", " else ", "while ", "assert "), "jnp.where(condition, this, that) instead of if"),
    (("max(", "min("), "jnp.maximum(a, b), jnp.minimum(a, b) instead of max and min"),
    (("math.", "float(", "int("), "jnp.log, jnp.exp, ... instead of math, and no float(...)"),
    (("np.", "numpy."), "jax.numpy (jnp) instead of NumPy"),
)


def _untraceable(law: Law, error: Exception) -> Exception:
    """What to write instead of the line of a formula that JAX cannot trace; other slips stay what they are."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == law.function.__code__.co_filename]
    traced = isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError) or "Tracer" in str(error)
    if not own or not traced:
        return error
    line = (own[-1].line or "").strip()
    change = [said for marks, said in _INSTEAD if any(m in line.replace("jnp.", "") for m in marks)]
    return TypeError(
        f"law {law.name}, line {own[-1].lineno} of {own[-1].filename}: {line!r} needs a number, and has a traced value\n"
        "  Usually: Python's if, max, math.log or NumPy, which need one number, where a formula stands for all runs at once\n"
        f"  Change: {'; '.join(change) or 'jnp.where, jnp.maximum, jnp.log from jax.numpy'}"
    )


def _check_shape(law: Law) -> None:
    """One run must give one number; seen before anything compiles."""
    if str(law.function.__module__).startswith("jaxscale.laws."):
        return  # our own are held to this by a test: tracing a hundred of them would double the time to import them
    if any(u.rank for u in law.column_units):
        return  # the number of shares is known only with the table: `fit` repeats this check there
    row = {c: jax.ShapeDtypeStruct((), np.float32) for c in law.columns}
    params = {k: jax.ShapeDtypeStruct(spec.shape, np.float32) for k, spec in law.specs}
    try:
        out = jax.eval_shape(lambda r, p: _number(law.function(*r.values(), **p)), row, params)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError, TypeError, ValueError) as error:
        raise _untraceable(law, error) from error
    if getattr(out, "shape", None) != ():
        raise TypeError(
            f"law {law.name} returns {getattr(out, 'shape', type(out).__name__)} for one run; "
            f"it must return one number: write the formula of a single run"
        )
