"""The best epoch of a run, and what is left of a run that an error ends."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

from numpy.typing import NDArray

from .._network.network import DenseNetwork
from ..history import History

Array = NDArray[Any]


class Best:
    """The best epoch so far, for early stopping; remembers none without patience.

    As a context it gives the network the parameters of that epoch in the end, also after an error,
    which gets the history.
    """

    def __init__(self, patience: int | None, net: DenseNetwork, history: History) -> None:
        self.patience, self.net, self.history = patience, net, history
        self.loss, self.since = math.inf, 0  # epochs since the best
        self.parameters: Array | None = None

    def is_over(self) -> bool:
        """Whether as many epochs as patience allows have brought nothing better."""
        if self.patience is None:
            return False
        losses = self.history.val_loss or self.history.loss
        self.since += 1  # not the history's length, which a callback may change
        if losses[-1] < self.loss:
            self.loss, self.since = losses[-1], 0
            self.parameters = self.net.parameters
        return self.since >= self.patience

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self.parameters is not None:
            self.net.parameters = self.parameters
        if error is not None:
            with suppress(AttributeError, TypeError):  # of a class without attributes
                error.history = self.history  # type: ignore[attr-defined]
