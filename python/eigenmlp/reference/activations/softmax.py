"""The softmax of each row, y_k = exp(z_k) / Σ_j exp(z_j): an output activation."""

import numpy as np

from eigenmlp.reference.series import integral
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


def jvp(Y: Floats, RZ: Floats) -> Floats:
    """RY, how Y moves when Z moves by RZ: the Jacobian is symmetric, so this is `vjp`."""
    return vjp(Y, RZ)


def vjp_tangent(Y: Floats, RY: Floats, dY: Floats, RdY: Floats) -> Floats:
    """How `vjp(Y, dY)` moves when Y moves by RY and dY by RdY; all (N, K)."""
    dot = (dY * Y).sum(axis=1, keepdims=True)
    RdZ: Floats = RY * (dY - dot) + Y * (RdY - (RdY * Y + dY * RY).sum(axis=1, keepdims=True))
    return RdZ


def taylor(Z: Floats) -> Floats:
    """The series of Y (order + 1, N, K): that of E = exp(Z), divided by that of its sum S."""
    E, Y = exponential(Z), np.empty_like(Z)
    S = E.sum(axis=2, keepdims=True)
    for k in range(len(Z)):
        Y[k] = (E[k] - sum((S[j] * Y[k - j] for j in range(1, k + 1)), start=0 * E[k])) / S[0]
    return Y


def exponential(Z: Floats) -> Floats:
    """The series of exp(Z - max z₀), by e' = e z'; the maximum is that of the row."""
    E = np.empty_like(Z)
    E[0] = np.exp(Z[0] - Z[0].max(axis=1, keepdims=True))
    for k in range(1, len(Z)):
        E[k] = integral(E, Z, k)
    return E
