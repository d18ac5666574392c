"""Test-time compute: how to spend samples, FLOP or context on settings and problems.

Nearly all of this has nothing to fit: when more samples are worth a larger model, which setting to
use at which difficulty, and allocations of a budget over problems or settings. How success grows
with the number of samples stands in `sampling`.
"""

from __future__ import annotations

import heapq

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._law import law
from ..formula._params import positive, real
from ..ground._errors import refuse
from ..ground._roots import root
from ..units import Fraction, Seconds, Tokens, Vector
from ._rule import rule

__all__ = [
    "adaptive_budgets", "adaptive_budgets_relaxed", "best_context", "compute_matched_samples",
    "flops_matched_multiplier", "inference_runtime", "long_context_rag", "osca_allocation",
    "osca_value", "pareto_frontier", "pass_n_loss", "pass_n_weight", "strategy_by_difficulty",
]  # fmt: skip


# -- more samples or a larger model --------------------------------------------------------------
@rule
def flops_matched_multiplier(M, R):
    """Inference compute of a small model [times its own] that costs as much in all as an M times
    larger model.

    R [tokens served per token trained on] says how long a model is used. M + 3 (M - 1) / R, by 6 N
    D for training and 2 N D for inference. Source: Snell et al. 2024 (arXiv 2408.03314), form as
    told in a third-party account; derived again.
    Decides: whether to pre-train a larger model or to think longer with the small one. Keywords:
    test-time exchange.

    >>> round(float(flops_matched_multiplier(14, 0.79)), 3)
    63.367
    """
    return M + 3 * (M - 1) / R


@rule
def compute_matched_samples(P_large, P_small, S_large=1.0):
    """Samples per problem [samples] of a small model for the FLOP of S_large samples of a large
    one; sizes in [parameters].

    Answers of equal length are assumed. Source: Bansal et al. 2024 [bansal2024], form as recalled
    and derived; the same budget idea in Hassid et al. 2024 [hassid2024]. Decides: which model
    generates synthetic data or candidate answers.
    Keywords: weaker better pass@k budget reallocation.

    >>> float(compute_matched_samples(27e9, 9e9))
    3.0
    """
    return P_large / P_small * S_large


def strategy_by_difficulty(scores, difficulty, bins=5):
    """Best strategy for each difficulty bin, and the accuracy [fraction] that choosing so gives,
    from success rates [fraction].

    `scores` is (problems, strategies) at one budget, `difficulty` (problems,). Bins hold equal
    numbers of problems; the accuracy is cross-validated in two halves of each bin, and `choice`
    uses all problems. Source: Snell et al. 2024 (arXiv 2408.03314), form as told in a third-party
    account. Decides: which test-time strategy to run on which problems.
    Keywords: compute-optimal test-time best-of-n revisions search.

    >>> strategy_by_difficulty([[1, 0]] * 4 + [[0, 1]] * 4, np.arange(8), bins=2)["choice"].tolist()
    [0, 1]
    """
    ranked = np.asarray(scores, np.float64)[np.argsort(difficulty, kind="stable")]
    if len(ranked) < 2 * bins:
        raise refuse(
            f"strategy_by_difficulty: {len(ranked)} problems in {bins} bins",
            why="half of each bin chooses, half tests",
            change="fewer bins: none may have an empty half",
        )
    parts = np.array_split(ranked, bins)
    earned = [own[fold::2, np.argmax(own[1 - fold :: 2].mean(0))] for own in parts for fold in (0,
        1)]
    choice = np.array([np.argmax(own.mean(0)) for own in parts])
    return {"choice": choice, "accuracy": float(np.concatenate(earned).mean()),
            "single": float(ranked.mean(0).max())}


def pareto_frontier(cost, error, budget=np.inf):
    """Configurations worth running: numbers of those with cost [FLOP, dollars] up to `budget` that
    no cheaper one matches.

    In the order of their cost; the last one has the least error [fraction] within the budget.
    Source: Wu et al. 2024 (arXiv 2408.00724), form as told for its envelope over model size, tokens
    and strategy. Decides: which model size and sampling strategy to run at an inference budget.
    Keywords: envelope compute-optimal inference majority voting tree search.

    >>> pareto_frontier([1.0, 2.0, 4.0, 8.0], [0.5, 0.6, 0.3, 0.2], budget=5.0).tolist()
    [0, 2]
    """
    cost, error = np.asarray(cost, np.float64), np.asarray(error, np.float64)
    order = np.lexsort((error, cost))
    order = order[cost[order] <= budget]
    best = np.minimum.accumulate(error[order])
    return order[np.append(True, best[1:] < best[:-1])[: len(order)]]


# -- budgets over settings and problems ----------------------------------------------------------
def _log_miss(P):
    # success for certain: a finite stand-in for -inf
    return jnp.log1p(-jnp.minimum(jnp.asarray(P), 1 - 1e-16))


@rule
def osca_value(k, P):
    """Share of problems solved [fraction] by k [samples of each setting]; P (problems, settings)
    are success rates [fraction].

    Exact for whole k, and concave in k: gradient methods find the best real k. Source: Zhang et al.
    2024 [zhang2024osca], authors' code. Decides: how to split samples over models, temperatures and
    prompts. Keywords: mixed allocation.

    >>> round(float(osca_value([2, 2], [[0.5, 0], [0, 0.5], [0.2, 0.2]])), 4)
    0.6968
    """
    return -jnp.mean(jnp.expm1(_log_miss(P) @ jnp.asarray(k)))


def osca_allocation(P, budget, cost=None):
    """Samples of each setting [samples] that solve most problems within a budget [samples, or the
    unit of `cost`].

    P (problems, settings) are success rates [fraction] on training problems. Greedy, then single
    samples change setting as long as that helps; `bound` is a share that no allocation exceeds, by
    concavity. Held-out problems are scored by `1 - (1 - pass_at_k(n, c, k)).prod(1)`. Source: Zhang
    et al. 2024 [zhang2024osca], authors' code for objective and moves; the greedy start, costs and
    the bound are derived. Decides: how to split samples over models, temperatures and prompts.
    Keywords: submodular mixed allocation hill-climbing.

    >>> osca_allocation([[0.5, 0], [0, 0.5], [0.2, 0.2]], 4)["k"].tolist()
    [2, 2]
    """
    P = np.asarray(P, np.float64)
    miss = np.log1p(-np.minimum(P, 1 - 1e-16))
    cost = np.ones(P.shape[1]) if cost is None else np.asarray(cost, np.float64)
    k, slack = np.zeros(P.shape[1], int), 1e-9 * budget

    def gains(k):  # of one more sample of each setting, 0 where it does not fit
        return np.where(cost @ k + cost <= budget + slack, np.exp(miss @ k) @ P / len(P), 0.0)

    moved = True
    while moved:
        while np.any(gain := gains(k)):
            k[np.argmax(gain / cost)] += 1
        moved = False
        for s in np.flatnonzero(k):
            k[s] -= 1
            gain = gains(k)
            to = int(np.argmax(gain))
            better = bool(gain[to] > gain[s] * (1 + 1e-12))
            k[to if better else s] += 1
            moved |= better
    left = np.exp(miss @ k)
    slope = -left @ miss / len(P)
    value = 1 - left.mean()
    return {"k": k, "value": float(value),
            "bound": float(min(1.0, value + budget * np.max(slope / cost) - slope @ k))}


def adaptive_budgets(marginals, budget):
    """Samples for each problem [samples] that add up to `budget` [samples] and solve most; exact
    for whole numbers.

    `marginals` are success rates [fraction] of one sample (problems,), or learned gains of each
    further sample (problems, samples), made non-increasing by their running minimum (ours). Also
    gives the average reward and that of an even split.
    Source: Damani et al. 2024 [damani2024], form as recalled; that greedy is exact is derived.
    Decides: on which queries to spend more samples. Keywords: input-adaptive best-of-k greedy.

    >>> adaptive_budgets([0.9, 0.5, 0.1, 0.02], 8)["b"].tolist()
    [2, 3, 3, 0]
    """
    given = np.asarray(marginals, np.float64)
    learned = np.minimum.accumulate(given, axis=1) if given.ndim == 2 else None
    most = given.shape[1] if given.ndim == 2 else budget

    def gain(x, b):
        if b >= most:
            return 0.0
        return float(given[x] * (1 - given[x]) ** b if learned is None else learned[x, b])

    b, heap = np.zeros(len(given), int), [(-gain(x, 0), x) for x in range(len(given))]
    heapq.heapify(heap)
    value = 0.0
    for _ in range(int(budget)):
        worth, x = heapq.heappop(heap)
        if worth >= 0:
            break
        b[x], value = b[x] + 1, value - worth
        heapq.heappush(heap, (-gain(x, b[x]), x))
    # an even split that does not come out gives the rest to problems at random
    whole, rest = divmod(budget, len(given))

    def reached(b):
        return 1 - (1 - given) ** b if learned is None else learned[:, : int(b)].sum(1)

    even = np.mean(reached(whole) + rest / len(given) * (reached(whole + 1) - reached(whole)))
    return {"b": b, "value": value / len(given), "even": float(even)}


@rule
def adaptive_budgets_relaxed(rates, budget):
    """Real numbers of samples for each problem [samples] that add up to `budget` [samples] and
    solve most.

    `rates` are success rates [fraction]. b = max(0, ln(w / price) / w) with w = -ln(1 - rate); the
    price is found so that the budget is met. Its value bounds that of whole numbers. Source: Damani
    et al. 2024 [damani2024], derived.
    Decides: what one more sample is worth, and on which queries. Keywords: KKT input-adaptive
    best-of-k continuous.

    >>> round(float(adaptive_budgets_relaxed([0.9, 0.5, 0.1, 0.02], 8.0)["value"]), 4)
    0.5383
    """
    w = -_log_miss(rates)
    safe = jnp.where(w > 0, w, 1.0)

    def spent(t, args):  # by the price e^-t, less the budget
        w, safe, budget = args
        return jnp.sum(jnp.where(w > 0, jnp.maximum(jnp.log(safe) + t, 0.0) / safe, 0.0)) - budget

    low = -jnp.max(jnp.where(w > 0, jnp.log(safe), -jnp.inf))
    high = jnp.min(jnp.where(w > 0, budget * safe - jnp.log(safe), jnp.inf))
    t = root(spent, low, high, (w, safe, jnp.asarray(budget)))
    b = jnp.where(w > 0, jnp.maximum(jnp.log(safe) + t, 0.0) / safe, 0.0)
    return {"b": b, "price": jnp.exp(-t), "value": -jnp.mean(jnp.expm1(-w * b))}


# -- context and cost ----------------------------------------------------------------------------
@law
def long_context_rag(theta: Vector, i: Vector, *, a=real(-1, 1, shape=(3,)),
                     b=real(-1, 1, shape=(2,)),
                     c=real(-3, 3)) -> Fraction:
    """Accuracy [fraction] from theta [documents, shots, iterations] and i [gain from one document,
    from one shot].

    Linear in ln theta before the logit link; i measures, on the task itself, what one document and
    one shot add over zero-shot. Iterations have no such entry (0 in the paper), so b is as long as
    i is informative. A count of 0 needs a small number added to it, as in the paper. The paper fits
    least squares of the logit. Source: Yue et al. 2024 (arXiv 2410.04343), form as told in a
    third-party account. Decides: how many documents, shots and iterations to use in a context
    budget. Keywords: retrieval rag demonstration iterative. Not from the source: the start ranges.

    >>> law = long_context_rag.fix(a=[0.1, 0.05, 0.2], b=[0.3, -0.2], c=-0.8)
    >>> round(float(law(np.array([50.0, 8.0, 2.0]), np.array([0.1, 0.05]))), 5)
    0.4826
    """
    x, k = jnp.log(theta), b.shape[0]
    return jax.nn.sigmoid(jnp.dot(a, x) + jnp.dot(b * i[:k], x[:k]) + c)


def best_context(law, thetas, i, length, budget):
    """Best configuration within a context budget: documents, shots and iterations, and the accuracy
    [fraction] expected of them.

    `law` is a bound `long_context_rag`, `thetas` (configurations, 3) is the grid, `length` its
    context length [tokens], all within `budget` [tokens]. Source: Yue et al. 2024 (arXiv
    2410.04343), form as told in a third-party account. Decides: how many documents, shots and
    iterations to use. Keywords: rag grid search context length.

    >>> law = long_context_rag.fix(a=[0.1, 0.05, 0.2], b=[0.3, -0.2], c=-0.8)
    >>> grid = np.array([[10.0, 1.0, 1.0], [50.0, 8.0, 2.0], [500.0, 8.0, 4.0]])
    >>> best_context(law, grid, [0.1, 0.05], length=[1e4, 1.2e5, 2e6],
    ...     budget=1.3e5)["theta"].tolist()
    [50.0, 8.0, 2.0]
    """
    thetas, length = np.asarray(thetas, np.float64), np.asarray(length, np.float64)
    if not np.any(length <= budget):
        raise refuse(
            f"best_context: the shortest of {len(length)} configurations has {length.min():g} "
            f"tokens of {budget:g}",
            why="none fits into the context",
            change="a shorter configuration",
        )
    expected = np.asarray(law(thetas, np.broadcast_to(i, (len(thetas), np.shape(i)[-1]))))
    best = int(np.argmax(np.where(length <= budget, expected, -np.inf)))
    return {"theta": thetas[best], "accuracy": float(expected[best])}


@rule
def pass_n_loss(p, N):
    """Loss [nats] of fine-tuning for the best of N [samples]: -ln(1 - (1 - p)^N), p [probability]
    of the right answer.

    N = 1 is cross-entropy. Source: Chen et al. 2025 [chen2025dco], form as recalled, not read in
    the source. Decides: how confident to train a model that will be sampled N times. Keywords: dco
    direct coverage optimization overconfidence.

    >>> round(float(pass_n_loss(0.1, 8)), 5)
    0.56294
    """
    return -jnp.log(-jnp.expm1(N * _log_miss(p)))


@rule
def pass_n_weight(p, N):
    """Weight [fraction] of an example's cross-entropy gradient under `pass_n_loss`: 1 for N = 1, to
    0 where p is near 1.

    Source: Chen et al. 2025 [chen2025dco], derived from the loss. Decides: which examples are still
    trained on when the model will be sampled N times. Keywords: dco gradient confident
    overconfidence.

    >>> round(float(pass_n_weight(0.1, 8)), 5)
    0.67184
    """
    miss = _log_miss(p)
    return N * p * jnp.exp((N - 1) * miss) / -jnp.expm1(N * miss)


@law
def inference_runtime(p: Tokens, o: Tokens, *, t0=positive(1e-3, 10), prefill=positive(1e-7, 1e-2),
                      knee=positive(10, 1e4),
                      decode=positive(1e-5, 1)) -> Seconds:
    """Runtime of one request [s] from p [prompt tokens] and o [output tokens]: prefill and then one
    step per token.

    Prompts shorter than `knee` take as long as one of that length, because they do not fill the
    device. Source: Narayanan et al. 2023 [narayanan2023], abstract for the idea; the piecewise
    linear form is recalled, not read in the source, and the flat piece is ours. Decides: what a
    request costs, also as `cost=lambda p, o: law(p, o)` of a plan. Keywords: idealised latency cost
    model. Not from the source: the start ranges.

    >>> round(float(inference_runtime(2000.0, 100.0, t0=0.05, prefill=1e-4, knee=512.0,
    ...     decode=0.02)), 5)
    2.25
    """
    return t0 + prefill * jnp.maximum(p, knee) + decode * o
