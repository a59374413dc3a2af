"""Optimizers, as frozen descriptions; the rules themselves are in the core and in the twin."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

LearningRate = float | Callable[[int], float]


class Optimizer(Protocol):
    """What a trainer needs to know of an optimizer."""

    @property
    def lr(self) -> LearningRate: ...
    @property
    def rule(self) -> str: ...
    def hyper(self) -> dict[str, float]: ...


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, as PyTorch defines it.

    ``g ← dW + weight_decay · W`` (weights only, not biases), ``v ← momentum · v + g``,
    ``W ← W - lr · v``; with Nesterov ``W ← W - lr · (g + momentum · v)``.

    Parameters
    ----------
    lr : float or callable
        Learning rate, or a function of the step's number (from 0) that gives it.
    momentum : float
        In [0, 1).
    nesterov : bool
        Needs a momentum.
    weight_decay : float
        Not negative.

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

    lr: LearningRate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    rule: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        if not callable(self.lr):
            checked_number(self.lr, "SGD: lr", 0.0)
        checked_number(self.momentum, "SGD: momentum", 0.0, below=1.0)
        checked_number(self.weight_decay, "SGD: weight_decay", 0.0)
        if not isinstance(self.nesterov, bool):
            raise TypeError(f"SGD: nesterov: expected True or False, got {self.nesterov!r}")
        if self.nesterov and self.momentum == 0:
            raise ValueError("SGD: nesterov: expected a momentum above 0, got momentum=0.0")

    def hyper(self) -> dict[str, float]:
        """The numbers that the rule uses, by name."""
        return {
            "momentum": float(self.momentum),
            "nesterov": float(self.nesterov),
            "weight_decay": float(self.weight_decay),
        }

    @staticmethod
    def arguments(hyper: dict[str, float]) -> dict[str, Any]:
        """The constructor's arguments, but `lr`, from what `hyper` gave."""
        return {**hyper, "nesterov": bool(hyper["nesterov"])}


OPTIMIZERS: dict[str, type[SGD]] = {"SGD": SGD}


def checked_number(
    value: object, what: str, least: float = -math.inf, below: float = math.inf
) -> float:
    """`value` as a float, if it is a finite number with ``least <= value < below``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what}: expected a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and least <= number < below):
        upper = f" and below {below:g}" if below < math.inf else ""
        lower = f" of at least {least:g}" if least > -math.inf else ""
        raise ValueError(f"{what}: expected a finite number{lower}{upper}, got {value!r}")
    return number


def learning_rates(lr: LearningRate, first: int, count: int, limit: float) -> list[float]:
    """The learning rates of steps first … first + count - 1; one number if it is constant.

    All are at least 0 and at most `limit`, which is what the network's dtype can hold.
    """
    steps = range(first, first + count)
    rates = {f"lr({step})": lr(step) for step in steps} if callable(lr) else {"lr": lr}
    checked = [checked_number(rate, name, 0.0) for name, rate in rates.items()]
    if max(checked, default=0.0) > limit:
        raise ValueError(f"lr: expected at most {limit:g}, got {max(checked):g}")
    return checked
