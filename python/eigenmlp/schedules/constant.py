"""One learning rate for ever."""

from __future__ import annotations

from dataclasses import dataclass

from ._base import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate `lr` in every step, as a number alone would be.

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> schedules.Constant(0.1)(1000)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        self._check("lr")

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        return float(self.lr)
