"""Softmax over segments: rows of M scores, cut into S segments by offsets.

Segment s has the places offsets[s] … offsets[s + 1] - 1; the offsets rise from 0 to M.
Scores are (M,), or (R, M): R rows that are cut alike and are otherwise independent.
"""

from itertools import pairwise

import numpy as np

from eigenmlp.reference.types import Array, Floats, Ints


def segment_softmax(z: Floats, offsets: Ints) -> Floats:
    """p = exp(z) / Σ exp(z), over each segment; like z.

    Subtracting a segment's maximum changes no p, and exp cannot overflow.

    Examples
    --------
    >>> segment_softmax(np.array([1000.0, 1000.0, -5.0]), np.array([0, 2, 3]))
    array([0.5, 0.5, 1. ])
    """
    p = np.empty_like(z)
    for begin, end in pairwise(offsets):
        segment = z[..., begin:end]
        e = np.exp(segment - segment.max(axis=-1, keepdims=True))
        p[..., begin:end] = e / e.sum(axis=-1, keepdims=True)
    return p


def segment_softmax_vjp(p: Floats, dp: Floats, offsets: Ints) -> Floats:
    """dz = p ⊙ (dp - Σ dp p), with the sum over each segment; like z.

    Examples
    --------
    >>> segment_softmax_vjp(np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.0, 7.0]), [0, 2, 3])
    array([ 0.25, -0.25,  0.  ])
    """
    dz = np.empty_like(p)
    for begin, end in pairwise(offsets):
        p_s, dp_s = p[..., begin:end], dp[..., begin:end]
        dz[..., begin:end] = p_s * (dp_s - (dp_s * p_s).sum(axis=-1, keepdims=True))
    return dz


def segment_cross_entropy(
    z: Floats,
    offsets: Ints,
    chosen: Ints,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> tuple[float, Floats]:
    """Σ w l / Σ w over rows and segments, with l = -log p at the chosen place; and its gradient.

    Parameters
    ----------
    z : ndarray (M,) or (R, M)
    offsets : ndarray (S + 1,)
    chosen : ndarray (S,) or (R, S)
        Places in a row of scores, one in each segment.
    reduction : str
        "mean", or "sum": Σ w l.
    sample_weight : ndarray (S,), optional
        w of each segment; 1 unless given.

    Returns
    -------
    loss : float
    gradient : ndarray
        Like z: share · p, less share at the chosen place, where share is w / Σ w.

    Examples
    --------
    >>> loss, gradient = segment_cross_entropy(np.zeros(4), np.array([0, 2, 4]), np.array([0, 3]))
    >>> round(loss, 4), gradient  # log 2
    (0.6931, array([-0.25,  0.25,  0.25, -0.25]))
    """
    S = len(offsets) - 1
    R = 1 if z.ndim == 1 else len(z)
    w = np.ones(S) if sample_weight is None else sample_weight.astype(np.float64)
    share = w / (R * w.sum()) if reduction == "mean" else w

    rows, chosen = z.reshape(R, -1), np.broadcast_to(chosen, (R, S))
    gradient = segment_softmax(rows, offsets)
    loss = 0.0
    for s, (begin, end) in enumerate(pairwise(offsets)):
        segment = rows[:, begin:end] - rows[:, begin:end].max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(segment).sum(axis=1))
        at = chosen[:, s] - begin
        losses = log_sum - segment[np.arange(R), at]
        loss += float(share[s] * losses.sum(dtype=np.float64))
        gradient[:, begin:end] *= share[s]
        gradient[np.arange(R), chosen[:, s]] -= share[s]
    return loss, gradient.reshape(z.shape)
