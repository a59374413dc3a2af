"""Dates and times as people write them, in texts; all of a column's tell whether days come first.

==========================================  ================================================
2024-02-29, 2024/2/29, 2024.02.29           the year first
29/02/2024, 29.2.24, 02-29-24               the year last, or two digits of it: 69 is 1969
29 Feb 2024, 29-FEB-24, February 29, 2024   the month by its English name
==========================================  ================================================

Each alone, or with a time: 23:59, 23:59:01.5, 11:59 PM. What is read is the clock on the wall: an
offset such as +02:00 is left out.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .._basics.shown import shown

ORDERS = ("dmy", "mdy", "ymd")
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_PIVOT = 69  # as POSIX has it: 69 is 1969, 68 is 2068

_MONTHS = dict(
    jan=1, feb=2, mar=3, apr=4, may=5, jun=6, jul=7, aug=8, sep=9, oct=10, nov=11, dec=12
)
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_HALF = r"(?:\s*([ap])\.?m\.?)"
_CLOCK = (
    rf"(?:(?:\s*,\s*|\s+|t)(\d{{1,2}})(?::(\d{{2}})(?::(\d{{2}})(?:[.,](\d+))?)?{_HALF}?|{_HALF})"
    r"\s*(?:z|utc|gmt|[+-]\d{2}:?\d{2})?)?"
)


def _form(day: str) -> re.Pattern[str]:
    return re.compile(rf"\s*{_WEEKDAY}{day}{_CLOCK}\s*", re.IGNORECASE)


_YEAR_FIRST = _form(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_YEAR_LAST = _form(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})")
_DAY_MONTH = _form(rf"(\d{{1,2}})(?:st|nd|rd|th)?[-\s./]*{_MONTH}[-\s,./]*(\d{{4}}|\d{{2}})")
_MONTH_DAY = _form(rf"{_MONTH}[-\s/]*(\d{{1,2}})(?:st|nd|rd|th)?(?:,\s*|[-\s/]+)(\d{{4}})")
_YEAR_MONTH = _form(rf"(\d{{4}})[-\s/]{_MONTH}[-\s/](\d{{1,2}})")


class Undecided(ValueError):
    """Days and months that nothing tells apart; `text` is one of them, `forms` what it may be."""

    def __init__(self, text: str, forms: list[str]) -> None:
        super().__init__(
            f"expected dates as 2024-02-29, got {shown(text)} and others whose day and month no "
            "row tells apart"
        )
        self.text, self.forms = text, forms


class Dates(NamedTuple):
    """Microseconds since 1970 by text, of those that are dates, and the order that they had."""

    found: dict[str, int]
    order: str


def look_so(text: str) -> bool:
    """Whether a text is written as a date is, whatever its numbers are."""
    return any(
        form.fullmatch(text)
        for form in (_YEAR_FIRST, _YEAR_LAST, _DAY_MONTH, _MONTH_DAY, _YEAR_MONTH)
    )


def read(texts: Iterable[str], order: str = "") -> Dates:
    """The dates among different texts.

    Those of numbers alone with the year last, or with two digits of it, are in `order`, or else in
    the one in which most are dates: day, month, year; month, day, year; or, of two digits, year,
    month, day, where the last numbers do not come more often than the first. With dots the day is
    first, if it can be.

    Raises
    ------
    Undecided
        If they are dates in several orders, and others in each.
    """
    found: dict[str, int] = {}
    loose: dict[str, re.Match[str]] = {}
    for text in texts:
        if (match := _YEAR_LAST.fullmatch(text)) is not None:
            loose[text] = match
        elif (when := _fixed(text)) is not None:
            found[text] = when
    if not loose:
        return Dates(found, "")
    order = order or _order(loose)
    for text, match in loose.items():
        when = _sum(_day_in(order, *match.group(1, 3, 4)), match.groups()[4:])
        if when is not None:
            found[text] = when
    return Dates(found, order)


def _fixed(text: str) -> int | None:
    """A date that is the same in every order."""
    if len(text) < 20 and text[4:5] == "-" == text[7:8] and text[10:11] in ("", " ", "T"):
        try:  # as most are
            return (datetime.datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
        except (ValueError, TypeError):
            pass
    if (match := _YEAR_FIRST.fullmatch(text)) is not None:
        year, _, month, day, *clock = match.groups()
        return _sum(_day(year, int(month), day), clock)
    if (match := _DAY_MONTH.fullmatch(text)) is not None:
        day, month, year, *clock = match.groups()
    elif (match := _MONTH_DAY.fullmatch(text)) is not None:
        month, day, year, *clock = match.groups()
    elif (match := _YEAR_MONTH.fullmatch(text)) is not None:
        year, month, day, *clock = match.groups()
    else:
        return None
    return _sum(_day(year, _MONTHS[month[:3].lower()], day), clock)


def _order(loose: dict[str, re.Match[str]]) -> str:
    """The order of texts with their matches, if it is certain."""
    texts = {match.group(1, 3, 4): text for text, match in loose.items()}  # one of each day
    days = {order: [_day_in(order, *abc) for abc in texts] for order in ORDERS}
    least = min(found.count(None) for found in days.values())
    if least == len(texts):  # none is one
        return ""
    dotted = all(match.group(2) == "." for match in loose.values())
    best = [order for order in ORDERS if days[order].count(None) == least]
    if "ymd" in best and len(best) > 1:
        first, last = len({abc[0] for abc in texts}), len({abc[2] for abc in texts})
        if dotted or first > last:  # years come again and again
            best.remove("ymd")
    if all(days[order] == days[best[0]] for order in best):
        return best[0]
    if dotted and "dmy" in best:
        return "dmy"
    place = next(i for i in range(len(texts)) if len({days[order][i] for order in best}) > 1)
    text = [*texts.values()][place]
    raise Undecided(text, [_strptime(loose[text], order) for order in best])


@lru_cache(1 << 12)
def _day_in(order: str, a: str, b: str, c: str) -> int | None:
    """Of a column in this order, with the year last unless it has two digits."""
    if order == "ymd":
        return _day(a, int(b), c) if len(a) == len(c) == 2 else None
    if order == "dmy":
        return _day(c, int(b), a)
    return _day(c, int(a), b) if order == "mdy" else None


def _day(year: str, month: int, day: str) -> int | None:
    """Microseconds from 1970 until it begins; None for the 30th of February and the like."""
    y = int(year)
    if len(year) == 2:
        y += 1900 if y >= _PIVOT else 2000
    try:
        return (datetime.datetime(y, month, int(day)) - _EPOCH) // _MICROSECOND
    except ValueError:
        return None


def _sum(day: int | None, clock: Sequence[str | None]) -> int | None:
    """With the time of the day, if there is such a one."""
    hour, minute, second, part, half, half_alone = clock
    if day is None or hour is None:
        return day
    h, m, s = int(hour), int(minute or 0), int(second or 0)
    if (half := half or half_alone) is not None:
        if not 1 <= h <= 12:
            return None
        h = h % 12 + (12 if half in "pP" else 0)
    if not (h < 24 and m < 60 and s < 60):
        return None
    microsecond = int(f"{part:0<6.6}") if part else 0
    return day + ((h * 60 + m) * 60 + s) * 1_000_000 + microsecond


def _strptime(match: re.Match[str], order: str) -> str:
    """How strptime calls such a date."""
    mark, clock = match.group(2), match.groups()[4:]
    year = "%Y" if len(match.group(4)) == 4 else "%y"
    parts = {"d": "%d", "m": "%m", "y": year}
    day = mark.join(parts[letter] for letter in order)
    if clock[0] is None:
        return day
    half = clock[4] or clock[5]
    minutes = "".join(f":{code}" for code, x in zip(("%M", "%S"), clock[1:3], strict=True) if x)
    return f"{day} {'%I' if half else '%H'}{minutes}{' %p' if half else ''}"
