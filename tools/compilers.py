"""Build and test with compilers, Pythons and systems that developers do not have at hand.

    python tools/compilers.py here                  # this system's GCC and its newest Clang
    python tools/compilers.py debian13              # GCC 14, Clang 19 and Python 3.13 in a folder
    python tools/compilers.py sid --only g++-16 python

Warnings are errors. ``here`` builds and runs the native tests, looks at what compilers made of the
sources (tools/spills.py, tools/guarded.py) and, with two compilers, prints the tiles' speed with
each in turns. The others are made by debootstrap in ``build/NAME`` (root, about 1 GB each): there
the native tests and those looks with each compiler, then, by the first of them, an installation
into a virtual environment and the quick tests. Eigen is the system's in native tests, which is 5 in
sid, and PyPI's in the installation.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILDS = ROOT / "build" / "compilers"


@dataclass(frozen=True)
class System:
    """A release of Debian or Ubuntu, its Python, and those of its compilers that are tried."""

    suite: str
    mirror: str
    python: str
    compilers: tuple[str, ...]  # one Clang at most: the packages of their libomp exclude each other

    def packages(self) -> list[str]:
        """What it needs beyond the smallest system."""
        clang = [c.removeprefix("clang++-") for c in self.compilers if "clang" in c]
        return [
            *(c for c in self.compilers if "clang" not in c),
            *(name for n in clang for name in (f"clang-{n}", f"libomp-{n}-dev")),
            *(f"{self.python}-dev", f"{self.python}-venv", "libeigen3-dev", "ca-certificates"),
        ]


DEBIAN, UBUNTU = "http://deb.debian.org/debian", "http://archive.ubuntu.com/ubuntu"
SYSTEMS = {
    "debian13": System("trixie", DEBIAN, "python3.13", ("g++-14", "clang++-19")),
    "sid": System("sid", DEBIAN, "python3.14", ("g++-16", "g++-15", "g++-13", "clang++-22")),
    "ubuntu22": System("jammy", UBUNTU, "python3.10", ("g++-11", "clang++-14")),
    "ubuntu24": System("noble", UBUNTU, "python3.12", ("g++-13", "clang++-18")),
}
TESTS = ["pytest>=7.4", "scipy>=1.11", "threadpoolctl>=3.2", "scikit-learn>=1.7", "pandas>=2"]
LISTINGS = ("spills.py", "guarded.py")  # what compilers made of the sources
QUICK = [f"/src/tests/{folder}" for folder in ("core", "network", "files")]

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
        for tool in LISTINGS:
            run(sys.executable, ROOT / "tools" / tool, "--compiler", compiler)
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


def elsewhere(name: str, only: list[str]) -> list[str]:
    """Another system in a folder."""
    system, folder = SYSTEMS[name], ROOT / "build" / name
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise SystemExit(f"compilers: {name} needs root and debootstrap (apt install debootstrap)")
    if (folder / "debootstrap").exists() or not (folder / "etc").exists():  # begun, or not even
        folder.mkdir(parents=True, exist_ok=True)
        components = "main,universe" if system.mirror == UBUNTU else "main"
        options = ("--variant=minbase", f"--components={components}")
        run("debootstrap", *options, system.suite, folder, system.mirror)
    copy_sources(folder / "src")
    for file in ("resolv.conf", "pip.conf", "ssl/certs/ca-certificates.crt"):  # as outside
        if Path("/etc", file).exists():
            (folder / "etc" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/etc", file), folder / "etc" / file)

    def inside(*command: str | Path, **variables: str) -> str:
        variables = {"PATH": "/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin"} | variables
        settings = [f"{key}={value}" for key, value in variables.items()]
        proc = 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"'  # gone with the command
        return run(
            *("unshare", "--mount", "sh", "-c", proc, folder, "/usr/bin/env"), *settings, *command
        )

    # A mirror may be older than unstable's lists say they may be; they are signed all the same.
    inside("apt-get", "-q", "-o", "Acquire::Check-Valid-Until=false", "update")
    apt = ("apt-get", "-qy", "install", "--no-install-recommends")
    inside(*apt, *system.packages(), DEBIAN_FRONTEND="noninteractive")
    inside(f"/usr/bin/{system.python}", "-m", "venv", "--clear", "/venv")
    inside("pip", "install", "-q", "cmake", "ninja")

    parts = only or [*system.compilers, "python"]
    for compiler in (part for part in parts if part != "python"):
        native(inside, compiler, "/src", f"/build-{compiler}")
        for tool in LISTINGS:
            inside("python", f"/src/tools/{tool}", "--compiler", compiler)
    if "python" in parts:
        build = {
            "CXX": system.compilers[0],
            "SKBUILD_CMAKE_DEFINE": "EIGENMLP_WARNINGS_AS_ERRORS=ON",
        }
        inside("pip", "install", "-q", "/src", *TESTS, **build)
        inside("python", "-m", "pytest", "-q", "-rs", "-m", "quick", *QUICK)
        inside("python", "-m", "pytest", "-q", "/src/tests/estimators/test_sklearn_contract.py")
    return [system.python if part == "python" else part for part in parts]


def copy_sources(target: Path) -> None:
    """The files of this repository as they are in the work tree."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=["here", *SYSTEMS])
    parser.add_argument("--only", nargs="*", default=[], help="some of its compilers, and python")
    options = parser.parse_args()
    if options.system == "here":
        done = here()
    else:
        known = [*SYSTEMS[options.system].compilers, "python"]
        if unknown := set(options.only).difference(known):
            parser.error(f"--only: expected some of {known}, got {sorted(unknown)}")
        done = elsewhere(options.system, options.only)
    print(f"compilers: {options.system}: {', '.join(done)}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
