"""Huber's loss: with d = y - t, l = Σ_k d²/2 where |d| <= delta, else delta (|d| - delta/2).

Huber 1964, Annals of Mathematical Statistics 35, 73. It does not classify.
"""

import numpy as np

from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = (
    "Piecewise(((y - t)**2/2, Abs(y - t) <= delta), (delta*(Abs(y - t) - delta/2), True))"
)
parameters = {"delta": 1.0}
classifies = False
degree = 2
in_unit: tuple[str, ...] = ("delta",)
takes_logits = False
no_series: str | None = "its second derivative jumps where |y - t| = delta"
taylor = None


def value(Y: Floats, T: Array, delta: float = 1.0) -> Floats:
    """The losses (N,) of outputs Y (N, K) and targets T (N, K).

    Examples
    --------
    >>> value(np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]]))  # 0.125 + 2.5
    array([2.625])
    """
    d = np.abs(Y - T)
    losses: Floats = np.where(d <= delta, d * d / 2, delta * (d - delta / 2)).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array, delta: float = 1.0) -> Floats:
    """y - t, but not beyond ±delta (N, K)."""
    return np.clip(Y - T, -delta, delta)


def derivative_tangent(Y: Floats, T: Array, RY: Floats, delta: float = 1.0) -> Floats:
    """RY where |y - t| <= delta, else 0 (N, K)."""
    return np.where(np.abs(Y - T) <= delta, RY, np.zeros_like(RY))


def correct(Y: Floats, T: Array, delta: float = 1.0) -> Bools | None:
    """None: there is no right or wrong here."""
    return None
