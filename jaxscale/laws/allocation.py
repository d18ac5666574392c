"""How a budget of compute is best spent on size and data, and what the size and the compute of a
plan stand for.

For the family L = E + [(A N^-alpha)^(1/q) + (B D^-beta)^(1/q)]^q of the laws in `loss`, the best N
and D under C = 6 N D have a closed form, which the rules below write out; `q_family` turns a bound
law into the numbers that they take, so that `compute_optimal(1e21, **q_family(law))` reads the plan
off any of them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..ground._errors import refuse_type
from ..ground._roots import root
from ._rule import rule
from .loss import busbridge, chinchilla, kaplan

__all__ = [
    "average_params", "compute_for_loss", "compute_optimal", "inference_optimal", "isoflop_minimum",
    "kaplan_optimum", "nonembedding_frontier", "optimal_tokens", "overtrained_optimum", "q_family",
    "tokens_for_loss", "total_params", "training_time",
]  # fmt: skip


# -- the best N and D: the closed form of the q-family -------------------------------------------
def _balance(A, B, alpha, beta, q):
    """G: N* = G at C = 6. In logs: A^(1/q) overflows for a small q."""
    return jnp.exp((jnp.log(A / B) + q * jnp.log(alpha / beta)) / (alpha + beta))


def _reducible(N, D, A, B, alpha, beta, q):
    terms = jnp.log(A) - alpha * jnp.log(N), jnp.log(B) - beta * jnp.log(D)
    return jnp.exp(q * jnp.logaddexp(terms[0] / q, terms[1] / q))


@rule
def q_family(law):
    """E [nats/token], A, B, alpha, beta and q of a bound `chinchilla`, `kaplan` or `busbridge`, for
    the rules below.

    L = E + [(A N^-alpha)^(1/q) + (B D^-beta)^(1/q)]^q. A, B, alpha and beta are not those of the
    law unless q = 1.
    Raises TypeError for any other law.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), Kaplan et al. 2020 (arXiv 2001.08361),
    Busbridge et al. 2025 (arXiv 2502.08606), derived. Decides: nothing itself; it lets three laws
    share one plan. Keywords: unify convert.

    >>> from jaxscale.laws import kaplan
    >>> {k: round(float(v), 3) for k,
    ...     v in q_family(kaplan.published["kaplan2020"]).items() if k in ("E", "alpha", "q")}
    {'E': 0.0, 'alpha': 0.076, 'q': 0.103}
    """
    p = law.params
    if law.function is chinchilla.function:
        return {**p, "q": jnp.ones(())}
    if law.function is busbridge.function:
        q = p["gamma"]
        return {"E": p["E"], "A": p["A"] ** q, "B": p["B"] ** q, "alpha": p["alpha"] * q,
                "beta": p["beta"] * q, "q": q}
    if law.function is kaplan.function:
        a, b = p["alpha_N"], p["alpha_D"]
        return {"E": jnp.zeros(()), "A": p["Nc"] ** a, "B": p["Dc"] ** b, "alpha": a, "beta": b,
                "q": b}
    raise refuse_type(
        f"q_family({law.name})",
        why="its optimum is worked out for three laws",
        change="chinchilla, kaplan or busbridge; jaxscale.allocate for other laws",
    )


@rule
def compute_optimal(C, *, E, A, B, alpha, beta, q=1.0, per_token=6.0):
    """N [parameters], D [tokens], G, p and loss [nats/token] that are best for C [FLOP] = per_token
    N D, in closed form.

    N = G (C / per_token)^p with p = beta / (alpha + beta), whatever q. For q = 1 the share of N's
    term in the reducible loss is p at every budget. Parameters per token are N / D = G^2 (C /
    per_token)^(2 p - 1). Parameters as from `q_family` or `chinchilla.params`.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), eq. 4, for q = 1; the rest is derived. Decides:
    size and tokens of a model for a compute budget. Keywords: allocation optimum frontier closed
    form G tokens per parameter ratio.

    >>> from jaxscale.laws import chinchilla
    >>> plan = compute_optimal(5.76e23, **chinchilla.published["hoffmann2022"].params)
    >>> float(f"{plan['N']:.6g}"), float(f"{plan['D']:.6g}"), round(float(plan["loss"]), 6)
    (40360900000.0, 2378540000000.0, 1.918412)
    """
    G, p = _balance(A, B, alpha, beta, q), beta / (alpha + beta)
    n = C / per_token
    N, D = G * n**p, n ** (1 - p) / G
    return {"N": N, "D": D, "G": G, "p": p,
            "loss": E + _reducible(N, D, A=A, B=B, alpha=alpha, beta=beta, q=q)}


@rule
def compute_for_loss(loss, *, E, A, B, alpha, beta, q=1.0, per_token=6.0):
    """Least C [FLOP] that reaches a loss [nats/token] with the best N and D; NaN below the
    irreducible loss E.

    The reducible loss falls as C^(-alpha beta / (alpha + beta)), so a tenth of a nat costs more the
    closer E is.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), derived from eq. 4. Decides: what budget a
    target loss needs.
    Keywords: inverse target equivalent compute.

    >>> from jaxscale.laws import chinchilla
    >>> float(f"{compute_for_loss(1.918412, **chinchilla.published['hoffmann2022'].params):.4g}")
    5.76e+23
    """
    G = _balance(A, B, alpha, beta, q)
    at_one = _reducible(G, 1 / G, A=A, B=B, alpha=alpha, beta=beta, q=q)
    return per_token * (at_one / (loss - E)) ** ((alpha + beta) / (alpha * beta))


@rule
def optimal_tokens(N, *, E, A, B, alpha, beta, q=1.0):
    """D [tokens] for which N [parameters] is the best size for the compute spent.

    Tokens per parameter, D / N, are constant only if alpha = beta.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), derived from eq. 4. Decides: how long to train
    a model whose size is settled. Keywords: tokens-per-parameter ratio 20.

    >>> from jaxscale.laws import chinchilla
    >>> round(float(optimal_tokens(7.22487e10, **chinchilla.published["besiroglu2024"].params)
    ...     / 7.22487e10), 2)
    18.39
    """
    G = _balance(A, B, alpha, beta, q)
    return (N / G) ** (alpha / beta) / G


@rule
def tokens_for_loss(N, loss, *, E, A, B, alpha, beta, q=1.0):
    """D [tokens] that take N [parameters] to a loss [nats/token]; NaN where no amount of data does.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), derived from eq. 2. Decides: how long to train
    a smaller model so that it equals a larger one. Keywords: inverse target over-training iso-loss.

    >>> from jaxscale.laws import chinchilla
    >>> law = chinchilla.published["hoffmann2022"]
    >>> float(f"{tokens_for_loss(70e9, law(70e9, 1.4e12), **law.params):.5g}")
    1400000000000.0
    """
    reducible = loss - E
    left = -jnp.expm1((jnp.log(A / reducible) - alpha * jnp.log(N)) / q)
    return (B / reducible * left**-q) ** (1 / beta)


@rule
def inference_optimal(loss, D_inf, *, E, A, B, alpha, beta, q=1.0, train=6.0, serve=2.0):
    """N, D and cost [FLOP] that reach a loss [nats/token] at least train N D + serve N D_inf, for
    D_inf [tokens] served.

    `N_train`, `D_train` and `cost_train` are the plan that looks at training alone, at the same
    loss and load. For a cost in dollars: train = 6 price / utilisation, serve = 2 price, D_inf =
    D_in / utilisation + D_out / utilisation.

    Source: Sardana et al. 2023 (arXiv 2401.00448), form as told in a digest; the condition for the
    optimum is derived.
    Decides: how much smaller to make a model that will be used a lot. Keywords: inference-aware
    serving lifetime demand.

    >>> from jaxscale.laws import chinchilla
    >>> law = chinchilla.published["hoffmann2022"]
    >>> plan = inference_optimal(law(7e9, optimal_tokens(7e9, **law.params)), 1e11, **law.params)
    >>> round(float(plan["N"] / 1e9), 5), round(float(plan["D"] / plan["D_train"]), 5)
    (6.05471, 1.16409)
    """
    # at u = ln(data term / size term) = ratio, training alone is cheapest
    ratio = jnp.log(alpha / beta)

    def sizes(u, r):
        size = jnp.exp((jnp.log(A / r) - q * jax.nn.log_sigmoid(-u)) / alpha)
        return size, jnp.exp((jnp.log(B / r) - q * jax.nn.log_sigmoid(u)) / beta)

    def excess(u, args):
        r, served = args
        return jnp.log1p(serve * served / (train * sizes(u, r)[1])) + u - ratio

    most = excess(ratio, (loss - E, D_inf))
    u = root(excess, ratio - most, ratio + 0 * most, (loss - E, D_inf))
    (N, D), (N0, D0) = sizes(u, loss - E), sizes(ratio, loss - E)
    return {
        "N": N, "D": D, "cost": N * (train * D + serve * D_inf),
        "N_train": N0, "D_train": D0, "cost_train": N0 * (train * D0 + serve * D_inf),
    }  # fmt: skip


@rule
def overtrained_optimum(*, a, b, eta):
    """Best M [tokens per parameter] of `overtrained`: (b / a)^(1 / (2 eta)), the same at every
    compute.

    Source: Gadre et al. 2024 (arXiv 2403.08540), derived. Decides: from which ratio on a model is
    over-trained.
    Keywords: token multiplier.

    >>> round(float(overtrained_optimum(a=100.0, b=246.0, eta=0.15)), 2)
    20.1
    """
    return (b / a) ** (0.5 / eta)


@rule
def isoflop_minimum(N, loss):
    """Best N [parameters] and loss [nats/token] of one budget: vertex of the parabola of the losses
    over ln N.

    Runs of one compute on the last axis, three or more. Collect the vertices of several budgets,
    then fit `trend`. Count N as the training FLOP of a token, last layer included, divided by 6:
    leaving it out, a warm-up that is long for small models, one cosine length for all and untuned
    runs raised the exponent of N*(C) from about 0.50 to about 0.84.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), approach 2, form as told in a digest; Porian et
    al. 2024 (arXiv 2406.19146) interpolate instead of fitting a parabola. Decides: where the
    optimum of a sweep at fixed compute lies. Keywords: IsoFLOP profile valley quadratic.

    >>> best = isoflop_minimum([1e8, 2e8, 4e8], [3.1, 3.0, 3.1])
    >>> float(f"{best['N']:.6g}"), round(float(best["loss"]), 6)
    (200000000.0, 3.0)
    """
    N, loss = jnp.broadcast_arrays(N, loss)
    middle = jnp.mean(jnp.log(N), -1, keepdims=True)
    x = jnp.log(N) - middle
    spread, skew = jnp.mean(x**2, -1, keepdims=True), jnp.mean(x**3, -1,
        keepdims=True) / jnp.mean(x**2, -1, keepdims=True)
    z = x**2 - skew * x - spread  # orthogonal to 1 and x
    slope, bend = (jnp.sum(v * loss, -1) / jnp.sum(v**2, -1) for v in (x, z))
    best, spread, skew = skew[..., 0] / 2 - slope / (2 * bend), spread[..., 0], skew[..., 0]
    lowest = jnp.mean(loss, -1) + slope * best + bend * (best**2 - skew * best - spread)
    return {"N": jnp.exp(best + middle[..., 0]), "loss": lowest}


@rule
def kaplan_optimum(C, *, Nc, Sc, alpha_N, alpha_S, B_star=2e8, alpha_B=0.21):
    """N [parameters], S [steps], B [tokens] and loss [nats/token] that are best for C [FLOP] = 6 N
    B S, by Kaplan's laws.

    B is the critical batch B_star / L^(1/alpha_B). `alpha_C` and `Cc` [FLOP] say the result as L =
    (Cc / C)^alpha_C; N, B and S grow with the powers alpha_C / alpha_N, alpha_C / alpha_B, alpha_C
    / alpha_S. The loss is 1 + alpha_N / alpha_S times what the model would reach if trained to the
    end: about 10 % above it.

    Source: Kaplan et al. 2020 (arXiv 2001.08361), form as told in notes, and derived. Decides:
    size, batch and steps of a run, by a law that neglects learning-rate decay. Keywords: closed
    form critical batch size.

    >>> from jaxscale.laws import kaplan_steps
    >>> plan = kaplan_optimum(8.64e19, **kaplan_steps.published["kaplan2020"].params)
    >>> float(f"{plan['N']:.5g}"), round(float(plan["loss"]), 5)
    (604160000.0, 2.68756)
    """
    size, steps = 1 + alpha_N / alpha_S, 1 + alpha_S / alpha_N
    alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    Cc = 6 * B_star * Nc * Sc * size ** (1 / alpha_N) * steps ** (1 / alpha_S)
    loss = (Cc / C) ** alpha_C
    N, S = Nc * (size / loss) ** (1 / alpha_N), Sc * (steps / loss) ** (1 / alpha_S)
    return {"N": N, "S": S, "B": B_star / loss ** (1 / alpha_B), "loss": loss, "alpha_C": alpha_C,
            "Cc": Cc}


# -- what N and C stand for ----------------------------------------------------------------------
@rule
def total_params(N, gamma=47491.0):
    """All parameters [count, embeddings included] of a transformer with N [non-embedding ones]: N +
    gamma N^(1/3).

    gamma = 47491 is for a vocabulary of 32k and the shapes of the paper.

    Source: Pearce and Song 2024 (arXiv 2406.12907), authors' code. Decides: how a law in total
    parameters is compared with one in non-embedding ones. Keywords: embedding vocabulary convention
    convert.

    >>> round(float(total_params(1e9) / 1e9), 5)
    1.04749
    """
    return N + gamma * jnp.cbrt(N)


@rule
def nonembedding_frontier(N, *, E, A, B, alpha, beta, gamma=47491.0):
    """C [FLOP, 6 N D], D [tokens] and loss [nats/token] at which N [non-embedding parameters] is
    the best size.

    The law is Chinchilla's, over `total_params`. `slope` is the local exponent d ln N / d ln C: it
    is beta / (alpha/3 + beta) for tiny models, above either limit between 1e5 and 1e7, beta /
    (alpha + beta) for large ones. A line through small models alone is how an exponent of 0.73
    arises.

    Source: Pearce and Song 2024 (arXiv 2406.12907), authors' code; the slope is derived. Decides:
    whether an exponent fitted on small models may be extrapolated. Keywords: Kaplan reconcile
    discrepancy non-embedding convention.

    >>> from jaxscale.laws import chinchilla
    >>> found = nonembedding_frontier(1e9, **chinchilla.published["besiroglu2024"].params)
    >>> float(f"{found['C']:.4g}"), round(float(found["slope"]), 5)
    (1.548e+20, 0.53538)
    """
    total, x = N + gamma * jnp.cbrt(N), jnp.cbrt(N) ** 2
    head = N + gamma * jnp.cbrt(N) / 3
    D = (beta * B / (alpha * A) * total ** (1 + alpha) / head) ** (1 / beta)
    inverse = (1 - (x + gamma / 9) / (x + gamma / 3) / beta
               + (1 + alpha) / beta * (x + gamma / 3) / (x + gamma))
    return {"C": 6 * N * D, "D": D, "slope": 1 / inverse,
            "loss": E + A * total**-alpha + B * D**-beta}


@rule
def average_params(N, D):
    """Average parameter count [parameters] over training, from N [parameters] and D [tokens] of
    each phase (last axis).

    A run that is pruned or grown on the way costs C = 6 N_avg D_total, and N_avg stands for N in
    Chinchilla's law.

    Source: Jin et al. 2025 (arXiv 2501.12486), form as told in a digest. Decides: what loss sparse
    pre-training will reach, and which schedule of pruning costs the same. Keywords: sparse pruning
    growing dense unify.

    >>> float(average_params([4e8, 3e8, 2e8], [5e9, 1e10, 5e9]))
    300000000.0
    """
    return jnp.sum(N * D, -1) / jnp.sum(D + 0 * N, -1)


@rule
def training_time(flop, copied, flop_rate, copy_rate):
    """Training time [s] from flop [FLOP] and copied [bytes of memory traffic] at their rates [per
    second], one by one.

    Source: Inbar and Sernau 2024 (arXiv 2406.18922), form as told in a note. Decides: shape of a
    model for a budget in hours, where 6 N D alone misjudges small matrices. Keywords: wall-clock
    memcopies bandwidth hours.

    >>> float(training_time(1e18, 1e16, 1e14, 1e12))
    20000.0
    """
    return flop / flop_rate + copied / copy_rate
