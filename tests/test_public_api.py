"""One list of public names; cheap to import; changes no setting of JAX."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxscale as jsl

INIT = Path(jsl.__file__)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def typed_names():
    """Names that type checkers see: the imports under `if TYPE_CHECKING`."""
    tree = ast.parse(INIT.read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    names = {}
    for node in block.body:
        for alias in node.names:
            assert alias.asname == alias.name, "the form `X as X` is what makes a name public"
            names[alias.asname] = node.module
    return names


def test_the_lazy_table_is_the_typed_list():
    lazy = dict.fromkeys(jsl._SPACES) | jsl._NAMES
    assert lazy == typed_names()
    assert set(jsl.__all__) == set(lazy)
    assert set(jsl.__all__) <= set(dir(jsl))
    for name in jsl.__all__:
        assert getattr(jsl, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        jsl.nonsense  # noqa: B018


def test_importing_alone_does_not_import_jax():
    out = run("import sys, jaxscale; assert 'jax' not in sys.modules and 'numpy' not in sys.modules")
    assert out.returncode == 0, out.stderr
    out = run(
        "import sys; sys.argv = ['jaxscale', '--help']\nfrom jaxscale.cli import main\n"
        "try: main()\nexcept SystemExit: pass\nassert 'jax' not in sys.modules"
    )
    assert out.returncode == 0, out.stderr
    assert "demo" in out.stdout


def test_touching_every_name_is_cheap_and_changes_nothing():
    """Less CPU than jax and optax themselves (the best of three processes: others may be busy), and no optional package."""
    code = """
import sys, time
begin = time.process_time()
import jax, optax
before = dict(jax.config.values)
start = time.process_time()
import jaxscale
for name in jaxscale.__all__:
    if name != "plots":
        getattr(jaxscale, name)
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
    good.write_text("import jaxscale as jsl\nprint(jsl.fit, jsl.laws, jsl.positive(1, 2))\n")
    bad.write_text("import jaxscale as jsl\nprint(jsl.fitt)\n")
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


def test_every_public_callable_has_a_docstring_with_an_example():
    for name in jsl.__all__:
        thing = getattr(jsl, name)
        assert thing.__doc__, name
        if name in (
            "fit",
            "bootstrap",
            "interval",
            "allocate",
            "report",
            "law",
            "positive",
            "negative",
            "real",
            "between",
            "simplex",
            "unit",
        ):
            assert ">>>" in thing.__doc__, name
