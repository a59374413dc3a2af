"""Targets as users give them: an array, a series, or the name of a column of the table."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .._basics.shown import shown
from .._inputs.mapped import intact
from . import _frames
from ._errors import CellError
from ._frames import Table, Values

Array = NDArray[Any]


def separated(table: Table, y: Any, needed: str) -> tuple[Table, Any, str | None]:
    """The features, the target and its name."""
    if y is None:
        raise ValueError(f"{needed} requires y to be passed, but the target y is None")
    if isinstance(y, str):
        if not table.named:
            raise ValueError(f"y: expected targets (N,) with an array X, got the name {shown(y)}")
        if y not in table.names:
            raise ValueError(f"y: expected one of the columns {shown(table.names)}, got {shown(y)}")
        return table.without(y), table[table.names.index(y)], y
    name = getattr(y, "name", None)
    if isinstance(name, str) and table.named and name in table.names:
        same = table[table.names.index(name)]
        if _is_same(same, values(y)):
            raise ValueError(
                f"y: expected a target that is no feature, got {shown(name)}, which X has too: "
                f"use y={shown(name)}, or drop the column"
            )
    return table, y, name if isinstance(name, str) else None


def _is_same(a: Values, b: Values) -> bool:
    if a.kind != b.kind or len(a.data) != len(b.data):
        return False
    if a.kind == "texts":
        return bool(a.data == b.data)
    return np.array_equal(a.data, b.data, equal_nan=True)


def values(y: Any) -> Values:
    """A target column as it was read."""
    if isinstance(y, Values):
        return y
    series = nw.from_native(y, series_only=True, allow_series=True, pass_through=True)
    if isinstance(series, nw.Series):
        return _frames.values_of(series, "y")
    raise TypeError(f"y: expected a series, got a {type(y).__name__}")


def as_array(y: Any) -> Array:
    """The target (N,), of numbers, booleans or objects."""
    if not isinstance(y, Values):
        series = nw.from_native(y, series_only=True, allow_series=True, pass_through=True)
        if isinstance(series, nw.Series):
            y = _frames.values_of(series, "y")
    if isinstance(y, Values):
        return _of_values(y)
    intact(y, "y")
    array: Array = column_or_1d(y, warn=True)
    if array.dtype.kind == "c":
        raise ValueError("y: expected numbers, got complex ones. Complex data not supported")
    if array.dtype.kind == "M":
        raise TypeError(f"y: expected numbers or names of classes, got times: {array.dtype}")
    return array


def _of_values(y: Values) -> Array:
    if y.kind == "texts":
        return np.array(y.data, dtype=object)
    if y.kind == "times":
        raise TypeError("y: expected numbers or names of classes, got dates or times")
    data: Array = y.data
    if y.kind == "booleans" and not np.isnan(data).any():
        return data.astype(bool)
    whole = np.isfinite(data).all() and (data == np.rint(data)).all() and np.abs(data).max() < 2**53
    return data.astype(np.int64) if whole else data


def check_rows(count: int, rows: int, what: str) -> None:
    """As many as the table has."""
    if count != rows:
        raise ValueError(f"{what}: expected {rows} rows, as X has, got {count}: inconsistent")


def _missing_at(y: Array) -> int | None:
    """The first row where the target is missing."""
    if y.dtype.kind == "f":
        gone = np.isnan(y)
    elif y.dtype.kind == "O":
        gone = np.array([_frames._is_missing(item) for item in y.tolist()])
    else:
        return None
    return int(np.argmax(gone)) if gone.any() else None


def _refuse_missing(y: Array, name: str | None) -> None:
    row = _missing_at(y)
    if row is not None:
        came = shown(y.tolist()[row])
        raise CellError(
            name or "y",
            row,
            f"expected a target in every row, got {came}: contains NaN, or nothing; leave such "
            "rows out",
        )


def numbers(y: Any, rows: int, name: str | None) -> Array:
    """Targets (N,) as float64."""
    array = as_array(y)
    check_rows(len(array), rows, "y")
    _refuse_missing(array, name)
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            row = next(i for i, x in enumerate(array.tolist()) if not _is_number(x))
            came = shown(array.tolist()[row])
            raise ValueError(
                f"y: expected numbers, got {came} in row {row}: for classes use TableClassifier"
            ) from None
    array = array.astype(np.float64)
    bad = np.flatnonzero(np.isinf(array))
    if bad.size:
        raise CellError(
            name or "y", int(bad[0]), f"expected finite numbers, got infinity: {array[bad[0]]}"
        )
    return array


def codes_among(classes: Array, y: Any, rows: int, name: str | None) -> Array:
    """Which of the classes of `fit` each row of other targets has (N,)."""
    array = as_array(y)
    check_rows(len(array), rows, "y")
    _refuse_missing(array, name)
    items = array.tolist()
    if classes.dtype.kind == "O":
        items = [item if isinstance(item, str) else _frames._text(item) for item in items]
    places = {label: place for place, label in enumerate(classes.tolist())}
    codes = np.array([places.get(item, -1) for item in items], np.int64)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise CellError(
            name or "y",
            row,
            f"expected one of the classes {shown(classes.tolist())}, got {shown(items[row])}",
        )
    return codes


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def classes(y: Any, rows: int, name: str | None) -> tuple[Array, Array]:
    """The classes (K,) in their order, and which of them each row has (N,)."""
    array = as_array(y)
    check_rows(len(array), rows, "y")
    _refuse_missing(array, name)
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise ValueError("y: expected finite classes, got infinity")
    if array.dtype.kind == "O":
        kinds = {type(item) for item in array.tolist()}
        if len(kinds) > 1 or not kinds <= {str, int, bool, float}:
            array = np.array([_frames._text(item) for item in array.tolist()], dtype=object)
        elif kinds != {str}:
            array = np.array(array.tolist())
    check_classification_targets(array)
    found, codes = np.unique(array, return_inverse=True)
    if len(found) < 2:
        raise ValueError(
            f"y: expected at least two classes, got one class only: {shown(found.tolist()[0])}"
        )
    return found, codes
