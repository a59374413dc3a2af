"""From these estimators to scikit-learn's."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

from .._basics.shown import shown
from .._inputs.words import canonical
from ..activations import ACTIVATIONS
from ..losses import LOSSES
from ..optimizers import SGD, Adam
from ._network import layers

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


def to_sklearn(estimator: Any) -> Any:
    """See `BaseMLP.to_sklearn`."""
    classifies = is_classifier(estimator)
    theirs = TheirClassifier if classifies else TheirRegressor
    names = theirs().get_params(deep=False)
    parameters = {name: x for name, x in estimator.get_params(deep=False).items() if name in names}
    parameters["verbose"] = bool(parameters["verbose"])
    parameters["activation"] = _their_activation(estimator)
    if "loss" in parameters and isinstance(estimator.loss, str):
        parameters["loss"] = canonical(estimator.loss, LOSSES)
    if not classifies and parameters["loss"] not in ("squared_error", "poisson"):
        raise ValueError(
            "to_sklearn: expected loss='squared_error' or 'poisson', which scikit-learn has, got "
            f"{shown(estimator.loss)}"
        )
    new = theirs(**parameters)
    if not hasattr(estimator, "coefs_"):
        return new
    net = estimator._network()
    copy_attributes(estimator, new)
    coefs, intercepts = layers(net.parameters, net.layer_sizes)
    new.coefs_ = [W.copy() for W in coefs]
    new.intercepts_ = [b.copy() for b in intercepts]
    # As scikit-learn leaves them after early stopping: the same arrays.
    new._best_coefs, new._best_intercepts = new.coefs_, new.intercepts_
    if estimator._trainer is not None:
        _hand_over(estimator, new)
    return new


def copy_attributes(old: Any, new: Any) -> None:
    """What both libraries keep under the same names."""
    for name in _SHARED:
        if name in vars(old):
            value = vars(old)[name]
            setattr(new, name, list(value) if isinstance(value, list) else value)


def _their_activation(estimator: Any) -> str:
    if isinstance(estimator.activation, str) and estimator.activation in _THEIR_ACTIVATIONS:
        return str(estimator.activation)
    hidden = estimator._activations(len(estimator._hidden_sizes()))
    names = {canonical(one, ACTIVATIONS) if isinstance(one, str) else one for one in hidden}
    found = {"logistic" if one == "sigmoid" else one for one in names}
    if not found:
        return "relu"
    if len(found) > 1 or found.isdisjoint(_THEIR_ACTIVATIONS):
        raise ValueError(
            f"to_sklearn: expected one activation of {[*_THEIR_ACTIVATIONS]} for all layers, which "
            f"scikit-learn has, got {shown(estimator.activation)}"
        )
    return str(found.pop())


def _hand_over(estimator: Any, new: Any) -> None:
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
