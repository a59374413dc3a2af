"""Half a wave of a cosine, downwards."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ._base import Schedule


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `lr` to `final` in `steps` steps: PyTorch's CosineAnnealingLR, which then stays there.

    ``final + (lr - final) · (1 + cos(π step / steps)) / 2`` (Loshchilov and Hutter,
    arXiv:1608.03983, without restarts).

    Parameters
    ----------
    lr, final : float
    steps : int

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> lr = schedules.Cosine(0.1, steps=100)
    >>> lr(0), round(lr(50), 6), lr(100), lr(1000)
    (0.1, 0.05, 0.0, 0.0)
    """

    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        self._check("lr")
        self._check_integer("steps")
        self._check("final")

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        return between(float(self.lr), float(self.final), min(step / self.steps, 1.0))


def between(start: float, end: float, part: float) -> float:
    """`start` at part 0, `end` at part 1, along a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2
