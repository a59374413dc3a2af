"""Checks of targets, labels and the weights of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks

Array = NDArray[Any]


def targets(
    value: ArrayLike,
    rows: int,
    outputs: int,
    loss: str,
    dtype: str,
    shared: bool = False,
    integers: str | None = None,
) -> Array:
    """Labels (N,) as int64, or targets (N, K) as float32 or float64, as the loss takes them.

    If `shared`, targets (N,) or (N, 1) are those of every output, without a copy of each. Integers
    become floats of the type `integers`, `dtype` if not given.
    """
    y = checks.numbers(value, "y")
    if y.ndim == 0 or len(y) != rows:
        raise ValueError(f"y: expected {rows} rows, as X has, got shape {y.shape}")
    if loss == "softmax_cross_entropy" and y.ndim == 1:
        return labels(y, outputs)
    if y.ndim == 1 and (outputs == 1 or shared):
        y = y[:, None]
    shared = shared and y.shape == (rows, 1)
    if not shared and y.shape != (rows, outputs):
        either = "labels (N,) or " if loss == "softmax_cross_entropy" else ""
        hint = (
            ": for labels use them flat, as numpy.ravel(y)"
            if either and y.shape == (rows, 1)
            else ""
        )
        raise ValueError(
            f"y: expected {either}shape (N, K) = ({rows}, {outputs}) for {loss}, got "
            f"{y.shape}{hint}"
        )
    checks.finite(y, "y", dtype)
    if y.dtype not in (np.float32, np.float64):
        y = y.astype(integers or dtype)
    if loss == "poisson" and float(y.min()) < 0:
        raise ValueError(f"y: expected {loss} targets of at least 0, got {float(y.min())}")
    if loss.endswith("cross_entropy"):
        low, high = float(y.min()), float(y.max())
        if low < 0 or high > 1:
            raise ValueError(f"y: expected {loss} targets in [0, 1], got {low} to {high}")
    if loss == "softmax_cross_entropy":
        sums = y.sum(axis=1)
        worst = int(np.argmax(np.abs(sums - 1)))
        if abs(float(sums[worst]) - 1) > 1e-3:
            raise ValueError(
                f"y: expected rows of probabilities that sum to 1, got {sums[worst]} in row {worst}"
                f"{_for_one_output(y) if outputs == 1 else ''}"
            )
    return np.broadcast_to(y, (rows, outputs)) if shared else y


def labels(y: Array, classes: int) -> Array:
    """Integer labels 0 … classes - 1 as int64 (N,)."""
    if y.dtype.kind == "f":
        hint = ": for labels use y.astype(int)" if _are_whole(y) else ""
        raise TypeError(
            f"y: expected integer labels (N,) or probabilities (N, {classes}) for "
            f"softmax_cross_entropy, got an array of {y.dtype} with shape {y.shape}"
            f"{_for_one_output(y) if classes == 1 else hint}"
        )
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        hint = _for_one_output(y) if classes == 1 else ""
        raise ValueError(f"y: expected labels 0 to {classes - 1}, got {low} to {high}{hint}")
    return np.ascontiguousarray(y, dtype=np.int64)


def _are_whole(y: Array) -> bool:
    return bool(np.isfinite(y).all() and (np.trunc(y) == y).all())


def _for_one_output(y: Array) -> str:
    """What a network with one output can be trained with: of softmax it is always 1."""
    if ((y == 0) | (y == 1)).all():
        return (
            ": for labels 0 and 1 use loss='sigmoid_cross_entropy', or two outputs, since the "
            "softmax of one is always 1"
        )
    return ": for values use loss='squared_error'; for more than one class, an output for each"


def sample_weights(value: ArrayLike | None, rows: int) -> Array | None:
    """Weights (N,) as float64, not negative and not all zero; or None."""
    if value is None:
        return None
    weights = checks.numbers(value, "sample_weight")
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight: expected shape ({rows},), got {weights.shape}")
    checks.finite(weights, "sample_weight", "float64")
    with np.errstate(over="ignore"):
        total = float(weights.sum(dtype=np.float64))
    if weights.min() < 0 or not np.finfo(np.float64).tiny <= total < np.inf:
        raise ValueError(
            "sample_weight: expected numbers of at least 0, not all 0, whose sum is a normal "
            "float64, got "
            f"{weights.min()} to {weights.max()}"
        )
    return np.ascontiguousarray(weights, dtype=np.float64)
