"""The identity, y = z: a linear layer."""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "z"
parameters: dict[str, float] = {}
is_smooth = True
no_series: str | None = None


def value(Z: Floats) -> Floats:
    """Y = Z."""
    return Z


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1."""
    return np.ones_like(Z)


def second_derivative(Z: Floats, Y: Floats) -> Floats:
    """f''(Z) = 0."""
    return np.zeros_like(Z)


def taylor(Z: Floats) -> Floats:
    """The series of Y: that of Z."""
    return Z
