"""Arrays of an ONNX file, each checked against the bytes that are there before it is made."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._package import onnx

_KINDS = {
    "FLOAT": "<f4",
    "DOUBLE": "<f8",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT64": "<u8",
    "BOOL": "?",
}
_FIELDS = {
    "FLOAT": "float_data",
    "DOUBLE": "double_data",
    "INT32": "int32_data",
    "INT64": "int64_data",
    "UINT64": "uint64_data",
    "BOOL": "int32_data",
}


def array_of(tensor: Any, folder: Path) -> NDArray[Any]:
    """The array of a TensorProto; strings become an array of objects.

    Raises
    ------
    ValueError
        If its type is not one that weights, shapes or classes have, or its size is not what the
        file has.
    """
    proto = onnx().TensorProto
    name, dims = f"tensor {tensor.name!r}", tuple(int(n) for n in tensor.dims)
    if tensor.data_type == proto.STRING:
        return np.array([bytes(x) for x in tensor.string_data], dtype=object)
    names = {getattr(proto, kind): kind for kind in _KINDS}
    if tensor.data_type not in names:
        given = next((k for k, v in proto.DataType.items() if v == tensor.data_type), "nothing")
        raise ValueError(f"{name}: expected one of {[*_KINDS]}, got {given}")
    kind = names[tensor.data_type]
    dtype = np.dtype(_KINDS[kind])
    if len(dims) > 4 or any(n < 0 for n in dims):
        raise ValueError(f"{name}: expected at most four sizes, none negative, got {dims}")
    count = math.prod(dims)
    if tensor.data_location == proto.EXTERNAL:
        return _external(tensor, folder, name, dtype, count).reshape(dims)
    if tensor.HasField("raw_data"):
        content = tensor.raw_data
        if len(content) != count * dtype.itemsize:
            raise ValueError(
                f"{name}: expected {count * dtype.itemsize} bytes for {dims}, got {len(content)}"
            )
        return np.frombuffer(content, dtype).reshape(dims)
    values = getattr(tensor, _FIELDS[kind])
    if len(values) != count:
        raise ValueError(f"{name}: expected {count} numbers for {dims}, got {len(values)}")
    return np.array(values, dtype).reshape(dims)


def _external(tensor: Any, folder: Path, name: str, dtype: Any, count: int) -> NDArray[Any]:
    """Numbers in a file beside the ONNX file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(entries.get("location", ""))
    if location.name != str(location) or location.name in ("", "..") or "\\" in location.name:
        raise ValueError(f"{name}: expected weights in a file beside it, got {str(location)!r:.80}")
    path = folder / location.name
    try:
        is_there = path.is_file() and not path.is_symlink()
    except OSError:  # such as for a name that is too long
        is_there = False
    if not is_there:
        raise ValueError(
            f"{name}: expected its weights in the file {location.name!r:.80} beside it, "
            "which is not there"
        )
    size, length = path.stat().st_size, count * dtype.itemsize
    try:
        start = int(entries.get("offset", 0))
        given = int(entries.get("length", length))
    except ValueError:
        raise ValueError(f"{name}: expected numbers as offset and length, got {entries}") from None
    if given != length or start < 0 or start + length > size:
        raise ValueError(
            f"{name}: expected {length} bytes from {start} on in {path.name}, which has {size}; "
            f"the file says {given}"
        )
    return np.fromfile(path, dtype, count, offset=start)
