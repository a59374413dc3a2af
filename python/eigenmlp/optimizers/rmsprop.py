"""RMSprop: gradients divided by their running size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ._base import LearningRate, Optimizer


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton, 2012), as PyTorch defines it.

    ``g ← dW + weight_decay · W`` (weights only, not biases), ``s ← alpha · s + (1 - alpha) · g²``,
    ``r = g / (√s + eps)``, ``W ← W - lr · r``; with momentum ``v ← momentum · v + r``,
    ``W ← W - lr · v``.

    Parameters
    ----------
    lr : float or callable
        Learning rate, or a function of the step's number (from 0) that gives it.
    alpha : float
        In [0, 1).
    eps : float
        Above 0.
    weight_decay : float
        Not negative.
    momentum : float
        In [0, 1).
    centered : bool
        Divide by the running deviation ``√(s - a²)`` instead, a being the running mean of g.
    clip_norm, l1, max_norm, penalty
        Keywords of every optimizer: see `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        For a number outside its range, with what was expected.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.RMSprop(1e-3, momentum=0.9)
    RMSprop(lr=0.001, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.9, centered=False)
    """

    lr: LearningRate = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    rule: ClassVar[str] = "rmsprop"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("alpha", 0.0, below=1.0)
        self._check_positive("eps")
        self._check("weight_decay", 0.0)
        self._check("momentum", 0.0, below=1.0)
        self._check_flag("centered")

    def hyper(self) -> dict[str, float]:
        """The numbers that the rule uses, by name."""
        return {
            "alpha": float(self.alpha),
            "eps": float(self.eps),
            "weight_decay": float(self.weight_decay),
            "momentum": float(self.momentum),
            "centered": float(self.centered),
        }

    @staticmethod
    def arguments(hyper: dict[str, float]) -> dict[str, Any]:
        """The constructor's arguments, but `lr`, from what `hyper` gave."""
        return {**hyper, "centered": bool(hyper["centered"])}
