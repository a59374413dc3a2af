"""IDX files, the format of MNIST: a header that gives dtype and shape, then the values.

Layout, all big-endian: two zero bytes, one byte for the dtype, one byte for the number of
dimensions, a uint32 for each dimension, then the values in C order.
"""

from __future__ import annotations

import math
import os
import stat
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._basics.shown import shown
from .._inputs import checks

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 32  # what every supported NumPy can hold
_MAX_BYTES = 2**63 - 1
_MAX_DEFLATE_RATIO = 1032  # no gzip stream expands further, so a larger claim is a lie
_CHUNK = 1 << 20


def load_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read an IDX file, plain or gzip-compressed, into an array.

    Parameters
    ----------
    path : path-like
        The file. Compression is recognised by content, whatever the name.

    Returns
    -------
    ndarray
        Writable, C order, native byte order, in the file's dtype (uint8, int8, int16, int32,
        float32 or float64) and shape.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a regular file, or not exactly one well-formed IDX array: wrong magic
        number, unknown dtype, dimensions that do not match the size, truncated, trailing
        bytes, damaged compression. Sizes are compared before memory is asked for.

    Examples
    --------
    >>> import os, tempfile
    >>> from eigenmlp.datasets import load_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "labels-idx1-ubyte")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(bytes([0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     load_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    path = checks.path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: expected an IDX file, found no such file") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise ValueError(f"{path}: expected an IDX file, got {kind}")

    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not compressed:
            return _read_array(file, path, available=status.st_size, exact=True)
        return _read_gzip(file, path, status.st_size)


def _read_gzip(file: BufferedIOBase, path: Path, size: int) -> npt.NDArray[Any]:
    import gzip  # not needed for plain files

    try:
        with gzip.GzipFile(fileobj=file) as unzipped:
            available = size * _MAX_DEFLATE_RATIO
            return _read_array(unzipped, path, available=available, exact=False)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path}: expected a gzip file, got a damaged one: {error}") from None


def _read_array(file: BufferedIOBase, path: Path, available: int, exact: bool) -> npt.NDArray[Any]:
    """Read one array; `available` bounds the file's bytes and, if `exact`, is their number."""
    dtype, shape, header_size = _read_header(file, path)
    expected = math.prod(shape) * dtype.itemsize
    dimensions = f"dimensions {shown(shape)} of {dtype.name}"
    # Zeros must not hide an overflow: NumPy refuses such a shape even when it is empty.
    if math.prod(n for n in shape if n) * dtype.itemsize > _MAX_BYTES:
        raise ValueError(f"{path}: {dimensions} exceed any possible file")

    claim = f"{dimensions} mean {expected:,} bytes of values"
    if expected > available - header_size:
        bound = "the file has" if exact else "the file can have at most"
        raise ValueError(f"{path}: {claim}, {bound} {max(0, available - header_size):,}: truncated")
    data = _read_up_to(file, expected + 1)
    if len(data) < expected:
        raise ValueError(f"{path}: {claim}, the file has {len(data):,}: truncated")
    if len(data) > expected:
        raise ValueError(f"{path}: {claim}, but more bytes follow them")

    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(file: BufferedIOBase, path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    magic = file.read(4)
    if len(magic) < 4:
        raise ValueError(f"{path}: expected an IDX header of 4 bytes, the file has {len(magic)}")
    zero, code, dimensions = magic[:2], magic[2], magic[3]
    if zero != b"\0\0":
        raise ValueError(
            f"{path}: not an IDX file: expected the magic number to start with 00 00, "
            f"got {magic.hex(' ')}"
        )
    if code not in _DTYPES:
        known = ", ".join(f"{code:02x}" for code in _DTYPES)
        raise ValueError(f"{path}: expected an IDX dtype code among {known}, got {code:02x}")
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise ValueError(f"{path}: expected 1 to {_MAX_DIMENSIONS} dimensions, got {dimensions}")

    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError(
            f"{path}: expected {dimensions} dimensions in {4 * dimensions} bytes, "
            f"the file has {len(sizes)} there: truncated"
        )
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    return np.dtype(_DTYPES[code]), shape, 4 + len(sizes)


def _read_up_to(file: BufferedIOBase, count: int) -> bytearray:
    """Read at most `count` bytes in chunks, so that memory follows what is really there."""
    data = bytearray()
    while len(data) < count and (chunk := file.read(min(_CHUNK, count - len(data)))):
        data += chunk
    return data
