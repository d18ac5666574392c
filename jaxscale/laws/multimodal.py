"""Laws of models that see, speak several languages, or read proteins and time series.

Most of these papers report a power law of one variable, which is `power_law` or `trend` with their
letters; here is what has a form of its own: visual tokens, image-text models at small compute,
encoder and decoder as two sizes, languages that share the capacity of one model.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import negative, positive, real
from ..units import Flop, Fraction, Nats, NonEmbeddingParams, Params, Tokens
from ._rule import rule

__all__ = [
    "encoder_decoder", "encoder_decoder_split", "multilingual", "multilingual_parameters",
    "protein_growth", "shifted_power_law", "timeseries_compute", "visual_tokens",
    "visual_tokens_optimum",
]  # fmt: skip


@law
def visual_tokens(N: Params, T: Tokens, *, A=positive(0.01, 1e3), alpha=positive(0.01, 0.5),
                  beta=positive(0.002, 0.2),
                  d=real(-0.3, 0.3)) -> Fraction:
    """Downstream error [fraction] of a vision-language model from N [parameters of its language
    model] and T [visual tokens].

    Benchmark errors of a few sizes do not determine the offset d: they are so flat that a fit of
    all four parameters ends FLAT, A growing without bound and d falling. Fix it:
    `visual_tokens.fix(d=0)`. The ratio alpha / beta, which decides the number of tokens
    (`visual_tokens_optimum`), hardly depends on it.
    Source: Li et al. 2024 (arXiv 2411.03312), authors' code. Decides: whether inference compute
    goes into a larger language model or more visual tokens. Keywords: VLM LLaVA multimodal image
    token compression. Not from the source: the start ranges; N is in billions there, which changes
    A.

    >>> round(float(visual_tokens.published["li2024_no_offset"](7e9, 576)), 4)
    0.4675
    """
    return A * N**-alpha * T**-beta + d


# Least squares of the 28 released scores (error = 1 - score) with d held: A belongs to N in
# billions. The paper's own alpha .077 and beta .015 come without A and d.
visual_tokens = visual_tokens.publish(
    "li2024_no_offset", source="arXiv 2411.03312, refit of the authors' released scores with d = 0",
    evidence="D",
    A=0.59077 * 1e9**0.07094, alpha=0.07094, beta=0.01510, d=0.0,
).publish(
    "li2024_offset", source="arXiv 2411.03312, refit of the authors' released scores with d = 0.1",
    evidence="D",
    A=0.4908 * 1e9**0.08699, alpha=0.08699, beta=0.01852, d=0.1,
)  # fmt: skip


@rule
def visual_tokens_optimum(text_tokens, alpha, beta):
    """Best number of visual tokens T [tokens] at fixed inference compute, from text tokens per
    request [tokens].

    Minimises N^-alpha T^-beta under 2 N (text_tokens + T): T = text_tokens beta / (alpha - beta),
    whatever the budget, A and d. Without text tokens the fewest are best, one; where beta >= alpha
    more are always better, and T is inf.
    Source: Li et al. 2024 (arXiv 2411.03312), derived from its law. Decides: how far to compress
    images. Keywords: VLM LLaVA multimodal token compression inference.

    >>> round(float(visual_tokens_optimum(50, 0.077, 0.015)), 1)
    12.1
    """
    more = alpha - beta
    return jnp.where(more > 0, text_tokens * beta / jnp.where(more > 0, more, 1.0), jnp.inf)


@law
def shifted_power_law(C: Flop, *, a=positive(1e-2, 1e8), b=positive(1e15, 1e21),
                      c=negative(-1.5, -0.02),
                      d=positive(1e-3, 0.9)) -> Fraction:
    """Error [fraction] of an image-text model from C [FLOP of pre-training], with a bend at small
    compute.

    b: compute below which the curve is flat, since even no training has a finite error; d: error
    that stays. Either may be fixed at 0. In other units of compute only a and b change.
    Source: Nezhurina et al. 2025 (arXiv 2506.04598), authors' code. Decides: which of two training
    recipes is better at a scale that was not run. Keywords: CLIP OpenCLIP MaMMUT contrastive
    vision-language retrieval zero-shot. Not from the source: the unit of C, which was not seen, and
    the start ranges.

    >>> round(float(shifted_power_law(1e20, a=30.0, b=1e17, c=-0.1, d=0.05)), 4)
    0.35
    """
    return a * (C + b) ** c + d


@law
def encoder_decoder(N_e: NonEmbeddingParams, N_d: NonEmbeddingParams, *, alpha=positive(0.1, 10),
                    p_e=positive(0.02, 1),
                    p_d=positive(0.02, 1), L_inf=positive(0.3, 3)) -> Nats:
    """Translation loss [nats/token] from N_e [parameters of the encoder] and N_d [parameters of the
    decoder].

    alpha: reducible loss where both have 1e8 parameters. The paper divides by the sizes of a
    baseline model instead, which cannot be told apart from alpha: its alpha times (size / 1e8)^p
    for each of the two is ours.
    Source: Ghorbani et al. 2021 (arXiv 2109.07740), form as recalled, not read in the source.
    Decides: how many layers go to the encoder and how many to the decoder. Keywords: machine
    translation NMT seq2seq. Not from the source: the reference size 1e8 and the start ranges.

    >>> round(float(encoder_decoder(1e8, 4e8, alpha=0.5, p_e=0.18, p_d=0.31, L_inf=1.2)), 4)
    1.5253
    """
    return alpha * (1e8 / N_e) ** p_e * (1e8 / N_d) ** p_d + L_inf


@rule
def encoder_decoder_split(p_e, p_d):
    """Best shares of `encoder` and `decoder` [fractions of N_e + N_d] from their exponents p_e, p_d
    [exponents].

    Each gets its exponent's part of the sum, at every size.
    Source: Ghorbani et al. 2021 (arXiv 2109.07740), derived. Decides: how many parameters go to the
    encoder. Keywords: machine translation NMT seq2seq allocation.

    >>> round(float(encoder_decoder_split(0.18, 0.31)["encoder"]), 4)
    0.3673
    """
    return {"encoder": p_e / (p_e + p_d), "decoder": p_d / (p_e + p_d)}


@law
def multilingual(N: NonEmbeddingParams, p: Fraction, *, beta=positive(1, 1e5),
                 alpha=positive(0.05, 1), L_inf=positive(0.3, 3),
                 c1=positive(0.02, 5), c2=positive(0.1, 3), c3=positive(0.1, 3)) -> Nats:
    """Loss of one language pair [nats/token] in a multilingual model of N [parameters], sampled
    with share p [fraction].

    The pair behaves like a model of its own with f(p) N parameters, f(p) = p + c1 p^c2 (1 - p)^c3:
    its exponent is that of a bilingual model, and beta and L_inf are that model's too (p = 1).
    Source: Fernandes et al. 2023 (arXiv 2302.09650), abstract for the exponent that does not depend
    on p; both formulas are recalled, not read in the source. Decides: how often each language is
    sampled. Keywords: machine translation NMT language weighting interference. Not from the source:
    the start ranges.

    >>> round(float(multilingual(1e9, 0.5, beta=500.0, alpha=0.3, L_inf=1.0, c1=0.3, c2=0.5,
    ...     c3=0.7)), 4)
    2.1456
    """
    return beta * multilingual_parameters(N, p, c1, c2, c3) ** -alpha + L_inf


@rule
def multilingual_parameters(N, p, c1, c2, c3):
    """Size of a bilingual model with the same loss [parameters] as a pair of share p [fraction] in
    a model of N [parameters].

    Source: Fernandes et al. 2023 (arXiv 2302.09650), form as told in notes, recalled. Decides: what
    a language pair gains from the others. Keywords: machine translation NMT effective parameters
    transfer interference.

    >>> round(float(multilingual_parameters(1e9, 1.0, 0.3, 0.5, 0.7)))
    1000000000
    """
    return (p + c1 * p**c2 * (1 - p) ** c3) * N


@rule
def protein_growth(factor):
    """Growth of the best `N` and `D` [ratios] of a protein language model when compute grows by a
    factor [ratio].

    Data grows much faster than size: N ~ C^0.27, D ~ C^0.71. No factors are given, so only ratios
    follow; the loss was seen to level off near 2.4.
    Source: Serrano et al. 2024 [serrano2024], form as told in a summary of the paper. Decides:
    whether a larger budget buys proteins or parameters. Keywords: protein language model biology
    compute-optimal.

    >>> round(float(protein_growth(10.0)["D"]), 4)
    5.1286
    """
    return {"N": factor**0.27, "D": factor**0.71}


@rule
def timeseries_compute(N, batch, steps, points=512):
    """Training compute [petaFLOP-days] of a time-series model of N [parameters] from batch [series]
    and steps [steps].

    6 FLOP per parameter and point, with `points` in each series. The paper's losses follow (x0 /
    x)^alpha in N, D and C each: `power_law` with E = 0.
    Source: Yao et al. 2024 [yao2024], authors' code. Decides: where a run lies on the compute axis
    of its law. Keywords: TSFM forecasting foundation model.

    >>> round(float(timeseries_compute(1e9, 128, 1e5)), 4)
    0.4551
    """
    return 6.0 * batch * N * points * steps / 8.64e19
