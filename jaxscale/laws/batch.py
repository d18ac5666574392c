"""Batch size: what a larger batch saves in steps and costs in examples, and which batch to take.

To reach a given loss takes at least S_min steps (with an infinite batch) and at least E_min
examples (in tiny steps); between the two lies a hyperbola, whose corner is the critical batch
B_crit = E_min / S_min. The laws of this file are that curve, how its corner moves with loss, size
and data, and optima read off sweeps. Batches count tokens unless a line says otherwise; the
hyperbola itself holds for any count of examples, as long as B, E_min and B_crit share it.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive, real
from ..ground._roots import root
from ..units import LearningRate, Nats, NonEmbeddingParams, Params, Steps, Tokens
from ._rule import rule

__all__ = [
    "adjusted_for_batch", "batch_size", "best_step", "critical_batch", "examples_to_target",
    "gradient_noise_scale", "largest_efficient_batch", "linear_learning_rate", "loss_at_batch",
    "noise_scale_estimate", "scale_batch", "steps_to_loss", "steps_to_target", "three_term",
    "three_term_batch", "tradeoff_batch",
]  # fmt: skip


# -- the hyperbola -------------------------------------------------------------------------------
@law
def steps_to_target(B: Tokens, *, S_min=positive(1, 1e7), B_crit=positive(10, 1e9)) -> Steps:
    """Steps [steps] to a given loss from the batch B [tokens].

    S_min: steps with an infinite batch. At B = B_crit it takes 2 S_min steps. Zhang et al. 2024 fit
    the same curve as a + b / B to ln S; then S_min is a and B_crit is b / a. The three regimes of
    Shallue et al. 2018 (perfect scaling, diminishing returns, none) are its two limits and its
    corner; they give no formula of their own.
    Source: McCandlish et al. 2018 (arXiv 1812.06162), form as told in notes; Zhang et al. 2024
    (arXiv 2410.21676), authors' code; Shallue et al. 2018 [shallue2018], abstract. Decides: how
    many steps a larger batch saves, and where more devices stop helping. Keywords: CBS
    data-parallelism time efficiency. Not from the source: the start ranges.

    >>> steps_to_target([1000.0, 2000.0, 4000.0], S_min=1000, B_crit=2000).tolist()
    [3000.0, 2000.0, 1500.0]
    """
    return S_min * (1 + B_crit / B)


@law
def examples_to_target(B: Tokens, *, E_min=positive(1e4, 1e14), B_crit=positive(10, 1e9)) -> Tokens:
    """Examples [tokens] processed until a given loss from the batch B [tokens].

    E_min: examples with a tiny batch; E / B is the number of steps, and E_min / B_crit the fewest
    steps. In Power Lines (Bergsma et al. 2025), E is obtained for each batch by inverting a fit of
    loss against tokens at that batch.
    Source: McCandlish et al. 2018 (arXiv 1812.06162), form as told in notes; Bergsma et al. 2025
    (arXiv 2505.13738), form as told in notes. Decides: how much compute a larger batch wastes.
    Keywords: CBS D_min token overhead.
    Not from the source: the start ranges.

    >>> examples_to_target([1000.0, 2000.0, 4000.0], E_min=2e6, B_crit=2000).tolist()
    [3000000.0, 4000000.0, 6000000.0]
    """
    return E_min * (1 + B / B_crit)


@law
def best_step(B: Tokens, *, eps_max=positive(1e-5, 10), B_noise=positive(10, 1e9)) -> LearningRate:
    """Best step size of SGD [learning rate] from the batch B [tokens]: linear in B below B_noise,
    flat above.

    The loss that one such step gains follows the same curve, with the gain at an infinite batch for
    eps_max.
    Source: McCandlish et al. 2018 (arXiv 1812.06162), form as told in notes. Decides: up to which
    batch the learning rate may grow with it. Keywords: noise-scale improvement per step. Not from
    the source: the start ranges.

    >>> float(best_step(2000.0, eps_max=0.1, B_noise=2000.0))
    0.05
    """
    return eps_max / (1 + B_noise / B)


@rule
def tradeoff_batch(B_crit, step_price, example_price):
    """Batch [unit of B_crit] that costs least at a price per step and per example [same currency]:
    sqrt(w B_crit / v).

    It minimises w S + v E along the hyperbola; where an infinite batch costs as much as tiny steps,
    w = v B_crit, it is B_crit.
    Source: McCandlish et al. 2018 (arXiv 1812.06162), derived from their trade-off. Decides: the
    batch for given prices of time and compute. Keywords: optimal critical batch cost.

    >>> float(tradeoff_batch(2000.0, 2000.0, 1.0))
    2000.0
    """
    return jnp.sqrt(step_price * B_crit / example_price)


@rule
def largest_efficient_batch(B_crit, B0, overhead=0.2):
    """Largest batch [unit of B_crit] that needs at most `overhead` [share] more tokens than the
    small batch B0 [same unit].

    B_crit is that of `steps_to_target`. The result, p B_crit + (1 + p) B0, is what the source calls
    critical: with its p = 0.2 and B0 = 256 sequences it is b / (5 a) + 1.2 B0. Source: Zhang et al.
    2024 (arXiv 2410.21676), authors' code for p = 0.2; any other overhead is derived. Decides: the
    largest batch worth its tokens. Keywords: CBS data-parallelism.

    >>> round(float(largest_efficient_batch(2000.0, 256.0)), 6)
    707.2
    """
    return overhead * B_crit + (1 + overhead) * B0


@rule
def adjusted_for_batch(B, B_crit, S, C):
    """Fewest steps [steps] and least compute [FLOP] for a run of S steps and C FLOP at batch B,
    B_crit [both in tokens].

    S_min is what an infinite batch would have taken, C_min what tiny steps would have cost. Laws in
    S_min or C_min are biased when fitted to raw S or C of runs at one batch: convert first. Source:
    Kaplan et al. 2020 (arXiv 2001.08361), form as told in notes. Decides: which compute or steps to
    enter in a fit of runs at different batches. Keywords: Smin Cmin de-bias.

    >>> {k: float(v) for k, v in adjusted_for_batch(1e6, 1e6, 1e5, 1e20).items()}
    {'S_min': 50000.0, 'C_min': 5e+19}
    """
    return {"S_min": S / (1 + B_crit / B), "C_min": C / (1 + B / B_crit)}


# -- gradient noise ------------------------------------------------------------------------------
@rule
def gradient_noise_scale(G, Sigma, H=None):
    """Noise scale [examples] from the gradient G [loss], the covariance Sigma [loss^2] of one
    example's, and the Hessian H.

    `simple` is tr(Sigma) / |G|^2; `noise` is tr(H Sigma) / (G' H G), the batch at which noise
    halves the best step, and equals `simple` where H is left out. Source: McCandlish et al. 2018
    (arXiv 1812.06162), definition. Decides: the order of magnitude of a useful batch before any
    sweep. Keywords: B_simple B_noise.

    >>> {k: round(float(v), 4) for k,
    ...     v in gradient_noise_scale([1, 2], [[3, 0], [0, 5]], [[2, 0], [0, 1]]).items()}
    {'simple': 1.6, 'noise': 1.8333}
    """
    G, Sigma = jnp.asarray(G), jnp.asarray(Sigma)
    simple = jnp.trace(Sigma) / (G @ G)
    return {"simple": simple,
            "noise": simple if H is None else jnp.sum(jnp.asarray(H) * Sigma.T)
            / (G @ jnp.asarray(H) @ G)}


@rule
def noise_scale_estimate(small, big, B_small, B_big):
    """Gradient, noise and noise scale [examples] from squared gradient norms at the batches
    B_small, B_big [examples].

    `small` and `big` are |gradient|^2 averaged over batches of the two sizes. `gradient` and
    `trace` are unbiased; the ratio is not, so average both over many steps before dividing. Source:
    McCandlish et al. 2018 (arXiv 1812.06162), definition. The estimator is recalled, not read in
    the source; that its two parts are unbiased is derived. Decides: the order of magnitude of a
    useful batch, from numbers that data-parallel training has at hand. Keywords: gradient noise
    B_simple trace covariance.

    >>> {k: round(float(v), 6) for k, v in noise_scale_estimate(12.0, 4.8, 100, 1000).items()}
    {'gradient': 4.0, 'trace': 800.0, 'noise_scale': 200.0}
    """
    gradient = (B_big * big - B_small * small) / (B_big - B_small)
    trace = (small - big) / (1 / B_small - 1 / B_big)
    return {"gradient": gradient, "trace": trace, "noise_scale": trace / gradient}


# -- the critical batch moves with the loss ------------------------------------------------------
@law
def critical_batch(L: Nats, *, B_star=positive(1e6, 1e11), alpha_B=positive(0.05, 1)) -> Tokens:
    """Critical batch size [tokens] from the loss L [nats/token].

    The corner of `steps_to_target` as the loss falls. MiniCPM states the best batch, not the
    critical one, in the same form, on C4 and with the exponent 6.24 = 1 / alpha_B. Su et al. 2024
    find that the constants vary strongly with the setup.
    Source: Kaplan et al. 2020 (arXiv 2001.08361), form as told in notes; Hu et al. 2024 (arXiv
    2404.06395), form as told in notes; Su et al. 2024 (arXiv 2403.06563), abstract. Decides: the
    batch for a target loss, and how it may grow in training.
    Keywords: CBS B_crit optimal batch schedule. Not from the source: the start ranges.

    >>> round(float(critical_batch.published["kaplan2020"](2.0)), -2)
    7371500.0
    """
    return B_star * L ** (-1 / alpha_B)


critical_batch = critical_batch.publish(
    "kaplan2020", source="arXiv 2001.08361, as told in several agreeing notes",
    evidence="V2, NOTE, DIGEST",
    B_star=2e8, alpha_B=0.21,
).publish(
    "hu2024", source="arXiv 2404.06395 (MiniCPM), B = 1.21e9 / L^6.24: the best batch on C4",
    evidence="V2",
    B_star=1.21e9, alpha_B=1 / 6.24,
)  # fmt: skip


@law
def steps_to_loss(N: NonEmbeddingParams, L: Nats, B: Tokens, *, Nc=positive(1e12, 1e15),
                  alpha_N=positive(0.03, 0.3),
                  Sc=positive(1e2, 1e5), alpha_S=positive(0.3, 2), B_star=positive(1e6, 1e11),
                  alpha_B=positive(0.1, 1)) -> Steps:
    """Steps [steps] to the loss L [nats/token] from N [parameters without embeddings] and the batch
    B [tokens].

    A whole loss curve at any batch, read the other way round: each point of it is a run of this
    law. L must lie above the converged loss (Nc / N)^alpha_N, below which there is no answer (NaN).
    Constants vary strongly between setups, and none are shipped. `loss_at_batch` is the inverse.
    Source: Su et al. 2024 (arXiv 2403.06563), abstract; derived from the two laws of Kaplan et al.
    2020 (arXiv 2001.08361) that it joins. Decides: steps and batch for a planned loss. Keywords:
    loss trajectory S_min critical batch. Not from the source: the start ranges.

    >>> kaplan = dict(Nc=6.5e13, alpha_N=0.077, Sc=2.1e3, alpha_S=0.76, B_star=2e8, alpha_B=0.21)
    >>> round(float(steps_to_loss(1e9, 3.0, 1e6, **kaplan)))
    7619
    """
    S_min = Sc * (L - (Nc / N) ** alpha_N) ** (-1 / alpha_S)
    return S_min * (1 + B_star * L ** (-1 / alpha_B) / B)


@rule
def loss_at_batch(N, S, B, *, Nc, alpha_N, Sc, alpha_S, B_star, alpha_B):
    """Loss [nats/token] of N [parameters without embeddings] after S [steps] at the batch B
    [tokens].

    The inverse of `steps_to_loss`: implicit, because the critical batch depends on the loss that is
    sought. For B towards infinity it is (Nc / N)^alpha_N + (Sc / S)^alpha_S. Source: Su et al. 2024
    (arXiv 2403.06563), abstract; derived from Kaplan et al. 2020 (arXiv 2001.08361). Decides: the
    loss curve of a run at a batch that was never tried.
    Keywords: trajectory finite batch.

    >>> kaplan = dict(Nc=6.5e13, alpha_N=0.077, Sc=2.1e3, alpha_S=0.76, B_star=2e8, alpha_B=0.21)
    >>> round(float(loss_at_batch(1e9, 1e5, 1e15, **kaplan)), 5)
    2.40051
    """
    N, S, B = jnp.broadcast_arrays(N, S, B)

    def steps(t, a):  # ln of S over the steps that the loss floor + e^t takes: increasing in t
        N, S, B, Nc, alpha_N, Sc, alpha_S, B_star, alpha_B = a
        crowd = B_star * ((Nc / N) ** alpha_N + jnp.exp(t)) ** (-1 / alpha_B) / B
        return jnp.log(S / Sc) + t / alpha_S - jnp.log1p(crowd)

    args = (N, S, B, Nc, alpha_N, Sc, alpha_S, B_star, alpha_B)
    low = -alpha_S * jnp.log(S / Sc)  # an infinite batch
    return ((Nc / N) ** alpha_N
            + jnp.exp(root(steps, low - 1e-6, low - alpha_S * steps(low, args) + 1e-6, args)))


# -- batch as one more axis of a loss law --------------------------------------------------------
@law
def three_term(N: Params, M: Tokens, K: Steps, *, E=positive(0.3, 3), A=positive(1, 1e5),
               B=positive(1, 1e5), C=positive(1, 1e5),
               alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5),
               gamma=positive(0.05, 1.5)) -> Nats:
    """Final loss [nats/token] from N [parameters], the batch M [tokens] and K [steps], which is D =
    M K split in two.

    Runs at any batch help to fit it, those at a bad batch too; `three_term_batch` gives the best
    one. Source: Schaipp 2026 (arXiv 2607.01487), form as told in notes. Decides: the best batch,
    from a grid that was not tuned. Keywords: optimal batch tokens split steps. Not from the source:
    the start ranges.

    >>> round(float(three_term(1e8, 1e5, 1e4, E=1.7, A=400, B=40, C=30, alpha=0.34, beta=0.4,
    ...     gamma=0.5)), 5)
    3.16218
    """
    return E + A * N**-alpha + B * M**-beta + C * K**-gamma


@rule
def three_term_batch(D, *, B, C, beta, gamma):
    """Best batch [tokens] for D [tokens] under `three_term`: it grows as D^(gamma / (beta +
    gamma)).

    Source: Schaipp 2026 (arXiv 2607.01487), derived from the form of the law. Decides: batch and
    steps for a token budget.
    Keywords: optimal batch size.

    >>> round(float(three_term_batch(1e10, B=40, C=30, beta=0.4, gamma=0.5)))
    386099
    """
    return (beta * B / (gamma * C)) ** (1 / (beta + gamma)) * D ** (gamma / (beta + gamma))


# -- optima read off sweeps ----------------------------------------------------------------------
@law
def batch_size(N: Params, D: Tokens, *, c=positive(1e-3, 1e6), a=real(-1, 1),
               b=real(-1, 1)) -> Tokens:
    """Best batch size [tokens] from N [parameters] and D [training tokens].

    a = 0 where a paper finds no effect of N, b = 0 where it looked at N alone (and D followed N).
    The sets differ much: exponents of D from 0.26 to 0.57. Loss is flat around the optimum: 5 % of
    compute is lost from half to twice the best batch (Schaipp 2026, as told in notes). Power Lines
    finds no effect of N and exponents of D of 0.383 for the best and 0.46 for the critical batch;
    its factors are not known to us. Source: Bergsma et al. 2025 (arXiv 2505.13738), form as told in
    notes; Li et al. 2025 (arXiv 2503.04715), authors' code; Zhang et al. 2024 (arXiv 2410.21676),
    authors' code; Shuai et al. 2024 (arXiv 2412.01505), form as told in notes; Porian et al. 2024
    (arXiv 2406.19146), authors' code; Schaipp 2026 (arXiv 2607.01487), form as told in notes; for
    video, Yin et al. 2024 (arXiv 2411.17470), form as told in notes.
    Decides: the batch of a planned run. Keywords: step-law optimal hyper-parameter CBS. Not from
    the source: the start ranges.

    >>> round(float(batch_size.published["li2025"](7e9, 1.4e12)) / 1e6, 3)
    4.997
    """
    return c * N**a * D**b


# The coefficients that the paper prints are means over bootstrap resamples of a regression in
# logarithms; a direct regression on the released runs gives something else, and so does keeping
# only the best run of each (N, D).
batch_size = batch_size.publish(
    "li2025", source="arXiv 2503.04715 (Step Law), released bootstrap means", evidence="V",
    c=math.exp(-0.543542), a=0.0, b=0.570944,
).publish(
    "li2025_printed", source="arXiv 2503.04715 (Step Law), as printed", evidence="V",
    c=0.58, a=0.0, b=0.571,
).publish(
    "li2025_refit",
    source="arXiv 2503.04715, refit of the 129 released dense runs within 0.25 % of their best",
    evidence="D",
    c=0.2085, a=0.0, b=0.6125,
).publish(
    "li2025_argmin",
    source="arXiv 2503.04715, refit of the best run of each of the 17 released dense (N, D)",
    evidence="D",
    c=3.416, a=0.0, b=0.498,
# 93.197 (N / 1e6)^0.46828 sequences of 512 tokens, D = 20 N: a critical batch, see
# largest_efficient_batch
).publish(
    "zhang2024", source="arXiv 2410.21676, authors' notebook chinchilla.ipynb, converted to tokens",
    evidence="V",
    c=93.197 * 512 / 1e6**0.46828, a=0.46828, b=0.0,
).publish(  # models of 125M to 2.6B, up to 300B tokens; far flatter than the others
    "shuai2024", source="arXiv 2412.01505, as coded in two public trainers", evidence="V2",
    c=3.24e3, a=0.0, b=0.264,
).publish(  # 0.7576 N^0.703 sequences of 2048 tokens
    "porian2024", source="arXiv 2406.19146, converted to tokens", evidence="V2",
    c=0.7576 * 2048, a=0.703, b=0.0,
).publish(
    "schaipp2026", source="arXiv 2607.01487, as told in notes", evidence="V2",
    c=0.667, a=0.0, b=0.566,
)  # fmt: skip


@rule
def linear_learning_rate(B, eta=0.1, B_ref=256, epoch=jnp.inf, warmup=5.0):
    """Learning rate [learning rate] of SGD for a batch B [examples] from eta at B_ref [examples]:
    proportional to B.

    It rises from eta to its full value over the first `warmup` epochs. The defaults are those of
    ResNet-50 on ImageNet, 0.1 for 256 images; the rule holds below the critical batch. Source:
    Goyal et al. 2017 [goyal2017], abstract. The constants are recalled, not read in the source.
    Decides: the learning rate after a change of batch. Keywords: linear scaling rule.

    >>> round(float(linear_learning_rate(8192)),
    ...     6), round(float(linear_learning_rate(8192, epoch=0)), 6)
    (3.2, 0.1)
    """
    return eta + eta * (B / B_ref - 1) * jnp.minimum(epoch / warmup, 1.0)


@rule
def scale_batch(kappa, eta, rho, adaptive=True):
    """Learning rate [learning rate] and EMA decay [fraction] after the batch is multiplied by kappa
    [ratio].

    `ema` is rho^kappa: the average of the weights then spans as many examples as before.
    `learning_rate` grows as sqrt(kappa) for Adam and its kin, as kappa for SGD (`adaptive=False`).
    Source: Busbridge et al. 2023 [busbridge2023], form as recalled, not read in the source.
    Decides: what to change along with the batch. Keywords: square-root linear scaling rule momentum
    average teacher.

    >>> {k: round(float(v), 6) for k, v in scale_batch(2, 1e-3, 0.996).items()}
    {'learning_rate': 0.001414, 'ema': 0.992016}
    """
    return {"learning_rate": eta * (jnp.sqrt(kappa) if adaptive else kappa), "ema": rho**kappa}
