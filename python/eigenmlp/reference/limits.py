"""What holds an update back, beside the optimizer's rule.

L1, a penalty on the squares of the weights, clipping by norm, and max-norm.
"""

import numpy as np

from eigenmlp.reference.types import Bools, Floats


def add_l1(dW: Floats, W: Floats, is_weight: Bools, l1: float) -> Floats:
    """dW + l1 sign(W), the derivative with l1 Σ|W| in the loss; biases are left out.

    Examples
    --------
    >>> dW, W, is_weight = np.zeros(3), np.array([2.0, -3.0, 4.0]), np.array([True, True, False])
    >>> add_l1(dW, W, is_weight, 0.5)
    array([ 0.5, -0.5,  0. ])
    """
    return dW + l1 * np.where(is_weight, np.sign(W), 0) if l1 else dW


def add_penalty(dW: Floats, W: Floats, is_weight: Bools, factor: float) -> Floats:
    """dW + factor W, the derivative with factor / 2 · ΣW² in the loss; biases are left out.

    Examples
    --------
    >>> dW, W, is_weight = np.ones(3), np.array([2.0, -3.0, 4.0]), np.array([True, True, False])
    >>> add_penalty(dW, W, is_weight, 0.5)
    array([ 2. , -0.5,  1. ])
    """
    return dW + factor * np.where(is_weight, W, 0) if factor else dW


@np.errstate(over="ignore")
def penalty(W: Floats, is_weight: Bools, factor: float) -> float:
    """factor / 2 · ΣW², summed in float64; biases are left out.

    Examples
    --------
    >>> penalty(np.array([2.0, 3.0, 4.0]), np.array([True, True, False]), 0.5)
    3.25
    """
    if factor == 0:
        return 0.0
    w = np.where(is_weight, W, 0).astype(np.promote_types(W.dtype, np.float64))
    return float(factor / 2 * np.sum(w * w))


def clip(dW: Floats, clip_norm: float) -> Floats:
    """dW times min(1, clip_norm / (‖dW‖ + 1e-6)), as PyTorch's clip_grad_norm_.

    Examples
    --------
    >>> clip(np.array([3.0, 4.0]), 1.0).round(5)
    array([0.6, 0.8])
    >>> clip(np.array([3.0, 4.0]), 10.0)
    array([3., 4.])
    """
    if clip_norm == np.inf:
        return dW
    g = dW.astype(np.promote_types(dW.dtype, np.float64))
    norm = float(np.sqrt(np.sum(g * g)))
    return dW * min(1.0, clip_norm / (norm + 1e-6))


def bound_columns(weights: list[Floats], max_norm: float) -> None:
    """Scale each unit's incoming weights, a column of W (in, out), to a norm of at most max_norm.

    Examples
    --------
    >>> W = np.array([[3.0, 0.3], [4.0, 0.4]])
    >>> bound_columns([W], 1.0)
    >>> W
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    if max_norm == np.inf:
        return
    for W in weights:
        w = W.astype(np.promote_types(W.dtype, np.float64))
        norms = np.sqrt(np.sum(w * w, axis=0))
        W *= max_norm / np.maximum(norms, max_norm)
