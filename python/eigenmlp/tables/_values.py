"""The values of a column, as they are read from frames, arrays and lists.

They are of one of four kinds: numbers and booleans (float64, NaN where one is missing), texts (str,
None where one is missing), times (float64 seconds since 1970, as the clock on the wall shows them;
NaN where one is missing).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import dates, odd
from ._errors import CellError

Array = NDArray[Any]

_NO_VALUES = (complex, list, tuple, dict, set, frozenset, np.ndarray, np.complexfloating)
_EPOCH = datetime.datetime(1970, 1, 1)


class Values(NamedTuple):
    """A column as it was read: `data` (N,) float64, or a list of N texts."""

    kind: str  # numbers, booleans, texts or times
    data: Any
    of_words: bool = False  # texts that the user says are names of categories, and no dates


def of_vector(x: Array, name: str) -> Values:
    if x.dtype.kind in "iuf":
        return Values("numbers", x.astype(np.float64))
    if x.dtype.kind == "b":
        return Values("booleans", x.astype(np.float64))
    if x.dtype.kind == "M":
        return Values("times", _seconds(x))
    if x.dtype.kind == "m":
        return Values("numbers", x.astype("m8[us]").astype(np.float64) / 1e6)
    items = x.tolist()
    return of_objects(items, [is_missing(item) for item in items], name)


def _seconds(x: Array) -> Array:
    seconds = x.astype("M8[us]").astype(np.int64) / 1e6
    seconds[np.isnat(x)] = np.nan
    return seconds


def is_missing(value: object) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA, or an array in a cell
        return type(value).__name__ in ("NAType", "NaTType")


def values_of(series: Any, name: str) -> Values:
    """A column of a frame, as narwhals gives it."""
    dtype = series.dtype
    if dtype.is_numeric():
        return Values("numbers", _floats(series))
    if dtype == nw.Boolean:
        return Values("booleans", _floats(series))
    if dtype == nw.Datetime:
        wall = series.dt.replace_time_zone(None)
        return Values("times", _floats(wall.dt.timestamp("us")) / 1e6)
    if dtype == nw.Date:
        days = series.cast(nw.Datetime("us"))
        return Values("times", _floats(days.dt.timestamp("us")) / 1e6)
    if dtype == nw.Duration:
        return Values("numbers", _floats(series.dt.total_microseconds()) / 1e6)
    try:
        missing = series.is_null().to_numpy().tolist()
    except ArithmeticError as error:  # of a signalling NaN
        raise CellError(name, None, f"expected values to compare, got {error!r:.100}") from None
    if dtype in (nw.Categorical, nw.Enum):
        data = [
            None if gone else text_of(x) for x, gone in zip(series.to_list(), missing, strict=True)
        ]
        return Values("texts", data, of_words=True)
    items = series.to_list()
    there = {type(item) for item, gone in zip(items, missing, strict=True) if not gone}
    if {kind.__name__ for kind in there} == {"Period"}:  # a quarter or the like of pandas
        return Values("times", _filled(items, missing, lambda x: _second(x.start_time)))
    return of_objects(items, missing, name)


def _floats(series: Any) -> Array:
    return np.array(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def of_objects(items: Sequence[Any], missing: Sequence[bool], name: str) -> Values:
    """Values of any types: numbers or times if all are, else texts."""
    there = [item for item, gone in zip(items, missing, strict=True) if not gone]
    types = {type(item) for item in there}
    if types and all(issubclass(kind, (bool, np.bool_)) for kind in types):
        return Values("booleans", _filled(items, missing, float))
    if types and all(issubclass(kind, Real) or _is_decimal(kind) for kind in types):
        return Values("numbers", _numbers(items, missing, name))
    if types and all(issubclass(kind, (datetime.date, np.datetime64)) for kind in types):
        return Values("times", _filled(items, missing, _second))
    if types and all(issubclass(kind, datetime.time) for kind in types):
        return Values("numbers", _filled(items, missing, _second_of_day))
    if types and all(issubclass(kind, datetime.timedelta) for kind in types):
        return Values("numbers", _filled(items, missing, lambda x: x.total_seconds()))
    if any(issubclass(kind, _NO_VALUES) for kind in types):
        row = next(row for row, item in enumerate(items) if isinstance(item, _NO_VALUES))
        raise CellError(name, row, f"expected numbers, texts or times, got {shown(items[row])}")
    if types <= {str}:
        data = [None if gone else item for item, gone in zip(items, missing, strict=True)]
        return Values("texts", data)
    data = [None if gone else text_of(x) for x, gone in zip(items, missing, strict=True)]
    return Values("texts", data)


def _is_decimal(kind: type) -> bool:
    return kind.__name__ == "Decimal"


def _filled(items: Sequence[Any], missing: Sequence[bool], number: Callable[[Any], float]) -> Array:
    pairs = zip(items, missing, strict=True)
    return np.array([math.nan if gone else number(item) for item, gone in pairs], np.float64)


def _numbers(items: Sequence[Any], missing: Sequence[bool], name: str) -> Array:
    try:
        return _filled(items, missing, float)
    except OverflowError:
        if (found := odd.beyond_floats(items)) is None:
            raise
        row, item = found
        came = f"expected numbers that a float can hold, got {shown(item)}"
        raise CellError(name, row, came) from None


def _second(value: Any) -> float:
    if isinstance(value, np.datetime64):
        return float(value.astype("M8[us]").astype(np.int64)) / 1e6
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    return float((value.replace(tzinfo=None) - _EPOCH).total_seconds())


def _second_of_day(value: datetime.time) -> float:
    return value.hour * 3600.0 + value.minute * 60.0 + value.second + value.microsecond / 1e6


def text_of(value: Any) -> str:
    """A cell as a category's name: 3, 3.0 and "3" are one."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, Integral):
        whole = int(value)
        return str(whole) if whole.bit_length() < 10_000 else hex(whole)  # Python writes no more
    if isinstance(value, Real) and math.isfinite(value) and float(value).is_integer():
        return str(int(float(value)))
    return str(value)


# ---- values of one kind as those of another, as a model that was fitted on that expects them


def as_numbers(values: Values, name: str) -> Array:
    """Numbers (N,), finite or NaN; texts that are numbers count as such."""
    if values.kind == "texts":
        data = np.array([_number(text, name, i) for i, text in enumerate(values.data)], np.float64)
    elif values.kind == "times" and not np.isnan(values.data).all():
        raise CellError(name, None, "expected numbers, got dates or times")
    else:
        data = values.data
    bad = np.flatnonzero(np.isinf(data))
    if bad.size:
        row = int(bad[0])
        raise CellError(name, row, f"expected finite numbers or none, got {data[row]}")
    return np.asarray(data, np.float64)


def _number(text: str | None, name: str, row: int) -> float:
    if text is None:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise CellError(name, row, f"expected numbers, got the text {shown(text)}") from None


def as_booleans(values: Values, name: str) -> Array:
    """0 and 1 and NaN."""
    if values.kind == "texts":
        words = {"true": 1.0, "1": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "no": 0.0}
        found = [None if t is None else words.get(t.lower(), -1.0) for t in values.data]
        data = np.array([math.nan if x is None else x for x in found], np.float64)
    elif values.kind == "times" and not np.isnan(values.data).all():
        raise CellError(name, None, "expected booleans, got dates or times")
    else:
        data = values.data
    bad = np.flatnonzero(~((data == 0) | (data == 1) | np.isnan(data)))
    if bad.size:
        row = int(bad[0])
        came = values.data[row] if values.kind == "texts" else float(data[row])
        raise CellError(name, row, f"expected booleans (or 0 and 1), got {shown(came)}")
    return np.asarray(data, np.float64)


def as_texts(values: Values, name: str) -> list[str | None]:
    """Names of categories, None where they are missing."""
    if values.kind == "texts":
        return list(values.data)
    if values.kind == "booleans":
        return [None if math.isnan(x) else str(bool(x)) for x in values.data.tolist()]
    if values.kind == "times" and not np.isnan(values.data).all():
        raise CellError(name, None, "expected texts or categories, got dates or times")
    return [None if math.isnan(x) else text_of(x) for x in values.data.tolist()]


def as_times(values: Values, name: str, order: str = "") -> Array:
    """Seconds since 1970 and NaN; texts are parsed, in an order of `dates` if there is one."""
    if values.kind == "times":
        return np.asarray(values.data, np.float64)
    if values.kind == "texts":
        return parsed_times(values.data, name, order)[0]
    if np.isnan(values.data).all():
        return np.asarray(values.data, np.float64)
    raise CellError(name, None, f"expected dates or times, got {values.kind}")


def parsed_times(texts: Sequence[str | None], name: str, order: str = "") -> tuple[Array, str]:
    """Seconds since 1970 of texts that are dates, and the order of days, months and years."""
    try:
        found, order = dates.read({text for text in texts if text is not None}, order)
    except dates.Undecided as error:
        row = texts.index(error.text)
        raise CellError(
            name,
            row,
            f"{error}: make dates of them before, as pandas.to_datetime(…, format="
            f'"{error.forms[0]}") does, or a category for words',
        ) from None
    seconds: dict[str | None, float] = {text: when / 1e6 for text, when in found.items()}
    seconds[None] = math.nan
    try:
        return np.array([seconds[text] for text in texts], np.float64), order
    except KeyError:
        row = next(row for row, text in enumerate(texts) if text not in seconds)
        of_fit = {
            "dmy": ", the day first,",
            "mdy": ", the month first,",
            "ymd": ", the year first,",
        }
        raise CellError(
            name,
            row,
            f"expected dates as 2024-02-29 or 2024-02-29 23:59:00{of_fit.get(order, '')} or none, "
            f"got {shown(texts[row])}",
        ) from None
