"""Final pre-training loss as a function of model size, data and compute.

Most laws of this file are one family, L = E + [(A N^-alpha)^(1/q) + (B D^-beta)^(1/q)]^q:
Chinchilla is q = 1, Kaplan E = 0 and q = alpha_D, Busbridge q = gamma; how a budget is best spent
on them stands in `allocation`. `power_law` and `trend` are the laws of one variable, of which
N*(C), D*(C) and the curves of Kaplan et al. are published sets.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive, real
from ..units import Flop, Nats, NonEmbeddingParams, Number, Params, Positive, Steps, Tokens

__all__ = [
    "busbridge", "chinchilla", "growth", "kaplan", "kaplan_steps", "overtrained", "power_law",
    "rosenfeld", "trend",
]  # fmt: skip


# -- two variables -------------------------------------------------------------------------------
@law
def chinchilla(N: Params, D: Tokens, *, E=positive(0.5, 3), A=positive(1, 1e5), B=positive(1, 1e5),
               alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5)) -> Nats:
    """Final pre-training loss [nats/token] from N [parameters, embeddings included] and D [tokens].

    E: irreducible loss. Fitted on models of 44M to 16B parameters. Two-digit exponents are not
    enough to plan with: they move the best N by a quarter.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2, approach 3. Decides: how large a model
    to train, and on how many tokens, for a given compute. Keywords: compute-optimal scaling law
    pretraining Besiroglu replication dense irreducible. Not from the source: the start ranges.

    >>> round(float(chinchilla.published["hoffmann2022"](70e9, 1.4e12)), 4)
    1.9208
    """
    return E + A * N**-alpha + B * D**-beta


# The paper prints two digits (406.4, 410.7, 1.69, .34, .28), which move N* by 25 %: these are the
# digits of its source. Besiroglu et al. kept 240 of 245 points; "245" is with the five highest
# losses, "refit" the optimum of their objective. Open-Athena's two sets are for the points below
# 1e21 FLOP; its Huber set is not at the optimum of its objective. Sardana et al. refitted on runs
# up to so many tokens per parameter: the exponents drift with the window.
chinchilla = chinchilla.publish(
    "hoffmann2022",
    source="arXiv 2203.15556, digits of the TeX source as used by Epoch's replication",
    evidence="DIGEST, CODE",
    E=1.6933736809989528, A=406.4010175194737, B=410.7228269450398, alpha=0.33917084,
    beta=0.2849083,
).publish(
    "besiroglu2024", source="arXiv 2404.10102, abstract and table 1", evidence="CODE, DIGEST",
    E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658,
).publish(
    "hoffmann2022_printed", source="arXiv 2203.15556, approach 3 as printed, two digits",
    evidence="DIGEST",
    E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28,
).publish(
    "besiroglu2024_grid", source="arXiv 2404.10102, authors' notebook, grid of starts",
    evidence="CODE",
    E=1.8172355, A=477.8417, B=2143.8638, alpha=0.3473127, beta=0.3671826,
).publish(
    "besiroglu2024_refit",
    source="arXiv 2404.10102, refit of the 240 released points: sum of Huber losses 1.018274018e-3",
    evidence="D", E=1.8172180904921125, A=477.82585212010093, B=2143.4172924231675, alpha=0.3473105,
    beta=0.36717243,
).publish(
    "besiroglu2024_245", source="arXiv 2404.10102, with the five points that the authors leave out",
    evidence="CODE, DIGEST",
    E=1.89, A=463.3, B=12530.0, alpha=0.345, beta=0.452,
).publish(
    "open_athena_mse",
    source="Open-Athena/scaling-law-analysis, points below 1e21 FLOP, mean squared error",
    evidence="CODE",
    E=1.9051, A=4.0001 * 1e6**0.3510, B=1.0509 * 1e9**0.4588, alpha=0.3510, beta=0.4588,
).publish(
    "open_athena_huber",
    source="Open-Athena/scaling-law-analysis, points below 1e21 FLOP, Huber loss", evidence="CODE",
    E=1.8267, A=3.7066 * 1e6**0.3240, B=1.0386 * 1e9**0.4080, alpha=0.3240, beta=0.4080,
).publish(
    "sardana2023_100", source="arXiv 2401.00448, refit on runs up to 100 tokens per parameter",
    evidence="DIGEST",
    E=0.17, A=7.199, B=25.97, alpha=0.08, beta=0.13,
).publish(
    "sardana2023_250", source="arXiv 2401.00448, refit on runs up to 250 tokens per parameter",
    evidence="DIGEST",
    E=0.98, A=14.23, B=39.54, alpha=0.13, beta=0.16,
).publish(
    "sardana2023_500", source="arXiv 2401.00448, refit on runs up to 500 tokens per parameter",
    evidence="DIGEST",
    E=0.95, A=17.07, B=35.80, alpha=0.13, beta=0.16,
).publish(
    "sardana2023_all", source="arXiv 2401.00448, refit on all runs", evidence="DIGEST",
    E=1.45, A=33.66, B=138.9, alpha=0.18, beta=0.24,
)  # fmt: skip


@law
def kaplan(N: NonEmbeddingParams, D: Tokens, *, Nc=positive(1e12, 1e15), Dc=positive(1e12, 1e15),
           alpha_N=positive(0.03, 0.3), alpha_D=positive(0.03, 0.3)) -> Nats:
    """Early-stopped loss [nats/token] from N [parameters without embeddings] and D [tokens, may
    repeat].

    D is the size of the data set, not the number of tokens seen, so C = 6 N D does not hold here.

    Source: Kaplan et al. 2020 (arXiv 2001.08361), eq. 1.5. Decides: how much data a model needs
    before it overfits.
    Keywords: scaling law pretraining overfitting. Not from the source: the start ranges.

    >>> round(float(kaplan.published["kaplan2020"](1e9, 1e10)), 5)
    2.41965
    """
    return ((Nc / N) ** (alpha_N / alpha_D) + Dc / D) ** alpha_D


kaplan = kaplan.publish(
    "kaplan2020", source="arXiv 2001.08361, table 2", evidence="NOTE, DIGEST",
    Nc=6.4e13, Dc=1.8e13, alpha_N=0.076, alpha_D=0.103,
)  # fmt: skip


@law
def kaplan_steps(N: NonEmbeddingParams, S: Steps, *, Nc=positive(1e12, 1e15), Sc=positive(1e2, 1e5),
                 alpha_N=positive(0.03, 0.3), alpha_S=positive(0.2, 2)) -> Nats:
    """Loss [nats/token] after S [steps at a batch far above the critical one] of N [parameters
    without embeddings].

    S is S_min: convert steps taken at a finite batch with `adjusted_for_batch` before a fit.

    Source: Kaplan et al. 2020 (arXiv 2001.08361), form as told in notes. Decides: when to stop
    training a model of given size, and with `kaplan_optimum` its size. Keywords: training curve
    learning curve early stopping. Not from the source: the start ranges.

    >>> round(float(kaplan_steps.published["kaplan2020"](1e9, 1e5)), 5)
    2.40051
    """
    return (Nc / N) ** alpha_N + (Sc / S) ** alpha_S


kaplan_steps = kaplan_steps.publish(
    "kaplan2020", source="arXiv 2001.08361, fit of learning curves", evidence="NOTE, DIGEST",
    Nc=6.5e13, Sc=2.1e3, alpha_N=0.077, alpha_S=0.76,
)  # fmt: skip


@law
def busbridge(N: NonEmbeddingParams, D: Tokens, *, E=positive(0.5, 3), A=positive(10, 1e6),
              B=positive(10, 1e6),
              alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5),
              gamma=positive(0.2, 1.5)) -> Nats:
    """Final loss [nats/token] of supervised pre-training from N [parameters] and D [tokens].

    Chinchilla is gamma = 1. With `fix(beta=1)` it is Kaplan's law with an offset, L = E +
    ((A/N)^(a/b) + B/D)^b.

    Source: Busbridge et al. 2025 (arXiv 2502.08606), eq. 7. Decides: size and tokens of a model
    trained from scratch, or of a teacher. Keywords: scaling law pretraining distillation. Not from
    the source: the start ranges; that N leaves out embeddings is recalled.

    >>> round(float(busbridge.published["busbridge2025"](1e9, 2e10)), 6)
    2.374692
    """
    return E + (A * N**-alpha + B * D**-beta) ** gamma


busbridge = busbridge.publish(
    "busbridge2025", source="arXiv 2502.08606, appendix F", evidence="PAPER",
    E=1.220, A=3355.0, B=18186.0, alpha=0.408, beta=0.431, gamma=0.452,
)  # fmt: skip


@law
def overtrained(C: Flop, M: Positive, *, E=positive(0.3, 3), a=positive(1, 1e5), b=positive(1, 1e5),
                eta=positive(0.02, 0.8)) -> Nats:
    """Final loss [nats/token] from C [FLOP] and M [tokens per parameter, embeddings included].

    It is Chinchilla with alpha = beta = 2 eta, a = A 6^eta and b = B 6^eta: at any M the reducible
    loss falls as C^-eta.

    Source: Gadre et al. 2024 (arXiv 2403.08540), form as in the authors' code. Decides: what
    training a smaller model for longer costs in loss. Keywords: over-training overtraining token
    multiplier. Not from the source: the start ranges.

    >>> round(float(overtrained(1e20, 20.0, E=1.8, a=100.0, b=400.0, eta=0.15)), 5)
    2.21195
    """
    return E + (a * M**eta + b * M**-eta) * C**-eta


@law
def rosenfeld(N: Params, D: Positive, *, eps0=positive(0.5, 20), a=positive(1e-2, 1e4),
              b=positive(1e-2, 1e4),
              alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5), c=positive(1e-3, 3)) -> Number:
    """Error or loss [its own unit] from N [parameters] and D [samples], between c eps0 and that of
    guessing, eps0.

    Where the sum t = a N^-alpha + b D^-beta + c is small, the error is eps0 t; where it is large,
    as for tiny models, the error levels off at eps0. eps0 is usually known (ln of the vocabulary, 1
    - 1 / classes): fix it.

    Source: Rosenfeld et al. 2020 (arXiv 1909.12673), form as told in a digest. Decides: whether
    small runs that hardly beat guessing can be used in a fit. Keywords: envelope random-guess
    plateau error image classification. Not from the source: the start ranges; the envelope t / |t -
    i eta| is recalled, with eta = 1, which only rescales a, b and c.

    >>> round(float(rosenfeld(1e7, 1e6, eps0=0.999, a=50.0, b=100.0, alpha=0.4, beta=0.5, c=0.1)),
    ...     5)
    0.26869
    """
    t = a * N**-alpha + b * D**-beta + c
    return eps0 * t / jnp.sqrt(1 + t**2)


# -- one variable --------------------------------------------------------------------------------
@law
def power_law(x: Positive, *, E=positive(0.1, 4), x0=positive(1e-3, 1e30),
              alpha=positive(0.02, 1)) -> Number:
    """Loss [nats/token, or any error] from x [parameters, tokens, samples or compute] with
    everything else ample.

    x is counted in any unit, x0 in the same one. `fix(E=0)` is the law without an offset. The start
    range of x0 spans many decades: narrow it with `start` where the unit of x is known. As a N^b +
    c: a = x0^alpha, b = -alpha, c = E.

    Source: Henighan et al. 2020 (arXiv 2010.14701), eq. 1.1; Kaplan et al. 2020 (arXiv 2001.08361),
    form as told in notes; Yao and Wang 2023 (arXiv 2304.06875), authors' code. Decides: what loss a
    larger model, more data or more compute would reach. Keywords: muP transfer Cerebras
    one-variable irreducible extrapolation. Not from the source: the start ranges.

    >>> round(float(power_law.published["cerebras2023"](1e21)), 6)
    1.858561
    """
    return E + (x0 / x) ** alpha


# x is for kaplan2020_N parameters without embeddings, _D tokens, _C petaFLOP-days at a fixed batch,
# _C_min petaFLOP-days at a batch far below the critical one; for cerebras2023 FLOP, attention and
# embeddings included, at 20 tokens per parameter on the Pile; for yao2023 millions of parameters
# (muP, the same learning rate at all widths, first 7 models).
power_law = (power_law
    .publish("kaplan2020_N", source="arXiv 2001.08361, L(N)", evidence="NOTE, DIGEST", E=0.0,
             x0=8.8e13, alpha=0.076)
    .publish("kaplan2020_D", source="arXiv 2001.08361, L(D)", evidence="NOTE, DIGEST", E=0.0,
             x0=5.4e13, alpha=0.095)
    .publish("kaplan2020_C", source="arXiv 2001.08361, L(C)", evidence="NOTE, DIGEST", E=0.0,
             x0=1.6e7, alpha=0.057)
    .publish("kaplan2020_C_min", source="arXiv 2001.08361, L(C_min)", evidence="NOTE, DIGEST",
             E=0.0, x0=3.1e8, alpha=0.050)
    .publish("cerebras2023", source="arXiv 2304.03208", evidence="NOTE", E=0.5066, x0=5.984e22,
             alpha=0.0737)
    .publish("yao2023",
             source="arXiv 2304.06875, least squares on the first 7 of the authors' 10 models",
             evidence="D",
             E=2.92330, x0=2.46943 ** (1 / 0.42311), alpha=0.42311)
)  # fmt: skip


@law
def trend(x: Positive, *, k=positive(1e-6, 1e6), a=real(-1, 1)) -> Number:
    """Whatever grows as a power, k x^a [unit of k], from x [compute, parameters or tokens]: N*(C),
    D*(C), an error.

    k belongs to one unit of x. Fitted in logarithms it is a straight line. N* and D* from one sweep
    should have exponents that sum to 1 and, with C = 6 N D, prefactors with 6 k_N k_D = 1: if not,
    one of them was read off badly.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), table 3; Kaplan et al. 2020 (arXiv 2001.08361),
    form as told in notes; DeepSeek-AI 2024 [deepseek2024]; Llama Team 2024 [llama2024]; Porian et
    al. 2024 (arXiv 2406.19146); Hestness et al. 2017 (arXiv 1712.00409). Decides: size and tokens
    of the next model from the optima of smaller budgets. Keywords: allocation isoflop log-linear
    straight line exponent frontier CLIP DiT diffusion. Not from the source: the start ranges.

    >>> round(float(trend.published["deepseek2024_D"](1e24) / 1e12), 3)
    1.523
    """
    return k * x**a


# x is FLOP for hoffmann2022, deepseek2024 and llama2024, petaFLOP-days for kaplan2020 (B in
# tokens), parameters for kaplan2020_no_overfit (least tokens that keep a model from overfitting),
# samples for hestness2017. hoffmann2022 is the line through the nine rows of the paper's table.
# DeepSeek's M is FLOP per token: C = M D, without a 6.
trend = (trend
    .publish("hoffmann2022_N", source="arXiv 2203.15556, line through table 3 (approach 1)",
             evidence="DIGEST, D",
             k=0.09915893230794971, a=0.4980986857771881)
    .publish("hoffmann2022_D", source="arXiv 2203.15556, line through table 3 (approach 1)",
             evidence="DIGEST, D",
             k=1.6960843615010006, a=0.5018542648378526)
    .publish("kaplan2020_N", source="arXiv 2001.08361, trend of N with compute",
             evidence="NOTE, DIGEST", k=1.3e9, a=0.73)
    .publish("kaplan2020_B", source="arXiv 2001.08361, trend of the batch with compute",
             evidence="NOTE, DIGEST", k=2.0e6, a=0.24)
    .publish("kaplan2020_S", source="arXiv 2001.08361, trend of steps with compute",
             evidence="NOTE, DIGEST", k=5.4e3, a=0.03)
    .publish("kaplan2020_D", source="arXiv 2001.08361, trend of tokens with compute",
             evidence="NOTE, DIGEST", k=2e10, a=0.27)
    .publish("kaplan2020_no_overfit", source="arXiv 2001.08361, least tokens",
             evidence="NOTE, DIGEST", k=5e3, a=0.74)
    .publish("deepseek2024_M", source="DeepSeek LLM, model scale with compute", evidence="DIGEST",
             k=0.1715, a=0.5243)
    .publish("deepseek2024_D", source="DeepSeek LLM, tokens with compute", evidence="DIGEST",
             k=5.8316, a=0.4757)
    .publish("llama2024_D", source="The Llama 3 Herd of Models, tokens with compute",
             evidence="DIGEST", k=0.29, a=0.53)
    .publish("hestness2017_words", source="arXiv 1712.00409, word language model",
             evidence="DIGEST", k=11.9, a=-0.066)
    # x in total GMAC (10^9 multiply-adds); error of zero-shot ImageNet, of its shifts, and of
    # retrieval (1 - recall at 5)
    .publish("cherti2022_imagenet_laion", source="arXiv 2212.07143, ImageNet, LAION data",
             evidence="CODE, DATA",
             k=5.858, a=-0.1114)
    .publish("cherti2022_imagenet_openai", source="arXiv 2212.07143, ImageNet, OpenAI data",
             evidence="CODE, DATA",
             k=23.18, a=-0.1638)
    .publish("cherti2022_robustness_laion",
             source="arXiv 2212.07143, ImageNet under shift, LAION data", evidence="CODE, DATA",
             k=11.61, a=-0.1255)
    .publish("cherti2022_robustness_openai",
             source="arXiv 2212.07143, ImageNet under shift, OpenAI data", evidence="CODE, DATA",
             k=211.7, a=-0.2378)
    .publish("cherti2022_coco_laion", source="arXiv 2212.07143, COCO retrieval, LAION data",
             evidence="CODE, DATA",
             k=2.75, a=-0.0794)
    .publish("cherti2022_coco_openai", source="arXiv 2212.07143, COCO retrieval, OpenAI data",
             evidence="CODE, DATA",
             k=1.589, a=-0.0508)
    .publish("cherti2022_flickr_laion", source="arXiv 2212.07143, Flickr retrieval, LAION data",
             evidence="CODE, DATA",
             k=15.51, a=-0.1892)
    .publish("cherti2022_flickr_openai", source="arXiv 2212.07143, Flickr retrieval, OpenAI data",
             evidence="CODE, DATA",
             k=2.208, a=-0.1028)
    # diffusion transformers, x in FLOP from 1e17 to 6e18; one account prints 3.3943 for the factor
    # of the loss
    .publish("liang2024_N", source="arXiv 2410.08184, best parameters", evidence="NOTE", k=0.0009,
             a=0.5681)
    .publish("liang2024_D", source="arXiv 2410.08184, best tokens", evidence="NOTE", k=186.8535,
             a=0.4319)
    .publish("liang2024_loss", source="arXiv 2410.08184, loss of rectified flow", evidence="NOTE",
             k=2.3943, a=-0.0273)
    .publish("liang2024_fid", source="arXiv 2410.08184, FID", evidence="NOTE", k=2.2566e6, a=-0.234)
)  # fmt: skip


@law
def growth(t: Number, *, k=positive(1e-3, 1e9), g=positive(1.05, 20)) -> Number:
    """What grows g-fold a year, k g^t [unit of k], from t [years since a date of your choice], such
    as training cost.

    Frontier training runs: g = 2.4 in dollars (90 % interval 2.0 to 2.9), which doubles every
    `doubling_time(ln 2.4)` = 0.79 years. Choose the date inside the data, or k and g are hard to
    tell apart.

    Source: Cottier et al. 2024 (arXiv 2405.21015), abstract. Decides: what the next frontier run
    will cost, and when a sum is passed. Keywords: rising trend over time dollars exponential
    log-linear regression. Not from the source: the start ranges, and the form, which is the line in
    ln cost that the rate implies.

    >>> round(float(growth(5.0, k=1.0, g=2.4)), 3)
    79.626
    """
    return k * g**t
