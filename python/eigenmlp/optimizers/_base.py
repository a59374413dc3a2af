"""What all optimizers share, and the numbers that a step needs of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from .._basics.shown import shown
from .._inputs import checks

LearningRate = float | Callable[[int], float]


@dataclass(frozen=True, repr=False)
class Optimizer:
    """A frozen description; the rules themselves are in the core and in the twin.

    Parameters
    ----------
    lr : float or callable
        Learning rate, or a schedule, or a function of the update's number (from 0) that gives it.
    clip_norm : float, optional
        Clips the gradient's norm, over all parameters together, as PyTorch's ``clip_grad_norm_``:
        ``g ← g · min(1, clip_norm / (‖g‖ + 1e-6))``, before the weight decay.
    l1 : float
        Adds ``l1 · sign(W)`` to the weights' gradients (not the biases'), before the clipping:
        the derivative of ``l1 · Σ|W|``.
    max_norm : float, optional
        After each update, the incoming weights of each unit (a column of W) are scaled to a norm
        of at most this.
    penalty : float
        Adds ``penalty / 2 · Σ W²`` (weights only, not biases) to the sum of each batch's losses,
        before that is divided by the rows or their weights: scikit-learn's alpha. The losses
        that are reported are those without it, and `Trainer.apply` leaves it out. Not for
        ``segment_cross_entropy``.
    """

    lr: LearningRate
    clip_norm: float | None = field(default=None, kw_only=True)
    l1: float = field(default=0.0, kw_only=True)
    max_norm: float | None = field(default=None, kw_only=True)
    penalty: float = field(default=0.0, kw_only=True)

    rule: ClassVar[str]  # its name in the core and the twin

    def __post_init__(self) -> None:
        if not callable(self.lr):
            self._check("lr", 0.0)
        self._check("l1", 0.0)
        self._check("penalty", 0.0)
        for name in ("clip_norm", "max_norm"):
            if getattr(self, name) is not None:
                self._check_positive(name)

    def __repr__(self) -> str:
        """As it is made; keywords that say nothing are left out."""
        shown = [f for f in fields(self) if not f.kw_only or getattr(self, f.name) != f.default]
        shown.sort(key=lambda f: bool(f.kw_only))
        arguments = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown)
        return f"{type(self).__name__}({arguments})"

    def limits(self) -> dict[str, float | None]:
        """What holds an update back, beside the rule; the constructor's keywords."""
        return {
            "clip_norm": self.clip_norm,
            "l1": float(self.l1),
            "max_norm": self.max_norm,
            "penalty": float(self.penalty),
        }

    def hyper(self) -> dict[str, float]:
        """The numbers that the rule uses, by name."""
        raise TypeError(f"expected one of the optimizers, got {type(self).__name__}")

    @staticmethod
    def arguments(hyper: dict[str, float]) -> dict[str, Any]:
        """The constructor's arguments, but `lr`, from what `hyper` gave."""
        return dict(hyper)

    def _check(self, name: str, least: float, below: float = math.inf) -> None:
        what = f"{type(self).__name__}: {name}"
        checks.number(getattr(self, name), what, least, below=below)

    def _check_flag(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, bool):
            what = f"{type(self).__name__}: {name}"
            raise TypeError(f"{what}: expected True or False, got {shown(value)}")

    def _check_positive(self, name: str) -> None:
        what = f"{type(self).__name__}: {name}"
        if checks.number(getattr(self, name), what, 0.0) == 0:
            raise ValueError(f"{what}: expected a number above 0, got 0")


def learning_rates(lr: LearningRate, first: int, count: int, limit: float) -> list[float]:
    """The learning rates of steps first … first + count - 1; one number if it is constant.

    All are at least 0 and at most `limit`, which is what the network's dtype can hold.
    """
    if callable(lr):
        rates = {f"lr({step})": lr(step) for step in range(first, first + count)}
    else:
        rates = {"lr": lr}
    checked = [checks.number(rate, name, 0.0) for name, rate in rates.items()]
    if max(checked, default=0.0) > limit:
        raise ValueError(f"lr: expected at most {limit:g}, got {max(checked):g}")
    return checked
