"""Small steps first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .._inputs import checks
from ._base import Schedule
from .reduce_on_plateau import ReduceOnPlateau


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A line from ``start · lr`` to ``lr`` in `steps` steps, and then another schedule.

    ``lr`` is what `then` begins with, and its own step 0 comes after the warm-up: PyTorch's
    LinearLR and SequentialLR.

    Parameters
    ----------
    steps : int
    then : float or callable
        A learning rate, a schedule, or a function of the step's number (from 0); not
        `ReduceOnPlateau`.
    start : float
        Share of ``lr`` in step 0.

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> lr = schedules.WarmUp(4, then=schedules.Step(0.1, every=10), start=0.0)
    >>> lr(0), lr(2), lr(4), lr(13), round(lr(14), 6)
    (0.0, 0.05, 0.1, 0.1, 0.01)
    """

    steps: int
    then: float | Callable[[int], float]
    start: float = 1 / 3

    def __post_init__(self) -> None:
        self._check_integer("steps")
        if isinstance(self.then, ReduceOnPlateau):
            raise TypeError("WarmUp: then: expected a function of the step, got ReduceOnPlateau")
        if not callable(self.then):
            self._check("then")
        self._check("start")

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        if step >= self.steps:
            return self._then(step - self.steps)
        return self._then(0) * (self.start + (1 - self.start) * (step / self.steps))

    def _then(self, step: int) -> float:
        lr = self.then(step) if callable(self.then) else self.then
        return checks.number(lr, f"WarmUp: then({step})", 0.0)
