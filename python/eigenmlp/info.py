"""What runs here: versions, instruction set, threads, build."""

from __future__ import annotations

import platform

import numpy as np

from ._core import _cpu
from ._core.loading import core, level, version
from .threads import get_num_threads

_BFLOAT16 = {"amx": "AMX", "bf16": "AVX-512-BF16" if _cpu.architecture == "x86-64" else "BFDOT"}


def info() -> dict[str, object]:
    """Versions, the instruction set in use, threads and build flags.

    ``threads`` is how many a call may use, ``threads_used`` how many the last one did whose work
    could be shared (1 where no more are allowed), and ``threads_why`` the reason.
    ``bfloat16_products`` says by what networks with ``compute_dtype="bfloat16"`` multiply.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.info()["version"] == em.__version__
    True
    """
    used, why = core.last_decision()
    return {
        "version": version,
        "isa": level,
        "supported_isa": _cpu.supported_levels(),
        "threads": get_num_threads(),
        "threads_used": used,
        "threads_why": why,
        "bfloat16_products": _BFLOAT16.get(level, "float32, of rounded operands"),
        "build_flags": core.build_flags,
        "compiler": core.compiler,
        "eigen": core.eigen_version,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
