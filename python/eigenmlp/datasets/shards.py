"""Rows that lie in files, more of them than memory holds: read block by block."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks

Array = NDArray[Any]

BLOCK_BYTES = 1 << 20  # of rows that are read in one go: what a disk reads well
_PARQUET = (".parquet", ".pq")


class Part(Protocol):
    """Rows of one file or array."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    borders: Sequence[int]  # of what cannot be read but whole: 0, …, its rows; empty: any rows can

    def read(self, begin: int, end: int, out: Array) -> None:
        """Fill `out` with rows begin … end - 1."""


def open_shards(
    source: str | os.PathLike[str] | Sequence[Any] | Any,
    columns: str | Sequence[str] | None = None,
) -> Shards:
    """Rows in a folder of ``.npy`` or Parquet files, or in a Zarr array, a `numpy.memmap` or an
    HDF5 data set.

    What comes is taken as X, y or sample_weight by `MLP.fit`, `Trainer.run`, `MLP.evaluate` and, as
    X, by `MLP.forward`, `predict` and `predict_proba`. Training reads it block by block, the next
    ones in a thread while it computes. Blocks of about a megabyte are shuffled, and the rows of
    some 64 of them at a time, in an order that only `seed` sets.

    Parameters
    ----------
    source : path, array, or sequence of these
        A folder stands for all its ``.npy`` files or, if it has none, all its Parquet files, in the
        order of their names. ``.npy`` files are in C order.
    columns : str or sequence of str, optional
        Of Parquet files: one gives (N,), several give (N, D), none given means all. Needs PyArrow.

    Raises
    ------
    TypeError, ValueError
        For files that do not fit together, or are none of these; what their numbers are is seen
        when they are read.

    Examples
    --------
    >>> import numpy as np, tempfile, eigenmlp as em
    >>> folder = tempfile.mkdtemp()
    >>> for i in range(3):
    ...     np.save(f"{folder}/{i}.npy", np.full((100, 2), i, np.float32))
    >>> X = em.datasets.open_shards(folder)
    >>> X.shape
    (300, 2)
    >>> X[99:101]
    array([[0., 0.],
           [1., 1.]], dtype=float32)
    """
    given = source if isinstance(source, (list, tuple)) else [source]
    parts: list[Part] = []
    for one in given:
        if isinstance(one, (str, os.PathLike)):
            path = checks.path(one, "source")
            files = _files(path) if path.is_dir() else [path]
            parts += [_file(file, columns) for file in files]
        else:
            parts.append(_array(one))
    if columns is not None and not all(isinstance(part, _Parquet) for part in parts):
        raise ValueError("columns: expected None with what is not Parquet")
    return Shards(parts)


class Shards:
    """Rows (N, D), or numbers (N,), that are read as they are needed: see `open_shards`."""

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise ValueError("source: expected at least one file or array, got none")
        first = parts[0]
        for part in parts:
            if part.shape[1:] != first.shape[1:] or part.dtype != first.dtype:
                raise ValueError(
                    f"{part.name}: expected rows like those of {first.name}, "
                    f"{first.dtype} {_rows(first)}, got {part.dtype} {_rows(part)}"
                )
        if len(first.shape) not in (1, 2) or first.dtype.kind not in "biuf":
            raise ValueError(
                f"{first.name}: expected numbers (N,) or (N, D), got {first.dtype!s:.40} of shape "
                f"{first.shape}"
            )
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(part.shape[0] for part in parts)])
        if self._starts[-1] == 0:
            raise ValueError(f"{first.name}: expected at least one row, got none")
        self.shape = (int(self._starts[-1]), *first.shape[1:])
        self.dtype = first.dtype.newbyteorder("=")

    @property
    def ndim(self) -> int:
        """1 or 2."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Shards {self.shape} {self.dtype}, {len(self._parts):,} parts>"

    def __getitem__(self, rows: slice) -> Array:
        """Rows begin … end - 1, read now."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(f"rows: expected a slice without a step, got {shown(rows)}")
        begin, end, _ = rows.indices(len(self))
        out = np.empty((max(0, end - begin), *self.shape[1:]), self.dtype)
        self.read(begin, begin + len(out), out)
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows, read now."""
        everything = self[:]
        return everything if dtype is None else everything.astype(dtype)

    def read(self, begin: int, end: int, out: Array) -> None:
        """Fill `out` with rows begin … end - 1."""
        at = begin
        i = int(np.searchsorted(self._starts, begin, "right")) - 1
        while at < end:
            start = int(self._starts[i])
            stop = min(end, int(self._starts[i + 1]))
            if at < stop:
                self._parts[i].read(at - start, stop - start, out[at - begin : stop - begin])
            at, i = stop, i + 1

    def blocks(self) -> list[tuple[int, int]]:
        """Rows that are read in one go, as (begin, end), in order: the same on every machine."""
        rows = max(1, BLOCK_BYTES // max(1, self.row_bytes))
        found: list[tuple[int, int]] = []
        for start, part in zip(self._starts.tolist(), self._parts, strict=False):
            begin = end = 0
            for border in part.borders[1:] or range(rows, part.shape[0], rows):
                if begin < end and border - begin > rows:
                    found.append((start + begin, start + end))
                    begin = end
                end = border
            for last in (end, part.shape[0]):
                if begin < last:
                    found.append((start + begin, start + last))
                    begin = last
        return found


def _rows(part: Part) -> str:
    return f"(N{''.join(f', {n}' for n in part.shape[1:])}{',' if len(part.shape) == 1 else ''})"


# ---- what parts there are


class _Raw:
    """C-order rows in a file, from a byte on."""

    borders: Sequence[int] = ()

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.name, self.shape, self.dtype = str(path), shape, np.dtype(dtype)
        self._path, self._offset = path, offset
        self._row = self.dtype.itemsize * int(np.prod(shape[1:]))
        size = path.stat().st_size
        if size < offset + self._row * shape[0]:
            raise ValueError(
                f"{self.name}: expected {offset + self._row * shape[0]:,} bytes, got {size:,}"
            )

    def read(self, begin: int, end: int, out: Array) -> None:
        native = self.dtype.isnative and out.flags.c_contiguous
        to = out if native else np.empty(out.shape, self.dtype)
        with open(self._path, "rb", buffering=0) as file:
            file.seek(self._offset + begin * self._row)
            left = to.reshape(-1).view(np.uint8).data if to.size else memoryview(b"")
            while len(left):
                count = file.readinto(left)
                if not count:
                    raise ValueError(f"{self.name}: expected the file as it was, it has shrunk")
                left = left[count:]
        if not native:
            out[:] = to


def _npy(path: Path) -> _Raw:
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
    if fortran and len(shape) > 1:
        raise ValueError(f"{path}: expected rows in C order, got Fortran order")
    return _Raw(path, offset, shape, dtype)


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


def _array(array: Any) -> Part:
    if isinstance(array, Shards):
        raise TypeError("source: expected files or arrays, got Shards")
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
        whole = array.flags.c_contiguous and array.filename is not None
        if whole and array.offset is not None and array.ndim:
            # Read as a file: what is looked at in a mapping counts as the process's memory.
            return _Raw(Path(str(array.filename)), array.offset, array.shape, array.dtype)
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")):
        raise TypeError(f"source: expected paths or arrays, got {shown(array)}")
    return _Array(array)


class _Parquet:
    """Columns of a Parquet file; a row group is read whole, and kept until another one is."""

    def __init__(self, path: Path, columns: str | Sequence[str] | None) -> None:
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
        for name in names:
            if name not in schema.names:
                raise ValueError(
                    f"{path}: expected a column {name!r:.80}, got {schema.names!s:.200}"
                )
        self.name, self._path, self._columns = str(path), path, names
        types = [np.dtype(schema.field(name).type.to_pandas_dtype()) for name in names]
        for name, kind in zip(names, types, strict=True):
            if kind.kind not in "biuf":
                raise ValueError(f"{path}: expected numbers in column {name!r:.80}, got {kind!s}")
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


def _file(path: Path, columns: str | Sequence[str] | None) -> Part:
    if not path.exists():
        raise ValueError(f"{path}: expected a file or a folder, got none")
    return _Parquet(path, columns) if path.suffix.lower() in _PARQUET else _npy(path)


def _files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    for endings in ((".npy",), _PARQUET):
        found = [file for file in files if file.suffix.lower() in endings]
        if found:
            return found
    raise ValueError(f"{folder}: expected .npy or Parquet files, got none")


def is_shards(*arrays: object) -> bool:
    """Whether any of these is read as it is needed."""
    return any(isinstance(array, Shards) for array in arrays)


def same_length(names: Iterable[str], arrays: Iterable[Any]) -> None:
    """Refuse what has not as many rows as X, the first."""
    N = None
    for name, array in zip(names, arrays, strict=True):
        if array is None:
            continue
        N = len(array) if N is None else N
        if len(array) != N:
            raise ValueError(f"{name}: expected {N} rows, as X has, got {len(array)}")
