"""A law is the paper's formula for one run: columns positional, parameters keyword-only with their
spec as default.

`@law` turns such a function into a `Law`. Calling it evaluates the formula, on scalars or on
columns. Everything else makes a new law: `fix`, `tie`, `per` and `start` are the four ways to say
what a fit may change, `sized` gives vector parameters their length, `publish` adds a published set
of coefficients. A law with every parameter given is *bound*: it has `.params` and can be called
with columns alone.

The compile key of a law is the function, the supports of its parameters, ties and groups. Fixed
values are leaves: changing them never recompiles, and they can be differentiated. A `Law` itself
compares by identity, because `jax.jit(law)` bakes the fixed values in and must not mistake one law
for another.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from ..ground._errors import nearest, refuse, refuse_type
from ..ground._trees import Aside, node, to_numpy, traced
from ..units import Unit
from . import _then
from ._form import (
    Form,
    arguments,
    broadcast,
    broadcast_jit,
    check_shape,
    complete,
    find,
    formula_of,
    settled,
    to_numpy64,
)
from ._params import Param
from ._signature import signature_of


class Unbound(TypeError, AttributeError):
    """A law with free parameters has no `params`; `hasattr` may ask for them."""


@node()
class Law(Form):
    """A scaling law: see `law`. Made by the decorator, changed by its methods, never edited."""

    # -- what it is made of -----------------------------------------------------------------------
    @property
    def params(self) -> dict[str, Any]:
        """All parameter values of a bound law; an error names those that are still free."""
        if self.free:
            raise Unbound(
                str(
                    refuse_type(
                        f"{self.name} is not bound: {', '.join(self.free)} are free",
                        why="a law was given where a fit was meant",
                        change="fit it, or fix(...) them",
                    )
                )
            )
        return complete(self, {})

    @property
    def published(self) -> Mapping[str, Law]:
        """Published coefficient sets by name, each a bound law."""
        sets: dict[str, dict[str, Any]] = self.notes.get("published", {})
        return {
            k: self._sized_for(v["values"])
            .fix(**v["values"])
            ._note(published_as=k, source=v["source"])
            for k, v in sets.items()
        }

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    # -- ways to make another law -----------------------------------------------------------------
    def fix(self, **values: Any) -> Law:
        """A law in which these parameters have these values: `law.fix(alpha=0.5)`. Numbers, not
        part of the key.
        """
        for k, v in values.items():
            spec = self._spec(k)
            shape = np.shape(v)
            if (
                shape[len(shape) - len(spec.shape) :] != spec.shape
                or len(shape) > len(spec.shape) + 1
            ):
                raise refuse_type(
                    f"{self.name}.fix({k}=...): shape {shape} given, {spec.shape or 'a number'} "
                    f"expected",
                    why="another parameter was meant, or the law is not sized",
                    change=f"a value of shape {spec.shape}, or {self.name}.sized({k}=...) first",
                )
            if not traced(v) and not spec.contains(np.asarray(v, np.float64)):
                raise refuse(
                    f"{self.name}.fix({k}={v}): {k} is {spec.support}, it lies in {spec.edges}",
                    why="a logarithm was given, or another parameter was meant",
                    change="a value inside its support",
                )
        new = {k: v if traced(v) else np.asarray(v, np.float64) for k, v in values.items()}
        groups = tuple(
            g
            for g in self.groups
            if not (g[0] in new and np.ndim(new[g[0]]) == len(self._spec(g[0]).shape))
        )
        ties = tuple(t for t in self.ties if t[0] not in new)
        return dataclasses.replace(self, fixed={**self.fixed, **new}, groups=groups, ties=ties)

    def tie(self, **masters: str) -> Law:
        """A law in which a parameter takes another's value: `law.tie(beta="alpha")`."""
        for k, master in masters.items():
            if self._spec(k) != self._spec(master):
                raise refuse_type(
                    f"{self.name}.tie({k}={master!r}): their supports differ",
                    why="they are two kinds of numbers",
                    change="parameters of one support",
                )
            if (
                master == k
                or master in dict(self.ties)
                or master in masters
                or k in dict(self.ties).values()
            ):
                raise refuse_type(
                    f"{self.name}.tie({k}={master!r})",
                    why="the master is tied itself, or it is the parameter itself",
                    change="tie to a parameter that is not tied itself",
                )
            if k in dict(self.groups):
                raise refuse_type(
                    f"{self.name}.tie({k}={master!r}): {k} has one value per group",
                    why="what is tied has the groups of its master",
                    change=f"per({master}={dict(self.groups)[k]!r}) after the tie",
                )
        fixed = {k: v for k, v in self.fixed.items() if k not in masters}
        ties = {**dict(self.ties), **masters}
        return dataclasses.replace(self, ties=tuple(sorted(ties.items())), fixed=fixed)

    def per(self, **columns: str) -> Law:
        """A law with one value per group: `law.per(E="family")`; `family` must be a group column of
        the runs.
        """
        for k in columns:
            self._spec(k)
            if k in dict(self.ties):
                raise refuse_type(
                    f"{self.name}.per({k}=...): {k} is tied to {dict(self.ties)[k]}",
                    why="what is tied has the groups of its master",
                    change=f"per({dict(self.ties)[k]}=...)",
                )
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

        Each is the median, in the parameter's units, and the standard deviation of its coordinate:
        of ln for a positive parameter (0.1 is about 10 %), of the logit for one between two edges,
        of the number itself for a real one.
        """
        specs = dict(self.specs)
        for k, (median, deviation) in priors.items():
            spec = self._spec(k)
            if k not in self.free:
                raise refuse_type(
                    f"{self.name}.prior({k}=...): {k} is fixed or tied",
                    why="a prior is for what is free",
                    change="leave the prior out, or free the parameter",
                )
            if (
                spec.support == "simplex"
                or not spec.edges[0] < median < spec.edges[1]
                or not deviation > 0
            ):
                raise refuse(
                    f"{self.name}.prior({k}=({median}, {deviation}))",
                    why="ends were given, or a variance",
                    change=f"a median inside {spec.edges}, and a deviation > 0",
                )
            specs[k] = dataclasses.replace(spec, prior=(float(median), float(deviation)))
        return dataclasses.replace(self, specs=tuple(specs.items()))

    def sized(self, **lengths: int) -> Law:
        """A law whose vector parameters have these lengths: `law.sized(t=17)` for 17 domains."""
        specs = dict(self.specs)
        for k, length in lengths.items():
            if len(self._spec(k).shape) != 1 or length < 1:
                raise refuse_type(
                    f"{self.name}.sized({k}={length}): {k} has shape {self._spec(k).shape}",
                    why="a length is for vectors",
                    change="a vector parameter, and a length >= 1",
                )
            if k in self.fixed:
                raise refuse_type(
                    f"{self.name}.sized({k}={length}): {k} is fixed",
                    why="its length is that of its values",
                    change="size the law before it is given values",
                )
            specs[k] = dataclasses.replace(specs[k], shape=(int(length),))
        return dataclasses.replace(self, specs=tuple(specs.items()))

    def _sized_for(self, values: Mapping[str, Any]) -> Law:
        """Vector parameters as long as these values."""
        return self.sized(**{k: len(v) for k, v in values.items() if len(self._spec(k).shape) == 1})

    then = _then.then

    def publish(self, name: str, /, *, source: str, evidence: str, **values: Any) -> Law:
        """A new law that also knows a published coefficient set: `law.published[name]` is the bound
        law.
        """
        missing = [k for k, _ in self.specs if k not in values]
        if missing:
            raise refuse_type(
                f"{self.name}.publish({name!r}): {', '.join(missing)} not given",
                why="a published set binds the law",
                change="all of its parameters",
            )
        for k, v in values.items():
            if np.ndim(v) != len(self._spec(k).shape):
                raise refuse_type(
                    f"{self.name}.publish({name!r}): {k} has shape {np.shape(v)}",
                    why="a value is missing, or is one too many",
                    change=f"{len(self._spec(k).shape)} axes",
                )
        self._sized_for(values).fix(
            **values
        )  # unknown names and values outside the support are errors now, not when the set is used
        entry = {"values": values, "source": source, "evidence": evidence}
        return self._note(published={**self.notes.get("published", {}), name: entry})

    # -- calling ----------------------------------------------------------------------------------
    def __call__(self, *columns: Any, **keywords: Any) -> Any:
        """Value of the law, in its unit, for runs given as scalars or as columns that broadcast
        against each other.

        Free parameters are given by keyword (natural units); group columns of `per` by keyword too:
        as labels, or as codes 0, 1, ... where no label is a whole number. Numbers in give NumPy
        float64 out; a tracer in gives a tracer out.
        """
        law = settled(self)
        rows, params, codes = arguments(law, columns, keywords)
        if traced(rows, params, codes, self.fixed):
            # copies: JAX 0.10 ties an array that a jitted function closes over to the precision it
            # was first used in
            own, rows, params, codes = jax.tree.map(
                lambda v: v if traced(v) else np.array(v), (law, rows, params, codes)
            )
            return broadcast(own, rows, params, codes)
        with jax.enable_x64(True):
            out = to_numpy(broadcast_jit(law, to_numpy64(rows), to_numpy64(params), codes))
        return out[()]

    def _spec(self, name: str) -> Param:
        specs = dict(self.specs)
        if name not in specs:
            raise refuse_type(
                f"{self.name} has no parameter {name!r}",
                why="a typing slip",
                change=nearest(name, specs).strip(),
            )
        return specs[name]

    def _note(self, **notes: Any) -> Law:
        return dataclasses.replace(self, notes=Aside({**self.notes, **notes}))

    # -- showing and pickling ---------------------------------------------------------------------
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
        # a formula that is made of others pickles itself
        if _BY_VALUE.get() or not hasattr(self.function, "__qualname__"):
            return _rebuilt, (self.function, self.columns, self.column_units, state)
        module, name = self.function.__module__, self.function.__qualname__
        try:
            found = find(module, name)
        except (ImportError, AttributeError) as error:
            raise pickle.PicklingError(
                f"law {self.name} cannot be pickled: it is not importable as {module}:{name}. "
                f"Define it at the top level of a module."
            ) from error
        if found.function is not self.function:
            raise pickle.PicklingError(
                f"law {self.name} cannot be pickled: {module}:{name} is now another law"
            )
        return _restore, (module, name, state)


def _restore(module: str, name: str, state: dict[str, Any]) -> Law:
    return _as_it_was(
        dataclasses.replace(find(module, name), **{**state, "notes": Aside(state["notes"])})
    )


def _as_it_was(law: Law) -> Law:
    """A law that arrived from elsewhere. Raises InputError where its function reads something else
    here.
    """
    if law.reads is None:
        return law
    here = settled(dataclasses.replace(law, reads=None))
    formula_of(dataclasses.replace(law, reads=law.reads.with_objects(here.reads)))
    return here


_BY_VALUE: contextvars.ContextVar[bool] = contextvars.ContextVar("by_value", default=False)


@contextlib.contextmanager
def by_value() -> Iterator[None]:
    """Laws pickle with their function inside: for a pickler that can do that, and laws that no
    worker can import.
    """
    token = _BY_VALUE.set(True)
    try:
        yield
    finally:
        _BY_VALUE.reset(token)


def _rebuilt(
    function: Any, columns: tuple[str, ...], units: tuple[Unit, ...], state: dict[str, Any]
) -> Law:
    return _as_it_was(Law(function, columns, units, **{**state, "notes": Aside(state["notes"])}))


def law(function: Callable[..., Any]) -> Law:
    """Make a `Law` from a formula for one run.

    Columns are positional and carry their unit as annotation; parameters are keyword-only, with a
    spec (`positive(...)`, `real(...)`, ...) as default; the return annotation is the unit of the
    value.

    Raises TypeError where the signature is not of that form, naming the argument and what to write.

    >>> from jaxscale import law, positive
    >>> from jaxscale.units import Nats, Tokens
    >>> @law
    ... def power(D: Tokens, *, E=positive(1, 3), B=positive(1, 1e5),
    ...     beta=positive(0.1, 1)) -> Nats:
    ...     return E + B * D**-beta
    >>> round(float(power(1e10, E=1.7, B=400.0, beta=0.3)), 4)
    2.1
    """
    columns, units, specs, unit = signature_of(function)
    notes = Aside(name=getattr(function, "__name__", "law"), unit=unit)
    new = Law(function, columns, units, specs, notes=notes)
    check_shape(new)
    return new
