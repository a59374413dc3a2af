"""What cibuildwheel runs on machines of all kinds, with what it installs for it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from support.paths import ROOT

COLLECTS = """
import sys, pytest
sys.modules.update(dict.fromkeys(sys.argv[1].split(","), None))  # an import of them fails
sys.exit(pytest.main(["--collect-only", *sys.argv[2:]]))
"""


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", x)[0].lower() for x in requirements}


def test_the_wheels_tests_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder: on Windows, `cd` does not go to the drive of the sources. And without
    packages that cibuildwheel does not install."""
    toml = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    project = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheels = project["tool"]["cibuildwheel"]
    program, *arguments = shlex.split(wheels["test-command"].replace("{project}", ROOT.as_posix()))
    assert program == "pytest"

    extra = project["project"]["optional-dependencies"]["test"]
    left_out = names(extra) - names(wheels["test-requires"])
    made = packages_distributions()
    modules = [x for x in made if {y.lower() for y in made[x]} <= left_out]
    assert {"sklearn", "pandas"} <= {*modules}
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # hypothesis's, which is left out
    command = [sys.executable, "-c", COLLECTS, ",".join(modules), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "tests/core/test_isa.py::" in done.stdout.replace("\\", "/")
