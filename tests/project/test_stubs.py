"""The type stubs of the compiled modules say what the modules have."""

import ast
import importlib.util
import re
import subprocess
import sys

import pytest

from eigenmlp._core import _cpu, _text, loading
from support.paths import ROOT

PACKAGE = ROOT / "python" / "eigenmlp" / "_core"
STUBS = {
    "_cpu.pyi": _cpu,
    "_text.pyi": _text,
    "_bindings/__init__.pyi": loading.core,
    "_bindings/derivatives.pyi": loading.core.derivatives,
}


def stub_names(node: ast.Module | ast.ClassDef) -> dict[str, object]:
    """What a stub declares: names with sets of (parameters, those with defaults), or None."""
    names: dict[str, object] = {}
    for one in node.body:
        if isinstance(one, ast.FunctionDef):
            parameters = [p.arg for p in one.args.args]
            optional = parameters[len(parameters) - len(one.args.defaults) :]
            properties = [d for d in one.decorator_list if getattr(d, "id", "") == "property"]
            if properties:
                names[one.name] = None
            else:
                names.setdefault(one.name, set()).add((tuple(parameters), tuple(optional)))
        elif isinstance(one, ast.ClassDef):
            names[one.name] = stub_names(one)
        elif isinstance(one, ast.AnnAssign):
            names[one.target.id] = None
    return names


def signatures(text: str) -> set[object]:
    """The same of pybind11's docstring, which has a line for each overload."""
    found = set()
    for line in re.findall(r"^(?:\d+\. )?\w+(\(.*\)) -> .*$", text, re.MULTILINE):
        flat = line
        while (shorter := re.sub(r"\[[^\[\]]*\]", "", flat)) != flat:  # annotations' arguments
            flat = shorter
        parameters = [part.strip() for part in flat[1:-1].split(",") if part.strip()]
        names = tuple(part.partition(":")[0] for part in parameters)
        found.add((names, tuple(part.partition(":")[0] for part in parameters if "=" in part)))
    return found


def runtime_names(owner: object) -> dict[str, object]:
    names: dict[str, object] = {}
    for name, value in vars(owner).items():
        if (name.startswith("_") and name != "__init__") or type(value).__name__ == "module":
            continue
        if isinstance(value, staticmethod):
            value = value.__func__
        if isinstance(value, type):
            names[name] = runtime_names(value)
        else:
            names[name] = signatures(value.__doc__) if callable(value) else None
    return names


@pytest.mark.parametrize("stub", STUBS)
def test_stub_has_the_names_and_parameters_of_its_module(stub):
    declared = stub_names(ast.parse((PACKAGE / stub).read_text(encoding="utf-8")))
    found = runtime_names(STUBS[stub])
    if stub == "_bindings/__init__.pyi":
        assert len(found) > 15
        found["RunResult"].pop("__init__", None)  # only a trainer makes one
    assert declared == found


def test_stubs_are_what_the_generator_writes():
    if importlib.util.find_spec("pybind11_stubgen") is None:
        pytest.skip("pybind11-stubgen is not installed")
    if "SupportsInt" not in loading.core.set_max_threads.__doc__:
        pytest.skip("built with pybind11 2, which describes types in another way")
    command = [sys.executable, str(ROOT / "tools" / "stubs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stale_stubs_are_found(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("stubs", ROOT / "tools" / "stubs.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    stored = {name: (PACKAGE / name).read_text(encoding="utf-8") for name in STUBS}
    assert tool.stale(stored) == []
    altered = stored["_bindings/__init__.pyi"].replace("learning_rates", "rates")
    diff = tool.stale({"_bindings/__init__.pyi": altered})
    assert any(line.startswith("+") and "rates" in line for line in diff)
