"""A progress bar over epochs."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from .._basics.shown import shown
from ..history import History


class Bar:
    """A tqdm bar that shows the last epoch's loss, and accuracy where there is one."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._best = math.inf

    def advance(self, epochs: int, history: History) -> None:
        shown = {"loss": f"{history.loss[-1]:.4g}"}
        if history.accuracy:
            shown["accuracy"] = f"{history.accuracy[-1]:.4f}"
        if history.val_loss:
            shown["val_loss"] = f"{history.val_loss[-1]:.4g}"
        if history.val_accuracy:
            shown["val_accuracy"] = f"{history.val_accuracy[-1]:.4f}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(epochs)

    def advance_best(self, epochs: int, history: History) -> None:
        """Of one network among many: the best loss so far."""
        losses = history.val_loss or history.loss
        if losses and losses[-1] < self._best:
            self._best = losses[-1]
            name = "best val_loss" if history.val_loss else "best loss"
            self._bar.set_postfix({name: f"{self._best:.4g}"}, refresh=False)
        self._bar.update(epochs)


def progress_bar(
    epochs: int, progress: bool | str, shows: bool = True
) -> AbstractContextManager[Bar | None]:
    """A bar, or None: `progress` is True, False or "auto" (on a terminal or in a notebook).

    Who does not show it has none, whatever that is.
    """
    if not (isinstance(progress, bool) or (isinstance(progress, str) and progress == "auto")):
        raise ValueError(f'progress: expected True, False or "auto", got {shown(progress)}')
    notebook = "ipykernel" in sys.modules
    if (
        not shows
        or progress is False
        or (progress == "auto" and not notebook and not _on_terminal())
    ):
        return nullcontext()
    return _bar(epochs, notebook)


@contextmanager
def _bar(epochs: int, notebook: bool) -> Iterator[Bar]:
    module = importlib.import_module("tqdm.auto" if notebook else "tqdm")
    with module.tqdm(total=epochs, unit="epoch", dynamic_ncols=True) as bar:
        yield Bar(bar)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
