"""One list of public names; cheap to import; changes no setting of JAX."""

import ast
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest

import jaxscale as jsl

ROOT = Path(jsl.__file__).parent
# A newcomer reads these: all else is in the namespace of its room, or a method.
NAMES = [
    "law",
    "Law",
    "positive",
    "negative",
    "real",
    "between",
    "unit",
    "simplex",
    "Runs",
    "fit",
    "bootstrap",
    "interval",
    "allocate",
    "report",
    "compare",
    "design",
    "forecast",
    "chain",
    "simulate",
    "Fit",
    "Ensemble",
    "Fits",
    "Interval",
    "Allocation",
    "Status",
    "Forecast",
    "InputError",
    "JaxscaleWarning",
    "cache",
]
# show names of their files, loaded lazily
ROOMS = ("chains", "forecasts", "plans", "selection", "uncertainty")
SPACES = (
    "costs",
    "datasets",
    "laws",
    "objectives",
    "plots",
    "schedules",
    "solvers",
    "units",
    *ROOMS,
)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def typed_names(package):
    """Names that type checkers see, and their file from the top: the imports under `if
    TYPE_CHECKING`.
    """
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    names = {}
    for node in block.body:
        for alias in node.names:
            assert alias.asname == alias.name, "the form `X as X` is what makes a name public"
            names[alias.asname] = ".".join(filter(None, [package * (node.level == 1), node.module]))
    return names


def test_the_top_is_what_a_newcomer_reads():
    assert sorted(jsl._NAMES) == sorted(NAMES)
    assert sorted(jsl._SPACES) == sorted(SPACES)
    assert len(jsl._NAMES) <= 30


@pytest.mark.parametrize("package", ["", *ROOMS])
def test_the_lazy_table_is_the_typed_list(package):
    space = getattr(jsl, package) if package else jsl
    lazy = dict.fromkeys(getattr(space, "_SPACES", ()), "") | space._NAMES
    assert lazy == typed_names(package)
    assert set(space.__all__) == set(lazy)
    assert set(space.__all__) <= set(dir(space))
    for name in space.__all__:
        assert getattr(space, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        space.nonsense  # noqa: B018


def test_a_name_has_one_place():
    """One form per verb: what a room shows is not at the top as well, nor in another room."""
    shown = [*jsl._NAMES, *(name for room in ROOMS for name in getattr(jsl, room)._NAMES)]
    assert len(shown) == len(set(shown))


def test_importing_alone_does_not_import_jax():
    rooms = ", ".join(f"jaxscale.{room}" for room in ROOMS)
    out = run(
        f"import sys, jaxscale, {rooms}; assert 'jax' not in sys.modules and 'numpy' not in "
        f"sys.modules"
    )
    assert out.returncode == 0, out.stderr
    out = run(
        "import sys; sys.argv = ['jaxscale', '--help']\nfrom jaxscale.cli import main\n"
        "try: main()\nexcept SystemExit: pass\nassert 'jax' not in sys.modules"
    )
    assert out.returncode == 0, out.stderr
    assert "demo" in out.stdout


def test_touching_every_name_is_cheap_and_changes_nothing():
    """Less CPU than jax and optax themselves (the best of three processes: others may be busy), and
    no optional package.
    """
    code = """
import sys, time
begin = time.process_time()
import jax, optax
before = dict(jax.config.values)
start = time.process_time()
import jaxscale
for name in jaxscale.__all__:
    if name != "plots":
        space = getattr(jaxscale, name)
        for own in getattr(space, "_NAMES", ()):
            getattr(space, own)
share = (time.process_time() - start) / (start - begin)
assert dict(jax.config.values) == before
print(share, {"matplotlib", "chex", "optimistix", "pandas", "pooch"} & set(sys.modules))
"""
    shares = []
    for _ in range(3):
        out = run(code)
        assert out.returncode == 0, out.stderr
        value, rest = out.stdout.split(maxsplit=1)
        shares.append(float(value))
        assert rest.strip() == "set()"
    assert min(shares) <= 1.0


def test_mypy_knows_the_names(tmp_path):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(
        "import jaxscale as jsl\nprint(jsl.fit, jsl.laws, jsl.positive(1, 2), jsl.plans.isoflop)\n"
    )
    bad.write_text("import jaxscale as jsl\nprint(jsl.fitt, jsl.plans.isoflops)\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--follow-imports=silent",
        "--ignore-missing-imports",
        "--cache-dir",
        str(tmp_path / "c"),
    ]
    assert subprocess.run([*command, str(good)], capture_output=True, text=True).returncode == 0
    found = subprocess.run([*command, str(bad)], capture_output=True, text=True)
    assert found.returncode == 1
    assert 'has no attribute "fitt"' in found.stdout
    assert 'has no attribute "isoflops"' in found.stdout


def test_every_public_callable_has_a_docstring_with_an_example():
    verbs = {
        **dict.fromkeys(jsl.__all__, jsl),
        **{n: getattr(jsl, r) for r in ROOMS for n in getattr(jsl, r).__all__},
    }
    # "take the same"
    likewise = {
        n for n in vars(jsl.selection._methods) if "_parameter" in n and n != "three_parameter"
    }
    for name, space in verbs.items():
        thing = getattr(space, name)
        assert thing.__doc__, name
        if isinstance(thing, types.FunctionType) and name not in likewise:
            assert ">>>" in thing.__doc__, name


# Words that meant several things once: what they mean now is said beside them, and where they may
# stand.
WORDS = {
    "within": {"best"},  # a share of the best
    "scale": set(),  # `size` orders runs, `noise_prior` is one
    "size": {"compare"},  # a column, or a function of the runs
    "loss": {"with_helper"},  # a loss; shares are slacks
    # what is asked is positive: symmetric in its logarithm
    "log": {"interval", "profile_likelihood"},
    "cell": {"best", "noise_floor"},  # columns that are equal in rows that belong together
    "per": {"with_helper"},  # one for each label, as in law.per
    # clusters
    "by": {
        "bootstrap",
        "chain",
        "covariance",
        "forecast",
        "influence",
        "interval",
        "prediction_interval",
        "recipes",
    },
}


def test_an_argument_means_one_thing():
    found = {word: set() for word in WORDS}
    spaces = [jsl, *(getattr(jsl, s) for s in (*ROOMS, "plots", "schedules", "datasets"))]
    calls = [
        (n, getattr(s, n))
        for s in spaces
        for n in getattr(s, "__all__", vars(s))
        if not n.startswith("_")
    ]
    nouns = (
        jsl.Allocation,
        jsl.Forecast,
        jsl.Runs,
        jsl.Law,
        jsl.Fit,
        jsl.chains.Chain,
        jsl.uncertainty.NoiseFloor,
    )
    calls += [(n, f) for noun in nouns for n, f in vars(noun).items() if not n.startswith("_")]
    for name, call in calls:
        if isinstance(call, types.FunctionType):
            for word in found.keys() & inspect.signature(call).parameters:
                found[word].add(name)
    assert found == WORDS
    assert next(iter(inspect.signature(jsl.interval).parameters)) == "fit"
