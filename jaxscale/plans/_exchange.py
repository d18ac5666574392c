"""Choosing runs: counts of candidates that make a variance small under a budget, with a proof of
how small it can be.

A run with slopes g (in units of its noise) adds g g' to the information matrix M, and the variances
of what is wanted sum to tr C M^-1 C'. Integer designs are tried: greedy by reduction per cost,
greedy by reduction alone (what fits last matters), and the optimum over fractions of runs, rounded
down and filled up. Exchanges improve them where none is close to the bound, and the best is kept.
Over fractions the problem is convex: mass moves from the worst candidate to the best until a linear
bound from below, which holds for all designs, meets the variance. All of it is plain NumPy on a few
small matrices.

Sources: Pukelsheim 1993, Optimal Design of Experiments (c- and A-optimality); Fedorov 1972, Theory
of Optimal Experiments (exchange); Boehning 1986, Metrika 33 (exchange of vertices). Budgets in
place of numbers of runs, limits per candidate and the batches of the greedy choice are not from
there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FULL = 1 + 1e-9  # the budget, with room for rounding
RIDGE = 1e-13  # of scaled information: stands in for directions that no run has seen yet
_NOTHING = 1e-9  # relative reduction of the variance that is not worth a run
_MOST_ADDED = 100_000  # batches: as many as fill any budget
_CLOSE = 1e-4  # relative gap of the variance at which the bound is good enough
_SPENT = 1e-12  # share of the budget that counts as none
_NEAR = 2e-4  # relative distance of a design from the bound at which nothing more is tried


@dataclass(frozen=True)
class Choice:
    """Information `known` (P, P), slopes over noise `rows` (m, P), `wanted` (k, P), shares of the
    budget `cost` (m,), limits.
    """

    known: np.ndarray
    rows: np.ndarray
    wanted: np.ndarray
    cost: np.ndarray
    most: np.ndarray

    def inverse(self, count: np.ndarray) -> np.ndarray:
        """Of the information with these counts (..., m), in these coordinates."""
        information = self.known + (self.rows.T * np.asarray(count)[..., None, :]) @ self.rows
        return np.asarray(np.linalg.inv(information + RIDGE * np.eye(len(self.known))))

    def total(self, count: np.ndarray) -> float:
        """Sum of the variances, finite."""
        return float(np.sum((self.wanted @ self.inverse(count)) * self.wanted))

    def slopes(self, count: np.ndarray) -> np.ndarray:
        """What the next fraction of each candidate takes from the total, per run (m,)."""
        return np.asarray(np.sum((self.wanted @ self.inverse(count) @ self.rows.T) ** 2, 0))

    def gains(self, count: np.ndarray) -> np.ndarray:
        """What one whole run of each candidate takes from the total (m,), by Sherman
        and Morrison.
        """
        inverse = self.inverse(count)
        along = self.rows @ inverse
        return np.asarray(
            np.sum((self.wanted @ along.T) ** 2, 0) / (1.0 + np.sum(along * self.rows, 1))
        )


def scaled(
    known: np.ndarray, rows: np.ndarray, wanted: np.ndarray, cost: np.ndarray, most: int | None
) -> Choice:
    """The problem in coordinates in which the information that a budget buys has a diagonal of
    about 1.
    """
    afford = np.minimum(FULL / cost, 2.0**53).astype(np.int64)
    limit = afford if most is None else np.minimum(afford, most)
    size = np.sqrt(np.diagonal(known) + np.mean(limit[:, None] * rows**2, 0))
    size = np.where(size > 0, size, 1.0)
    return Choice(known / size / size[:, None], rows / size, wanted / size, cost, limit)


def variances(
    known: np.ndarray, rows: np.ndarray, wanted: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """Of each wanted quantity (k,) once these counts (m,) are added to what is known; inf where no
    run says anything of it.
    """
    information = known + (rows.T * count) @ rows
    size = np.sqrt(np.diagonal(information))
    size = np.where(size > 0, size, 1.0)
    wanted = wanted / size
    half = wanted @ np.linalg.inv(information / size / size[:, None] + RIDGE * np.eye(len(size)))
    found = np.sum(half * wanted, 1)
    return np.where(RIDGE * np.sum(half**2, 1) > 1e-3 * found, np.inf, found)


def best(p: Choice) -> tuple[np.ndarray, float]:
    """Counts (m,) of the best design found, and what no design's sum of variances can
    fall below.
    """
    none = np.zeros(len(p.cost), np.int64)
    designs = [filled(p, none, per_cost) for per_cost in (True, False)]
    weights, bound = relaxed(p, min(designs, key=p.total))
    below = np.floor(weights + 1e-9).astype(np.int64)
    designs += [filled(p, below, per_cost) for per_cost in (True, False)]
    for k, count in enumerate(designs := sorted(designs, key=p.total)):
        if p.total(designs[0]) > bound * (1 + _NEAR):  # with many runs, rounding alone is close
            designs[k] = improved(p, count, bound)
            designs[0] = min(designs[0], designs[k], key=p.total)
    return designs[0], bound


def filled(p: Choice, count: np.ndarray, per_cost: bool) -> np.ndarray:
    """The design with runs added greedily until nothing fits; beyond 64 runs in batches of a
    thirty-second of them.
    """
    count, total = count.copy(), p.total(count)
    for _ in range(_MOST_ADDED):
        left = FULL - float(p.cost @ count)
        fits = (p.cost <= left) & (count < p.most)
        gain = np.where(fits, p.gains(count), 0.0)
        i = int(np.argmax(gain / p.cost if per_cost else gain))
        if gain[i] <= _NOTHING * total:
            return count
        count[i] += min(
            max(1, int(count.sum()) // 32), int(left / p.cost[i]), int(p.most[i] - count[i])
        )
        total = p.total(count)
    return count


def improved(p: Choice, count: np.ndarray, bound: float, sweeps: int = 20) -> np.ndarray:
    """Exchange: take one run out, put others in if that helps, candidate by candidate, until
    nothing does or it is close.
    """
    total = p.total(count)
    for _ in range(sweeps):
        before = total
        for j in np.flatnonzero(count):
            if not count[j]:
                continue
            less = count.copy()
            less[j] -= 1
            fits = (p.cost <= FULL - float(p.cost @ less)) & (less < p.most)
            fits[j] = False
            other = less.copy()
            other[int(np.argmax(np.where(fits, p.gains(less), -1.0)))] += fits.any()
            for trial in (filled(p, other, True), filled(p, less, True)):
                if (now := p.total(trial)) < total * (1 - 1e-7):
                    count, total = trial, now
                    break
            if total <= bound * (1 + _NEAR):
                return count
        if total > before * (1 - 1e-6):
            break
    return count


def relaxed(p: Choice, count: np.ndarray, rounds: int = 100) -> tuple[np.ndarray, float]:
    """Fractional counts (m,) near the optimum over fractions, and a proven bound of the total from
    below.

    The total is convex in the counts, so its tangent at any point bounds it from below everywhere;
    the least of a tangent under a budget is a fractional knapsack. In each round mass moves among
    the candidates in use and the most promising.
    """
    weights, bound = count.astype(np.float64), 0.0
    for _ in range(rounds):
        total, slopes = p.total(weights), p.slopes(weights)
        bound = max(bound, total - _knapsack(p, slopes) + float(slopes @ weights))
        if total - bound <= _CLOSE * total:
            break
        promise = np.where(weights < p.most, slopes / p.cost, -1.0)
        some = np.union1d(np.flatnonzero(weights), np.argsort(-promise, kind="stable")[:20])
        weights[some] = _moved(
            Choice(p.known, p.rows[some], p.wanted, p.cost[some], p.most[some]), weights[some]
        )
    return weights, bound


def _moved(p: Choice, weights: np.ndarray, steps: int = 50) -> np.ndarray:
    """The weights after steps that each move budget, as much as is best, from the worst candidate
    in use to the best one.
    """
    most = p.most.astype(np.float64)
    for _ in range(steps):
        per_cost, left = p.slopes(weights) / p.cost, FULL - float(p.cost @ weights)
        room = (most - weights) * p.cost
        i = int(np.argmax(np.where(room > _SPENT, per_cost, -1.0)))
        used = weights > 0
        used[i] = False
        add, take = np.zeros_like(weights), np.zeros_like(weights)
        add[i], limit = 1.0 / p.cost[i], min(room[i], left)
        if left <= _SPENT and used.any():
            j = int(np.argmin(np.where(used, per_cost, np.inf)))
            take[j], limit = 1.0 / p.cost[j], min(room[i], weights[j] * p.cost[j])
        step = _along(p, weights, add - take, limit) if limit > 0 else 0.0
        if step <= 0:
            break
        weights = np.clip(weights + step * (add - take), 0.0, most)
        weights[weights * p.cost < _SPENT] = 0.0
    return weights


def _knapsack(p: Choice, slopes: np.ndarray) -> float:
    """The most that slopes @ weights can be under the budget and the limits."""
    order = np.argsort(-slopes / p.cost, kind="stable")
    spent = np.minimum(np.cumsum(p.most[order] * p.cost[order]), FULL)
    return float(np.sum(np.diff(spent, prepend=0.0) * (slopes / p.cost)[order]))


def _along(p: Choice, weights: np.ndarray, direction: np.ndarray, most: float) -> float:
    """Where the total is least between 0 and `most` along a direction: its derivative, which rises,
    crosses 0.
    """
    low, high = 0.0, most
    change = (p.rows.T * direction) @ p.rows
    for _ in range(4):
        at = np.linspace(low, high, 17)
        half = p.wanted @ p.inverse(weights + at[:, None] * direction)
        falls = np.einsum("tki,ij,tkj->t", half, change, half) > 0  # the derivative is minus this
        if falls.all():
            return high
        k = int(np.argmin(falls))
        low, high = float(at[max(k - 1, 0)]), float(at[k])
    return 0.5 * (low + high)
