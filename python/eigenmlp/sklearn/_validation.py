"""Rows that training is watched with: given by the user, or held out of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import unique_labels

from .._basics.shown import shown
from .._inputs.foreign import is_sparse
from .._inputs.mapped import intact

if TYPE_CHECKING:
    from ._fitted import Fitted

Array = NDArray[Any]

_LARGEST = 1e150  # of targets: squares of larger ones are no numbers


@dataclass(frozen=True)
class Validation:
    """Rows that tell when to stop, or that are only looked at."""

    X: Any
    y: Any
    weights: Array | None


def given(estimator: Fitted, validation_data: tuple[Any, Any] | None) -> Validation | None:
    """The user's own rows, checked but for what the targets are."""
    if validation_data is None:
        return None
    if not (isinstance(validation_data, (tuple, list)) and len(validation_data) == 2):
        raise TypeError(f"validation_data: expected (X, y), got {type(validation_data).__name__}")
    if estimator.solver == "lbfgs":
        raise ValueError("validation_data: expected None with lbfgs, got rows")
    for name, value in zip(("X", "y"), validation_data, strict=True):
        intact(value, f"validation_data: {name}")
    X = estimator._checked_rows(validation_data[0])
    y = validation_data[1]
    intact(y, "validation_data: y")
    y = y.tocsr() if is_sparse(y) else np.asarray(y)
    if y.shape[:1] != X.shape[:1]:
        got = y.shape[0] if y.ndim else f"one {type(validation_data[1]).__name__}"
        raise ValueError(f"validation_data: expected {X.shape[0]} rows of y, got {got}")
    return Validation(X, y, None)


def expect_scores(estimator: Fitted, validation: Validation) -> None:
    """Refuse targets that cannot be scored, before the first step."""
    y = validation.y
    if not is_classifier(estimator) and y.dtype.kind == "f":
        far = np.flatnonzero(np.abs(y.reshape(len(y), -1)).max(axis=1) > _LARGEST)
        if far.size:
            raise ValueError(
                f"validation_data: expected targets like those of training, up to ±{_LARGEST:g}, "
                f"got {shown(y[far[0]].tolist())} in row {far[0]}"
            )
    try:
        if is_classifier(estimator) and validation.y.ndim == 1:
            unique_labels(vars(estimator)["classes_"], validation.y)  # strings among numbers?
        estimator._score(validation.X, validation.y)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"validation_data: expected targets like those of training: {error}"
        ) from error


def split(
    estimator: Fitted, X: Any, T: Array, y: Any, weights: Array | None
) -> tuple[Any, Array, Any, Array | None, Validation]:
    """Rows to train on, and rows to validate with, drawn as scikit-learn draws them."""
    # As booleans, which scikit-learn's errors name.
    stratify = T.astype(bool) if is_classifier(estimator) and estimator.n_outputs_ == 1 else None
    train, held = train_test_split(
        np.arange(X.shape[0]),
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=stratify,
    )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset."
        )
    validation = Validation(X[held], y[held], None if weights is None else weights[held])
    kept = None if weights is None else weights[train]
    return X[train], T[train], y[train], kept, validation
