"""What the estimators have that scikit-learn's have not: in classes, layers, losses."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.class_weight import compute_sample_weight

import eigenmlp as em
import eigenmlp.sklearn
from eigenmlp.sklearn import (
    MLPClassifier,
    MLPRegressor,
)
from support.estimators import SOLVERS, same

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def curve() -> tuple[Any, Any]:
    """A noisy line with outliers."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 600)
    y = 2 * x + rng.normal(0, 0.1, 600)
    y[::10] += 20
    return x[:, None], y


# ---- classes and labels


@pytest.mark.parametrize("solver", SOLVERS)
def test_class_weights_are_sample_weights(digits: Any, solver: str) -> None:
    X, y = digits
    several = np.stack([y > 3, y % 2 == 0], axis=1).astype(int)
    cases: list[tuple[Any, Any]] = [
        (y, {0: 3.0, 7: 0.5}),
        (y, "balanced"),
        (y % 2, "balanced"),
        (several, [{0: 1.0, 1: 4.0}, {0: 2.0, 1: 1.0}]),
    ]
    own = np.random.default_rng(0).uniform(0.5, 2, len(y))
    for labels, weights in cases:
        parameters: dict[str, Any] = {"solver": solver, "max_iter": 4, "random_state": 0}
        by_class = MLPClassifier((8,), class_weight=weights, **parameters).fit(X, labels, own)
        product = own * compute_sample_weight(weights, labels)
        assert same(by_class, MLPClassifier((8,), **parameters).fit(X, labels, product))
        assert not same(by_class, MLPClassifier((8,), **parameters).fit(X, labels, own))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_class_weights_count_in_validation(digits: Any, solver: str) -> None:
    X, y = digits
    parameters: dict[str, Any] = {
        "solver": solver, "early_stopping": True, "max_iter": 6, "random_state": 0,
    }  # fmt: skip
    for weights in ({0: 30.0, 7: 0.5}, "balanced"):
        by_class = MLPClassifier((8,), class_weight=weights, **parameters).fit(X, y)
        by_row = MLPClassifier((8,), **parameters).fit(X, y, compute_sample_weight(weights, y))
        assert same(by_class, by_row)
        assert by_class.validation_scores_ == by_row.validation_scores_


def test_class_weights_of_classes_that_a_call_lacks(digits: Any) -> None:
    X, y = digits
    several = np.stack([y > 3, y == 0], axis=1).astype(int)
    cases: list[tuple[Any, Any, Any]] = [
        (y, {0: 3.0}, {"classes": np.arange(10)}),
        (several, [{0: 1.0, 1: 4.0}, {1: 5.0}], {}),
    ]
    rest = y != 0
    for labels, weights, first in cases:
        parts = (np.flatnonzero(rest)[:100], np.flatnonzero(rest)[100:], np.arange(len(y)))
        full = weights
        if labels is several:
            full = [{0: 1.0, 1: 1.0} | one for one in weights]
        by_class = MLPClassifier((8,), class_weight=weights, random_state=0)
        by_row = MLPClassifier((8,), random_state=0)
        for rows in parts:
            by_class.partial_fit(X[rows], labels[rows], **first)
            w = (
                compute_sample_weight(full, labels[rows])
                if labels is several
                else np.where(y[rows] == 0, 3.0, 1.0)
            )
            by_row.partial_fit(X[rows], labels[rows], sample_weight=w, **first)
        assert same(by_class, by_row)
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight={"zero": 3.0}).fit(X, y)


def test_partial_fit_for_several_labels_needs_no_classes(digits: Any) -> None:
    X, y = digits
    several = np.stack([y > 3, y % 2 == 0, y == 1], axis=1).astype(int)
    with_classes, without = (MLPClassifier((8,), random_state=0) for _ in range(2))
    with_classes.partial_fit(X, several, classes=[0, 1, 2])
    without.partial_fit(X, several)
    for _ in range(60):
        without.partial_fit(X, several)
    assert (without.classes_ == [0, 1, 2]).all()
    assert without.predict(X).shape == (500, 3)
    assert without.score(X, several) > 0.5 > with_classes.score(X, several)


@pytest.mark.parametrize("kind", ["classes", "several", "numbers"])
def test_partial_fit_with_early_stopping(digits: Any, kind: str) -> None:
    """It ends by itself, at the parameters of the best score, and then leaves them alone."""
    X, y = digits
    y = {
        "classes": y,
        "several": np.stack([y > 3, y % 2 == 0], axis=1).astype(int),
        "numbers": np.tanh(X @ np.linspace(-1, 1, 64)),
    }[kind]
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": 20, "early_stopping": True, "random_state": 0,
        "n_iter_no_change": 3, "learning_rate_init": 0.02,
    }  # fmt: skip
    estimator = (MLPRegressor if kind == "numbers" else MLPClassifier)(**parameters)
    first = {"classes": np.arange(10)} if kind == "classes" else {}
    calls = 0
    best: list[Any] = []
    while calls < 300 and not getattr(estimator, "stopped_", False):
        estimator.partial_fit(X, y, **(first if calls == 0 else {}))
        calls += 1
        *before, last = estimator.validation_scores_
        if last > max(before, default=-np.inf):
            best = [W.copy() for W in estimator.coefs_]
    assert estimator.stopped_ and 5 < calls < 300
    scores = estimator.validation_scores_
    assert len(scores) == len(estimator.loss_curve_) == calls
    assert estimator.best_validation_score_ == max(scores)
    at_best = [W.copy() for W in estimator.coefs_]
    estimator.partial_fit(X, y)
    assert len(estimator.validation_scores_) == calls
    assert all(np.array_equal(V, W) for V, W in zip(at_best, estimator.coefs_, strict=True))
    assert all(np.array_equal(V, W) for V, W in zip(at_best, best, strict=True))
    estimator.set_params(max_iter=3).fit(X, y)
    assert not estimator.stopped_ and len(estimator.loss_curve_) <= 3


# ---- layers


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_activation_for_each_layer(digits: Any, solver: str) -> None:
    X, y = digits
    chosen = ["logistic", em.activations.LeakyRelu(0.2), "gelu"]
    estimator = MLPClassifier(
        (9, 8, 7), activation=chosen, solver=solver, max_iter=200, learning_rate_init=0.02,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert estimator.score(X, y) > 0.5
    net = em.MLP(
        [64, 9, 8, 7, 10], activation=["sigmoid", chosen[1], "gelu"], dtype="float64", seed=0
    )
    pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    net.parameters = np.concatenate([part.ravel() for pair in pairs for part in pair])
    np.testing.assert_allclose(estimator.predict_proba(X), net.predict_proba(X), rtol=1e-12)


def test_one_activation_as_a_list_draws_as_its_name(digits: Any) -> None:
    X, y = digits
    for name in ("logistic", "tanh"):
        one, listed = (
            MLPClassifier((6, 5), activation=chosen, max_iter=2, random_state=0).fit(X, y)
            for chosen in (name, [name, name])
        )
        assert same(one, listed)


def test_activations_that_do_not_fit(digits: Any) -> None:
    X, y = digits
    for wrong in (["tanh"], ["tanh"] * 3, ["tanh", "softmax"], ["tanh", 3], "relu(slope=1.0)"):
        with pytest.raises(ValueError, match=r"activation|relu"):
            MLPClassifier((4, 4), activation=wrong).fit(X, y)


@pytest.mark.filterwarnings('ignore:compute_dtype="bfloat16"')
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bfloat16(digits: Any) -> None:
    X, y = digits
    clf = MLPClassifier((40,), max_iter=30, tol=0, n_iter_no_change=99, random_state=0)
    exact = clone(clf).fit(X.astype(np.float32), y)
    rounded = clone(clf).set_params(compute_dtype="bfloat16").fit(X.astype(np.float32), y)
    assert not np.array_equal(exact.coefs_[0], rounded.coefs_[0])
    assert abs(rounded.loss_ - exact.loss_) <= 0.05 * exact.loss_
    # Float64 stays float64.
    wide = clone(clf).set_params(compute_dtype="bfloat16").fit(X, y)
    np.testing.assert_array_equal(wide.coefs_[0], clone(clf).fit(X, y).coefs_[0])


def test_dropout(digits: Any) -> None:
    X, y = digits
    parameters: dict[str, Any] = {"max_iter": 30, "learning_rate_init": 0.02, "random_state": 0}
    plain = MLPClassifier((40,), **parameters).fit(X, y)
    dropped = [MLPClassifier((40,), dropout=0.5, **parameters).fit(X, y) for _ in range(2)]
    assert same(*dropped) and not same(dropped[0], plain)
    assert dropped[0].loss_ > 1.5 * plain.loss_  # training is made harder, prediction is whole
    assert dropped[0].score(X, y) > 0.9
    assert np.array_equal(dropped[0].predict_proba(X), dropped[0].predict_proba(X))
    with pytest.raises(ValueError, match="one for each hidden layer"):
        MLPClassifier((4, 4), dropout=[0.5]).fit(X, y)
    with pytest.raises(ValueError, match="dropout"):
        MLPClassifier((4, 4), dropout=1.0).fit(X, y)


# ---- losses


@pytest.mark.parametrize("solver", SOLVERS)
def test_losses_that_outliers_do_not_move(curve: Any, solver: str) -> None:
    """A tenth of the targets is 20 too high: the mean goes up by 2, the median hardly."""
    X, y = curve
    inside = np.arange(len(y)) % 10 != 0
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (), "solver": solver, "alpha": 0.0, "max_iter": 500, "tol": 0.0,
        "n_iter_no_change": 500, "learning_rate_init": 0.02, "random_state": 0,
    }  # fmt: skip
    if solver == "sgd":
        parameters["learning_rate"] = "invscaling"
        parameters["power_t"] = 0.1
    offsets = {}
    for loss in ("squared_error", "absolute_error", "huber", em.losses.Quantile(0.5)):
        regressor = MLPRegressor(loss=loss, **parameters).fit(X, y)
        offsets[str(loss)] = float(np.mean(regressor.predict(X) - 2 * X[:, 0])), regressor
        name = "half_squared_error" if loss == "squared_error" else loss
        net = em.MLP([1, 1], loss=name, dtype="float64", init="zeros")
        net.parameters = [regressor.coefs_[0][0, 0], regressor.intercepts_[0][0]]
        if solver == "lbfgs":
            assert regressor.loss_ == pytest.approx(net.loss(X, y), rel=1e-9)
    assert offsets.pop("squared_error")[0] == pytest.approx(2.0, abs=0.2)
    for name, (offset, _) in offsets.items():
        assert abs(offset) < 0.3, name
    assert inside.mean() == 0.9


def test_several_quantiles_are_several_outputs(curve: Any) -> None:
    X, y = curve
    levels = (0.1, 0.5, 0.8)
    regressor = MLPRegressor(
        loss=em.losses.Quantile(levels), hidden_layer_sizes=(), learning_rate_init=0.02,
        max_iter=400, n_iter_no_change=100, random_state=0,
    ).fit(X, y)  # fmt: skip
    predicted = regressor.predict(X)
    assert predicted.shape == (600, 3) and regressor.n_outputs_ == 3
    np.testing.assert_allclose((y[:, None] < predicted).mean(axis=0), levels, atol=0.06)


def test_losses_that_are_refused(curve: Any) -> None:
    """With scikit-learn's error, which names no loss that would be refused too."""
    X, y = curve
    logits = ("softmax_cross_entropy", em.losses.SoftmaxCrossEntropy())
    for wrong in (*logits, "rmse", "huber(delta=0.0)", 3):
        with pytest.raises(InvalidParameterError, match=r"loss|delta") as caught:
            MLPRegressor(loss=wrong).fit(X, y)
        assert "entropy" not in str(caught.value).split("instead: ")[-1].split("got")[0]


# ---- other packages


@pytest.mark.filterwarnings("ignore")
def test_shap_explains(digits: Any) -> None:
    shap = pytest.importorskip("shap", reason="needs shap")
    X, y = digits
    classifier = MLPClassifier((8,), solver="lbfgs", max_iter=30, random_state=0).fit(X, y % 2)

    def even(rows: Any) -> Any:
        return classifier.predict_proba(rows)[:, 0]

    explained = shap.Explainer(even, X[:20], seed=0)(X[:2], max_evals=2 * X.shape[1] + 1)
    whole = explained.values.sum(axis=1) + explained.base_values
    np.testing.assert_allclose(whole, even(X[:2]), atol=1e-8)


def test_skops_saves_without_pickle(digits: Any) -> None:
    skops = pytest.importorskip("skops.io", reason="needs skops")
    X, y = digits
    classifier = MLPClassifier((8,), max_iter=3, random_state=0).fit(X, y)
    data = skops.dumps(classifier)
    unknown = skops.get_untrusted_types(data=data)
    assert all(name.startswith("eigenmlp.sklearn.") for name in unknown)
    copy = skops.loads(data, trusted=unknown)
    assert np.array_equal(copy.predict_proba(X), classifier.predict_proba(X))
