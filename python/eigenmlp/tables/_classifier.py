"""The classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight

from .._files import classes as classes_file
from .._network.loss_outputs import softmax
from . import _targets
from ._base import TableEstimator

Array = NDArray[Any]

_GUIDES = 10  # most classes whose shares are means of categories


class TableClassifier(ClassifierMixin, TableEstimator):
    """A network that classifies the rows of a table, whatever its columns are.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weights of classes: their rows' weights are multiplied by them.
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
        labels = _targets.as_array(y)
        return float(accuracy_score(labels, self.predict(X), sample_weight=sample_weight))

    # ---- fitting

    classes_: Array

    def _learn_targets(self, y: Any, rows: int, name: str | None) -> dict[str, Any]:
        classes, codes = _targets.classes(y, rows, name)
        K = len(classes)
        shown = np.arange(1 if K == 2 else 0, K) if K <= _GUIDES else np.arange(0)
        guide = (codes[:, None] == shown).astype(np.float64)
        return {"classes_": classes, "_T": codes, "_codes": codes, "_guide": guide}

    def _labels_at(self, learnt: dict[str, Any], rows: Array) -> Array:
        labels: Array = learnt["classes_"][learnt["_codes"][rows]]
        return labels

    def _row_weights(self, learnt: dict[str, Any], weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        classes, codes = learnt["classes_"], learnt["_codes"]
        of_class = compute_class_weight(
            self.class_weight, classes=classes, y=classes[codes], sample_weight=weights
        )
        product: Array = of_class[codes]
        return product if weights is None else product * weights

    def _outputs_and_loss(self, learnt: dict[str, Any]) -> tuple[int, str]:
        return len(learnt["classes_"]), "softmax_cross_entropy"

    def _targets_of(self, y: Any, rows: int) -> Array:
        labels = _targets.as_array(y)
        _targets.check_rows(len(labels), rows, "y")
        return labels

    def _score_of(self, outputs: Array, y: Any) -> float:
        return float(accuracy_score(y, self.classes_[np.argmax(outputs, axis=1)]))

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
