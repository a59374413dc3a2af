"""Dates and times as people write them (`_inputs.dates`), as Polars' series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._inputs import dates

if TYPE_CHECKING:
    import polars as pl

_MOST = 0.5  # of the cells look like dates: then all should be
_SAMPLE = 2000  # cells that tell
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$"  # which Polars reads at once
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f")


def likely(cells: pl.Series, form: str | None = None) -> bool:
    """Whether most cells look like dates, or are some of this form."""
    there = cells.drop_nulls()
    sample = there.gather_every(max(1, len(there) // _SAMPLE))
    if form is not None:
        return 1 - parsed(sample, form)[0].null_count() / max(len(sample), 1) >= _MOST
    looks = {text: dates.look_so(text) for text in sample.unique().to_list()}
    return sum(looks[text] for text in sample.to_list()) >= _MOST * max(len(sample), 1)


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
        return _strict(cells, form), ""
    iso = cells.str.contains(_ISO).fill_null(False)
    texts = cells.set(~iso, None).str.replace("T", " ", literal=True)
    made = _strict(texts, "%Y-%m-%d")
    for time in _TIMES[1:]:
        made = made.zip_with(made.is_not_null(), _strict(texts, f"%Y-%m-%d{time}"))
    left = cells.filter(~iso).drop_nulls().unique().to_list()
    if not left:
        return made, ""
    try:
        found, order = dates.read(left, order)
    except dates.Undecided as error:
        forms = ", or ".join(f"'{form}'" for form in error.forms)
        raise ValueError(f"{error}: say --date-format {forms}") from None
    if found:
        keys = pl.Series([*found], dtype=pl.String)
        values = pl.Series([*found.values()], dtype=pl.Int64).cast(pl.Datetime("us"))
        kind = pl.Datetime("us")
        others = cells.set(iso, None).replace_strict(keys, values, default=None, return_dtype=kind)
        made = made.zip_with(made.is_not_null(), others)
    return made, order


def _strict(cells: pl.Series, form: str) -> pl.Series:
    return cells.str.to_datetime(form, strict=False, time_unit="us")
