"""The trainer as users see it: what a run needs to go on, also from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ._basics import html
from ._basics.shown import shown
from ._files import trainer as trainer_file
from ._training.training import Batches as Batches
from ._training.training import Callback as Callback
from ._training.training import Training
from .mlp import MLP
from .optimizers import Optimizer


class Trainer(Training):
    """A network, an optimizer with its state, and a generator for shuffles.

    Parameters
    ----------
    net : MLP
        Trained in place.
    optimizer : SGD, Adam, AdamW or RMSprop, or a name
        A description; its `lr` may be a schedule, or any function of the step's number, from 0.
        Or ``"adam"`` and the like, as in `MLP.fit`.
    batch_size : int
        Rows in a batch; above N it means one batch of N.
    seed : int, numpy.random.Generator or None
        For the shuffles and the dropout; the network's own generator if not given.
    accumulate : int
        Batches whose gradients make one update: the same as batches so many times as large, to
        rounding, in the memory of one. A run's epoch ends with an update, however few are left.

    Attributes
    ----------
    net, optimizer, batch_size, accumulate
        As given; the optimizer as a description.
    steps, epochs : int
        Done so far.

    Examples
    --------
    >>> import eigenmlp as em
    >>> X, y = em.datasets.load_digits()
    >>> trainer = em.Trainer(em.MLP([64, 10], seed=0), em.SGD(0.1), batch_size=100, seed=0)
    >>> history = trainer.run(X, y, epochs=2)
    >>> history.loss[1] < history.loss[0]
    True
    >>> loss = trainer.step(X[:7], y[:7])
    """

    net: MLP

    def __init__(
        self,
        net: MLP,
        optimizer: Optimizer | str,
        batch_size: int = 64,
        seed: int | np.random.Generator | None = None,
        *,
        accumulate: int = 1,
    ) -> None:
        if not isinstance(net, MLP):
            raise TypeError(f"net: expected an MLP, got {type(net).__name__}")
        super().__init__(net, optimizer, batch_size, seed, accumulate=accumulate)

    def __repr__(self) -> str:
        counts = f"{self.epochs:,} epochs, {self.steps:,} steps"
        return f"<Trainer of {self.net!r}: {', '.join(self._settings())}; {counts}>"

    def _repr_html_(self) -> str:
        rows = [setting.split("=", 1) for setting in self._settings()]
        rows += [["epochs", f"{self.epochs:,}"], ["steps", f"{self.steps:,}"]]
        return html.table(f"Trainer of {repr(self.net).strip('<>')}", [], rows)

    def _settings(self) -> list[str]:
        gathers = [f"accumulate={self.accumulate}"] if self.accumulate > 1 else []
        return [f"optimizer={shown(self.optimizer)}", f"batch_size={self.batch_size}", *gathers]

    # ---- files

    def save(self, path: str | Path) -> None:
        """Write all that the run needs to go on with the same bits: one safetensors file.

        A learning rate that is a function of the user's own cannot be written; `load` is given it
        again.
        """
        trainer_file.save(self, path)

    @classmethod
    def load(
        cls, path: str | Path, optimizer: Optimizer | str | None = None, backend: str = "native"
    ) -> Trainer:
        """Read a trainer that `save` wrote, with a network of its own.

        Parameters
        ----------
        path : path
        optimizer : Optimizer, optional
            Needed if the learning rate was a function; else it replaces the saved one. Of the
            saved one's class, for it takes over its state.

        Raises
        ------
        ValueError
            If the file is truncated, was altered, or holds no trainer.
        """
        return trainer_file.load(cls, MLP, path, optimizer, backend)
