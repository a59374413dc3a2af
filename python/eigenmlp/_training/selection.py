"""Which of many models to average, and how much of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Selected(NamedTuple):
    """Weights (M,) of a sum of 1, and the loss of the mean after each round (R,)."""

    weights: Array
    curve: list[float]


def greedy(
    outputs: Sequence[Array], measure: Callable[[Array], float], rounds: int, patience: int = 10
) -> Selected:
    """Take the model again and again whose outputs make the mean of all taken so far the best.

    Selection with replacement of Caruana et al. 2004, https://doi.org/10.1145/1015330.1015432:
    a model that is taken k times in R rounds weighs k/R. What counts is the round where the mean
    was best; `patience` rounds without a better one end it.

    Parameters
    ----------
    outputs : sequence of M arrays of one shape
        Of rows that were not trained on.
    measure : callable
        The loss of a mean of outputs; NaN counts as infinite.
    rounds : int
        At most so many.
    """
    taken = np.zeros(len(outputs))
    total = np.zeros(outputs[0].shape)
    best, weights, since = np.inf, taken, 0
    curve: list[float] = []
    for count in range(1, rounds + 1):
        losses = [measure((total + Y) / count) for Y in outputs]
        place = int(np.argmin(np.nan_to_num(losses, nan=np.inf, posinf=np.inf)))
        taken[place] += 1
        total += outputs[place]
        curve.append(float(losses[place]))
        if losses[place] < best or count == 1:
            best, weights, since = losses[place], taken / count, 0
        else:
            since += 1
        if since >= patience:
            break
    return Selected(weights, curve)


def moments(outputs: Sequence[Array], weights: Sequence[float] | Array) -> tuple[Array, Array]:
    """The mean of arrays by weights of a sum of 1, and the deviation from it, in float64."""
    mean = np.zeros(outputs[0].shape)
    for weight, Y in zip(weights, outputs, strict=True):
        mean += weight * Y.astype(np.float64)
    square = np.zeros(outputs[0].shape)
    for weight, Y in zip(weights, outputs, strict=True):
        square += weight * (Y - mean) ** 2
    return mean, np.sqrt(square)
