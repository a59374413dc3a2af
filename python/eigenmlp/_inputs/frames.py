"""Frames and columns of pandas, Polars and PyArrow, as arrays of their numbers.

None of the three is imported: who has such a frame has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from . import odd
from .foreign import has

Array = NDArray[Any]

_LIBRARIES = ("pandas", "polars", "pyarrow", "narwhals")
_LONGEST = 40  # characters of a column's name, and of its dtype
_TABLES = "eigenmlp.tables.TableClassifier and TableRegressor take such columns as they are"


class _Column(NamedTuple):
    name: str | None  # as a message shows it; None for a column that has none
    dtype: str
    values: Any  # of the library
    is_number: bool  # or a bool


def library(value: object) -> str | None:
    """Of which library a value is a frame or a column, if of one."""
    kind = type(value)
    if kind is np.ndarray or kind is list:  # what most are
        return None
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0] if isinstance(base.__module__, str) else ""
        if name in _LIBRARIES:
            return name if _has_rows(value, name) else None
    return None


def numbers(value: Any, name: str, what: str) -> Array:
    """The numbers (N, D) of a frame, (N,) of a column, of the library `name`; C order.

    Raises
    ------
    TypeError
        If a column is neither of numbers nor of bools; it is named.
    ValueError
        If a number is missing or infinite, with its column and row.
    """
    try:
        return _numbers(*_native(value, name), what)
    except (TypeError, ValueError, MemoryError):
        raise
    except Exception as error:  # of the other library
        raise TypeError(
            f"{what}: expected numbers, got a {type(value).__name__} that cannot be read: "
            f"{type(error).__name__}: {error!s:.160}"
        ) from None


def refusal(value: Any, what: str) -> str | None:
    """What `numbers` would say of a frame, or a column, that it refuses."""
    name = library(value)
    try:
        if name is not None:
            numbers(value, name, what)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def gaps(value: Any, what: str) -> str | None:
    """What to say of a column with missing values, whatever the others are."""
    name = library(value)
    if name is None or has(value, "collect"):
        return None
    column = next(_columns(*_native(value, name)), None)
    if column is None or not (found := _gaps(_missing(column, _native(value, name)[1]))):
        return None
    return (
        f"{what}: expected a value in every row, got {_described(column)}{found}: leave these rows "
        "out"
    )


def _numbers(value: Any, name: str, what: str) -> Array:
    if has(value, "collect"):
        kind = type(value).__name__
        raise TypeError(f"{what}: expected a frame in memory, got a {kind}: use {what}.collect()")
    columns = list(_columns(value, name))
    _check_kinds(columns, name, what)
    for column in columns:
        if (missing := _missing(column, name)) is not None:
            raise _gap(column, missing, what)
    whole = _whole(value, name, columns)
    if whole is not None:
        arrays = list(whole.T) if whole.ndim == 2 else [whole]
    else:
        arrays = [_array(column, name) for column in columns]
    for column, array in zip(columns, arrays, strict=True):
        _check_finite(column, array, what)
    if whole is not None:
        return whole
    if not _is_frame(value, name):
        return arrays[0]
    rows = int(value.num_rows if name == "pyarrow" else value.shape[0])
    dtype = np.result_type(*{array.dtype for array in arrays}) if arrays else np.float64
    result = np.empty((rows, len(arrays)), dtype)
    for j, array in enumerate(arrays):
        result[:, j] = array
    return result


def _check_kinds(columns: list[_Column], name: str, what: str) -> None:
    """Refuse columns that are not of numbers or bools, by name."""
    others = [column for column in columns if not column.is_number]
    if not others:
        return
    first = others[0]
    more = f", and {len(others) - 1:,} more such columns" if len(others) > 1 else ""
    gaps = _gaps(_missing(first, name))
    use = f"make numbers of it, or leave it out{_tables(what)}"
    if what.endswith("y"):
        use = (
            "number the labels, as numpy.unique(y, return_inverse=True)[1] does; "
            "eigenmlp.sklearn.MLPClassifier takes them as they are"
        )
    raise TypeError(
        f"{what}: expected numbers, got {_described(first)}{_odd(first)}{gaps}{more}: {use}"
    )


def _odd(column: _Column) -> str:
    """Of a column of pandas' objects the first that is no number of 64 bits, and its row."""
    if column.dtype != "object":
        return ""
    found = odd.no_number(column.values)
    return "" if found is None else f", {shown(found[1])} in row {found[0]} (from 0)"


def _check_finite(column: _Column, array: Array, what: str) -> None:
    """Refuse NaN, which is missing, and infinity."""
    if array.dtype.kind != "f" or array.size == 0:
        return
    low, high = array.min(), array.max()  # NaN if any is
    if np.isnan(low):
        raise _gap(column, np.isnan(array), what)
    if not (np.isfinite(low) and np.isfinite(high)):
        row = int(np.argmax(np.isinf(array)))
        raise ValueError(
            f"{what}: expected finite numbers, got {array[row]} in {_described(column)}, "
            f"row {row} (from 0)"
        )


def _gap(column: _Column, missing: Array, what: str) -> ValueError:
    return ValueError(
        f"{what}: expected a number in every row, got {_described(column)}{_gaps(missing)}: "
        f"fill them, or leave these rows out{_tables(what)}"
    )


def _tables(what: str) -> str:
    return f"; {_TABLES}" if what.endswith("X") else ""


def _described(column: _Column) -> str:
    named = "a column" if column.name is None else f"column {column.name}"
    return f"{named} of {column.dtype}"


def _gaps(missing: Array | None) -> str:
    if missing is None:
        return ""
    count, row = int(np.count_nonzero(missing)), int(np.argmax(missing))
    return f" with {count:,} missing, the first in row {row} (from 0)"


# ---- what the libraries call it


def _native(value: Any, name: str) -> tuple[Any, str]:
    """What Narwhals has wrapped."""
    if name != "narwhals":
        return value, name
    native = value.to_native()
    found = library(native)
    if found in (None, "narwhals"):
        raise TypeError(f"expected a frame of pandas, Polars or PyArrow, got {type(native)}")
    return native, str(found)


def _has_rows(value: object, name: str) -> bool:
    """Whether a value of a library is a frame or a column, and not a type, scalar or query."""
    if isinstance(value, type):
        return False
    wanted = {
        "pandas": ("dtypes", "iloc") if has(value, "iloc") else ("dtype", "isna", "to_numpy"),
        "polars": ("null_count", "collect")
        if has(value, "collect")
        else ("null_count", "to_numpy"),
        "pyarrow": ("column_names",) if has(value, "column_names") else ("null_count", "type"),
        "narwhals": ("to_native",),
    }[name]
    return all(has(value, attribute) for attribute in wanted)


def _is_frame(value: Any, name: str) -> bool:
    if name == "pandas":
        return getattr(value, "ndim", 1) == 2
    return has(value, "get_columns" if name == "polars" else "column_names")


def _columns(value: Any, name: str) -> Iterator[_Column]:
    if not _is_frame(value, name):
        label = getattr(value, "name", None)
        yield _column(None if label in (None, "") else label, value, name)
    elif name == "pandas":
        for j, label in enumerate(value.columns):
            yield _column(label, value.iloc[:, j], name)
    elif name == "polars":
        for series in value.get_columns():
            yield _column(series.name, series, name)
    else:
        for j, label in enumerate(value.column_names):
            yield _column(label, value.column(j), name)


def _column(label: Any, values: Any, name: str) -> _Column:
    dtype = values.type if name == "pyarrow" else values.dtype
    text = None if label is None else _short(repr(label))
    return _Column(text, _short(str(dtype)), values, _is_number(dtype, name))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_number(dtype: Any, name: str) -> bool:
    """Whether a dtype is of real numbers or bools; decimals are numbers too."""
    if name == "pandas":
        kind = getattr(dtype, "kind", "O")
        is_numeric = sys.modules["pandas"].api.types.is_numeric_dtype  # also of decimals
        return kind in "biuf" or (kind != "c" and bool(is_numeric(dtype)))
    if name == "polars":
        return bool(dtype.is_numeric()) or dtype == sys.modules["polars"].Boolean
    kinds = sys.modules["pyarrow"].types
    tests = (kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_decimal)
    return any(test(dtype) for test in tests)


def _missing(column: _Column, name: str) -> Array | None:
    """Which rows (N,) are missing, if any; NaN among floats is found later."""
    values = column.values
    if name == "pandas":
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
            return None
        missing = np.asarray(values.isna(), dtype=bool)
        return missing if missing.any() else None
    if values.null_count == 0 if name == "pyarrow" else values.null_count() == 0:
        return None
    return np.asarray(values.is_null(), dtype=bool)


def _whole(value: Any, name: str, columns: list[_Column]) -> Array | None:
    """A pandas frame of columns of one NumPy dtype, where it lies; or None."""
    if name != "pandas" or not columns:
        return None
    kinds = {column.values.dtype for column in columns}
    if len(kinds) == 1 and isinstance(next(iter(kinds)), np.dtype):
        return np.asarray(value)
    return None


def _array(column: _Column, name: str) -> Array:
    """The numbers (N,) of a column of numbers of which none is missing."""
    values = column.values
    if name == "pandas":
        dtype = values.dtype
        given = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None))  # nullable, sparse
        if isinstance(dtype, np.dtype):
            array = np.asarray(values)
        elif isinstance(given, np.dtype) and given.kind in "biuf":
            array = values.to_numpy(dtype=given)
        else:
            array = values.to_numpy(dtype=np.float64)
    elif name == "polars":
        of_numpy = not values.dtype.is_decimal() and "128" not in str(values.dtype)
        wide = values if of_numpy else values.cast(sys.modules["polars"].Float64)
        array = wide.to_numpy()
    else:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            array = np.asarray(values.cast("float64"))
    return array
