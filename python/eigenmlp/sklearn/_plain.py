"""Data as most users have them, told in few calls: scikit-learn's checks of any other take as long
as epochs of a small network, and hold Python's lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer

Array = NDArray[Any]

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def is_plain(X: Any, y: Any) -> bool:
    """Whether scikit-learn's checks would give these rows (N, D) and targets (N,) as they are."""
    return (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.ndim == 2
        and y.ndim == 1
        and len(X) == len(y)
        and X.size > 0
        and X.dtype in _FLOATS
        and (y.dtype.kind in "iu" or (y.dtype in _FLOATS and _is_finite(y)))
        and _is_finite(X)
    )


def binarizer(y: Array) -> LabelBinarizer | None:
    """As fitted to integers (N,) of two classes or more; None for what scikit-learn has to look at,
    as at classes of which it would warn that there are too many.
    """
    if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iu"):
        return None
    classes = np.unique(y)
    if not 2 <= len(classes) <= len(y) // 2:
        return None
    made = LabelBinarizer()
    made.y_type_ = "binary" if len(classes) == 2 else "multiclass"
    made.sparse_input_, made.classes_ = False, classes
    return made


def _is_finite(array: Array) -> bool:
    """Whether all numbers are; False also where only their sum is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))
