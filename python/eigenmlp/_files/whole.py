"""Files that are complete or not there: written beside their place, then renamed.

A crash never leaves half a file or loses the old one. A process that is killed leaves the file that
it was writing beside the place; the next one that writes into that folder removes it. Who is alive
holds a lock on what it writes, which ends with the process, in whatever container it runs.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .._inputs import checks

if os.name == "posix":
    import fcntl

_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
_PREFIX = ".eigenmlp-"
_ABANDONED = 3600.0  # seconds without a write, where there are no locks that outlast a close
_LONGEST = 200  # characters of a path in a message


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file of these bytes; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` once all of it is on the disk.

    A link stays one: the file that it leads to is replaced. What is there already keeps its
    permissions; a new file has the usual ones. `OSError`, such as for a full disk, leaves what was
    there, and so does any exception within the block; it names `path`.

    Raises
    ------
    ValueError
        If there is a device or a pipe at `path`.
    """
    given = checks.path(path)
    path = Path(os.path.realpath(given))
    try:
        try:
            found: int | None = path.stat().st_mode
        except FileNotFoundError:
            found = None
        # Renaming says so of a folder.
        if found is not None and not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
            raise ValueError(f"{given}: expected a regular file to replace, got a device or a pipe")
        mode = 0o666 if found is None else stat.S_IMODE(found)
        _remove_abandoned(path.parent)
        temporary, handle = _made(path.parent, mode)
        lock = os.dup(handle) if os.name == "posix" else None  # until it has its own name
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if found is not None:
                os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        finally:
            if lock is not None:
                os.close(lock)
    except OSError as error:
        raise _about(error, given, path) from None
    _sync_folder(path.parent)


def _about(error: OSError, given: str | Path, path: Path) -> OSError:
    """The same error, but of the path that the user gave."""
    came = str(path) if error.filename is None else str(error.filename)
    ours = came == str(path) or os.path.basename(came).startswith(_PREFIX)
    if error.errno is None or not ours:
        return error
    name = str(given)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}"
    return OSError(error.errno, error.strerror, name)


def _made(folder: Path, mode: int) -> tuple[Path, int]:
    """A new file with a name of its own, opened for writing, and locked.

    It is made by the system with the process's umask, which cannot be read but by setting another
    one, for all threads.
    """
    while True:
        path = folder / f"{_PREFIX}{secrets.token_hex(8)}"
        handle = os.open(path, _FLAGS, mode)
        if os.name != "posix":
            return path, handle
        with suppress(OSError):  # no locks on this file system: then nobody removes it either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return path, handle
        os.close(handle)  # another process took it for abandoned before the lock was there


def _remove_abandoned(folder: Path) -> None:
    """Remove the files that no living process is writing into this folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    if os.name != "posix":
        if time.time() - os.stat(path).st_mtime > _ABANDONED:
            os.unlink(path)  # which fails while it is open
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while another holds it
        os.unlink(path)
    finally:
        os.close(handle)


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
