"""The logistic function, y = 1 / (1 + exp(-slope z))."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "1/(1 + exp(-slope*z))"
parameters = {"slope": 1.0}
is_smooth = True


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
