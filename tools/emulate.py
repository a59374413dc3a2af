"""Build for aarch64 with a cross-compiler and run the tests under qemu-user in a Debian folder.

    python tools/emulate.py                     # native tests, the wheel, then `pytest -m quick`
    python tools/emulate.py wheel               # build/emulate/wheel/*.whl, installed and tried
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
CROSS = {
    "CMAKE_SYSTEM_NAME": "Linux",
    "CMAKE_SYSTEM_PROCESSOR": "aarch64",
    "CMAKE_CXX_COMPILER": COMPILER,
}
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


def cross(build: Path, *options: str) -> None:
    """Configure and build for aarch64."""
    run(
        *("cmake", "-S", ROOT, "-B", build, "-G", "Ninja"),
        *(f"-D{name}={value}" for name, value in CROSS.items()),
        "-DEIGENMLP_WARNINGS_AS_ERRORS=ON",
        f"-DCMAKE_PREFIX_PATH={prefixes()}",
        *options,
    )
    run("cmake", "--build", build)


def prefixes() -> str:
    """Where CMake finds PyPI's Eigen."""
    return ";".join(
        str(Path(p, name)) for p in sys.path if Path(p, name := "cmeel.prefix").is_dir()
    )


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


def wheel(folder: Path, build: Path) -> None:
    """A wheel of both variants for the folder's Python, built here, installed and tried there."""
    import pybind11

    python = next((folder / "usr" / "include").glob("python3.*")).name
    headers = folder / "usr" / "include"
    version = python.removeprefix("python")  # 3.13
    tag = "cp" + version.replace(".", "")
    defines: dict[str, str | Path] = {
        **CROSS,
        "EIGENMLP_ISA": "all",
        "EIGENMLP_WARNINGS_AS_ERRORS": "ON",
        "CMAKE_PREFIX_PATH": prefixes(),
        "pybind11_DIR": pybind11.get_cmake_dir(),
        "Python_EXECUTABLE": folder / "usr" / "bin" / python,  # by qemu
        "Python_INCLUDE_DIR": headers / python,
        "PYTHON_MODULE_EXTENSION": f".cpython-{tag[2:]}-aarch64-linux-gnu.so",
        "CMAKE_CXX_FLAGS": f"-idirafter {headers}",  # where Debian's pyconfig.h looks for the real
    }
    made, site = build / "wheel", folder / "site"
    for old in (made, site):
        shutil.rmtree(old, ignore_errors=True)
    settings = [f"cmake.define.{name}={value}" for name, value in defines.items()]
    settings += ["cmake.python-hints=false", f"build-dir={build / 'pip'}"]
    run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *(f"--config-settings={setting}" for setting in settings),
        *("-w", made, ROOT),
        _PYTHON_HOST_PLATFORM="linux-aarch64",  # the wheel's tag, of which the rest is:
        QEMU_LD_PREFIX=str(folder),
    )
    tags = ("--python-tag", tag, "--abi-tag", tag)
    run(sys.executable, "-m", "wheel", "tags", "--remove", *tags, *made.glob("*.whl"))
    run(
        *(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index"),
        *("--platform", "linux_aarch64", "--python-version", version, "--only-binary=:all:"),
        *("--target", site),
        *made.glob("*.whl"),
    )
    for variant in VARIANTS:
        inside(folder, variant, "-m", "eigenmlp", "info")
        inside(folder, variant, "-m", "eigenmlp", "train", "digits", "--epochs", "2")


def python(folder: Path, arguments: list[str]) -> None:
    """The Python tests of the installed wheel with each variant."""
    for name in ("tests", "examples", "tools", "cmake"):
        shutil.copytree(
            ROOT / name,
            folder / "site" / name,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    shutil.copy(ROOT / "pyproject.toml", folder / "site")
    for variant in VARIANTS:
        inside(folder, variant, "-m", "pytest", "-q", *(arguments or QUICK))


def inside(folder: Path, variant: str, *arguments: str) -> None:
    """Run the folder's Python on a processor that has just what the variant needs, or more."""
    settings = {
        "PYTHONPATH": "/site",
        "EIGENMLP_ISA": variant,
        "QEMU_CPU": PROCESSORS[variant],
        "OMP_NUM_THREADS": "2",
    }
    given = [f"{name}={value}" for name, value in settings.items()]
    run("chroot", folder, "/usr/bin/env", "-C", "/site", *given, "python3", *arguments)


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="native, wheel, python (with wheel); all")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "debian-arm64")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "emulate")
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:split])
    parts = options.parts or ["native", "python"]
    if unknown := [part for part in parts if part not in ("native", "wheel", "python")]:
        parser.error(f"PART: expected native, wheel or python, got {unknown}")
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
    if "wheel" in parts or "python" in parts:
        wheel(options.folder, options.build)
    if "python" in parts:
        python(options.folder, given[split + 1 :])
    print(f"emulate: {', '.join(parts)}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
