"""Stochastic gradient descent as PyTorch defines it (`torch.optim.SGD`, dampening 0).

    g = dW + weight_decay W      for biases, g = dW
    v = momentum v + g
    W = W - lr v                 or, with Nesterov's momentum, W - lr (g + momentum v)

With lr_in_velocity (Sutskever et al. 2013), which is the same while lr stays:

    v = momentum v + lr g
    W = W - v                    or W - (lr g + momentum v)

The velocity v is 0 at first.
"""

import numpy as np

from eigenmlp.reference.types import Bools, Floats

state_names: tuple[str, ...] = ("velocity",)
defaults = {"momentum": 0.0, "nesterov": 0.0, "weight_decay": 0.0, "lr_in_velocity": 0.0}


def update(
    W: Floats,
    dW: Floats,
    is_weight: Bools,
    state: dict[str, Floats],
    lr: float,
    hyper: dict[str, float],
    t: int,
) -> None:
    """Change W (P,) and the velocity (P,) in place. Without momentum the velocity stays 0.

    Examples
    --------
    >>> W, dW, is_weight = np.array([1.0, 1.0]), np.array([0.5, 0.5]), np.array([True, False])
    >>> state = {"velocity": np.zeros(2)}
    >>> hyper = {**defaults, "momentum": 0.9, "weight_decay": 1.0}
    >>> update(W, dW, is_weight, state, 0.1, hyper, t=1)
    >>> W, state["velocity"]
    (array([0.85, 0.95]), array([1.5, 0.5]))
    """
    momentum = hyper["momentum"]
    g = np.where(is_weight, dW + hyper["weight_decay"] * W, dW)
    if momentum == 0:
        W -= lr * g
        return

    into, out_of = (lr, 1.0) if hyper["lr_in_velocity"] else (1.0, lr)
    v = state["velocity"]
    v[:] = momentum * v + into * g
    if hyper["nesterov"]:
        W -= out_of * (into * g + momentum * v)
    else:
        W -= out_of * v
