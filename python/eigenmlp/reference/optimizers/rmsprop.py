"""RMSprop (Tieleman and Hinton, 2012) as PyTorch defines it (`torch.optim.RMSprop`).

    g = dW + weight_decay W                    for biases, g = dW
    s = alpha s + (1 - alpha) g²
    r = g / (√s + eps)                         centered: g / (√(s - a²) + eps)
                                               with a = alpha a + (1 - alpha) g
    W = W - lr r                               with momentum: v = momentum v + r, W = W - lr v

s ("mean_square"), v ("velocity") and a ("mean") are 0 at first, and stay so where they are not
used. s - a², a variance, counts as 0 where rounding made it negative; PyTorch's result is NaN then.
"""

import numpy as np

from eigenmlp.reference.types import Bools, Floats

state_names: tuple[str, ...] = ("mean_square", "velocity", "mean")
defaults = {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "centered": 0.0}


def update(
    W: Floats,
    dW: Floats,
    is_weight: Bools,
    state: dict[str, Floats],
    lr: float,
    hyper: dict[str, float],
    t: int,
) -> None:
    """Change W (P,) and the state (P,) in place.

    Examples
    --------
    >>> W, dW, is_weight = np.array([1.0, 1.0]), np.array([0.5, -7.0]), np.array([True, False])
    >>> state = {name: np.zeros(2) for name in state_names}
    >>> update(W, dW, is_weight, state, 0.01, defaults, t=1)
    >>> W.round(6), state["mean_square"].round(6)
    (array([0.9, 1.1]), array([0.0025, 0.49  ]))
    """
    alpha, momentum = hyper["alpha"], hyper["momentum"]
    g = np.where(is_weight, dW + hyper["weight_decay"] * W, dW)
    s, v, a = state["mean_square"], state["velocity"], state["mean"]
    s[:] = alpha * s + (1 - alpha) * (g * g)
    square: Floats = s
    if hyper["centered"]:
        a += (1 - alpha) * (g - a)
        square = np.maximum(s - a * a, 0)

    r: Floats = g / (np.sqrt(square) + hyper["eps"])
    if momentum:
        v[:] = momentum * v + r
        r = v
    W -= lr * r
