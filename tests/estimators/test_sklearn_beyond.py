"""What the estimators have that scikit-learn's have not."""

import itertools
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import scipy.sparse
import sklearn.neural_network
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.class_weight import compute_sample_weight

import eigenmlp as em
import eigenmlp.sklearn
from eigenmlp.sklearn import (
    MLPClassifier,
    MLPRegressor,
    from_sklearn,
)
from support.bounds import assert_within, rounding_bounds

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOLVERS = ["sgd", "adam", "lbfgs"]


@pytest.fixture(scope="module")
def curve() -> tuple[Any, Any]:
    """A noisy line with outliers."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 600)
    y = 2 * x + rng.normal(0, 0.1, 600)
    y[::10] += 20
    return x[:, None], y


def same(a: Any, b: Any) -> bool:
    pairs = zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    return all(np.array_equal(V, W) for V, W in pairs)


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
    for wrong in (*logits, "mse", "huber(delta=0.0)", 3):
        with pytest.raises(InvalidParameterError, match=r"loss|delta") as caught:
            MLPRegressor(loss=wrong).fit(X, y)
        assert "entropy" not in str(caught.value).split("instead: ")[-1].split("got")[0]


# ---- watching


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


# ---- sparse rows


def test_sparse_rows_never_become_dense() -> None:
    """8 GB, if they did."""
    N, D = 20_000, 50_000
    rng = np.random.default_rng(0)
    columns = rng.integers(0, D, (N, 3))
    y = columns[:, 0] % 2
    columns[:, 0] = y  # one column for each class, among noise
    X = scipy.sparse.csr_array(
        (np.ones(3 * N), columns.ravel(), np.arange(0, 3 * N + 1, 3)), (N, D)
    )
    parameters: dict[str, Any] = {"batch_size": 100, "max_iter": 1, "random_state": 0}
    tracemalloc.start()
    classifier = MLPClassifier((2,), learning_rate_init=0.1, **parameters).fit(X[:2000], y[:2000])
    assert classifier.score(X, y) > 0.95
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh", "elu(alpha=0.5)", None])
def test_predictions_of_wide_rows_skip_the_zeros(activation: str | None, dtype: str) -> None:
    """They are those of dense rows to rounding."""
    X = scipy.sparse.random(90, 3000, 0.01, "csr", dtype, random_state=0)
    y = np.arange(90) % 3
    hidden = {"activation": activation} if activation else {"hidden_layer_sizes": ()}
    classifier = MLPClassifier(**{"hidden_layer_sizes": (9, 7), **hidden}, max_iter=2)
    net, T = classifier.fit(X, y)._network(), np.zeros((90, 3), dtype)
    dense = X.toarray()
    Z = classifier._forward(X)
    assert Z.dtype == dtype
    assert_within(Z, net.forward(dense), rounding_bounds(net, dense, T).Y, "Z")
    assert np.allclose(classifier.predict_proba(X), classifier.predict_proba(dense), atol=1e-5)
    X.data = X.data.astype(np.float64)
    X.data[5] = -1e300
    if dtype == "float32":
        with pytest.raises(ValueError, match="float32 can hold"):
            classifier.predict(X)
    else:
        assert classifier.predict(X).shape == (90,)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_sparse_rows_in_the_core(dtype: str, index: str) -> None:
    """Unordered places, empty rows, and entries that come twice, which add up."""
    values = np.array([1, 2, 3, 4, 5], dtype)
    places, starts = np.array([4, 0, 2, 2, 5], index), np.array([0, 2, 2, 5], index)
    X = scipy.sparse.csr_matrix((values, places.astype("int32"), starts.astype("int32")), (3, 6))
    X.indices, X.indptr = places, starts
    net = em.MLP([6, 20, 3], seed=0, input_scale=0.5, dtype="float64")
    sparse, dense = (net._network.forward(rows) for rows in (X, X.toarray()))
    assert np.array_equal(sparse, dense)


def test_sparse_rows_stay_as_they_are() -> None:
    X = scipy.sparse.csr_matrix(np.eye(30, 6))
    X.indices, X.indptr = X.indices.astype("int32"), X.indptr.astype("int64")
    indices = X.indices
    MLPClassifier((4,), max_iter=2).fit(X, np.arange(30) % 3).predict(X)
    assert X.indices is indices and indices.dtype == np.int32


@pytest.mark.parametrize("columns", [6, 60])  # many numbers beside zeros, and few
@pytest.mark.parametrize(
    ("places", "starts"),
    [
        ([0, 60], [0, 1, 2]),
        ([0, -1], [0, 1, 2]),
        ([0, 1], [0, 2, 1]),
        ([0, 1], [0, 1, 3]),
        ([0, 1], [-1, 1, 2]),
        ([0, 1], [0, 9, 2]),
    ],
    ids=str,
)
def test_broken_sparse_rows_are_refused(places: list[int], starts: list[int], columns: int) -> None:
    """By the core, which looks at each index when it uses it."""
    X = scipy.sparse.csr_matrix((2, columns))
    X.data = np.ones(2)
    X.indices, X.indptr = np.array(places, "int32"), np.array(starts, "int32")
    net = em.MLP([columns, 3], seed=0)
    before = net.parameters
    assert net._network.forward(X) is None
    trainer = em.Trainer(net, em.SGD(0.1))
    y = np.zeros(2, np.int64)
    result = trainer._trainer.run(X, y, None, 2, np.empty((1, 0), np.int64), np.array([0.1]))
    assert result.refused and np.array_equal(net.parameters, before)


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
