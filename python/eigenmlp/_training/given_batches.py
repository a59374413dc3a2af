"""Runs over batches that come from an iterable, one after the other: data of any size."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np

from .._inputs.foreign import has, is_sparse
from ..history import History
from . import agreement, plausible
from .stepper import Stepper

_AS_THEY_COME = np.empty((1, 0), dtype=np.int64)


def is_batches(X: object, y: object) -> bool:
    """Whether X is meant as batches (Xb, yb): an iterable without targets beside it."""
    if y is not None:
        return False
    plain = isinstance(X, (str, bytes, dict)) or has(X, "__array__") or is_sparse(X)
    return not plain and has(X, "__iter__")


def run_epoch(
    trainer: Stepper, batches: Iterable[Any], history: History, moment: ExitStack
) -> bool:
    """One epoch; False if an iterator was used up by an earlier one, so that nothing was done.

    Other threads may use the trainer between two batches, as between two steps; `moment` keeps
    them out once the epoch is counted.
    """
    began = time.perf_counter()
    loss, divisor, rows, correct, number = 0.0, 0.0, 0, 0, 0
    ranks = trainer._ranks
    for number, batch in enumerate(batches, 1):
        try:
            X, T, weights = trainer.net._data(*_pair(batch), None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"batch {number}: {error}") from None
        if ranks is not None:
            agreement.check_batch(ranks, number, (X, T, weights))
        if number == 1 and (ranks is None or ranks.index == 0):
            plausible.columns(trainer.net, X)
        lr = np.array([trainer.lr])
        trainer._turns.give_way()
        with trainer._turns.lock:
            result = trainer._trainer.run(X, T, weights, len(T), _AS_THEY_COME, lr, whole=False)
        trainer._refuse(result, number)
        share = trainer.net._loss_object.divisor(len(T), weights)
        loss += float(result.losses[0]) * share
        divisor += share
        correct += int(result.correct[0])
        rows += len(T)
    if ranks is not None:
        agreement.check_batch(ranks, number + 1, None)
    if rows == 0:
        if history.loss:
            return False
        raise ValueError("X: expected at least one batch (Xb, yb), got none")
    moment.enter_context(trainer._changes())
    trainer._flush()
    trainer.epochs += 1
    history.rows = rows
    is_sum = trainer.net._loss_object.reduction == "sum"
    history.loss.append(loss if is_sum or divisor == 0 else loss / divisor)
    history.seconds.append(time.perf_counter() - began)
    if correct >= 0:
        history.accuracy.append(correct / rows)
    return True


def _pair(batch: Any) -> tuple[Any, Any]:
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
        came = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise TypeError(f"expected (Xb, yb), got {came}")
    return batch[0], batch[1]
