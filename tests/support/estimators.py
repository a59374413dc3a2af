"""Estimators beside scikit-learn's; whether two have the same coefficients."""

from typing import Any

import numpy as np
import sklearn.neural_network

import eigenmlp.sklearn

KINDS = ["MLPClassifier", "MLPRegressor"]
SOLVERS = ["sgd", "adam", "lbfgs"]


def same(a: Any, b: Any) -> bool:
    pairs = zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    return all(np.array_equal(V, W) for V, W in pairs)


def both(kind: str, **parameters: Any) -> tuple[Any, Any]:
    parameters = {"hidden_layer_sizes": (20, 10), "random_state": 3, "max_iter": 6, **parameters}
    modules = (eigenmlp.sklearn, sklearn.neural_network)
    ours, theirs = (getattr(module, kind)(**parameters) for module in modules)
    return ours, theirs
