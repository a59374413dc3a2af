"""The best epoch of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .history import History

if TYPE_CHECKING:
    from .mlp import MLP

Array = NDArray[Any]


class Best:
    """The best epoch so far, for early stopping; does nothing without patience."""

    def __init__(self, patience: int | None, net: MLP) -> None:
        self.patience, self.net = patience, net
        self.loss, self.epoch = math.inf, 0
        self.parameters: Array | None = None

    def is_over(self, history: History) -> bool:
        """Whether as many epochs as patience allows have brought nothing better."""
        if self.patience is None:
            return False
        losses = history.val_loss or history.loss
        if losses[-1] < self.loss:
            self.loss, self.epoch = losses[-1], len(losses)
            self.parameters = self.net.parameters
        return len(losses) - self.epoch >= self.patience

    def restore(self) -> None:
        """Give the network the parameters of the best epoch."""
        if self.parameters is not None:
            self.net.parameters = self.parameters
