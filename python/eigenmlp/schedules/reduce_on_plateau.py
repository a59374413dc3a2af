"""Less when the loss no longer falls."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._inputs import checks
from ._base import Schedule


@dataclass(frozen=True)
class Plateau:
    """How far a run is; the trainer keeps it, and its file holds it."""

    lr: float
    best: float | None = None  # the lowest loss so far
    bad_epochs: int = 0  # since then, or since the last reduction
    cooldown: int = 0  # epochs that still count for nothing


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """Multiply the rate by `factor` after `patience` epochs in vain: PyTorch's ReduceLROnPlateau.

    After each epoch of a run the trainer looks at the validation loss, or at the training loss
    where there is no validation. Loops over `Trainer.step` have no epochs: the rate stays there.

    Parameters
    ----------
    lr : float
        At first.
    factor : float
        In [0, 1).
    patience : int
        Epochs without a better loss that are borne; the next one lowers the rate.
    threshold : float
        A loss is better below ``best · (1 - threshold)``, or below ``best - threshold``.
    threshold_mode : str
        ``"rel"`` or ``"abs"``, for these two.
    cooldown : int
        Epochs after a reduction that count for nothing.
    min_lr : float
        The rate never falls below it.
    eps : float
        A reduction by no more than this is not made.

    Examples
    --------
    >>> from eigenmlp import schedules
    >>> lr = schedules.ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> plateau = lr.start()
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     plateau = lr.after_epoch(plateau, loss)
    >>> plateau.lr
    0.05
    """

    lr: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8

    def __post_init__(self) -> None:
        self._check("lr")
        checks.number(self.factor, "ReduceOnPlateau: factor", 0.0, below=1.0)
        self._check_integer("patience", 0)
        self._check("threshold")
        checks.known(self.threshold_mode, ("rel", "abs"), "ReduceOnPlateau: threshold_mode")
        self._check_integer("cooldown", 0)
        self._check("min_lr")
        self._check("eps")

    def __call__(self, step: int) -> float:
        """The learning rate at first; what it is later depends on the losses."""
        return float(self.lr)

    def start(self) -> Plateau:
        """Before the first epoch."""
        return Plateau(float(self.lr))

    def after_epoch(self, plateau: Plateau, loss: float) -> Plateau:
        """What an epoch with this loss makes of it."""
        best, bad_epochs = plateau.best, plateau.bad_epochs + 1
        if best is None or loss < self._limit(best):
            best, bad_epochs = loss, 0
        cooldown = plateau.cooldown
        if cooldown > 0:
            cooldown, bad_epochs = cooldown - 1, 0
        lr = plateau.lr
        if bad_epochs > self.patience:
            lower = max(lr * self.factor, self.min_lr)
            lr = lower if lr - lower > self.eps else lr
            cooldown, bad_epochs = self.cooldown, 0
        return Plateau(lr, best if math.isfinite(best) else None, bad_epochs, cooldown)

    def _limit(self, best: float) -> float:
        relative = self.threshold_mode == "rel"
        return best * (1 - self.threshold) if relative else best - self.threshold
