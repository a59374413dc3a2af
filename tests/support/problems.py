"""Small problems for any network: data, targets, and the network on both backends."""

from typing import Any

import numpy as np
import numpy.typing as npt

import eigenmlp as em

from .names import name_of

Array = npt.NDArray[Any]


def make_targets(loss: str, rows: int, outputs: int, seed: int = 0, soft: bool = False) -> Array:
    """Labels (N,) for softmax_cross_entropy unless `soft`; else targets (N, K) in [0, 1]."""
    loss = name_of(loss)
    rng = np.random.default_rng(seed)
    if loss == "softmax_cross_entropy" and not soft:
        return rng.integers(0, outputs, rows)
    T = rng.uniform(0, 1, (rows, outputs))
    if loss == "softmax_cross_entropy":
        T /= T.sum(axis=1, keepdims=True)
    elif loss.endswith("cross_entropy") and not soft:
        T = np.round(T)
    return T


def make_data(
    sizes: list[int], loss: str, rows: int, dtype: str = "float64", seed: int = 0
) -> tuple[Array, Array]:
    """X (N, D) and targets, the same numbers for every backend and dtype up to rounding."""
    X = np.random.default_rng(seed).normal(0, 1, (rows, sizes[0])).astype(dtype)
    T = make_targets(loss, rows, sizes[-1], seed)
    return X, T if T.dtype.kind == "i" else T.astype(dtype)


def make_net(sizes: list[int], seed: int = 0, bias: bool = True, **options: Any) -> em.MLP:
    """A network whose biases, if it has any, are not 0."""
    net = em.MLP(sizes, seed=seed, bias=bias, **options)
    rng = np.random.default_rng(seed + 1)
    net.parameters = net.parameters + rng.normal(0, 0.1, net.parameter_count)
    return net


def both(net: em.MLP, **options: Any) -> tuple[em.MLP, em.MLP]:
    """The network on both backends, with the same parameters."""
    twin = em.MLP(**{**net.config, "backend": "numpy", **options})
    twin.parameters = net.parameters
    return net, twin
