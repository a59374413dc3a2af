"""check_gradients: passes what is right, at kinks too, and catches what people get wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import eigenmlp as em
from support.names import ACTIVATIONS, LOSS_OUTPUTS
from support.problems import make_data, make_net

Array = npt.NDArray[Any]


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize(
    ("activation", "loss", "output"),
    [
        *((activation, "squared_error", "identity") for activation in ACTIVATIONS),
        *(("tanh", loss, output) for loss, output in LOSS_OUTPUTS),
    ],
)
def test_every_network(activation: str, loss: str, output: str, backend: str) -> None:
    options = {"activation": activation, "output_activation": output, "loss": loss}
    net = make_net([4, 5, 3], backend=backend, **options)
    X, T = make_data([4, 5, 3], loss, rows=6)
    report = em.check_gradients(net, X, T, most=None)
    assert report.ok, report
    assert report.checked == report.count == net.parameter_count


def test_network_with_l2_weights_and_no_bias() -> None:
    X, T = make_data([4, 5, 3], "squared_error", rows=6)
    net = make_net([4, 5, 3], bias=False, activation="tanh", loss="squared_error")
    before = net.parameters
    report = em.check_gradients(net, X, T, l2=0.3, sample_weight=[1, 2, 0, 1, 1, 3])
    assert report.ok, report
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_no_false_alarm_at_kinks(activation: str, seed: int) -> None:
    """Rows of zeros and biases of zero: many units sit exactly at their kink."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(0, 1, (20, 5))) * 10.0 ** rng.integers(-2, 4)
    X[:3] = 0
    net = em.MLP([5, 7, 6, 3], activation=activation, seed=seed)
    y = rng.integers(0, 3, 20)
    y[:3] = 0  # so that the kinks of the three rows do not cancel
    report = em.check_gradients(net, X, y, most=None)
    assert report.ok, report
    assert report.kinks
    assert all(entry.name.startswith("b") for entry in report.kinks), "zeros reach only biases"
    assert report.checked + len(report.kinks) == report.count


def test_no_false_alarm_where_the_loss_is_flat() -> None:
    """Saturated far beyond rounding: a loss of exactly 0 with gradients of about 1e-70."""
    net = make_net([1, 2], init="zeros", dtype="float64")
    net.parameters = [200.0, 0.0, 0.0, 0.0]
    _, gradient = net.loss_and_gradient([[1.0]], [0])
    assert 0 < np.abs(gradient).max() < 1e-50
    assert em.check_gradients(net, [[1.0]], [0]).ok


# ---- softmax's derivative, as people write it

Z = np.random.default_rng(0).normal(0, 1, (5, 4))
T = np.eye(4)[[0, 1, 2, 3, 1]]


def softmax(Z: Array) -> Array:
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P: Array = E / E.sum(axis=1, keepdims=True)
    return P


def right(P: Array, g: Array) -> Array:
    dZ: Array = P * (g - (g * P).sum(axis=1, keepdims=True))
    return dZ


def wrong_index(P: Array, g: Array) -> Array:
    """The sum runs over rows instead of outputs."""
    dZ: Array = P * (g - (g * P).sum(axis=0, keepdims=True))
    return dZ


def diagonal_only(P: Array, g: Array) -> Array:
    return P * (1 - P) * g


def softmax_twice(P: Array, g: Array) -> Array:
    return right(softmax(P), g)


def half_squares(vjp: Callable[[Array, Array], Array]) -> Callable[[Array], tuple[float, Array]]:
    """Half the sum of squares under a softmax, as a function of the logits."""

    def function(Z: Array) -> tuple[float, Array]:
        P = softmax(Z)
        return 0.5 * float(((P - T) ** 2).sum()), vjp(P, P - T)

    return function


def test_the_right_jacobian_passes() -> None:
    report = em.check_gradients(half_squares(right), Z)
    assert report.ok, report
    assert report.checked == 20
    assert "right" in str(report)


@pytest.mark.parametrize("vjp", [wrong_index, diagonal_only, softmax_twice])
def test_the_wrong_jacobians_are_caught(vjp: Callable[[Array, Array], Array]) -> None:
    report = em.check_gradients(half_squares(vjp), Z)
    assert not report
    assert report.max_relative_error > 0.01
    worst = report.worst[0]
    assert worst.name.startswith("parameters[")
    assert worst.relative_error == report.max_relative_error
    assert worst.name in str(report)
    assert "WRONG" in str(report)


@pytest.mark.parametrize("seed", range(10))
def test_one_wrong_entry_is_named(seed: int) -> None:
    """An error of 1e-4 in one entry of a relu network's gradient."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(0, 1, (40, 5)), rng.integers(0, 3, 40)
    net = em.MLP([5, 7, 6, 3], seed=seed, dtype="float64")
    _, gradient = net.loss_and_gradient(X, y)
    i = int(rng.choice(np.flatnonzero(np.abs(gradient) > 1e-6)))

    def function(parameters: Array) -> tuple[float, Array]:
        loss, gradient = net.loss_and_gradient(X, y, parameters)
        gradient[i] *= 1 + 1e-4
        return loss, gradient

    report = em.check_gradients(function, net.parameters)
    assert not report.ok
    assert report.worst[0].name == f"parameters[{i}]"
    assert report.max_relative_error == pytest.approx(1e-4, rel=0.01)
    assert report.worst[1].relative_error <= report.tolerance


def test_a_function_in_float32_gets_wider_steps() -> None:
    A = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)

    def function(w: Array, factor: float = 1) -> tuple[float, Array]:
        S = np.tanh(A @ w.astype(np.float32))
        return float((S**2).sum()), factor * A.T @ (2 * S * (1 - S * S))

    w = np.full(5, 0.3)
    assert em.check_gradients(function, w).ok
    assert not em.check_gradients(lambda w: function(w, 1.01), w).ok


def test_names_and_sample_of_entries() -> None:
    net = em.MLP([100, 50, 2], seed=0, activation="tanh")
    X, y = make_data([100, 50, 2], "softmax_cross_entropy", rows=4)
    report = em.check_gradients(net, X, y, most=40)
    assert (report.checked, report.count) == (40, net.parameter_count)
    for most in (1, 3, 5, 5000, 5202, 9999):
        sizes = [5000, 50, 100, 2]
        drawn = em.gradient_check._draw(sizes, most, np.random.default_rng(0))
        assert len(set(drawn)) == min(most, 5152)
    arrays = [("W0", (2, 3)), ("b0", (3,)), ("W1", (3, 1))]
    names = [em.gradient_check._name(arrays, i) for i in (0, 5, 6, 8, 9, 11)]
    assert names == ["W0[0, 0]", "W0[1, 2]", "b0[0]", "b0[2]", "W1[0, 0]", "W1[2, 0]"]


def test_nothing_judged_is_not_ok() -> None:
    report = em.check_gradients(lambda x: (np.abs(x).sum(), np.zeros(2)), [0.0, 0.0])
    assert not report.ok
    assert len(report.kinks) == 2
    assert "all 2 entries are at kinks" in str(report)


def square(x: Array) -> tuple[float, Array]:
    return float((x**2).sum()), 2 * x


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: em.check_gradients(3, [1.0]), TypeError, "expected an MLP or a function, got int"),
        (lambda: em.check_gradients(em.MLP([1, 1]), [[1.0]]), TypeError, "got no y"),
        (lambda: em.check_gradients(square, [1.0], [1.0]), TypeError, r"\(function, parameters\)"),
        (lambda: em.check_gradients(square, []), ValueError, "at least one number"),
        (lambda: em.check_gradients(square, [np.nan]), ValueError, "parameters.*finite"),
        (lambda: em.check_gradients(square, ["a"]), TypeError, "expected numbers"),
        (lambda: em.check_gradients(square, [1.0], most=0), ValueError, "most.*at least 1"),
        (lambda: em.check_gradients(square, [1.0], tolerance=0), ValueError, "tolerance"),
        (lambda: em.check_gradients(lambda x: 1.0, [1.0]), TypeError, r"\(loss, gradient\)"),
        (lambda: em.check_gradients(lambda x: (x, x), [1.0, 2.0]), TypeError, "loss.*number"),
        (lambda: em.check_gradients(lambda x: (1.0, x[:1]), [1.0, 2.0]), ValueError, r"\(2,\)"),
        (lambda: em.check_gradients(lambda x: (np.inf, x), [1.0]), ValueError, "loss.*finite"),
        (lambda: em.check_gradients(lambda x: (1, x * np.nan), [1.0]), ValueError, "gradient"),
        (
            lambda: em.check_gradients(lambda x: (0 if x[0] == 1 else np.nan, x), [1.0]),
            ValueError,
            "loss.*finite",
        ),
    ],
)
def test_bad_input(call: Callable[[], object], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
