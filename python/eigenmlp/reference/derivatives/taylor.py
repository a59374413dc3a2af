"""Taylor coefficients, to any order, of outputs and loss along a direction.

The network's own arithmetic on power series in t, truncated after `order` (`series.py`). With
weights W + t V, biases b + t v and inputs X + t RX, layer by layer

    Z_k = Y_k @ W + Y_{k-1} @ V        + b for k = 0, + v for k = 1
    Y = f(Z)                           by the recurrence in f's file
"""

import numpy as np

from eigenmlp.reference import activation
from eigenmlp.reference.derivatives.tangent import split
from eigenmlp.reference.network import Network, at_one_moment
from eigenmlp.reference.types import Array, Doubles, Floats


@at_one_moment
@np.errstate(over="ignore", invalid="ignore")
def taylor(
    network: Network,
    X: Array,
    T: Array,
    direction: Array,
    order: int,
    sample_weight: Array | None = None,
) -> Doubles:
    """The coefficients (order + 1,) of t^k of the loss at parameters + t · direction.

    Examples
    --------
    >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
    >>> X, T = np.array([[3.0]]), np.array([[1.0]])
    >>> taylor(network, X, T, np.array([1.0, 0.0]), order=3)  # (3 t - 1)²
    array([ 1., -6.,  9.,  0.])
    """
    Y = _outputs(network, X, order, direction, None)
    return network.loss_of(sample_weight).series(Y, network.as_targets(T))


@at_one_moment
@np.errstate(over="ignore", invalid="ignore")
def taylor_outputs(
    network: Network,
    X: Array,
    order: int,
    direction: Array | None = None,
    input_direction: Array | None = None,
) -> Floats:
    """The coefficients (order + 1, N, K) of t^k of the outputs.

    They are those at parameters + t · direction and X + t · input_direction.

    Examples
    --------
    >>> network = Network([1, 1], ["tanh"], "squared_error", True, 1.0)
    >>> network.set_parameters([2.0, 0.0])
    >>> dX = np.array([[1.0]])
    >>> taylor_outputs(network, np.array([[0.0]]), 3, None, dX).ravel().round(4)  # tanh 2 t
    array([ 0.    ,  2.    ,  0.    , -2.6667])
    """
    Y = network.units.output_move(_outputs(network, X, order, direction, input_direction))
    Y[0] = Y[0] + np.asarray(network.units.b, Y.dtype)
    return Y


def _outputs(
    network: Network,
    X: Array,
    order: int,
    direction: Array | None,
    input_direction: Array | None,
) -> Floats:
    """The series of the last layer's outputs, in its own unit."""
    V, v = split(network, np.zeros(network.parameter_count) if direction is None else direction)
    outputs = [
        _of_rows(
            network,
            X[rows],
            order,
            V,
            v,
            None if input_direction is None else input_direction[rows],
        )
        for rows in network.blocks(len(X), order + 1)
    ]
    return np.concatenate(outputs, axis=1)


def _of_rows(
    network: Network,
    X: Array,
    order: int,
    V: list[Floats],
    v: list[Floats],
    input_direction: Array | None,
) -> Floats:
    Y = np.zeros((order + 1, *X.shape), network.dtype)
    Y[0] = network.units.inputs(X, network.dtype)
    if input_direction is not None and order > 0:
        Y[1] = network.units.input_move(input_direction, network.dtype)
    for layer, name in enumerate(network.activations):
        Z = Y @ network.weights[layer]
        Z[1:] += Y[:-1] @ V[layer]
        if network.biases:
            Z[0] += network.biases[layer]
            Z[1:2] += v[layer]
        Y = activation.series(name, Z)
    return Y
