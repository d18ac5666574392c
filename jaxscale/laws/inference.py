"""Test-time compute: how success grows with samples, and how to spend samples, FLOP or context.

Coverage is the share of problems that at least one of k samples solves. Two roads lead to it. Averaged over problems it
follows an exponentiated power law in k, which is fitted like any law. Where the successes of every problem were counted,
a beta distribution of success rates is fitted to the counts by maximum likelihood, and coverage at larger k follows from
it. Everything else here has nothing to fit: counting estimates, what an imperfect verifier allows, and allocations of a
budget over problems or settings.
"""

from __future__ import annotations

import heapq

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln

from ..formula._law import law
from ..formula._params import negative, positive, real
from ..ground._errors import refuse
from ..ground._roots import root
from ..units import Count, Fraction, Positive, Samples, Seconds, Tokens, Vector
from ._rule import rule

__all__ = [
    "adaptive_budgets", "adaptive_budgets_relaxed", "best_context", "best_sample_count", "best_stop", "beta_binomial",
    "beta_coverage", "compute_matched_samples", "coverage", "flops_matched_multiplier", "inference_runtime", "long_context_rag",
    "majority_vote", "osca_allocation", "osca_value", "pareto_frontier", "pass_at_k", "pass_n_loss", "pass_n_weight",
    "perplexity_consistency", "resampling_accuracy", "samples_for_coverage", "self_consistency", "strategy_by_difficulty",
]  # fmt: skip


# -- coverage ----------------------------------------------------------------------------------------------------------
@law
def coverage(k: Samples, *, a=negative(-30, -0.05), b=negative(-3, -0.02)) -> Fraction:
    """Coverage [fraction of problems solved] by k [samples per problem].

    Points at different k come from the same problems and samples: bootstrap problems, never rows of this table.
    `beta_binomial` is fitted to the counts themselves; which of the two extrapolates better depends on the table (on the
    released counts, from 100 to 10,000 samples, this one). Source: Brown et al. 2024 (arXiv 2407.21787), abstract for the
    exponentiated power law, form as told in a third-party account. Decides: how many samples a target coverage costs.
    Keywords: repeated sampling pass@k monkeys. Not from the source: the start ranges.

    >>> round(float(coverage(100.0, a=-1.5, b=-0.4)), 5)
    0.78841
    """
    return jnp.exp(a * k**b)


@rule
def samples_for_coverage(target, a, b):
    """Samples per problem [samples] at which coverage reaches `target` [fraction]: the inverse of `coverage`.

    Source: Brown et al. 2024 (arXiv 2407.21787), derived. Decides: how many samples to draw. Keywords: inverse pass@k.

    >>> round(float(samples_for_coverage(0.9, a=-1.5, b=-0.4)), 2)
    764.77
    """
    return (jnp.log(target) / a) ** (1 / b)


@rule
def best_sample_count(value, price, a, b):
    """Samples per problem [samples] that earn most: value [of a solved problem] times coverage less price [per sample] times k.

    k is real and at least 1; it is 0 where no number of samples earns anything. Coverage is convex in k at first, so the
    stationary point is sought beyond its inflection. Source: Brown et al. 2024 (arXiv 2407.21787), derived. Decides: how
    many samples pay. Keywords: cost-optimal pass@k.

    >>> round(float(best_sample_count(1.0, 1e-3, a=-1.5, b=-0.4)["k"]), 3)
    80.134
    """

    value, price, a, b = jnp.broadcast_arrays(value, price, a, b)

    def falls(t, args):  # ln price less ln of what the next sample earns, at k = e^t
        a, b, ratio = args
        return -(ratio + jnp.log(a * b) + (b - 1) * t + a * jnp.exp(b * t))

    ratio = jnp.log(value / price)
    low = jnp.maximum(jnp.log((1 - b) / (a * b)) / b, 0.0)
    inside = falls(low, (a, b, ratio)) < 0
    ratio = jnp.where(inside, ratio, falls(low + 1, (a, b, 0.0)))  # elsewhere any price with a root: it is not used
    high = jnp.maximum(low, (ratio + jnp.log(a * b)) / (1 - b)) + 2
    many = jnp.where(inside, jnp.exp(root(falls, low, high, (a, b, ratio))), 1.0)

    def net(k):
        return value * jnp.exp(a * k**b) - price * k

    k = jnp.where(net(many) > net(1.0), many, 1.0)
    k = jnp.where(net(k) > 0, k, 0.0)
    return {"k": k, "coverage": jnp.where(k > 0, jnp.exp(a * jnp.maximum(k, 1.0) ** b), 0.0), "net": jnp.maximum(net(k), 0.0)}


def pass_at_k(n, c, k):
    """Unbiased coverage at k [samples] of each problem [fraction], from n [samples] of which c [samples] succeeded; average it.

    1 - prod (1 - k / j) for j from n - c + 1 to n: nothing overflows or cancels. 1 - (1 - c / n)^k is biased low. NaN for
    k > n, which no count can tell; see `beta_coverage`. Arrays broadcast: `pass_at_k(n[:, None], c[:, None], ks).mean(0)`.
    Source: Brown et al. 2024 (arXiv 2407.21787), form as told in a third-party account; the product is derived.
    Decides: what coverage was observed. Keywords: estimator humaneval.

    >>> np.round(pass_at_k(10, 3, [1, 2, 5, 8]), 5).tolist()
    [0.3, 0.53333, 0.91667, 1.0]
    """
    n, c, k = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (n, c, k)))
    missed = np.ones(n.shape)
    for i in range(int(np.max(c, initial=0))):
        missed = np.where(i < c, missed * np.maximum(1 - k / np.maximum(n - i, 1), 0.0), missed)
    return np.where(k > n, np.nan, 1 - missed)[()]


def _log_beta(x, y):
    return gammaln(x) + gammaln(y) - gammaln(x + y)


@law
def beta_binomial(n: Count, c: Count, *, a=positive(0.02, 50), b=positive(0.02, 500)) -> Positive:
    """Negative log-likelihood [nats] of c successes in n samples of one problem [counts], success rates being Beta(a, b).

    One row is one problem. Fit it with `objectives.NegLogLik()` and `target=None`; bootstrapped rows are then bootstrapped
    problems. 1 - coverage falls like k^-a, so a is the tail exponent. Source: Brown et al. 2024 (arXiv 2407.21787),
    derived. Decides: how far coverage reaches beyond the samples drawn. Keywords: pass@k counts maximum likelihood difficulty.

    >>> round(float(beta_binomial(10, 3, a=0.3, b=2.0)), 5)
    2.8014
    """
    return _log_beta(a, b) - _log_beta(a + c, b + n - c) + jnp.log(n + 1) + _log_beta(c + 1, n - c + 1)


def _log_gamma_ratio(x, a):
    """ln Gamma(x) - ln Gamma(x + a): by Stirling's series where x is large, as the difference would cancel there."""

    def rest(x):
        return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * x**2)) / x**2) / x**2) / x**2) / x

    large = a - (x - 0.5) * jnp.log1p(a / x) - a * jnp.log(x + a) + rest(x) - rest(x + a)
    return jnp.where(x < 20, gammaln(x) - gammaln(x + a), large)


@rule
def beta_coverage(k, a, b):
    """Coverage [fraction of problems solved] by k [samples per problem], success rates being Beta(a, b); any k.

    Source: Brown et al. 2024 (arXiv 2407.21787), derived. Decides: how many samples a target coverage costs.
    Keywords: extrapolated pass@k beta-binomial.

    >>> round(1 - float(beta_coverage(100, a=0.3, b=2.0)), 6)
    0.291629
    """
    return -jnp.expm1(_log_gamma_ratio(b + k, a) - _log_gamma_ratio(b, a))


# -- more samples or a larger model ------------------------------------------------------------------------------------
@rule
def flops_matched_multiplier(M, R):
    """Inference compute of a small model [times its own] that costs as much in all as an M times larger model.

    R [tokens served per token trained on] says how long a model is used. M + 3 (M - 1) / R, by 6 N D for training and 2 N D
    for inference. Source: Snell et al. 2024 (arXiv 2408.03314), form as told in a third-party account; derived again.
    Decides: whether to pre-train a larger model or to think longer with the small one. Keywords: test-time exchange.

    >>> round(float(flops_matched_multiplier(14, 0.79)), 3)
    63.367
    """
    return M + 3 * (M - 1) / R


@rule
def compute_matched_samples(P_large, P_small, S_large=1.0):
    """Samples per problem [samples] of a small model for the FLOP of S_large samples of a large one; sizes in [parameters].

    Answers of equal length are assumed. Source: Bansal et al. 2024 [bansal2024], form as recalled and derived; the same
    budget idea in Hassid et al. 2024 [hassid2024]. Decides: which model generates synthetic data or candidate answers.
    Keywords: weaker better pass@k budget reallocation.

    >>> float(compute_matched_samples(27e9, 9e9))
    3.0
    """
    return P_large / P_small * S_large


def strategy_by_difficulty(scores, difficulty, bins=5):
    """Best strategy for each difficulty bin, and the accuracy [fraction] that choosing so gives, from success rates [fraction].

    `scores` is (problems, strategies) at one budget, `difficulty` (problems,). Bins hold equal numbers of problems; the
    accuracy is cross-validated in two halves of each bin, and `choice` uses all problems. Source: Snell et al. 2024
    (arXiv 2408.03314), form as told in a third-party account. Decides: which test-time strategy to run on which problems.
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
    earned = [own[fold::2, np.argmax(own[1 - fold :: 2].mean(0))] for own in parts for fold in (0, 1)]
    choice = np.array([np.argmax(own.mean(0)) for own in parts])
    return {"choice": choice, "accuracy": float(np.concatenate(earned).mean()), "single": float(ranked.mean(0).max())}


def pareto_frontier(cost, error, budget=np.inf):
    """Configurations worth running: numbers of those with cost [FLOP, dollars] up to `budget` that no cheaper one matches.

    In the order of their cost; the last one has the least error [fraction] within the budget. Source: Wu et al. 2024
    (arXiv 2408.00724), form as told for its envelope over model size, tokens and strategy. Decides: which model size and
    sampling strategy to run at an inference budget. Keywords: envelope compute-optimal inference majority voting tree search.

    >>> pareto_frontier([1.0, 2.0, 4.0, 8.0], [0.5, 0.6, 0.3, 0.2], budget=5.0).tolist()
    [0, 2]
    """
    cost, error = np.asarray(cost, np.float64), np.asarray(error, np.float64)
    order = np.lexsort((error, cost))
    order = order[cost[order] <= budget]
    best = np.minimum.accumulate(error[order])
    return order[np.append(True, best[1:] < best[:-1])[: len(order)]]


@rule
def majority_vote(p, n):
    """Accuracy [fraction] of the majority of n [samples] on a two-way question that a sample gets right with p [fraction].

    Ties count half. Problems with p < 1/2 go to 0: voting ends at the share of problems whose most frequent answer is right.
    Source: Wu et al. 2024 (arXiv 2408.00724), form as recalled for the limit; derived for two answers. Decides: when more
    votes stop helping. Keywords: self-consistency weighted voting saturation.

    >>> round(float(majority_vote(0.6, 11)), 4)
    0.7535
    """
    half = jnp.floor((jnp.asarray(n) + 1) / 2)
    return betainc(half, half, p)


@law
def self_consistency(n: Samples, *, E=positive(1e-3, 1), A=positive(1e-3, 10)) -> Fraction:
    """Error of self-consistency [fraction] from n [samples per problem]: the model's own error E and an estimation error.

    Source: Zhou et al. 2025 [zhou2025], abstract for the two rates; the constants are ours. Decides: how many samples voting
    needs before the model is what limits it. Keywords: rpc voting. Not from the source: the start ranges.

    >>> round(float(self_consistency(16.0, E=0.2, A=0.8)), 5)
    0.25
    """
    return E + A / n


@law
def perplexity_consistency(n: Samples, *, E=positive(1e-3, 1), A=positive(1e-3, 10), r=positive(1e-3, 3)) -> Fraction:
    """Error of perplexity consistency [fraction] from n [samples per problem]: answers weighted by their own probability.

    Its estimation error vanishes exponentially, that of `self_consistency` like 1 / n. Source: Zhou et al. 2025 [zhou2025],
    abstract for the two rates; the constants are ours. Decides: whether to weight votes by probability. Keywords: rpc.
    Not from the source: the start ranges.

    >>> round(float(perplexity_consistency(16.0, E=0.2, A=0.8, r=0.1)), 5)
    0.36152
    """
    return E + A * jnp.exp(-r * n)


# -- imperfect verifiers -----------------------------------------------------------------------------------------------
@rule
def resampling_accuracy(p, k, t=1.0, f=0.0):
    """Accuracy [fraction] of drawing up to k [samples] until a verifier accepts one; samples are right with p [fraction].

    t is the verifier's true-positive, f its false-positive rate; nothing accepted counts as wrong. k = inf gives the ceiling,
    which is below 1 as soon as the verifier accepts wrong answers (f > 0). Source: Stroebl et al. 2024 [stroebl2024], derived.
    Decides: whether a weak model with many tries replaces a strong one, and whether to improve the verifier or to buy samples.
    Keywords: rejection sampling unit tests imperfect verifier limit.

    >>> round(float(resampling_accuracy(0.6, 5, t=0.95, f=0.1)), 6)
    0.925995
    """
    q = p * t + (1 - p) * f
    return -jnp.expm1(k * jnp.log1p(-q)) * p * t / q


def best_stop(p, c, t=1.0, f=0.0):
    """Tries [samples] after which to stop when an accepted wrong answer costs c [times the worth of a right one].

    `p` holds the success rates of all problems, which are not told apart: those still open after j tries are the hard ones,
    where acceptances are ever more often false. The optimum is often 0, and infinite where even the hardest problem earns.
    Needs t > f. Source: Stroebl et al. 2024 [stroebl2024], derived. Decides: how often to resample. Keywords: optimal
    number of attempts false positives imperfect verifier.

    >>> {k: round(v, 4) for k, v in best_stop([0.6, 0.05], c=1.0, f=0.1).items()}
    {'k': 3, 'value': 0.3589}
    """
    p = np.asarray(p, np.float64)
    if not 0 <= f < t <= 1:
        raise refuse(
            f"best_stop: t={t}, f={f}",
            why="the rates are swapped",
            change="a verifier that accepts right answers more often than wrong ones",
        )
    q, worth = p * t + (1 - p) * f, p * t - c * (1 - p) * f
    open_ = np.log1p(-np.minimum(q, 1 - 1e-16))

    def earns(j):  # sign of what try j is worth: relative to the problem that stays open longest, so it never underflows
        return np.mean(np.exp((j - 1) * (open_ - open_.max())) * worth) > 0

    k: float = 0
    if worth[np.argmin(q)] >= 0:
        k = np.inf if np.any(worth > 0) else 0
    elif earns(1):
        low, high = 1, 2
        while earns(high):
            low, high = high, 2 * high
        while high - low > 1:
            low, high = (mid, high) if earns(mid := (low + high) // 2) else (low, mid)
        k = low
    with np.errstate(invalid="ignore", divide="ignore"):
        tries = np.where(q > 0, -np.expm1(k * open_) / q, 0.0) if k else 0.0
    return {"k": k, "value": float(np.mean(tries * worth))}


# -- budgets over settings and problems --------------------------------------------------------------------------------
def _log_miss(P):
    return jnp.log1p(-jnp.minimum(jnp.asarray(P), 1 - 1e-16))  # success for certain: a finite stand-in for -inf


@rule
def osca_value(k, P):
    """Share of problems solved [fraction] by k [samples of each setting]; P (problems, settings) are success rates [fraction].

    Exact for whole k, and concave in k: gradient methods find the best real k. Source: Zhang et al. 2024 [zhang2024osca],
    authors' code. Decides: how to split samples over models, temperatures and prompts. Keywords: mixed allocation.

    >>> round(float(osca_value([2, 2], [[0.5, 0], [0, 0.5], [0.2, 0.2]])), 4)
    0.6968
    """
    return -jnp.mean(jnp.expm1(_log_miss(P) @ jnp.asarray(k)))


def osca_allocation(P, budget, cost=None):
    """Samples of each setting [samples] that solve most problems within a budget [samples, or the unit of `cost`].

    P (problems, settings) are success rates [fraction] on training problems. Greedy, then single samples change setting as
    long as that helps; `bound` is a share that no allocation exceeds, by concavity. Held-out problems are scored by
    `1 - (1 - pass_at_k(n, c, k)).prod(1)`. Source: Zhang et al. 2024 [zhang2024osca], authors' code for objective and
    moves; the greedy start, costs and the bound are derived. Decides: how to split samples over models, temperatures and
    prompts. Keywords: submodular mixed allocation hill-climbing.

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
    return {"k": k, "value": float(value), "bound": float(min(1.0, value + budget * np.max(slope / cost) - slope @ k))}


def adaptive_budgets(marginals, budget):
    """Samples for each problem [samples] that add up to `budget` [samples] and solve most; exact for whole numbers.

    `marginals` are success rates [fraction] of one sample (problems,), or learned gains of each further sample (problems,
    samples), made non-increasing by their running minimum (ours). Also gives the average reward and that of an even split.
    Source: Damani et al. 2024 [damani2024], form as recalled; that greedy is exact is derived. Decides: on which
    queries to spend more samples. Keywords: input-adaptive best-of-k greedy.

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
    whole, rest = divmod(budget, len(given))  # an even split that does not come out gives the rest to problems at random

    def reached(b):
        return 1 - (1 - given) ** b if learned is None else learned[:, : int(b)].sum(1)

    even = np.mean(reached(whole) + rest / len(given) * (reached(whole + 1) - reached(whole)))
    return {"b": b, "value": value / len(given), "even": float(even)}


@rule
def adaptive_budgets_relaxed(rates, budget):
    """Real numbers of samples for each problem [samples] that add up to `budget` [samples] and solve most.

    `rates` are success rates [fraction]. b = max(0, ln(w / price) / w) with w = -ln(1 - rate); the price is found so that
    the budget is met. Its value bounds that of whole numbers. Source: Damani et al. 2024 [damani2024], derived.
    Decides: what one more sample is worth, and on which queries. Keywords: KKT input-adaptive best-of-k continuous.

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


# -- context and cost --------------------------------------------------------------------------------------------------
@law
def long_context_rag(theta: Vector, i: Vector, *, a=real(-1, 1, shape=(3,)), b=real(-1, 1, shape=(2,)),
                     c=real(-3, 3)) -> Fraction:
    """Accuracy [fraction] from theta [documents, shots, iterations] and i [gain from one document, from one shot].

    Linear in ln theta before the logit link; i measures, on the task itself, what one document and one shot add over
    zero-shot. Iterations have no such entry (0 in the paper), so b is as long as i is informative. A count of 0 needs a
    small number added to it, as in the paper. The paper fits least squares of the logit. Source: Yue et al. 2024
    (arXiv 2410.04343), form as told in a third-party account. Decides: how many documents, shots and iterations to use in a
    context budget. Keywords: retrieval rag demonstration iterative. Not from the source: the start ranges.

    >>> law = long_context_rag.fix(a=[0.1, 0.05, 0.2], b=[0.3, -0.2], c=-0.8)
    >>> round(float(law(np.array([50.0, 8.0, 2.0]), np.array([0.1, 0.05]))), 5)
    0.4826
    """
    x, k = jnp.log(theta), b.shape[0]
    return jax.nn.sigmoid(jnp.dot(a, x) + jnp.dot(b * i[:k], x[:k]) + c)


def best_context(law, thetas, i, length, budget):
    """Best configuration within a context budget: documents, shots and iterations, and the accuracy [fraction] expected of them.

    `law` is a bound `long_context_rag`, `thetas` (configurations, 3) is the grid, `length` its context length [tokens], all
    within `budget` [tokens]. Source: Yue et al. 2024 (arXiv 2410.04343), form as told in a third-party account. Decides: how
    many documents, shots and iterations to use. Keywords: rag grid search context length.

    >>> law = long_context_rag.fix(a=[0.1, 0.05, 0.2], b=[0.3, -0.2], c=-0.8)
    >>> grid = np.array([[10.0, 1.0, 1.0], [50.0, 8.0, 2.0], [500.0, 8.0, 4.0]])
    >>> best_context(law, grid, [0.1, 0.05], length=[1e4, 1.2e5, 2e6], budget=1.3e5)["theta"].tolist()
    [50.0, 8.0, 2.0]
    """
    thetas, length = np.asarray(thetas, np.float64), np.asarray(length, np.float64)
    if not np.any(length <= budget):
        raise refuse(
            f"best_context: the shortest of {len(length)} configurations has {length.min():g} tokens of {budget:g}",
            why="none fits into the context",
            change="a shorter configuration",
        )
    expected = np.asarray(law(thetas, np.broadcast_to(i, (len(thetas), np.shape(i)[-1]))))
    best = int(np.argmax(np.where(length <= budget, expected, -np.inf)))
    return {"theta": thetas[best], "accuracy": float(expected[best])}


@rule
def pass_n_loss(p, N):
    """Loss [nats] of fine-tuning for the best of N [samples]: -ln(1 - (1 - p)^N), p [probability] of the right answer.

    N = 1 is cross-entropy. Source: Chen et al. 2025 [chen2025dco], form as recalled, not read in the source. Decides: how
    confident to train a model that will be sampled N times. Keywords: dco direct coverage optimization overconfidence.

    >>> round(float(pass_n_loss(0.1, 8)), 5)
    0.56294
    """
    return -jnp.log(-jnp.expm1(N * _log_miss(p)))


@rule
def pass_n_weight(p, N):
    """Weight [fraction] of an example's cross-entropy gradient under `pass_n_loss`: 1 for N = 1, to 0 where p is near 1.

    Source: Chen et al. 2025 [chen2025dco], derived from the loss. Decides: which examples are still trained on when the model
    will be sampled N times. Keywords: dco gradient confident overconfidence.

    >>> round(float(pass_n_weight(0.1, 8)), 5)
    0.67184
    """
    miss = _log_miss(p)
    return N * p * jnp.exp((N - 1) * miss) / -jnp.expm1(N * miss)


@law
def inference_runtime(p: Tokens, o: Tokens, *, t0=positive(1e-3, 10), prefill=positive(1e-7, 1e-2), knee=positive(10, 1e4),
                      decode=positive(1e-5, 1)) -> Seconds:
    """Runtime of one request [s] from p [prompt tokens] and o [output tokens]: prefill and then one step per token.

    Prompts shorter than `knee` take as long as one of that length, because they do not fill the device. Source: Narayanan
    et al. 2023 [narayanan2023], abstract for the idea; the piecewise linear form is recalled, not read in the source, and the
    flat piece is ours. Decides: what a request costs, also as `cost=lambda p, o: law(p, o)` of a plan. Keywords: idealised
    latency cost model. Not from the source: the start ranges.

    >>> round(float(inference_runtime(2000.0, 100.0, t0=0.05, prefill=1e-4, knee=512.0, decode=0.02)), 5)
    2.25
    """
    return t0 + prefill * jnp.maximum(p, knee) + decode * o
