"""Units: what the numbers in a column are, so that a mistake of unit can be seen, converted, or at
least printed.

A law states the unit of each column and of its value as annotations (`N: Params`); `Runs` states
the units of the table. Where both speak of the same thing in different units the table is
converted; where nothing is said the law's unit is assumed, and the report prints that assumption. A
unit knows the sign its numbers may have, a limit above which they are surely something else, and
how to get to the base unit of its dimension.

| letter | meaning                                 | unit     |
|--------|-----------------------------------------|----------|
| N      | parameters of the model                 | `Params` |
| D      | training tokens                         | `Tokens` |
| C      | training compute                        | `Flop`   |
| L      | cross-entropy loss per token            | `Nats`   |
| U      | unique tokens in the data set           | `Tokens` |
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from .ground._errors import refuse, refuse_type
from .ground._interval import Interval


@dataclass(frozen=True)
class Unit:
    """A unit: `factor` turns its numbers into the base unit of `dimension`; `logarithm` says ln
    comes first.
    """

    name: str
    dimension: str
    support: str = "positive"  # positive, nonnegative, unit (0..1), real
    rank: int = 0  # 1 for a vector per run (shares of a mixture)
    factor: float = 1.0
    logarithm: bool = False
    limit: float = math.inf  # numbers above are an error: surely another unit
    # a gap of five decades inside the column is an error: two units in one column
    mixed: bool = False
    plain: Unit | None = None  # of a multiple (billion tokens): the unit that `Runs` keeps


Params = Annotated[Any, Unit("parameters (total)", "parameters", mixed=True)]
NonEmbeddingParams = Annotated[Any, Unit("parameters (non-embedding)", "parameters", mixed=True)]
ActiveParams = Annotated[Any, Unit("parameters (active)", "parameters", mixed=True)]
Tokens = Annotated[Any, Unit("tokens", "tokens", mixed=True)]
Flop = Annotated[Any, Unit("FLOP", "compute")]
PetaflopDays = Annotated[Any, Unit("petaFLOP-days", "compute", factor=8.64e19)]
# ln(256,000) = 12.45: no model of a vocabulary in use is worse than 13 nats per token for long;
# perplexities are.
Nats = Annotated[Any, Unit("nats/token", "loss", limit=13.0)]
Bits = Annotated[Any, Unit("bits/token", "loss", factor=math.log(2.0), limit=13.0 / math.log(2.0))]
# no dimension: the numbers go into any loss law as they are, and a chain refuses to take them for
# losses per token
BitsPerByte = Annotated[Any, Unit("bits/byte", "", limit=13.0 / math.log(2.0))]
Perplexity = Annotated[Any, Unit("perplexity", "loss", logarithm=True)]
Fraction = Annotated[Any, Unit("fraction (0 to 1)", "fraction", support="unit")]
Fractions = Annotated[Any, Unit("fractions (0 to 1)", "fraction", support="unit", rank=1)]
Shares = Annotated[Any, Unit("shares of a mixture", "fraction", support="unit", rank=1)]
Steps = Annotated[Any, Unit("steps", "steps", support="nonnegative")]
DenseParams = Annotated[Any, Unit("parameters (dense equivalent)", "parameters", mixed=True)]
NonZeroParams = Annotated[Any, Unit("parameters (non-zero)", "parameters", mixed=True)]
Characters = Annotated[Any, Unit("characters", "characters", mixed=True)]
Sequences = Annotated[Any, Unit("sequences", "sequences")]
Examples = Annotated[Any, Unit("examples", "examples")]
Samples = Annotated[Any, Unit("samples", "samples")]
Seconds = Annotated[Any, Unit("seconds", "time")]
Experts = Annotated[Any, Unit("experts", "experts")]
BitWidth = Annotated[Any, Unit("bits per number", "bit width")]
LearningRate = Annotated[Any, Unit("learning rate", "learning rate", support="nonnegative")]
Count = Annotated[Any, Unit("count", "", support="nonnegative")]
Positive = Annotated[Any, Unit("number > 0", "")]
Number = Annotated[Any, Unit("number", "", support="real")]
Vector = Annotated[Any, Unit("numbers", "", support="real", rank=1)]
_LETTERS = {"N": Params, "D": Tokens, "C": Flop, "U": Tokens, "L": Nats, "loss": Nats}


def unit_of(annotation: Any) -> Unit:
    """The `Unit` behind an annotation; `Number` where there is none."""
    if isinstance(annotation, Unit):
        return annotation
    found = [a for a in get_args(annotation) if isinstance(a, Unit)]
    return found[0] if found else get_args(Number)[1]


def is_unit(value: Any) -> bool:
    """Whether this is a unit: one of these annotations, or a `Unit`."""
    return isinstance(value, Unit) or any(isinstance(a, Unit) for a in get_args(value))


def by_letter(name: str) -> Unit:
    """The unit that the notation table gives to a column name; `Number` for any other name."""
    return unit_of(_LETTERS.get(name, Number))


def scaled(unit: Any, factor: float, name: str) -> Unit:
    """A unit `factor` times as large: `scaled(Tokens, 1e9, "billion tokens")`.

    >>> scaled(Tokens, 1e9, "billion tokens").factor
    1000000000.0
    """
    if not is_unit(unit):
        raise refuse_type(
            f"{unit!r} is no unit",
            why="a name or a number",
            change="units.scaled(units.Tokens, 1e6, 'million tokens')",
        )
    base = unit_of(unit)
    plain = base.plain or base
    return dataclasses.replace(
        base, name=name, factor=base.factor * factor, limit=base.limit / factor, plain=plain
    )


def billion(unit: Any) -> Unit:
    """Numbers given in billions of `unit`: `units={"D": billion(Tokens)}`.

    >>> billion(Params).name
    'billion parameters (total)'
    """
    if not is_unit(unit):
        raise refuse_type(
            f"{unit!r} is no unit", why="a name or a number", change="units.billion(units.Tokens)"
        )
    return scaled(unit, 1e9, f"billion {unit_of(unit).name}")


def convert(values: Any, given: Unit, wanted: Unit) -> Any:
    """`values` in unit `given`, expressed in unit `wanted`; of another dimension, as they are.
    Tracers stay tracers.
    """
    same = (given.factor, given.logarithm) == (wanted.factor, wanted.logarithm)
    if same or given.dimension != wanted.dimension:
        return values
    xp: Any = jnp if isinstance(values, jax.Array) else np
    base = xp.log(values) if given.logarithm else values * given.factor
    return xp.exp(base) if wanted.logarithm else base / wanted.factor


def bits_per_byte(nats_per_token: Any, bytes_per_token: Any) -> Any:
    """Loss [bits/byte] from a loss [nats/token] and the mean length of a token on the same text
    [bytes/token].

    Losses per token of different tokenizers cannot be compared, losses per byte can. Declare the
    column: `units={"L": BitsPerByte}`. Arrays broadcast, tracers stay tracers, and an `Interval` is
    converted as a whole. Raises InputError where a token has no length.

    >>> round(float(bits_per_byte(2.5, 4.3)), 4)
    0.8388
    """
    return _times(nats_per_token, 1.0 / (_lengths(bytes_per_token) * math.log(2.0)))


def nats_per_token(bits_per_byte: Any, bytes_per_token: Any) -> Any:
    """Loss [nats/token] of a tokenizer from a loss [bits/byte] and its mean length of a token
    [bytes/token].

    >>> round(float(nats_per_token(0.8388, 4.3)), 3)
    2.5
    """
    return _times(bits_per_byte, _lengths(bytes_per_token) * math.log(2.0))


def _times(value: Any, factor: np.ndarray) -> Any:
    if isinstance(value, Interval):
        return value.each(lambda v: _times(v, factor))
    return (
        value * factor
        if hasattr(value, "aval")
        else np.asarray(np.asarray(value, np.float64) * factor)[()]
    )


def _lengths(bytes_per_token: Any) -> np.ndarray:
    lengths = np.asarray(bytes_per_token, np.float64)
    if not np.all(lengths > 0):
        raise refuse(
            f"bytes_per_token={bytes_per_token}",
            why="it was given the other way round",
            change="a mean number of bytes above 0, such as 4.3",
        )
    return lengths
