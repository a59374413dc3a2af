"""Directions of derivatives, and which functions have derivatives of every order."""

from typing import Any

import numpy as np

import eigenmlp as em
from eigenmlp.reference.activation import ROW_ACTIVATIONS, find

Array = Any


def has_series(name: str) -> bool:
    return name in ROW_ACTIVATIONS or find(name).no_series is None


def directions(net: em.MLP, X: Array, seed: int = 5) -> tuple[Array, Array]:
    """A direction of the parameters (P,), and one of the inputs (N, D)."""
    rng = np.random.default_rng(seed)
    v = rng.normal(0, 1, net.parameter_count).astype(net.dtype)
    return v, rng.normal(0, 1, X.shape).astype(net.dtype)
