"""AdamW (Loshchilov and Hutter, arXiv:1711.05101) as PyTorch defines it (`torch.optim.AdamW`).

    W = (1 - lr weight_decay) W                weights, not biases

and then Adam's update by the gradient alone; see `adam.py`.
"""

import numpy as np

from eigenmlp.reference.optimizers import adam
from eigenmlp.reference.types import Bools, Floats

state_names = adam.state_names
defaults = {**adam.defaults, "weight_decay": 0.01}


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
    >>> W, dW, is_weight = np.array([1.0, 1.0]), np.array([0.0, 0.0]), np.array([True, False])
    >>> state = {"mean": np.zeros(2), "mean_square": np.zeros(2)}
    >>> update(W, dW, is_weight, state, 0.1, {**defaults, "weight_decay": 0.5}, t=1)
    >>> W
    array([0.95, 1.  ])
    """
    W[:] = np.where(is_weight, (1 - lr * hyper["weight_decay"]) * W, W)
    adam.move(W, dW, state["mean"], state["mean_square"], lr, hyper, t)
