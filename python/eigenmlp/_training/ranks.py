"""Processes that share a run, over MPI: numbers of a step, and files that one of them writes."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .._basics import last_words
from .._basics.shown import shown
from .._inputs import checks
from ..errors import RankError
from .channel import Channel
from .news import Saved

_SOON = 1.0  # seconds in which rank 0 begins with a file that all ranks save
_NAP = 1e-3


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
    """The processes of an mpi4py communicator, one of which this is, as a trainer has them."""

    def __init__(self, comm: object) -> None:
        # Who has a communicator has imported this; to import it here would start MPI.
        MPI: Any = sys.modules.get("mpi4py.MPI")
        if MPI is None or not isinstance(comm, MPI.Intracomm) or comm == MPI.COMM_NULL:
            if importlib.util.find_spec("mpi4py") is None:
                mpi()  # says what is missing
            raise TypeError(
                f"comm: expected an mpi4py communicator such as MPI.COMM_WORLD, got {shown(comm)}"
            )
        self._MPI, self._channel = MPI, Channel.of(MPI, comm)
        self.index, self.size = self._channel.index, self._channel.size
        self.own = False
        self._trainer = (0, 0)  # generation and number of the call that made it
        self._agreed_in = -1

    @classmethod
    def of(cls, comm: object, rows: str, name: str) -> Ranks | None:
        """None without a communicator, which is all that other runs know of this."""
        if isinstance(comm, Ranks):
            return comm
        if comm is None:
            checks.known(rows, ("all", "own"), "rows")
            if rows == "own":
                raise ValueError("rows: expected 'all' without comm=, got 'own'")
            return None
        ranks = cls(comm)
        with ranks._channel.call(name) as frame:  # first, since all have to do it
            ranks._trainer = frame.generation, frame.number
            ranks.own = checks.known(rows, ("all", "own"), "rows") == "own" and ranks.size > 1
        return ranks

    def together(self, name: str, memory: object = None) -> AbstractContextManager[object]:
        """Around what all ranks do: an error on this one ends it on all.

        Errors that all ranks have alike are marked by `alike`. `memory` is what messages point to.
        """
        return self._channel.call(name, self._trainer, memory)

    @property
    def threads(self) -> int | None:
        """Those that this rank's processors leave for it; None: as ever."""
        return self._channel.threads

    @property
    def agreed(self) -> bool:
        """Whether all have the same trainer."""
        return self._agreed_in == self._channel.generation

    @agreed.setter
    def agreed(self, agreed: bool) -> None:
        self._agreed_in = self._channel.generation if agreed else -1

    # ---- messages

    def swap(self, rank: int, out: memoryview, into: memoryview) -> None:
        """Send bytes to a rank, and receive as many there as there is room for."""
        byte, requests, comm = self._MPI.BYTE, [], self._channel.comm
        tag = self._channel.tag()
        if len(into):
            requests.append(comm.Irecv([into, byte], rank, tag))
        if len(out):
            requests.append(comm.Isend([out, byte], rank, tag))
        statuses = [self._MPI.Status() for _ in requests]
        try:
            self._channel.wait_for(requests, rank, statuses)
            whole = not len(into) or statuses[0].Get_count(byte) == len(into)
        except self._MPI.Exception:  # more came than there is room for
            whole = False
        if not whole:
            raise ValueError(
                f"batch: expected the same shape on all ranks, got another on rank {rank}"
            )

    def gather(self, value: object) -> list[Any]:
        """What every rank gives, by rank."""
        return self._channel.gather(value)

    def same(self, digest: bytes) -> bool:
        """Whether all ranks give the same bytes."""
        return all(other == digest for other in self.gather(digest))

    def look(self) -> None:
        """Raise what ends this call, if another rank has said so."""
        self._channel.look()

    # ---- files

    def write_once(self, path: str, steps: int, digest: str, write: Callable[[], None]) -> None:
        """Write a trainer's file, the same from any rank: by rank 0, if all do so.

        No rank need be here. What rank 0 does not begin with soon another rank writes itself; rank
        0 may put the same bytes in its place later.
        """
        channel, what = self._channel, (self._trainer, path)
        if self.index == 0:
            channel.tell_all(("saves", what, Saved(steps, digest)))
            try:
                write()
            except BaseException as error:
                failed = Saved(steps, digest, error=last_words.text_of(error))
                channel.tell_all(("saves", what, failed))
                raise
            channel.tell_all(("saves", what, Saved(steps, digest, done=True)))
            return
        until = time.monotonic() + _SOON
        while not channel.has_left(0):
            channel.listen()
            seen = channel.saved.get(what)
            if seen is not None and (seen.digest == digest or seen.steps > steps):
                if seen.digest == digest and (seen.done or seen.error is not None):
                    del channel.saved[what]  # it is told of this call, and not of a later one
                if seen.error is not None:
                    raise RankError(0, seen.error)
                if seen.done:
                    return
            elif time.monotonic() > until:
                break
            time.sleep(_NAP)
        write()


class Copied(Ranks):
    """What a copy of a trainer has whose rows were a rank's own: no communicator, and no runs."""

    def __init__(self) -> None:
        self.index, self.size, self.own, self._agreed_in = 0, 1, True, -1

    def together(self, name: str, memory: object = None) -> AbstractContextManager[object]:
        raise RuntimeError(
            f"{name}: expected the trainer itself with rows='own', got a copy, which has no "
            "communicator and would run on one rank's rows alone: save the trainer and use "
            "Trainer.load(path, comm=comm, rows='own'), or Trainer.load(path) to run alone"
        )

    @property
    def threads(self) -> int | None:
        return None


def together(ranks: Ranks | None, name: str) -> AbstractContextManager[object]:
    """`Ranks.together`, if there are any."""
    return nullcontext() if ranks is None else ranks.together(name)


def alike(error: BaseException) -> BaseException:
    """An error that every rank raises by itself."""
    error._on_all_ranks = True  # type: ignore[attr-defined]
    return error
