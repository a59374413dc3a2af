"""What the estimators have that scikit-learn's have not: validation data, callbacks, going on."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import scipy.sparse
import sklearn.neural_network

import eigenmlp as em
import eigenmlp.sklearn
from eigenmlp.sklearn import (
    MLPClassifier,
    from_sklearn,
)
from support.estimators import SOLVERS, same

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_validation_data(digits: Any, solver: str) -> None:
    """It is scored after each epoch and changes nothing, unless training is to stop by it."""
    X, y = digits
    train, rest = (X[:400], y[:400]), (X[400:], y[400:])
    parameters: dict[str, Any] = {
        "solver": solver, "max_iter": 25, "learning_rate_init": 0.02, "random_state": 0,
    }  # fmt: skip
    alone = MLPClassifier((20,), **parameters).fit(*train)
    watched = MLPClassifier((20,), **parameters).fit(*train, validation_data=rest)
    assert same(alone, watched)
    assert len(watched.validation_scores_) == watched.n_iter_
    assert watched.validation_scores_[-1] == watched.score(*rest)
    assert watched.best_validation_score_ == max(watched.validation_scores_)
    stopped = MLPClassifier((20,), early_stopping=True, n_iter_no_change=2, **parameters)
    stopped.fit(*train, validation_data=rest)
    assert stopped.score(*rest) == stopped.best_validation_score_
    assert stopped.loss_curve_ == watched.loss_curve_[: stopped.n_iter_]


def test_validation_data_of_several_labels_may_be_sparse(digits: Any) -> None:
    X, y = digits
    several = np.stack([y > 3, y % 2 == 0], axis=1).astype(int)
    scores = []
    for kinds in itertools.product([np.asarray, scipy.sparse.csr_matrix], repeat=2):
        train, held = (kind(several) for kind in kinds)
        classifier = MLPClassifier((8,), early_stopping=True, max_iter=4, random_state=0)
        classifier.fit(X, train, validation_data=(X[:99], held[:99]))
        scores.append(classifier.validation_scores_)
        own = MLPClassifier((8,), early_stopping=True, max_iter=2, random_state=0).fit(X, train)
        assert len(own.validation_scores_) == 2
        with pytest.raises(ValueError, match="99 rows of y, got 500"):
            classifier.fit(X, train, validation_data=(X[:99], held))
    assert len(scores[0]) == 4 and all(one == scores[0] for one in scores)


def test_warm_start_wants_all_classes_of_fits_alone(digits: Any) -> None:
    X, y = digits
    classifier = MLPClassifier((8,), warm_start=True, max_iter=2, random_state=0).fit(X, y)
    plain = MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    few = y < 4
    assert same(classifier.partial_fit(X[few], y[few]), plain.partial_fit(X[few], y[few]))
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        classifier.fit(X[few], y[few])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`"):
        classifier.partial_fit(X, y + 1)


def test_validation_data_that_cannot_be_used(digits: Any) -> None:
    X, y = digits
    rows = X[:5]
    cases: list[tuple[Any, str]] = [
        ((X[:5, :3], y[:5]), "3 features"),
        ((rows, y), "5 rows of y, got 500"),
        ((rows, 3), "5 rows of y, got one int"),
        ((rows, ["a"] * 5), "validation_data.*string and number"),
        ((rows, np.stack([y[:5], y[:5]], axis=1)), "validation_data.*multiclass"),
        (X, "got"),
    ]
    for wrong, words in cases:
        epochs: list[int] = []
        classifier = MLPClassifier(max_iter=1, callbacks=[lambda *_, e=epochs: e.append(1)])
        with pytest.raises((TypeError, ValueError), match=words):
            classifier.fit(X, y, validation_data=wrong)
        assert not epochs and not hasattr(classifier, "coefs_")
    with pytest.raises(ValueError, match="lbfgs"):
        MLPClassifier(solver="lbfgs").fit(X, y, validation_data=(X, y))


def test_validation_data_of_which_no_score_is_a_number() -> None:
    X = np.linspace(-1, 1, 30)[:, None]
    y = X[:, 0].copy()
    y[7] = -1e300
    with pytest.raises(ValueError, match=r"up to ±1e\+150, got \[?-1e\+300\]? in row 7"):
        eigenmlp.sklearn.MLPRegressor(max_iter=2).fit(X, X[:, 0], validation_data=(X, y))


@pytest.mark.parametrize("solver", SOLVERS)
def test_callbacks(digits: Any, solver: str) -> None:
    """They see the estimator as it is after each epoch, and may end the training."""
    X, y = digits
    seen: list[tuple[int, int, float, Any]] = []

    def watch(epoch: int, estimator: Any) -> bool:
        seen.append((epoch, estimator.n_iter_, estimator.loss_, estimator.coefs_[0].copy()))
        return epoch == 4

    parameters: dict[str, Any] = {"solver": solver, "random_state": 0}
    watched = MLPClassifier((8,), callbacks=[watch], max_iter=20, **parameters).fit(X, y)
    assert [entry[0] for entry in seen] == [entry[1] for entry in seen] == [1, 2, 3, 4]
    assert watched.n_iter_ == 4 and watched.loss_ == seen[-1][2]
    assert np.array_equal(watched.coefs_[0], seen[-1][3])
    assert not np.array_equal(seen[0][3], seen[1][3])
    assert same(watched, MLPClassifier((8,), max_iter=4, **parameters).fit(X, y))
    with pytest.raises(TypeError, match="callable"):
        MLPClassifier(callbacks=["bell"], max_iter=1).fit(X, y)
    for once in (iter([watch]), watch):  # a generator would be empty by the first epoch
        with pytest.raises(ValueError, match="'callbacks' parameter"):
            MLPClassifier(callbacks=once, max_iter=1).fit(X, y)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_callbacks_may_change_coefficients(digits: Any, solver: str) -> None:
    X, y = digits

    def cut(_: int, estimator: Any) -> None:
        estimator.coefs_[0][:, :3] = 0
        estimator.intercepts_[1] = np.zeros(10)

    cutting = MLPClassifier((8,), callbacks=[cut], solver=solver, max_iter=1, random_state=0)
    cutting.fit(X, y)
    assert (cutting.coefs_[0][:, :3] == 0).all() and (cutting.intercepts_[1] == 0).all()
    cutting.set_params(max_iter=2).fit(X, y)
    by_hand = MLPClassifier((8,), solver=solver, max_iter=1, random_state=0)
    for _ in range(2):
        by_hand.partial_fit(X, y, classes=np.arange(10))
        cut(0, by_hand)
    cutting = MLPClassifier((8,), callbacks=[cut], solver=solver, random_state=0)
    cutting.partial_fit(X, y, classes=np.arange(10)).partial_fit(X, y)
    assert same(cutting, by_hand)


def test_solvers_and_reasons_to_stop_can_change(digits: Any) -> None:
    """Where scikit-learn's estimators miss what the other solver writes down."""
    X, y = digits
    watched = {"early_stopping": True, "validation_fraction": 0.2}
    turns: list[dict[str, Any]] = [
        {"solver": "lbfgs"}, {"solver": "adam"}, watched,
        {"early_stopping": False, "solver": "sgd"}, {"solver": "lbfgs"},
        {"solver": "sgd", **watched},
    ]  # fmt: skip
    for from_theirs in (False, True):
        estimator: Any = MLPClassifier((8,), max_iter=3, warm_start=True, random_state=0)
        if from_theirs:
            theirs = sklearn.neural_network.MLPClassifier((8,), solver="lbfgs", max_iter=3)
            estimator = from_sklearn(theirs.set_params(warm_start=True).fit(X, y))
        for turn in turns:
            estimator.set_params(**turn).fit(X, y)
            if estimator.solver != "lbfgs":
                estimator.partial_fit(X, y)
            assert estimator.score(X, y) > 0.1
        assert len(estimator.loss_curve_) == 16
        assert len(estimator.validation_scores_) == 8


def test_fit_begins_anew_what_partial_fit_has_ended(digits: Any) -> None:
    X, y = digits
    classifier = MLPClassifier(
        (8,), early_stopping=True, n_iter_no_change=1, tol=9.0, warm_start=True, max_iter=3
    )
    for _ in range(4):
        classifier.partial_fit(X, y, classes=np.arange(10))
    assert classifier.stopped_
    assert not classifier.fit(X, y).stopped_


@pytest.mark.parametrize("origin", ["fit", "no early stopping", "from_sklearn", "pickled"])
def test_partial_fit_has_patience_of_its_own(digits: Any, origin: str) -> None:
    """`fit` with early stopping has used up its own; calls of `partial_fit` are counted anew."""
    X, y = digits
    parameters: dict[str, Any] = {
        "tol": 9.0, "n_iter_no_change": 2, "early_stopping": origin != "no early stopping",
        "hidden_layer_sizes": 8, "random_state": 0,
    }  # fmt: skip
    module = sklearn.neural_network if origin == "from_sklearn" else eigenmlp.sklearn
    classifier = module.MLPClassifier(**parameters).fit(X, y)
    assert classifier._no_improvement_count == 3
    if origin == "from_sklearn":
        classifier = from_sklearn(classifier)
    if origin == "pickled":
        classifier = pickle.loads(pickle.dumps(classifier))
    classifier.set_params(early_stopping=True)
    for turn in range(2):
        epochs = len(classifier.loss_curve_)
        # The first score of all is better than none.
        most = 4 if origin == "no early stopping" and turn == 0 else 3
        for call in range(1, 6):
            before = classifier.coefs_[0].copy()
            classifier.partial_fit(X, y)
            assert classifier.stopped_ == (call >= most)
            assert np.array_equal(classifier.coefs_[0], before) == (call > most) or call == most
        assert len(classifier.loss_curve_) == epochs + most
        classifier.fit(X, y)
        assert not classifier.stopped_


def test_progress_bar(digits: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = digits
    barred = MLPClassifier((8,), verbose="bar", max_iter=7, random_state=0).fit(X, y)
    said = capsys.readouterr()
    assert "7/7" in said.err and "loss" in said.err and said.out == ""
    assert same(barred, MLPClassifier((8,), max_iter=7, random_state=0).fit(X, y))


def test_threads(digits: Any) -> None:
    X, y = digits
    before = em.get_num_threads()
    seen: list[int] = []
    estimators = []
    for n_threads in (1, None):
        estimators.append(
            MLPClassifier(
                (40,), max_iter=2, random_state=0, n_threads=n_threads,
                callbacks=[lambda *_: seen.append(em.get_num_threads())],
            ).fit(X, y)
        )  # fmt: skip
    assert seen == [1, 1, before, before]
    assert em.get_num_threads() == before
    assert same(*estimators)
    assert np.array_equal(*(estimator.predict_proba(X) for estimator in estimators))
    with pytest.raises(ValueError, match="n_threads"):
        MLPClassifier(n_threads=0).fit(X, y)
