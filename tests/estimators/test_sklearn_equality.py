"""The estimators give scikit-learn's numbers: the same random_state, the same coefficients."""

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import scipy.sparse
from sklearn.datasets import load_digits

import eigenmlp.sklearn
from support.estimators import KINDS, both

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RELATIVE = 1e-6  # what is promised; some epochs of float64 leave about 1e-15
NUMBERS = ("loss_", "best_loss_", "best_validation_score_", "loss_curve_", "validation_scores_")
SAME = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


@pytest.fixture(scope="module")
def targets(digits: tuple[Any, Any]) -> Any:
    """Three of them, one for poisson not negative."""
    X, _ = digits
    return np.abs(np.tanh(X @ np.random.default_rng(0).normal(size=(X.shape[1], 3))))


def assert_equal(ours: Any, theirs: Any, X: Any) -> None:
    for mine, his in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert mine.shape == his.shape and mine.dtype == his.dtype
        np.testing.assert_allclose(mine, his, rtol=RELATIVE, atol=RELATIVE * np.abs(his).max())
    for name in SAME:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in NUMBERS:
        assert hasattr(ours, name) == hasattr(theirs, name), name
        mine, his = getattr(ours, name, None), getattr(theirs, name, None)
        assert isinstance(mine, type(his)), name
        if his is None:
            assert mine is None, name
        else:
            np.testing.assert_allclose(mine, his, rtol=RELATIVE, err_msg=name)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        if hasattr(theirs, method):
            mine, his = getattr(ours, method)(X), getattr(theirs, method)(X)
            assert mine.shape == his.shape and mine.dtype == his.dtype
            if his.dtype.kind == "f":
                np.testing.assert_allclose(mine, his, rtol=1e-5, atol=1e-9)
            else:
                assert (mine == his).all()


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_classes(digits: Any, solver: str, activation: str) -> None:
    X, y = digits
    ours, theirs = both("MLPClassifier", solver=solver, activation=activation)
    assert_equal(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["two", "strings", "several", "one"])
def test_kinds_of_labels(digits: Any, solver: str, kind: str) -> None:
    X, y = digits
    labels = {
        "two": y > 4,
        "strings": np.array(["odd", "even"])[y % 2],
        "several": np.stack([y > 3, y % 2 == 0, y == 1], axis=1).astype(int),
        "one": np.zeros_like(y),
    }[kind]
    ours, theirs = both("MLPClassifier", solver=solver)
    assert_equal(ours.fit(X, labels), theirs.fit(X, labels), X)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_numbers(digits: Any, targets: Any, solver: str, outputs: int, loss: str) -> None:
    X, _ = digits
    y = targets[:, 0] if outputs == 1 else targets
    ours, theirs = both("MLPRegressor", solver=solver, loss=loss)
    assert_equal(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("nesterovs_momentum", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_learning_rates(
    digits: Any, learning_rate: str, momentum: float, nesterovs_momentum: bool
) -> None:
    """Few epochs without progress are borne, so that `adaptive` makes its steps smaller."""
    X, y = digits
    ours, theirs = both(
        "MLPClassifier",
        solver="sgd",
        learning_rate=learning_rate,
        momentum=momentum,
        nesterovs_momentum=nesterovs_momentum,
        learning_rate_init=0.01,
        power_t=0.2,
        tol=0.03,
        n_iter_no_change=1,
        max_iter=40,
    )
    assert_equal(ours.fit(X, y), theirs.fit(X, y), X)
    if learning_rate == "adaptive" and momentum == 0.9:
        assert ours._learning_rate == theirs._optimizer.learning_rate < 0.01


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 3.0, "batch_size": 70},
        {"alpha": 0.0, "batch_size": 1, "max_iter": 1},
        {"batch_size": 600, "shuffle": False},
        {"solver": "sgd", "shuffle": False, "batch_size": 17, "alpha": 0.5},
        {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 0.1, "alpha": 1.0},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 7},
        {"n_iter_no_change": np.inf, "max_iter": 12, "tol": 10.0},
        {"tol": 0.02, "n_iter_no_change": 3, "max_iter": 200},
        {"learning_rate_init": 0.03, "alpha": 1.0, "n_iter_no_change": 4, "max_iter": 60},
    ],
    ids=str,
)
def test_parameters(digits: Any, parameters: dict[str, Any]) -> None:
    X, y = digits
    ours, theirs = both("MLPClassifier", **parameters)
    assert_equal(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_sample_weights(digits: Any, targets: Any, solver: str, kind: str) -> None:
    X, y = digits
    y = y if kind == "MLPClassifier" else targets
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    ours, theirs = both(kind, solver=solver, alpha=0.1)
    assert_equal(ours.fit(X, y, sample_weight=w), theirs.fit(X, y, sample_weight=w), X)


def test_poisson_with_targets_of_float32(digits: Any, targets: Any) -> None:
    """The part of the loss that does not depend on the outputs is summed in float64, as theirs."""
    X, _ = digits
    ours, theirs = both("MLPRegressor", loss="poisson")
    y = targets.astype(np.float32)
    assert_equal(ours.fit(X, y), theirs.fit(X, y), X)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)


def test_sample_weights_with_poisson(digits: Any, targets: Any) -> None:
    X, _ = digits
    w = np.random.default_rng(1).uniform(0, 3, len(X))
    ours, theirs = both("MLPRegressor", loss="poisson", batch_size=64)
    assert_equal(ours.fit(X, targets, w), theirs.fit(X, targets, w), X)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", ["classes", "two", "several", "number", "numbers"])
def test_early_stopping(digits: Any, targets: Any, kind: str, solver: str, weighted: bool) -> None:
    X, y = digits
    y = {
        "classes": y,
        "two": y % 2,
        "several": np.stack([y > 3, y % 2 == 0], axis=1).astype(int),
        "number": targets[:, 0],
        "numbers": targets,
    }[kind]
    w = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    ours, theirs = both(
        "MLPRegressor" if kind.startswith("number") else "MLPClassifier",
        solver=solver,
        early_stopping=True,
        n_iter_no_change=2,
        max_iter=30,
        learning_rate_init=0.01,
    )
    assert_equal(ours.fit(X, y, sample_weight=w), theirs.fit(X, y, sample_weight=w), X)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_warm_start(digits: Any, targets: Any, solver: str, kind: str) -> None:
    X, y = digits
    y = y if kind == "MLPClassifier" else targets
    for estimator in (pair := both(kind, solver=solver, warm_start=True, max_iter=3)):
        estimator.fit(X, y)
        estimator.set_params(alpha=0.1, max_iter=4)
        estimator.fit(X[:400], y[:400])
    assert_equal(*pair, X)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_warm_start_with_early_stopping(digits: Any, solver: str, kind: str) -> None:
    """Where no score is better than the best so far, a fit that goes on keeps its last weights."""
    X, y = digits
    y = y if kind == "MLPClassifier" else X[:, 10:13]
    pair = both(kind, solver=solver, warm_start=True, early_stopping=True, max_iter=9)
    for estimator in pair:
        estimator.set_params(learning_rate_init=0.02).fit(X, y)
        before = estimator.best_validation_score_
        estimator.set_params(learning_rate_init=0.001, max_iter=1).fit(X, 9 - y)
        assert estimator.best_validation_score_ == before
        estimator.fit(X, y)
    assert_equal(*pair, X)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", ["classes", "two", "several", "numbers"])
def test_partial_fit(digits: Any, targets: Any, kind: str, solver: str) -> None:
    X, y = digits
    y = {
        "classes": y,
        "two": y % 2,
        "several": np.stack([y > 3, y % 2 == 0], axis=1).astype(int),
        "numbers": targets,
    }[kind]
    classes = {"classes": np.arange(10), "two": [0, 1], "several": [0, 1]}.get(kind)
    name = "MLPRegressor" if kind == "numbers" else "MLPClassifier"
    for estimator in (pair := both(name, solver=solver, learning_rate="invscaling", alpha=0.2)):
        first = {} if classes is None else {"classes": classes}
        estimator.partial_fit(X[:50], y[:50], **first)
        for start in range(50, 600, 110):
            estimator.partial_fit(X[start : start + 110], y[start : start + 110])
        estimator.set_params(alpha=0.01)  # counts at once; what was gathered stays
        estimator.partial_fit(X, y)
    assert_equal(*pair, X)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("copied", ["no", "pickled", "from_sklearn", "to_sklearn"])
def test_partial_fit_goes_on_with_the_optimizer_that_it_began_with(
    digits: Any, solver: str, copied: str
) -> None:
    """Only alpha, which is the loss's, counts at once."""
    X, y = digits
    began: dict[str, Any] = {"learning_rate": "invscaling", "learning_rate_init": 0.1}
    ours, theirs = both("MLPClassifier", solver=solver, **began)
    pair = []
    for estimator in (ours, theirs):
        estimator.partial_fit(X, y, classes=np.arange(10))
        estimator.set_params(learning_rate_init=0.5, power_t=0.9, momentum=0.1, beta_1=0.2)
        estimator.set_params(solver="adam" if solver == "sgd" else "sgd", beta_2=0.3, epsilon=1.0)
        estimator.partial_fit(X, y)
        estimator.set_params(alpha=0.3, nesterovs_momentum=False, learning_rate="adaptive")
        if estimator is ours and copied == "pickled":
            estimator = pickle.loads(pickle.dumps(estimator))
        if estimator is ours and copied == "to_sklearn":
            estimator = estimator.to_sklearn()
        if estimator is theirs and copied == "from_sklearn":
            estimator = eigenmlp.sklearn.from_sklearn(estimator)
        pair.append(estimator.partial_fit(X, y).partial_fit(X, y))
    assert_equal(*pair, X)


@pytest.mark.parametrize("make", ["csr_matrix", "csc_matrix", "csr_array", "coo_array"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_sparse_rows(digits: Any, solver: str, make: str) -> None:
    X, y = digits
    sparse = getattr(scipy.sparse, make)(X)
    ours, theirs = both("MLPClassifier", solver=solver, early_stopping=True)
    assert_equal(ours.fit(sparse, y), theirs.fit(sparse, y), sparse)
    dense, _ = both("MLPClassifier", solver=solver, early_stopping=True)
    for mine, his in zip(ours.coefs_, dense.fit(X, y).coefs_, strict=True):
        assert (mine == his).all()  # the rows that are gathered are the same to the bit


@pytest.mark.parametrize("options", [{}, {"momentum": 0.0, "alpha": 0.0}], ids=str)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_wide_sparse_rows(solver: str, options: dict[str, float]) -> None:
    """Whose zeros the core never meets."""
    X = scipy.sparse.random(300, 2000, 0.02, "csr", random_state=0)
    y = np.random.default_rng(0).integers(0, 3, 300)
    ours, theirs = both("MLPClassifier", solver=solver, max_iter=5, batch_size=64, **options)
    assert_equal(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32(digits: Any, targets: Any, solver: str, kind: str) -> None:
    """scikit-learn's own float32 is the yardstick: both are its distance from float64 away.

    The root of the mean square: Adam divides a gradient by its own size, so that where that is
    next to nothing rounding alone decides on a step, and the largest distance is a matter of luck.
    """

    def distance(a: Any, b: Any) -> float:
        return float(np.sqrt(np.mean((a - b) ** 2)))

    X, y = digits
    y = y if kind == "MLPClassifier" else targets.astype(np.float32)
    ours, theirs = both(kind, solver=solver, max_iter=4)
    exact, _ = both(kind, solver=solver, max_iter=4)
    ours.fit(X.astype(np.float32), y), theirs.fit(X.astype(np.float32), y), exact.fit(X, y)
    assert all(W.dtype == np.float32 for W in ours.coefs_ + ours.intercepts_)
    output = ours.predict_proba if kind == "MLPClassifier" else ours.predict
    assert output(X.astype(np.float32)).dtype == np.float32
    for mine, his, right in zip(ours.coefs_, theirs.coefs_, exact.coefs_, strict=True):
        rounding = distance(his, right) + np.finfo(np.float32).eps
        assert distance(mine, right) <= 4 * rounding
