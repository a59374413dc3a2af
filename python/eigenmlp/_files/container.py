"""safetensors files, written, and read though nobody vouches for them.

A file is 8 bytes with the header's length, the header as JSON, and the arrays' bytes. The reader
checks all of the header before the data, and takes less than the format allows: float32, float64
and uint8, no holes, no key twice, no NaN or infinity, a header of at most 8 MiB. What it allocates
follows from the file's own size.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER_LIMIT = 1 << 23  # bytes; 100 for each array, and JSON takes some 20 times as many in memory
_DEPTH_LIMIT = 16
_DIGITS_LIMIT = 40  # 2^128 - 1 has 39: a generator's state
_DTYPES = {"F32": "<f4", "F64": "<f8", "U8": "|u1"}  # the format's little-endian bytes


class Entry(NamedTuple):
    """What the header says of an array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int  # bytes from the end of the header


class Header(NamedTuple):
    """A header that fits its file."""

    metadata: dict[str, str]
    entries: dict[str, Entry]
    size: int  # bytes of all arrays


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """A regular file for reading; replaced by another meanwhile, it stays what it was."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder says so itself
        raise ValueError("expected a regular file, got a device or a pipe")
    with open(path, "rb") as file:
        yield file


def read_header(file: BinaryIO) -> Header:
    """The header, checked; the file's place is then at the first array.

    Raises
    ------
    ValueError
        If anything is not as this module expects it.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > size - 8:
        raise ValueError(f"its header ends beyond its {size} bytes")
    if length > HEADER_LIMIT:
        raise ValueError(f"expected a header of at most {HEADER_LIMIT} bytes, got {length}")
    header = parsed(file.read(length).decode("utf-8"))
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in metadata.values()):
        raise ValueError("it has no metadata, or not of text alone")
    entries = {name: _entry(name, value) for name, value in header.items()}
    left = size - 8 - length
    _check_places(entries, left)
    return Header(metadata, entries, left)


def read_arrays(file: BinaryIO, header: Header) -> dict[str, NDArray[Any]]:
    """The arrays: views of one buffer."""
    data = bytearray(header.size)
    if file.readinto(data) != header.size:  # type: ignore[attr-defined]
        raise ValueError("it became shorter while it was read")
    return {
        name: np.frombuffer(data, dtype, math.prod(shape), begin).reshape(shape)
        for name, (dtype, shape, begin) in header.entries.items()
    }


def write(file: BinaryIO, metadata: dict[str, str], arrays: dict[str, NDArray[Any]]) -> None:
    """A file of contiguous arrays: the widest first, then by name, as safetensors' own writer does.

    Nothing is copied, so that a file needs no memory.

    Raises
    ------
    ValueError
        If the header would be longer than a reader takes; nothing is written then.
    """
    codes = {dtype: code for code, dtype in _DTYPES.items()}
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))
    parts = [array.astype(array.dtype.newbyteorder("<"), copy=False) for _, array in ordered]
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for (name, _), array in zip(ordered, parts, strict=True):
        places = [at, at + array.nbytes]
        code = codes[array.dtype.newbyteorder("<").str]
        header[name] = {"dtype": code, "shape": array.shape, "data_offsets": places}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT:  # such as of tens of thousands of layers
        raise ValueError(
            f"save: expected a header of at most {HEADER_LIMIT} bytes, got {len(text)}"
        )
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for array in parts:
        file.write(array.reshape(-1).view(np.uint8).data)


def parsed(text: str) -> Any:
    """The value of a JSON text, without what Python's reader takes beyond JSON, and within limits.

    Examples
    --------
    >>> parsed('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parsed('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: expected each name once, got 'a' again
    """
    value = json.loads(
        text,
        object_pairs_hook=_without_repeats,
        parse_int=_integer,
        parse_float=_finite,
        parse_constant=_finite,
    )
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(_DEPTH_LIMIT):
        inner = [x.values() if isinstance(x, dict) else x for x in level]
        level = [y for x in inner for y in x if isinstance(y, (dict, list))]
        if not level:
            return value
    raise ValueError(f"expected JSON of at most {_DEPTH_LIMIT} levels")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = set()
        for name, _ in pairs:
            if name in names:
                raise ValueError(f"expected each name once, got {name[:40]!r} again")
            names.add(name)
    return found


def _integer(text: str) -> int:
    if len(text) > _DIGITS_LIMIT:
        raise ValueError(f"expected at most {_DIGITS_LIMIT} digits, got {len(text)}")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected finite numbers, got {text[:40]}")
    return value


def _entry(name: str, value: Any) -> Entry:
    """One array's line of the header; whether its bytes are there is checked for all together."""
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name[:40]!r}: expected dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"{name[:40]!r}: expected a dtype of {[*_DTYPES]}, got {dtype!r:.40}")
    if not _naturals(shape) or len(shape) > 2:
        raise ValueError(f"{name[:40]!r}: expected one or two sizes, got {shape!r:.40}")
    if not _naturals(offsets) or len(offsets) != 2:
        raise ValueError(f"{name[:40]!r}: expected two offsets, got {offsets!r:.40}")
    kind = np.dtype(_DTYPES[dtype])
    begin, end = offsets
    if end - begin != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{name[:40]!r}: {end - begin} bytes are not {shape} of {dtype}")
    return Entry(kind, tuple(shape), begin)


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(x) is int and x >= 0 for x in value)


def _check_places(entries: dict[str, Entry], size: int) -> None:
    """Each array begins where another ends, and together they are all of the data."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].begin):
        if entry.begin != at:
            raise ValueError(f"{name[:40]!r}: expected to begin at byte {at}, got {entry.begin}")
        at += math.prod(entry.shape) * entry.dtype.itemsize
    if at != size:
        raise ValueError(f"expected {at} bytes of arrays, got {size}")
