"""Run the tests in builds that watch themselves: memory, undefined behaviour, data races.

    python tools/sanitize.py                  # all parts, some 40 minutes
    python tools/sanitize.py memory --short   # what continuous integration does, 3 minutes

``memory``: the extension under AddressSanitizer and UndefinedBehaviorSanitizer, through the tests
of the core, sparse rows, derivatives and files, then through random networks and calls
(`tools.fuzz`). ``native``: the native tests under both. ``threads``: the native tests under
ThreadSanitizer with Clang, whose libomp tells it through archer what OpenMP orders; GCC's libgomp
does not.

The first finding ends it with 1; the last line says what was tried. Builds are kept in ``build/``.
Needs what `nox -s sanitize` installs; Clang (``CXX`` or the newest found), libomp and archer are
Debian's ``clang-14 libomp-14-dev libclang-rt-14-dev``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
BUILDS = ROOT / "build" / "sanitize"
TESTS = [
    *("tests/core/test_core_against_twin.py", "tests/core/test_trajectories_against_twin.py"),
    *("tests/core/test_segments.py", "tests/network/test_choice_networks.py"),
    *("tests/core/test_bfloat16.py", "tests/training/test_dropout.py"),
    *("tests/training/test_regularisation.py", "tests/training/test_gathered_batches.py"),
    *("tests/network/test_derivatives.py", "tests/network/test_derivatives_against_twin.py"),
    *("tests/inputs/test_sparse.py", "tests/inputs/test_bad_arrays.py"),
    *("tests/inputs/test_bad_settings.py", "tests/inputs/test_forms_of_input.py"),
    *("tests/inputs/test_any_input.py", "tests/files", "tests/interchange/test_onnx_load.py"),
    *("tests/interchange/test_onnx_graphs.py", "tests/interchange/test_onnx_damaged.py"),
]
SHORT_TESTS = [
    *("tests/inputs/test_sparse.py", "tests/core/test_segments.py", "tests/files/test_datasets.py"),
]
PARTS = ["memory", "native", "threads"]
CHECKS = "address;undefined;float-cast-overflow"
CHECKS_ARE = "AddressSanitizer and UndefinedBehaviorSanitizer"
LEFT_OUT = [
    "tests/files/test_saving.py::test_a_save_without_memory",  # bounds what ASan needs 20 TB of
]
# At the first finding, which UndefinedBehaviorSanitizer would only print.
STOPS = {
    "ASAN_OPTIONS": "abort_on_error=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
}
# Without those of alignment, null and type, which are half of the time to compile.
SHORT_CHECKS = (
    "address;bounds;shift;integer-divide-by-zero;signed-integer-overflow;float-cast-overflow;bool;"
    "enum;return;unreachable;pointer-overflow"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; all")
    parser.add_argument("--short", action="store_true", help="fewer checks and tests")
    parser.add_argument("--seconds", type=int, help="of random networks; 300, or 30 if short")
    parser.add_argument("--seed", type=int, default=0, help="of those")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"PART: expected some of {PARTS}, got {unknown}")
    tried = []
    if "memory" in parts:
        seconds = options.seconds or (30 if options.short else 300)
        tried += memory(options.short, seconds, options.seed)
    if "native" in parts:
        tried += native()
    if "threads" in parts:
        tried += threads()
    print(f"sanitize: {', '.join(tried)}: nothing found")
    return 0


# ---- memory and undefined behaviour


def memory(short: bool, seconds: int, seed: int) -> list[str]:
    import pybind11

    compiler = os.environ.get("CXX", "c++")
    build = built(
        "memory-short" if short else "memory",
        SHORT_CHECKS if short else CHECKS,
        compiler,
        "-DEIGENMLP_BUILD_PYTHON=ON",
        "-DEIGENMLP_ISA=best",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
    )
    site = build / "site"
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(
        ROOT / "python" / "eigenmlp", site / "eigenmlp", ignore=shutil.ignore_patterns("*.so")
    )
    call("cmake", "--install", str(build), "--component", "python", "--prefix", str(site))
    variables = watching(compiler, site)

    found = output(sys.executable, "-c", "import eigenmlp; print(eigenmlp.__file__)", env=variables)
    if not found.startswith(str(site)):
        raise SystemExit(
            f"sanitize: {found.strip()} is imported instead of the build in {site}: use an "
            "environment without an editable install of eigenmlp, as nox does"
        )
    tests = SHORT_TESTS if short else TESTS
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::UserWarning", *deselected()]
    summary = output(sys.executable, "-m", "pytest", *options, *tests, env=variables, shown=True)
    arguments = ["--seconds", str(seconds), "--seed", str(seed)]
    line = output(
        *(sys.executable, "-m", "tools.fuzz", "calls", *arguments), env=variables, shown=True
    )
    result = json.loads(line.splitlines()[-1])
    calls = sum(result["calls"].values())
    passed = re.findall(r"(\d+) passed", summary)[-1]
    return [
        f"{int(passed):,} tests, {result['networks']:,} random networks and {calls:,} calls "
        f"under {CHECKS_ARE}"
    ]


def native() -> list[str]:
    compiler = os.environ.get("CXX", "c++")
    build = built("native", CHECKS, compiler, "-DEIGENMLP_BUILD_TESTS=ON")
    return [f"{programs(build, STOPS)} native programs under {CHECKS_ARE}"]


def watching(compiler: str, site: Path) -> dict[str, str]:
    """The environment of a Python that imports the build in `site`."""
    machine = os.uname().machine
    if is_clang(compiler):
        names = [f"libclang_rt.asan-{machine}.so", "libstdc++.so.6"]
    else:
        names = ["libasan.so", "libubsan.so", "libstdc++.so.6"]
    # The standard library as well, whose throw AddressSanitizer looks for when it starts.
    libraries = [output(compiler, f"-print-file-name={name}").strip() for name in names]
    return {
        **STOPS,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",  # Python keeps what it has at its end
        "PYTHONPATH": str(site),
        "PYTHONMALLOC": "malloc",  # so that Python's own objects are watched too
    }


def deselected() -> list[str]:
    return [f"--deselect={test}" for test in LEFT_OUT]


# ---- data races


def threads() -> list[str]:
    compiler = clang()
    build = built("threads", "thread", compiler, "-DEIGENMLP_BUILD_TESTS=ON")
    variables = {
        "OMP_TOOL_LIBRARIES": str(archer(compiler)),
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:halt_on_error=1",
    }
    return [f"{programs(build, variables)} native programs under ThreadSanitizer"]


def archer(compiler: str) -> Path:
    """The library that tells ThreadSanitizer what LLVM's OpenMP orders."""
    name = "libarcher.so"
    printed = Path(output(compiler, f"-print-file-name={name}").strip())
    # Clang 14 does not look where Debian puts it: in lib, above lib/clang/14.0.6.
    resources = Path(output(compiler, "-print-resource-dir").strip())
    for place in (printed, resources.parents[1] / name):
        if place.is_absolute() and place.exists():
            return place
    raise SystemExit(
        f"sanitize: expected {name} in {resources.parents[1]}, found none: it comes with LLVM's "
        "libomp (Debian's libomp-14-dev)"
    )


def clang() -> str:
    """$CXX if that is Clang, or else the newest there is that has OpenMP."""
    given = os.environ.get("CXX", "")
    names = [given, "clang++", *(f"clang++-{version}" for version in range(30, 13, -1))]
    for name in names:
        if shutil.which(name) and is_clang(name) and (name == given or has_openmp(name)):
            return name
    raise SystemExit(
        "sanitize: expected Clang with OpenMP for ThreadSanitizer, found none: set CXX"
    )


def is_clang(compiler: str) -> bool:
    return "clang" in output(compiler, "--version")


def has_openmp(compiler: str) -> bool:
    """Only one version's libomp can be installed on Debian, beside any number of Clangs."""
    command = [compiler, "-fopenmp", "-x", "c++", "-fsyntax-only", "-"]
    source = "#include <omp.h>"
    return subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0


# ---- all


def built(name: str, checks: str, compiler: str, *definitions: str) -> Path:
    """A build directory with these checks."""
    build = BUILDS / name
    print(f"sanitize: building in {build.relative_to(ROOT)}", flush=True)
    call(
        *("cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
        *(f"-DCMAKE_CXX_COMPILER={compiler}", f"-DPython_EXECUTABLE={sys.executable}"),
        *(f"-DEIGENMLP_SANITIZE={checks}", *definitions),
    )
    call("cmake", "--build", str(build))
    return build


def programs(build: Path, variables: dict[str, str]) -> str:
    """Runs the native tests; how many there were."""
    report = build / "ctest.xml"
    options = ["--output-on-failure", "--no-tests=error", "--timeout", "1800"]
    options += ["--output-junit", str(report)]  # what it prints has changed with CMake 4
    output("ctest", "--test-dir", str(build), *options, env=variables, shown=True)
    return ElementTree.parse(report).getroot().attrib["tests"]


def call(*command: str) -> None:
    output(*command)


def output(*command: str, env: dict[str, str] | None = None, shown: bool = False) -> str:
    """What a program prints; it ends this one with all of that if it fails."""
    # cmake and ninja come from PyPI, also where the environment is not activated.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, **(env or {})}
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=ROOT,
        env=environment,
    )
    if done.returncode:
        print(done.stdout)
        raise SystemExit(f"sanitize: {' '.join(command)[:200]}: ended with {done.returncode}")
    if shown:
        print("\n".join(done.stdout.splitlines()[-2:]), flush=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
