"""A file's table: columns by name as Polars' series, and where a row stands in the file."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..._basics.shown import shown
from .frames import TEXTS, Reader
from .source import contents, decoded, is_parquet, shown_name
from .text import Layout, Text, laid_out
from .words import MISSING

if TYPE_CHECKING:
    import polars as pl

_COUNTERS = frozenset({"unnamed: 0", "index", "id", "row", "rowid", "rownames", "row.names", "nr"})


@dataclass(frozen=True)
class ReadOptions:
    """What the user says of a file; what is not said is found out."""

    layout: Layout = field(default_factory=Layout)
    missing: frozenset[str] = MISSING
    date_format: str | None = None
    texts: tuple[str, ...] = ()  # columns of words, whatever their cells look like


USUAL = ReadOptions()


class Table(ABC):
    """Columns are read when they are asked for."""

    name: str  # the file's, as messages begin
    names: list[str]
    rows: int
    has_header: bool
    indexes: Sequence[str] = ()  # columns that are a frame's index, which are no data
    _unnamed = False  # whether the header gives the first column no name

    @abstractmethod
    def column(self, name: str, kind: str | None = None, order: str = "") -> pl.Series:
        """The column as values of a kind (`frames`), or of that which its cells have; dates with
        day, month and year in this order, if it says one.
        """

    @abstractmethod
    def raw(self, name: str) -> pl.Series:
        """The column's cells as texts."""

    @abstractmethod
    def where(self, name: str, row: int | None = None) -> str:
        """Of a column, or of a cell in a row from 0, as the file counts them."""

    def cell(self, name: str, row: int) -> str:
        """What is written there, or nothing where that is not known."""
        return ""

    @property
    def notes(self) -> list[str]:
        """What users may not expect of the columns that were read."""
        return []

    @property
    def assumed(self) -> tuple[str, bool]:
        """What the first row of a text is taken for, or nothing; whether users should look."""
        return "", False

    @property
    def orders(self) -> dict[str, str]:
        """Of day, month and year, of columns that were read, where their cells told it."""
        return {}

    def place(self, what: str, option: str) -> str:
        """The name of the column that a name or an index (0 first, -1 last) means."""
        if what in self.names:
            return what
        names = [name for name in self.names if name not in self.indexes]
        digits = what.removeprefix("-")
        if digits.isdecimal() and len(digits) < 10:
            index = int(what)
            if -len(names) <= index < len(names):
                return names[index]
            raise ValueError(
                f"{option}: expected an index from 0 to {len(names) - 1}, or from the end "
                f"-1 to {-len(names)}, got {index}: {self.name} has {len(names)} columns"
            )
        raise ValueError(
            f"{option}: expected one of the columns of {self.name}, {shown(self.names)}; got "
            f"{shown(what)}"
        )

    def counter(self) -> str | None:
        """The first column, if it tells rows apart and nothing else: an index without a name with
        a value of its own in every row, or one that is called id and counts the rows.
        """
        name = self.names[0]
        if len(self.names) < 2 or not (self._unnamed or name.lower() in _COUNTERS):
            return None
        values = self.raw(name)
        if values.null_count() or values.n_unique() != len(values):
            return None
        if self._unnamed:
            return name
        numbers = values.str.to_integer(strict=False)
        steps = numbers.diff().drop_nulls()
        return name if not numbers.null_count() and bool((steps == 1).all()) else None


class TextTable(Table):
    def __init__(self, text: Text, options: ReadOptions) -> None:
        self.name = shown_name(text.name)
        self.has_header = text.names is not None
        self.names = [*(text.names or (f"column_{i + 1}" for i in range(text.columns)))]
        self._unnamed = not self.names[0]
        self.names = _all_named(self.names)
        self._text, self._texts = text, options.texts
        for name in options.texts:
            self.place(name, "--text")
        layout = options.layout
        self._reader = Reader(text, self.names, layout.point, options.missing, options.date_format)
        self.rows = self._reader.rows

    def column(self, name: str, kind: str | None = None, order: str = "") -> pl.Series:
        if name not in self._texts:
            return self._reader.read(self.names.index(name), kind, order)
        return _as_words(self._reader.read(self.names.index(name), TEXTS))

    def cell(self, name: str, row: int) -> str:
        return self._text.cell(row, self.names.index(name))

    @property
    def notes(self) -> list[str]:
        return [*dict.fromkeys(self._reader.notes)]

    @property
    def assumed(self) -> tuple[str, bool]:
        said = f"{self.name}: {self._text.assumed}" if self._text.assumed else ""
        return said, self._text.is_odd

    @property
    def orders(self) -> dict[str, str]:
        return self._reader.orders

    def raw(self, name: str) -> pl.Series:
        return self._reader.raw(self.names.index(name))

    def where(self, name: str, row: int | None = None) -> str:
        column = self.names.index(name)
        if row is not None:
            return self._text.where(self._text.line(row), column)
        unnamed = not self.has_header or (column == 0 and self._unnamed)
        named = "" if unnamed else f" ({shown(name)})"
        return f"{self.name}: column {column + 1}{named}"


class ParquetTable(Table):
    """Columns have types already."""

    has_header = True

    def __init__(
        self, frame: pl.DataFrame, name: str, options: ReadOptions, indexes: Sequence[str] = ()
    ) -> None:
        self.indexes = [index for index in indexes if index in frame.columns]
        self.name, self._frame, self._texts = shown_name(name), frame, options.texts
        self.names, self.rows = frame.columns, len(frame)
        if not self.rows or not self.names:
            raise ValueError(f"{self.name}: expected rows, found none")

    def column(self, name: str, kind: str | None = None, order: str = "") -> pl.Series:
        import polars as pl

        values = self._frame[name]
        if name in self._texts:
            return _as_words(self.raw(name))
        if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
            raise ValueError(
                f"{self.where(name)}: expected numbers, truth values, texts or times, got "
                f"{values.dtype}; --drop {name} leaves it out"
            )
        if values.dtype.is_decimal():
            values = values.cast(pl.Float64)
        if values.dtype in (pl.Categorical, pl.Enum):
            return _as_words(values.cast(pl.String))
        if values.dtype.is_float():
            values = values.fill_nan(None)
            if values.is_infinite().any():
                row = values.is_infinite().arg_max() or 0
                raise ValueError(
                    f"{self.where(name, row)}: expected a finite number, got {values[row]}"
                )
        if values.dtype == pl.Null:
            values = values.cast(pl.String)
        return values

    def raw(self, name: str) -> pl.Series:
        import polars as pl

        return self._frame[name].cast(pl.String)

    def where(self, name: str, row: int | None = None) -> str:
        """Rows count from 1, as most programs show them."""
        at = "" if row is None else f"row {row + 1}, "
        return f"{self.name}: {at}column {self.names.index(name) + 1} ({shown(name)})"


def open_table(name: str, options: ReadOptions, expected: Sequence[str] = ()) -> Table:
    """The table of a file, or of standard input for ``-``; needs Polars.

    A first row with all `expected` names is a header, if the user does not say otherwise.
    """
    content = contents(name)
    if not is_parquet(content):
        text = decoded(content, name, options.layout.encoding)
        return TextTable(laid_out(text, name, options.layout, expected), options)
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(content))
        metadata = getattr(pl, "read_parquet_metadata", None)  # Polars before 1.30 has none
        about = "" if metadata is None else metadata(io.BytesIO(content)).get("pandas", "")
    except (pl.exceptions.PolarsError, OSError) as error:
        message = str(error).splitlines()[0]
        raise ValueError(
            f"{shown_name(name)}: expected a whole Parquet file: {message:.200}"
        ) from None
    return ParquetTable(frame, name, options, _indexes(about))


def _indexes(about: str) -> list[str]:
    """The columns that pandas wrote a frame's index to, of its description; a range has none."""
    try:
        columns = json.loads(about)["index_columns"]
    except (ValueError, KeyError, TypeError):
        return []
    return [name for name in columns if isinstance(name, str)]


def _all_named(names: Sequence[str]) -> list[str]:
    """With a name for each column that has none, which no other has."""
    taken, found = {*names}, []
    for i, name in enumerate(names):
        made = name or f"column_{i + 1}"
        while not name and made in taken:
            made += "_"
        taken.add(made)
        found.append(made)
    return found


def _as_words(cells: pl.Series) -> pl.Series:
    """Of a type that says that they are no dates."""
    import polars as pl

    return cells.cast(pl.Categorical)


def framed(
    table: Table,
    names: Sequence[str],
    kinds: dict[str, str | None],
    orders: dict[str, str] | None = None,
) -> pl.DataFrame:
    """These columns, as values of these kinds, dates in these orders."""
    import polars as pl

    told = orders or {}
    columns = [table.column(name, kinds.get(name), told.get(name, "")) for name in names]
    return pl.DataFrame([c.rename(name) for c, name in zip(columns, names, strict=True)])
