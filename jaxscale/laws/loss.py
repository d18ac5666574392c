"""Final pre-training loss as a function of model size, data and compute."""

from __future__ import annotations

from .._law import law
from .._params import positive
from ..units import Flop, Nats, NonEmbeddingParams, Params, Tokens


@law
def chinchilla(N: Params, D: Tokens, *, E=positive(0.5, 3), A=positive(1, 1e5), B=positive(1, 1e5),
               alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5)) -> Nats:
    """Final pre-training loss [nats/token] from N [parameters, embeddings included] and D [tokens].

    E: irreducible loss. Source: Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2, approach 3. Fitted on models of 44M to
    16B parameters. Not from the source: the start ranges.

    >>> round(float(chinchilla.published["hoffmann2022"](70e9, 1.4e12)), 4)
    1.9208
    """
    return E + A * N**-alpha + B * D**-beta


# The paper prints two digits (406.4, 410.7, 1.69, .34, .28), which move N* by 25 %: these are the digits of its source.
chinchilla = chinchilla.publish(
    "hoffmann2022", source="arXiv 2203.15556, digits of the TeX source as used by Epoch's replication", evidence="DIGEST, CODE",
    E=1.6933736809989528, A=406.4010175194737, B=410.7228269450398, alpha=0.33917084, beta=0.2849083,
).publish(
    "besiroglu2024", source="arXiv 2404.10102, abstract and table 1", evidence="CODE, DIGEST",
    E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658,
)  # fmt: skip


@law
def kaplan(N: NonEmbeddingParams, D: Tokens, *, Nc=positive(1e12, 1e15), Dc=positive(1e12, 1e15),
           alpha_N=positive(0.03, 0.3), alpha_D=positive(0.03, 0.3)) -> Nats:
    """Early-stopped loss [nats/token] from N [parameters without embeddings] and D [tokens, may repeat].

    Source: Kaplan et al. 2020 (arXiv 2001.08361), eq. 1.5. Not from the source: the start ranges.

    >>> round(float(kaplan.published["kaplan2020"](1e9, 1e10)), 5)
    2.41965
    """
    return ((Nc / N) ** (alpha_N / alpha_D) + Dc / D) ** alpha_D


kaplan = kaplan.publish(
    "kaplan2020", source="arXiv 2001.08361, table 2", evidence="NOTE, DIGEST",
    Nc=6.4e13, Dc=1.8e13, alpha_N=0.076, alpha_D=0.103,
)  # fmt: skip


@law
def busbridge(N: NonEmbeddingParams, D: Tokens, *, E=positive(0.5, 3), A=positive(10, 1e6), B=positive(10, 1e6),
              alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5), gamma=positive(0.2, 1.5)) -> Nats:
    """Final loss [nats/token] of supervised pre-training from N [parameters] and D [tokens].

    Source: Busbridge et al. 2025 (arXiv 2502.08606), eq. 7. Chinchilla is gamma = 1. That N leaves out embeddings is
    recalled, not read in the source; the start ranges are ours.

    >>> round(float(busbridge.published["busbridge2025"](1e9, 2e10)), 6)
    2.374692
    """
    return E + (A * N**-alpha + B * D**-beta) ** gamma


busbridge = busbridge.publish(
    "busbridge2025", source="arXiv 2502.08606, appendix F", evidence="PAPER",
    E=1.220, A=3355.0, B=18186.0, alpha=0.408, beta=0.431, gamma=0.452,
)  # fmt: skip


@law
def power_law(C: Flop, *, E=positive(0.1, 3), C0=positive(1e15, 1e30), alpha=positive(0.02, 0.5)) -> Nats:
    """Loss [nats/token] on the compute-optimal frontier from C [FLOP].

    Source: Henighan et al. 2020 (arXiv 2010.14701), eq. 1.1, with x = C in FLOP. Not from the source: the start ranges.

    >>> round(float(power_law(1e21, E=0.5066, C0=5.984e22, alpha=0.0737)), 5)
    1.85856
    """
    return E + (C0 / C) ** alpha
