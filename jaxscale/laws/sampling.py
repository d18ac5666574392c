"""Repeated sampling: how success grows with samples, by counting, by voting, or through a verifier.

Coverage is the share of problems that at least one of k samples solves. Two roads lead to it.
Averaged over problems it follows an exponentiated power law in k, which is fitted like any law.
Where the successes of every problem were counted, a beta distribution of success rates is fitted to
the counts by maximum likelihood, and coverage at larger k follows from it. Beside them stand
counting estimates, votes, and what an imperfect verifier allows.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln

from ..formula._law import law
from ..formula._params import negative, positive
from ..ground._errors import refuse
from ..ground._roots import root
from ..units import Count, Fraction, Positive, Samples
from ._rule import rule

__all__ = [
    "best_sample_count", "best_stop", "beta_binomial", "beta_coverage", "coverage", "majority_vote",
    "pass_at_k", "perplexity_consistency", "resampling_accuracy", "samples_for_coverage",
    "self_consistency",
]  # fmt: skip


# -- coverage ------------------------------------------------------------------------------------
@law
def coverage(k: Samples, *, a=negative(-30, -0.05), b=negative(-3, -0.02)) -> Fraction:
    """Coverage [fraction of problems solved] by k [samples per problem].

    Points at different k come from the same problems and samples: bootstrap problems, never rows of
    this table. `beta_binomial` is fitted to the counts themselves; which of the two extrapolates
    better depends on the table (on the released counts, from 100 to 10,000 samples, this one).
    Source: Brown et al. 2024 (arXiv 2407.21787), abstract for the exponentiated power law, form as
    told in a third-party account. Decides: how many samples a target coverage costs.
    Keywords: repeated sampling pass@k monkeys. Not from the source: the start ranges.

    >>> round(float(coverage(100.0, a=-1.5, b=-0.4)), 5)
    0.78841
    """
    return jnp.exp(a * k**b)


@rule
def samples_for_coverage(target, a, b):
    """Samples per problem [samples] at which coverage reaches `target` [fraction]: the inverse of
    `coverage`.

    Source: Brown et al. 2024 (arXiv 2407.21787), derived. Decides: how many samples to draw.
    Keywords: inverse pass@k.

    >>> round(float(samples_for_coverage(0.9, a=-1.5, b=-0.4)), 2)
    764.77
    """
    return (jnp.log(target) / a) ** (1 / b)


@rule
def best_sample_count(value, price, a, b):
    """Samples per problem [samples] that earn most: value [of a solved problem] times coverage less
    price [per sample] times k.

    k is real and at least 1; it is 0 where no number of samples earns anything. Coverage is convex
    in k at first, so the stationary point is sought beyond its inflection. Source: Brown et al.
    2024 (arXiv 2407.21787), derived. Decides: how many samples pay. Keywords: cost-optimal pass@k.

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
    # elsewhere any price with a root: it is not used
    ratio = jnp.where(inside, ratio, falls(low + 1, (a, b, 0.0)))
    high = jnp.maximum(low, (ratio + jnp.log(a * b)) / (1 - b)) + 2
    many = jnp.where(inside, jnp.exp(root(falls, low, high, (a, b, ratio))), 1.0)

    def net(k):
        return value * jnp.exp(a * k**b) - price * k

    k = jnp.where(net(many) > net(1.0), many, 1.0)
    k = jnp.where(net(k) > 0, k, 0.0)
    return {"k": k, "coverage": jnp.where(k > 0, jnp.exp(a * jnp.maximum(k, 1.0) ** b), 0.0),
            "net": jnp.maximum(net(k), 0.0)}


def pass_at_k(n, c, k):
    """Unbiased coverage at k [samples] of each problem [fraction], from n [samples] of which c
    [samples] succeeded; average it.

    1 - prod (1 - k / j) for j from n - c + 1 to n: nothing overflows or cancels. 1 - (1 - c / n)^k
    is biased low. NaN for k > n, which no count can tell; see `beta_coverage`. Arrays broadcast:
    `pass_at_k(n[:, None], c[:, None], ks).mean(0)`.
    Source: Brown et al. 2024 (arXiv 2407.21787), form as told in a third-party account; the product
    is derived.
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
    """Negative log-likelihood [nats] of c successes in n samples of one problem [counts], success
    rates being Beta(a, b).

    One row is one problem. Fit it with `objectives.NegLogLik()` and `target=None`; bootstrapped
    rows are then bootstrapped problems. 1 - coverage falls like k^-a, so a is the tail exponent.
    Source: Brown et al. 2024 (arXiv 2407.21787), derived. Decides: how far coverage reaches beyond
    the samples drawn. Keywords: pass@k counts maximum likelihood difficulty.

    >>> round(float(beta_binomial(10, 3, a=0.3, b=2.0)), 5)
    2.8014
    """
    return (_log_beta(a, b) - _log_beta(a + c, b + n - c) + jnp.log(n + 1)
            + _log_beta(c + 1, n - c + 1))


def _log_gamma_ratio(x, a):
    """ln Gamma(x) - ln Gamma(x + a): by Stirling's series where x is large, as the difference would
    cancel there.
    """

    def rest(x):
        return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * x**2)) / x**2) / x**2)
                / x**2) / x

    large = a - (x - 0.5) * jnp.log1p(a / x) - a * jnp.log(x + a) + rest(x) - rest(x + a)
    return jnp.where(x < 20, gammaln(x) - gammaln(x + a), large)


@rule
def beta_coverage(k, a, b):
    """Coverage [fraction of problems solved] by k [samples per problem], success rates being
    Beta(a, b); any k.

    Source: Brown et al. 2024 (arXiv 2407.21787), derived. Decides: how many samples a target
    coverage costs.
    Keywords: extrapolated pass@k beta-binomial.

    >>> round(1 - float(beta_coverage(100, a=0.3, b=2.0)), 6)
    0.291629
    """
    return -jnp.expm1(_log_gamma_ratio(b + k, a) - _log_gamma_ratio(b, a))


@rule
def majority_vote(p, n):
    """Accuracy [fraction] of the majority of n [samples] on a two-way question that a sample gets
    right with p [fraction].

    Ties count half. Problems with p < 1/2 go to 0: voting ends at the share of problems whose most
    frequent answer is right.
    Source: Wu et al. 2024 (arXiv 2408.00724), form as recalled for the limit; derived for two
    answers. Decides: when more votes stop helping. Keywords: self-consistency weighted voting
    saturation.

    >>> round(float(majority_vote(0.6, 11)), 4)
    0.7535
    """
    half = jnp.floor((jnp.asarray(n) + 1) / 2)
    return betainc(half, half, p)


@law
def self_consistency(n: Samples, *, E=positive(1e-3, 1), A=positive(1e-3, 10)) -> Fraction:
    """Error of self-consistency [fraction] from n [samples per problem]: the model's own error E
    and an estimation error.

    Source: Zhou et al. 2025 [zhou2025], abstract for the two rates; the constants are ours.
    Decides: how many samples voting needs before the model is what limits it. Keywords: rpc voting.
    Not from the source: the start ranges.

    >>> round(float(self_consistency(16.0, E=0.2, A=0.8)), 5)
    0.25
    """
    return E + A / n


@law
def perplexity_consistency(n: Samples, *, E=positive(1e-3, 1), A=positive(1e-3, 10),
                           r=positive(1e-3, 3)) -> Fraction:
    """Error of perplexity consistency [fraction] from n [samples per problem]: answers weighted by
    their own probability.

    Its estimation error vanishes exponentially, that of `self_consistency` like 1 / n. Source: Zhou
    et al. 2025 [zhou2025], abstract for the two rates; the constants are ours. Decides: whether to
    weight votes by probability. Keywords: rpc.
    Not from the source: the start ranges.

    >>> round(float(perplexity_consistency(16.0, E=0.2, A=0.8, r=0.1)), 5)
    0.36152
    """
    return E + A * jnp.exp(-r * n)


# -- imperfect verifiers -------------------------------------------------------------------------
@rule
def resampling_accuracy(p, k, t=1.0, f=0.0):
    """Accuracy [fraction] of drawing up to k [samples] until a verifier accepts one; samples are
    right with p [fraction].

    t is the verifier's true-positive, f its false-positive rate; nothing accepted counts as wrong.
    k = inf gives the ceiling, which is below 1 as soon as the verifier accepts wrong answers (f >
    0). Source: Stroebl et al. 2024 [stroebl2024], derived.
    Decides: whether a weak model with many tries replaces a strong one, and whether to improve the
    verifier or to buy samples.
    Keywords: rejection sampling unit tests imperfect verifier limit.

    >>> round(float(resampling_accuracy(0.6, 5, t=0.95, f=0.1)), 6)
    0.925995
    """
    q = p * t + (1 - p) * f
    return -jnp.expm1(k * jnp.log1p(-q)) * p * t / q


def best_stop(p, c, t=1.0, f=0.0):
    """Tries [samples] after which to stop when an accepted wrong answer costs c [times the worth of
    a right one].

    `p` holds the success rates of all problems, which are not told apart: those still open after j
    tries are the hard ones, where acceptances are ever more often false. The optimum is often 0,
    and infinite where even the hardest problem earns. Needs t > f. Source: Stroebl et al. 2024
    [stroebl2024], derived. Decides: how often to resample. Keywords: optimal number of attempts
    false positives imperfect verifier.

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

    # sign of what try j is worth: relative to the problem that stays open longest, so it never
    # underflows
    def earns(j):
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
