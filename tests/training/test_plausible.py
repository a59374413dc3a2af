"""Warnings of networks that cannot be right, and silence about those that can."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.refusals import backends

N = 300
_rng = np.random.default_rng(0)
PLAIN = _rng.standard_normal((N, 5)).astype(np.float32)
LABELS = (PLAIN[:, 0] > 0).astype(np.int64)
COLUMNS = "expected columns of about one size"
CONSTANT = "the network has learnt a constant"


def fit(X: Any, y: Any = LABELS, **options: Any) -> tuple[em.MLP, list[str]]:
    """A network trained on rows, and what it warned of, always at this file's line."""
    made = {"layer_sizes": [np.shape(X)[1], 8, 2], "seed": 0}
    trained = {"epochs": 2, "optimizer": em.SGD(0.01), "progress": False, "seed": 0}
    made |= {name: value for name, value in options.items() if name not in trained}
    trained |= {name: value for name, value in options.items() if name in trained}
    net = em.MLP(**made)  # type: ignore[arg-type]
    return net, told(lambda: net.fit(X, y, **trained))


def told(call: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    messages = [str(w.message) for w in caught if "columns of about" in str(w.message)
                or "after training" in str(w.message)]  # fmt: skip
    assert all(w.filename == __file__ for w in caught if str(w.message) in messages)
    assert all(len(message) < 400 for message in messages)
    return messages


def scaled(column: int, scale: float, shift: float = 0.0) -> Any:
    X = PLAIN.copy()
    X[:, column] = X[:, column] * scale + shift
    return X


@backends
@pytest.mark.parametrize(
    ("X", "text"),
    [
        (scaled(3, 2e3), r"deviations from .* \(column \d\) to .* \(column 3\)"),
        (scaled(1, 1e-4), r"\(column 1\) to"),
        (scaled(2, 1.0, 5000.0), r"means from \S+ \(column \d\) to 5e\+03 \(column 2\)"),
        (scaled(2, 1.0, -5000.0).astype(np.float64), r"means from -5e\+03 \(column 2\)"),
        ((1000 * scaled(4, 2000.0)).astype(np.int64), r"\(column 4\)"),
        (np.asfortranarray(scaled(0, 1e5)), r"\(column 0\)"),
    ],
)
def test_columns_of_different_sizes_are_told_of_once(X: Any, text: str, backend: str) -> None:
    net = em.MLP([5, 8, 2], seed=0, backend=backend)
    with pytest.warns(UserWarning, match=text) as caught:
        net.fit(X, LABELS, epochs=1, optimizer=em.SGD(1e-9), progress=False)
    assert COLUMNS in str(caught[0].message) and "standardize=True" in str(caught[0].message)
    assert told(lambda: net.fit(X, LABELS, epochs=1, optimizer=em.SGD(1e-9))) == []


def test_input_scale_counts() -> None:
    pixels = _rng.random((N, 5)) * 255 + np.array([0, 0, 0, 0, 2000])
    assert fit(pixels)[1] and not fit(pixels, input_scale=1 / 255)[1]


RIGHT: dict[str, Any] = {
    "standardised": PLAIN,
    "of one size, tiny": 1e-6 * PLAIN,
    "a constant column": np.c_[PLAIN, np.full(N, 0.1)],
    "another one": np.c_[PLAIN, np.full(N, 9.9)],
    "bytes": (255 * _rng.random((N, 5))).astype(np.uint8),
    "bools": PLAIN > 0,
    "a rare event": np.c_[PLAIN, 1e-4 * (np.arange(N) % 97 == 0)],
    "indicators": np.c_[PLAIN, np.eye(100)[np.arange(N) % 100]],
    "one row": PLAIN[:1],
    "few rows": scaled(3, 1e5)[:7],
}


@pytest.mark.parametrize("X", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_not_told_of(X: Any) -> None:
    assert fit(X, LABELS[: len(X)])[1] == []


def test_digits_and_pixels_are_right() -> None:
    X, y = em.datasets.load_digits()
    assert fit(X, y, layer_sizes=[64, 8, 10])[1] == []
    assert fit((X * 255).astype(np.uint8), y, layer_sizes=[64, 8, 10], input_scale=1 / 255)[1] == []


def test_trainers_and_batches_tell_too() -> None:
    X = scaled(3, 1e4)
    trainer = em.Trainer(em.MLP([5, 8, 2], seed=0), em.SGD(1e-9))
    assert len(told(lambda: trainer.run(X, LABELS, 1))) == 1
    batches = [(X[:100], LABELS[:100]), (X[100:], LABELS[100:])]
    net = em.MLP([5, 8, 2], seed=0)
    assert len(told(lambda: net.fit(batches, epochs=2, optimizer=em.SGD(1e-9)))) == 1


@backends
def test_a_constant_is_told_of(backend: str) -> None:
    dead = em.MLP([5, 8, 2], seed=0, backend=backend)
    parameters = dead.parameters
    parameters[40:48] = -1e6  # the hidden layer's biases: relus that never fire
    dead.parameters = parameters
    (message,) = told(lambda: dead.fit(PLAIN, LABELS, epochs=1, progress=False))
    assert CONSTANT in message and "standardize=True" in message
    assert told(lambda: dead.fit(PLAIN, LABELS, epochs=1)) == []  # once
    assert len({tuple(row) for row in dead.forward(PLAIN).tolist()}) == 1


def test_zeros_stay_a_constant() -> None:
    _, messages = fit(PLAIN, init="zeros")
    assert len(messages) == 1 and CONSTANT in messages[0]


def test_constants_that_are_right_are_not_told_of() -> None:
    zeros = {"init": "zeros"}
    assert fit(PLAIN, 0 * LABELS, **zeros)[1] == []  # one label
    assert fit(np.ones((N, 5)), LABELS, **zeros)[1] == []  # one row
    assert fit(PLAIN, LABELS, epochs=0, **zeros)[1] == []
    assert fit(PLAIN[:1], LABELS[:1], **zeros)[1] == []


def test_estimators_name_their_own_remedy() -> None:
    pytest.importorskip("sklearn")
    from eigenmlp.sklearn import MLPClassifier, MLPRegressor

    options: dict[str, Any] = {"max_iter": 2, "random_state": 0}
    for kind in (MLPClassifier, MLPRegressor):
        for solver in ("adam", "lbfgs"):
            model = kind(solver=solver, **options)
            (message,) = told(lambda model=model: model.fit(scaled(3, 1e4), LABELS))
            assert COLUMNS in message and "StandardScaler" in message
            assert told(lambda model=model: model.fit(PLAIN, LABELS)) == []
    dead = MLPRegressor(learning_rate_init=1e-9, warm_start=True, **options)
    told(lambda: dead.fit(PLAIN, LABELS))
    dead.coefs_ = [0 * W for W in dead.coefs_]
    dead.intercepts_[0][:] = -1e6
    (message,) = told(lambda: dead.fit(PLAIN, LABELS))
    assert CONSTANT in message and "StandardScaler" in message


def test_a_warning_that_is_an_error_changes_nothing() -> None:
    net = em.MLP([5, 8, 2], seed=0)
    before = net.parameters.tobytes(), net._rng.bit_generator.state
    with pytest.raises(UserWarning, match="columns"):
        net.fit(scaled(3, 1e4), LABELS, epochs=1)
    assert (net.parameters.tobytes(), net._rng.bit_generator.state) == before


def test_targets_beyond_the_digits_of_float32_are_told_as_that() -> None:
    """Their units are measured already: to measure them would be no remedy."""
    y = PLAIN[:, 0].astype(np.float64) + 1e9
    options: dict[str, Any] = {"layer_sizes": [5, 8, 1], "loss": "mse", "standardize": True}
    _, messages = fit(PLAIN, y, **options)
    assert len(messages) == 1
    assert "float32 can hold, got a mean of 1e+09 ± 0.9" in messages[0]
    assert "dtype='float64'" in messages[0] and "standardize" not in messages[0]
    assert fit(PLAIN, y, **options, dtype="float64")[1] == []


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_squares_that_overflow_are_not_numpys_warning(size: float) -> None:
    net = em.MLP([5, 8, 2], dtype="float64", seed=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(PLAIN * np.float64(size), LABELS, epochs=0)
    assert [w for w in caught if w.category is not UserWarning] == []
