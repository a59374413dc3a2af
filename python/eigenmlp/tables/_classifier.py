"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight

from .._basics.shown import shown
from .._files import classes as classes_file
from .._inputs import checks
from .._network.loss_outputs import softmax
from . import _targets
from ._base import TableEstimator

Array = NDArray[Any]

_GUIDES = 10  # most classes whose shares are means of categories


class TableClassifier(ClassifierMixin, TableEstimator):
    """A network that classifies the rows of a table, whatever its columns are.

    What is "auto" goes by the number of rows, and was chosen by measuring. Tables of 50 to 2,999
    rows try a linear model and up to three networks by five-fold cross-validation; smaller ones
    have no rows to validate with; larger ones validate with a fifth or a tenth.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weights of classes: their rows' weights are multiplied by them.
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
        Accuracy on rows that were not trained on.

    Raises
    ------
    TypeError, ValueError
        From `fit` and `predict`, of whatever cannot be used, by column and row (from 0); a
        ``ValueError`` about a cell has them as ``column`` and ``row``.

    Examples
    --------
    >>> import polars as pl
    >>> from eigenmlp.tables import TableClassifier
    >>> calls = ["tweet", "moo", "woof", ""] * 20
    >>> frame = pl.DataFrame({"legs": [2, 4, 4, None] * 20, "call": calls})
    >>> model = TableClassifier(random_state=0).fit(frame, ["bird", "cow", "dog", "fish"] * 20)
    >>> print(*model.predict(frame[:4]))
    bird cow dog fish
    >>> [(column.name, column.kind) for column in model.columns_]
    [('legs', 'number'), ('call', 'category')]
    """

    _classifies = True

    def __init__(
        self,
        *,
        class_weight: Any = None,
        hidden_layer_sizes: Any = "auto",
        bins: Any = "auto",
        learning_rate: Any = "auto",
        weight_decay: Any = "auto",
        dropout: Any = "auto",
        activation: Any = "auto",
        beta_1: Any = "auto",
        batch_size: Any = "auto",
        max_epochs: Any = "auto",
        patience: Any = "auto",
        max_categories: int = 64,
        members: Any = None,
        time_limit: float | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
        progress: bool | str = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            bins=bins,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            dropout=dropout,
            activation=activation,
            beta_1=beta_1,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
            max_categories=max_categories,
            members=members,
            time_limit=time_limit,
            random_state=random_state,
            n_threads=n_threads,
            progress=progress,
        )
        self.class_weight = class_weight

    # ---- predictions

    def predict(self, X: Any) -> Array:
        """The likeliest class (N,) of each row."""
        outputs = self._forward(X)
        labels: Array = self.classes_[np.argmax(outputs, axis=1)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (N, K) of the classes, in the order of ``classes_``."""
        return softmax(self._forward(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Their logarithms."""
        outputs = self._forward(X)
        outputs -= outputs.max(axis=1, keepdims=True)
        logarithms: Array = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        return logarithms

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows that are classified right; `y` may be the name of a column."""
        X, y = self._pair(X, y)
        found = np.argmax(self._forward(X), axis=1)
        codes = _targets.codes_among(self.classes_, y, len(found), self.target_name_, others=True)
        return float(accuracy_score(codes, found, sample_weight=sample_weight))

    # ---- fitting

    classes_: Array

    def _learn_targets(self, y: Any, rows: int, name: str | None) -> dict[str, Any]:
        classes, codes = _targets.classes(y, rows, name)
        K = len(classes)
        guides = np.arange(1 if K == 2 else 0, K) if K <= _GUIDES else np.arange(0)
        guide = (codes[:, None] == guides).astype(np.float64)
        return {"classes_": classes, "_T": codes, "_codes": codes, "_guide": guide}

    def _labels_at(self, learnt: dict[str, Any], rows: Array) -> Array:
        labels: Array = learnt["classes_"][learnt["_codes"][rows]]
        return labels

    def _row_weights(self, learnt: dict[str, Any], weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        classes, codes = learnt["classes_"], learnt["_codes"]
        _check_class_weight(self.class_weight)
        of_class = compute_class_weight(
            self.class_weight, classes=classes, y=classes[codes], sample_weight=weights
        )
        learnt["_of_class"] = of_class
        product: Array = of_class[codes] if weights is None else of_class[codes] * weights
        if not product.any():
            raise ValueError(
                "class_weight: expected a weight above 0 of a class that has rows, got only "
                f"{shown(self.class_weight)}"
            )
        return product

    def _join(self, learnt: dict[str, Any], y: Any, rows: int, name: str | None) -> Array | None:
        codes = _targets.codes_among(learnt["classes_"], y, rows, name)
        learnt["_codes"] = learnt["_T"] = np.concatenate([learnt["_codes"], codes])
        return None if self.class_weight is None else learnt["_of_class"][codes]

    def _outputs_and_loss(self, learnt: dict[str, Any]) -> tuple[int, str]:
        return len(learnt["classes_"]), "softmax_cross_entropy"

    def _targets_of(self, y: Any, rows: int) -> Array:
        return _targets.codes_among(self.classes_, y, rows, self.target_name_)

    def _score_of(self, outputs: Array, y: Any) -> float:
        return float(accuracy_score(y, np.argmax(outputs, axis=1)))

    def _after(
        self, learnt: dict[str, Any], off: Array | None, deviation: Array | None
    ) -> dict[str, Any]:
        score = None
        if off is not None:
            there = ~np.isnan(off[:, 0])
            score = float((off[there].argmax(axis=1) == learnt["_codes"][there]).mean())
        return {"validation_score_": score}

    def _state(self) -> dict[str, Any]:
        """What a file keeps besides columns and network."""
        return {
            "classes": classes_file.as_json(self.classes_),
            "validation_score": self.validation_score_,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.classes_ = classes_file.from_json(
            state["classes"], self.members_[0].networks[0].layer_sizes[-1]
        )
        self.validation_score_ = state["validation_score"]

    validation_score_: float | None


def _check_class_weight(class_weight: Any) -> None:
    """What scikit-learn would say in other words, or not at all."""
    if isinstance(class_weight, Mapping):
        for label, weight in class_weight.items():
            checks.number(weight, f"class_weight[{shown(label)}]", 0.0)
    elif not (isinstance(class_weight, str) and class_weight == "balanced"):
        raise ValueError(
            f'class_weight: expected a dict, "balanced" or None, got {shown(class_weight)}'
        )
