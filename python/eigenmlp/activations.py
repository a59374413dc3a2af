"""Activations, as frozen descriptions; the functions themselves are in the core and in the twin.

Wherever a network takes the name of an activation it takes one of these, or its text form; a bare
name means the defaults.

>>> import eigenmlp as em
>>> net = em.MLP([2, 3, 1], activation=em.activations.Sigmoid(slope=2.0), loss="squared_error")
>>> net.config["activation"]
['sigmoid(slope=2.0)']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._inputs.description import Bounds, Described


@dataclass(frozen=True)
class Activation(Described):
    """An activation ``y = f(z)``, applied to each output of a layer."""


@dataclass(frozen=True)
class Identity(Activation):
    """``f(z) = z``."""

    name: ClassVar[str] = "identity"


@dataclass(frozen=True)
class Relu(Activation):
    """``f(z) = max(z, 0)``; its derivative at 0 is 0."""

    name: ClassVar[str] = "relu"


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """``f(z) = z`` where z > 0, otherwise ``negative_slope · z``.

    Parameters
    ----------
    negative_slope : float
        Not negative.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.activations.LeakyRelu(0.2).text
    'leaky_relu(negative_slope=0.2)'
    """

    negative_slope: float = 0.01

    name: ClassVar[str] = "leaky_relu"
    _bounds: ClassVar[Bounds] = {"negative_slope": {"least": 0.0}}


@dataclass(frozen=True)
class Sigmoid(Activation):
    """``f(z) = 1 / (1 + exp(-slope · z))``.

    Parameters
    ----------
    slope : float
        Above 0.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.activations.Sigmoid(), em.activations.Sigmoid().text
    (Sigmoid(slope=1.0), 'sigmoid')
    """

    slope: float = 1.0

    name: ClassVar[str] = "sigmoid"
    _bounds: ClassVar[Bounds] = {"slope": {"above": 0.0}}


@dataclass(frozen=True)
class Tanh(Activation):
    """``f(z) = tanh(z)``."""

    name: ClassVar[str] = "tanh"


@dataclass(frozen=True)
class Softplus(Activation):
    """``f(z) = log(1 + exp(z))``."""

    name: ClassVar[str] = "softplus"


@dataclass(frozen=True)
class Elu(Activation):
    """``f(z) = z`` where z > 0, otherwise ``alpha · (exp(z) - 1)``.

    Parameters
    ----------
    alpha : float
        Not negative.
    """

    alpha: float = 1.0

    name: ClassVar[str] = "elu"
    _bounds: ClassVar[Bounds] = {"alpha": {"least": 0.0}}


@dataclass(frozen=True)
class Gelu(Activation):
    """``f(z) = z · P(z)`` with the normal distribution P: exact, not its formula with tanh."""

    name: ClassVar[str] = "gelu"


@dataclass(frozen=True)
class Silu(Activation):
    """``f(z) = z / (1 + exp(-z))``."""

    name: ClassVar[str] = "silu"


@dataclass(frozen=True)
class Softmax(Activation):
    """``yₖ = exp(zₖ) / Σ exp(z)`` over the outputs of each row: an output activation."""

    name: ClassVar[str] = "softmax"


ACTIVATIONS: dict[str, type[Activation]] = {
    kind.name: kind
    for kind in (Identity, Relu, LeakyRelu, Sigmoid, Tanh, Softplus, Elu, Gelu, Silu, Softmax)
}
HIDDEN_ACTIVATIONS = {name: kind for name, kind in ACTIVATIONS.items() if name != "softmax"}
