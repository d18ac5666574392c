"""Solvers: frozen specs, built into optax transformations when a program is traced.

A spec says which transformation to build and how long it may run; it hashes by value, so the same
spec never recompiles. `Newton()` is the default everywhere. `Optax(optax.adam, 1e-2)` or
`Optax(optax.lbfgs)` runs any optax optimiser through the same driver, with the same certificate:
whether it converged is not the solver's opinion. May import: optax, and nothing of ours.
"""

from ._cholesky import namespace, solve_positive
from ._driver import Search, Solved, advance, begin, derivatives, derived_oracle, minimise
from ._newton import Newton
from ._optax import Optax, as_solver

__all__ = [
    "Newton",
    "Optax",
    "Search",
    "Solved",
    "advance",
    "as_solver",
    "begin",
    "derivatives",
    "derived_oracle",
    "minimise",
    "namespace",
    "solve_positive",
]
