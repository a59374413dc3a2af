"""The identity, y = z: a linear layer."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "z"
parameters: dict[str, float] = {}
is_smooth = True


def value(Z: Floats) -> Floats:
    """Y = Z."""
    return Z


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1."""
    return np.ones_like(Z)
