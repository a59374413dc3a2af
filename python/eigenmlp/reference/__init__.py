"""The twin: the library once more in plain NumPy, written to be read.

It has the core's file names and symbols, and nothing of its speed. A layer is

    Z = X @ W + b        X (N, D), W (D, K), b (K,), Z (N, K)
    Y = f(Z)             Y (N, K)

and, given dY (N, K), the gradient of a number with respect to Y, its backward pass is

    dZ = dY * f'(Z)      dZ (N, K)
    dW = X.T @ dZ        dW (D, K)
    db = sum of dZ over rows        db (K,)
    dX = dZ @ W.T        dX (N, D), which is the dY of the layer before

Where to read on: `network.py` (these lines), `loss.py`, then `trainer.py` (the step).
Arithmetic is float64 unless a network is told otherwise; arguments are not checked here.
"""

from eigenmlp.reference.network import Network
from eigenmlp.reference.trainer import Trainer

__all__ = ["Network", "Trainer"]
