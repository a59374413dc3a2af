"""Rows that each rank has for itself: which of them meet in a batch, and in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ranks import Ranks
from .shuffles import shuffled

Array = NDArray[Any]


class OwnRows:
    """The batches of an epoch over rows that lie on several ranks, `counts` of them.

    An epoch has as many batches as one over all rows would have; each rank's rows go evenly among
    them.
    """

    def __init__(self, ranks: Ranks, counts: list[int], batch_size: int) -> None:
        self.ranks, self.counts = ranks, np.array(counts, np.int64)
        self.total = int(self.counts.sum())
        self.batches = -(-self.total // batch_size)
        borders = np.arange(self.batches + 1)[:, None] * self.counts // self.batches
        self._rows = np.diff(borders, axis=0)  # (batches, ranks)
        self._borders = borders[:, ranks.index]

    def order(self, rng: np.random.Generator) -> Array:
        """A new order of this rank's rows; the generator, the same on all, moves by one draw."""
        seed = int(rng.integers(2**63))
        own = np.random.default_rng([self.ranks.index, seed])
        order: Array = shuffled(own, 1, int(self.counts[self.ranks.index]))[0]
        return order

    def arguments(self, order: Array, weights: Array | None, is_sum: bool) -> dict[str, Any]:
        """What the core's `run` must know of one epoch; asks the other ranks."""
        rows = self._rows.sum(axis=1)
        if is_sum:
            divisors = np.ones(self.batches)
        elif weights is None:
            divisors = rows.astype(np.float64)
        else:
            ordered = weights[order] if len(order) else weights
            own = [ordered[a:b].sum() for a, b in zip(self._borders, self._borders[1:])]  # noqa: B905
            divisors = np.sum(self.ranks.gather(np.array(own)), axis=0)
        return {
            "own_batches": self.batches,
            "divisors": divisors,
            "rows_before": np.ascontiguousarray(
                self._rows[:, : self.ranks.index].sum(axis=1), np.int64
            ),
            "rows_of_all": np.ascontiguousarray(rows, np.int64),
        }
