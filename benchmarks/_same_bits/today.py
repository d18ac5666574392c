"""Verbs by one name on every tree: a method or a room of today where the tree has it, else the function of before.

`today.regret(plan)` calls `plan.regret()`, and `jsl.regret(plan)` on a tree without that method. What a keyword was called
before stands in `BEFORE`.
"""

import jaxscale as jsl

METHODS = {  # the noun that has it as a method, and its name there
    "near_optimal": (jsl.Allocation, "near_optimal"),
    "regret": (jsl.Allocation, "regret"),
    "decide": (jsl.Allocation, "decide"),
    "score": (jsl.Forecast, "score"),
    "with_helper": (jsl.Runs, "with_helper"),
    "joint": (jsl.Law, "then"),
}


def method(name):
    """The method, called with its noun first; the function where the noun has none."""
    noun, own = METHODS[name]
    if not hasattr(noun, own):
        return getattr(jsl, name)
    return lambda first, *rest, **options: getattr(first, own)(*rest, **options)


def __getattr__(name):
    if name in METHODS:
        return method(name)
    raise AttributeError(name)
