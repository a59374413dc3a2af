"""The cross-entropy of one class out of K, from logits.

With p = softmax(y), l = -Σ_k t_k log p_k, and log p_k = y_k - log Σ_j exp(y_j). With label
smoothing ε the targets are (1 - ε) t + ε / K (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567).
"""

import numpy as np

from eigenmlp.reference.activations import softmax
from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = None
parameters = {"label_smoothing": 0.0}
classifies = True
degree = 0
in_unit: tuple[str, ...] = ()
no_series: str | None = None
takes_logits = True


def value(Y: Floats, T: Array, label_smoothing: float = 0.0) -> Floats:
    """The losses (N,) of logits Y (N, K); T is labels (N,) or rows of probabilities (N, K).

    Subtracting a row's maximum from its logits changes no probability, and exp cannot overflow.

    Examples
    --------
    >>> value(np.array([[1000.0, 0.0], [1000.0, 0.0]]), np.array([0, 1]))
    array([  -0., 1000.])
    """
    Y = Y - Y.max(axis=1, keepdims=True)
    log_P = Y - np.log(np.exp(Y).sum(axis=1, keepdims=True))
    T = _probabilities(T, Y, label_smoothing)
    losses: Floats = -np.multiply(T, log_P, where=T != 0, out=np.zeros_like(log_P)).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array, label_smoothing: float = 0.0) -> Floats:
    """p Σ_k t_k - t (N, K), which is p - t, as the rows of T sum to 1."""
    T = _probabilities(T, Y, label_smoothing)
    dY: Floats = softmax.value(Y) * T.sum(axis=1, keepdims=True) - T
    return dY


def derivative_tangent(Y: Floats, T: Array, RY: Floats, label_smoothing: float = 0.0) -> Floats:
    """Σ_k t_k times the softmax's Jacobian times RY: p (RY - Σ_k p RY), (N, K)."""
    total = _probabilities(T, Y, label_smoothing).sum(axis=1, keepdims=True)
    RdY: Floats = total * softmax.jvp(softmax.value(Y), RY)
    return RdY


def taylor(Y: Floats, T: Array, label_smoothing: float = 0.0) -> Floats:
    """The series (order + 1, N) of the losses: log s Σ_k t_k - Σ_k t_k y_k with s = Σ_k exp(y_k).

    The series l of log s solves s l' = s', order by order.
    """
    S = softmax.exponential(Y).sum(axis=2)
    L = np.empty_like(S)
    L[0] = np.log(S[0])
    for k in range(1, len(Y)):
        rest = sum((j * L[j] * S[k - j] for j in range(1, k)), start=0 * S[k])
        L[k] = (S[k] - rest / k) / S[0]
    T = _probabilities(T, Y[0], label_smoothing)
    shifted = np.concatenate([Y[:1] - Y[0].max(axis=1, keepdims=True), Y[1:]])
    losses: Floats = L * T.sum(axis=1) - (T * shifted).sum(axis=2)
    return losses


def correct(Y: Floats, T: Array, label_smoothing: float = 0.0) -> Bools | None:
    """The rows (N,) whose largest logit is at the label; the first one, where several are."""
    labels = T if T.ndim == 1 else T.argmax(axis=1)
    right: Bools = Y.argmax(axis=1) == labels
    return right


def _probabilities(T: Array, Y: Floats, label_smoothing: float) -> Array:
    """(N, K): rows of probabilities, or a single 1 in the row of a label; then smoothed."""
    K = Y.shape[1]
    if T.ndim == 1:
        T = np.equal(T[:, None], np.arange(K)).astype(Y.dtype)
    if label_smoothing == 0:
        return T
    smoothed: Floats = (1 - label_smoothing) * T + label_smoothing / K
    return smoothed
