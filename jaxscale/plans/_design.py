"""`design`: which runs to train next, so that what a budget is spent on is what the answer hangs
on.

Near its optimum a fit is a linear regression on the slopes of ln L by its parameters. So the
standard deviation of anything computed from the law can be foretold for runs that nobody has
trained yet, from their columns alone: that is `expected_deviation`. `design` turns it round and
looks for the runs that make it smallest under a budget (`_exchange`), and says how far the runs it
found are from the best that any could do.

The answer is local: it trusts the law, and the slopes at the present estimate. Cheap runs far from
the plan are often worth most to a law that holds everywhere; where it may not, offer only
candidates that you would trust, and ask again after each batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import costs as _costs
from ..fitting._evidence import Evidence, Frame, evidence, slopes_in
from ..fitting._problem import check_central
from ..fitting._results import Ensemble, Fit, Fitted, Status, point_of
from ..formula._coordinates import layout
from ..formula._form import settled
from ..formula._law import Law
from ..ground._errors import nearest, refuse, refuse_type, warn
from ..ground._robust import robust_scale
from ..ground._shown import table
from ..table._simulate import check_bound, columns_of
from . import _exchange
from ._well_posed import reads

ROWS = 15  # of a design that are printed


@dataclass(frozen=True, eq=False)
class Design:
    """Runs to train: `count` (m,) of each candidate, whose `costs` (m,) add up to `cost`, at most
    `budget`.

    `before` and `after` are the standard deviation of what was asked for without and with these
    runs, of its ln (that is, relative) with `relative=True`; trees of arrays like the answer. No
    design under the budget can bring it below `bound` (for several numbers: the root of the sum of
    their variances), as a proof and not an estimate; `gap` is what is left to gain.
    """

    count: np.ndarray
    candidates: dict[str, np.ndarray]
    costs: np.ndarray
    cost: float
    budget: float
    before: Any
    after: Any
    bound: float

    def __len__(self) -> int:
        return int(self.count.sum())

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Columns (runs, ...) of the chosen runs, one row for each, cheapest first."""
        order = np.argsort(self.costs, kind="stable")
        return {
            k: np.repeat(v[order], self.count[order], axis=0) for k, v in self.candidates.items()
        }

    @property
    def gap(self) -> float:
        """How much smaller the standard deviation could be at the very most: 0.02 is 2 %."""
        return 1.0 - self.bound / _root(self.after)

    def __repr__(self) -> str:
        used = np.argsort(self.costs, kind="stable")
        used = used[self.count[used] > 0]
        shown = sorted(np.argsort(-(self.count * self.costs)[used], kind="stable")[:ROWS])
        plain = [c for c, v in self.candidates.items() if v.ndim == 1]
        lines = [
            f"<Design: {len(self)} runs of {len(used)} of {len(self.count)} candidates, cost "
            f"{self.cost:.3g} of {self.budget:.3g}; standard deviation {_root(self.before):.3g} "
            f"-> {_root(self.after):.3g}, {self.bound:.3g} at best>",
        ]
        cells = [("candidate", *plain, "count", "cost")]
        for i in used[shown]:
            own = [
                v if isinstance(v, str) else f"{v:.4g}"
                for v in (self.candidates[c][i] for c in plain)
            ]
            cells.append(
                (
                    str(i),
                    *own,
                    str(self.count[i]),
                    f"{self.count[i] * self.costs[i] / self.cost:.1%}",
                )
            )
        return "\n".join(
            lines
            + table(cells, left=0)
            + [f"and {len(used) - ROWS} that take less"] * (len(used) > ROWS)
        )


def design(
    fit: Fit | Ensemble | Law,
    candidates: Any,
    budget: float,
    *,
    of: Callable[[Law], Any],
    cost: Any = None,
    relative: bool = True,
    noise: float | None = None,
    most: int | None = None,
) -> Design:
    """The runs, of `candidates` and within `budget` [in the units of the cost, FLOP by default],
    that make `of` most certain.

    `fit` holds the runs that exist; a bound law with `noise` plans a first sweep. `candidates` is a
    dict of columns (m,) or a table of runs, whose losses are not read; `cost` any function of
    columns (default `costs.Train()`, 6 N D). `of` takes a bound law and returns what is wanted,
    such as `lambda law: jsl.allocate(law, 1e24)["N"]`; of several numbers the sum of variances is
    made small, of their logarithms unless `relative=False` (which differences and anything negative
    need). `noise` is the standard deviation of ln L (or of the target, for objectives in its units)
    from run to run, by default that of the residuals; `most` limits how often one candidate is
    repeated.

    Raises InputError where no candidate fits the budget or there is nothing to learn noise from. A
    parameter that ran to an edge counts as known.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla, jsl.datasets.load("simulated"),
    ...     objective=jsl.objectives.LogSquared(), starts=32)
    >>> N, D = (v.ravel() for v in np.meshgrid([3e7, 3e8, 3e9], [1e9, 1e10, 1e11]))
    >>> N_star = lambda law: jsl.allocate(law, 1e24)["N"]
    >>> print(str(design(best, {"N": N, "D": D}, 3e21, of=N_star, most=10)).replace("; ", ";\\n"))
    <Design: 50 runs of 6 of 9 candidates, cost 2.99e+21 of 3e+21;
    standard deviation 0.0777 -> 0.0645, 0.0645 at best>
    candidate      N      D  count   cost
            0  3e+07  1e+09     10   0.1%
            1  3e+08  1e+09     10   0.6%
            3  3e+07  1e+10     10   0.6%
            2  3e+09  1e+09      4   2.4%
            5  3e+09  1e+10      6  36.1%
            7  3e+08  1e+11     10  60.2%

    Source: local c-optimal (for several numbers A-optimal) design, Pukelsheim 1993. How it is
    searched and bounded: `_exchange`.
    """
    model = _model(fit, candidates, of=of, relative=relative, noise=noise, verb="design()")
    costs = _costs_of(model.table, cost)
    if np.ndim(budget) or not 0 < budget < np.inf:
        raise refuse(
            f"design(): budget {budget!r}",
            why="a logarithm, or several budgets",
            change="one positive number",
        )
    if most is not None and (most < 1 or most != int(most)):
        raise refuse(
            f"design: most={most}",
            why="a share or 0 was meant",
            change="a whole number of runs, or None for no limit",
        )
    if not np.any(costs <= budget):
        raise refuse(
            f"design(): a budget of {budget:.3g}, and the cheapest of {len(costs)} candidates "
            f"costs {costs.min():.3g}",
            why="the budget is in another unit than the cost, or the candidates are those of a "
            "later sweep",
            change="a larger budget, or cheaper candidates",
        )
    problem = _exchange.scaled(model.known, model.rows, model.wanted, costs / budget, most)
    count, bound = _exchange.best(problem)
    before, after = (model.deviation(c) for c in (np.zeros_like(count), count))
    spent = float(costs @ count)
    return Design(
        count=count,
        candidates=model.table,
        costs=costs,
        cost=spent,
        budget=float(budget),
        before=before,
        after=after,
        bound=float(np.sqrt(bound)),
    )


def expected_deviation(
    fit: Fit | Ensemble | Law,
    columns: Any = None,
    *,
    of: Callable[[Law], Any],
    relative: bool = True,
    noise: float | None = None,
) -> Any:
    """Standard deviation (of ln with `relative=True`, else in its units) that `of` has once runs at
    `columns` (n,) are trained.

    They are added to the runs of a fit; `expected_deviation(fit.law, columns, noise=...)` judges
    them alone. Arguments and errors as in `design`; a tree of arrays like the answer, inf where
    nothing determines it. It is that of a fit by least squares whose law holds and whose rows have
    noise of their own (rows of one `run` count as one).

    >>> from jaxscale import laws
    >>> law = laws.chinchilla.published["besiroglu2024"]
    >>> N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e10, 5),
    ...     np.geomspace(2e9, 2e11, 5)))
    >>> round(float(expected_deviation(law, {"N": N, "D": D}, of=lambda law: law.params["alpha"],
    ...     noise=0.005)), 4)
    0.0545

    Source: the usual covariance of nonlinear least squares, at slopes that are known before the
    runs are.
    """
    if columns is None and isinstance(fit, Law):
        raise refuse_type(
            "expected_deviation(): a law without a fit, and no columns",
            why="a law alone has no runs",
            change="columns={'N': ..., 'D': ...}, or a fit",
        )
    model = _model(fit, columns, of=of, relative=relative, noise=noise, verb="expected_deviation()")
    return model.deviation(np.ones(len(model.rows)))


def _root(deviation: Any) -> float:
    """Root of the sum of variances."""
    return float(np.sqrt(sum(np.sum(np.square(v)) for v in jax.tree.leaves(deviation))))


@dataclass(frozen=True)
class _Model:
    """What a fit is near its optimum: information (P, P), slopes over noise (m, P), slopes of the
    answer (k, P).
    """

    table: dict[str, np.ndarray]
    known: np.ndarray
    rows: np.ndarray
    wanted: np.ndarray
    answer: Any

    def deviation(self, count: np.ndarray) -> Any:
        """Standard deviation, in the form of the answer, with so many runs (m,) of each row."""
        flat = np.sqrt(_exchange.variances(self.known, self.rows, self.wanted, count))
        leaves, form = jax.tree.flatten(self.answer)
        ends = np.cumsum([np.size(v) for v in leaves])
        parts = np.split(flat, ends[:-1])
        return jax.tree.unflatten(
            form, [p.reshape(np.shape(v))[()] for p, v in zip(parts, leaves, strict=True)]
        )


def _model(
    fit: Fit | Ensemble | Law,
    columns: Any,
    of: Callable[[Law], Any],
    relative: bool,
    noise: float | None,
    verb: str,
) -> _Model:
    if noise is not None and (np.ndim(noise) or not 0 < noise < np.inf):
        raise refuse(
            f"{verb}: noise {noise!r}",
            why="one number is meant for all runs",
            change="a number > 0, or None",
        )
    if isinstance(fit, Fitted):
        at = evidence(point_of(fit, verb))
        frame, x, law, keep = at.frame, at.x, at.fit.law, ~at.edge
        known, noise, in_ln = *_information(at, noise, verb), at.job.ladder.log
    else:
        frame, law, in_ln = _frame(fit, verb), fit, True
        with jax.enable_x64(True):
            x = np.asarray(
                frame.layout.pack({k: jnp.asarray(fit.params[k]) for k in frame.law.free})
            )
        known, keep = np.zeros((len(x), len(x))), np.ones(len(x), bool)
        if noise is None:
            raise refuse(
                f"{verb}: no noise, and no residuals to learn it from",
                why="a law is no fit",
                change="noise=0.005",
            )
    table = {} if columns is None else columns_of(law, columns, verb)
    reads = [*law.columns, *dict.fromkeys(dict(law.groups).values())]

    def both(own: Law) -> Any:
        found = jax.tree.map(lambda v: jnp.log(v) if relative else jnp.asarray(v), of(own))
        if columns is None:
            return found, jnp.zeros(0)
        values = own(**{k: table[k] for k in reads})
        return found, jnp.log(values) if in_ln else values

    values, slopes = jax.tree.map(lambda v: v[0], slopes_in(frame, both, x[None]))
    rows = np.reshape(slopes[1], (-1, len(x)))
    wanted = np.concatenate([np.reshape(s, (-1, len(x))) for s in jax.tree.leaves(slopes[0])])
    if (bad := np.flatnonzero(~np.isfinite(rows).all(1))).size:
        raise refuse(
            f"{verb}: {law.name} has no finite slope at row {bad[0]} of the columns",
            why="a column is 0 or in another unit",
            change="the candidates",
        )
    if not all(np.isfinite(v).all() for v in jax.tree.leaves((values[0], wanted))):
        raise refuse(
            f"{verb}: what is asked for is not finite at the "
            f"estimate{', or has no finite logarithm' if relative else ''}",
            why="a negative number or a difference, whose logarithm was taken"
            if relative
            else "a plan without an optimum",
            change="relative=False, or another question" if relative else "another question",
        )
    return _Model(
        table, known[np.ix_(keep, keep)], rows[:, keep] / noise, wanted[:, keep], values[0]
    )


def _information(at: Evidence, noise: float | None, verb: str) -> tuple[np.ndarray, float]:
    """Information (P, P) of a fit's runs and the noise of one run, which is that of the residuals
    unless it is given.

    The scale is the root mean square for squared errors and 1.48 times the median size for robust
    objectives. Rows of one run share its noise: together they count as one row.
    """
    check_central(at.fit.problem, verb)
    status = Status(int(at.fit.status))
    if status != Status.OK:
        warn(f"{verb}: the fit is not OK ({status.message}); a design trusts its slopes")
    if noise is None:
        size, spare = np.abs(at.residual) * np.sqrt(at.precision) * at.size, max(at.spare, 1)
        found = (
            np.sqrt(np.mean(size**2))
            if at.fit.problem.objective.width is None
            else robust_scale(size, 0.0)
        )
        noise = float(found * np.sqrt(len(size) / spare))
        if at.spare < 1 or noise <= 1e-12:
            raise refuse(
                f"{verb}: residuals of {noise:.1g} say nothing about the noise of a run",
                why="as many parameters as runs, or losses made without noise",
                change="noise=0.005, the standard deviation of ln L between runs that differ in "
                "their seed",
            )
    codes = at.clusters(None)
    rows_of_run = 1.0 if codes is None else np.bincount(codes)[codes]
    slopes = at.slopes * at.size / noise
    return (slopes * (at.precision / rows_of_run)[:, None]).T @ slopes, noise


def _frame(law: Law, verb: str) -> Frame:
    """A bound law with all of its parameters taken as unknown."""
    check_bound(law, verb)
    free = dataclasses.replace(settled(law), fixed={})
    sizes = {g: len(law.fixed[p]) for p, g in law.groups}
    lay, labels = layout(free, sizes), law.notes.get("labels", {})
    return Frame(
        free, np.ones(lay.size), lay, tuple(sorted((g, labels[g]) for g in sizes if g in labels))
    )


def _costs_of(table: dict[str, np.ndarray], cost: Any) -> np.ndarray:
    cost = _costs.Train() if cost is None else cost
    columns = reads("design()", cost, table)
    if missing := [c for c in columns if c not in table]:
        raise refuse(
            f"design(): the cost reads {missing[0]!r}, and the candidates have no such column",
            why="it is another law's cost",
            change=f"cost=, or a column.{nearest(missing[0], table)}",
        )
    found = np.broadcast_to(
        np.asarray(cost(**{c: table[c] for c in columns}), np.float64),
        (len(next(iter(table.values()))),),
    )
    if (bad := np.flatnonzero(~(np.isfinite(found) & (found > 0)))).size:
        raise refuse(
            f"design(): candidate {bad[0]} costs {found[bad[0]]:g}",
            why="a column is 0",
            change="the candidates",
        )
    return found
