"""All columns of a table together: from its rows to the network's (N, D), and back from a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._basics.warned import warn
from .._inputs import checks, dates
from ._columns import Boolean, Category, Code, Column, Number, Time
from ._frames import Table
from ._learning import Learnt, Teacher
from ._values import Values

Array = NDArray[Any]

_BLOCK = 1 << 11  # rows that are encoded at a time, while they are in a cache


class Encoder:
    """The columns that are used, by the places that they have in the table."""

    def __init__(self, columns: list[Column], places: list[int]) -> None:
        self.columns, self.places = columns, places

    @property
    def width(self) -> int:
        """D of the network."""
        return sum(column.width for column in self.columns)

    def blocks(self, values: Callable[[int], Values], rows: int, dtype: Any) -> Iterator[Array]:
        """Rows (n, D), some at a time; `values` gives a column by its place in `fit`."""
        places = zip(self.columns, self.places, strict=True)
        taken = [column.taken(values(place)) for column, place in places]
        encode = self.prepared()
        for start in range(0, rows, _BLOCK):
            X = np.empty((min(_BLOCK, rows - start), self.width), dtype)
            encode([part[start : start + _BLOCK] for part in taken], X)
            yield X

    def prepared(self) -> Callable[[list[Any], Array], None]:
        """A function that writes the rows of all columns' values into an array (N, D)."""
        columns = [(column.width, column.prepared()) for column in self.columns]

        def encode(taken: list[Any], out: Array) -> None:
            at = 0
            for (width, write), part in zip(columns, taken, strict=True):
                write(part, out[:, at : at + width])
                at += width

        return encode


def learn(
    table: Table, teacher: Teacher, bins: int, dtype: Any
) -> tuple[Encoder, Array, dict[str, str]]:
    """The encoder of a table, its rows as the network trains on them, and what is left out: why."""
    learnt: dict[int, Learnt] = {}
    left_out: dict[str, str] = {}
    for place, name in enumerate(table.names):
        found = teacher.learn(name, table[place], bins)
        if found.column is None:
            left_out[name] = found.why_not
        else:
            learnt[place] = found
    if not learnt:
        name, why = next(iter(left_out.items()))
        raise ValueError(
            f"X: expected a column whose values differ, {why} of column {shown(name)}"
            f"{', and no other tells more' if len(left_out) > 1 else ''}"
        )
    columns = [found.column for found in learnt.values() if found.column is not None]
    encoder = Encoder(columns, [*learnt])
    X = np.empty((table.rows, encoder.width), dtype)
    encode = encoder.prepared()
    for start in range(0, table.rows, _BLOCK):
        rows = slice(start, start + _BLOCK)
        encode([found.taken[rows] for found in learnt.values()], X[rows])
    at = 0
    for column, found in zip(columns, learnt.values(), strict=True):
        at += column.width
        if found.own is not None:
            X[:, at - found.own.shape[1] : at] = found.own
    return encoder, X, left_out


def warn_of(left_out: dict[str, str]) -> None:
    """Say which columns are left out, if any are."""
    if not left_out:
        return
    listed = "; ".join(f"{why} of {shown(name)[:40]}" for name, why in [*left_out.items()][:3])
    more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    warn(f"X: expected columns whose values tell something, {listed}{more}: these are left out")


# ---- as JSON


def described(encoder: Encoder) -> list[dict[str, Any]]:
    """Each column's kind, name, place and details."""
    return [
        {"kind": column.kind, "name": column.name, "place": place, **column.details()}
        for column, place in zip(encoder.columns, encoder.places, strict=True)
    ]


def restored(described: Any, names: list[str]) -> Encoder:
    """The encoder of such a description, all of which is checked: it may come from any file."""
    if not isinstance(described, list) or not described:
        raise ValueError("columns: expected a list of descriptions")
    columns, places = [], []
    for one in described:
        if not isinstance(one, dict):
            raise ValueError(f"columns: expected descriptions, got {shown(one)}")
        place = checks.integer(one.get("place"), "place", 0, len(names) - 1)
        if place in places or one.get("name") != names[place]:
            raise ValueError(f"columns: expected {shown(names[place])} once, got {shown(one)}")
        columns.append(_column(one, names[place]))
        places.append(place)
    return Encoder(columns, places)


def _column(one: dict[str, Any], name: str) -> Column:
    kind = checks.known(one.get("kind"), ["number", "boolean", "category", "code", "time"], "kind")
    if kind == "number":
        return _number(one, name)
    if kind == "boolean":
        return Boolean(name, checks.checked_bool(one["indicator"], "indicator"))
    if kind == "category":
        return _category(one, name)
    if kind == "code":
        return _code(one, name)
    cycles = [(checks.number(p, "cycles", 1.0), checks.integer(h, "cycles", 1, 8))
              for p, h in one["cycles"]]  # fmt: skip
    if len(cycles) > 8:
        raise ValueError(f"cycles: expected at most 8, got {len(cycles)}")
    order = checks.known(one.get("order", ""), ["", *dates.ORDERS], "order")
    return Time(name, _number(one, name), tuple(cycles), order)


def _number(one: dict[str, Any], name: str) -> Number:
    numbers = [checks.number(one[key], key) for key in ("center", "scale", "fill", "low", "high")]
    if not numbers[1] > 0:
        raise ValueError(f"scale: expected a number above 0, got {numbers[1]}")
    edges = tuple(checks.number(x, "edges") for x in _list(one["edges"], "edges"))
    if len(edges) == 1 or any(not a < b for a, b in pairwise(edges)):
        raise ValueError(f"edges: expected rising numbers, got {shown(edges)}")
    center, scale, fill, low, high = numbers
    indicator = checks.checked_bool(one["indicator"], "indicator")
    return Number(name, center, scale, fill, low, high, edges, indicator)


def _category(one: dict[str, Any], name: str) -> Category:
    categories = _list(one["categories"], "categories")
    if not all(isinstance(x, str) for x in categories) or len({*categories}) < len(categories):
        raise ValueError(f"categories: expected different texts, got {shown(categories)}")
    shown_ = checks.integer(one["shown"], "shown", 0, len(categories))
    others, missing = (checks.checked_bool(one[key], key) for key in ("others", "missing"))
    means = tuple(
        tuple(checks.number(x, "means") for x in _list(row, "means"))
        for row in _list(one["means"], "means")
    )
    if means and (len(means) != len(categories) + 2 or len({len(row) for row in means}) > 1):
        raise ValueError(f"means: expected {len(categories) + 2} rows of one length")
    return Category(name, tuple(categories), shown_, others, missing, means)


def _code(one: dict[str, Any], name: str) -> Code:
    described = one["category"]
    if not isinstance(described, dict):
        raise ValueError(f"category: expected a description, got {shown(described)}")
    category = _category(described, name)
    for text in category.categories:
        if len(text) > 30 or not re.fullmatch(r"-?\d+\.0", text) or repr(float(text)) != text:
            raise ValueError(f"categories: expected whole numbers as floats, got {shown(text)}")
    if not category.categories:
        raise ValueError("categories: expected at least one, got none")
    return Code(name, _number(one, name), category)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what}: expected a list, got {shown(value)}")
    return value
