"""Rows that a run is judged by after each epoch: their checks, and what they say, also of ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._inputs import mapped
from .._network.network import DenseNetwork
from ..datasets.shards import is_shards
from .ranks import Ranks
from .streamed import Streamed

Array = NDArray[Any]
Data = tuple[Array, Array, "Array | None"]  # X, T, weights


def checked(net: DenseNetwork, validation: object) -> Data | Streamed | None:
    """`validation` as users give it, (X, y) or None."""
    if validation is None:
        return None
    if not (isinstance(validation, (tuple, list)) and len(validation) == 2):
        raise TypeError(f"validation: expected (X, y), got {type(validation).__name__}")
    try:
        if is_shards(*validation):
            return Streamed(net, validation[0], validation[1], None)
        return net._data(validation[0], validation[1], None)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from None


def evaluated(
    net: DenseNetwork,
    data: Data | Streamed,
    ranks: Ranks | None,
    check: Callable[[], None] | None = None,
) -> tuple[float, int, int]:
    """Loss, rows classified right (-1 if the loss does not classify), and rows, of all ranks.

    `check` is called now and then, and ends it by an exception.
    """
    if isinstance(data, Streamed):
        return (*data.evaluate(), len(data))
    for name, array in zip(("X", "y"), data[:2], strict=True):
        mapped.intact(array, f"validation: {name}")
    network, rows = net._network, len(data[1])
    if ranks is not None and ranks.own:
        return _of_own_rows(net, data, ranks)
    if ranks is None or not hasattr(network, "evaluate_part"):  # the twin: every rank does it all
        loss, correct = network.evaluate(*data, check)
        return float(loss), int(correct), rows
    parts = ranks.gather(network.evaluate_part(*data, ranks.index, ranks.size))
    losses = np.sum([part for part, _ in parts], axis=0)  # in each chunk all but one are 0
    loss = float(np.add.accumulate(losses)[-1])  # in the order that `evaluate` adds them in
    counts = [count for _, count in parts]
    return loss, sum(counts) if counts[0] >= 0 else -1, rows


def _of_own_rows(net: DenseNetwork, data: Data, ranks: Ranks) -> tuple[float, int, int]:
    loss, correct = net._network.evaluate(*data)
    loss_object, rows = net._loss_object, len(data[1])
    share = loss_object.divisor(rows, data[2])
    sums = np.sum(ranks.gather((loss * share, share, correct, rows)), axis=0)
    mean = sums[0] if loss_object.reduction == "sum" else sums[0] / sums[1]
    return float(mean), int(sums[2]) if correct >= 0 else -1, int(sums[3])
