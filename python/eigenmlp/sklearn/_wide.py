"""Outputs for wide sparse rows, as of texts: the first product by SciPy, which skips the zeros.

The core makes panels of rows, zeros and all: in training the same panels serve three products, and
the results are those of dense rows to the bit. To predict there is one product, which is nearly all
of the work where a row has thousands of columns and a few numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mlp import MLP
from ..reference import activation
from ._network import layers

Array = NDArray[Any]

# SciPy takes about as long for a number as the core for so many zeros, on two cores.
_ZEROS = 32
# The weights are copied once: as many rows are worth it.
_ROWS = 32


def is_wide(net: MLP, X: Any) -> bool:
    """Whether CSR rows X (N, D) have so few numbers that the core would mostly multiply zeros."""
    N, D = X.shape
    return N >= _ROWS and X.nnz * _ZEROS <= N * D and not net._rounds


def forward(net: MLP, X: Any) -> Array | None:
    """Outputs (N, K), those of the core to rounding; None where a number is not finite."""
    config, sizes = net.config, net.layer_sizes
    flat = net.parameters
    (W, *_), (b, *_) = layers(flat, sizes)
    with np.errstate(over="ignore", invalid="ignore"):
        X = X.astype(net.dtype, copy=False)
        Z: Array = X @ W
        Z += b
        if not (np.isfinite(X.data).all() and np.isfinite(Z).all()):
            return None
        if len(sizes) == 2:
            return Z
        Y = activation.forward(config["activation"][0], Z)
    rest = MLP(
        **{
            **config,
            "layer_sizes": sizes[1:],
            "activation": config["activation"][1:],
            "dropout": 0.0,
            "init": "zeros",
        }
    )
    rest.parameters = flat[W.size + b.size :]
    outputs: Array | None = rest._network.forward(np.ascontiguousarray(Y, net.dtype))
    return outputs
