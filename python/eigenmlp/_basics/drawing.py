"""Who draws from a NumPy generator, whose lock must be free in a child of a fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_drawing: list[np.random.BitGenerator] = []  # lists need no lock of their own


@contextmanager
def drawing(bits: np.random.BitGenerator) -> Iterator[None]:
    """Around what draws so much that a fork in another thread may come in between."""
    _drawing.append(bits)
    try:
        yield
    finally:
        _drawing.remove(bits)


def _free() -> None:
    for bits in _drawing:
        renew = getattr(bits.lock, "_at_fork_reinit", None)  # as threading's own
        if renew is not None:
            renew()
    _drawing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free)
