"""The softmax of each row, y_k = exp(z_k) / Σ_j exp(z_j): an output activation."""

import numpy as np

from eigenmlp.reference.types import Floats


def value(Z: Floats) -> Floats:
    """Y (N, K), rows of probabilities. Subtracting a row's maximum changes nothing but the range.

    Examples
    --------
    >>> value(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    Y: Floats = E / E.sum(axis=1, keepdims=True)
    return Y


def vjp(Y: Floats, dY: Floats) -> Floats:
    """dZ = Y * (dY - Σ_k dY_k Y_k), since ∂y_j/∂z_k = y_j (δ_jk - y_k); all (N, K)."""
    dZ: Floats = Y * (dY - (dY * Y).sum(axis=1, keepdims=True))
    return dZ
