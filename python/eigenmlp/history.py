"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._basics import html

_SHOWN = 12  # epochs in a notebook's table
_LISTS = ("loss", "val_loss", "accuracy", "val_accuracy", "seconds")


@dataclass(repr=False)
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

    def __repr__(self) -> str:
        """The run in a line: its first loss, and its last numbers."""
        if not self.loss:
            return "<History of 0 epochs>"
        epochs = f"{len(self.loss):,} epoch{'s' if len(self.loss) > 1 else ''}"
        first = f"{self.loss[0]:.4g} → " if len(self.loss) > 1 else ""
        parts = [f"loss {first}{self.loss[-1]:.4g}"]
        for name in _LISTS[1:4]:
            if values := getattr(self, name):
                parts.append(f"{name} {values[-1]:.4g}")
        speed = f"{sum(self.seconds):.3g} s, {self.samples_per_second:,.0f} samples/s"
        return f"<History of {epochs}: {', '.join(parts)}; {speed}>"

    def _repr_html_(self) -> str:
        """A table of a dozen epochs, the first and the last among them."""
        names = [name for name in _LISTS if getattr(self, name)]
        count = len(self.loss)
        last = max(1, min(count, _SHOWN) - 1)
        epochs = sorted({round(i * (count - 1) / last) for i in range(last + 1)}) if count else []
        rows = [
            [f"{epoch + 1:,}", *(f"{values[epoch]:.4g}" if epoch < len(values) else ""
                                 for values in (getattr(self, name) for name in names))]
            for epoch in epochs
        ]  # fmt: skip
        return html.table(repr(self).strip("<>"), ["epoch", *names], rows)

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
