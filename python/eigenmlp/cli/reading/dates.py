"""Dates and times as people write them (`_inputs.dates`), as Polars' series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._inputs import dates

if TYPE_CHECKING:
    import polars as pl

_MOST = 0.5  # of the cells look like dates: then all should be


def likely(cells: pl.Series, form: str | None = None) -> bool:
    """Whether most cells look like dates, or are some of this form."""
    there = cells.drop_nulls()
    sample = there.head(100)
    return _share(sample, form) >= _MOST and (
        len(sample) == len(there) or _share(there, form) >= _MOST
    )


def parsed(cells: pl.Series, form: str | None = None, order: str = "") -> tuple[pl.Series, str]:
    """Times as the clock on the wall shows them, null for what is no date; and the order of days,
    months and years, if it took all cells to tell, or was given.

    Raises
    ------
    ValueError
        If days and months cannot be told apart.
    """
    import polars as pl

    if form is not None:
        return cells.str.to_datetime(form, strict=False, time_unit="us"), ""
    try:
        found, order = dates.read(cells.drop_nulls().unique().to_list(), order)
    except dates.Undecided as error:
        forms = ", or ".join(f"'{form}'" for form in error.forms)
        raise ValueError(f"{error}: say --date-format {forms}") from None
    texts = pl.Series([*found], dtype=pl.String)
    times = pl.Series([*found.values()], dtype=pl.Int64).cast(pl.Datetime("us"))
    if not found:
        return pl.Series(cells.name, [None] * len(cells), dtype=pl.Datetime("us")), order
    return cells.replace_strict(texts, times, default=None, return_dtype=pl.Datetime("us")), order


def _share(cells: pl.Series, form: str | None) -> float:
    if form is not None:
        return 1 - parsed(cells, form)[0].null_count() / max(len(cells), 1)
    looks = {text: dates.look_so(text) for text in cells.unique().to_list()}
    return sum(looks[text] for text in cells.to_list()) / max(len(cells), 1)
