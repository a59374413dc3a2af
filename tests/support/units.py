"""Networks with units of the columns, and the same by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

import eigenmlp as em

UNITS = ("input_shift", "input_scale", "output_shift", "output_scale")
VALUES = [
    "squared_error", "half_squared_error", "absolute_error", "huber", "huber(delta=20000.0)",
    "quantile(q=0.3)", "quantile(q=[0.3, 0.8])",
]  # fmt: skip
N, D, K = 90, 5, 2


def table(seed: int = 0) -> tuple[Any, Any]:
    """Columns of many units, one of which does not vary; targets of 10⁶ and of 10⁻³."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(N, D))
    X = Z * [1, 10, 1e3, 1e-3, 0] + [1e6, 0, 5e5, 3, 7]
    y = np.stack([1e5 * (Z[:, 0] + np.sin(Z[:, 1])) + 1e6, 1e-3 * Z[:, 2] * Z[:, 3]], axis=1)
    return X, y


def make(loss: str = "squared_error", **options: Any) -> em.MLP:
    options = {"activation": "tanh", "dtype": "float64", "seed": 0, **options}
    return em.MLP([D, 7, K], loss=loss, standardize=True, **options)


def by_hand(net: em.MLP, X: Any, y: Any) -> tuple[em.MLP, Any, Any]:
    """The network without units, and what it must be given instead of X and y."""
    config = {k: v for k, v in net.config.items() if k not in (*UNITS, "standardize")}
    plain = em.MLP(**config)
    plain.parameters = net.parameters
    m, s, b, a = (getattr(net, name) for name in UNITS)
    return plain, (X - m) * s, (y - b) / a
