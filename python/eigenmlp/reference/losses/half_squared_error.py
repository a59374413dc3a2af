"""Half the squared error, l = ½ Σ_k (y_k - t_k)². It does not classify."""

import numpy as np

from eigenmlp.reference.series import product
from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = "(y - t)**2 / 2"
parameters: dict[str, float] = {}
classifies = False
degree = 2
in_unit: tuple[str, ...] = ()
no_series: str | None = None
takes_logits = False


def value(Y: Floats, T: Array) -> Floats:
    """½ Σ_k (y - t)² (N,), from outputs Y (N, K) and targets T (N, K).

    Examples
    --------
    >>> value(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))
    array([2.5])
    """
    losses: Floats = ((Y - T) ** 2).sum(axis=1) / 2
    return losses


def derivative(Y: Floats, T: Array) -> Floats:
    """y - t (N, K)."""
    return Y - T


def derivative_tangent(Y: Floats, T: Array, RY: Floats) -> Floats:
    """RY (N, K)."""
    return RY


def taylor(Y: Floats, T: Array) -> Floats:
    """The series (order + 1, N) of ½ Σ_k (y - t)²."""
    E = Y.copy()
    E[0] -= T
    return np.stack([product(E, E, k).sum(axis=1) / 2 for k in range(len(Y))])


def correct(Y: Floats, T: Array) -> Bools | None:
    """None: there is no right or wrong here."""
    return None
