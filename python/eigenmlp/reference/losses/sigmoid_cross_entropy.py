"""The cross-entropy of independent yes-or-no outputs, from logits.

With p = 1 / (1 + exp(-y)), l = -Σ_k (t log p + (1 - t) log(1 - p)) = Σ_k (log(1 + exp(y)) - t y).
"""

import numpy as np

from eigenmlp.reference.activations import sigmoid
from eigenmlp.reference.series import integral
from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = "log(1 + exp(y)) - t*y"
parameters: dict[str, float] = {}
classifies = True
degree = 0
in_unit: tuple[str, ...] = ()
no_series: str | None = None
takes_logits = True


def value(Y: Floats, T: Array) -> Floats:
    """The losses (N,) of logits Y (N, K) and targets T (N, K) in [0, 1].

    log(1 + exp(y)) is written as max(y, 0) + log(1 + exp(-abs(y))), which cannot overflow.

    Examples
    --------
    >>> value(np.array([[1000.0, -1000.0]]), np.array([[1.0, 1.0]]))
    array([1000.])
    """
    losses: Floats = (np.maximum(Y, 0) - Y * T + np.log1p(np.exp(-np.abs(Y)))).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array) -> Floats:
    """p - t (N, K), with p = 1 / (1 + exp(-Y))."""
    return sigmoid.value(Y) - T


def derivative_tangent(Y: Floats, T: Array, RY: Floats) -> Floats:
    """p (1 - p) RY (N, K), with p (1 - p) = e / (1 + e)² for e = exp(-abs(Y))."""
    E = np.exp(-np.abs(Y))
    RdY: Floats = E / (1 + E) ** 2 * RY
    return RdY


def taylor(Y: Floats, T: Array) -> Floats:
    """The series (order + 1, N) of the losses, by l' = Σ_k (p - t) y'."""
    P = sigmoid.taylor(Y)
    terms = np.empty_like(Y)
    terms[0] = np.maximum(Y[0], 0) - Y[0] * T + np.log1p(np.exp(-np.abs(Y[0])))
    for k in range(1, len(Y)):
        terms[k] = integral(P, Y, k) - T * Y[k]
    losses: Floats = terms.sum(axis=2)
    return losses


def correct(Y: Floats, T: Array) -> Bools | None:
    """The rows (N,) in which every output is on its target's side: p > ½ just where t > ½."""
    right: Bools = ((Y > 0) == (T > 0.5)).all(axis=1)
    return right
