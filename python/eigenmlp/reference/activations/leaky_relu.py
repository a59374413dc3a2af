"""The leaky rectified linear unit, y = z for z > 0 and z / 100 otherwise; f'(0) = 0.01."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "Piecewise((z, z > 0), (z/100, True))"
is_smooth = False

SLOPE = 0.01


def value(Z: Floats) -> Floats:
    """Y = Z where Z > 0, otherwise SLOPE * Z.

    Examples
    --------
    >>> value(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return np.where(Z > 0, Z, SLOPE * Z)


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1 where Z > 0, otherwise SLOPE."""
    return np.where(Z > 0, 1.0, SLOPE).astype(Z.dtype)
