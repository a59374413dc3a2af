"""Whether a target is of classes or of values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HOLD_OUT = 0.2
_MOST_CLASSES = 20  # that numbers are taken for
_ROWS_OF_A_CLASS = 5  # on average, or they are values


def whole(y: Array) -> Array | None:
    """Numbers (N,) as int64, if all of them are integers."""
    if y.dtype.kind in "biu":
        return y.astype(np.int64)
    if np.isfinite(y).all() and (y == np.rint(y)).all() and np.abs(y).max(initial=0) < 2**53:
        return y.astype(np.int64)
    return None


def are_classes(y: Array) -> bool:
    """Of numbers (N,): two integers, or a few that come again and again, are classes."""
    labels = whole(y)
    if labels is None:
        return False
    distinct = len(np.unique(labels))
    return distinct <= 2 or (
        distinct <= _MOST_CLASSES and _ROWS_OF_A_CLASS * distinct <= len(labels)
    )
