"""Orders of rows as scikit-learn draws them, without Python's lock: other threads run meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._basics.drawing import drawing
from .._core.loading import core

Array = NDArray[Any]

_AGAIN = 1 << 21  # row numbers that are shuffled again after Ctrl-C at most: some 20 ms
_AT_ONCE = 1 << 16  # of these, in one call
_CALL = 256  # as many take as long as what else an epoch's shuffle does


class Orders:
    """Of one fit's epochs: each is the one before it, at first 0, 1, …, N - 1, taken at the places
    of an `arange` that ``rng.shuffle`` has shuffled.

    If `alone`, nobody else draws from the generator meanwhile: its state, which takes as long to
    read as a small epoch does to shuffle, is not asked for at each draw.
    """

    def __init__(self, rng: np.random.RandomState, rows: int, alone: bool) -> None:
        self.rng, self.alone = rng, alone
        self.last = np.arange(rows, dtype=np.int64)
        self._start: tuple[Any, Array] | None = None  # a state, and the order that it follows
        self._drawn = 0  # epochs since then

    def draw(self, orders: Array) -> None:
        """The next epochs' (E, N)."""
        again = self._drawn * (len(self.last) + _CALL)
        if self._start is None or not self.alone or again > _AGAIN:
            self._start = self.rng.get_state(legacy=False), self.last
            self._drawn = 0
        self._drawn += len(orders)
        self.last = _shuffled(self.rng, self.last, orders)

    def take_back(self, epochs: int) -> None:
        """The last so many, as if they had not been drawn; also of a `draw` that an error ended."""
        if self._start is None:
            return
        self._drawn -= epochs
        self.rng.set_state(self._start[0])
        self.last = self._start[1]
        again = np.empty((max(1, _AT_ONCE // max(1, len(self.last))), len(self.last)), np.int64)
        for first in range(0, self._drawn, len(again)):
            self.last = _shuffled(self.rng, self.last, again[: self._drawn - first])


def _shuffled(rng: np.random.RandomState, order: Array, orders: Array) -> Array:
    """Fills `orders` (E, N) with those that follow `order`, and returns the last."""
    if type(rng) is np.random.RandomState:  # others may shuffle in ways of their own
        bits = rng._bit_generator
        with drawing(bits), bits.lock:
            core.shuffle_orders(bits, order, orders)
        return orders[-1].copy() if len(orders) else order
    for row in orders:
        places = np.arange(len(order))
        rng.shuffle(places)
        row[:] = order = order[places]
    return order


class _Zeros(ISeedSequence):
    """Of no entropy: to gather some takes three times as long as all else of a generator."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Array:
        return np.zeros(n_words, dtype)


_ZEROS: Any = _Zeros()


def random_state(seed: Any) -> np.random.RandomState:
    """What scikit-learn's `check_random_state` returns."""
    if type(seed) is not int or not 0 <= seed < 2**32:
        return check_random_state(seed)  # type: ignore[no-any-return]
    rng = np.random.RandomState(np.random.MT19937(_ZEROS))
    rng.seed(seed)
    return rng
