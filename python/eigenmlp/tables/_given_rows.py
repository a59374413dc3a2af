"""Rows that users give to validate with, beside those of X."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks
from . import _frames, _targets
from ._encoder import Encoder
from ._errors import CellError, ValidationCellError
from ._frames import Table

Array = NDArray[Any]


class GivenRows(NamedTuple):
    """A table, the places in it of the columns of X, and targets as they were given."""

    table: Table
    places: list[int]
    y: Any
    target: str | None

    def encoded(self, encoder: Encoder, dtype: Any) -> Array:
        """Rows (V, D) of the network."""
        columns, places = self.table, self.places
        with said_of_validation():
            blocks = encoder.blocks(lambda place: columns[places[place]], columns.rows, dtype)
            return np.concatenate([*blocks])


@contextmanager
def said_of_validation() -> Iterator[None]:
    """Errors of targets and cells are said of the validation rows."""
    try:
        yield
    except CellError as error:
        raise ValidationCellError(error.column, error.row, error.problem) from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from None


def read(
    validation: Any,
    table: Table,
    target: str | None,
    estimator: Any,
    places: Callable[[Table], list[int]],
) -> GivenRows | None:
    """`validation`, a pair of X and y; `places` are those of the columns of fit."""
    if validation is None:
        return None
    pair = checks.items(validation, "validation") if checks.is_several(validation) else []
    if len(pair) != 2 or isinstance(validation, np.ndarray) or _frames.is_frame(validation):
        raise TypeError(f"validation: expected a pair (X, y), got {shown(validation)}")
    with said_of_validation():
        rows = _frames.read(pair[0], estimator)
        y = pair[1]
        if isinstance(y, str) or y is None:
            rows, y, target = _targets.separated(rows, y, type(estimator).__name__)
        elif target is not None and target in rows.names:
            rows = rows.without(target)
        return GivenRows(rows, places(rows), y, target)
