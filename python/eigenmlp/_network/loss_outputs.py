"""What outputs mean under each loss: probabilities, labels, rates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..choices import best
from ..segments import checked_offsets, segment_softmax

Array = NDArray[Any]


def gives_probabilities(loss: str, output_activation: str) -> bool:
    """Whether a network with these has them."""
    return loss.endswith("cross_entropy") or output_activation in ("softmax", "sigmoid")


def probabilities(loss: str, Y: Array, offsets: ArrayLike | None) -> Array:
    """Of outputs Y (N, K), which may be changed; of choices (N,) by their `offsets`."""
    if loss == "softmax_cross_entropy":
        return softmax(Y)
    if offsets is not None:
        return segment_softmax(Y[:, 0], checked_offsets(offsets, len(Y)))
    if loss == "sigmoid_cross_entropy":
        return sigmoid(Y)
    return Y


def softmax(Z: Array) -> Array:
    """Of logits (N, K), which are changed."""
    Z -= np.maximum.reduce(Z, axis=1, keepdims=True)  # as max, in half the time for one row
    np.exp(Z, out=Z)
    Z /= np.add.reduce(Z, axis=1, keepdims=True)
    return Z


def sigmoid(Z: Array) -> Array:
    """Of logits (N, K)."""
    e = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1 / (1 + e), e / (1 + e))


def predictions(loss: str, Y: Array, offsets: ArrayLike | None) -> Array:
    """What `MLP.predict` returns, of outputs Y (N, K), which may be changed."""
    if offsets is not None:
        return best(Y[:, 0], checked_offsets(offsets, len(Y)))
    if loss == "softmax_cross_entropy":
        labels: Array = np.argmax(Y, axis=1)  # the first of equals
        return labels
    if Y.shape[1] == 1:  # beside targets (N,) a column would broadcast to (N, N)
        Y = Y[:, 0]
    if loss == "poisson":
        with np.errstate(over="ignore"):
            return np.exp(Y, out=Y)
    if loss == "sigmoid_cross_entropy":
        return (Y > 0).astype(np.int64)
    return Y
