"""The bytes of a file or of standard input, unpacked, and what kind of file they are."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..._basics.shown import shown

STDIN = "-"
_EXPECTED = "expected a table: text with a row a line (CSV), plain or .gz, or Parquet"
_OTHERS = (
    (b"PK\3\4", "a ZIP archive (an Excel workbook? save it as CSV)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (save it as CSV)"),
    (b"\x93NUMPY", "a NumPy array (name it .npy, or save X and y with np.savez)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite", "an SQLite database"),
    (b"ARROW1", "an Arrow file (save it as Parquet)"),
    (b"(\xb5/\xfd", "a Zstandard archive (unpack it first)"),
    (b"BZh", "a bzip2 archive (unpack it first)"),
    (b"\xfd7zXZ", "an xz archive (unpack it first)"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
)


_stdin: list[Callable[[], bytes]] = [lambda: sys.stdin.buffer.read()]


@contextmanager
def stdin_from(read: Callable[[], bytes]) -> Iterator[None]:
    """Inside, standard input is what `read` gives."""
    _stdin.append(read)
    try:
        yield
    finally:
        _stdin.pop()


def shown_name(name: str) -> str:
    return "standard input" if name == STDIN else name


def contents(name: str) -> bytes:
    """All bytes of a file, or of standard input for ``-``; those of ``.gz`` unpacked.

    Raises
    ------
    ValueError
        For what is no file, and for a file that by its first bytes is no table.
    """
    content = _unpacked(_read(name), name)
    for start, what in _OTHERS:
        if content.startswith(start):
            raise ValueError(f"{shown_name(name)}: {_EXPECTED}; got {what}")
    return content


def is_parquet(content: bytes) -> bool:
    return content.startswith(b"PAR1")


def decoded(content: bytes, name: str, encoding: str | None) -> bytes:
    """Text in UTF-8 with ``\\n`` at line ends and without a byte-order mark.

    Without an encoding it is UTF-8, or UTF-16 where the byte-order mark says so.
    """
    if encoding is None and content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        if encoding is not None:
            content = content.decode(encoding).encode("utf-8")
        elif not content.isascii():
            content.decode("utf-8")
    except (UnicodeError, LookupError) as error:
        tried = encoding or "UTF-8"
        raise ValueError(
            f"{shown_name(name)}: expected a table as text in {tried}: {error!s:.120}; another "
            "one is told by --encoding, as latin-1 or cp1252"
        ) from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise ValueError(f"{shown_name(name)}: {_EXPECTED}; got a zero byte in line {line}")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content


def _read(name: str) -> bytes:
    if name == STDIN:
        return _stdin[-1]()
    path = Path(name)
    if not path.exists():
        raise FileNotFoundError(f"{name}: expected a table, found no such file")
    if path.is_dir():
        raise ValueError(f"{name}: expected a table, got something else: a folder")
    return path.read_bytes()


def _unpacked(content: bytes, name: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{shown_name(name)}: expected a whole gzip file, got {shown(str(error))}"
        ) from None
