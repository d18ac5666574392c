"""Transfer and fine-tuning: what pre-training is worth once a model is trained further on other
data.

Three views of one question. Data transferred counts how much more data of the new kind a model
without pre-training would have needed. Fine-tuning laws give the loss after fine-tuning as a
function of the fine-tuning data and of what was varied before it (model size, pre-training data,
adapter size). Between methods, or between models whose losses fall along different power laws, the
decision is made where their curves cross.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ..formula._law import law
from ..formula._params import positive
from ..ground._errors import refuse
from ..units import Characters, Examples, Nats, NonEmbeddingParams, Positive, Tokens
from ._rule import rule

__all__ = [
    "accept_then_stop", "alignment_score", "best_method", "data_transferred", "finetuning",
    "method_crossing", "rectified", "rectified_turn", "transfer_multiplier", "transfer_params",
    "transferred_from_loss", "translation_score", "vanilla_finetuning",
]  # fmt: skip


# -- data transferred ----------------------------------------------------------------------------
@law
def data_transferred(D_F: Characters, N: NonEmbeddingParams, *, k=positive(1, 1e8),
                     alpha=positive(0.02, 1.5),
                     beta=positive(0.05, 1.5)) -> Characters:
    """Effective data transferred [characters] from D_F [characters of fine-tuning data] and N
    [parameters, no embeddings].

    What a model without pre-training would need beside D_F for the same loss. Holds where data are
    scarce: D_F up to a tenth of what a model of that size needs from scratch; with more,
    pre-training can hurt. The paper fits the logit of the fraction D_T / (D_F + D_T), not ln D_T.
    Source: Hernandez et al. 2021 (arXiv 2102.01293), form as told in notes on the paper. Decides:
    whether pre-training pays for a given amount of fine-tuning data. Keywords: ossification python.
    Not from the source: the start ranges.

    >>> f"{float(data_transferred.published['hernandez2021_text'](1e7, 1e8)):.4g}"
    '3.791e+08'
    """
    return k * D_F**alpha * N**beta


data_transferred = data_transferred.publish(
    "hernandez2021_text",
    source="arXiv 2102.01293, pre-trained on text, fine-tuned on Python; two digits", evidence="V2",
    k=1.9e4, alpha=0.18, beta=0.38,
).publish(
    "hernandez2021_text_and_code",
    source="arXiv 2102.01293, pre-trained on text and code, fine-tuned on Python; two digits",
    evidence="V2", k=2.1e5, alpha=0.096, beta=0.38,
)  # fmt: skip


@rule
def transferred_from_loss(loss, D_F, E, B, beta):
    """Data transferred [characters] as measured: `loss` [nats] of the fine-tuned model, D_F
    [characters] it was tuned on.

    E + B D^-beta is the curve of models of the same size trained from scratch; how much of its D
    gives the same loss is found by inverting it, and D_F is taken off. Source: Hernandez et al.
    2021 (arXiv 2102.01293), form as told in notes on the paper for the measurement; the offset
    power law as the curve from scratch is ours. Decides: what to put into a fit of
    `data_transferred`. Keywords: effective data inverse.

    >>> round(float(transferred_from_loss(2.0, 1e6, E=1.0, B=100.0, beta=0.3)) / 1e6, 4)
    3.6416
    """
    return (B / (loss - E)) ** (1 / beta) - D_F


@rule
def transfer_multiplier(law, D_F, N):
    """How many times its D_F [characters] the fine-tuning data are worth: (D_F + D_T) / D_F, by a
    bound `data_transferred` law.

    Source: Hernandez et al. 2021 (arXiv 2102.01293), form as told in notes on the paper. Decides:
    whether to collect more data or to pre-train. Keywords: effective data multiplier.

    >>> round(float(transfer_multiplier(data_transferred.published["hernandez2021_text"], 1e7,
    ...     1e8)), 2)
    38.91
    """
    return 1 + law(D_F, N) / D_F


@rule
def transfer_params(law, D_F, multiplier):
    """Model size [parameters, no embeddings] at which D_F [characters] are worth `multiplier` times
    as much: its inverse in N.

    Source: Hernandez et al. 2021 (arXiv 2102.01293), derived. Decides: how large a pre-trained
    model must be before fine-tuning data stop being the limit. Keywords: inverse size.

    >>> f"{float(transfer_params(data_transferred.published['hernandez2021_text'], 1e7, 10.0)):.4g}"
    '2.273e+06'
    """
    p = law.params
    return ((multiplier - 1) * D_F ** (1 - p["alpha"]) / p["k"]) ** (1 / p["beta"])


# -- loss after fine-tuning ----------------------------------------------------------------------
@law
def finetuning(X: Positive, D_f: Examples, *, A=positive(1e-2, 1e4), alpha=positive(1e-3, 1),
               beta=positive(1e-3, 1),
               E=positive(0.05, 3)) -> Nats:
    """Loss after fine-tuning [nats/token] from D_f [examples] and X [any one factor, such as
    parameters or tokens before].

    The factors multiply: more of X makes fine-tuning data more useful. X is model size,
    pre-training tokens or parameters of an adapter; beta and E are shared across these for a task
    (recalled), alpha is each factor's own. With a single value of X, A and alpha cannot be told
    apart. Source: Zhang et al. 2024 (arXiv 2402.17193), abstract for the multiplicative joint law,
    form as told in a third-party account. Decides: whether model size, pre-training data or adapter
    size is worth scaling for a fine-tuning task. Keywords: lora peft adapter prompt-tuning. Not
    from the source: the start ranges.

    >>> round(float(finetuning(1e9, 1e4, A=30.0, alpha=0.1, beta=0.12, E=0.5)), 5)
    1.75061
    """
    return E + A * X**-alpha * D_f**-beta


@rule
def method_crossing(A, beta, A_other, beta_other):
    """Where A x^-beta [loss above a common limit] meets A_other x^-beta_other: x [examples, FLOP or
    what the laws take].

    Beyond it the method with the larger exponent is the better one. For `finetuning`, A is A
    X^-alpha of each method.
    Source: Zhang et al. 2024 (arXiv 2402.17193), derived. Decides: from how much fine-tuning data
    on one method replaces the other. Keywords: critical size switch lora full.

    >>> round(float(method_crossing(3.0, 0.2, 2.0, 0.12)), 3)
    158.906
    """
    return (A / A_other) ** (1 / (beta - beta_other))


@rule
def best_method(x, A, beta):
    """Method with the least A x^-beta [loss] at each x [FLOP, examples]: its number and its loss; A
    and beta one per method.

    The lower envelope of straight lines in log-log. In the paper full fine-tuning has it at low
    budgets and LoRA at high ones. Source: Ziarko et al. 2024 [ziarko2024], abstract for the recipe,
    form as told in a third-party account for the straight lines. Decides: by which method to
    fine-tune at a budget. Keywords: embedding lora bias-only block freezing.

    >>> best_method([100.0, 200.0], A=[3.0, 2.0], beta=[0.2, 0.12])["method"].tolist()
    [1, 0]
    """
    losses = A * jnp.asarray(x)[..., None] ** -jnp.asarray(beta)
    return {"method": jnp.argmin(losses, -1), "loss": jnp.min(losses, -1)}


@law
def rectified(D_f: Examples, *, B=positive(0.1, 1e5), D_l=positive(0.1, 1e5),
              beta=positive(0.05, 1.5),
              E=positive(0.05, 3)) -> Nats:
    """Loss after fine-tuning [nats/token] from D_f [examples], with the flat start that comes
    before the power law.

    D_l is the pre-learned data size: until D_f^beta reaches it, more data change little. The
    authors' code writes (A - E) / (1 + e^B' D_f^beta) + E, which is D_l = e^-B' and B = (A - E)
    e^-B'. Source: Lin et al. 2024 (arXiv 2402.02314), authors' code. Decides: which pre-trained
    model to fine-tune, by extrapolation from small subsets.
    Keywords: fine-tuning model selection pre-power phase. Not from the source: the start ranges.

    >>> round(float(rectified.published["lin2024_example"](1638400)), 4)
    1.7396
    """
    return E + B / (D_l + D_f**beta)


# Not the authors' numbers: the least-squares fit in ln L of the 14 points in their repository's
# README.
rectified = rectified.publish(
    "lin2024_example",
    source="arXiv 2402.02314, 14 points in the README of the authors' code, our fit", evidence="D",
    B=563.8230844221323, D_l=166.05633480070102, beta=0.4552798372851552, E=1.0692364715959688,
)  # fmt: skip


@law
def vanilla_finetuning(D_f: Examples, *, B=positive(1e-3, 1e3), beta=positive(0.02, 1.5),
                       E=positive(1e-4, 3),
                       alpha=positive(0.05, 2)) -> Nats:
    """Loss after fine-tuning [nats/token] from D_f [examples] without a flat start: what
    `rectified` is compared with.

    E^alpha is the limit; alpha = 1 is a power law with offset. Source: Lin et al. 2024 (arXiv
    2402.02314), authors' code.
    Decides: whether a fine-tuning curve has left its flat start (then both laws fit alike).
    Keywords: baseline.
    Not from the source: the start ranges.

    >>> round(float(vanilla_finetuning(1e4, B=0.1, beta=0.12, E=0.5, alpha=0.8)), 5)
    2.91648
    """
    return (D_f**-beta / B + E) ** alpha


@rule
def rectified_turn(D_l, beta):
    """Number of examples [examples] at which the rectified law turns from its flat start to its
    power law: D_l^(1/beta).

    Source: Lin et al. 2024 (arXiv 2402.02314), derived. Decides: how large the subsets must be
    before a power law can be read off them. Keywords: phase transition fine-tuning.

    >>> round(float(rectified_turn(166.06, 0.45528)), -2)
    75300.0
    """
    return D_l ** (1 / beta)


def accept_then_stop(D, loss, target, k=3, delta=5.0):
    """Loss [nats/token] expected at `target` [examples] from runs on subsets D [examples], using
    the power-law phase only.

    Starts with the k largest subsets and a straight line in log-log. Smaller subsets are accepted
    one by one while they lie within delta times the spread of the accepted ones; the first that
    does not is taken for the flat phase. Returns the loss, the exponent and how many runs were
    used. Source: Lin et al. 2024 (arXiv 2402.02314), authors' code for k = 3 and delta = 5; that
    the spread is the root mean square residual is recalled, not read in the source. Decides: which
    model to fine-tune when only small subsets can be paid for. Keywords: ats model selection
    extrapolation.

    >>> D = 200 * 2.0 ** np.arange(10)
    >>> found = accept_then_stop(D, 600 / (170 + D**0.46) + 1.1, 1638400)
    >>> found["used"], round(found["loss"], 2)
    (3, 1.87)
    """
    order = np.argsort(-np.asarray(D, np.float64))
    x, y = np.log(np.asarray(D, np.float64)[order]), np.log(np.asarray(loss, np.float64)[order])
    if len(x) < k or k < 3:
        raise refuse(
            f"accept_then_stop: {len(x)} runs and k={k}",
            why="a line and its spread need three",
            change="more runs, or another k",
        )
    used = k
    while True:
        slope, level = np.polyfit(x[:used], y[:used], 1)
        # runs on a line: rounding is no spread
        spread = max(np.sqrt(np.mean((y[:used] - level - slope * x[:used]) ** 2)), 1e-9)
        if used == len(x) or abs(y[used] - level - slope * x[used]) > delta * spread:
            return {"loss": float(np.exp(level + slope * np.log(target))),
                    "exponent": float(-slope), "used": used}
        used += 1


# -- translation ---------------------------------------------------------------------------------
@law
def translation_score(D_p: Tokens, *, A=positive(1e-2, 1e4), alpha=positive(0.01, 2),
                      beta=positive(0.3, 10)) -> Positive:
    """Translation score [BLEU or COMET points] after fine-tuning from D_p [tokens of pre-training
    data].

    Defined where A D_p^alpha > 1. A and alpha nearly stand in for beta, so trust predictions, not
    parameters. That the law does not fit is a finding too: pre-training data that are not aligned
    with the task lower the score while the cross-entropy, which follows `power_law` in D_p, still
    improves and so cannot stand in for it. The paper fits by a Huber loss of the logarithm, the
    score with delta = 0.1; for the cross-entropy its text and captions disagree (1e-3, 1e-5).
    Source: Isik et al. 2024 (arXiv 2402.04177), form as told in notes on version 3. Decides:
    whether a pre-training set is worth using for a translation task. Keywords: bleu comet rouge
    downstream log-law machine translation. Not from the source: the start ranges.

    >>> round(float(translation_score(1e10, A=1.0, alpha=0.1, beta=4.0)), 2)
    28.11
    """
    return (jnp.log(A) + alpha * jnp.log(D_p)) ** beta


@rule
def alignment_score(P_source, P_target):
    """Alignment [a number] of a pre-training set with a translation task: its shares of source and
    target language [0 to 1].

    Source: Isik et al. 2024 (arXiv 2402.04177), definition as told in notes on version 3.
    Decides: which mixture of languages to pre-train on for translation. Keywords: multilingual
    mixture.

    >>> round(float(alignment_score(0.5, 0.5)), 6)
    1.0
    """
    return P_source * P_target + 0.7 * P_source + 0.8 * P_target
