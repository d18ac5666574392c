"""How loss falls with data: repeated data, filtered data, and learning curves that are not one
straight power law.

Where data run out they are repeated, and a repeated token is worth less than a new one; where they
are filtered, the better part is repeated sooner. Learning curves bend besides: they start on a
plateau (guessing), end on one (noise), or change slope in between, and the laws for that are
ordered from one bend to many. Their x is data, compute or size.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import negative, positive, real
from ..ground._roots import root
from ..units import Fraction, Nats, Number, Params, Positive, Tokens
from . import _shapes as shapes
from ._rule import rule
from .allocation import compute_optimal

__all__ = [
    "broken_power_law", "broken_power_law_slope", "data_constrained", "data_constrained_optimum",
    "data_filtering", "effective_data", "filter_choice", "plateau_power_law",
    "plateau_power_law_inverse", "pool_exponent", "saturating_power_law",
]  # fmt: skip


# -- repeated data -------------------------------------------------------------------------------
@rule
def effective_data(D, U, R_D):
    """Effective data [tokens] of D [tokens seen] of which U [tokens] are unique, with half-life R_D
    [repetitions].

    Up to U each token counts; all repetitions together count at most R_D times U.

    Source: Muennighoff et al. 2023 (arXiv 2305.16264), authors' code. Decides: how often data may
    be repeated.
    Keywords: epochs multi-epoch repetition data-constrained unique tokens.

    >>> round(float(effective_data(4 * 25e9, 25e9, 15.387756)) / 25e9, 4)
    3.7257
    """
    return shapes.saturating(jnp.minimum(D, U), D, R_D)


def _best_size(D, A, B, alpha, beta):
    """The N for which D tokens are compute-optimal: (D G)^(beta / alpha) G with G as in
    Chinchilla's closed form.
    """
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return (D * G) ** (beta / alpha) * G


@law
def data_constrained(N: Params, D: Tokens, U: Tokens, *, E=positive(0.5, 3), A=positive(1, 1e5),
                     B=positive(1, 1e5),
                     alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5), R_D=positive(0.5, 200),
                     R_N=positive(0.5, 200)) -> Nats:
    """Final loss [nats/token] from N [parameters], D [tokens seen] and U [unique tokens]: repeated
    data.

    Chinchilla in effective data and effective parameters: of D beyond U, and of N beyond the best
    size for U, ever less counts, R_D times U and R_N times that size in all. Second derivatives
    jump where repetition begins. Without repeated data R_D and R_N cannot be found, and on the
    authors' 182 runs R_D is weakly determined: fix E, A, B, alpha and beta to a fit of single-epoch
    runs first, as the paper does (with `tie(beta="alpha")`).

    Source: Muennighoff et al. 2023 (arXiv 2305.16264), authors' code. Decides: how many epochs and
    how large a model when data are scarce. Keywords: repetition multi-epoch data-limited C4. Not
    from the source: the start ranges. That N includes embeddings is recalled, not read in the
    source.

    >>> round(float(data_constrained.published["muennighoff2023"](6.34e9, 242e9, 25e9)), 12)
    2.225644088998
    """
    U_D = jnp.minimum(D, U)
    U_N = jnp.minimum(N, _best_size(U_D, A, B, alpha, beta))
    return (E + A * shapes.saturating(U_N, N, R_N) ** -alpha
            + B * shapes.saturating(U_D, D, R_D) ** -beta)


# The notebooks hold an older fit with alpha and beta apart (16.26, 4.96), used for figures only.
data_constrained = data_constrained.publish(
    "muennighoff2023",
    source="arXiv 2305.16264, digits of the authors' code (a, b, e are logarithms)",
    evidence="CODE",
    E=1.8691436784054858, A=520.8249516599187, B=1487.716093782861, alpha=0.3526596, beta=0.3526596,
    R_D=15.387756, R_N=5.309743,
)  # fmt: skip


@rule
def data_constrained_optimum(C, U, *, E, A, B, alpha, beta, R_D, R_N):
    """N [parameters], D [tokens], D / U [epochs] and loss [nats/token] best for C [FLOP] = 6 N D
    and U [unique tokens].

    Where U suffices this is Chinchilla's optimum. Parameters as in `data_constrained.params`.

    Source: Muennighoff et al. 2023 (arXiv 2305.16264), authors' code; they search a grid; here the
    root of the slope is found, of which there is only one (derived). Decides: model size and epochs
    when data are scarce. Keywords: compute-optimal repetition allocation.

    >>> plan = data_constrained_optimum(1e22, 25e9,
    ...     **data_constrained.published["muennighoff2023"].params)
    >>> float(f"{plan['N']:.4g}"), round(float(plan["epochs"]), 2), round(float(plan["loss"]), 6)
    (7026000000.0, 9.49, 2.222129)
    """
    C, U = jnp.broadcast_arrays(jnp.asarray(C), jnp.asarray(U))
    best = compute_optimal(C, E=E, A=A, B=B, alpha=alpha, beta=beta)["N"]  # were data plenty

    # ln of what an e-fold of x takes off the loss; in logs, for far out it underflows
    def gain(x, unique, half, A, alpha):
        unique = jnp.minimum(x, unique)
        worth, repeats = shapes.saturating(unique, x, half), (x / unique - 1) / half
        return jnp.log(alpha * A * x) - (1 + alpha) * jnp.log(worth) - repeats, repeats

    # crosses 0 once, upwards; U_N may be that of U throughout, for where D < U is best N does not
    # exceed it
    def slope(n, at):
        C, U, best, A, B, alpha, beta, R_D, R_N = at
        N, D = best * jnp.exp(n), C / 6 / best * jnp.exp(-n)
        (of_D, r_D), (of_N, r_N) = gain(D, U, R_D, B, beta), gain(N,
            _best_size(U, A, B, alpha, beta), R_N, A, alpha)
        return (of_D - of_N) / (1 + r_D + r_N)

    n = root(slope, jnp.full_like(best, -50.0), jnp.full_like(best, 50.0),
             (C, U, best, A, B, alpha, beta, R_D, R_N))
    N, D = best * jnp.exp(n), C / 6 / best * jnp.exp(-n)
    loss = data_constrained.function(N, D, U, E=E, A=A, B=B, alpha=alpha, beta=beta, R_D=R_D,
                                     R_N=R_N)
    return {"N": N, "D": D, "epochs": D / U, "loss": loss}


# -- filtered data -------------------------------------------------------------------------------
_EPOCHS = 64  # a law is one formula, so the product over epochs has a fixed length


def _over_epochs(n, P, weight):
    """sum over epochs j > 1 of weight(j - 1) ln(n_j / n_{j-1}), n_j samples seen by the end of
    epoch j; NaN past the last.
    """
    j = jnp.arange(1, _EPOCHS, dtype=jnp.result_type(float))
    return jnp.where(n <= _EPOCHS * P,
                     jnp.sum(weight(j) * jnp.log(jnp.clip(n / P / j, 1.0, 1.0 + 1.0 / j))), jnp.nan)


@law
def data_filtering(n: Positive, P: Positive, *, a=positive(0.1, 1e3), b=negative(-1, -0.01),
                   tau=positive(0.3, 100),
                   d=positive(1e-3, 1)) -> Fraction:
    """Error [fraction] after n [samples seen] from a pool of P [samples], which are repeated when n
    exceeds P.

    Within an epoch the error falls as n^b; with each repetition b shrinks, by half every tau
    epochs. d: error that stays. Defined up to 64 epochs, NaN beyond. The authors' code fixes d =
    0.1, keeps `a` inside the power with n in 1e5 samples (a there is (a here)^(1/b) * 1e5), and
    multiplies d by the ratios too, which this form does not.

    Source: Goyal et al. 2024 (arXiv 2404.07177), form as told in notes. Decides: how strictly to
    filter data for a given compute. Keywords: quality-quantity tradeoff QQT CLIP web data curation
    pools repetition utility half-life. Not from the source: the start ranges. The coefficients of
    the paper were not found.

    >>> round(float(data_filtering(128e6, 12.8e6, a=1e-7**-0.18, b=-0.18, tau=3, d=0.1)), 5)
    0.87181
    """
    return a * jnp.minimum(n,
                           P) ** b * jnp.exp(b * _over_epochs(n, P,
                               lambda j: jnp.exp2(-j / tau))) + d


@rule
def pool_exponent(epoch, b, tau):
    """Exponent [number] of a mixture of p equal pools in its epoch-th pass, 1 the first, from b
    (p,) and tau (p,) [epochs].

    Mixed with p - 1 others a pool comes round p times as slowly: its half-life is p tau. The
    exponent is the mean of b_i 2^(-(epoch - 1) / (p tau_i)).

    Source: Goyal et al. 2024 (arXiv 2404.07177), form as told in notes; that the first pass counts
    undiminished is as in a single pool. Decides: which pools of data to mix. Keywords: filtering
    quality mixture half-life utility.

    >>> round(float(pool_exponent(3, [-0.2, -0.1], [1.0, 2.0])), 6)
    -0.085355
    """
    slowed = jnp.size(tau) * jnp.asarray(tau)
    return jnp.mean(b * jnp.exp2(-(jnp.asarray(epoch)[..., None] - 1) / slowed), -1)


@rule
def filter_choice(n, P, a, b, tau, d):
    """Best of several pools [index] and the error [fraction] of each after n [samples seen], from
    P, a, b, tau (pools,).

    `data_filtering` for each pool with its own parameters; d is shared. A stricter filter gives a
    smaller, better pool, which wins while n is small.

    Source: Goyal et al. 2024 (arXiv 2404.07177), form as told in notes. Decides: how strictly to
    filter, given compute.
    Keywords: quality-quantity tradeoff curation threshold.

    >>> pools = dict(P=[12.8e6, 128e6], a=[20.0, 21.0], b=[-0.20, -0.19], tau=[2.0, 2.0], d=0.1)
    >>> [int(filter_choice(n, **pools)["best"]) for n in (12.8e6, 640e6)]
    [0, 1]
    """

    def one(n, P, a, b, tau):
        return data_filtering(n, P, a=a, b=b, tau=tau, d=d)

    P, a, b, tau = jnp.broadcast_arrays(*map(jnp.asarray, (P, a, b, tau)))
    error = jax.vmap(one, (None, 0, 0, 0, 0))(jnp.asarray(n), P, a, b, tau)
    return {"best": jnp.argmin(error, 0), "error": error}


# -- learning curves -----------------------------------------------------------------------------
@law
def saturating_power_law(x: Positive, *, beta=positive(1e-2, 1e6), gamma=positive(1e-12, 10),
                         c=positive(0.02, 2)) -> Number:
    """Error or loss [any] from x [samples, parameters or compute]: a power law that ends on the
    plateau beta gamma^c.

    beta (1/x + gamma)^c, called M3 in the paper. Falls as x^-c while x is far below 1 / gamma.
    Unlike `power_law`, whose error excess falls as x^-alpha, it nears its plateau as 1/x. M1 and M2
    of the paper are `power_law` with E = 0 and free.

    Source: Alabdulmohsin et al. 2022 (arXiv 2209.06640), authors' code. Decides: how much more data
    lower the error.
    Keywords: M3 learning curve estimator plateau extrapolation vision. Not from the source: the
    start ranges.

    >>> round(float(saturating_power_law(1e4, beta=3.0, gamma=1e-5, c=0.3)), 5)
    0.19478
    """
    return beta * (1 / x + gamma) ** c


@law
def plateau_power_law(x: Positive, *, beta=positive(1e-2, 1e4), c=negative(-2, -0.02),
                      alpha=positive(0.05, 20),
                      epsilon_0=positive(0.3, 10), epsilon_inf=positive(1e-3, 1)) -> Number:
    """Error or loss [any] from x [samples, parameters or compute] between two plateaus, epsilon_0
    and epsilon_inf.

    Solves (epsilon - epsilon_inf) / (epsilon_0 - epsilon)^alpha = beta x^c for epsilon, called M4
    in the paper: error of guessing at small x, a power law in the middle, the error that stays.
    Close to exact for alpha in 0.01 to 100. As alpha goes to 0 it becomes `power_law` (M2).
    `plateau_power_law_inverse` gives x. Where epsilon_0 is known (1 - 1 / classes), fix it.

    Source: Alabdulmohsin et al. 2022 (arXiv 2209.06640), authors' code. Decides: how much more data
    lower the error.
    Keywords: M4 sigmoid learning curve estimator random guessing extrapolation vision. Not from the
    source: the start ranges.

    >>> round(float(plateau_power_law(1e2, beta=1.5, c=-0.3, alpha=0.8, epsilon_0=1.0,
    ...     epsilon_inf=0.1)), 7)
    0.3627484
    """
    span = epsilon_0 - epsilon_inf
    share = jax.nn.sigmoid(shapes.tilted_logit(alpha,
                                               jnp.log(beta) + c * jnp.log(x) + (alpha - 1)
                                               * jnp.log(span)))
    return epsilon_inf + span * share


@rule
def plateau_power_law_inverse(epsilon, *, beta, c, alpha, epsilon_0, epsilon_inf):
    """x [samples, parameters or compute] at which `plateau_power_law` has the error or loss epsilon
    [any]; NaN off its range.

    Source: Alabdulmohsin et al. 2022 (arXiv 2209.06640), authors' code. Decides: how much data a
    target error needs.
    Keywords: M4 sample size target.

    >>> round(float(plateau_power_law_inverse(0.3627484, beta=1.5, c=-0.3, alpha=0.8, epsilon_0=1.0,
    ...     epsilon_inf=0.1)), 3)
    100.0
    """
    return jnp.exp((jnp.log(epsilon - epsilon_inf) - alpha * jnp.log(epsilon_0 - epsilon)
                    - jnp.log(beta)) / c)


@law
def broken_power_law(x: Positive, *, a=positive(1e-3, 10), b=positive(1e-3, 1e4), c0=real(-1, 1),
                     c=real(-3, 3, shape=(1,)),
                     d=positive(1, 1e12, shape=(1,)), f=positive(0.01, 3, shape=(1,))) -> Number:
    """Error or loss [any] from x [data, size, compute or steps]: power laws that change slope at
    breaks d [unit of x].

    a: limit. c0: first slope. At d_i the slope of ln(y - a) changes from -s to -(s + c_i); f_i:
    width of that break in ln x, sharp if small. One break; for more, `broken_power_law.sized(c=3,
    d=3, f=3)`. Breaks can be exchanged, so several starts end in the same fit with their order
    changed. Narrow the start range of d to the x of the table.

    Source: Caballero et al. 2022 (arXiv 2210.14891), authors' code. Decides: what more data, size
    or compute will bring where the curve bends. Keywords: BNSL broken neural scaling law inflection
    emergent double descent. Not from the source: the start ranges.

    >>> round(float(broken_power_law.published["caballero2022_addition"](608.0)), 6)
    1.708442
    """
    return a + b * x**-c0 * shapes.broken(x, c, d, f)


# Cross-entropy of four-digit addition by the number of training examples, 14 runs; the authors
# print their fit only when run.
broken_power_law = broken_power_law.publish(
    "caballero2022_addition",
    source="runs in the authors' code of arXiv 2210.14891, least squares of ln(y + 1)",
    evidence="D",
    a=0.41388453071629455, b=2.2772722897737556, c0=0.055077348404973955, c=[5.662903816010331],
    d=[612.5836172918001],
    f=[0.059193036393742314],
)  # fmt: skip


@rule
def broken_power_law_slope(x, *, c0, c, d, f, a=None, b=None):
    """Local exponent [number], d ln(y - a) / d ln x, of `broken_power_law` at x [data, size or
    compute].

    -c0 far below all breaks, -(c0 + sum of c) far above. a and b do not enter.

    Source: derived from the form of Caballero et al. 2022 (arXiv 2210.14891). Decides: whether a
    curve still bends where it is extrapolated from. Keywords: BNSL slope elasticity.

    >>> round(float(broken_power_law_slope(1e6, c0=0.055, c=[5.663], d=[612.6], f=[0.059])), 3)
    -5.718
    """
    return -c0 - jnp.sum(c * jax.nn.sigmoid((jnp.log(x)[..., None] - jnp.log(d)) / f), -1)
