"""SciPy's sparse matrices as rows X: the core reads the stored numbers of CSR rows as they are."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np

from . import checks
from .foreign import is_sparse
from .mapped import intact

__all__ = ["csr", "inputs", "is_sparse"]


def inputs(value: Any, columns: int, dtype: str, scale: float = 1.0, what: str = "X") -> Any:
    """Rows (N, `columns`) as a CSR matrix that the core reads: `_validate.inputs`, but sparse."""
    X = csr(value, what)
    checks.matrix(X.shape, columns, what, "D")
    if X.data.dtype.kind not in "biuf":
        raise TypeError(f"{what}: expected numbers, got a sparse matrix of {X.data.dtype}")
    bad = checks.first_not_finite(X.data, dtype, scale)
    if bad is not None:
        row = int(np.searchsorted(X.indptr, bad, side="right")) - 1
        place = f"{what}[{row}, {X.indices[bad]}]"
        raise checks.not_finite(X.data[bad], place, what, dtype, scale)
    X.data = checks.readable(X.data, dtype)
    return X


def csr(value: Any, what: str = "X") -> Any:
    """A sparse matrix as CSR, checked, its parts laid out as the core reads them.

    It has the memory of `value` where that allows; `value` itself stays as it is.
    """
    value = _of_scipy(value, what)
    intact(value, what)
    try:
        X = copy.copy(value.tocsr())  # of whose parts check_format makes others
        X.check_format(full_check=True)
        if len(X.indptr) != X.shape[0] + 1:  # not looked at where a subclass has its own shape
            raise ValueError(f"{X.shape[0]} rows, {len(X.indptr)} places in indptr")
        if (X.indptr[1:] < X.indptr[:-1]).any():  # not looked at where the last is 0 or less
            raise ValueError("index pointer values must form a non-decreasing sequence")
    except MemoryError:
        raise
    except ValueError as error:
        raise ValueError(
            f"{what}: expected a CSR matrix that holds together: {error!s:.160}"
        ) from None
    parts = (np.require(part, requirements=("C", "A")) for part in (X.data, X.indices, X.indptr))
    X.data, X.indices, X.indptr = parts
    return X


def _of_scipy(value: Any, what: str) -> Any:
    """The matrix, or what another library has in its place, as one of SciPy's."""
    scipy_sparse = sys.modules.get("scipy.sparse")  # imported by whoever has such a matrix
    found = f"got a {type(value).__name__}"
    if scipy_sparse is not None:
        try:
            matrix = value if scipy_sparse.issparse(value) else value.tocsr()
        except MemoryError:
            raise
        except Exception as error:  # of something else with that method
            found += f": {error!s:.160}"
        else:
            if scipy_sparse.issparse(matrix) and _is_shape(matrix.shape):
                return matrix
    raise TypeError(f"{what}: expected an array or a sparse matrix of SciPy, {found}")


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(n, (int, np.integer)) for n in value)
