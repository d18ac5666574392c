"""Resamples of every kind, by rows and by clusters, with guards, in little memory; what is drawn
from an ensemble.
"""

import numpy as np

import jaxscale as jsl

from . import today
from .made import (
    BESIROGLU,
    BIG,
    CHINCHILLA,
    LOG,
    SCORE,
    SQUARED,
    boot,
    clustered,
    exponent,
    line,
    sharp,
    size,
    smooth,
    straight,
)

KINDS = ("pairs", "bayes", "webb", "rademacher", "parametric")


def cases():
    for kind in KINDS:
        yield f"{kind} of a line", lambda kind=kind: jsl.bootstrap(straight(), 50, kind=kind)
        yield f"{kind} of a sweep", lambda kind=kind: jsl.bootstrap(smooth(), 130, kind=kind)
        yield f"{kind} of the default", lambda kind=kind: jsl.bootstrap(sharp(), 50, kind=kind)
        if kind != "parametric":
            yield (
                f"{kind} by laboratory",
                lambda kind=kind: jsl.bootstrap(straight(), 50, kind=kind, by="lab"),
            )
            yield f"{kind} by run", lambda kind=kind: jsl.bootstrap(clustered(), 50, kind=kind)
    yield "another seed", lambda: jsl.bootstrap(smooth(), 50, seed=3)
    yield "guards", lambda: jsl.bootstrap(smooth(), 20, starts=8)
    yield "guards of the default", lambda: jsl.bootstrap(sharp(), 20, starts=8)
    yield "little memory", lambda: jsl.bootstrap(smooth(), 50, memory=2**20)
    yield "weights", weighted
    yield "a helper point", helped
    yield (
        "a fit that is not OK",
        lambda: jsl.bootstrap(
            jsl.fit(CHINCHILLA, jsl.datasets.load("public_models"), starts=16), 20
        ),
    )
    yield (
        "predictions",
        lambda: {
            "one": boot().predict(N=70e9, D=1.4e12),
            "many": boot().predict(N=[1e9, 1e10], D=[[1e11], [1e12], [1e13]]),
            "ok": boot().ok,
            "length": len(boot()),
        },
    )
    yield (
        "percentiles",
        lambda: {
            "params": jsl.interval(boot()),
            "level": jsl.interval(boot(), level=0.8),
            "of": jsl.interval(boot(), of=lambda law: law(**BIG), level=0.9),
            "tree": jsl.interval(boot(), of=lambda law: {"p": exponent(law), "E": law.params["E"]}),
            "plan": jsl.interval(boot(), of=size),
            "array": jsl.interval(boot().predict(N=[1e9, 1e10], D=1e11), axis=0),
        },
    )
    for kind in ("bca", "studentised"):
        yield (
            f"{kind} of a line",
            lambda kind=kind: jsl.interval(jsl.bootstrap(straight(), 130), kind=kind),
        )
        yield (
            f"{kind} by laboratory",
            lambda kind=kind: jsl.interval(jsl.bootstrap(straight(), 130, by="lab"), kind=kind),
        )
        yield (
            f"{kind} of a sweep",
            lambda kind=kind: jsl.interval(jsl.bootstrap(smooth(), 130), kind=kind),
        )
        yield (
            f"{kind} of anything",
            lambda kind=kind: jsl.interval(jsl.bootstrap(smooth(), 130), of=exponent, kind=kind),
        )
    yield "studentised tables", studentised
    yield (
        "simulated tables",
        lambda: refitted(
            jsl.simulate(BESIROGLU, jsl.datasets.load("simulated"), noise=0.01, seed=1, count=3)
        ),
    )


def weighted():
    runs = smooth().problem.runs
    table = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"], weights=np.arange(60) % 3.0
    )
    return jsl.bootstrap(jsl.fit(CHINCHILLA, table, objective=LOG, starts=16), 50)


def helped():
    rng = np.random.default_rng(2)
    loss = np.linspace(2.0, 4.0, 40)
    link = jsl.laws.accuracy_above_chance
    score = link(loss, k=4.0, x0=2.6, chance=0.25, top=0.97) + 0.01 * rng.standard_normal(40)
    groups = {"task": np.tile(list("abcdefghij"), 4)}
    table = jsl.Runs.from_columns(L=loss, score=score, target="score", groups=groups, units=SCORE)
    runs = today.with_helper(table, 0.97, weight=10.0)
    fit = jsl.fit(link.fix(chance=0.25), runs, objective=SQUARED, starts=8)
    return {"runs": runs, "fit": fit, **{kind: jsl.bootstrap(fit, 30, kind=kind) for kind in KINDS}}


def studentised():
    runs = straight().problem.runs
    fits = jsl.fit(line, [runs, runs.where(np.arange(24) < 20)], objective=SQUARED, starts=4)
    boots = jsl.bootstrap(fits, 64)
    return {"fits": fits, "boots": boots, "one": jsl.interval(boots[1], kind="studentised")}


def refitted(tables):
    fits = jsl.fit(CHINCHILLA, tables, objective=LOG, starts=16)
    return {"tables": tables, "fits": fits, "interval": jsl.interval(fits)}
