"""Exponents and learning curves of solvable models of training.

A theory seldom gives the constants of a loss, but it gives exponents: how fast each bottleneck
(size, data, steps) fades, and from those how a compute budget is best split. They serve as start
ranges and sanity checks of a fit, and the exact recursions make learning curves whose asymptotics
are known. Nothing here has parameters to fit: all are rules.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..ground._trees import traced
from ._rule import rule

__all__ = [
    "dynamical_exponents", "equiparametrization", "full_batch_curve", "minmax_exponents",
    "random_features_phase", "random_features_terms", "scaling_regimes", "sgd_curve",
    "sgd_stability", "spectrum_exponent", "structured_features",
]  # fmt: skip

# Order of the table of phases; the last stands for points at which the loss does not fall with
# size.
_PHASES = np.array(["Ia", "Ib", "Ic", "II", "III", "IVa", "IVb", "none"])


@rule
def random_features_phase(alpha, beta):
    """Compute-optimal exponents [numbers] of power-law random features from data alpha and target
    beta [exponents].

    Eigenvalues fall as j^(-2 alpha), target coefficients as j^-beta; d features are trained by
    one-pass SGD for r steps at compute f = r d. Gives `xi` (best size d ~ f^xi), `eta` (loss ~
    f^eta) and `phase`, the name of the region, which inside jit is its place in Ia, Ib, Ic, II,
    III, IVa, IVb, none. Exponents are continuous across the borders; with alpha + beta <= 1/2 there
    is no power law, and they are NaN.
    Source: Paquette et al. 2024 [paquette2024], table of phases, recalled, not read in the source;
    every row agrees with the minimum over xi of the largest term. Decides: whether size or steps
    should take most of a growing budget.
    Keywords: 4+3 phases one-pass stochastic gradient descent prior. Not from the source: values on
    the borders.

    >>> out = random_features_phase(1.0, 0.7)
    >>> str(out["phase"]), round(float(out["xi"]), 5), round(float(out["eta"]), 5)
    ('II', 0.41176, -0.70588)
    """
    a, b = jnp.broadcast_arrays(alpha, beta)
    s = 2 * a + 2 * b - 1
    # the target has infinite norm; the largest stable step falls with d
    easy, slow = 2 * b < 1, a < 0.5
    where = [s <= 0, ~slow & easy, slow & easy, a < 0.25, ~slow & (b < a), ~slow, a > 1 - 0.5**0.5]
    q, v = a * (2 * b - 3) - 2 * b + 1, 2 * a * b + a - 2 * b
    # no division by 0 where another row holds
    q, v = jnp.where(a < 0.25, q, 1.0), jnp.where(slow & ~easy, v, 1.0)
    half, none = jnp.full_like(s, 0.5), jnp.full_like(s, jnp.nan)
    xi = jnp.select(where, [none, 1 / (2 * a + 1), half, -s / (2 * q), b / (a + b), half, half],
                    (a - b) / v)
    eta = jnp.select(where,
                     [none, -s / (2 * a + 1), -s / 2, a * s / q, -s / (2 * (a + b)),
                      (1 - 4 * a) / (4 * a), -a],
                     (1 - 2 * a) * s / (2 * v))  # fmt: skip
    place = jnp.select(where, [jnp.full_like(s, i, int) for i in (7, 0, 1, 2, 3, 4, 5)], 6)
    return {"phase": place if traced(place) else _PHASES[np.asarray(place)], "xi": xi, "eta": eta}


@rule
def random_features_terms(alpha, beta):
    """Exponents [numbers] of the four loss terms of power-law random features, from alpha and beta
    [exponents].

    Rows: loss of the missing features F_0, of the target not yet learned F_pp, of the distorted
    features F_ac, noise of SGD K_pp. Columns: exponents of d [features] and of r [steps]. With
    alpha < 1/2 the stable step falls as d^(2 alpha - 1) and slows the clock of the other three. A
    term that does not exist (F_ac with 2 beta < 1) is NaN.
    Source: Paquette et al. 2024 [paquette2024], form as told in notes. Decides: which of size and
    steps limits a run. Keywords: bottleneck risk floor gradient noise.

    >>> random_features_terms(1.0, 0.7)[0].tolist()
    [-2.0, 0.0]
    """
    a, b = jnp.broadcast_arrays(alpha, beta)
    step = -jnp.maximum(1 - 2 * a, 0.0)  # exponent in d of the stable step
    floor, zero = -2 * a + jnp.maximum(0.0, 1 - 2 * b), jnp.zeros_like(a)
    learned, distorted, noise = -(2 * a + 2 * b - 1) / (2 * a), jnp.where(2 * b > 1,
        -1 + 1 / (2 * a), jnp.nan), -2 + 1 / (2 * a)
    size = [floor, step * learned, step * distorted - 1, step * (noise + 1)]
    return jnp.stack([jnp.stack(size, -1), jnp.stack([zero, learned, distorted, noise], -1)], -1)


@rule
def minmax_exponents(terms):
    """Compute-optimal exponents [numbers] of a loss that is a sum of power laws, from the exponents
    of its terms.

    `terms` (..., n, 2) holds the exponents of size d and of steps (or tokens) r at compute f = r d;
    rows with NaN are left out. Gives `xi` (d ~ f^xi, so r ~ f^(1 - xi)) and `eta` (loss ~ f^eta),
    exact: the lowest point of the upper envelope of straight lines, which lies at a crossing of two
    of them or at an end.
    Source: Paquette et al. 2024 [paquette2024], derived: the method behind its table of phases.
    Decides: how a growing budget is split when only exponents are known. Keywords: envelope
    asymptotic balance bottleneck.

    >>> out = minmax_exponents([[-0.34, 0.0], [0.0, -0.28]])
    >>> round(float(out["xi"]), 6), round(float(out["eta"]), 6)
    (0.451613, -0.153548)
    """
    terms = jnp.asarray(terms)
    known = ~jnp.any(jnp.isnan(terms), -1)
    terms = jnp.where(known[..., None], terms, 0.0)
    at_0, slope = terms[..., 1], terms[..., 0] - terms[..., 1]
    rise = slope[..., :, None] - slope[..., None, :]
    cross = (at_0[..., None, :] - at_0[..., :, None]) / jnp.where(rise == 0, jnp.inf, rise)
    # parallel lines "cross" at 0, which is an end
    cross = jnp.reshape(cross, (*cross.shape[:-2], -1))
    xi = jnp.concatenate([jnp.clip(cross, 0.0, 1.0), jnp.ones_like(cross[..., :1])], -1)
    height = at_0[..., None, :] + slope[..., None, :] * xi[..., None]
    eta = jnp.max(jnp.where(known[..., None, :], height, -jnp.inf), -1)
    best = jnp.argmin(eta, -1)[..., None]
    return {"xi": jnp.take_along_axis(xi, best, -1)[..., 0],
            "eta": jnp.take_along_axis(eta, best, -1)[..., 0]}


@rule
def dynamical_exponents(a, b):
    """Exponents [numbers] of the dynamical model of scaling laws from target decay a and spectrum
    decay b [exponents].

    Eigenvalues fall as k^-b and target power per mode as k^-a (a > 1). Loss alone falls as t^`time`
    in steps, N^`size` in parameters, P^`data` in samples; with compute C = N t the best split gives
    loss ~ C^`loss`, steps ~ C^`steps` and N ~ C^`parameters`. Steps grow faster than parameters
    where b > 1, as long as a - 1 < 2 b.
    Source: Bordelon et al. 2024 [bordelon2024], exponents recalled, not read in the source; the
    optimum is derived.
    Decides: whether extra compute should go into longer training or larger models. Keywords: time
    bottleneck width kernel gradient flow.

    >>> out = dynamical_exponents(1.5, 1.25)
    >>> round(float(out["loss"]), 4), round(float(out["steps"]), 4)
    (-0.2222, 0.5556)
    """
    a, b = jnp.broadcast_arrays(a, b)
    s = jnp.minimum(a - 1, 2 * b)
    whole = b * s + a - 1
    return {"time": -(a - 1) / b, "size": -s, "data": -s,
            "loss": -s * (a - 1) / whole, "steps": b * s / whole,
            "parameters": (a - 1) / whole}  # fmt: skip


@rule
def scaling_regimes(dimension):
    """Exponents [numbers > 0, loss ~ x^-exponent] of the regimes of Bahri et al. from intrinsic
    dimension [count].

    Variance-limited (the other resource is abundant): 1 in data and in width, 1/2 in the parameters
    of a fully connected net. Resolution-limited (distance between samples on the data manifold):
    1/dimension is guaranteed, and about 4/dimension or more is reached for smooth targets.
    Source: Bahri et al. 2021 (arXiv 2102.06701), abstract for the two regimes; the values are
    recalled, not read in the source. Decides: whether a fitted exponent is plausible. Keywords:
    data manifold prior variance-limited resolution-limited.

    >>> float(scaling_regimes(16.0)["resolution_smooth"])
    0.25
    """
    one = jnp.ones_like(jnp.asarray(dimension))
    return {"variance_data": one, "variance_width": one, "variance_parameters": one / 2,
            "resolution": 1 / dimension, "resolution_smooth": 4 / dimension}  # fmt: skip


@rule
def spectrum_exponent(decay):
    """Loss exponent alpha [number, loss ~ x^-alpha] in data and in size from the decay of a kernel
    spectrum [exponent].

    Eigenvalues i^-(1 + alpha) give loss D^-alpha in data and P^-alpha in features: the two are
    dual.
    Source: Bahri et al. 2021 (arXiv 2102.06701), form as told in notes, recalled. Decides: whether
    the exponent of a fit agrees with a measured spectrum. Keywords: kernel eigenvalues duality
    covariance.

    >>> float(spectrum_exponent(1.5))
    0.5
    """
    return decay - 1.0


@rule
def equiparametrization(alpha):
    """Compute-optimal exponents [numbers] of the solvable random-feature model from alpha of its
    spectrum [exponent].

    Eigenvalues i^-(1 + alpha). Loss is symmetric in N [features] and T [samples], about min(N,
    T)^-alpha, so with compute C = N T both grow alike: N ~ C^`N`, T ~ C^`T`, loss ~ C^`loss`.
    Source: Maloney et al. 2022 [maloney2022], form as told in notes, recalled. Decides: how much
    data a larger model needs when both bottlenecks have the same exponent. Keywords: random
    features generalised linear equal split.

    >>> float(equiparametrization(0.4)["loss"])
    -0.2
    """
    half = 0.5 * jnp.ones_like(jnp.asarray(alpha))
    return {"N": half, "T": half, "loss": -alpha / 2}


@rule
def structured_features(count, a, b):
    """Power-law features: `spectrum` k^-b and squared `target` coefficients k^(b - a) [numbers] of
    `count` modes.

    The power of the target in mode k, spectrum times target, is k^-a. Feed them to `sgd_curve` and
    `full_batch_curve`.
    Source: Bordelon et al. 2024 [bordelon2024], form as told in notes. Decides: which synthetic
    learning curves test a fit. Keywords: synthetic data generator eigenvalues teacher.

    >>> structured_features(3, 2.0, 1.0)["spectrum"].round(4).tolist()
    [1.0, 0.5, 0.3333]
    """
    k = jnp.arange(1, int(count) + 1).astype(float)
    return {"spectrum": k**-b, "target": k ** (b - a)}


@rule
def sgd_curve(spectrum, target, steps, learning_rate, batch):
    """Expected loss [squared error] of one-pass SGD after 0, 1, ..., `steps` [steps], from spectrum
    and target (K,).

    `spectrum` are the eigenvalues of Gaussian features, `target` the squared coefficients to be
    learned, `batch` [samples per step] may be inf. Exact: each step multiplies the errors c_k by (1
    - eta lambda_k)^2 and adds the noise of a batch, eta^2 lambda_k (lambda_k c_k + sum_j lambda_j
    c_j) / batch. Diverges where `sgd_stability` is above 1.
    Source: Bordelon & Pehlevan 2021 [bordelon2021], recursion recalled; derived from fourth moments
    of Gaussians.
    Decides: batch size and learning rate in a model that is solved exactly. Keywords: synthetic
    loss curve generator stochastic gradient descent noise.

    >>> sgd_curve([1.0], [1.0], 2, 0.1, 1.0).round(4).tolist()
    [1.0, 0.83, 0.6889]
    """
    spectrum, noise = jnp.asarray(spectrum), learning_rate**2 * jnp.asarray(spectrum) / batch
    keep = (1 - learning_rate * spectrum) ** 2 + noise * spectrum

    def step(c, _):
        loss = jnp.dot(spectrum, c)
        return keep * c + noise * loss, loss

    return jax.lax.scan(step, jnp.asarray(target), length=int(steps) + 1)[1]


@rule
def full_batch_curve(spectrum, target, step, learning_rate):
    """Loss [squared error] of full-batch gradient descent after `step` [steps, any shape], from
    spectrum, target (K,).

    The limit of `sgd_curve` for an infinite batch, in closed form: sum_k lambda_k w_k^2 (1 - eta
    lambda_k)^(2 t). With `structured_features(count, a, b)` it falls as t^(-(a - 1) / b) until the
    smallest eigenvalue is learned.
    Source: Bordelon & Pehlevan 2021 [bordelon2021], derived. Decides: how much longer training pays
    without gradient noise. Keywords: gradient flow synthetic loss curve generator.

    >>> full_batch_curve([1.0, 0.25], [1.0, 1.0], [0, 10], 0.5).round(6).tolist()
    [1.25, 0.017303]
    """
    spectrum, step = jnp.asarray(spectrum), jnp.asarray(step)
    keep = jnp.abs(1 - learning_rate * spectrum)
    return jnp.sum(spectrum * target * keep ** (2 * step[..., None]), -1)


@rule
def sgd_stability(spectrum, learning_rate, batch):
    """Number below 1 where one-pass SGD on Gaussian features converges [ratio], from eigenvalues,
    rate, batch [samples].

    Sum over k of eta lambda_k / (2 m - (m + 1) eta lambda_k) for a batch of m; inf where a single
    direction diverges by itself. An infinite batch leaves the familiar eta < 2 / lambda_max: the
    sum is then 0.
    Source: Bordelon & Pehlevan 2021 [bordelon2021], derived from its recursion. Decides: the
    largest stable learning rate at a batch size. Keywords: divergence spectral radius trace step
    size.

    >>> round(float(sgd_stability([1.0, 0.5], 0.5, 1.0)), 4)
    0.6667
    """
    step = learning_rate * jnp.asarray(spectrum)
    room = 2 - (1 + 1 / batch) * step
    return jnp.sum(jnp.where(room > 0, step / batch / jnp.where(room > 0, room, 1.0), jnp.inf))
