"""The units of inputs and outputs: what stands between the user's columns and the layers.

``Y = f((X - input_shift) * input_scale) * output_scale + output_shift``; numbers, or an array with
one for each column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks, sparse

Array = NDArray[Any]
Numbers = float | Array  # of all columns, or (columns,)

NAMES = ("input_shift", "input_scale", "output_shift", "output_scale")
_NONE = {"input_shift": 0.0, "input_scale": 1.0, "output_shift": 0.0, "output_scale": 1.0}
_BLOCK = 1 << 20  # numbers that are measured together


@dataclass(frozen=True, eq=False)
class Units:
    """Checked: floats, or read-only float64 arrays."""

    input_shift: Numbers = 0.0
    input_scale: Numbers = 1.0
    output_shift: Numbers = 0.0
    output_scale: Numbers = 1.0

    @classmethod
    def checked(cls, D: int, K: int, dtype: str, of_values: bool, **given: Any) -> Units:
        """From what a user gave; outputs have a unit only where the loss is of values."""
        values = {
            name: _checked(given[name], name, D if name.startswith("input") else K, dtype)
            for name in NAMES
        }
        for name in ("output_shift", "output_scale"):
            if not of_values and not np.all(values[name] == _NONE[name]):
                raise ValueError(
                    f"{name}: expected {_NONE[name]:g} with this loss, whose outputs have no unit, "
                    f"got {shown(given[name])}"
                )
        if not np.all(values["output_scale"] > 0):
            raise ValueError(
                f"output_scale: expected numbers above 0, got {shown(given['output_scale'])}"
            )
        return cls(**values)

    def __getitem__(self, name: str) -> Numbers:
        value: Numbers = getattr(self, name)
        return value

    @property
    def are_plain(self) -> bool:
        """Whether one factor of the inputs is all they are."""
        plain = isinstance(self.input_scale, float)
        return plain and all(
            np.all(self[name] == _NONE[name]) for name in NAMES if name != NAMES[1]
        )

    @property
    def shifts(self) -> bool:
        """Whether something is taken from or added to columns, so that digits matter."""
        return bool(np.any(self.input_shift) or np.any(self.output_shift))

    def refuse_given(self, beside: str) -> None:
        """Refuse numbers that say something."""
        for name in NAMES:
            if not np.all(self[name] == _NONE[name]):
                raise ValueError(
                    f"{name}: expected {_NONE[name]:g} with {beside}, got {shown(self[name])}"
                )

    def columns(self, D: int, K: int) -> list[Array]:
        """All four as float64 arrays, (D,), (D,), (K,), (K,)."""
        sizes = [D if name.startswith("input") else K for name in NAMES]
        return [
            np.array(np.broadcast_to(self[name], size), np.float64)
            for name, size in zip(NAMES, sizes, strict=True)
        ]

    def lists(self, D: int, K: int) -> list[list[float]]:
        """The same, as a backend takes them: empty where they do nothing."""
        nothing = [isinstance(self[name], float) and self[name] == _NONE[name] for name in NAMES]
        columns = self.columns(D, K)
        return [[] if no else x.tolist() for no, x in zip(nothing, columns, strict=True)]

    def check_range(self, X: Array, dtype: str, what: str) -> None:
        """Refuse a number whose place in the layers' units `dtype` cannot hold."""
        if isinstance(self.input_scale, float) and np.all(self.input_shift == 0.0):
            return  # as checked with the factor
        most = checks.largest(dtype)
        m, s = np.asarray(self.input_shift), np.asarray(self.input_scale)
        reach = max(abs(float(X.min())), abs(float(X.max()))) if X.size else 0.0
        with np.errstate(over="ignore"):
            if (reach + np.abs(m).max()) * np.abs(s).max() <= most:
                return
            for row, x in enumerate(X):
                y = (x.astype(np.float64) - m) * s
                if (bad := np.flatnonzero(~(np.abs(y) <= most))).size:
                    column = int(bad[0])
                    raise ValueError(
                        f"{what}: expected finite {dtype} numbers after standardising, got "
                        f"{x[column]} at [{row}, {column}]"
                    )

    def described(self) -> dict[str, float | list[float]]:
        """As arguments, without arrays."""
        return {
            name: value if isinstance(value := self[name], float) else value.tolist()
            for name in NAMES
        }

    def arrays(self) -> dict[str, Array]:
        """Those that are arrays, by name."""
        return {name: x for name in NAMES if isinstance(x := self[name], np.ndarray)}


def measured(X: Any, T: Array | None) -> dict[str, Array]:
    """Shift and scale of the columns of X (N, D) and, where given, of targets T (N, K).

    The mean and 1 / deviation, for outputs the deviation; of sparse rows, whose zeros stay zero,
    the deviation alone. A column that does not vary has scale 1.
    """
    if sparse.is_sparse(X):
        mean, deviation = _sparse_moments(X)
        units = {"input_shift": np.zeros_like(mean), "input_scale": 1 / deviation}
    else:
        mean, deviation = moments(X)
        units = {"input_shift": mean, "input_scale": 1 / deviation}
    if T is not None:
        units["output_shift"], units["output_scale"] = moments(T)
    return units


def moments(A: Array) -> tuple[Array, Array]:
    """Mean and deviation (columns,) of the columns of A (N, columns), in float64.

    In two passes, by blocks of rows. A deviation that rounding alone explains is 1.
    """
    N, columns = A.shape
    rows = max(1, _BLOCK // columns)
    parts = [A[i : i + rows] for i in range(0, N, rows)]
    origin = A[0].astype(np.float64)  # so that sums of 10⁹ ± 1 keep their digits
    mean = origin + sum((part.astype(np.float64) - origin).sum(axis=0) for part in parts) / N
    squares = sum(((part.astype(np.float64) - mean) ** 2).sum(axis=0) for part in parts)
    return mean, _deviation(squares / N, mean, N)


def _sparse_moments(X: Any) -> tuple[Array, Array]:
    N, columns = X.shape
    data, places = X.data.astype(np.float64), X.indices
    mean = np.bincount(places, data, columns) / N
    stored = np.bincount(places, minlength=columns)
    squares = np.bincount(places, (data - mean[places]) ** 2, columns)
    return mean, _deviation((squares + (N - stored) * mean**2) / N, mean, N)


def _deviation(variance: Array, mean: Array, N: int) -> Array:
    eps = float(np.finfo(np.float64).eps)
    varies = variance > N * eps * variance + (N * eps * mean) ** 2
    deviation = np.sqrt(variance)
    varies &= (deviation > 1e-150) & np.isfinite(deviation)  # 1 / deviation is a number too
    return np.where(varies, deviation, 1.0)


def _checked(value: Any, name: str, columns: int, dtype: str) -> Numbers:
    largest = checks.largest(dtype)
    if not checks.is_several(value):
        return checks.number(value, name, -largest, below=largest)
    numbers = checks.numbers(checks.items(value, name), name)
    letter = "D" if name.startswith("input") else "K"
    if numbers.shape != (columns,):
        raise ValueError(
            f"{name}: expected a number or shape ({letter},) = ({columns},), got {numbers.shape}"
        )
    checks.finite(numbers, name, dtype)
    array = np.array(numbers, np.float64)
    array.flags.writeable = False
    return array
