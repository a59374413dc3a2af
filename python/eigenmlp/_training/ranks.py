"""Processes that share a run, over MPI: what they tell each other, and how they end together.

Whoever waits for another rank also looks for news of an error on any of them, so that one that
raises, or gets Ctrl-C, ends the run on all. Nothing else goes over the communicator used here, a
duplicate of the user's; after such an end it is given up, for messages may be on their way in it.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pickle
import signal
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from .._basics.shown import shown
from .._inputs import checks
from ..errors import RankError
from ..threads import get_num_threads, is_chosen

_NUMBERS, _NEWS = 1, 2  # tags
_LOOKS = 16  # at requests, for one look for news
# Looks in a row before the processor is offered to others, and before naps: some 50 µs and 1 ms.
_SPINS, _OFFERS = 100, 1000
_NAP, _LONG_NAP = 5e-5, 2e-3  # seconds; the latter where a rank has waited for one
_LONGEST = 200  # characters of an error in a message
_given_up: list[Any] = []  # requests that may never end, and the memory that they point to
_in_use: weakref.WeakSet[Ranks] = weakref.WeakSet()


def mpi() -> Any:
    """The module `mpi4py.MPI`."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the latter: no MPI library
        raise ImportError(
            f"comm= needs MPI: pip install mpi4py mpich ({str(error).splitlines()[0]:.120})"
        ) from error
    return MPI


class Ranks:
    """The processes of an mpi4py communicator, one of which this is."""

    def __init__(self, comm: object, rows: str) -> None:
        checks.known(rows, ("all", "own"), "rows")
        # Who has a communicator has imported this; to import it here would start MPI.
        MPI: Any = sys.modules.get("mpi4py.MPI")
        if MPI is None or not isinstance(comm, MPI.Intracomm) or comm == MPI.COMM_NULL:
            if importlib.util.find_spec("mpi4py") is None:
                mpi()  # says what is missing
            raise TypeError(
                f"comm: expected an mpi4py communicator such as MPI.COMM_WORLD, got {shown(comm)}"
            )
        self._MPI, self._users = MPI, comm
        self.index, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.own = rows == "own" and self.size > 1
        self._requests: list[Any] = []
        self._join()

    @classmethod
    def of(cls, comm: object, rows: str) -> Ranks | None:
        """None without a communicator, which is all that other runs know of this."""
        if comm is None:
            checks.known(rows, ("all", "own"), "rows")
            if rows == "own":
                raise ValueError("rows: expected 'all' without comm=, got 'own'")
            return None
        return cls(comm, rows)

    def _join(self) -> None:
        """A duplicate of the user's communicator, the same one for all trainers."""
        found = self._users.Get_attr(_key(self._MPI))
        if found is None:
            with _without_ctrl_c():  # between two of these calls it would leave the others waiting
                own = self._users.Dup()
                neighbours = own.Split_type(self._MPI.COMM_TYPE_SHARED)
                found = own, _threads(neighbours)
                neighbours.Free()
                self._users.Set_attr(_key(self._MPI), found)
        self._comm, self.threads = found
        self._lost = self.agreed = False  # the latter: whether all have the same trainer
        _in_use.add(self)

    # ---- messages

    def swap(self, rank: int, out: memoryview, into: memoryview) -> None:
        """Send bytes to a rank, and receive as many there as there is room for."""
        byte, requests = self._MPI.BYTE, []
        if len(into):
            requests.append(self._comm.Irecv([into, byte], rank, _NUMBERS))
        if len(out):
            requests.append(self._comm.Isend([out, byte], rank, _NUMBERS))
        statuses = [self._MPI.Status() for _ in requests]
        try:
            self._wait(requests, statuses)
            whole = not len(into) or statuses[0].Get_count(byte) == len(into)
        except self._MPI.Exception:  # more came than there is room for
            whole = False
        if not whole:
            raise ValueError(
                f"batch: expected the same shape on all ranks, got another on rank {rank}"
            )

    def gather(self, value: object) -> list[Any]:
        """What every rank gives, by rank."""
        own = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = np.zeros(self.size, np.int64)
        self._wait([self._comm.Iallgather(np.array([len(own)]), sizes)])
        all_ = np.zeros(int(sizes.sum()), np.uint8)
        self._wait([self._comm.Iallgatherv(own, [all_, sizes])])
        ends = np.cumsum(sizes)
        return [pickle.loads(all_[b - n : b].tobytes()) for b, n in zip(ends, sizes, strict=True)]

    def same(self, digest: bytes) -> bool:
        """Whether all ranks give the same bytes, of a length that all know."""
        own = np.frombuffer(digest, np.uint8)
        of_all = np.empty((self.size, len(own)), np.uint8)
        self._wait([self._comm.Iallgather(own, of_all)])
        return bool((of_all == own).all())

    def _wait(self, requests: list[Any], statuses: list[Any] | None = None) -> None:
        self._requests = requests
        looks, began = 0, 0.0
        while not self._MPI.Request.Testall(requests, statuses):
            looks += 1
            if looks % _LOOKS == 0:
                self.look()
            if looks > _OFFERS:
                began = began or time.monotonic()
                time.sleep(_LONG_NAP if time.monotonic() - began > 1.0 else _NAP)
            elif looks > _SPINS:
                _offer_processor()
        self._requests = []

    def look(self) -> None:
        """Raise `RankError` if a rank has said that it ends."""
        status = self._MPI.Status()
        if self._comm.Iprobe(self._MPI.ANY_SOURCE, _NEWS, status):
            rank = status.Get_source()
            buffer = bytearray(status.Get_count(self._MPI.BYTE))
            self._comm.Recv([buffer, self._MPI.BYTE], rank, _NEWS)
            raise RankError(rank, buffer.decode())

    # ---- ends

    @contextmanager
    def together(self, memory: object = None) -> Iterator[None]:
        """Around what all ranks do: an error on this one ends it on all.

        Errors that all ranks have alike are marked by `alike`. `memory` is what messages point to.
        """
        if self._lost:  # before what one rank may refuse, since all have to do it
            self._join()
        try:
            yield
        except RankError:
            self._give_up(memory)
            raise
        except BaseException as error:
            if not getattr(error, "_on_all_ranks", False):
                self.tell(error)
                self._give_up(memory)
            raise

    def tell(self, error: BaseException) -> None:
        """Send word of an error to all other ranks; nobody need be there to receive it."""
        if self._MPI.Is_finalized():
            return
        text = f"{type(error).__name__}: {error!s:.{_LONGEST}}".rstrip(": ").encode()
        for rank in range(self.size):
            if rank != self.index:
                with suppress(self._MPI.Exception):
                    request = self._comm.Isend([text, self._MPI.BYTE], rank, _NEWS)
                    _given_up.append((request, text))

    def _give_up(self, memory: object) -> None:
        for request in self._requests:
            with suppress(self._MPI.Exception):
                request.Cancel()  # receives; what is sent may stay on its way for ever
        _given_up.append((self._requests, memory))
        self._requests = []
        with suppress(self._MPI.Exception):
            found = self._users.Get_attr(_key(self._MPI))
            if found is not None and found[0] is self._comm:
                self._users.Delete_attr(_key(self._MPI))
        for ranks in list(_in_use):  # other trainers would get messages that were meant for this
            if ranks._comm is self._comm:
                ranks._lost = True
                _in_use.discard(ranks)


def alike(error: BaseException) -> BaseException:
    """An error that every rank raises by itself."""
    error._on_all_ranks = True  # type: ignore[attr-defined]
    return error


def _key(MPI: Any) -> int:
    """The attribute of a communicator that our duplicate is."""
    if not _keys:
        _keys.append(MPI.Comm.Create_keyval())
    return _keys[0]


_keys: list[int] = []


def _threads(neighbours: Any) -> int | None:
    """Threads of a rank that shares its processors with others of this machine; None: as ever."""
    if is_chosen() or not hasattr(os, "sched_getaffinity"):
        return None
    own = os.sched_getaffinity(0)
    sharing = sum(bool(own & other) for other in neighbours.allgather(own))
    return max(1, get_num_threads() // sharing) if sharing > 1 else None


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Ctrl-C comes afterwards, where the system can put it off."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _offer_processor() -> None:
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


@atexit.register
def _tell_of_last_error() -> None:
    """An error between two runs, which nobody caught, ends the others' runs too."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if isinstance(error, BaseException):
        for ranks in list(_in_use):
            ranks.tell(error)
