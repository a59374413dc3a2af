"""The classifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels

from .._basics.shown import shown
from .._basics.warned import as_ours
from .._inputs.mapped import intact
from .._network.loss_outputs import sigmoid, softmax
from ._base import BaseMLP, with_some_weight
from ._class_weight import by_row
from ._constraints import CONSTRAINTS
from ._plain import binarizer
from ._problem import Problem

Array = NDArray[Any]


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron that classifies: `sklearn.neural_network.MLPClassifier`, faster.

    The parameters, their defaults, the attributes and the results are scikit-learn's, whose
    documentation describes them; X of float32 is computed in float32. What is added:

    Parameters
    ----------
    activation : str, em.activations.Activation, or a sequence of them
        Also any activation of this library, and one for each hidden layer.
    verbose : bool, int or "bar"
        ``"bar"`` shows a progress bar instead of a line an epoch.
    class_weight : dict, "balanced" or None
        Multiplies the weight of each row by that of its class (for several labels: a list of
        dicts), as `sklearn.utils.class_weight.compute_sample_weight` has it; with `early_stopping`
        in validation too. In `partial_fit` a class may be missing from a call's rows, and
        ``"balanced"`` counts these.
    dropout : float or sequence of float
        Share of a hidden layer's units that training leaves out; one number, or one a layer.
    callbacks : list or tuple of callables, or None
        ``(epoch, estimator) -> bool | None`` after each epoch (iteration, for lbfgs), from 1; True
        ends training.
    n_threads : int or None
        At most so many threads; as many as the library may use, if None.
    compute_dtype : "bfloat16" or None
        Of the products' operands, where X is float32: see `eigenmlp.MLP`.

    Attributes
    ----------
    classes_ : ndarray or list of ndarray
        Class labels.
    coefs_, intercepts_ : list of ndarray
        Of each layer, the weights (in, out) and the biases (out,). They may be changed, and
        assigned: before `fit` too, and with other hidden layers.
    loss_, best_loss_ : float
        Of the last epoch, and the smallest.
    loss_curve_ : list of float
        Of all epochs.
    validation_scores_, best_validation_score_
        With `early_stopping` or `validation_data`, else None.
    n_iter_, t_, n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As in scikit-learn.
    stopped_ : bool
        Whether `partial_fit` with `early_stopping` has found its best and does nothing more.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from eigenmlp.sklearn import MLPClassifier
    >>> X, y = em.datasets.load_digits()
    >>> clf = MLPClassifier((50,), learning_rate_init=0.01, random_state=0).fit(X[:1500], y[:1500])
    >>> clf.score(X[1500:], y[1500:]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        dropout: Any = 0.0,
        callbacks: Any = None,
        n_threads: int | None = None,
        compute_dtype: str | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.dropout = dropout
        self.callbacks = callbacks
        self.n_threads = n_threads
        self.compute_dtype = compute_dtype

    # scikit-learn's classifier has one loss, and says so.
    loss = "log_loss"

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[Any, Any] | None = None,
    ) -> MLPClassifier:
        """Fit to rows X (N, D), dense or sparse, and labels (N,), or indicators (N, K).

        Parameters
        ----------
        X : array_like, sparse matrix or data frame (N, D)
        y : array_like (N,) or (N, K)
        sample_weight : array_like (N,), optional
        validation_data : (X, y), optional
            Scored after each epoch, into `validation_scores_`; with `early_stopping` it is used in
            place of the `validation_fraction` of X.
        """
        self._fit(X, y, sample_weight, False, validation_data)
        return self

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> MLPClassifier:
        """One epoch over the given rows.

        With `early_stopping` a `validation_fraction` of each call's rows is held out; when their
        scores no longer improve, the best parameters are restored, and later calls do nothing.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array_like, optional
            All classes that will ever come; for the first call, unless y is (N, K).
        """
        self._partial_fit(X, y, sample_weight, classes)
        return self

    def predict(self, X: Any) -> Array:
        """Labels (N,), or indicators (N, K), of rows X (N, D)."""
        return self._labels(self._forward(X))

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of `predict` on rows X (N, D) with labels y, as scikit-learn computes it."""
        intact(y, "y")
        intact(sample_weight, "sample_weight")
        if sample_weight is None and _are_whole(y) and _are_whole(getattr(self, "classes_", None)):
            labels = self.predict(X)
            if labels.shape == y.shape:  # accuracy_score's checks take as long as small networks
                return float(np.mean(labels == y))
        with as_ours():
            return float(super().score(X, y, sample_weight))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (N, classes) of rows X (N, D)."""
        return self._probabilities(self._forward(X))

    def _probabilities(self, Z: Array) -> Array:
        """(N, classes) from logits (N, K), which may be changed."""
        if self.out_activation_ == "softmax":
            return softmax(Z)
        P = sigmoid(Z)
        return np.hstack([1 - P, P]) if self.n_outputs_ == 1 else P

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`."""
        P = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(P, out=P)

    # ---- targets

    def _begin_classes(self, y: Any, classes: ArrayLike | None) -> None:
        """At the first call of `partial_fit`: which classes there are."""
        intact(classes, "classes")
        known = getattr(self, "classes_", None)
        with as_ours():
            multilabel = type_of_target(y).startswith("multilabel")
        if known is not None:
            if classes is not None and not np.array_equal(known, unique_labels(classes)):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                    f"{known!r}"
                )
            return
        if classes is None and not multilabel:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        self._label_binarizer = LabelBinarizer().fit(y if multilabel else np.asarray(classes))
        self.classes_ = (
            self._label_binarizer.classes_ if classes is None else unique_labels(classes)
        )

    def _validate_input(
        self, X: Any, y: Any, incremental: bool, reset: bool, classes: Any
    ) -> tuple[Any, Array, Any]:
        if incremental:
            self._begin_classes(y, classes)
        X, y = self._checked_pair(X, y, reset)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            known = binarizer(y)
            if known is None:
                with as_ours(), _of_labels(y):
                    known = LabelBinarizer().fit(y)
            self._label_binarizer = known
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(y, incremental)
        if self._label_binarizer.y_type_ == "multiclass":
            return X, np.searchsorted(self.classes_, y).astype(np.int64), y
        if self._label_binarizer.y_type_ == "binary" and len(self.classes_) == 2 and _are_whole(y):
            return X, (y == self.classes_[1]).astype(X.dtype)[:, None], y
        T = self._label_binarizer.transform(y)
        return X, (T if isinstance(T, np.ndarray) else T.toarray()).astype(X.dtype), y

    def _check_classes(self, y: Array, incremental: bool) -> None:
        classes = unique_labels(y)
        if not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _output_count(self, T: Array) -> int:
        return len(self.classes_) if T.ndim == 1 else int(T.shape[1])

    def _output_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _chosen_loss(self) -> str:
        softmax = self.out_activation_ == "softmax"
        return "softmax_cross_entropy" if softmax else "sigmoid_cross_entropy"

    def _problem(self, X: Any, T: Array, weights: Array | None) -> Problem:
        return Problem(X, T, weights)

    def _row_weights(self, X: Any, y: Any, sample_weight: Any) -> Array | None:
        weights = super()._row_weights(X, y, sample_weight)
        if self.class_weight is None:
            return weights
        by_class = by_row(self.class_weight, y, self.classes_)
        return with_some_weight(by_class if weights is None else by_class * weights)

    def _labels(self, Z: Array) -> Array:
        """From logits (N, K)."""
        kind = self._label_binarizer.y_type_
        if kind == "multiclass":
            return self.classes_.take(Z.argmax(axis=1), mode="clip")  # type: ignore[no-any-return]
        if kind == "binary":
            last = len(self.classes_) - 1  # 0 where there is one class only
            return self.classes_[np.minimum(Z[:, 0] > 0, last).astype(np.intp)]  # type: ignore[no-any-return]
        return self._label_binarizer.inverse_transform((Z > 0).astype(int))  # type: ignore[no-any-return]

    def _score(self, X: Any, y: Any, sample_weight: Array | None = None) -> float:
        labels = self._labels(self._forward(X, checked=True))
        if y.ndim == 1:  # what accuracy_score comes to after its checks, which outlast an epoch
            return float(np.average(y == labels, weights=sample_weight))
        return float(accuracy_score(y, labels, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@contextmanager
def _of_labels(y: Array) -> Iterator[None]:
    """An error that says what labels of objects are, which scikit-learn does not."""
    try:
        yield
    except ValueError as error:
        if y.dtype.kind != "O" or not str(error).startswith("Unknown label type"):
            raise
        others = (
            (row, item)
            for row, item in enumerate(y.tolist())
            if not isinstance(item, str) and not (isinstance(item, int) and abs(item) < 2**63)
        )
        row, item = next(others, (0, y.tolist()[0]))
        raise ValueError(
            "Unknown label type: y: expected classes as texts, booleans or numbers of 64 bits, got "
            f"{shown(item)} in row {row}: use y.astype(str)"
        ) from None


def _are_whole(labels: object) -> TypeGuard[Array]:
    """Whether they are an array (N,) of integers."""
    return (
        type(labels) is np.ndarray
        and labels.ndim == 1
        and labels.dtype.kind in "iu"
        and len(labels) > 0
    )
