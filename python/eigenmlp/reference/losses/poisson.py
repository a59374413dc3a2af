"""Poisson's log-likelihood of counts t >= 0 with rate exp(y): l = Σ_k (exp(y) - t y).

log t!, which no parameter changes, is left out. It does not classify.
"""

import numpy as np

from eigenmlp.reference.series import integral
from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = "exp(y) - t*y"
parameters: dict[str, float] = {}
classifies = False
degree = 0
in_unit: tuple[str, ...] = ()
takes_logits = True
no_series: str | None = None


def value(Y: Floats, T: Array) -> Floats:
    """The losses (N,) of logarithms of rates Y (N, K) and counts T (N, K).

    Examples
    --------
    >>> value(np.array([[0.0, 1.0]]), np.array([[3.0, 0.0]])).round(4)
    array([3.7183])
    """
    losses: Floats = (np.exp(Y) - T * Y).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array) -> Floats:
    """exp(y) - t (N, K)."""
    dY: Floats = np.exp(Y) - T
    return dY


def derivative_tangent(Y: Floats, T: Array, RY: Floats) -> Floats:
    """exp(y) RY (N, K)."""
    RdY: Floats = np.exp(Y) * RY
    return RdY


def taylor(Y: Floats, T: Array) -> Floats:
    """The series (order + 1, N) of the losses; that of e = exp(y) solves e' = e y'."""
    E = np.empty_like(Y)
    E[0] = np.exp(Y[0])
    for k in range(1, len(Y)):
        E[k] = integral(E, Y, k)
    losses: Floats = (E - T * Y).sum(axis=2)
    return losses


def correct(Y: Floats, T: Array) -> Bools | None:
    """None: there is no right or wrong here."""
    return None
