"""The trainer as users see it: what a run needs to go on, also from a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ._basics import html
from ._basics.shown import shown
from ._files import trainer as trainer_file
from ._inputs import checks
from ._training.ranks import Ranks, together
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
    comm : mpi4py.MPI.Intracomm, optional
        Processes that share the run, ``MPI.COMM_WORLD``: every rank calls the same methods.
    rows : str
        With `comm`. ``"all"``: every rank has all of X and y (a mapped file, say), and shares
        out the batches: the same bits for every number of ranks and threads. ``"own"``: every
        rank has rows of its own, in unequal numbers too; `batch_size` counts those of all, and
        results depend on the number of ranks.

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
        comm: object = None,
        rows: str = "all",
    ) -> None:
        ranks = Ranks.of(comm, rows, "Trainer()")
        with together(ranks, "Trainer()"):
            if not isinstance(net, MLP):
                raise TypeError(f"net: expected an MLP, got {type(net).__name__}")
            super().__init__(
                net, optimizer, batch_size, seed, accumulate=accumulate, comm=ranks, rows=rows
            )

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
        again. With `comm` one rank may call this alone, for all have the same to write. If all
        do, rank 0 writes, and the file is there when the call returns on any of them.
        """
        if self._ranks is None or self._ranks.size == 1:
            trainer_file.save(self, path)
            return
        where = str(checks.path(path).absolute())
        self._ranks.write_once(
            where, self.steps, self._digest(), lambda: trainer_file.save(self, path)
        )

    def _digest(self) -> str:
        """What tells two moments of this trainer apart."""
        of = hashlib.blake2b(self.net.parameters.tobytes(), digest_size=16)
        of.update(repr((self.epochs, self._rng.bit_generator.state)).encode())
        return of.hexdigest()

    @classmethod
    def load(
        cls,
        path: str | Path,
        optimizer: Optimizer | str | None = None,
        backend: str = "native",
        *,
        comm: object = None,
        rows: str = "all",
    ) -> Trainer:
        """Read a trainer that `save` wrote, with a network of its own.

        Parameters
        ----------
        path : path
        optimizer : Optimizer, optional
            Needed if the learning rate was a function; else it replaces the saved one. Of the
            saved one's class, for it takes over its state.
        comm, rows
            As of a new trainer; the file does not tell how many ranks there were.

        Raises
        ------
        ValueError
            If the file is truncated, was altered, or holds no trainer.
        """
        ranks = Ranks.of(comm, rows, "Trainer.load")
        with together(ranks, "Trainer.load"):
            return trainer_file.load(cls, MLP, path, optimizer, backend, ranks, rows)
