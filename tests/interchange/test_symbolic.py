"""Expressions of networks evaluate to the numbers of the library."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

import eigenmlp as em
from support.names import ACTIVATIONS, LOSS_OUTPUTS
from support.problems import make_data, make_net

sympy = pytest.importorskip("sympy", reason="SymPy is not installed: pip install sympy")

Array = npt.NDArray[Any]

# 30 digits in SymPy against float64: what is left is the library's own rounding, a few hundred
# units in the last place over two small layers.
RTOL = 1e-12


def numbers(expressions: Any, at: dict[Any, Any]) -> Array:
    exact = {symbol: sympy.Float(float(value), 30) for symbol, value in at.items()}
    return np.array([float(e.xreplace(exact).evalf(30)) for e in expressions])


def one_row(net: em.MLP, x: Array, t: Array) -> dict[Any, Any]:
    symbols = [*em.symbolic.inputs(net), *em.symbolic.targets(net)]
    return dict(zip(symbols, [*x, *t], strict=True))


@pytest.mark.parametrize(
    ("activation", "loss", "output"),
    [
        *((activation, "squared_error", "identity") for activation in ACTIVATIONS),
        *(("tanh", loss, output) for loss, output in LOSS_OUTPUTS),
    ],
)
def test_outputs_loss_and_gradient(activation: str, loss: str, output: str) -> None:
    sizes = [2, 3, 2]
    options = {"activation": activation, "output_activation": output, "loss": loss}
    net = make_net(sizes, dtype="float64", seed=3, **options)
    X, T = make_data(sizes, loss, rows=3)
    rows = np.eye(2)[T] if T.ndim == 1 else T
    values = em.symbolic.values(net)
    outputs, gradient = em.symbolic.expression(net), em.symbolic.gradient(net)
    for i, (x, t) in enumerate(zip(X, rows, strict=True)):
        at = {**values, **one_row(net, x, t)}
        np.testing.assert_allclose(net.forward(X[i : i + 1])[0], numbers(outputs, at), rtol=RTOL)
        value, slopes = net.loss_and_gradient(X[i : i + 1], T[i : i + 1])
        assert value == pytest.approx(numbers([em.symbolic.loss(net)], at)[0], rel=RTOL)
        # An entry may be the small difference of larger ones: relative to the largest, or to the
        # loss where all of them are 0 but for rounding.
        scale = max(np.abs(slopes).max(), abs(value))
        np.testing.assert_allclose(slopes, numbers(gradient, at), rtol=RTOL, atol=RTOL * scale)


@pytest.mark.parametrize(
    "loss",
    [
        "quantile(q=[0.2, 0.9])",
        "softmax_cross_entropy(class_weight=[2.0, 0.5])",
        "softmax_cross_entropy(label_smoothing=0.2, class_weight=[2.0, 0.5])",
        "softmax_cross_entropy(label_smoothing=0.2, class_weight=[2.0, 0.5], reduction='sum')",
    ],
)
def test_losses_with_several_numbers(loss: str) -> None:
    """Of each row alone; and of all rows, as the docstring of `loss` puts them together."""
    net = make_net([2, 2], dtype="float64", seed=3, loss=loss)
    X, T = make_data([2, 2], loss, rows=4)
    if T.ndim == 1:
        T = np.array([0, 1, 1, 0])
    losses, gradients = [], []
    for i, (x, t) in enumerate(zip(X, np.eye(2)[T] if T.ndim == 1 else T, strict=True)):
        at = {**em.symbolic.values(net), **one_row(net, x, t)}
        losses.append(numbers([em.symbolic.loss(net)], at)[0])
        gradients.append(numbers(em.symbolic.gradient(net), at))
        value, slopes = net.loss_and_gradient(X[i : i + 1], T[i : i + 1])
        assert value == pytest.approx(losses[-1], rel=RTOL)
        np.testing.assert_allclose(slopes, gradients[-1], rtol=RTOL)
    weights = np.array([2.0, 0.5])[T] if "class_weight" in loss else np.ones(4)
    shares = np.ones(4) if "sum" in loss else weights / weights.sum()
    value, slopes = net.loss_and_gradient(X, T)
    assert value == pytest.approx(shares @ losses, rel=RTOL)
    size = np.abs(gradients).max()  # of the terms, which may cancel
    np.testing.assert_allclose(slopes, shares @ np.array(gradients), rtol=0, atol=RTOL * size)


def test_gradient_is_the_derivative_of_the_loss() -> None:
    net = em.MLP([2, 2, 2], activation="sigmoid", seed=0)
    loss, gradient = em.symbolic.loss(net), em.symbolic.gradient(net)
    at = {**em.symbolic.values(net), **one_row(net, np.array([0.3, -0.5]), np.array([1, 0]))}
    by_sympy = [loss.diff(symbol) for symbol in em.symbolic.parameters(net)]
    np.testing.assert_allclose(numbers(gradient, at), numbers(by_sympy, at), rtol=1e-14)


def test_symbols_numbers_scale_and_no_bias() -> None:
    net = em.MLP([2, 3, 1], loss="squared_error", bias=False, input_scale=0.25, seed=0)
    names = [str(symbol) for symbol in em.symbolic.parameters(net)]
    first = [f"W0_{i}_{j}" for i in range(2) for j in range(3)]
    assert names == [*first, "W1_0_0", "W1_1_0", "W1_2_0"]
    with_numbers = em.symbolic.expression(net, numbers=True)
    assert {str(symbol) for symbol in with_numbers.free_symbols} == {"x0", "x1"}
    x = [8.0, -3.0]
    expected = net.forward([x])[0, 0]
    assert float(with_numbers.subs({"x0": x[0], "x1": x[1]})[0]) == pytest.approx(expected, 1e-6)
    loss = em.symbolic.loss(net, numbers=True).subs({"x0": x[0], "x1": x[1], "t0": 2})
    assert float(loss) == pytest.approx(net.loss([x], [2.0]), 1e-6)
    gradient = em.symbolic.gradient(net, numbers=True)
    assert gradient.shape == (net.parameter_count, 1)
    assert {str(symbol) for symbol in gradient.free_symbols} <= {"x0", "x1", "t0"}


def test_parameters_of_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number for each output, words that say nothing of one row, smoothed labels."""

    class Pinball:
        formula = "Piecewise((q*(t - y), t > y), ((1 - q)*(y - t), True))"
        parameters: ClassVar = {"q": 0.5}

    monkeypatch.setitem(em.symbolic.LOSSES, "pinball", Pinball)
    y, t = sympy.symbols("y0:2"), sympy.symbols("t0:2")
    at = {y[0]: 1, t[0]: 3, y[1]: 4, t[1]: 2}
    value = em.symbolic._loss("pinball(q=[0.1, 0.75], reduction='sum')", list(y), list(t))
    assert value.subs(at) == sympy.Rational(1, 10) * 2 + sympy.Rational(1, 4) * 2
    assert em.symbolic._loss("pinball", list(y), list(t)).subs(at) == 2

    smooth = em.symbolic._loss("softmax_cross_entropy(label_smoothing=0.2)", list(y), list(t))
    plain = em.symbolic._loss("softmax_cross_entropy", list(y), list(t))
    at = {y[0]: 1, y[1]: 4}
    expected = plain.subs(at).subs({t[0]: 0.9, t[1]: 0.1})
    assert float(smooth.subs(at).subs({t[0]: 1, t[1]: 0})) == pytest.approx(float(expected))


def test_lambdify_with_numpy() -> None:
    net = make_net([3, 4, 2], dtype="float64", activation="tanh", loss="squared_error")
    f = sympy.lambdify(
        em.symbolic.inputs(net), list(em.symbolic.expression(net, numbers=True)), cse=True
    )
    X, _ = make_data([3, 4, 2], "squared_error", rows=5)
    np.testing.assert_allclose(np.array(f(*X.T)).T, net.forward(X), rtol=RTOL)


def test_a_large_network_is_refused() -> None:
    net = em.MLP([64, 50, 10])
    for function in em.symbolic.expression, em.symbolic.loss, em.symbolic.gradient:
        with pytest.raises(ValueError, match=r"at most 500 paths.*64 · 50 · 10 = 32,000"):
            function(net)
    assert em.symbolic.expression(em.MLP([10, 20, 3]), limit=600).shape == (3, 1)


@pytest.mark.parametrize("function", ["expression", "loss", "gradient", "parameters", "values"])
def test_only_networks(function: str) -> None:
    with pytest.raises(TypeError, match="expected an MLP, got int"):
        getattr(em.symbolic, function)(3)
