"""Central differences of a loss, each with what truncation, kinks and rounding may do to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks

Array = NDArray[Any]

EPS = float(np.finfo(np.float64).eps)
STEPS = (1.0, 1 / 16, 1 / 256, 16.0)  # to try in turn, until one judges the entry


@dataclass(frozen=True)
class GradientEntry:
    """One entry of a gradient, as given and by differences.

    Attributes
    ----------
    name : str
        ``W1[3, 2]``, ``b0[4]`` or ``parameters[7]``.
    given, expected : float
        The gradient's entry, and the central difference.
    uncertainty : float
        How far the difference may be from the derivative: truncation, rounding, kinks.
    relative_error : float
        ``|given - expected|`` relative to the larger of the two, or to the smallest number that
        the differences resolve, if both are below that.
    at_kink : bool
        Whether the loss has a kink right there, as with a relu whose input is 0: its two
        one-sided slopes differ, there is no derivative, and the entry is not judged.
    """

    name: str
    given: float
    expected: float
    uncertainty: float
    relative_error: float
    at_kink: bool


class Differences:
    """Derivatives of a loss of P numbers by one of them, each with its uncertainty.

    Parameters
    ----------
    loss : callable
        Of an array (P,), which it may change.
    gradient, point : ndarray (P,)
        What is checked, and where.
    scale : float
        The size of the numbers of which the loss is a sum, as far as it is known.
    tolerance : float
        The relative error that passes.

    Notes
    -----
    `check_gradients` gives the formulas.
    """

    def __init__(
        self,
        loss: Callable[[Array], float],
        gradient: Array,
        point: Array,
        scale: float,
        tolerance: float,
    ) -> None:
        self.loss, self.point, self.tolerance = loss, point, tolerance
        self.start = finite_number(loss(point.copy()), "loss")
        self.noise = max(self._measured_noise(), EPS * scale)
        # The loss may be next to 0 at a minimum: its scale is also what a step of 1 changes.
        reach = float(np.max(np.abs(gradient) * np.maximum(1, np.abs(point))))
        scale = max(abs(self.start), scale, reach)
        self.relative_noise = min(max(EPS, self.noise / scale if scale > 0 else 0.0), 1e-4)

    def entry(self, name: str, i: int, given: float) -> GradientEntry:
        """Entry i of the gradient beside the difference with the least uncertainty."""
        h = self.relative_noise ** (1 / 3) * max(1.0, abs(float(self.point[i])))
        best = None
        for factor in STEPS:
            tried = self._compared(name, i, h * factor, given)
            if best is None or tried.uncertainty < best.uncertainty:
                best = tried
            if not best.at_kink and best.relative_error <= self.tolerance:
                break
        assert best is not None
        return best

    def _compared(self, name: str, i: int, h: float, given: float) -> GradientEntry:
        slope, spread, sigma = self._central(i, h)
        rounding = 6 * 2**0.5 * sigma  # of d(h / 2)
        larger = max(abs(given), abs(slope))
        size = max(larger, (spread + rounding) / self.tolerance)
        error = abs(given - slope) / size if size > 0 else 0.0
        at_kink = spread > max(6 * 5.8 * sigma, self.tolerance * larger)  # the sigma of `spread`
        return GradientEntry(name, given, slope, spread + rounding, error, at_kink)

    def _value(self, i: int, step: float) -> float:
        moved = self.point.copy()
        moved[i] += step
        return finite_number(self.loss(moved), "loss near the parameters")

    def _central(self, i: int, h: float) -> tuple[float, float, float]:
        """d(h / 2), what truncation and kinks may do to it, and the noise of f / h."""
        x = float(self.point[i])
        up, down = (x + h) - x, x - (x - h)  # steps that float64 holds exactly
        far = self._value(i, up), self._value(i, -down)
        near = self._value(i, up / 2), self._value(i, -down / 2)
        d_far, d_near = (far[0] - far[1]) / (up + down), (near[0] - near[1]) / (up + down) * 2
        jump_far = (far[0] - self.start) / up - (self.start - far[1]) / down
        jump_near = 2 * ((near[0] - self.start) / up - (self.start - near[1]) / down)
        sigma = max(self.noise, EPS * max(map(abs, (*far, *near))))
        spread = abs(d_far - d_near) + 0.5 * abs(2 * jump_near - jump_far)
        return d_near, spread, sigma / h

    def _measured_noise(self) -> float:
        """The standard deviation of the loss's rounding, after Moré & Wild's ECnoise.

        The k-th differences of equally spaced values lose the smooth part of the loss, and keep
        its noise with variance (2k)! / (k!)².
        """
        rng = np.random.default_rng(0)
        direction = rng.choice([-1.0, 1.0], len(self.point))
        direction *= np.maximum(1.0, np.abs(self.point)) / np.sqrt(len(self.point))
        for spacing in 1e-12, 1e-10, 1e-8, 1e-6, 1e-4:  # wider where the loss sees no step
            values = np.array([self.loss(self.point + k * spacing * direction) for k in range(8)])
            if np.unique(values).size < 5:
                continue
            levels = []
            gamma = 1.0
            for k in range(1, 7):
                values = np.diff(values)
                gamma *= k / (2 * (2 * k - 1))  # (k!)² / (2k)!
                levels.append(float(np.sqrt(gamma * np.mean(values**2))))
            return min(levels[2:])  # the least: a kink nearby adds to all levels
        return 0.0


def finite_number(value: Any, what: str) -> float:
    """`value` as a float, if it is one finite number."""
    array = checks.as_array(value, what)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise TypeError(f"{what}: expected a number, got {shown(value)}")
    number = float(array.reshape(()))
    if not np.isfinite(number):
        raise ValueError(f"{what}: expected a finite number, got {number}")
    return number
