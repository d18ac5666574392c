"""Everything that is shown runs: README, docstrings, notebooks, benchmarks, the demo; and what it
prints is checked.
"""

import doctest
import importlib
import io
import json
import os
import pkgutil
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import jaxscale

ROOT = Path(__file__).parent.parent
MODULES = [m.name for m in pkgutil.walk_packages(jaxscale.__path__, "jaxscale.")]


def same(printed, shown):
    """Equal words; numbers equal to 2 per mille (the last digits may differ between versions of
    JAX).
    """
    number = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
    assert number.sub("#", printed).split() == number.sub("#", shown).split()
    for a, b in zip(number.findall(printed), number.findall(shown), strict=True):
        assert float(a.replace(",", "")) == pytest.approx(float(b.replace(",", "")), rel=2e-3), (
            a,
            b,
        )


def same_parts(printed, shown):
    """As `same`, where a line `...` stands for lines that are not shown."""
    lines = printed.splitlines()
    for part in re.split(r"^\.\.\.\n", shown, flags=re.M):
        own = part.splitlines()
        words = re.sub(r"[\d.,e+-]+", "#", own[0]).split()
        first = next(
            i for i, line in enumerate(lines) if re.sub(r"[\d.,e+-]+", "#", line).split() == words
        )
        same("\n".join(lines[first : first + len(own)]), part)
        lines = lines[first + len(own) :]


PAGES = [
    "README",
    *(
        f"docs/{n}"
        for n in ("choosing", "finding-laws", "forecasts", "intervals", "jobs", "plans", "recipes")
    ),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_as_printed(page):
    blocks = re.findall(
        r"```python\n(.*?)```\n(?:```text\n(.*?)```)?",
        (ROOT / f"{page}.md").read_text(),
        flags=re.S,
    )
    assert blocks
    scope = {"__name__": "page"}
    for code, shown in blocks:
        out = io.StringIO()
        with redirect_stdout(out):
            exec(compile(code, page, "exec"), scope)
        same_parts(out.getvalue(), shown) if "\n...\n" in shown else same(out.getvalue(), shown)


def test_the_readme_is_a_page():
    """One screen, then links: at most 200 lines, and every page that it names is there."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / f"{page}.md").read_text())
    ]
    assert {link for page, link in links if page == "README" and link.startswith("docs/")} >= {
        f"{p}.md" for p in PAGES[1:]
    }
    for page, link in links:
        assert ((ROOT / page).parent / link).exists(), (page, link)


@pytest.mark.parametrize("name", [m for m in MODULES if m != "jaxscale.cli"])
def test_docstring_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0


def test_examples_of_laws():
    """Of laws only: the examples of rules are those of their module."""
    from jaxscale import laws

    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for name in laws.__all__:
        law = getattr(laws, name)
        if isinstance(law, jaxscale.Law):
            for case in finder.find(
                law.function, name, globs={"np": np, **{k: getattr(laws, k) for k in laws.__all__}}
            ):
                assert case.examples, f"{name} has no example"
                runner.run(case)
    assert runner.summarize().failed == 0


def test_the_page_of_laws_is_what_the_laws_say(tmp_path):
    """And its way from a sweep to a fitted law, run as printed, finds the law that made
    the sweep.
    """
    done = subprocess.run(
        [sys.executable, "docs/catalogue.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (code,) = re.findall(
        r"From a sweep.*?```python\n(.*?)```", (ROOT / "docs" / "laws.md").read_text(), flags=re.S
    )
    assert len(code.strip().splitlines()) <= 4
    law = jaxscale.laws.sparse_moe.published["abnar2025"]
    rng = np.random.default_rng(0)
    n, d, s = (
        np.exp(rng.uniform(17, 24, 160)),
        np.exp(rng.uniform(21, 27, 160)),
        rng.uniform(0, 0.98, 160),
    )
    loss = law(n, d, s) * np.exp(0.002 * rng.standard_normal(160))
    rows = "\n".join(
        ",".join(map(repr, map(float, row))) for row in zip(n, d, s, loss, strict=True)
    )
    (tmp_path / "moe.csv").write_text(f"params,tokens,sparsity,loss\n{rows}\n")
    out, scope = io.StringIO(), {"jsl": jaxscale}
    with redirect_stdout(out):
        exec(compile(code.replace("moe.csv", str(tmp_path / "moe.csv")), "laws.md", "exec"), scope)
    assert "sparse_moe(N, D, S;" in out.getvalue()
    near = scope["fit"].law(n, d, s) / law(n, d, s) - 1
    assert np.sqrt(np.mean(near**2)) < 0.002


@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.stem
)
def test_notebooks(notebook):
    env = {**os.environ, "SMALL": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(notebook)], capture_output=True, text=True, env=env, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "capped" in done.stdout


def test_every_benchmark_can_be_imported():
    """The long ones are not run here; a name that has moved shows all the same."""
    names = sorted(p.stem for p in (ROOT / "benchmarks").glob("*.py") if not p.stem.startswith("_"))
    code = (
        "import importlib, sys; sys.path.insert(0, 'benchmarks'); [importlib.import_module(n) "
        "for n in sys.argv[1:]]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_benchmark_of_refits():
    done = subprocess.run(
        [sys.executable, "benchmarks/bootstrap.py", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert {"jaxscale", "optimistix.BFGS under vmap", "scipy as in Epoch's script"} <= {
        r["method"] for r in records
    }
    for record in records:
        assert {"method", "seconds", "compile_seconds", "worst_gap"} <= set(record)
    assert next(r for r in records if r["method"] == "jaxscale")["worst_gap"] <= 1e-8


def test_the_benchmark_of_plans():
    done = subprocess.run(
        [sys.executable, "benchmarks/allocate.py", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[0])["worst_gap"] < 1e-8


def test_the_benchmark_of_accelerators(tmp_path):
    """All its lines, by the programs that accelerators use; a run that has no time for a line says
    so and keeps the others.
    """
    command, output = (
        [sys.executable, "benchmarks/accelerator.py", "--smoke", "--output"],
        tmp_path / "lines.jsonl",
    )
    done = subprocess.run(
        [*command, str(output)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    late = [*command, str(output), "--budget", "0", "--only", "plans"]
    told = subprocess.run(
        late, cwd=ROOT, capture_output=True, check=True, timeout=300, text=True
    ).stdout
    assert "skipped" in json.loads(told)
    records = {r["method"]: r for r in map(json.loads, output.read_text().splitlines())}
    assert {"fit", "refits", "plans", "agreement with the CPU", "starts x resamples"} < set(records)
    assert all("wall" in r and "device" in r and "skipped" not in r for r in records.values())
    assert records["agreement with the CPU"]["agrees"]
    tiles = [r for name, r in records.items() if name.startswith("tile")]
    assert len(tiles) > 1
    assert all(max(r["apart"].values()) < 1e-10 for r in tiles[1:])


def test_the_demo(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "jaxscale.cli",
            "demo",
            "--resamples",
            "200",
            "--output",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "demo.json").read_text())
    assert found["status"] == "OK"
    assert found["starts"]["agreed"] >= 0.95 * found["starts"]["drawn"]
    low, middle, high = found["plan"]["N"]
    assert 1e10 < low < middle < high < 3e11
    assert (tmp_path / "report.txt").read_text() in done.stdout + "\n"
    for figure in ("loss.png", "allocation.png"):
        assert (tmp_path / figure).stat().st_size > 20_000


def test_the_demo_without_the_table_says_so(tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "JAXSCALE_DATA_DIR"}
    env |= {
        "JAXSCALE_CACHE_DIR": str(tmp_path / "cache"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    command = [
        sys.executable,
        "-m",
        "jaxscale.cli",
        "demo",
        "--resamples",
        "50",
        "--output",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Using the embedded simulated sweep instead" in done.stdout
    assert json.loads((tmp_path / "demo.json").read_text())["table"] == "simulated"


def test_make_test_runs_every_file():
    """Exactly one of its parts names each file of tests."""
    plan = subprocess.run(
        ["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (line,) = re.findall(r"for part in (.*?); do", plan)
    parts = [part.strip("'") for part in line.split()]
    run = [
        file
        for part in parts
        for file in (ROOT.glob(part) if "*" in part else (ROOT / part).glob("test_*.py"))
    ]
    assert sorted(run) == sorted((ROOT / "tests").rglob("test_*.py"))
