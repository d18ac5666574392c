"""Laws from models that others trained: latent capabilities, scores by family, and density over
time.

Public models differ in data and recipe, so their size says little by itself. These laws put a small
latent quantity between compute and scores: components of a table of benchmarks, skills of a family,
or the size of a reference model that scores the same. What a family has learnt per FLOP is then its
own intercept (`law.per(alpha="family")`), and what a task makes of the latent quantity is shared by
all. Scale and rotation of a latent quantity are a matter of convention: fix them, or a fit reports
flat directions.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..formula._law import law
from ..formula._params import between, real, unit
from ..ground._errors import refuse
from ..units import Fraction, Number, Params, Positive, Tokens, Vector
from ._rule import rule
from .downstream import loss_for_accuracy

__all__ = [
    "capabilities", "capability_sigmoid", "complete_scores", "days_to_match", "doubling_time",
    "effective_size", "equivalent_compute", "log_linear", "sloth",
]  # fmt: skip


# -- capabilities from a table of scores ---------------------------------------------------------
@law
def capability_sigmoid(S: Vector, *, beta=real(-3, 3, shape=(3,)), alpha=real(-5, 5),
                       b=between(0.0, 0.2)) -> Fraction:
    """Score on a task [fraction] from the capabilities S of a model [principal components, about
    3].

    b is the floor, bounded to (0, 0.2) as in the source; the top is 1. `law.sized(beta=2)` for two
    components. Get S from `capabilities`, and within a family S from compute by `log_linear`.

    Source: Ruan et al. 2024 (arXiv 2405.10938), authors' code. Decides: whether an ability that
    looks emergent was in sight in smaller public models, and what post-training will add. Keywords:
    observational scaling PCA emergent agent.
    Not from the source: the start ranges and the numbers of the example.

    >>> import numpy as np
    >>> round(float(capability_sigmoid(np.array([1.5, 0.2, -0.1]), beta=np.array([1.0, 0.5, 0.0]),
    ...     alpha=-2.0, b=0.1)), 5)
    0.46118
    """
    return b + (1 - b) * jax.nn.sigmoid(jnp.sum(beta * S) + alpha)


def capabilities(scores, components=3, *, steps=10_000, tolerance=1e-12):
    """Capabilities [standard units] of models from their benchmark scores [any unit], rows are
    models, NaN is missing.

    Columns are standardised by their known values, missing ones are filled by a model of one
    component that is fitted until they stay, and the components of the filled table are taken.
    Gives S (models, components), loadings (components, tasks) with a positive sum, the explained
    share of variance per component, and the filled table. A NumPy function: it is not traced.

    Source: Ruan et al. 2024 (arXiv 2405.10938), authors' code. Decides: on how few axes public
    models differ, and where a new one stands. Keywords: observational PCA imputation principal
    component. Not from the source: the sign of components, the tolerance, and that the components
    are taken of the standardised table.

    >>> found = capabilities([[0.2, 0.3], [0.4, 0.5], [0.6, float("nan")], [0.8, 0.9]],
    ...     components=1)
    >>> round(float(found["scores"][2, 1]), 5), round(float(found["explained"][0]), 5)
    (0.7, 1.0)
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or np.isnan(scores).all(0).any():
        raise refuse(
            f"capabilities(): a table of shape {scores.shape}",
            why="a score is missing, or it is one model",
            change="a table (models, tasks) with a score in each column",
        )
    mean, spread = np.nanmean(scores, 0), np.nanstd(scores, 0)
    spread = np.where(spread > 0, spread, 1.0)
    table = _filled((scores - mean) / spread, lambda z: z.mean(0) + _low_rank(z - z.mean(0), 1),
                    steps, tolerance)
    left, size, right = np.linalg.svd(table - table.mean(0), full_matrices=False)
    sign = np.where(right.sum(1) < 0, -1.0, 1.0)
    return {
        "S": (left * size * sign)[:, :components],
        "loadings": (right * sign[:, None])[:components],
        "explained": (size**2 / np.sum(size**2))[:components],
        "scores": table * spread + mean,
    }


def complete_scores(scores, factors=1, *, steps=10_000, tolerance=1e-12):
    """Scores [unit of the input] of models (rows) on tasks (columns) with the missing ones (NaN)
    filled in.

    mu + b_m + b_t + p_m . q_t, the mean, an offset of the model, one of the task, and `factors`
    products, fitted by least squares to what is known; the filled table is given with all five. Too
    many factors for the known cells fit noise, so hold some cells out. A NumPy function: it is not
    traced.

    Source: Zhang et al. 2024 [zhang2024_cpp], abstract, for matrix completion of model and task
    scores. Decides: which evaluations can be left out. Keywords: collaborative performance
    prediction CPP matrix factorisation imputation. Not from the source: the form, which is recalled
    and was not read there, and the way it is fitted; side features and the neural variant are left
    out.

    >>> found = complete_scores([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.3, 0.4, float("nan")]],
    ...     factors=0)
    >>> round(float(found["scores"][2, 2]), 5)
    0.5
    """
    scores = np.asarray(scores, np.float64)
    known = ~np.isnan(scores)
    if scores.ndim != 2 or not (known.any(0).all() and known.any(1).all()):
        raise refuse(
            f"complete_scores(): a table of shape {scores.shape}",
            why="a row or a column has no score",
            change="a table (models, tasks) with a score in each row and column",
        )

    def fitted(z):
        offsets = z.mean(0) + z.mean(1, keepdims=True) - z.mean()
        return offsets + _low_rank(z - offsets, factors)

    mean = scores[known].mean()
    table = _filled(scores - mean, fitted, steps, tolerance)
    b_m, b_t = table.mean(1) - table.mean(), table.mean(0) - table.mean()
    left, size, right = np.linalg.svd(table - table.mean() - b_m[:, None] - b_t,
                                      full_matrices=False)
    p, q = (left * np.sqrt(size))[:, :factors], (right.T * np.sqrt(size))[:, :factors]
    return {"scores": table + mean, "mu": table.mean() + mean, "b_m": b_m, "b_t": b_t, "p": p,
            "q": q}


def _filled(table, approximation, steps, tolerance):
    """The table with its missing cells equal to what an approximation of the whole table says they
    are.
    """
    missing, filled = np.isnan(table), np.nan_to_num(table)
    for _ in range(steps if missing.any() else 0):
        new = np.where(missing, approximation(filled), filled)
        moved, filled = np.max(np.abs(new - filled)), new
        if moved <= tolerance:
            break
    return filled


def _low_rank(table, rank):
    left, size, right = np.linalg.svd(table, full_matrices=False)
    return (left[:, :rank] * size[:rank]) @ right[:rank]


@law
def log_linear(x: Positive, *, a=real(-10, 10), b=real(-1, 1)) -> Number:
    """A score or capability [any unit] from x [parameters, FLOP, tokens or hours]: a + b ln x.

    Unbounded, so for short ranges. Capability of a family from its compute:
    `log_linear.per(a="family", b="family")`; correlation with brain responses from model size (125M
    to 30B) or from hours of recordings.

    Source: Ruan et al. 2024 (arXiv 2405.10938), authors' code, for capabilities; Antonello et al.
    2023 [antonello2023], abstract, for fMRI. Decides: what one more doubling buys. Keywords:
    logarithmic fMRI encoding brain language family efficiency. Not from the source: the start
    ranges and the numbers of the example; the base of the logarithm of the fMRI line was not seen.

    >>> round(float(log_linear(1e9, a=-0.1, b=0.01)), 5)
    0.10723
    """
    return a + b * jnp.log(x)


@rule
def equivalent_compute(S, *, a, b):
    """Compute [FLOP] with which a reference family reaches capability S [standard units]:
    `log_linear` inverted.

    The same line written in log10 C has b ln 10 as its slope.

    Source: Ruan et al. 2024 (arXiv 2405.10938), authors' code. Decides: how much more or less
    efficient than a reference family a model is. Keywords: FLOPs observational inverse principal
    component. Not from the source: the numbers of the example.

    >>> float(f"{float(equivalent_compute(1.7, a=-22.0, b=0.48)):.4g}")
    2.775e+21
    """
    return jnp.exp((S - a) / b)


# -- skills of families --------------------------------------------------------------------------
@law
def sloth(size: Params, tokens: Tokens, *, alpha=real(-3, 3, shape=(2,)),
          beta_s=real(-2, 2, shape=(2,)),
          beta_t=real(-2, 2, shape=(2,)), beta_st=real(-1, 1, shape=(2,)),
          Lambda=real(0, 2, shape=(2,)), b=real(-3, 3),
          c=unit()) -> Fraction:
    """Score on a benchmark [fraction] from size [parameters] and tokens [tokens], by way of skills
    shared by benchmarks.

    Skill k is alpha_k + beta_s ln s + beta_t ln t + beta_st ln s ln t, with s in 1e9 parameters and
    t in 1e12 tokens and log10 for ln, as in the authors' code; c is chance. For families and
    benchmarks in one table use `sloth.per(alpha="family", Lambda="benchmark", b="benchmark",
    c="benchmark")`, for k skills `sized(alpha=k, ...)` of all five vectors before that. Only Lambda
    . skills is seen: with one skill fix beta_s = 1; the offset that alpha and b share, or with more
    skills their rotation, stays flat and changes no prediction. One benchmark: fix Lambda = 1, b =
    0.

    Source: Maia Polo et al. 2024 (arXiv 2412.06540), authors' code. Decides: how good the next
    larger member of a family will be, from one small member. Keywords: latent skill factor family
    intercept leaderboard. Not from the source: the start ranges.

    >>> import numpy as np
    >>> zero, slope = np.zeros(2), np.array([0.5, 1.0])
    >>> float(sloth(1e9, 1e12, alpha=zero, beta_s=slope, beta_t=slope, beta_st=zero, Lambda=slope,
    ...     b=0.0, c=0.25))
    0.625
    """
    s, t = jnp.log10(size / 1e9), jnp.log10(tokens / 1e12)
    skills = alpha + beta_s * s + beta_t * t + beta_st * (s * t)
    return c + (1 - c) * jax.nn.sigmoid(jnp.sum(Lambda * skills) + b)


# -- density -------------------------------------------------------------------------------------
@rule
def effective_size(score, *, A, alpha, a, k, x0, b, data=0.0):
    """Size [unit of A] of the reference model that would reach a score [fraction]; over the true
    size it is the density.

    Reference models follow L = A N^-alpha + data, with data = B D^-beta at the tokens that they all
    see, and `accuracy_from_loss` from there: its a, k, x0, b. NaN for a score that no reference
    model has.

    Source: Xiao et al. 2024 (arXiv 2412.04315), form as told in notes. Decides: which model gives
    most for its size.
    Keywords: densing capability density inverse sigmoid. Not from the source: the numbers of the
    example.

    >>> link = dict(a=-0.6, k=4.0, x0=0.9, b=0.95)
    >>> float(f"{float(effective_size(0.70921279, A=8.0, alpha=0.11, **link)):.4g}")
    1233000000.0
    """
    left = loss_for_accuracy(score, a=a, k=k, x0=x0, b=b) - data
    return (A / jnp.where(left > 0, left, jnp.nan)) ** (1 / alpha)


@rule
def doubling_time(A):
    """Time [the unit that A is per] in which exp(A t) doubles: ln 2 / A.

    Source: Xiao et al. 2024 (arXiv 2412.04315), abstract, for about 3 months; the rule is a
    definition. Decides: how long to wait for a model of half the size. Keywords: densing growth
    rate halving. Not from the source: nothing.

    >>> round(float(doubling_time(0.007)), 1)
    99.0
    """
    return jnp.log(2.0) / A


@rule
def days_to_match(N, target, *, A):
    """Days [days] until a model of `target` size [parameters] is as good as today's densest one of
    N [parameters].

    The highest density so far, effective over true size, is exp(A t + B): fit `growth` to the best
    model at each date, not to all models, then A = ln g per year; A is about 0.007 per day. B does
    not matter here.

    Source: Xiao et al. 2024 (arXiv 2412.04315), derived from the form as told in notes. Decides:
    whether to train now or to wait, for a device of given memory. Keywords: densing density
    forecast release date frontier. Not from the source: the numbers of the example.

    >>> round(float(days_to_match(8e9, 1e9, A=0.007)), 1)
    297.1
    """
    return jnp.log(N / target) / A
