"""Arrays that lie in mapped files: to read one whose file has shrunk would end the process."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.loading import core
from .foreign import is_foreign, is_sparse, unmasked

_OWNERS = (bytes, bytearray)  # of memory that lies in no file


def intact(array: object, what: str) -> None:
    """Refuse what must not be read as it is: a mapped file that has shrunk, masked numbers."""
    if _owns_its_memory(array):
        return
    unmasked(array, what)
    whole_file(array, what)


def whole_file(array: object, what: str) -> None:
    """Refuse an array whose file is now shorter than what was mapped of it."""
    if _owns_its_memory(array):
        return
    for part in _parts(array):
        owner, start = _owner(part)
        size = _file_size(owner) if isinstance(owner, mmap.mmap) else None
        if size is not None and size < (mapped := start + len(owner)):
            raise ValueError(
                f"{what}: expected a mapped file of at least {mapped:,} bytes, as it was when it "
                f"was opened, got {size:,} bytes: it has shrunk"
            )
        if owner is not None and not core.ends_in_memory(part):
            raise ValueError(
                f"{what}: expected an array that can be read to its end, got one in a mapped file "
                "that is shorter: it has shrunk"
            )


def watch(**arrays: NDArray[Any] | None) -> Callable[[], None] | None:
    """A function that refuses those arrays whose files have shrunk; None if none lies in a file."""
    mapped = {
        name: array
        for name, array in arrays.items()
        if not (array is None or _owns_its_memory(array))
        and any(_owner(part)[0] is not None for part in _parts(array))
    }
    if not mapped:
        return None

    def check() -> None:
        for name, array in mapped.items():
            whole_file(array, name)

    return check


def _owns_its_memory(array: object) -> bool:
    """Whether an array is one as most are, of memory that no other object has."""
    return type(array) is np.ndarray and array.base is None


def _parts(array: object) -> Iterator[NDArray[Any]]:
    """An array, or those of a sparse matrix or a list, or what is one in another library."""
    if isinstance(array, np.ndarray):
        yield array
    elif isinstance(array, (list, tuple)):
        if array and isinstance(array[0], np.ndarray):
            yield from (part for part in array if isinstance(part, np.ndarray))
    elif is_sparse(array):
        for value in getattr(array, "__dict__", {}).values():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, np.ndarray):
                    yield part
    elif is_foreign(array) or isinstance(array, (memoryview, mmap.mmap)):
        try:
            yield np.asarray(array)  # reads nothing
        except (TypeError, ValueError, RuntimeError, BufferError):  # refused where it is read
            return


def _owner(array: NDArray[Any]) -> tuple[Any, int]:
    """Whose memory an array lies in that may be a file's, or None; and where in its file a mapping
    begins, as far as that can be known."""
    owner: Any = array
    start = 0
    while isinstance(owner, (np.ndarray, memoryview)):
        if isinstance(owner, np.memmap) and owner.offset is not None:  # None for copies
            start = owner.offset - owner.offset % mmap.ALLOCATIONGRANULARITY
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return (None if isinstance(owner, _OWNERS) else owner), start


def _file_size(mapped: mmap.mmap) -> int | None:
    try:
        return mapped.size()
    except (OSError, ValueError):  # no file behind it, or closed
        return None
