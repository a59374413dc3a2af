"""The Gaussian error linear unit, y = z P(z), with the normal distribution P; not its tanh formula.

Hendrycks and Gimpel 2016 (https://arxiv.org/abs/1606.08415).
"""

import math

import numpy as np

from eigenmlp.reference.series import integral, product
from eigenmlp.reference.types import Floats

formula = "z*erfc(-z/sqrt(2))/2"
parameters: dict[str, float] = {}
is_smooth = True
no_series: str | None = None

_erfc = np.frompyfunc(math.erfc, 1, 1)  # NumPy has none


def value(Z: Floats) -> Floats:
    """Y = Z P(Z).

    Examples
    --------
    >>> value(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    Y: Floats = Z * distribution(Z)
    return Y


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = P(Z) + Z q(Z)."""
    slope: Floats = distribution(Z) + Z * density(Z)
    return slope


def distribution(Z: Floats) -> Floats:
    """P(Z) = erfc(-Z / √2) / 2, of which no digits are lost where it is small."""
    P: Floats = np.asarray(_erfc(-Z / math.sqrt(2)) / 2).astype(Z.dtype)
    return P


def density(Z: Floats) -> Floats:
    """q(Z) = exp(-Z² / 2) / √(2π)."""
    q: Floats = np.exp(-Z * Z / 2) / math.sqrt(2 * math.pi)
    return q


def second_derivative(Z: Floats, Y: Floats) -> Floats:
    """f''(Z) = q(Z) (2 - Z²)."""
    return density(Z) * (2 - Z * Z)


def taylor(Z: Floats) -> Floats:
    """The series of Y = Z P from that of Z, by P' = q z' and q' = q w' with w = -z² / 2."""
    P, Q = np.empty_like(Z), np.empty_like(Z)
    W = np.stack([-product(Z, Z, k) / 2 for k in range(len(Z))])
    P[0], Q[0] = distribution(Z[0]), density(Z[0])
    for k in range(1, len(Z)):
        Q[k] = integral(Q, W, k)
        P[k] = integral(Q, Z, k)
    return np.stack([product(Z, P, k) for k in range(len(Z))])
