"""Programs run by several ranks of a real MPI, with a bound on their time."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_SECONDS = 90.0  # a program takes one or two; far more only where the machine is busy


def _of_wheel(name: str) -> Path | None:
    """Where a file of the wheel `mpich` was installed."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name == name]
    return found[0].resolve() if found else None


_MPIEXEC = _of_wheel("mpiexec") or shutil.which("mpiexec")

needs_mpi = pytest.mark.skipif(
    _MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason="needs MPI: pip install mpi4py mpich",
)


def keeps_notes() -> bool:
    """Whether it is Hydra, MPICH's, which keeps the names that ranks publish."""
    version = subprocess.run([str(_MPIEXEC), "--version"], capture_output=True, text=True)
    return "HYDRA" in version.stdout


def start(ranks: int, *command: str, **options: object) -> "subprocess.Popen[str]":
    """`python command` on so many ranks."""
    environment = {**os.environ, "PYTHONPATH": str(_TESTS), "MPIR_CVAR_POLLS_BEFORE_YIELD": "10"}
    library = _of_wheel("libmpi.so.12")
    if library is not None and Path(sys.prefix) not in library.parents:
        environment["MPI4PY_LIBMPI"] = str(library)
    environment.pop("OMP_NUM_THREADS", None)
    environment.pop("EIGENMLP_NUM_THREADS", None)
    return subprocess.Popen(
        [str(_MPIEXEC), "-n", str(ranks), sys.executable, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"stdin": subprocess.DEVNULL, **options},  # type: ignore[call-overload]
    )


def finish(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """What a started program said, within the time it is given."""
    try:
        out, errors = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()  # mpiexec ends its ranks
        out, errors = process.communicate(timeout=10)
        pytest.fail(f"ranks did not end within {_SECONDS:g} s:\n{out}\n{errors}")
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def run(ranks: int, *command: str, **options: object) -> str:
    """What `python command` printed on so many ranks, all of which ended well."""
    done = finish(start(ranks, *command, **options))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
