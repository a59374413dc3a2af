"""Warnings of what cannot be right: columns of different sizes, a network that says one thing."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.warned import warn
from .._network.network import DenseNetwork

Array = NDArray[Any]

STANDARDIZE = "use em.MLP(..., standardize=True)"

_MORE_DIGITS = "use dtype='float64', or take a number off y"

_RATIO = 1e3  # of deviations, and between means
_ROWS, _ROWS_FORWARD, _NUMBERS = 256, 64, 1 << 18  # looked at, at most
_ROWS_RANGED = 32
_FEW = 8  # rows that say little: of these two units may well be 0
_ROUNDING = {dtype: 8 * float(np.finfo(dtype).eps) for dtype in ("float32", "float64")}
_COMMON = 0.9  # share of one value that makes a column a rare event's, whatever its deviation
_looked_at: weakref.WeakSet[DenseNetwork] = weakref.WeakSet()
_told_of_constant: weakref.WeakSet[DenseNetwork] = weakref.WeakSet()


def columns(net: DenseNetwork, X: Any, remedy: str = STANDARDIZE) -> None:
    """Warn of rows X (N, D), the first of a network, whose columns differ in size by 1e3 or more.

    Looks at a sample of the rows; images of uint8 and sparse rows are left alone.
    """
    if net in _looked_at or type(X) is not np.ndarray or X.dtype == np.uint8:
        return
    scale = net._units.input_scale
    if net._to_be_measured or not net._units.are_plain or not isinstance(scale, float):
        return  # columns have units of their own
    _looked_at.add(net)
    sample = _sample(X, min(_ROWS, max(32, _NUMBERS // X.shape[1])))
    if sample is None or _are_alike(sample, scale):
        return
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        A = np.multiply(sample, scale, dtype=np.float64)
        means = np.add.reduce(A, axis=0) / len(A)
        D = A - means
        deviations = np.sqrt(np.add.reduce(D * D, axis=0) / len(A))
    if (
        np.maximum.reduce(deviations) <= _RATIO * np.minimum.reduce(deviations)
        and np.maximum.reduce(means) - np.minimum.reduce(means) <= _RATIO
    ):
        return
    found = _of_deviations(A, deviations) or _of_means(means)
    if found is not None:
        warn(
            f"X: expected columns of about one size, got {found}; with a difference of more than "
            f"{_RATIO:,.0f} a network hardly learns: {remedy}"
        )


def predictions(net: DenseNetwork, X: Any, T: Any, remedy: str = STANDARDIZE) -> None:
    """Warn, once a network, if its outputs for a sample of rows X (N, D) are all the same, though
    neither these nor their targets T are.
    """
    if net in _told_of_constant or type(X) is not np.ndarray or type(T) is not np.ndarray:
        return
    if len(X) > 1 and _differ(net, X[:: len(X) - 1]):
        return
    sample, targets = _sample(X, _ROWS_FORWARD), _sample(T, _ROWS_FORWARD)
    if sample is None or targets is None:
        return
    Y = net._network.forward(np.ascontiguousarray(sample))
    if Y is None:
        return
    low, high = np.minimum.reduce(Y), np.maximum.reduce(Y)  # NaN if any is, which says nothing
    rounding = _ROUNDING[net._dtype] * np.maximum(-low, high)
    if (high - low <= rounding).all() and not (_is_constant(sample) or _is_constant(targets)):
        _told_of_constant.add(net)
        if (far := beyond_digits(net)) is not None:
            warn(
                f"after training: expected targets whose differences {net._dtype} can hold, got "
                f"{far}: all outputs are the same number; {_MORE_DIGITS}"
            )
            return
        warn(
            f"after training: expected outputs that depend on the row, got the same for all of "
            f"{len(Y)} different rows: the network has learnt a constant, as where columns or "
            "targets are large, the learning rate is too high, or all weights began as 0: "
            f"{remedy}, or train with a smaller learning rate"
        )


def _are_alike(sample: Array, scale: float) -> bool:
    """Whether ranges say so already, in few calls of NumPy: their own time is what counts in small
    fits.

    A column of n rows and range r deviates by r / √(2 n) at least, and r / 2 at most. r is that of
    some rows at least, and that of all columns at most.
    """
    if sample.dtype.kind != "f":
        return False
    widest = float(sample.max()) - float(sample.min())
    few = sample[:_ROWS_RANGED]
    low, high = np.minimum.reduce(few), np.maximum.reduce(few)
    narrowest = min(map(float.__sub__, high.tolist(), low.tolist()))
    most = _RATIO * narrowest / (0.5 * len(sample)) ** 0.5
    return 0 < widest <= most and widest * abs(scale) <= _RATIO


def _differ(net: DenseNetwork, rows: Array) -> bool:
    """Whether outputs for two rows do: those of others need no look then."""
    Y = net._network.forward(np.ascontiguousarray(rows))
    if Y is None:
        return False
    rounding = _ROUNDING[net._dtype]
    return any(
        abs(a - b) > rounding * max(abs(a), abs(b)) for a, b in zip(*Y.tolist(), strict=True)
    )


def trust(net: DenseNetwork) -> None:
    """No such warnings of a network whose columns were made for it, and which is validated."""
    _looked_at.add(net)
    _told_of_constant.add(net)


def beyond_digits(net: DenseNetwork) -> str | None:
    """What to say of outputs whose unit is lost beside their shift."""
    shift, scale = np.broadcast_arrays(*np.atleast_1d(net.output_shift, net.output_scale))
    lost = np.flatnonzero(scale < _ROUNDING[net._dtype] * np.abs(shift))
    if lost.size == 0:
        return None
    return f"a mean of {shift[lost[0]]:.3g} ± {scale[lost[0]]:.3g}"


def _sample(array: Array, most: int) -> Array | None:
    """At most so many rows from all over; None if there are few, or too many columns."""
    if len(array) < _FEW or array.size // len(array) > _NUMBERS // 4:
        return None
    return array[:: -(-len(array) // most)]


def _is_constant(array: Array) -> bool:
    return bool((array == array[:1]).all())


def _of_deviations(A: Array, deviations: Array) -> str | None:
    """What to say of columns of a sample A (rows, D) whose deviations are too far apart."""
    varies = deviations > 1e-12 * np.abs(A).max(axis=0)  # else rounding
    if not varies.any():
        return None
    largest = int(np.argmax(deviations))
    small = np.flatnonzero(varies & (deviations * _RATIO < deviations[largest]))
    if small.size == 0:
        return None
    common = (A[:, small] == np.median(A[:, small], axis=0)).mean(axis=0)
    small = small[common < _COMMON]
    if small.size == 0:
        return None
    smallest = small[np.argmin(deviations[small])]
    return (
        f"deviations from {deviations[smallest]:.3g} (column {smallest}) to "
        f"{deviations[largest]:.3g} (column {largest})"
    )


def _of_means(means: Array) -> str | None:
    low, high = int(np.argmin(means)), int(np.argmax(means))
    if not means[high] - means[low] > _RATIO:
        return None
    return f"means from {means[low]:.3g} (column {low}) to {means[high]:.3g} (column {high})"
