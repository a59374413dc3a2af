"""Runs that go on at once: a thread of Python for each, one thread of the core in it.

Several runs may share a thread: a pack, which goes on side by side.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..history import History
from ..threads import get_num_threads, limited
from .native_runs import Outcome, failed
from .progress import Bar
from .shuffles import shuffled
from .training import Surroundings

Advance = Callable[[int, History], None]
Train = Callable[[Surroundings, "Advance | None"], History]
Ended = Callable[[int, Outcome], None]  # the run at a place of the pack

_PATIENCE = 5.0  # seconds for threads to end after Ctrl-C; they look every 10 ms
_LOOKS = 0.05  # seconds between looks for Ctrl-C, which wakes nobody under Polars' handler of it
_HELD = 1 << 23  # row numbers of shuffles that are kept for other runs: 64 MiB


class Stopped(Exception):
    """What ends a run from outside."""


@dataclass(frozen=True)
class Job:
    """A run: what makes it, and how long it takes beside others."""

    train: Train
    epochs: int
    cost: float


@dataclass(frozen=True)
class Pack:
    """Jobs, by their places, that one thread does at once, telling of each when it has ended."""

    places: Sequence[int]
    train: Callable[[Surroundings, Sequence[Advance | None], Ended], None]


class Pool:
    """Runs jobs, the longest first, as many at once as there are threads.

    `keeps` are errors that end their own job only: it has the history that comes with the error.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        bar: Bar | None,
        keeps: tuple[type[Exception], ...] = (),
        packs: Sequence[Pack] = (),
    ) -> None:
        self._jobs, self._bar, self._keeps = jobs, bar, keeps
        packed = {place for pack in packs for place in pack.places}
        singles = [Pack([i], self._alone(jobs[i])) for i in range(len(jobs)) if i not in packed]
        # The longest are last, and taken from there.
        self._left = sorted([*packs, *singles], key=lambda pack: sum(self._costs(pack)))
        self._histories: list[History | None] = [None] * len(jobs)
        self._error: BaseException | None = None
        self._over = False
        self._busy: set[int] = set()  # first places of the packs that a thread is at
        self._lock, self._moved = threading.Lock(), threading.Event()
        self._news: list[tuple[int, History]] = []  # that the bar has not shown yet
        self._draws_at_once = False
        self._around = Surroundings(self._check, SharedOrders())

    def run(self) -> list[History]:
        """All histories; or the first error, with those so far as its attribute `histories`."""
        count = min(get_num_threads(), len(self._left))
        others = count if count > 1 else 0  # this thread waits for Ctrl-C, or does it all
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(others)]
        self._draws_at_once = not threads
        try:
            for thread in threads:
                thread.start()
            if not threads:
                self._work()
        except BaseException as error:  # Ctrl-C, or no more threads
            self._end(error)
        if threads:
            self._wait()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(_PATIENCE)
        if self._error is not None:
            with suppress(AttributeError, TypeError):
                self._error.histories = self._histories  # type: ignore[attr-defined]
            raise self._error
        return [history for history in self._histories if history is not None]

    def _wait(self) -> None:
        """Until no thread is at a network any more, however often Ctrl-C is pressed.

        Not by `Thread.join`: interrupted, it takes a thread that runs for one that has ended.
        """
        patience: float | None = None
        while True:
            try:
                self._moved.clear()
                self._draw()
                if not self._busy and (self._over or not self._left):
                    self._draw()
                    return
                self._moved.wait(_LOOKS)
            except BaseException as error:
                self._end(error)
                patience = patience or time.monotonic() + _PATIENCE
                if time.monotonic() > patience:  # a user's function that does not end
                    return

    def _end(self, error: BaseException) -> None:
        self._error = self._error or error
        self._over = True

    def _work(self) -> None:
        """A thread: pack after pack."""
        try:
            with limited(1):
                while (pack := self._next()) is not None:
                    try:
                        self._run(pack)
                    finally:
                        self._busy.discard(pack.places[0])
                        self._moved.set()
        except BaseException as error:
            self._end(error)
        finally:
            self._moved.set()

    def _next(self) -> Pack | None:
        with self._lock:
            if self._over or not self._left:
                return None
            pack = self._left[-1]
            self._busy.add(pack.places[0])
            self._left.pop()
            return pack

    def _run(self, pack: Pack) -> None:
        done = dict.fromkeys(pack.places, 0)

        def advance_of(place: int) -> Advance:
            def advance(epochs: int, history: History) -> None:
                done[place] += epochs
                self._news.append((epochs, history))
                self._moved.set()
                if self._draws_at_once:
                    self._draw()

            return advance

        advances = [None if self._bar is None else advance_of(place) for place in pack.places]

        def ended(number: int, outcome: Outcome) -> None:
            place, advance = pack.places[number], advances[number]
            history = self._history_of(place, outcome)
            self._histories[place] = history
            left = self._jobs[place].epochs - done[place]
            if advance is not None and history is not None and left > 0 and self._goes_on(outcome):
                advance(left, history)  # stopped early

        pack.train(self._around, advances, ended)

    def _goes_on(self, outcome: Outcome) -> bool:
        """Whether other runs do after that."""
        return isinstance(outcome, History) or isinstance(outcome.error, self._keeps)

    def _history_of(self, place: int, outcome: Outcome) -> History | None:
        """What an outcome leaves; an error that is not kept ends all."""
        if isinstance(outcome, History):
            return outcome
        error = outcome.error
        if self._goes_on(outcome):
            return outcome.history or History()
        if not isinstance(error, Stopped):
            with self._lock:
                if self._error is None:
                    with suppress(AttributeError, TypeError):
                        error.index = place  # type: ignore[attr-defined]
                self._end(error)
        return outcome.history

    def _costs(self, pack: Pack) -> list[float]:
        return [self._jobs[place].cost for place in pack.places]

    @staticmethod
    def _alone(job: Job) -> Callable[[Surroundings, Sequence[Advance | None], Ended], None]:
        def train(around: Surroundings, advances: Sequence[Advance | None], ended: Ended) -> None:
            outcome: Outcome
            try:
                outcome = job.train(around, advances[0])
            except BaseException as error:
                outcome = failed(error)
            ended(0, outcome)

        return train

    def _draw(self) -> None:
        """In the thread that has the bar: tqdm keeps its lock where a terminal fails it."""
        while self._news and self._bar is not None:
            self._bar.advance_best(*self._news.pop(0))

    def _check(self) -> None:
        if self._over:
            raise Stopped


class SharedOrders:
    """Shuffles, each made once for all runs whose generators are at the same point."""

    def __init__(self) -> None:
        self._made: OrderedDict[Any, tuple[NDArray[Any], Any]] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def __call__(self, rng: np.random.Generator, epochs: int, N: int) -> NDArray[Any]:
        """As `shuffled`."""
        key = (repr(rng.bit_generator.state), epochs, N)
        found = self._made.get(key)
        if found is None:
            orders = shuffled(rng, epochs, N)
            orders.flags.writeable = False
            with self._lock:
                self._held += 0 if key in self._made else orders.size  # two may have made it
                self._made[key] = orders, rng.bit_generator.state
                while self._held > _HELD and len(self._made) > 1:
                    self._held -= self._made.popitem(last=False)[1][0].size
            return orders
        rng.bit_generator.state = found[1]
        return found[0]
