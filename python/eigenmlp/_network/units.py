"""The units of inputs and outputs: what stands between the user's columns and the layers.

``Y = f((X - input_shift) * input_scale) * output_scale + output_shift``; numbers, or an array with
one for each column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
        if all(type(given[name]) is float and given[name] == _NONE[name] for name in NAMES):
            return cls()
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
        if np.any(values["output_scale"] < (least := float(np.finfo(dtype).tiny))):
            raise ValueError(
                f"output_scale: expected at least {least:.3g} in {dtype}, got "
                f"{shown(given['output_scale'])}"
            )
        return cls(**values)

    def __getitem__(self, name: str) -> Numbers:
        value: Numbers = getattr(self, name)
        return value

    @cached_property
    def are_plain(self) -> bool:
        """Whether one factor of the inputs is all they are."""
        plain = isinstance(self.input_scale, float)
        return plain and all(_is(self[name], _NONE[name]) for name in NAMES if name != NAMES[1])

    @cached_property
    def shifts(self) -> bool:
        """Whether something is taken from or added to columns, so that digits matter."""
        return bool(np.any(self.input_shift) or np.any(self.output_shift))

    @cached_property
    def _only_a_factor(self) -> bool:
        return isinstance(self.input_scale, float) and bool(np.all(self.input_shift == 0.0))

    @cached_property
    def _of_outputs(self) -> bool:
        return bool(np.any(self.output_shift) or np.any(np.asarray(self.output_scale) != 1.0))

    @property
    def key(self) -> tuple[float | bytes, ...]:
        """The same for the same numbers, and hashable."""
        return tuple(x if isinstance(x := self[name], float) else x.tobytes() for name in NAMES)

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

    def check_inputs(self, X: Any, dtype: str, what: str = "X") -> None:
        """Refuse rows (N, D) with a number whose place in the layers' units `dtype` cannot hold.

        They may be CSR rows, which are not made dense.
        """
        if self._only_a_factor:
            return  # as checked with the factor
        m, s = np.asarray(self.input_shift), np.asarray(self.input_scale)
        if sparse.is_sparse(X):
            _check_sparse_range(X, m, s, dtype, what)
        else:
            _check_range(X, m, s, dtype, what)

    def check_targets(self, T: Any, dtype: str, what: str = "y") -> None:
        """The same of targets (N, K)."""
        if self._of_outputs:
            b, a = np.asarray(self.output_shift), np.asarray(self.output_scale)
            _check_range(T, b, 1 / a, dtype, what)

    def described(self) -> dict[str, float | list[float]]:
        """As arguments, without arrays."""
        return {
            name: value if isinstance(value := self[name], float) else value.tolist()
            for name in NAMES
        }

    def arrays(self) -> dict[str, Array]:
        """Those that are arrays, by name."""
        return {name: x for name in NAMES if isinstance(x := self[name], np.ndarray)}


def measured(X: Any, T: Array | None, dtype: str) -> dict[str, Array]:
    """Shift and scale of the columns of X (N, D) and, where given, of targets T (N, K).

    The mean and 1 / deviation, for outputs the deviation; of sparse rows, whose zeros stay zero,
    the deviation alone. A column that does not vary, as far as `dtype` can tell, has scale 1.
    """
    if sparse.is_sparse(X):
        mean, deviation = _sparse_moments(X, dtype)
        units = {"input_shift": np.zeros_like(mean), "input_scale": 1 / deviation}
    else:
        mean, deviation = moments(X, dtype)
        units = {"input_shift": mean, "input_scale": 1 / deviation}
    if T is not None:
        units["output_shift"], units["output_scale"] = moments(T, dtype)
    if (wide := np.flatnonzero(units["input_scale"] < np.finfo(dtype).tiny)).size:
        raise ValueError(
            f"X: expected columns whose deviation {dtype} can divide by, got "
            f"{deviation[wide[0]]:.3g} in column {wide[0]}"
        )
    return units


def _is(value: float | Array, number: float) -> bool:
    """Whether a number, or all of an array, is this one."""
    return value == number if isinstance(value, float) else bool(np.all(value == number))


def moments(A: Array, dtype: str = "float64") -> tuple[Array, Array]:
    """Mean and deviation (columns,) of the columns of A (N, columns), in float64.

    In two passes, by blocks of rows. A deviation that rounding alone explains is 1, and so is one
    so small that a network of `dtype` could not hold what it is divided by.
    """
    mean, squares = _sums(A, np.ones(A.shape[1]))
    deviation = _deviation(squares, mean, len(A), dtype)
    # Squares that have lost digits, but for columns whose rounding alone is larger.
    small, large = (squares < 1e-280 * len(A)) & (np.abs(mean) < 1e100), ~(squares < 1e300)
    for odd, factor in ((small, 2.0**500), (large, 2.0**-500)):
        if odd.any():
            means, squares_there = _sums(A[:, odd], np.full(int(odd.sum()), factor))
            mean[odd] = means / factor
            deviation[odd] = _deviation(squares_there, means, len(A), dtype, factor)
    return mean, deviation


def _sums(A: Array, factor: Array) -> tuple[Array, Array]:
    """Of columns, each times its factor: the mean, and the sum of squares around it."""
    N, columns = A.shape
    rows = max(1, _BLOCK // columns)
    parts = [A[i : i + rows] for i in range(0, N, rows)]
    origin = A[0].astype(np.float64) * factor  # so that sums of 10⁹ ± 1 keep their digits
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = origin + sum((p.astype(np.float64) * factor - origin).sum(axis=0) for p in parts) / N
        squares = sum(((p.astype(np.float64) * factor - mean) ** 2).sum(axis=0) for p in parts)
    return mean, np.asarray(squares)


def _sparse_moments(X: Any, dtype: str) -> tuple[Array, Array]:
    N, columns = X.shape
    if not X.has_canonical_format:  # numbers of one place add up
        X = X.copy()
        X.sum_duplicates()
    data, places = X.data.astype(np.float64), X.indices
    stored = np.bincount(places, minlength=columns)
    with np.errstate(over="ignore", under="ignore"):
        mean = np.bincount(places, data, columns) / N
        squares = np.bincount(places, (data - mean[places]) ** 2, columns)
        squares = squares + (N - stored) * mean**2  # bincount of nothing is of integers
    return mean, _deviation(squares, mean, N, dtype)


def _deviation(
    squares: Array, mean: Array, N: int, dtype: str = "float64", factor: float = 1.0
) -> Array:
    """From sums of squares around means, all of columns times a factor."""
    eps, least = float(np.finfo(np.float64).eps), 16 * float(np.finfo(dtype).tiny)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        variance = squares / N
        varies = variance > N * eps * variance + (N * eps * mean) ** 2
        deviation = np.sqrt(variance) / factor
    varies &= (deviation > least) & np.isfinite(deviation)  # 1 / deviation is a number too
    return np.where(varies, deviation, 1.0)


def _check_range(A: Array, m: Array, s: Array, dtype: str, what: str) -> None:
    """Refuse A (N, columns) if ``(A - m) * s`` is beyond `dtype` somewhere."""
    most = checks.largest(dtype)
    reach = max(abs(float(A.min())), abs(float(A.max())))
    with np.errstate(over="ignore", invalid="ignore"):
        if (reach + np.abs(m).max()) * max(1.0, np.abs(s).max()) <= most:
            return
        rows = max(1, _BLOCK // A.shape[1])
        for first in range(0, len(A), rows):
            part = A[first : first + rows]
            moved = part.astype(np.float64) - m
            bad = ~((np.abs(moved) <= most) & (np.abs(moved * s) <= most))
            if bad.any():
                row, column = np.argwhere(bad)[0].tolist()
                raise _beyond(part[row, column], first + row, column, dtype, what)


def _check_sparse_range(X: Any, m: Array, s: Array, dtype: str, what: str) -> None:
    most = checks.largest(dtype)
    m, s = (np.broadcast_to(units, X.shape[1]) for units in (m, s))
    with np.errstate(over="ignore", invalid="ignore"):
        if (bad := np.flatnonzero(~(np.abs(m * s) <= most))).size:
            raise _beyond(0.0, 0, int(bad[0]), dtype, what)
        moved = (X.data.astype(np.float64) - m[X.indices]) * s[X.indices]
        if (bad := np.flatnonzero(~(np.abs(moved) <= most))).size:
            at = int(bad[0])
            row = int(np.searchsorted(X.indptr, at, side="right")) - 1
            raise _beyond(X.data[at], row, int(X.indices[at]), dtype, what)


def _beyond(value: Any, row: int, column: int, dtype: str, what: str) -> ValueError:
    return ValueError(
        f"{what}: expected finite {dtype} numbers after standardising, got {value} at "
        f"[{row}, {column}]"
    )


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
