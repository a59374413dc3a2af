"""The exponential linear unit, y = z for z > 0 and alpha (exp(z) - 1) otherwise; alpha >= 0.

Clevert, Unterthiner and Hochreiter 2015 (https://arxiv.org/abs/1511.07289).
"""

import numpy as np

from eigenmlp.reference.types import Floats

formula = "Piecewise((z, z > 0), (alpha*(exp(z) - 1), True))"
parameters = {"alpha": 1.0}
is_smooth = False  # at 0: f'' jumps, and so does f' unless alpha = 1
no_series: str | None = "its second derivative jumps at 0"
taylor = None


def value(Z: Floats, alpha: float = 1.0) -> Floats:
    """Y = Z where Z > 0, otherwise alpha (exp(Z) - 1).

    Examples
    --------
    >>> value(np.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """
    return np.where(Z > 0, Z, alpha * np.expm1(np.minimum(Z, 0)))


def derivative(Z: Floats, Y: Floats, alpha: float = 1.0) -> Floats:
    """f'(Z) = 1 where Z > 0, otherwise alpha exp(Z) = Y + alpha."""
    return np.where(Z > 0, np.ones_like(Y), Y + alpha)


def second_derivative(Z: Floats, Y: Floats, alpha: float = 1.0) -> Floats:
    """f''(Z) = 0 where Z > 0, otherwise alpha exp(Z) = Y + alpha."""
    return np.where(Z > 0, np.zeros_like(Y), Y + alpha)
