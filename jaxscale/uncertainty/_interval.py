"""`interval`: from an ensemble to low, median and high, for parameters or for anything computed from a law.

The percentile form takes quantiles over the ensemble. It is honest where refits scatter like new experiments would:
independent rows (or whole clusters), enough of them, and a law that holds. A parameter that the fit does not identify
or that runs to an edge has no interval, whatever the refits say: it gets the edges of its support, never width 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .._law import Law
from .._maps import over_ensemble
from .._results import Fit, Interval

KINDS = ("percentile",)


def interval(
    ensemble: Any, *, of: Callable[[Law], Any] | None = None, kind: str = "percentile", level: float = 0.95, axis: int = 0
) -> Any:
    """Interval(s) at `level`, in the units of what is given.

    `interval(boot)` gives one per parameter, by name; `interval(boot, of=f)` one for `f(bound law)`, any traceable
    function, such as `lambda law: jsl.allocate(law, 1e24)["N"]`; `interval(tree, axis=0)` one for each array of draws.
    Values that are not finite are left out and counted in `.failed`.

    Raises TypeError for a single fit, ValueError for an unknown kind or where nothing is finite.

    >>> import numpy as np
    >>> print(interval(np.arange(101.0), level=0.9))
    50 (5 to 95, 90% percentile)

    Source: Efron 1979, the percentile method.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: there is {', '.join(KINDS)}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level}: a probability such as 0.95")
    if not isinstance(ensemble, Fit):
        if of is not None:
            raise TypeError("of= needs an ensemble from bootstrap(...), not arrays")
        return jax.tree.map(lambda draws: _percentile(draws, level, axis), ensemble)
    ensemble.one_cell("interval()")
    if np.ndim(ensemble.value) == 0:
        raise TypeError("interval() needs an ensemble: interval(bootstrap(fit, 4_000))")
    if of is not None:
        return jax.tree.map(lambda draws: _percentile(draws, level, 0), over_ensemble(ensemble, of))
    specs = dict(ensemble.problem.law.specs)
    unknown = dict.fromkeys((name.split("[")[0] for name in ensemble.certificate.at_bound), "at its edge")
    unknown |= dict.fromkeys((name.split("[")[0] for name in ensemble.certificate.flat), "not identified")
    tied = dict(ensemble.problem.law.ties)
    out = {}
    for name, draws in ensemble.params.items():
        found = _percentile(draws, level, 0)
        why = unknown.get(tied.get(name, name))
        if why is not None:
            low, high = specs[name].edges
            found = Interval(np.full_like(found.low, low), found.median, np.full_like(found.high, high), level, why)
        out[name] = found
    return out


def _percentile(draws: Any, level: float, axis: int) -> Interval:
    draws = np.moveaxis(np.asarray(draws, np.float64), axis, 0)
    finite = np.isfinite(draws)
    if not finite.any():
        raise ValueError("interval(): no draw is finite; look at the status of the refits")
    tail = 0.5 * (1.0 - level)
    kept = np.where(finite, draws, np.nan)
    low, median, high = np.nanquantile(kept, [tail, 0.5, 1.0 - tail], axis=0)
    return Interval(low, median, high, level, "percentile", int(len(draws) - finite.reshape(len(draws), -1).all(1).sum()))
