"""Who may use what a run changes step by step: one thread at a time, and those who wait get in."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from typing import Any


class Turns:
    """A lock that its thread may take again, and that a child of a fork finds free.

    Readers of several things at one moment write ``with turns, turns.lock:``; a run holds
    ``turns.lock`` for one part after the other, and gives way between them.
    """

    def __init__(self) -> None:
        self.lock: Any = threading.RLock()
        self._waiting: list[None] = []  # one for each reader; lists need no lock of their own
        _all.add(self)

    def __enter__(self) -> None:
        self._waiting.append(None)

    def __exit__(self, *error: object) -> None:
        self._waiting.pop()

    def give_way(self) -> None:
        """Let waiting readers in: a lock would mostly go to the thread that just had it."""
        if self._waiting:
            time.sleep(0.002)


class _WhenPythonEnds:
    """A lock whose owner may never come back: only the thread that ends Python goes on then."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock

    def __enter__(self) -> None:
        if not self.lock.acquire(timeout=1 if sys.is_finalizing() else -1):
            raise RuntimeError("expected nobody in the middle of a run when Python ends")

    def __exit__(self, *error: object) -> None:
        self.lock.release()


_all: weakref.WeakSet[Turns] = weakref.WeakSet()


def _renew() -> None:
    for turns in _all:
        turns.lock, turns._waiting = threading.RLock(), []


def _bound() -> None:
    for turns in list(_all):
        turns.lock = _WhenPythonEnds(turns.lock)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
atexit.register(_bound)
