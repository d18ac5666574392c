"""A question's answers: one plan for each law (a fit's, or every refit's), each of its limits and
each choice.

Laws, limits and choices are laid out as lanes, run through the search side by side, and given back
with their axes.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._problem import bound
from ..fitting._results import Fitted, flat
from ..formula._form import check_codes
from ..formula._law import Law
from ..ground._trees import to_numpy
from ._lanes import answered, planned
from ._question import Put


def first_law(fit: Fitted) -> Law:
    """The bound law of a fit, or of the first lane of an ensemble: its shape is that of all."""
    tied = dict(fit.problem.law.ties)
    return bound(fit.problem, {k: v[0] for k, v in flat(fit).items() if k not in tied})


def solved(asked: Put, fitted: Fitted | None, *, per_law: bool = False) -> dict[str, Any]:
    """Plans of every lane: axes of the ensemble, then of the limits (..., m), then of the choices.

    With `per_law` the limits begin with the axes of the ensemble.
    """
    choices = len(next(iter(asked.options.values()), [0]))
    law, limits, lead, many = spread(asked, fitted, per_law=per_law)
    lanes = int(np.prod(lead, dtype=int)) * choices
    place, choice = np.divmod(np.arange(lanes), choices)
    options = {k: of_lanes(v, choice) for k, v in asked.options.items()}
    law = {k: of_lanes(v, place // many) for k, v in law.items()}
    limits = of_lanes(limits, place if per_law else place % many)
    found = planned(to_numpy(asked.question), (law, options), limits)
    lead = (*lead, *((choices,) if asked.options else ()))
    shaped: dict[str, Any] = jax.tree.map(lambda v: v.reshape(lead + v.shape[1:]), found)
    return shaped


def spread(
    asked: Put, fitted: Fitted | None, *, per_law: bool = False
) -> tuple[dict[str, Any], Any, tuple[int, ...], int]:
    """Parameters of every law, rows of limits (rows, m), axes of the lanes, and the number of
    limits of each law.
    """
    law = asked.question.law
    for parameter, group in law.groups:
        if np.ndim(law.fixed[parameter]) > len(dict(law.specs)[parameter].shape):
            check_codes(
                law.name, group, asked.question.oracle.codes[group], len(law.fixed[parameter])
            )
    lead = np.shape(fitted.value) if fitted is not None else ()
    values = (
        {k: np.asarray(v)[None] for k, v in law.fixed.items()} if fitted is None else flat(fitted)
    )
    shape = asked.limits.shape[len(lead) if per_law else 0 : -1]
    limits = asked.limits.reshape(
        int(np.prod(asked.limits.shape[:-1], dtype=int)), asked.limits.shape[-1]
    )
    return (
        {k: v for k, v in values.items() if k in law.fixed},
        limits,
        (*lead, *shape),
        int(np.prod(shape, dtype=int)),
    )


def of_lanes(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Entries (..., T) of values (n, ...), lanes last."""
    return np.moveaxis(np.asarray(values)[index], 0, -1)


def traced_plans(asked: Put) -> dict[str, Any]:
    """Plans of a question that JAX traces: axes of the limits (..., m), then of the choices."""
    limits, question = jnp.asarray(asked.limits), asked.question
    choices = len(next(iter(asked.options.values()), [0]))
    lead = limits.shape[:-1]
    rows = limits.reshape(int(np.prod(lead, dtype=int)), limits.shape[-1])
    place, choice = np.divmod(np.arange(len(rows) * choices), choices)
    own = jax.tree.map(
        lambda v: jnp.repeat(jnp.asarray(v)[..., None], len(place), -1), dict(question.law.fixed)
    )
    options = {k: jnp.moveaxis(jnp.asarray(v)[choice], 0, -1) for k, v in asked.options.items()}
    found = answered(question, (own, options), rows[place].T)
    lead = (*lead, *((choices,) if asked.options else ()))
    shaped: dict[str, Any] = jax.tree.map(lambda v: v.reshape(lead + v.shape[1:]), found)
    return shaped
