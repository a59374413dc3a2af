"""Tables as people have them: frames of pandas, Polars and PyArrow, and arrays, column by column.

A column is read once, as values of one kind (`_values`).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from .._basics.shown import shown
from .._inputs.mapped import intact
from ._values import Values, of_vector, values_of

Array = NDArray[Any]


class Table:
    """Columns by name; without names (of arrays) they are x0, x1, …

    `labels` are numbers that a frame has for names.
    """

    def __init__(
        self,
        names: list[str],
        named: bool,
        rows: int,
        column: Callable[[int], Values],
        given: Callable[[int], Any],
        labels: list[int] | None = None,
    ) -> None:
        self.names, self.named, self.rows, self.labels = names, named, rows, labels
        self._column, self._given = column, given

    def __getitem__(self, place: int) -> Values:
        return self._column(place)

    def given(self, place: int) -> Any:
        """A column as it came, of a library or of NumPy."""
        return self._given(place)

    def without(self, name: str) -> Table:
        """The other columns."""
        left = [place for place, other in enumerate(self.names) if other != name]
        _check_size(self.rows, len(left), f" beside {shown(name)}")
        names = [self.names[place] for place in left]
        return Table(
            *(names, self.named, self.rows),
            lambda place: self._column(left[place]),
            lambda place: self._given(left[place]),
        )

    def rows_at(self, rows: Array) -> Table:
        """Some of the rows."""

        def column(place: int) -> Values:
            values = self._column(place)
            if isinstance(values.data, list):
                return values._replace(data=[values.data[row] for row in rows.tolist()])
            return values._replace(data=values.data[rows])

        return Table(
            *(self.names, self.named, len(rows)),
            column,
            lambda place: self._given(place)[rows],
            self.labels,
        )


def is_frame(X: Any) -> bool:
    """Whether X is a frame that narwhals reads."""
    return isinstance(_native(X), (nw.DataFrame, nw.LazyFrame))


def read(X: Any, estimator: Any = None) -> Table:
    """A frame or an array (N, D) as a table of at least one row and column."""
    frame = _native(X)
    if isinstance(frame, nw.LazyFrame):
        raise TypeError("X: expected a frame with its rows, got a lazy one: use X.collect()")
    return _of_frame(frame, X) if isinstance(frame, nw.DataFrame) else _of_array(X, estimator)


def _native(X: Any) -> Any:
    if type(X).__name__ == "RecordBatch" and (arrow := sys.modules.get("pyarrow")) is not None:
        X = arrow.Table.from_batches([X])
    try:
        return nw.from_native(X, pass_through=True)
    except Exception as error:  # such as for names that come twice
        names = [*getattr(X, "column_names", getattr(X, "columns", ()))]
        twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
        if twice:
            raise ValueError(
                f"X: expected each column's name once, got {shown(twice[0])} again"
            ) from None
        raise TypeError(f"X: expected a table, got a {type(X).__name__}: {error!s:.160}") from None


def _of_frame(frame: Any, X: Any) -> Table:
    native_names = [*X.columns] if hasattr(X, "iloc") else [*frame.columns]
    if any(isinstance(name, tuple) for name in native_names):
        raise ValueError(
            f"X: expected a name for each column, got several levels: {shown(native_names[0])}"
        )
    names = [str(name) for name in native_names]
    labels = _whole_labels(native_names)
    named = labels is None
    if not named:
        names = [f"x{place}" for place in range(len(names))]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"X: expected each column's name once, got {shown(twice[0])} again")
    rows, columns = frame.shape
    _check_size(rows, columns)
    keys = frame.columns
    return Table(
        *(names, named, rows),
        lambda place: values_of(frame.get_column(keys[place]), names[place]),
        lambda place: frame.get_column(keys[place]),
        labels,
    )


def _whole_labels(labels: list[Any]) -> list[int] | None:
    """Numbers that are names of columns, each once."""
    whole = all(isinstance(x, (int, np.integer)) and not isinstance(x, bool) for x in labels)
    return [int(x) for x in labels] if whole and len({*labels}) == len(labels) else None


def _check_size(rows: int, columns: int, beside: str = "") -> None:
    if rows == 0 or columns == 0:
        raise ValueError(
            f"X: expected a table of at least one row and one column, got {rows} rows and "
            f"{columns} columns{beside}"
        )


def _of_array(X: Any, estimator: Any) -> Table:
    intact(X, "X")
    if isinstance(X, (list, tuple)) and any(
        isinstance(value, str) for row in X if isinstance(row, (list, tuple)) for value in row
    ):
        X = np.array(X, dtype=object)  # else NumPy makes texts of the numbers
    if X is None or isinstance(X, (str, bytes, os.PathLike, Mapping)):
        hint = ": use pandas.DataFrame(X)" if isinstance(X, Mapping) else ""
        raise TypeError(f"X: expected a frame or an array (N, D), got {shown(X)}{hint}")
    try:
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
    except ValueError as error:
        if not str(error).startswith("Expected 2D array"):
            raise
        array = np.asarray(X)
        first = array.ravel()[:1].tolist()
        of_fields = array.dtype.names is not None or isinstance(first and first[0], Mapping)
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead: X has shape {array.shape}. "
            "Reshape your data either using array.reshape(-1, 1) if your data has a single feature "
            "or array.reshape(1, -1) if it contains a single sample"
            f"{'; or pandas.DataFrame(X), as its rows have fields' if of_fields else ''}."
        ) from None
    if X.dtype.kind not in "biufOUSMm":
        raise TypeError(f"X: expected numbers, texts or times, got an array of {X.dtype}")
    names = [f"x{place}" for place in range(X.shape[1])]
    return Table(
        *(names, False, len(X)),
        lambda place: of_vector(X[:, place], names[place]),
        lambda place: X[:, place],
    )
