"""Learning rate, weight decay, parametrisation: how the best settings move with size, data, width
and compute.

Around its best setting the loss is a parabola in the logarithm of the setting; how the best setting
moves with scale is a power law. Papers disagree even on signs (the best learning rate falls with
more data at a fixed batch, Bjorck et al. 2024, and rises where the batch is tuned along with it, Li
et al. 2025): never average two of them. Judge such a law by the loss that its settings cost, not by
its exponents. Batch sizes are in `batch`.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax.scipy.special import entr

from ..formula._law import law
from ..formula._params import between, negative, positive, real
from ..ground._errors import refuse
from ..units import Flop, LearningRate, Nats, Params, Positive, Tokens
from ._rule import rule

__all__ = [
    "deepseek_settings", "kaplan_learning_rate", "lars_rate", "layerwise_decay", "learning_rate",
    "lora_scale", "mup", "near_optimal_window", "quadratic_optimum", "quadratic_optimum_pair",
    "scale_settings", "spectral_norm", "spectral_rank", "timescale", "top_singular_value",
    "transfer_learning_rate", "tuned_front", "tuning_regret", "weight_decay",
]  # fmt: skip


# -- learning rate -------------------------------------------------------------------------------
@law
def learning_rate(N: Params, D: Tokens, *, C=positive(1e-3, 1e4), alpha=real(-1, 1),
                  beta=real(-1, 1)) -> LearningRate:
    """Best peak learning rate [learning rate] from N [parameters] and D [training tokens]: C
    N^-alpha D^-beta.

    beta is positive where the batch is fixed (Bjorck et al. 2024 have alpha = 0.23, beta = 0.32 at
    0.5M tokens; their C is quoted in ways that give no sane value, so it must be fitted) and
    negative where the batch is tuned too (Li et al. 2025). Porian et al. 2024 looked at N alone.
    Source: Bjorck et al. 2024 (arXiv 2409.19913), form as told in notes; Li et al. 2025 (arXiv
    2503.04715), authors' code; Porian et al. 2024 (arXiv 2406.19146), authors' code; for video, Yin
    et al. 2024 (arXiv 2411.17470), form as told in notes. Decides: the learning rate of a planned
    run. Keywords: step-law lr hyper-parameter optimal token horizon. Not from the source: the start
    ranges.

    >>> round(float(learning_rate.published["li2025"](7e9, 1.4e12)), 7)
    0.0009347
    """
    return C * N**-alpha * D**-beta


# What the paper prints are means over bootstrap resamples of a regression in logarithms; a direct
# regression on the released runs gives something else, and so does keeping only the best run of
# each (N, D). N leaves out embeddings.
learning_rate = learning_rate.publish(
    "li2025", source="arXiv 2503.04715 (Step Law), released bootstrap means", evidence="V",
    C=math.exp(0.586308), alpha=0.712922, beta=-0.307491,
).publish(
    "li2025_printed", source="arXiv 2503.04715 (Step Law), as printed", evidence="V",
    C=1.79, alpha=0.713, beta=-0.307,
).publish(
    "li2025_refit",
    source="arXiv 2503.04715, refit of the 129 released dense runs within 0.25 % of their best",
    evidence="D",
    C=77.7, alpha=0.766, beta=-0.197,
).publish(
    "li2025_argmin",
    source="arXiv 2503.04715, refit of the best run of each of the 17 released dense (N, D)",
    evidence="D",
    C=30.1, alpha=0.823, beta=-0.288,
).publish(
    "porian2024", source="arXiv 2406.19146, as told in notes", evidence="V2",
    C=3.7, alpha=0.36, beta=0.0,
)  # fmt: skip


@rule
def transfer_learning_rate(eta, D_from, D_to, beta=0.32, N_from=1.0, N_to=1.0, alpha=0.23):
    """Learning rate [learning rate] at D_to [tokens] from the best one, eta, at D_from [tokens],
    the batch unchanged.

    eta (D_from / D_to)^beta (N_from / N_to)^alpha; sizes [parameters] may be left out. beta = 0.32
    is the source's for 760M parameters and more. Its table, all at a batch of 0.5M tokens, has
    .7029 for 50M, .6531 for 125M, .3799 for 350M, .3155 for 760M, .3171 for 1.3B, .4184 for 2.7B
    parameters. Source: Bjorck et al. 2024 (arXiv 2409.19913), table 5, as told in notes.
    Decides: the learning rate of a long run from sweeps on short ones. Keywords: lr transfer token
    horizon.

    >>> round(float(transfer_learning_rate(1e-3, 1e10, 1e11)), 7)
    0.0004786
    """
    return eta * (D_from / D_to) ** beta * (N_from / N_to) ** alpha


@rule
def kaplan_learning_rate(N):
    """Learning rate [learning rate] of Adam from N [parameters without embeddings]: 0.003239 -
    0.0001395 ln N.

    NaN from 1.213e10 parameters on, where the formula is negative. Source: Kaplan et al. 2020
    (arXiv 2001.08361), form as told in notes. Decides: a first learning rate for models below a
    billion parameters. Keywords: lr rule of thumb.

    >>> round(float(kaplan_learning_rate(1e8)), 7)
    0.0006693
    """
    rate = 0.003239 - 0.0001395 * jnp.log(N)
    return jnp.where(rate > 0, rate, jnp.nan)


@rule
def deepseek_settings(C):
    """Best learning rate [learning rate] and batch size [tokens] from the compute C [FLOP].

    Read off settings whose loss is at most 0.25 % above the best. Source: DeepSeek-AI 2024
    [deepseek2024], form as told in notes. Decides: learning rate and batch of a compute-optimal
    run. Keywords: lr hyper-parameter near-optimal.

    >>> {k: float(f"{v:.4g}") for k, v in deepseek_settings(1e20).items()}
    {'learning_rate': 0.000986, 'batch_size': 1017000.0}
    """
    return {"learning_rate": 0.3118 * C**-0.1250, "batch_size": 0.2920 * C**0.3271}


@rule
def lars_rate(weight_norm, gradient_norm, weight_decay, trust):
    """Local learning rate [learning rate] of one layer from its weight and gradient norms [same
    norm].

    trust |w| / (|g| + weight_decay |w|): a step then changes every layer by about the same share.
    Source: You et al. 2017 [you2017], form as recalled, not read in the source. Decides: layer-wise
    rates for very large batches. Keywords: LARS lr.

    >>> round(float(lars_rate(10.0, 0.5, 0.0, 0.001)), 4)
    0.02
    """
    return trust * weight_norm / (gradient_norm + weight_decay * weight_norm)


# -- weight decay --------------------------------------------------------------------------------
@law
def timescale(N: Params, D: Tokens, *, c=positive(0.01, 100), m=negative(-2, -0.05)) -> Positive:
    """Best AdamW timescale tau = B / (eta lambda D) [epochs] from N [parameters] and D [training
    tokens]: c (D/N)^m.

    The share of the run over which the weights remember; `weight_decay` turns it into lambda.
    Source: Bergsma et al. 2025 (arXiv 2505.13738), form as told in notes. Decides: the weight decay
    of a large run. Keywords: power-lines tau EMA averaging. Not from the source: the start ranges.

    >>> round(float(timescale.published["bergsma2025"](1.0, 20.0)), 5)
    0.22356
    """
    return c * (D / N) ** m


timescale = timescale.publish(  # 10 to 90 % of bootstraps: m from -0.529 to -0.507
    "bergsma2025", source="arXiv 2505.13738 (Power Lines), as told in notes", evidence="V2",
    c=1.084, m=-0.527,
)  # fmt: skip


@rule
def weight_decay(tau, B, eta, D):
    """AdamW weight decay [1] for the timescale tau [epochs] at batch B [tokens], learning rate eta
    and D [training tokens].

    B / (eta tau D): linear in B at fixed N and D, up to the critical batch. `timescale` gives the
    best tau.
    Source: Bergsma et al. 2025 (arXiv 2505.13738), definition of tau. Decides: the weight decay
    before a big run.
    Keywords: power-lines lambda.

    >>> round(float(weight_decay(0.22356, 1.024e6, 1.6e-2, 1.22e10)), 4)
    0.0235
    """
    return B / (eta * tau * D)


@rule
def scale_settings(D, D_ref, B_ref, eta_ref, weight_decay_ref, exponent=0.383):
    """Batch [tokens], learning rate and weight decay [1] for D [tokens] from a run tuned at D_ref
    [tokens].

    Batch as (D / D_ref)^exponent, learning rate as the root of the batch, weight decay so that the
    timescale stays.
    Source: Bergsma et al. 2025 (arXiv 2505.13738) for the exponent; form as told in notes on the
    public trainer nanochat.
    Decides: all settings of a longer run at once. Keywords: power-lines transfer lr.

    >>> {k: float(f"{v:.4g}") for k, v in scale_settings(1e11, 1e10, 5e5, 1e-2, 0.1).items()}
    {'batch_size': 1208000.0, 'learning_rate': 0.01554, 'weight_decay': 0.01554}
    """
    B = B_ref * (D / D_ref) ** exponent
    root = jnp.sqrt(B / B_ref)
    return {"batch_size": B, "learning_rate": eta_ref * root,
            "weight_decay": weight_decay_ref * root * D_ref / D}


# -- width and rank: parametrisations ------------------------------------------------------------
@rule
def mup(fan_in, fan_out=1.0, eta=1.0, optimizer="adam"):
    """Initial variances [1] and learning rates [unit of eta] of maximal-update parametrisation from
    fan-in and fan-out [units].

    For input, hidden and output matrices. Give ratios to a tuned base width to get multipliers of
    what was used there. `optimizer` is "adam" or "sgd". Source: Lingle 2024 [lingle2024], table, as
    told in notes; Yang et al. 2023 [yang2023] and Yao and Wang 2023 (arXiv 2304.06875). Decides:
    settings of a wide model from sweeps on a narrow one. Keywords: muP mu-transfer µP
    hyper-parameter transfer width initialisation lr.

    >>> {k: float(v) for k, v in mup(4.0, eta=0.01).items() if k.startswith("hidden")}
    {'hidden_variance': 0.25, 'hidden_rate': 0.0025}
    """
    rates = {"adam": (eta, eta / fan_in, eta / fan_in), "sgd": (eta * fan_out, eta, eta / fan_in)}
    if optimizer not in rates:
        raise refuse(f"mup(optimizer={optimizer!r})", why="a typing slip", change="'adam' or 'sgd'")
    variances = (jnp.ones_like(fan_in), 1 / fan_in, 1 / fan_in**2)
    names = ("input", "hidden", "output")
    return {f"{n}_variance": v for n, v in zip(names, variances, strict=True)} | {
        f"{n}_rate": r for n, r in zip(names, rates[optimizer], strict=True)
    }


@rule
def spectral_norm(fan_in, fan_out):
    """Spectral norm [1] that a weight matrix, and each of its updates, should have up to a
    constant: sqrt(fan_out / fan_in).

    Source: Yang et al. 2023 [yang2023], abstract (spectral condition). Decides: initial scale and
    step size of a layer of any shape. Keywords: muP feature learning operator norm.

    >>> float(spectral_norm(1024, 4096))
    2.0
    """
    return jnp.sqrt(fan_out / fan_in)


@rule
def layerwise_decay(width):
    """Multipliers [ratios] of learning rate and weight decay for matrices and vectors at `width`
    [ratio to the tuned width].

    AdamW ends in a state where `top_singular_value` would grow with width; weight decay as the root
    of the width holds it. Vectors (norms, biases) keep their rate and have no decay. Source: Fan et
    al. 2025 [fan2025], abstract. Decides: weight decay of a wide model from a narrow one. Keywords:
    muP robust layer-wise scaling lambda.

    >>> {k: float(v) for k, v in layerwise_decay(4.0).items()}
    {'matrix_rate': 0.25, 'matrix_decay': 2.0, 'vector_rate': 1.0, 'vector_decay': 0.0}
    """
    one = jnp.ones_like(width)
    return {"matrix_rate": 1 / width, "matrix_decay": jnp.sqrt(width), "vector_rate": one,
            "vector_decay": 0 * one}


@rule
def top_singular_value(eta, weight_decay, width):
    """Largest singular value [up to a constant] of a trained matrix from learning rate, weight
    decay and width [any units].

    sqrt(eta / weight_decay) width^0.75; constant where the learning rate falls as 1 / width and the
    decay grows as its root.
    Source: Fan et al. 2025 [fan2025], abstract. Decides: whether settings carry over between
    widths. Keywords: muP steady state sublayer gain.

    >>> float(top_singular_value(1 / 16, 4.0, 16.0))
    1.0
    """
    return jnp.sqrt(eta / weight_decay) * width**0.75


@rule
def lora_scale(alpha, r, stabilized=True):
    """Factor [1] on a low-rank adapter of rank r [rank]: alpha / sqrt(r), or alpha / r with
    `stabilized=False`.

    With alpha / r, a higher rank learns less; with the root, rates carry over. Source:
    Kalajdzievski 2023 [kalajdzievski2023], abstract. Decides: adapter scale and rank. Keywords:
    LoRA rsLoRA fine-tuning rank-stabilized gamma.

    >>> float(lora_scale(16, 64)), float(lora_scale(16, 64, stabilized=False))
    (2.0, 0.25)
    """
    return alpha / jnp.sqrt(r) if stabilized else alpha / r


@rule
def spectral_rank(eigenvalues):
    """Soft and hard rank [dimensions] from the eigenvalues [>= 0] of a covariance, along the last
    axis.

    `soft` is exp of the entropy of the normalised spectrum, `hard` the participation ratio. Over
    widths of feed-forward layers, soft rank follows c width^beta almost exactly, hard rank grows
    more slowly and scatters. Source: Jha and Reagen 2025 [jha2025], abstract. The two definitions
    are the usual ones, derived and not read in the source. Decides: whether a wider feed-forward
    layer is used. Keywords: effective rank FFN width utilisation.

    >>> {k: round(float(v), 4) for k, v in spectral_rank([3.0, 1.0, 0.0]).items()}
    {'soft': 1.7548, 'hard': 1.6}
    """
    share = jnp.asarray(eigenvalues) / jnp.sum(jnp.asarray(eigenvalues), -1, keepdims=True)
    return {"soft": jnp.exp(jnp.sum(entr(share), -1)), "hard": 1 / jnp.sum(share**2, -1)}


# -- the shape of the loss around the best setting -----------------------------------------------
@law
def quadratic_optimum(eta: LearningRate, *, L_star=positive(0.5, 10), kappa=positive(1e-3, 10),
                      eta_star=positive(1e-5, 1)) -> Nats:
    """Loss [nats/token] near the best setting from a setting such as the learning rate eta
    [learning rate].

    kappa: curvature in ln eta. Fit it to the runs close to the best; drop an optimum that lies on
    the edge of the sweep.
    Source: Bjorck et al. 2024 (arXiv 2409.19913), form as recalled, not read in the source; Porian
    et al. 2024 (arXiv 2406.19146), authors' code, for the edges. Decides: the best setting of a
    sweep, with its uncertainty.
    Keywords: parabola hyper-parameter lr sweep minimum. Not from the source: the start ranges.

    >>> round(float(quadratic_optimum(2e-3, L_star=2.5, kappa=0.05, eta_star=1e-3)), 5)
    2.51201
    """
    return L_star + kappa / 2 * (jnp.log(eta) - jnp.log(eta_star)) ** 2


@law
def quadratic_optimum_pair(eta: LearningRate, B: Tokens, *, L_star=positive(0.5, 10),
                           kappa_eta=positive(1e-3, 10),
                           kappa_B=positive(1e-3, 10), rho=between(-1, 1),
                           eta_star=positive(1e-5, 1),
                           B_star=positive(1e3, 1e8)) -> Nats:
    """Loss [nats/token] near the best pair of settings from the learning rate eta [learning rate]
    and the batch B [tokens].

    rho: how much the two settings stand in for each other; the valley is a ridge as rho nears +1 or
    -1, and then each alone is badly known. Source: Bjorck et al. 2024 (arXiv 2409.19913), derived
    from their parabola, with a second setting and a cross term. Decides: the best pair of a grid,
    with its uncertainty. Keywords: parabola hyper-parameter lr sweep minimum batch-size. Not from
    the source: the start ranges.

    >>> round(float(quadratic_optimum_pair(2e-3, 1e6, L_star=2.5, kappa_eta=0.05, kappa_B=0.02,
    ...     rho=-0.6, eta_star=1e-3,
    ...                                    B_star=5e5)), 5)
    2.5077
    """
    x, y = jnp.log(eta) - jnp.log(eta_star), jnp.log(B) - jnp.log(B_star)
    return (L_star + (kappa_eta * x**2 + kappa_B * y**2) / 2
            + rho * jnp.sqrt(kappa_eta * kappa_B) * x * y)


@law
def tuned_front(h: Positive, C: Flop, *, E=positive(0.1, 5), A=positive(1, 1e5),
                alpha=positive(0.02, 0.5),
                kappa=positive(1e-3, 10), a=real(-30, 30), b=real(-1, 1)) -> Nats:
    """Loss [nats/token] of a run of C [FLOP] with one setting h [any unit], whose best value is e^a
    C^b.

    One fit of all runs of a sweep over scales, in place of an optimum per scale and a line through
    the optima. CARBS learns such a front by Bayesian search and reports each setting as linear in
    log cost along it. Source: Fetterman et al. 2023 [fetterman2023], abstract; the formula is
    derived, a parabola around its front. Decides: how a setting should grow with compute. Keywords:
    hyper-parameter scaling Pareto cost learning-rate. Not from the source: the start ranges.

    >>> round(float(tuned_front(1e-3, 1e20, E=1.7, A=2000.0, alpha=0.15, kappa=0.05, a=0.0,
    ...     b=-0.15)), 5)
    3.7
    """
    return E + A * C**-alpha + kappa / 2 * (jnp.log(h) - a - b * jnp.log(C)) ** 2


@rule
def tuning_regret(kappa, factor):
    """Excess loss [unit of kappa] of a setting that is off by `factor` [ratio]: kappa/2 (ln
    factor)^2.

    kappa as in `quadratic_optimum`. Source: Bjorck et al. 2024 (arXiv 2409.19913), derived from
    their parabola.
    Decides: whether a setting is worth more sweeps. Keywords: sensitivity hyper-parameter cost
    learning-rate.

    >>> round(float(tuning_regret(0.05, 2.0)), 5)
    0.01201
    """
    return kappa / 2 * jnp.log(factor) ** 2


@rule
def near_optimal_window(L_star, kappa, share=0.0025):
    """Window of settings whose loss is at most `share` [fraction] above L_star [unit of kappa]:
    width [ln] and factor [ratio].

    Settings from best / factor to best * factor are inside. 0.25 % is what Step Law and DeepSeek
    call near-optimal.
    Source: DeepSeek-AI 2024 [deepseek2024], definition as told in notes; derived from
    `quadratic_optimum`.
    Decides: how fine a sweep must be. Keywords: tolerance sensitivity hyper-parameter batch
    learning-rate.

    >>> {k: round(float(v), 4) for k, v in near_optimal_window(2.5, 0.05).items()}
    {'width': 1.0, 'factor': 1.6487}
    """
    width = 2 * jnp.sqrt(2 * share * L_star / kappa)
    return {"width": width, "factor": jnp.exp(width / 2)}
