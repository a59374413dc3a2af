"""Columns of a text as Polars' series of numbers, truth values, times or words."""

from __future__ import annotations

import io
import re
from functools import cached_property
from typing import TYPE_CHECKING

from ..._basics.shown import shown
from . import dates
from .numeric import all_numbers
from .source import shown_name
from .text import Text
from .words import MISSING, TRUTHS, number

if TYPE_CHECKING:
    import polars as pl

NUMBERS, BOOLEANS, TIMES, TEXTS = "numbers", "booleans", "times", "texts"
_FEW = 0.01  # of a column's cells: so many that are none among numbers are mistakes
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+$"
_DOTS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$"  # thousands, where commas are decimal ones
# Numbers with a currency, a percent sign, spaces or commas between thousands, or a typeset minus.
_SIGN, _MARKS = r"[-+\u2212]?", r"[ '\u2019,.\u00a0\u202f]"
_SIGNED = (
    rf"^{_SIGN}\p{{Sc}}?\s?{_SIGN}\d{{1,3}}({_MARKS}?\d{{3}})*([.,]\d+)?\s?[%\u2030]?\s?\p{{Sc}}?$"
)
_MOST_SIGNED = 0.9  # of a column's cells, which are told of then
_COMMAS = rf"^[+-]?\d*,\d+$|{_THOUSANDS}"  # numbers with decimal ones, or with thousands' ones
# What `str.isspace` is of in UTF-8, but for line breaks and tabs.
_SPACE = rb"[ \v\f\x1c-\x1f]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]"
_SPACE += rb"|\xe2\x81\x9f|\xe3\x80\x80"
_ASCII_SPACES = tuple(bytes([code]) for code in b" \t\v\f\x1c\x1d\x1e\x1f")
_ENOUGH = 20  # cells: one that is none among so many is a mistake


class Reader:
    """Reads the columns of one text; what each holds is told, or found in all of its cells."""

    def __init__(
        self,
        text: Text,
        names: list[str],
        point: str = ".",
        missing: frozenset[str] = MISSING,
        date_format: str | None = None,
    ) -> None:
        self.text, self.names, self.point = text, names, point
        self.notes: list[str] = []  # what users may not expect
        self.orders: dict[str, str] = {}  # of day, month and year in columns where it was found out
        self._missing = [*missing]
        self._date_format = date_format
        plain = all(number(word) is None for word in missing - {"nan", "-nan", "NaN", "-NaN"})
        at_once = plain and date_format is None  # which may be of dates without marks
        self._numbers_alone = all_numbers(text, point) if at_once else None
        self.rows = len(self._cells if self._numbers_alone is None else self._numbers_alone)

    @cached_property
    def _cells(self) -> pl.DataFrame:
        """The cells as they are written, without the spaces around them; missing ones are null."""
        import polars as pl

        cells = pl.all().str.strip_chars(" \t\n")
        gone = cells.is_in(self._missing) | (cells == "")
        return _cells(self.text).select(pl.when(~gone).then(cells))

    def raw(self, column: int) -> pl.Series:
        """The column's cells as they are written; missing ones are null."""
        return self._cells[:, column].rename(self.names[column])

    def read(self, column: int, kind: str | None = None, order: str = "") -> pl.Series:
        """The column as values of this kind, or of the kind that its cells have; dates in `order`,
        if it says one.

        Raises
        ------
        ValueError
            For the first cell that is of another kind, with its line and column.
        """
        if self._numbers_alone is not None and kind in (None, NUMBERS):
            import polars as pl

            return pl.Series(self.names[column], self._numbers_alone[:, column])
        cells = self.raw(column)
        if kind == TEXTS:
            return cells
        if kind is None:
            return self._found(column, cells)
        if kind == BOOLEANS:
            return self._complete(column, cells, _truths(cells), "true or false", told=True)
        if kind == TIMES:
            made = self._times(column, cells, order)
            return self._complete(column, cells, made, _dates_in(order), told=True)
        made = self._complete(column, cells, self._numbers(cells), "a number", told=True)
        return self._finite(column, made)

    def _found(self, column: int, cells: pl.Series) -> pl.Series:
        there = len(cells) - cells.null_count()
        if self._date_format is not None and there and dates.likely(cells, self._date_format):
            made = self._times(column, cells)
            return self._complete(column, cells, made, f"a date as {self._date_format}")
        made = self._numbers(cells)
        fit = len(made) - made.null_count()
        if there and fit == there:
            self._tell_of_codes(column, cells)
            return self._finite(column, made)
        alone = self.text.names is None and there - fit == 1 and made[0] is None and fit > 1
        few = there - fit <= max(_FEW * there, there >= _ENOUGH)
        if fit and (few or alone):
            return self._complete(column, cells, made, "a number as in most other rows")
        if there:
            odd = made.is_null() & cells.is_not_null()
            marks = _COMMAS if self.point == "." else _DOTS
            marked = odd & cells.str.contains(marks).fill_null(False)
            if marked.any() and int((odd & ~marked).sum()) <= _FEW * there:
                left = cells.set(marked, None) if not fit else made
                point = "point" if self.point == "." else "comma"
                return self._complete(column, cells, left, f"a number with a decimal {point}")
        if 2 * fit > there:
            row = (made.is_null() & cells.is_not_null()).arg_max() or 0
            self.notes.append(
                f"{self.text.where(self.text.line(row), column)}: taken as words, as "
                f"{shown(cells[row])} is no number; {fit:,} of {there:,} cells are"
            )
        truths = _booleans(cells)
        if truths is not None:
            return truths
        if 2 * fit <= there and int(cells.str.contains(_SIGNED).sum() or 0) > _MOST_SIGNED * there:
            row = (made.is_null() & cells.is_not_null()).arg_max() or 0
            self.notes.append(
                f"{self.text.where(self.text.line(row), column)}: taken as words, as "
                f"{shown(cells[row])} is no number as programs write it: 1234.5 would be"
            )
        if there and dates.likely(cells):
            made = self._times(column, cells)
            return self._complete(column, cells, made, "a date as 2024-02-29 or 2024-02-29 23:59")
        return cells

    def _tell_of_codes(self, column: int, cells: pl.Series) -> None:
        """Zeros before digits, which numbers lose, as in 01007."""
        codes = cells.str.contains(r"^0\d").fill_null(False)
        if codes.any():
            row = codes.arg_max() or 0
            self.notes.append(
                f"{self.text.where(self.text.line(row), column)}: {shown(cells[row])} is taken as "
                f"a number; --text {shown(self.names[column])} takes words"
            )

    def _numbers(self, cells: pl.Series) -> pl.Series:
        import polars as pl

        if self.point != ".":
            cells = cells.str.replace_all(".", "x", literal=True)
            cells = cells.str.replace(self.point, ".", literal=True)
        whole = cells.cast(pl.Int64, strict=False)
        if whole.null_count() == cells.null_count():
            return whole
        # A number that is NaN, however written, is missing.
        return cells.cast(pl.Float64, strict=False)

    def _times(self, column: int, cells: pl.Series, order: str = "") -> pl.Series:
        try:
            times, order = dates.parsed(cells, self._date_format, order)
            if order:
                self.orders[self.names[column]] = order
            return times
        except ValueError as error:
            place = cells.is_not_null().arg_max()
            where = self.text.where(self.text.line(place or 0), column)
            raise ValueError(f"{where}: {error}") from None

    def _complete(
        self, column: int, cells: pl.Series, made: pl.Series, what: str, told: bool = False
    ) -> pl.Series:
        """`made`, unless it lacks a cell that is there; `told`: the kind was not found here."""
        lost = made.is_null() & cells.is_not_null()
        if not lost.any():
            return made
        row = lost.arg_max() or 0
        line = self.text.line(row)
        name = self.names[column]
        remedy = f"--na {shown(cells[row])} marks it as missing"
        if not told:
            remedy += f", --text {shown(name)} takes words"
        if self.text.names is None and row == 0:
            remedy = "a header has names only; --header says that it is one"
        elif self.point == "." and re.search(_COMMAS, cells[row]):
            wrong = cells.filter(lost)
            if wrong.filter(wrong.str.contains(_COMMAS)).str.contains(_THOUSANDS).all():
                remedy = "commas that separate thousands are not read: write 1234 for 1,234"
            else:
                remedy = "--decimal , reads decimal commas"
        elif self.point == "," and re.search(_DOTS, cells[row]):
            remedy = "dots that separate thousands are not read: write 1234,5 for 1.234,5"
        raise ValueError(
            f"{self.text.where(line, column)}: expected {what}, got {shown(cells[row])} ({remedy})"
        )

    def _finite(self, column: int, made: pl.Series) -> pl.Series:
        if made.dtype.is_integer():
            return made
        made = made.fill_nan(None)
        bad = made.is_infinite().fill_null(False)
        if bad.any():
            row = bad.arg_max() or 0
            raise ValueError(
                f"{self.text.where(self.text.line(row), column)}: expected a finite number, got "
                f"{shown(self._cells[row, column])}"
            )
        return made


def _cells(text: Text) -> pl.DataFrame:
    """All cells as they are written, null where nothing is; rows of one length."""
    import polars as pl

    dense = _without_blank_lines(text)
    names = [f"c{i}" for i in range(text.columns)]
    try:
        made = pl.read_csv(
            io.BytesIO(dense),
            has_header=False,
            separator=text.separator,
            quote_char='"' if b'"' in dense else None,
            schema=dict.fromkeys(names, pl.String),
        )
    except pl.exceptions.PolarsError as error:
        text.check_quotes()
        text.check_lengths()
        message = str(error).splitlines()[0]
        raise ValueError(
            f"{shown_name(text.name)}: expected a table of text: {message:.200}"
        ) from None
    # Polars fills rows that are too short, which then end in nothing.
    if made[:, -1].null_count() and not _of_one_length(text, dense, len(made)):
        text.check_lengths()
    return made


def _without_blank_lines(text: Text) -> bytes:
    """The rows, for Polars, which takes a blank line for a row."""
    dense = text.rows
    # Cheap looks first: most files have no line that ends so.
    if (
        dense.endswith(_ASCII_SPACES)
        or any(space + b"\n" in dense for space in _ASCII_SPACES)
        or not dense.isascii()
    ):
        space = _SPACE if text.separator == "\t" else rb"\t|" + _SPACE
        dense = re.sub(rb"(?m)^(?:%b)+$" % space, b"", dense)
    while b"\n\n" in dense:
        dense = dense.replace(b"\n\n", b"\n")
    return dense.lstrip(b"\n")


def _of_one_length(text: Text, dense: bytes, rows: int) -> bool:
    """Whether it is certain that no row is too short."""
    unquoted = b'"' not in dense
    return unquoted and dense.count(text.separator.encode()) == rows * (text.columns - 1)


def _dates_in(order: str) -> str:
    """What a date is expected to be."""
    first = {"dmy": "the day", "mdy": "the month", "ymd": "the year"}.get(order)
    return "a date as 2024-02-29" + (f", or {first} first as trained on" if first else "")


def _booleans(cells: pl.Series) -> pl.Series | None:
    """False and true, if that is what all cells say; single letters have to be two."""
    lower = cells.str.to_lowercase()
    found = {*lower.drop_nulls().unique().to_list()} if lower.n_unique() <= 5 else {"?"}
    if max(map(len, found), default=0) == 1 == len(found):
        return None
    fits = any(found <= words.keys() for words in TRUTHS)
    return _truths(cells) if found and fits else None


def _truths(cells: pl.Series) -> pl.Series:
    """What words and digits say; null for others."""
    import polars as pl

    said = {"0": False, "1": True, "0.0": False, "1.0": True}
    for words in TRUTHS:
        said |= words
    keys, values = pl.Series([*said]), pl.Series([*said.values()])
    lower = cells.str.to_lowercase()
    return lower.replace_strict(keys, values, default=None, return_dtype=pl.Boolean)


def kind_of(dtype: pl.DataType) -> str:
    """What a column of this type holds."""
    import polars as pl

    if dtype.is_numeric():
        return NUMBERS
    if dtype == pl.Boolean:
        return BOOLEANS
    return TIMES if dtype.is_temporal() else TEXTS
