"""Laws with one value per group: few groups in one solve, many as lanes; what is predicted, planned
and said of them.
"""

import numpy as np

import jaxscale as jsl

from . import today
from .made import BIG, CHINCHILLA, LOG, STARTS, family_table, power

HUBER = jsl.objectives.LogHuber(1e-3)


def cases():
    yield "few", few
    yield (
        "few, squares",
        lambda: looked_at(
            jsl.fit(CHINCHILLA.per(E="family"), four(), objective=LOG, starts=STARTS)
        ),
    )
    yield (
        "few, with a value fixed",
        lambda: jsl.fit(
            CHINCHILLA.per(E="family").fix(E=[1.5, 1.7, 1.9, 2.1]), four(), starts=STARTS
        ),
    )
    yield "a family with one run", alone
    for name, objective in {"squares": LOG, "huber": HUBER}.items():
        yield f"many, {name}", lambda objective=objective: many(objective)
    yield (
        "many, nothing shared",
        lambda: jsl.fit(power.fix(beta=0.3).per(E="family", B="family"), family_table(36, 8)),
    )
    yield (
        "many, tied to nothing",
        lambda: jsl.fit(power.per(E="family"), family_table(36, 8), starts=STARTS),
    )
    yield "many, a small group", lambda: jsl.fit(power.per(E="family", B="family"), small())
    yield (
        "many, refitted",
        lambda: jsl.bootstrap(
            jsl.fit(power.per(E="family"), family_table(36, 8), starts=STARTS), 8
        ),
    )
    yield (
        "few, no group in a plan",
        lambda: jsl.allocate(jsl.fit(CHINCHILLA.per(E="family"), four(), starts=STARTS), 1e21),
    )


def four():
    own = {"a": 1.5, "b": 1.7, "c": 1.9, "d": 2.1}
    family = np.repeat(list(own), 9)
    n, d = (
        np.tile(np.repeat(np.geomspace(1e8, 1e10, 3), 3), 4),
        np.tile(np.geomspace(2e9, 2e11, 3), 12),
    )
    clean = np.array([own[f] for f in family]) + 400 * n**-0.34 + 1100 * d**-0.33
    loss = clean * np.exp(1e-3 * np.random.default_rng(0).standard_normal(36))
    return jsl.Runs.from_columns(N=n, D=d, loss=loss, groups={"family": family})


def few():
    fit = jsl.fit(CHINCHILLA.per(E="family"), four(), starts=STARTS)
    return {
        "fit": fit,
        "by label": jsl.allocate(fit, 1e21, given={"family": "b"}),
        "by code": jsl.allocate(fit, 1e21, given={"family": 1}),
        "predicted": fit.predict(**BIG, family=["a", "d"]),
        "called": fit.law(**BIG, family="c"),
        "law": fit.law,
        "report": jsl.report(fit),
        "pairs": jsl.bootstrap(fit, 32),
    }


def looked_at(fit):
    return {
        "fit": fit,
        "interval": jsl.interval(fit),
        "of": jsl.interval(fit, of=lambda law: law(N=1e11, D=1e12, family=2), log=True),
        "laplace": jsl.interval(fit, kind="laplace"),
        "covariance": today.covariance(fit),
        "forecast": jsl.forecast(fit, N=1e11, D=1e12, family=["a", "d"]),
        "hindsight": today.hindsight(fit),
        "cautions": list(today.cautions(fit)),
        "report": jsl.report(fit),
    }


def alone():
    table = four()
    n, d, family = (
        np.append(table["N"], 3e9),
        np.append(table["D"], 6e10),
        [*table["family"], "new"],
    )
    loss = np.append(table["loss"], 1.62 + 400 * 3e9**-0.34 + 1100 * 6e10**-0.33)
    runs = jsl.Runs.from_columns(N=n, D=d, loss=loss, groups={"family": family})
    fit = jsl.fit(
        CHINCHILLA.per(E="family").start(A=(100, 1000), B=(300, 3000)),
        runs,
        objective=LOG,
        starts=4,
    )
    return {
        "fit": fit,
        "there": jsl.interval(
            fit, of=lambda law: law(N=2e10, D=4e11, family=4), kind="laplace", log=True
        ),
    }


def many(objective):
    """73 coordinates."""
    fit = jsl.fit(power.per(E="family", B="family"), family_table(36, 14), objective=objective)
    out = {
        "fit": fit,
        "there": fit.predict(D=[1e10, 1e12], family=["f07", "f11"]),
        "report": jsl.report(fit),
    }
    if objective == LOG:
        out |= {
            "interval": jsl.interval(fit),
            "of": jsl.interval(fit, of=of_seven, kind="laplace", log=True),
        }
        out |= {
            "cautions": list(today.cautions(fit)),
            "covariance": today.covariance(fit, "laplace"),
        }
    return out


def of_seven(law):
    return law(D=1e12, family=7)


def small():
    table = family_table(36, 8)
    own = table["family"] == "f05"
    return table.where(~own | (table["loss"] == table["loss"][own].min()))
