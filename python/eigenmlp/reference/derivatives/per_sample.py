"""Gradients of single rows: by the inputs, and by the parameters."""

import numpy as np

from eigenmlp.reference import activation, loss
from eigenmlp.reference.network import LayerPass, Network, at_one_moment
from eigenmlp.reference.types import Array, Floats


@at_one_moment
@np.errstate(over="ignore", invalid="ignore")
def input_gradient(network: Network, X: Array, T: Array | None = None, output: int = -1) -> Floats:
    """The gradient (N, D) of each row's own loss by that row's inputs, or that of one output.

    Examples
    --------
    >>> network = Network([2, 1], ["identity"], "squared_error", True, 1.0)
    >>> network.set_parameters([3.0, 4.0, 0.0])
    >>> X = np.array([[1.0, 0.0], [0.0, 0.0]])
    >>> input_gradient(network, X, np.array([[2.0], [1.0]]))  # 2 (y - t) (3, 4)
    array([[ 6.,  8.],
           [-6., -8.]])
    >>> input_gradient(network, X, output=0)
    array([[3., 4.],
           [3., 4.]])
    """
    T = None if T is None else network.as_targets(T)
    gradients = []
    for rows in network.blocks(len(X)):
        passes = network.forward_pass(X[rows])
        Y = passes[-1].Y
        if T is None:
            dY = np.zeros_like(Y)
            dY[:, output] = 1
            dY = network.units.output_move(dY)
        else:
            dY = network.loss_of(None).row_derivative(Y, T[rows])
        gradients.append(network.backward_pass(passes, dY)[1])
    return np.concatenate(gradients)


@at_one_moment
@np.errstate(over="ignore", invalid="ignore")
def per_sample_gradients(
    network: Network, X: Array, T: Array, sample_weight: Array | None = None
) -> Floats:
    """Gradients (N, P), one a row, whose mean is the gradient of the loss.

    Row i's is that of w_i l_i N / Σ w: of its own loss, where all weights are equal.

    Examples
    --------
    >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
    >>> per_sample_gradients(network, np.array([[3.0], [1.0]]), np.array([[1.0], [2.0]]))
    array([[-6., -2.],
           [-4., -4.]])
    """
    T = network.as_targets(T)
    mean_weight = loss.divisor(network.loss, len(X), sample_weight) / len(X)
    gradients = []
    for rows in network.blocks(len(X)):
        w = None if sample_weight is None else sample_weight[rows]
        passes = network.forward_pass(X[rows])
        dY = network.loss_of(w, mean_weight).derivative(passes[-1].Y, T[rows])
        gradients.append(_of_rows(network, passes, dY))
    return np.concatenate(gradients)


def _of_rows(network: Network, passes: list[LayerPass], dY: Floats) -> Floats:
    """Back from dY (N, K), each row on its own."""
    gradients: list[Floats] = []  # as in `Network.backward_pass`, but not summed over rows
    for layer in reversed(range(len(passes))):
        X, Z, Y = passes[layer]
        dZ = activation.backward(network.activations[layer], Z, Y, dY)
        dW = np.einsum("ni,nj->nij", X, dZ).reshape(len(X), -1)
        gradients = [dW, dZ, *gradients] if network.biases else [dW, *gradients]
        dY = dZ @ network.weights[layer].T
    return np.concatenate(gradients, axis=1)
