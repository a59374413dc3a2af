"""Softmax and cross-entropy over segments of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core.loading import core
from ._inputs import checks, targets
from ._inputs.mapped import intact

Array = NDArray[Any]

REDUCTIONS = ("mean", "sum")
_CHANGED = "expected arrays that stay as they were checked, got NaN, Inf or other offsets"


def segment_softmax(z: ArrayLike, offsets: ArrayLike) -> Array:
    """Softmax over each segment of the scores: ``p = exp(z) / Σ exp(z)``.

    Segments have any lengths; a loop over them is neither needed nor faster. Scores of any size are
    safe, as each segment's largest is subtracted first.

    Parameters
    ----------
    z : array_like (M,) or (R, M)
        Scores; the rows of (R, M) are independent. float32 and float64 are computed as they are,
        other numbers in float64.
    offsets : array_like of int (S + 1,)
        Segment s has the places ``offsets[s]`` to ``offsets[s + 1] - 1``, so offsets rise from 0 to
        M. From lengths: ``np.concatenate([[0], np.cumsum(lengths)])``.

    Returns
    -------
    ndarray
        Like `z`; every segment sums to 1.

    Raises
    ------
    TypeError, ValueError
        If `offsets` do not begin at 0, fall, leave a segment empty or do not end at M; if a score
        is NaN or Inf.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.segment_softmax([1000.0, 1000.0, -5.0], [0, 2, 3])
    array([0.5, 0.5, 1. ])
    """
    _intact(z=z, offsets=offsets)
    p = core.segment_softmax(z, offsets)  # None if it cannot take them as they are
    if p is None:
        scores = _scores(z, "z")
        p = core.segment_softmax(scores, checked_offsets(offsets, scores.shape[-1]))
    result: Array = _unless_changed(p)
    return result


def segment_softmax_vjp(p: ArrayLike, dp: ArrayLike, offsets: ArrayLike) -> Array:
    """Derivative of ``Σ dp · segment_softmax(z, offsets)`` by z: ``dz = p ⊙ (dp - Σ dp p)``.

    Parameters
    ----------
    p : array_like (M,) or (R, M)
        What `segment_softmax` gave.
    dp : array_like
        Derivatives by p, of its shape.
    offsets : array_like of int (S + 1,)

    Returns
    -------
    ndarray
        Like `p`.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.segment_softmax_vjp([0.5, 0.5, 1.0], [1.0, 0.0, 7.0], [0, 2, 3])
    array([ 0.25, -0.25,  0.  ])
    """
    _intact(p=p, dp=dp, offsets=offsets)
    dz = core.segment_softmax_vjp(p, dp, offsets)
    if dz is None:
        probabilities = _scores(p, "p")
        slopes = _scores(dp, "dp", probabilities.dtype)
        if slopes.shape != probabilities.shape:
            raise ValueError(f"dp: expected shape {probabilities.shape}, as p, got {slopes.shape}")
        places = checked_offsets(offsets, probabilities.shape[-1])
        dz = core.segment_softmax_vjp(probabilities, slopes, places)
    result: Array = _unless_changed(dz)
    return result


def segment_cross_entropy(
    z: ArrayLike,
    offsets: ArrayLike,
    chosen: ArrayLike,
    *,
    reduction: str = "mean",
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Mean over segments of ``-log p`` at the chosen place, and its gradient by the scores.

    A segment is a row of `softmax_cross_entropy` whose number of classes is its own: of the
    alternatives in each segment one was chosen (conditional logit).

    Parameters
    ----------
    z : array_like (M,) or (R, M)
        Scores, as in `segment_softmax`.
    offsets : array_like of int (S + 1,)
    chosen : array_like of int (S,) or (R, S)
        Places in a row of scores: ``offsets[s] <= chosen[s] < offsets[s + 1]``.
    reduction : str
        ``"mean"``: over rows and segments, ``Σ w l / Σ w``. ``"sum"``: ``Σ w l``.
    sample_weight : array_like (S,), optional
        w of each segment, 1 unless given.

    Returns
    -------
    loss : float
    gradient : ndarray
        Like `z`: ``(p - 1)`` at the chosen places and ``p`` elsewhere, times each segment's share.

    Raises
    ------
    TypeError, ValueError
        As `segment_softmax`; if a choice is not in its segment.

    Examples
    --------
    >>> import eigenmlp as em
    >>> loss, gradient = em.segment_cross_entropy([0.0, 0.0, 0.0, 0.0], [0, 2, 4], [0, 3])
    >>> round(loss, 4), gradient  # log 2
    (0.6931, array([-0.25,  0.25,  0.25, -0.25]))
    """
    checks.known(reduction, REDUCTIONS, "reduction")
    mean = reduction == "mean"
    result = None
    if sample_weight is None:
        _intact(z=z, offsets=offsets, chosen=chosen)
        result = core.segment_cross_entropy(z, offsets, chosen, mean, None)
    if result is None:
        scores = _scores(z, "z")
        places = checked_offsets(offsets, scores.shape[-1])
        choices = checked_chosen(chosen, places, scores.shape[:-1])
        weights = targets.sample_weights(sample_weight, len(places) - 1)
        result = core.segment_cross_entropy(scores, places, choices, mean, weights)
    loss, gradient = _unless_changed(result)
    return loss, gradient


def _intact(**arrays: ArrayLike) -> None:
    for what, array in arrays.items():
        intact(array, what)


def _unless_changed(result: Any) -> Any:
    if result is None:
        raise ValueError(_CHANGED)
    return result


def _scores(value: ArrayLike, what: str, dtype: np.dtype[Any] | None = None) -> Array:
    """Finite scores (M,) or (R, M) in C order, as float32 or float64."""
    z = checks.numbers(value, what)
    if z.ndim not in (1, 2) or z.size == 0:
        raise ValueError(f"{what}: expected numbers of shape (M,) or (R, M), got shape {z.shape}")
    if dtype is None:
        dtype = z.dtype if z.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    checks.finite(z, what, dtype.name)
    return np.ascontiguousarray(z, dtype=dtype)


def checked_offsets(value: ArrayLike, M: int | None = None) -> Array:
    """Offsets (S + 1,) as int64, rising from 0 to M, if that is given."""
    offsets = _integers(value, "offsets")
    if offsets.ndim != 1 or len(offsets) < 2:
        raise ValueError(
            f"offsets: expected shape (S + 1,) for at least one segment, got shape {offsets.shape}"
        )
    if offsets[0] != 0:
        raise ValueError(f"offsets: expected 0 first, got {offsets[0]}")
    flat = np.flatnonzero(offsets[1:] <= offsets[:-1])
    if flat.size:
        s = int(flat[0])
        begin, end = offsets[s], offsets[s + 1]
        reason = f"segment {s} is empty" if begin == end else "they fall"
        raise ValueError(
            f"offsets: expected rising numbers, got {begin} and {end} at offsets[{s}] and "
            f"offsets[{s + 1}]: {reason}"
        )
    if M is not None and offsets[-1] != M:
        raise ValueError(f"offsets: expected {M} last, as there are {M} scores, got {offsets[-1]}")
    return np.ascontiguousarray(offsets, dtype=np.int64)


def checked_chosen(value: ArrayLike, offsets: Array, rows: tuple[int, ...]) -> Array:
    """Places (S,) or (R, S) as int64, each in its segment."""
    chosen = _integers(value, "chosen")
    S = len(offsets) - 1
    if chosen.shape not in ((S,), (*rows, S)):
        either = f" or (R, S) = {(*rows, S)}" if rows else ""
        raise ValueError(f"chosen: expected shape (S,) = ({S},){either}, got {chosen.shape}")
    outside = np.argwhere((chosen < offsets[:-1]) | (chosen >= offsets[1:]))
    if outside.size:
        at = tuple(outside[0].tolist())
        s = at[-1]
        raise ValueError(
            f"chosen: expected a place in segment {s}, {offsets[s]} to {offsets[s + 1] - 1}, "
            f"got {chosen[at]} at chosen{list(at)}"
        )
    return np.ascontiguousarray(chosen, dtype=np.int64)


def _integers(value: ArrayLike, what: str) -> Array:
    array = checks.numbers(value, what)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what}: expected integers, got an array of {array.dtype}")
    return array
