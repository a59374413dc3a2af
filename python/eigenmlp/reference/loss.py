"""The table of losses, and the mean over rows.

To add a loss, write `losses/<name>.py` and give it a line in the table.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from eigenmlp.reference.losses import sigmoid_cross_entropy, softmax_cross_entropy, squared_error
from eigenmlp.reference.types import Array, Bools, Doubles, Floats


class Loss(Protocol):
    """What a file in `losses/` contains: the loss of each row, summed over the outputs."""

    formula: str | None  # of one output, in SymPy's syntax in y and t, or None if outputs mix
    classifies: bool
    no_series: str | None  # why there are no Taylor coefficients, where there are none

    def value(self, Y: Floats, T: Array) -> Floats:
        """The losses (N,) of outputs Y (N, K) and targets T."""

    def derivative(self, Y: Floats, T: Array) -> Floats:
        """(N, K): the derivative of each row's loss with respect to that row's outputs."""

    def derivative_tangent(self, Y: Floats, T: Array, RY: Floats) -> Floats:
        """(N, K): how `derivative` moves when Y moves by RY: each row's Hessian times RY."""

    @property
    def taylor(self) -> Callable[[Floats, Array], Floats] | None:
        """The series (order + 1, N) of the losses from that of Y (order + 1, N, K), and T."""

    def correct(self, Y: Floats, T: Array) -> Bools | None:
        """(N,): whether each row is classified right; None if the loss does not classify."""


LOSSES: dict[str, Loss] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "squared_error": squared_error,
}


def mean_value(name: str, Y: Floats, T: Array, sample_weight: Array | None = None) -> float:
    """Σ wᵢ lᵢ / Σ wᵢ, summed in float64.

    Examples
    --------
    >>> Y = np.array([[1.0], [2.0]])
    >>> T = np.array([[0.0], [0.0]])
    >>> mean_value("squared_error", Y, T)
    2.5
    >>> mean_value("squared_error", Y, T, sample_weight=np.array([3.0, 1.0]))
    1.75
    """
    return float(np.sum(_shares(len(Y), sample_weight) * LOSSES[name].value(Y, T)))


def mean_derivative(name: str, Y: Floats, T: Array, sample_weight: Array | None = None) -> Floats:
    """dY (N, K), the derivative of `mean_value` with respect to Y.

    Examples
    --------
    >>> mean_derivative("squared_error", np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]]))
    array([[1.],
           [2.]])
    """
    shares = _shares(len(Y), sample_weight).astype(Y.dtype)
    return shares[:, None] * LOSSES[name].derivative(Y, T)


def mean_derivative_tangent(
    name: str, Y: Floats, T: Array, RY: Floats, sample_weight: Array | None = None
) -> Floats:
    """RdY (N, K): how `mean_derivative` moves when Y moves by RY.

    Examples
    --------
    >>> Y, T, RY = np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]]), np.array([[1.0], [3.0]])
    >>> mean_derivative_tangent("squared_error", Y, T, RY)
    array([[1.],
           [3.]])
    """
    shares = _shares(len(Y), sample_weight).astype(Y.dtype)
    return shares[:, None] * LOSSES[name].derivative_tangent(Y, T, RY)


def mean_series(name: str, Y: Floats, T: Array, sample_weight: Array | None = None) -> Doubles:
    """The Taylor coefficients (order + 1,) of `mean_value` from those of Y (order + 1, N, K).

    Raises
    ------
    ValueError
        If the loss has no Taylor series, with the reason.

    Examples
    --------
    >>> Y = np.array([1.0, 2.0, 0.0]).reshape(3, 1, 1)  # (1 + 2 t)²
    >>> mean_series("squared_error", Y, np.array([[0.0]]))
    array([1., 4., 4.])
    """
    loss = LOSSES[name]
    if loss.taylor is None:
        raise ValueError(f"loss: expected one with a Taylor series, got {name!r}: {loss.no_series}")
    coefficients: Doubles = loss.taylor(Y, T) @ _shares(Y.shape[1], sample_weight)
    return coefficients


def count_correct(name: str, Y: Floats, T: Array) -> int:
    """The number of rows classified right, or -1 if the loss does not classify.

    Examples
    --------
    >>> count_correct("softmax_cross_entropy", np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 1]))
    1
    """
    correct = LOSSES[name].correct(Y, T)
    return -1 if correct is None else int(correct.sum())


def total_weight(N: int, sample_weight: Array | None = None) -> float:
    """Σ wᵢ over a batch of N rows, each of weight 1 unless weights are given."""
    return float(N if sample_weight is None else np.sum(sample_weight, dtype=np.float64))


def _shares(N: int, sample_weight: Array | None) -> Doubles:
    """wᵢ / Σ w (N,): each row's share in the mean; 0 where no row of a batch has any weight."""
    w = np.ones(N) if sample_weight is None else sample_weight.astype(np.float64)
    total = w.sum()
    return w / total if total > 0 else np.zeros(N)
