"""What is known of a column: how its values become numbers for the network.

Each kind learns from the training rows' values, encodes any rows' values as float32, and is as JSON
in a file. Let B be its bins.

===========  =======================================================================  =============
kind         columns for the network                                                  how many
===========  =======================================================================  =============
number       (x - center) / scale, softly limited; how far x is through each of B      1 + B (+ 1)
             bins, 0 to 1; whether it was missing, if any was
boolean      -1 or 1; whether it was missing, if any was                               1 (+ 1)
category     a row of a lookup table: 1 for what it is, and the targets' means of      by the table
             its rows where there are too many for that
code         as number, and as category: whole numbers whose neighbours are no likes  as both
time         as number; sin and cos of the day, the week and the year                  as number + …
===========  =======================================================================  =============
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import _values
from ._values import Values

Array = NDArray[Any]

_LIMIT = 4.0  # deviations: z / √(1 + (z / limit)²) comes no further
_FAR = 1e6  # deviations: of more, the square might overflow


class Column(ABC):
    """One column of the table."""

    kind: ClassVar[str]
    name: str

    @property
    @abstractmethod
    def width(self) -> int:
        """How many columns the network gets of it."""

    @abstractmethod
    def taken(self, values: Values) -> Any:
        """The values as this kind takes them; a `CellError` if they are others."""

    @abstractmethod
    def encode(self, taken: Any, out: Array) -> None:
        """Write the rows of `taken` into `out` (N, width), float32."""

    def prepared(self) -> Callable[[Any, Array], None]:
        """`encode` for many blocks of rows, with what they share made once."""
        return self.encode

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """All that it has learnt, as JSON has it."""


@dataclass(frozen=True)
class Number(Column):
    """Numbers, of which some may be missing."""

    kind = "number"
    name: str
    center: float
    scale: float
    fill: float  # what stands for a missing one
    low: float  # least and most of the training rows
    high: float
    edges: tuple[float, ...]  # of B bins: B + 1, rising
    indicator: bool
    limit: ClassVar[float] = _LIMIT
    far: ClassVar[float] = _FAR

    @property
    def width(self) -> int:
        return 1 + self.bins + self.indicator

    @property
    def bins(self) -> int:
        """B."""
        return max(len(self.edges) - 1, 0)

    def taken(self, values: Values) -> Array:
        return _values.as_numbers(values, self.name)

    def encode(self, taken: Array, out: Array) -> None:
        missing = np.isnan(taken)
        x = np.where(missing, self.fill, taken) if missing.any() else taken
        with np.errstate(over="ignore"):
            z = np.clip((x - self.center) / self.scale, -self.far, self.far)
            out[:, 0] = z / np.sqrt(1.0 + (z / self.limit) ** 2)
            if self.bins:
                edges = np.array(self.edges)
                through = (x[:, None] - edges[:-1]) / np.diff(edges)
                out[:, 1 : 1 + self.bins] = np.clip(through, 0.0, 1.0, out=through)
        if self.indicator:
            out[:, -1] = missing

    def details(self) -> dict[str, Any]:
        return {
            "center": self.center,
            "scale": self.scale,
            "fill": self.fill,
            "low": self.low,
            "high": self.high,
            "edges": list(self.edges),
            "indicator": self.indicator,
        }


@dataclass(frozen=True)
class Boolean(Column):
    """False and true."""

    kind = "boolean"
    name: str
    indicator: bool

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def taken(self, values: Values) -> Array:
        return _values.as_booleans(values, self.name)

    def encode(self, taken: Array, out: Array) -> None:
        missing = np.isnan(taken)
        out[:, 0] = np.where(missing, 0.0, 2.0 * taken - 1.0)
        if self.indicator:
            out[:, -1] = missing

    def details(self) -> dict[str, Any]:
        return {"indicator": self.indicator}


@dataclass(frozen=True)
class Category(Column):
    """Texts: the first `shown` of `categories` have a column each.

    `means` (C + 2, M) are what the network gets beside, for each of the C categories, for all
    others and for missing ones.
    """

    kind = "category"
    name: str
    categories: tuple[str, ...]
    shown: int
    others: bool  # whether the training rows had others; they have a column then
    missing: bool  # likewise
    means: tuple[tuple[float, ...], ...]

    @property
    def width(self) -> int:
        return self.shown + self.others + self.missing + (len(self.means[0]) if self.means else 0)

    def taken(self, values: Values) -> Array:
        """Places in the lookup table: that of the category, C for another, C + 1 for none."""
        return codes_of(_values.as_texts(values, self.name), self.categories)

    def encode(self, taken: Array, out: Array) -> None:
        self.prepared()(taken, out)

    def prepared(self) -> Callable[[Any, Array], None]:
        lookup = self.lookup()

        def encode(taken: Array, out: Array) -> None:
            out[...] = lookup[taken]

        return encode

    def lookup(self) -> Array:
        """The table (C + 2, width), float32."""
        C = len(self.categories)
        table = np.zeros((C + 2, self.width), np.float32)
        table[np.arange(self.shown), np.arange(self.shown)] = 1.0
        if self.others:
            table[self.shown : C + 1, self.shown] = 1.0
        if self.missing:
            table[C + 1, self.shown + self.others] = 1.0
        if self.means:
            table[:, self.width - len(self.means[0]) :] = self.means
        return table

    def details(self) -> dict[str, Any]:
        return {
            "categories": list(self.categories),
            "shown": self.shown,
            "others": self.others,
            "missing": self.missing,
            "means": [list(row) for row in self.means],
        }


def codes_of(texts: list[str | None], categories: tuple[str, ...]) -> Array:
    """Places (N,) of texts among categories; behind them that of others, and that of none."""
    places: dict[str | None, int] = {text: place for place, text in enumerate(categories)}
    C = len(categories)
    places[None] = C + 1
    return np.fromiter((places.get(text, C) for text in texts), np.int64, len(texts))


@dataclass(frozen=True)
class Code(Column):
    """Whole numbers that are names too, as those of towns: as numbers, then as categories.

    The categories are the numbers as `repr` has them.
    """

    kind = "code"
    name: str
    number: Number
    category: Category

    @property
    def width(self) -> int:
        return self.number.width + self.category.width

    @property
    def values(self) -> Array:
        """The categories' numbers (C,), in their order."""
        return np.array([float(text) for text in self.category.categories])

    def taken(self, values: Values) -> Array:
        return _values.as_numbers(values, self.name)

    def encode(self, taken: Array, out: Array) -> None:
        self.prepared()(taken, out)

    def prepared(self) -> Callable[[Any, Array], None]:
        values, category, at = self.values, self.category.prepared(), self.number.width
        order = np.argsort(values)

        def encode(taken: Array, out: Array) -> None:
            self.number.encode(taken, out[:, :at])
            place = order[np.minimum(np.searchsorted(values, taken, sorter=order), len(order) - 1)]
            place = np.where(values[place] == taken, place, len(values))
            place[np.isnan(taken)] = len(values) + 1
            category(place, out[:, at:])

        return encode

    def details(self) -> dict[str, Any]:
        return {**self.number.details(), "category": self.category.details()}


@dataclass(frozen=True)
class Time(Column):
    """Dates and times: seconds since 1970 as a number, and where in the day, week and year."""

    kind = "time"
    name: str
    number: Number
    cycles: tuple[tuple[float, int], ...]  # seconds of a period, and how many of its harmonics
    order: str = ""  # of day, month and year in texts, where that is not certain (`dates`)

    @property
    def width(self) -> int:
        return self.number.width + 2 * sum(harmonics for _, harmonics in self.cycles)

    def taken(self, values: Values) -> Array:
        return _values.as_times(values, self.name, self.order)

    def encode(self, taken: Array, out: Array) -> None:
        at = self.number.width
        self.number.encode(taken, out[:, :at])
        missing = np.isnan(taken)
        for period, harmonics in self.cycles:
            part = np.where(missing, 0.0, np.mod(taken, period) / period)
            for k in range(1, harmonics + 1):
                for wave in (np.sin, np.cos):
                    out[:, at] = np.where(missing, 0.0, wave(2.0 * math.pi * k * part))
                    at += 1

    def details(self) -> dict[str, Any]:
        details = {**self.number.details(), "cycles": [list(cycle) for cycle in self.cycles]}
        return {**details, "order": self.order} if self.order else details
