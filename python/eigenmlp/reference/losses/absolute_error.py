"""The absolute error, l = Σ_k |y_k - t_k|; its best constant is the median.

It does not classify.
"""

import numpy as np

from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = "Abs(y - t)"
parameters: dict[str, float] = {}
classifies = False
degree = 1
in_unit: tuple[str, ...] = ()
takes_logits = False
no_series: str | None = "its derivative jumps where y = t"
taylor = None


def value(Y: Floats, T: Array) -> Floats:
    """Σ_k |y - t| (N,), from outputs Y (N, K) and targets T (N, K).

    Examples
    --------
    >>> value(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))
    array([3.])
    """
    losses: Floats = np.abs(Y - T).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array) -> Floats:
    """sign(y - t) (N, K), which is 0 at 0."""
    return np.sign(Y - T)


def derivative_tangent(Y: Floats, T: Array, RY: Floats) -> Floats:
    """0 (N, K), also where the derivative jumps."""
    return np.zeros_like(RY)


def correct(Y: Floats, T: Array) -> Bools | None:
    """None: there is no right or wrong here."""
    return None
