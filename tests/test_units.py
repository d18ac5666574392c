"""Units: conversion inside a dimension, and where the unit of a column comes from."""

import itertools
import math
from typing import Annotated, Any

import numpy as np
import pytest

import jaxscale as jsl
from jaxscale import units
from jaxscale.units import Unit, billion, by_letter, convert, scaled, unit_of

VALUES = np.array([0.25, 1.0, 2.5, 7.0])
DIMENSIONS = {
    "loss": [units.Nats, units.Bits, units.Perplexity],
    "compute": [units.Flop, units.PetaflopDays, billion(units.Flop)],
    "tokens": [units.Tokens, billion(units.Tokens), scaled(units.Tokens, 1e6, "million tokens")],
    "parameters": [units.Params, billion(units.Params)],
}
PAIRS = [
    (a, b)
    for group in DIMENSIONS.values()
    for a, b in itertools.product(map(unit_of, group), repeat=2)
]
ALL = [
    "Params",
    "NonEmbeddingParams",
    "ActiveParams",
    "Tokens",
    "Flop",
    "PetaflopDays",
    "Nats",
    "Bits",
    "BitsPerByte",
    "Perplexity",
]
ALL += [
    "Fraction",
    "Fractions",
    "Shares",
    "Steps",
    "DenseParams",
    "NonZeroParams",
    "Characters",
    "Sequences",
    "Examples",
    "Samples",
]
ALL += ["Seconds", "Experts", "BitWidth", "LearningRate", "Count", "Positive", "Number", "Vector"]


@pytest.mark.parametrize(("given", "wanted"), PAIRS, ids=lambda u: u.name)
def test_convert_there_and_back(given, wanted):
    values = VALUES + 1.0  # perplexities below 1 are no losses
    np.testing.assert_allclose(
        convert(convert(values, given, wanted), wanted, given), values, rtol=1e-13
    )


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_units_of_one_dimension(dimension):
    assert {unit_of(u).dimension for u in DIMENSIONS[dimension]} == {dimension}


@pytest.mark.parametrize(
    ("value", "given", "wanted", "expected"),
    [
        (1.0, units.Bits, units.Nats, math.log(2)),
        (1.0, units.Nats, units.Bits, 1 / math.log(2)),
        (math.e**2, units.Perplexity, units.Nats, 2.0),
        (3.0, units.Nats, units.Perplexity, math.exp(3.0)),
        (8.0, units.Perplexity, units.Bits, 3.0),
        (3.0, units.Bits, units.Perplexity, 8.0),
        (1.0, units.PetaflopDays, units.Flop, 1e15 * 24 * 3600),
        (1.4, billion(units.Tokens), units.Tokens, 1.4e9),
        (7e9, units.Params, billion(units.Params), 7.0),
        (2000.0, scaled(units.Tokens, 1e6, "million tokens"), billion(units.Tokens), 2.0),
        (2.5, units.Nats, units.Nats, 2.5),
    ],
)
def test_convert(value, given, wanted, expected):
    converted = convert(np.array([value]), unit_of(given), unit_of(wanted))
    np.testing.assert_allclose(converted, [expected], rtol=1e-14)


@pytest.mark.parametrize("name", ALL)
def test_every_unit_is_an_annotation_with_one_unit(name):
    annotation = getattr(units, name)
    unit = unit_of(annotation)
    assert isinstance(unit, Unit)
    assert unit_of(unit) is unit
    assert unit.support in ("positive", "nonnegative", "unit", "real")
    assert unit.factor > 0
    assert unit.name


def test_every_unit_is_in_the_list_above():
    found = [
        k
        for k, v in vars(units).items()
        if not k.startswith("_") and isinstance(getattr(v, "__metadata__", (0,))[0], Unit)
    ]
    assert sorted(found) == sorted(ALL)
    # a report can tell them apart
    assert len({unit_of(getattr(units, k)).name for k in ALL}) == len(ALL)


@pytest.mark.parametrize(
    "annotation", [None, float, Any, "Tokens", Annotated[float, "tokens"]], ids=str
)
def test_without_a_unit_it_is_a_number(annotation):
    assert unit_of(annotation).name == "number"
    assert unit_of(annotation).support == "real"


def test_a_unit_is_found_among_other_annotations():
    unit = Unit("furlongs", "length")
    assert unit_of(Annotated[float, "how far", unit]) is unit


@pytest.mark.parametrize(
    ("letter", "name"),
    [
        ("N", "parameters (total)"),
        ("D", "tokens"),
        ("C", "FLOP"),
        ("U", "tokens"),
        ("L", "nats/token"),
        ("loss", "nats/token"),
        ("n", "number"),
        ("Loss", "number"),
        ("learning_rate", "number"),
    ],
)
def test_by_letter(letter, name):
    assert by_letter(letter).name == name


@pytest.mark.parametrize("base", ["Params", "Tokens", "Flop", "Nats"])
def test_billion(base):
    plain = unit_of(getattr(units, base))
    unit = billion(getattr(units, base))
    assert unit.name == f"billion {plain.name}"
    assert unit.factor == 1e9 * plain.factor
    assert (unit.dimension, unit.support, unit.rank, unit.mixed) == (
        plain.dimension,
        plain.support,
        plain.rank,
        plain.mixed,
    )
    assert unit.limit == plain.limit / 1e9
    assert billion(plain) == unit  # a unit or its annotation


def test_limits_are_the_same_loss_in_each_unit():
    nats, bits = unit_of(units.Nats), unit_of(units.Bits)
    np.testing.assert_allclose(convert(np.array([bits.limit]), bits, nats), [nats.limit])
    assert 12.4 < nats.limit < 20  # above ln of any vocabulary, below common perplexities


def test_bits_per_byte_of_an_interval_and_under_a_derivative():
    import jax

    interval = jsl.Interval(2.4, 2.5, 2.6, 0.95, "hc3")
    found = jsl.units.bits_per_byte(interval, 4.3)
    np.testing.assert_allclose(
        [found.low, found.point, found.high], np.array([2.4, 2.5, 2.6]) / 4.3 / np.log(2)
    )
    with jax.enable_x64(True):
        slope = jax.grad(lambda v: jsl.units.bits_per_byte(v, 4.3))(2.5)
    np.testing.assert_allclose(slope, 1 / 4.3 / np.log(2))


def test_convert_is_one_map_for_tables_and_for_formulas():
    """NumPy stays float64 outside of x64; a tracer stays one; another quantity is left alone."""
    import jax

    bits, loss, words = (unit_of(u) for u in (units.Bits, units.Nats, units.Perplexity))
    found = convert(np.array([2.0, 8.0]), words, bits)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, [1.0, 3.0], rtol=1e-15)
    with jax.enable_x64(True):
        slope = jax.grad(lambda v: convert(v, words, loss))(4.0)
    np.testing.assert_allclose(slope, 0.25, rtol=1e-15)
    same = np.array([2.5])
    assert convert(same, unit_of(units.Tokens), loss) is same
    # a name is no unit
    assert convert(same, scaled(units.Tokens, 1e9, "tokens"), unit_of(units.Tokens)) == 2.5e9
