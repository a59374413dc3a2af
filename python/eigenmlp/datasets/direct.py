"""Bytes of files that are read past the system's page cache (``O_DIRECT``).

Of files larger than memory the cache keeps nothing until it is wanted again. To read them through
it costs a processor the copy and the search for pages to give up, which the steps of a training
then lack. A disk that writes into the process's own memory takes next to nothing of a processor,
but only whole blocks of its own, to places that are multiples of them: rows, which begin anywhere,
are copied from such a place, that stays in a processor's cache.
"""

from __future__ import annotations

import mmap
import os
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np

ALIGNMENT = 4096  # bytes: multiples of it are whole blocks of every disk
_HUGE_PAGE = 1 << 21  # which the disk is told as one place, not as hundreds

_PAST_CACHE = getattr(os, "O_DIRECT", None)  # macOS and Windows have none


class Refused(Exception):
    """The system, or the place where the file is, does not read past the cache."""


def read_past_cache(path: Path, offset: int, out: memoryview) -> int:
    """Fill `out`, of bytes, from a byte of the file on; return how many came.

    They are fewer than wanted at the end of the file, or where the system gave fewer for another
    reason: the rest is to be read in the usual way, which knows the difference.

    Raises
    ------
    Refused
        Whatever went wrong: the usual way works, or says what is the matter.
    """
    if _PAST_CACHE is None:
        raise Refused
    came, end = 0, offset + len(out)
    try:
        buffer = _buffer()
        file = os.open(path, os.O_RDONLY | _PAST_CACHE)
        try:
            while came < len(out):
                at = offset + came
                begin = at - at % ALIGNMENT
                most = min(len(buffer), _rounded_up(end) - begin)
                count = os.preadv(file, [buffer[:most]], begin)
                new = min(begin + count, end) - at
                if new <= 0:
                    break
                out[came : came + new] = buffer[at - begin : at - begin + new]
                came += new
                if count % ALIGNMENT:  # the file's last block
                    break
        finally:
            os.close(file)
    except OSError:
        if came == 0:
            raise Refused from None
    return came


_own = threading.local()


def _buffer() -> memoryview:
    """Pages of this thread, which a disk writes to.

    In a process that was forked they are copies, as all its memory; and since nothing else lies in
    them, no other thread can be the cause that pages are copied while the disk writes to them.
    """
    found: memoryview | None = getattr(_own, "buffer", None)
    if found is None:
        pages = mmap.mmap(-1, 2 * _HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(AttributeError, OSError):  # without it the pages are small ones
            pages.madvise(mmap.MADV_HUGEPAGE)
        place = np.frombuffer(pages, np.uint8)
        skipped = -place.ctypes.data % _HUGE_PAGE
        found = _own.buffer = place[skipped : skipped + _HUGE_PAGE].data
    return found


def _rounded_up(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
