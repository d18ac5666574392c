"""The scale on which an interval is symmetrical: ln of what is positive, the logit of what lies
between two edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._law import Law
from ..formula._params import Param
from ..ground._interval import Interval


@dataclass(frozen=True)
class Parameters:
    """All parameters, each on its scale; equal by value, so that one program serves all calls."""

    specs: tuple[tuple[str, Param], ...]
    traced_once = True

    def __call__(self, law: Law) -> Any:
        return {k: spec.on_line(jnp.asarray(law.params[k])) for k, spec in self.specs}


@dataclass(frozen=True)
class Scale:
    """What is computed, on the scale on which its interval is symmetrical: parameters, or a
    function of the law.
    """

    law: Law
    of: Callable[[Law], Any] | None
    log: bool

    @property
    def quantity(self) -> Callable[[Law], Any]:
        """The function of the bound law."""
        of = self.of
        if of is None:
            return Parameters(self.law.specs)
        return lambda law: jax.tree.map(
            lambda v: jnp.log(v) if self.log else jnp.asarray(v), of(law)
        )

    def back(self, found: Any) -> Any:
        """Intervals in natural units from intervals on the scale."""
        if self.of is None:
            specs = dict(self.law.specs)
            return {k: _mapped(specs[k].from_line, i) for k, i in found.items()}
        return (
            jax.tree.map(lambda i: _mapped(np.exp, i), found, is_leaf=is_interval)
            if self.log
            else found
        )


def _mapped(function: Callable[[Any], Any], i: Interval) -> Interval:
    with np.errstate(over="ignore"):  # an interval without an end
        return i.each(function)


def is_interval(value: Any) -> bool:
    return isinstance(value, Interval)
