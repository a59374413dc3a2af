"""What all optimizers share, and the numbers that a step needs of them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

LearningRate = float | Callable[[int], float]


@dataclass(frozen=True)
class Optimizer:
    """A frozen description; the rules themselves are in the core and in the twin.

    Attributes
    ----------
    lr : float or callable
        Learning rate, or a function of the update's number (from 0) that gives it.
    rule : str
        The rule's name there.
    """

    lr: LearningRate

    rule: ClassVar[str]

    def __post_init__(self) -> None:
        if not callable(self.lr):
            self._check("lr", 0.0)

    def hyper(self) -> dict[str, float]:
        """The numbers that the rule uses, by name."""
        raise TypeError(f"expected one of the optimizers, got {type(self).__name__}")

    @staticmethod
    def arguments(hyper: dict[str, float]) -> dict[str, Any]:
        """The constructor's arguments, but `lr`, from what `hyper` gave."""
        return dict(hyper)

    def _check(self, name: str, least: float, below: float = math.inf) -> None:
        what = f"{type(self).__name__}: {name}"
        checked_number(getattr(self, name), what, least, below=below)

    def _check_flag(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, bool):
            what = f"{type(self).__name__}: {name}"
            raise TypeError(f"{what}: expected True or False, got {value!r}")

    def _check_eps(self) -> None:
        name = type(self).__name__
        if checked_number(self.eps, f"{name}: eps", 0.0) == 0:  # type: ignore[attr-defined]
            raise ValueError(f"{name}: eps: expected a number above 0, got 0")


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
