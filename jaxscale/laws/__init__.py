"""Laws: formulas from the literature, each in the letters of its paper, with published coefficients and their source.

`laws.chinchilla(N, D, ...)` evaluates, `laws.chinchilla.published["hoffmann2022"]` is a bound law, and any law is a
template for your own: copy the function, change the formula.
"""

from .loss import busbridge, chinchilla, kaplan, power_law

__all__ = ["busbridge", "chinchilla", "kaplan", "power_law"]
