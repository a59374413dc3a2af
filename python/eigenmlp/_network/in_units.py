"""What users pass, in their units, as the layers take it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._basics.shown import shown
from .._inputs import checks, sparse, targets
from ..choices import Choices, checked_choices
from ..losses import Quantile, SoftmaxCrossEntropy
from . import units
from .layers import Layers
from .units import Units

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="LayersInUnits")


class LayersInUnits(Layers):
    """Layers between the columns of users' data: their units, and the checks of rows."""

    # ---- units

    @property
    def input_shift(self) -> float | Array:
        """What is taken from inputs: a number, or a read-only array (D,)."""
        return self._units.input_shift

    @property
    def input_scale(self) -> float | Array:
        """What inputs are multiplied by after that: a number, or a read-only array (D,)."""
        return self._units.input_scale

    @property
    def output_shift(self) -> float | Array:
        """What is added to outputs, after `output_scale`: a number, or a read-only array (K,)."""
        return self._units.output_shift

    @property
    def output_scale(self) -> float | Array:
        """What outputs are multiplied by: a number, or a read-only array (K,)."""
        return self._units.output_scale

    def standardize(self: Kind, X: ArrayLike, y: ArrayLike | None = None) -> Kind:
        """Measure the columns of X (N, D), and of y (N, K) where the loss is of values.

        The network then takes its inputs, and gives its outputs, in the units of these columns:
        ``Y = f((X - input_shift) * input_scale) * output_scale + output_shift``, with each column's
        mean and deviation. A column that does not vary has scale 1; sparse rows keep their zeros,
        and have no shift. Parameters stay as they are. With ``MLP(standardize=True)`` the first
        `fit` calls this.

        Returns
        -------
        MLP
            The network itself.

        Examples
        --------
        >>> import eigenmlp as em
        >>> net = em.MLP([2, 1], loss="squared_error", init="zeros")
        >>> net.standardize([[0.0, 10.0], [2.0, 30.0]], [100.0, 300.0]).forward([[1.0, 20.0]])
        array([[200.]], dtype=float32)
        """
        rows, T = self._rows(X, digits=True), None
        if y is not None:
            rows, T, _ = self._data(X, y, None, digits=True)
        self._measure(rows, T)
        return self

    def _measure(self, rows: Any, T: Any) -> None:
        T = T if self._loss_object.of_values else None
        new = replace(self._units, **units.measured(rows, T, self._dtype))
        new.check_inputs(rows, self._dtype)
        if T is not None:
            new.check_targets(T, self._dtype)
        self._set_units(new)
        self._standardize, self._to_be_measured = True, False

    def _set_units(self, new: Units) -> None:
        for numbers in new.arrays().values():
            numbers.flags.writeable = False
        self._network.set_units(*new.lists(self._sizes[0], self._sizes[-1]))
        self._units = new

    @contextmanager
    def _measuring(
        self, data: tuple[Any, Any, Any], has_begun: Callable[[], bool]
    ) -> Iterator[None]:
        """Around the first training on checked data: units are measured, if they are to be.

        They are as before if that ends with an error before it has begun.
        """
        if not self._to_be_measured:
            yield
            return
        before = self._units
        self._measure(*data[:2])
        try:
            yield
        except BaseException:
            if not has_begun():
                self._set_units(before)
                self._to_be_measured = True
            raise

    def _check_units_hold(self, X: Any, T: Any, what: str) -> None:
        """Refuse checked data that leave the range of numbers by units measured since."""
        self._units.check_inputs(X, self._dtype, f"{what}X")
        if self._loss_object.of_values:
            self._units.check_targets(T, self._dtype, f"{what}y")

    def _refuse_unmeasured(self, what: str) -> None:
        if self._to_be_measured:
            raise ValueError(
                f"{what}: expected units that are known, got a network that is to measure them: "
                "call net.standardize(X, y) first, or fit on arrays"
            )

    # ---- data, as the backend takes them

    @property
    def _needs_digits(self) -> bool:
        """Whether integers whose mean is taken must keep their digits until then."""
        return self._to_be_measured or self._units.shifts

    def _rows(self, X: ArrayLike, what: str = "X", digits: bool = False) -> Any:
        """Checked rows (N, D): an array, or a CSR matrix, which the twin and choices have dense.

        With `digits`, integers become float64 at least.
        """
        factor = self._units.input_scale
        factor = factor if isinstance(factor, float) else 1.0
        expected = (self._sizes[0], self._dtype, factor, what)
        if not sparse.is_sparse(X):
            wide = "float64" if digits or self._needs_digits else self._dtype
            rows = checks.inputs(X, *expected, integers=wide)
            self._units.check_inputs(rows, self._dtype, what)
            return rows
        rows = sparse.inputs(X, *expected)
        self._units.check_inputs(rows, self._dtype, what)
        return rows.toarray() if self._backend == "numpy" or self._of_choices else rows

    def _data(
        self,
        X: ArrayLike,
        y: ArrayLike | Choices,
        sample_weight: ArrayLike | None,
        digits: bool = False,
    ) -> tuple[Array, Any, Array | None]:
        """Checked rows, targets and weights; as many targets as the loss is a mean of."""
        rows = self._rows(X, digits=digits)
        N = rows.shape[0]
        if self._of_choices:
            choices = checked_choices(y, N)
            return rows, choices, targets.sample_weights(sample_weight, len(choices))
        if isinstance(y, Choices):
            raise TypeError(f"y: expected an array for {self._loss}, got {shown(y)}")
        K, loss = self._sizes[-1], self._loss_object
        shared = isinstance(loss, Quantile) and isinstance(loss.q, tuple)
        wide = loss.of_values and (digits or self._needs_digits)
        T = targets.targets(
            y, N, K, loss.name, self._dtype, shared, integers="float64" if wide else None
        )
        if loss.of_values:
            self._units.check_targets(T, self._dtype)
        weights = targets.sample_weights(sample_weight, N)
        return rows, T, self._with_class_weights(T, weights)

    @property
    def _of_choices(self) -> bool:
        return self._loss_object.of_choices

    @property
    def _has_class_weights(self) -> bool:
        loss = self._loss_object
        return isinstance(loss, SoftmaxCrossEntropy) and loss.class_weight is not None

    def _with_class_weights(self, T: Array, weights: Array | None) -> Array | None:
        """Sample weights, each times that of its row's label if the loss has class weights."""
        loss = self._loss_object
        if not isinstance(loss, SoftmaxCrossEntropy) or loss.class_weight is None:
            return weights
        if T.ndim != 1:
            raise ValueError(
                f"y: expected integer labels (N,) with class_weight, got targets of shape {T.shape}"
            )
        by_class: Array = np.array(loss.class_weight)[T]
        return by_class if weights is None else by_class * weights
