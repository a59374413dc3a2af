"""Dates and times as people write them, as Polars' series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._basics.shown import shown

if TYPE_CHECKING:
    import polars as pl

_CLOCK = r"([T ]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$"
_YEAR_FIRST = r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}" + _CLOCK
_YEAR_LAST = r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}" + _CLOCK
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f")
_MOST = 0.5  # of the cells look like dates: then all should be


def likely(cells: pl.Series) -> bool:
    """Whether most cells look like dates."""
    there = cells.drop_nulls()
    sample = there.head(100)
    return _share(sample) >= _MOST and (len(sample) == len(there) or _share(there) >= _MOST)


def parsed(cells: pl.Series, form: str | None = None) -> pl.Series:
    """Times as the clock on the wall shows them; null for what is no date.

    Without a form the year is first (2024-02-29), or last behind day and month, which one of the
    cells has to tell apart; with dots the day is first.

    Raises
    ------
    ValueError
        If days and months cannot be told apart.
    """
    if form is not None:
        return _strict(cells, form)
    plain = _plain(cells)
    year_first = _any_of(plain, "%Y-%m-%d")
    left = plain.is_not_null() & year_first.is_null()
    if not left.any():
        return year_first
    day_first, month_first = _any_of(plain, "%d-%m-%Y"), _any_of(plain, "%m-%d-%Y")
    either = day_first.filter(left).null_count(), month_first.filter(left).null_count()
    dotted = bool(cells.filter(left).str.contains(r"^\d{1,2}\.").all())
    differ = (day_first != month_first).any()
    if either[0] == either[1] < left.sum() and differ and not dotted:
        raise ValueError(
            f"expected dates as 2024-02-29, got {shown(cells.filter(left)[0])} and others whose "
            "day and month no row tells apart: say --date-format %d/%m/%Y, or %m/%d/%Y"
        )
    return _first_of([year_first, day_first if dotted or either[0] < either[1] else month_first])


def _share(cells: pl.Series) -> float:
    looks = cells.str.contains(_YEAR_FIRST) | cells.str.contains(_YEAR_LAST)
    return float(looks.sum() or 0) / max(len(cells), 1)


def _plain(cells: pl.Series) -> pl.Series:
    """2024/02/29T10:00Z as 2024-02-29 10:00: the offset goes, the clock on the wall stays."""
    cells = cells.str.replace(r"^(\d+)[-/.](\d+)[-/.](\d+)", "$1-$2-$3")
    if cells.str.contains(":", literal=True).any():
        cells = cells.str.replace(r"[T ]+(\d)", " $1")
        cells = cells.str.replace(r"(:\d\d)[.,](\d+)", "$1.$2")
        cells = cells.str.replace(r"(:\d\d(?:\.\d+)?)\s*(?:Z|[+-]\d\d:?\d\d)$", "$1")
    return cells


def _any_of(cells: pl.Series, day: str) -> pl.Series:
    """Times of this form of a day, with any clock behind it."""
    return _first_of([_strict(cells, day + clock) for clock in _TIMES])


def _strict(cells: pl.Series, form: str) -> pl.Series:
    return cells.str.to_datetime(form, strict=False, time_unit="us")


def _first_of(series: list[pl.Series]) -> pl.Series:
    """The first that is not null, row by row."""
    made = series[0]
    for other in series[1:]:
        made = made.zip_with(made.is_not_null(), other)
    return made
