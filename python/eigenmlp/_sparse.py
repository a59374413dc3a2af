"""SciPy's sparse matrices as rows X: the core gathers CSR rows as they are, without zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _validate
from ._exchange import is_sparse
from ._mapped import whole_file

__all__ = ["inputs", "is_sparse"]


def inputs(value: Any, columns: int, dtype: str, scale: float = 1.0, what: str = "X") -> Any:
    """Rows (N, `columns`) as a CSR matrix that the core reads: `_validate.inputs`, but sparse."""
    _validate.matrix(value.shape, columns, what, "D")
    if value.dtype.kind not in "biuf":
        raise TypeError(f"{what}: expected numbers, got a sparse matrix of {value.dtype}")
    X = value.tocsr()
    whole_file(X, what)
    try:
        X.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{what}: expected a CSR matrix that holds together: {error}") from None
    bad = _validate.first_not_finite(X.data, dtype, scale)
    if bad is not None:
        row = int(np.searchsorted(X.indptr, bad, side="right")) - 1
        place = f"{what}[{row}, {X.indices[bad]}]"
        raise _validate.not_finite(X.data[bad], place, what, dtype, scale)
    data, places = _validate.readable(X.data, dtype), X.indices
    if data is X.data and places.dtype == X.indptr.dtype:
        return X
    return type(X)((data, places.astype(X.indptr.dtype), X.indptr), shape=X.shape)
