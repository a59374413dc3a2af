"""Numbers of a text, with NumPy alone: all are finite, or a message says which cell is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..._basics.shown import shown
from ..._core import _text
from .text import Text
from .words import MISSING, number

Array = npt.NDArray[Any]


def numbers(text: Text, point: str = ".", hint: str = "") -> Array:
    """The rows as float64 (N, columns).

    Raises
    ------
    ValueError
        For the first cell that is no finite number, with its line and column, and `hint` behind
        where it is a word or missing; for a row that is longer or shorter than others.
    """
    values = all_numbers(text, point)
    return _slowly(text, point, hint) if values is None else values


def all_numbers(text: Text, point: str = ".") -> Array | None:
    """The rows as float64 (N, columns), if they are finite numbers without quotes and no more."""
    data, columns, stopped = _text.numbers(text.rows, text.separator, point)
    if stopped >= 0 or columns != text.columns:
        return None
    values = np.frombuffer(data).reshape(-1, columns)
    return values if np.isfinite(values).all() else None


def _slowly(text: Text, point: str, hint: str) -> Array:
    """The same for quoted numbers, and for what is wrong."""
    made: list[list[float]] = []
    for line, fields in text.records():
        if len(fields) != text.columns:
            text.check_lengths()
        made.append([_number(text, line, i, cell, point, hint) for i, cell in enumerate(fields)])
    return np.array(made, np.float64).reshape(-1, text.columns)


def _number(text: Text, line: int, column: int, cell: str, point: str, hint: str) -> float:
    value = number(cell if point == "." else cell.replace(".", "x").replace(point, "."))
    if value is not None and np.isfinite(value):
        return value
    if point == "." and number(cell.replace(",", ".")) is not None:
        hint = "; --decimal , reads decimal commas"
    elif line == 1 and value is None and cell.strip() not in MISSING:
        hint = f" (a header has names only; --header says that it is one){hint}"
    raise ValueError(
        f"{text.where(line, column)}: expected a finite number, got {shown(cell)}{hint}"
    )
