"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """One entry an epoch in every list; a list is empty where there was nothing to measure.

    Attributes
    ----------
    loss : list of float
        Mean loss over the epoch's batches, each before its update.
    accuracy : list of float
        Share of rows classified right during the epoch; empty where the loss does not classify.
    val_loss, val_accuracy : list of float
        On the validation data, after the epoch.
    seconds : list of float
        Time of each epoch's training, without validation and callbacks.
    rows : int
        Rows of the data set.
    """

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    rows: int = 0

    @property
    def samples_per_second(self) -> float:
        """Training rows per second over the whole run; 0 before the first epoch."""
        total = sum(self.seconds)
        return self.rows * len(self.seconds) / total if total > 0 else 0.0

    def plot(self, ax: Any = None) -> Any:
        """Loss (and validation loss) by epoch on Matplotlib axes, which are returned.

        Needs ``pip install matplotlib``. The same as `eigenmlp.plot.loss_curve`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        """
        from .plot import loss_curve

        return loss_curve(self, ax)
