"""The sigmoid linear unit, y = z / (1 + exp(-z)), also called swish.

Elfwing, Uchibe and Doya 2017 (https://arxiv.org/abs/1702.03118).
"""

import numpy as np

from eigenmlp.reference.activations import sigmoid
from eigenmlp.reference.series import product
from eigenmlp.reference.types import Floats

formula = "z/(1 + exp(-z))"
parameters: dict[str, float] = {}
is_smooth = True
no_series: str | None = None


def value(Z: Floats) -> Floats:
    """Y = Z P with P = 1 / (1 + exp(-Z)).

    Examples
    --------
    >>> import numpy as np
    >>> value(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return Z * sigmoid.value(Z)


def derivative(Z: Floats, Y: Floats) -> Floats:
    """f'(Z) = P + Y (1 - P), where 1 - P(Z) is P(-Z)."""
    return sigmoid.value(Z) + Y * sigmoid.value(-Z)


def second_derivative(Z: Floats, Y: Floats) -> Floats:
    """f''(Z) = P (1 - P) (2 + Z (1 - 2 P)), where 1 - P(Z) is P(-Z)."""
    P, Q = sigmoid.value(Z), sigmoid.value(-Z)
    return P * Q * (2 + Z * (Q - P))


def taylor(Z: Floats) -> Floats:
    """The series of Y from that of Z: the product of Z and P."""
    P = sigmoid.taylor(Z)
    return np.stack([product(Z, P, k) for k in range(len(Z))])
