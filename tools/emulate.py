"""Build for aarch64 with a cross-compiler and run the tests under qemu-user in a Debian folder.

    python tools/emulate.py                     # native tests, then `pytest -m quick`
    python tools/emulate.py python -- tests/core/test_bfloat16.py

Needs root and Debian's ``g++-aarch64-linux-gnu qemu-user-static binfmt-support debootstrap``. The
folder, ``build/debian-arm64``, is made once by debootstrap, which takes long under emulation: 20
minutes and 700 MB. Both variants are built; the tests run with each, on a processor with
everything that qemu knows (``-cpu max``), so that its bfloat16 products are run as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = "trixie"
PACKAGES = [
    *("python3", "python3-dev", "python3-numpy", "python3-scipy", "python3-pytest"),
    *("python3-threadpoolctl", "python3-safetensors", "python3-tqdm", "libgomp1"),
]
COMPILER = "aarch64-linux-gnu-g++"
QUICK = ["-m", "quick", "tests/core", "tests/network", "tests/files"]
VARIANTS = {"baseline": "-march=armv8-a", "bf16": "-march=armv8.2-a+bf16"}
PROCESSORS = {"baseline": "cortex-a72", "bf16": "max"}


def run(*command: str | Path, **variables: str) -> None:
    """Run a command; its end other than with 0 is this program's."""
    print("+", *command, flush=True)
    done = subprocess.run([str(part) for part in command], env=os.environ | variables)
    if done.returncode != 0:
        raise SystemExit(f"emulate: {' '.join(map(str, command))} ended with {done.returncode}")


def debian(folder: Path) -> None:
    """The folder that tests run in."""
    if (folder / "usr" / "bin" / "python3").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    included = f"--include={','.join(PACKAGES)}"
    run("debootstrap", "--arch=arm64", "--variant=minbase", included, SUITE, folder)


def cross(build: Path, *options: str, **variables: str) -> None:
    """Configure and build for aarch64."""
    eigen = [str(Path(p, "cmeel.prefix")) for p in sys.path if Path(p, "cmeel.prefix").is_dir()]
    run(
        *("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_SYSTEM_NAME=Linux"),
        *("-DCMAKE_SYSTEM_PROCESSOR=aarch64", f"-DCMAKE_CXX_COMPILER={COMPILER}"),
        "-DEIGENMLP_WARNINGS_AS_ERRORS=ON",
        f"-DCMAKE_PREFIX_PATH={';'.join(eigen)}",
        *options,
        **variables,
    )
    run("cmake", "--build", build)


def native(folder: Path, build: Path) -> None:
    """The native tests of both variants."""
    for variant, flags in VARIANTS.items():
        emulator = f"qemu-aarch64-static;-cpu;{PROCESSORS[variant]};-L;{folder}"
        cross(
            build / f"native-{variant}",
            "-DEIGENMLP_BUILD_TESTS=ON",
            f"-DEIGENMLP_NATIVE_FLAGS={flags}",
            f"-DCMAKE_CROSSCOMPILING_EMULATOR={emulator}",
            f"-DPython_EXECUTABLE={sys.executable}",
        )
        # Threads that wait for each other are many times slower where a few processors are
        # emulated for many of them: that test's time is for real ones.
        tests = ("ctest", "--test-dir", build / f"native-{variant}", "--output-on-failure")
        run(*tests, "--no-tests=error", "--exclude-regex", "^(threads|sparse)$")


def python(folder: Path, build: Path, arguments: list[str]) -> None:
    """The Python tests with each variant."""
    import pybind11

    version = next((folder / "usr" / "include").glob("python3.*")).name
    headers = folder / "usr" / "include"
    tag = f"cpython-{version.removeprefix('python').replace('.', '')}-aarch64-linux-gnu"
    cross(
        build / "python",
        *("-DEIGENMLP_BUILD_PYTHON=ON", "-DEIGENMLP_ISA=all"),
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        f"-DPython_EXECUTABLE={folder / 'usr' / 'bin' / version}",  # by qemu
        f"-DPython_INCLUDE_DIR={headers / version}",
        f"-DPYTHON_MODULE_EXTENSION=.{tag}.so",
        f"-DCMAKE_CXX_FLAGS=-idirafter {headers}",  # where Debian's pyconfig.h looks for the real
        QEMU_LD_PREFIX=str(folder),
    )
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "python" / "eigenmlp", site / "eigenmlp", ignore=ignored)
    for name in ("tests", "examples", "tools", "cmake"):
        shutil.copytree(ROOT / name, site / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", site)
    run("cmake", "--install", build / "python", "--component", "python", "--prefix", site)
    for variant, processor in PROCESSORS.items():
        run(
            *("chroot", folder, "/usr/bin/env", "-C", "/site", "PYTHONPATH=/site"),
            *("EIGENMLP_ISA=" + variant, "QEMU_CPU=" + processor, "OMP_NUM_THREADS=2"),
            *("python3", "-m", "pytest", "-q", *(arguments or QUICK)),
        )


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="native, python; both")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "debian-arm64")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "emulate")
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:split])
    parts = options.parts or ["native", "python"]
    if unknown := [part for part in parts if part not in ("native", "python")]:
        parser.error(f"PART: expected native or python, got {unknown}")
    for tool in (COMPILER, "qemu-aarch64-static", "debootstrap"):
        if shutil.which(tool) is None:
            raise SystemExit(
                f"emulate: {tool} is missing: apt install g++-aarch64-linux-gnu qemu-user-static "
                "binfmt-support debootstrap"
            )
    debian(options.folder)
    run(sys.executable, ROOT / "tools" / "spills.py", "--compiler", COMPILER)
    if "native" in parts:
        native(options.folder, options.build)
    if "python" in parts:
        python(options.folder, options.build, given[split + 1 :])
    print(f"emulate: {', '.join(parts)}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
