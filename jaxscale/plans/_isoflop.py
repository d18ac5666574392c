"""The classic estimators of compute-optimal size, for comparison with a fitted law.

Before a law of N and D is fitted, a sweep can be read directly. Along an *isoFLOP* curve, runs of
one budget C and many sizes N, the loss has a minimum: the best size at that budget (`isoflop`,
Approach 2 of Hoffmann et al. 2022). Or the *envelope* of all training curves, the lowest loss that
any size has reached by C, names the best size there (kind "envelope", Approach 1). Both end in a
straight line, ln N against ln C, whose slope is the exponent of N* = k C^a. Neither assumes a law,
and both are biased by the grid of sizes and budgets, even without noise: a parabola is not the
shape of the curve, and an envelope knows only the sizes there are. `_approaches` measures that bias
on the user's own grid, next to the fitted law.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from .. import costs as _costs
from ..ground._errors import nearest, refuse
from ..ground._interval import Interval
from ..ground._roots import halved
from ..ground._tails import student
from ..table._runs import Runs
from ._well_posed import reads

_BUDGET = 0.2  # in ln C: runs of one budget differ by no more
_SIZE = 0.01  # in ln N: what differs less is one size
_DEGREE = {"parabola": 2, "cubic": 3}
# sizes per budget: a polynomial that only interpolates hides its noise
_LEAST = {"parabola": 4, "cubic": 5, "akima": 5}
KINDS = ("envelope", *_LEAST)


@dataclass(frozen=True, eq=False)
class IsoFLOP:
    """Best sizes `N` [parameters] and `D` [tokens], with their `loss`, at budgets `C`: arrays
    (minima,), ascending in C.

    `kind` says how they were found. The lines through them are N = constants["N"] C^exponents["N"],
    and so for D; `interval` of the exponent of N is Student's, at 95 %, from the scatter about the
    line: it knows nothing of bias, and is None where there is no scatter to judge by (two minima,
    an envelope). `dropped` lists what gave no minimum: (C, reason).
    """

    kind: str
    C: np.ndarray
    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    constants: dict[str, float]
    exponents: dict[str, float]
    interval: Interval | None
    dropped: tuple[tuple[float, str], ...]

    def predict(self, budget: Any) -> dict[str, np.ndarray]:
        """N [parameters] and D [tokens] on the lines at `budget` [in the units of the cost], with
        the shape of `budget`.
        """
        budgets = _positive(budget)
        return {
            name: np.asarray(self.constants[name] * budgets ** self.exponents[name])
            for name in ("N", "D")
        }

    def __repr__(self) -> str:
        lines = ", ".join(
            f"{v} = {self.constants[v]:.4g} C^{self.exponents[v]:.4f}" for v in ("N", "D")
        )
        spread = (
            ""
            if self.interval is None
            else f" ({self.interval.low:.4f} to {self.interval.high:.4f} for N)"
        )
        return (
            f"<IsoFLOP {self.kind}: {lines}{spread}; {_found(self.kind, len(self.C))}, "
            f"{_counted(self.dropped)}>"
        )


def isoflop(
    runs: Runs, *, kind: str = "parabola", cost: Any = None, points: int | None = None
) -> IsoFLOP:
    """Best N [parameters] and D [tokens] at budgets of a sweep, and the power laws through them
    (Approaches 1 and 2).

    `cost` is a function of N and D (default `costs.Train()`, 6 N D, in FLOP). Rows are put into
    budgets by their cost: the window of 0.2 in ln C (a factor of 1.22 from end to end) that holds
    the most rows is a budget, with the geometric mean of its rows as its C; then the fullest window
    of what is left, and so on. So budgets may be noisy and stray runs may lie between them, but
    budgets closer than that are taken for one. Within a budget, sizes that differ by less than 1 %
    are one size and their losses are averaged by weight. Other groups (families, seeds) are pooled:
    choose one with `runs.where`.

    Per budget, the loss against ln N is a least-squares "parabola" (at least 4 sizes) or "cubic"
    (5), or is interpolated by "akima" (5), which follows the runs and their noise. A budget is
    dropped, with its reason, where it has too few sizes, where the parabola opens downwards, and
    where the curve is lowest at an end of the sizes.

    An "envelope" needs no budgets: it is the size of the lowest training curve at each of `points`
    (1,500) of them. A curve is a run, where a `run` column groups several rows (checkpoints); else
    all rows of one size (1 %). Curves are linear in (ln C, loss) and end where their rows end.
    Budgets are log-spaced over all rows; the arrays of the result hold those that count. Dropped,
    with their reason, are budgets that no curve or curves of one size only reach, and those where
    the smallest or the largest size that reaches them wins: the best may lie beyond. Neighbouring
    points share their runs, so that there is no interval.

    Raises InputError where fewer than two minima or points are left.

    >>> import numpy as np
    >>> from jaxscale import Runs, laws
    >>> law = laws.chinchilla.published["besiroglu2024"]
    >>> C, N = np.repeat([1e19, 1e20, 1e21], 9), np.outer([2.5e8, 8e8, 2.7e9],
    ...     np.geomspace(0.3, 3, 9)).ravel()
    >>> found = isoflop(Runs.from_columns(N=N, D=C / (6 * N), loss=law(N, C / (6 * N))))
    >>> print(str(found).replace("; ", "\\n"))
    <IsoFLOP parabola: N = 0.0477 C^0.5126, D = 3.494 C^0.4874 (0.5120 to 0.5132 for N)
    3 minima, 0 dropped>
    >>> float(f"{found.predict(1e23)['N']:.4g}")
    29370000000.0
    >>> N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e10, 15),
    ...     np.geomspace(1e9, 1e12, 60)))
    >>> found = isoflop(Runs.from_columns(N=N, D=D, loss=law(N, D)), kind="envelope")
    >>> round(found.exponents["N"], 2), len(found.C), len(found.dropped)
    (0.51, 1086, 414)

    Source: Hoffmann et al. 2022, sections 3.1 (envelope) and 3.2 (parabola); Porian et al. 2024
    (Akima, minima inside the sizes only). How budgets are grouped and that the edges of an envelope
    are left out is ours.
    """
    if kind not in KINDS:
        raise refuse(
            f"isoflop: kind {kind!r}", why="a typing slip", change=nearest(kind, KINDS).strip()
        )
    if kind == "envelope":
        return _envelope(runs, cost, 1500 if points is None else points)
    if points is not None:
        raise refuse(
            f"isoflop: points={points!r} of kind {kind!r}",
            why="budgets are those of the runs; an envelope has points",
            change='kind="envelope", or leave points out',
        )
    table = _read(runs, cost)
    kept, dropped = [], []
    for rows in _budgets(table.c):
        c = float(np.exp(np.average(table.c[rows], weights=table.weights[rows])))
        sizes = _groups(table.n[rows], _SIZE)
        if len(sizes) < _LEAST[kind]:
            dropped.append((c, f"fewer than {_LEAST[kind]} sizes"))
            continue
        weights = np.array([table.weights[rows][s].sum() for s in sizes])
        x, y = (
            np.array([np.average(v[rows][s], weights=table.weights[rows][s]) for s in sizes])
            for v in (table.n, table.loss)
        )
        at, least, reason = _minimum(kind, x, y, weights)
        if reason:
            dropped.append((c, reason))
        else:
            kept.append((c, np.exp(at), least))
    return _line(kind, kept, dropped, table.cost)


def _envelope(runs: Runs, cost: Any, points: int) -> IsoFLOP:
    """The sizes of the lowest curves at `points` budgets."""
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise refuse(
            f"isoflop: points={points!r}",
            why="a line needs two",
            change="a whole number, such as 1500",
        )
    table = _read(runs, cost)
    if table.curves is not None:
        curves = [np.flatnonzero(table.curves == code) for code in np.unique(table.curves)]
    else:
        curves = _groups(table.n, _SIZE)
    at = np.linspace(table.c.min(), table.c.max(), points)
    sizes, losses, dropped = [], [], []
    for rows in curves:
        x, place = np.unique(table.c[rows], return_inverse=True)
        weights = np.bincount(place, table.weights[rows])
        if len(x) < 2:
            dropped.append((float(np.exp(x[0])), "a curve of one point"))
            continue
        sizes.append(np.average(table.n[rows], weights=table.weights[rows]))
        y = np.bincount(place, table.weights[rows] * table.loss[rows]) / weights
        losses.append(np.interp(at, x, y, left=np.inf, right=np.inf))
    kept = []
    if sizes:
        n, loss = np.array(sizes)[:, None], np.array(losses)
        there = np.isfinite(loss)
        small = np.min(np.where(there, n, np.inf), 0)
        large = np.max(np.where(there, n, -np.inf), 0)
        winner = n[np.argmin(loss, 0), 0]
        for i, c in enumerate(np.exp(at)):
            reasons = {
                "no curve": not there[:, i].any(),
                "one size alone": large[i] - small[i] < _SIZE,
                "the smallest size wins": winner[i] - small[i] < _SIZE,
                "the largest size wins": large[i] - winner[i] < _SIZE,
            }
            if reason := next((r for r, holds in reasons.items() if holds), ""):
                dropped.append((float(c), reason))
            else:
                kept.append((c, np.exp(winner[i]), loss[:, i].min()))
    return _line("envelope", kept, dropped, table.cost)


@dataclass(frozen=True, eq=False)
class _Table:
    """The rows with a weight: ln N, ln of the cost, loss, weights, and the run of each row where
    runs have several.
    """

    n: np.ndarray
    c: np.ndarray
    loss: np.ndarray
    weights: np.ndarray
    curves: np.ndarray | None
    cost: Callable[..., Any]


def _read(runs: Runs, cost: Any) -> _Table:
    cost = _costs.Train() if cost is None else cost
    if missing := [name for name in ("N", "D") if name not in runs.columns]:
        raise refuse(
            f"isoflop: the table has no column {missing[0]!r}; it has {', '.join(runs.columns)}",
            why="its columns have other names, or only the compute was stored",
            change=f"Runs.from_csv(..., {missing[0]}='name in the file'), or D = C / (6 N)",
        )
    if runs.target is None:
        raise refuse(
            "isoflop: the table has no loss",
            why="it was made with target=None",
            change="give the loss as target=",
        )
    if set(columns := reads("isoflop", cost, ("N", "D"))) != {"N", "D"}:
        raise refuse(
            f"isoflop: the cost reads {', '.join(columns) or 'nothing'}",
            why="it is the cost of another question: here N follows from the runs, and D from N "
            "and the cost",
            change="a cost of N and D, such as lambda N, D: 6 * N * D",
        )
    used = np.flatnonzero(np.asarray(runs.weights) > 0)
    n, d = (np.asarray(runs[name], np.float64)[used] for name in ("N", "D"))
    spent = np.asarray(cost(N=n, D=d), np.float64)
    if len(bad := np.flatnonzero(~((n > 0) & (d > 0) & (spent > 0) & np.isfinite(spent)))):
        i = bad[0]
        raise refuse(
            f"isoflop: N {n[i]:g}, D {d[i]:g} and cost {spent[i]:g} in row {used[i]}",
            why="a model without parameters or tokens stands for a baseline",
            change="leave it out: runs.where((runs['N'] > 0) & (runs['D'] > 0))",
        )
    curves = np.asarray(runs.groups["run"])[used] if runs.clusters == "run" else None
    loss, weights = (np.asarray(v, np.float64)[used] for v in (runs.target, runs.weights))
    return _Table(
        n=np.log(n), c=np.log(spent), loss=loss, weights=weights, curves=curves, cost=cost
    )


def _budgets(c: np.ndarray) -> list[np.ndarray]:
    """Rows of each budget, ascending: the fullest window of `_BUDGET` first, the narrowest of
    equals.
    """
    left, found = np.argsort(c, kind="stable"), []
    while len(left):
        x = c[left]
        end = np.searchsorted(x, x + _BUDGET, side="right")
        width = x[end - 1] - x
        first = np.lexsort((width, np.arange(len(x)) - end))[0]
        found.append(left[first : end[first]])
        left = np.delete(left, np.s_[first : end[first]])
    return sorted(found, key=lambda rows: float(c[rows[0]]))


def _groups(x: np.ndarray, width: float) -> list[np.ndarray]:
    """Rows whose `x` lies within `width` above the least of their group, ascending."""
    order, found = np.argsort(x, kind="stable"), []
    while len(order):
        count = int(np.searchsorted(x[order], x[order[0]] + width, side="right"))
        found.append(order[:count])
        order = order[count:]
    return found


def _minimum(
    kind: str, x: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> tuple[float, float, str]:
    """Where the curve of `kind` through y(x) is lowest, its value there, and why it does not count
    ('' where it does).
    """
    curve: Any
    if kind == "akima":
        from scipy.interpolate import Akima1DInterpolator

        curve = Akima1DInterpolator(x, y)
        flat = curve.derivative().roots(extrapolate=False)
    else:
        curve = Polynomial.fit(x, y, _DEGREE[kind], w=np.sqrt(weights))
        if kind == "parabola" and curve.deriv(2)(x[0]) <= 0:
            return np.nan, np.nan, "not convex"
        roots = curve.deriv().roots()
        flat = roots.real[roots.imag == 0]
    places = np.array([x[0], x[-1], *flat[(flat > x[0]) & (flat < x[-1])]])
    values = curve(places)
    best = int(np.argmin(values))
    edges = ("lowest at the smallest size", "lowest at the largest size", "")
    return float(places[best]), float(values[best]), edges[min(best, 2)]


def _line(
    kind: str,
    kept: list[tuple[float, float, float]],
    dropped: list[tuple[float, str]],
    cost: Callable[..., Any],
) -> IsoFLOP:
    """The lines through the minima (C, N, loss), with the D that spends C at each N."""
    if len(kept) < 2:
        raise refuse(
            f"isoflop: {_found(kind, len(kept))}, {_counted(dropped)}",
            why="the runs are not arranged in budgets, or each budget has its best size at the "
            "edge of its sizes",
            change="more sizes per budget, on both sides of the best one; or fit a law, which "
            "needs no such grid",
        )
    c, n, loss = (np.array(column, np.float64) for column in zip(*kept, strict=True))
    d = _tokens(n, c, cost)
    x = np.log(c) - np.log(c).mean()
    constants, exponents = {}, {}
    for name, values in (("N", n), ("D", d)):
        y = np.log(values)
        exponents[name] = float(x @ y / (x @ x))
        constants[name] = float(np.exp(y.mean() - exponents[name] * np.log(c).mean()))
    interval = None
    if kind != "envelope" and len(c) > 2:
        left = np.log(n) - np.log(n).mean() - exponents["N"] * x
        deviation = np.sqrt(left @ left / (len(c) - 2) / (x @ x))
        reach = student(0.975, float(len(c) - 2)) * deviation
        at = exponents["N"]
        interval = Interval(float(at - reach), at, float(at + reach), 0.95, "line")
    return IsoFLOP(
        kind=kind,
        C=c,
        N=n,
        D=d,
        loss=loss,
        constants=constants,
        exponents=exponents,
        interval=interval,
        dropped=tuple(sorted(dropped)),
    )


def _tokens(n: np.ndarray, c: np.ndarray, cost: Callable[..., Any]) -> np.ndarray:
    """D [tokens] with cost(n, D) = c, by bisection of ln D: the cost grows with D."""
    low, high = np.full(len(n), -50.0), np.full(len(n), 150.0)
    return np.asarray(
        np.exp(halved(lambda t: c - np.asarray(cost(N=n, D=np.exp(t))), low, high, 128))
    )


def _found(kind: str, count: int) -> str:
    one, more = ("point", "points") if kind == "envelope" else ("minimum", "minima")
    return f"{count} {one if count == 1 else more}"


def _counted(dropped: Any) -> str:
    """'3 dropped (2 fewer than 4 sizes, 1 not convex)'."""
    counts = Counter(reason for _, reason in dropped)
    said = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    return f"{len(dropped)} dropped" + (f" ({said})" if said else "")


def _positive(budget: Any) -> np.ndarray:
    budgets = np.asarray(budget, np.float64)
    if not np.all(np.isfinite(budgets) & (budgets > 0)):
        raise refuse(
            f"budget {budget!r}", why="a logarithm was given", change="positive numbers, in FLOP"
        )
    return budgets
