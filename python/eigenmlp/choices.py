"""Targets of a network whose rows are alternatives, grouped into choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._basics.shown import shown
from ._inputs import checks
from .segments import checked_chosen, checked_offsets

Array = NDArray[Any]


class Choices:
    """Which alternative was chosen from each group of rows: `y` for ``segment_cross_entropy``.

    A row of X describes one alternative, and the network, which has one output, scores it; a
    group's probabilities are the softmax of its rows' scores (conditional logit; ranking).

    Parameters
    ----------
    offsets : array_like of int (S + 1,)
        Choice s is between the rows ``offsets[s]`` to ``offsets[s + 1] - 1``; offsets rise from 0
        to the number of rows.
    chosen : array_like of int (S,)
        The row that was chosen: ``offsets[s] <= chosen[s] < offsets[s + 1]``.

    Attributes
    ----------
    offsets, chosen : ndarray of int64
        As given, read-only.

    Examples
    --------
    Three prices, then two; the cheaper one is taken.

    >>> import eigenmlp as em
    >>> X = [[3.0], [1.0], [2.0], [5.0], [4.0]]
    >>> y = em.Choices(offsets=[0, 3, 5], chosen=[1, 4])
    >>> net = em.MLP([1, 1], loss="segment_cross_entropy", bias=False, seed=0)
    >>> history = net.fit(X, y, epochs=50, optimizer=em.SGD(0.5))
    >>> net.predict(X, y.offsets)
    array([1, 4])
    >>> net.evaluate(X, y).accuracy
    1.0
    """

    def __init__(self, offsets: ArrayLike, chosen: ArrayLike) -> None:
        self.offsets = checked_offsets(offsets).copy()
        self.chosen = checked_chosen(chosen, self.offsets, ()).copy()
        self.offsets.flags.writeable = self.chosen.flags.writeable = False

    def __len__(self) -> int:
        """Choices S."""
        return len(self.chosen)

    @property
    def rows(self) -> int:
        """Alternatives in all: the rows that X must have."""
        return int(self.offsets[-1])

    def __repr__(self) -> str:
        return f"<Choices: {len(self)} between {self.rows} alternatives>"

    def take(self, choices: Array) -> tuple[Array, Choices]:
        """The rows of X that some choices are between, and those choices with places among them.

        Examples
        --------
        >>> import eigenmlp as em
        >>> rows, y = em.Choices([0, 3, 5], [1, 4]).take([1, 0])
        >>> rows, y.offsets, y.chosen
        (array([3, 4, 0, 1, 2]), array([0, 2, 5]), array([1, 3]))
        """
        choices = checks.numbers(choices, "choices")
        if choices.dtype.kind not in "iu" or choices.ndim != 1 or choices.size == 0:
            raise TypeError(
                "choices: expected integers of shape (T,), at least one, got "
                f"{choices.dtype} {choices.shape}"
            )
        if choices.min() < 0 or choices.max() >= len(self):
            raise ValueError(
                f"choices: expected 0 to {len(self) - 1}, got {choices.min()} to {choices.max()}"
            )
        starts = self.offsets[:-1][choices]
        offsets = np.zeros(len(starts) + 1, np.int64)
        np.cumsum(self.offsets[1:][choices] - starts, out=offsets[1:])
        moved = starts - offsets[:-1]
        rows = np.arange(offsets[-1]) + np.repeat(moved, np.diff(offsets))
        return rows, Choices(offsets, self.chosen[choices] - moved)


def checked_choices(y: object, rows: int) -> Choices:
    """Targets of so many rows."""
    if not isinstance(y, Choices):
        raise TypeError(f"y: expected Choices for segment_cross_entropy, got {type(y).__name__}")
    if y.rows != rows:
        raise ValueError(f"y: expected choices between {rows} rows, as X has, got {shown(y)}")
    return y


def best(z: Array, offsets: Array) -> Array:
    """The place of each segment's largest score (S,), the first of equals."""
    starts = offsets[:-1]
    largest = np.repeat(np.maximum.reduceat(z, starts), np.diff(offsets))
    places = np.flatnonzero(z == largest)
    chosen: Array = places[np.searchsorted(places, starts)]
    return chosen
