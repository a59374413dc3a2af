"""Rows to train on and rows to validate with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from . import _targets, _values

Array = NDArray[Any]


def group_array(groups: Any, rows: int) -> Array:
    """What groups rows (N,) are of, as numbers or names; none is missing."""
    array = _targets.as_array(groups, "groups")
    _targets.check_rows(len(array), rows, "groups")
    row = _targets.missing_at(array)
    if row is not None:
        raise ValueError(
            f"groups: expected a group in every row, got {shown(array.tolist()[row])} in row {row}"
        )
    if array.dtype.kind == "O":
        array = np.array([_values.text_of(item) for item in array.tolist()])
    return array


def folds(
    y: Array, count: int, classifies: bool, groups: Array | None, rng: np.random.Generator
) -> Array:
    """For each row the number of its fold, 0 to `count` - 1.

    Rows of a group stay together. Without groups, each class is spread evenly over the folds, and
    so are small and large values of a target that is a number.
    """
    if groups is not None:
        return _by_groups(groups, count, rng)
    # Equal ones in any order, then dealt out in rounds: each round gives every fold one row.
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    found = np.empty(len(y), np.int64)
    if classifies:
        found[order] = (np.arange(len(y)) + rng.integers(count)) % count
        return found
    rounds = -(-len(y) // count)
    dealt = np.argsort(rng.random((rounds, count)), axis=1).ravel()
    found[order] = dealt[: len(y)]
    return found


def _by_groups(groups: Array, count: int, rng: np.random.Generator) -> Array:
    """The largest group first, each into the fold of the fewest rows. Fold 0, which alone may be
    the one to validate with, is that whose share of the rows is nearest to what it should be.
    """
    names, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"groups: expected at least two, to validate with others than those trained on, got "
            f"{shown(names.tolist())} alone"
        )
    order = rng.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(count, np.int64)
    fold_of = np.empty(len(names), np.int64)
    for group in order.tolist():
        fold_of[group] = int(np.argmin(filled))
        filled[fold_of[group]] += sizes[group]
    off = np.where(filled > 0, np.abs(filled - len(groups) / count), np.inf)
    nearest = int(np.argmin(off))
    swapped = np.arange(count)
    swapped[[0, nearest]] = nearest, 0
    found: Array = swapped[fold_of][inverse]
    return found
