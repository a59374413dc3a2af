"""The pinball loss: with d = t - y, l = Σ_k q d where d > 0, else (q - 1) d. It does not classify.

Its best constant is the q-quantile of the targets (Koenker and Bassett 1978, Econometrica 46, 33).
There is one q, or one for each output.
"""

from collections.abc import Sequence

import numpy as np

from eigenmlp.reference.types import Array, Bools, Floats

formula: str | None = "Piecewise((q*(t - y), t > y), ((q - 1)*(t - y), t < y), (0, True))"
parameters = {"q": 0.5}
classifies = False
degree = 1
in_unit: tuple[str, ...] = ()
takes_logits = False
no_series: str | None = "its derivative jumps where y = t"
taylor = None


def value(Y: Floats, T: Array, q: float | Sequence[float] = 0.5) -> Floats:
    """The losses (N,) of outputs Y (N, K) and targets T (N, K).

    Examples
    --------
    >>> value(np.array([[1.0, 4.0]]), np.array([[2.0, 2.0]]), q=[0.25, 0.9]).round(12)
    array([0.45])
    """
    p, d = np.asarray(q, Y.dtype), T - Y
    losses: Floats = np.where(d > 0, p * d, (p - 1) * d).sum(axis=1)
    return losses


def derivative(Y: Floats, T: Array, q: float | Sequence[float] = 0.5) -> Floats:
    """-q where t > y, 1 - q where t < y, 0 where they are equal (N, K)."""
    p, d = np.asarray(q, Y.dtype), T - Y
    # NumPy 1 would make 1 - p of a single q float64.
    dY: Floats = np.where(d > 0, -p, Y.dtype.type(1) - p) * np.abs(np.sign(d))
    return dY


def derivative_tangent(Y: Floats, T: Array, RY: Floats, q: float | Sequence[float] = 0.5) -> Floats:
    """0 (N, K), also where the derivative jumps."""
    return np.zeros_like(RY)


def correct(Y: Floats, T: Array, q: float | Sequence[float] = 0.5) -> Bools | None:
    """None: there is no right or wrong here."""
    return None
