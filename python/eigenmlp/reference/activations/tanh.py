"""The hyperbolic tangent, y = tanh(z)."""

import numpy as np

from eigenmlp.reference.series import integral, product
from eigenmlp.reference.types import Floats

formula = "tanh(z)"
parameters: dict[str, float] = {}
is_smooth = True
no_series: str | None = None


def value(Z: Floats) -> Floats:
    """Y = tanh(Z)."""
    return np.tanh(Z)


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1 - Y²."""
    return 1 - Y * Y


def second_derivative(Z: Floats, Y: Floats) -> Floats:
    """f''(Z) = -2 Y (1 - Y²)."""
    return -2 * Y * (1 - Y * Y)


def taylor(Z: Floats) -> Floats:
    """The series of Y from that of Z, by y' = g z' with g = 1 - y².

    Examples
    --------
    >>> taylor(np.array([0.0, 1.0, 0.0, 0.0])).round(4)  # tanh t = t - t³ / 3 + …
    array([ 0.    ,  1.    ,  0.    , -0.3333])
    """
    Y, G = np.empty_like(Z), np.empty_like(Z)
    Y[0] = value(Z[0])
    G[0] = 1 - Y[0] ** 2
    for k in range(1, len(Z)):
        Y[k] = integral(G, Z, k)
        G[k] = -product(Y, Y, k)
    return Y
