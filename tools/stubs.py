"""Write the type stubs of the compiled modules from their signatures, or check that they are fresh.

``python tools/stubs.py`` writes them into the source tree, ``--check`` prints what would change and
exits with 1. Needs pybind11-stubgen, an installed eigenmlp built with pybind11 3, and, to write,
ruff.

What the generator knows too loosely is narrowed here: numbers and arrays are asked for as the core
stores them, and values that differ between builds are left out.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "python" / "eigenmlp" / "_core"
HEADER = "# Written by tools/stubs.py from the compiled modules: change those, then run it again."
NUMBERS = {"SupportsInt": "int", "SupportsFloat": "float"}


def generate() -> dict[str, str]:
    """Path below the package → the stub's text, not yet formatted."""
    with tempfile.TemporaryDirectory() as folder:
        for module in ("_bindings", "_cpu", "_text"):
            subprocess.run(
                [
                    *(sys.executable, "-m", "pybind11_stubgen", f"eigenmlp._core.{module}"),
                    *("-o", folder, "--exit-code"),
                ],
                check=True,
            )
        made = Path(folder, "eigenmlp", "_core")
        return {
            str(path.relative_to(made)): _narrowed(path.read_text(encoding="utf-8"))
            for path in sorted(made.rglob("*.pyi"))
        }


def stale(made: dict[str, str]) -> list[str]:
    """What differs from the stubs in the source tree, as lines of a diff; layout does not count."""
    lines: list[str] = []
    for name, text in made.items():
        path = PACKAGE / name
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        plain = [ast.unparse(ast.parse(source)).splitlines() for source in (stored, text)]
        lines += difflib.unified_diff(*plain, name, f"{name} (generated)", lineterm="")
    return lines


class _Narrower(ast.NodeTransformer):
    """Annotations as the core means them."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.left, ast.Attribute) and node.left.attr in NUMBERS:
            return ast.Name(NUMBERS[node.left.attr])  # SupportsInt | SupportsIndex
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Attribute) and node.value.attr == "Annotated":
            assert isinstance(node.slice, ast.Tuple)  # Annotated[ArrayLike, numpy.float32]
            array = ast.parse("numpy.typing.NDArray[None]", mode="eval").body
            assert isinstance(array, ast.Subscript)
            array.slice = node.slice.elts[1]
            return array
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if isinstance(node.target, ast.Name) and node.target.id == "__all__":
            return None
        if isinstance(node.annotation, ast.Name) and node.annotation.id == "list":
            node.annotation = ast.parse("list[str]", mode="eval").body
        node.value = None  # differs from one build to the next
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        if node.module == "__future__":
            return None
        if node.module is None:  # a submodule, exported
            node.names = [ast.alias(one.name, one.name) for one in node.names]
        return node


def _narrowed(text: str) -> str:
    tree = ast.fix_missing_locations(_Narrower().visit(ast.parse(text)))
    return f"{HEADER}\n{ast.unparse(tree)}\n"


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if any is stale")
    check = parser.parse_args().check
    made = generate()
    if check:
        lines = stale(made)
        print("\n".join(lines) or "the stubs are fresh")
        return 1 if lines else 0
    for name, text in made.items():
        (PACKAGE / name).parent.mkdir(exist_ok=True)
        (PACKAGE / name).write_text(text, encoding="utf-8")
    paths = [str(PACKAGE / name) for name in made]
    subprocess.run(["ruff", "format", "--quiet", *paths], check=True)
    print("\n".join(paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())
