"""What the figures were taken on, and the environment of every process that is measured."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path

# They make OpenBLAS choose kernels of another processor.
_DISTORTING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "EIGENMLP_ISA")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "EIGENMLP_NUM_THREADS")
_PACKAGES = (
    *("eigenmlp", "numpy", "torch", "jax", "jaxlib"),
    *("scikit-learn", "onnxruntime", "mlpfile", "lightgbm", "xgboost"),
)


def environment(threads: int | None = None, isa: str | None = None) -> dict[str, str]:
    """Of a worker: this process's, without variables that distort."""
    env = {name: value for name, value in os.environ.items() if name not in _DISTORTING}
    env |= {"PYTHONWARNINGS": "ignore"}
    if threads:
        env |= dict.fromkeys(_THREADS, str(threads))
    if isa:
        env["EIGENMLP_ISA"] = isa
    return env


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description() -> dict[str, object]:
    """Processor, caches, versions, load and date."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _processor(),
        "cores": cores(),
        "caches": _caches(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average_at_start": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _commit(),
    }


def summary(machine: dict[str, object]) -> str:
    """One paragraph of Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    loads = "/".join(map(str, machine["load_average_at_start"]))
    return (
        f"{machine['date']}: {machine['processor']}, {machine['cores']} cores, {caches}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, "
        f"{versions}; commit {machine['commit']}; load at the start {loads}."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name", platform.machine())
    flags = fields.get("flags", "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    where = f"family {fields.get('cpu family')} model {fields.get('model')}"
    return f"{name} ({where}; {' '.join(known)})"


def _caches() -> dict[str, str]:
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (index / part).read_text().strip() for part in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    """Of the source tree beside this file; with a + where files are changed."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True)
        return done.stdout.strip()

    try:
        return (git("rev-parse", "--short", "HEAD") or "?") + (
            "+" if git("status", "--porcelain", "-uno") else ""
        )
    except OSError:
        return "?"
