"""Loss as a function of the mixture: how a training set is shared out between domains.

A mixture is a column of shares, one row of K numbers per run that sum to 1. Vector parameters have
one element per domain; `law.sized(t=17)` gives them another length. Because shares sum to 1, a
constant added to every element of t in exp(t . r) is a factor of exp(t . r): parameters that only
differ so cannot be told apart, and one element has to be 0. `allocate` does not choose shares;
`optimal_mixture` does, with a bound on what is left to gain.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..formula._law import law
from ..formula._params import positive, real
from ..ground._roots import root
from ..units import Nats, Params, Shares, Tokens
from ._rule import rule

__all__ = [
    "additive_mixture_optimum", "average_of_best", "data_mixing", "data_mixing_relative",
    "mixing_overall", "mixture_additive", "mixture_joint", "optimal_mixture",
    "relative_mixing_parameters",
]  # fmt: skip


def _mixture_term(h, C, gamma):
    """1 / sum_i C_i h_i^gamma_i: what the target domain loses to the mixture h of the training
    domains.
    """
    return 1 / jnp.sum(C * h**gamma)


@law
def mixture_additive(N: Params, D: Tokens, h: Shares, *, E=positive(0.3, 3), A=positive(1, 1e5),
                     B=positive(1, 1e5),
                     alpha=positive(0.05, 1.5), beta=positive(0.05, 1.5),
                     C=positive(0.1, 100, shape=(3,)),
                     gamma=positive(0.05, 3, shape=(3,))) -> Nats:
    """Loss on a target domain [nats/token] from N [parameters], D [tokens] and h [shares of K
    domains].

    The mixture adds a term of its own, so the best mixture depends neither on N nor on D
    (`additive_mixture_optimum`). Size it with `law.sized(C=5, gamma=5)`.
    Source: Shukor et al. 2025 (arXiv 2507.09404), form as told in notes. Decides: the mixture for a
    target domain, once for all sizes. Keywords: data mixture domain weights optimal data
    composition simplex. Not from the source: the signs of C and gamma, which are positive here; the
    start ranges.

    >>> values = dict(E=1.5, A=400.0, B=1000.0, alpha=0.34, beta=0.34, C=[4.0, 1.0, 2.0],
    ...     gamma=[0.5, 0.5, 0.5])
    >>> round(float(mixture_additive.fix(**values)(1e9, 2e10, [0.6, 0.2, 0.2])), 4)
    2.3881
    """
    return E + _mixture_term(h, C, gamma) + A * N**-alpha + B * D**-beta


@law
def mixture_joint(N: Params, D: Tokens, h: Shares, *, E=positive(0.3, 3), alpha=positive(0.05, 1.5),
                  beta=positive(0.05, 1.5),
                  C=positive(0.1, 100, shape=(3,)), gamma=positive(0.05, 3, shape=(3,)),
                  C_A=positive(1, 1e6, shape=(3,)), gamma_A=positive(0.1, 3),
                  C_B=positive(1, 1e6, shape=(3,)),
                  gamma_B=positive(0.1, 3)) -> Nats:
    """Loss on a target domain [nats/token] from N [parameters], D [tokens] and h [shares], mixture
    and scale coupled.

    The factors of N and D depend on the mixture too, so the best mixture moves with scale: see
    `optimal_mixture`.
    Source: Shukor et al. 2025 (arXiv 2507.09404), form as told in notes; A(h) = (C_A . h)^gamma_A
    and B(h) alike are recalled, not read in the source. Decides: the mixture at the size that will
    be trained. Keywords: data mixture domain weights scale-dependent simplex. Not from the source:
    all signs, which are positive here; the start ranges.

    >>> values = dict(E=1.5, alpha=0.34, beta=0.34, C=[4.0, 1.0, 2.0], gamma=[0.5, 0.5, 0.5],
    ...     gamma_A=1.0, gamma_B=1.0,
    ...               C_A=[400.0, 400.0, 400.0], C_B=[1000.0, 1000.0, 1000.0])
    >>> round(float(mixture_joint.fix(**values)(1e9, 2e10, [0.6, 0.2, 0.2])), 4)
    2.3881
    """
    A, B = jnp.dot(C_A, h) ** gamma_A, jnp.dot(C_B, h) ** gamma_B
    return E + _mixture_term(h, C, gamma) + A * N**-alpha + B * D**-beta


@law
def data_mixing(r: Shares, *, c=positive(0.1, 5), k=positive(1e-4, 10),
                t=real(-5, 5, shape=(3,))) -> Nats:
    """Loss on one validation domain [nats/token] from r [shares of K training domains], at fixed
    size and tokens.

    Fit one law per validation domain and add them with `mixing_overall`. The parameters are
    redundant (t + s with k e^-s is the same law), so a fit of all of them is FLAT: predictions are
    right, but use `data_mixing_relative` where parameters or their intervals matter. Size it with
    `law.sized(t=17)`.
    Source: Ye et al. 2024 (arXiv 2403.16952), authors' code. There it is nested with power laws in
    steps and size, and fitted by Huber loss (delta .01 to .05) of the loss itself. Decides: the
    mixture of training domains from small runs.
    Keywords: data mixture domain weights exponential simplex. Not from the source: the start
    ranges.

    >>> law = data_mixing.sized(t=5)
    >>> academic = law.fix(c=2.6512, k=0.11776, t=[-10.0864, 2.7140, 2.7106, 2.6083, 1.5866])
    >>> round(float(academic([0.25, 0.125, 0.125, 0.125, 0.375])), 4)
    2.698
    """
    return c + k * jnp.exp(jnp.dot(t, r))


@law
def data_mixing_relative(r: Shares, *, c=positive(0.1, 5), k=positive(1e-4, 10),
                         t=real(-5, 5, shape=(2,))) -> Nats:
    """Loss on one validation domain [nats/token] from r [shares of K domains]: K - 1 elements of t,
    relative to the last.

    `data_mixing` with the last element of t at 0, which every set of its parameters can be brought
    to (`relative_mixing_parameters`); so k is the reducible loss of training on the last domain
    alone, and runs determine every parameter. Size it with `law.sized(t=16)` for 17 domains.
    Source: Ye et al. 2024 (arXiv 2403.16952), authors' code; this parametrisation is derived.
    Decides: which training domain helps a validation domain, and how surely. Keywords: data mixture
    domain weights exponential identifiable.
    Not from the source: the start ranges.

    >>> round(float(data_mixing_relative.fix(c=2.0, k=0.5, t=[1.0, -2.0])([0.5, 0.3, 0.2])), 4)
    2.4524
    """
    return c + k * jnp.exp(jnp.dot(t, r[:-1]))


@rule
def relative_mixing_parameters(k, t):
    """`k` [nats/token] and `t` (K - 1) of `data_mixing_relative` from k [nats/token] and t (K) of
    `data_mixing`.

    Source: Ye et al. 2024 (arXiv 2403.16952), derived. Decides: whether two sets of coefficients
    are the same law.
    Keywords: identifiability redundancy convert.

    >>> relative_mixing_parameters(0.5, [1.0, -2.0, 0.0])["t"].tolist()
    [1.0, -2.0]
    """
    t = jnp.asarray(t)
    return {"k": k * jnp.exp(t[..., -1]), "t": t[..., :-1] - t[..., -1:]}


@rule
def mixing_overall(r, s, c, k, t):
    """Loss on a validation set [nats/token] from shares r (K) of training domains, for M validation
    domains of shares s.

    sum_i s_i (c_i + k_i exp(t_i . r)) with c, k (M,) and t (M, K): the fits of one `data_mixing`
    law per validation domain. Convex in r, so `optimal_mixture` finds its minimum. If the
    validation domains are unknown, the paper treats s as parameters of implicit domains.
    Source: Ye et al. 2024 (arXiv 2403.16952), authors' code. Decides: the mixture for a validation
    set of several domains.
    Keywords: implicit domains aggregation weighted.

    >>> t = [[-2.0, 1.0], [1.0, -2.0]]
    >>> round(float(mixing_overall([0.5, 0.5], s=[0.5, 0.5], c=[2.0, 3.0], k=[1.0, 1.0], t=t)), 4)
    3.1065
    """
    s, c, k, t = (jnp.asarray(v) for v in (s, c, k, t))
    return jnp.sum(s * (c + k * jnp.exp(jnp.dot(r, t.T))), -1)


@rule
def additive_mixture_optimum(C, gamma):
    """Best shares h (K) [fractions] of `mixture_additive` from its C [1/nats] and gamma [numbers
    below 1], each (K).

    All shares have the same marginal worth C_i gamma_i h_i^(gamma_i - 1); what is left is one
    equation for that worth. NaN where an exponent is 1 or more: sum C h^gamma is then not concave
    and the best mixture may be a single domain.
    Source: Shukor et al. 2025 (arXiv 2507.09404), derived. Decides: the mixture for a target
    domain, at every size.
    Keywords: data mixture domain weights closed form water filling.

    >>> additive_mixture_optimum([4.0, 1.0, 2.0], [0.5, 0.5, 0.5]).round(4).tolist()
    [0.7619, 0.0476, 0.1905]
    """
    C, gamma = jnp.broadcast_arrays(C, gamma)
    concave = jnp.all(gamma < 1)
    gamma = jnp.where(concave, gamma, 0.5)
    worth, room = jnp.log(C * gamma), 1 - gamma

    # -ln of the sum of shares at that price; ln keeps it smooth over many decades
    def surplus(price, args):
        worth, room = args
        return -jax.nn.logsumexp((worth - price) / room)

    price = root(surplus, jnp.min(worth), jnp.max(worth + room * jnp.log(C.size)), (worth, room))
    return jnp.where(concave, jnp.exp((worth - price) / room), jnp.nan)


@rule
def optimal_mixture(loss, start, steps=20_000):
    """Shares that minimise a loss [fractions, one per domain], from a function of shares alone and
    start shares (K).

    `loss` is any traceable function of one mixture: `lambda h: law(1e9, 2e10, h)` with a bound law
    or a fit's law, or `lambda r: mixing_overall(r, ...)`. Gives `shares`, `loss`, and `gap`: where
    the loss is convex in the shares, no mixture is better by more than that. Where it is not convex
    (exponents above 1) this is a local optimum, so try several starts, inside the simplex.
    Source: Shukor et al. 2025 (arXiv 2507.09404), form as told in notes: mirror descent on the
    simplex. Decides: the mixture to train on. Keywords: data mixture domain weights optimise
    exponentiated gradient. Not from the source: the step rule (as far as the loss falls along the
    step) and the gap.

    >>> t = [[-2.0, 1.0], [1.0, -2.0]]
    >>> from jaxscale.laws import mixing_overall
    >>> found = optimal_mixture(lambda r: mixing_overall(r, [0.7, 0.3], [2.0, 3.0], [1.0, 1.0], t),
    ...     [0.5, 0.5])
    >>> found["shares"].round(4).tolist(), bool(found["gap"] < 1e-9)
    ([0.6412, 0.3588], True)
    """
    slope = jax.value_and_grad(loss)

    def gap(state):
        log, _, g, *_ = state
        return jnp.dot(jnp.exp(log), g - jnp.min(g))

    def going(state):
        _, f, _, size, count = state
        return (gap(state) > 1e-13 * jnp.abs(f)) & (size > 1e-12) & (count < steps)

    def step(state):
        log, f, g, size, count = state
        new = jnp.maximum(jax.nn.log_softmax(log - size * (g - jnp.min(g))), -600.0)
        p, q = jnp.exp(log), jnp.exp(new)
        f_new, g_new = slope(q)
        # slope at the end of the step: exact where values round off
        fall = jnp.dot(g_new - jnp.dot(q, g_new), q - p)
        down = (fall <= 0) & (f_new <= f + 1e-12 * jnp.abs(f))
        best = jax.tree.map(lambda a, b: jnp.where(down, a, b), (new, f_new, g_new, 2 * size),
                            (log, f, g, size / 2))
        return *best, count + 1

    log = jnp.maximum(jnp.log(jnp.asarray(start)), -600.0)
    state = jax.lax.while_loop(going, step, (log, *slope(jnp.exp(log)), jnp.ones_like(log[0]), 0))
    return {"shares": jnp.exp(state[0]), "loss": state[1], "gap": gap(state)}


@rule
def average_of_best(mixtures, predicted, keep=128):
    """Mean shares (K) [fractions] of the `keep` mixtures with the lowest predicted loss, from
    mixtures (n, K).

    `predicted` (n,) is the loss that any regression gives for each candidate; the paper uses
    gradient-boosted trees fitted on 512 small runs, and 100,000 candidates drawn from a Dirichlet
    distribution. Averaging the best few evens out the error of the regression at its own minimum.
    Source: Liu et al. 2024 (arXiv 2407.01492), authors' code. Decides: the mixture of training
    domains from many small runs. Keywords: regmix regression simulation search domain weights.

    >>> average_of_best([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7]], [3.0, 2.0, 2.1], keep=2).tolist()
    [0.4, 0.6]
    """
    best = jnp.argsort(jnp.asarray(predicted))[: int(keep)]
    return jnp.mean(jnp.asarray(mixtures)[best], 0)
