"""Arrays of a .npz archive that nobody vouches for: no header alone takes memory."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_NPY = b"\x93NUMPY"
_MAX_DEFLATE_RATIO = 1032  # no stream expands further, so a larger claim is a lie
_CHUNK = 1 << 20
# What zipfile and NumPy raise for bytes that are not what they should be.
_DAMAGED = (ValueError, OverflowError, RuntimeError, EOFError, OSError, struct.error, zlib.error)


def read_arrays(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, Array]]:
    """The names of all arrays in the archive, and those of `names` that are there.

    Raises
    ------
    ValueError
        If it is no archive, or one of those arrays is damaged or of objects.
    """
    with path.open("rb") as file:
        try:
            if file.read(len(_NPY)) == _NPY:
                raise ValueError("one array without a name")
            with zipfile.ZipFile(file) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
                arrays = {name: _array(archive, members[name]) for name in names if name in members}
        except (*_DAMAGED, zipfile.BadZipFile) as error:
            message = f"{path}: expected a .npz archive of numeric arrays: {error!s:.200}"
            raise ValueError(message) from None
    return [*members], arrays


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    name = info.filename[:40]
    ratios = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _MAX_DEFLATE_RATIO}
    if info.compress_type not in ratios:
        raise ValueError(f"{name}: expected it stored or deflated, got method {info.compress_type}")
    with archive.open(info) as file:
        shape, fortran, dtype = _header(file, name)
        size = math.prod(shape) * dtype.itemsize
        claim = f"{name}: {shape} of {dtype} are {size:,} bytes".replace("\n", " ")[:120]
        if size > ratios[info.compress_type] * info.compress_size:
            raise ValueError(f"{claim}, the archive has at most {info.compress_size:,}")
        data = bytearray()
        while len(data) <= size and (chunk := file.read(min(_CHUNK, size + 1 - len(data)))):
            data += chunk
    if len(data) != size:
        raise ValueError(f"{claim}, got {'more' if len(data) > size else f'{len(data):,}'}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, dtype."""
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        return read[np.lib.format.read_magic(file)](file)
    except Exception as error:  # NumPy evaluates it, which fails in as many ways as a parser can
        kind = type(error).__name__
        raise ValueError(f"{name}: expected an array's header: {kind} {error!s:.80}") from None
