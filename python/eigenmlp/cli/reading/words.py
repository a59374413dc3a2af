"""What a cell of text means by itself: a number, a value that is missing, a column's name."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What other programs write for a value that is missing. Case tells NA from sodium's Na.
MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NaT", "None"}
    | {"NULL", "Null", "null", "nil", "?", "-", "--", ".", "1.#IND", "1.#QNAN", "-1.#IND"}
)
_LIKELY_MISSING = frozenset(word.lower() for word in MISSING)


def is_header(fields: Sequence[str]) -> bool:
    """Whether a first row names columns: one at least has a name, and none a value.

    Cells that may be either (nothing, ``#``, ``1stFloor``, ``Na``) leave that to the others. A row
    taken for a header is gone, one taken for data ends in an error: so only what is clear is one.
    """
    cells = [field.strip() for field in fields]
    return not any(map(_is_value, cells)) and any(map(_is_name, cells))


def counts_columns(fields: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a first row numbers three columns or more, from 0 or 1, beside others' names.

    An array's frame has such names. The others must not be values, and not come again in the rows
    `below`, as a class would.
    """
    cells = [field.strip() for field in fields]
    places = [cell for cell in cells if cell.isdecimal()]
    if len(places) < 3 or places[0] not in ("0", "1"):
        return False
    first = int(places[0])
    if places != [str(first + i) for i in range(len(places))]:
        return False
    others = {i: cell for i, cell in enumerate(cells) if not cell.isdecimal()}
    if not others or any(cell and not _is_name(cell) for cell in others.values()):
        return False
    return not any(
        i < len(row) and row[i].strip() == cell for row in below for i, cell in others.items()
    )


def number(cell: str) -> float | None:
    """A number as Python writes it, digits of ASCII alone."""
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None


def _is_value(cell: str) -> bool:
    """A number, also in a notation that is refused later, a truth value, or a word for none."""
    return (
        number(cell.replace(",", ".", 1)) is not None
        or (cell != "" and cell in MISSING)
        or cell.lower() in ("true", "false")
        or re.fullmatch(r"[+-]?0[xob][\da-f]+", cell, re.IGNORECASE) is not None
        or re.match(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b", cell) is not None  # a date
    )


def _is_name(cell: str) -> bool:
    first = cell.lstrip("# ")[:1]  # np.savetxt puts "# " before a header
    return (first.isalpha() or first == "_") and cell.lower() not in _LIKELY_MISSING
