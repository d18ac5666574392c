"""Any optax optimiser as a solver spec: a factory and its arguments, vmapped over lanes.

A spec is a recipe, not an optimiser: it hashes and pickles by value, where an optax object hashes
by identity. A bare optax object is accepted inside one process (`as_solver`); each new object then
compiles once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax

from ..ground._errors import refuse_type


class Optax:
    """`Optax(optax.adam, 1e-2)`, `Optax(optax.lbfgs)`: an optax factory, its arguments, and how
    long it may run.

    Steps of a first-order method never become small by themselves, so give `max_steps`; the
    certificate says whether the end is an optimum.

    >>> import optax
    >>> Optax(optax.adam, 1e-2) == Optax(optax.adam, 1e-2)
    True
    """

    second_order = False

    def __init__(
        self, factory: Callable[..., Any], *arguments: Any, max_steps: int = 2000, **keywords: Any
    ) -> None:
        self._key = (factory, arguments, max_steps, tuple(sorted(keywords.items())))

    @property
    def portable(self) -> bool:
        """Whether this is a recipe, which travels and is described by its text, and not somebody's
        optax object.
        """
        return not isinstance(self._key[0], _Same)

    @property
    def max_steps(self) -> int:
        """Trials at most."""
        return int(self._key[2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Optax) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        factory, arguments, max_steps, keywords = self._key
        parts = [
            getattr(factory, "__name__", repr(factory)),
            *map(repr, arguments),
            *(f"{k}={v!r}" for k, v in keywords),
        ]
        return f"Optax({', '.join(parts)}, max_steps={max_steps})"

    def build(self, value: Callable[[Any, Any], Any]) -> optax.GradientTransformationExtraArgs:
        """The factory's transformation under `vmap` over the last axis, so that every state leaf
        ends in lanes.
        """
        factory, arguments, _, keywords = self._key
        tx = optax.with_extra_args_support(factory(*arguments, **dict(keywords)))

        def lane(g: Any, state: Any, x: Any, v: Any, own: Any) -> Any:
            return tx.update(g, state, x, value=v, grad=g, value_fn=lambda trial: value(trial, own))

        def update(
            g: Any,
            state: Any,
            x: Any = None,
            *,
            value: Any,
            lanes: Any,
            curvature: Any = None,
            **unused: Any,
        ) -> Any:
            if "lower" in unused:
                raise refuse_type(
                    "optax solvers: bounds on coordinates",
                    why="optax moves coordinates freely",
                    change="solvers.Newton()",
                )
            return jax.vmap(lane, in_axes=-1, out_axes=-1)(g, state, x, value, lanes)

        return optax.GradientTransformationExtraArgs(
            jax.vmap(tx.init, in_axes=-1, out_axes=-1), update
        )


def as_solver(solver: Any) -> Any:
    """A spec as it is; a bare optax object wrapped (compiles once per object)."""
    if isinstance(solver, optax.GradientTransformation):
        return Optax(_Same(solver))
    if not all(hasattr(solver, name) for name in ("build", "max_steps", "second_order")):
        raise refuse_type(
            f"solver={solver!r}",
            why="a name or an optimiser was given",
            change="solvers.Newton(), or solvers.Optax(optax.adam, 1e-2)",
        )
    return solver


class _Same:
    """A factory that returns one given object; hashes by that object's identity."""

    def __init__(self, tx: Any) -> None:
        self.tx = tx

    def __call__(self) -> Any:
        return self.tx

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.tx is other.tx

    def __hash__(self) -> int:
        return id(self.tx)
