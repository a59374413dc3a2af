"""Training that diverges: it goes on, ends and warns where scikit-learn's does."""

import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'eigenmlp[sklearn]'")

import sklearn.neural_network

import eigenmlp as em
import eigenmlp.sklearn
from eigenmlp.sklearn import MLPClassifier, MLPRegressor
from support.problems import both, make_net

X = np.random.default_rng(0).normal(size=(120, 4))
Y = X.sum(axis=1)
STEEP: dict[str, Any] = {"activation": "identity", "random_state": 0, "max_iter": 15}


def outcome(module: Any, kind: str, rows: Any, y: Any, **parameters: Any) -> tuple[Any, Any]:
    """The estimator, and the words of the error if there was one."""
    estimator = getattr(module, kind)(**{**STEEP, **parameters})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return estimator.fit(rows, y), None
        except ValueError as error:
            return estimator, str(error)


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive", "invscaling"])
@pytest.mark.parametrize("n_iter_no_change", [2, 10])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(("scale", "rate"), [(1, 1.0), (1e3, 1.0), (1, 1e200), (1e160, 1.0)])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_regressors_end_as_in_scikit_learn(
    solver: str,
    scale: float,
    rate: float,
    early_stopping: bool,
    n_iter_no_change: int,
    learning_rate: str,
) -> None:
    parameters = {
        "solver": solver,
        "learning_rate": learning_rate,
        "learning_rate_init": rate,
        "early_stopping": early_stopping,
        "n_iter_no_change": n_iter_no_change,
    }
    ours, error = outcome(eigenmlp.sklearn, "MLPRegressor", X * scale, Y, **parameters)
    theirs, expected = outcome(sklearn.neural_network, "MLPRegressor", X * scale, Y, **parameters)
    if expected is not None:
        assert error is not None and error.startswith(expected)
        assert "no longer finite" in error and len(error) < 400
        return
    assert error is None and ours.n_iter_ == theirs.n_iter_
    for name in ("loss_curve_", "validation_scores_"):
        mine, his = (np.array(getattr(one, name) or [], float) for one in (ours, theirs))
        # Numbers that explode lose digits; where they end is the same.
        assert np.array_equal(np.isfinite(mine), np.isfinite(his))
    for mine, his in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert np.isfinite(mine).all()
        np.testing.assert_allclose(mine, his, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:after training")  # the best is from before the first step
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_classifiers_keep_their_best(solver: str) -> None:
    y = (Y > 0).astype(int) + (Y > 1)
    parameters: dict[str, Any] = {"solver": solver, "early_stopping": True, **STEEP}
    classifier = MLPClassifier((6,), learning_rate_init=1e200, n_iter_no_change=2, **parameters)
    with pytest.warns(RuntimeWarning, match="no longer finite"):
        classifier.fit(X, y)
    assert all(np.isfinite(W).all() for W in classifier.coefs_)
    assert not np.isfinite(classifier.loss_curve_).all()
    assert classifier.best_validation_score_ <= max(classifier.validation_scores_)
    assert classifier.n_iter_ < 6  # patience, as for any score that is no better


def test_what_it_warns_of_and_what_is_left() -> None:
    regressor = MLPRegressor(solver="sgd", learning_rate_init=1.0, early_stopping=True, **STEEP)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        regressor.fit(X, Y)
    unfinished, diverged = caught
    assert unfinished.category is sklearn.exceptions.ConvergenceWarning
    assert diverged.category is RuntimeWarning
    found = re.match(
        r"the loss is no longer finite \((inf|nan)\) in epoch \d+", str(diverged.message)
    )
    assert found, diverged.message  # which of them, is of the variant of the core
    assert {one.filename for one in caught} == {__file__}
    assert np.isnan(regressor.validation_scores_[-1])
    finite = [score for score in regressor.validation_scores_ if not np.isnan(score)]
    assert regressor.best_validation_score_ == max(finite)
    before = regressor.predict(X)
    assert np.array_equal(pickle.loads(pickle.dumps(regressor)).predict(X), before)
    # What the optimizer remembers of it is forgotten.
    regressor.set_params(learning_rate_init=1e-4).partial_fit(X, Y)
    assert np.isfinite(regressor.loss_) and not np.array_equal(regressor.predict(X), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fit_that_diverges() -> None:
    watching = MLPRegressor(solver="sgd", learning_rate_init=1.0, early_stopping=True, **STEEP)
    plain = MLPRegressor(solver="sgd", learning_rate_init=1.0, **STEEP)
    for _ in range(15):
        watching.partial_fit(X, Y)
    assert watching.stopped_ and np.isfinite(watching.predict(X)).all()
    for _ in range(2):
        plain.partial_fit(X, Y)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        plain.partial_fit(1e200 * X, Y)
    plain.set_params(learning_rate_init=1e-3).fit(X, Y)
    assert np.isfinite(plain.predict(X)).all()


def test_callbacks_may_look_while_it_diverges() -> None:
    seen = []
    regressor = MLPRegressor(
        solver="sgd",
        learning_rate_init=1.0,
        early_stopping=True,
        callbacks=[lambda _, estimator: seen.append(estimator.coefs_[0].sum())],
        **STEEP,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor.fit(X, Y)
    assert len(seen) == 15 and np.isnan(seen[-1])


def test_without_early_stopping_nothing_is_tried_in_vain() -> None:
    epochs: list[int] = []
    regressor = MLPRegressor(
        solver="sgd", learning_rate_init=1e200, callbacks=[lambda *_: epochs.append(1)], **STEEP
    )
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        regressor.fit(X, Y)
    assert len(epochs) < 5


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_a_run_that_goes_on_is_the_twins(rule: str) -> None:
    """Past an infinite loss to the same number, and past infinite parameters to NaN."""
    nets = both(make_net([4, 3, 1], activation="identity", loss="squared_error", dtype="float64"))
    for scale, target_scale, lr in ((1, 1e160, 1e-161), (1e200, 1e200, 1e-3)):
        results = []
        for net in nets:
            net.parameters = np.linspace(-1, 1, net.parameter_count)
            optimizer = em.SGD(1.0) if rule == "sgd" else em.Adam(1.0)
            trainer = em.Trainer(net, optimizer, 40, seed=0)
            order = np.empty((4, 0), np.int64)
            T = Y[:, None] * target_scale
            result = trainer._trainer.run(
                X * scale, T, None, 40, order, np.array([lr]), goes_on=True
            )
            assert (result.epochs, result.diverged_step) == (4, -1)
            results.append((result.batch_losses, net._network.get_parameters(), trainer.steps))
        (losses, parameters, steps), (twin_losses, twin_parameters, twin_steps) = results
        assert steps == twin_steps == 12
        assert not np.isfinite(losses).any() and np.isfinite(parameters).all() == (scale == 1)
        np.testing.assert_array_equal(np.isfinite(losses), np.isfinite(twin_losses))
        np.testing.assert_array_equal(np.isfinite(parameters), np.isfinite(twin_parameters))
