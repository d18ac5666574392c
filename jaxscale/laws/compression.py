"""What fewer bits and fewer weights cost: training in low precision, quantization afterwards,
sparsity.

A compressed model acts like a smaller dense one. Most laws here are therefore Chinchilla's with N
replaced by N times a factor below 1 that depends on the bit widths, on the sparsity, or on the
error of the number format. Quantization after training is the exception: its damage grows with the
data, because the more a model has learned, the more it loses.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive
from ..ground._roots import root
from ..units import BitWidth, Fraction, Nats, NonEmbeddingParams, NonZeroParams, Tokens
from ._rule import rule
from .allocation import compute_optimal

__all__ = [
    "accuracy_at_bits", "compressed", "low_precision", "low_precision_optimum",
    "low_precision_parameters", "optimal_bit_width", "optimal_weight_sparsity",
    "post_training_quantization", "precision", "quantization_degradation",
    "quantization_token_limit", "representation_capacity", "sparse_training_cost",
    "weight_sparsity",
]  # fmt: skip


# -- bit widths ----------------------------------------------------------------------------------
@rule
def low_precision_parameters(N, P_w, P_a, P_kv, *, gamma_w, gamma_a, gamma_kv):
    """Effective parameters [parameters] of N [parameters] trained with P bits [bits] in weights,
    activations, KV cache.

    N times the product of 1 - exp(-P / gamma). P = inf stands for full precision, of which 16 bits
    fall little short.

    Source: Kumar et al. 2024 (arXiv 2411.04330), form as told in a digest and notes. Decides: how
    many parameters a lower training precision is worth. Keywords: quantization-aware training FP8
    effective parameter count capacity.

    >>> round(float(low_precision_parameters(1.0, 4, math.inf, math.inf, gamma_w=2.6745,
    ...     gamma_a=2.0, gamma_kv=1.0)), 6)
    0.775887
    """
    return -N * jnp.expm1(-P_w / gamma_w) * jnp.expm1(-P_a / gamma_a) * jnp.expm1(-P_kv / gamma_kv)


@law
def low_precision(N: NonEmbeddingParams, D: Tokens, P_w: BitWidth, P_a: BitWidth, P_kv: BitWidth, *,
                  E=positive(0.5, 4),
                  A=positive(10, 1e6), B=positive(10, 1e7), alpha=positive(0.05, 1.5),
                  beta=positive(0.05, 1.5),
                  gamma_w=positive(0.3, 10), gamma_a=positive(0.3, 10),
                  gamma_kv=positive(0.1, 10)) -> Nats:
    """Final loss [nats/token] from N [parameters], D [tokens] and the bits [bits] of weights,
    activations, KV cache.

    gamma: bits at which 63 % of a part's parameters are effective. The paper ties `beta="alpha"`. A
    part that was never varied says nothing about its gamma: fix it. Of the published constants only
    A, alpha, gamma_w and gamma_kv could be confirmed (4299, 0.4965, 2.6745, about 0.96), so no set
    is published here.

    Source: Kumar et al. 2024 (arXiv 2411.04330), form as told in a digest and notes. Decides: in
    how many bits to train.
    Keywords: quantization-aware training FP8 INT4 mixed precision. Not from the source: the start
    ranges. That N leaves out embeddings is recalled, not read in the source.

    >>> bits, gammas = (4, float("inf"), float("inf")), dict(gamma_w=2.6745, gamma_a=2.0,
    ...     gamma_kv=1.0)
    >>> round(float(low_precision(1e8, float("inf"), *bits, E=0, A=4299, B=1, alpha=0.4965,
    ...     beta=0.4965, **gammas)), 6)
    0.520095
    """
    N_eff = low_precision_parameters(N, P_w, P_a, P_kv, gamma_w=gamma_w, gamma_a=gamma_a,
                                     gamma_kv=gamma_kv)
    return E + A * N_eff**-alpha + B * D**-beta


@law
def post_training_quantization(N: NonEmbeddingParams, D: Tokens, P_post: BitWidth, *,
                               C_T=positive(1e-4, 1e2),
                               gamma_D=positive(0.05, 1.5), gamma_N=positive(0.05, 1.5),
                               gamma_post=positive(0.1, 10)) -> Nats:
    """Loss added [nats/token] by quantizing to P_post [bits] after training N [parameters] on D
    [tokens].

    Exponential in the bits; `quantization_degradation` is the same with a power of them. gamma_D
    0.5068 and gamma_N 0.3439 could be confirmed, the other constants not, so no set is published
    here.

    Source: Kumar et al. 2024 (arXiv 2411.04330), form as told in a digest and notes. Decides:
    whether more data still helps a model that will be served quantized. Keywords: PTQ overtraining
    degradation serving.
    Not from the source: the start ranges.

    >>> round(float(post_training_quantization(1e9, 1e11, 4, C_T=0.06, gamma_D=0.5068,
    ...     gamma_N=0.3439, gamma_post=0.6)), 5)
    0.02304
    """
    return C_T * D**gamma_D * N**-gamma_N * jnp.exp(-P_post / gamma_post)


@law
def precision(N: NonEmbeddingParams, D: Tokens, P_w: BitWidth, P_a: BitWidth, P_kv: BitWidth,
              P_post: BitWidth, *,
              E=positive(0.5, 4), A=positive(10, 1e6), B=positive(10, 1e7),
              alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5),
              gamma_w=positive(0.3, 10), gamma_a=positive(0.3, 10), gamma_kv=positive(0.1, 10),
              C_T=positive(1e-4, 1e2),
              gamma_D=positive(0.05, 1.5), gamma_N=positive(0.05, 1.5),
              gamma_post=positive(0.1, 10)) -> Nats:
    """Loss [nats/token] after training N [parameters] on D [tokens] with P bits [bits] and
    quantizing to P_post [bits].

    `low_precision` plus `post_training_quantization`. 16 bits stand for runs that were not
    quantized: their last term is then below what can be seen. The paper ties `beta="alpha"`.

    Source: Kumar et al. 2024 (arXiv 2411.04330), form as told in a digest and notes. Decides:
    training and serving precision together. Keywords: unified quantization PTQ QAT FP8 bits. Not
    from the source: the start ranges. That N leaves out embeddings is recalled, not read in the
    source.

    >>> train = dict(E=2.76, A=4299, B=18060, alpha=0.4965, beta=0.4965, gamma_w=2.6745,
    ...     gamma_a=2.2102, gamma_kv=0.96)
    >>> post = dict(C_T=0.06, gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.6)
    >>> round(float(precision(1e9, 1e11, 8, 8, 8, 4, **train, **post)), 5)
    2.99746
    """
    N_eff = low_precision_parameters(N, P_w, P_a, P_kv, gamma_w=gamma_w, gamma_a=gamma_a,
                                     gamma_kv=gamma_kv)
    return (E + A * N_eff**-alpha + B * D**-beta
            + C_T * D**gamma_D * N**-gamma_N * jnp.exp(-P_post / gamma_post))


@rule
def optimal_bit_width(gamma_w, gamma_a, gamma_kv):
    """Training precision P [bits], the same everywhere, that loses least where cost is N D P, from
    gamma [bits].

    It maximises the product of 1 - exp(-P / gamma) over P, whatever the compute and the exponents.
    With one gamma it is 1.9038 gamma. The paper's 7 to 8 bits do not follow from its gamma_w alone,
    which gives 5.09.

    Source: derived from the form of Kumar et al. 2024 (arXiv 2411.04330). Decides: in how many bits
    to train when compute is proportional to them. Keywords: compute-optimal precision FP8 FP4.

    >>> round(float(optimal_bit_width(1.0, 1.0, 1.0)), 7)
    1.9038137
    """
    gammas = jnp.stack(jnp.broadcast_arrays(*map(jnp.asarray, (gamma_w, gamma_a, gamma_kv))))

    # of ln P - sum ln(1 - exp(-P / gamma)); it is below 0 at the least gamma, above at 5 times the
    # largest
    def slope(t, gammas):
        u = jnp.exp(t) / gammas
        return 1 - jnp.sum(u / jnp.expm1(u), 0)

    return jnp.exp(root(slope, jnp.log(jnp.min(gammas, 0)), jnp.log(5 * jnp.max(gammas, 0)),
                        gammas))


@rule
def low_precision_optimum(C, P, *, E, A, B, alpha, beta, gamma_w, gamma_a, gamma_kv):
    """N [parameters], D [tokens] and loss [nats/token] that are best for compute C [16-bit FLOP] at
    P [bits] everywhere.

    Compute is (6 / 16) N D P: an operation costs as many bits as it has. In closed form, A rises by
    the lost capacity.

    Source: derived from the form of Kumar et al. 2024 (arXiv 2411.04330), whose cost this is.
    Decides: size and tokens of a model trained in low precision. Keywords: compute-optimal
    allocation FP8 quantized training.

    >>> true = dict(E=2.76, A=4299, B=18060, alpha=0.4965, beta=0.4965, gamma_w=2.67, gamma_a=2.21,
    ...     gamma_kv=0.96)
    >>> plan = low_precision_optimum(1e21, 8, **true)
    >>> float(f"{plan['N']:.5g}"), float(f"{plan['D']:.5g}"), round(float(plan["loss"]), 4)
    (4474800000.0, 74491000000.0, 2.9045)
    """
    A = A * low_precision_parameters(1.0, P, P, P, gamma_w=gamma_w, gamma_a=gamma_a,
                                     gamma_kv=gamma_kv) ** -alpha
    plan = compute_optimal(C, E=E, A=A, B=B, alpha=alpha, beta=beta, per_token=6.0 * P / 16)
    return {k: plan[k] for k in ("N", "D", "loss")}


@law
def quantization_degradation(N: NonEmbeddingParams, D: Tokens, P: BitWidth, *, k=positive(1e-4, 10),
                             alpha=positive(0.05, 1.5),
                             beta=positive(0.05, 1.5), gamma=positive(0.5, 20)) -> Nats:
    """Loss added [nats/token] by quantizing to P [bits] after training N [parameters] on D
    [tokens].

    A monomial: a table needs at least two sizes, two amounts of data and two bit widths. Fitted on
    checkpoints of the Pythia models quantized with GPTQ, far below the 1e14 tokens that the paper
    extrapolates to.

    Source: Ouyang et al. 2024 (arXiv 2411.17691), form as told in a note of a figure caption.
    Decides: whether a model trained on that much data can be served in few bits. Keywords:
    quantization-induced QiD undertrained PTQ low-bit.
    Not from the source: the start ranges. That N leaves out embeddings is our assumption.

    >>> round(float(quantization_degradation.published["ouyang2024"](1e9, 1e11, 4)), 6)
    0.045952
    """
    return k * D**beta * N**-alpha * P**-gamma


quantization_degradation = quantization_degradation.publish(
    "ouyang2024", source="arXiv 2411.17691, figure caption", evidence="NOTE", k=0.017, alpha=0.2261,
    beta=0.5251, gamma=5.4967,
)  # fmt: skip


@rule
def quantization_token_limit(added, N, P, *, k, alpha, beta, gamma):
    """Training tokens D [tokens] at which N [parameters] lose `added` [nats/token] when quantized
    to P [bits].

    The inverse of `quantization_degradation`.

    Source: derived from the form of Ouyang et al. 2024 (arXiv 2411.17691). Decides: how long a
    model may be trained before low-bit serving costs more than is allowed. Keywords: undertrained
    overtraining low-bit QiD.

    >>> limit = quantization_token_limit(0.045952, 1e9, 4,
    ...     **quantization_degradation.published["ouyang2024"].params)
    >>> float(f"{limit:.4g}")
    100000000000.0
    """
    return jnp.exp((jnp.log(added / k) + alpha * jnp.log(N) + gamma * jnp.log(P)) / beta)


@rule
def accuracy_at_bits(total, N, k, accuracy):
    """Accuracy [any] at `total` [bits] of weights, from measured N (n,) [parameters], k (n,) or one
    [bits], accuracy (n,).

    Linear in the logarithm of the total N k, NaN outside the measured range; N k must rise. Call it
    for each bit width at the same total and take the best: that comparison is the paper's, which
    gives no formula and found 4 bits best nearly everywhere.

    Source: Dettmers and Zettlemoyer 2022 (arXiv 2212.09720), comparison by interpolation (no
    formula), definition of the axis. Decides: few parameters in many bits or more parameters in
    few, for a given memory. Keywords: inference 4-bit k-bit zero-shot interpolation.

    >>> round(float(accuracy_at_bits(8e9, [1e9, 4e9], 4, [0.50, 0.60])), 5)
    0.55
    """
    return jnp.interp(jnp.log(total), jnp.log(N * k), accuracy, left=jnp.nan, right=jnp.nan)


# -- sparsity ------------------------------------------------------------------------------------
@law
def weight_sparsity(N: NonZeroParams, S: Fraction, D: Tokens, *, a_S=positive(0.1, 1e4),
                    b_S=positive(0.1, 3),
                    c_S=positive(0.1, 1e4), b_N=positive(0.05, 1), a_D=positive(1e6, 1e11),
                    b_D=positive(0.05, 1.5),
                    c=positive(0.1, 10)) -> Nats:
    """Final loss [nats/token] of a sparse model from N [non-zero parameters], S [share of zeros, 0
    to 1] and D [tokens].

    N counts weights that are left, without embeddings. For the vision models D counts images and
    the value is their loss. D is what the run was trained on, pruning included.

    Source: Frantar et al. 2023 (arXiv 2309.08520), authors' code. Decides: whether to train a
    sparse model, and how sparse.
    Keywords: pruning unstructured sparsely-connected foundation models T5 ViT lottery. Not from the
    source: the start ranges.

    >>> round(float(weight_sparsity.published["frantar2023_t5"](48 * 12 * 1024**2, 0.75, 5e5
    ...     * 65536)), 5)
    1.4683
    """
    return (a_S * (1 - S) ** b_S + c_S) * N**-b_N + (a_D / D) ** b_D + c


# The code's units: millions of parameters; 1e5 steps of 65,536 tokens, or 1e9 images, with the data
# term as e D^-b_D. "t5" stopped at its first step: the mean Huber loss has gradients below the
# solver's tolerance. "t5_refit" is the optimum of the same objective on the same 48 runs, 36 %
# lower, yet a little worse on the run that was held out.
def _frantar(law, name, source, evidence, data, a_S, b_S, c_S, b_N, e, b_D, c):
    scale = 1e6**b_N
    return law.publish(name, source=source, evidence=evidence, a_S=a_S * scale, b_S=b_S,
                       c_S=c_S * scale, b_N=b_N,
                       a_D=e ** (1 / b_D) * data, b_D=b_D, c=c)  # fmt: skip


weight_sparsity = _frantar(
    weight_sparsity, "frantar2023_t5", source="arXiv 2309.08520, authors' fit of T5 on C4",
    evidence="CODE, DATA",
    data=1e5 * 65536,
    a_S=0.56778512, b_S=0.72161276, c_S=1.52265016, b_N=0.24513173, e=0.63361517, b_D=0.20270772,
    c=0.65074219)  # fmt: skip
weight_sparsity = _frantar(
    weight_sparsity, "frantar2023_vit", source="arXiv 2309.08520, authors' fit of ViT",
    evidence="CODE, DATA", data=1e9,
    a_S=1.30485411, b_S=0.82101251, c_S=2.07506343, b_N=0.39222675, e=0.27818217, b_D=0.88979104,
    c=4.51669257)  # fmt: skip
weight_sparsity = _frantar(
    weight_sparsity, "frantar2023_t5_refit",
    source="runs of arXiv 2309.08520, their objective at its optimum", evidence="DATA",
    data=1e5 * 65536,
    a_S=0.43624072, b_S=1.3449684, c_S=1.6951732, b_N=0.23168278, e=0.41760515, b_D=0.38463819,
    c=0.83037473)  # fmt: skip


@rule
def sparse_training_cost(S):
    """Training compute per token and non-zero weight relative to a dense model [ratio] of a run
    that ends at sparsity S.

    A quarter of the run dense, half of it being pruned, a quarter at S [share of zeros, 0 to 1],
    for the same number of non-zero weights at the end. It comes to 0.625 + 0.375 / (1 - S).

    Source: Frantar et al. 2023 (arXiv 2309.08520), form recalled, not read in the source; its short
    form is derived.
    Decides: what a sparse model costs to train against a dense one of as many weights. Keywords:
    pruning schedule multiplier.

    >>> float(sparse_training_cost(0.5))
    1.375
    """
    return 0.625 + 0.375 / (1 - S)


@rule
def optimal_weight_sparsity(N, D, *, a_S, b_S, c_S, b_N, a_D, b_D, c):
    """Sparsity S [share of zeros, 0 to 1] that is best for N [non-zero parameters] at the cost of a
    dense run of D [tokens].

    A sparse run of that cost sees D / `sparse_training_cost(S)` tokens. 0 where no sparsity pays.

    Source: Frantar et al. 2023 (arXiv 2309.08520), optimal sparsity; the equation that is solved
    here is derived.
    Decides: how sparse a model of given size to train for a given compute. Keywords: pruning
    compute-optimal.

    >>> round(float(optimal_weight_sparsity(1e8, 2e10,
    ...     **weight_sparsity.published["frantar2023_t5"].params)), 3)
    0.605
    """

    # ln of (what an e-fold of density costs in data / what it gains): rises with t = -ln(1 - S)
    def slope(t, at):
        price, gain, b_S, b_D = at
        return price - gain + (1 + b_S) * t + (b_D - 1) * jnp.log(0.625 + 0.375 * jnp.exp(t))

    price, gain = jnp.broadcast_arrays(jnp.log(0.375 * b_D) + b_D * jnp.log(a_D / D),
                                       jnp.log(a_S * b_S) - b_N * jnp.log(N))
    gain = jnp.maximum(gain, price)  # where the first zeros do not pay the root is t = 0
    # ln(0.625 + 0.375 exp(t)) lies between 0 and t
    high = 1.0 + (gain - price) / (b_S + jnp.minimum(b_D, 1.0))
    return -jnp.expm1(-root(slope, -jnp.ones_like(high), high, (price, gain, b_S, b_D)))


# -- formats in general --------------------------------------------------------------------------
@rule
def representation_capacity(GMSE, *, L, F, C):
    """Capacity rho [ratio of effective to stored parameters] of a number format from its error GMSE
    [ratio, below 1].

    GMSE: mean squared error of standard Gaussian numbers in that format, quantized or sparse. rho
    is L tanh(F x)^C with x = log_{1/4} GMSE. Capacities of several compressions multiply.

    Source: Panferov et al. 2025 (arXiv 2506.01863), form as told in the paper's text; the shape of
    rho is recalled, not read in the source. Decides: which number format keeps most of a model.
    Keywords: quantization sparsity unified GMSE.

    >>> round(float(representation_capacity(4.0**-4, L=1.0, F=0.25, C=1.0)), 5)
    0.76159
    """
    return L * jnp.exp(C * jnp.log(jnp.tanh(-F * jnp.log(GMSE) / math.log(4.0))))


@law
def compressed(N: NonEmbeddingParams, D: Tokens, GMSE: Fraction, *, E=positive(0.5, 4),
               A=positive(1, 1e6), B=positive(1, 1e7),
               alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5), L=positive(0.3, 1.5),
               F=positive(0.05, 5),
               C=positive(0.1, 10)) -> Nats:
    """Final loss [nats/token] of N [parameters] in a compressed format of error GMSE [ratio, below
    1] after D [tokens].

    Chinchilla with N times `representation_capacity`. L multiplies N everywhere, so a table cannot
    tell it from A: take E, A, B, alpha and beta from dense runs and fix them, or fix L=1. No
    coefficients were found.

    Source: Panferov et al. 2025 (arXiv 2506.01863), form as told in the paper's text; the shape of
    rho is recalled, not read in the source. Decides: which format and how large a model to train.
    Keywords: quantization sparsity unified capacity.
    Not from the source: the start ranges.

    >>> round(float(compressed(1e8, 1e10, 1e-3, E=1.7, A=400, B=1100, alpha=0.34, beta=0.33, L=1,
    ...     F=0.3, C=1.0)), 5)
    3.04003
    """
    rho = representation_capacity(GMSE, L=L, F=F, C=C)
    return E + A * (N * rho) ** -alpha + B * D**-beta
