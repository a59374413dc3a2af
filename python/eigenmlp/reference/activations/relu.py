"""The rectified linear unit, y = max(z, 0). A NaN stays a NaN; f'(0) = 0."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "Piecewise((z, z > 0), (0, True))"
parameters: dict[str, float] = {}
is_smooth = False
no_series: str | None = "its derivative jumps at 0"
taylor = None


def value(Z: Floats) -> Floats:
    """Y = max(Z, 0).

    Examples
    --------
    >>> value(np.array([-1.0, 2.0, np.nan]))
    array([ 0.,  2., nan])
    """
    return np.maximum(Z, 0)


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1 where Z > 0, otherwise 0."""
    return (Z > 0).astype(Z.dtype)


def second_derivative(Z: Floats, Y: Floats) -> Floats:
    """f''(Z) = 0, wherever it exists."""
    return np.zeros_like(Z)
