"""Calling and evaluating a law: columns, free parameters and groups checked, then the pure core
over rows.

A law is a function of one run; here it is mapped over rows. `arguments` and the checks belong to a
call; `complete`, `evaluate` and `broadcast` are traceable and know nothing of checks.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._compiled import compiled
from ..ground._errors import nearest, refuse, refuse_type
from ..ground._reads import Reads, reads_of, same
from ..ground._shown import label_of
from ..ground._told import told
from ..ground._trees import Aside, node, static, traced
from ..units import Unit
from ._params import Param


@node()
class Form:
    """What a law is made of: all but its fixed values decides what is compiled for it."""

    function: Callable[..., Any] = static()
    columns: tuple[str, ...] = static()
    column_units: tuple[Unit, ...] = static()
    specs: tuple[tuple[str, Param], ...] = static()
    ties: tuple[tuple[str, str], ...] = static(default=())
    groups: tuple[tuple[str, str], ...] = static(default=())
    # name, unit of the value, published sets, labels of groups: never a compile key
    notes: Aside = static(default=Aside())
    fixed: dict[str, Any] = dataclasses.field(default_factory=dict)
    # what the function reads from outside, once that was looked at
    reads: Reads | None = static(default=None)

    @property
    def name(self) -> str:
        """Name of the function."""
        return str(self.notes["name"])

    @property
    def unit(self) -> Unit:
        """Unit of the law's value."""
        unit: Unit = self.notes["unit"]
        return unit

    @property
    def free(self) -> dict[str, Param]:
        """Parameters that a fit may change, with their specs."""
        tied = dict(self.ties)
        return {k: spec for k, spec in self.specs if k not in self.fixed and k not in tied}


Own = TypeVar("Own", bound=Form)


def settled(law: Own) -> Own:
    """The law with what its function reads from outside as part of its key; a law of a fit keeps
    what it read then.
    """
    return (
        law
        if law.reads is not None
        else dataclasses.replace(law, reads=reads_of(law.function, _specs_of(law)))
    )


def formula_of(law: Form) -> Callable[..., Any]:
    """The function of a law, to be traced. Raises InputError where what it reads has changed since
    the law was settled.
    """
    what = f"law {law.name}"
    return told(what, same(what, law.function, law.reads, _specs_of(law)))


def _specs_of(law: Form) -> Iterable[Any]:
    return (getattr(law.function, "__kwdefaults__", None) or {}).values()


def arguments(
    law: Form, columns: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Columns, parameters and group codes of a call, checked."""
    if len(columns) > len(law.columns):
        raise refuse_type(
            f"{law.name}() takes the columns {', '.join(law.columns)}; {len(columns)} positional "
            f"values were given",
            why="a parameter was given without its name",
            change="parameters by keyword",
        )
    rows = dict(zip(law.columns, columns, strict=False))
    groups = set(dict(law.groups).values())
    specs, params, codes = dict(law.specs), {}, {}
    for k, v in keywords.items():
        if k in law.columns and k not in rows:
            rows[k] = v
        elif k in groups:
            codes[k] = codes_of(law, k, v)
        elif k in specs and k not in dict(law.ties):
            params[k] = (
                np.asarray(v, np.float64) if isinstance(v, list | tuple) and not traced(v) else v
            )
        else:
            reason = (
                " twice"
                if k in rows
                else f" ({k} is tied)"
                if k in specs
                else f", which it does not know.{nearest(k, [*specs, *law.columns])}"
            )
            raise TypeError(f"{law.name}() got {k!r}{reason}")
    if missing := [k for k in [*law.columns, *sorted(groups)] if k not in rows and k not in codes]:
        raise refuse_type(
            f"{law.name}() needs a value for the column {', '.join(missing)}",
            why="it was left out, or has another name",
            change="every column of the law, by position or by name",
        )
    if missing := [k for k in law.free if k not in params]:
        raise refuse_type(
            f"{law.name}() needs a value for the free parameter {', '.join(missing)}",
            why="the law is not bound",
            change="give it by keyword, fix(...) it, or call a fitted or published law",
        )
    for k, v in {**law.fixed, **params}.items():
        per = 1 if k in dict(law.groups) else 0
        if np.ndim(v) > len(specs[k].shape) + per:
            raise refuse_type(
                f"{law.name}(): parameter {k} has shape {np.shape(v)}, which is an ensemble of "
                f"values",
                why="a law is called with the parameters of one fit",
                change="fit.predict(...) for an ensemble",
            )
        if np.shape(v)[np.ndim(v) - len(specs[k].shape) :] != specs[k].shape or np.ndim(v) < len(
            specs[k].shape
        ):
            raise refuse_type(
                f"{law.name}(): parameter {k} has shape {np.shape(v)}, "
                f"{specs[k].shape or 'a number'} expected",
                why="another parameter was meant",
                change="a value of that shape",
            )
        if per and k in (grouped := dict(law.groups)) and np.ndim(v) > len(specs[k].shape):
            check_codes(law.name, grouped[k], codes[grouped[k]], np.shape(v)[0])
    return rows, params, codes


def codes_of(law: Form, group: str, value: Any) -> Any:
    """Codes of a group column that was given as labels, or as codes where no label is a whole
    number.
    """
    known = law.notes.get("labels", {}).get(group)
    numbers = [label.isdecimal() for label in known or ()]
    if traced(value) and all(numbers) and known:
        same = jnp.asarray(value)[..., None] == np.asarray(
            [int(label) for label in known], np.int32
        )
        return jnp.where(jnp.any(same, -1), jnp.argmax(same, -1), -1)
    if traced(value):
        return jnp.asarray(value)
    if np.asarray(value).dtype.kind in "iu" and not any(numbers):
        return np.asarray(value, np.int32)
    if known is None:
        raise refuse(
            f"{law.name}(): {group}={value!r}",
            why="labels are known to the law of a fit",
            change="codes 0, 1, ..., or fit.law",
        )
    for label in map(label_of, np.ravel(np.asarray(value)).tolist()):
        if label not in known:
            raise refuse(
                f"{law.name}(): no group {label!r} in {group!r}",
                why="no run has it",
                change=nearest(label, known).strip(),
            )
    return np.vectorize(lambda v: known.index(label_of(v)), otypes=[np.int32])(np.asarray(value))


def check_codes(name: str, group: str, codes: Any, count: int) -> None:
    if not traced(codes) and (np.any(np.asarray(codes) < 0) or np.any(np.asarray(codes) >= count)):
        raise refuse(
            f"{name}(): {group}={np.asarray(codes).tolist()}: there are {count} groups",
            why="codes count from 0",
            change=f"codes 0 to {count - 1}",
        )


def check_lengths(law: Form, row: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse vector parameters whose length does not go with the vector columns of a table; `row`
    has shapes of one run.

    Only the formula knows which lengths go together (K shares with K or with K - 1 numbers): it is
    tried with those near.
    """
    own = {k: spec.shape[0] for k, spec in law.specs if len(spec.shape) == 1}
    lengths = {c: shape[0] for c, shape in row.items() if shape}

    def fits(sizes: Mapping[str, int]) -> bool:
        shapes = {k: spec.shape for k, spec in law.specs} | {k: (n,) for k, n in sizes.items()}
        columns = [jax.ShapeDtypeStruct(row[c], np.float32) for c in law.columns]
        try:
            jax.eval_shape(
                formula_of(law),
                *columns,
                **{k: jax.ShapeDtypeStruct(s, np.float32) for k, s in shapes.items()},
            )
        except (TypeError, ValueError):
            return False
        return True

    if not own or not lengths or fits(own):
        return
    near = [n + step for step in (0, -1, 1) for n in lengths.values() if n + step > 0]
    choices = [
        dict(zip(own, sizes, strict=True))
        for sizes in itertools.product(dict.fromkeys(near), repeat=len(own))
    ]
    for sizes in sorted(choices, key=lambda sizes: sum(sizes[k] != n for k, n in own.items())):
        if fits(sizes):
            odd = {k: n for k, n in sizes.items() if n != own[k]}
            given = [k for k in odd if k in law.fixed]
            raise refuse(
                f"{law.name}: column {', '.join(f'{c!r} has {n}' for c, n in lengths.items())} "
                f"elements per run, parameter {', '.join(f'{k} has {own[k]}' for k in odd)}",
                why="a law with vectors does not know the length that a table gives them",
                change=f"{law.name}.sized({', '.join(f'{k}={n}' for k, n in odd.items())})"
                + (f", and as many values for {', '.join(given)}" if given else ""),
            )


def complete(law: Form, params: dict[str, Any]) -> dict[str, Any]:
    """Free values plus fixed and tied ones, in the order of the signature."""
    known = {**law.fixed, **params}
    for k, master in law.ties:
        known[k] = known[master]
    return {k: known[k] for k, _ in law.specs}


def evaluate(law: Form, rows: dict[str, Any], params: dict[str, Any], codes: dict[str, Any]) -> Any:
    """Values `(n,)` of the law for rows of columns `(n, ...)`, parameters of one lane and group
    codes `(n,)`.
    """
    values = complete(law, params)
    specs, groups = dict(law.specs), dict(law.groups)
    groups |= {k: groups[master] for k, master in law.ties if master in groups}
    grouped = {
        k: _of_group(values[k], codes[g])
        for k, g in groups.items()
        if np.ndim(values[k]) > len(specs[k].shape)
    }

    function = formula_of(law)

    def one(row: dict[str, Any], own: dict[str, Any]) -> Any:
        return jnp.asarray(function(*(row[c] for c in law.columns), **{**values, **own}))

    return jax.vmap(one)({c: rows[c] for c in law.columns}, grouped)


def _of_group(values: Any, codes: Any) -> Any:
    """Each run's own value (n, ...) from one per group (G, ...), as a sum over groups.

    Not an index: the derivative of a gather is a scatter, which is slow inside lanes.
    """
    member = codes[:, None] == jnp.arange(values.shape[0])
    total = jnp.tensordot(member.astype(jnp.result_type(values)), values, 1)
    known = jnp.reshape(jnp.any(member, 1), (-1,) + (1,) * (values.ndim - 1))
    return jnp.where(known, total, jnp.nan)  # a code of no group is no parameter of 0


def broadcast(
    law: Form, rows: dict[str, Any], params: dict[str, Any], codes: dict[str, Any]
) -> Any:
    ranks = {c: u.rank for c, u in zip(law.columns, law.column_units, strict=True)} | dict.fromkeys(
        codes, 0
    )
    both = {k: jnp.asarray(v) for k, v in {**rows, **codes}.items()}
    runs = {k: v.shape[: v.ndim - ranks[k]] for k, v in both.items()}
    shape = jnp.broadcast_shapes(*runs.values())
    flat = {
        k: jnp.reshape(
            jnp.broadcast_to(v, shape + v.shape[v.ndim - ranks[k] :]),
            (-1, *v.shape[v.ndim - ranks[k] :]),
        )
        for k, v in both.items()
    }
    out = evaluate(law, {c: flat[c] for c in law.columns}, params, {g: flat[g] for g in codes})
    return jnp.reshape(out, shape)


broadcast_jit = compiled(broadcast)


def to_numpy64(tree: Any) -> Any:
    """Leaves as float64 NumPy arrays."""
    return jax.tree.map(lambda v: np.asarray(v, np.float64), tree)


def find(module: str, name: str) -> Any:
    """The law of a module by its qualified name."""
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not isinstance(found, Form):
        raise AttributeError(f"{module}:{name} is not a law")
    return found


def _number(value: Any) -> Any:
    """A law of constants may return a Python number."""
    return jnp.asarray(value) if isinstance(value, int | float) else value


def check_shape(law: Form) -> None:
    """One run must give one number; seen before anything compiles."""
    if str(law.function.__module__).startswith("jaxscale.laws."):
        # our own are held to this by a test: tracing a hundred of them would double the time to
        # import them
        return
    if any(u.rank for u in law.column_units):
        return  # the number of shares is known only with the table: `fit` repeats this check there
    row = {c: jax.ShapeDtypeStruct((), np.float32) for c in law.columns}
    params = {k: jax.ShapeDtypeStruct(spec.shape, np.float32) for k, spec in law.specs}
    out = jax.eval_shape(lambda r, p: _number(formula_of(law)(*r.values(), **p)), row, params)
    if getattr(out, "shape", None) != ():
        raise refuse_type(
            f"law {law.name} returns {getattr(out, 'shape', type(out).__name__)} for one run; it "
            f"must return one number",
            why="the formula is one of a table",
            change="the formula of a single run",
        )
