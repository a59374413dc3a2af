"""What a process that ends by an error tells those it was started with by MPI.

A rank that waits for the others before it shares anything with them has only this to hear of one
that will never come: it was lost before it had a communicator to pass, as in reading its data.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

_LONGEST = 200  # characters of an error in a message
_process = os.getpid()
_sent: list[Any] = []  # messages on their way, and the memory that they point to


def text_of(error: BaseException) -> str:
    """An error in a message to other ranks."""
    return f"{type(error).__name__}: {error!s:.{_LONGEST}}".rstrip(": ")


def last_error() -> BaseException | None:
    """What nobody caught, if that ends this process."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def speaking_mpi() -> Any:
    """`mpi4py.MPI`, if messages can be sent: imported, and not at its end; not in a fork."""
    MPI: Any = sys.modules.get("mpi4py.MPI")
    if MPI is None or os.getpid() != _process:
        return None
    return MPI if MPI.Is_initialized() and not MPI.Is_finalized() else None


def world_tag(MPI: Any) -> int:
    """Of last words in MPI.COMM_WORLD: the one that users are least likely to use."""
    return int(MPI.COMM_WORLD.Get_attr(MPI.TAG_UB))


def tell_the_world() -> None:
    """At the end of a process: its last error, if nobody caught it."""
    error, MPI = last_error(), speaking_mpi()
    if error is None or MPI is None:
        return
    world, text = MPI.COMM_WORLD, text_of(error).encode()
    for rank in range(world.Get_size()):
        if rank != world.Get_rank():
            with suppress(MPI.Exception):
                _sent.append((world.Isend([text, MPI.BYTE], rank, world_tag(MPI)), text))
