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
_NOTE = "eigenmlp-rank-{}-has-left"  # PMI takes no spaces
_process = os.getpid()
_met: list[bool] = []  # whether this process has ever shared something
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


def meet() -> None:
    """From now on others learn from its messages that this process leaves."""
    _met.append(True)


def leave_a_note() -> None:
    """At the end of a process without an error, which has met nobody: where others can find it who
    wait for it. No message: one that nobody expects could reach a user's `recv` of any message.
    """
    MPI = speaking_mpi()
    if not _met and last_error() is None and MPI is not None and _has_notes(MPI):
        with suppress(MPI.Exception):
            MPI.Publish_name(_NOTE.format(MPI.COMM_WORLD.Get_rank()), "left")


def has_left_a_note(MPI: Any, rank: int) -> bool:
    """Whether a rank of the world has; it takes a millisecond."""
    if not _has_notes(MPI):
        return False
    try:
        MPI.Lookup_name(_NOTE.format(rank))
    except MPI.Exception:
        return False
    return True


def _has_notes(MPI: Any) -> bool:
    """Whether names can be published: by MPICH's mpiexec, which keeps them for its own world; other
    launchers may take long to say that they cannot.
    """
    return (
        "HYDI_CONTROL_FD" in os.environ
        and MPI.Get_library_version().startswith("MPICH")
        and MPI.COMM_WORLD.Get_size() > 1
        and MPI.Comm.Get_parent() == MPI.COMM_NULL
        and all(
            comm.Get_errhandler() == MPI.ERRORS_RETURN for comm in (MPI.COMM_WORLD, MPI.COMM_SELF)
        )
    )
