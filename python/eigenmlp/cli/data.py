"""Rows for networks: the bundled sets by name, .npz files and numeric tables by path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigenmlp import datasets
from eigenmlp._inputs import checks

from .commands import Source
from .npz import read_arrays
from .reading.numeric import numbers
from .reading.source import contents, decoded, is_parquet, shown_name
from .reading.table import USUAL, ReadOptions
from .reading.text import laid_out
from .targets import HOLD_OUT, whole

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Rows of one file: X (N, D); y (N,) integer labels, or (N, K) float values, or None."""

    X: Array
    y: Array | None
    assumed: tuple[str, bool] = ("", False)  # what its first row was taken for (`Report.tell_of`)


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array

    @property
    def classifies(self) -> bool:
        return self.y.dtype.kind == "i"


def load_split(source: Source, seed: int, values: bool = False) -> Split:
    """Load rows and hold a fifth out, stratified by class; the same rows for the same seed.

    With `values`, targets are numbers to regress on also where they are integers.
    """
    split = _load_split(source, seed, values)
    return replace(split, y=as_values(split.y), y_test=as_values(split.y_test)) if values else split


def as_values(y: Array) -> Array:
    """Targets (N,) or (N, K) as float64 (N, K)."""
    return y.reshape(len(y), -1).astype(np.float64)


def _load_split(source: Source, seed: int, values: bool) -> Split:
    if source.name == "mnist":
        assert source.directory is not None  # the parser's promise
        X, y = datasets.load_mnist(source.directory)
        X_test, y_test = datasets.load_mnist(source.directory, split="test")
        if X.shape[1] != X_test.shape[1]:
            raise ValueError(
                f"{source.directory}: expected images of one size, got {X.shape[1]} pixels to "
                f"train on and {X_test.shape[1]} to test on"
            )
        return Split(X, y, X_test, y_test)

    X, y = datasets.load_digits() if source.name == "digits" else _rows_with_targets(source, values)
    train, test = _hold_out(y, np.random.default_rng(seed))
    if len(test) == 0:
        raise ValueError(f"{source.name}: too few rows to hold a fifth out: {_sizes_of(y)}")
    return Split(X[train], y[train], X[test], y[test])


def load_test_rows(source: Source, seed: int, read: ReadOptions = USUAL) -> Table:
    """Load what `evaluate` and `predict` work on: the held-out rows, or every row of a file."""
    if source.name == "mnist":
        assert source.directory is not None
        return Table(*datasets.load_mnist(source.directory, split="test"))
    if source.name == "digits":
        split = load_split(source, seed)
        return Table(split.X_test, split.y_test)
    return read_table(Path(source.name), read=read)


def read_table(path: Path, inputs: int | None = None, read: ReadOptions = USUAL) -> Table:
    """Read a .npz file or a table of numbers, whose columns are taken in their order.

    With `inputs` given, targets may be missing: a table of that many columns has none.
    """
    if path.suffix.lower() != ".npz":
        return _read_numbers(str(path), inputs, read)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a .npz or .csv file, found no such file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a .npz or .csv file, got something else")
    return _read_npz(path)


def _rows_with_targets(source: Source, values: bool) -> tuple[Array, Array]:
    path = Path(source.name)
    table = read_table(path)
    if table.y is None:
        raise ValueError(f"{path}: expected arrays X and y, got X only")
    try:  # before rows are held out, so that an error names the file's row
        for name, array in (("X", table.X), ("y", table.y)):
            checks.finite(array, name, "float32")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if values:
        return table.X, as_values(table.y)
    if table.y.dtype.kind == "i":
        low, high, rows = int(table.y.min()), int(table.y.max()), len(table.y)
        if low < 0 or high >= max(rows, 2):
            raise ValueError(
                f"{path}: integer targets are classes, expected 0 to K - 1 with K at most the "
                f"{rows:,} rows, got {low} to {high}; for regression write them as "
                "floats (7.0), or say --loss squared_error"
            )
    return table.X, table.y


def _hold_out(y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    if y.dtype.kind == "i":
        return datasets.stratified_split(y, HOLD_OUT, rng)
    return datasets.stratified_split(np.zeros(len(y), np.int64), HOLD_OUT, rng)


def _sizes_of(y: Array) -> str:
    classes = f" in {len(np.unique(y)):,} classes" if y.dtype.kind == "i" else ""
    return f"{len(y):,}{classes}"


def _read_npz(path: Path) -> Table:
    found, arrays = read_arrays(path, ("X", "y"))
    if "X" not in arrays:
        raise ValueError(
            f"{path}: expected arrays X and y, found {', '.join(found)[:80] or 'none'}"
        )

    X = arrays["X"]
    if X.dtype.kind not in "biuf" or X.ndim < 2 or X.size == 0:
        raise ValueError(f"{path}: expected X as numbers (N, D), got {X.dtype} {X.shape}")
    X = X.reshape(len(X), -1)  # images (N, rows, columns) become (N, D)
    return Table(X, _targets(path, arrays["y"], len(X)) if "y" in arrays else None)


def _targets(path: Path, y: Array, rows: int) -> Array:
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(
            f"{path}: expected y as labels (N,) or values (N, K), got {y.dtype} {y.shape}"
        )
    if len(y) != rows:
        raise ValueError(f"{path}: expected a target for each of {rows:,} rows, got {len(y):,}")
    y = y.reshape(rows, -1)
    if y.dtype.kind == "f":
        return y
    if y.shape[1] != 1:
        raise ValueError(f"{path}: expected integer labels as (N,), got {y.dtype} {y.shape}")
    if y.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f"{path}: expected integer targets below 2⁶³, got {y.max()}; for regression write "
            "them as floats (7.0)"
        )
    return y[:, 0].astype(np.int64)


def _read_numbers(name: str, inputs: int | None, read: ReadOptions) -> Table:
    content = contents(name)
    if is_parquet(content):
        raise ValueError(
            f"{shown_name(name)}: a network takes text with numbers or a .npz file, got Parquet"
        )
    text = laid_out(decoded(content, name, read.layout.encoding), name, read.layout)
    table = numbers(text, read.layout.point)  # (N, D) or (N, D + 1)
    columns = table.shape[1]
    assumed = (f"{shown_name(name)}: {text.assumed}" if text.assumed else "", text.is_odd)
    if inputs is not None and columns == inputs:
        return Table(table, None, assumed)
    if columns < 2:
        raise ValueError(f"{shown_name(name)}: expected inputs and, last, a target; got one column")
    y = whole(table[:, -1])
    return Table(table[:, :-1], table[:, -1:] if y is None else y, assumed)
