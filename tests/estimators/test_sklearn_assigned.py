"""Coefficients that users assign, before or after `fit`, or change in place: as in scikit-learn."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'eigenmlp[sklearn]'")

import sklearn.neural_network

import eigenmlp as em
import eigenmlp.sklearn
from eigenmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(40, 4))
Y = X.sum(axis=1)
KINDS = ["MLPClassifier", "MLPRegressor"]
MODULES = (eigenmlp.sklearn, sklearn.neural_network)


def targets(kind: str) -> Any:
    return (Y > 0).astype(int) + (Y > 1) if kind == "MLPClassifier" else Y


def outputs(estimator: Any) -> Any:
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def pair(kind: str, **parameters: Any) -> list[Any]:
    parameters = {"max_iter": 3, "random_state": 0, "hidden_layer_sizes": (6, 5), **parameters}
    return [getattr(module, kind)(**parameters) for module in MODULES]


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(outputs(ours), outputs(theirs), rtol=1e-9, atol=1e-12)
    for name in ("coefs_", "intercepts_"):
        for mine, his in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(mine, his, rtol=1e-9, atol=1e-12)


def own_arrays(estimator: Any) -> None:
    estimator.coefs_ = [1.5 * W for W in estimator.coefs_]
    estimator.intercepts_ = [b + 0.5 for b in estimator.intercepts_]


def own_coefs(estimator: Any) -> None:
    estimator.coefs_ = [1.5 * W for W in estimator.coefs_]


def parts_of_one_array(estimator: Any) -> None:
    """All coefs first, which is not the order of the network's parameters."""
    arrays = [*estimator.coefs_, *estimator.intercepts_]
    flat = np.concatenate([1.5 * array.ravel() for array in arrays])
    at, parts = 0, []
    for array in arrays:
        parts.append(flat[at : at + array.size].reshape(array.shape))
        at += array.size
    half = len(parts) // 2
    estimator.coefs_, estimator.intercepts_ = parts[:half], parts[half:]


def single_arrays(estimator: Any) -> None:
    estimator.coefs_[0] = estimator.coefs_[0] * (np.arange(6) > 1)
    estimator.intercepts_[2][:] = 3
    own_arrays(estimator)
    estimator.coefs_[1] *= 2
    estimator.intercepts_[0] = np.ones(6)


def own_list(estimator: Any) -> None:
    """The list that was assigned is the estimator's: what it is given later counts."""
    coefs = [0 * W for W in estimator.coefs_]
    estimator.coefs_ = coefs
    estimator.intercepts_ = tuple(estimator.intercepts_)
    outputs(estimator)
    coefs[2] = coefs[2] + 1
    coefs[0][1:] = 2
    assert estimator.coefs_ is coefs


WAYS = [own_arrays, own_coefs, parts_of_one_array, single_arrays, own_list]


def predicts(estimator: Any) -> Any:
    return estimator


def is_pickled(estimator: Any) -> Any:
    return pickle.loads(pickle.dumps(estimator))


def is_copied(estimator: Any) -> Any:
    return copy.deepcopy(estimator)


def goes_on(estimator: Any) -> Any:
    estimator.intercepts_ = [*estimator.intercepts_]  # scikit-learn adds lists
    return estimator.partial_fit(X, targets(type(estimator).__name__))


def fits_on(estimator: Any) -> Any:
    estimator.intercepts_ = [*estimator.intercepts_]
    return estimator.set_params(warm_start=True).fit(X, targets(type(estimator).__name__))


def fits_anew(estimator: Any) -> Any:
    return estimator.fit(X, targets(type(estimator).__name__))


USES = [predicts, is_pickled, is_copied, goes_on, fits_on, fits_anew]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_after_fit(kind: str, way: Callable[[Any], None], use: Callable[[Any], Any]) -> None:
    both = []
    for estimator in pair(kind):
        estimator.fit(X, targets(kind))
        way(estimator)
        both.append(use(estimator))
        if use is not fits_anew:
            before = outputs(both[-1])
            both[-1].intercepts_[2][0] += 1  # in place, still
            assert not np.array_equal(outputs(both[-1]), before)
    assert_same(*both)


@pytest.mark.parametrize("way", WAYS)
def test_exports_have_what_was_assigned(way: Callable[[Any], None], tmp_path: Any) -> None:
    pytest.importorskip("onnx", reason="needs onnx: pip install 'eigenmlp[onnx]'")
    classifier = pair("MLPClassifier")[0].fit(X, targets("MLPClassifier"))
    expected = copy.deepcopy(classifier)
    net = expected._network()
    way(classifier)
    parts = zip(classifier.coefs_, classifier.intercepts_, strict=True)
    net.parameters = np.concatenate([part.ravel() for two in parts for part in two])
    written = []
    for one in (classifier, expected):
        em.codegen.to_c(one, tmp_path / "net.c")
        written.append((tmp_path / "net.c").read_text())
    assert written[0] == written[1]
    em.onnx.export(classifier, tmp_path / "net.onnx")
    assert np.array_equal(em.onnx.load(tmp_path / "net.onnx").parameters, net.parameters)
    assert np.allclose(classifier.to_sklearn().predict_proba(X), net.predict_proba(X))


def test_before_fit() -> None:
    """Put together by hand: what predicts, fits on and travels, without a call of `fit`."""
    coefs = [np.arange(12.0).reshape(4, 3) / 10, np.array([[1.0], [-2.0], [0.5]])]
    both = []
    for estimator in pair("MLPRegressor", hidden_layer_sizes=3, activation="tanh"):
        estimator.coefs_ = [W.copy() for W in coefs]
        estimator.intercepts_ = [np.zeros(3), np.array([0.25])]
        estimator.n_layers_, estimator.out_activation_ = 3, "identity"
        estimator.intercepts_[0][1] = 1
        expected = np.tanh(X @ coefs[0] + [0, 1, 0]) @ coefs[1] + 0.25
        np.testing.assert_allclose(estimator.predict(X), expected[:, 0], rtol=1e-12)
        copied = pickle.loads(pickle.dumps(copy.deepcopy(estimator)))
        np.testing.assert_allclose(copied.predict(X), expected[:, 0], rtol=1e-12)
        estimator.t_, estimator.loss_curve_, estimator.best_loss_ = 0, [], np.inf
        estimator._no_improvement_count = 0
        both.append(estimator.partial_fit(X, Y).partial_fit(X, Y))
    assert_same(*both)


@pytest.mark.parametrize("kind", KINDS)
def test_first_parameters_need_nothing_else(kind: str) -> None:
    """Where scikit-learn wants `t_`, `loss_curve_` and more as well."""
    began = pair(kind, max_iter=1)[0].fit(X, targets(kind))
    fresh = pair(kind, max_iter=2, warm_start=True)[0]
    fresh.coefs_, fresh.intercepts_ = began.coefs_, began.intercepts_
    half = copy.deepcopy(fresh)
    fresh.fit(X, targets(kind))
    assert (fresh.n_features_in_, fresh.n_layers_, len(fresh.loss_curve_)) == (4, 4, 2)
    began.set_params(warm_start=True, max_iter=2).fit(X, targets(kind))
    assert_same(fresh, began)
    classes = {"classes": [0, 1, 2]} if kind == "MLPClassifier" else {}
    half.set_params(early_stopping=True).partial_fit(X, targets(kind), **classes)
    assert len(half.validation_scores_) == half.n_iter_ == 1


@pytest.mark.parametrize("kind", KINDS)
def test_other_shapes(kind: str) -> None:
    """Hidden units may be cut out; a fit that goes on has those that are left."""
    both = []
    for estimator in pair(kind, warm_start=True):
        estimator.fit(X, targets(kind))
        (W0, W1, W2), (b0, b1, b2) = estimator.coefs_, estimator.intercepts_
        estimator.coefs_ = [W0[:, 2:], W1[2:, :4], W2[:4]]
        estimator.intercepts_ = [b0[2:], b1[:4], b2]
        cut = outputs(estimator)
        both.append(estimator.fit(X, targets(kind)))
        assert [W.shape for W in estimator.coefs_] == [(4, 4), (4, 4), (4, len(b2))]
        assert not np.allclose(outputs(estimator), cut)
    assert_same(*both)
    copied = pickle.loads(pickle.dumps(both[0])).partial_fit(X, targets(kind))
    assert copied.coefs_[0].shape == (4, 4)
    back = eigenmlp.sklearn.from_sklearn(both[1])
    assert_same(back.partial_fit(X, targets(kind)), both[1].partial_fit(X, targets(kind)))
    both[0].set_params(warm_start=False).fit(X, targets(kind))
    assert both[0].coefs_[0].shape == (4, 6)


def test_what_cannot_be_a_network() -> None:
    regressor = MLPRegressor(hidden_layer_sizes=6, max_iter=2, random_state=0).fit(X, Y)
    (W0, W1), (b0, b1) = regressor.coefs_, regressor.intercepts_
    expected = regressor.predict(X)
    refused: list[tuple[str, type[Exception], Any, Any]] = [
        ("follow on one another", ValueError, [W0, W1[1:]], [b0, b1]),
        ("follow on one another", ValueError, [W0, W1], [b0[1:], b1]),
        ("follow on one another", ValueError, [W0[0], W1], [b0, b1]),
        ("one array of each", ValueError, [W0], [b0, b1]),
        (
            r"coefs_\[0\]: .* got nan at coefs_\[0\]\[0, 0\]",
            ValueError,
            [W0 * np.nan, W1],
            [b0, b1],
        ),
        (r"got inf at intercepts_\[1\]\[0\]", ValueError, [W0, W1], [b0, b1 + np.inf]),
        ("coefs_: expected numbers", TypeError, [W0.astype(str), W1], [b0, b1]),
    ]
    for words, error, coefs, intercepts in refused:
        regressor.coefs_, regressor.intercepts_ = coefs, intercepts
        for use in (outputs, goes_on, is_pickled, is_copied):
            with pytest.raises(error, match=words):
                use(regressor)
    regressor.coefs_, regressor.intercepts_ = [W0, W1], [b0, b1]
    assert np.array_equal(regressor.predict(X), expected)


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_deleted_and_none(name: str) -> None:
    """As in scikit-learn, what is deleted is not there; and nothing is no list."""
    for kind in (MLPRegressor, sklearn.neural_network.MLPRegressor):
        regressor = kind(hidden_layer_sizes=6, max_iter=2, random_state=0).fit(X, Y)
        before = regressor.predict(X)
        delattr(regressor, name)
        assert not hasattr(regressor, name)
        with pytest.raises(AttributeError, match=name):
            regressor.predict(X)
        assert np.array_equal(regressor.fit(X, Y).predict(X), before)
    ours = MLPRegressor(hidden_layer_sizes=6, max_iter=2, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match=f"{name}: expected a list of arrays.* got None"):
        setattr(ours, name, None)
    assert ours.predict(X).shape == before.shape


def test_one_without_the_other() -> None:
    classifier = MLPClassifier((5,))
    classifier.coefs_ = [np.ones((4, 5)), np.ones((5, 1))]
    with pytest.raises(AttributeError, match="'MLPClassifier' object has no attribute 'interc"):
        classifier.predict(X)
    assert len(copy.deepcopy(classifier).coefs_) == 2
    assert classifier.fit(X, targets("MLPClassifier")).predict(X).shape == (40,)
