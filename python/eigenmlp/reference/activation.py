"""The table of activations, and the step through one of them, forward and backward.

To add an activation, write `activations/<name>.py` and give it a line in the table.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from eigenmlp.reference.activations import (
    elu,
    gelu,
    identity,
    leaky_relu,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from eigenmlp.reference.choice import parse, with_parameters
from eigenmlp.reference.types import Floats


class Activation(Protocol):
    """What a file in `activations/` contains: y = f(z), applied to each entry on its own."""

    formula: str  # f(z) in SymPy's syntax, in the symbol z and the names of the parameters
    parameters: dict[str, float]  # with their defaults; the functions take them last
    is_smooth: bool  # False where f' or f'' jumps
    no_series: str | None  # why there are no Taylor coefficients, where there are none

    @property
    def value(self) -> Callable[..., Floats]:
        """(Z) -> Y = f(Z), of the shape of Z."""

    @property
    def derivative(self) -> Callable[..., Floats]:
        """(Z, Y) -> f'(Z), of the shape of Z, from whichever of Z and Y = f(Z) is handier."""

    @property
    def second_derivative(self) -> Callable[..., Floats]:
        """(Z, Y) -> f''(Z), of the shape of Z; 0 where f' jumps."""

    @property
    def taylor(self) -> Callable[..., Floats] | None:
        """(Z) -> the series (order + 1, N, K) of f(Z) from that of Z; see `series.py`."""


class RowActivation(Protocol):
    """An output activation in which every output of a row depends on the whole row."""

    def value(self, Z: Floats) -> Floats:
        """Y (N, K) from Z (N, K)."""

    def vjp(self, Y: Floats, dY: Floats) -> Floats:
        """dZ (N, K): each row of dY times the Jacobian of Y with respect to Z in that row."""

    def jvp(self, Y: Floats, RZ: Floats) -> Floats:
        """RY (N, K): the Jacobian times each row of RZ."""

    def vjp_tangent(self, Y: Floats, RY: Floats, dY: Floats, RdY: Floats) -> Floats:
        """RdZ (N, K): how `vjp(Y, dY)` moves when Y moves by RY and dY by RdY."""

    def taylor(self, Z: Floats) -> Floats:
        """The series (order + 1, N, K) of Y from that of Z."""


ACTIVATIONS: dict[str, Activation] = {
    "identity": identity,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "softplus": softplus,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
}

ROW_ACTIVATIONS: dict[str, RowActivation] = {
    "softmax": softmax,
}


@lru_cache(maxsize=1024)
def find(text: str) -> Activation:
    """The activation that a name means, or a name with parameters: "sigmoid(slope=2.0)".

    Its functions take the parameters already.

    Examples
    --------
    >>> find("sigmoid(slope=2.0)").parameters
    {'slope': 2.0}
    """
    name, given = parse(text)
    activation = ACTIVATIONS[name]
    return with_parameters(activation, activation.parameters | given)


def forward(text: str, Z: Floats) -> Floats:
    """Y = f(Z), of the shape of Z, (N, K).

    Examples
    --------
    >>> import numpy as np
    >>> forward("relu", np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """
    if text in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[text].value(Z)
    return find(text).value(Z)


def backward(text: str, Z: Floats, Y: Floats, dY: Floats) -> Floats:
    """dZ (N, K) from dY (N, K), where Y = f(Z).

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.array([[-1.0, 2.0]])
    >>> backward("relu", Z, forward("relu", Z), dY=np.array([[5.0, 5.0]]))
    array([[0., 5.]])
    """
    if text in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[text].vjp(Y, dY)
    return dY * find(text).derivative(Z, Y)


def tangent(text: str, Z: Floats, Y: Floats, RZ: Floats) -> Floats:
    """RY (N, K), how Y = f(Z) moves when Z moves by RZ.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.array([[-1.0, 2.0]])
    >>> tangent("relu", Z, forward("relu", Z), RZ=np.array([[5.0, 5.0]]))
    array([[0., 5.]])
    """
    if text in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[text].jvp(Y, RZ)
    return find(text).derivative(Z, Y) * RZ


def backward_tangent(
    text: str, Z: Floats, Y: Floats, dY: Floats, RZ: Floats, RY: Floats, RdY: Floats
) -> Floats:
    """RdZ (N, K), how `backward` moves when Z, Y and dY move by RZ, RY and RdY.

    Examples
    --------
    >>> import numpy as np
    >>> Z, one = np.array([[1.0]]), np.array([[1.0]])
    >>> Y = forward("tanh", Z)
    >>> backward_tangent("tanh", Z, Y, one, one, tangent("tanh", Z, Y, one), 0 * one).round(4)
    array([[-0.6397]])
    """
    if text in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[text].vjp_tangent(Y, RY, dY, RdY)
    f = find(text)
    return RdY * f.derivative(Z, Y) + dY * f.second_derivative(Z, Y) * RZ


def series(text: str, Z: Floats) -> Floats:
    """The Taylor coefficients (order + 1, N, K) of Y = f(Z) from those of Z.

    Raises
    ------
    ValueError
        If f has no Taylor series, with the reason.

    Examples
    --------
    >>> import numpy as np
    >>> series("tanh", np.array([0.0, 1.0, 0.0, 0.0]).reshape(4, 1, 1)).ravel().round(4)
    array([ 0.    ,  1.    ,  0.    , -0.3333])
    """
    if text in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[text].taylor(Z)
    f = find(text)
    if f.taylor is None:
        name, reason = text.partition("(")[0], f.no_series
        raise ValueError(f"activation: expected one with a Taylor series, got {name!r}: {reason}")
    return f.taylor(Z)
