"""One network's training: AdamW along a cosine, and the best epoch on validation rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._training import plausible
from .._training.native_runs import alone
from .._training.training import Data, Surroundings, Training, both
from ..errors import DivergenceError
from ..history import History
from ..mlp import MLP
from ..optimizers import AdamW
from ..schedules import Cosine, WarmUp
from ..threads import get_num_threads, limited
from ._defaults import Settings

Array = NDArray[Any]

_WARM = 0.05  # of the steps
_KEPT = 0.75  # of the mean over epochs, from one to the next
_SPREADS = 0.5  # standard errors by which a simpler network may look worse
_TRIES = 4  # with a quarter of the learning rate each, if training diverges


@dataclass(frozen=True)
class Rows:
    """Encoded rows (N, D), targets, and weights or None."""

    X: Array
    T: Array
    weights: Array | None

    def __getitem__(self, places: Array) -> Rows:
        weights = None if self.weights is None else self.weights[places]
        return Rows(self.X[places], self.T[places], weights)


class Late(Exception):
    """The time is over, in an epoch that is not needed."""

    history: History  # of the epochs before


@dataclass
class Fitted:
    """A network, the course of its training, and which epoch (from 1) it is of."""

    net: MLP
    history: History
    epoch: int
    off: Array | None = None  # (N, K) outputs of rows that were not trained on; NaN for others
    outputs: list[Array] = field(default_factory=list)  # (n, K) of a fold's rows, by epoch


class Fitter:
    """Fits networks with so many outputs and a loss.

    `fold` (N,) tells which rows validate: those of fold 0, or of each in its turn if `crosses`.
    """

    def __init__(
        self,
        fold: Array | None,
        crosses: bool,
        outputs: int,
        loss: str,
        seed: int,
        progress: bool | str,
    ) -> None:
        self.fold, self.crosses, self.outputs, self.loss = fold, crosses, outputs, loss
        self.seed, self.progress = seed, progress
        self._interrupted = Event()

    def fit(self, rows: Rows, settings: Settings) -> Fitted:
        """Train on all rows, or on those that do not validate."""
        seed = self._seeds(settings)[0]
        if self.fold is None:
            return self.run(rows, None, settings, seed)
        inside = self.fold == 0
        valid = rows[inside]
        fitted = self.run(rows[~inside], valid, settings, seed)
        fitted.off = np.full((len(rows.T), self.outputs), np.nan)
        fitted.off[inside] = fitted.net.forward(valid.X)
        return fitted

    def best(self, choices: list[tuple[Rows, Settings]]) -> tuple[int, Fitted]:
        """The best of several; its place.

        Where folds validate in turn, that is the first of those that are about as good on each
        fold, trained on the others, as the best, and it is then trained on all rows, for as many
        epochs as were best.
        """
        if not self.crosses:
            tried = [self.fit(rows, settings) for rows, settings in choices]
            losses = [min(one.history.val_loss, default=0.0) for one in tried]
            place = int(np.argmin(losses))
            return place, tried[place]
        found = self.crossed(choices)
        place = _first_of_about_equals([curves for curves, _ in found])
        (rows, settings), (curves, off) = choices[place], found[place]
        curve = curves.mean(axis=0)
        stop = int(np.argmin(curve)) + 1
        fitted = self.run(rows, None, settings, self._seeds(settings)[0], stop)
        fitted.history.val_loss = curve[:stop].tolist()
        fitted.off = off
        return place, fitted

    def crossed(self, choices: list[tuple[Rows, Settings]]) -> list[tuple[Array, Array]]:
        """Of each the losses on the folds by epoch (folds, epochs), and outputs (N, K) for each
        row, of the network that was trained on the other folds.

        Networks so small gain nothing from several threads: as many are trained at once instead.
        """
        assert self.fold is not None
        folds = np.unique(self.fold).tolist()  # fewer than asked for, of few groups
        jobs = [(*choice, fold) for choice in choices for fold in folds]
        pool = ThreadPoolExecutor(get_num_threads())
        try:
            done = [pool.submit(self._without, *job) for job in jobs]
            results = [one.result() for one in done]
        except BaseException:
            self._interrupted.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return [
            self.judged(results[place : place + len(folds)])[:2]
            for place in range(0, len(jobs), len(folds))
        ]

    def judged(self, fitted: list[Fitted]) -> tuple[Array, Array, float]:
        """Of a network for each fold that it was not trained on: the losses there by epoch (folds,
        epochs), the outputs (N, K) for each row, and the folds' mean loss with these.

        A fold's outputs are those after the epoch that is best on the other folds.
        """
        assert self.fold is not None
        shortest = min(len(one.history.val_loss) for one in fitted)
        curves = np.array([one.history.val_loss[:shortest] for one in fitted])
        off = np.full((len(self.fold), self.outputs), np.nan)
        loss = 0.0
        for fold, one, curve, epoch in zip(
            np.unique(self.fold), fitted, curves, epochs_of_others(curves), strict=True
        ):
            off[self.fold == fold] = one.outputs[epoch]
            loss += float(curve[epoch]) / len(fitted)
        return curves, off, loss

    def _without(self, rows: Rows, settings: Settings, fold: int) -> Fitted:
        """A network that is trained on all folds but one, which validates it."""
        assert self.fold is not None
        inside: Array = self.fold == fold
        seed = self._seeds(settings)[1 + fold]
        with limited(1):
            return self.run(rows[~inside], rows[inside], settings, seed)

    def _seeds(self, settings: Settings) -> list[int]:
        states = np.random.SeedSequence(self.seed).generate_state(settings.folds + 1)
        return [int(state) for state in states]

    def run(
        self,
        rows: Rows,
        valid: Rows | None,
        settings: Settings,
        seed: int,
        stop: int | None = None,
        around: Surroundings | None = None,
        until: float | None = None,
        others: Callable[[], bool] = lambda: False,
    ) -> Fitted:
        """One network, with a smaller learning rate if it diverges.

        After `until` it ends at once, but for its first epoch where there are no `others`.
        """
        for attempt in range(_TRIES):
            try:
                tried = replace(settings, lr=settings.lr / 4**attempt)
                return self._run(rows, valid, tried, seed, stop, around, until, others)
            except DivergenceError:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError

    def _run(
        self,
        rows: Rows,
        valid: Rows | None,
        settings: Settings,
        seed: int,
        stop: int | None,
        around: Surroundings | None,
        until: float | None,
        others: Callable[[], bool],
    ) -> Fitted:
        """Train on `rows`, to the best epoch on `valid`; or to epoch `stop`, or the time `until`.

        `around` is there where other networks are trained at the same time.
        """
        N, D = rows.X.shape
        net = MLP(
            [D, *settings.hidden, self.outputs],
            activation=settings.activation,
            loss=self.loss,
            dtype=settings.dtype,
            dropout=settings.dropout if settings.hidden else 0.0,
            seed=seed,
        )
        plausible.trust(net)
        steps = settings.epochs * -(-N // settings.batch_size)
        warm = max(1, int(_WARM * steps))
        lr = WarmUp(warm, Cosine(settings.lr, max(1, steps - warm)), start=0.0 if warm > 1 else 1.0)
        check = None if around is None else around.check
        mean = _Mean(valid, settings.patience, self._interrupted, until, check, self.crosses)
        optimizer = AdamW(lr, betas=(settings.beta_1, 0.999), weight_decay=settings.weight_decay)
        batch_size = min(settings.batch_size, N)
        if around is not None:
            run = Training(net, optimizer, batch_size, net._rng)._run_checked(
                net._data(rows.X, rows.T, rows.weights),
                stop or settings.epochs,
                validation=None,
                shuffle=True,
                early_stopping=None,
                callbacks=(mean,),
                around=Surroundings(both(around.check, lambda: mean.expect_time(others))),
            )
            try:
                history = alone(run)
            except Late as late:
                if not mean.epoch:
                    raise
                history = late.history
        else:
            history = net.fit(
                rows.X,
                rows.T,
                epochs=stop or settings.epochs,
                batch_size=batch_size,
                optimizer=optimizer,
                sample_weight=rows.weights,
                callbacks=(mean,),
                progress=self.progress if self.fold is None or stop or not self.crosses
                else False,
            )  # fmt: skip
        net.parameters = mean.parameters
        return Fitted(net, history, mean.epoch, outputs=mean.outputs)


def epochs_of_others(curves: Array) -> list[int]:
    """Of each fold the epoch, from 0, that is best on the others: one that is best on its own rows
    would make what is off there smaller than on rows that nobody has seen.
    """
    found = []
    for fold in range(len(curves)):
        others = np.delete(curves, fold, axis=0) if len(curves) > 1 else curves
        found.append(int(np.nan_to_num(others.mean(axis=0), nan=np.inf).argmin()))
    return found


def _first_of_about_equals(curves: list[Array]) -> int:
    """The first whose losses on the folds are within some of their spread of the best one's."""
    losses = [of_one[:, int(of_one.mean(axis=0).argmin())] for of_one in curves]
    best = min(losses, key=lambda of_folds: float(of_folds.mean()))
    for place, of_folds in enumerate(losses):
        more = of_folds - best
        error = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else 0.0
        if more.mean() <= _SPREADS * error:
            return place
    raise AssertionError


class _Mean:
    """A callback that keeps the mean of the parameters over epochs, in which the latest count most:
    it is as good as the end of a schedule long before that. With rows to validate with, that of the
    epoch where their loss was least.
    """

    def __init__(
        self,
        valid: Rows | None,
        patience: int,
        interrupted: Event,
        until: float | None,
        check: Callable[[], None] | None,
        keep_outputs: bool,
    ) -> None:
        self.keep_outputs = keep_outputs
        self.outputs: list[Array] = []  # of the rows to validate with, by epoch
        self.valid, self.patience, self.interrupted = valid, patience, interrupted
        self.until = math.inf if until is None else until  # of `time.perf_counter`
        self.check = check
        self.data: Data | None = None  # the rows to validate with, as the network takes them
        self.loss, self.epoch = np.inf, 0
        self.parameters: Array = np.empty(0)
        self.mean: Array | None = None

    def expect_time(self, others: Callable[[], bool]) -> None:
        """End an epoch that is not needed when the time is over."""
        if time.perf_counter() > self.until and (self.epoch or others()):
            raise Late

    def __call__(self, epoch: int, history: History, net: MLP) -> bool:
        now = net.parameters
        self.mean = now if self.mean is None else _KEPT * self.mean + (1 - _KEPT) * now
        if self.valid is None:
            self.epoch, self.parameters = epoch, self.mean
            return time.perf_counter() > self.until
        if self.data is None:
            self.data = net._data(self.valid.X, self.valid.T, self.valid.weights)
        net.parameters = self.mean
        try:
            loss, correct = net._network.evaluate(*self.data, self.check)
            if self.keep_outputs:
                self.outputs.append(net.forward(self.valid.X))
        finally:
            net.parameters = now
        history.val_loss.append(float(loss))
        if correct >= 0:
            history.val_accuracy.append(correct / len(self.valid.X))
        if loss < self.loss or epoch == 1:
            self.loss, self.epoch, self.parameters = float(loss), epoch, self.mean
        is_over = self.interrupted.is_set() or time.perf_counter() > self.until
        return is_over or epoch - self.epoch >= self.patience
