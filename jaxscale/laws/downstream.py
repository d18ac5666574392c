"""From loss or compute to what is measured after training: error, accuracy, pass rates.

A benchmark score is bounded, so it is a sigmoid or a saturating exponential of a loss that itself
follows a power law; fitted one after the other the errors add up, fitted at once the parameters are
hard to tell apart. Rules beside the laws go the other way: which loss, how many tokens, for a
wanted score.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import between, negative, positive, real, unit
from ..units import Count, Flop, Fraction, Nats, NonEmbeddingParams, Number, Positive, Tokens
from ._rule import rule
from .allocation import tokens_for_loss

__all__ = [
    "accuracy_above_chance", "accuracy_from_compute", "accuracy_from_loss", "accuracy_from_sizes",
    "accuracy_log_sigmoid", "benchmark_sigmoid", "choice_metrics", "error_from_loss", "exact_match",
    "loss_for_accuracy", "loss_for_error", "opposed_power_laws", "pass_rate", "pass_until",
    "tokens_for_error", "turning_compute", "u_shape",
]  # fmt: skip


# -- loss to error and accuracy ------------------------------------------------------------------
@law
def error_from_loss(L: Nats, *, epsilon=unit(), k=positive(0.1, 1e3),
                    gamma=positive(0.1, 5)) -> Fraction:
    """Mean top-1 error over benchmarks [fraction] from loss L [nats/token].

    epsilon is the error of a model that knows nothing; the form is for an average over many
    benchmarks.

    Source: Gadre et al. 2024 (arXiv 2403.08540), authors' code. Decides: how low a loss must get,
    and so how much compute it takes, for a wanted error. Keywords: downstream evaluation
    over-training. Not from the source: the start ranges and the numbers of the example; no table of
    coefficients was seen.

    >>> round(float(error_from_loss(3.0, epsilon=0.85, k=2.0, gamma=0.7)), 5)
    0.60509
    """
    return epsilon - k * jnp.exp(-gamma * L)


@rule
def loss_for_error(error, *, epsilon, k, gamma):
    """Loss [nats/token] at which `error_from_loss` gives a mean error [fraction]; NaN where epsilon
    is not above it.

    The inverse has no floor: an error below the one at the irreducible loss gives a loss that no
    model reaches.

    Source: Gadre et al. 2024 (arXiv 2403.08540), derived from the form in the authors' code.
    Decides: which loss to train to for a wanted error. Keywords: inverse target. Not from the
    source: the numbers of the example.

    >>> round(float(loss_for_error(0.60508712, epsilon=0.85, k=2.0, gamma=0.7)), 5)
    3.0
    """
    return jnp.log(k / (epsilon - error)) / gamma


@rule
def tokens_for_error(error, N, *, E, A, B, alpha, beta, epsilon, k, gamma, q=1.0):
    """Tokens D [tokens] that N [parameters] must see for a mean error [fraction]; NaN where no D is
    enough.

    `chinchilla` and `error_from_loss` chained and solved for D: `tokens_for_error(0.5, 7e9,
    **loss.params, **err.params)` with two fitted laws; `q_family` gives the parameters of other
    loss laws. The mistakes of both steps are in the answer, and it is steep: look at an interval,
    too.

    Source: Gadre et al. 2024 (arXiv 2403.08540), derived from the forms in the authors' code.
    Decides: how long to over-train a model of a given size for a wanted error. Keywords: inverse
    target chain. Not from the source: the numbers of the example.

    >>> loss, error = dict(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37), dict(epsilon=0.85,
    ...     k=2.0, gamma=0.7)
    >>> float(f"{float(tokens_for_error(0.53, 1e9, **loss, **error)):.4g}")
    6998000000.0
    """
    loss = loss_for_error(error, epsilon=epsilon, k=k, gamma=gamma)
    return tokens_for_loss(N, loss, E=E, A=A, B=B, alpha=alpha, beta=beta, q=q)


@law
def accuracy_from_loss(L: Positive, *, a=between(-1, 0), k=positive(0.3, 30), x0=positive(0.1, 5),
                       b=unit()) -> Fraction:
    """Accuracy on a task [fraction] from a loss L [bits per byte of the correct answer, or any
    other unit].

    A falling sigmoid, b at low loss and b + a at high loss, steepest at x0. It is step 2 of a
    ladder whose step 1 is `chinchilla` of the task loss. The authors drop the first tenth of the
    checkpoints and add the point (0, best accuracy possible), without which b drifts. A form c / (1
    + exp(-gamma (L - l))) + d with c > 0 > gamma is the same curve at a = -c, k = -gamma, b = c +
    d.

    Source: Bhagia et al. 2024 (arXiv 2412.04403), authors' code. Decides: whether a large run is
    worth it, from the accuracy that a ladder of small models forecasts. Keywords: downstream task
    benchmark bpb. Not from the source: the start ranges of k and x0, and the numbers of the
    example.

    >>> round(float(accuracy_from_loss(0.8, a=-0.6, k=4.0, x0=0.9, b=0.95)), 5)
    0.70921
    """
    return a * jax.nn.sigmoid(k * (L - x0)) + b


@law
def accuracy_above_chance(L: Positive, *, k=positive(0.3, 30), x0=positive(0.1, 5), chance=unit(),
                          top=unit()) -> Fraction:
    """Accuracy on a task [fraction] from a loss L [any unit], between chance and the best score
    that there is.

    The curve of `accuracy_from_loss` in other letters: b = top, a = chance - top. Fix what is
    known: `fix(chance=0.25)` for four choices, `fix(chance=0.25, top=1.0)` for a straight line of
    the logit between the two, `per(chance="task")` and a value for each task. A score below chance
    is a number like any other; (score - chance) / (1 - chance) would be negative there, and has no
    logit. A top that the runs do not reach is an assumption, as a helper point is.

    Source: Bhagia et al. 2024 (arXiv 2412.04403), authors' code, for the curve. Decides: whether a
    large run is worth it, for tasks whose chance level is known. Keywords: downstream logit floor
    guessing multiple choice benchmark. Not from the source: the letters, the start ranges and the
    numbers of the example.

    >>> round(float(accuracy_above_chance(0.8, k=4.0, x0=0.9, chance=0.35, top=0.95)), 5)
    0.70921
    """
    return chance + (top - chance) * jax.nn.sigmoid(k * (x0 - L))


@rule
def loss_for_accuracy(accuracy, *, a, k, x0, b):
    """Loss [unit of x0] at which `accuracy_from_loss` gives an accuracy [fraction]; NaN outside (b
    + a, b).

    Source: Bhagia et al. 2024 (arXiv 2412.04403), derived from the form in the authors' code.
    Decides: which task loss to reach for a wanted accuracy. Keywords: inverse target sigmoid. Not
    from the source: the numbers of the example.

    >>> round(float(loss_for_accuracy(0.70921279, a=-0.6, k=4.0, x0=0.9, b=0.95)), 5)
    0.8
    """
    return x0 + jnp.log((accuracy - b) / (a + b - accuracy)) / k


@law
def accuracy_log_sigmoid(L: Positive, *, a=negative(-5, -0.01), k=positive(0.3, 30),
                         x0=positive(0.1, 5)) -> Fraction:
    """Accuracy on a task [fraction] from a loss L [bits per byte of the correct answer, or any
    other unit].

    1 - a ln(1 - sigmoid(k (L - x0))): it tends to 1 at low loss and falls as a straight line of
    slope a k beyond x0, through chance and through 0, so it holds only where a task is still being
    learnt.

    Source: Bhagia et al. 2024 (arXiv 2412.04403), authors' code, as a variant of step 2. Decides:
    the same as `accuracy_from_loss`, for tasks without a visible lower plateau. Keywords:
    downstream ladder softplus. Not from the source: the start ranges, that a is negative, and the
    numbers of the example.

    >>> round(float(accuracy_log_sigmoid(0.8, a=-0.5, k=4.0, x0=0.8)), 6)
    0.653426
    """
    return 1 + a * jnp.logaddexp(0.0, k * (L - x0))


# -- sizes or compute to accuracy in one step ----------------------------------------------------
@law
def accuracy_from_sizes(N: NonEmbeddingParams, D: Tokens, *, A=positive(1, 1e6), B=positive(1, 1e6),
                        alpha=positive(0.05, 1.5),
                        beta=positive(0.05, 1.5), E=real(-8, 4), a=between(-1, 0),
                        b=unit()) -> Fraction:
    """Accuracy on a task [fraction] from N [parameters] and D [tokens], in one step.

    The two steps `chinchilla` and `accuracy_from_loss` at once, with slope and midpoint of the
    sigmoid taken into A, B and E, which are no loss any more. With few runs the seven parameters
    cannot be told apart: a relative error of 42.8 % is reported, against 6.5 % for the two steps
    from compute.

    Source: Magnusson et al. 2025 [magnusson2025], authors' code, the single-step fit of N and D.
    Decides: which data recipe wins at scale, where no task loss was kept. Keywords: DataDecide
    downstream. Not from the source: the start ranges and the numbers of the example.

    >>> round(float(accuracy_from_sizes(1e9, 2e10, A=800.0, B=3000.0, alpha=0.35, beta=0.37, E=-2.0,
    ...     a=-0.6, b=0.9)), 5)
    0.73513
    """
    return a * jax.nn.sigmoid(A * N**-alpha + B * D**-beta + E) + b


@law
def accuracy_from_compute(C: Flop, *, A=positive(1, 1e6), alpha=positive(0.02, 0.5), E=real(-8, 4),
                          a=between(-1, 0),
                          b=unit()) -> Fraction:
    """Accuracy on a task [fraction] from training compute C [FLOP], in one step.

    The authors keep slope and midpoint of the sigmoid beside A and E, which makes two parameters
    redundant; here they are part of A and E. In two steps the same baseline is `power_law` (with E
    = 0 for its 2-parameter form) and `accuracy_from_loss`.

    Source: Magnusson et al. 2025 [magnusson2025], authors' code, the single-step fit of compute.
    Decides: which data recipe wins at scale, from runs at a fixed ratio of tokens to parameters.
    Keywords: DataDecide downstream FLOPs. Not from the source: the start ranges and the numbers of
    the example.

    >>> round(float(accuracy_from_compute(1e20, A=2000.0, alpha=0.15, E=-2.0, a=-0.6, b=0.9)), 5)
    0.6
    """
    return a * jax.nn.sigmoid(A * C**-alpha + E) + b


@law
def benchmark_sigmoid(C: Flop, *, a=real(-60, -5), b=positive(0.2, 3), y_min=unit(),
                      y_max=unit()) -> Fraction:
    """Benchmark score [fraction] from training compute C [FLOP].

    Half-way between y_min (chance: fix it) and y_max where log10 C = -a / b, and there b (y_max -
    y_min) / 4 steep per decade. One order of magnitude ahead the paper reports errors of 6 points
    for an aggregate, 18 for single tasks.

    Source: Owen 2024 [owen2024], abstract. Decides: what score a budget buys, and whether one
    benchmark can be forecast at all. Keywords: BIG-Bench downstream extrapolation. Not from the
    source: the form, which is recalled and was not read there, the start ranges and the numbers of
    the example.

    >>> round(float(benchmark_sigmoid(1e24, a=-23.0, b=1.0, y_min=0.25, y_max=1.0)), 5)
    0.79829
    """
    return y_min + (y_max - y_min) * jax.nn.sigmoid(a + b * jnp.log10(C))


@law
def u_shape(C: Flop, *, y_turn=real(-1, 1), q=real(-1, 1), C_turn=positive(1e18, 1e26)) -> Number:
    """Score or Brier score of a task [any unit] that turns at compute C_turn [FLOP], from C [FLOP].

    A parabola in log10 C: q is how much the score changes one decade from the turn, upward or
    downward by its sign. Do not extrapolate it.

    Source: Wei et al. 2022 [wei2022], abstract, and McKenzie et al. 2023 [mckenzie2023], which
    report such tasks and give no formula. Decides: whether a task that gets worse with scale will
    recover, and where. Keywords: inverse scaling U-shaped non-monotone. Not from the source: the
    form, the start ranges and the numbers of the example.

    >>> round(float(u_shape(1e23, y_turn=0.3, q=0.05, C_turn=1e22)), 5)
    0.35
    """
    return y_turn + q * jnp.log10(C / C_turn) ** 2


@law
def opposed_power_laws(C: Flop, *, E=real(-1, 1), A=positive(1, 1e6), alpha=positive(0.02, 1),
                       B=positive(1, 1e6),
                       beta=positive(0.02, 1)) -> Number:
    """Score of a task [any unit] on which one skill helps and another harms, from compute C [FLOP].

    A falling and a rising power law: the steeper one rules at small scale, the flatter one at large
    scale, and the curve turns at `turning_compute`. Alpha and beta cannot be told apart where the
    turn is outside the runs.

    Source: McKenzie et al. 2023 [mckenzie2023], abstract, which reports such tasks and gives no
    formula. Decides: whether a task that gets worse with scale will recover, and where. Keywords:
    inverse scaling U-shaped non-monotone.
    Not from the source: the form, the start ranges and the numbers of the example.

    >>> round(float(opposed_power_laws(1e20, E=0.5, A=60.0, alpha=0.12, B=900.0, beta=0.2)), 5)
    0.64886
    """
    return E + A * C**-alpha - B * C**-beta


@rule
def turning_compute(*, A, alpha, B, beta, E=0.0):
    """Compute [FLOP] at which `opposed_power_laws` turns; E does not move it.

    Source: McKenzie et al. 2023 [mckenzie2023], abstract, for the tasks; derived from our form.
    Decides: how large a run must be before a task stops getting worse. Keywords: inverse scaling
    U-shaped minimum. Not from the source: everything but the existence of such tasks.

    >>> float(f"{float(turning_compute(A=60.0, alpha=0.12, B=900.0, beta=0.2)):.4g}")
    2.98e+17
    """
    return (alpha * A / (beta * B)) ** (1 / (alpha - beta))


# -- pass rates and probabilities of answers -----------------------------------------------------
@law
def pass_rate(N: NonEmbeddingParams, *, c=positive(1, 1e8), alpha=positive(0.03, 1)) -> Fraction:
    """Rate at which one sample passes [fraction] from N [parameters], tokens growing with N by one
    recipe.

    -ln(rate) is a strict power law, so rates far below what a fixed number of samples resolves are
    still on the line. Measure them with `pass_until`.

    Source: Hu et al. 2023 (arXiv 2310.03262), abstract. Decides: when an ability that looks absent
    in small models will show in a large one. Keywords: emergent PassUntil code generation. Not from
    the source: the form, which is recalled and was not read there, the start ranges and the numbers
    of the example.

    >>> round(float(pass_rate(1e9, c=400.0, alpha=0.25)), 5)
    0.10547
    """
    return jnp.exp(-c * N**-alpha)


@rule
def pass_until(r, K):
    """Pass rate [fraction] when the r-th pass came at sample K [samples]: ratio, unbiased estimate,
    its standard error.

    r / K, as in the paper, is too high on average because sampling stops at a pass; (r - 1) / (K -
    1) is unbiased for r >= 2, and p (1 - p) / (K - 2) is an unbiased estimate of its variance for r
    >= 3. NaN below those.

    Source: Hu et al. 2023 (arXiv 2310.03262), form as told in notes; derived for the negative
    binomial distribution.
    Decides: when to stop sampling a rare success. Keywords: PassUntil emergent evaluation
    resolution negative binomial.
    Not from the source: the corrected estimate and its error.

    >>> {name: round(float(value), 5) for name, value in pass_until(3, 1000).items()}
    {'ratio': 0.003, 'unbiased': 0.002, 'error': 0.00141}
    """
    unbiased = jnp.where(r >= 2, (r - 1) / jnp.where(r >= 2, K - 1, 1.0), jnp.nan)
    variance = jnp.where(r >= 3, unbiased * (1 - unbiased) / jnp.where(r >= 3, K - 2, 1.0), jnp.nan)
    return {"ratio": r / K, "unbiased": unbiased, "error": jnp.sqrt(variance)}


@law
def exact_match(N: NonEmbeddingParams, length: Count, *, c=positive(1e3, 1e13),
                alpha=positive(0.03, 1.5)) -> Fraction:
    """Rate at which all of an answer of `length` [tokens] is right [fraction] from N [parameters].

    (N / c)^-alpha is the loss per answer token: it falls smoothly, while the score of a long answer
    seems to jump.

    Source: Schaeffer et al. 2023 [schaeffer2023], form as told in notes. Decides: whether a sudden
    ability is a property of the model or of the metric. Keywords: emergent mirage arithmetic. Not
    from the source: the start ranges and the numbers of the example.

    >>> round(float(exact_match(1e9, 5.0, c=1e6, alpha=0.3)), 5)
    0.53288
    """
    return jnp.exp(-length * (N / c) ** -alpha)


@rule
def choice_metrics(log_p, correct):
    """Metrics of one multiple-choice item [fraction each] from ln p of each choice `(..., choices)`
    and the right index.

    The chain behind a score: p_vocab = p of the right choice among everything, p_choices = its
    share among the choices, accuracy = 1 where it is the largest, and the Brier score over choices.
    Every step loses correlation with compute, because the later ones hang on what the wrong choices
    do: fit p_vocab, then transform. `margin` (right minus best wrong one) and `total` (all choices
    together) are proxies as well. Divide ln p by tokens or characters first for the normalised
    forms.

    Source: Schaeffer et al. 2024 [schaeffer2024], abstract, and Magnusson et al. 2025
    [magnusson2025], authors' code for the names of the proxies. Decides: which metric of small runs
    to rank data by. Keywords: MMLU Brier correct_prob norm_correct_prob total_prob. Not from the
    source: the formulas, which are the usual ones.

    >>> import numpy as np
    >>> {k: round(float(v), 3) for k, v in choice_metrics(np.log([0.2, 0.3]), 0).items()}
    {'p_vocab': 0.2, 'p_choices': 0.4, 'accuracy': 0.0, 'brier': 0.72, 'margin': -0.1, 'total': 0.5}
    """
    right = jnp.arange(jnp.shape(log_p)[-1]) == jnp.expand_dims(jnp.asarray(correct), -1)
    p, shares = jnp.exp(log_p), jax.nn.softmax(log_p, axis=-1)
    p_vocab, best_wrong = jnp.sum(p * right, -1), jnp.max(jnp.where(right, -jnp.inf, p), -1)
    return {
        "p_vocab": p_vocab,
        "p_choices": jnp.sum(shares * right, -1),
        "accuracy": jnp.where(p_vocab > best_wrong, 1.0, 0.0),
        "brier": jnp.sum((shares - right) ** 2, -1),
        "margin": p_vocab - best_wrong,
        "total": jnp.sum(p, -1),
    }
