"""Tables and fits that several cases share; each is made once in a process."""

from functools import lru_cache

import numpy as np

import jaxscale as jsl
from jaxscale import positive, real
from jaxscale.units import Nats, Number, Tokens

CHINCHILLA = jsl.laws.chinchilla
HOFFMANN = CHINCHILLA.published["hoffmann2022"]
BESIROGLU = CHINCHILLA.published["besiroglu2024"]
TRUE = {"E": 1.7, "A": 400.0, "B": 1100.0, "alpha": 0.34, "beta": 0.33}
BIG = {"N": 1e11, "D": 2e12}
LOG = jsl.objectives.LogSquared()
SQUARED = jsl.objectives.Squared()
SCORE = {"score": jsl.units.Fraction}
STARTS = 16


@jsl.law
def line(x: Number, *, a=real(-5, 5), b=real(-5, 5)) -> Number:
    return a + b * x


@jsl.law
def second(y: Number, *, c=real(-5, 5), d=real(-5, 5)) -> Number:
    return c + d * y


@jsl.law
def third(w: Number, *, f=real(-5, 5), g=real(-5, 5)) -> Number:
    return f + g * w


@jsl.law
def power(D: Tokens, *, E=positive(0.5, 3), B=positive(10, 1e5), beta=positive(0.05, 1)) -> Nats:
    return E + B * D**-beta


def grid(sizes=8, data=6):
    """Sizes and tokens of every pair, flat."""
    n, d = np.geomspace(5e7, 1e10, sizes), np.geomspace(2e9, 3e11, data)
    return np.repeat(n, data), np.tile(d, sizes)


def columns(noise=0.01, seed=0, sizes=8, data=6, **more):
    """A sweep as columns."""
    n, d = grid(sizes, data)
    loss = (1.7 + 400 * n**-0.34 + 1100 * d**-0.33) * np.exp(
        noise * np.random.default_rng(seed).standard_normal(len(n))
    )
    return {"N": n, "D": d, "loss": loss, **more}


def sweep(*arguments, **options):
    return jsl.Runs.from_columns(**columns(*arguments, **options))


def size(law):
    """The best size at 1e24 FLOP, by a plan."""
    return jsl.allocate(law, 1e24)["N"]


def exponent(law):
    return law.params["beta"] / (law.params["alpha"] + law.params["beta"])


@lru_cache
def simulated():
    return jsl.datasets.load("simulated")


@lru_cache
def smooth():
    """Least squares of ln L on the embedded sweep."""
    return jsl.fit(CHINCHILLA, simulated(), objective=LOG, starts=STARTS)


@lru_cache
def sharp():
    """The default objective on the embedded sweep."""
    return jsl.fit(CHINCHILLA, simulated(), starts=STARTS)


@lru_cache
def boot():
    return jsl.bootstrap(sharp(), 64)


@lru_cache
def clustered():
    """Checkpoints of 12 runs."""
    runs = simulated()
    table = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"], run=np.repeat(np.arange(12), 5)
    )
    return jsl.fit(CHINCHILLA, table, objective=LOG, starts=STARTS)


@lru_cache
def straight():
    """A line through 24 rows of six laboratories."""
    x = np.linspace(0, 3, 24)
    y = 1.0 + 0.5 * x + (0.1 + 0.1 * x) * np.random.default_rng(0).standard_normal(24)
    runs = jsl.Runs.from_columns(x=x, y=y, target="y", groups={"lab": np.repeat(list("abcdef"), 4)})
    return jsl.fit(line, runs, objective=SQUARED, starts=4)


def family_table(count, rows, noise=3e-3, seed=0):
    """Losses of families that share an exponent."""
    rng = np.random.default_rng(seed)
    names = [f"f{i:02d}" for i in range(count)]
    d = np.exp(rng.uniform(np.log(1e8), np.log(1e11), count * rows))
    e, b = (
        np.repeat(rng.uniform(1.5, 2.2, count), rows),
        np.repeat(np.exp(rng.uniform(4, 6, count)), rows),
    )
    loss = (e + b * d**-0.3) * np.exp(noise * rng.standard_normal(len(d)))
    return jsl.Runs.from_columns(D=d, loss=loss, groups={"family": np.repeat(names, rows)})
