"""What a solver is given: rows, targets, weights, and what scikit-learn's loss makes of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """Rows X (N, D), dense or CSR; labels (N,) or targets (N, K); weights (N,) or None.

    The loss that is reported is ``loss_scale`` times the core's, plus the mean of `constants` (N,)
    where there are any.
    """

    X: Any
    T: Array
    weights: Array | None
    loss_scale: float = 1.0
    constants: Array | None = None

    @property
    def rows(self) -> int:
        """N."""
        return int(self.X.shape[0])

    @property
    def total_weight(self) -> float:
        """Σ w."""
        return float(self.rows if self.weights is None else self.weights.sum())

    def mean_constant(self) -> float:
        """Over all rows."""
        if self.constants is None:
            return 0.0
        return float(np.average(self.constants, weights=self.weights))

    def batch_constants(self, order: Array, size: int) -> Array | float:
        """The means over each batch of rows in that order."""
        if self.constants is None:
            return 0.0
        starts = np.arange(0, self.rows, size)
        weights = np.ones(self.rows) if self.weights is None else self.weights[order]
        totals = np.add.reduceat(weights, starts)
        sums = np.add.reduceat(weights * self.constants[order], starts)
        return np.divide(sums, totals, out=np.zeros(len(starts)), where=totals != 0)
