"""The commands of developers: `nox -l` lists them, `nox -s NAME` runs one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint"]
nox.options.error_on_missing_interpreters = False

LINTERS = ".ci/lint-requirements.txt"


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14", "3.13t", "3.14t"])
def tests(session: nox.Session) -> None:
    """Install as a user would and run pytest; options after -- go to pytest."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types of Python and C++."""
    session.install("-r", LINTERS, "nox", "numpy", "pytest", "safetensors", "tqdm")
    session.run(".ci/lint", external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/site, or see it: nox -s docs -- serve."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    session.install(*extras["docs"])
    command = session.posargs or ["build", "--strict"]
    session.run("mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def stubs(session: nox.Session) -> None:
    """Write the type stubs of the compiled modules anew; nox -s stubs -- --check only looks."""
    session.install(
        ".",
        *("pybind11-stubgen>=3,<4", "-r", LINTERS),
    )
    session.run("python", "tools/stubs.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Print microseconds per step and GF/s."""
    session.install(".[bench]")
    session.run("python", "bench/bench_training.py", *session.posargs)


@nox.session
def perf(session: nox.Session) -> None:
    """Compare this tree's speed with that of a revision: nox -s perf -- [REVISION] [options]."""
    revision = "HEAD"
    options = list(session.posargs)
    if options and not options[0].startswith("-"):
        revision = options.pop(0)
    base = Path(session.create_tmp(), "base").absolute()
    session.run("git", "worktree", "prune", external=True)
    session.run(
        *("git", "worktree", "add", "--force", "--detach", str(base), revision), external=True
    )
    pythons = []
    try:
        for name, tree in (("base", str(base)), ("new", ".")):
            venv = Path(session.create_tmp(), f"venv-{name}").absolute()
            session.run("python", "-m", "venv", "--clear", str(venv))
            pythons.append(str(venv / "bin" / "python"))
            session.run(
                *(pythons[-1], "-m", "pip", "install", "--quiet", tree),
                external=True,
            )
    finally:
        session.run("git", "worktree", "remove", "--force", str(base), external=True)
    session.run(pythons[-1], "-m", "bench.perf", *pythons, *options, external=True)


@nox.session
def native(session: nox.Session) -> None:
    """Build, test and install the C++ library without Python."""
    session.install("cmake", "ninja", "cmeel-eigen")
    find_prefix = "import sysconfig; print(sysconfig.get_path('purelib') + '/cmeel.prefix')"
    eigen = session.run("python", "-c", find_prefix, silent=True)
    build, prefix = Path(session.create_tmp(), "build"), Path(session.create_tmp(), "prefix")
    session.run(
        *("cmake", "-S", ".", "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"),
        *("-DEIGENMLP_BUILD_TESTS=ON", "-DEIGENMLP_WARNINGS_AS_ERRORS=ON"),
        f"-DCMAKE_PREFIX_PATH={str(eigen).strip()}",
        *session.posargs,
    )
    session.run("cmake", "--build", str(build))
    session.run("ctest", "--test-dir", str(build), "--output-on-failure")
    session.run("cmake", "--install", str(build), "--prefix", str(prefix))


@nox.session
def compilers(session: nox.Session) -> None:
    """Build and test with other compilers and systems: here, debian13, sid, ubuntu22, ubuntu24."""
    session.install("cmake", "ninja", "cmeel-eigen>=3.4,<4")
    session.run("python", "tools/compilers.py", *(session.posargs or ["here"]))


@nox.session
def amx(session: nox.Session) -> None:
    """The tests on AMX's kernels, its instructions emulated, where there is AVX-512-BF16."""
    options = ("EIGENMLP_EMULATE_AMX=ON", "EIGENMLP_ISA=v4")
    session.install(".[test]", *(f"-Ccmake.define.{option}" for option in options))
    isa = "tests/core/test_isa.py::test_"
    of_the_system = ("levels_are_those_of_the_kernels_list_of_flags", "amx_is_not_used_where")
    session.run(
        *("pytest", *session.posargs, *(f"--deselect={isa}{name}" for name in of_the_system)),
        env={"EIGENMLP_ISA": "amx"},
    )


@nox.session
def emulate(session: nox.Session) -> None:
    """Build for aarch64, a wheel too, and run the native and the quick tests under qemu-user."""
    project = nox.project.load_toml("pyproject.toml")
    session.install("cmake", "ninja", "wheel", *project["build-system"]["requires"])
    session.run("python", "tools/emulate.py", *session.posargs)


# What the library stands on: the oldest that is promised, and the newest there is. Wheels of the
# oldest are for Python 3.10 and 3.11.
VERSIONS = {
    "numpy": ("numpy==1.24.*", "scipy==1.11.*", "scikit-learn==1.7.*"),
    "scipy": ("scipy==1.11.*",),
    "sklearn": ("scikit-learn==1.7.*",),
    "safetensors": ("safetensors==0.4.0",),
}


@nox.session
@nox.parametrize("package", [*VERSIONS, "pybind11", "newest"])
def versions(session: nox.Session, package: str) -> None:
    """The quick tests with the oldest version of one package, or the newest of all."""
    extras = ("pytest>=7.4", "threadpoolctl>=3.2", "scikit-learn>=1.7", "scipy>=1.11", "pandas>=2")
    if package == "pybind11":  # the build's: 2.13 instead of 3
        session.install("scikit-build-core>=0.10", "pybind11==2.13.*", "cmeel-eigen>=3.4,<4")
        session.install("cmake", "ninja", *extras)
        session.install("--no-build-isolation", ".")
    else:
        session.install(".", *extras, *VERSIONS.get(package, ()))
    if package == "newest":
        session.install("--upgrade", "numpy", "scipy", "scikit-learn", "safetensors", "tqdm")
    session.run("python", "-m", "pip", "list")
    if session.posargs:
        session.run("pytest", "-q", *session.posargs)
        return
    session.run("pytest", "-q", "-m", "quick", "tests/core", "tests/network", "tests/files")
    session.run("pytest", "-q", "tests/estimators/test_sklearn_contract.py")


@nox.session
def sanitize(session: nox.Session) -> None:
    """Run tests and random calls in builds that watch memory, arithmetic and data races."""
    project = nox.project.load_toml("pyproject.toml")
    session.install(
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["test"],
    )
    session.run("python", "tools/sanitize.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Read altered files of every kind, two minutes each; nox -s fuzz -- npz --seconds 600."""
    session.install(".[onnx,sklearn]")
    if not has_atheris(session):
        session.warn("no atheris for this Python: files are altered by a seeded generator")
    session.run("python", "-m", "tools.fuzz", *session.posargs)


def has_atheris(session: nox.Session) -> bool:
    """Install it where there is a wheel."""
    pip = ("python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", "atheris")
    session.run(*pip, success_codes=[0, 1], silent=True)
    found = "import importlib.util as u; print(u.find_spec('atheris') is not None)"
    return str(session.run("python", "-c", found, silent=True)).strip() == "True"


@nox.session
def soak(session: nox.Session) -> None:
    """Ten minutes of mixed work, which leave memory, threads and descriptors flat."""
    session.install(".[onnx,sklearn]")
    session.run("python", "tools/soak.py", *session.posargs)
