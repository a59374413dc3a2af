"""What the classifier and the regressor share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight

from .._basics.shown import shown
from .._basics.turns import Turns
from .._inputs.mapped import intact
from .._training import plausible
from ..activations import Activation
from ..mlp import MLP
from ..threads import limited
from . import _lbfgs, _stochastic, _validation
from ._constraints import CONSTRAINTS
from ._fitted import DivergedError, Fitted
from ._orders import random_state
from ._outputs import brief
from ._problem import Problem
from ._validation import Validation

Array = NDArray[Any]

_SCALER = "put sklearn.preprocessing.StandardScaler() before it, in a pipeline"

_UNUSED = np.random.default_rng(0)  # of networks for which nothing is drawn: to make one takes long

# Parameters that scikit-learn's checks have let pass, which take as long as an epoch of a small
# network: estimator, name, type and value.
_PLAIN = (bool, int, float, str, type(None))
_approved: set[tuple[type, str, type, object]] = set()
_MOST_APPROVED = 4096

STOCHASTIC_SOLVERS = ("sgd", "adam")


class BaseMLP(Fitted, BaseEstimator, ABC):
    """Fitting; targets and predictions are the subclasses' work."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    _names: ClassVar[tuple[Any, list[str]]]

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """scikit-learn's, which reads the constructor each time, several times a fit."""
        of, names = vars(cls).get("_names", (None, []))
        if of is not cls.__init__:
            names = super()._get_param_names()
            cls._names = cls.__init__, names
        return [*names]

    @abstractmethod
    def _validate_input(
        self, X: Any, y: Any, incremental: bool, reset: bool, classes: Any
    ) -> tuple[Any, Array, Any]:
        """X as floats, the core's targets, and how many outputs they need; y as users see it."""

    @abstractmethod
    def _problem(self, X: Any, T: Array, weights: Array | None) -> Problem:
        """With the scale of the loss."""

    @abstractmethod
    def _chosen_loss(self) -> Any:
        """The loss of the core."""

    # ---- fitting

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        validation_data: tuple[Any, Any] | None = None,
        classes: Any = None,
    ) -> None:
        for name, value in {"X": X, "y": y, "sample_weight": sample_weight}.items():
            intact(value, name)  # before scikit-learn reads it
        with limited(self.n_threads), self._as_it_was_if_nothing_happened() as started:
            turns: Turns = self.__dict__.setdefault("_turns", Turns())
            with turns.lock, brief():
                problem, validation = self._prepare(
                    X, y, sample_weight, incremental, validation_data, classes
                )
            started()
            plausible.columns(self._network(), problem.X, _SCALER)
            if self.solver == "lbfgs":
                with turns.lock:
                    _lbfgs.fit(self, problem)
            else:
                _stochastic.fit(self, problem, validation, incremental)
        assert self._net is not None
        if not np.isfinite(self._net.parameters).all():
            raise DivergedError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        if not incremental:
            plausible.predictions(self._net, problem.X, problem.T, _SCALER)

    def _validate_params(self) -> None:
        """scikit-learn's checks and words, of values of any length."""
        for name, value in self.get_params(deep=False).items():
            key = (type(self), name, type(value), value) if type(value) in _PLAIN else None
            if key in _approved:
                continue
            constraints = {name: self._parameter_constraints[name]}
            says = f"The {name!r} parameter of {type(self).__name__} must be another."
            try:
                validate_parameter_constraints(
                    constraints, {name: value}, caller_name=type(self).__name__
                )
                if isinstance(value, int):
                    float(value)  # they are numbers of the core, but for the seed
                if key is not None and len(_approved) < _MOST_APPROVED:
                    _approved.add(key)
                continue
            except InvalidParameterError as error:
                says = str(error).partition(" Got ")[0]
            except Exception:  # of a user's object that is compared, or shown
                pass
            raise InvalidParameterError(f"{says} Got {shown(value)} instead.") from None

    @contextmanager
    def _as_it_was_if_nothing_happened(self) -> Iterator[Callable[[], None]]:
        """After an error before the first step: attributes and generators. Gives what to call when
        the parameters to start from are there.
        """
        before = {**self.__dict__}
        drawn = {
            id(rng): (rng, rng.get_state(legacy=False))
            for rng in (self.random_state, before.get("_random_state"))
            if isinstance(rng, np.random.RandomState) and rng is not np.random.mtrand._rand
        }
        start: list[Array] = []
        try:
            yield lambda: start.append(self._network().parameters)
        except BaseException:
            if not start or np.array_equal(start[0], self._network().parameters):
                for rng, state in drawn.values():
                    rng.set_state(state)
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        validation_data: tuple[Any, Any] | None,
        classes: Any,
    ) -> tuple[Problem, Validation | None]:
        """All that comes before the first step: rows to train on, and rows to validate with."""
        hidden = self._hidden_sizes()
        for call in self.callbacks or ():
            if not callable(call):
                raise TypeError(f"callbacks: expected callables, got {shown(call)}")
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        reset = first or "n_features_in_" not in vars(self)
        X, T, y = self._validate_input(X, y, incremental, reset, classes)
        weights = self._row_weights(X, y, sample_weight)
        validation = _validation.given(self, validation_data)
        self.n_outputs_ = self._output_count(T)
        units = [int(X.shape[1]), *hidden, self.n_outputs_]
        self._random_state = random_state(self.random_state)
        self.out_activation_ = self._output_activation()
        if first:
            self._initialize(units, X.dtype)
        else:
            self._renew(units)
        if not incremental:
            self.stopped_ = False
        if validation is not None:
            _validation.expect_scores(self, validation)
        if self.solver != "lbfgs":
            if self.early_stopping and validation is None:
                X, T, y, weights, validation = _validation.split(self, X, T, y, weights)
            self._begin_records(first, incremental, validation is not None)
        return self._problem(X, T, weights), validation

    def _hidden_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if np.any(np.array(sizes) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return sizes

    def _output_count(self, T: Array) -> int:
        return 1 if T.ndim == 1 else int(T.shape[1])

    def _activations(self, hidden: int) -> list[Any]:
        """One for each hidden layer."""
        chosen = self.activation
        if isinstance(chosen, (str, Activation)):
            chosen = [chosen] * hidden
        return list(chosen)

    def _make_net(self, units: list[int], dtype: Any) -> MLP:
        """A network of zeros."""
        rounds = self.compute_dtype is not None and np.dtype(dtype) == np.float32
        try:
            return MLP(
                units,
                activation=self._activations(len(units) - 2),
                loss=self._chosen_loss(),
                init="zeros",
                dtype=str(np.dtype(dtype)),
                dropout=self.dropout,
                compute_dtype=self.compute_dtype if rounds else None,
                seed=_UNUSED,
            )
        except (TypeError, ValueError) as error:
            name = "dropout" if str(error).startswith("dropout") else "activation"
            raise self._invalid(name, error) from error

    def _invalid(self, name: str, error: Exception) -> InvalidParameterError:
        """scikit-learn's error for a parameter, with what the library says of it."""
        got = repr(getattr(self, name))
        got = got if len(got) <= 80 else f"{got[:80]}…"
        return InvalidParameterError(
            f"The {name!r} parameter of {type(self).__name__} must be what this library has. "
            f"Got {got} instead: {error}"
        )

    def _initialize(self, units: list[int], dtype: Any) -> None:
        """The first parameters, drawn as scikit-learn draws them, and all attributes."""
        net = self._make_net(units, dtype)
        activations = net._all_activations[:-1] or [str(self.activation)]
        parts: list[Array] = []
        for layer, (D, K) in enumerate(pairwise(units)):
            text = activations[min(layer, len(activations) - 1)]
            factor = 2.0 if text in ("sigmoid", "logistic") else 6.0
            bound = np.sqrt(factor / (D + K))
            parts.append(self._random_state.uniform(-bound, bound, (D, K)).ravel())
            parts.append(self._random_state.uniform(-bound, bound, K))
        net.parameters = np.concatenate(parts)
        self._net, self._trainer = net, None
        self._parameters_changed()
        self.n_iter_ = self.t_ = 0
        self.n_layers_, self._assigned_sizes = len(units), None

    def _begin_records(self, first: bool, incremental: bool, validates: bool) -> None:
        """What stochastic solvers write down; those that go on add to what is there."""
        if first or "loss_curve_" not in vars(self):
            self.loss_curve_, self._no_improvement_count = [], 0
            self.validation_scores_ = self.best_validation_score_ = self.best_loss_ = None
            self._best_parameters = self._network().parameters
        elif not incremental:
            # Without a better score than ever before, a fit that goes on ends where it ends.
            self._best_parameters = None
        # Those that are missing were not assigned with the first coefficients.
        if validates and getattr(self, "validation_scores_", None) is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        if not self.early_stopping and getattr(self, "best_loss_", None) is None:
            self.best_loss_ = np.inf
        if not incremental:
            self._counts_calls = False
        elif self.early_stopping and not self._counts_calls:
            self._no_improvement_count, self._counts_calls = 0, True

    @abstractmethod
    def _output_activation(self) -> str:
        """scikit-learn's name of it."""

    def _renew(self, units: list[int]) -> None:
        """The network that goes on, with what may have been set in between."""
        old = self._network()
        if self._assigned_sizes is not None:
            units = [units[0], *self._assigned_sizes[1:-1], units[-1]]
        self.__dict__.setdefault("t_", 0)
        if old.layer_sizes != units:
            raise ValueError(
                f"expected layers of the sizes {old.layer_sizes} of the earlier fit, got {units}"
            )
        new = self._make_net(units, old.dtype)
        if new.config == old.config:
            return
        new.parameters = old.parameters
        self._net = new
        self._parameters_changed()

    def _row_weights(self, X: Any, y: Any, sample_weight: Any) -> Array | None:
        """(N,) in float64, or None if all weigh the same."""
        if sample_weight is None:
            return None
        intact(sample_weight, "sample_weight")
        weights: Array = _check_sample_weight(sample_weight, X).astype(np.float64)
        return with_some_weight(weights)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        if getattr(self, "stopped_", False):
            return
        self._fit(X, y, sample_weight, incremental=True, classes=classes)
        over = self._no_improvement_count > self.n_iter_no_change
        if self.early_stopping and over and not getattr(self, "stopped_", False):
            self.stopped_ = True
            self._restore_best()

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC_SOLVERS:
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def to_sklearn(self) -> Any:
        """The same estimator of `sklearn.neural_network`, fitted if this one is.

        `class_weight`, `dropout`, `callbacks` and `n_threads`, which scikit-learn does not have,
        are left out: they change no prediction. So is `compute_dtype`, which rounds.

        Raises
        ------
        ValueError
            If an activation or the loss is not one of scikit-learn's.
        """
        from ._to_sklearn import to_sklearn

        return to_sklearn(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def with_some_weight(weights: Array) -> Array:
    """Weights (N,), if they can be divided by their sum."""
    if not (total := float(weights.sum())) > 0:
        raise ValueError(
            f"sample_weight, class_weight: expected weights with a sum above 0, got {total:g}"
        )
    return weights
