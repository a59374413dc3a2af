"""Arrays that lie in mapped files: to read one whose file has shrunk would end the process."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._exchange import is_sparse


def whole_file(array: object, what: str) -> None:
    """Refuse an array whose file is now shorter than what was mapped of it."""
    if type(array) is np.ndarray and array.base is None:  # memory of its own
        return
    for mapped, start in _maps(array):
        size = _file_size(mapped)
        if size is not None and size < start + len(mapped):
            raise ValueError(
                f"{what}: expected a mapped file of at least {start + len(mapped):,} bytes, as it "
                f"was when it was opened, got {size:,} bytes: it has shrunk"
            )


def watch(**arrays: NDArray[Any] | None) -> Callable[[], None] | None:
    """A function that refuses those arrays whose files have shrunk; None if none lies in a file."""
    mapped = {name: array for name, array in arrays.items() if any(_maps(array))}
    if not mapped:
        return None

    def check() -> None:
        for name, array in mapped.items():
            whole_file(array, name)

    return check


def _maps(array: object) -> Iterator[tuple[mmap.mmap, int]]:
    """The mappings that an array, or the parts of a sparse matrix, lie in; and where in its file
    each begins."""
    if is_sparse(array):
        for value in vars(array).values():
            for part in value if isinstance(value, tuple) else (value,):
                yield from _maps(part)
        return
    start = 0
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.offset is not None:  # None for copies
            start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
        array = array.base
    if isinstance(array, mmap.mmap):
        yield array, start


def _file_size(mapped: mmap.mmap) -> int | None:
    try:
        return mapped.size()
    except (OSError, ValueError):  # no file behind it, or closed
        return None
