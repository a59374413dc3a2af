"""The logistic function, y = 1 / (1 + exp(-slope z))."""

import numpy as np

from eigenmlp.reference.series import integral, product
from eigenmlp.reference.types import Floats

formula = "1/(1 + exp(-slope*z))"
parameters = {"slope": 1.0}
is_smooth = True
no_series: str | None = None


def value(Z: Floats, slope: float = 1.0) -> Floats:
    """Y = 1 / (1 + exp(-slope Z)), written with exp(-abs(slope Z)), which cannot overflow.

    Examples
    --------
    >>> value(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    Z = slope * Z
    E = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1 / (1 + E), E / (1 + E))


def derivative(Z: Floats, Y: Floats, slope: float = 1.0) -> Floats:
    """f'(Z) = slope Y (1 - Y)."""
    return slope * Y * (1 - Y)


def second_derivative(Z: Floats, Y: Floats, slope: float = 1.0) -> Floats:
    """f''(Z) = slope² Y (1 - Y) (1 - 2 Y)."""
    return slope**2 * Y * (1 - Y) * (1 - 2 * Y)


def taylor(Z: Floats, slope: float = 1.0) -> Floats:
    """The series of Y from that of Z, by y' = g z' with g = slope y (1 - y)."""
    Y, G = np.empty_like(Z), np.empty_like(Z)
    Y[0] = value(Z[0], slope)
    G[0] = slope * Y[0] * (1 - Y[0])
    for k in range(1, len(Z)):
        Y[k] = integral(G, Z, k)
        G[k] = slope * (Y[k] - product(Y, Y, k))
    return Y
