"""Runs and evaluations over rows that are read as they are needed: `datasets.open_shards`.

An epoch goes over pools of blocks: while one is trained on, a thread reads the next. Which blocks
meet in a pool, and the order of its rows, come from a generator of the epoch's own. Rows of a pool
that make no whole batch go into the next one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._inputs import checks
from .._inputs.targets import sample_weights
from .._network.network import DenseNetwork
from ..choices import Choices
from ..datasets.shards import BLOCK_BYTES, Shards, refuse_row, same_length
from ..errors import DivergenceError
from ..history import History
from ..threads import helping
from . import agreement, plausible
from .ranks import alike
from .shuffles import shuffled
from .stepper import Stepper

Array = NDArray[Any]

POOL_BYTES = 64 * BLOCK_BYTES


@dataclass(frozen=True)
class Pool:
    """Checked rows, targets and weights, and the order in which they are used."""

    X: Array
    T: Any
    weights: Array | None
    order: Array
    last: bool


class Streamed:
    """Rows X, targets and weights of a network, at least one of which are `Shards`."""

    def __init__(
        self, net: DenseNetwork, X: Any, y: Any, sample_weight: ArrayLike | Shards | None
    ) -> None:
        if net._of_choices or isinstance(y, Choices):
            raise ValueError(f"X: expected an array with {net._loss}, got Shards")
        net._refuse_unmeasured("X")
        if not isinstance(X, Shards):
            X = checks.numbers(X, "X")
        checks.matrix(X.shape, net.layer_sizes[0], "X", "D")
        self.net, self.X = net, X
        self.y = y if isinstance(y, Shards) else checks.numbers(y, "y")
        weights = sample_weight
        if weights is not None and not isinstance(weights, Shards):
            weights = sample_weights(weights, len(X))
        self.weights: Any = weights
        arrays = (self.X, self.y, self.weights)
        same_length(("X", "y", "sample_weight"), arrays)
        if isinstance(self.weights, Shards):
            _refuse_all_zero(self.weights)
        blocks = next(array for array in arrays if isinstance(array, Shards)).blocks()
        self._blocks = np.array(blocks, np.int64)  # (blocks, 2)
        bytes_ = sum(_row_bytes(array) for array in arrays if array is not None)
        self._pool = max(1, POOL_BYTES // max(1, bytes_))

    def __len__(self) -> int:
        return len(self.X)

    def facts(self, what: str) -> dict[str, Any]:
        """What must be the same on all ranks; every one reads all rows."""
        return {
            f"{what}shape of X": self.X.shape,
            f"{what}y": (str(self.y.dtype), self.y.shape),
            f"{what}sample_weight": self.weights is None,
            f"{what}blocks": self._blocks.tolist()[:2] + self._blocks.tolist()[-1:],
            **{
                f"{what}numbers of {name}": agreement.sample_of_ends(array)
                for name, array in (("X", self.X), ("y", self.y), ("sample_weight", self.weights))
                if array is not None
            },
        }

    # ---- training

    def run_epoch(
        self, trainer: Stepper, history: History, moment: ExitStack, shuffle: bool
    ) -> bool:
        """One epoch; `moment` keeps other threads out once it is counted."""
        began = time.perf_counter()
        net, loss_object = self.net, self.net._loss_object
        seed = int(trainer._rng.integers(2**63)) if shuffle else None
        check: Callable[[], None] | None = None
        if trainer._ranks is not None:
            check = trainer._ranks.look
        unit = trainer.batch_size * trainer.accumulate
        loss, divisor, correct, steps = 0.0, 0.0, 0, 0
        for pool in self._pools(unit, seed):
            if steps == 0 and (trainer._ranks is None or trainer._ranks.index == 0):
                plausible.columns(net, pool.X)
            rows = len(pool.T)
            batch_size = min(trainer.batch_size, rows)
            batches = -(-rows // batch_size)
            updates = -(-batches // trainer.accumulate)
            lr = np.array(trainer._learning_rates(updates))
            trainer._turns.give_way()
            with trainer._turns.lock:
                result = trainer._trainer.run(
                    pool.X,
                    pool.T,
                    pool.weights,
                    batch_size,
                    pool.order[None],
                    lr,
                    whole=pool.last,
                    check=check,
                )
            if result.diverged_step >= 0:
                step = steps + result.diverged_step + 1
                raise alike(DivergenceError(trainer.epochs + 1, step, result.diverged_loss))
            trainer._refuse(result, 0)
            share = loss_object.divisor(rows, pool.weights)
            loss += float(result.losses[0]) * share
            divisor += share
            correct += int(result.correct[0])
            steps += updates
        moment.enter_context(trainer._changes())
        trainer.epochs += 1
        history.rows = len(self)
        is_sum = loss_object.reduction == "sum"
        history.loss.append(loss if is_sum or divisor == 0 else loss / divisor)
        history.seconds.append(time.perf_counter() - began)
        if correct >= 0:
            history.accuracy.append(correct / len(self))
        return True

    # ---- evaluation

    def evaluate(self) -> tuple[float, int]:
        """Loss, and rows classified right or -1."""
        loss, divisor, correct = 0.0, 0.0, 0
        loss_object = self.net._loss_object
        for pool in self._pools(1, None):
            share = loss_object.divisor(len(pool.T), pool.weights)
            part, right = self.net._network.evaluate(pool.X, pool.T, pool.weights)
            correct += int(right)
            if share == 0:
                continue
            loss += float(part) * share
            divisor += share
        return (loss if loss_object.reduction == "sum" else loss / divisor), max(correct, -1)

    # ---- pools

    def _pools(self, unit: int, seed: int | None) -> Iterator[Pool]:
        """Pools of multiples of `unit` rows, but for the last; the next one is read meanwhile."""
        ended = threading.Event()
        made = self._read_pools(unit, seed, ended)

        def read() -> Pool | None:
            # A thread that waits for the disk leaves the steps their processors.
            with nullcontext() if self._waits_for_disk() else helping():
                return next(made, None)

        with ThreadPoolExecutor(1, "eigenmlp-reader") as reader:
            try:
                coming = reader.submit(read)
                while (pool := coming.result()) is not None:
                    coming = reader.submit(read)
                    yield pool
                    del pool
            finally:
                ended.set()

    def _waits_for_disk(self) -> bool:
        largest = max((self.X, self.y), key=_row_bytes)
        return isinstance(largest, Shards) and largest.past_cache

    def _read_pools(self, unit: int, seed: int | None, ended: threading.Event) -> Iterator[Pool]:
        """The memory of a pool is that of the one after the next, too."""
        rng = None if seed is None else np.random.default_rng(seed)
        blocks = self._blocks if rng is None else rng.permutation(self._blocks)
        carried: list[Array | None] = [None, None, None]
        lengths = blocks[:, 1] - blocks[:, 0]
        ends = np.cumsum(lengths)
        first = 0
        most = max(self._pool, unit)
        rows = min(len(self), max(most, int(lengths.max())) + unit)
        arrays = (self.X, self.y, self.weights)
        memory = [[_empty_like(array, rows) for array in arrays] for _ in range(2)]
        while first < len(blocks):
            before = 0 if first == 0 else int(ends[first - 1])
            over = int(np.searchsorted(ends, before + most, "right"))
            over = max(over, first + 1)
            last = over >= len(blocks)
            memory.reverse()
            raw = [
                None if array is None else _joined(array, carry, blocks[first:over], out, ended)
                for array, carry, out in zip(arrays, carried, memory[0], strict=True)
            ]
            count = len(raw[0])  # type: ignore[arg-type]
            order = np.arange(count) if rng is None else shuffled(rng, 1, count)[0]
            begin, first = first, over
            kept = count if last else count // unit * unit
            if kept == 0:
                carried = raw
                continue
            carried = [None if a is None else a[order[kept:]] for a in raw]
            order = _without_rest(raw, order, kept)
            try:
                X, T, weights = self._checked([None if a is None else a[:kept] for a in raw])
            except (TypeError, ValueError):
                self._refuse_rows(blocks[begin:over])
                self._refuse_rows(blocks[:begin])  # what was carried from these
                raise
            del raw
            yield Pool(X, T, weights, np.ascontiguousarray(order), last)

    def _refuse_rows(self, blocks: Array) -> None:
        """Say which row of some blocks cannot be used."""

        def check(begin: int, end: int) -> None:
            weights = None if self.weights is None else self.weights[begin:end]
            self._checked([self.X[begin:end], self.y[begin:end], weights])

        for begin, end in blocks.tolist():
            refuse_row(check, begin, end)

    def _checked(self, raw: list[Any]) -> tuple[Array, Any, Array | None]:
        X, T, weights = self.net._data(raw[0], raw[1], None)  # weights of classes
        if raw[2] is not None:
            given = np.ascontiguousarray(raw[2], np.float64)
            if isinstance(self.weights, Shards) and not (given >= 0).all():
                raise ValueError(
                    f"sample_weight: expected numbers of at least 0, got {given.min()}"
                )
            weights = given if weights is None else weights * given
        return X, T, weights


def _refuse_all_zero(weights: Shards) -> None:
    """Reads until a weight is not 0, which is soon."""
    if weights.ndim != 1:
        raise ValueError(f"sample_weight: expected shape ({len(weights)},), got {weights.shape}")
    if not any(weights[begin:end].any() for begin, end in weights.blocks()):
        raise ValueError("sample_weight: expected numbers of at least 0, not all 0, got only 0")


def _row_bytes(array: Any) -> int:
    return int(array.dtype.itemsize) * int(np.prod(array.shape[1:]))


def _empty_like(array: Any, rows: int) -> Array | None:
    return None if array is None else np.empty((rows, *array.shape[1:]), array.dtype)


def _joined(
    array: Any, carried: Array | None, blocks: Array, out: Any, ended: threading.Event
) -> Array:
    """Rows that were left, and then those of some blocks, in `out`, unless nobody wants them."""
    at = 0 if carried is None else len(carried)
    if carried is not None:
        out[:at] = carried
    for begin, end in blocks.tolist():
        if ended.is_set():
            raise CancelledError
        to = out[at : at + end - begin]
        if isinstance(array, Shards):
            array.read(begin, end, to)
        else:
            to[:] = array[begin:end]
        at += end - begin
    joined: Array = out[:at]
    return joined


def _without_rest(raw: list[Array | None], order: Array, kept: int) -> Array:
    """Moves the first `kept` rows of the order to the front; returns their order there."""
    rest = order[kept:]
    holes = rest[rest < kept]
    is_rest = np.zeros(len(order) - kept, bool)
    is_rest[rest[rest >= kept] - kept] = True
    moved = kept + np.flatnonzero(~is_rest)  # as many as there are holes
    for array in raw:
        if array is not None:
            array[holes] = array[moved]
    places = np.arange(len(order))
    places[moved] = holes
    return places[order[:kept]]
