"""A staircase."""

from __future__ import annotations

from dataclasses import dataclass

from ._base import Schedule


@dataclass(frozen=True)
class Step(Schedule):
    """``lr · factor ** (step // every)``: PyTorch's StepLR.

    Parameters
    ----------
    lr : float
        At first.
    every : int
        Steps between one change and the next.
    factor : float
        Not negative.

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> lr = schedules.Step(0.1, every=10, factor=0.5)
    >>> lr(9), lr(10), lr(29)
    (0.1, 0.05, 0.025)
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        self._check("lr")
        self._check_integer("every")
        self._check("factor")

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        return self.lr * power(self.factor, step // self.every)


def power(factor: float, n: int) -> float:
    """``factor ** n``, infinite where a float cannot hold it."""
    try:
        return float(factor) ** n
    except OverflowError:
        return float("inf")
