"""Intervals of one fit, covariances, profiles, influence, cautions, noise, lack of
fit, posteriors.
"""

import numpy as np

import jaxscale as jsl

from . import today
from .made import (
    BIG,
    CHINCHILLA,
    LOG,
    SQUARED,
    STARTS,
    boot,
    clustered,
    exponent,
    line,
    sharp,
    simulated,
    size,
    smooth,
    straight,
    sweep,
)

FLOOR = today.NoiseFloor(0.01, 0.01, 30, np.ones(1), np.ones(1), "replicates")


def cases():
    for kind in (None, "hc3", "sandwich", "laplace", "cr3"):
        named = kind or "default"
        if kind != "cr3":
            yield f"{named} of a sweep", lambda kind=kind: jsl.interval(smooth(), kind=kind)
            yield (
                f"{named} of a plan",
                lambda kind=kind: jsl.interval(smooth(), of=size, kind=kind, log=True),
            )
            yield f"covariance {named}", lambda kind=kind: today.covariance(smooth(), kind)
        yield (
            f"{named} of runs",
            lambda kind=kind: jsl.interval(clustered(), kind=kind),
        )
    yield "default of a narrow delta", lambda: jsl.interval(sharp())
    yield "default of a wide delta", lambda: jsl.interval(wide())
    yield (
        "by laboratory",
        lambda: {
            "interval": jsl.interval(straight(), by="lab"),
            "cr3": today.covariance(straight(), "cr3", by="lab"),
        },
    )
    yield "level", lambda: jsl.interval(smooth(), level=0.8)
    yield (
        "of a tree",
        lambda: jsl.interval(
            smooth(), of=lambda law: {"p": exponent(law), "there": law(N=[1e10, 1e11], D=1e12)}
        ),
    )
    yield (
        "of tables",
        lambda: of_tables(
            jsl.fit(CHINCHILLA, [simulated(), sweep()], objective=LOG, starts=STARTS)
        ),
    )
    yield "of what runs do not tell", lambda: jsl.interval(public(), kind="hc3")
    yield "covariance of runs", lambda: today.covariance(clustered())
    yield "deviation", lambda: today.covariance(smooth()).deviation(np.eye(5))
    yield from predictions()
    yield "profile", lambda: today.profile_likelihood(smooth(), "beta", points=11)
    yield (
        "profile of anything",
        lambda: today.profile_likelihood(smooth(), exponent, points=11, log=True),
    )
    yield (
        "profile of a line",
        lambda: today.profile_likelihood(straight(), lambda law: law(4.0), level=0.9, points=9),
    )
    for exact in (None, False, True):
        yield (
            f"influence {exact}",
            lambda exact=exact: today.influence(smooth(), of=exponent, exact=exact),
        )
    yield "influence of a narrow delta", lambda: today.influence(sharp(), exact=False)
    yield "influence by run", lambda: today.influence(clustered())
    yield (
        "influence at the top",
        lambda: [list(map(str, v)) for v in today.influence(smooth(), of=exponent).top(3)],
    )
    for name, fit in {
        "sweep": smooth,
        "narrow": sharp,
        "line": straight,
        "runs": clustered,
    }.items():
        yield f"identifiability of a {name}", lambda fit=fit: today.identifiability(fit())
        yield f"cautions of a {name}", lambda fit=fit: list(today.cautions(fit()))
        yield f"report of a {name}", lambda fit=fit: jsl.report(fit())
    yield (
        "report of refits",
        lambda: jsl.report(boot(), plan=jsl.allocate(boot(), 5.76e23), level=0.9),
    )
    yield (
        "report of a plan",
        lambda: jsl.report(smooth(), plan=jsl.allocate(smooth(), [1e22, 1e24])),
    )
    yield (
        "identifiability of too little",
        lambda: {"fit": public(), "found": today.identifiability(public())},
    )
    yield "cautions of bent rows", lambda: list(today.cautions(bent()))
    yield "delta", lambda: today.delta_sensitivity(sharp(), [1e-3, 1e-2], of=exponent)
    yield "every delta", lambda: today.delta_sensitivity(sharp(), of=exponent)
    yield from noise()
    yield from posteriors()


def wide():
    return jsl.fit(CHINCHILLA, simulated(), objective=jsl.objectives.LogHuber(0.1), starts=STARTS)


def public():
    return jsl.fit(CHINCHILLA, jsl.datasets.load("public_models"), starts=32)


def bent():
    runs = sweep(1e-3)
    loss = runs["loss"] * np.exp(0.02 * (np.log(runs["N"]) - 20) * (np.log(runs["D"]) - 24))
    return jsl.fit(
        CHINCHILLA,
        jsl.Runs.from_columns(N=runs["N"], D=runs["D"], loss=loss),
        objective=LOG,
        starts=STARTS,
    )


def of_tables(fits):
    return {
        "params": jsl.interval(fits),
        "of": jsl.interval(fits, of=lambda law: law(**BIG), log=True),
        "one": jsl.interval(fits[1]),
    }


def predictions():
    ask = today.prediction_interval
    yield "prediction", lambda: ask(smooth(), **BIG)
    yield "predictions", lambda: ask(smooth(), N=[1e9, 1e10, 1e11], D=1e12, level=0.8)
    yield (
        "prediction with a floor",
        lambda: [ask(smooth(), **BIG, noise=FLOOR), ask(smooth(), **BIG, noise=0.01)],
    )
    yield "prediction of refits", lambda: ask(boot(), **BIG)
    yield "prediction of runs", lambda: ask(clustered(), **BIG)
    yield "prediction of a line", lambda: ask(straight(), 4.0)
    yield "prediction in bits", in_bits


def in_bits():
    runs = simulated()
    bits = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"] / np.log(2), units={"loss": jsl.units.Bits}
    )
    fit = jsl.fit(CHINCHILLA, bits, objective=SQUARED, starts=STARTS)
    return {"fit": fit, "there": today.prediction_interval(fit, **BIG), "report": jsl.report(fit)}


def noise():
    rng = np.random.default_rng(3)
    x = np.repeat(np.geomspace(1e8, 1e11, 12), 3)
    loss = (1.8 + 400.0 * x**-0.3) * np.exp(0.004 * rng.standard_normal(36))
    seeds = jsl.Runs.from_columns(D=x, loss=loss, seed=np.tile(["0", "1", "2"], 12))
    place = np.tile(np.geomspace(1e9, 2e9, 12), 6)
    trend = 3.0 * (place / 1e9) ** -0.2 * np.exp(0.003 * rng.standard_normal(72))
    curves = jsl.Runs.from_columns(D=place, loss=trend, run=np.repeat(np.arange(6), 12))
    law = jsl.laws.power_law.start(x0=(1e3, 1e9))
    yield (
        "floor of replicates",
        lambda: (f := today.noise_floor(seeds), f.visible(3), repr(f.objective())),
    )
    yield "floor by a column", lambda: today.noise_floor(seeds, cell="D")
    yield "floor of checkpoints", lambda: today.noise_floor(curves, last=8)
    for name, own in {"the law": law, "another law": law.fix(E=0)}.items():
        yield (
            f"lack of fit of {name}",
            lambda own=own: today.lack_of_fit(
                jsl.fit(own, seeds.using(x="D"), objective=LOG, starts=STARTS),
                today.noise_floor(seeds),
            ),
        )


def posteriors():
    yield (
        "posterior of a line",
        lambda: drawn(today.posterior(straight(), 40, chains=2, noise="normal")),
    )
    yield (
        "posterior of Student's t",
        lambda: drawn(today.posterior(straight(), 40, chains=2, seed=1)),
    )
    prior = line.prior(b=(0.2, 0.1))
    yield (
        "posterior with a prior",
        lambda: drawn(
            today.posterior(
                jsl.fit(prior, straight().problem.runs, objective=SQUARED, starts=4),
                40,
                chains=2,
                noise_prior=(0.1, 0.5),
            )
        ),
    )


def drawn(boot):
    return {
        "boot": boot,
        "work": boot.work,
        "interval": jsl.interval(boot),
        "report": jsl.report(boot),
    }
