"""The softplus, y = log(1 + exp(z)): a smooth ramp."""

import numpy as np

from eigenmlp.reference.activations import sigmoid
from eigenmlp.reference.types import Floats

formula = "log(1 + exp(z))"
parameters: dict[str, float] = {}
is_smooth = True


def value(Z: Floats) -> Floats:
    """Y = log(1 + exp(Z)) = max(Z, 0) + log(1 + exp(-abs(Z))), which cannot overflow.

    Examples
    --------
    >>> value(np.array([-1000.0, 0.0, 1.0])).round(4)
    array([0.    , 0.6931, 1.3133])
    """
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = 1 / (1 + exp(-Z))."""
    return sigmoid.value(Z)
