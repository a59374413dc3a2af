"""The same factor in every step."""

from __future__ import annotations

from dataclasses import dataclass

from ._base import Schedule
from .step import power


@dataclass(frozen=True)
class Exponential(Schedule):
    """``lr · factor ** step``: PyTorch's ExponentialLR.

    Parameters
    ----------
    lr : float
        In step 0.
    factor : float
        Not negative.

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> schedules.Exponential(0.1, factor=0.5)(2)
    0.025
    """

    lr: float
    factor: float

    def __post_init__(self) -> None:
        self._check("lr")
        self._check("factor")

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        return self.lr * power(self.factor, step)
