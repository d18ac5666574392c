"""A law's formula read once: its jaxpr as a list of operations on jets, sorted by how often each
has to run.

Arrays inside a formula are taken apart into their elements, so that a sum over shares is a sum of
scalars. Two things are done on the way. A power is written exp(y log x), because XLA calls a slow
library function for `pow`. And the operations are sorted by what they read: those of the columns
alone (such as that logarithm) run once per table, those of the parameters alone once per trial,
only the rest once per run and trial. A formula with an operation that is not known here raises
`Unknown`, and the caller differentiates it as a whole.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from ._jets import Jet, chain

_INLINED = {
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "remat",
    "checkpoint",
}
_MOVES = {
    "reshape",
    "broadcast_in_dim",
    "squeeze",
    "expand_dims",
    "slice",
    "split",
    "concatenate",
    "stack",
    "transpose",
    "rev",
}
_ELEMENTWISE = frozenset(
    re.findall(
        r"\w+",
        """
        div exp exp2 log log1p expm1 sqrt rsqrt cbrt square integer_pow logistic tanh
        sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh erf erfc erf_inv
        lgamma digamma abs sign max min clamp floor ceil round rem
        lt le gt ge eq ne and or not is_finite convert_element_type nextafter copy copy_p
        """,
    )
)
_FOLDS = {
    "reduce_sum": "add",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "mul",
    "reduce_and": "and",
}
_ZERO_LOG = -1e150  # stands for log 0: exp(a * this) is 0 for a > 0, and so are its derivatives


class Unknown(Exception):
    """The formula holds an operation that jets do not know."""


@dataclass(frozen=True, eq=False)
class _Name:
    """A variable of the jaxpr: its shape, and what it depends on ("columns", "params")."""

    shape: tuple[int, ...]
    reads: frozenset[str]


@dataclass(frozen=True)
class _Step:
    apply: Callable[..., list[np.ndarray]]  # arrays of jets in and out
    ins: tuple[Any, ...]  # names, or constants
    outs: tuple[_Name, ...]

    @property
    def reads(self) -> frozenset[str]:
        return _reads(self.ins)


class Formula:
    """A function of one run's columns and of parameters, sorted into what runs once per table, per
    trial, per run.

    `columns` and `params` map names to `jax.ShapeDtypeStruct`. Raises `Unknown` where an operation
    has no jet.
    """

    def __init__(
        self, function: Callable[..., Any], columns: dict[str, Any], params: dict[str, Any]
    ) -> None:
        closed, shape = jax.make_jaxpr(lambda c, p: jnp.asarray(function(c, p)), return_shape=True)(
            columns, params
        )
        if shape.shape != ():
            raise Unknown(f"a value of shape {shape.shape}")
        self._columns = {
            k: _Name(columns[k].shape, frozenset({"columns"})) for k in sorted(columns)
        }
        self._params = {k: _Name(params[k].shape, frozenset({"params"})) for k in sorted(params)}
        steps: list[_Step] = []
        names = [*self._columns.values(), *self._params.values()]
        (self._out,) = _read(closed.jaxpr, closed.consts, names, steps)
        if not isinstance(self._out, _Name) or "columns" not in self._out.reads:
            raise Unknown("a value that hangs on no column")
        self._by_table = [s for s in steps if s.reads <= {"columns"}]
        self._by_trial = [s for s in steps if s.reads == {"params"}]
        self._by_run = [s for s in steps if len(s.reads) == 2]
        used = {a for s in self._by_run for a in s.ins if isinstance(a, _Name)} | {self._out}
        made = [*self._columns.values(), *(n for s in self._by_table for n in s.outs)]
        self._features = [n for n in made if n in used]

    @property
    def features(self) -> int:
        """How many numbers `of_columns` gives."""
        return sum(int(np.prod(name.shape, dtype=int)) for name in self._features)

    def of_columns(self, columns: dict[str, np.ndarray]) -> list[Any]:
        """Once per table: all numbers that the columns alone decide. A column is an object array of
        its elements.
        """
        env = {name: _jets(columns[k]) for k, name in self._columns.items()}
        _run(self._by_table, env)
        return [jet.value for name in self._features for jet in env[name].flat]

    def of_params(self, params: dict[str, np.ndarray]) -> dict[Any, np.ndarray]:
        """Once per trial: what the parameters alone decide. Parameters are object arrays
        of jets.
        """
        env = {name: params[k] for k, name in self._params.items()}
        _run(self._by_trial, env)
        return env

    def __call__(self, features: list[Any], known: dict[Any, np.ndarray]) -> Jet:
        """The formula's jet, from results of `of_columns` (of all runs, or of a few) and of
        `of_params`.
        """
        flat, env = iter(features), dict(known)
        for name in self._features:
            own = np.empty(int(np.prod(name.shape, dtype=int)), object)
            for i in range(own.size):
                own[i] = next(flat)
            env[name] = _jets(own.reshape(name.shape))
        _run(self._by_run, env)
        jet: Jet = _value(env, self._out).item()
        return jet


def _run(steps: list[_Step], env: dict[Any, np.ndarray]) -> None:
    for step in steps:
        env |= zip(step.outs, step.apply(*(_value(env, a) for a in step.ins)), strict=True)


def _value(env: dict[Any, np.ndarray], atom: Any) -> np.ndarray:
    return env[atom] if isinstance(atom, _Name) else _jets(np.asarray(atom).astype(object))


def _jets(values: np.ndarray) -> np.ndarray:
    return _map(lambda v: v if isinstance(v, Jet) else Jet(v), values)


def _map(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """`function` of the elements of object arrays that broadcast against each other."""
    arrays = tuple(np.broadcast_arrays(*arrays))
    out = np.empty(arrays[0].shape, object)
    for i in np.ndindex(out.shape):
        out[i] = function(*(a[i] for a in arrays))
    return out


def _reads(atoms: Any) -> frozenset[str]:
    return frozenset[str]().union(*(a.reads for a in atoms if isinstance(a, _Name)))


def _read(jaxpr: Any, consts: Any, names: list[Any], steps: list[_Step]) -> list[Any]:
    """Append the operations of a jaxpr to `steps`; calls are written out in place."""
    env = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *names], strict=True))

    def atom(v: Any) -> Any:
        return v.val if isinstance(v, Literal) else env[v]

    def step(apply: Callable[..., Any], ins: list[Any], shapes: list[tuple[int, ...]]) -> list[Any]:
        outs = [_Name(shape, _reads(ins)) for shape in shapes]
        steps.append(_Step(apply, tuple(ins), tuple(outs)))
        return list(outs)

    for eqn in jaxpr.eqns:
        ins, name, shapes = (
            [atom(v) for v in eqn.invars],
            eqn.primitive.name,
            [v.aval.shape for v in eqn.outvars],
        )
        inner = next((eqn.params[k] for k in ("jaxpr", "call_jaxpr") if k in eqn.params), None)
        if name in _INLINED:
            outs = _read(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), ins, steps)
        # depends on nothing, such as a branch of a `where`
        elif not any(isinstance(a, _Name) for a in ins):
            with jax.ensure_compile_time_eval():
                found = eqn.primitive.bind(*(jnp.asarray(a) for a in ins), **eqn.params)
            outs = [np.asarray(v) for v in (found if eqn.primitive.multiple_results else [found])]
        elif name == "pow" and (isinstance(ins[1], _Name) or np.any(np.mod(ins[1], 1) != 0)):
            by_table = isinstance(ins[0], _Name) and ins[0].reads <= {"columns"}
            if isinstance(ins[0], _Name):
                log = step(
                    _elementwise(_log_or_zero if by_table else jnp.log),
                    [ins[0]],
                    [np.shape(ins[0])],
                )
            else:
                log = [np.log(ins[0])]
            power = step(lambda a, b: [_map(operator.mul, a, b)], [ins[1], *log], shapes)
            outs = step(_elementwise(jnp.exp), power, shapes)
        else:
            outs = step(_rule(eqn.primitive, eqn.params, [v.aval for v in eqn.invars]), ins, shapes)
        env |= zip(eqn.outvars, outs, strict=True)
    return [atom(v) for v in jaxpr.outvars]


def _log_or_zero(x: Any) -> Any:
    """ln x, and a very negative number for 0, so that 0^a = 0 has derivatives 0 and not 0 times
    infinity.
    """
    return jnp.where(x == 0, _ZERO_LOG, jnp.log(jnp.where(x == 0, 1.0, x)))


def _rule(
    primitive: Any, params: dict[str, Any], avals: list[Any]
) -> Callable[..., list[np.ndarray]]:
    """What an operation does to arrays of jets."""
    name = primitive.name
    bind = functools.partial(primitive.bind, **params)
    if name in _OPERATORS:
        return lambda *a: [_map(_OPERATORS[name], *a)]
    if name in _MOVES:
        return lambda *a: _moved(bind, a)
    if name in _FOLDS:
        fold = _OPERATORS.get(_FOLDS[name]) or functools.partial(
            chain, {"max": jnp.maximum, "min": jnp.minimum}[_FOLDS[name]]
        )
        return lambda a: [_folded(fold, a, params["axes"])]
    if name == "dot_general":
        return lambda a, b: [_contracted(a, b, params["dimension_numbers"])]
    if name == "select_n":
        return lambda which, *cases: [_map(_selected, which, *cases)]
    if name == "stop_gradient":
        return lambda a: [_map(lambda jet: Jet(jet.value), a)]
    if name == "pow":  # a whole exponent that is a number: x may be negative
        return lambda a, b: [
            _map(lambda x, y: chain(lambda u: jax.lax.integer_pow(u, int(y.value)), x), a, b)
        ]
    if name in _ELEMENTWISE:
        return _elementwise(bind)
    raise Unknown(f"operation {name!r}")


_OPERATORS: dict[str, Callable[..., Jet]] = {
    "add": operator.add,
    "add_any": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
}


def _elementwise(function: Callable[..., Any]) -> Callable[..., list[np.ndarray]]:
    return lambda *arrays: [_map(functools.partial(chain, function), *arrays)]


def _selected(which: Jet, *cases: Jet) -> Jet:
    def pick(values: list[Any]) -> Any:
        shape = jnp.broadcast_shapes(*(jnp.shape(v) for v in [which.value, *values]))
        selector = (
            which.value
            if jnp.result_type(which.value) in (jnp.bool_, jnp.int32)
            else which.value != 0
        )
        return jax.lax.select_n(
            jnp.broadcast_to(selector, shape), *(jnp.broadcast_to(v, shape) for v in values)
        )

    def each(parts: list[dict[Any, Any]]) -> dict[Any, Any]:
        return {
            k: pick([p.get(k, jnp.zeros(())) for p in parts]) for k in sorted(set().union(*parts))
        }

    return Jet(
        pick([c.value for c in cases]),
        each([c.first for c in cases]),
        each([c.second for c in cases]),
    )


def _moved(bind: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Operations that only move elements: find out where to by moving their numbers."""
    flat = np.concatenate([a.reshape(-1) for a in arrays])
    ends = np.cumsum([a.size for a in arrays])
    with jax.ensure_compile_time_eval():
        numbers = [
            jnp.arange(end - a.size, end).reshape(a.shape)
            for a, end in zip(arrays, ends, strict=True)
        ]
        outs = bind(*numbers)
    return [flat[np.asarray(out)] for out in (outs if isinstance(outs, list | tuple) else [outs])]


def _folded(fold: Callable[..., Jet], array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    kept = [d for d in range(array.ndim) if d not in axes]
    rows = array.transpose(*kept, *axes).reshape(*(array.shape[d] for d in kept), -1)
    out = np.empty(rows.shape[:-1], object)
    for i in np.ndindex(out.shape):
        out[i] = functools.reduce(fold, rows[i])
    return out


def _contracted(a: np.ndarray, b: np.ndarray, numbers: Any) -> np.ndarray:
    (left, right), (batch, _) = numbers
    if batch:
        raise Unknown("a product of stacks of matrices")
    return np.asarray(np.tensordot(a, b, (left, right)), object)
