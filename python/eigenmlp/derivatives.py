"""Derivatives beyond the gradient: methods of `MLP`, exact, on both backends.

In float64 they are good to about 1e-12; in float32 higher derivatives lose digits fast. Those of
a network with ``compute_dtype="bfloat16"`` are computed in float32, from operands as they are:
what is rounded has no derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._backends.facade import derivatives_of, scores_of
from ._inputs import checks
from ._network.network import DenseNetwork

Array = NDArray[Any]
MOST_ORDER = 2**20  # of a series: what it takes grows with the square


def jvp(
    net: DenseNetwork,
    X: ArrayLike,
    dX: ArrayLike | None = None,
    d_parameters: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Outputs, and their derivative along a direction of inputs, parameters or both.

    The forward mode: layer by layer ``RZ = RX @ W + X @ V``, ``RY = f'(Z) * RZ``.

    Parameters
    ----------
    X : array_like (N, D)
    dX : array_like (N, D), optional
        How the inputs move; they stay if not given.
    d_parameters : array_like (P,), optional
        How the parameters move; they stay if not given.

    Returns
    -------
    Y : ndarray (N, K)
        As `forward` gives them.
    dY : ndarray (N, K)
        The derivative of ``forward(X + t · dX)`` at ``parameters + t · d_parameters`` by t, at 0.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([2, 1], loss="squared_error", dtype="float64", init="zeros")
    >>> net.parameters = [2.0, -1.0, 0.5]  # y = 2 x0 - x1 + 0.5
    >>> net.jvp([[3.0, 4.0]], dX=[[1.0, 0.0]], d_parameters=[0.0, 1.0, 0.0])
    (array([[2.5]]), array([[6.]]))
    """
    rows = _rows(net, X)
    if dX is None and d_parameters is None:
        raise ValueError("jvp: expected dX (N, D), d_parameters (P,) or both, got neither")
    Y, dY = derivatives_of(net._backend).jvp(
        scores_of(net._exact_network()),
        rows,
        _moves(net, rows, dX, "dX"),
        None if d_parameters is None else _flat(net, d_parameters, "d_parameters"),
    )
    return Y, dY


def input_gradient(
    net: DenseNetwork, X: ArrayLike, y: ArrayLike | None = None, output: int | None = None
) -> Array:
    """Gradients (N, D) by the inputs: of each row's own loss, or of one output.

    Parameters
    ----------
    X : array_like (N, D)
    y : array_like
        Labels or targets, as in `fit`. Row i is then ``∂lᵢ/∂xᵢ``, not divided by N.
    output : int
        Instead of y: row i is ``∂yₖ/∂xᵢ`` of output k, a logit with the cross-entropies.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([2, 1], loss="squared_error", dtype="float64", init="zeros")
    >>> net.parameters = [2.0, -1.0, 0.5]
    >>> net.input_gradient([[3.0, 4.0]], output=0)
    array([[ 2., -1.]])
    >>> net.input_gradient([[3.0, 4.0]], y=[1.5])  # 2 (y - t) (2, -1)
    array([[ 4., -2.]])
    """
    if (y is None) == (output is None):
        which = "neither" if y is None else "both"
        raise ValueError(
            f"input_gradient: expected targets y or the number of an output, got {which}"
        )
    derivatives = derivatives_of(net._backend)
    if y is None:
        K = net.layer_sizes[-1]
        k = checks.integer(output, "output", least=0)
        if k >= K:
            raise ValueError(f"output: expected 0 to {K - 1}, got {k}")
        gradient: Array = derivatives.input_gradient(
            scores_of(net._exact_network()), _rows(net, X), output=k
        )
        return gradient
    rows, T, _ = _loss_data(net, X, y, None)
    gradient = derivatives.input_gradient(scores_of(net._exact_network()), rows, T)
    return gradient


def per_sample_gradients(
    net: DenseNetwork, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> Array:
    """Gradients (N, P) by the parameters, one for each row, whose mean is the loss's gradient.

    Row i is that of row i's own loss; with weights w, of ``N wᵢ lᵢ / Σ w``.
    N · P numbers are kept: pass rows in batches where that is too many.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error", init="zeros", dtype="float64")
    >>> X, y = [[3.0], [1.0]], [1.0, 2.0]
    >>> net.per_sample_gradients(X, y)
    array([[-6., -2.],
           [-4., -4.]])
    >>> net.loss_and_gradient(X, y)[1]
    array([-5., -3.])
    """
    rows, T, weights = _loss_data(net, X, y, sample_weight)
    gradients: Array = derivatives_of(net._backend).per_sample_gradients(
        scores_of(net._exact_network()), rows, T, weights
    )
    return gradients


def hessian_vector_product(
    net: DenseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    v: ArrayLike,
    parameters: ArrayLike | None = None,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> Array:
    """``H @ v`` (P,), where H is the Hessian of what `loss_and_gradient` gives.

    It costs a few gradients, and H is never formed: the forward mode through the backward pass
    (Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6, 1994). Where f'
    jumps, as relu's does at 0, f'' counts as 0.

    Parameters
    ----------
    X, y, sample_weight
        As in `fit`.
    v : array_like (P,)
    parameters : array_like (P,), optional
        Where to evaluate, instead of the network's own parameters, which stay as they are.
    l2 : float
        Adds ``l2 / 2 · Σ W²`` over all weights, not biases, to the loss.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error", init="zeros", dtype="float64")
    >>> net.hessian_vector_product([[3.0]], [1.0], v=[1.0, 0.0])
    array([18.,  6.])
    """
    rows, T, weights = _loss_data(net, X, y, sample_weight)
    _check_l2(net, l2)
    direction = _flat(net, v, "v")
    product: Array = derivatives_of(net._backend).hessian_vector_product(
        net._exact_network(parameters), rows, T, direction, weights
    )
    if l2:
        product += _penalty(net, l2) * direction
    return product


def hessian(
    net: DenseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    parameters: ArrayLike | None = None,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> Array:
    """The Hessian (P, P) of what `loss_and_gradient` gives; exactly symmetric.

    P products with unit vectors (see `hessian_vector_product`, whose parameters these are): for
    small networks.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error", init="zeros", dtype="float64")
    >>> net.hessian([[3.0]], [1.0])
    array([[18.,  6.],
           [ 6.,  2.]])
    """
    rows, T, weights = _loss_data(net, X, y, sample_weight)
    _check_l2(net, l2)
    H: Array = derivatives_of(net._backend).hessian(
        net._exact_network(parameters), rows, T, weights
    )
    if l2:
        H[np.diag_indices_from(H)] += _penalty(net, l2)
    return H


def taylor(
    net: DenseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    direction: ArrayLike,
    order: int,
    parameters: ArrayLike | None = None,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Taylor coefficients of the loss along a direction of the parameters.

    Entry k is the coefficient of tᵏ, the k-th derivative divided by k!, of the loss at
    ``parameters + t · direction``. Exact, by arithmetic on truncated power series (Griewank and
    Walther, Evaluating Derivatives, 2nd edition, SIAM 2008, chapter 13).

    Parameters
    ----------
    X, y, sample_weight
        As in `fit`.
    direction : array_like (P,)
    order : int
        The highest power of t, from 0 to 2²⁰.
    parameters, l2
        As in `loss_and_gradient`.

    Returns
    -------
    ndarray float64 (order + 1,)

    Raises
    ------
    ValueError
        Also where an activation or the loss has no Taylor series, as relu has none at 0.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error", init="zeros", dtype="float64")
    >>> net.taylor([[3.0]], [1.0], direction=[1.0, 0.0], order=3)  # (3 t - 1)²
    array([ 1., -6.,  9.,  0.])
    """
    rows, T, weights = _loss_data(net, X, y, sample_weight)
    _check_l2(net, l2)
    V = _flat(net, direction, "direction")
    n = checks.integer(order, "order", 0, MOST_ORDER)
    if l2 and parameters is None:  # loss and penalty at one point
        parameters = net.parameters
    network = net._exact_network(parameters)
    coefficients: NDArray[np.float64] = derivatives_of(net._backend).taylor(
        network, rows, T, V, n, weights
    )
    if l2:
        penalty, W = _penalty(net, l2), network.get_parameters().astype(np.float64)
        V = V.astype(np.float64)
        of_penalty = 0.5 * np.array([penalty @ W**2, 2 * (penalty * W) @ V, penalty @ V**2])
        coefficients[:3] += of_penalty[: n + 1]
    return coefficients


def taylor_outputs(
    net: DenseNetwork,
    X: ArrayLike,
    order: int,
    direction: ArrayLike | None = None,
    input_direction: ArrayLike | None = None,
) -> Array:
    """Taylor coefficients of the outputs along a direction of parameters, inputs or both.

    Parameters
    ----------
    X : array_like (N, D)
    order : int
        The highest power of t, from 0 to 2²⁰.
    direction : array_like (P,), optional
        How the parameters move; they stay if not given.
    input_direction : array_like (N, D), optional
        How the inputs move; they stay if not given.

    Returns
    -------
    ndarray (order + 1, N, K)
        Entry k holds the coefficients of tᵏ of ``forward(X + t · input_direction)`` at
        ``parameters + t · direction``; entry 0 is `forward`, entry 1 the dY of `jvp`.

    Raises
    ------
    ValueError
        Also where an activation has no Taylor series, as relu has none at 0.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], output_activation="tanh", loss="squared_error", dtype="float64")
    >>> net.parameters = [2.0, 0.0]
    >>> net.taylor_outputs([[0.0]], 3, input_direction=[[1.0]]).ravel().round(4)  # of tanh 2 t
    array([ 0.    ,  2.    ,  0.    , -2.6667])
    """
    rows = _rows(net, X)
    n = checks.integer(order, "order", 0, MOST_ORDER)
    if direction is None and input_direction is None:
        raise ValueError(
            "taylor_outputs: expected direction (P,), input_direction (N, D) or both, got neither"
        )
    outputs: Array = derivatives_of(net._backend).taylor_outputs(
        scores_of(net._exact_network()),
        rows,
        n,
        None if direction is None else _flat(net, direction, "direction"),
        _moves(net, rows, input_direction, "input_direction"),
    )
    return outputs


def _loss_data(
    net: DenseNetwork, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> Any:
    if net._of_choices:
        raise ValueError(
            f"loss: expected a sum over rows, got {net._loss}, whose terms span several rows; "
            "loss_and_gradient, vjp and jvp are there"
        )
    return net._data(X, y, sample_weight)


def _rows(net: DenseNetwork, X: ArrayLike, what: str = "X") -> Any:
    return net._rows(X, what)


def _moves(net: DenseNetwork, rows: Array, dX: ArrayLike | None, what: str) -> Any:
    if dX is None:
        return None
    moves = _rows(net, dX, what)
    if moves.shape[0] != rows.shape[0]:
        N = rows.shape[0]
        raise ValueError(f"{what}: expected {N} rows, as X has, got shape {moves.shape}")
    return moves


def _flat(net: DenseNetwork, vector: ArrayLike, what: str) -> Array:
    return checks.flat(vector, net.parameter_count, net._dtype, what)


def _check_l2(net: DenseNetwork, l2: float) -> None:
    checks.number(l2, "l2", 0.0, below=checks.largest(net._dtype))


def _penalty(net: DenseNetwork, l2: float) -> Array:
    """l2 where `parameters` holds a weight, 0 where it holds a bias (P,)."""
    return np.asarray(l2, dtype=net._dtype) * net._is_weight()
