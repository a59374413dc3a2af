"""What every export of a network needs: its layers, and that it is one with finite numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._described import described
from .activations import ACTIVATIONS, Activation
from .losses import Loss
from .mlp import MLP


class Layer(NamedTuple):
    """``Y = f(X @ W + b)``."""

    W: NDArray[Any]  # (in, out)
    b: NDArray[Any] | None  # (out,)
    activation: Activation


def network(net: object, function: str) -> MLP:
    """`net`, if it is a network of finite numbers."""
    if not isinstance(net, MLP):
        raise TypeError(f"{function}: expected an MLP, got {type(net).__name__}")
    if not np.isfinite(net.parameters).all():
        raise ValueError(f"{function}: expected finite parameters, got NaN or Inf")
    return net


def layers(net: MLP) -> list[Layer]:
    """The layers in their order."""
    texts = [*net.config["activation"], net.config["output_activation"]]
    return [
        Layer(W, b, described(text, ACTIVATIONS, "activation"))
        for (W, b), text in zip(net._layers(), texts, strict=True)
    ]


def loss_of(net: MLP) -> Loss:
    """The loss with its parameters."""
    return net._loss_object


def input_scale(net: MLP) -> float:
    """What multiplies every input."""
    return float(net.config["input_scale"])
