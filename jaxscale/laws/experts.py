"""Mixtures of experts: loss as a function of how many there are, how many work, how fine they are,
and upcycling to them.

Most of these laws are a Chinchilla law whose amplitudes, exponents or inputs depend on one more
property of the model. Two habits differ between papers and decide what a fit means: whether N
counts all parameters of a mixture of experts, those active per token, or those of the dense model
it is built from; and which logarithm a law takes. Both are said per law. Where such a law becomes a
Chinchilla law at a fixed architecture, a rule gives that law's coefficients.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import negative, positive, real
from ..units import (
    ActiveParams,
    DenseParams,
    Experts,
    Fraction,
    Nats,
    NonEmbeddingParams,
    Params,
    Positive,
    Tokens,
)
from ._rule import rule

__all__ = [
    "effective_experts", "fine_grained_coefficients", "fine_grained_flop", "fine_grained_moe",
    "inference_moe", "joint_moe", "joint_moe_coefficients", "optimal_sparsity", "routed_moe",
    "routed_parameters", "routing_cutoff", "sparse_moe", "upcycling",
]  # fmt: skip


# -- mixtures of experts -------------------------------------------------------------------------
@law
def sparse_moe(N: Params, D: Tokens, S: Fraction, *, e=positive(0.2, 3), a=positive(10, 1e6),
               alpha=positive(0.1, 1.5),
               b=positive(10, 1e6), beta=positive(0.1, 1.5), c=positive(0.05, 5),
               lambda_=negative(-1, -0.03),
               d=positive(1, 300), delta=positive(0.03, 1), gamma=positive(0.03, 1)) -> Nats:
    """Loss [nats/token] of a mixture of experts from N [all parameters], D [tokens] and sparsity S
    [share of idle experts].

    S = (E - K) / E for K of E experts per token. lambda_ is negative: at fixed N and D an ever
    sparser model loses its c term and gains a d term. At fixed training compute the loss falls up
    to S = 1, so a plan needs a bound on S or on memory. At N = 1e11 the published set says that
    fewer active parameters help at the same N and D: an artefact of extrapolation. Source: Abnar et
    al. 2025 (arXiv 2501.12370), form as told in a digest of the paper.
    Decides: how sparse a mixture of experts should be under a bound on memory. Keywords: MoE
    mixture-of-experts active.
    Not from the source: the start ranges.

    >>> round(float(sparse_moe.published["abnar2025"](1e9, 2e10, 0.5)), 5)
    2.58995
    """
    A = a * N**-alpha + d * (1 - S) ** -delta * N**-gamma
    return A + b * D**-beta + c * (1 - S) ** -lambda_ + e


sparse_moe = sparse_moe.publish(
    "abnar2025", source="arXiv 2501.12370", evidence="DIGEST",
    e=0.94, a=16612.50, alpha=0.5962, b=5455.67, beta=0.3954, c=0.4598, lambda_=-0.1666, d=17.26,
    delta=0.1603, gamma=0.1595,
)  # fmt: skip


@rule
def optimal_sparsity(N, *, c, lambda_, d, delta, gamma, **unused):
    """Sparsity S [share of idle experts] with the least loss at N [all parameters], whatever D is,
    for a `sparse_moe`.

    0 where a dense model is best. It compares models of one N and one D, so sparser ones also cost
    less compute.
    Source: Abnar et al. 2025 (arXiv 2501.12370), derived from the law. Decides: whether idle
    experts help at a given memory. Keywords: MoE mixture-of-experts.

    >>> round(float(optimal_sparsity(1e10, **sparse_moe.published["abnar2025"].params)), 4)
    0.2309
    """
    return 1 - jnp.minimum(1.0, (delta * d * N**-gamma / (-lambda_ * c)) ** (1 / (delta - lambda_)))


@rule
def effective_experts(E, E_start, E_max):
    """Effective number of experts [experts] for E [experts]: E_start for one expert, saturating at
    E_max.

    Source: Clark et al. 2022 (arXiv 2202.01169), form as in notes on the paper; used again by
    Ludziejewski et al. 2025 (arXiv 2502.05172). Decides: how many experts are worth having.
    Keywords: MoE mixture-of-experts routed.

    >>> round(float(effective_experts(8, 2.0732, 290.4521)), 4)
    8.8124
    """
    return 1 / (1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max)


@law
def joint_moe(N: ActiveParams, D: Tokens, E: Experts, *, a=positive(1, 1e4),
              delta=negative(-1, -0.03), alpha=negative(-1, -0.05),
              gamma=positive(1e-3, 0.1), b=positive(1, 1e4), omega=positive(0.05, 2),
              beta=negative(-1, -0.05),
              zeta=negative(-0.1, -1e-3), c=positive(0.3, 3), E_start=positive(1.05, 4),
              E_max=positive(50, 2000)) -> Nats:
    """Loss [nats/token] from N [active parameters], D [tokens] and E [experts], dense models (E =
    1) included.

    The exponents alpha and beta are negative and drift with the natural logarithm of the effective
    number of experts: more experts help most where data are plenty. At fixed E it is a Chinchilla
    law, see `joint_moe_coefficients`.
    Source: Ludziejewski et al. 2025 (arXiv 2502.05172), form as in the paper's text. Decides:
    number of experts, active parameters and tokens under a compute or memory budget. Keywords:
    mixture-of-experts MoE sparse routed inference.
    Not from the source: the start ranges.

    >>> round(float(joint_moe.published["ludziejewski2025"](1.727e9, 9.651e9, 1)), 4)
    2.5897
    """
    x = jnp.log(effective_experts(E, E_start, E_max))
    return (c + a * N ** (alpha + gamma * x) * jnp.exp(delta * x)
            + b * D ** (beta + zeta * x) * jnp.exp(omega * x))


joint_moe = joint_moe.publish(
    "ludziejewski2025", source="arXiv 2502.05172", evidence="PAPER", E_start=2.0732, E_max=290.4521,
    c=1.3637,
    a=35.91, delta=-0.2285, alpha=-0.1889, gamma=0.0098, b=35.98, omega=0.5529, beta=-0.1775,
    zeta=-0.0259,
)  # fmt: skip


@rule
def joint_moe_coefficients(E, *, a, delta, alpha, gamma, b, omega, beta, zeta, c, E_start, E_max):
    """Chinchilla coefficients [E nats/token; A, B with N, D in parameters and tokens] of a
    `joint_moe` at E [experts].

    With them `chinchilla` is a law over N [active parameters] and D, and `compute_optimal` gives
    the best of both. The irreducible loss E is the paper's c; exponents are positive. (The paper
    prints its optimum with negative exponents; it holds for their absolute values.) Source:
    Ludziejewski et al. 2025 (arXiv 2502.05172), table 4, which lists them from unrounded
    parameters. Decides: active parameters and tokens for a given number of experts; comparing
    several numbers at equal memory or serving cost then chooses that. Keywords: mixture-of-experts
    MoE allocation optimum.

    >>> at = joint_moe_coefficients(1, **joint_moe.published["ludziejewski2025"].params)
    >>> {k: round(float(v), 4) for k, v in at.items()}
    {'E': 1.3637, 'A': 30.3993, 'alpha': 0.1818, 'B': 53.8434, 'beta': 0.1964}
    """
    x = jnp.log(effective_experts(E, E_start, E_max))
    A, B = a * jnp.exp(delta * x), b * jnp.exp(omega * x)
    return {"E": c, "A": A, "alpha": -alpha - gamma * x, "B": B, "beta": -beta - zeta * x}


@law
def routed_moe(N: DenseParams, E: Experts, *, a=negative(-0.5, -0.02), b=negative(-0.6, -0.03),
               c=positive(1e-3, 0.1),
               d=real(0, 3), E_start=positive(1.05, 5), E_max=positive(50, 2000)) -> Nats:
    """Loss [nats/token] of a routed model after 130B tokens from N [parameters of the dense model]
    and E [experts].

    All logarithms are decimal. N counts one expert, whatever E is; the number of tokens was the
    same in all runs and is no input. E_start and E_max are weakly determined by real runs. Source:
    Clark et al. 2022 (arXiv 2202.01169), table 3 and authors' code. Decides: whether routing pays
    at a given size. Keywords: MoE mixture-of-experts router hash sinkhorn.
    Not from the source: the start ranges.

    >>> round(float(routed_moe.published["clark2022_sbase"](1.3e9, 64)), 5)
    2.04978
    """
    n, x = jnp.log10(N), jnp.log10(effective_experts(E, E_start, E_max))
    return jnp.exp(math.log(10) * (a * n + b * x + c * n * x + d))


# The three printed digits of b and c do not determine b / c, the logarithm of the cutoff: 8.5e10
# becomes 3.2e10 for RL-R. The refits are least squares in log10 on the authors' curves: last step,
# one seed, k = 1, every second layer routed.
routed_moe = routed_moe.publish(
    "clark2022_sbase", source="arXiv 2202.01169, table 3", evidence="NOTE, CODE",
    a=-0.082, b=-0.108, c=0.009, d=1.104, E_start=1.847, E_max=314.478,
).publish(
    "clark2022_rlr", source="arXiv 2202.01169, table 3", evidence="NOTE, CODE",
    a=-0.083, b=-0.126, c=0.012, d=1.111, E_start=1.880, E_max=469.982,
).publish(
    "clark2022_hash", source="arXiv 2202.01169, table 3", evidence="NOTE, CODE",
    a=-0.087, b=-0.136, c=0.012, d=1.157, E_start=4.175, E_max=477.741,
).publish(
    "clark2022_sbase_refit", source="our fit to the curves released with arXiv 2202.01169",
    evidence="D",
    a=-0.08303, b=-0.11804, c=0.00992, d=1.11358, E_start=2.075, E_max=238.7,
).publish(
    "clark2022_rlr_refit", source="our fit to the curves released with arXiv 2202.01169",
    evidence="D",
    a=-0.08273, b=-0.12342, c=0.01123, d=1.10701, E_start=1.722, E_max=470.1,
).publish(
    "clark2022_hash_refit", source="our fit to the curves released with arXiv 2202.01169",
    evidence="D",
    a=-0.08736, b=-0.13836, c=0.01264, d=1.15953, E_start=4.269, E_max=427.3,
)  # fmt: skip


@rule
def routing_cutoff(*, b, c, **unused):
    """Size of the dense model [parameters] above which more experts no longer help, for a
    `routed_moe`: 10^(-b / c).

    A ratio of two small numbers in an exponent: rounding b and c to three digits moves it by up to
    a factor of three.
    Source: Clark et al. 2022 (arXiv 2202.01169), definition of N_cutoff as told in notes on the
    paper. Decides: up to which size to route. Keywords: MoE mixture-of-experts.

    >>> f"{routing_cutoff(**routed_moe.published['clark2022_rlr_refit'].params):.2g}"
    '9.8e+10'
    """
    return 10 ** (-b / c)


@rule
def routed_parameters(N, E, *, a, b, c, E_start, E_max, **unused):
    """Size of a dense model [parameters] as good as N [parameters of the dense model] routed to E
    [experts], for a `routed_moe`.

    Source: Clark et al. 2022 (arXiv 2202.01169), definition of the effective parameter count as
    told in notes on the paper; decimal logarithms. Decides: what routing is worth in parameters.
    Keywords: MoE mixture-of-experts equivalent.

    >>> law = routed_moe.published["clark2022_sbase"]
    >>> round(float(law(routed_parameters(1.3e9, 64, **law.params), 1)), 5)
    2.04978
    """
    x, start = jnp.log10(effective_experts(E, E_start, E_max)), jnp.log10(E_start)
    return 10 ** ((jnp.log10(N) * (a + c * x) + b * (x - start)) / (a + c * start))


@law
def fine_grained_moe(N: NonEmbeddingParams, D: Tokens, G: Positive, *, c=positive(0.1, 3),
                     a=positive(1, 1e3),
                     alpha=positive(0.03, 1), b=positive(1, 1e3), beta=positive(0.03, 1),
                     g=positive(0.1, 100),
                     gamma=positive(0.1, 3)) -> Nats:
    """Loss [nats/token] of a fine-grained mixture of experts from N [parameters], D [tokens] and
    granularity G [1 = usual].

    G says into how many narrower experts each one is cut; models had G from 1 to 16 and an
    expansion of 64. A dense model has g = 0. That N counts all experts and no embeddings is
    recalled, not read in the source.
    Source: Krajewski et al. 2024 (arXiv 2402.07871), form as told in a digest of the paper.
    Decides: how finely to cut experts, against the routing cost in `fine_grained_flop`. Keywords:
    MoE mixture-of-experts granular.
    Not from the source: the start ranges.

    >>> round(float(fine_grained_moe.published["krajewski2024"](6.4e9, 4.37e9, 8)), 5)
    3.0444
    """
    return c + (g * G**-gamma + a) * N**-alpha + b * D**-beta


# Of the dense set gamma is without effect.
fine_grained_moe = fine_grained_moe.publish(
    "krajewski2024", source="arXiv 2402.07871", evidence="DIGEST",
    c=0.47, a=18.1, alpha=0.115, b=30.8, beta=0.147, g=2.1, gamma=0.58,
).publish(
    "krajewski2024_dense", source="arXiv 2402.07871, dense models", evidence="DIGEST",
    c=0.47, a=16.3, alpha=0.126, b=26.7, beta=0.127, g=0.0, gamma=0.58,
)  # fmt: skip


@rule
def fine_grained_coefficients(G, *, c, a, alpha, b, beta, g, gamma):
    """Chinchilla coefficients [E nats/token; A, B with N, D in parameters and tokens] of a
    `fine_grained_moe` at G [1 = usual].

    With them `compute_optimal` plans N and D, given the compute per parameter and token; that
    leaves out what routing costs, which grows with G. Source: Krajewski et al. 2024 (arXiv
    2402.07871), derived from the law. Decides: model and data at a granularity. Keywords: MoE
    mixture-of-experts granular.

    >>> round(float(fine_grained_coefficients(1,
    ...     **fine_grained_moe.published["krajewski2024"].params)["A"]), 4)
    20.2
    """
    return {"E": c, "A": a + g * G**-gamma, "alpha": alpha, "B": b, "beta": beta}


@rule
def fine_grained_flop(width, depth, D, E, G, c_f=6.0, c_r=14.0):
    """Training compute [FLOP] of a fine-grained mixture from width, depth [blocks], D [tokens], E
    [expansion] and G [1 = usual].

    c_f per active weight and c_r per router weight. Source: Krajewski et al. 2024 (arXiv
    2402.07871), form as recalled, c_f and c_r too, none of it read in the source. Decides: whether
    finer experts pay for their router.
    Keywords: MoE mixture-of-experts granular cost.

    >>> fine_grained_flop(1024, 24, 1e9, 64, [1, 16]) / fine_grained_flop(1024, 24, 1e9, 64, 0)
    array([1.01215278, 1.19444444])
    """
    return (12 * width**2 * c_f + width * E * G * c_r) * D * depth


@law
def inference_moe(N: Params, E: Experts, D: Tokens, *, A=positive(1, 1e5),
                  alpha=positive(0.05, 1.5), B=positive(0.01, 100),
                  beta=positive(0.05, 2), C=positive(1, 1e5), gamma=positive(0.05, 1.5),
                  F=positive(0.3, 3),
                  d=real(-0.02, 0.02)) -> Nats:
    """Loss [nats/token] of a mixture of experts from N [parameters], E [experts] and D [tokens],
    with an N-E interaction.

    The paper finds 4 or 8 experts best to serve at 2.5 to 3.5 times the training cost, or 16 and 32
    experts at 70 to 85 % of the size. Source: Yun et al. 2024 (arXiv 2404.02852), form as recalled,
    not read in the source, like the meaning of N. Decides: number of experts when serving costs
    count. Keywords: MoE mixture-of-experts serving. Not from the source: the start ranges, and the
    coefficients of the example.

    >>> round(float(inference_moe(1e9, 8, 2e10, A=400, alpha=0.34, B=1, beta=0.5, C=400, gamma=0.28,
    ...     F=1.5, d=0.0)), 4)
    2.7241
    """
    return (A * N**-alpha + B * E**-beta + C * D**-gamma + F) * jnp.exp(d * jnp.log(N) * jnp.log(E))


@law
def upcycling(N: DenseParams, D1: Tokens, D2: Tokens, *, E=positive(0.05, 3), A=positive(1, 1e3),
              alpha1=positive(0.01, 0.5),
              alpha2=positive(0.01, 0.5), alpha3=positive(1e-5, 1e-2), B=positive(1, 1e3),
              beta=positive(0.03, 1)) -> Nats:
    """Loss [nats/token] of a dense model of N [parameters] after D1 [tokens], turned into experts
    and trained on D2 [tokens].

    More D1 makes D2 worth less: its exponent is alpha2 - alpha3 ln D1, and upcycling stops paying
    where that is small. Training costs 6 N D1 + 6 N_active D2. Dense models and mixtures from
    scratch follow Chinchilla laws in the same paper.
    Source: Liew and Kato 2025 (arXiv 2502.03009), table 2 and eq. 12 as copied in notes; the form
    of the interaction is recalled, and the logarithm is assumed to be natural. Decides: whether to
    upcycle a dense checkpoint or to start from scratch. Keywords: MoE mixture-of-experts sparse
    checkpoint. Not from the source: the start ranges.

    >>> round(float(upcycling.published["liew2025"](1e9, 1e11, 1e11)), 4)
    2.0654
    """
    return E + A * D1**-alpha1 * D2 ** (alpha3 * jnp.log(D1) - alpha2) + B * N**-beta


upcycling = upcycling.publish(
    "liew2025", source="arXiv 2502.03009, table 2", evidence="NOTE",
    E=0.165, A=16.3, alpha1=0.043, alpha2=0.085, alpha3=7.98e-4, B=8.53, beta=0.112,
)  # fmt: skip
