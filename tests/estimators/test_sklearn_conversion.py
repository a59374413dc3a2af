"""Estimators that come from scikit-learn's, and that become scikit-learn's."""

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import sklearn.neural_network
import sklearn.preprocessing

import eigenmlp.sklearn
from eigenmlp.sklearn import MLPClassifier, MLPRegressor, from_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOLVERS = ["sgd", "adam", "lbfgs"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_there_and_back(digits: Any, kind: str, solver: str) -> None:
    """Fitted estimators say the same, and those that go on go on the same way."""
    X, y = digits
    y = y if kind == "MLPClassifier" else np.tanh(X[:, 20:22])
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (9, 5), "activation": "logistic", "solver": solver, "max_iter": 5,
        "learning_rate": "invscaling", "random_state": 0,
    }  # fmt: skip
    ours = getattr(eigenmlp.sklearn, kind)(**parameters).fit(X, y)
    theirs = getattr(sklearn.neural_network, kind)(**parameters).fit(X, y)
    output = "predict_proba" if kind == "MLPClassifier" else "predict"
    became_ours, became_theirs = from_sklearn(theirs), ours.to_sklearn()
    assert type(became_ours) is type(ours) and type(became_theirs) is type(theirs)
    np.testing.assert_allclose(
        getattr(became_ours, output)(X), getattr(theirs, output)(X), rtol=1e-10
    )
    np.testing.assert_allclose(
        getattr(became_theirs, output)(X), getattr(ours, output)(X), rtol=1e-10
    )
    assert became_theirs.get_params() == theirs.get_params()
    assert {*vars(theirs)} <= {*vars(became_theirs), "_coef_indptr", "_intercept_indptr"}
    if solver == "lbfgs":
        return
    for estimator in (ours, theirs, became_ours, became_theirs):
        estimator.partial_fit(X, y).partial_fit(X, y)
    for name in ("coefs_", "intercepts_", "loss_curve_", "t_"):
        for other in (became_ours, became_theirs):
            for mine, his in zip(
                np.atleast_1d(getattr(other, name)) if name == "t_" else getattr(other, name),
                np.atleast_1d(getattr(theirs, name)) if name == "t_" else getattr(theirs, name),
                strict=True,
            ):
                np.testing.assert_allclose(mine, his, rtol=1e-9, atol=1e-12)


def by_skops(estimator: Any) -> Any:
    skops = pytest.importorskip("skops.io", reason="needs skops")
    data = skops.dumps(estimator)
    return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


@pytest.mark.parametrize(
    "names",
    [
        np.array([3, 2**63 + 9], np.uint64),
        np.array([3, 2**63 + 9, 2**64 - 1], np.uint64),
        np.array([-(2**63), 0, 2**63 - 1]),
        np.array([1.0, -2.0, 3.0], np.longdouble),
        np.array([False, True]),
        np.array(['a"b\\\n??/', "", "a\0b", "\ud800", "😀"]),
        np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
    ],
    ids=["uint64", "three uint64", "int64", "long double", "bool", "strings", "dates"],
)
@pytest.mark.parametrize(
    "travel",
    [
        lambda ours: pickle.loads(pickle.dumps(ours)),
        by_skops,
        lambda ours: ours.to_sklearn(),
        lambda ours: from_sklearn(ours.to_sklearn()),
    ],
    ids=["pickle", "skops", "to_sklearn", "from_sklearn"],
)
def test_classes_travel(names: Any, travel: Any) -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    ours = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, names[np.arange(40) % len(names)])
    there = travel(ours)
    assert there.classes_.dtype == ours.classes_.dtype
    np.testing.assert_array_equal(there.classes_, np.sort(names))
    np.testing.assert_array_equal(there.predict(X), ours.predict(X))


@pytest.mark.parametrize("sizes", [(), (6,)], ids=str)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_estimators_that_changed_sides_fit_on_the_same_way(
    digits: Any, solver: str, sizes: tuple[int, ...]
) -> None:
    """From the same draw, or from the weights of the best score."""
    X, y = digits
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": sizes, "activation": "logistic", "solver": solver, "random_state": 0,
        "early_stopping": True, "learning_rate_init": 0.05, "max_iter": 9,
    }  # fmt: skip
    for warm_start in (False, True):
        ours = MLPClassifier(**parameters, warm_start=warm_start).fit(X, y)
        theirs = sklearn.neural_network.MLPClassifier(**ours.to_sklearn().get_params()).fit(X, y)
        pair = [ours.to_sklearn(), from_sklearn(theirs), from_sklearn(theirs).to_sklearn()]
        for estimator in (theirs, *pair):
            estimator.set_params(max_iter=2, learning_rate_init=0.001).fit(X, 9 - y)
        for estimator in pair:
            for mine, his in zip(estimator.coefs_, theirs.coefs_, strict=True):
                np.testing.assert_allclose(mine, his, rtol=1e-9, atol=1e-12)


def test_unfitted_estimators_change_sides() -> None:
    theirs = sklearn.neural_network.MLPRegressor(hidden_layer_sizes=(3,), loss="poisson", tol=0.1)
    ours = from_sklearn(theirs)
    assert not hasattr(ours, "coefs_")
    assert ours.to_sklearn().get_params() == theirs.get_params()


def test_what_cannot_change_sides(digits: Any) -> None:
    X, y = digits
    with pytest.raises(TypeError, match="got StandardScaler"):
        from_sklearn(sklearn.preprocessing.StandardScaler())
    mixed = MLPClassifier((4, 4), activation=["tanh", "relu"], max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="one activation"):
        mixed.to_sklearn()
    with pytest.raises(ValueError, match="'gelu'"):
        MLPClassifier((4,), activation="gelu").to_sklearn()
    with pytest.raises(ValueError, match="'huber'"):
        MLPRegressor(loss="huber").to_sklearn()
