"""Targets as users give them: an array, a series, or the name of a column of the table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets

from .._basics.shown import shown
from .._basics.warned import as_ours, warn
from .._inputs import checks
from . import _values
from ._errors import CellError
from ._frames import Table
from ._values import Values

Array = NDArray[Any]

_NO_TIMES = "expected numbers or names of classes, got dates or times"
_MOST = 1e300  # of targets: what is predicted from larger ones would be infinite


def separated(table: Table, y: Any, needed: str, what: str = "y") -> tuple[Table, Any, str | None]:
    """The features, the target (or other values, `what`) and its name."""
    if y is None:
        raise ValueError(f"{needed} requires y to be passed, but the target y is None")
    if isinstance(y, str):
        if not table.named:
            values_ = "targets" if what == "y" else "values"
            raise ValueError(
                f"{what}: expected {values_} (N,) with an array X, got the name {shown(y)}"
            )
        if y not in table.names:
            raise ValueError(
                f"{what}: expected one of the columns {shown(table.names)}, got {shown(y)}"
            )
        return table.without(y), table.given(table.names.index(y)), y
    name = getattr(y, "name", None)
    if isinstance(name, str) and table.named and name in table.names:
        same = table[table.names.index(name)]
        if _is_same(same, y):
            raise ValueError(
                f"{what}: expected a target that is no feature, got {shown(name)}, which X has "
                f"too: use y={shown(name)}, or drop the column"
            )
    return table, y, name if isinstance(name, str) else None


def _is_same(a: Values, y: Any) -> bool:
    series = _series(y)
    if series is None:
        return False
    b = _values.values_of(series, "y")
    if a.kind != b.kind or len(a.data) != len(b.data):
        return False
    if a.kind == "texts":
        return bool(a.data == b.data)
    return np.array_equal(a.data, b.data, equal_nan=True)


def _series(y: Any) -> Any:
    """As narwhals has it, if it is one."""
    series = nw.from_native(y, series_only=True, allow_series=True, pass_through=True)
    return series if isinstance(series, nw.Series) else None


def as_array(y: Any, what: str = "y") -> Array:
    """The target (N,), or others' values, of numbers, booleans or objects."""
    series = _series(y)
    if series is not None:
        return _of_series(series, what)
    if y is None:
        raise ValueError(f"{what}: expected one value for each row, (N,), got None")
    array = checks.as_array(y, what)
    if array.dtype.kind == "f" and isinstance(y, (list, tuple)) and {*map(type, y)} == {int}:
        array = np.array(y, dtype=object)  # of more than 63 bits
    if array.ndim == 2 and array.shape[1] == 1:
        warn(
            f"A column-vector {what} was passed when a 1d array was expected. Please change the "
            f"shape of {what} to (n_samples,), for example using ravel().",
            DataConversionWarning,
        )
        array = array.ravel()
    if array.ndim != 1:
        raise ValueError(
            f"{what} should be a 1d array, got an array of shape {array.shape} instead: expected "
            "one value for each row, (N,)"
        )
    if array.dtype.kind == "c":
        raise ValueError(f"{what}: expected numbers, got complex ones. Complex data not supported")
    if array.dtype.kind == "M":
        if what == "groups":
            return np.array([None if np.isnat(x) else str(x) for x in array], dtype=object)
        raise TypeError(f"{what}: {_NO_TIMES}: {array.dtype}")
    return array


def _of_series(series: Any, what: str) -> Array:
    """Integers keep all of their digits."""
    integers = series.dtype.is_integer() and series.null_count() == 0
    if integers:
        array = np.asarray(series.to_numpy())
        if array.dtype.kind in "iu":
            return array
    items = None
    if series.dtype in (nw.Categorical, nw.Enum, nw.Object, nw.Unknown) or integers:
        items = series.to_list()
        missing = series.is_null().to_numpy().tolist()
        if all(gone or type(item) is int for item, gone in zip(items, missing, strict=True)):
            return np.array(
                [None if gone else x for x, gone in zip(items, missing, strict=True)], dtype=object
            )
        y = _values.of_objects(items, missing, what)
    else:
        y = _values.values_of(series, what)
    if y.kind == "texts":
        return np.array(y.data, dtype=object)
    if y.kind == "times" and what != "groups":
        raise TypeError(f"{what}: {_NO_TIMES}")
    data: Array = y.data
    if y.kind == "booleans" and not np.isnan(data).any():
        return data.astype(bool)
    whole = np.isfinite(data).all() and (data == np.rint(data)).all() and np.abs(data).max() < 2**53
    return data.astype(np.int64) if whole else data


def check_rows(count: int, rows: int, what: str) -> None:
    """As many as the table has."""
    if count != rows:
        raise ValueError(f"{what}: expected {rows} rows, as X has, got {count}: inconsistent")


def missing_at(y: Array) -> int | None:
    """The first row where a value is missing."""
    if y.dtype.kind == "f":
        gone = np.isnan(y)
    elif y.dtype.kind == "O":
        gone = np.array([_values.is_missing(item) for item in y.tolist()])
    else:
        return None
    return int(np.argmax(gone)) if gone.any() else None


def _refuse_missing(y: Array, name: str | None) -> None:
    row = missing_at(y)
    if row is not None:
        came = shown(y.tolist()[row])
        raise CellError(
            name or "y",
            row,
            f"expected a target in every row, got {came}: contains NaN, or nothing; leave such "
            "rows out",
        )


def numbers(y: Any, rows: int, name: str | None) -> Array:
    """Targets (N,) as float64, finite and no larger than `_MOST`."""
    array = as_array(y)
    check_rows(len(array), rows, "y")
    _refuse_missing(array, name)
    if array.dtype.kind not in "biuf":
        items = array.tolist()
        for row, item in enumerate(items):
            try:
                items[row] = float(item)
            except OverflowError:
                items[row] = np.inf if item > 0 else -np.inf
            except (TypeError, ValueError):
                raise CellError(
                    name or "y",
                    row,
                    f"expected numbers, got {shown(item)}: for classes use TableClassifier",
                ) from None
        values = np.array(items, np.float64)
    else:
        values = array.astype(np.float64)
    bad = np.flatnonzero(~(np.abs(values) <= _MOST))
    if bad.size:
        row = int(bad[0])
        infinite = array.dtype.kind == "f" and np.isinf(array[row])
        expected = "finite numbers, got infinity:" if infinite else f"numbers up to ±{_MOST:g}, got"
        raise CellError(name or "y", row, f"expected {expected} {shown(array.tolist()[row])}")
    return values


def codes_among(classes: Array, y: Any, rows: int, name: str | None, others: bool = False) -> Array:
    """Which of the classes of `fit` each row of other targets has (N,); -1 for `others`."""
    array = as_array(y)
    check_rows(len(array), rows, "y")
    _refuse_missing(array, name)
    items = array.tolist()
    if classes.dtype.kind == "O":
        items = [item if isinstance(item, str) else _values.text_of(item) for item in items]
    places = {label: place for place, label in enumerate(classes.tolist())}
    codes = np.array([places.get(item, -1) for item in items], np.int64)
    if (codes < 0).any() and not others:
        row = int(np.argmax(codes < 0))
        raise CellError(
            name or "y",
            row,
            f"expected one of the classes {shown(classes.tolist())}, got {shown(items[row])}",
        )
    return codes


def classes(y: Any, rows: int, name: str | None) -> tuple[Array, Array]:
    """The classes (K,) in their order, and which of them each row has (N,)."""
    array = as_array(y)
    check_rows(len(array), rows, "y")
    _refuse_missing(array, name)
    if array.dtype.kind == "f" and np.isinf(array).any():
        row = int(np.argmax(np.isinf(array)))
        raise CellError(name or "y", row, f"expected finite classes, got infinity: {array[row]}")
    if array.dtype.kind == "O":
        array = _of_one_kind(array, name)
    with as_ours():
        check_classification_targets(array)
    found, codes = np.unique(array, return_inverse=True)
    if len(found) < 2:
        raise ValueError(
            f"y: expected at least two classes, got one class only: {shown(found.tolist()[0])}"
        )
    return found, codes


def _of_one_kind(array: Array, name: str | None) -> Array:
    """Labels (N,) of objects as integers, numbers, booleans, or texts."""
    items = array.tolist()
    kinds = {type(item) for item in items}
    if kinds == {str}:
        return array
    if kinds == {Decimal} and all(item == int(item) for item in items):
        items, kinds = [int(item) for item in items], {int}
    if len(kinds) > 1 or not kinds <= {int, bool, float}:
        return np.array([_values.text_of(item) for item in items], dtype=object)
    if kinds == {int}:
        low, high = min(items), max(items)
        if not (low >= -(2**63) and high < (2**64 if low >= 0 else 2**63)):
            row = items.index(high if high >= 2**63 else low)
            raise CellError(
                name or "y",
                row,
                f"expected classes of at most 64 bits, got {shown(items[row])}: make texts of them",
            )
    return np.array(items)
