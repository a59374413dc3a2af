"""The regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from .._basics.warned import as_ours, warn
from .._inputs import checks
from .._training import plausible
from ..mlp import MLP
from . import _intervals, _targets
from ._base import TableEstimator
from ._errors import CellError

Array = NDArray[Any]

_CONSTANT = 1e-6  # of a target, that its scale is if it does not vary
_FAR = 1e12  # deviations of targets: of more, the squared error is no number in float32


class TableRegressor(RegressorMixin, TableEstimator):
    """A network that predicts a number for the rows of a table, whatever its columns are.

    What is "auto" goes by the number of rows, and was chosen by measuring. Tables of 50 to 2,999
    rows try a linear model and up to three networks by five-fold cross-validation; smaller ones
    have no rows to validate with; larger ones validate with a fifth or a tenth.

    Parameters
    ----------
    hidden_layer_sizes : int, sequence of int or "auto"
        Units of the hidden layers; an empty sequence is a linear model.
    bins : int or "auto"
        Bins of about equally many rows, of which the network is told how far a number is through
        each; 0 for none.
    learning_rate, weight_decay, dropout : float or "auto"
        Of AdamW, whose rate rises for a twentieth of the steps and then falls along a cosine.
    activation : str, Activation or "auto"
        Of the hidden layers; "relu" if "auto".
    beta_1 : float or "auto"
        AdamW's momentum: how much of the gradients' mean is kept from step to step; 0.9 if "auto".
    batch_size, max_epochs, patience : int or "auto"
        Training ends after `patience` epochs without a better validation loss.
    max_categories : int
        Categories of a column that get a column each, the most frequent ones; the others share one,
        and bring the mean of the targets of their rows.
    random_state : int, numpy.random.RandomState or None
        For the split, the first weights and the shuffles: the same bits for the same int, for any
        number of threads.
    members : int, "auto" or None
        How many networks with drawn settings are trained at once, of which the best are averaged;
        "auto": as many as bring something within `time_limit`. None is one network, or "auto" with
        a `time_limit`.
    time_limit : float, optional
        Seconds that all of `fit` may take; 60 with "auto".
    n_threads : int, optional
        As many at most.
    progress : bool or "auto"
        A bar while one network trains on a large table.

    Attributes
    ----------
    columns_ : list
        The columns that are used; each has a ``name``, a ``kind`` ("number", "boolean", "category",
        "code", "time"), and ``details()``.
    feature_names_in_, n_features_in_
        As scikit-learn has them.
    network_ : MLP
    history_ : History
        Of the network's training; ``val_loss`` are means of the folds where there were several.
    best_epoch_ : int
        From 1.
    training_ : dict
        Rows, validation rows, epochs, the best one, losses, seconds.
    validation_score_ : float or None
        R² on rows that were not trained on.

    Raises
    ------
    TypeError, ValueError
        From `fit` and `predict`, of whatever cannot be used, by column and row (from 0); a
        ``ValueError`` about a cell has them as ``column`` and ``row``.

    Examples
    --------
    >>> import pandas as pd
    >>> from eigenmlp.tables import TableRegressor
    >>> days = pd.date_range("2024-01-01", periods=200)
    >>> frame = pd.DataFrame({"day": days, "sold": 50.0 + 100 * (days.day_of_week > 4)})
    >>> model = TableRegressor(random_state=0).fit(frame, y="sold")
    >>> print(model.predict(pd.DataFrame({"day": [pd.Timestamp("2024-05-04")]})).round(-1))
    [150.]
    """

    _classifies = False

    # ---- predictions

    def predict(self, X: Any) -> Array:
        """The target (N,) of each row, float64, in its own unit."""
        return self._forward(X)[:, 0] * self._target_scale + self._target_center

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper ends (N,) that hold a new row's target with this probability.

        Half as wide as the validation rows' residuals say (split conformal prediction); of several
        members, wider where these differ more.

        Raises
        ------
        ValueError
            If the table had too few rows to validate with.
        """
        coverage = checks.number(coverage, "coverage", 0.0, 1.0)
        outputs, deviation = self._outputs(X)
        middle = outputs[:, 0] * self._target_scale + self._target_center
        if not self._residuals:
            raise ValueError(
                "predict_interval: expected a model with validation rows, got one fitted on "
                f"{self.training_['rows']} rows, which are too few for that"
            )
        half: Any = _intervals.half_width(self._residuals, self._residual_count, coverage)
        if self._spread:  # residuals are in this unit; one member does not deviate
            off = 0.0 if deviation is None else deviation[:, 0] * self._target_scale
            with np.errstate(over="ignore"):  # of a file that says so
                half = half * _intervals.unit(np.asarray(off), self._spread)
        return middle - half, middle + half

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² of the predictions; `y` may be the name of a column."""
        X, y = self._pair(X, y)
        predicted = self.predict(X)
        targets = _targets.numbers(y, len(predicted), None)
        return self._r2(targets, predicted, self._target_scale, sample_weight)

    @staticmethod
    def _r2(y: Array, predicted: Array, unit: float, sample_weight: Any = None) -> float:
        """In a unit in which neither large nor small targets' squares are lost."""
        with as_ours():
            return float(r2_score(y / unit, predicted / unit, sample_weight=sample_weight))

    def _network(self) -> MLP:
        net = super()._network()
        units = {"output_shift": self._target_center, "output_scale": self._target_scale}
        copy = MLP(**{**net.config, **units, "init": "zeros"})
        copy.parameters = net.parameters
        if (far := plausible.beyond_digits(copy)) is not None:
            warn(
                f"export: expected targets whose differences {copy.dtype} can hold, got {far}: "
                "what the exported model gives is rounded; take a number off y before fit"
            )
        return copy

    # ---- fitting

    _target_center: float
    _target_scale: float
    _residuals: list[float]
    _residual_count: int
    _spread: float = 0.0  # of targets, beside the members' deviation; 0 if that does not count
    validation_score_: float | None

    def _learn_targets(self, y: Any, rows: int, name: str | None) -> dict[str, Any]:
        values = _targets.numbers(y, rows, name)
        return {"_codes": values, "_guide": None, "_T": None, "_name": name}

    def _labels_at(self, learnt: dict[str, Any], rows: Array) -> Array:
        targets: Array = learnt["_codes"][rows]
        return targets

    def _row_weights(self, learnt: dict[str, Any], weights: Array | None) -> Array | None:
        """And the target's scale, which goes by them."""
        y = learnt["_codes"]
        size = float(np.abs(y).max()) or 1.0  # divided by first, so that no square overflows
        center = float(np.average(y / size, weights=weights) * size)
        deviation = np.sqrt(np.average(((y - center) / size) ** 2, weights=weights)) * size
        # Where all are the same, so is what is predicted.
        scale = float(deviation) if deviation > 0 else _CONSTANT * (abs(center) or 1.0)
        learnt |= {"_center": center, "_scale": scale}
        learnt["_T"] = learnt["_guide"] = self._scaled(y, learnt, learnt["_name"])
        return weights

    @staticmethod
    def _scaled(y: Array, learnt: dict[str, Any], name: str | None) -> Array:
        """Targets (N, 1) as the network has them."""
        T = (y - learnt["_center"]) / learnt["_scale"]
        far = np.flatnonzero(~(np.abs(T) <= _FAR))
        if far.size:
            row = int(far[0])
            raise CellError(
                name or "y",
                row,
                f"expected targets of about the size of those trained on, {learnt['_center']:.3g} "
                f"± {learnt['_scale']:.3g}, got {y[row]}",
            )
        return np.asarray(T[:, None])

    def _join(self, learnt: dict[str, Any], y: Any, rows: int, name: str | None) -> Array | None:
        values = _targets.numbers(y, rows, name)
        T = self._scaled(values, learnt, name)
        learnt["_codes"] = np.concatenate([learnt["_codes"], values])
        learnt["_T"] = np.concatenate([learnt["_T"], T])
        return None

    def _outputs_and_loss(self, learnt: dict[str, Any]) -> tuple[int, str]:
        return 1, "squared_error"

    def _targets_of(self, y: Any, rows: int) -> Array:
        return _targets.numbers(y, rows, None)

    def _score_of(self, outputs: Array, y: Any) -> float:
        predicted = outputs[:, 0] * self._target_scale + self._target_center
        return self._r2(y, predicted, self._target_scale)

    def _after(
        self, learnt: dict[str, Any], off: Array | None, deviation: Array | None
    ) -> dict[str, Any]:
        residuals: list[float] = []
        count, score, spread = 0, None, 0.0
        if off is not None:
            there = ~np.isnan(off[:, 0])
            y = learnt["_codes"][there]
            predicted = off[there, 0] * learnt["_scale"] + learnt["_center"]
            residual = y - predicted
            if deviation is not None:
                unit, wide = learnt["_scale"], deviation[there]
                spread = _intervals.spread(residual / unit, wide) * unit
                if spread:
                    residual = residual / _intervals.unit(wide * unit, spread)
            residuals, count = _intervals.kept(residual)
            score = self._r2(y, predicted, learnt["_scale"]) if len(y) > 1 else None
        return {
            "validation_score_": score,
            "_target_center": learnt["_center"],
            "_target_scale": learnt["_scale"],
            "_residuals": residuals,
            "_spread": spread,
            "_residual_count": count,
        }

    def _state(self) -> dict[str, Any]:
        """What a file keeps besides columns and network."""
        return {
            "center": self._target_center,
            "scale": self._target_scale,
            "residuals": self._residuals,
            "spread": self._spread,
            "residual_count": self._residual_count,
            "validation_score": self.validation_score_,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._target_center = checks.number(state["center"], "center")
        self._target_scale = checks.number(state["scale"], "scale", 0.0)
        residuals = [checks.number(x, "residuals", 0.0) for x in state["residuals"]]
        if residuals != sorted(residuals):
            raise ValueError("residuals: expected them in their order, got others")
        self._residuals = residuals
        self._spread = checks.number(state.get("spread", 0.0), "spread", 0.0)
        least = len(residuals)
        self._residual_count = checks.integer(state["residual_count"], "residual_count", least)
        self.validation_score_ = state["validation_score"]
