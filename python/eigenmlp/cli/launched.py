"""Several ranks of ``mpiexec -n 4 eigenmlp …``: one of them prints and writes."""

from __future__ import annotations

import os
from typing import Any

# What MPICH and Open MPI tell the processes that they start.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")


def is_first() -> bool:
    """Whether this process is the one that says things; also where there is only one."""
    return _number(_RANKS, 0) == 0


def world() -> Any:
    """`MPI.COMM_WORLD` if `mpiexec` started several of these processes, else None."""
    if _number(_SIZES, 1) < 2:
        return None
    from .._training.ranks import mpi

    return mpi().COMM_WORLD


def _number(names: tuple[str, ...], default: int) -> int:
    for name in names:
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return default
