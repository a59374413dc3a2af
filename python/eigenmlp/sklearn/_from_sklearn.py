"""From scikit-learn's estimators to these."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

from ..trainer import Trainer
from ._base import BaseMLP
from ._classifier import MLPClassifier
from ._network import flattened
from ._regressor import MLPRegressor
from ._stochastic import adam, sgd
from ._to_sklearn import copy_attributes

Array = NDArray[Any]


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
    copy_attributes(estimator, new)
    new.coefs_, new.intercepts_ = estimator.coefs_, estimator.intercepts_
    new._network()
    new._parameters_changed()  # and forget the lists, which are another's
    new.stopped_ = False
    if hasattr(estimator, "_best_coefs"):
        new._best_parameters = flattened(estimator._best_coefs, estimator._best_intercepts)
    if hasattr(estimator, "_optimizer"):
        _take_over(new, estimator._optimizer)
    return new


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
