"""The estimators in scikit-learn's own checks and tools."""

import inspect
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import joblib
import sklearn.neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import eigenmlp.sklearn
from eigenmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# What skips itself: an array API that is not set up, and a method that scikit-learn's have not.
SKIPPED = {
    "check_array_api_input",
    "check_classifiers_multilabel_output_format_decision_function",
}


@pytest.mark.filterwarnings("ignore")  # the checks provoke them
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_check_estimator(kind: type, solver: str) -> None:
    """Every check runs and passes, and at least as many as scikit-learn's own estimator has."""
    ours = check_estimator(kind(solver=solver, max_iter=100), on_skip=None)
    statuses = {check["check_name"]: check["status"] for check in ours}
    assert not any(check["expected_to_fail"] for check in ours)
    assert {name for name, status in statuses.items() if status != "passed"} <= SKIPPED
    theirs = getattr(sklearn.neural_network, kind.__name__)
    own = check_estimator(theirs(solver=solver, max_iter=2), on_skip=None, on_fail=None)
    names = {check["check_name"] for check in own}
    assert names <= set(statuses)
    passed = [check for check in ours if check["status"] == "passed"]
    assert len(passed) >= len(own) - len(SKIPPED) >= (50 if kind is MLPRegressor else 55)


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_signatures_are_those_of_scikit_learn(kind: str) -> None:
    """The same parameters in the same order with the same defaults; what is added comes last."""
    ours, theirs = getattr(eigenmlp.sklearn, kind), getattr(sklearn.neural_network, kind)
    for name in ("__init__", "fit", "partial_fit", "predict", "score", "set_params"):
        mine = inspect.signature(getattr(ours, name)).parameters
        his = inspect.signature(getattr(theirs, name)).parameters
        assert [*mine][: len(his)] == [*his], name
        for parameter, other in zip(mine.values(), his.values(), strict=False):
            assert (parameter.default, parameter.kind) == (other.default, other.kind), name
    public = {name for name in dir(theirs()) if not name.startswith("_")}
    assert public <= set(dir(ours()))


def test_not_fitted(digits: Any) -> None:
    for method in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError):
            getattr(MLPClassifier(), method)(digits[0])
    with pytest.raises(AttributeError, match="coefs_"):
        _ = MLPClassifier().coefs_


@pytest.mark.filterwarnings("ignore:after training")  # of weights that the test makes 0
def test_coefficients_can_be_read_and_changed(digits: Any) -> None:
    """In place, by element and as a whole, with the effect that they have in scikit-learn."""
    X, y = digits
    for module in (eigenmlp.sklearn, sklearn.neural_network):
        estimator = module.MLPRegressor(hidden_layer_sizes=8, max_iter=3, random_state=0).fit(X, y)
        before = estimator.predict(X)
        estimator.intercepts_[1][0] += 2.5
        assert np.allclose(estimator.predict(X), before + 2.5)
        estimator.intercepts_[1] = estimator.intercepts_[1] - 1.5
        assert np.allclose(estimator.predict(X), before + 1)
        estimator.coefs_ = [0 * W for W in estimator.coefs_]
        assert np.allclose(estimator.predict(X), estimator.intercepts_[1])
        estimator.set_params(warm_start=True, learning_rate_init=1e-9).fit(X, y)
        assert np.allclose(estimator.coefs_[0], 0, atol=1e-6)


def test_coefficients_that_were_read_do_not_disturb_predictions_in_threads(
    digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes what was changed; one may have forgotten the lists while another looks."""
    X, y = digits
    classifier = MLPClassifier((8,), max_iter=3, random_state=0).fit(X, y)
    expected = classifier.predict_proba(X)
    take = MLPClassifier._take_changes
    calls: list[int] = []

    def late(estimator: Any) -> None:
        if not calls:
            calls.append(1)
            other = threading.Thread(target=estimator.predict, args=(X,))
            other.start()
            other.join()
        take(estimator)

    monkeypatch.setattr(MLPClassifier, "_take_changes", late)
    assert classifier.coefs_[0].shape == (64, 8)
    assert np.array_equal(classifier.predict_proba(X), expected) and calls
    assert classifier._lists is None  # what nobody holds costs nothing any more


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_what_is_refused_changes_nothing(digits: Any, solver: str) -> None:
    """Not the model, not what it says of itself, not what it began with."""
    X, y = digits
    bad: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("nothing", {"activation": "nothing"}, {}),
        ("dropout", {"dropout": [0.1, 0.2]}, {}),
        ("validation_data|3 features", {}, {"validation_data": (X[:5, :2], y[:5])}),
        ("validation_data", {}, {"validation_data": (X[:5, :3], np.array(["a"] * 5))}),
        ("above 0", {}, {"sample_weight": -np.ones(len(y))}),
        ("above 0", {"class_weight": {0: 0, 1: 0}}, {}),
    ]
    if solver != "lbfgs":
        bad.append(("test_size", {"early_stopping": True, "validation_fraction": 1e-9}, {}))
    for words, parameters, arguments in bad:
        fitted = MLPClassifier((6,), solver=solver, max_iter=3, random_state=0).fit(X, y)
        before, said = {**vars(fitted)}, fitted.predict_proba(X)
        with pytest.raises(ValueError, match=words):
            fitted.set_params(**parameters).fit(X[:, :3], y % 2, **arguments)
        fitted.set_params(**{name: before[name] for name in fitted.get_params()})
        assert vars(fitted).keys() == before.keys()
        assert all(vars(fitted)[name] is value for name, value in before.items())
        assert np.array_equal(fitted.predict_proba(X), said)
    fresh = MLPClassifier((6,))
    with pytest.raises(ValueError, match="NaN"):
        fresh.partial_fit(X * np.nan, y, classes=np.arange(9))
    assert vars(fresh) == vars(MLPClassifier((6,)))
    fresh.partial_fit(X, y, classes=np.arange(10))


@pytest.mark.parametrize("end", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_fit_that_is_ended_from_outside_keeps_what_it_has(
    digits: Any, solver: str, end: type[BaseException]
) -> None:
    """Ctrl-C is a warning for the stochastic solvers, as scikit-learn has it."""
    X, y = digits
    seen: list[Any] = []

    def callback(epoch: int, estimator: Any) -> None:
        seen.append(estimator.coefs_[0].copy())
        if epoch == 3:
            raise end

    parameters: dict[str, Any] = {"solver": solver, "random_state": 0, "warm_start": True}
    fitted = MLPClassifier((6,), max_iter=2, **parameters).fit(X, y)
    held = fitted.coefs_[0]
    fitted.set_params(max_iter=9, callbacks=[callback])
    if end is KeyboardInterrupt and solver != "lbfgs":
        with pytest.warns(UserWarning, match="interrupted by user"):
            fitted.fit(X, y)
    else:
        with pytest.raises(end):
            fitted.fit(X, y)
    assert fitted.n_iter_ == 3 == len(seen)
    assert np.array_equal(fitted.coefs_[0], seen[-1]) and not np.array_equal(held, seen[-1])
    assert fitted.predict_proba(X).shape == (500, 10)


def test_ctrl_c_between_the_iterations_of_lbfgs(
    digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coefficients are those that were tried last, as predictions have them."""
    X, y = digits
    fitted = MLPClassifier((6,), solver="lbfgs", max_iter=3, warm_start=True, random_state=0)
    held = fitted.fit(X, y).coefs_

    def minimize(fun: Any, x: Any, **_: Any) -> None:
        fun(2 * x)
        raise KeyboardInterrupt

    monkeypatch.setattr("scipy.optimize.minimize", minimize)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X, y)
    assert np.array_equal(fitted.coefs_[0], 2 * held[0])
    assert np.allclose(fitted.predict_proba(X), fitted.to_sklearn().predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("copied", ["pickle", "joblib", "mapped"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_copies_go_on_as_the_original(
    digits: Any, tmp_path: Path, solver: str, copied: str
) -> None:
    X, y = digits
    original = MLPClassifier((9,), solver=solver, dropout=0.2, random_state=0)
    original.partial_fit(X, y, classes=np.arange(10))
    if copied == "pickle":
        copy = pickle.loads(pickle.dumps(original))
    else:
        joblib.dump(original, tmp_path / "model")
        copy = joblib.load(tmp_path / "model", mmap_mode="r" if copied == "mapped" else None)
    for _ in range(2):
        assert np.array_equal(copy.predict_proba(X), original.predict_proba(X))
        original.partial_fit(X, y)
        copy.partial_fit(X, y)
    assert vars(original).keys() == vars(copy).keys()


def test_clone_is_unfitted(digits: Any) -> None:
    X, y = digits
    fitted = MLPClassifier((5, 4), activation=["tanh", "gelu"], max_iter=2, dropout=0.1).fit(X, y)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    assert not hasattr(fresh, "coefs_") and not hasattr(fresh, "classes_")


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_in_a_pipeline(digits: Any, tmp_path: Path, backend: str) -> None:
    """In processes the rows are mapped from a file, read-only."""
    X, y = digits
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=20, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__solver": ["adam", "lbfgs"]}
    with joblib.parallel_config(backend=backend, n_jobs=2, max_nbytes=100):
        search = GridSearchCV(pipeline, grid, cv=2).fit(mapped, y)
    alone = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    for name in ("mean_test_score", "std_test_score"):
        assert np.array_equal(search.cv_results_[name], alone.cv_results_[name])
    assert search.best_score_ > 0.8
    assert search.best_estimator_.score(mapped, y) > 0.9


@pytest.mark.parametrize("view", ["map", "array"])
@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_mapped_data_that_have_shrunk(name: str, view: str, tmp_path: Path) -> None:
    """An error before scikit-learn's own checks read them, which would end the process."""
    arrays = {"X": np.ones((9000, 4)), "y": np.arange(9000) % 2, "sample_weight": np.ones(9000)}
    good = MLPClassifier((4,), max_iter=1).partial_fit(arrays["X"], arrays["y"], classes=[0, 1])
    np.save(tmp_path / name, arrays[name])
    arrays[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    os.truncate(tmp_path / f"{name}.npy", 200)
    if view == "array":
        arrays = {name: np.asarray(array) for name, array in arrays.items()}
    X, y, weights = arrays.values()
    calls = [
        lambda: MLPClassifier().fit(X, y, weights),
        lambda: MLPRegressor().fit(X, y, weights),
        lambda: good.partial_fit(X, y, weights),
    ]
    if name != "sample_weight":
        fine = np.ones((9, 4)), np.arange(9) % 2
        calls.append(lambda: MLPClassifier().fit(*fine, validation_data=(X, y)))
    if name == "X":
        calls += [lambda: good.predict(X), lambda: good.predict_proba(X)]
    for call in calls:
        with pytest.raises(ValueError, match=rf"{name}: expected a mapped file .* shrunk"):
            call()


def test_mapped_rows_train_as_they_lie(digits: Any, tmp_path: Path) -> None:
    X, y = digits
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    a, b = (MLPClassifier((8,), max_iter=3, random_state=0).fit(rows, y) for rows in (X, mapped))
    assert all((V == W).all() for V, W in zip(a.coefs_, b.coefs_, strict=True))
    assert np.array_equal(a.predict_proba(mapped), b.predict_proba(X))


def test_cross_validation_and_calibration(digits: Any) -> None:
    X, y = digits
    classifier = MLPClassifier((20,), max_iter=40, learning_rate_init=0.01, random_state=0)
    assert cross_val_score(classifier, X, y, cv=3).min() > 0.8
    calibrated = CalibratedClassifierCV(classifier, cv=2).fit(X, y)
    assert np.allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.9


def test_permutation_importance_finds_the_column_that_counts() -> None:
    X = np.random.default_rng(0).normal(size=(300, 4))
    y = 3 * X[:, 2] + 0.1 * X[:, 0]
    regressor = MLPRegressor(hidden_layer_sizes=10, solver="lbfgs", random_state=0).fit(X, y)
    importance = permutation_importance(regressor, X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean.argmax() == 2


def test_data_frames_bring_their_names(digits: Any) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    X, y = digits
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(X.shape[1])])
    series = pandas.Series(y, name="digit")
    pair = [
        module.MLPClassifier((6,), max_iter=3, random_state=0).fit(frame, series)
        for module in (eigenmlp.sklearn, sklearn.neural_network)
    ]
    ours, theirs = pair
    assert (ours.feature_names_in_ == theirs.feature_names_in_).all()
    assert np.allclose(ours.predict_proba(frame), theirs.predict_proba(frame))
    for estimator in pair:
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            estimator.predict(X)
        with pytest.raises(ValueError, match="feature names should match"):
            estimator.predict(frame[frame.columns[::-1]])
    plain = MLPClassifier((6,), max_iter=3, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        plain.predict(frame)


def test_metadata_routing(digits: Any) -> None:
    """Weights go through a pipeline's search to where they were asked for."""
    X, y = digits
    w = np.where(y == 3, 50.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = MLPClassifier((8,), max_iter=15, random_state=0).set_fit_request(
            sample_weight=True
        )
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), classifier)
        accuracy = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0.1]}, cv=2, scoring=accuracy)
        search.fit(X, y, sample_weight=w)
        scored = classifier.set_score_request(sample_weight=True).get_metadata_routing().score
        partial = MLPClassifier().set_partial_fit_request(sample_weight=True, classes=True)
        routes = partial.get_metadata_routing().partial_fit.requests
    assert routes["sample_weight"] is routes["classes"] is True
    assert scored.requests["sample_weight"] is True
    scaled = StandardScaler().fit_transform(X)
    direct = MLPClassifier((8,), alpha=0.1, max_iter=15, random_state=0).fit(scaled, y, w)
    found = search.best_estimator_[-1]
    assert all(np.allclose(V, W) for V, W in zip(found.coefs_, direct.coefs_, strict=True))


def test_rows_that_cannot_be_used(digits: Any) -> None:
    X, y = digits
    fitted = MLPClassifier((5,), max_iter=2).fit(X, y)
    unusable = {
        "2D array": X[0],
        "5 features": X[:, :5],
        "NaN": np.full_like(X, np.nan),
        "infinity": np.full_like(X, np.inf),
        "0 sample": X[:0],
    }
    for words, bad in unusable.items():
        with pytest.raises(ValueError, match=words):
            fitted.predict(bad)
    with pytest.raises(ValueError, match="float32 can hold"):
        MLPClassifier((5,), max_iter=2).fit(X.astype(np.float32), y).predict(X * 1e300 + 1e300)
    with pytest.raises(ValueError, match=r"non-zero|sum above 0"):
        MLPClassifier().fit(X, y, sample_weight=np.zeros(len(y)))
    with pytest.raises(ValueError, match="counts of at least 0"):
        MLPRegressor(loss="poisson").fit(X, -y)
