"""From scikit-learn's estimators to these, and back."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

from .._basics.shown import shown
from ..optimizers import SGD, Adam
from ..trainer import Trainer
from ._base import ACTIVATION_NAMES, BaseMLP
from ._classifier import MLPClassifier
from ._network import flattened, layers
from ._regressor import MLPRegressor
from ._stochastic import adam, sgd

Array = NDArray[Any]

_SHARED = (
    *(
        "n_features_in_",
        "feature_names_in_",
        "classes_",
        "n_outputs_",
        "n_layers_",
        "n_iter_",
        "t_",
    ),
    *("out_activation_", "loss_", "loss_curve_", "best_loss_", "validation_scores_"),
    *("best_validation_score_", "_label_binarizer", "_random_state", "_no_improvement_count"),
)
_THEIR_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


def from_sklearn(estimator: Any) -> MLPClassifier | MLPRegressor:
    """The same estimator of this library, fitted if `estimator` is.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
        It is left as it is. `partial_fit` goes on where it was.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import sklearn.neural_network
    >>> from eigenmlp.sklearn import from_sklearn
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> theirs = sklearn.neural_network.MLPClassifier((5,), solver="lbfgs", random_state=0)
    >>> from_sklearn(theirs.fit(X, y)).predict(X)
    array([0, 0, 1, 1])
    """
    new: MLPClassifier | MLPRegressor
    if isinstance(estimator, TheirClassifier):
        new = MLPClassifier(**estimator.get_params(deep=False))
    elif isinstance(estimator, TheirRegressor):
        new = MLPRegressor(**estimator.get_params(deep=False))
    else:
        raise TypeError(
            "from_sklearn: expected an MLPClassifier or MLPRegressor of sklearn.neural_network, "
            f"got {type(estimator).__name__}"
        )
    if not hasattr(estimator, "coefs_"):
        return new
    _copy_attributes(estimator, new)
    new.coefs_, new.intercepts_ = estimator.coefs_, estimator.intercepts_
    new._network()
    new._parameters_changed()  # and forget the lists, which are another's
    new.stopped_ = False
    if hasattr(estimator, "_best_coefs"):
        new._best_parameters = flattened(estimator._best_coefs, estimator._best_intercepts)
    if hasattr(estimator, "_optimizer"):
        _take_over(new, estimator._optimizer)
    return new


def to_sklearn(estimator: BaseMLP) -> Any:
    """See `BaseMLP.to_sklearn`."""
    classifies = isinstance(estimator, MLPClassifier)
    theirs = TheirClassifier if classifies else TheirRegressor
    names = theirs().get_params(deep=False)
    parameters = {name: x for name, x in estimator.get_params(deep=False).items() if name in names}
    parameters["verbose"] = bool(parameters["verbose"])
    parameters["activation"] = _their_activation(estimator)
    if not classifies and estimator.loss not in ("squared_error", "poisson"):
        raise ValueError(
            "to_sklearn: expected loss='squared_error' or 'poisson', which scikit-learn has, got "
            f"{shown(estimator.loss)}"
        )
    new = theirs(**parameters)
    if not hasattr(estimator, "coefs_"):
        return new
    net = estimator._network()
    _copy_attributes(estimator, new)
    coefs, intercepts = layers(net.parameters, net.layer_sizes)
    new.coefs_ = [W.copy() for W in coefs]
    new.intercepts_ = [b.copy() for b in intercepts]
    # As scikit-learn leaves them after early stopping: the same arrays.
    new._best_coefs, new._best_intercepts = new.coefs_, new.intercepts_
    if estimator._trainer is not None:
        _hand_over(estimator, new)
    return new


def _copy_attributes(old: Any, new: Any) -> None:
    for name in _SHARED:
        if name in vars(old):
            value = vars(old)[name]
            setattr(new, name, list(value) if isinstance(value, list) else value)


def _their_activation(estimator: BaseMLP) -> str:
    if isinstance(estimator.activation, str) and estimator.activation in _THEIR_ACTIVATIONS:
        return str(estimator.activation)
    names = {ours: theirs for theirs, ours in ACTIVATION_NAMES.items()}
    hidden = estimator._activations(len(estimator._hidden_sizes()))
    found = {names.get(one, one) if isinstance(one, str) else one for one in hidden}
    if not found:
        return "relu"
    if len(found) > 1 or found.isdisjoint(_THEIR_ACTIVATIONS):
        raise ValueError(
            f"to_sklearn: expected one activation of {[*_THEIR_ACTIVATIONS]} for all layers, which "
            f"scikit-learn has, got {shown(estimator.activation)}"
        )
    return str(found.pop())


# scikit-learn's optimizers hold lists, all weights first; its velocity is what is added. They keep
# the parameters that they began with, whatever was set in the estimator since.


def _take_over(new: BaseMLP, optimizer: Any) -> None:
    """A trainer in the state of scikit-learn's optimizer."""
    net, o = new._net, optimizer
    assert net is not None

    def flat(arrays: list[Array]) -> Array:
        half = len(arrays) // 2
        return flattened(arrays[:half], arrays[half:]).astype(net.dtype)

    if hasattr(o, "velocities"):
        new._policy = (o.lr_schedule, float(o.learning_rate_init), float(o.power_t))
        new._learning_rate = float(o.learning_rate)
        new._trainer = Trainer(net, sgd(o.momentum, o.nesterov, new.alpha), seed=0)
        new._trainer._trainer.set_state("velocity", -flat(o.velocities))
        return
    new._policy = ("constant", float(o.learning_rate_init), float(new.power_t))
    new._learning_rate = float(o.learning_rate_init)
    new._trainer = Trainer(net, adam(o.beta_1, o.beta_2, o.epsilon, new.alpha), seed=0)
    new._trainer._trainer.set_progress(int(o.t))
    new._trainer._trainer.set_state("mean", flat(o.ms))
    new._trainer._trainer.set_state("mean_square", flat(o.vs))


def _hand_over(estimator: BaseMLP, new: Any) -> None:
    """scikit-learn's optimizer in the state of a trainer."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

    trainer = estimator._trainer
    assert trainer is not None
    parameters, optimizer = new.coefs_ + new.intercepts_, trainer.optimizer
    policy, first, power_t = estimator._policy

    def lists(name: str) -> list[Array]:
        coefs, intercepts = layers(trainer._trainer.get_state(name), trainer.net.layer_sizes)
        return coefs + intercepts

    if isinstance(optimizer, SGD):
        new._optimizer = SGDOptimizer(
            parameters, first, policy, optimizer.momentum, optimizer.nesterov, power_t
        )
        new._optimizer.learning_rate = estimator._learning_rate
        new._optimizer.velocities = [-v for v in lists("velocity")]
    else:
        assert isinstance(optimizer, Adam)
        new._optimizer = AdamOptimizer(parameters, first, *optimizer.betas, optimizer.eps)
        new._optimizer.t = trainer.steps
        new._optimizer.ms, new._optimizer.vs = lists("mean"), lists("mean_square")
