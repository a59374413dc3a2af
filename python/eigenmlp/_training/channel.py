"""What ranks of MPI tell each other beside their numbers, so that no wait lasts for ever.

A `Channel` is a duplicate of a user's communicator, the same one for all trainers on it. All ranks
make the same calls on it in the same order, and each counts its own; messages of a call bear its
number, so that those of another never pass for them. Whoever waits for another rank also looks for
news: an error on any rank ends the call on all; and who waits long, or leaves Python, says which
calls it has made, so that all see whether they differ. After an error ranks count from 1 again, in
the next *generation*, whose messages nobody takes for earlier ones.
"""

from __future__ import annotations

import math
import os
import pickle
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NamedTuple

from .._basics import last_words
from .._basics.shown import shown
from .._basics.warned import warn
from ..errors import RankError
from ..threads import get_num_threads, is_chosen
from .news import TAG, News

_LOOKS = 16  # at requests, for one look for news; and calls, for one in them
# Looks in a row before the processor is offered to others, and before naps: some 50 µs and 1 ms.
_SPINS, _OFFERS = 100, 1000
_NAP, _LONG_NAP = 5e-5, 2e-3  # seconds; the latter where a rank has waited for one
_SAYS, _WARNS = 0.25, 30.0  # seconds of a wait before others are told, and the user
_NOTES = 0.5  # seconds before ranks that have left are looked for, and then after twice as long
_LIMIT = 1800.0  # seconds before a wait is an error
_given_up: list[Any] = []  # requests that may never end, and the memory that they point to


class Frame(NamedTuple):
    """A call that is being made: its generation, number, tag of messages, and what users call."""

    generation: int
    number: int
    tag: int
    name: str


class Channel(News):
    """See the module."""

    def __init__(self, MPI: Any, users: Any) -> None:
        self._limit = _limit()
        super().__init__(MPI, users)
        self._process = os.getpid()
        self.frame: Frame | None = None
        self.threads: int | None = None  # of this rank, where others have their share
        self._lock = threading.RLock()
        self._intruder: str | None = None  # an error in a second thread
        self._told, self._warned = 0, False  # the call in which others were told of a wait
        self._requests: list[Any] = []
        self._looks_for_notes_at = _NOTES  # seconds of a wait
        self._span = int(MPI.COMM_WORLD.Get_attr(MPI.TAG_UB)) - TAG

    @classmethod
    def of(cls, MPI: Any, users: Any) -> Channel:
        """The one of a communicator."""
        with _opening:
            if not _keys:
                _keys.append(MPI.Comm.Create_keyval())
            channel: Channel | None = users.Get_attr(_keys[0])
            if channel is None:
                channel = cls(MPI, users)
                users.Set_attr(_keys[0], channel)
            return channel

    # ---- calls

    @contextmanager
    def call(
        self, name: str, trainer: tuple[int, int] = (0, 0), memory: object = None
    ) -> Iterator[Frame]:
        """Around what all ranks do: an error on this one ends it on all.

        Errors that all ranks have alike are marked by `alike`. `memory` is what messages point to.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                f"comm: expected {name} in a process that MPI has started, got a fork of one"
            )
        if not self._lock.acquire(blocking=False):
            raise self._refuse_thread(name)
        before = self.frame
        generation = self.generation
        try:
            self._open(name)
            self.frame = self._next(name, trainer)
            if self._errors or self._intruder:
                self._judge()
            if self.frame.number == 1:  # of a generation
                self._share_processors()
            elif self.frame.number % _LOOKS == 0:
                self.look()
            yield self.frame
        except BaseException as error:
            if generation == self.generation and self.coming is None:  # else it was told already
                self._end(error, memory)
            raise
        finally:
            self.frame = before
            self._lock.release()

    def _next(self, name: str, trainer: tuple[int, int]) -> Frame:
        made_in, maker = trainer
        number = self.calls.add(name, maker + (made_in << 32))
        tag = number + 131 * maker + 524287 * (self.generation + made_in) + _code(name)
        outer = name if self.frame is None else self.frame.name
        return Frame(self.generation, number, TAG + 1 + tag % self._span, outer)

    def _open(self, name: str) -> None:
        if self.coming is None:
            return
        self.frame = Frame(0, 0, 0, name)
        self.wait(self.coming.Test, None)
        self.coming = None

    def _refuse_thread(self, name: str) -> RuntimeError:
        outer = self.frame.name if self.frame else "another call"
        self._intruder = (
            f"comm: expected calls of one thread at a time, got {name} in a second one while "
            f"{outer} runs: give each thread a communicator of its own, made by comm.Dup() on all "
            "ranks"
        )
        return RuntimeError(self._intruder)

    def _end(self, error: BaseException, memory: object) -> None:
        if getattr(error, "_on_all_ranks", False):
            return
        if not isinstance(error, RankError):
            self.tell_all(("error", self.generation, last_words.text_of(error)))
        for request in self._requests:
            with suppress(self.MPI.Exception):
                request.Cancel()  # receives; what is sent may stay on its way for ever
        _given_up.append((self._requests, memory))
        self._requests = []
        self._intruder, self._told = None, 0
        self.next_generation()

    def _share_processors(self) -> None:
        """Threads of a rank that shares its processors with others of this machine."""
        own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        of_all = self.gather((_machine(self.MPI), own))
        sharing = sum(machine == _machine(self.MPI) and bool(own & o) for machine, o in of_all)
        apart = is_chosen() or sharing < 2
        self.threads = None if apart else max(1, get_num_threads() // sharing)

    # ---- numbers

    def gather(self, value: object) -> list[Any]:
        """What every rank gives, by rank: each round doubles of how many ranks a rank knows."""
        items, distance = [value], 1  # of ranks index, index + 1, …
        while distance < self.size:
            count = min(distance, self.size - distance)
            to, source = (self.index - distance) % self.size, (self.index + distance) % self.size
            items += self._exchanged(items[:count], to, source)
            distance *= 2
        return [items[(rank - self.index) % self.size] for rank in range(self.size)]

    def _exchanged(self, value: object, to: int, source: int) -> Any:
        tag, byte = self.tag(), self.MPI.BYTE
        data, status, found = pickle.dumps(value), self.MPI.Status(), []
        sent = self.comm.Isend([data, byte], to, tag)
        self._requests = [sent]

        def came() -> bool:
            message = self.comm.Improbe(source, tag, status)
            if message is not None:
                found.append(message)
            return message is not None

        self.wait(came, source)
        buffer = bytearray(status.Get_count(byte))
        self.wait_for([found[0].Irecv([buffer, byte]), sent], source)
        return pickle.loads(buffer)

    def tag(self) -> int:
        """Of messages of the call that is being made."""
        frame = self.frame
        assert frame is not None
        if frame.generation != self.generation:
            raise RankError(self.index, f"an error in a call within {frame.name}")
        return frame.tag

    def wait_for(self, requests: list[Any], whom: int, statuses: list[Any] | None = None) -> None:
        """Until these are done."""
        self._requests = requests
        test = self.MPI.Request.Testall
        self.wait(lambda: test(requests, statuses), whom)
        self._requests = []

    def wait(self, done: Callable[[], Any], whom: int | None) -> None:
        """Until `done()`, for a rank or for all of them."""
        looks, began = 0, 0.0
        while not done():
            looks += 1
            if looks % _LOOKS == 0:
                self.look()
            if looks > _OFFERS:
                now = time.monotonic()
                began = began or now
                waited = now - began
                if waited > _SAYS:
                    self._has_waited(waited, whom)
                time.sleep(_LONG_NAP if waited > 1.0 else _NAP)
            elif looks > _SPINS:
                _offer_processor()

    def _has_waited(self, seconds: float, whom: int | None) -> None:
        frame = self.frame
        assert frame is not None
        if self._told < frame.number and self.coming is None:
            self._told = frame.number
            self.tell_all(("waits", self.generation, self.calls.runs()))
        if self.coming is not None and seconds > self._looks_for_notes_at:
            self._looks_for_notes_at = 2 * seconds
            self.look_for_notes()
        if seconds < min(_WARNS, self._limit):
            return
        missing = "other ranks, not all of which have called it" if whom is None else f"rank {whom}"
        text = f"rank {self.index} has waited {seconds:,.0f} s in {frame.name} for {missing}"
        if seconds > self._limit:
            raise TimeoutError(f"{text}; EIGENMLP_COMM_TIMEOUT sets how long it may")
        if not self._warned:
            self._warned = True
            warn(f"{text}; every rank has to make the same calls")

    def look(self) -> None:
        """Raise what ends this call, if another rank has said so."""
        if self.coming is not None:
            self.listen_to_the_world()
        elif self.listen() or self.is_any or self._intruder:
            self._judge()

    def _judge(self) -> None:
        if self._intruder:
            raise RuntimeError(self._intruder)
        assert self.frame is not None
        self.judge(self.frame.name)


_opening = threading.Lock()
_keys: list[int] = []  # the attribute of a communicator that its channel is


@cache
def _code(name: str) -> int:
    return zlib.crc32(name.encode())


def _limit() -> float:
    given = os.environ.get("EIGENMLP_COMM_TIMEOUT")
    if not given:
        return _LIMIT
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise ValueError(
            f"EIGENMLP_COMM_TIMEOUT: expected seconds above 0, or inf, got {shown(given)}"
        )
    return seconds


def _machine(MPI: Any) -> str:
    """What tells it from others."""
    name = str(MPI.Get_processor_name())
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read()
    return name


def _offer_processor() -> None:
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)
