"""Laws of what is not a loss: knowledge stored, attacks resisted, fakes detected, accuracy away
from the training data.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import logit

from ..formula._law import law
from ..formula._params import positive, real
from ..units import Count, Fractions, Number, Params, Positive, Tokens
from ._rule import rule

__all__ = ["accuracy_on_the_line", "attack_resistance", "attack_tokens", "effective_robustness",
           "knowledge_capacity",
           "x_for_error"]  # fmt: skip


@law
def knowledge_capacity(N: Params, bits: Positive, *, R=positive(0.1, 10)) -> Positive:
    """Knowledge stored [bits] by N [parameters] trained until they know it, of data that hold
    `bits` [bits of knowledge].

    R is bits per parameter. Runs whose data are too small to fill the model say nothing about R.
    Source: Allen-Zhu and Li 2024 [allenzhu2024], abstract. Decides: how large a model must be to
    hold a body of facts. Keywords: physics of language models memorization facts int8 quantization.
    Not from the source: the start range, and writing the two limits as a minimum.

    >>> float(knowledge_capacity.published["allenzhu2024"](7e9, 1e12))
    14000000000.0
    """
    return jnp.minimum(R * N, bits)


# With long training; also for weights kept in int8.
knowledge_capacity = knowledge_capacity.publish(
    "allenzhu2024", source="Physics of Language Models part 3.3, abstract", evidence="V", R=2.0,
)  # fmt: skip


@law
def attack_tokens(a: Count, *, kappa=positive(1e-2, 1e4)) -> Tokens:
    """Most tokens that an attacker can dictate [tokens] by changing the activations of a [tokens].

    A line through the origin. Source: Fort 2023 [fort2023], abstract. Decides: how much control
    over a model follows from control of part of its activations. Keywords: adversarial attack
    language model activation multi-attack robustness safety. Not from the source: the start range.

    >>> float(attack_tokens(4, kappa=25.0))
    100.0
    """
    return kappa * a


@rule
def attack_resistance(kappa, width, precision, vocabulary):
    """Attack resistance [bits of input controlled per bit of output dictated] from the slope kappa
    of `attack_tokens`.

    An attacked activation holds width x precision [bits per number], a dictated token log2 of the
    vocabulary. Models over two decades of size lie between 16 and 25. Source: Fort 2023 [fort2023],
    definition in the abstract; how bits are counted is ours. Decides: whether a model is easier to
    attack than others. Keywords: adversarial chi robustness safety.

    >>> round(float(attack_resistance(kappa=25.0, width=512, precision=16, vocabulary=50_304)), 2)
    20.98
    """
    return width * precision / (kappa * jnp.log2(vocabulary))


@rule
def x_for_error(error, *, E, x0, alpha):
    """How many x [unit of x0] bring `power_law` down to an error [in its unit]: domains, methods,
    examples; NaN below E.

    Detectors of fakes err as a power of the number of real domains, and of the number of methods of
    forgery, that they were trained on; the coefficients are not in the abstract. As A x^-alpha + c:
    x0 = A^(1/alpha), E = c. Source: Wang et al. 2025 [wang2025deepfake], abstract for the form; the
    inverse is derived. Decides: how many more domains or methods to collect for a target error.
    Keywords: deepfake detection forgery inverse target power law.

    >>> round(float(x_for_error(0.25, E=0.05, x0=2.0, alpha=0.5)), 6)
    50.0
    """
    gap = jnp.asarray(error - E)
    return x0 * jnp.where(gap > 0, gap, jnp.nan) ** (-1 / alpha)


@law
def accuracy_on_the_line(accuracy: Fractions, *, w0=real(-3, 3),
                         w=real(-1, 2, shape=(3,))) -> Number:
    """Logit of the accuracy under a shift [ln odds] from `accuracy` on tests of each training
    distribution [fractions].

    The line on which ordinary models lie. The target is ln(p / (1 - p)) of the shifted accuracy p;
    with `Squared` the fit is ordinary least squares. Resize with `sized(w=2)`. Source: Shi et al.
    2023 [shi2023robustness], form recalled, not read in the source (definition: logits, least
    squares). Decides: what accuracy a model should have under a shift given its accuracy without.
    Keywords: out-of-distribution OOD ImageNet CLIP natural distribution shift. Not from the source:
    the start ranges.

    >>> import numpy as np
    >>> round(float(accuracy_on_the_line.sized(w=2)([0.7, 0.5], w0=-1.0, w=np.array([0.9, 0.2]))),
    ...     5)
    -0.23743
    """
    return w0 + jnp.sum(w * (jnp.log(accuracy) - jnp.log1p(-accuracy)))


@rule
def effective_robustness(shifted, accuracy, *, w0, w):
    """Accuracy under a shift beyond what `accuracy_on_the_line` expects [difference of fractions],
    from `accuracy` (..., K).

    0 for a model on the line; K accuracies and K numbers w, as many as training distributions are
    compared. Source: Shi et al. 2023 [shi2023robustness], definition recalled, not read in the
    source. Decides: whether a model is more robust than its accuracy explains, when models were
    trained on different data. Keywords: out-of-distribution OOD residual CLIP.

    >>> round(float(effective_robustness(0.5, [0.7, 0.5], w0=-1.0, w=[0.9, 0.2])), 5)
    0.05908
    """
    return shifted - jax.nn.sigmoid(w0 + jnp.sum(jnp.asarray(w) * logit(jnp.asarray(accuracy)), -1))
