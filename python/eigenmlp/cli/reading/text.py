"""A table as text: what separates its fields, whether a header names them, where rows stand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ..._basics.shown import shown
from .source import shown_name
from .words import (
    come_again,
    counts_columns,
    is_header,
    names_beside_numbers,
    stands_out,
    steps,
)

_SAMPLE = 50  # rows that a separator is chosen by
_SEPARATORS = "\t;|,"  # commas last: they may be decimal ones


@dataclass(frozen=True)
class Layout:
    """What the user says of a text; None is found out."""

    separator: str | None = None
    header: bool | None = None
    point: str = "."
    encoding: str | None = None


@dataclass(frozen=True)
class Text:
    """UTF-8 with a record a line, comments made empty lines.

    `content[start:]` are the rows; `names` come from the header, None without one. `assumed` says
    what the first row was taken for, if that is not plain; `is_odd` whether users should look.
    """

    name: str
    content: bytes
    start: int
    separator: str
    names: tuple[str, ...] | None
    columns: int
    assumed: str = ""
    is_odd: bool = False

    @property
    def rows(self) -> bytes:
        return self.content[self.start :]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Every row's line, counted as an editor does, and its fields."""
        before = self.content.count(b"\n", 0, self.start)
        text = self.rows.decode()
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.separator)
            line = 1
            for fields in reader:
                if not _is_blank(fields):
                    yield before + line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            where = f"line {before + reader.line_num}"
            raise ValueError(f"{shown_name(self.name)}: {where}: {error}") from None

    def line(self, row: int) -> int:
        """The line of the row of this number, from 0."""
        return next(islice(self.records(), row, None))[0]

    def cell(self, row: int, column: int) -> str:
        """What is written there."""
        return next(islice(self.records(), row, None))[1][column].strip()

    def where(self, line: int, column: int) -> str:
        """Of a cell, as messages begin: `column` counts from 0."""
        names = self.names or ()
        known = column < len(names) and names[column]  # a row may have more fields than the header
        name = f" ({shown(names[column])})" if known else ""
        return f"{shown_name(self.name)}: line {line}, column {column + 1}{name}"

    def check_quotes(self) -> None:
        """Raise ValueError for the first quote that neither begins nor ends a field."""
        text, mark = self.rows.decode(), re.escape(self.separator)
        field = re.compile(rf'("(?:[^"]|"")*"|[^"{mark}\n]*)({mark}|\n|\Z)')
        at, line, column = 0, 1 + self.content.count(b"\n", 0, self.start), 0
        while at < len(text):
            match = field.match(text, at)
            if match is None:
                raise ValueError(
                    f"{self.where(line, column)}: expected quotes around whole fields, and two for "
                    f"one inside, got {shown(text[at : at + 80].splitlines()[0])}"
                )
            at, line = match.end(), line + match.group().count("\n")
            column = 0 if match.group(2) == "\n" else column + 1

    def check_lengths(self) -> None:
        """Raise ValueError for the first row that has too few or too many fields."""
        for line, fields in self.records():
            if len(fields) != self.columns:
                raise ValueError(
                    f"{shown_name(self.name)}: line {line}: expected {self.columns} columns, got "
                    f"{len(fields)} (separated by {named(self.separator)})"
                )


def laid_out(content: bytes, name: str, layout: Layout, expected: Sequence[str] = ()) -> Text:
    """Find separator, header and comments of a text from `source.decoded`.

    A first row with all `expected` names is a header, whatever they look like, and tells the
    separator.

    Raises
    ------
    ValueError
        For a text without rows, and for names that come twice.
    """
    told = re.match(rb"\s*sep=([^\n])\n", content)  # as Excel has it
    if told:
        content = b"\n" + content[told.end() :]
        layout = replace(layout, separator=layout.separator or told.group(1).decode())
    first = [line for line in islice(_lines(content), 4 * _SAMPLE) if line.strip()]
    data = [line for line in first if not line.startswith("#")] or first
    if not data:
        raise ValueError(f"{shown_name(name)}: expected rows, found none")
    separator = layout.separator or _expected_by(data[:_SAMPLE], expected)
    separator = separator or _separator(data[:_SAMPLE])
    if separator == " ":
        content = _single_spaces(content)
        data = [" ".join(line.split()) for line in data]
    columns = len(_records(data, separator)[0])
    content, named_above = _without_comments(content, separator, columns)

    start, names, assumed, is_odd = 0, None, "", False
    if layout.header is not False:
        end, fields, line = _first_row(content, separator)
        below = _below(content[end:], separator)
        listed = ", ".join(fields[:5])[:60] + (", …" if len(fields) > 5 else "")
        cleaned_fields = {*_cleaned(fields)}
        if (
            layout.header
            or (is_header(fields) and not come_again(fields, below))
            or (expected and cleaned_fields >= {*expected})
            or counts_columns(fields, below)
        ):
            start, names = min(end, len(content)), fields
        elif (
            steps(fields, below)
            or names_beside_numbers(fields, below)
            or _is_quoted_alone(line, content[end:])
        ):
            start, names, is_odd = min(end, len(content)), fields, True
            assumed = f"the first row is taken for names: {listed}; --no-header takes it for data"
        elif named_above is None and fields:
            is_odd = is_header(fields) or stands_out(fields, below)
            assumed = (
                f"no header: the first row is taken for data: {listed}; --header takes it for names"
            )
        names = names or named_above
    if not any(line.strip() for line in _lines(content, start)):
        raise ValueError(f"{shown_name(name)}: expected rows, found none but a header")
    if names is None:
        return Text(name, content, start, separator, None, columns, assumed, is_odd)
    cleaned = tuple(_cleaned(names))
    for place, column in enumerate(cleaned):
        if column and column in cleaned[:place]:
            first_place = cleaned.index(column)
            raise ValueError(
                f"{shown_name(name)}: the header: expected each name once, got {shown(column)} "
                f"for columns {first_place + 1} and {place + 1}"
            )
    return Text(name, content, start, separator, cleaned, len(cleaned), assumed, is_odd)


def named(separator: str) -> str:
    return {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}.get(
        separator, shown(separator)
    )


def _lines(content: bytes, start: int = 0) -> Iterator[str]:
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        yield content[start:end].decode("utf-8", "replace")
        start = end + 1


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _expected_by(lines: list[str], expected: Sequence[str]) -> str | None:
    """The separator by which the first record has all of some names."""
    for candidate in _SEPARATORS if expected else "":
        if {*_cleaned(_records(lines, candidate)[0])} >= {*expected}:
            return candidate
    return None


def _records(lines: list[str], separator: str) -> list[list[str]]:
    """The fields of the records in some lines, of which the last may be the first part of one."""
    try:
        records = [row for row in csv.reader([f"{x}\n" for x in lines], delimiter=separator) if row]
    except csv.Error:  # a field of more than 131,072 characters
        return [line.split(separator) for line in lines[:1]]
    in_quotes = "".join(lines).count('"') % 2 == 1
    return records[:-1] if in_quotes and len(records) > 1 else records or [[]]


def _separator(lines: list[str]) -> str:
    """The one that divides all rows alike; spaces only where nothing else is there."""
    text = "\n".join(lines)
    for candidate in _SEPARATORS:
        if candidate not in text:
            continue
        counts = {len(row) for row in _records(lines, candidate)}
        if len(counts) == 1 and counts != {1}:
            return candidate
    if not any(candidate in text for candidate in _SEPARATORS):
        counts = {len(line.split()) for line in lines}
        return " " if len(counts) == 1 and counts != {1} else ","
    # Rows of different lengths: the most frequent one, so that a message names the row.
    return max(reversed(_SEPARATORS), key=lines[0].count)


def _single_spaces(content: bytes) -> bytes:
    def single(match: re.Match[bytes]) -> bytes:
        found = match.group()
        return b" " if found[:1] in (b" ", b"\t") else found

    content = re.sub(rb'"[^"]*"|[ \t]+', single, content)
    return re.sub(rb"(?m)^ | $", b"", content)


def _without_comments(
    content: bytes, separator: str, columns: int
) -> tuple[bytes, list[str] | None]:
    """Lines that begin with # emptied; of those before the rows the last, if it may be a header.

    A line such as ``#ff0000,3`` that has as many fields as the rows, and no space behind the #, is
    a row; so is what stands inside quotes. Where one column is all, only behind other rows.
    """
    if not (content.startswith(b"#") or b"\n#" in content):
        return content, None
    parts: list[bytes] = []
    above: list[str] | None = None
    at = quotes = 0
    begun = False  # there was a row
    for match in re.finditer(rb"(?m)^#[^\n]*", content):
        between = content[at : match.start()]
        quotes += between.count(b'"')
        begun = begun or bool(between.strip())
        parts.append(between)
        at = match.start()
        fields = _fields(match.group().decode(), separator)
        is_row = len(fields) == columns and re.match(rb"#[^ ]", match.group()) is not None
        is_row = is_row and (begun or columns > 1)
        if quotes % 2 == 1 or is_row:
            continue
        at = match.end()
        if not begun:
            names = [fields[0].lstrip("# "), *fields[1:]]
            above = names if len(names) == columns and is_header(names) else None
    parts.append(content[at:])
    return b"".join(parts), above


def _first_row(content: bytes, separator: str) -> tuple[int, list[str], str]:
    """Where the second row begins, the fields of the first, and how they are written."""
    begin = 0
    lines: list[str] = []
    for line in _lines(content):
        if not lines and not line.strip():
            begin += len(line.encode()) + 1
            continue
        lines.append(line)
        if "".join(lines).count('"') % 2 == 0 or len(lines) > _SAMPLE:
            break
    reader = csv.reader(lines, delimiter=separator)
    try:
        fields = next(reader, [])
    except csv.Error:  # which names its line when rows are read
        return 0, [], ""
    lines = lines[: reader.line_num]  # one, if the quote that is open stands inside a field: 5"
    return begin + sum(len(line.encode()) + 1 for line in lines), fields, "\n".join(lines)


def _is_quoted_alone(line: str, below: bytes) -> bool:
    """Whether a row has quotes around all of its fields, and no other row around any."""
    fields = re.fullmatch(r'\s*"[^"]*"(.)"[^"]*"(\1"[^"]*")*\s*', line)
    return fields is not None and b'"' not in below


def _below(content: bytes, separator: str) -> list[list[str]]:
    """Fields of some of the rows behind a header."""
    lines = [line for line in islice(_lines(content), _SAMPLE) if line.strip()]
    return _records(lines, separator) if lines else []


def _cleaned(names: list[str]) -> Iterator[str]:
    for place, name in enumerate(names):
        yield (name.lstrip("# ") if place == 0 else name).strip()


def _is_blank(fields: list[str]) -> bool:
    return not fields or (len(fields) == 1 and fields[0].isspace())
