"""Files that are complete or not there: written beside their place, then renamed.

A crash never leaves half a file or loses the old one.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file of these bytes; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` once all of it is on the disk.

    A link stays one: the file that it leads to is replaced. What is there already keeps its
    permissions; a new file has the usual ones. `OSError`, such as for a full disk, leaves what was
    there, and so does any exception within the block.

    Raises
    ------
    ValueError
        If there is a device or a pipe at `path`.
    """
    path = Path(os.path.realpath(path))
    try:
        found: int | None = path.stat().st_mode
    except FileNotFoundError:
        found = None
    # Renaming says so of a folder.
    if found is not None and not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
        raise ValueError(f"{path}: expected a regular file to replace, got a device or a pipe")
    mode = 0o666 if found is None else stat.S_IMODE(found)
    temporary = path.parent / f".eigenmlp-{secrets.token_hex(8)}"
    # Made by the system with the process's umask, which cannot be read but by setting another one,
    # for all threads.
    handle = os.open(temporary, _FLAGS, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if found is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk as well, where the system can."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some file systems cannot; the file is whole either way
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
