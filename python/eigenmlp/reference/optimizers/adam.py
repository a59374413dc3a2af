"""Adam (Kingma and Ba, arXiv:1412.6980) as PyTorch defines it (`torch.optim.Adam`).

    g = dW + weight_decay W                    for biases, g = dW
    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g²
    W = W - lr (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + eps)

or, with raw_eps, √v + eps before the root's correction:

    W = W - lr √(1 - beta2ᵗ) / (1 - beta1ᵗ) m / (√v + eps)

in update t = 1, 2, …; the moments m ("mean") and v ("mean_square") are 0 at first.
"""

import math

import numpy as np

from eigenmlp.reference.types import Bools, Floats

state_names: tuple[str, ...] = ("mean", "mean_square")
defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "raw_eps": 0.0}


def update(
    W: Floats,
    dW: Floats,
    is_weight: Bools,
    state: dict[str, Floats],
    lr: float,
    hyper: dict[str, float],
    t: int,
) -> None:
    """Change W (P,) and both moments (P,) in place.

    Examples
    --------
    In its first update every weight moves by lr, against its gradient's sign:

    >>> W, dW, is_weight = np.array([1.0, 1.0]), np.array([0.5, -7.0]), np.array([True, False])
    >>> state = {"mean": np.zeros(2), "mean_square": np.zeros(2)}
    >>> update(W, dW, is_weight, state, 0.1, defaults, t=1)
    >>> W.round(6), state["mean"].round(6)
    (array([0.9, 1.1]), array([ 0.05, -0.7 ]))
    """
    g = np.where(is_weight, dW + hyper["weight_decay"] * W, dW)
    move(W, g, state["mean"], state["mean_square"], lr, hyper, t)


def move(
    W: Floats, g: Floats, m: Floats, v: Floats, lr: float, hyper: dict[str, float], t: int
) -> None:
    """The part that AdamW shares."""
    beta1, beta2 = hyper["beta1"], hyper["beta2"]
    m += (1 - beta1) * (g - m)
    v[:] = beta2 * v + (1 - beta2) * (g * g)
    rate, root = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    eps = hyper["eps"] * (root if hyper["raw_eps"] else 1.0)
    W -= rate * m / (np.sqrt(v) * root + eps)
