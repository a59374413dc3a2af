"""The leaky rectified linear unit, y = z for z > 0 and negative_slope z otherwise, also at 0."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "Piecewise((z, z > 0), (negative_slope*z, True))"
parameters = {"negative_slope": 0.01}
is_smooth = False
no_series: str | None = "its derivative jumps at 0"
taylor = None


def value(Z: Floats, negative_slope: float = 0.01) -> Floats:
    """Y = Z where Z > 0, otherwise negative_slope Z.

    Examples
    --------
    >>> value(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return np.where(Z > 0, Z, negative_slope * Z)


def derivative(Z: Floats, Y: Floats, negative_slope: float = 0.01) -> Floats:
    """f'(Z) = 1 where Z > 0, otherwise negative_slope."""
    return np.where(Z > 0, 1.0, negative_slope).astype(Z.dtype)


def second_derivative(Z: Floats, Y: Floats, negative_slope: float = 0.01) -> Floats:
    """f''(Z) = 0, wherever it exists."""
    return np.zeros_like(Z)
