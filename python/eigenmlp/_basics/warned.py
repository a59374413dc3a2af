"""Warnings that name the line which the user wrote, however deep inside they arise."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_INSIDE = ("eigenmlp", "sklearn", "joblib", "contextlib")  # whose lines tell users nothing


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """As ``warnings.warn``, at the line of the caller outside of this library and scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(str(frame.f_globals.get("__name__"))):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def as_ours() -> Iterator[None]:
    """Around another library's function: what it warns of is said at the user's line.

    In the main thread alone: Python catches warnings for the whole process, and two threads that do
    so at once would leave it with the other's state, in which nothing is said any more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        warn(str(one.message), one.category)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in _INSIDE
