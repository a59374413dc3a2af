"""Second derivatives of the loss by the parameters: how the gradient moves along a direction V.

The forward mode through the backward pass (Pearlmutter, Fast exact multiplication by the Hessian,
Neural Computation 6, 1994). With R{·} of `tangent.py`:

    RdZ = RdY * f'(Z) + dY * f''(Z) * RZ
    RdW = X.T @ RdZ + RX.T @ dZ
    Rdb = sum of RdZ over rows
    RdX = RdZ @ W.T + dZ @ V.T
"""

import numpy as np

from eigenmlp.reference import activation, loss
from eigenmlp.reference.derivatives.tangent import split, tangent_pass
from eigenmlp.reference.network import Network, at_one_moment
from eigenmlp.reference.types import Array, Floats


@at_one_moment
@np.errstate(over="ignore", invalid="ignore")
def hessian_vector_product(
    network: Network, X: Array, T: Array, v: Array, sample_weight: Array | None = None
) -> Floats:
    """H @ v (P,), for the Hessian H of the loss by the parameters.

    Examples
    --------
    >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
    >>> X, T = np.array([[3.0]]), np.array([[1.0]])
    >>> hessian_vector_product(network, X, T, np.array([1.0, 0.0]))  # (3 w + b - 1)²
    array([18.,  6.])
    """
    T = network.as_targets(T)
    total = loss.divisor(network.loss, len(X), sample_weight)
    product = np.zeros_like(network.parameters)
    for rows in network.blocks(len(X)):
        w = None if sample_weight is None else sample_weight[rows]
        product += _of_rows(network, X[rows], T[rows], v, w, total)
    return product


def _of_rows(
    network: Network, X: Array, T: Array, v: Array, sample_weight: Array | None, total: float
) -> Floats:
    """What rows X add to the product, where the mean over all rows has `total` as its divisor."""
    passes = network.forward_pass(X)
    tangents = tangent_pass(network, passes, None, v)
    V, _ = split(network, v)
    Y, RY = passes[-1].Y, tangents[-1].RY
    rows_loss = network.loss_of(sample_weight, total)
    dY, RdY = rows_loss.derivative(Y, T), rows_loss.derivative_tangent(Y, T, RY)
    products: list[Floats] = []  # RdW0, Rdb0, RdW1, Rdb1, …, filled from the end
    for layer in reversed(range(len(passes))):
        name, W = network.activations[layer], network.weights[layer]
        X, Z, Y = passes[layer]
        RX, RZ, RY = tangents[layer]
        dZ = activation.backward(name, Z, Y, dY)
        RdZ = activation.backward_tangent(name, Z, Y, dY, RZ, RY, RdY)
        RdW = X.T @ RdZ + RX.T @ dZ
        Rdb = RdZ.sum(axis=0)
        products = [RdW.ravel(), Rdb, *products] if network.biases else [RdW.ravel(), *products]
        dY, RdY = dZ @ W.T, RdZ @ W.T + dZ @ V[layer].T
    return np.concatenate(products)


@at_one_moment
def hessian(network: Network, X: Array, T: Array, sample_weight: Array | None = None) -> Floats:
    """H (P, P), column by column; each pair of mirrored entries is replaced by its mean.

    Examples
    --------
    >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
    >>> hessian(network, np.array([[3.0]]), np.array([[1.0]]))
    array([[18.,  6.],
           [ 6.,  2.]])
    """
    units = np.eye(network.parameter_count, dtype=network.dtype)
    H = np.stack([hessian_vector_product(network, X, T, v, sample_weight) for v in units])
    return 0.5 * H + 0.5 * H.T
