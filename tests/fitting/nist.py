"""The 27 NIST StRD nonlinear regression problems: what a file says, and its model as a law.

The files (public domain, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml) are read from
`$JAXSCALE_DATA_DIR/nist_strd`. Each gives two starts, the certified optimum to 11 digits, and the
data. Laws are written as the files write them, with no rearrangement that would be kinder to
rounding; problems of the same formula share one law.

Some laws do not tell parameters apart: the exponentials of a sum can change places, a width can
change its sign. `Problem.digits` compares with the nearest of these forms of the same optimum.
"""

import dataclasses
import functools
import itertools
import os
import re
from math import pi
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import jaxscale as jsl
from jaxscale import real
from jaxscale.units import Number


# -- models --------------------------------------------------------------------------------------
@jsl.law
def bennett5(x: Number, *, b1=real(), b2=real(), b3=real()) -> Number:
    return b1 * (b2 + x) ** (-1 / b3)


@jsl.law
def chwirut(x: Number, *, b1=real(), b2=real(), b3=real()) -> Number:
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


@jsl.law
def cubics(
    x: Number, *, b1=real(), b2=real(), b3=real(), b4=real(), b5=real(), b6=real(), b7=real()
) -> Number:
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


@jsl.law
def danwood(x: Number, *, b1=real(), b2=real()) -> Number:
    return b1 * x**b2


@jsl.law
def eckerle4(x: Number, *, b1=real(), b2=real(), b3=real()) -> Number:
    return (b1 / b2) * jnp.exp(-0.5 * ((x - b3) / b2) ** 2)


@jsl.law
def enso(
    x: Number,
    *,
    b1=real(),
    b2=real(),
    b3=real(),
    b4=real(),
    b5=real(),
    b6=real(),
    b7=real(),
    b8=real(),
    b9=real(),
) -> Number:
    year = b2 * jnp.cos(2 * pi * x / 12) + b3 * jnp.sin(2 * pi * x / 12)
    slow = b5 * jnp.cos(2 * pi * x / b4) + b6 * jnp.sin(2 * pi * x / b4)
    return b1 + year + slow + b8 * jnp.cos(2 * pi * x / b7) + b9 * jnp.sin(2 * pi * x / b7)


@jsl.law
def gauss(
    x: Number,
    *,
    b1=real(),
    b2=real(),
    b3=real(),
    b4=real(),
    b5=real(),
    b6=real(),
    b7=real(),
    b8=real(),
) -> Number:
    peaks = b3 * jnp.exp(-((x - b4) ** 2) / b5**2) + b6 * jnp.exp(-((x - b7) ** 2) / b8**2)
    return b1 * jnp.exp(-b2 * x) + peaks


@jsl.law
def kirby2(x: Number, *, b1=real(), b2=real(), b3=real(), b4=real(), b5=real()) -> Number:
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


@jsl.law
def lanczos(
    x: Number, *, b1=real(), b2=real(), b3=real(), b4=real(), b5=real(), b6=real()
) -> Number:
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


@jsl.law
def mgh09(x: Number, *, b1=real(), b2=real(), b3=real(), b4=real()) -> Number:
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


@jsl.law
def mgh10(x: Number, *, b1=real(), b2=real(), b3=real()) -> Number:
    return b1 * jnp.exp(b2 / (x + b3))


@jsl.law
def mgh17(x: Number, *, b1=real(), b2=real(), b3=real(), b4=real(), b5=real()) -> Number:
    return b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)


@jsl.law
def misra1a(x: Number, *, b1=real(), b2=real()) -> Number:
    return b1 * (1 - jnp.exp(-b2 * x))


@jsl.law
def misra1b(x: Number, *, b1=real(), b2=real()) -> Number:
    return b1 * (1 - (1 + b2 * x / 2) ** -2)


@jsl.law
def misra1c(x: Number, *, b1=real(), b2=real()) -> Number:
    return b1 * (1 - (1 + 2 * b2 * x) ** -0.5)


@jsl.law
def misra1d(x: Number, *, b1=real(), b2=real()) -> Number:
    return b1 * b2 * x * (1 + b2 * x) ** -1


@jsl.law
def nelson(x1: Number, x2: Number, *, b1=real(), b2=real(), b3=real()) -> Number:
    return b1 - b2 * x1 * jnp.exp(-b3 * x2)  # of log[y]


@jsl.law
def rat42(x: Number, *, b1=real(), b2=real(), b3=real()) -> Number:
    return b1 / (1 + jnp.exp(b2 - b3 * x))


@jsl.law
def rat43(x: Number, *, b1=real(), b2=real(), b3=real(), b4=real()) -> Number:
    return b1 / (1 + jnp.exp(b2 - b3 * x)) ** (1 / b4)


@jsl.law
def roszman1(x: Number, *, b1=real(), b2=real(), b3=real(), b4=real()) -> Number:
    return b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / pi


LAWS = {
    # lower level of difficulty
    "Misra1a": misra1a,
    "Chwirut2": chwirut,
    "Chwirut1": chwirut,
    "Lanczos3": lanczos,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "DanWood": danwood,
    "Misra1b": misra1b,
    # average
    "Kirby2": kirby2,
    "Hahn1": cubics,
    "Nelson": nelson,
    "MGH17": mgh17,
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Gauss3": gauss,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Roszman1": roszman1,
    "ENSO": enso,
    # higher
    "MGH09": mgh09,
    "Thurber": cubics,
    "BoxBOD": misra1a,
    "Rat42": rat42,
    "MGH10": mgh10,
    "Eckerle4": eckerle4,
    "Rat43": rat43,
    "Bennett5": bennett5,
}

# law -> terms that can change places, each with its parameters in the same order
SWAPS = {
    "lanczos": ("b1 b2", "b3 b4", "b5 b6"),
    "mgh17": ("b2 b4", "b3 b5"),
    "gauss": ("b3 b4 b5", "b6 b7 b8"),
    "enso": ("b4 b5 b6", "b7 b8 b9"),
}
# law -> parameters that can change their sign together
FLIPS = {"gauss": ("b5", "b8"), "enso": ("b4 b6", "b7 b9"), "eckerle4": ("b1 b2",)}


def equal_forms(law, params):
    """Parameters that give the same law as these: terms in every order, signs in every combination;
    itself first.
    """
    terms = [t.split() for t in SWAPS.get(law.name, ())]
    flips = [f.split() for f in FLIPS.get(law.name, ())]
    for order in itertools.permutations(terms):
        moved = {
            k: params[m]
            for own, other in zip(terms, order, strict=True)
            for k, m in zip(own, other, strict=True)
        }
        for flipped in itertools.product((False, True), repeat=len(flips)):
            signs = {
                k: -1.0 for group, flip in zip(flips, flipped, strict=True) if flip for k in group
            }
            yield {k: signs.get(k, 1.0) * moved.get(k, v) for k, v in params.items()}


# -- files ---------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What a file says. `rss` is the residual sum of squares at the certified `params`; `target` is
    log y where the model is.
    """

    name: str
    starts: tuple[dict[str, float], dict[str, float]]
    params: dict[str, float]
    deviations: dict[str, float]
    rss: float
    columns: dict[str, np.ndarray]
    target: np.ndarray

    @property
    def law(self):
        """The model; its start ranges span the two starts, or a factor of 2 around them where they
        are equal.
        """
        both = {k: (a, self.starts[1][k]) for k, a in self.starts[0].items()}
        ranges = {k: sorted((a, b) if a != b else (a / 2, 2 * a)) for k, (a, b) in both.items()}
        return LAWS[self.name].start(**{k: (low, high) for k, (low, high) in ranges.items()})

    @property
    def runs(self):
        # a target without a unit is taken for a loss in nats, and most of these would be refused
        return jsl.Runs.from_columns(**self.columns, y=self.target, target="y", units={"y": Number})

    def digits(self, found):
        """`digits` of the form of `found` that is nearest to the certified optimum."""
        return max(digits(form, self.params) for form in equal_forms(LAWS[self.name], found))


def digits(found, certified):
    """Correct significant digits of the worst parameter: the log relative error, between 0 and the
    11 that are certified.
    """
    error = np.array([abs(found[k] - v) / abs(v) for k, v in certified.items()])
    return float(np.min(np.clip(np.nan_to_num(-np.log10(np.maximum(error, 1e-11))), 0.0, 11.0)))


@functools.cache
def problem(name):
    """The problem of this name, read from its file."""
    return parse(
        name, (Path(os.environ["JAXSCALE_DATA_DIR"]) / "nist_strd" / f"{name}.dat").read_text()
    )


def parse(name, text):
    """A `Problem` from the text of a .dat file; ValueError where the counts that the file states
    are not what was read.
    """
    # "Data:" stands twice: a summary, then the columns
    head, data = re.split(r"^Data: +(?=y +x)", text, flags=re.MULTILINE)
    rows = re.findall(r"^ *(b\d) *= +(\S+) +(\S+) +(\S+) +(\S+) *$", head, flags=re.MULTILINE)
    start1, start2, params, deviations = (
        {row[0]: float(row[i]) for row in rows} for i in (1, 2, 3, 4)
    )
    names, *lines = data.strip().splitlines()
    values = dict(
        zip(
            names.split(),
            np.array([line.split() for line in lines], dtype=np.float64).T,
            strict=True,
        )
    )
    target = values.pop("y")
    for stated, read in ((r"(\d+) Parameters", params), (r"(\d+) Observations", target)):
        if int(re.search(stated, head)[1]) != len(read):
            raise ValueError(f"{name}: {len(read)} read, {re.search(stated, head)[0]} stated")
    rss = float(re.search(r"Residual Sum of Squares: +(\S+)", head)[1])
    return Problem(
        name,
        (start1, start2),
        params,
        deviations,
        rss,
        values,
        np.log(target) if "log[y] =" in head else target,
    )
