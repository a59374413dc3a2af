"""Rows for the commands: the bundled sets by name, .npz and .csv files by path."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigenmlp import datasets
from eigenmlp._inputs import checks

from .._basics.shown import shown
from .arguments import Source
from .npz import read_arrays

HOLD_OUT = 0.2
# What other programs write for a value that is missing. Case tells NA from sodium's Na.
_MISSING = frozenset(
    {"NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaT", "None", "NULL", "Null", "null", "nil"}
    | {"?", "-", "--", ".", "1.#IND", "1.#QNAN"}  # nan is a number to float
)

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Rows of one file: X (N, D); y (N,) integer labels, or (N, K) float values, or None."""

    X: Array
    y: Array | None


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


def load_test_rows(source: Source, seed: int) -> Table:
    """Load what `evaluate` and `predict` work on: the held-out rows, or every row of a file."""
    if source.name == "mnist":
        assert source.directory is not None
        return Table(*datasets.load_mnist(source.directory, split="test"))
    if source.name == "digits":
        split = load_split(source, seed)
        return Table(split.X_test, split.y_test)
    return read_table(Path(source.name))


def read_table(path: Path, inputs: int | None = None) -> Table:
    """Read a .npz or .csv file.

    With `inputs` given, targets may be missing: a .csv file of that many columns has none.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a .npz or .csv file, found no such file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a .npz or .csv file, got something else")
    return _read_npz(path) if path.suffix.lower() == ".npz" else _read_csv(path, inputs)


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


def _read_csv(path: Path, inputs: int | None) -> Table:
    values = array("d")
    columns, integers = 0, True
    try:
        for line, fields in _csv_rows(path):
            if columns == 0:
                columns = len(fields)
                if _is_header(fields):
                    continue
            if len(fields) != columns:
                raise ValueError(
                    f"{path}: line {line}: expected {columns} columns, got {len(fields)}"
                )
            integers = integers and re.fullmatch(r"[+-]?\d{1,15}", fields[-1].strip()) is not None
            values.extend(_parse(path, line, fields))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a .csv file in UTF-8: {error}") from None
    if not values:
        raise ValueError(f"{path}: expected rows of numbers, found none")

    table = np.array(values).reshape(-1, columns)  # (N, D) or (N, D + 1)
    if inputs is not None and columns == inputs:
        return Table(table, None)
    if columns < 2:
        raise ValueError(f"{path}: expected inputs and, last, a target; got one column")
    y = table[:, -1].astype(np.int64) if integers else table[:, -1:]
    return Table(table[:, :-1], y)


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        for fields in reader:
            if fields:
                yield reader.line_num, fields


def _parse(path: Path, line: int, fields: list[str]) -> list[float]:
    for column, field in enumerate(fields, 1):
        number = _number(field)
        if number is None or not np.isfinite(number):
            raise ValueError(
                f"{path}: line {line}, column {column}: expected a finite number, "
                f"got {shown(field)}" + (" (a header has names only)" if line == 1 else "")
            )
    return [float(field) for field in fields]


def _is_header(fields: list[str]) -> bool:
    """Whether a first row names columns: one at least has a name, and none a value.

    Cells that may be either (nothing, ``#``, ``1stFloor``, ``Na``) leave that to the others. A row
    taken for a header is gone, one taken for data ends in an error: so only what is clear is one.
    """
    cells = [field.strip() for field in fields]
    return not any(map(_is_value, cells)) and any(map(_is_name, cells))


def _is_value(cell: str) -> bool:
    """A number, also in a notation that is refused later, a truth value, or a word for none."""
    return (
        _number(cell) is not None
        or cell in _MISSING
        or cell.lower() in ("true", "false")
        or re.fullmatch(r"[+-]?0[xob][\da-f]+", cell, re.IGNORECASE) is not None
    )


def _is_name(cell: str) -> bool:
    first = cell.lstrip("# ")[:1]  # np.savetxt puts "# " before a header
    likely_missing = cell.lower() in {word.lower() for word in _MISSING}
    return (first.isalpha() or first == "_") and not likely_missing


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
