"""The softplus, y = log(1 + exp(z)): a smooth ramp."""

import numpy as np

from eigenmlp.reference.activations import sigmoid
from eigenmlp.reference.series import integral
from eigenmlp.reference.types import Floats

formula = "log(1 + exp(z))"
parameters: dict[str, float] = {}
is_smooth = True
no_series: str | None = None


def value(Z: Floats) -> Floats:
    """Y = log(1 + exp(Z)) = max(Z, 0) + log(1 + exp(-abs(Z))), which cannot overflow.

    Examples
    --------
    >>> value(np.array([-1000.0, 0.0, 1.0])).round(4)
    array([0.    , 0.6931, 1.3133])
    """
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1 / (1 + exp(-Z))."""
    return sigmoid.value(Z)


def second_derivative(Z: Floats, Y: Floats) -> Floats:
    """f''(Z) = P (1 - P) with P = 1 / (1 + exp(-Z)), where 1 - P(Z) is P(-Z)."""
    return sigmoid.value(Z) * sigmoid.value(-Z)


def taylor(Z: Floats) -> Floats:
    """The series of Y from that of Z, by y' = p z' with p = 1 / (1 + exp(-z))."""
    Y, P = np.empty_like(Z), sigmoid.taylor(Z)
    Y[0] = value(Z[0])
    for k in range(1, len(Z)):
        Y[k] = integral(P, Z, k)
    return Y
