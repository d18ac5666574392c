"""The rooms of the house, in order: each imports only those above it. Run as a script, it prints
the figures of the plan.
"""

import ast
import functools
from pathlib import Path

import jaxscale

ROOT = Path(jaxscale.__file__).parent
ROOMS = [
    "ground",
    "units",
    "objectives",
    "costs",
    "solvers",
    "formula",
    "laws",
    "schedules",
    "table",
    "datasets",
    "fitting",
    "uncertainty",
    "plans",
    "forecasts",
    "chains",
    "selection",
    "plots",
    "_report",
    "__init__",
    "cli",
]
OWNERS = {
    "matplotlib": {"plots"},
    "click": {"cli"},
    "pooch": {"datasets"},
    "tqdm": {"ground"},
    "blackjax": {"uncertainty"},
    "narwhals": {"table"},
    "scipy": {"ground", "fitting", "plans"},
}


def files():
    """Every file by its dotted name: `fitting._fit`; a folder's `__init__` by the folder's."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def room(name):
    return name.split(".")[0]


NAMES = {name for _, name in files()}


def imports(path):
    """(dotted name of ours or top-level name of another's, where it stands) of every import: "top",
    "typed" or "inside".
    """
    tree = ast.parse(path.read_text())
    typed = [
        n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    ]
    place = {id(n): "top" for n in tree.body} | {
        id(n): "typed" for block in typed for n in block.body
    }
    own = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        where = place.get(id(node), "inside")
        if isinstance(node, ast.Import):
            yield from (
                (_ours(a.name.split(".")) or a.name.split(".")[0], where) for a in node.names
            )
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            if node.level == 0 and parts[0] != "jaxscale":
                yield parts[0], where
                continue
            base = [*own[: len(own) - node.level + 1], *parts] if node.level else parts[1:]
            yield from ((_ours(["jaxscale", *base, a.name]), where) for a in node.names)


def _ours(parts):
    """The file that `jaxscale.a.b` names: a module, or the module that holds the name."""
    if parts[0] != "jaxscale":
        return None
    for length in (len(parts), len(parts) - 1):
        if (name := ".".join(parts[1:length])) in NAMES:
            return name
    return "__init__"


@functools.cache
def arrows():
    """(from, to) for every import of one of our files by another, wherever it stands."""
    return {
        (name, to)
        for path, name in files()
        for to, _ in imports(path)
        if to in NAMES and to != name
    }


def circles():
    """Files that import each other, directly or through others."""
    below = {name: {b for a, b in arrows() if a == name} for name in NAMES}
    found = []
    for name in NAMES:
        seen, new = set(), below[name]
        while new:
            seen |= new
            new = {c for b in new for c in below[b]} - seen
        found += [name] * (name in seen)
    return sorted(found)


def floors():
    """Rooms on the longest path down; more than there are rooms where they run in a circle."""
    height = dict.fromkeys(ROOMS, 1)
    for _ in ROOMS:
        for a, b in arrows():
            if room(a) != room(b):
                height[room(a)] = max(height[room(a)], height[room(b)] + 1)
    return max(height.values())


def upward():
    order = {name: i for i, name in enumerate(ROOMS)}
    return sorted((a, b) for a, b in arrows() if order[room(a)] < order[room(b)])


def entries():
    return sorted(p.name for p in ROOT.iterdir() if p.name != "__pycache__")


def test_every_file_lies_in_a_room():
    """A new folder, or a file directly in jaxscale/, is a decision about the house: it goes into
    the list above.
    """
    assert {room(name) for name in NAMES} == set(ROOMS)
    assert {e.removesuffix(".py") for e in entries()} == {*ROOMS, "py.typed"}
    assert len(entries()) <= 26


def test_every_room_says_what_it_is_for():
    for name in ROOMS:
        folder = (ROOT / name).is_dir()
        said = ast.get_docstring(
            ast.parse((ROOT / name / "__init__.py" if folder else ROOT / f"{name}.py").read_text())
        )
        assert said, name
        assert not folder or "May import:" in " ".join(said.split()), name


def test_imports_point_down():
    assert upward() == []
    assert circles() == []
    assert floors() <= 11


def test_imports_stand_at_the_top():
    """Inside functions only what is optional, and what keeps `import jaxscale` and `jaxscale
    --help` from importing jax.
    """
    late = [
        (name, to)
        for path, name in files()
        for to, place in imports(path)
        if to in NAMES and place == "inside"
    ]
    assert late == [("cli", "__init__")]


def test_no_file_hides_a_public_name():
    """A file `report.py` would turn `jaxscale.report` into a module as soon as something imports it
    first.
    """
    spelled = {name.rpartition(".")[2] for name in NAMES}
    assert not spelled & set(jaxscale._NAMES)
    for room in ("chains", "forecasts", "plans", "selection", "uncertainty"):
        assert not spelled & set(getattr(jaxscale, room)._NAMES)


def test_packages_have_owners():
    for path, name in files():
        for target, place in imports(path):
            if target in OWNERS:
                assert room(name) in OWNERS[target], (name, target)
                assert target == "click" or place != "top", (
                    f"{name} imports {target} when it is imported"
                )
            assert target not in ("chex", "optimistix", "pandas", "polars"), (name, target)


def test_modules_stay_readable():
    most = {"laws": 450}  # a page of equations is looked up, not read through
    long = {
        name: n
        for path, name in files()
        if (n := len(path.read_text().splitlines())) > most.get(room(name), 400)
    }
    assert not long


def wide_calls():
    """Calls with more than five positional arguments: (file, line)."""
    for path, name in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and len(node.args) > 5:
                yield name, node.lineno


def long_bodies():
    """Functions of more than forty lines, their docstring aside: (file, function, lines)."""
    for path, name in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (lines := body[-1].end_lineno - body[0].lineno + 1) > 40:
                    yield name, node.name, lines


def test_calls_name_what_they_give():
    """What is left is starred, or a program of our own, whose keywords are static. Fewer is better:
    lower the number.
    """
    assert len(list(wide_calls())) <= 11


if __name__ == "__main__":
    print(
        f"{len(entries())} files and folders directly in jaxscale/, {len(NAMES)} files, "
        f"{len(arrows())} arrows"
    )
    print(f"{len(list(wide_calls()))} calls with more than five positional arguments")
    print(
        "bodies above 40 lines:",
        ", ".join(f"{name}.{what} {lines}" for name, what, lines in long_bodies()),
    )
    print(
        f"{floors()} floors, {len(circles())} files in circles {circles()}, {len(upward())} arrows "
        f"up {upward()}"
    )
