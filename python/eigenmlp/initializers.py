"""Initial weights and biases, drawn from a NumPy generator, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._inputs import checks

Draw = Callable[[np.random.Generator, int, int], NDArray[np.float64]]
Initializer = Callable[[np.random.Generator, int, int], tuple[ArrayLike, ArrayLike | None]]

RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus")


def _normal(deviation: Callable[[int, int], float]) -> Draw:
    return lambda rng, D, K: rng.standard_normal((D, K)) * deviation(D, K)


def _uniform(limit: Callable[[int, int], float]) -> Draw:
    return lambda rng, D, K: rng.uniform(-limit(D, K), limit(D, K), (D, K))


# He et al. 2015 (https://arxiv.org/abs/1502.01852): variance 2 / D.
# Glorot and Bengio 2010 (https://proceedings.mlr.press/v9/glorot10a.html): variance 2 / (D + K).
# A uniform distribution in [-a, a] has variance a² / 3.
INITIALIZERS: dict[str, Draw] = {
    "he_normal": _normal(lambda D, K: math.sqrt(2 / D)),
    "he_uniform": _uniform(lambda D, K: math.sqrt(6 / D)),
    "glorot_normal": _normal(lambda D, K: math.sqrt(2 / (D + K))),
    "glorot_uniform": _uniform(lambda D, K: math.sqrt(6 / (D + K))),
    "normal": _normal(lambda D, K: 0.01),
    "zeros": lambda rng, D, K: np.zeros((D, K)),
}


def initial_parameters(
    layer_sizes: list[int],
    activations: list[str],
    bias: bool,
    init: str | Initializer,
    rng: np.random.Generator,
    dtype: str,
) -> NDArray[np.float64]:
    """The flat vector W0, b0, W1, b1, … (P,); biases start at 0 unless `init` is a callable."""
    parts: list[NDArray[np.float64]] = []
    for D, K, activation in zip(layer_sizes[:-1], layer_sizes[1:], activations, strict=True):
        if callable(init):
            W, b = _called(init, rng, D, K, dtype)
        else:
            auto = "he_normal" if activation in RELU_FAMILY else "glorot_uniform"
            W, b = INITIALIZERS[auto if init == "auto" else init](rng, D, K), np.zeros(K)
        parts.append(W.ravel())
        if bias:
            parts.append(b)
    return np.concatenate(parts)


def _called(
    init: Initializer, rng: np.random.Generator, D: int, K: int, dtype: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    result = init(rng, D, K)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"init: expected (W, b) from the callable, got {type(result).__name__}")
    W = checks.numbers(result[0], "init: W")
    b = np.zeros(K) if result[1] is None else checks.numbers(result[1], "init: b")
    if W.shape != (D, K) or b.shape not in ((K,), ()):
        raise ValueError(
            f"init: expected W of shape ({D}, {K}) and b of shape ({K},), "
            f"got {W.shape} and {b.shape}"
        )
    b = np.broadcast_to(b, (K,))
    checks.finite(W, "init: W", dtype)
    checks.finite(b, "init: b", dtype)
    return W.astype(np.float64), b.astype(np.float64)
