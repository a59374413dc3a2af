"""The table of activations, and the step through one of them, forward and backward.

To add an activation, write `activations/<name>.py` and give it a line in the table.
"""

from typing import Protocol

from eigenmlp.reference.activations import identity, leaky_relu, relu, sigmoid, softmax, tanh
from eigenmlp.reference.types import Floats


class Activation(Protocol):
    """What a file in `activations/` contains: y = f(z), applied to each entry on its own."""

    formula: str  # f(z) in SymPy's syntax, in the symbol z
    is_smooth: bool  # False where f' jumps

    def value(self, Z: Floats) -> Floats:
        """Y = f(Z), of the shape of Z."""

    def derivative(self, Z: Floats, Y: Floats) -> Floats:
        """f'(Z), of the shape of Z, from whichever of Z and Y = f(Z) is handier."""


class RowActivation(Protocol):
    """An output activation in which every output of a row depends on the whole row."""

    def value(self, Z: Floats) -> Floats:
        """Y (N, K) from Z (N, K)."""

    def vjp(self, Y: Floats, dY: Floats) -> Floats:
        """dZ (N, K): each row of dY times the Jacobian of Y with respect to Z in that row."""


ACTIVATIONS: dict[str, Activation] = {
    "identity": identity,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
}

ROW_ACTIVATIONS: dict[str, RowActivation] = {
    "softmax": softmax,
}


def forward(name: str, Z: Floats) -> Floats:
    """Y = f(Z), of the shape of Z, (N, K).

    Examples
    --------
    >>> import numpy as np
    >>> forward("relu", np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """
    if name in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[name].value(Z)
    return ACTIVATIONS[name].value(Z)


def backward(name: str, Z: Floats, Y: Floats, dY: Floats) -> Floats:
    """dZ (N, K) from dY (N, K), where Y = f(Z).

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.array([[-1.0, 2.0]])
    >>> backward("relu", Z, forward("relu", Z), dY=np.array([[5.0, 5.0]]))
    array([[0., 5.]])
    """
    if name in ROW_ACTIVATIONS:
        return ROW_ACTIVATIONS[name].vjp(Y, dY)
    return dY * ACTIVATIONS[name].derivative(Z, Y)
