"""Forward mode: how outputs move when the parameters move along V and the inputs along RX.

    RZ = RX @ W + X @ V + v        v moves the bias b
    RY = f'(Z) * RZ

R{·} is the derivative along the direction, as in Pearlmutter, Fast exact multiplication by the
Hessian (Neural Computation 6, 1994).
"""

from typing import NamedTuple

import numpy as np

from eigenmlp.reference import activation
from eigenmlp.reference.network import LayerPass, Network, at_one_moment
from eigenmlp.reference.types import Array, Floats


class LayerTangent(NamedTuple):
    """How the arrays of a layer's forward pass move."""

    RX: Floats  # (N, in)
    RZ: Floats  # (N, out)
    RY: Floats  # (N, out)


@at_one_moment
@np.errstate(over="ignore", invalid="ignore")
def jvp(
    network: Network, X: Array, dX: Array | None = None, d_parameters: Array | None = None
) -> tuple[Floats, Floats]:
    """Outputs Y (N, K), and how they move when X moves along dX and parameters along d_parameters.

    Examples
    --------
    >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
    >>> network.set_parameters([3.0, 1.0])  # y = 3 x + 1
    >>> jvp(network, np.array([[2.0]]), np.array([[1.0]]), np.array([1.0, 0.5]))
    (array([[7.]]), array([[5.5]]))
    """
    Y, RY = [], []
    for rows in network.blocks(len(X)):
        passes = network.forward_pass(X[rows])
        moves = None if dX is None else dX[rows]
        Y.append(network.units.outputs(passes[-1].Y))
        tangents = tangent_pass(network, passes, moves, d_parameters)
        RY.append(network.units.output_move(tangents[-1].RY))
    return np.concatenate(Y), np.concatenate(RY)


def tangent_pass(
    network: Network, passes: list[LayerPass], dX: Array | None, d_parameters: Array | None
) -> list[LayerTangent]:
    """Through all layers, beside the forward pass."""
    tangents = []
    RY = np.zeros_like(passes[0].X)
    if dX is not None:
        RY = network.units.input_move(dX, network.dtype)
    V, v = split(
        network, np.zeros(network.parameter_count) if d_parameters is None else d_parameters
    )
    for layer, (X, Z, Y) in enumerate(passes):
        RX = RY
        RZ = RX @ network.weights[layer] + X @ V[layer]
        if v:
            RZ = RZ + v[layer]
        RY = activation.tangent(network.activations[layer], Z, Y, RZ)
        tangents.append(LayerTangent(RX, RZ, RY))
    return tangents


def split(network: Network, flat: Array) -> tuple[list[Floats], list[Floats]]:
    """A vector like the parameters (P,), in the shapes of the weights and of the biases."""
    weights, biases, start = [], [], 0
    for W in network.weights:
        weights.append(flat[start : start + W.size].reshape(W.shape).astype(network.dtype))
        start += W.size
        if network.biases:
            biases.append(flat[start : start + W.shape[1]].astype(network.dtype))
            start += W.shape[1]
    return weights, biases
