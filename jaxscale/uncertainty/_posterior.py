"""`posterior`: the distribution of the parameters given the runs and priors, by Hamiltonian Monte
Carlo.

Priors are priors: where starts are drawn says nothing about them. `law.prior(E=(1.7, 0.1))` states
one, and what is not stated gets a weak one (`WEAK`). The noise is Student's t with 4 degrees of
freedom (or Laplace, or normal) in ln of the target, or in its own units as the objective says, with
a scale that is sampled too. The sampler (blackjax NUTS) works in coordinates in which the fit's own
covariance is a sphere, so that A and alpha, which trade against each other along a ridge a hundred
times longer than wide, cost it no more than independent parameters.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting._blocks import on_device
from ..fitting._evidence import Evidence, evidence
from ..fitting._problem import all_parameters
from ..fitting._results import Ensemble, Fit, point_of
from ..formula._form import evaluate
from ..ground._compiled import compiled
from ..ground._errors import nearest, refuse, refuse_type, warn
from ..ground._life import saying
from ..ground._robust import robust_scale
from ._covariance import noise_scale

# mean and standard deviation
WEAK = {"log": (0.0, 10.0), "real": (0.0, 1000.0), "scale": (-5.0, 2.5)}
FREEDOM = 4.0  # of Student's t
WANTED = 0.8  # share of steps that are accepted
NOISES = ("student", "laplace", "normal")


@dataclass(frozen=True)
class Sampling:
    """How the chains went: split R-hat and effective draws by coordinate (the last is ln of the
    noise scale).
    """

    rhat: dict[str, float]
    effective: dict[str, float]
    divergences: int
    chains: int
    scale: np.ndarray  # (draws,) of the noise


def posterior(
    fit: Fit | Ensemble,
    draws: int = 1000,
    *,
    chains: int = 4,
    noise: str = "student",
    noise_prior: tuple[float, float] | None = None,
    seed: int = 0,
) -> Ensemble:
    """Draws from the posterior of a fit's law and runs: an ensemble, parameters `(chains * draws,)`
    in the law's units.

    `interval`, `allocate`, `predict` and `report` take it like an ensemble of refits; `.work` says
    how the chains went, and a warning says when they should not be used: R-hat above 1.01,
    divergences in more than 2 of 1,000 draws.

    Priors are those of the law's parameters (`law.prior`), and of the noise scale, relative to the
    target, as `noise_prior` says: its median and the standard deviation of its ln. The weak ones
    are normal: ln of a positive parameter around 0 with standard deviation 10, a real one around 0
    with 1,000, ln of the scale around -5 with 2.5; fractions and shares are uniform. Needs the
    extra `bayes`. Raises TypeError where the law's value is a likelihood.

    >>> import jaxscale as jsl
    >>> best = jsl.fit(jsl.laws.chinchilla.prior(E=(1.7, 0.2)), jsl.datasets.load("simulated"),
    ...     starts=32)
    >>> len(jsl.uncertainty.posterior(best, 1_000, chains=4))
    4000

    Source: Hoffman and Gelman 2014 (NUTS); Gelman et al. 2013, section 11.4 (split R-hat). Priors
    and coordinates are ours.
    """
    point = point_of(fit, "posterior()")
    if noise not in NOISES:
        raise refuse(
            f"posterior(): noise={noise!r}",
            why="a typing slip",
            change=nearest(str(noise), NOISES).strip(),
        )
    at = evidence(point)
    if not at.fit.problem.objective.observes:
        raise refuse_type(
            "posterior(): NegLogLik has no target",
            why="a likelihood of one's own has no noise to sample",
            change="a law that is compared with a target, and an objective of residuals",
        )
    if at.clusters(None) is not None:
        warn(
            "posterior(): rows of a run count as independent, and intervals come out too narrow; "
            "use interval(fit) by clusters"
        )
    keys = (
        np.random.SeedSequence([seed, 2]).generate_state(2 * chains, np.uint32).reshape(chains, 2)
    )
    import_module("blackjax")  # where nothing is traced: it computes constants
    given = Given.of(at, noise_prior)
    with saying(f"posterior of {at.job.law.name}: compiling, then {chains} chains"):
        own = {"layout": at.job.layout, "noise": noise, "draws": draws}
        found = on_device(lambda: jax.device_get(_chains(at.job.law, keys, given, **own)))
    return _ensemble(at, found, chains)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Given:
    """What the density of one table depends on: numbers, so that many tables are many lanes."""

    rows: Any
    codes: Any
    target: Any
    weights: Any
    size: Any  # residuals are divided by it: 1 for log objectives
    centre: Any  # (P + 1,) the optimum and ln of the noise scale there
    root: Any  # (P + 1, P + 1) square root of their covariance
    unit: Any
    # (P + 1, 2) mean and standard deviation of normal priors, infinite where the prior is another
    prior: Any
    objective: Any

    @classmethod
    def of(cls, at: Evidence, scale: tuple[float, float] | None = None) -> Given:
        """From the evidence of a fit and the prior of the noise scale: its median and the standard
        deviation of ln.
        """
        job, table = at.job, at.table
        spread = robust_scale(at.residual) + 1e-9
        prior = np.stack(
            [job.layout.each(lambda spec, k=k: _normal_prior(spec)[k]) for k in (0, 1)], 1
        ).astype(float)
        prior = np.concatenate(
            [
                prior / job.unit[:, None],
                [WEAK["scale"] if scale is None else (np.log(scale[0]), scale[1])],
            ]
        )
        precision = np.zeros((len(prior), len(prior)))
        precision[:-1, :-1] = at.hessian / noise_scale(at)
        precision[-1, -1] = 2.0 * len(at.rows)
        precision += np.diag(1.0 / np.where(np.isfinite(prior[:, 1]), prior[:, 1], 3.0) ** 2)
        squares, vectors = np.linalg.eigh(precision)
        root = vectors / np.sqrt(np.maximum(squares, 1e-8))
        return cls(
            rows=table.rows,
            codes=table.codes,
            target=table.target,
            weights=table.weights / np.mean(at.weights),  # precisions, relative to the mean run
            size=np.float64(at.size),
            centre=np.append(at.x, np.log(spread)),
            root=root,
            unit=job.unit,
            prior=prior,
            objective=at.objective,
        )


def _normal_prior(spec: Any) -> tuple[float, float]:
    """Mean and standard deviation of a coordinate's prior; infinite for fractions and shares that
    are uniform.
    """
    if spec.prior is not None:
        centre, deviation = spec.prior
        return float(np.ravel(spec.coordinates(np.float64(centre)))[0]), float(deviation)
    if spec.support in ("between", "simplex"):
        return 0.0, np.inf
    return WEAK["log" if spec.logarithmic else "real"]


def log_density(law: Any, layout: Any, noise: str, x: Any, given: Given) -> Any:
    """Log of the posterior density at coordinates and ln of the noise scale (P + 1,), up to a
    constant.
    """
    params = layout.unpack(x[:-1] * given.unit)
    predicted = evaluate(law, given.rows, params, given.codes)
    z = given.objective.residual(predicted, given.target) / given.size / jnp.exp(x[-1])
    if noise == "student":
        each = -0.5 * (FREEDOM + 1.0) * jnp.log1p(z**2 / FREEDOM)
    else:
        each = -jnp.abs(z) if noise == "laplace" else -0.5 * z**2
    total = jnp.sum(given.weights * (each - x[-1]))
    deviation = jnp.where(jnp.isfinite(given.prior[:, 1]), given.prior[:, 1], 1.0)
    normal = jnp.where(
        jnp.isfinite(given.prior[:, 1]), -0.5 * ((x - given.prior[:, 0]) / deviation) ** 2, 0.0
    )
    total += jnp.sum(normal)
    for name, spec, groups, start in layout.blocks:
        stop = start + max(groups, 1) * spec.size
        # data, not structure: a law with another prior shares the program
        uniform = jnp.isinf(given.prior[start:stop, 1])
        if spec.support == "simplex":  # uniform shares, in softmax coordinates
            total += jnp.where(uniform[0], jnp.sum(jnp.log(params[name])), 0.0)
        elif spec.support == "between":
            total += jnp.sum(
                jnp.where(
                    uniform,
                    jax.nn.log_sigmoid(x[start:stop]) + jax.nn.log_sigmoid(-x[start:stop]),
                    0.0,
                )
            )
    return total


@compiled
def _chains(
    law: Any, keys: Any, given: Given, *, layout: Any, noise: str, draws: int
) -> tuple[Any, Any]:
    return jax.vmap(lambda key: chain(law, layout, noise=noise, draws=draws, key=key, given=given))(
        keys
    )


def chain(law: Any, layout: Any, noise: str, draws: int, key: Any, given: Given) -> tuple[Any, Any]:
    """One chain: draws (draws, P + 1) and whether each diverged, after half as many steps of
    warming up.

    Steps of warming up and draws are turns of one loop, so that the law is compiled into one
    sampler.
    """
    import blackjax

    def density(z: Any) -> Any:
        value = log_density(law, layout, noise, given.centre + given.root @ z, given)
        return jnp.where(jnp.isfinite(value), value, -jnp.inf)

    first, second, third = jax.random.split(jax.random.wrap_key_data(key), 3)
    start = 0.5 * jax.random.normal(first, given.centre.shape, given.centre.dtype)
    warming = max(draws // 2, 200)
    keys = jnp.concatenate([jax.random.split(second, warming), jax.random.split(third, draws)])
    counts, ends = windows(warming, draws)
    turns = (np.arange(warming + draws) < warming, counts, ends)
    move = blackjax.nuts.build_kernel()

    def one(state: tuple[Any, Warming], turn: tuple[Any, Any]) -> Any:
        (at, warm), (key, (warms, counts, ends)) = state, turn
        step = jnp.exp(jnp.where(warms, warm.step, warm.mean_step))
        at, info = move(key, at, density, step, warm.mass)
        warm = jax.tree.map(
            lambda new, old: jnp.where(warms, new, old),
            warm.after(at.position, info, counts, ends),
            warm,
        )
        return (at, warm), (at.position, info.is_divergent)

    begin = blackjax.nuts.init(start, density), Warming.at(start)
    _, (z, diverged) = jax.lax.scan(one, begin, (keys, turns))
    return given.centre + z[warming:] @ given.root.T, diverged[warming:]


def windows(warming: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Which turns count in a window of warming up, and which end one: windows double, the last
    takes what is left.
    """
    counts, ends = np.zeros((2, warming + draws), bool)
    first, last, size = 75, warming - 50, 25
    counts[first:last] = True
    while first < last:
        first = last if first + 3 * size > last else first + size
        ends[first - 1], size = True, 2 * size
    return counts, ends


class Warming(NamedTuple):
    """Length of a step and the inverse mass matrix's diagonal (P,), while both are learned as Stan
    does.
    """

    step: Any  # ln
    mean_step: Any  # ln
    miss: Any  # mean of how far acceptance lies below what is wanted
    anchor: Any  # ln of the step that miss 0 would take
    count: Any  # steps since the last window
    mass: Any
    places: Any  # that are counted, their mean (P,) and sum of squares about it (P,)
    mean: Any
    squares: Any

    @classmethod
    def at(cls, z: Any) -> Warming:
        """Steps of length one, nothing learned."""
        zero, none = jnp.zeros((), z.dtype), jnp.zeros_like(z)
        return cls(
            zero, zero, zero, zero + np.log(10.0), zero + 1.0, jnp.ones_like(z), zero, none, none
        )

    def after(self, z: Any, info: Any, counts: Any, ends: Any) -> Warming:
        """With one more step: z `counts` in the window, which `ends` or not (dual averaging;
        variances by Welford).
        """
        n, places = self.count, self.places + counts
        miss = self.miss + (WANTED - info.acceptance_rate - self.miss) / (n + 10.0)
        mean_step = n**-0.75 * self.step + (1.0 - n**-0.75) * self.mean_step
        step = self.anchor - jnp.sqrt(n) / 0.05 * miss
        mean = self.mean + jnp.where(counts, z - self.mean, 0.0) / jnp.maximum(places, 1.0)
        squares = self.squares + jnp.where(counts, (z - self.mean) * (z - mean), 0.0)
        on = Warming(
            step=step,
            mean_step=mean_step,
            miss=miss,
            anchor=self.anchor,
            count=n + 1.0,
            mass=self.mass,
            places=places,
            mean=mean,
            squares=squares,
        )
        mass = (places * squares / jnp.maximum(places - 1.0, 1.0) + 5e-3) / (places + 5.0)
        again = Warming.at(z)._replace(step=mean_step, anchor=mean_step + np.log(10.0), mass=mass)
        return Warming(*(jnp.where(ends, new, old) for new, old in zip(again, on, strict=True)))


def effective_draws(x: np.ndarray) -> np.ndarray:
    """Effective number (P,) of the draws of chains (chains, draws, P): Geyer's initial monotone
    sequence.
    """
    chains, draws, size = x.shape
    wave = np.fft.rfft(x - x.mean(1, keepdims=True), 2 * draws, axis=1)
    # autocovariance (draws, P)
    lags = np.fft.irfft(np.abs(wave) ** 2, axis=1)[:, :draws].mean(0) / draws
    within = lags[0] * draws / (draws - 1.0)
    total = lags[0] + (x.mean(1).var(0, ddof=1) if chains > 1 else 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = 1.0 - (within - lags) / total
    rho[0] = 1.0
    pairs = rho[: draws - draws % 2].reshape(-1, 2, size)
    out = np.zeros(size)
    for k in np.flatnonzero(total > 0):
        both = pairs[:, :, k].sum(1)
        last = len(both) if np.all(both > 0) else int(np.argmin(both > 0))
        # the first of the next pair still counts
        more = max(float(pairs[last, 0, k]), 0.0) if 0 < last < len(both) else 0.0
        time = -1.0 + 2.0 * np.sum(np.minimum.accumulate(both[:last])) + more
        out[k] = chains * draws / max(time, 1.0 / np.log10(chains * draws))
    return np.where(np.isnan(total), np.nan, out)


def split_rhat(x: np.ndarray) -> np.ndarray:
    """Split R-hat (P,) of chains (chains, draws, P)."""
    half = x.shape[1] // 2
    parts = np.concatenate([x[:, :half], x[:, half : 2 * half]])
    within, between = parts.var(1, ddof=1).mean(0), half * parts.mean(1).var(0, ddof=1)
    return np.asarray(
        np.sqrt(((half - 1) / half * within + between / half) / np.where(within > 0, within, 1.0))
    )


def _ensemble(at: Evidence, found: tuple[Any, Any], chains: int) -> Ensemble:
    x, diverged = found
    names, flat = [*at.names, "ln scale"], x.reshape(-1, x.shape[-1])
    natural = at.job.layout.unpack(flat[:, :-1] * at.job.unit)
    rhat, effective, bad = split_rhat(x), effective_draws(x), int(np.sum(diverged))
    work = Sampling(
        dict(zip(names, rhat.tolist(), strict=True)),
        dict(zip(names, effective.tolist(), strict=True)),
        bad,
        chains,
        np.exp(flat[:, -1]),
    )
    findings = list(at.fit.certificate.findings)
    if not np.all(rhat <= 1.01) or bad > 0.002 * len(flat):
        worst = names[int(np.argmax(rhat))]
        findings.append(
            warn(
                f"posterior(): R-hat {rhat.max():.3f} ({worst}), {bad} divergences: take more "
                f"draws, or state priors"
            )
        )
    problem = at.fit.problem
    params = all_parameters(problem.law, natural, (len(flat),))
    certificate = dataclasses.replace(at.fit.certificate, findings=tuple(findings))
    none = np.zeros(len(flat))
    status, steps = none.astype(np.int64), none.astype(int)
    return Ensemble(
        params=params,
        value=none,
        status=status,
        certificate=certificate,
        point=at.fit,
        by="posterior",
        steps=steps,
        work=work,
        kind="posterior",
    )
