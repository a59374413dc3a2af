"""An empty folder, a trained model, and refusals of the command."""

from __future__ import annotations

import re

import pytest

import eigenmlp as em
from eigenmlp.cli import main


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threads = em.get_num_threads()
    yield tmp_path
    em.set_num_threads(threads)


@pytest.fixture
def refused(capsys):
    """Run the command; expect exit code 2 and one line on stderr, which matches the pattern."""

    def check(arguments, pattern):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("eigenmlp: error: "), captured.err
        assert captured.err.count("\n") == 1, captured.err
        assert re.search(pattern, captured.err), captured.err
        assert "Traceback" not in captured.out + captured.err
        assert len(captured.err) < 460, captured.err  # 400, and what stands around them

    return check


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network trained on the digits by the command itself."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    assert main(["train", "digits", "--quiet", "--save", str(path)]) == 0
    return path
