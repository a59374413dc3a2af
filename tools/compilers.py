"""Build and test with compilers and systems that developers do not have at hand.

    python tools/compilers.py here                 # this system's GCC and its newest Clang
    python tools/compilers.py debian13             # GCC 14, Clang 19 and Python 3.13 in a folder
    python tools/compilers.py debian13 --only clang++-19

Warnings are errors. ``here`` builds and runs the native tests, counts spills (tools/spills.py) and,
with two compilers, prints the tiles' speed with each in turns. ``debian13`` is made by debootstrap
in ``build/debian13`` (root, 900 MB): the native tests there, then an installation into a virtual
environment and `pytest -m quick`. What a system's packages do not give is said and left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILDS = ROOT / "build" / "compilers"
SUITE, FOLDER = "trixie", ROOT / "build" / "debian13"
PACKAGES = [
    *("g++-14", "clang-19", "libomp-19-dev", "cmake", "ninja-build", "libeigen3-dev"),
    *("python3-dev", "python3-venv", "ca-certificates"),
]
TESTS = ["pytest>=7.4", "scipy>=1.11", "threadpoolctl>=3.2"]  # what the quick tests import
FOLDERS = ["core", "network", "files"]  # where they are

Run = Callable[..., str]


def run(*command: str | Path, **variables: str) -> str:
    """Run a command, its output shown and returned."""
    print("+", *command, flush=True)
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | variables,
    )
    lines = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line)
    if process.wait() != 0:
        raise SystemExit(
            f"compilers: {' '.join(map(str, command))} ended with {process.returncode}"
        )
    return "".join(lines)


def native(run: Run, compiler: str, source: str | Path, build: str | Path, *options: str) -> None:
    """Build the native tests and benchmarks with warnings as errors, and run the tests."""
    switches = ("TESTS", "BENCH")
    run(
        *("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={compiler}"),
        *(f"-DEIGENMLP_BUILD_{name}=ON" for name in switches),
        "-DEIGENMLP_WARNINGS_AS_ERRORS=ON",
        *options,
    )
    run("cmake", "--build", build)
    run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error")


def newest_clang() -> str | None:
    """`clang++-N` of the largest N, or clang++."""
    found = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for path in Path(folder).glob("clang++-*"):
            if number := re.fullmatch(r"clang\+\+-(\d+)", path.name):
                found[int(number[1])] = path.name
    return found[max(found)] if found else shutil.which("clang++")


def here() -> list[str]:
    """This system's compilers."""
    compilers = [c for c in (shutil.which("g++"), newest_clang()) if c]
    if not compilers:
        raise SystemExit("compilers: neither g++ nor clang++ is installed")
    benches = []
    for compiler in compilers:
        build = BUILDS / Path(compiler).name
        python = f"-DPython_EXECUTABLE={sys.executable}"
        native(run, compiler, ROOT, build, python)
        run(sys.executable, ROOT / "tools" / "spills.py", "--compiler", compiler)
        benches.append(build / "bench" / "native" / "bench_kernel")
    if len(benches) > 1:
        print(*compare(benches), sep="\n")
    return [Path(compiler).name for compiler in compilers]


def compare(benches: list[Path], turns: int = 3) -> list[str]:
    """The tiles' GF/s: the best of some turns, in which the programs take turns."""
    best: dict[str, list[float]] = {}
    for _ in range(turns):
        for i, bench in enumerate(benches):
            printed = subprocess.run([bench], check=True, capture_output=True, text=True).stdout
            for name, speed in re.findall(r"^(tile, .+? x \d+)\s+([\d.]+)", printed, re.MULTILINE):
                row = best.setdefault(" ".join(name.split()), [0.0] * len(benches))
                row[i] = max(row[i], float(speed))
    head = " ".join(f"{bench.parents[2].name:>12}" for bench in benches)
    lines = [f"{'GF/s':<28} {head}  last of first"]
    for name, speeds in best.items():
        shown = " ".join(f"{speed:12.1f}" for speed in speeds)
        lines.append(f"{name:<28} {shown}  {100 * speeds[-1] / speeds[0]:11.0f} %")
    return lines


def debian13(only: list[str]) -> list[str]:
    """Another Debian in a folder."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise SystemExit("compilers: debian13 needs root and debootstrap (apt install debootstrap)")
    if not (FOLDER / "usr" / "bin" / "g++-14").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        included = f"--include={','.join(PACKAGES)}"
        run("debootstrap", "--variant=minbase", included, SUITE, FOLDER)
    shutil.rmtree(FOLDER / "src", ignore_errors=True)
    (FOLDER / "src").mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        target = FOLDER / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    for name in ("resolv.conf", "pip.conf", "ssl/certs/ca-certificates.crt"):  # pip's, as outside
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), FOLDER / "etc" / name)

    def inside(*command: str | Path, **variables: str) -> str:
        settings = [f"{key}={value}" for key, value in variables.items()]
        return run("chroot", FOLDER, "/usr/bin/env", *settings, *command)

    done = []
    for compiler in ("g++-14", "clang++-19"):
        if only and compiler not in only:
            continue
        native(inside, compiler, "/src", f"/build-{compiler}")
        done.append(compiler)
    if not only or "python3" in only:
        inside("python3", "-m", "venv", "--clear", "/venv")
        strict = "--config-settings=cmake.define.EIGENMLP_WARNINGS_AS_ERRORS=ON"
        inside("/venv/bin/pip", "install", "-q", strict, "/src", *TESTS, CXX="g++-14")
        folders = [f"/src/tests/{folder}" for folder in FOLDERS]
        inside("/venv/bin/python", "-m", "pytest", "-q", "-m", "quick", *folders)
        done.append("Python 3.13")
    return done


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=["here", "debian13"])
    parser.add_argument("--only", nargs="*", default=[], help="g++-14, clang++-19, python3")
    options = parser.parse_args()
    done = here() if options.system == "here" else debian13(options.only)
    print(f"compilers: {', '.join(done)}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
