"""Runs that go on at once: a thread of Python for each, one thread of the core in it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..history import History
from ..threads import get_num_threads, limited
from .progress import Bar
from .training import Surroundings, shuffled

Advance = Callable[[int, History], None]
Train = Callable[[Surroundings, "Advance | None"], History]

_HELD = 1 << 23  # row numbers of shuffles that are kept for other runs: 64 MiB


class Stopped(Exception):
    """What ends a run from outside."""


@dataclass(frozen=True)
class Job:
    """A run: what makes it, and how long it takes beside others."""

    train: Train
    epochs: int
    cost: float


class Pool:
    """Runs jobs, the longest first, as many at once as there are threads.

    `keeps` are errors that end their own job only: it has the history that comes with the error.
    """

    def __init__(
        self, jobs: Sequence[Job], bar: Bar | None, keeps: tuple[type[Exception], ...] = ()
    ) -> None:
        self._jobs, self._bar, self._keeps = jobs, bar, keeps
        self._left = sorted(range(len(jobs)), key=lambda i: jobs[i].cost)  # taken from the end
        self._histories: list[History | None] = [None] * len(jobs)
        self._error: BaseException | None = None
        self._over = False
        self._lock = threading.Lock()
        self._around = Surroundings(self._check, SharedOrders())

    def run(self) -> list[History]:
        """All histories; or the first error, with those so far as its attribute `histories`."""
        count = min(get_num_threads(), len(self._jobs))
        others = count if count > 1 else 0  # this thread waits for Ctrl-C, or does it all
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(others)]
        try:
            for thread in threads:
                thread.start()
            if not threads:
                self._work()
            for thread in threads:
                thread.join()
        except BaseException as error:  # Ctrl-C
            self._error = self._error or error
        finally:
            self._over = True
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._error is not None:
            with suppress(AttributeError, TypeError):
                self._error.histories = self._histories  # type: ignore[attr-defined]
            raise self._error
        return [history for history in self._histories if history is not None]

    def _work(self) -> None:
        """A thread: job after job."""
        with limited(1):
            while not self._over:
                with self._lock:
                    if not self._left:
                        return
                    index = self._left.pop()
                self._run(index)

    def _run(self, index: int) -> None:
        job, done = self._jobs[index], 0

        def advance(epochs: int, history: History) -> None:
            nonlocal done
            done += epochs
            assert self._bar is not None
            with self._lock:
                self._bar.advance_best(epochs, history)

        try:
            history = job.train(self._around, None if self._bar is None else advance)
        except Stopped:
            return
        except self._keeps as error:
            history = getattr(error, "history", None) or History()
        except BaseException as error:
            with suppress(AttributeError, TypeError):
                error.index = index  # type: ignore[attr-defined]
            with self._lock:
                self._error = self._error or error
            self._over = True
            return
        self._histories[index] = history
        if self._bar is not None and done < job.epochs:  # stopped early
            with self._lock:
                self._bar.advance_best(job.epochs - done, history)

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
                self._made[key] = orders, rng.bit_generator.state
                self._held += orders.size
                while self._held > _HELD and len(self._made) > 1:
                    self._held -= self._made.popitem(last=False)[1][0].size
            return orders
        rng.bit_generator.state = found[1]
        return found[0]
