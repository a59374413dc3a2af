"""What runs here: versions, instruction set, threads, build."""

from __future__ import annotations

import platform

import numpy as np

from ._backends import _cpu
from ._backends.core import core, level, version
from .threads import get_num_threads


def info() -> dict[str, object]:
    """Versions, the instruction set in use, threads and build flags.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.info()["version"] == em.__version__
    True
    """
    return {
        "version": version,
        "isa": level,
        "supported_isa": _cpu.supported_levels(),
        "threads": get_num_threads(),
        "build_flags": core.build_flags,
        "compiler": core.compiler,
        "eigen": core.eigen_version,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
