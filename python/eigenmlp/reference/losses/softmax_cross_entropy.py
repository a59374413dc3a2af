"""The cross-entropy of one class out of K, from logits.

With p = softmax(y), l = -Σ_k t_k log p_k, and log p_k = y_k - log Σ_j exp(y_j).
"""

import numpy as np

from eigenmlp.reference.activations import softmax
from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = None
classifies = True


def value(Y: Floats, T: Array) -> Floats:
    """The losses (N,) of logits Y (N, K); T is labels (N,) or rows of probabilities (N, K).

    Subtracting a row's maximum from its logits changes no probability, and exp cannot overflow.

    Examples
    --------
    >>> value(np.array([[1000.0, 0.0], [1000.0, 0.0]]), np.array([0, 1]))
    array([  -0., 1000.])
    """
    Y = Y - Y.max(axis=1, keepdims=True)
    log_P = Y - np.log(np.exp(Y).sum(axis=1, keepdims=True))
    losses: Floats = -(_probabilities(T, Y) * log_P).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array) -> Floats:
    """p Σ_k t_k - t (N, K), which is p - t, as the rows of T sum to 1."""
    T = _probabilities(T, Y)
    dY: Floats = softmax.value(Y) * T.sum(axis=1, keepdims=True) - T
    return dY


def correct(Y: Floats, T: Array) -> Bools | None:
    """The rows (N,) whose largest logit is at the label; the first one, where several are."""
    labels = T if T.ndim == 1 else T.argmax(axis=1)
    right: Bools = Y.argmax(axis=1) == labels
    return right


def _probabilities(T: Array, Y: Floats) -> Array:
    """(N, K): rows of probabilities as they are, a label as a row with a single 1."""
    if T.ndim == 2:
        return T
    classes = np.arange(Y.shape[1])
    return np.equal(T[:, None], classes).astype(Y.dtype)
