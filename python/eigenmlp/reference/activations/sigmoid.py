"""The logistic function, y = 1 / (1 + exp(-z))."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "1/(1 + exp(-z))"
is_smooth = True


def value(Z: Floats) -> Floats:
    """Y = 1 / (1 + exp(-Z)), written with exp(-abs(Z)), which cannot overflow.

    Examples
    --------
    >>> value(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    E = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1 / (1 + E), E / (1 + E))


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = Y (1 - Y)."""
    return Y * (1 - Y)
