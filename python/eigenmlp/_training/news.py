"""Word that ranks of MPI send each other, which nobody need be there to receive.

An error on a rank, the calls that it has made, if it waits long or leaves Python, and how far rank
0 is with a file. See `channel` for what becomes of it.
"""

from __future__ import annotations

import atexit
import pickle
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .._basics import last_words
from ..errors import RankError
from .calls import Calls, Run, difference

TAG = 1  # of news; those of numbers are above
_LEFT = "it has left Python"
_SOUGHT = 16  # ranks whose notes one rank looks for
_FILES = 64  # of which it is remembered that they were saved
_LINGERS, _NAP = 0.3, 2e-3  # seconds for the others to leave too, between two looks
_all: list[News] = []
_ended: dict[int, str] = {}  # by rank in the world: the error that ended it


@dataclass(frozen=True)
class Saved:
    """How far rank 0 is with a trainer's file: after so many steps, and a digest of what it holds;
    and why it came to nothing."""

    steps: int
    digest: str
    done: bool = False
    error: str | None = None


class News:
    """What a rank knows of the others on a communicator, a duplicate of the user's."""

    def __init__(self, MPI: Any, users: Any) -> None:
        self.MPI, self._users = MPI, users
        self.index, self.size = int(users.Get_rank()), int(users.Get_size())
        self.generation, self.calls = 0, Calls()
        self.saved: dict[Any, Saved] = {}  # by trainer and path, the last few
        self._errors: dict[int, tuple[int, str]] = {}  # by generation: a rank, and what it raised
        self._left: dict[int, tuple[int, int, str]] = {}  # by rank: generation, calls, the last
        self._others: dict[int, tuple[int, list[Run]]] = {}  # by rank: what it waits in
        self._sent: list[Any] = []
        self.comm, self.coming = users.Idup()  # the latter: until all ranks have come
        _all.append(self)
        last_words.meet()

    def next_generation(self) -> None:
        """After an error: calls are counted from 1 again."""
        self._errors.pop(self.generation, None)
        self.generation += 1
        self.calls = Calls()

    def listen(self) -> bool:
        """Take in what other ranks say; whether there was anything."""
        if self.coming is not None:
            return False
        status, heard = self.MPI.Status(), False
        # Not a probe and then a receive: another thread may take the message in between.
        while (message := self.comm.Improbe(self.MPI.ANY_SOURCE, TAG, status)) is not None:
            buffer = bytearray(status.Get_count(self.MPI.BYTE))
            message.Recv([buffer, self.MPI.BYTE])
            self._take(status.Get_source(), *pickle.loads(buffer))
            heard = True
        return heard

    def _take(self, rank: int, kind: str, *said: Any) -> None:
        if kind == "saves":
            what, saved = said
            self.saved.pop(what, None)
            self.saved[what] = saved
            while len(self.saved) > _FILES:
                del self.saved[next(iter(self.saved))]
            return
        generation, what = said
        if generation < self.generation and kind != "left":
            return
        if kind == "error":
            self._errors.setdefault(generation, (rank, what))
        else:
            self._others[rank] = generation, what
            if kind == "left":
                self._left[rank] = generation, *((what[-1][3], what[-1][0]) if what else (0, ""))

    @property
    def is_any(self) -> bool:
        """Whether there is something to judge by."""
        return bool(self._errors or self._others or self._left)

    def judge(self, name: str) -> None:
        """Raise what ends the call of this name, which is being made."""
        if self.generation in self._errors:
            raise RankError(*self._errors[self.generation])
        for rank, (generation, runs) in list(self._others.items()):
            if generation == self.generation:
                found = difference(self.calls.runs(), runs)
                if found is not None:
                    raise ValueError(
                        f"calls: expected the same on all ranks, got {found.own} on rank "
                        f"{self.index} and {found.other} on rank {rank}"
                    )
            if generation < self.generation or not runs or runs[-1][3] <= self.calls.last:
                del self._others[rank]  # nothing more can be seen from it
        for rank, (generation, calls, last) in list(self._left.items()):
            if (generation, calls) < (self.generation, self.calls.last):
                after = f" after {last}" if calls else ""
                raise RankError(
                    rank,
                    f"{_LEFT}{after}, with fewer calls than rank {self.index}, which is in {name}",
                )

    def listen_to_the_world(self) -> None:
        """Before all have come: who has ended by an error will never open it."""
        MPI, world, status = self.MPI, self.MPI.COMM_WORLD, self.MPI.Status()
        tag = last_words.world_tag(MPI)
        while (message := world.Improbe(MPI.ANY_SOURCE, tag, status)) is not None:
            buffer = bytearray(status.Get_count(MPI.BYTE))
            message.Recv([buffer, MPI.BYTE])
            _ended[status.Get_source()] = buffer.decode()
        if not _ended:
            return
        ended = list(_ended)
        ranks = world.Get_group().Translate_ranks(ended, self._users.Get_group())
        for known, rank in zip(ended, ranks, strict=True):
            if rank != MPI.UNDEFINED:
                raise RankError(int(rank), _ended[known])

    def look_for_notes(self) -> None:
        """Before all have come, after a while: who has left without a call will never open it.

        Each rank looks for those after it, so that of ranks that have left in a row the one before
        them finds the first; if there are many, not for all, which one process would have to
        answer.
        """
        world = self.MPI.COMM_WORLD.Get_group()
        after = [(self.index + i) % self.size for i in range(1, min(self.size, _SOUGHT + 1))]
        in_world = self._users.Get_group().Translate_ranks(after, world)
        for rank, known in zip(after, in_world, strict=True):
            if known != self.MPI.UNDEFINED and last_words.has_left_a_note(self.MPI, int(known)):
                raise RankError(rank, f"{_LEFT} without a call")

    def has_left(self, rank: int) -> bool:
        """Whether it will never say anything again, as far as is known."""
        return rank in self._left

    def tell_all(self, news: tuple[Any, ...]) -> None:
        """Send word to all other ranks; nobody need be there to receive it."""
        if last_words.speaking_mpi() is None or self.coming is not None:
            return
        self._sent = [sent for sent in self._sent if not sent[0].Test()]
        data = pickle.dumps(news)
        for rank in range(self.size):
            if rank != self.index and rank not in self._left:
                with suppress(self.MPI.Exception):
                    request = self.comm.Isend([data, self.MPI.BYTE], rank, TAG)
                    self._sent.append((request, data))

    # ---- the end

    def leave(self) -> None:
        """Say that this rank makes no more calls."""
        if self.coming is not None and self.coming.Test():
            self.coming = None
        if self.coming is not None:
            return
        self.listen()
        error = last_words.last_error()
        if error is not None:
            self.tell_all(("error", self.generation, last_words.text_of(error)))
        self.tell_all(("left", self.generation, self.calls.runs()))

    def all_have_left(self) -> bool:
        """Whether nobody is left whom this rank could keep waiting."""
        if self.coming is not None:
            self.leave()  # as soon as it is open
        self.listen()
        return len(self._left) == self.size - 1


@atexit.register
def _leave() -> None:
    """The others' calls end soon, if they wait for this rank; else it lets them take that in."""
    MPI = last_words.speaking_mpi()
    if MPI is None:
        return
    with suppress(MPI.Exception):
        for news in _all:
            news.leave()
        until = time.monotonic() + _LINGERS
        while not all([news.all_have_left() for news in _all]):
            if time.monotonic() > until:
                break
            time.sleep(_NAP)
