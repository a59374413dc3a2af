"""The hyperbolic tangent, y = tanh(z)."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "tanh(z)"
parameters: dict[str, float] = {}
is_smooth = True


def value(Z: Floats) -> Floats:
    """Y = tanh(Z)."""
    return np.tanh(Z)


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1 - Y²."""
    return 1 - Y * Y
