"""Splitting rows into a part to train on and a part held out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._basics.shown import shown
from .._inputs import checks


def stratified_split(
    y: npt.ArrayLike, fraction: float, rng: np.random.Generator | int | None = None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Hold out a fraction of the rows, with every class in the same proportion.

    Parameters
    ----------
    y : array-like, shape (N,)
        The class of each row: integers, booleans or strings.
    fraction : float
        The share to hold out, between 0 and 1, both exclusive.
    rng : numpy.random.Generator, int or None
        Chooses the rows; an int is a seed.

    Returns
    -------
    train_index, test_index : ndarrays of intp, shapes (N - M,) and (M,)
        Disjoint, ascending, together every row. M is ``round(fraction * N)``, or less where
        that would leave a class without a training row; each class gives its share rounded up
        or down, the largest remainders up.

    Raises
    ------
    ValueError
        If `y` is empty, not one-dimensional or of floats, or `fraction` outside (0, 1).

    Examples
    --------
    >>> from eigenmlp.datasets import stratified_split
    >>> train, test = stratified_split([0, 0, 0, 0, 1, 1, 1, 1], 0.25, 0)
    >>> len(train), (test < 4).tolist()
    (6, [True, False])
    """
    y = checks.as_array(y, "y")
    if y.ndim != 1 or y.size == 0:
        raise ValueError(
            f"y: expected a class for each row, shape (N,), N at least 1; got {y.shape}"
        )
    if y.dtype.kind not in "biuUS":
        raise ValueError(f"y: expected classes as integers or strings, got {y.dtype!s:.80}")
    if not 0 < checks.number(fraction, "fraction") < 1:
        raise ValueError(f"fraction: expected a number between 0 and 1, got {shown(fraction)}")
    rng = checks.generator(rng, "rng")

    _, class_of_row, class_sizes = np.unique(y, return_inverse=True, return_counts=True)
    held_out = np.zeros(len(y), dtype=bool)
    for k, count in enumerate(_counts_to_hold_out(class_sizes, fraction)):
        rows = np.flatnonzero(class_of_row == k)
        held_out[rng.permutation(rows)[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _counts_to_hold_out(class_sizes: npt.NDArray[np.intp], fraction: float) -> npt.NDArray[np.intp]:
    """Share round(fraction * N) out to the classes by the largest remainders."""
    shares = fraction * class_sizes
    counts: npt.NDArray[np.intp] = np.minimum(np.floor(shares).astype(np.intp), class_sizes - 1)
    missing = round(fraction * int(class_sizes.sum())) - int(counts.sum())
    by_remainder = np.argsort(counts - shares, kind="stable")
    able = by_remainder[counts[by_remainder] < class_sizes[by_remainder] - 1]
    counts[able[: max(0, missing)]] += 1
    return counts
