"""The pictures of the rooms are as the imports are, and no C++ includes what stands higher."""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT


@pytest.fixture(scope="module")
def rooms() -> Any:
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "tools" / "rooms.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_fresh(rooms: Any) -> None:
    for path, text in rooms.pictures().items():
        assert rooms.is_fresh(path, text), f"{path}: run python tools/rooms.py"


def test_every_room_has_a_floor(rooms: Any) -> None:
    on_floors = [room for floor in rooms.python_floors() for room in floor]
    assert sorted(on_floors) == sorted(rooms.python_rooms())
    on_floors = [room for floor in rooms.CPP_FLOORS for room in floor]
    assert sorted(on_floors) == sorted(rooms.cpp_includes())


def test_no_header_includes_what_stands_higher(rooms: Any) -> None:
    assert rooms.climbing(rooms.CPP_FLOORS, rooms.cpp_includes()) == []


def test_what_climbs_is_found(rooms: Any, tmp_path: Path) -> None:
    for name, include in (
        ("kernel/tile.hpp", "step/batch.hpp"),
        ("step/batch.hpp", "kernel/a.hpp"),
    ):
        path = tmp_path / "eigenmlp" / name
        path.parent.mkdir(parents=True)
        path.write_text(f'#include "eigenmlp/{include}"\n', encoding="utf-8")
    includes = rooms.cpp_includes(tmp_path)
    assert includes["step"] == {"kernel"}
    assert rooms.climbing(rooms.CPP_FLOORS, includes) == [("kernel", "step")]


def test_every_kind_of_import_counts(rooms: Any) -> None:
    program = """
import eigenmlp.mlp as m
from eigenmlp import plot
from .checks import real
from ..errors import DivergenceError
def late():
    if TYPE_CHECKING:
        from eigenmlp.history import History
"""
    found = set(rooms.imported(ast.parse(program), ("eigenmlp", "_inputs")))
    assert found == {
        *("eigenmlp.mlp", "eigenmlp.plot", "eigenmlp._inputs.checks.real"),
        *("eigenmlp.errors.DivergenceError", "eigenmlp.history.History"),
    }


def test_every_room_is_on_the_page(rooms: Any) -> None:
    page = (ROOT / "docs" / "how-it-is-built.md").read_text(encoding="utf-8")
    rows = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    named = rooms.python_rooms() | {room for floor in rooms.CPP_FLOORS for room in floor}
    assert [room for room in sorted(named) if f"`{room}`" not in rows] == []
