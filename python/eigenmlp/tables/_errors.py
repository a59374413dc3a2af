"""What is wrong with one cell, or with one column, of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .._basics.shown import shown


class CellError(ValueError):
    """A cell that cannot be used; `column` and `row` (from 0) say which, `problem` what it is."""

    def __init__(self, column: str, row: int | None, problem: str) -> None:
        where = f"column {shown(column)}" if row is None else f"column {shown(column)}, row {row}"
        super().__init__(f"{where}: {problem}")
        self.column, self.row, self.problem = column, row, problem

    def __reduce__(self) -> tuple[type[CellError], tuple[str, int | None, str]]:
        return type(self), (self.column, self.row, self.problem)


class ValidationCellError(CellError):
    """One of the rows that were given to validate with."""

    def __init__(self, column: str, row: int | None, problem: str) -> None:
        super().__init__(column, row, problem)
        self.args = (f"validation: {self.args[0]}",)


@contextmanager
def counted_as(rows: Sequence[int] | None) -> Iterator[None]:
    """Errors of cells of a part of a table name the table's row; `rows` are the part's, if any."""
    try:
        yield
    except CellError as error:
        if rows is None or error.row is None:
            raise
        raise type(error)(error.column, int(rows[error.row]), error.problem) from None
