"""The table of activations, and the step through one of them, forward and backward.

To add an activation, write `activations/<name>.py` and give it a line in the table.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

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
from eigenmlp.reference.choice import parse
from eigenmlp.reference.types import Floats


class Activation(Protocol):
    """What a file in `activations/` contains: y = f(z), applied to each entry on its own."""

    formula: str  # f(z) in SymPy's syntax, in the symbol z and the names of the parameters
    parameters: dict[str, float]  # with their defaults; the functions take them last
    is_smooth: bool  # False where f' or f'' jumps

    @property
    def value(self) -> Callable[..., Floats]:
        """(Z) -> Y = f(Z), of the shape of Z."""

    @property
    def derivative(self) -> Callable[..., Floats]:
        """(Z, Y) -> f'(Z), of the shape of Z, from whichever of Z and Y = f(Z) is handier."""


class Chosen(NamedTuple):
    """An activation with the values of its parameters."""

    activation: Activation
    parameters: dict[str, float]

    @property
    def value(self) -> Callable[..., Floats]:
        """As in `Activation`."""
        return partial(self.activation.value, **self.parameters)

    @property
    def derivative(self) -> Callable[..., Floats]:
        """As in `Activation`."""
        return partial(self.activation.derivative, **self.parameters)


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
    "softplus": softplus,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
}

ROW_ACTIVATIONS: dict[str, RowActivation] = {
    "softmax": softmax,
}


def find(text: str) -> Chosen:
    """The activation that a name means, or a name with parameters: "sigmoid(slope=2.0)".

    Examples
    --------
    >>> find("sigmoid(slope=2.0)").parameters
    {'slope': 2.0}
    """
    name, given = parse(text)
    activation = ACTIVATIONS[name]
    return Chosen(activation, activation.parameters | given)


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
