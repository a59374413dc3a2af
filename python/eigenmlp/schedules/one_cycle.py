"""Up, and down again."""

from __future__ import annotations

from dataclasses import dataclass

from .._inputs import checks
from ._base import Schedule
from .cosine import between


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to `max_lr` and down to nearly nothing in `steps` steps: PyTorch's OneCycleLR.

    Along cosines (Smith and Topin, arXiv:1708.07120) from ``max_lr / div_factor`` up, for the share
    `pct_start` of the steps, and down to ``max_lr / div_factor / final_div_factor``, where it
    stays. The momentum is left alone (``cycle_momentum=False``).

    Parameters
    ----------
    max_lr : float
    steps : int
    pct_start : float
        In [0, 1].
    div_factor, final_div_factor : float
        Above 0.

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> lr = schedules.OneCycle(0.1, steps=100)
    >>> round(lr(0), 6), lr(29), lr(99) < 1e-6
    (0.004, 0.1, True)
    """

    max_lr: float
    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        self._check("max_lr")
        self._check_integer("steps")
        if self._check("pct_start") > 1:
            raise ValueError(f"OneCycle: pct_start: expected at most 1, got {self.pct_start}")
        for name in ("div_factor", "final_div_factor"):
            if checks.number(getattr(self, name), f"OneCycle: {name}", 0.0) == 0:
                raise ValueError(f"OneCycle: {name}: expected a number above 0, got 0")

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        first = self.max_lr / self.div_factor
        top, end = self.pct_start * self.steps - 1, self.steps - 1
        if step <= top:
            return between(first, self.max_lr, step / top if top > 0 else 1.0)
        last = first / self.final_div_factor
        part = (step - top) / (end - top) if end > top else 1.0
        return between(self.max_lr, last, min(part, 1.0))
