"""Intervals from what was off on rows that were not trained on (split conformal prediction).

Vovk, Gammerman and Shafer 2005; Lei et al. 2018, https://doi.org/10.1080/01621459.2017.1307116:
of n residuals, the ⌈(n + 1) c⌉-th smallest covers a new row with probability of at least c.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._inputs import checks

Array = NDArray[Any]

_MOST = 2000  # residuals that are kept


def kept(residuals: Array) -> tuple[list[float], int]:
    """Sorted absolute residuals, of many those at even steps, the largest among them; their n."""
    ordered = np.sort(np.abs(residuals))
    n = len(ordered)
    if n > _MOST:
        ordered = ordered[np.ceil(np.arange(1, _MOST + 1) * (n / _MOST)).astype(int) - 1]
    return [float(x) for x in ordered], n


def half_width(residuals: list[float], n: int, coverage: float) -> float:
    """What to add to either side of a prediction."""
    coverage = checks.number(coverage, "coverage", 0.0, 1.0)
    if coverage == 0:
        raise ValueError("coverage: expected a share above 0 and below 1, got 0")
    rank = math.ceil((n + 1) * coverage)
    if rank > n:
        most = n / (n + 1)
        raise ValueError(
            f"coverage: expected at most {most:.4g}, as {n} validation rows tell, got {coverage}"
        )
    place = math.ceil(rank * len(residuals) / n)
    return residuals[min(place, len(residuals)) - 1]


def spread(residuals: Array, deviation: Array) -> float:
    """What residuals have beyond the deviation (N,) of the members, as a standard deviation."""
    square = float(np.mean(residuals**2))
    return math.sqrt(max(square - float(np.mean(deviation**2)), 0.01 * square))


def unit(deviation: Array, spread: float) -> Array:
    """What residuals (N,) are measured in where members differ by `deviation`."""
    found: Array = np.hypot(deviation, spread)
    return found
