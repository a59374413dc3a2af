"""Errors of the library's own."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import History


class RankError(RuntimeError):
    """Another rank has ended the run that it shares with this one (``comm=``), or has left it.

    Attributes
    ----------
    rank : int
        Which one.
    reason : str
        Its error.
    """

    def __init__(self, rank: int, reason: str) -> None:
        super().__init__(f"rank {rank} has ended the run: {reason}")
        self.rank, self.reason = rank, reason

    def __reduce__(self) -> tuple[type[RankError], tuple[int, str]]:
        return type(self), (self.rank, self.reason)


class DivergenceError(ArithmeticError):
    """The loss is no longer finite; the parameters are those before the step that failed.

    If it was the step's update that made a parameter infinite, as a far too large learning rate
    does, `loss` is infinity and the parameters are lost.

    Attributes
    ----------
    epoch, step : int
        Where it happened, both counted from 1; `step` counts within the epoch.
    loss : float
        What the loss was instead.
    history : History, optional
        Of the epochs before, where a run ended with this error; with early stopping the parameters
        are then those of the best of them.
    """

    history: History | None = None

    def __init__(self, epoch: int, step: int, loss: float = float("nan")) -> None:
        super().__init__(
            f"the loss is no longer finite ({loss}) in epoch {epoch}, step {step}; "
            "a smaller learning rate or scaled inputs may help"
        )
        self.epoch, self.step, self.loss = epoch, step, loss

    def __reduce__(self) -> tuple[type[DivergenceError], tuple[int, int, float]]:
        return type(self), (self.epoch, self.step, self.loss)


_process = os.getpid()


@atexit.register
def _tell_other_ranks() -> None:
    """An error that nobody caught, before this process shared anything with those of MPI."""
    if "mpi4py.MPI" in sys.modules and os.getpid() == _process:  # not in a fork
        from ._basics import last_words

        last_words.tell_the_world()
        last_words.leave_a_note()
