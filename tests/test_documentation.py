"""Every docstring example and every code block of the README runs."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import eigenmlp

README = Path(__file__).parents[1] / "README.md"


def modules():
    names = ["eigenmlp"]
    for module in pkgutil.walk_packages(eigenmlp.__path__, "eigenmlp."):
        last = module.name.rpartition(".")[2]
        if not last.startswith(("_core_", "_cpu", "__main__")):
            names.append(module.name)
    return names


# What `pip install '.[test]'` leaves out, for its size.
NEEDS = {"eigenmlp.torch": "torch", "eigenmlp._torch_modules": "torch"}


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    threads = eigenmlp.get_num_threads()
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert eigenmlp.get_num_threads() == threads


def test_there_are_docstring_examples():
    finder = doctest.DocTestFinder()
    examples = [
        example
        for name in modules()
        if name not in NEEDS
        for test in finder.find(importlib.import_module(name))
        for example in test.examples
    ]
    assert len(examples) > 50


def test_readme_code(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    accuracy = float(capsys.readouterr().out.split()[0])
    assert accuracy > 0.9
