"""What a cell of text means by itself: a number, a value that is missing, a column's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ..._inputs import dates

# What other programs write for a value that is missing. Case tells NA from sodium's Na.
MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NaT", "None"}
    | {"NULL", "Null", "null", "nil", "?", "-", "--", ".", "1.#IND", "1.#QNAN", "-1.#IND"}
)
_ENOUGH = 6  # rows that tell what a column has
_YEARS = range(1800, 2200)
_LIKELY_MISSING = frozenset(word.lower() for word in MISSING)


# Words for false and true, whatever their case; a column has those of one of these alone.
TRUTHS = (
    {"false": False, "true": True, "no": False, "yes": True},
    {"n": False, "y": True},
    {"f": False, "t": True},
)


def truth(word: object) -> bool | None:
    """What a word says, if it is one of these."""
    lower = str(word).lower()
    return next((words[lower] for words in TRUTHS if lower in words), None)


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


def steps(fields: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a first row's whole numbers are at equal steps, as 2019, 2020, 2021 or 0, 1, 2.

    Three at least, or two years beside others' names; no row `below` has such ones, and the others
    are names that do not come again there, as a class would.
    """
    cells = [field.strip() for field in fields]
    places = [i for i, cell in enumerate(cells) if cell.isascii() and cell.isdecimal()]
    others = [i for i, cell in enumerate(cells) if i not in {*places} and (cell or i == 0)]
    step = _step(cells, places)
    if not step or not all(_is_name(cells[i]) for i in others if cells[i]):
        return False
    few = len(places) < 3
    if few and not (others and step == 1 and _are_years(cells, places)):
        return False
    rows = [[cell.strip() for cell in row] for row in below if len(row) == len(cells)]
    if not rows or any(row[i] == cells[i] for row in rows for i in others):
        return False
    return not any(_step(row, places) and (not few or _are_years(row, places)) for row in rows)


def _are_years(cells: Sequence[str], places: Sequence[int]) -> bool:
    return all(int(cells[i]) in _YEARS for i in places)


def _step(cells: Sequence[str], places: Sequence[int]) -> int:
    """From one of these numbers to the next, if all are whole and rise by the same; or 0."""
    if not all(cells[i].isascii() and cells[i].isdecimal() and len(cells[i]) < 20 for i in places):
        return 0
    found = {int(cells[b]) - int(cells[a]) for a, b in pairwise(places)}
    return max(0, found.pop()) if len(found) == 1 else 0


def names_beside_numbers(fields: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether whole numbers of a first row are names, as the words beside them are.

    Words that do not come again in the rows `below`, one of them above truth values, dates, or a
    few words that come again and again. Above numbers a word may be a mistake.
    """
    cells = [field.strip() for field in fields]
    names = [i for i, cell in enumerate(cells) if _is_name(cell)]
    rows = [[cell.strip() for cell in row] for row in below if len(row) == len(cells)]
    whole = [cell.isascii() and cell.isdecimal() for cell in cells]
    if len(rows) < _ENOUGH or not any(whole) or sum(whole) + len(names) < len(cells):
        return False
    if any(row[i] == cells[i] for row in rows for i in names):
        return False
    return any(_are_of_a_kind([row[i] for row in rows]) for i in names)


def _are_of_a_kind(cells: Sequence[str]) -> bool:
    there = [cell for cell in cells if cell not in MISSING]
    if not there or any(number(cell) is not None for cell in there):
        return False
    of_few = len({*there}) * 3 <= len(there)
    return of_few or all(truth(x) is not None for x in there) or all(map(dates.look_so, there))


def come_again(fields: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether each of a first row's names is in its column below too: they are words of rows then.

    Of two columns at least; one alone may well be called as what is in it.
    """
    names = [(i, field.strip()) for i, field in enumerate(fields) if field.strip()]
    found = [{row[i].strip() for row in below if i < len(row)} for i, _ in names]
    return len(names) > 1 and all(
        name in cells for (_, name), cells in zip(names, found, strict=True)
    )


def stands_out(fields: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a first row that is taken for data may well be names.

    Names among its values, which do not come again in the rows `below`; or whole numbers alone, all
    different, of which half are far from those below.
    """
    cells = [field.strip() for field in fields]
    rows = [[cell.strip() for cell in row] for row in below if len(row) == len(cells)]
    names = [i for i, cell in enumerate(cells) if _is_name(cell)]
    if len(rows) < 2 or len(cells) < 2:
        return False
    if names:
        values = any(map(_is_value, cells))
        return values and not any(row[i] == cells[i] for row in rows for i in names)
    if len({*cells}) < len(cells) or not all(cell.isdecimal() for cell in cells):
        return False
    far = 0
    for i, cell in enumerate(cells):
        column = [value for row in rows if (value := number(row[i])) is not None]
        if column:
            low, high = min(column), max(column)
            far += not low - (high - low) <= float(cell) <= high + (high - low)
    return 2 * far >= len(cells)


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
