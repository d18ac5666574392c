"""Loss on one corpus from the loss on another: a shifted power of it, so that a sweep on one serves
for both.

`loss_to_loss` is the line between two corpora, `kaplan_offset` the law whose floors it needs, and
the rules give published lines, follow one by another, and turn one round.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive
from ..ground._errors import refuse
from ..units import Nats, Params, Tokens
from ._rule import rule

__all__ = [
    "compose_loss_maps", "invert_loss_map", "kaplan_offset", "loss_to_loss", "loss_translation",
]  # fmt: skip


# -- loss on one corpus from loss on another -----------------------------------------------------
@law
def loss_to_loss(L0: Nats, *, K=positive(0.1, 10), kappa=positive(0.3, 3), E0=positive(0.1, 3),
                 E1=positive(0.1, 3)) -> Nats:
    """Loss on one data set [nats/token] from loss L0 [nats/token] on another: a shifted power law.

    Training to training (runs paired by compute), training to test, or test to test. E0 and E1 are
    the irreducible losses of `kaplan_offset` on each data set: fix them, or E0 and kappa trade
    against each other. NaN for L0 below E0. The data and the tokenizer make the line; size,
    architecture and optimizer hardly move it, so one line serves a model family.

    Source: Brandfonbrener et al. 2024 (arXiv 2411.12925), authors' code; the same form in
    Mayilvahanan et al. 2025 [mayilvahanan2025], authors' code. Decides: what loss to expect on a
    new corpus after few runs on it. Keywords: translation transfer dataset shift. Not from the
    source: the start ranges. Here E0 and E1 are example values, K and kappa those of
    `loss_translation`.

    >>> round(float(loss_to_loss(2.5, K=0.98577, kappa=0.99937, E0=1.8, E1=1.7)), 5)
    2.39019
    """
    return K * (L0 - E0) ** kappa + E1


# kappa, K as fitted by the authors; their E0 and E1 were not seen, so these are no complete sets.
_TRANSLATIONS = {
    ("fineweb", "fineweb-edu"): (0.99937, 0.98577),
    ("fineweb", "proof-pile-2"): (1.06535, 0.59610),
    ("fineweb", "slimpajama"): (0.96584, 1.03953),
    ("fineweb", "smollm"): (1.00501, 1.05482),
    ("fineweb", "starcoder"): (1.09041, 0.62303),
    ("slimpajama", "starcoder"): (1.13359, 0.59665),
}


@rule
def loss_translation(source, target):
    """Published K [nats/token to the power 1 - kappa] and kappa of `loss_to_loss` from one named
    corpus to another.

    From "fineweb" to "fineweb-edu", "proof-pile-2", "slimpajama", "smollm" and "starcoder", and
    from "slimpajama" to "starcoder"; `compose_loss_maps` and `invert_loss_map` make others. They
    hold for one tokenizer.

    Source: Brandfonbrener et al. 2024 (arXiv 2411.12925), authors' code. Decides: what loss to
    expect on a new corpus before any run on it. Keywords: transfer dataset. Not from the source:
    nothing.

    >>> {name: float(value) for name, value in loss_translation("fineweb", "starcoder").items()}
    {'K': 0.62303, 'kappa': 1.09041}
    """
    if (source, target) not in _TRANSLATIONS:
        known = ", ".join(f"{a} to {b}" for a, b in _TRANSLATIONS)
        raise refuse(
            f"loss_translation({source!r}, {target!r})",
            why="no pair was published for these",
            change=f"one of {known}",
        )
    kappa, K = _TRANSLATIONS[source, target]
    return {"K": jnp.asarray(K), "kappa": jnp.asarray(kappa)}


@rule
def compose_loss_maps(K1, kappa1, K2, kappa2):
    """K [nats/token to the power 1 - kappa] and kappa of two `loss_to_loss` maps, the first one
    applied first.

    Exact where the E1 of the first is the E0 of the second; the whole then goes from the E0 of the
    first to the E1 of the second.

    Source: Brandfonbrener et al. 2024 (arXiv 2411.12925), derived from the form in the authors'
    code. Decides: whether a chain of corpora agrees with the direct line. Keywords: translation
    transfer. Not from the source: the rule.

    >>> chain = compose_loss_maps(1.03953, 0.96584, 0.59665,
    ...     1.13359)  # FineWeb to StarCoder by way of SlimPajama
    >>> {name: round(float(value), 5) for name, value in chain.items()}
    {'K': 0.62346, 'kappa': 1.09487}
    """
    return {"K": K2 * K1**kappa2, "kappa": kappa1 * kappa2}


@rule
def invert_loss_map(K, kappa):
    """K [nats/token to the power 1 - kappa] and kappa of the way back of a `loss_to_loss` map; swap
    E0 and E1 with it.

    Source: Brandfonbrener et al. 2024 (arXiv 2411.12925), derived from the form in the authors'
    code. Decides: what loss on the old corpus corresponds to a wanted one on the new. Keywords:
    inverse translation transfer. Not from the source: the rule.

    >>> {name: round(float(value), 5) for name, value in invert_loss_map(0.62303, 1.09041).items()}
    {'K': 1.54331, 'kappa': 0.91709}
    """
    return {"K": K ** (-1 / kappa), "kappa": 1 / kappa}


@law
def kaplan_offset(N: Params, D: Tokens, *, E=positive(0.3, 3), A=positive(1e6, 1e15),
                  B=positive(1e6, 1e15),
                  alpha=positive(0.03, 1), beta=positive(0.03, 1)) -> Nats:
    """Final loss [nats/token] from N [parameters, embeddings included] and D [tokens]: Kaplan's
    form above a floor E.

    It is `busbridge` with an inner data exponent of 1, and `kaplan` where E = 0. The floors E of
    two data sets are E0 and E1 of `loss_to_loss`. Best N and D are those of `compute_optimal` for
    A^alpha, B^beta and q = beta.

    Source: Brandfonbrener et al. 2024 (arXiv 2411.12925), authors' code. Decides: size against
    tokens on one corpus, and the floors of a translation. Keywords: irreducible pre-training. Not
    from the source: the start ranges and the numbers of the example. That N includes embeddings was
    read off the authors' table of runs.

    >>> round(float(kaplan_offset(1e9, 2e10, E=1.5, A=1e13, B=5e13, alpha=0.08, beta=0.095)), 5)
    3.73884
    """
    return E + ((A / N) ** (alpha / beta) + B / D) ** beta
