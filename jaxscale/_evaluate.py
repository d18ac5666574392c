"""Evaluating a law: the pure core, from rows, parameters of one lane and group codes to values.

A law is a function of one run; here it is mapped over rows. Everything in this file is traceable and knows nothing of
checks, which belong to the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from ._law import Law


def complete(law: Law, params: dict[str, Any]) -> dict[str, Any]:
    """Free values plus fixed and tied ones, in the order of the signature."""
    known = {**law.fixed, **params}
    for k, master in law.ties:
        known[k] = known[master]
    return {k: known[k] for k, _ in law.specs}


def evaluate(law: Law, rows: dict[str, Any], params: dict[str, Any], codes: dict[str, Any]) -> Any:
    """Values `(n,)` of the law for rows of columns `(n, ...)`, parameters of one lane and group codes `(n,)`."""
    values = complete(law, params)
    specs, groups = dict(law.specs), dict(law.groups)
    groups |= {k: groups[master] for k, master in law.ties if master in groups}
    grouped = {k: _of_group(values[k], codes[g]) for k, g in groups.items() if np.ndim(values[k]) > len(specs[k].shape)}

    def one(row: dict[str, Any], own: dict[str, Any]) -> Any:
        return jnp.asarray(law.function(*(row[c] for c in law.columns), **{**values, **own}))

    return jax.vmap(one)({c: rows[c] for c in law.columns}, grouped)


def _of_group(values: Any, codes: Any) -> Any:
    """Each run's own value (n, ...) from one per group (G, ...), as a sum over groups.

    Not an index: the derivative of a gather is a scatter, which is slow inside lanes.
    """
    member = codes[:, None] == jnp.arange(values.shape[0])
    total = jnp.tensordot(member.astype(jnp.result_type(values)), values, 1)
    known = jnp.reshape(jnp.any(member, 1), (-1,) + (1,) * (values.ndim - 1))
    return jnp.where(known, total, jnp.nan)  # a code of no group is no parameter of 0


def broadcast(law: Law, rows: dict[str, Any], params: dict[str, Any], codes: dict[str, Any]) -> Any:
    ranks = {c: u.rank for c, u in zip(law.columns, law.column_units, strict=True)} | dict.fromkeys(codes, 0)
    both = {k: jnp.asarray(v) for k, v in {**rows, **codes}.items()}
    runs = {k: v.shape[: v.ndim - ranks[k]] for k, v in both.items()}
    shape = jnp.broadcast_shapes(*runs.values())
    flat = {
        k: jnp.reshape(jnp.broadcast_to(v, shape + v.shape[v.ndim - ranks[k] :]), (-1, *v.shape[v.ndim - ranks[k] :]))
        for k, v in both.items()
    }
    out = evaluate(law, {c: flat[c] for c in law.columns}, params, {g: flat[g] for g in codes})
    return jnp.reshape(out, shape)


broadcast_jit = jax.jit(broadcast)


def to_numpy64(tree: Any) -> Any:
    """Leaves as float64 NumPy arrays."""
    return jax.tree.map(lambda v: np.asarray(v, np.float64), tree)
