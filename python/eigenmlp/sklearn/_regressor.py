"""The regressor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from .._basics.shown import shown
from .._basics.warned import as_ours
from .._inputs import frames
from .._inputs.description import described
from .._inputs.mapped import intact
from .._inputs.words import canonical
from .._network.loss_outputs import predictions
from ..losses import LOSSES, Loss, Quantile
from ._base import BaseMLP
from ._constraints import CONSTRAINTS
from ._problem import Problem

Array = NDArray[Any]

_OF_NUMBERS = {name: kind for name, kind in LOSSES.items() if not kind.name.endswith("entropy")}


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multi-layer perceptron that regresses: `sklearn.neural_network.MLPRegressor`, faster.

    The parameters, their defaults, the attributes and the results are scikit-learn's, whose
    documentation describes them; X of float32 is computed in float32. What is added:

    Parameters
    ----------
    loss : str or em.losses.Loss
        ``"squared_error"`` (with a ½, and its mean over outputs, as in scikit-learn), ``"poisson"``
        (with counts; predictions are rates), ``"absolute_error"``, ``"huber"``, ``"quantile"``; an
        object such as ``em.losses.Huber(delta=0.5)``, or its text form. Several quantiles of one
        target are several outputs.
    activation : str, em.activations.Activation, or a sequence of them
        Also any activation of this library, and one for each hidden layer.
    verbose : bool, int or "bar"
        ``"bar"`` shows a progress bar instead of a line an epoch.
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
    coefs_, intercepts_ : list of ndarray
        Of each layer, the weights (in, out) and the biases (out,). They may be changed, and
        assigned: before `fit` too, and with other hidden layers.
    loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_
        As in scikit-learn.
    n_iter_, t_, n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As in scikit-learn.
    stopped_ : bool
        Whether `partial_fit` with `early_stopping` has found its best and does nothing more.

    Examples
    --------
    >>> import numpy as np
    >>> from eigenmlp.sklearn import MLPRegressor
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> reg = MLPRegressor(hidden_layer_sizes=(20,), activation="tanh", solver="lbfgs",
    ...                    max_iter=2000, random_state=0).fit(X, np.sin(X[:, 0]))
    >>> reg.score(X, np.sin(X[:, 0])) > 0.99
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [str, Loss],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
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
        dropout: Any = 0.0,
        callbacks: Any = None,
        n_threads: int | None = None,
        compute_dtype: str | None = None,
    ) -> None:
        self.loss = loss
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
        self.dropout = dropout
        self.callbacks = callbacks
        self.n_threads = n_threads
        self.compute_dtype = compute_dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[Any, Any] | None = None,
    ) -> MLPRegressor:
        """Fit to rows X (N, D), dense or sparse, and targets (N,) or (N, K).

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
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> MLPRegressor:
        """One epoch over the given rows; parameters as in `fit`.

        With `early_stopping` a `validation_fraction` of each call's rows is held out; when their
        scores no longer improve, the best parameters are restored, and later calls do nothing.
        """
        self._partial_fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """Values (N,) or (N, K) of rows X (N, D)."""
        return self._values(self._forward(X))

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """R² of `predict` on rows X (N, D) with targets y, as scikit-learn computes it."""
        intact(y, "y")
        intact(sample_weight, "sample_weight")
        with as_ours():
            return float(super().score(X, y, sample_weight))

    def _values(self, Y: Array) -> Array:
        """From outputs (N, K)."""
        loss = "poisson" if self.out_activation_ == "exp" else "squared_error"
        return predictions(loss, Y, None)

    # ---- targets

    def _validate_input(
        self, X: Any, y: Any, incremental: bool, reset: bool, classes: Any
    ) -> tuple[Any, Array, Any]:
        _check_numeric(y)
        X, y = self._checked_pair(X, y, reset, y_numeric=True)
        T = y if y.dtype in (np.float32, np.float64) else _as_numbers(y, X.dtype)
        if self._described_loss().name == "poisson" and T.min() < 0:
            raise ValueError(f"y: expected counts of at least 0 with poisson, got {T.min()}")
        return X, T.reshape(len(T), -1), y

    def _described_loss(self) -> Loss:
        try:
            chosen: Loss = described(self.loss, _OF_NUMBERS, "loss")
        except (TypeError, ValueError) as error:
            raise self._invalid("loss", error) from error
        return chosen

    def _chosen_loss(self) -> Any:
        return "half_squared_error" if self._has_their_loss() else self._described_loss()

    def _has_their_loss(self) -> bool:
        """Whether it is meant as scikit-learn has it."""
        return isinstance(self.loss, str) and canonical(self.loss, LOSSES) == "squared_error"

    def _output_count(self, T: Array) -> int:
        loss = self._described_loss()
        if isinstance(loss, Quantile) and isinstance(loss.q, tuple) and T.shape[1] == 1:
            return len(loss.q)
        return int(T.shape[1])

    def _output_activation(self) -> str:
        return "exp" if self._described_loss().name == "poisson" else "identity"

    def _problem(self, X: Any, T: Array, weights: Array | None) -> Problem:
        K = self.n_outputs_
        constants = None
        if self._described_loss().name == "poisson":
            wide = T.astype(np.float64, copy=False)  # float32 targets may come with float64 rows
            constants = (xlogy(wide, wide) - wide).sum(axis=1)
        if T.shape[1] != K:  # several quantiles of one target
            T = np.broadcast_to(T, (len(T), K))
        scale = 1.0 / K if self._has_their_loss() else 1.0
        return Problem(X, T, weights, scale, constants)

    def _score(self, X: Any, y: Any, sample_weight: Array | None = None) -> float:
        Y = self._values(self._forward(X, checked=True))
        if not np.isfinite(Y).all():
            return float("nan")
        if Y.ndim > np.ndim(y):  # several quantiles: the mean of their scores
            y = np.broadcast_to(np.reshape(y, (-1, 1)), Y.shape)
        return float(r2_score(y, Y, sample_weight=sample_weight))


def _check_numeric(y: Any) -> None:
    """Refuse a column of another library that is of no numbers, and times, by what they are."""
    if (found := frames.refusal(y, "y")) is not None:
        try:
            if np.isfinite(np.asarray(y, dtype=object).astype(np.float64)).all():
                return  # numbers as objects or categories
        except OverflowError:
            return  # which is said with its row
        except (TypeError, ValueError):
            pass
        if found.startswith("y: expected numbers"):
            raise ValueError(found)
    kind = getattr(getattr(y, "dtype", None), "kind", "f")
    if kind in "Mm":
        raise TypeError(f"y: expected numbers, got an array of {y.dtype}")


def _as_numbers(y: Array, dtype: Any) -> Array:
    try:
        return y.astype(dtype)
    except (TypeError, ValueError) as error:
        for row, item in enumerate(y.tolist()):
            try:
                float(item)
            except (TypeError, ValueError):
                words = f"{error!s:.100}"
                raise ValueError(
                    f"{words}. y: expected numbers, got {shown(item)} in row {row}"
                ) from None
        raise
