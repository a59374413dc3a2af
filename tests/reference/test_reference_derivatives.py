"""The twin's derivatives against central differences, in float64.

Everything is parametrised from the twin's tables: a new activation or loss is covered as it is.
"""

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import eigenmlp.reference
from eigenmlp.reference import Network
from eigenmlp.reference.activation import (
    ACTIVATIONS,
    ROW_ACTIVATIONS,
    find,
    forward,
)
from eigenmlp.reference.loss import find as find_loss
from eigenmlp.reference.loss import is_sum
from support.central_differences import (
    COMBINATIONS,
    LOSSES_AND_TARGETS,
    OUTPUT_ACTIVATIONS,
    PAIRS,
    D,
    H,
    K,
    N,
    assert_close,
    assert_close_by_layer,
    central_differences,
    example,
    loss_at,
    loss_clearance,
    targets,
)
from support.names import ACTIVATIONS as CHOICES

Array = npt.NDArray[Any]


@pytest.mark.parametrize("name", CHOICES)
def test_activation(name: str) -> None:
    activation = find(name)
    Z = np.linspace(-4, 4, 82)  # not at 0
    step = np.full_like(Z, H)
    near = activation.value(Z + step) - activation.value(Z - step)
    far = activation.value(Z + 2 * step) - activation.value(Z - 2 * step)
    expected = (8 * near - far) / (12 * H)
    assert_close(activation.derivative(Z, activation.value(Z)), expected)


@pytest.mark.parametrize("name", ROW_ACTIVATIONS)
def test_row_activation(name: str) -> None:
    activation = ROW_ACTIVATIONS[name]
    rng = np.random.default_rng(0)
    Z, dY = rng.normal(0, 2, (2, N, K))
    expected = central_differences(lambda Z: float((dY * activation.value(Z)).sum()), Z)
    assert_close(activation.vjp(activation.value(Z), dY), expected)


@pytest.mark.parametrize(("loss", "kind"), LOSSES_AND_TARGETS)
def test_loss(loss: str, kind: str) -> None:
    Y, T = np.random.default_rng(0).normal(0, 2, (N, K)), targets(kind)
    assert loss_clearance(loss, Y, targets("rows")) > 2 * H
    expected = central_differences(lambda Y: float(find_loss(loss).value(Y, T).sum()), Y)
    assert_close(find_loss(loss).derivative(Y, T), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("activation", "output", "loss", "kind"), COMBINATIONS)
def test_loss_and_gradient(activation: str, output: str, loss: str, kind: str, bias: bool) -> None:
    network, X = example(activation, output, loss, bias)
    T = targets(kind)
    f = loss_at(network, X, T)
    value, gradient = network.loss_and_gradient(X, T)
    assert value == f(network.get_parameters())
    assert_close_by_layer(network, gradient, central_differences(f, network.get_parameters()))


@pytest.mark.parametrize("input_scale", [1.0, 1 / 255, -3.0])
@pytest.mark.parametrize(("loss", "kind"), LOSSES_AND_TARGETS)
def test_sample_weights_and_input_scale(loss: str, kind: str, input_scale: float) -> None:
    network, X = example("tanh", "identity", loss, True, input_scale)
    T, w = targets(kind), np.array([0.5, 3.0, 0.0, 1.0, 0.25])
    f = loss_at(network, X, T, w)
    value, gradient = network.loss_and_gradient(X, T, w)
    assert value == f(network.get_parameters())
    assert_close_by_layer(network, gradient, central_differences(f, network.get_parameters()))

    rows = find_loss(loss).value(network.forward(X), T)
    total = 1 if is_sum(loss) else w.sum()
    np.testing.assert_allclose(value, (w * rows).sum() / total, rtol=1e-14)


@pytest.mark.parametrize("input_scale", [1.0, 1 / 255, -3.0])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("activation", "output"), PAIRS)
def test_vjp(activation: str, output: str, bias: bool, input_scale: float) -> None:
    network, X = example(activation, output, "squared_error", bias, input_scale)
    dY = np.random.default_rng(7).normal(0, 1, (N, K))
    start = network.get_parameters()

    def of_parameters(parameters: Array) -> float:
        network.set_parameters(parameters)
        value = float((dY * network.forward(X)).sum())
        network.set_parameters(start)
        return value

    def of_scaled_inputs(X_scaled: Array) -> float:
        return float((dY * network.forward(X_scaled / input_scale)).sum())

    gradient, dX = network.vjp(X, dY)
    assert_close_by_layer(network, gradient, central_differences(of_parameters, start))
    assert dX.shape == (N, D)
    d_scaled = central_differences(of_scaled_inputs, input_scale * X)
    assert_close(dX, input_scale * d_scaled)


@pytest.mark.parametrize("output", OUTPUT_ACTIVATIONS)
def test_without_hidden_layer(output: str) -> None:
    network = Network([D, K], [output], "squared_error", True, 1.0)
    rng = np.random.default_rng(1)
    network.set_parameters(rng.uniform(0.5, 1, network.parameter_count))
    X, T = rng.uniform(0.5, 1, (N, D)), targets("rows")
    _, gradient = network.loss_and_gradient(X, T)
    expected = central_differences(loss_at(network, X, T), network.get_parameters())
    assert_close_by_layer(network, gradient, expected)


@pytest.mark.parametrize(("activation", "output", "loss", "kind"), COMBINATIONS)
def test_float32_stays_float32(activation: str, output: str, loss: str, kind: str) -> None:
    double, X = example(activation, output, loss, bias=True)
    single = Network(double_sizes(double), double.activations, loss, True, 1.0, "float32")
    single.set_parameters(double.get_parameters())
    T, w = targets(kind), np.array([0.5, 3.0, 0.0, 1.0, 0.25])

    for layer_pass in single.forward_pass(X):
        assert [A.dtype for A in layer_pass] == [np.float32] * 3
    value, gradient = single.loss_and_gradient(X, T, w)
    d_parameters, dX = single.vjp(X, np.ones((N, K)))
    arrays = [single.get_parameters(), single.forward(X), gradient, d_parameters, dX]
    assert [A.dtype for A in arrays] == [np.float32] * 5
    assert isinstance(value, float)

    value_64, gradient_64 = double.loss_and_gradient(X, T, w)
    np.testing.assert_allclose(value, value_64, rtol=2e-5)
    assert np.abs(gradient - gradient_64).max() <= 2e-5 * np.abs(gradient_64).max()


def double_sizes(network: Network) -> list[int]:
    """The layer sizes of a network."""
    return [network.weights[0].shape[0], *(W.shape[1] for W in network.weights)]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_integer_inputs_are_converted(dtype: str) -> None:
    network, _ = example("tanh", "identity", "squared_error", True)
    X = np.random.default_rng(3).integers(0, 255, (N, D)).astype(dtype)
    np.testing.assert_array_equal(network.forward(X), network.forward(X.astype("float64")))


def test_no_overflow_and_no_warning_at_large_numbers() -> None:
    Z = np.array([[-1e4, 0.0, 1e4]])
    for name in OUTPUT_ACTIVATIONS:
        assert np.isfinite(forward(name, Z)).all()
    for loss, kind in LOSSES_AND_TARGETS:
        T = targets(kind)[:1]
        if loss != "poisson":  # its rate is exp(1e4)
            assert np.isfinite(find_loss(loss).value(Z, T)).all()
            assert np.isfinite(find_loss(loss).derivative(Z, T)).all()


def test_conventions_at_zero_and_nan() -> None:
    zero, nan = np.zeros(1), np.full(1, np.nan)
    assert ACTIVATIONS["relu"].derivative(zero, zero) == 0
    assert ACTIVATIONS["leaky_relu"].derivative(zero, zero) == 0.01
    assert ACTIVATIONS["elu"].derivative(zero, zero, alpha=0.3) == 0.3
    for name in CHOICES:
        assert np.isnan(find(name).value(nan)).all()


def test_count_of_correct_rows() -> None:
    Y = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])
    softmax_cross_entropy = find_loss("softmax_cross_entropy")
    right = softmax_cross_entropy.correct(Y, np.array([0, 2, 1]))  # the first of equal logits
    np.testing.assert_array_equal(right, [True, True, False])
    right = softmax_cross_entropy.correct(Y, np.array([[0.4, 0.3, 0.3], [1, 0, 0], [0, 0, 1]]))
    np.testing.assert_array_equal(right, [True, False, True])
    T = np.array([[1.0, 0.6, 0.5], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    right = find_loss("sigmoid_cross_entropy").correct(Y, T)  # a logit of 0 means no
    np.testing.assert_array_equal(right, [True, True, False])
    assert find_loss("squared_error").correct(Y, T) is None


@pytest.mark.parametrize("bias", [True, False])
def test_order_of_the_flat_parameters(bias: bool) -> None:
    network = Network([2, 3, 1], ["relu", "identity"], "squared_error", bias, 1.0)
    flat = np.arange(1.0, 1 + network.parameter_count)
    network.set_parameters(flat)
    np.testing.assert_array_equal(network.weights[0], [[1, 2, 3], [4, 5, 6]])
    if bias:
        np.testing.assert_array_equal(network.biases[0], [7, 8, 9])
        np.testing.assert_array_equal(network.weights[1], [[10], [11], [12]])
        np.testing.assert_array_equal(network.biases[1], [13])
    else:
        np.testing.assert_array_equal(network.weights[1], [[7], [8], [9]])
    copy = network.get_parameters()
    np.testing.assert_array_equal(copy, flat)
    copy[:] = 0
    np.testing.assert_array_equal(network.get_parameters(), flat)


def test_forward_into_out() -> None:
    network, X = example("tanh", "identity", "squared_error", True)
    out = np.full((N, K), np.nan)
    assert network.forward(X, out=out) is out
    np.testing.assert_array_equal(out, network.forward(X))


def test_the_twin_imports_only_numpy() -> None:
    """An oracle has nothing in common with what it judges, but who may read it when."""
    files = list(Path(eigenmlp.reference.__file__).parent.rglob("*.py"))
    assert len(files) >= 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, file
                names = [str(node.module)]
            for name in names:
                top = name.split(".")[0]
                allowed = top == "numpy" or top in sys.stdlib_module_names
                common = name == "eigenmlp._basics.turns"
                assert allowed or common or name.startswith("eigenmlp.reference"), (file, name)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error(reduction='sum')"])
def test_blocks_of_rows_add_up(loss: str, weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that go through in blocks, so that Ctrl-C need not wait, are the same sums and rows."""
    from eigenmlp.reference import derivatives, network

    rng = np.random.default_rng(0)
    net = Network([3, 4, 3], ["tanh", "identity"], loss, True, 0.5)
    net.set_parameters(rng.normal(size=net.parameter_count))
    X, dX, T = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]
    w = np.array([1.0, 0, 2, 0, 0, 0, 3]) if weighted else None
    v = rng.normal(size=net.parameter_count)

    def everything() -> list[Any]:
        return [
            net.forward(X),
            net.forward(X, out=np.empty((7, 3))),
            *net.evaluate(X, T, w),
            *net.loss_and_gradient(X, T, w),
            *net.vjp(X, T),
            *derivatives.jvp(net, X, dX, v),
            derivatives.input_gradient(net, X, T),
            derivatives.input_gradient(net, X, output=1),
            derivatives.per_sample_gradients(net, X, T, w),
            derivatives.hessian_vector_product(net, X, T, v, w),
            derivatives.hessian(net, X, T, w),
            derivatives.taylor(net, X, T, v, 3, w),
            derivatives.taylor_outputs(net, X, 3, v, dX),
        ]

    assert len(net.blocks(7)) == 1
    whole = everything()
    cost = net.parameter_count + network._FUNCTION * (3 + 4 + 4 + 3)
    monkeypatch.setattr(network, "_BLOCK", 2 * cost)
    assert [len(range(7)[rows]) for rows in net.blocks(7)] == [2, 2, 2, 1]
    for found, expected in zip(everything(), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
