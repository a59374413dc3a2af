"""Runs: the loop over epochs, and the native calls it makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._backends.protocols import RunResult
from .._basics.drawing import drawing
from .._basics.shown import shown
from .._inputs import checks, mapped
from ..choices import Choices
from ..datasets.shards import is_shards
from ..history import History
from ..schedules import ReduceOnPlateau
from . import agreement, given_batches, plausible, validation_rows
from .early_stopping import Best
from .native_runs import NativeRun, Run, alone
from .own_rows import OwnRows
from .progress import progress_bar
from .shuffles import shuffled
from .stepper import Stepper
from .streamed import Streamed
from .validation_rows import Data as Data

Array = NDArray[Any]
Batches = Iterable["tuple[ArrayLike, ArrayLike]"]
Callback = Callable[[int, History, Any], "bool | None"]  # the last is the network

_ORDERS = 1 << 21  # row numbers that are shuffled ahead of a native call: 16 MiB
_STEPS = 100_000  # learning rates and epochs that one native call gets at most
_OPERATIONS = 1 << 36  # of one native call: a second or so
_BAR_SECONDS = 0.1


@dataclass(frozen=True)
class Surroundings:
    """What a run among others has from outside: who has others also warns, in their own thread."""

    check: Callable[[], None] | None = None  # called every 10 ms; what it raises ends the run
    orders: Callable[[np.random.Generator, int, int], Array] = shuffled
    side_by_side: int = 1  # runs in this thread, which hold their shuffles at the same time


def both(*calls: Callable[[], None] | None) -> Callable[[], None] | None:
    """One call for those that there are."""
    given = [call for call in calls if call is not None]
    if len(given) < 2:
        return given[0] if given else None

    def call_all() -> None:
        for call in given:
            call()

    return call_all


class Training(Stepper):
    """A stepper that runs over epochs: `eigenmlp.Trainer` without files."""

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
        with self._together("Trainer.run"):
            return self._run(
                X, y, epochs, validation, sample_weight, shuffle, callbacks, progress,
                early_stopping,
            )  # fmt: skip

    def _run(
        self,
        X: ArrayLike | Batches,
        y: ArrayLike | Choices | None,
        epochs: int,
        validation: tuple[ArrayLike, ArrayLike | Choices] | None,
        sample_weight: ArrayLike | None,
        shuffle: bool,
        callbacks: Sequence[Callback],
        progress: bool | str,
        early_stopping: int | None,
    ) -> History:
        batches = given_batches.is_batches(X, y)
        if batches and sample_weight is not None:
            raise ValueError("sample_weight: expected None with batches (Xb, yb), got weights")
        data: Data | Streamed | None = None
        if is_shards(X, y, sample_weight):
            data = Streamed(self.net, X, y, sample_weight)
        elif not batches:
            data = self.net._data(X, y, sample_weight)  # type: ignore[arg-type]
        epochs = checks.integer(epochs, "epochs", least=0)
        checked_validation = validation_rows.checked(self.net, validation)
        callbacks = _checked_callbacks(callbacks)
        if early_stopping is not None:
            checks.integer(early_stopping, "early_stopping")
        shuffle = checks.checked_bool(shuffle, "shuffle")
        if batches:
            self.net._refuse_unmeasured("X")
        if self._ranks is not None:
            settings = {"epochs": epochs, "shuffle": shuffle, "early_stopping": early_stopping}
            self._agree(data, checked_validation, {**settings, "_calls": bool(callbacks)})
        with progress_bar(epochs, progress, self._ranks is None or self._ranks.index == 0) as bar:
            run = self._run_checked(
                X if data is None else data,
                epochs,
                validation=checked_validation,
                shuffle=shuffle,
                callbacks=callbacks,
                advance=None if bar is None else bar.advance,
                early_stopping=early_stopping,
            )
            return alone(run)

    def _agree(
        self,
        data: Data | Streamed | None,
        validation: Data | Streamed | None,
        facts: dict[str, Any],
    ) -> None:
        """Before the first step of several ranks: they are to do the same."""
        ranks = self._ranks
        assert ranks is not None
        rows = len(data[1]) if isinstance(data, tuple) and not ranks.own else 1
        facts |= agreement.of_trainer(self, facts["epochs"] * self._updates(rows))
        if ranks.own and not isinstance(data, tuple):
            came = "batches (Xb, yb)" if data is None else "Shards"
            raise ValueError(f"X: expected arrays with rows='own', got {came}")
        if ranks.own and isinstance(validation, Streamed):
            raise ValueError("validation: expected arrays with rows='own', got Shards")
        facts["validation"] = validation is not None
        for given, what in ((data, ""), (validation, "validation: ")):
            if isinstance(given, tuple):
                facts |= agreement.of_data(*given, own=ranks.own, what=what)
            elif given is not None:
                facts |= given.facts(what)
        of_all = agreement.check_alike(ranks, facts)
        self._somebody_calls = any(other["_calls"] for other in of_all)
        if ranks.own:
            self._own = OwnRows(ranks, [other["_count"] for other in of_all], self.batch_size)

    def _run_checked(
        self,
        data: Any,
        epochs: int,
        *,
        validation: Data | Streamed | None,
        shuffle: bool,
        early_stopping: int | None,
        callbacks: Sequence[Callback] = (),
        advance: Callable[[int, History], None] | None = None,
        around: Surroundings | None = None,
    ) -> Run:
        """The same with what was checked: `data` are a tuple, rows that are read as they are
        needed, or an iterable of batches.
        """
        given = data if isinstance(data, tuple) else None
        one_by_one = (
            bool(callbacks)
            or (self._ranks is not None and (self._somebody_calls or self._ranks.own))
            or validation is not None
            or early_stopping is not None
            or self._plateau is not None
        )
        warns = around is None and (self._ranks is None or self._ranks.index == 0)
        if given is not None and warns:
            plausible.columns(self.net, given[0])
        self._flush()
        history = History(rows=0 if given is None else self._rows_of_all(given))
        best = Best(early_stopping, self.net, history)
        epoch = 0
        with ExitStack() as run:
            run.enter_context(best)
            if given is not None:
                run.enter_context(self.net._measuring(given, lambda: self._has_begun))
            if isinstance(validation, tuple):
                self.net._check_units_hold(*validation[:2], "validation: ")
            while epoch < epochs:
                if around is not None and around.check is not None:
                    around.check()  # a native call of less than 10 ms does not ask
                left, count = epochs - epoch, 1
                self._turns.give_way()
                with ExitStack() as moment:
                    if isinstance(data, Streamed):
                        data.run_epoch(self, history, moment, shuffle)
                    elif given is None:
                        if not given_batches.run_epoch(self, data, history, moment):
                            break
                    else:
                        moment.enter_context(self._changes())
                        among = around or Surroundings()
                        if left > 1 and not one_by_one:
                            most = _ORDERS // among.side_by_side
                            count = self._epochs_at_once(left, history, most, advance is not None)
                        yield from self._run_native(given, count, shuffle, history, among)
                    if validation is not None:
                        self._validate_epoch(
                            validation, history, None if around is None else around.check
                        )
                    if isinstance(self.optimizer.lr, ReduceOnPlateau) and self._plateau is not None:
                        loss = (history.val_loss or history.loss)[-1]
                        self._plateau = self.optimizer.lr.after_epoch(self._plateau, loss)
                epoch += count
                if advance is not None:
                    advance(count, history)
                over = best.is_over()  # before callbacks, which may change the network
                done = [call(epoch, history, self.net) for call in callbacks]
                if self._ranks is not None and self._somebody_calls:
                    done = self._ranks.gather(any(done))
                if over or any(done):
                    break
        if given is not None and history.loss and warns:
            plausible.predictions(self.net, *given[:2])
        return history

    def _epochs_at_once(self, left: int, history: History, orders: int, bar: bool) -> int:
        """Epochs for the next native call: few enough for memory (`orders` row numbers at most),
        for a bar that moves, and for other threads that wait for this one.
        """
        rows = history.rows
        steps = self._updates(rows)
        limit = min(orders // rows if self.batch_size < rows else _STEPS, _STEPS // steps)
        limit = max(1, min(limit, _OPERATIONS // (6 * self.net.parameter_count * rows)))
        if bar:
            mean = sum(history.seconds) / len(history.seconds) if history.seconds else _BAR_SECONDS
            fit = _BAR_SECONDS / max(mean, 1e-9)
            limit = min(limit, 2 ** int(math.log2(max(fit, 1.0))))  # the same for runs side by side
        return min(left, limit)

    def _run_native(
        self, data: Data, epochs: int, shuffle: bool, history: History, around: Surroundings
    ) -> Generator[NativeRun, RunResult, None]:
        X, T, weights = data
        N = self._rows_of_all(data)  # or choices between rows
        steps = self._updates(N)
        lr = np.array(self._learning_rates(epochs * steps))
        shuffle = shuffle and self.batch_size < N  # within one batch it changes only rounding
        ranks = self._ranks
        look = None if ranks is None else ranks.look
        check = both(mapped.watch(X=X, y=T, sample_weight=weights), around.check, look)
        if check is not None:
            check()
        before = self._rng.bit_generator.state if shuffle else None
        more: dict[str, Any] = {}
        try:
            if ranks is not None and ranks.own:
                order = self._own.order(self._rng) if shuffle else np.empty(0, np.int64)
                orders = order[None]
                is_sum = self.net._loss_object.reduction == "sum"
                more = self._own.arguments(order, weights, is_sum)
            else:
                orders = around.orders(self._rng, epochs, N if shuffle else 0)
            result = yield NativeRun(
                self._trainer, X, T, weights, min(self.batch_size, N), orders, lr, check, more
            )
        except BaseException:  # as memory that runs out before the first step
            if before is not None:
                self._rng.bit_generator.state = before
            raise
        done = result.epochs
        if before is not None and done < epochs:  # the generator is where begun epochs have left it
            self._rng.bit_generator.state = before
            in_an_epoch = result.steps > done * steps or self._trainer.get_progress()[1] > 0
            if more:
                with drawing(self._rng.bit_generator):
                    for _ in range(done + in_an_epoch):
                        self._own.order(self._rng)
            else:
                shuffled(self._rng, done + in_an_epoch, N)
        self.epochs += done
        history.loss += result.losses[:done].tolist()
        history.seconds += result.seconds[:done].tolist()
        history.accuracy += [count / N for count in result.correct[:done].tolist() if count >= 0]
        self._refuse(result, result.diverged_step % steps + 1)
        if check is not None:
            check()

    def _rows_of_all(self, data: Data) -> int:
        """Rows of an epoch, on all ranks."""
        own = self._ranks is not None and self._ranks.own
        return self._own.total if own else len(data[1])

    def _updates(self, rows: int) -> int:
        """Updates of an epoch."""
        batches = -(-rows // self.batch_size)
        return -(-batches // self.accumulate)

    def _validate_epoch(
        self, data: Data | Streamed, history: History, check: Callable[[], None] | None
    ) -> None:
        loss, correct, rows = validation_rows.evaluated(self.net, data, self._ranks, check)
        history.val_loss.append(loss)
        if correct >= 0:
            history.val_accuracy.append(correct / rows)


def _checked_callbacks(callbacks: object) -> Sequence[Callback]:
    if callable(callbacks) or not checks.is_several(callbacks):
        raise TypeError(f"callbacks: expected a sequence of callables, got {shown(callbacks)}")
    checked = checks.items(callbacks, "callbacks")
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"callbacks: expected callables, got {shown(callback)}")
    return checked
