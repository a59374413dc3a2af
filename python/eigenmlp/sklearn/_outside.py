"""What a fit among others has from outside: how it learns that all is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_of_thread = threading.local()


def check() -> Callable[[], None] | None:
    """What the fits of this thread call now and then; what it raises ends them."""
    found: Callable[[], None] | None = getattr(_of_thread, "check", None)
    return found


@contextmanager
def watched(call: Callable[[], None]) -> Iterator[None]:
    """Fits inside, of this thread, call it."""
    before = check()
    _of_thread.check = call
    try:
        yield
    finally:
        _of_thread.check = before
