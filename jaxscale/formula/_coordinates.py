"""Coordinates: all free parameters of a law as one vector without bounds, which is what solvers
see.

The order is that of the law's signature; a parameter `per` group has one block of coordinates per
group. `Layout` is static: it knows names, supports and positions, and belongs to the compile key.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._law import Law
from ._params import Param


@dataclass(frozen=True)
class Layout:
    """Blocks `(name, spec, groups, start)`; `groups` is 0 where the parameter is shared by all
    runs.
    """

    blocks: tuple[tuple[str, Param, int, int], ...]
    size: int

    def unpack(self, x: Any) -> dict[str, Any]:
        """Coordinates (P,) -> natural values by name; of NumPy arrays NumPy arrays, and many: (...,
        P) -> (..., *shape).
        """
        params = {}
        for name, spec, groups, start in self.blocks:
            block = x[..., start : start + max(groups, 1) * spec.size]
            # one by one: XLA rounds exponentials of vectors otherwise
            if groups and isinstance(x, jax.Array):
                params[name] = jnp.stack([spec.natural(own) for own in jnp.split(block, groups)])
            else:
                params[name] = spec.natural(
                    block.reshape(*x.shape[:-1], *[groups] * (groups > 0), spec.size)
                )
        return params

    def pack(self, params: dict[str, Any]) -> Any:
        """Natural values by name -> coordinates (P,)."""
        parts = []
        for name, spec, groups, _ in self.blocks:
            values = [params[name]] if not groups else [params[name][g] for g in range(groups)]
            parts += [spec.coordinates(jnp.asarray(v)) for v in values]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def each(self, fact: Any) -> np.ndarray:
        """One number per coordinate from `fact(spec)`."""
        return np.asarray(
            [
                fact(spec)
                for _, spec, groups, _ in self.blocks
                for _ in range(max(groups, 1) * spec.size)
            ]
        )

    def names(self, labels: dict[str, tuple[str, ...]]) -> list[str]:
        """A name per coordinate; `labels` are those of the groups that a parameter has a value for
        each of.
        """
        return [
            element(name, label, *place)
            for name, spec, _, _ in self.blocks
            for label in labels.get(name, ("",))
            for place in itertools.islice(np.ndindex(spec.shape), spec.size)
        ]


def element(name: str, *place: str | int) -> str:
    """Name of an element of a parameter, as certificates write it: `A`, `E[Pythia]`, `t[2]`."""
    inside = ",".join(str(i) for i in place if i != "")
    return f"{name}[{inside}]" if inside else name


def layout(law: Law, sizes: dict[str, int]) -> Layout:
    """The layout of a law's free parameters; `sizes` gives the number of groups in each group
    column.
    """
    blocks, start, groups = [], 0, dict(law.groups)
    for name, spec in law.free.items():
        count = sizes[groups[name]] if name in groups else 0
        blocks.append((name, spec, count, start))
        start += max(count, 1) * spec.size
    return Layout(tuple(blocks), start)
