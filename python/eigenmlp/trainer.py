"""The trainer: what a run needs to go on, and the loop over epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._backends.facade import make_trainer
from ._backends.protocols import RunResult
from ._basics.shown import shown
from ._basics.turns import Turns
from ._files import trainer as trainer_file
from ._files.generators import unmoved_if
from ._inputs import checks, mapped
from ._training import given_batches
from ._training.early_stopping import Best
from ._training.progress import progress_bar
from .choices import Choices
from .errors import DivergenceError
from .history import History
from .optimizers import OPTIMIZERS, Optimizer, learning_rates
from .schedules import ReduceOnPlateau

if TYPE_CHECKING:
    from .mlp import MLP

Array = NDArray[Any]
Batches = Iterable["tuple[ArrayLike, ArrayLike]"]
Callback = Callable[[int, History, "MLP"], "bool | None"]

_ORDERS = 1 << 21  # row numbers that are shuffled ahead of a native call: 16 MiB
_STEPS = 100_000  # learning rates and epochs that one native call gets at most
_OPERATIONS = 1 << 36  # of one native call: a second or so
_BAR_SECONDS = 0.1
_CHANGED = "X, y: expected data that stay as they were checked, got NaN, Inf or labels out of range"


class Trainer:
    """A network, an optimizer with its state, and a generator for shuffles.

    Parameters
    ----------
    net : MLP
        Trained in place.
    optimizer : SGD, Adam, AdamW or RMSprop
        A description; its `lr` may be a schedule, or any function of the step's number, from 0.
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
        As given.
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

    def __init__(
        self,
        net: MLP,
        optimizer: Optimizer,
        batch_size: int = 64,
        seed: int | np.random.Generator | None = None,
        *,
        accumulate: int = 1,
    ) -> None:
        from .mlp import MLP

        if not isinstance(net, MLP):
            raise TypeError(f"net: expected an MLP, got {type(net).__name__}")
        if not isinstance(optimizer, tuple(OPTIMIZERS.values())):
            raise TypeError(
                f"optimizer: expected an object of one of {[*OPTIMIZERS]}, such as em.Adam(1e-3), "
                f"got {shown(optimizer)}"
            )
        self._turns, self._changing = Turns(), False
        self.net = net
        self.optimizer = optimizer
        self.batch_size = checks.integer(batch_size, "batch_size")
        self.accumulate = checks.integer(accumulate, "accumulate")
        self.epochs = 0
        if not callable(optimizer.lr):
            learning_rates(optimizer.lr, 0, 1, checks.largest(net._dtype))
        limits = {name: x for name, x in optimizer.limits().items() if x is not None}
        _check_hyper({**optimizer.hyper(), **limits}, net._dtype)
        if optimizer.penalty and net._of_choices:
            raise ValueError(
                f"penalty: expected 0 with a loss over choices, got {optimizer.penalty}"
            )
        schedule = optimizer.lr if isinstance(optimizer.lr, ReduceOnPlateau) else None
        self._plateau = schedule.start() if schedule else None
        self._rng = net._rng if seed is None else checks.generator(seed)
        # Takes users' arrays as they are, or says None.
        self._direct = net._backend == "native" and not (net._has_class_weights or net._of_choices)
        with unmoved_if(lambda: True, self._rng):
            self._dropout_key = int(self._rng.integers(2**64, dtype=np.uint64)) if net._drops else 0
            self._make_trainer()

    def _make_trainer(self) -> None:
        net = self.net
        self._trainer = make_trainer(
            net._backend,
            net._network,
            self.optimizer,
            net._dtype,
            self.accumulate,
            net._dropout,
            self._dropout_key,
        )

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """Around what leaves parameters, state, counters and generator of different moments."""
        with self._turns.lock:
            self._changing = True
            try:
                yield
            finally:
                self._changing = False

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Around what reads several of them: waits for other threads, not for itself."""
        with self._turns, self._turns.lock:
            if self._changing:
                raise RuntimeError(
                    "this trainer is in the middle of a run; it can be used again when that has "
                    "ended"
                )
            yield

    @property
    def _has_begun(self) -> bool:
        """Whether anything was updated, or gathered for an update."""
        steps, batches = self._trainer.get_progress()[:2]
        return steps > 0 or batches > 0

    @property
    def steps(self) -> int:
        """Updates done so far."""
        return self._trainer.steps

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self._learning_rates(1)[0]

    # ---- one step

    def step(self, Xb: ArrayLike, yb: ArrayLike | Choices) -> float:
        """Train on one batch of any size; returns its loss before the update.

        With `accumulate`, every so many batches make an update.

        Raises
        ------
        TypeError, ValueError
            For unusable data; nothing is changed then.
        DivergenceError
            If the loss is not finite; nothing is changed then.
        """
        lr = self.optimizer.lr
        if callable(lr):
            lr = self._learning_rates(1)[0]
        for array, name in ((Xb, "X"), (yb, "y")):
            mapped.intact(array, name)
        with self._turns.lock:
            loss = self._trainer.step(Xb, yb, lr) if self._direct else None  # type: ignore[arg-type]
        if loss is None:
            X, T, weights = self.net._data(Xb, yb, None)
            with self._turns.lock:
                loss = self._trainer.step(X, T, lr, weights)
            if loss is None:
                raise ValueError(_CHANGED)
        if not math.isfinite(loss):
            raise DivergenceError(self.epochs + 1, self.steps + 1, loss)
        return loss

    def apply(self, gradient: ArrayLike) -> None:
        """One optimizer step with a gradient (P,) of the user's own."""
        net = self.net
        vector = checks.flat(gradient, net.parameter_count, net._dtype, "gradient")
        with self._turns.lock:
            done = self._trainer.apply(vector, self._learning_rates(1)[0])
        if not done:
            raise DivergenceError(self.epochs + 1, self.steps + 1, math.inf)

    def _flush(self) -> None:
        """The update by what earlier calls of `step` have gathered, if anything."""
        with self._turns.lock:
            if self._trainer.get_progress()[1] == 0:
                return
            done = self._trainer.flush(self._learning_rates(1)[0])
        if not done:
            raise DivergenceError(self.epochs + 1, self.steps + 1, math.inf)

    # ---- epochs

    def run(
        self,
        X: ArrayLike | Batches,
        y: ArrayLike | Choices | None = None,
        epochs: int = 1,
        *,
        validation: tuple[ArrayLike, ArrayLike | Choices] | None = None,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        callbacks: Sequence[Callback] = (),
        progress: bool | str = False,
        early_stopping: int | None = None,
    ) -> History:
        """Train for `epochs` epochs; parameters and errors as in `MLP.fit`."""
        batches = given_batches.is_batches(X, y)
        if batches and sample_weight is not None:
            raise ValueError("sample_weight: expected None with batches (Xb, yb), got weights")
        data = None if batches else self.net._data(X, y, sample_weight)  # type: ignore[arg-type]
        epochs = checks.integer(epochs, "epochs", least=0)
        checked_validation = self._checked_validation(validation)
        callbacks = _checked_callbacks(callbacks)
        if early_stopping is not None:
            checks.integer(early_stopping, "early_stopping")
        shuffle = checks.checked_bool(shuffle, "shuffle")
        one_by_one = (
            bool(callbacks)
            or validation is not None
            or early_stopping is not None
            or self._plateau is not None
        )
        self._flush()
        history = History(rows=0 if data is None else len(data[1]))
        best = Best(early_stopping, self.net, history)
        epoch = 0
        with best, progress_bar(epochs, progress) as bar:
            while epoch < epochs:
                left, count = epochs - epoch, 1
                self._turns.give_way()
                with ExitStack() as moment:
                    if data is None:
                        if not given_batches.run_epoch(self, X, history, moment):  # type: ignore[arg-type]
                            break
                    else:
                        moment.enter_context(self._changes())
                        if left > 1 and not one_by_one:
                            count = self._epochs_at_once(left, history, bar is not None)
                        self._run_native(data, count, bool(shuffle), history)
                    if checked_validation is not None:
                        self._validate_epoch(checked_validation, history)
                    if isinstance(self.optimizer.lr, ReduceOnPlateau) and self._plateau is not None:
                        loss = (history.val_loss or history.loss)[-1]
                        self._plateau = self.optimizer.lr.after_epoch(self._plateau, loss)
                epoch += count
                if bar is not None:
                    bar.advance(count, history)
                over = best.is_over()  # before callbacks, which may change the network
                done = [call(epoch, history, self.net) for call in callbacks]
                if over or any(done):
                    break
        return history

    def _epochs_at_once(self, left: int, history: History, bar: bool) -> int:
        """Epochs for the next native call: few enough for memory, for a bar that moves, and for
        other threads that wait for this one.
        """
        rows = history.rows
        steps = self._updates(rows)
        limit = min(_ORDERS // rows if self.batch_size < rows else _STEPS, _STEPS // steps)
        limit = max(1, min(limit, _OPERATIONS // (6 * self.net.parameter_count * rows)))
        if bar:
            mean = sum(history.seconds) / len(history.seconds) if history.seconds else _BAR_SECONDS
            limit = min(limit, max(1, int(_BAR_SECONDS / max(mean, 1e-9))))
        return min(left, limit)

    def _run_native(
        self, data: tuple[Array, Array, Array | None], epochs: int, shuffle: bool, history: History
    ) -> None:
        X, T, weights = data
        N = len(T)  # rows, or choices between rows
        steps = self._updates(N)
        lr = np.array(self._learning_rates(epochs * steps))
        shuffle = shuffle and self.batch_size < N  # within one batch it changes only rounding
        orders = np.empty((epochs, N if shuffle else 0), dtype=np.int64)
        check = mapped.watch(X=X, y=T, sample_weight=weights)
        if check is not None:
            check()
        before = self._rng.bit_generator.state
        with unmoved_if(lambda: True, self._rng):  # memory runs out before the first step
            if shuffle:
                for order in orders:
                    order[:] = self._rng.permutation(N)
            result = self._trainer.run(
                X, T, weights, min(self.batch_size, N), orders, lr, whole=True, check=check
            )
        done = result.epochs
        if shuffle and done < epochs:  # the generator is where the epochs that began have left it
            self._rng.bit_generator.state = before
            in_an_epoch = result.steps > done * steps or self._trainer.get_progress()[1] > 0
            for _ in range(done + in_an_epoch):
                self._rng.permutation(N)
        self.epochs += done
        history.loss += result.losses[:done].tolist()
        history.seconds += result.seconds[:done].tolist()
        history.accuracy += [count / N for count in result.correct[:done].tolist() if count >= 0]
        self._refuse(result, result.diverged_step % steps + 1)
        if check is not None:
            check()

    def _refuse(self, result: RunResult, step: int) -> None:
        """What kept a native run from its end, as an error; `step` counts within the epoch."""
        if result.diverged_step >= 0:
            raise DivergenceError(self.epochs + 1, step, result.diverged_loss)
        if result.refused:
            raise ValueError(_CHANGED)
        if result.interrupted:
            raise result.error or KeyboardInterrupt

    def _updates(self, rows: int) -> int:
        """Updates of an epoch."""
        batches = -(-rows // self.batch_size)
        return -(-batches // self.accumulate)

    def _learning_rates(self, count: int) -> list[float]:
        limit = checks.largest(self.net._dtype)
        lr = self.optimizer.lr if self._plateau is None else self._plateau.lr
        return learning_rates(lr, self.steps, count, limit)

    def _checked_validation(self, validation: object) -> tuple[Array, Array, Array | None] | None:
        if validation is None:
            return None
        if not (isinstance(validation, (tuple, list)) and len(validation) == 2):
            raise TypeError(f"validation: expected (X, y), got {type(validation).__name__}")
        try:
            return self.net._data(validation[0], validation[1], None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation: {error}") from None

    def _validate_epoch(
        self, validation: tuple[Array, Array, Array | None], history: History
    ) -> None:
        for name, array in zip(("X", "y"), validation[:2], strict=True):
            mapped.intact(array, f"validation: {name}")
        loss, correct = self.net._network.evaluate(*validation)
        history.val_loss.append(float(loss))
        if correct >= 0:
            history.val_accuracy.append(correct / len(validation[1]))

    # ---- files

    def save(self, path: str | Path) -> None:
        """Write all that the run needs to go on with the same bits: one safetensors file.

        A learning rate that is a function of the user's own cannot be written; `load` is given it
        again.
        """
        trainer_file.save(self, path)

    @classmethod
    def load(
        cls, path: str | Path, optimizer: Optimizer | None = None, backend: str = "native"
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
        return trainer_file.load(cls, path, optimizer, backend)

    def __getstate__(self) -> dict[str, Any]:
        """Of one moment, also what pickle and deepcopy will ask of `net` and generator later."""
        with self._at_rest():
            state = self._state()
            now = {"parameters": self.net.parameters, "generator": self._rng.bit_generator.state}
            return {**state, **now}

    def __copy__(self) -> Trainer:
        with self._at_rest():
            new = type(self).__new__(type(self))
            new.__setstate__(self._state())  # shares net and generator, which stay as they are
            return new

    def _state(self) -> dict[str, Any]:
        inner = self._trainer
        gathered = inner.get_gathered() if inner.get_progress()[1] else None
        left_out = ("_trainer", "_turns", "_changing")
        state = {k: v for k, v in self.__dict__.items() if k not in left_out}
        memory = {name: inner.get_state(name) for name in inner.state_names}
        return {**state, "memory": memory, "progress": (*inner.get_progress(), gathered)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        memory, progress = state.pop("memory"), state.pop("progress")
        parameters, rng = state.pop("parameters", None), state.pop("generator", None)
        self.__dict__.update(state)
        self._turns, self._changing = Turns(), False
        if parameters is not None:
            self.net.parameters = parameters
        if rng is not None:
            self._rng.bit_generator.state = rng
        self._make_trainer()
        for name, flat in memory.items():
            self._trainer.set_state(name, flat)
        self._trainer.set_progress(*progress)


def _check_hyper(hyper: dict[str, float], dtype: str) -> None:
    """Refuse what `dtype` cannot hold, and an eps that it would take for 0."""
    least, most = float(np.finfo(dtype).tiny), checks.largest(dtype)
    for name, value in hyper.items():
        if value > most:
            raise ValueError(f"{name}: expected at most {most:g} in {dtype}, got {value}")
    if hyper.get("eps", least) < least:
        raise ValueError(f"eps: expected at least {least:g} in {dtype}, got {hyper['eps']}")


def _checked_callbacks(callbacks: object) -> Sequence[Callback]:
    if callable(callbacks) or not checks.is_several(callbacks):
        raise TypeError(f"callbacks: expected a sequence of callables, got {shown(callbacks)}")
    checked = checks.items(callbacks, "callbacks")
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"callbacks: expected callables, got {shown(callback)}")
    return checked
