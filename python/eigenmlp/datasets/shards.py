"""Rows that lie in files, more of them than memory holds: read block by block."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks
from .memory import available_memory
from .shard_parts import Parquet, Part, RawRows, array_part, file_part, files_of

Array = NDArray[Any]

BLOCK_BYTES = 1 << 20  # of rows that are read in one go: what a disk reads well
CACHED_SHARE = 0.75  # of the memory that is left: so large files are there in the next epoch too


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
        order of their names, in which 2 comes before 10. ``.npy`` files are in C order.
    columns : str or sequence of str, optional
        Of Parquet files: one gives (N,), several give (N, D), none given means all, in the order of
        the first file. Needs PyArrow.

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
            files = files_of(path) if path.is_dir() else [path]
            for file in files:
                parts.append(file_part(file, columns, parts[0] if parts else None))
        else:
            parts.append(array_part(one))
    if columns is not None and not all(isinstance(part, Parquet) for part in parts):
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
        files = [part for part in parts if isinstance(part, RawRows)]
        if files and sum(file.nbytes for file in files) > CACHED_SHARE * available_memory():
            for file in files:
                file.past_cache = True

    @property
    def ndim(self) -> int:
        """1 or 2."""
        return len(self.shape)

    @property
    def past_cache(self) -> bool:
        """Whether rows come from the disk itself, which takes next to nothing of a processor."""
        return all(isinstance(part, RawRows) and part.past_cache for part in self._parts)

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


def refuse_row(check: Callable[[int, int], object], begin: int, end: int) -> None:
    """Raise what `check` says of the first row from `begin` to `end` - 1 that it refuses, counted
    as users count; nothing if it takes them all. `check(a, b)` looks at rows a to b - 1 alone.
    """
    found = _refusal(check, begin, end)
    if found is None:
        return
    while end - begin > 1:
        middle = (begin + end) // 2
        if (first := _refusal(check, begin, middle)) is not None:
            found, end = first, middle
        elif (second := _refusal(check, middle, end)) is not None:
            found, begin = second, middle
        else:
            break
    text, rows = str(found), f"row {begin:,}"
    if end - begin > 1:
        rows = f"rows {begin:,} to {end - 1:,}"
    else:  # X[0, 3] is of this row
        text = re.sub(r"(?<=\w)\[0(?=[,\]])", f"[{begin}", text)
    raise type(found)(text if f"[{begin}" in text else f"{rows}: {text}") from None


def _refusal(check: Callable[[int, int], object], begin: int, end: int) -> Exception | None:
    try:
        check(begin, end)
    except (TypeError, ValueError) as error:
        return error
    return None


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
