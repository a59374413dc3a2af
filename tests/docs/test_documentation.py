"""Every docstring example and every code block of the README runs."""

import doctest
import importlib
import pkgutil
import re

import pytest

import eigenmlp
from support.paths import ROOT

README = ROOT / "README.md"


def modules():
    names = ["eigenmlp"]
    for module in pkgutil.walk_packages(eigenmlp.__path__, "eigenmlp."):
        last = module.name.rpartition(".")[2]
        if not last.startswith(("_bindings", "_cpu", "_text", "__main__")):
            names.append(module.name)
    return names


# What `pip install '.[test]'` leaves out, for its size.
NEEDS = {"eigenmlp.torch": "torch", "eigenmlp._interchange.torch_modules": "torch"}


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


def test_nothing_says_to_install_the_extras_from_an_index():
    """The package is on none: `pip install '.[onnx]'` in its folder works, or the other package."""
    root = README.parent
    folders = ("python", "docs", "examples", "bench", "cpp")
    files = [path for folder in folders for path in (root / folder).rglob("*")]
    texts = [path for path in files if path.suffix in (".py", ".md", ".hpp", ".cpp")]
    assert len(texts) > 200
    for path in [*texts, *root.glob("*.md")]:
        assert "eigenmlp[" not in path.read_text(encoding="utf-8"), path


def test_readme_code(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    r2, accuracy = (float(word) for word in capsys.readouterr().out.split()[:2])
    assert r2 > 0.4 and accuracy > 0.9
