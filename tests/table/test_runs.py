"""`Runs` refuses what cannot be meant, with row, column and what to change; everything else arrives
as float64.
"""

import time

import jax
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import jaxscale as jsl
from jaxscale import Runs, units

DROP = r"[\s\S]*Change: [\s\S]*on_bad='drop'"


def table(**changed):
    """Six runs in no particular order."""
    good = {
        "N": [1e9, 1e8, 4e9, 3e8, 2e9, 8e9],
        "D": [2e10, 2e9, 8e10, 6e9, 3e10, 2e11],
        "loss": [2.6, 3.4, 2.3, 3.0, 2.45, 2.2],
    }
    return good | changed


def replaced(name, row, value):
    """The six runs as object arrays, one cell replaced."""
    cells = np.asarray(table()[name], dtype=object)
    cells[row] = value
    return table(**{name: cells})


def csv_file(path, data):
    """The table as a CSV file, missing values as empty cells."""
    rows = zip(*[np.asarray(v, dtype=object).tolist() for v in data.values()], strict=True)
    text = [",".join("" if v is None else str(v) for v in row) for row in rows]
    path.write_text("\n".join([",".join(data), *text]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(params=["columns", "csv", "pandas", "polars", "pyarrow"])
def read(request, tmp_path):
    """Each constructor behind one signature: a dict of columns in, `Runs` out."""

    def call(data, *, groups=(), weights=None, **options):
        if request.param == "columns":
            rest = {k: v for k, v in data.items() if k not in groups and k != weights}
            given = None if weights is None else data[weights]
            return Runs.from_columns(
                groups={g: data[g] for g in groups}, weights=given, **options, **rest
            )
        options |= {"columns": ("N", "D"), "groups": groups, "weights": weights}
        if request.param == "csv":
            return Runs.from_csv(csv_file(tmp_path / "sweep.csv", data), **options)
        frame = {
            "pandas": pd.DataFrame,
            "polars": lambda d: pl.DataFrame(d, strict=False),
            "pyarrow": pa.table,
        }[request.param]
        return Runs.from_frame(frame(data), **options)

    return call


# -- every constructor ---------------------------------------------------------------------------
def test_every_constructor_gives_the_same_float64_in_the_order_given(read):
    runs = read(table())
    assert len(runs) == 6
    assert runs.dropped == 0
    assert runs.remarks == ()
    assert runs.clusters is None
    assert runs.target_name == "loss"
    for name, values in table().items():
        assert runs[name].dtype == np.float64
        np.testing.assert_array_equal(runs[name], values)
    np.testing.assert_array_equal(runs.weights, np.ones(6))


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("loss", None, r"(nan|'', which is no number)"),
        ("loss", np.inf, "inf"),
        ("loss", -0.5, r"-0\.5, but nats/token are > 0"),
        ("D", 0.0, "0, but tokens are > 0"),
        ("N", -1e9, r"-1e\+09, but parameters"),
    ],
)
def test_every_constructor_names_row_and_column(read, name, value, seen):
    data = table()
    data[name][2] = value
    with pytest.raises(jsl.InputError, match=rf"column '{name}', row 2: {seen}" + DROP):
        read(data)


@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_every_constructor_drops_and_counts(read):
    data = table()
    data["loss"][1], data["D"][4] = None, 0.0
    runs = read(data, on_bad="drop")
    assert (len(runs), runs.dropped) == (4, 2)
    np.testing.assert_array_equal(runs["N"], [1e9, 4e9, 3e8, 8e9])
    np.testing.assert_array_equal(runs["loss"], [2.6, 2.3, 3.0, 2.2])
    assert len(runs.weights) == 4


def test_every_constructor_refuses_a_table_of_bad_rows_even_with_drop(read):
    with pytest.raises(jsl.InputError, match=r"column 'loss', row 0"):
        read(table(loss=[-1.0] * 6), on_bad="drop")


def test_every_constructor_reads_weights(read):
    weights = [1.0, 0.0, 2.0, 3.0, 0.5, 0.0]
    runs = read(table(w=weights), weights="w")
    np.testing.assert_array_equal(runs.weights, weights)
    assert "w" not in runs.columns


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.0] * 6, r"(?s)all weights are 0.*Change: .*weight above 0"),
        ([1.0, 1.0, np.nan, 1.0, 1.0, 1.0], r"'weights', row 2: nan" + DROP),
        ([1.0, 1.0, -1.0, 1.0, 1.0, 1.0], r"'weights', row 2: -1, but"),
        ([1.0, np.inf, 1.0, 1.0, 1.0, 1.0], r"'weights', row 1: inf" + DROP),
    ],
    ids=["zero", "nan", "negative", "inf"],
)
def test_every_constructor_refuses_bad_weights(read, weights, message):
    with pytest.raises(jsl.InputError, match=message):
        read(table(w=weights), weights="w")


def test_every_constructor_reads_groups(read):
    runs = read(table(family=["b", "a", "b", "a", "c", "c"]), groups=("family",))
    assert runs.labels["family"] == ("a", "b", "c")
    np.testing.assert_array_equal(runs.groups["family"], [1, 0, 1, 0, 2, 2])
    assert runs["family"].tolist() == ["b", "a", "b", "a", "c", "c"]
    assert runs.clusters is None


def test_every_constructor_labels_whole_numbers_alike(read):
    runs = read(table(family=[10, 2, 10, 2, 3, 3]), groups=("family",))
    assert runs["family"].tolist() == ["10", "2", "10", "2", "3", "3"]


def test_every_constructor_keeps_large_ids_apart(read):
    ids = [2**60 + i for i in range(6)]  # float64 cannot tell them apart
    assert len(read(table(run=ids)).labels["run"]) == 6


@pytest.mark.parametrize(
    ("ids", "clusters"), [("abcdef", None), ("aabbcc", "run")], ids=["one row a run", "checkpoints"]
)
def test_every_constructor_knows_run(read, ids, clusters):
    runs = read(table(run=list(ids)))
    assert runs.clusters == clusters
    assert runs["run"].tolist() == list(ids)
    assert "run" not in runs.columns


@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_every_constructor_refuses_a_missing_label(read):
    data = table(family=["a", "a", None, "b", "b", "b"])
    with pytest.raises(
        jsl.InputError, match=r"(?s)group 'family', row 2: no label.*Change: add it"
    ):
        read(data, groups=("family",))
    runs = read(data, groups=("family",), on_bad="drop")
    assert (runs.dropped, runs["family"].tolist()) == (1, ["a", "a", "b", "b", "b"])


@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_a_label_of_dropped_rows_is_gone(read):
    data = table(family=["a", "a", "b", "c", "c", "c"])
    data["loss"][2] = -1.0
    runs = read(data, groups=("family",), on_bad="drop")
    assert runs.labels["family"] == ("a", "c")
    np.testing.assert_array_equal(runs.groups["family"], [0, 0, 1, 1, 1])


def test_every_constructor_refuses_a_table_without_rows(read):
    with pytest.raises(jsl.InputError, match=r"(?s)the table has no rows.*Change:"):
        read({name: [] for name in table()})


def test_every_constructor_warns_of_copies_and_keeps_the_remark(read):
    doubled = {name: [*values, *values[:2]] for name, values in table().items()}
    with pytest.warns(jsl.JaxscaleWarning, match="2 of 8 rows are exact copies") as caught:
        runs = read(doubled)
    assert len(runs) == 8
    assert runs.remarks == (str(caught[0].message),)
    assert runs.where(runs["N"] > 1e8).remarks == runs.remarks


def test_rows_that_differ_in_their_run_are_no_copies(read):
    doubled = {name: [*values, values[0]] for name, values in table().items()}
    # a warning would be an error here
    assert read(doubled | {"run": list("abcdefg")}).remarks == ()


# -- from_columns: dtypes ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("diverged", "'diverged', which is no number"),
        ("1.3B", "'1.3B', which is no number"),
        ("", "'', which is no number"),
        ("nan", "nan"),
        (None, "nan"),
        (pd.NA, "<NA>"),
        (np.nan, "nan"),
        (-np.inf, "-inf"),
        (True, "True, which is no number"),
        (np.False_, r"np\.False_, which is no number"),
        (2.6 + 0j, r"\(2\.6\+0j\), which is no number"),
        (np.complex64(2.5), r"np\.complex64\(2\.5\+0j\), which is no number"),
        ([2.6], r"\[2\.6\], which is no number"),
    ],
    ids=repr,
)
def test_a_cell_that_is_no_number(value, seen):
    data = table()
    cells = np.asarray(data["loss"], dtype=object)
    cells[3:4] = np.array([None], dtype=object)
    cells[3] = value
    with pytest.raises(jsl.InputError, match=r"column 'loss', row 3: " + seen + DROP):
        Runs.from_columns(**table(loss=cells))


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False, True, True, False, True]),
        np.array(table()["loss"], np.complex64),
        np.array(table()["loss"], np.complex128),
        np.ma.array([True, False, True, True, False, True], mask=False),
        np.ma.array(table()["loss"], np.complex128),
        np.array(["a", "b", "c", "d", "e", "f"]),
        np.ma.array(["a", "b", "c", "d", "e", "f"]),
        np.array(["2026-01-01"] * 6, "M8[D]"),
        np.array([1, 2, 3, 4, 5, 6], "m8[s]"),
    ],
    ids=[
        "bool",
        "complex64",
        "complex128",
        "masked bool",
        "masked complex",
        "str",
        "masked str",
        "dates",
        "durations",
    ],
)
def test_a_column_of_another_kind_is_refused(values):
    with pytest.raises(
        jsl.InputError, match=r"(?s)column 'loss', row 0: .*which is no number.*6 bad rows"
    ):
        Runs.from_columns(**table(loss=values))


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2, 3, 4, 5, 6], np.int64),
        np.array([1, 2, 3, 4, 5, 6], np.uint8),
        np.array([1, 2, 3, 4, 5, 6], np.float16),
        np.array([1, 2, 3, 4, 5, 6], np.longdouble),
        np.array([1, 2.0, "3", np.int64(4), np.float16(5), "6e0"], dtype=object),
        ["1", "2", "3", "4", "5", "6"],
        (1, 2, 3, 4, 5, 6),
        range(1, 7),
        np.ma.array([1.0, 2, 3, 4, 5, 6], mask=False),
        pd.Series([1, 2, 3, 4, 5, 6], index=[9, 8, 7, 3, 2, 1]),
        pd.Series([1, 2, 3, 4, 5, 6], dtype="Int64"),
        pl.Series([1, 2, 3, 4, 5, 6]),
        pa.array([1, 2, 3, 4, 5, 6]),
    ],
    ids=lambda v: f"{type(v).__module__}.{type(v).__name__} {getattr(v, 'dtype', '')}",
)
def test_any_column_of_numbers_becomes_float64(values):
    runs = Runs.from_columns(**table(loss=values))
    assert runs["loss"].dtype == np.float64
    np.testing.assert_array_equal(runs["loss"], [1, 2, 3, 4, 5, 6])


def test_a_jax_array_is_a_column():
    np.testing.assert_allclose(
        Runs.from_columns(**table(loss=jax.numpy.asarray(table()["loss"])))["loss"],
        table()["loss"],
        rtol=1e-6,
    )


def test_int64_beyond_int32_is_exact():
    values = [10**9, 10**8, 2**53 - 1, 2**40, 10**15, 10**12]
    np.testing.assert_array_equal(
        Runs.from_columns(**table(C=np.array(values, np.int64)))["C"], values
    )


def test_float16_that_overflowed_is_refused():
    values = np.array([2.0, 3.0, np.inf, 2.5, 2.25, 2.0], np.float16)
    with pytest.raises(jsl.InputError, match=r"column 'loss', row 2: inf" + DROP):
        Runs.from_columns(**table(loss=values))


@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_masked_values_are_missing():
    values = np.ma.array(table()["loss"], mask=[0, 0, 0, 0, 1, 0])
    with pytest.raises(jsl.InputError, match=r"column 'loss', row 4: nan" + DROP):
        Runs.from_columns(**table(loss=values))
    assert Runs.from_columns(**table(loss=values), on_bad="drop").dropped == 1


def test_a_tiny_loss_is_kept():
    runs = Runs.from_columns(**replaced("loss", 1, 1e-300))
    assert runs["loss"][1] == 1e-300


def test_input_error_is_a_value_error_of_four_parts():
    assert issubclass(jsl.InputError, ValueError)
    with pytest.raises(
        ValueError, match=r"(?s)column 'D', row 5: nan\n  Usually: .+\n  Change: .+"
    ) as caught:
        Runs.from_columns(**replaced("D", 5, np.nan))
    assert caught.type is jsl.InputError


def test_the_first_bad_row_is_named_and_all_are_counted():
    data = table(N=[1e9, -1, 4e9, 3e8, -2, 8e9], loss=[2.6, 3.4, np.nan, 3.0, 2.4, 2.2])
    with pytest.raises(
        jsl.InputError, match=r"(?s)column 'N', row 1: -1.*3 bad rows in all: rows 1, 2, 4\)"
    ):
        Runs.from_columns(**data)


def test_many_bad_rows_are_counted_not_listed():
    with pytest.raises(
        jsl.InputError, match=r"(?s)50 bad rows in all: rows 0, 1, 2, 3, 4 and 45 more"
    ):
        Runs.from_columns(N=np.geomspace(1e8, 1e9, 50), loss=np.full(50, np.nan))


# -- from_columns: shapes and names --------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (table(N=[1e9, 1e8]), r"(?s)columns of different length: .*'N': 2.*'D': 6.*Change: align"),
        (table(run=["a"]), r"(?s)columns of different length: .*'run': 1.*Change: align"),
        (
            table(weights=[1.0, 2.0]),
            r"(?s)columns of different length: .*'weights': 2.*Change: align",
        ),
        (table(target="los"), r"(?s)no target column 'los'.*Did you mean 'loss'"),
        (table(units={"d": units.Tokens}), r"(?s)units for 'd', which is no column.*Change: "),
        (
            table(x=np.zeros((6, 2, 2))),
            r"(?s)column 'x' has shape \(6, 2, 2\).*Change: give \(n,\)",
        ),
        ({"N": 1e9, "loss": 2.0}, r"(?s)column 'N' has shape \(\).*Change: give \(n,\)"),
        (table(N=np.reshape(table()["N"], (6, 1))), r"(?s)column 'N'.*shape \(6, 1\).*Change:"),
        (
            table(loss=np.reshape(table()["loss"], (6, 1))),
            r"(?s)column 'loss'.*shape \(6, 1\).*Change:",
        ),
        (table(weights=np.ones((6, 2))), r"(?s)weights.*shape \(6, 2\).*Change:"),
        (
            table(shares=[[0.5, 0.5], [1.0], [0.5, 0.5], [1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]),
            r"(?s)column 'shares'.*Change:",
        ),
    ],
    ids=[
        "N",
        "run",
        "weights",
        "target",
        "units",
        "image",
        "scalar",
        "column vector",
        "target (n, 1)",
        "weights (n, 2)",
        "ragged",
    ],
)
def test_from_columns_refuses(options, message):
    with pytest.raises(jsl.InputError, match=message):
        Runs.from_columns(**options)


def test_advice_for_a_negative_weight_can_be_followed():
    with pytest.raises(jsl.InputError, match=r"'weights', row 0: -1") as caught:
        Runs.from_columns(**table(), weights=[-1.0, 1, 1, 1, 1, 1])
    # weights are no column: such units are refused
    assert "units={'weights'" not in str(caught.value)


def test_on_bad_has_two_values():
    with pytest.raises(ValueError, match=r"(?s)on_bad='ignore'.*'raise' or 'drop'"):
        Runs.from_columns(**table(), on_bad="ignore")


def test_shares_are_a_vector_column():
    shares = np.array([[0.2, 0.8], [1.0, 0.0], [0.5, 0.5], [0.3, 0.7], [0.1, 0.9], [0.6, 0.4]])
    runs = Runs.from_columns(**table(), shares=shares, units={"shares": units.Shares})
    np.testing.assert_array_equal(runs["shares"], shares)
    shares[4, 1] = 90.0
    with pytest.raises(jsl.InputError, match=r"column 'shares', row 4: 90, above 1"):
        Runs.from_columns(**table(), shares=shares, units={"shares": units.Shares})


def test_without_target_nothing_is_observed():
    runs = Runs.from_columns(N=table()["N"], target=None)
    assert runs.target is None
    assert len(runs) == 6
    assert runs.where(runs["N"] > 1e9).target is None


def test_an_unknown_column_is_a_key_error_with_advice():
    runs = Runs.from_columns(**table(), run=list("abcdef"))
    with pytest.raises(KeyError, match=r"no column 'los'.*Did you mean 'loss'"):
        runs["los"]


def test_runs_pass_through_jax_trees_with_their_notes():
    runs = Runs.from_columns(**table(), run=list("aabbcc"))
    doubled = jax.tree.map(lambda v: 2 * v, runs)
    np.testing.assert_array_equal(doubled.columns["N"], 2 * runs["N"])
    assert doubled.labels == runs.labels
    assert doubled.units == runs.units


# -- magnitudes and units ------------------------------------------------------------------------
def mixed():
    """40 runs, five of which give their tokens in billions."""
    D = np.geomspace(2e9, 2e11, 40)
    D[::8] /= 1e9
    return {"N": np.geomspace(1e8, 1e10, 40), "D": D, "loss": np.linspace(3.0, 2.0, 40)}


@pytest.mark.parametrize("on_bad", ["raise", "drop"])
def test_two_magnitudes_in_one_column_are_refused(on_bad):
    with pytest.raises(
        jsl.InputError,
        match=r"(?s)column 'D'.*rows 0, 8, 16, 24, 32 lie apart.*billions.*Change: .*'D': "
        r"units.Number",
    ):
        Runs.from_columns(**mixed(), on_bad=on_bad)


def test_rows_are_counted_in_the_table_that_was_given():
    data = mixed()
    data["loss"][1] = np.nan
    with pytest.raises(jsl.InputError, match=r"rows 0, 8, 16, 24, 32 lie apart"):
        Runs.from_columns(**data, on_bad="drop")


def test_two_magnitudes_that_are_meant():
    runs = Runs.from_columns(**mixed(), units={"D": units.Number})
    np.testing.assert_array_equal(runs["D"], mixed()["D"])


def test_a_tiny_model_size_is_another_unit():
    with pytest.raises(
        jsl.InputError, match=r"(?s)column 'N': 1e-300 and 3e\+08 with nothing between \(row 1 lie"
    ):
        Runs.from_columns(**replaced("N", 1, 1e-300))


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("D", units.billion(units.Tokens), 1e9),
        ("N", units.billion(units.Params), 1e9),
        ("N", units.scaled(units.Params, 1e6, "million parameters"), 1e6),
        ("C", units.billion(units.Flop), 1e9),
        ("C", units.PetaflopDays, 8.64e19),
    ],
)
def test_values_are_kept_in_the_unit_that_runs_says(name, unit, factor):
    """A law converts from `runs.units`: a column converted on the way in must not be said to be in
    billions still.
    """
    given = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    runs = Runs.from_columns(**table(**{name: given}), units={name: unit})
    plain = units.by_letter(name)
    np.testing.assert_allclose(
        units.convert(runs[name], runs.units[name], plain), factor * given, rtol=1e-14
    )


@pytest.mark.parametrize("name", ["N", "D"])
def test_declared_billions_become_plain(name):
    runs = Runs.from_columns(
        **table(**{name: [1, 2, 3, 4, 5, 6.5]}), units={name: units.billion(units.by_letter(name))}
    )
    np.testing.assert_allclose(runs[name], [1e9, 2e9, 3e9, 4e9, 5e9, 6.5e9])


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        (units.Bits, [3.7, 4.9, 3.3, 4.3, 18.0, 3.2]),  # 18 bits are fewer than 13 nats
        (units.Perplexity, [13.5, 30.0, 10.0, 20.0, 1e4, 9.0]),
        (units.Number, [3.7, -4.9, 0.0, 43.0, 1e9, 3.2]),
        (units.Fraction, [0.0, 1.0, 0.5, 0.25, 0.75, 0.9]),
    ],
    ids=["bits", "perplexity", "number", "fraction"],
)
def test_a_declared_target_unit_is_kept(unit, values):
    runs = Runs.from_columns(**table(loss=values), units={"loss": unit})
    np.testing.assert_array_equal(runs["loss"], values)
    assert runs.units["loss"] == units.unit_of(unit)


@pytest.mark.parametrize(
    ("name", "value", "declared", "message"),
    [
        (
            "loss",
            22.0,
            {},
            r"(?s)column 'loss', row 1: 22, above 13 nats/token.*perplexity.*units=\{'loss': "
            r"units.Perplexity\}",
        ),
        ("loss", 20.0, {"loss": units.Bits}, r"column 'loss', row 1: 20, above 18\.8 bits/token"),
        (
            "loss",
            0.0,
            {"loss": units.Perplexity},
            r"column 'loss', row 1: 0, but perplexity are > 0",
        ),
        ("loss", 1.2, {"loss": units.Fraction}, r"column 'loss', row 1: 1\.2, above 1 fraction"),
        (
            "D",
            0.0,
            {},
            r"(?s)column 'D', row 1: 0, but tokens are > 0.*never filled in.*units=\{'D': "
            r"units.Number\}",
        ),
        ("N", -2.0, {}, r"column 'N', row 1: -2, but parameters"),
        ("C", -2.0, {}, r"column 'C', row 1: -2, but FLOP are > 0"),
    ],
)
def test_a_value_that_its_unit_excludes(name, value, declared, message):
    data = table(C=[1e20] * 6) | {"loss": np.linspace(0.5, 0.6, 6)}
    data[name] = np.array(data[name], float)
    data[name][1] = value
    with pytest.raises(jsl.InputError, match=message):
        Runs.from_columns(**data, units=declared)


def test_units_come_from_letters():
    runs = Runs.from_columns(**table(lr=[1e-3] * 6))
    assert {k: u.name for k, u in runs.units.items()} == {
        "N": "parameters (total)",
        "D": "tokens",
        "loss": "nats/token",
        "lr": "number",
    }


def test_a_target_of_another_name_is_a_loss():
    data = table(final=table()["loss"])
    del data["loss"]
    runs = Runs.from_columns(**data, target="final")
    assert (runs.target_name, runs.units["final"].name) == ("final", "nats/token")
    np.testing.assert_array_equal(runs["final"], data["final"])


@pytest.mark.parametrize(("name", "unit"), [("N", units.Params), ("D", units.Tokens)])
def test_billions_without_a_unit_are_said(name, unit):
    data = table(**{name: np.array([0.1, 2, 8, 20, 200, 15_000])})
    with pytest.warns(
        jsl.JaxscaleWarning,
        match=rf"column '{name}': every run has fewer than 100,000 .*units\.billion\(",
    ):
        runs = Runs.from_columns(**data)
    assert len(runs.remarks) == 1
    assert Runs.from_columns(**data, units={name: units.Number}).remarks == ()
    declared = Runs.from_columns(**data, units={name: units.billion(unit)})
    assert len(declared.remarks) == 1
    assert "converted from billion" in declared.remarks[0]
    # one run of a real size: not all are in billions
    data[name] = np.array([99, 100, 101, 200, 300, 1e5])
    assert Runs.from_columns(**data).remarks == ()


def test_more_unique_tokens_than_tokens_are_said():
    D = table()["D"]
    assert Runs.from_columns(**table(U=D)).remarks == ()
    runs = Runs.from_columns(**table(U=[1e9, 1e9, 9e10, 1e9, 1e9, 1e9]))
    assert runs.remarks == ("row 2: more unique tokens U than tokens seen D",)
    assert Runs.from_columns(**table(U=[2 * d for d in D]), units={"U": units.Number}).remarks == ()


# -- where ---------------------------------------------------------------------------------------
def test_where_keeps_everything_of_its_rows():
    runs = Runs.from_columns(
        **table(),
        run=list("aabbcd"),
        groups={"family": list("xyxyzz")},
        weights=[1, 2, 3, 4, 5, 6],
        units={"loss": units.Bits},
    )
    part = runs.where(runs["loss"] < 2.9)
    np.testing.assert_array_equal(part["N"], [1e9, 4e9, 2e9, 8e9])
    np.testing.assert_array_equal(part["loss"], [2.6, 2.3, 2.45, 2.2])
    np.testing.assert_array_equal(part.weights, [1, 3, 5, 6])
    assert part["run"].tolist() == list("abcd")
    assert part["family"].tolist() == list("xxzz")
    assert part.labels == {"family": ("x", "z"), "run": ("a", "b", "c", "d")}
    assert part.units == runs.units
    assert (runs.clusters, part.clusters) == ("run", None)
    assert len(runs) == 6  # the first table is unchanged


def test_where_takes_lists_and_series():
    runs = Runs.from_columns(**table())
    for mask in ([True, False] * 3, pd.Series([True, False] * 3, index=range(10, 16))):
        np.testing.assert_array_equal(runs.where(mask)["N"], [1e9, 4e9, 2e9])


@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_where_keeps_the_count_of_dropped_rows():
    runs = Runs.from_columns(**replaced("loss", 0, np.nan), on_bad="drop")
    assert runs.where(runs["N"] > 1e9).dropped == 1


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([True] * 5, r"(?s)shape \(5,\) for 6 rows.*Change: give one true or false per row"),
        ([0, 1, 2], r"(?s)dtype int64 and shape \(3,\) for 6 rows.*Change:"),
        ([1, 1, 1, 0, 0, 0], r"(?s)dtype int64.*Change: give one true or false"),
        (np.ones((6, 1), bool), r"(?s)shape \(6, 1\) for 6 rows.*Change:"),
        ([False] * 6, r"(?s)none of 6 rows left.*Change: the condition"),
    ],
)
def test_where_refuses(mask, message):
    with pytest.raises(jsl.InputError, match=message):
        Runs.from_columns(**table()).where(mask)


# -- from_csv ------------------------------------------------------------------------------------
def csv_text(tmp_path, text, **options):
    (tmp_path / "sweep.csv").write_text(text, encoding="utf-8")
    return Runs.from_csv(tmp_path / "sweep.csv", **options)


RENAMED = (
    "name,params,tokens,final_loss,note\n"
    "r1,1e8,2e9,3.4,ok\nr2,1e9,2e10,2.6,\nr3,4000000000,8e10,2.3,nan\n"
)


def test_csv_renames(tmp_path):
    runs = csv_text(tmp_path, RENAMED, N="params", D="tokens", target="final_loss", run="name")
    assert set(runs.columns) == {"N", "D"}
    np.testing.assert_array_equal(runs["N"], [1e8, 1e9, 4e9])
    np.testing.assert_array_equal(runs["final_loss"], [3.4, 2.6, 2.3])
    assert runs["run"].tolist() == ["r1", "r2", "r3"]
    assert runs.units["final_loss"].name == "nats/token"
    # a path as text
    assert (
        Runs.from_csv(str(tmp_path / "sweep.csv"), N="params", target="final_loss")["N"][2] == 4e9
    )


def test_csv_renames_the_target_too(tmp_path):
    runs = csv_text(tmp_path, RENAMED, N="params", D="tokens", loss="final_loss")
    np.testing.assert_array_equal(runs["loss"], [3.4, 2.6, 2.3])


def test_a_renamed_target_is_not_read_from_its_namesake(tmp_path):
    runs = csv_text(tmp_path, "N,loss,final\n1e8,9,3.4\n1e9,8,2.6\n", N="N", loss="final")
    np.testing.assert_array_equal(runs["loss"], [3.4, 2.6])


def test_csv_without_names_reads_every_column_of_numbers_and_says_what_it_left(tmp_path):
    runs = csv_text(tmp_path, RENAMED, target="final_loss")
    assert set(runs.columns) == {"params", "tokens"}
    assert len(runs.remarks) == 1
    assert runs.remarks[0].endswith(": name, note")


MIXED = "web,code,books,loss\n0.5,0.3,0.2,3.4\n0.2,0.2,0.6,2.6\n1,0,0,2.5\n"


@pytest.mark.parametrize("names", [["web", "code", "books"], ("books", "web")])
def test_several_columns_make_one_vector(tmp_path, names):
    runs = csv_text(tmp_path, MIXED, r=names, units={"r": units.Shares})
    frame = Runs.from_frame(pl.read_csv(tmp_path / "sweep.csv"), r=names, units={"r": units.Shares})
    shares = {"web": [0.5, 0.2, 1.0], "code": [0.3, 0.2, 0.0], "books": [0.2, 0.6, 0.0]}
    for table in (runs, frame):
        assert set(table.columns) == {"r"}
        np.testing.assert_array_equal(table["r"], np.stack([shares[n] for n in names], axis=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r": ["web", "cod"]}, r"(?s)no column 'cod' in the table.*Did you mean 'code'"),
        ({"r": ["web"]}, r"(?s)r=\['web'\]: two or more columns expected.*Change: r="),
        ({"r": []}, r"r=\[\]: two or more columns expected"),
        ({"loss": ["web", "loss"]}, r"loss=\['web', 'loss'\]: one column expected"),
        ({"r": ["web", "code"], "run": ["web", "code"]}, r"run=.*: one column expected"),
        ({"r": ["web", "loss"], "units": {"r": units.Shares}}, r"column 'r', row 0: 3\.4, above 1"),
    ],
)
def test_vectors_that_cannot_be_read(tmp_path, options, message):
    with pytest.raises(jsl.InputError, match=message):
        csv_text(tmp_path, MIXED, **options)


def test_csv_ignores_what_stands_in_columns_it_was_not_asked_for(tmp_path):
    runs = csv_text(
        tmp_path, "N,D,loss,mmlu\n1e8,2e9,3.4,nan\n1e9,2e10,2.6,crashed\n", columns=["N"]
    )
    assert (set(runs.columns), runs.dropped) == ({"N"}, 0)


def test_csv_reads_run_and_step_where_they_exist(tmp_path):
    text = (
        "N,D,loss,step,run,seed\n1e8,2e9,3.4,100,a,1\n1e8,4e9,3.1,200,a,1\n1e9,2e10,2.6,100,b,1\n"
    )
    runs = csv_text(tmp_path, text, N="N", D="D")
    assert set(runs.columns) == {"N", "D", "step"}
    np.testing.assert_array_equal(runs["step"], [100, 200, 100])
    assert runs.clusters == "run"


def test_csv_as_spreadsheets_write_it(tmp_path):
    """Byte-order mark, spaces in the header, quotes, Windows line ends, empty lines."""
    path = tmp_path / "sheet.csv"
    path.write_bytes(b'\xef\xbb\xbfN, loss ,"note"\r\n"1e8",3.4,"a, b"\r\n\r\n 1e9 ,2.6,\r\n')
    runs = Runs.from_csv(path, columns=["N"])
    np.testing.assert_array_equal(runs["N"], [1e8, 1e9])
    np.testing.assert_array_equal(runs["loss"], [3.4, 2.6])


def test_a_weight_column_does_not_replace_another_column(tmp_path):
    """`weights` names a column; another one that happens to be called weights stays a column like
    any other.
    """
    runs = csv_text(tmp_path, "N,loss,weights,w\n1e8,3.4,5,1\n1e9,2.6,6,2\n", weights="w")
    np.testing.assert_array_equal(runs.weights, [1, 2])
    np.testing.assert_array_equal(runs["weights"], [5, 6])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, r"(?s)sweep\.csv is empty.*Change: the file"),
        ("\n\n", {}, r"(?s)sweep\.csv is empty.*Change: the file"),
        ("N,loss\n", {}, r"(?s)no rows.*Change:"),
        ("N,loss,N\n1,2,3\n", {}, r"(?s)two columns are called 'N'.*Change: rename"),
        ("N,N ,loss\n1,2,3\n", {}, r"(?s)two columns are called 'N'.*Change: rename"),
        ("N,loss\n1e8,3\n1e9,2,7\n", {}, r"(?s)row 1 has 3 cells, the header has 2.*Change: quote"),
        ("N,loss\n1e8,3\n1e9\n", {}, r"(?s)row 1 has 1 cells, the header has 2.*Change: quote"),
        ("N;loss\n1e8;3\n", {}, r"(?s)no column 'loss' in the table.*'N;loss'"),
        (
            "N,losses\n1e8,3\n",
            {},
            r"(?s)no column 'loss' in the table.*Change: Did you mean 'losses'",
        ),
        (
            RENAMED,
            {"N": "param", "target": "final_loss"},
            r"(?s)no column 'param' in the table.*Did you mean 'params'",
        ),
        (RENAMED, {"target": "final_loss", "weights": "w"}, r"no column 'w' in the table"),
        (
            RENAMED,
            {"target": "final_loss", "groups": ["family"]},
            r"no column 'family' in the table",
        ),
        ("N,loss\n1e8,3\n1e9,\n", {"N": "N"}, r"column 'loss', row 1: nan" + DROP),
        (
            "N,loss\n1e8,3\n\n1.3B,2\n",
            {"N": "N"},
            r"column 'N', row 1: '1\.3B', which is no number" + DROP,
        ),
    ],
)
def test_csv_refuses(tmp_path, text, options, message):
    with pytest.raises(jsl.InputError, match=message):
        csv_text(tmp_path, text, **options)


# -- from_frame ----------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_pandas_nullable_integers():
    frame = pd.DataFrame(
        table()
        | {"N": pd.array([10**9, None, 4 * 10**9, 3 * 10**8, None, 8 * 10**9], dtype="Int64")}
    )
    with pytest.raises(
        jsl.InputError,
        match=r"(?s)column 'N', row 1: nan.*missing value.*on_bad='drop'.*2 bad rows in all: "
        r"rows 1, 4",
    ):
        Runs.from_frame(frame, columns=["N", "D"])
    runs = Runs.from_frame(frame, columns=["N", "D"], on_bad="drop")
    assert runs.dropped == 2
    np.testing.assert_array_equal(runs["N"], [1e9, 4e9, 3e8, 8e9])


@pytest.mark.parametrize(
    "dtype",
    ["Int64", "Float64", "int64[pyarrow]", "double[pyarrow]", "object", "float32", "category"],
)
def test_pandas_dtypes(dtype):
    N = [1_000_000, 200, 300, 400, 500, 600]
    frame = pd.DataFrame(table()).assign(N=pd.Series(N, dtype=dtype))
    runs = Runs.from_frame(frame, columns=["N", "D"])
    assert runs["N"].dtype == np.float64
    np.testing.assert_array_equal(runs["N"], N)


def test_pandas_text_that_is_numbers():
    """MLflow exports parameters as text."""
    frame = pd.DataFrame(table()).assign(N=["1e9", "100000000", " 4e9", "3e8", "2e9", "8e9"])
    np.testing.assert_array_equal(Runs.from_frame(frame)["N"], table()["N"])


def test_pandas_rows_are_counted_by_position():
    frame = pd.DataFrame(table(), index=[40, 41, 42, 43, 44, 45]).assign(
        loss=[2.6, 3.4, 2.3, np.nan, 2.4, 2.2]
    )
    with pytest.raises(jsl.InputError, match=r"column 'loss', row 3: nan" + DROP):
        Runs.from_frame(frame)


@pytest.mark.parametrize("dtype", ["object", "string", "category", "str"])
def test_pandas_labels_and_missing_labels(dtype):
    labels = pd.Series(["b", "a", "b", "a", "b", "a"], dtype=dtype)
    frame = pd.DataFrame(table()).assign(family=labels)
    assert Runs.from_frame(frame, groups=["family"]).labels["family"] == ("a", "b")
    frame["family"] = labels.where([True, True, False, True, True, True])
    with pytest.raises(
        jsl.InputError, match=r"(?s)group 'family', row 2: no label.*Change: add it or drop"
    ):
        Runs.from_frame(frame, groups=["family"])


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"]
)
def test_frames_rename_and_leave_unused_columns_alone(make):
    data = {
        "params": [1e8, 1e9, 4e9],
        "tokens": [2, 20, 80],
        "final": [3.4, 2.6, 2.3],
        "mmlu": [0.3, float("nan"), None],
        "name": ["a", "a", "b"],
        "done": [True, False, True],
    }
    declared = {"D": units.billion(units.Tokens)}
    runs = Runs.from_frame(
        make(data), N="params", D="tokens", target="final", run="name", units=declared
    )
    assert set(runs.columns) == {"N", "D"}
    np.testing.assert_allclose(runs["D"], [2e9, 2e10, 8e10])
    assert (runs.clusters, runs.dropped, runs.remarks) == (
        "run",
        0,
        ("D converted from billion tokens",),
    )
    every = Runs.from_frame(make(data), target="final")
    assert set(every.columns) == {"params", "tokens"}
    assert every.remarks[0].endswith(": mmlu, name, done")


def test_polars_and_pyarrow_nulls_are_missing():
    data = table(N=[10**9, None, 4 * 10**9, 3 * 10**8, 2 * 10**9, 8 * 10**9])
    for frame in (pl.DataFrame(data), pa.table(data)):
        with pytest.raises(jsl.InputError, match=r"column 'N', row 1: nan" + DROP):
            Runs.from_frame(frame, columns=["N", "D"])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table(), r"(?s)from_frame: dict cannot be read.*Change: .*from_columns"),
        (np.zeros((3, 2)), r"(?s)from_frame: ndarray cannot be read.*Change:"),
        (None, r"(?s)from_frame: NoneType cannot be read.*Change:"),
        (pd.Series([1.0, 2.0]), r"(?s)from_frame: Series cannot be read.*Change:"),
        (pl.LazyFrame(table()), r"(?s)from_frame: LazyFrame cannot be read.*Change:"),
        (
            pd.DataFrame([[1e8, 1e9, 3.0]], columns=["N", "N", "loss"]),
            r"(?s)cannot be read.*'N'.*Usually: .*share a name",
        ),
        (pd.DataFrame(), r"(?s)no column 'loss'"),
    ],
    ids=["dict", "array", "None", "series", "lazy", "duplicate", "empty"],
)
def test_frames_that_cannot_be_read(frame, message):
    with pytest.raises(jsl.InputError, match=message):
        Runs.from_frame(frame)


# -- size ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [dict, pl.DataFrame], ids=["columns", "polars"])
def test_a_million_rows_within_seconds(make):
    n, rng = 10**6, np.random.default_rng(0)
    data = {
        "N": 10 ** rng.uniform(7, 10, n),
        "D": 10 ** rng.uniform(9, 12, n),
        "loss": rng.uniform(2, 4, n),
    }
    made, start = make(data), time.process_time()
    runs = Runs.from_columns(**made) if make is dict else Runs.from_frame(made, columns=["N", "D"])
    part = runs.where(runs["loss"] < 3)
    assert time.process_time() - start < 30
    assert len(runs) == n
    assert 0 < len(part) < n
    np.testing.assert_array_equal(runs["D"], data["D"])


def test_a_unit_given_by_name_is_refused():
    with pytest.raises(jsl.InputError, match=r"'billion' is no unit"):
        jsl.Runs.from_columns(D=[1.0, 2.0], loss=[3.0, 2.5], units={"D": "billion"})


# -- what is dropped, and what is not what it seems ----------------------------------------------
BLANK = "N,D,loss\n1e8,2e9,3.1\n\n,2e10,2.6\n2e9,7B,2.4\n4e9,8e10,2.3\n"


def test_dropped_rows_are_told_at_once_with_line_cell_and_reason(tmp_path):
    """Columns that nobody asked for by name obey on_bad too; the line is that of the file, blank
    lines counted.
    """
    said = ("row 1 (line 4 of sweep.csv): N is missing", "row 2 (line 5 of sweep.csv): D is '7B'")
    with pytest.warns(
        jsl.JaxscaleWarning, match=r"2 of 4 rows left out: row 1 \(line 4.*row 2 \(line 5"
    ):
        runs = csv_text(tmp_path, BLANK, on_bad="drop")
    assert (len(runs), runs.dropped, runs.dropped_rows) == (2, 2, said)
    assert runs.place(1) == runs.where(runs["N"] > 1e9).place(0) == "row 3 (line 6 of sweep.csv)"
    with pytest.raises(jsl.InputError, match=r"column 'N', row 1: nan \(line 4 of sweep\.csv\)"):
        csv_text(tmp_path, BLANK)


@pytest.mark.parametrize("name", ["N", "D", "C"])
def test_the_largest_run_is_dropped_only_by_name(name):
    data = table(C=np.asarray(table()["N"]) * table()["D"])
    top = int(np.argmax(data[name]))
    data["loss"] = list(data["loss"])
    data["loss"][top] = np.nan
    with pytest.raises(
        jsl.InputError,
        match=rf"row {top} has the largest \w, .*on_bad=\[{top}\]|row {top} has the largest",
    ):
        Runs.from_columns(**data, on_bad="drop")
    with pytest.warns(
        jsl.JaxscaleWarning, match=f"1 of 6 rows left out: row {top}: loss is missing"
    ):
        assert len(Runs.from_columns(**data, on_bad=[top])) == 5
    with pytest.raises(jsl.InputError, match=f"column 'loss', row {top}: nan"):
        Runs.from_columns(**data, on_bad=[0 if top else 1])


def test_a_column_that_was_not_read_is_named_by_the_fit(tmp_path):
    text = (
        "N,D,lr,loss\n"
        + "".join(f"{n:g},{20 * n:g},{0.1 / n:g},3\n" for n in (1e8, 1e9, 2e9))
        + "4e9,8e10,,2.3\n"
    )
    runs = csv_text(tmp_path, text)

    @jsl.law
    def decay(lr, *, E=jsl.positive(0.5, 3)):
        return E + lr

    with pytest.raises(
        jsl.InputError, match=r"(?s)'lr'.*not read: row 3 \(line 5 of sweep\.csv\) of it is blank"
    ):
        jsl.fit(decay, runs, starts=8)


@pytest.mark.parametrize("unit", [1e9, None, float, [units.Tokens], "tokens"])
def test_what_is_no_unit_is_refused(unit):
    with pytest.raises(jsl.InputError, match=r"(?s)units for 'D': .* is no unit.*units\.Number"):
        Runs.from_columns(**table(), units={"D": unit})


@pytest.mark.parametrize(
    "times",
    [
        np.array(["2024-01-01"] * 6, "datetime64[ns]"),
        np.arange(6).astype("timedelta64[ns]"),
        pd.to_datetime(["2024-01-01"] * 6),
    ],
    ids=["times", "spans", "pandas"],
)
def test_times_are_no_numbers(times):
    with pytest.raises(jsl.InputError, match=r"column 'when', row 0: .*no number"):
        Runs.from_columns(**table(), when=times)


@pytest.mark.parametrize(
    "labels",
    [
        np.ma.masked_array(list("aabbcc"), mask=[0, 0, 1, 0, 0, 0]),
        [*"aa", pd.NaT, *"bcc"],
        [*"aa", pd.NA, *"bcc"],
        np.array(["2024"] * 2 + ["NaT"] + ["2025"] * 3, "datetime64[D]"),
    ],
    ids=["masked", "NaT", "NA", "numpy NaT"],
)
def test_missing_labels_of_every_kind_are_missing(labels):
    with pytest.raises(jsl.InputError, match="group 'family', row 2: no label"):
        Runs.from_columns(**table(), groups={"family": labels})


def test_the_index_of_a_frame_is_read():
    frame = pd.DataFrame(
        {"N": [1e8, 1e8, 1e9, 1e9], "D": [2e9, 2e9, 2e10, 2e10], "loss": [3.1, 3.2, 2.6, 2.7]}
    )
    runs = Runs.from_frame(frame.groupby(["N", "D"])[["loss"]].mean())
    assert set(runs.columns) == {"N", "D"}
    np.testing.assert_allclose(runs["loss"], [3.15, 2.65])
    with pytest.raises(jsl.InputError, match="header has 2 levels"):
        Runs.from_frame(frame.groupby(["N", "D"]).agg({"loss": ["mean", "std"]}))
    with pytest.raises(jsl.InputError, match="'N' is a column and in the index"):
        Runs.from_frame(frame.set_index("N", drop=False))


def test_columns_without_a_name_or_with_the_same_are_left_out_unless_asked_for(tmp_path):
    runs = csv_text(
        tmp_path, "N,D,loss,note,note,,\n1e8,2e9,3.1,a,b,,\n1e9,2e10,2.6,a,b,,\n", N="N", D="D"
    )
    assert runs.remarks == ("two columns are called 'note': not read",)
    with pytest.raises(jsl.InputError, match="two columns are called 'loss'"):
        csv_text(tmp_path, "N,loss,loss\n1e8,3.1,3\n", N="N")


def test_a_step_that_is_there_twice_is_told():
    step = [100, 200, 300, 400, 300, 400, 500]
    loss = [3.5, 3.2, 3.05, 7.9, 3.0, 2.9, 2.8]
    runs = Runs.from_columns(D=np.array(step) * 1e6, step=step, run=["a"] * 7, loss=loss)
    assert runs.remarks[0].startswith(
        "2 steps are there twice (rows 2 and 4; 3 and 5), the first of them step 300 of run a"
    )


def test_a_score_that_is_read_as_a_loss_is_told():
    with pytest.warns(
        jsl.JaxscaleWarning,
        match=r"target 'accuracy' is read as a loss in nats/token.*Fraction.*units\.Number",
    ):
        Runs.from_columns(N=[1e8, 1e9], accuracy=[0.3, 0.5], target="accuracy")
    assert not Runs.from_columns(
        N=[1e8, 1e9], accuracy=[0.3, 0.5], target="accuracy", units={"accuracy": units.Fraction}
    ).remarks


def test_compute_that_is_not_6ND_is_told():
    data = table()
    C = 7.8 * np.asarray(data["N"]) * data["D"]
    assert (
        Runs.from_columns(**data, C=C).remarks[0].startswith("column C is 1.3 to 1.3 times 6 N D")
    )


def test_a_law_checks_the_support_that_it_declares():
    """A negative x under a fractional power is no number: the row is named before anything is
    fitted.
    """
    x = [-1.0, 1, 2, 4, 9, 16]
    runs = Runs.from_columns(x=x, loss=[3.0, 2.1, 1.9, 1.7, 1.5, 1.4])
    with pytest.raises(
        jsl.InputError, match=r"column 'x', row 0: -1, but power_law declares x > 0"
    ):
        jsl.fit(jsl.laws.power_law, runs, starts=8)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_files_in_other_encodings_are_refused_by_name(tmp_path, encoding):
    (tmp_path / "u.csv").write_bytes("N,loss,größe\n1e8,3.1,1\n".encode(encoding))
    with pytest.raises(jsl.InputError, match=r"u\.csv is no CSV file in UTF-8"):
        Runs.from_csv(tmp_path / "u.csv")


def test_odd_columns_of_a_frame_are_read_or_left_out(tmp_path):
    frame = pd.DataFrame({**table(), "sha": [10**350] * 6, 7: [1.0] * 6})
    assert set(Runs.from_frame(frame).columns) == {"N", "D", "7"}
    with pytest.raises(jsl.InputError, match=r"groups=\['family'\]"):
        Runs.from_columns(**table(), groups=["family"])
    assert csv_text(tmp_path, "N,D\n1e8,2e9\n", target=None).target is None


def test_a_warning_points_at_the_line_that_called():
    with pytest.warns(jsl.JaxscaleWarning, match="exact copies") as caught:
        Runs.from_columns(N=[1e8, 1e8], loss=[3.0, 3.0])
    assert caught[0].filename == __file__
