"""The C++ library without Python: its own tests, and a program that uses it once installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from eigenmlp import datasets
from support.paths import ROOT

# cmake and ninja come from the `test` extra, also where the environment is not activated.
TOOLS = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, filter(None, [os.environ.get("CXX"), "c++", "g++", "clang++"]))),
    reason="no C++ compiler: neither $CXX nor c++, g++ or clang++ was found",
)


def run(*command: str | Path) -> str:
    """Run a command; what it printed is the result, or the failure's message."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PATH": TOOLS},
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def configure(source: Path, build: Path, **variables: str | Path) -> None:
    """Configure a CMake project for Ninja; Eigen is found through this Python."""
    defined = variables | {"CMAKE_BUILD_TYPE": "Release", "Python_EXECUTABLE": sys.executable}
    definitions = [f"-D{name}={value}" for name, value in defined.items()]
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", *definitions)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library's native tests."""
    build = tmp_path_factory.mktemp("native") / "build"
    strict = os.environ.get("EIGENMLP_WARNINGS_AS_ERRORS", "OFF")  # ON in continuous integration
    configure(ROOT, build, EIGENMLP_BUILD_TESTS="ON", EIGENMLP_WARNINGS_AS_ERRORS=strict)
    run("cmake", "--build", build)
    return build


def test_native_tests_pass(build: Path) -> None:
    printed = run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error")
    assert "100% tests passed" in printed


def test_a_program_uses_the_installed_library(build: Path, tmp_path: Path) -> None:
    prefix, example = tmp_path / "prefix", tmp_path / "example"
    run("cmake", "--install", build, "--prefix", prefix)
    configure(ROOT / "examples" / "native", example, CMAKE_PREFIX_PATH=prefix)
    run("cmake", "--build", example)

    X, y = datasets.load_digits()
    table = np.column_stack([np.rint(X * 16).astype(np.int64), y])
    csv = tmp_path / "digits.csv"
    np.savetxt(csv, table, fmt="%d", delimiter=",")

    printed = run(example / "digits", csv)
    found = re.search(r"50 hidden units: .*test accuracy (0\.\d+|1\.0+)", printed)
    assert found, printed
    assert float(found[1]) >= 0.9
