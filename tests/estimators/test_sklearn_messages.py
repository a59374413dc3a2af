"""Warnings, errors and verbose lines are those of scikit-learn, or begin with its words."""

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from support.estimators import KINDS, both

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


def test_warnings_and_errors_are_of_the_same_class(digits: Any) -> None:
    X, y = digits

    def outcome(estimator: Any, *arguments: Any, call: str = "fit", **parameters: Any) -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                estimator.set_params(**parameters)
                getattr(estimator, call)(*arguments)
                error = None
            except Exception as raised:
                error = type(raised)
        return error, [warning.category for warning in caught]

    cases: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((X, y), {"max_iter": 2}),
        ((X, y), {"max_iter": 2, "solver": "lbfgs"}),
        ((X, y), {"batch_size": 1000, "max_iter": 200, "tol": 10.0, "n_iter_no_change": 1}),
        ((X, y), {"hidden_layer_sizes": (3, 0)}),
        ((X, y), {"hidden_layer_sizes": (-3,)}),
        ((X, y), {"solver": "newton"}),
        ((X, y), {"activation": "nothing"}),
        ((X, y), {"alpha": -1}),
        ((X, y), {"momentum": 2}),
        ((X, y), {"max_iter": 0}),
        ((X, y), {"tol": -1.0}),
        ((X, y), {"n_iter_no_change": 0}),
        ((X, y), {"random_state": "seed"}),
        ((X, y[:-1]), {}),
        ((X, np.linspace(0, 1, len(X))), {}),
        ((X, np.stack([y, y], axis=1)), {}),
        ((np.full_like(X, np.nan), y), {}),
        ((X[0], y), {}),
        ((X[:0], y[:0]), {}),
        ((X, y[:, None]), {"max_iter": 1}),
        ((X[:10], y[:10]), {"early_stopping": True}),
        ((X * 1e300, y), {"solver": "sgd", "learning_rate_init": 10.0, "max_iter": 2}),
    ]
    for arguments, parameters in cases:
        ours, theirs = both("MLPClassifier")
        expected = outcome(theirs, *arguments, **parameters)
        mine = outcome(ours, *arguments, **parameters)
        numpy_noise = {RuntimeWarning}
        # Or one of them: who catches theirs catches ours.
        same = mine[0] is expected[0]
        assert same or (mine[0] and issubclass(mine[0], expected[0])), (
            parameters,
            mine,
            expected,
        )
        if expected[0] is None:  # where there is no answer, there need be no warning
            assert set(mine[1]) - numpy_noise == set(expected[1]) - numpy_noise, parameters

    ours, theirs = both("MLPClassifier")
    assert outcome(ours, X, call="predict")[0] is outcome(theirs, X, call="predict")[0]
    assert outcome(ours, X, y, call="partial_fit") == outcome(theirs, X, y, call="partial_fit")
    for estimator in (ours, theirs):
        estimator.fit(X, y)
    wide = np.hstack([X, X])
    assert outcome(ours, wide, call="predict") == outcome(theirs, wide, call="predict")
    unknown = y + 5
    assert outcome(ours, X, unknown, call="partial_fit") == outcome(
        theirs, X, unknown, call="partial_fit"
    )
    for estimator in (ours, theirs):
        estimator.set_params(warm_start=True)
    assert outcome(ours, X, unknown)[0] is outcome(theirs, X, unknown)[0] is ValueError
    for estimator in (ours, theirs):
        estimator.set_params(solver="lbfgs")
        assert not hasattr(estimator, "partial_fit")


@pytest.mark.parametrize(
    "parameters",
    [
        {"activation": "nothing"},
        {"activation": "relu(slope=1.0)"},
        {"activation": 3},
        {"solver": "newton"},
        {"alpha": -1},
        {"early_stopping": True, "validation_fraction": 1e-9},
        {"hidden_layer_sizes": (3, 0)},
        {"solver": "lbfgs", "max_iter": 2},
        {"solver": "lbfgs", "max_fun": 2},
        {"max_iter": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_begins_with_the_words_that_people_search_for(
    digits: Any, kind: str, parameters: dict[str, Any]
) -> None:
    """Those of scikit-learn, whose sets of names have no order."""
    said = []
    for estimator in both(kind):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                estimator.set_params(**parameters).fit(*digits)
                said.append(str(caught[0].message))
            except ValueError as error:
                said.append(str(error))
    ours, theirs = said
    start = theirs.partition(" must be a str among")[0].partition("\n\n")[0]
    assert ours.startswith(start) and len(start) > 20
    assert theirs.partition("Got ")[2].partition(" instead")[0] in ours


@pytest.mark.parametrize("fault", ["one of a class", "too few rows"])
def test_what_early_stopping_cannot_split(fault: str) -> None:
    rows = np.arange(8.0).reshape(4, 2)
    said = []
    for estimator in both("MLPClassifier", early_stopping=True):
        with pytest.raises(ValueError, match="class") as caught:
            estimator.fit(rows, ["a", "a", "a", "b"] if fault == "one of a class" else list("aabb"))
        said.append(str(caught.value))
    assert said[0].startswith(said[1])


def test_convergence_warnings_say_how_many_iterations(digits: Any) -> None:
    X, y = digits
    for solver in ("sgd", "adam", "lbfgs"):
        ours, _ = both("MLPClassifier", solver=solver, max_iter=3)
        with pytest.warns(ConvergenceWarning, match="3"):
            ours.fit(X, y)


def test_verbose_lines(digits: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = digits
    for parameters in (
        {"early_stopping": True, "tol": 0.5, "n_iter_no_change": 1},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
        {"tol": 1.0, "n_iter_no_change": 2, "max_iter": 20},
    ):
        said = []
        for estimator in both("MLPClassifier", verbose=True, **parameters):
            estimator.fit(X, y)
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] != ""
