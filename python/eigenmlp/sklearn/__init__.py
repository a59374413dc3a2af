"""scikit-learn's multi-layer perceptrons on this library: ``pip install 'scikit-learn>=1.7'``.

`MLPClassifier` and `MLPRegressor` take the place of those of `sklearn.neural_network`: the same
parameters, attributes and methods and, for the same `random_state`, the same coefficients to
rounding. What is added stands behind scikit-learn's own parameters. `MLPEnsembleClassifier` and
`MLPEnsembleRegressor` average many of them, `MLPSearchCV` searches for their parameters.

>>> from eigenmlp.sklearn import MLPClassifier
>>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["no", "yes", "yes", "no"]
>>> clf = MLPClassifier(solver="lbfgs", activation="tanh", random_state=1).fit(X, y)
>>> print(*clf.predict(X))
no yes yes no
"""

try:
    import sklearn as _installed
    from sklearn.utils.validation import validate_data as _needed
except ImportError as error:
    raise ImportError(
        "eigenmlp.sklearn needs scikit-learn 1.7 or newer: pip install 'scikit-learn>=1.7'"
    ) from error

from ._classifier import MLPClassifier
from ._ensemble_classifier import MLPEnsembleClassifier
from ._ensemble_regressor import MLPEnsembleRegressor
from ._from_sklearn import from_sklearn
from ._regressor import MLPRegressor
from ._search import MLPSearchCV

__all__ = [
    "MLPClassifier",
    "MLPEnsembleClassifier",
    "MLPEnsembleRegressor",
    "MLPRegressor",
    "MLPSearchCV",
    "from_sklearn",
]

del _installed, _needed
