"""One network's training: AdamW along a cosine, and the best epoch on validation rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DivergenceError
from ..history import History
from ..mlp import MLP
from ..optimizers import AdamW
from ..schedules import Cosine, WarmUp
from ._defaults import Settings

Array = NDArray[Any]

_WARM = 0.05  # of the steps
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


@dataclass
class Fitted:
    """A network, the course of its training, and which epoch (from 1) it is of."""

    net: MLP
    history: History
    epoch: int
    off: Array | None = None  # (N, K) outputs of rows that were not trained on; NaN for others


def fit(
    rows: Rows, fold: Array | None, outputs: int, loss: str, settings: Settings, seed: int,
    progress: bool | str,
) -> Fitted:  # fmt: skip
    """Train by the settings; `fold` (N,) tells which rows validate."""
    for attempt in range(_TRIES):
        try:
            tried = replace(settings, lr=settings.lr / 4**attempt)
            return _fit(rows, fold, outputs, loss, tried, seed, progress)
        except DivergenceError:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _fit(
    rows: Rows, fold: Array | None, outputs: int, loss: str, settings: Settings, seed: int,
    progress: bool | str,
) -> Fitted:  # fmt: skip
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(settings.folds + 1)]
    if fold is None:
        return _run(rows, None, outputs, loss, settings, seeds[0], progress)
    off = np.full((len(rows.T), outputs), np.nan)
    if not settings.crosses:
        inside = fold == 0
        valid = rows[inside]
        fitted = _run(rows[~inside], valid, outputs, loss, settings, seeds[0], progress)
        off[inside] = fitted.net.forward(valid.X)
        fitted.off = off
        return fitted
    curves = []
    for k in range(settings.folds):
        inside = fold == k
        if not inside.any():  # fewer groups than folds
            continue
        valid = rows[inside]
        one = _run(rows[~inside], valid, outputs, loss, settings, seeds[1 + k], progress)
        curves.append(one.history.val_loss)
        off[inside] = one.net.forward(valid.X)
    shortest = min(map(len, curves))
    curve = np.mean([losses[:shortest] for losses in curves], axis=0)
    best = int(np.argmin(curve)) + 1
    fitted = _run(rows, None, outputs, loss, settings, seeds[0], progress, stop=best)
    fitted.history.val_loss = curve[:best].tolist()
    fitted.off = off
    return fitted


def _run(
    rows: Rows, valid: Rows | None, outputs: int, loss: str, settings: Settings, seed: int,
    progress: bool | str, stop: int | None = None,
) -> Fitted:  # fmt: skip
    """Train on `rows`, to the best epoch on `valid`; or to epoch `stop`."""
    N, D = rows.X.shape
    net = MLP(
        [D, *settings.hidden, outputs], loss=loss, dtype=settings.dtype, dropout=settings.dropout,
        seed=seed,
    )  # fmt: skip
    steps = settings.epochs * -(-N // settings.batch_size)
    warm = max(1, int(_WARM * steps))
    lr = WarmUp(warm, Cosine(settings.lr, max(1, steps - warm)), start=0.0 if warm > 1 else 1.0)
    best = _Best(valid, settings.patience) if valid is not None else None
    history = net.fit(
        rows.X,
        rows.T,
        epochs=stop or settings.epochs,
        batch_size=min(settings.batch_size, N),
        optimizer=AdamW(lr, weight_decay=settings.weight_decay),
        sample_weight=rows.weights,
        callbacks=() if best is None else (best,),
        progress=progress,
    )
    if best is None:
        return Fitted(net, history, len(history.loss))
    net.parameters = best.parameters
    return Fitted(net, history, best.epoch)


class _Best:
    """A callback: validation loss with weights, and the parameters where it was least."""

    def __init__(self, valid: Rows, patience: int) -> None:
        self.valid, self.patience = valid, patience
        self.loss, self.epoch = np.inf, 0
        self.parameters: Array = np.empty(0)

    def __call__(self, epoch: int, history: History, net: MLP) -> bool:
        found = net.evaluate(self.valid.X, self.valid.T, self.valid.weights)
        history.val_loss.append(found.loss)
        if found.accuracy is not None:
            history.val_accuracy.append(found.accuracy)
        if found.loss < self.loss or epoch == 1:
            self.loss, self.epoch, self.parameters = found.loss, epoch, net.parameters
        return epoch - self.epoch >= self.patience
