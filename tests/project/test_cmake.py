"""What CMake refuses, and what it then says to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from support.paths import ROOT

# cmake and ninja come from the `test` extra, also where the environment is not activated.
TOOLS = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])

pytestmark = pytest.mark.skipif(shutil.which("cmake", path=TOOLS) is None, reason="no cmake")
compiles = pytest.mark.skipif(
    os.name == "nt" or not any(map(shutil.which, ("c++", "g++", "clang++"))),
    reason="no C++ compiler, or one that a shell script cannot stand in for",
)


def cmake(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """The exit code, and what was printed as one line."""
    done = subprocess.run(
        ["cmake", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PATH": TOOLS} | environment,
        timeout=60,
    )
    return done.returncode, " ".join(done.stdout.split())


def script(name: str, **variables: str) -> tuple[int, str]:
    definitions = [f"-D{key}={value}" for key, value in variables.items()]
    return cmake(*definitions, "-P", ROOT / "cmake" / f"{name}.cmake")


def configure(build: Path, *definitions: str, **environment: str) -> tuple[int, str]:
    found = f"-DPython_EXECUTABLE={sys.executable}"
    return cmake("-S", ROOT, "-B", build, "-G", "Ninja", found, *definitions, **environment)


def refusal(result: tuple[int, str]) -> str:
    code, text = result
    assert code != 0
    start = text.index("CMake Error")
    assert len(text) - start < 800  # with CMake's own words around the message
    return text[start:]


@pytest.mark.parametrize(
    ("compiler", "old", "new"),
    [("GNU", "10.5.0", "11.3.0"), ("Clang", "13.0.1", "14.0.6"), ("AppleClang", "14.0.3", "15.0")],
)
def test_old_compilers(compiler: str, old: str, new: str) -> None:
    """They are told which version is needed, and how to get it."""
    variables = {"CMAKE_CXX_COMPILER_ID": compiler, "CMAKE_CXX_COMPILER_VERSION": old}
    text = refusal(script("compilers", **variables))
    assert f"expected {compiler} {new.partition('.')[0]} or newer, got {old}" in text
    assert "install" in text
    code, text = script("compilers", **variables | {"CMAKE_CXX_COMPILER_VERSION": new})
    assert (code, text) == (0, "")


def test_compilers_of_other_kinds() -> None:
    variables = {"CMAKE_CXX_COMPILER_ID": "MSVC", "CMAKE_CXX_COMPILER_VERSION": "19.44"}
    assert "ClangCL" in refusal(script("compilers", **variables))
    code, text = script("compilers", CMAKE_CXX_COMPILER_ID="Other", CMAKE_CXX_COMPILER_VERSION="1")
    assert code == 0 and "Other has not been tried" in text


@pytest.mark.parametrize(
    ("system", "compiler", "remedy"),
    [
        ("Darwin", "AppleClang", "brew install libomp"),
        ("Linux", "Clang", "apt install libomp-17-dev"),
        ("Linux", "GNU", "apt install libgcc-17-dev"),
    ],
)
def test_no_openmp(system: str, compiler: str, remedy: str, tmp_path: Path) -> None:
    """The message names the package."""
    project = tmp_path / "CMakeLists.txt"
    project.write_text(f"""
cmake_minimum_required(VERSION 3.24)
project(none LANGUAGES NONE)
set(APPLE {"ON" if system == "Darwin" else "OFF"})
set(CMAKE_CXX_COMPILER_ID {compiler})
set(CMAKE_CXX_COMPILER_VERSION 17.0.6)
set(CMAKE_DISABLE_FIND_PACKAGE_OpenMP ON)
include({(ROOT / "cmake" / "openmp.cmake").as_posix()})
""")
    text = refusal(cmake("-S", tmp_path, "-B", tmp_path / "build"))
    assert f"OpenMP was not found for {compiler} 17.0.6" in text and remedy in text


@pytest.mark.parametrize("version", ["3.3.9", "3.4.0", "3.4.1", "5.0.1", "6.0.0"])
def test_versions_of_eigen(version: str, tmp_path: Path) -> None:
    """3.4 and 5, each of which says that it is not the other."""
    (tmp_path / "Eigen3Config.cmake").write_text(f"""
set(Eigen3_VERSION {version})
add_library(Eigen3::Eigen INTERFACE IMPORTED)
""")
    project = tmp_path / "CMakeLists.txt"
    project.write_text(f"""
cmake_minimum_required(VERSION 3.24)
project(none LANGUAGES NONE)
include(CMakePackageConfigHelpers)
write_basic_package_version_file({tmp_path.as_posix()}/Eigen3ConfigVersion.cmake
  VERSION {version} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
set(CMAKE_DISABLE_FIND_PACKAGE_Python ON)
set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH OFF)
set(CMAKE_PREFIX_PATH {tmp_path.as_posix()})
include({(ROOT / "cmake" / "eigen.cmake").as_posix()})
""")
    result = cmake("-S", tmp_path, "-B", tmp_path / "build")
    if version in ("3.3.9", "6.0.0"):
        assert "Eigen 3.4 or 5 was not found: 'pip install cmeel-eigen'" in refusal(result)
    else:
        assert result[0] == 0 and f"Eigen {version}:" in result[1]


@pytest.mark.parametrize(
    ("processor", "variant", "says"),
    [
        ("aarch64", "v3", "'v3' is a variant for x86-64"),
        ("arm64", "baseline;amx", "'amx' is a variant for x86-64"),
        ("AMD64", "baseline", "'baseline' is a variant for aarch64"),
        ("riscv64", "v2", "'v2' is a variant for x86-64"),
        ("x86_64", "avx2", "'avx2' is unknown"),
        ("aarch64", "sve", "'sve' is unknown"),
        ("x86_64", "", "got nothing"),
    ],
)
def test_variants_that_there_are_not(processor: str, variant: str, says: str) -> None:
    text = refusal(script("isa", CMAKE_SYSTEM_PROCESSOR=processor, EIGENMLP_ISA=variant))
    known = {"riscv64": "baseline", "x86_64": "v2 v3 v4", "AMD64": "v2 v3 v4"}
    assert says in text and f"some of: {known.get(processor, 'baseline bf16')}" in text


@pytest.mark.parametrize(
    ("processor", "wanted", "chosen"),
    [
        ("aarch64", "all", "baseline bf16"),
        ("x86_64", "all", "v2 v3 v4"),
        ("x86_64", "v4;v2", "v4 v2"),
        ("x86_64", "amx;v3;bf16", "v4 v3"),
        ("riscv64", "best", "baseline"),
    ],
)
def test_variants_that_are_chosen(processor: str, wanted: str, chosen: str) -> None:
    """And said in the build log."""
    code, text = script("isa", CMAKE_SYSTEM_PROCESSOR=processor, EIGENMLP_ISA=wanted)
    assert code == 0 and f": {chosen} (EIGENMLP_ISA={wanted};" in text


def test_the_best_variant_of_a_processor_that_cannot_be_asked() -> None:
    variables = {"CMAKE_SYSTEM_PROCESSOR": "aarch64", "CMAKE_CROSSCOMPILING": "ON"}
    text = refusal(script("isa", EIGENMLP_ISA="best", **variables))
    assert "cross-compiler for aarch64: use EIGENMLP_ISA=all" in text


@compiles
def test_a_compiler_that_does_not_know_a_variant(tmp_path: Path) -> None:
    """A stand-in that refuses the flag, as older compilers do."""
    if sysconfig.get_platform().rpartition("-")[2] not in ("x86_64", "aarch64", "arm64"):
        pytest.skip("an architecture with one variant, which needs no flag")
    compiler = tmp_path / "c++"
    real = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    compiler.write_text(f"""#!/bin/sh
for x in "$@"; do case $x in
-march=x86-64-v3|-march=armv8.2-a*) echo "unknown value" >&2; exit 1
esac; done
exec {real} "$@"
""")
    compiler.chmod(0o755)
    variant = "v3" if "x86_64" in sysconfig.get_platform() else "bf16"
    python = ("-DEIGENMLP_BUILD_PYTHON=ON", f"-DEIGENMLP_ISA={variant}")
    text = refusal(configure(tmp_path / "build", *python, CXX=str(compiler)))
    assert f"for the variant '{variant}'" in text and "set CXX to GCC 11, Clang 14 or newer" in text
