"""Inputs and outputs in the user's own units, which the layers do not see.

Y0 = (X - m) * s        m, s (D,)
Y  = Y_L * a + b        a, b (K,), a > 0
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eigenmlp.reference.types import Array, Doubles, Floats


class Units(NamedTuple):
    """Each in float64."""

    m: Doubles | float = 0.0  # (D,)
    s: Doubles | float = 1.0  # (D,)
    b: Doubles | float = 0.0  # (K,)
    a: Doubles | float = 1.0  # (K,)

    @property
    def of_outputs(self) -> bool:
        """Whether outputs have a unit."""
        return isinstance(self.a, np.ndarray)

    def inputs(self, X: Array, dtype: np.dtype[np.floating]) -> Floats:
        """Y0, whose difference is taken in float64.

        Examples
        --------
        >>> Units(m=1e8, s=2.0).inputs(np.array([[1e8 + 1]]), np.dtype("float32"))
        array([[2.]], dtype=float32)
        """
        if isinstance(self.m, float) and self.m == 0:
            return np.asarray(self.s, dtype) * X.astype(dtype)
        return (X.astype(np.float64) - self.m).astype(dtype) * np.asarray(self.s, dtype)

    def input_move(self, dX: Array, dtype: np.dtype[np.floating]) -> Floats:
        """How Y0 moves with X, and the derivative by X with that by Y0."""
        return np.asarray(self.s, dtype) * dX.astype(dtype)

    def outputs(self, Y: Floats) -> Floats:
        """Y from the last layer's Y_L."""
        return Y * self.a_as(Y) + np.asarray(self.b, Y.dtype) if self.of_outputs else Y

    def output_move(self, dY: Floats) -> Floats:
        """How Y moves with Y_L, and the derivative by Y_L with that by Y."""
        return dY * self.a_as(dY) if self.of_outputs else dY

    def targets(self, T: Array, dtype: np.dtype[np.floating]) -> Floats:
        """(T - b) / a."""
        if not self.of_outputs:
            return T.astype(dtype)
        return (T.astype(np.float64) - self.b).astype(dtype) * (1 / np.asarray(self.a)).astype(
            dtype
        )

    def a_as(self, Y: Floats) -> Floats:
        """Output scales in the dtype of Y."""
        return np.asarray(self.a, Y.dtype)
