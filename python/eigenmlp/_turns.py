"""Who may use what a run changes step by step: one thread at a time, and those who wait get in."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

_forks = 0  # between the first process and this one


class Turns:
    """A lock that its thread may take again, and that a child of a fork finds free.

    Readers of several things at one moment write ``with turns, turns.lock():``; a run holds
    ``turns.lock()`` for one part after the other, and gives way between them.
    """

    def __init__(self) -> None:
        self._lock, self._of = threading.RLock(), _forks
        self._waiting: list[None] = []  # one for each reader; lists need no lock of their own

    def lock(self) -> Any:
        """The lock itself."""
        if self._of != _forks:
            self._lock, self._of = threading.RLock(), _forks
        if sys.is_finalizing():  # then only the thread that asks goes on
            if not self._lock.acquire(timeout=1):
                raise RuntimeError("expected nobody in the middle of a run when Python ends")
            self._lock.release()
        return self._lock

    def __enter__(self) -> None:
        self._waiting.append(None)

    def __exit__(self, *error: object) -> None:
        self._waiting.pop()

    def give_way(self) -> None:
        """Let waiting readers in: a lock would mostly go to the thread that just had it."""
        if self._waiting:
            time.sleep(0.002)


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)
