"""Imports point down, and each optional package is known to one file only."""

import ast
from pathlib import Path

import jaxscale

ROOT = Path(jaxscale.__file__).parent
LAYERS = [
    {"_checks", "_tree", "_jets", "_formula", "units", "_noise", "_room"},
    {"_params", "objectives", "costs", "_table", "_rows", "_stack", "_roots", "_store", "_choose"},
    {"_runs", "_evaluate", "_call", "_law", "solvers", "_resample", "_tiles"},
    {"_coordinates", "_results", "laws", "schedules", "_digest", "_helper", "_signal"},
    {"_kernel", "_rules", "_maps", "_box", "_tested", "_chain_forecast", "_links"},
    {"_kkt", "_joint", "_held_out"},
    {"_plan"},
    {"_well_put"},
    {"_question"},
    {"_starts", "_allocate", "_simulate", "datasets", "_frozen"},
    {"_region"},
    {"_lanes"},
    {"_judge", "_prepare"},
    {"_certify", "_solve"},
    {"_grouped"},
    {"_fit"},
    {"_bootstrap"},
    {"uncertainty"},
    {"_forecast", "_hindsight"},
    {"_score"},
    {"_ledger"},
    {"_report", "_regret", "_isoflop", "_approaches", "_sensitivity", "_compare", "_optimal", "_paired", "_compose"},
    {"_design", "_multiplier", "_chain"},
    {"_curves"},
    {"_recipes", "baselines"},
    {"plots"},
    {"__init__", "cli"},
]
LAYER = {name: i for i, names in enumerate(LAYERS) for name in names}
OWNERS = {
    "matplotlib": {"plots"},
    "click": {"cli"},
    "pooch": {"datasets"},
    "tqdm": {"_tiles"},
    "blackjax": {"uncertainty"},
    "narwhals": {"_runs", "_table"},
    "scipy": {"_isoflop"},
}


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        yield path, path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """(top-level name, whether it runs when the module is imported) for every import of the file."""
    tree = ast.parse(path.read_text())
    depth = len(path.relative_to(ROOT).parts)
    eager = {id(n) for top in tree.body if isinstance(top, ast.Import | ast.ImportFrom) for n in ast.walk(top)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level == depth:
                names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
                yield from ((f".{n}", id(node) in eager) for n in names)
            elif node.level == 0:
                yield node.module.split(".")[0], id(node) in eager
        elif isinstance(node, ast.Import):
            yield from ((a.name.split(".")[0], id(node) in eager) for a in node.names)


def test_every_module_has_a_layer():
    assert {name for _, name in modules()} == set(LAYER)


def test_imports_point_down():
    for path, name in modules():
        if name in ("__init__", "cli"):
            continue
        for target, eager in imports(path):
            if target.startswith(".") and eager and target[1:] != name:
                assert LAYER[target[1:]] < LAYER[name] or (LAYER[target[1:]] == LAYER[name] and target[1:] != name), (
                    path.name,
                    target,
                )


def test_packages_have_owners():
    for path, name in modules():
        for target, eager in imports(path):
            if target in OWNERS:
                assert name in OWNERS[target], (path.name, target)
                assert target == "click" or not eager, f"{path.name} imports {target} when it is imported"
            assert target not in ("chex", "optimistix", "pandas", "polars"), (path.name, target)


def test_modules_stay_readable():
    most = {"laws": 600}  # a page of equations is looked up, not read through
    long = {path.name: n for path, name in modules() if (n := len(path.read_text().splitlines())) > most.get(name, 350)}
    assert not long


def test_nothing_in_a_tile_calls_lapack():
    """See solvers/_cholesky: on the CPU two such tiles at once can wait for each other for ever."""
    import jax
    import numpy as np
    from cases import noisy

    import jaxscale as jsl
    from jaxscale.fitting import _blocks, _job, _lanes
    from jaxscale.fitting._results import Problem

    problem = Problem(
        jsl.laws.busbridge, noisy("busbridge", 0.01, rows=slice(0, None, 7)), jsl.objectives.LogHuber(), jsl.solvers.Newton()
    )
    with jax.enable_x64(True):
        job, tile = _job.prepare([[problem]], 4), _blocks.TILES["cpu"]
        text = _lanes.solve_block.lower(np.int32(0), np.int32(4), np.zeros((job.layout.size, tile.block)), job, tile).as_text()
        text += jax.jit(_lanes.draw.__wrapped__).lower(np.zeros(tile.slots, np.int32), job).as_text()
    assert "lapack" not in text
    for collective in ("all_reduce", "all-reduce", "all_gather", "all-gather", "collective_permute"):
        assert collective not in text
