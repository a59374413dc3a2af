"""The search: equal to scikit-learn's for the same candidates and splits."""

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import eigenmlp as em
from eigenmlp.sklearn import MLPClassifier, MLPRegressor, MLPSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = (array[:300] for array in em.datasets.load_digits())
CLF = MLPClassifier((12,), learning_rate_init=0.01, max_iter=6, random_state=0)
GRID = {"alpha": [1e-4, 10.0], "hidden_layer_sizes": [(6,), (12, 4)]}


def assert_equal(a: Any, b: Any) -> None:
    assert a.cv_results_.keys() == b.cv_results_.keys()
    for name, values in a.cv_results_.items():
        if "time" not in name:
            assert (
                np.ma.getmaskarray(values).tolist()
                == np.ma.getmaskarray(b.cv_results_[name]).tolist()
            )
            assert str(values) == str(b.cv_results_[name]), name
            if "param" not in name:
                np.testing.assert_array_equal(values, b.cv_results_[name], name)
    assert a.best_params_ == b.best_params_ and a.best_index_ == b.best_index_
    assert a.best_score_ == b.best_score_
    np.testing.assert_array_equal(a.predict(X), b.predict(X))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_equal_to_grid_search(threads: int) -> None:
    options: dict[str, Any] = {"cv": 3, "return_train_score": True}
    ours = MLPSearchCV(CLF, GRID, n_threads=threads, **options).fit(X, Y)
    assert_equal(ours, GridSearchCV(CLF, GRID, **options).fit(X, Y))


def test_several_scores_groups_pipelines_and_weights() -> None:
    groups = np.arange(300) % 7
    pipeline = make_pipeline(StandardScaler(), CLF)
    grid = [{"mlpclassifier__alpha": [1e-3, 1.0]}, {"mlpclassifier__activation": ["tanh"]}]
    options: dict[str, Any] = {
        "cv": GroupKFold(3),
        "scoring": ["accuracy", "neg_log_loss"],
        "refit": "neg_log_loss",
    }
    passed = {"groups": groups, "mlpclassifier__sample_weight": 1.0 + groups}
    ours = MLPSearchCV(pipeline, grid, **options).fit(X, Y, **passed)
    assert_equal(ours, GridSearchCV(pipeline, grid, **options).fit(X, Y, **passed))


def test_equal_to_randomized_search() -> None:
    reg = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    drawn = {"alpha": loguniform(1e-5, 1e0), "solver": ["adam", "lbfgs"]}
    options: dict[str, Any] = {"n_iter": 4, "cv": 2, "random_state": 3}
    ours = MLPSearchCV(reg, drawn, **options).fit(X, X[:, 20] ** 2)
    assert_equal(ours, RandomizedSearchCV(reg, drawn, **options).fit(X, X[:, 20] ** 2))


def test_successive_halving_gives_more_epochs_to_fewer() -> None:
    grid = {"learning_rate_init": [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 1e-7, 1e-8]}
    base = clone(CLF).set_params(max_iter=16)
    search = MLPSearchCV(base, grid, halving=2, cv=2).fit(X, Y)
    rounds = np.array(search.cv_results_["iter"])
    assert [(rounds == i).sum() for i in range(4)] == [8, 4, 2, 1]
    assert sorted({*search.cv_results_["max_iter"]}) == [2, 4, 8, 16]
    assert search.best_params_["learning_rate_init"] >= 1e-2
    assert search.best_params_["max_iter"] == 16 == search.best_estimator_.max_iter
    assert rounds[search.best_index_] == 3
    alone = GridSearchCV(base, {"learning_rate_init": [search.best_params_["learning_rate_init"]]})
    alone.set_params(cv=2).fit(X, Y)
    assert alone.best_score_ == search.best_score_
    with pytest.raises(ValueError, match="halving: expected an estimator with one max_iter"):
        MLPSearchCV(base, {"max_iter": [3, 4]}, halving=2).fit(X, Y)
    with pytest.raises(ValueError, match="halving: expected refit to name"):
        MLPSearchCV(base, grid, halving=2, scoring=["accuracy"], refit=False).fit(X, Y)


def test_halving_goes_by_one_of_the_scores_of_a_scorer() -> None:
    """Which alone knows that there are several."""

    def scores(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        accuracy = estimator.score(X, y)
        return {"accuracy": accuracy, "error": -accuracy}

    grid = {"learning_rate_init": [1e-6, 1e-2]}
    found = []
    for refit in ("accuracy", "error"):
        search = MLPSearchCV(CLF, grid, halving=2, cv=2, scoring=scores, refit=refit).fit(X, Y)
        found.append(search.best_params_["learning_rate_init"])
    assert found == [1e-2, 1e-6]
    with pytest.raises(ValueError, match="halving: expected refit to name"):
        MLPSearchCV(CLF, grid, halving=2, cv=2, scoring=scores, refit=False).fit(X, Y)


def test_fits_have_one_thread_each_and_run_at_once(threads_as_before: None) -> None:
    em.set_num_threads(2)
    seen: list[int] = []
    together: list[int] = []
    running = [0]

    def look(epoch: int, estimator: Any) -> None:
        if epoch == 1:
            seen.append(em.get_num_threads())
            running[0] += 1
            time.sleep(0.05)
            together.append(running[0])
            running[0] -= 1

    base = clone(CLF).set_params(callbacks=[look])
    search = MLPSearchCV(base, GRID, cv=3, n_threads=2, refit=False).fit(X, Y)
    assert seen == [1] * 12 and max(together) == 2
    assert search.n_splits_ == 3 and not hasattr(search, "best_estimator_")
    assert search.get_params(deep=False).keys() == clone(search).get_params(deep=False).keys()


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_bad_candidate_has_no_score_and_bad_arguments_are_refused() -> None:
    search = MLPSearchCV(CLF, {"alpha": [1e-3, -1.0]}, cv=2)
    with pytest.warns(Warning, match="fits failed"):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    with pytest.raises(ValueError, match="alpha"):
        MLPSearchCV(CLF, {"alpha": [-1.0]}, cv=2, error_score="raise").fit(X, Y)
    for bad in ({"n_iter": 0}, {"halving": 1}, {"n_threads": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            MLPSearchCV(CLF, GRID, **bad).fit(X, Y)


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_all_fits(threads: int, threads_as_before: None) -> None:
    em.set_num_threads(2)
    base = clone(CLF).set_params(max_iter=10**6, tol=0.0, n_iter_no_change=10**6)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.7, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        MLPSearchCV(base, GRID, cv=3, n_threads=threads).fit(X, Y)
    assert time.monotonic() - began < 20
    assert threading.active_count() < 20
