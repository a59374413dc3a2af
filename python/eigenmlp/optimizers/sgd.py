"""Stochastic gradient descent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ._base import Optimizer


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent, as PyTorch defines it.

    ``g ← dW + weight_decay · W`` (weights only, not biases), ``v ← momentum · v + g``,
    ``W ← W - lr · v``; with Nesterov ``W ← W - lr · (g + momentum · v)``.

    With `lr_in_velocity` the velocity holds the learning rates of its time, as in Sutskever et al.
    (2013) and in scikit-learn: ``v ← momentum · v + lr · g``, ``W ← W - v``; with Nesterov
    ``W ← W - (lr · g + momentum · v)``. That is the same as long as `lr` stays.

    Parameters
    ----------
    lr : float or callable
        Learning rate, or a function of the step's number (from 0) that gives it.
    momentum : float
        In [0, 1); with `lr_in_velocity` also 1.
    nesterov : bool
        Needs a momentum.
    weight_decay : float
        Not negative.
    lr_in_velocity : bool
        A keyword: see above.
    clip_norm, l1, max_norm, penalty
        Keywords of every optimizer: see `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        For a number outside its range, with what was expected.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.SGD(0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    lr_in_velocity: bool = field(default=False, kw_only=True)

    rule: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("lr_in_velocity")
        below = math.nextafter(1.0, 2.0) if self.lr_in_velocity else 1.0
        self._check("momentum", 0.0, below=below)
        self._check("weight_decay", 0.0)
        self._check_flag("nesterov")
        if self.nesterov and self.momentum == 0:
            raise ValueError("SGD: nesterov: expected a momentum above 0, got momentum=0.0")

    def hyper(self) -> dict[str, float]:
        """The numbers that the rule uses, by name."""
        return {
            "momentum": float(self.momentum),
            "nesterov": float(self.nesterov),
            "weight_decay": float(self.weight_decay),
            "lr_in_velocity": float(self.lr_in_velocity),
        }

    @staticmethod
    def arguments(hyper: dict[str, float]) -> dict[str, Any]:
        """The constructor's arguments, but `lr`, from what `hyper` gave."""
        in_velocity = bool(hyper.get("lr_in_velocity", False))  # not in older files
        return {**hyper, "nesterov": bool(hyper["nesterov"]), "lr_in_velocity": in_velocity}
