"""Short runs of `python -m tools.fuzz`: what `nox -s fuzz` does at length, with seeds."""

import json
import subprocess
import sys
from typing import Any

import pytest

from support.paths import ROOT

FILES = {"model": 10_000, "trainer": 3000, "onnx": 3000, "idx": 5000, "csv": 3000, "npz": 3000}
FILES["table"] = 300


def fuzz(kind: str, count: int, seed: int = 0) -> Any:
    """What was tried, in a process of its own."""
    arguments = ["--way", "seeded", "--seed", str(seed), "--count", str(count), "--seconds", "600"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.fuzz", kind, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", FILES)
def test_altered_files(kind: str) -> None:
    """Nothing but a ValueError, in bounded time and memory."""
    count = FILES[kind]
    result = fuzz(kind, count)
    assert result["refused"] + result["equal"] + result["another"] == count
    assert result["refused"] > count / 3 and result["equal"] > 0 and result["another"] > 0
    assert result["peak MB"] < 256


def test_random_networks_and_calls() -> None:
    result = fuzz("calls", 100)
    assert result["networks"] == 100
    assert len(result["calls"]) == 10 and sum(result["calls"].values()) == 400


def test_same_seed_same_files() -> None:
    first, again, other = fuzz("idx", 300), fuzz("idx", 300), fuzz("idx", 300, seed=1)
    outcomes = ("files", "refused", "equal", "another")
    assert [first[x] for x in outcomes] == [again[x] for x in outcomes]
    assert [first[x] for x in outcomes] != [other[x] for x in outcomes]


def test_coverage_sees_editable_installs(in_subprocess: Any) -> None:
    """atheris takes plain loaders of sources only; scikit-build-core's is one around those."""
    program = """
import sys
from importlib.machinery import SourceFileLoader
from tools.fuzz.guided import PlainSources

class Around:
    def __init__(self, loader):
        self.loader = loader
    def __getattr__(self, name):
        return getattr(self.loader, name)

class Editable:
    def find_spec(self, name, path=None, target=None):
        for finder in finders:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = Around(spec.loader)
                return spec

finders = [*sys.meta_path]
sys.meta_path.insert(0, Editable())
sys.meta_path.insert(0, PlainSources())
import eigenmlp.datasets.idx
for module in (eigenmlp, eigenmlp.datasets, eigenmlp.datasets.idx):
    assert type(module.__loader__) is SourceFileLoader, module.__loader__
assert eigenmlp.MLP([2, 3], seed=0).forward([[1.0, 2.0]]).shape == (1, 3)
"""
    done = in_subprocess(program, cwd=ROOT)
    assert done.returncode == 0, done.stderr
