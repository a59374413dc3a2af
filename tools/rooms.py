"""Draw the rooms of the library and their floors, from its imports and includes.

    python tools/rooms.py           # writes docs/rooms/python.svg and docs/rooms/cpp.svg
    python tools/rooms.py --check   # only says whether they are fresh

Python's floors are those of import-linter's contract in pyproject.toml, C++'s are below. An arrow
goes from a room to one that it imports; where others lead there already, it is left out. What goes
up is red: import-linter refuses it in Python, a test in C++.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "rooms"
Floors = list[list[str]]  # highest first
Imports = dict[str, set[str]]  # of each room, the others that it reads

CPP_FLOORS: Floors = [
    ["bindings"],
    ["variants"],
    ["trainer.hpp", "many.hpp", "inference.hpp", "gradient.hpp", "network.hpp"],  # for programs
    ["derivatives"],
    ["passes"],
    ["step"],
    ["network", "optimizers", "segments.hpp"],
    ["losses"],
    ["activations"],
    ["names", "threads"],
    ["kernel"],
]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = [path for path, text in pictures().items() if not is_fresh(path, text)]
    for path in stale:
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(pictures()[path], encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {'not as the imports are' if check else 'written'}")
    return int(check and bool(stale))


def pictures() -> dict[Path, str]:
    return {
        PICTURES / "python.svg": drawn(python_floors(), python_imports()),
        PICTURES / "cpp.svg": drawn(CPP_FLOORS, cpp_includes()),
    }


def is_fresh(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


# ---- what there is


def python_floors() -> Floors:
    """The layers of the contract: `a : b` and `a | b` stand on one floor, `(a)` may be missing."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    there = python_rooms()
    floors = [[room for room in re.findall(r"\w+", layer) if room in there] for layer in layers]
    return [floor for floor in floors if floor]


def python_rooms() -> set[str]:
    paths = (ROOT / "python" / "eigenmlp").iterdir()
    return {
        path.stem
        for path in paths
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem != "__init__"
    }


def python_imports() -> Imports:
    """Those for types alone and those inside functions count too."""
    package, rooms = ROOT / "python" / "eigenmlp", python_rooms()
    found: Imports = {room: set() for room in rooms}
    for path in package.rglob("*.py"):
        inside = path.relative_to(package.parent).with_suffix("").parts
        if inside[1] == "__init__":
            continue
        for name in imported(ast.parse(path.read_text(encoding="utf-8")), inside[:-1]):
            parts = name.split(".")
            if parts[0] == "eigenmlp" and len(parts) > 1 and parts[1] in rooms - {inside[1]}:
                found[inside[1]].add(parts[1])
    return found


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """The full names of modules, or of what is taken out of them, that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def cpp_includes(cpp: Path = ROOT / "cpp") -> Imports:
    """By folder; a header beside them is a room of its own."""
    rooms = {room for floor in CPP_FLOORS for room in floor}
    found: Imports = {room: set() for room in rooms}
    for path in cpp.rglob("*.?pp"):
        parts = path.relative_to(cpp).parts
        room = parts[1] if parts[0] == "eigenmlp" else parts[0]
        if room == "tests":
            continue
        text = path.read_text(encoding="utf-8")
        including = r'^#include "(?:\.\./)?(?:eigenmlp/|(?=variants/))([^"]+)"'
        for header in re.findall(including, text, re.MULTILINE):
            if header.split("/")[0] != room:
                found.setdefault(room, set()).add(header.split("/")[0])
    return found


def climbing(floors: Floors, imports: Imports) -> list[tuple[str, str]]:
    """The imports of what stands higher."""
    floor_of = {room: i for i, floor in enumerate(floors) for room in floor}
    return sorted(
        (room, other)
        for room, others in imports.items()
        for other in others
        if floor_of[other] < floor_of[room]
    )


# ---- the picture

WIDTH, FLOOR, HEIGHT = 1400, 84, 36
Place = tuple[float, float, float]  # of a box: its middle, its top, its width


def drawn(floors: Floors, imports: Imports) -> str:
    """An SVG: a band for each floor, a box for each room, arrows downwards."""
    up = climbing(floors, imports)
    down = {room: {x for x in others if (room, x) not in up} for room, others in imports.items()}
    straight = without_detours(down)
    at = places(floors, straight)
    arrows = sorted([*((a, b) for a, others in straight.items() for b in others), *up])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {FLOOR * len(floors)}" '
        f'width="{WIDTH}" font-family="sans-serif" font-size="15">'
    ]
    for i in range(len(floors)):
        color = "#eef1f8" if i % 2 else "#f8f9fc"
        parts.append(f'<path d="M0 {i * FLOOR}h{WIDTH}v{FLOOR}H0z" fill="{color}"/>')
    for a, b in arrows:
        start = port(at, a, [x for x in arrows if x[0] == a], (a, b))
        end = port(at, b, [x for x in arrows if x[1] == b], (a, b))
        parts.append(arrow(start, end, "#d33" if (a, b) in up else "#5b6b95"))
    for room, (x, y, width) in sorted(at.items()):
        fill = "#fff" if room.startswith("_") else "#dfe6fb"
        parts.append(
            f'<rect x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" '
            f'rx="6" fill="{fill}" stroke="#34446e"/>'
            f'<text x="{x:.0f}" y="{y + 23:.0f}" text-anchor="middle">{escape(room)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def port(
    at: dict[str, Place], room: str, arrows: list[tuple[str, str]], which: tuple[str, str]
) -> tuple[float, float]:
    """Where one of a box's arrows begins or ends: side by side, as their other ends are."""
    x, y, width = at[room]

    def other_end(ends: tuple[str, str]) -> tuple[float, float]:
        return at[ends[ends[0] == room]][:2]

    below = other_end(which)[1] > y
    beside = sorted((e for e in arrows if (other_end(e)[1] > y) == below), key=other_end)
    place = (beside.index(which) + 1) / (len(beside) + 1)
    return x + (place - 0.5) * (width - 12), y + HEIGHT if below else y


def without_detours(imports: Imports) -> Imports:
    """Leaves out what is reached by way of another room too."""

    def reached(room: str) -> set[str]:
        seen: set[str] = set()
        todo = [room]
        while todo:
            new = imports.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        return seen

    beyond = {room: reached(room) for room in imports}
    return {
        room: {x for x in others if not any(x in beyond[y] for y in others if x != y)}
        for room, others in imports.items()
    }


def places(floors: Floors, arrows: Imports) -> dict[str, Place]:
    """Rooms stand about above what they import; floors of one room alternate, to let arrows by."""
    at: dict[str, Place] = {}

    def wanted(room: str) -> tuple[float, str]:
        below = [at[x][0] for x in arrows.get(room, ()) if x in at]
        return sum(below) / len(below) if below else WIDTH / 2, room

    for i in reversed(range(len(floors))):
        rooms = sorted(floors[i], key=wanted)
        widths = [9 * len(room) + 26.0 for room in rooms]
        gap = (WIDTH - sum(widths)) / (len(rooms) + 1)
        x = gap if len(rooms) > 1 else gap * (0.72 if i % 2 else 1.28)
        for room, width in zip(rooms, widths, strict=True):
            at[room] = (x + width / 2, i * FLOOR + (FLOOR - HEIGHT) / 2, width)
            x += width + gap
    return at


def arrow(start: tuple[float, float], end: tuple[float, float], color: str) -> str:
    (x, y), (u, v) = start, end
    bend = (v - y) / 2 or -FLOOR / 4.0
    head = 7 if v >= y + 1 else -7  # its point looks down, or up
    if v == y:
        head = 7
    return (
        f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {u:.0f} {v - abs(bend) * head / 7:.0f} '
        f'{u:.0f} {v:.0f}" fill="none" stroke="{color}" stroke-width="1.4"/>'
        f'<path d="M{u:.0f} {v:.0f}l-4 {-head}h8z" fill="{color}"/>'
    )


if __name__ == "__main__":
    sys.exit(main())
