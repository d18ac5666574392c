"""Are the bodies of two trees the same, wherever they stand? `python benchmarks/same_bodies.py
OLD_TREE [NEW_TREE]`.

For moves and renames of files: every function and class of `jaxscale/` is compared by name with
those of the other tree, as a syntax tree without imports and docstrings of files. Prints what is
only in one of them and what differs; exits 1 then.
"""

import argparse
import ast
from collections import defaultdict
from pathlib import Path


class _Bare(ast.NodeTransformer):
    """Without imports."""

    def visit_Import(self, node):
        return None

    def visit_ImportFrom(self, node):
        return None


def bodies(tree: Path) -> dict[str, list[str]]:
    """Name, such as `Fit.predict` or `_SAME`, to what stands there, of all files."""
    found = defaultdict(list)
    for path in sorted((tree / "jaxscale").rglob("*.py")):
        for node in _Bare().visit(ast.parse(path.read_text())).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name].append(_text(node))
            elif isinstance(node, ast.ClassDef):
                for part in node.body:
                    inner = isinstance(part, ast.FunctionDef)
                    name = part.name if inner else "fields"
                    found[f"{node.name if not inner else ''}.{name}"].append(_text(part))
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                found[
                    ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                ].append(_text(node))
    return found


def _text(node: ast.AST) -> str:
    """What a body says; the annotations of its arguments are not part of it."""
    if isinstance(node, ast.FunctionDef):
        return ast.dump(ast.Module(node.body, [])) + ast.dump(ast.Module(node.decorator_list, []))
    return ast.dump(node)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=Path(__file__).parent.parent)
    options = parser.parse_args()
    old, new = bodies(options.old), bodies(options.new)
    differ = 0
    for name in sorted({*old, *new}):
        gone, come = list(old[name]), list(new[name])
        for text in list(gone):
            if text in come:
                gone.remove(text)
                come.remove(text)
        if gone or come:
            differ += 1
            print(f"{name}: {len(gone)} only in the old tree, {len(come)} only in the new one")
    print(
        f"{sum(map(len, old.values()))} bodies before, {sum(map(len, new.values()))} after; "
        f"{differ} names differ"
    )
    return int(differ > 0)


if __name__ == "__main__":
    raise SystemExit(main())
