"""Truncated power series in t: arrays (order + 1, …), whose entry k holds the coefficients of t^k.

The recurrences are those of Griewank and Walther, Evaluating Derivatives, 2nd edition (SIAM 2008),
chapter 13: a function f with f' = g is solved from y' = g(z) z', order by order.
"""

import numpy as np

from eigenmlp.reference.types import Floats


def product(a: Floats, b: Floats, k: int) -> Floats:
    """The k-th coefficient of a b: Σ a_j b_{k-j} for j = 0 … k.

    Examples
    --------
    >>> a = np.array([1.0, 1.0, 0.0])  # 1 + t
    >>> [float(product(a, a, k)) for k in range(3)]
    [1.0, 2.0, 1.0]
    """
    total: Floats = np.sum(a[: k + 1] * b[k::-1], axis=0)
    return total


def integral(g: Floats, z: Floats, k: int) -> Floats:
    """The k-th coefficient, k > 0, of the y with y' = g z': Σ (j / k) z_j g_{k-j}, j = 1 … k.

    Examples
    --------
    The exponential of t, from y' = y:

    >>> t, y = np.array([0.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])
    >>> for k in range(1, 4):
    ...     y[k] = integral(y, t, k)
    >>> y.round(4)
    array([1.    , 1.    , 0.5   , 0.1667])
    """
    total = np.zeros_like(z[0])
    for j in range(1, k + 1):
        total = total + j * z[j] * g[k - j]
    coefficient: Floats = total / k
    return coefficient
