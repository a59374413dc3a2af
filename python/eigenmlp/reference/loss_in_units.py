"""The loss of values that have a unit, from numbers in the layers' own.

    l(Y, T) = sum_k w_k l(Y_L, (T - b) / a)_k,   w_k = a_k^degree

Such losses are homogeneous, l(a y, a t) = a^degree l(y, t), where a parameter in the outputs' unit,
Huber's delta, is multiplied too. An optimizer is given the derivative without the weights w, as if
the user had scaled the targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eigenmlp.reference import loss
from eigenmlp.reference.choice import parse
from eigenmlp.reference.types import Array, Doubles, Floats
from eigenmlp.reference.units import Units


class LossInUnits(NamedTuple):
    """The loss of rows, output by output where these have a unit."""

    text: str  # of the loss
    units: Units
    sample_weight: Array | None = None
    total: float | None = None  # as in `loss.mean_value`

    def value(self, Y: Floats, T: Array) -> float:
        """The mean loss, or the sum."""
        parts = [
            w * loss.mean_value(text, Y[:, k], T[:, k] if T.ndim > 1 else T, *self._rest)
            for text, k, w in self._parts(Y)
        ]
        total: float = sum(parts)
        return total

    def derivative(self, Y: Floats, T: Array, trains: bool = False) -> Floats:
        """By Y_L (N, K); if it `trains`, what an optimizer is given instead."""
        return self._by_outputs(loss.mean_derivative, Y, T, trains=trains)

    def derivative_tangent(self, Y: Floats, T: Array, RY: Floats) -> Floats:
        """How `derivative` moves when Y_L moves by RY."""
        return self._by_outputs(loss.mean_derivative_tangent, Y, T, RY)

    def row_derivative(self, Y: Floats, T: Array) -> Floats:
        """Of each row's own loss (N, K)."""
        dY = [
            w * loss.find(text).derivative(Y[:, k], T[:, k] if T.ndim > 1 else T)
            for text, k, w in self._parts(Y)
        ]
        return np.concatenate(dY, axis=1).astype(Y.dtype)

    def series(self, Y: Floats, T: Array) -> Doubles:
        """Taylor coefficients of the loss from those of Y_L (order + 1, N, K)."""
        parts = [
            w * loss.mean_series(text, Y[:, :, k], T[:, k] if T.ndim > 1 else T, self.sample_weight)
            for text, k, w in self._parts(Y[0])
        ]
        total: Doubles = np.sum(parts, axis=0)
        return total

    @property
    def _rest(self) -> tuple[Array | None, float | None]:
        return self.sample_weight, self.total

    def _by_outputs(
        self,
        function: Callable[..., Floats],
        Y: Floats,
        T: Array,
        *moves: Floats,
        trains: bool = False,
    ) -> Floats:
        parts = []
        for text, k, w in self._parts(Y):
            given = [Y[:, k], T[:, k] if T.ndim > 1 else T, *(RY[:, k] for RY in moves)]
            weight = _training_weight(text) if trains and self.units.of_outputs else w
            parts.append(np.asarray(weight, Y.dtype) * function(text, *given, *self._rest))
        return np.concatenate(parts, axis=1)

    def _parts(self, Y: Floats) -> list[tuple[str, slice, float]]:
        """Outputs that share a loss: its text, the outputs, and how much they count."""
        if not self.units.of_outputs:
            return [(self.text, slice(None), 1.0)]
        name, given = parse(self.text)
        entry = loss.LOSSES[name]
        parts = []
        for k, a in enumerate(np.broadcast_to(self.units.a, Y.shape[1]).tolist()):
            own = {
                key: x[k] if isinstance(x, (list, tuple)) and len(x) > 1 else x
                for key, x in given.items()
            }
            for key in entry.in_unit:
                own[key] = own.get(key, entry.parameters[key]) / a
            text = f"{name}({', '.join(f'{key}={x!r}' for key, x in own.items())})" if own else name
            parts.append((text, slice(k, k + 1), a**entry.degree))
        return parts


def _training_weight(text: str) -> float:
    """1; or 1 / δ where Huber's δ is below 1: the derivative, which it bounds, is as small."""
    name, given = parse(text)
    return max([1.0, *(1 / float(given[key]) for key in loss.LOSSES[name].in_unit)])
