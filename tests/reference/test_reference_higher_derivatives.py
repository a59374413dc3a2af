"""The twin's derivatives beyond the gradient, by central differences in float64 and by SymPy.

Each level is checked against the one below: tangents against outputs, products with the Hessian
against gradients, and each Taylor coefficient against the one before it, since along a line
(k + 1) c_{k+1}(t) is the derivative of c_k(t).
"""

from math import factorial
from typing import Any

import numpy as np
import pytest

from eigenmlp.reference import Network, derivatives
from eigenmlp.reference.activation import ROW_ACTIVATIONS, find
from eigenmlp.reference.loss import find as find_loss
from support.central_differences import (
    COMBINATIONS,
    LOSSES_AND_TARGETS,
    OUTPUT_ACTIVATIONS,
    PAIRS,
    H,
    K,
    N,
    assert_close,
    example,
    loss_clearance,
    targets,
)
from support.names import ACTIVATIONS

Array = Any
ORDER = 5
SMOOTH = [name for name in OUTPUT_ACTIVATIONS if name in ROW_ACTIVATIONS or find(name).taylor]
SMOOTH_LOSSES = [(loss, kind) for loss, kind in LOSSES_AND_TARGETS if find_loss(loss).taylor]


def slope(f: Any) -> Array:
    """The derivative of f(t), an array, at 0, of fourth order."""
    return (8 * (f(H) - f(-H)) - (f(2 * H) - f(-2 * H))) / (12 * H)


def random_directions(network: Network, X: Array) -> tuple[Array, Array]:
    rng = np.random.default_rng(21)
    return rng.normal(0, 0.5, network.parameter_count), rng.normal(0, 0.5, X.shape)


def along(network: Network, v: Array, f: Any) -> Any:
    """f() as a function of t, with the parameters at start + t v."""
    start = network.get_parameters()

    def at(t: float) -> Any:
        network.set_parameters(start + t * v)
        value = f()
        network.set_parameters(start)
        return value

    return at


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_second_derivative(name: str) -> None:
    f = find(name)
    Z = np.linspace(-4, 4, 82)  # not at 0
    actual = f.second_derivative(Z, f.value(Z))
    expected = slope(lambda t: f.derivative(Z + t, f.value(Z + t)))
    assert np.abs(actual - expected).max() <= 1e-7 * max(1, np.abs(expected).max())


@pytest.mark.parametrize(("loss", "kind"), LOSSES_AND_TARGETS)
def test_loss_derivative_tangent(loss: str, kind: str) -> None:
    T = targets(kind)
    clear = 0.0
    for seed in range(100):
        Y, RY = np.random.default_rng(seed).normal(0, 2, (2, N, K))
        clear = loss_clearance(loss, Y, T)
        if clear > 2 * H * np.abs(RY).max():
            break
    assert clear > 2 * H * np.abs(RY).max()
    actual = find_loss(loss).derivative_tangent(Y, T, RY)
    expected = slope(lambda t: find_loss(loss).derivative(Y + t * RY, T))
    assert np.abs(actual - expected).max() <= 1e-7 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("activation", "output"), PAIRS)
def test_jvp(activation: str, output: str, bias: bool) -> None:
    network, X = example(activation, output, "squared_error", bias, input_scale=0.5)
    v, dX = random_directions(network, X)
    v, dX = 0.2 * v, 0.2 * dX  # stays on one side of every kink
    for by_X, by_parameters in [(dX, None), (None, v), (dX, v)]:
        move = np.zeros_like(v) if by_parameters is None else v
        moves = np.zeros_like(dX) if by_X is None else dX

        def outputs(t: float, move: Array = move, moves: Array = moves) -> Array:
            return along(network, move, lambda: network.forward(X + t * moves))(t)

        Y, dY = derivatives.jvp(network, X, by_X, by_parameters)
        np.testing.assert_array_equal(Y, network.forward(X))
        assert_close(dY, slope(outputs))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("activation", "output", "loss", "kind"), COMBINATIONS)
def test_second_order(activation: str, output: str, loss: str, kind: str, bias: bool) -> None:
    network, X = example(activation, output, loss, bias)
    T, w = targets(kind), np.array([0.5, 3.0, 0.0, 1.0, 0.25])
    v = 0.2 * random_directions(network, X)[0]
    _, gradient = network.loss_and_gradient(X, T, w)
    rows = derivatives.per_sample_gradients(network, X, T, w)
    np.testing.assert_allclose(rows.mean(axis=0), gradient, rtol=1e-12, atol=1e-14)
    product = derivatives.hessian_vector_product(network, X, T, v, w)
    expected = slope(along(network, v, lambda: network.loss_and_gradient(X, T, w)[1]))
    size = max(np.abs(expected).max(), np.abs(gradient).max())
    assert np.abs(product - expected).max() <= 1e-7 * size


def test_hessian_is_the_jacobian_of_the_gradient() -> None:
    network, X = example("tanh", "softmax", "squared_error", True)
    T = targets("rows")
    matrix = derivatives.hessian(network, X, T)
    np.testing.assert_array_equal(matrix, matrix.T)
    for i, unit in enumerate(np.eye(network.parameter_count)):
        column = slope(along(network, unit, lambda: network.loss_and_gradient(X, T)[1]))
        assert np.abs(matrix[:, i] - column).max() <= 1e-7 * np.abs(matrix).max()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("activation", "output"), [pair for pair in PAIRS if pair[0] in SMOOTH and pair[1] in SMOOTH]
)
def test_series_of_outputs(activation: str, output: str, bias: bool) -> None:
    network, X = example(activation, output, "squared_error", bias, input_scale=0.5)
    v, dX = random_directions(network, X)

    def series(t: float) -> Array:
        return along(
            network,
            v,
            lambda: derivatives.taylor_outputs(network, X + t * dX, ORDER, v, dX),
        )(t)

    assert_next_coefficients(series)
    np.testing.assert_array_equal(series(0)[0], network.forward(X))
    for order in range(ORDER):
        shorter = derivatives.taylor_outputs(network, X, order, v, dX)
        np.testing.assert_allclose(shorter, series(0)[: order + 1], rtol=1e-14)


@pytest.mark.parametrize(("loss", "kind"), SMOOTH_LOSSES)
@pytest.mark.parametrize("output", SMOOTH)
def test_series_of_loss(output: str, loss: str, kind: str) -> None:
    network, X = example("tanh", output, loss, True)
    T, w = targets(kind), np.array([0.5, 3.0, 0.0, 1.0, 0.25])
    v, _ = random_directions(network, X)
    series = along(network, v, lambda: derivatives.taylor(network, X, T, v, ORDER, w))
    assert_next_coefficients(series)
    assert series(0)[0] == pytest.approx(network.evaluate(X, T, w)[0], rel=1e-14)


def assert_next_coefficients(series: Any) -> None:
    """Coefficient k + 1 is the slope of coefficient k, divided by k + 1."""
    coefficients = series(0)
    steps = np.arange(1, len(coefficients)).reshape(-1, *[1] * (coefficients.ndim - 1))
    expected = slope(series)[:-1] / steps
    # The error of the differences is that of the fifth derivatives, of the size of the series.
    assert np.abs(coefficients[1:] - expected).max() <= 1e-7 * np.abs(coefficients).max()


def test_series_against_sympy() -> None:
    """A 3-5-5-1 tanh network written out in SymPy along a line, differentiated to 50 digits."""
    sympy = pytest.importorskip("sympy")
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(3)
    network = Network([3, 5, 5, 1], ["tanh", "tanh", "identity"], "squared_error", True, 1.0)
    start, v = rng.normal(0, 1, (2, network.parameter_count))
    network.set_parameters(start)
    X, T = np.array([[1.0, 2.0, 4.0]]), np.array([[6.0]])
    t = sympy.Symbol("t")
    line = [sympy.Rational(a) + sympy.Rational(b) * t for a, b in zip(start, v, strict=True)]
    Y, at = [sympy.Rational(x) for x in X[0]], 0
    for D, units, f in [(3, 5, sympy.tanh), (5, 5, sympy.tanh), (5, 1, lambda z: z)]:
        W, b = line[at : at + D * units], line[at + D * units : at + (D + 1) * units]
        at += (D + 1) * units
        Y = [f(sum(Y[d] * W[d * units + k] for d in range(D)) + b[k]) for k in range(units)]
    loss = sympy.lambdify(t, (Y[0] - 6) ** 2, "mpmath")
    with mpmath.workdps(50):
        expected = [float(c) for c in mpmath.taylor(loss, 0, ORDER)]
    actual = derivatives.taylor(network, X, T, v, ORDER)
    np.testing.assert_allclose(actual, expected, rtol=1e-11)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if find(name).taylor])
def test_activations_against_sympy(name: str) -> None:
    """f'' and the series of f(z + t) from the formula in f's file."""
    sympy = pytest.importorskip("sympy")
    f = find(name)
    z = sympy.Symbol("z", real=True)
    values_of = {name: sympy.Float(value, 40) for name, value in f.parameters.items()}
    formula = sympy.sympify(f.formula, locals={"z": z, **values_of})
    Z = np.array([-6.0, -2.0, -0.7, -1e-3, 0.0, 1e-3, 0.5, 3.0])
    line = np.zeros((ORDER + 1, len(Z)))
    line[0], line[1] = Z, 1
    assert f.taylor is not None
    series = f.taylor(line)
    for k in range(ORDER + 1):
        derivative = sympy.diff(formula, z, k)
        values = [float(derivative.subs(z, sympy.Float(x, 40)).evalf(30)) for x in Z]
        expected = np.array(values) / factorial(k)
        np.testing.assert_allclose(series[k], expected, rtol=1e-11, atol=1e-15)
        if k == 2:
            second = f.second_derivative(Z, f.value(Z))
            np.testing.assert_allclose(second, values, rtol=1e-12, atol=1e-15)
