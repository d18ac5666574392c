"""The kernel: weighted sum of losses over runs, with gradient and Hessian, for many lanes at once.

This is where all the time of a fit goes, so it says once how it is written and why. Lanes are the
last axis: every operation is then elementwise over lanes, vectorised, and a lane's bits depend on
no neighbour. Runs are scanned a few at a time (`ROWS`), and the sums (one value, P slopes, P (P +
1) / 2 curvatures) are carried along: a plain sum over all runs would let XLA compute each
exponential again in every one of them. What a run contributes comes from the law's jet (`_jets`),
which leaves out structural zeros and has taken logarithms of columns once per table. Longer
formulas take a quarter as many runs at a time: with eight the compiler leaves their loops scalar,
three times slower. The objective is a function of the predicted value alone, so its two derivatives
are two numbers per run,

    d sum / dx_i = sum w l' p_i,    d2 sum / dx_i dx_j = sum w (l'' p_i p_j + l' p_ij).

A law with an operation that jets do not know, or with more parameters than can be written out, is
differentiated as a whole instead (`_whole`): the same numbers, several times slower. Tests hold
both against each other.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..solvers import derivatives
from ._coordinates import Layout
from ._form import complete, evaluate, formula_of
from ._jets import Jet
from ._law import Law
from ._params import Param
from ._tape import Formula, Unknown

# runs at a time: with 128 lanes an intermediate fills 8 kB, and a few of them the first cache
ROWS = 8
# operations per sum up to which LLVM unrolls the loop over those runs, and then vectorises over
# lanes
SHORT = 16
# parameters; beyond, the number of sums is what takes the time, and compiling them takes minutes
WRITTEN_OUT = 30


@dataclass(frozen=True)
class Kernel:
    """A law's sums, ready to be traced: its formula as jets, or None where it is differentiated as
    a whole.
    """

    law: Law
    layout: Layout
    # columns and group codes in order; the length of vectors, 0 for numbers
    widths: tuple[tuple[str, int], ...]
    formula: Formula | None

    @property
    def written(self) -> bool:
        """Whether sums are written out term by term."""
        return self.formula is not None and self.layout.size <= WRITTEN_OUT

    def table(self, rows: dict[str, Any], codes: dict[str, Any]) -> list[Any]:
        """What the columns alone decide, each `(..., n)`; computed once per table. Columns are
        `(..., n)` or `(..., n, k)`.
        """
        columns = {}
        for name, size in self.widths:
            values = rows[name] if name in rows else codes[name]
            columns[name] = np.empty((size,) if size else (), object)
            for i in np.ndindex(columns[name].shape):
                columns[name][i] = values[..., i[0]] if size else values
        if not self.written:
            return [v for column in columns.values() for v in column.flat]
        assert self.formula is not None
        return self.formula.of_columns(columns)

    def columns(self, table: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Rows and codes of a table that was not turned into features (not `written`)."""
        flat, found = iter(table), {}
        for name, size in self.widths:
            values = [next(flat) for _ in range(max(size, 1))]
            found[name] = jnp.stack(values, -1) if size else values[0]
        return {c: found[c] for c in self.law.columns}, {
            k: v for k, v in found.items() if k not in self.law.columns
        }

    def jet(self, x: Any, unit: Any, table: list[Any], held: Any = None) -> Jet:
        """The law's value with derivatives by coordinate; x (P, T), table entries `(R, 1)` or `(R,
        T)`.

        `held` (P,) has numbers that stand for elements of parameters whatever their coordinates,
        NaN for the others.
        """
        assert self.formula is not None
        params = {k: _constants(v) for k, v in self.law.fixed.items()} | seeds(
            self.layout, x, unit, held
        )
        return self.formula(table, self.formula.of_params(params))


def kernel(law: Law, layout: Layout, rows: dict[str, Any], codes: dict[str, Any]) -> Kernel:
    """The kernel of a law on tables of this form; rows `(..., n)`, vectors `(..., n, k)`."""
    units = zip(law.columns, law.column_units, strict=True)
    widths = tuple((c, rows[c].shape[-1] if u.rank else 0) for c, u in units) + tuple(
        (g, 0) for g in sorted(codes)
    )
    return kernel_of(law, layout, widths)


def kernel_of(law: Law, layout: Layout, widths: tuple[tuple[str, int], ...]) -> Kernel:
    """The kernel of a law on columns and group codes of these lengths, 0 for numbers."""
    kinds = {c: jnp.float64 if c in law.columns else jnp.int32 for c, _ in widths}
    columns = {c: jax.ShapeDtypeStruct((k,) if k else (), kinds[c]) for c, k in widths}
    free = {
        name: ((groups,) if groups else ()) + spec.shape for name, spec, groups, _ in layout.blocks
    }
    shapes = {**{k: np.shape(v) for k, v in law.fixed.items()}, **free}
    params = {k: jax.ShapeDtypeStruct(shape, jnp.float64) for k, shape in shapes.items()}
    try:
        return Kernel(law, layout, widths, Formula(lambda c, p: _one(law, c, p), columns, params))
    except Unknown:
        return Kernel(law, layout, widths, None)


def _one(law: Law, columns: dict[str, Any], params: dict[str, Any]) -> Any:
    """The law of one run, from its columns and group codes and from all parameters."""
    values = complete(dataclasses.replace(law, fixed={}), params)
    specs, groups = dict(law.specs), dict(law.groups)
    groups |= {k: groups[master] for k, master in law.ties if master in groups}
    for k, g in groups.items():
        if np.ndim(values[k]) > len(specs[k].shape):
            member = jnp.reshape(
                columns[g] == jnp.arange(values[k].shape[0]), (-1,) + (1,) * len(specs[k].shape)
            )
            values[k] = jnp.sum(jnp.where(member, values[k], 0.0), 0)
    return formula_of(law)(*(columns[c] for c in law.columns), **values)


def _constants(value: Any) -> np.ndarray:
    out = np.empty(np.shape(value), object)
    for i in np.ndindex(out.shape):
        out[i] = Jet(value[i] if i else value)
    return out


def seeds(layout: Layout, x: Any, unit: Any, held: Any = None) -> dict[str, np.ndarray]:
    """Natural parameters as jets in the coordinates x (P, T): object arrays of the parameters'
    shapes.
    """
    out = {}
    for name, spec, groups, start in layout.blocks:
        shape = ((groups,) if groups else ()) + spec.shape
        first = range(start, start + max(groups, 1) * spec.size, spec.size)
        flat = [
            jet
            for i in first
            for jet in _seeds(spec, x[i : i + spec.size], unit[i : i + spec.size], i)
        ]
        # exp(ln v) need not be v, and a step in a law may hang on it
        if held is not None and spec.support != "simplex":
            places = [i + k for i in first for k in range(spec.size)]
            flat = [
                Jet(jnp.where(jnp.isnan(held[k]), j.value, held[k]), j.first, j.second)
                for k, j in zip(places, flat, strict=True)
            ]
        out[name] = np.empty(len(flat), object)
        out[name][:] = flat
        out[name] = out[name].reshape(shape)
    return out


def _seeds(spec: Param, x: Any, unit: Any, start: int) -> list[Jet]:
    """One parameter, element by element, from its coordinates (size, T)."""
    each = range(spec.size)
    if spec.support == "real":
        return [Jet(x[k] * unit[k], {start + k: unit[k]}) for k in each]
    if spec.logarithmic:  # the exponential is its own derivative: one array serves all three
        values = [spec.element(x[k]) for k in each]
        return [Jet(v, {start + k: v}, {(start + k, start + k): v}) for k, v in enumerate(values)]

    def lanes(function: Any) -> Any:
        return jax.vmap(function, in_axes=-1, out_axes=-1)(x)

    def natural(u: Any) -> Any:
        return jnp.reshape(spec.natural(u), (-1,))

    value, first, second = (
        lanes(natural),
        lanes(jax.jacfwd(natural)),
        lanes(jax.jacfwd(jax.jacfwd(natural))),
    )
    # every share has every coordinate
    own = {k: each if spec.support == "simplex" else [k] for k in range(len(value))}
    return [
        Jet(
            value[k],
            {start + a: first[k, a] for a in own[k]},
            {(start + a, start + b): second[k, a, b] for a in own[k] for b in own[k] if a <= b},
        )
        for k in own
    ]


def sums(
    kernel: Kernel,
    x: Any,
    unit: Any,
    table: list[Any],
    target: Any,
    weights: Any,
    objective: Any,
    *,
    rows: int = ROWS,
    gram: bool = False,
    count: Any = None,
    held: Any = None,
) -> tuple[Any, ...]:
    """Value (T,), gradient (P, T), Hessian (P, P, T) at x (P, T); and with `gram` the matrix of the
    residuals' slopes.

    `table` and `target` are `(n, 1)` or, where lanes have tables of their own, `(n, T)`; weights
    (n, T); numbers of the objective are scalars or (T,). `gram` (P, P, T) is sum w r_i r_j, from
    which identifiability is judged. With `count` the first so many rows are summed, whose number is
    then no part of the program; `held` is that of `Kernel.jet`.
    """
    if not kernel.written:
        return _whole(
            kernel,
            x,
            unit=unit,
            table=table,
            target=target,
            weights=weights,
            objective=objective,
            gram=gram,
        )
    size, lanes = x.shape

    def run(chunk: Any) -> dict[Any, Any]:
        features, y, w = chunk
        p = kernel.jet(x, unit, features, held)
        loss, psi, curved = outer(objective.loss, objective.residual(p.value, y))
        # ln p has slope 1 / p and curvature -1 / p^2. Written so that a division comes last: XLA
        # keeps its results, where it would do sums and products again in each of the sums below.
        w_slope, w_curve = (
            (w * psi / p.value, w * (curved - psi) / p.value**2)
            if objective.log
            else (w * psi, w * curved)
        )
        out = {("value", 0, 0): w * loss} | {
            ("slope", i, 0): w_slope * g for i, g in p.first.items()
        }
        for i, a in p.first.items():
            for j, b in p.first.items():
                if i <= j:
                    out["curve", i, j] = w_curve * a * b + (
                        w_slope * p.second[i, j] if (i, j) in p.second else 0.0
                    )
        if gram:
            root = w / p.value**2 if objective.log else w
            out |= {
                ("gram", i, j): root * a * b
                for i, a in p.first.items()
                for j, b in p.first.items()
                if i <= j
            }
        return {k: jnp.sum(jnp.broadcast_to(v, w.shape), 0) for k, v in out.items()}

    jaxpr, shapes = jax.make_jaxpr(run, return_shape=True)(
        jax.tree.map(lambda v: v[:rows], (table, target, weights))
    )
    rows = rows if len(jaxpr.eqns) <= SHORT * len(shapes) else max(1, rows // 4)
    chunks = jax.tree.map(lambda v: v.reshape(-1, rows, v.shape[-1]), (table, target, weights))
    zero = {k: jnp.zeros(v.shape, v.dtype) for k, v in shapes.items()}

    def added(so_far: Any, chunk: Any) -> Any:
        return {k: v + so_far[k] for k, v in run(chunk).items()}

    if count is None:
        total, _ = jax.lax.scan(lambda so_far, chunk: (added(so_far, chunk), None), zero, chunks)
    else:
        last = (count + rows - 1) // rows
        total = jax.lax.fori_loop(
            0, last, lambda i, so_far: added(so_far, jax.tree.map(lambda v: v[i], chunks)), zero
        )
    none = jnp.zeros(lanes, x.dtype)

    def square(name: str) -> Any:
        pairs = [
            [total.get((name, min(i, j), max(i, j)), none) for j in range(size)]
            for i in range(size)
        ]
        return jnp.stack([jnp.stack(row) for row in pairs])

    gradient = jnp.stack([total.get(("slope", i, 0), none) for i in range(size)])
    return total["value", 0, 0], gradient, square("curve"), *([square("gram")] if gram else [])


def per_run(
    kernel: Kernel, x: Any, unit: Any, table: list[Any], held: Any = None
) -> tuple[Any, Any]:
    """The law's values (n, T) at x (P, T) and their slopes (P, n, T); table entries `(n, T)`."""
    if not kernel.written:

        def predicted(u: Any, own: list[Any]) -> Any:
            rows, codes = kernel.columns(own)
            return evaluate(kernel.law, rows, kernel.layout.unpack(u * unit), codes)

        def lanes(function: Any) -> Any:
            return jax.vmap(function, in_axes=-1, out_axes=-1)(x, table)

        return lanes(predicted), jnp.moveaxis(lanes(jax.jacfwd(predicted)), 1, 0)
    p, shape = kernel.jet(x, unit, table, held), table[0].shape
    none = jnp.zeros(shape)
    slopes = [jnp.broadcast_to(p.first.get(i, none), shape) for i in range(len(x))]
    return jnp.broadcast_to(p.value, shape), jnp.stack(slopes)


def outer(function: Any, at: Any) -> tuple[Any, Any, Any]:
    """Value and two derivatives of an elementwise function."""
    one = jnp.ones_like(at)

    def slope(v: Any) -> Any:
        return jax.jvp(function, (v,), (one,))[1]

    return function(at), *jax.jvp(slope, (at,), (one,))


def _whole(
    kernel: Kernel,
    x: Any,
    unit: Any,
    table: list[Any],
    target: Any,
    weights: Any,
    objective: Any,
    gram: bool,
) -> tuple[Any, ...]:
    """The same sums by automatic differentiation of one lane at a time."""
    law, layout, lanes = kernel.law, kernel.layout, x.shape[1]
    objective = jax.tree.map(lambda v: jnp.broadcast_to(v, (lanes,)), objective)
    own = jax.tree.map(lambda v: jnp.broadcast_to(v, (v.shape[0], lanes)), (table, target, weights))

    def lane(u: Any, own: Any, objective: Any) -> tuple[Any, ...]:
        table, y, w = own
        rows, codes = kernel.columns(table)

        def predicted(v: Any) -> Any:
            return evaluate(law, rows, layout.unpack(v * unit), codes)

        found = derivatives(lambda v: jnp.sum(w * objective(predicted(v), y)), u)
        if not gram:
            return found
        jacobian = (
            jax.jacfwd(lambda v: objective.residual(predicted(v), y))(u) * jnp.sqrt(w)[:, None]
        )
        return *found, jacobian.T @ jacobian

    return jax.vmap(lane, in_axes=-1, out_axes=-1)(x, own, objective)
