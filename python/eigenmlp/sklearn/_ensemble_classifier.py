"""The ensemble of classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, _fit_context

from . import _ensemble_files
from ._classifier import MLPClassifier
from ._ensemble import BaseEnsemble

Array = NDArray[Any]

_LEAST = 1e-15  # of probabilities, in logarithms


class MLPEnsembleClassifier(ClassifierMixin, BaseEnsemble):
    """Many `MLPClassifier`, trained at once, whose probabilities are averaged.

    Members differ by their seeds, by the rows they are trained on (`bootstrap`) and by their
    hyperparameters (`sampling`). Each is trained in one thread, as many at once as there are
    threads; the result is the same for every number of threads.

    Parameters
    ----------
    estimator : MLPClassifier or None
        What members are clones of; ``MLPClassifier()`` if None. Those with ``early_stopping=True``
        are watched with the validation rows.
    n_members : int
        How many are trained.
    bootstrap : bool
        Whether each member gets rows drawn with replacement, of each class as many as there are.
    sampling : dict or None
        Parameters of `estimator` to draw for each member: name to a distribution of SciPy (anything
        with ``rvs``) or a list. Draws that `estimator` refuses are refused before the first fit.
    selection : "greedy" or "all"
        ``"greedy"``: members are taken, also repeatedly, as long as that makes the log loss of the
        mean on the validation rows smaller (Caruana et al. 2004). ``"all"``: all weigh the same.
    n_rounds : int
        At most so many rounds of that.
    validation_fraction : float
        Share of the rows that no member is trained on. Below 50 rows it is 0: all members then
        weigh the same.
    random_state : int, RandomState or None
    verbose : bool
        Whether a bar shows how many members are done.
    n_threads : int or None
        At most so many threads; as many as the library may use, if None.

    Attributes
    ----------
    members_ : list of MLPClassifier
        In the order of their draws, without those that diverged, of which a warning tells.
    weights_ : ndarray (members,)
        Of a sum of 1; 0 for those that were not selected.
    validation_curve_ : list of float
        The log loss on the validation rows after each round.
    classes_ : ndarray
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from scipy.stats import loguniform
    >>> from eigenmlp.sklearn import MLPClassifier, MLPEnsembleClassifier
    >>> X, y = em.datasets.load_digits()
    >>> base = MLPClassifier((32,), early_stopping=True, n_iter_no_change=5)
    >>> sampling = {"learning_rate_init": loguniform(3e-3, 3e-2), "alpha": [1e-4, 1e-2]}
    >>> clf = MLPEnsembleClassifier(base, n_members=4, sampling=sampling, random_state=0)
    >>> clf.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.9
    True
    """

    _kind = MLPClassifier
    classes_: Array

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> MLPEnsembleClassifier:
        """Train the members on rows X (N, D), dense or sparse, and labels (N,), or indicators.

        Parameters
        ----------
        X : array_like, sparse matrix or data frame (N, D)
        y : array_like (N,) or (N, K)
        sample_weight : array_like (N,), optional
            Rows of weight 0 are left out.

        Raises
        ------
        TypeError, ValueError
            For unusable data, parameters or draws: nothing is changed then. If all members diverge.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """Labels (N,), or indicators (N, K), of rows X (N, D)."""
        P = self.predict_proba(X)
        if self._is_multilabel:
            return (P > 0.5).astype(int)
        labels: Array = self.classes_.take(P.argmax(axis=1), mode="clip")
        return labels

    def predict_proba(self, X: Any) -> Array:
        """The weighted means (N, classes) of the members' probabilities for rows X (N, D)."""
        return self._averaged(X)[0]

    def predict_log_proba(self, X: Any) -> Array:
        """Their logarithms."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    # ---- what members are asked

    @property
    def _is_multilabel(self) -> bool:
        return bool(self.members_[0]._label_binarizer.y_type_.startswith("multilabel"))

    def _groups(self, y: Array) -> Array:
        if y.ndim > 1 or not isinstance(y, np.ndarray):
            return np.zeros(y.shape[0], np.int64)
        return np.unique(y, return_inverse=True)[1]

    def _outputs_of(self, member: Any, X: Any) -> Array:
        found: Array = member._probabilities(member._forward(X, checked=True).astype(np.float64))
        return found

    def _measure(self, member: Any, y: Any, weights: Array | None) -> Callable[[Array], float]:
        if member._label_binarizer.y_type_.startswith("multilabel"):
            T = y if isinstance(y, np.ndarray) else y.toarray()
            yes = T > 0

            def of_labels(P: Array) -> float:
                losses = -np.log(np.maximum(np.where(yes, P, 1 - P), _LEAST)).sum(axis=1)
                return float(np.average(losses, weights=weights))

            return of_labels
        chosen = np.arange(len(y)), np.searchsorted(member.classes_, y)

        def of_classes(P: Array) -> float:
            losses = -np.log(np.maximum(P[chosen], _LEAST))
            return float(np.average(losses, weights=weights))

        return of_classes

    def _after(self, y: Array | None, outputs: list[Array]) -> None:
        self.classes_ = self.members_[0].classes_

    def _state(self) -> dict[str, Any]:
        return {"classes": _ensemble_files.classes_as_json(self.classes_), **self._target_kind()}

    def _target_kind(self) -> dict[str, Any]:
        return {"multilabel": self._is_multilabel}

    def _restore(self, state: dict[str, Any]) -> None:
        self.classes_ = _ensemble_files.restore_classes(self.members_, state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
