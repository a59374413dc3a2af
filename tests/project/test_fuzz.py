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
    result = fuzz("calls", 250)
    assert result["networks"] == 250
    assert len(result["calls"]) == 10 and sum(result["calls"].values()) == 1000


def test_same_seed_same_files() -> None:
    first, again, other = fuzz("idx", 300), fuzz("idx", 300), fuzz("idx", 300, seed=1)
    outcomes = ("files", "refused", "equal", "another")
    assert [first[x] for x in outcomes] == [again[x] for x in outcomes]
    assert [first[x] for x in outcomes] != [other[x] for x in outcomes]
