"""What shards are made of: files and arrays whose rows are read as they are needed."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs.foreign import unmasked
from .direct import Refused, read_past_cache

Array = NDArray[Any]

_PARQUET = (".parquet", ".pq")


class Part(Protocol):
    """Rows of one file or array."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    borders: Sequence[int]  # of what cannot be read but whole: 0, …, its rows; empty: any rows can

    def read(self, begin: int, end: int, out: Array) -> None:
        """Fill `out` with rows begin … end - 1."""


class RawRows:
    """C-order rows in a file, from a byte on."""

    borders: Sequence[int] = ()
    past_cache = False  # of the system, if it can read so

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.name, self.shape, self.dtype = str(path), shape, np.dtype(dtype)
        self._path, self._offset = path, offset
        self._row = self.dtype.itemsize * int(np.prod(shape[1:]))
        self.nbytes = self._row * shape[0]
        size = path.stat().st_size
        if size < offset + self.nbytes:
            raise ValueError(f"{self.name}: expected {offset + self.nbytes:,} bytes, got {size:,}")

    def read(self, begin: int, end: int, out: Array) -> None:
        native = self.dtype.isnative and out.flags.c_contiguous
        to = out if native else np.empty(out.shape, self.dtype)
        if to.size:
            self._read_bytes(self._offset + begin * self._row, to.reshape(-1).view(np.uint8).data)
        if not native:
            out[:] = to

    def _read_bytes(self, at: int, left: memoryview) -> None:
        if self.past_cache:
            try:
                came = read_past_cache(self._path, at, left)
                at, left = at + came, left[came:]
            except Refused:
                self.past_cache = False
        if not len(left):
            return
        with open(self._path, "rb", buffering=0) as file:
            file.seek(at)
            while len(left):
                count = file.readinto(left)
                if not count:
                    raise ValueError(f"{self.name}: expected the file as it was, it has shrunk")
                left = left[count:]


def _npy(path: Path) -> RawRows:
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise ValueError(f"{path}: expected a .npy file, {error!s:.100}") from None
        offset = file.tell()
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected numbers, got {dtype!s:.40}")
    if not shape:
        raise ValueError(f"{path}: expected rows (N,) or (N, D), got a single number, of shape ()")
    if fortran and len(shape) > 1:
        raise ValueError(f"{path}: expected rows in C order, got Fortran order")
    return RawRows(path, offset, shape, dtype)


class _Array:
    """Anything with a shape, a dtype and slices of rows: Zarr, HDF5, an array in memory."""

    def __init__(self, array: Any) -> None:
        self.name = shown(type(array).__name__)
        self.shape, self.dtype = tuple(map(int, array.shape)), np.dtype(array.dtype)
        chunks = getattr(array, "chunks", None)
        self.borders: Sequence[int] = ()
        if isinstance(chunks, tuple) and chunks and isinstance(chunks[0], int):
            self.borders = [*range(0, self.shape[0], chunks[0]), self.shape[0]]
        self._array = array

    def read(self, begin: int, end: int, out: Array) -> None:
        out[:] = self._array[begin:end]


def array_part(array: Any) -> Part:
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
        # Changes of a mode "c" are in memory alone.
        whole = array.flags.c_contiguous and array.filename is not None and array.mode != "c"
        if whole and array.offset is not None and array.ndim:
            # Read as a file: what is looked at in a mapping counts as the process's memory.
            return RawRows(Path(str(array.filename)), array.offset, array.shape, array.dtype)
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")):
        raise TypeError(f"source: expected paths or arrays, got {shown(array)}")
    unmasked(array, "source")
    return _Array(array)


class Parquet:
    """Columns of a Parquet file; a row group is read whole, and kept until another one is."""

    name: str
    _columns: list[str]

    def __init__(
        self, path: Path, columns: str | Sequence[str] | None, like: Parquet | None = None
    ) -> None:
        """Without `columns`, all, in the order of the file `like`."""
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError("Parquet shards need PyArrow: pip install pyarrow") from error
        try:
            file = parquet.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: expected a Parquet file, {error!s:.100}") from None
        with file:
            schema, metadata = file.schema_arrow, file.metadata
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        names = [columns] if isinstance(columns, str) else list(columns or schema.names)
        if not columns and like is not None:
            if sorted(names) != sorted(like._columns):
                raise ValueError(
                    f"{path}: expected the columns of {like.name}, {like._columns!s:.100}, got "
                    f"{names!s:.100}"
                )
            names = like._columns
        for name in names:
            if name not in schema.names:
                raise ValueError(
                    f"{path}: expected a column {name!r:.80}, got {schema.names!s:.200}"
                )
        self.name, self._path, self._columns = str(path), path, names
        types = [_number(schema.field(name).type, name, path) for name in names]
        self.dtype: np.dtype[Any] = np.result_type(*types)
        self.borders: Sequence[int] = [0, *np.cumsum(groups).tolist()]
        N = self.borders[-1]
        self.shape: tuple[int, ...] = (N,) if isinstance(columns, str) else (N, len(names))
        self._open: Callable[[], Any] = lambda: parquet.ParquetFile(path)
        self._group: tuple[int, Any] = (-1, None)

    def read(self, begin: int, end: int, out: Array) -> None:
        while begin < end:
            i = int(np.searchsorted(self.borders, begin, "right")) - 1
            start, stop = self.borders[i], min(end, self.borders[i + 1])
            table = self._table(i).slice(begin - start, stop - begin)
            to, out = out[: stop - begin], out[stop - begin :]
            for j, column in enumerate(table.columns):
                if column.null_count:
                    row = begin + int(np.flatnonzero(column.is_null().to_numpy())[0])
                    raise ValueError(
                        f"{self.name}: expected no missing numbers, got one in column "
                        f"{self._columns[j]!r:.80}, row {row}"
                    )
                numbers = column.to_numpy()
                if to.ndim == 1:
                    to[:] = numbers
                else:
                    to[:, j] = numbers
            begin = stop

    def _table(self, i: int) -> Any:
        if self._group[0] != i:
            self._group = (-1, None)  # not two at once
            with self._open() as file:
                self._group = (i, file.read_row_group(i, columns=self._columns))
        return self._group[1].select(self._columns)


def _number(kind: Any, name: str, path: Path) -> np.dtype[Any]:
    """What NumPy calls an Arrow type of numbers, also where it is in a dictionary."""
    from pyarrow import types

    inner = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_boolean(inner) or types.is_integer(inner) or types.is_floating(inner):
        found: np.dtype[Any] = np.dtype(inner.to_pandas_dtype())
        return found
    raise ValueError(f"{path}: expected numbers in column {name!r:.80}, got {kind!s:.100}")


def file_part(path: Path, columns: str | Sequence[str] | None, first: Part | None = None) -> Part:
    """The rows of a file, in columns as those of the `first` one."""
    if not path.exists():
        raise ValueError(f"{path}: expected a file or a folder, got none")
    if path.suffix.lower() in _PARQUET:
        return Parquet(path, columns, first if isinstance(first, Parquet) else None)
    return _npy(path)


def files_of(folder: Path) -> list[Path]:
    """Those that are not hidden, in the order of their names, 2 before 10."""
    found = (file for file in folder.iterdir() if file.is_file() and file.name[0] != ".")
    files = sorted(found, key=lambda file: _natural(file.name))
    for endings in ((".npy",), _PARQUET):
        fitting = [file for file in files if file.suffix.lower() in endings]
        if fitting:
            return fitting
    raise ValueError(f"{folder}: expected .npy or Parquet files, got none")


def _natural(name: str) -> tuple[list[str | int], str]:
    parts = re.split("([0-9]+)", name)  # texts and digits by turns
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
